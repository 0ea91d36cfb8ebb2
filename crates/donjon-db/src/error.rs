//! What can go wrong with a database.

use std::fmt;
use std::path::Path;

use donjon_core::session::StoreError;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlErr};
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DbErrorKind {
    /// The URL names no database.
    Url,
    /// The connection would not be encrypted, and leaves this machine.
    Plaintext,
    /// The folder of the database's file does not exist.
    FolderMissing,
    /// The file or its folder may not be written, or the server takes reading only.
    NotWritable,
    /// The file is something else than a SQLite database, or a broken one.
    NotADatabase,
    /// Somebody else held the database, or what was to be changed in it, for too long.
    Locked,
    /// No server answers there.
    Refused,
    /// The server does not take this name and password, or not for this database.
    Authentication,
    /// The server has no database of this name.
    UnknownDatabase,
    /// The server and this process don't agree on TLS.
    Tls,
    /// Every connection that the server or the pool has is taken, or it does not answer in time.
    Timeout,
    /// The server has no connection left.
    TooManyConnections,
    /// The connection broke: the server ended, or the network.
    Lost,
    /// The database undid what was done for the sake of another transaction: a deadlock.
    Conflict,
    /// The disk is full.
    Full,
    /// A transaction can't go on, or not like this.
    Transaction,
    /// The tables are not as Django's migrations leave them.
    Schema,
    /// Anything else that the database said.
    Other,
}

/// Why the database could not do its work: what was wrong, what was expected, and what to do.
#[derive(Debug)]
pub struct DbError {
    kind: DbErrorKind,
    message: String,
    source: Option<DbErr>,
}

impl DbError {
    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> DbErrorKind {
        self.kind
    }

    pub(crate) fn schema(message: String) -> Self {
        Self { kind: DbErrorKind::Schema, message, source: None }
    }

    pub(crate) fn folder_missing(path: &Path) -> Self {
        Self::at(
            path,
            DbErrorKind::FolderMissing,
            "its folder does not exist; make the folder, or name another file",
        )
    }

    pub(crate) fn not_writable(path: &Path) -> Self {
        Self::at(
            path,
            DbErrorKind::NotWritable,
            "the file or its folder may not be written; let this process's user write both",
        )
    }

    pub(crate) fn is_a_folder(path: &Path) -> Self {
        Self::at(path, DbErrorKind::NotADatabase, "it is a folder; name a file in it")
    }

    pub(crate) fn opening(path: &Path, error: sqlx::Error) -> Self {
        let error = Self::driver(error);
        let kind = match error.kind {
            // A file answers at once, unless it is locked.
            DbErrorKind::Timeout => DbErrorKind::Locked,
            kind => kind,
        };
        let message = match kind {
            DbErrorKind::Other => error.message,
            kind => advice(kind).into(),
        };
        Self { kind, message: format!("the database {}: {message}", path.display()), ..error }
    }

    pub(crate) fn connecting(place: &str, error: sqlx::Error) -> Self {
        let error = Self::driver(error);
        Self { message: format!("the database {place}: {}", error.message), ..error }
    }

    pub(crate) fn url(problem: &str) -> Self {
        let message = format!("the URL of the database: {problem}");
        Self { kind: DbErrorKind::Url, message, source: None }
    }

    pub(crate) fn plaintext(place: &str) -> Self {
        let message = format!(
            "the database {place} is on another machine, and its URL permits plain text; leave out sslmode, which is verify-full then, or say sslmode=require; on a network of your own DatabasePolicy::danger_plaintext permits it"
        );
        Self { kind: DbErrorKind::Plaintext, message, source: None }
    }

    pub(crate) fn driver(error: sqlx::Error) -> Self {
        DbErr::Conn(RuntimeErr::SqlxError(error.into())).into()
    }

    pub(crate) fn migrating() -> Self {
        let message = "another process has been migrating this database for too long; wait for it or end it, and try again".into();
        Self { kind: DbErrorKind::Locked, message, source: None }
    }

    pub(crate) fn transaction(problem: &str) -> Self {
        let message = format!("the transaction: {problem}");
        Self { kind: DbErrorKind::Transaction, message, source: None }
    }

