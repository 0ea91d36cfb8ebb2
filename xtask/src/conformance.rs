//! Django's recorded answers, put to Donjon.

use crate::Outcome;
use crate::command::{cargo, root, run as run_program};

/// Where the recorded answers lie, if they are at hand.
pub(crate) const VECTORS: &str = "../shared/vectors";

/// Are the recorded answers at hand?
pub(crate) fn has_vectors() -> bool {
    root().join(VECTORS).is_dir()
}

/// Runs the cases of these files, or of all recorded ones that the runner knows.
///
/// # Errors
/// If a case fails, or there is nothing to run.
pub(crate) fn run(args: &[String]) -> Outcome {
    let mut command = cargo(["run", "--quiet", "--package", "conformance", "--manifest-path"]);
    // Paths count from where the command was typed.
    command.current_dir(".").arg(root().join("Cargo.toml")).arg("--").args(args);
    run_program(&mut command)
}
