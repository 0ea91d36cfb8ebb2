//! Where a database is, and how long anything there may take.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::SERVER_ACQUIRE_TIMEOUT;
use crate::DbError;

/// How many connections a process keeps to a database server. PostgreSQL takes 100 of all its clients
/// unless it is told otherwise.
pub const MAX_CONNECTIONS: u32 = 16;

/// How long a server works on one statement before it gives up on it.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an operation of a store takes at most on a server, waiting, trying again and all: a
/// connection that hangs is an error after this.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);

/// Where a database is and how it is used, from a URL.
///
/// | URL | database |
/// |---|---|
/// | `sqlite://site.sqlite3`, `sqlite:///srv/site.sqlite3` | a file, relative or absolute |
/// | `sqlite::memory:` | in memory, for tests |
/// | `postgres://user:password@host:5432/name`, `postgresql://…` | PostgreSQL 14 or newer |
/// | `mysql://user:password@host:3306/name`, `mariadb://…` | MariaDB 10.6 or newer, MySQL 8.0 or newer |
///
/// A server on another machine is spoken to by TLS alone, and its certificate and name are checked
/// (`sslmode=verify-full`). The URL may say otherwise: `sslmode=verify-ca` and `sslmode=require` are
/// taken, what may end in plain text only with [`danger_plaintext`](Self::danger_plaintext);
/// `sslrootcert=FILE` names the authority that signed the server's certificate. On this machine (a
/// loopback address, `localhost`, a socket) TLS is used if the server has it.
///
/// `Debug` shows where the database is, and no password.
#[derive(Clone)]
#[must_use]
pub struct DatabasePolicy {
    pub(super) target: Target,
    pub(super) limits: Limits,
    plaintext: Plaintext,
}

#[derive(Clone)]
pub(super) enum Target {
    File(PathBuf),
    Memory,
    Postgres(Server<PgConnectOptions>),
    MySql(Server<MySqlConnectOptions>),
}

/// A server, and whether its URL says how to encrypt.
#[derive(Clone)]
pub(super) struct Server<O> {
    pub(super) options: O,
    says_mode: bool,
}

/// How many, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections: u32,
    pub(super) acquire: Duration,
    pub(super) statement: Duration,
    pub(super) operation: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plaintext {
    Refused,
    Permitted,
}

impl DatabasePolicy {
    /// The database that this URL names, with the limits that are safe.
    ///
    /// # Errors
    /// A [`DbError`] of kind [`Url`](crate::DbErrorKind::Url) that never shows the URL's password.
    pub fn parse(url: &str) -> Result<Self, DbError> {
        let (scheme, rest) = url.split_once(':').ok_or_else(unknown_scheme)?;
        let target = match scheme {
            "sqlite" => sqlite(rest)?,
            "postgres" | "postgresql" => Target::Postgres(server(url)?),
            // The scheme that sqlx knows.
            "mysql" | "mariadb" => Target::MySql(server(&format!("mysql:{rest}"))?),
            _ => return Err(unknown_scheme()),
        };
        let limits = Limits {
            connections: MAX_CONNECTIONS,
            acquire: SERVER_ACQUIRE_TIMEOUT,
            statement: STATEMENT_TIMEOUT,
            operation: OPERATION_TIMEOUT,
        };
        Ok(Self { target, limits, plaintext: Plaintext::Refused })
    }

    /// How many connections this process keeps to a server; [`MAX_CONNECTIONS`] if nothing is said. Not
    /// for SQLite.
    pub fn max_connections(mut self, count: u32) -> Self {
        self.limits.connections = count.max(1);
        self
    }

    /// How long to wait for a connection, new or free; [`SERVER_ACQUIRE_TIMEOUT`] if nothing is said.
    /// Not for SQLite.
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.limits.acquire = timeout;
        self
    }

    /// After what time the server gives up on a statement; [`STATEMENT_TIMEOUT`] if nothing is said. It
    /// is for the site's own queries too. Not for SQLite.
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.limits.statement = timeout;
        self
    }

    /// How long an operation of a store takes at most; [`OPERATION_TIMEOUT`] if nothing is said. Not for
    /// SQLite.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.limits.operation = timeout;
        self
    }

    /// Permits plain text to a server on another machine: who is on the way reads every session, and
    /// changes what the database says. For a network that is nobody else's.
    pub fn danger_plaintext(mut self) -> Self {
        self.plaintext = Plaintext::Permitted;
        self
    }
}

