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
    let _quiet = Quiet::begin();
    if prepare(apt.command().args(&install)).is_ok() {
        return Ok(());
    }
    prepare(apt.command().arg("update"))?;
    prepare(apt.command().args(&install))
}

/// As long as it lives, packages start no servers of theirs: tests start their own.
struct Quiet;

impl Quiet {
    /// Debian asks this program whether a server may start: 101 means no.
    const POLICY: &str = "/usr/sbin/policy-rc.d";

    /// None where there is such a policy already, or only root may make one.
    fn begin() -> Option<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = std::fs::File::options();
        let mut file = options.write(true).create_new(true).mode(0o755).open(Self::POLICY).ok()?;
        std::io::Write::write_all(&mut file, b"#!/bin/sh\nexit 101\n").ok()?;
        Some(Self)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Where it stays, no server starts by itself, which is seen at once.
        let _ = std::fs::remove_file(Self::POLICY);
    }
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
