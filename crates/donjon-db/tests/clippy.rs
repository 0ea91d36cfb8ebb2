//! The lints for sites see every door, and name none that does not exist.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests stop a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LINTS: &str = include_str!("../clippy-for-sites.toml");

/// What a site's crate need not have.
const ELSEWHERE: [&str; 2] = ["axum::serve", "sqlx::AssertSqlSafe"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// What clippy says of the doors, with the lints of a site.
fn said() -> String {
    let lints = tempfile::tempdir().unwrap();
    fs::write(lints.path().join("clippy.toml"), LINTS).unwrap();
    let clippy = Command::new(env!("CARGO"))
        .args(["clippy", "--offline", "--quiet", "--color=never", "--package=donjon-db"])
        .args(["--test=doors", "--", "--force-warn=clippy::disallowed_methods"])
        .arg("--force-warn=clippy::disallowed_types")
        .current_dir(root())
        .env("CLIPPY_CONF_DIR", lints.path())
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
