//! Donjon's benchmarks, and its peers beside it.

use crate::Outcome;
use crate::command::{cargo, program, root, run as run_program};

/// The program that measures the peers, if it is at hand.
const PEERS: &str = "../shared/peers/run";

/// Builds `bench/`, runs its micro benchmarks, and the peers with Donjon's site among them.
///
/// `args` go to the peers' program; without any it measures all. With arguments the micro
/// benchmarks are left out.
///
/// # Errors
/// If one of them fails.
pub(crate) fn run(args: &[String]) -> Outcome {
    run_program(&mut cargo(["build", "--release", "--manifest-path", "bench/Cargo.toml"]))?;
    let built = root().join("bench/target/release");
    if args.is_empty() {
        run_program(&mut program(built.join("micro")))?;
    }
    let peers = root().join(PEERS);
    if !peers.is_file() {
        println!("peers: {PEERS} is not there, not run");
        return Ok(());
    }
    let everything = ["all".to_owned()];
    let args = if args.is_empty() { &everything } else { args };
    run_program(program(peers).args(args).env("DONJON_SITE", built.join("site")))
}
