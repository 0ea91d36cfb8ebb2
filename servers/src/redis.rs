//! Redis: one server, a cluster, or one that sentinels watch.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Process, find, folder, on_free_port, password, run};
use crate::{Durability, Outcome};

/// How many masters a cluster has: fewer it refuses.
const MASTERS: usize = 3;

/// A TLS certificate for a server: files in PEM.
#[derive(Clone, Debug)]
struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    authority: PathBuf,
}

/// How a Redis server is to run.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    durability: Durability,
    tls: Option<Tls>,
    more: Vec<String>,
}

impl RedisOptions {
    /// A server that asks for a password.
    #[must_use]
    pub fn new(durability: Durability) -> Self {
        Self { durability, tls: None, more: Vec::new() }
    }

    /// Speaks TLS only, with this certificate; clients need none.
    #[must_use]
    pub fn tls(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        authority: impl Into<PathBuf>,
    ) -> Self {
        let (certificate, key, authority) = (certificate.into(), key.into(), authority.into());
        self.tls = Some(Tls { certificate, key, authority });
        self
    }

    /// More of the command line, as in `redis.conf`.
    #[must_use]
    pub fn arguments<'a>(mut self, more: impl IntoIterator<Item = &'a str>) -> Self {
        self.more.extend(more.into_iter().map(str::to_owned));
        self
    }
}

/// A Redis server.
pub struct Redis {
    // The process ends before its folder goes.
    process: Option<Process>,
    folder: TempDir,
    log: PathBuf,
    port: u16,
    password: String,
    options: RedisOptions,
}

impl Redis {
    /// Where the program is.
    ///
    /// # Errors
    /// Where it is not installed.
    pub fn find() -> Outcome<PathBuf> {
        find(&["redis-server", "valkey-server"], &[])
    }

    /// Begins a server.
    ///
    /// # Errors
    /// Where it is not installed, or does not begin.
    pub fn start(options: RedisOptions) -> Outcome<Self> {
        Self::with_password(options, &password()?)
    }

    fn with_password(options: RedisOptions, password: &str) -> Outcome<Self> {
        on_free_port(|port| Self::start_on(port, options.clone(), password.to_owned()))
    }

    fn start_on(port: u16, options: RedisOptions, password: String) -> Outcome<Self> {
        let (folder, log) = folder("redis")?;
        let mut server = Self { process: None, folder, log, port, password, options };
        server.begin()?;
        Ok(server)
    }

    fn begin(&mut self) -> Outcome {
        let mut command = Command::new(Self::find()?);
        let kept = if self.options.durability == Durability::Kept { "yes" } else { "no" };
        let port = self.port.to_string();
        let (plain, safe) = if self.options.tls.is_some() { ("0", &*port) } else { (&*port, "0") };
        command.args(["--port", plain, "--tls-port", safe, "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", kept, "--appendfsync", "always"]);
        command.args(["--requirepass", &self.password, "--masterauth", &self.password]);
        command.arg("--dir").arg(self.folder.path()).args(&self.options.more);
        if let Some(tls) = &self.options.tls {
            command
                .arg("--tls-cert-file")
                .arg(&tls.certificate)
                .arg("--tls-key-file")
                .arg(&tls.key);
            command
                .arg("--tls-ca-cert-file")
                .arg(&tls.authority)
                .args(["--tls-auth-clients", "no"]);
        }
        self.process = Some(Process::begin(&mut command, &self.log)?);
        self.wait_until(&["PING"], "PONG")
    }

    /// Waits until it answers these words with a text that has `part` in it.
    fn wait_until(&mut self, words: &[&str], part: &str) -> Outcome {
        let Some(mut process) = self.process.take() else { return Err("it does not run".into()) };
        process.wait_until(|| self.client(words).is_ok_and(|said| said.contains(part)))?;
        self.process = Some(process);
        Ok(())
    }

