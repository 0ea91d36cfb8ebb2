//! What can go wrong with a database.

use std::fmt;
use std::path::Path;

use donjon_core::session::StoreError;
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DbErrorKind {
    /// The folder of the database's file does not exist.
    FolderMissing,
    /// The file or its folder may not be written.
    NotWritable,
    /// The file is something else than a SQLite database, or a broken one.
    NotADatabase,
    /// Somebody else held the database for too long.
    Locked,
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
        let error = Self::from(DbErr::Conn(RuntimeErr::SqlxError(error.into())));
        Self { message: format!("the database {}: {}", path.display(), error.message), ..error }
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
            DbErrorKind::Locked => {
                "it is locked: another process or transaction holds it; end that one, or make its transactions shorter".into()
            }
            DbErrorKind::NotWritable => {
                "it may not be written; let this process's user write the file and its folder".into()
            }
            DbErrorKind::NotADatabase => {
                "the file is no SQLite database, or is broken; name another file, or restore it from a backup".into()
            }
            _ => format!("the database refused: {error}"),
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

fn kind(error: &DbErr) -> DbErrorKind {
    match error {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => DbErrorKind::Locked,
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => sqlite_kind(error),
        _ => DbErrorKind::Other,
    }
}

/// By SQLite's primary result codes, the low byte: <https://www.sqlite.org/rescode.html>.
fn sqlite_kind(error: &sqlx::Error) -> DbErrorKind {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const READONLY: u32 = 8;
    const CORRUPT: u32 = 11;
    const CANTOPEN: u32 = 14;
    const NOTADB: u32 = 26;
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    match (error, code.map(|code| code & 0xff)) {
        (sqlx::Error::PoolTimedOut, _) | (_, Some(BUSY | LOCKED)) => DbErrorKind::Locked,
        (_, Some(READONLY | CANTOPEN)) => DbErrorKind::NotWritable,
        (_, Some(CORRUPT | NOTADB)) => DbErrorKind::NotADatabase,
        _ => DbErrorKind::Other,
    }
}
