//! A program that serves until it is told not to.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener};
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

/// A running server.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Begins a server, whose words go to `log`.
    pub(crate) fn begin(command: &mut Command, log: &Path) -> Outcome<Self> {
        let file = std::fs::File::options().create(true).append(true).open(log);
        let file = file.map_err(|error| format!("{}: {error}", log.display()))?;
        let copy = file.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
        let command = command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        Ok(Self { child, log: log.to_owned() })
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

/// A port that nobody has at the moment.
pub(crate) fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|error| format!("no free port: {error}"))
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
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes))
        .map_err(|error| format!("/dev/urandom: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A new folder, and where the server writes its log.
pub(crate) fn folder(name: &str) -> Outcome<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::Builder::new().prefix(&format!("donjon-{name}-")).tempdir();
    let folder = folder.map_err(|error| format!("no temporary folder: {error}"))?;
    let log = folder.path().join("log");
    Ok((folder, log))
}
