//! All tests, on real parts.

use crate::command::{self, cargo, output};
use crate::services::{Exports, Shared, export};
use crate::{Outcome, conformance, fuzz, services};

/// Sets up the parts, and runs the tests, conformance and a short fuzz.
///
/// # Errors
/// The first of them that fails.
pub(crate) fn run() -> Outcome {
    let mut exports = services::set_up()?;
    let servers = Shared::start()?;
    exports.extend(servers.exports());
    tests(&exports)?;
    if conformance::has_vectors() {
        conformance::run(&[])?;
    } else {
        println!("conformance: {} is not there, not run", conformance::VECTORS);
    }
    fuzz::smoke()?;
    println!("xtask test: all passed");
    Ok(())
}

fn tests(exports: &Exports) -> Outcome {
    let test = |args: &[&str]| command::run(export(&mut cargo(args.iter().copied()), exports));
    if output(&mut cargo(["nextest", "--version"])).is_none() {
        return test(&["test", "--workspace"]);
    }
    test(&["nextest", "run", "--workspace", "--no-fail-fast"])?;
    test(&["test", "--doc", "--workspace"])
}
