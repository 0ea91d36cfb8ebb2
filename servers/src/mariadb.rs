//! MariaDB.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Process, find, folder, on_free_port, password, run};
use crate::{Durability, Outcome};

/// A MariaDB server.
pub struct MariaDb {
    // The process ends before its folder goes.
    process: Option<Process>,
    folder: TempDir,
    log: PathBuf,
    port: u16,
    password: String,
    durability: Durability,
}

impl MariaDb {
    /// Where the program is.
    ///
    /// # Errors
    /// Where it is not installed.
    pub fn find() -> Outcome<PathBuf> {
        find(&["mariadbd"], &[])
    }

    /// Begins a server.
    ///
    /// # Errors
    /// Where it is not installed, or does not begin.
    pub fn start(durability: Durability) -> Outcome<Self> {
        on_free_port(|port| Self::start_on(port, durability))
    }

    fn start_on(port: u16, durability: Durability) -> Outcome<Self> {
        let ((folder, log), password) = (folder("mariadb")?, password()?);
        let mut server = Self { process: None, folder, log, port, password, durability };
        server.initialise()?;
        server.begin()?;
        let user = "donjon@127.0.0.1";
        let sql = format!(
            "CREATE USER {user} IDENTIFIED BY '{}'; GRANT ALL ON *.* TO {user} WITH GRANT OPTION",
            server.password
        );
        server.client(&sql)?;
        Ok(server)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn initialise(&self) -> Outcome {
        let mut command = Command::new(find(&["mariadb-install-db"], &[])?);
        command.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
        command.arg("--skip-test-db").arg(format!("--user={}", user()?));
        run(command.arg(format!("--datadir={}", self.data().display()))).map(drop)
    }

    fn begin(&mut self) -> Outcome {
        let flush = if self.durability == Durability::Kept { 1 } else { 2 };
        let mut command = Command::new(Self::find()?);
        command.arg("--no-defaults").arg(format!("--user={}", user()?)).args([
            format!("--datadir={}", self.data().display()),
            format!("--socket={}", self.socket()),
            format!("--port={}", self.port),
            format!("--innodb-flush-log-at-trx-commit={flush}"),
        ]);
        command.args([
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--max-connections=400",
            "--innodb-buffer-pool-size=64M",
            "--character-set-server=utf8mb4",
        ]);
        let mut process = Process::begin(&mut command, &self.log)?;
        process.wait_until(|| self.client("SELECT 1").is_ok())?;
        self.process = Some(process);
        Ok(())
    }

    fn socket(&self) -> String {
        self.folder.path().join("socket").display().to_string()
    }

    /// Says something to the server as its root.
    fn client(&self, sql: &str) -> Outcome<String> {
        let mut command = Command::new(find(&["mariadb"], &[])?);
        let socket = format!("--socket={}", self.socket());
        run(command.args(["--no-defaults", "--user=root", "-N", "-B", "-e", sql]).arg(socket))
    }

    /// The address of the server's first database.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("mysql")
    }

    fn url_of(&self, database: &str) -> String {
        format!("mysql://donjon:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// The address of a new database of this name.
    ///
    /// # Errors
    /// What the server says.
    pub fn create(&self, database: &str) -> Outcome<String> {
        self.client(&format!("CREATE DATABASE `{database}` CHARACTER SET utf8mb4"))?;
        Ok(self.url_of(database))
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// Where it does not end.
    pub fn stop(&mut self) -> Outcome {
        self.process.take().map_or(Ok(()), |mut process| process.end("TERM"))
    }

    /// Ends it as a power cut does.
    ///
    /// # Errors
    /// Where it does not end.
    pub fn kill(&mut self) -> Outcome {
        self.process.take().map_or(Ok(()), |mut process| process.end("KILL"))
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

fn user() -> Outcome<String> {
    run(Command::new("id").arg("-un"))
}
