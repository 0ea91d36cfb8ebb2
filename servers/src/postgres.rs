//! PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Process, as_user, find, folder, is_root, on_free_port, password, run};
use crate::{Durability, Outcome};

/// Whom Debian's package runs it as; root may not.
const USER: &str = "postgres";

/// A PostgreSQL server.
pub struct Postgres {
    // The process ends before its folder goes.
    process: Option<Process>,
    folder: TempDir,
    log: PathBuf,
    programs: PathBuf,
    port: u16,
    password: String,
    durability: Durability,
}

impl Postgres {
    /// Where the programs are.
    ///
    /// # Errors
    /// Where they are not installed.
    pub fn find() -> Outcome<PathBuf> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
        folders.sort();
        folders.reverse();
        let initdb = find(&["initdb"], &folders)?;
        let real = initdb.canonicalize().unwrap_or(initdb);
        Ok(real.parent().unwrap_or(Path::new("/")).to_owned())
    }

    /// Begins a server.
    ///
    /// # Errors
    /// Where it is not installed, or does not begin.
    pub fn start(durability: Durability) -> Outcome<Self> {
        on_free_port(|port| Self::start_on(port, durability))
    }

    fn start_on(port: u16, durability: Durability) -> Outcome<Self> {
        let ((folder, log), programs, password) = (folder("postgres")?, Self::find()?, password()?);
        let mut server = Self { process: None, folder, log, programs, port, password, durability };
        server.initialise()?;
        server.begin()?;
        Ok(server)
    }

    fn initialise(&self) -> Outcome {
        let file = self.folder.path().join("password");
        std::fs::write(&file, &self.password).map_err(|error| error.to_string())?;
        if is_root() {
            run(Command::new("chown").args(["-R", USER]).arg(self.folder.path()))?;
        }
        let mut command = self.program("initdb");
        command.args(["-U", "donjon", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]);
        command.arg("--no-sync").arg("--pwfile").arg(file).arg("-D").arg(self.data());
        run(&mut command).map(drop)
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = match is_root() {
            true => as_user(USER, program),
            false => Command::new(program),
        };
        command.current_dir(self.folder.path());
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn begin(&mut self) -> Outcome {
        let fsync = if self.durability == Durability::Kept { "fsync=on" } else { "fsync=off" };
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        let settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=400",
            "shared_buffers=64MB",
            fsync,
        ];
        for setting in settings {
            command.args(["-c", setting]);
        }
        let mut process = Process::begin(&mut command, &self.log)?;
        process.wait_until(|| self.client("SELECT 1").is_ok())?;
        self.process = Some(process);
        Ok(())
    }

    /// Says something to the server as its owner.
    fn client(&self, sql: &str) -> Outcome<String> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        run(command.arg(self.url()).env("PGCONNECT_TIMEOUT", "5"))
    }

    /// The address of the server's first database.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://donjon:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// The address of a new database of this name.
    ///
    /// # Errors
    /// What the server says.
    pub fn create(&self, database: &str) -> Outcome<String> {
        self.client(&format!("CREATE DATABASE \"{database}\""))?;
        Ok(self.url_of(database))
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it in order: connections are cut.
    ///
    /// # Errors
    /// Where it does not end.
    pub fn stop(&mut self) -> Outcome {
        self.process.take().map_or(Ok(()), |mut process| process.end("INT"))
    }

    /// Ends it as a power cut does.
    ///
    /// # Errors
    /// Where it does not end.
    pub fn kill(&mut self) -> Outcome {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        // Its children see their parent go, but not at once.
        let children = run(Command::new("pgrep").args(["-P", &process.id().to_string()]));
        process.end("KILL")?;
        for child in children.unwrap_or_default().lines() {
            // One that has gone already is what is wanted.
            let _ = run(Command::new("kill").args(["-s", "KILL", child]));
        }
        Ok(())
    }

    /// Begins it again, on the same port and data.
    ///
    /// # Errors
    /// Where it does not begin.
    pub fn restart(&mut self) -> Outcome {
        self.stop()?;
        self.begin()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The folder is removed with all in it; nothing in it is needed.
        let _ = self.kill();
    }
}
