//! The lints for sites see every door, and name none that does not exist.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LINTS: &str = include_str!("../clippy-for-sites.toml");

/// What a site's crate need not have.
const ELSEWHERE: [&str; 2] = ["axum::serve", "sqlx::AssertSqlSafe"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// A crate beside the workspace that opens every door.
fn doors() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("doors");
    fs::create_dir_all(folder.join("src")).unwrap();
    let db = root().join("crates/donjon-db");
    let manifest = format!(
        "[package]\nname = \"doors\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         donjon-db = {{ path = {db:?} }}\n\
         sea-orm = {{ version = \"2\", default-features = false, features = [\"macros\", \"stream\"] }}\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("clippy.toml"), LINTS).unwrap();
    fs::write(folder.join("src/lib.rs"), include_str!("doors/doors.rs")).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    folder
}

/// What clippy says. The dependencies are those that the tests of what does not compile have built.
fn said() -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tests").join("trybuild");
    let clippy = Command::new(env!("CARGO"))
        .args(["clippy", "--offline", "--quiet", "--color=never"])
        .current_dir(doors())
        .env("CARGO_TARGET_DIR", target)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let said = String::from_utf8(clippy.stderr).unwrap();
    assert!(clippy.status.success(), "{said}");
    said
}

fn banned() -> impl Iterator<Item = &'static str> {
    LINTS.lines().filter_map(|line| line.trim().strip_prefix("{ path = \"")?.split('"').next())
}

#[test]
fn every_door_is_seen() {
    let said = said();
    for path in banned().filter(|path| !ELSEWHERE.contains(path)) {
        assert!(said.contains(&format!("`{path}`\n")), "{path} is not seen: {said}");
    }
    // As clippy says of a path that leads nowhere.
    assert!(!said.contains("clippy.toml:"), "{said}");
}

#[test]
fn the_bank_has_these_lints() {
    let bank = fs::read_to_string(root().join("examples/bank/clippy.toml")).unwrap();
    assert_eq!(bank, LINTS);
}