    /// Was it the database that refused, and not the reading of its answer?
    pub(crate) fn is_the_databases(&self) -> bool {
        let refused = |error: &DbErr| {
            matches!(
                error,
                DbErr::Exec(_) | DbErr::Query(_) | DbErr::Conn(_) | DbErr::ConnectionAcquire(_)
            )
        };
        self.source.as_ref().is_none_or(refused)
    }

    /// Would a row have been the second with a value that must be unique?
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        let error = self.source.as_ref().and_then(DbErr::sql_err);
        matches!(error, Some(SqlErr::UniqueConstraintViolation(_)))
    }

    pub(crate) fn hangs() -> Self {
        let message = advice(DbErrorKind::Timeout).to_owned();
        Self { kind: DbErrorKind::Timeout, message, source: None }
    }

    pub(crate) fn overloaded() -> Self {
        let message = "too many writes wait for the database; make transactions shorter, or move to a database server".into();
        Self { kind: DbErrorKind::Timeout, message, source: None }
    }

    pub(crate) fn no_thread(error: &std::io::Error) -> Self {
        let message = format!("no thread for the database's writes: {error}");
        Self { kind: DbErrorKind::Other, message, source: None }
    }

    /// What SQLite itself said.
    pub(crate) fn from_sqlite(error: &rusqlite::Error) -> Self {
        let code = error.sqlite_error().map(|error| error.extended_code.unsigned_abs());
        let kind = code.map_or(DbErrorKind::Other, sqlite_kind);
        let message = match kind {
            DbErrorKind::Other => format!("the database refused: {error}"),
            kind => advice(kind).into(),
        };
        Self { kind, message, source: None }
    }

    fn at(path: &Path, kind: DbErrorKind, problem: &str) -> Self {
        let message = format!("the database {} can't be opened: {problem}", path.display());
        Self { kind, message, source: None }
    }
}

impl From<DbErr> for DbError {
    fn from(error: DbErr) -> Self {
        let kind = kind(&error);
        let message = match kind {
            DbErrorKind::Other => format!("the database refused: {error}"),
            kind => advice(kind).into(),
        };
        Self { kind, message, source: Some(error) }
    }
}

impl From<DbError> for StoreError {
    fn from(error: DbError) -> Self {
        Self::new(error)
    }
}

/// The error of a store for what the database said.
pub(crate) fn store_error(error: DbErr) -> StoreError {
    DbError::from(error).into()
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DbError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

/// What is wrong and what to do. What a driver says is kept as the source: it may quote what it was
/// given.
fn advice(kind: DbErrorKind) -> &'static str {
    match kind {
        DbErrorKind::Locked => {
            "it is locked: another process or transaction holds it; end that one, or make its transactions shorter"
        }
        DbErrorKind::NotWritable => {
            "it may not be written; let this process's user write the file and its folder, or name the server that takes writes"
        }
        DbErrorKind::NotADatabase => {
            "the file is no SQLite database, or is broken; name another file, or restore it from a backup"
        }
        DbErrorKind::Refused => {
            "no server answers there; start it, or correct host and port in the URL"
        }
        DbErrorKind::Authentication => {
            "the server does not take this user and password for this database; correct the URL, or the server's grants (pg_hba.conf, GRANT)"
        }
        DbErrorKind::UnknownDatabase => {
            "the server has no database of this name; make it, or correct the URL"
        }
        DbErrorKind::Tls => {
            "TLS failed: a server on another machine needs a certificate for its name; name its authority by sslrootcert=FILE (ssl-ca=FILE for MariaDB), or say sslmode=require to encrypt without checking who answers"
        }
        DbErrorKind::Timeout => {
            "it did not answer in time: it is overloaded or unreachable, or transactions hold all connections; look there, or permit more connections"
        }
        DbErrorKind::TooManyConnections => {
            "the server has no connection left; lower max_connections of its clients, or raise the server's"
        }
        DbErrorKind::Lost => {
            "the connection broke: the server ended or was restarted, or the network is down"
        }
        DbErrorKind::Conflict => {
            "another transaction was in the way, again and again (a deadlock); make transactions shorter"
        }
        DbErrorKind::Full => "its disk is full; make room there",
        DbErrorKind::Url
        | DbErrorKind::Plaintext
        | DbErrorKind::FolderMissing
        | DbErrorKind::Schema
        | DbErrorKind::Transaction
        | DbErrorKind::Other => "the database refused",
    }
}

