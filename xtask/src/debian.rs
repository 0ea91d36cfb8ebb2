//! Packages of Debian, for what a machine lacks.

use std::process::Command;

use crate::Outcome;
use crate::command::{find, output, prepare, program};

/// Installs packages; the list of packages is fetched only if it doesn't know them.
///
/// # Errors
/// Where there is no `apt-get` or no right to use it, with the packages that are missing.
pub(crate) fn install(packages: &[&str]) -> Outcome {
    let install = [&["install", "-y", "--no-install-recommends"], packages].concat();
    let apt = Apt::find().ok_or_else(|| missing(packages))?;
    if prepare(apt.command().args(&install)).is_ok() {
        return Ok(());
    }
    prepare(apt.command().arg("update"))?;
    prepare(apt.command().args(&install))
}

fn missing(packages: &[&str]) -> String {
    let packages = packages.join(" ");
    format!("missing, and only root can install it: apt-get install {packages}")
}

enum Apt {
    AsRoot,
    BySudo,
}

impl Apt {
    fn find() -> Option<Self> {
        find(&["apt-get"])?;
        if output(program("id").arg("-u"))? == "0" {
            return Some(Self::AsRoot);
        }
        output(program("sudo").args(["-n", "true"])).map(|_| Self::BySudo)
    }

    fn command(&self) -> Command {
        let mut command = match self {
            Self::AsRoot => program("apt-get"),
            Self::BySudo => program("sudo"),
        };
        if matches!(self, Self::BySudo) {
            command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
}
