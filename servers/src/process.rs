//! A program that serves until it is told not to.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;

/// How long a server may take to begin or to end.
const DEADLINE: Duration = Duration::from_secs(60);

/// How often it is asked whether it has.
const PAUSE: Duration = Duration::from_millis(10);

/// Where Debian keeps programs that are not on everybody's `PATH`.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// Where servers listen: below the ports that Linux gives to clients. A client that tries a dead
/// server's port again and again would be given that very port, and be connected to itself.
const PORTS: Range<u16> = 10_000..32_000;

/// How many ports are tried to find one that nobody has.
const TRIES: usize = 100;

/// How often a server is begun anew because another was faster to take its port.
const RACES: usize = 5;

/// What all servers say when another has their port.
const TAKEN: &str = "Address already in use";

/// A running server.
pub(crate) struct Process {
    child: Child,
    // Ends after the server: until then somebody must see to it.
    _guard: Guard,
    log: PathBuf,
}

impl Process {
    /// Begins a server, whose words go to `log`.
    pub(crate) fn begin(command: &mut Command, log: &Path) -> Outcome<Self> {
        let file = std::fs::File::options().create(true).append(true).open(log);
        let file = file.map_err(|error| format!("{}: {error}", log.display()))?;
        let copy = file.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        // In a group of its own, Ctrl-C reaches whom it is for; the guard ends the server.
        let command = command.stdin(Stdio::null()).stdout(file).stderr(copy).process_group(0);
        let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        match Guard::begin(&child, log.parent().unwrap_or(log)) {
            Ok(guard) => Ok(Self { child, _guard: guard, log: log.to_owned() }),
            Err(error) => {
                // Nobody would see to it.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it is ready. Fails with its log if it ends before, or takes too long.
    pub(crate) fn wait_until(&mut self, ready: impl Fn() -> bool) -> Outcome {
        let begin = Instant::now();
        while !ready() {
            let ended = matches!(self.child.try_wait(), Ok(Some(_)) | Err(_));
            if ended || begin.elapsed() > DEADLINE {
                return Err(format!("the server does not begin:\n{}", self.log()));
            }
            pause();
        }
        Ok(())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal, and waits for its end.
    pub(crate) fn end(&mut self, signal: &str) -> Outcome {
        let id = self.child.id().to_string();
        run(Command::new("kill").args(["-s", signal, &id]))?;
        let begin = Instant::now();
        while !matches!(self.child.try_wait(), Ok(Some(_))) {
            if begin.elapsed() > DEADLINE {
                return Err(format!("the server does not end:\n{}", self.log()));
            }
            pause();
        }
        Ok(())
    }
}

#[allow(clippy::disallowed_methods, reason = "nothing tells when a server is ready but asking it")]
fn pause() {
    thread::sleep(PAUSE);
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends a server and removes its folder when this program goes without having done so: by Ctrl-C,
/// by `SIGKILL`, by a test that takes too long.
struct Guard(Child);

impl Guard {
    /// Its standard input ends with this program, however that goes. A server's children may still
    /// write while the folder goes, so it is removed again.
    const SCRIPT: &str = r#"read _; kill -KILL "$0"
        for _ in 1 2 3 4 5; do rm -rf -- "$1" && exit; sleep 0.2; done"#;

    fn begin(server: &Child, folder: &Path) -> Outcome<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", Self::SCRIPT, &server.id().to_string()]).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = command.process_group(0).spawn();
        guard.map(Self).map_err(|error| format!("{command:?}: {error}"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Killed before its input ends, it does nothing more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Begins a server on a port that nobody has; on another one where somebody was faster.
pub(crate) fn on_free_port<T>(mut begin: impl FnMut(u16) -> Outcome<T>) -> Outcome<T> {
    let mut races = 0;
    loop {
        match begin(free_port()?) {
            Err(error) if error.contains(TAKEN) && races < RACES => races += 1,
            outcome => return outcome,
        }
    }
}

/// A port that nobody has at the moment.
fn free_port() -> Outcome<u16> {
    for _ in 0..TRIES {
        let port = PORTS.start + u16::from_le_bytes(random()?) % (PORTS.end - PORTS.start);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(format!("no free port: {TRIES} of {PORTS:?} are taken"))
}

/// Runs a program to its end, and tells what it printed.
pub(crate) fn run(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(format!("{command:?}: {}{}", text(&output.stdout), text(&output.stderr))),
    }
}

/// The first of these programs, on `PATH` or where Debian hides it.
pub(crate) fn find(names: &[&str], more: &[PathBuf]) -> Outcome<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path)
        .chain(FOLDERS.map(PathBuf::from))
        .chain(more.iter().cloned())
        .collect();
    let places = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = places.into_iter().find(|place| place.is_file());
    found.ok_or_else(|| format!("{} is not installed", names.join(" or ")))
}

/// Is this root, whom some servers refuse to run as?
pub(crate) fn is_root() -> bool {
    run(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}

/// The program as this user.
pub(crate) fn as_user(user: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups"]).arg(program);
    command
}

/// Bytes that nobody guesses, as hex digits.
pub(crate) fn password() -> Outcome<String> {
    Ok(random::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn random<const N: usize>() -> Outcome<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes))
        .map_err(|error| format!("/dev/urandom: {error}"))?;
    Ok(bytes)
}

/// A new folder, and where the server writes its log.
pub(crate) fn folder(name: &str) -> Outcome<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::Builder::new().prefix(&format!("donjon-{name}-")).tempdir();
    let folder = folder.map_err(|error| format!("no temporary folder: {error}"))?;
    let log = folder.path().join("log");
    Ok((folder, log))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_whose_port_is_taken_is_begun_on_another() {
        let mut ports = Vec::new();
        let begun = on_free_port(|port| {
            ports.push(port);
            let taken = format!("bind: {TAKEN}");
            if ports.len() < 3 { Err(taken) } else { Ok(port) }
        });
        assert_eq!(begun.as_ref(), Ok(&ports[2]));
        assert!(ports.iter().all(|port| PORTS.contains(port)), "{ports:?}");
    }

    #[test]
    fn another_failure_is_told_at_once_and_races_end() {
        let mut tries = 0;
        let mut begin = |error: &str| {
            tries = 0;
            let outcome: Outcome = on_free_port(|_| {
                tries += 1;
                Err(error.to_owned())
            });
            (outcome, tries)
        };
        assert_eq!(begin("no room"), (Err("no room".to_owned()), 1));
        assert_eq!(begin(TAKEN), (Err(TAKEN.to_owned()), RACES + 1));
    }
}