fn kind(error: &DbErr) -> DbErrorKind {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => DbErrorKind::Timeout,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => driver_kind(error),
        _ => DbErrorKind::Other,
    }
}

fn driver_kind(error: &sqlx::Error) -> DbErrorKind {
    match error {
        sqlx::Error::PoolTimedOut => DbErrorKind::Timeout,
        sqlx::Error::Tls(_) => DbErrorKind::Tls,
        sqlx::Error::Io(error) => io_kind(error),
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => {
            DbErrorKind::Lost
        }
        sqlx::Error::Database(error) => database_kind(&**error),
        _ => DbErrorKind::Other,
    }
}

fn io_kind(error: &std::io::Error) -> DbErrorKind {
    use std::io::ErrorKind as Io;
    match error.kind() {
        Io::BrokenPipe
        | Io::ConnectionAborted
        | Io::ConnectionReset
        | Io::NotConnected
        | Io::UnexpectedEof => DbErrorKind::Lost,
        Io::TimedOut => DbErrorKind::Timeout,
        Io::InvalidData => DbErrorKind::Tls,
        // A name that nobody has is of no kind of its own.
        _ => DbErrorKind::Refused,
    }
}

fn database_kind(error: &dyn DatabaseError) -> DbErrorKind {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        postgres_kind(error.code())
    } else if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        mysql_kind(error.number())
    } else {
        let code = error.code().and_then(|code| code.parse().ok());
        code.map_or(DbErrorKind::Other, sqlite_kind)
    }
}

/// By SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres_kind(state: &str) -> DbErrorKind {
    match state {
        "28000" | "28P01" => DbErrorKind::Authentication,
        "3D000" => DbErrorKind::UnknownDatabase,
        "53300" => DbErrorKind::TooManyConnections,
        "25006" => DbErrorKind::NotWritable,
        "53100" => DbErrorKind::Full,
        "40001" | "40P01" => DbErrorKind::Conflict,
        "55P03" => DbErrorKind::Locked,
        "57014" => DbErrorKind::Timeout,
        "57P01" | "57P02" | "57P03" => DbErrorKind::Lost,
        state if state.starts_with("08") => DbErrorKind::Lost,
        _ => DbErrorKind::Other,
    }
}

/// By number: <https://mariadb.com/kb/en/mariadb-error-codes/>.
fn mysql_kind(number: u16) -> DbErrorKind {
    match number {
        1044 | 1045 | 1698 => DbErrorKind::Authentication,
        1049 => DbErrorKind::UnknownDatabase,
        1040 | 1203 | 1226 => DbErrorKind::TooManyConnections,
        1290 | 1792 | 1836 => DbErrorKind::NotWritable,
        1021 | 1114 => DbErrorKind::Full,
        1205 | 1213 => DbErrorKind::Conflict,
        1969 | 3024 => DbErrorKind::Timeout,
        1053 | 1077 | 1079 | 1317 | 1927 => DbErrorKind::Lost,
        _ => DbErrorKind::Other,
    }
}

/// By SQLite's primary result codes, the low byte: <https://www.sqlite.org/rescode.html>.
fn sqlite_kind(code: u32) -> DbErrorKind {
    match code & 0xff {
        5 | 6 => DbErrorKind::Locked,
        8 | 14 => DbErrorKind::NotWritable,
        11 | 26 => DbErrorKind::NotADatabase,
        13 => DbErrorKind::Full,
        _ => DbErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        assert_eq!(postgres_kind("40P01"), DbErrorKind::Conflict);
        assert_eq!(postgres_kind("08006"), DbErrorKind::Lost);
        assert_eq!(postgres_kind("23505"), DbErrorKind::Other);
        assert_eq!(mysql_kind(1213), DbErrorKind::Conflict);
        assert_eq!(mysql_kind(1062), DbErrorKind::Other);
        // SQLITE_BUSY_SNAPSHOT, SQLITE_FULL.
        assert_eq!([517, 13].map(sqlite_kind), [DbErrorKind::Locked, DbErrorKind::Full]);
    }
}
