//! What a change must pass.

use crate::command::{cargo, output, root, run as run_program};
use crate::{Outcome, test};

/// The workspaces of their own.
const OTHERS: [&str; 2] = ["bench/Cargo.toml", "fuzz/Cargo.toml"];

/// Formatting, lints, docs, the parts alone, and all tests.
///
/// # Errors
/// The first that fails.
pub(crate) fn run() -> Outcome {
    formatting()?;
    run_program(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    // The rooms stand without axum.
    run_program(&mut cargo(["check", "--package", "donjon", "--no-default-features"]))?;
    let mut doc = cargo(["doc", "--workspace", "--no-deps"]);
    run_program(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    dependencies()?;
    test::run()
}

fn formatting() -> Outcome {
    run_program(&mut cargo(["fmt", "--all", "--check"]))?;
    OTHERS.into_iter().filter(|manifest| root().join(manifest).is_file()).try_for_each(|manifest| {
        run_program(&mut cargo(["fmt", "--manifest-path", manifest, "--check"]))
    })
}

/// Licences and sources, where cargo-deny is installed.
fn dependencies() -> Outcome {
    if output(&mut cargo(["deny", "--version"])).is_none() {
        println!("cargo-deny is not there: licences and sources are not checked");
        return Ok(());
    }
    run_program(&mut cargo(["deny", "check", "bans", "licenses", "sources"]))
}
