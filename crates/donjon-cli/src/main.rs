//! `donjon`: what the authors of templates need without a program around them.
//!
//! ```text
//! donjon templates check  [--templates DIR]… [--format human|json] [--deny-warnings] [--escape-as-django PREFIX]…
//! donjon templates render NAME [--context FILE] [--templates DIR]… [--language CODE] [--locale DIR]…
//! ```
//!
//! 1. `check` says everything that is wrong, with its place, and exits with 1 if anything is.
//! 2. `render` prints the page and nothing else; what fails is said on the error output.

mod templates;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command.
#[derive(Parser)]
#[command(name = "donjon", version, about = "Checks and renders the templates of a Donjon site")]
struct Command {
    #[command(subcommand)]
    about: About,
}

#[derive(Subcommand)]
enum About {
    /// Templates: check them, or render one.
    Templates {
        #[command(subcommand)]
        action: templates::Action,
    },
}

fn main() -> ExitCode {
    let About::Templates { action } = Command::parse().about;
    action.run()
}
