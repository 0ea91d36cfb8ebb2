//! The parts that tests need and that Cargo can't bring: each is found, or installed.
//!
//! A test that needs a part reads its variable, and fails without it: `run cargo xtask test`. A new
//! part is one more row of [`PARTS`].

use std::path::PathBuf;
use std::process::Command;

use crate::command::find;
use crate::{Outcome, debian, django};

/// What a part tells the tests: variables and their values.
pub(crate) type Exports = Vec<(&'static str, String)>;

struct Part {
    name: &'static str,
    find: fn() -> Option<Exports>,
    install: fn() -> Outcome,
}

const PARTS: [Part; 4] = [
    Part {
        name: "Chromium",
        find: || found("DONJON_CHROMIUM", &["chromium", "chromium-browser", "google-chrome"]),
        install: || debian::install(&["chromium", "chromium-driver"]),
    },
    Part {
        name: "chromedriver",
        find: || found("DONJON_CHROMEDRIVER", &["chromedriver"]),
        install: || debian::install(&["chromium", "chromium-driver"]),
    },
    Part { name: "Django", find: django::find, install: django::install },
    Part {
        name: "C++ compiler",
        find: || find(&["c++"]).map(|_| Exports::new()),
        install: || debian::install(&["g++"]),
    },
];

/// A program that a variable names, or that is on `PATH`.
fn found(variable: &'static str, names: &[&str]) -> Option<Exports> {
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_file());
    let path = named.or_else(|| find(names))?;
    Some(vec![(variable, path.display().to_string())])
}

/// Sets up all parts.
///
/// # Errors
/// The first part that can be neither found nor installed.
pub(crate) fn set_up() -> Outcome<Exports> {
    let parts = PARTS.iter().map(Part::set_up).collect::<Outcome<Vec<_>>>()?;
    Ok(parts.concat())
}

/// Sets up all parts and prints their variables for a shell.
pub(crate) fn print() -> Outcome {
    for (name, value) in set_up()? {
        println!("export {name}='{}'", value.replace('\'', r"'\''"));
    }
    Ok(())
}

/// Gives a program the variables.
pub(crate) fn export<'a>(command: &'a mut Command, exports: &Exports) -> &'a mut Command {
    command.envs(exports.iter().map(|(name, value)| (name, value)))
}

impl Part {
    fn set_up(&self) -> Outcome<Exports> {
        if let Some(exports) = (self.find)() {
            return Ok(exports);
        }
        eprintln!("{}: not found, installing", self.name);
        (self.install)().map_err(|error| format!("{}: {error}", self.name))?;
        (self.find)().ok_or_else(|| format!("{}: not found after installing it", self.name))
    }
}