    /// Says something to the server.
    ///
    /// # Errors
    /// Where nobody answers.
    pub fn client(&self, words: &[&str]) -> Outcome<String> {
        let mut command = Command::new(find(&["redis-cli", "valkey-cli"], &[])?);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command.env("REDISCLI_AUTH", &self.password);
        if let Some(tls) = &self.options.tls {
            command.arg("--tls").arg("--cacert").arg(&tls.authority);
        }
        run(command.args(words))
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.options.tls.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://:{}@127.0.0.1:{}/0", self.password, self.port)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
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

    /// Stops it from answering while its connections stay, and lets it go on. Unix: `STOP`, `CONT`.
    ///
    /// # Errors
    /// Where there is no such process.
    pub fn signal(&self, signal: &str) -> Outcome {
        let Some(process) = &self.process else { return Err("it does not run".into()) };
        run(Command::new("kill").args(["-s", signal, &process.id().to_string()])).map(drop)
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

/// A cluster of three masters.
pub struct Cluster(Vec<Redis>);

impl Cluster {
    /// Begins a cluster.
    ///
    /// # Errors
    /// Where Redis is not installed, or does not begin.
    pub fn start() -> Outcome<Self> {
        let password = password()?;
        let begin = |bus: u16| {
            let more = ["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()];
            let options = RedisOptions::new(Durability::Fast).arguments(more);
            Redis::with_password(options, &password)
        };
        let mut servers = (0..MASTERS).map(|_| on_free_port(begin)).collect::<Outcome<Vec<_>>>()?;
        let places: Vec<_> =
            servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        let mut words = vec!["--cluster", "create"];
        words.extend(places.iter().map(String::as_str));
        words.push("--cluster-yes");
        let first = servers.first().ok_or("there is no server")?;
        first.client(&words)?;
        for server in &mut servers {
            server.wait_until(&["CLUSTER", "INFO"], "cluster_state:ok")?;
        }
        Ok(Self(servers))
    }

    /// The addresses of its servers.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.0.iter().map(Redis::url).collect()
    }
}

/// A master, its replica, and a sentinel that watches them.
pub struct Sentinel {
    // The watcher ends first, so that it sees nobody go.
    _watcher: Process,
    _folder: TempDir,
    port: u16,
    master: Redis,
    replica: Redis,
}

/// What the sentinel calls its master.
const MASTER: &str = "donjon";

impl Sentinel {
    /// Begins all three.
    ///
    /// # Errors
    /// Where Redis is not installed, or does not begin.
    pub fn start() -> Outcome<Self> {
        let master = Redis::start(RedisOptions::new(Durability::Fast))?;
        let port = master.port.to_string();
        let options =
            RedisOptions::new(Durability::Fast).arguments(["--replicaof", "127.0.0.1", &port]);
        let mut replica = Redis::with_password(options, &master.password)?;
        let linked = |server: &Redis| {
            server
                .client(&["INFO", "replication"])
                .is_ok_and(|said| said.contains("link_status:up"))
        };
        if let Some(mut process) = replica.process.take() {
            process.wait_until(|| linked(&replica))?;
            replica.process = Some(process);
        }
        let (watcher, folder, port) = on_free_port(|port| watch(&master, port))?;
        Ok(Self { _watcher: watcher, _folder: folder, port, master, replica })
    }

    /// The sentinel's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the sentinel calls its master.
    #[must_use]
    pub fn master_name(&self) -> &'static str {
        MASTER
    }

    /// The password of both servers.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.master.password
    }

    /// Kills the master, and waits until the replica has its place.
    ///
    /// # Errors
    /// Where that does not happen.
    pub fn fail_over(&mut self) -> Outcome {
        self.master.kill()?;
        self.replica.wait_until(&["INFO", "replication"], "role:master")
    }
}

/// Begins a sentinel on this port, and waits until it knows the master's replica.
fn watch(master: &Redis, port: u16) -> Outcome<(Process, TempDir, u16)> {
    let (folder, log) = folder("sentinel")?;
    let file = folder.path().join("sentinel.conf");
    let settings = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {MASTER} 127.0.0.1 {} 1\n\
         sentinel auth-pass {MASTER} {}\nsentinel down-after-milliseconds {MASTER} 300\n\
         sentinel failover-timeout {MASTER} 2000\n",
        folder.path().display(),
        master.port,
        master.password,
    );
    std::fs::write(&file, settings).map_err(|error| error.to_string())?;
    let mut command = Command::new(Redis::find()?);
    let mut watcher = Process::begin(command.arg(file).arg("--sentinel"), &log)?;
    let knows = || {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &port.to_string(), "SENTINEL", "replicas", MASTER]);
        run(&mut command).is_ok_and(|said| said.contains("name"))
    };
    watcher.wait_until(knows)?;
    Ok((watcher, folder, port))
}
