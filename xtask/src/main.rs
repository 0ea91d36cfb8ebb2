//! `cargo xtask`: the one door for commands.
//!
//! | command | what it does |
//! |---|---|
//! | `test` | sets up what the tests need, then tests, conformance and a short fuzz |
//! | `services [COMMAND…]` | sets up what the tests need, and prints it as `export NAME=value`, or runs a command with it |
//! | `conformance [PATH…] [--json FILE]` | the recorded answers of Django, put to Donjon |
//! | `bench [ARGS…]` | Donjon's benchmarks, and its peers beside it |
//! | `fuzz [TARGET] [--seconds N]` | one fuzz target, or all of them |
//! | `ci` | formatting, lints, docs, then `test` |

mod bench;
mod ci;
mod command;
mod conformance;
mod debian;
mod django;
mod fuzz;
mod services;
mod test;
mod variants;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND
  test                               what the tests need, the tests, conformance, a short fuzz
  services [COMMAND…]                what the tests need, printed as `export NAME=value`; or a
                                     command that has it, and the servers
  conformance [PATH…] [--json FILE]  Django's recorded answers; PATH: default ../shared/vectors
  bench [ARGS…]                      Donjon's benchmarks; ARGS: for its peers' `run`, default all
  fuzz [TARGET] [--seconds N]        one fuzz target or all; N: default 60
  ci                                 formatting, lints, docs, then `test`";

/// What a command comes to: nothing more to say, or what went wrong and what to do.
type Outcome<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    match dispatch(&command, &args.collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &str, args: &[String]) -> Outcome {
    match (command, args) {
        ("test", []) => test::run(),
        ("services", args) => services::run(args),
        ("conformance", args) => conformance::run(args),
        ("bench", args) => bench::run(args),
        ("fuzz", args) => fuzz::run(args),
        ("ci", []) => ci::run(),
        _ => Err(format!("no such command\n{USAGE}")),
    }
}