impl FromStr for DatabasePolicy {
    type Err = DbError;

    fn from_str(url: &str) -> Result<Self, DbError> {
        Self::parse(url)
    }
}

impl fmt::Debug for DatabasePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.target {
            Target::File(path) => path.display().to_string(),
            Target::Memory => ":memory:".into(),
            Target::Postgres(server) => server.place(),
            Target::MySql(server) => server.place(),
        };
        f.debug_struct("DatabasePolicy")
            .field("place", &place)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<O: ServerOptions> Server<O> {
    /// The server and the database there, for messages.
    pub(super) fn place(&self) -> String {
        self.options.place()
    }
}

impl DatabasePolicy {
    /// How to reach the server: encrypted, unless it is on this machine or that is permitted.
    pub(super) fn secured<O: ServerOptions>(&self, server: &Server<O>) -> Result<O, DbError> {
        let options = server.options.clone();
        let may_be_plain = options.is_local() || self.plaintext == Plaintext::Permitted;
        match (server.says_mode, may_be_plain) {
            (true, false) if !options.is_encrypted() => Err(DbError::plaintext(&server.place())),
            (true, _) => Ok(options),
            (false, true) => Ok(options.if_possible()),
            (false, false) => Ok(options.verified()),
        }
    }
}

/// What PostgreSQL's and MySQL's options have in common.
pub(super) trait ServerOptions: ConnectOptions<Connection: Sized> + Clone {
    fn place(&self) -> String;
    fn is_local(&self) -> bool;
    /// Is it encrypted in every case?
    fn is_encrypted(&self) -> bool;
    fn if_possible(self) -> Self;
    fn verified(self) -> Self;
}

impl ServerOptions for PgConnectOptions {
    fn place(&self) -> String {
        place(self.get_host(), self.get_port(), self.get_database())
    }

    fn is_local(&self) -> bool {
        self.get_socket().is_some() || is_local(self.get_host())
    }

    fn is_encrypted(&self) -> bool {
        use PgSslMode::{Require, VerifyCa, VerifyFull};
        matches!(self.get_ssl_mode(), Require | VerifyCa | VerifyFull)
    }

    fn if_possible(self) -> Self {
        self.ssl_mode(PgSslMode::Prefer)
    }

    fn verified(self) -> Self {
        self.ssl_mode(PgSslMode::VerifyFull)
    }
}

impl ServerOptions for MySqlConnectOptions {
    fn place(&self) -> String {
        place(self.get_host(), self.get_port(), self.get_database())
    }

    fn is_local(&self) -> bool {
        self.get_socket().is_some() || is_local(self.get_host())
    }

    fn is_encrypted(&self) -> bool {
        use MySqlSslMode::{Required, VerifyCa, VerifyIdentity};
        matches!(self.get_ssl_mode(), Required | VerifyCa | VerifyIdentity)
    }

    fn if_possible(self) -> Self {
        self.ssl_mode(MySqlSslMode::Preferred)
    }

    fn verified(self) -> Self {
        self.ssl_mode(MySqlSslMode::VerifyIdentity)
    }
}

fn place(host: &str, port: u16, database: Option<&str>) -> String {
    format!("{host}:{port}/{}", database.unwrap_or_default())
}

/// Is this a socket's folder, or an address of this machine?
fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

fn sqlite(rest: &str) -> Result<Target, DbError> {
    match rest.strip_prefix("//").unwrap_or(rest) {
        ":memory:" => Ok(Target::Memory),
        "" => Err(DbError::url("it names no file; write sqlite://site.sqlite3")),
        path if path.contains('?') => {
            Err(DbError::url("a file has no settings; leave out the ? and what follows it"))
        }
        path => Ok(Target::File(path.into())),
    }
}

fn server<O: ServerOptions + FromStr<Err = sqlx::Error>>(url: &str) -> Result<Server<O>, DbError> {
    // What the parser says may quote the URL.
    let options: O = url.parse().map_err(|_| {
        DbError::url("it can't be read; write SCHEME://USER:PASSWORD@HOST:PORT/DATABASE, with what is special in a password as %XX, and sslmode as one of require, verify-ca, verify-full")
    })?;
    Ok(Server { options, says_mode: says_mode(url) })
}

fn says_mode(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    names.into_iter().any(|name| matches!(name, "sslmode" | "ssl-mode"))
}

fn unknown_scheme() -> DbError {
    DbError::url("it begins with no scheme that is known; write sqlite://, postgres:// or mysql://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DbErrorKind;

    fn mode(url: &str) -> Result<String, DbErrorKind> {
        mode_of(DatabasePolicy::parse(url).map_err(|error| error.kind())?)
    }

    fn mode_of(policy: DatabasePolicy) -> Result<String, DbErrorKind> {
        match &policy.target {
            Target::Postgres(server) => {
                policy.secured(server).map(|o| format!("{:?}", o.get_ssl_mode()))
            }
            Target::MySql(server) => {
                policy.secured(server).map(|o| format!("{:?}", o.get_ssl_mode()))
            }
            _ => panic!("no server"),
        }
        .map_err(|error| error.kind())
    }

    #[test]
    fn rule_6_another_machine_is_spoken_to_in_secret() {
        for (url, expected) in [
            ("postgres://u:p@db.example.com/d", Ok("VerifyFull")),
            ("postgresql://u@10.0.0.1/d", Ok("VerifyFull")),
            ("postgres://u@db/d?sslmode=require", Ok("Require")),
            ("postgres://u@db/d?sslmode=verify-ca", Ok("VerifyCa")),
            ("postgres://u@db/d?sslmode=prefer", Err(DbErrorKind::Plaintext)),
            ("postgres://u@db/d?a=b&ssl-mode=disable", Err(DbErrorKind::Plaintext)),
            ("postgres://u@localhost.example.com/d?sslmode=allow", Err(DbErrorKind::Plaintext)),
            ("postgres://u@127.0.0.1/d", Ok("Prefer")),
            ("postgres://u@[::1]:5433/d", Ok("Prefer")),
            ("postgres://u@localhost/d?sslmode=disable", Ok("Disable")),
            ("postgres://u@%2Frun%2Fpostgresql/d", Ok("Prefer")),
            ("mysql://u:p@db.example.com/d", Ok("VerifyIdentity")),
            ("mariadb://u:p@db.example.com/d", Ok("VerifyIdentity")),
            ("mysql://u@db/d?ssl-mode=required", Ok("Required")),
            ("mysql://u@db/d?ssl-mode=preferred", Err(DbErrorKind::Plaintext)),
            ("mysql://u@127.0.0.2/d", Ok("Preferred")),
            ("mysql://u@localhost/d?socket=/run/mysqld.sock", Ok("Preferred")),
        ] {
            assert_eq!(mode(url), expected.map(str::to_owned), "{url}");
        }
        let policy = DatabasePolicy::parse("postgres://u@db/d").unwrap();
        assert_eq!(mode_of(policy.danger_plaintext()).as_deref(), Ok("Prefer"));
    }

    #[test]
    fn a_url_that_names_no_database_is_refused_without_its_password() {
        for url in [
            "",
            "site.sqlite3",
            "oracle://u:hunter2@db/d",
            "sqlite://",
            "sqlite://site.sqlite3?mode=ro",
            "postgres://u:hunter2@db:port/d",
            "postgres://u:hunter2@db/d?sslmode=hunter2",
            "mysql://u:hunter2@db:99999/d",
        ] {
            let error = DatabasePolicy::parse(url).unwrap_err();
            assert_eq!(error.kind(), DbErrorKind::Url, "{url}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_policy_shows_where_and_no_password() {
        for (url, place) in [
            ("postgres://u:hunter2@db:1/d", "db:1/d"),
            ("mysql://u:hunter2@db/d", "db:3306/d"),
            ("sqlite:///srv/a.sqlite3", "/srv/a.sqlite3"),
            ("sqlite://a.sqlite3", "\"a.sqlite3\""),
            ("sqlite::memory:", ":memory:"),
        ] {
            let shown = format!("{:?}", DatabasePolicy::parse(url).unwrap());
            assert!(shown.contains(place) && !shown.contains("hunter2"), "{shown}");
        }
    }
}
