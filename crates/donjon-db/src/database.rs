//! The connections to a database.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use sea_orm::DatabaseConnection;
use sqlx::ConnectOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::DbError;

/// How long a statement waits for a lock that somebody else holds.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a task waits for its turn at a connection.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many connections read at once: SQLite answers in microseconds, so that more would only take
/// turns on the processor's cores.
pub const MAX_READERS: u32 = 4;

/// A database with Django's tables, or one that is to get them. Clones share its connections.
///
/// The stores write through one connection: SQLite has one writer at a time anyway, and those who
/// queue for a connection are served in turn, while those who meet at SQLite's own lock sleep and try
/// again.
#[derive(Clone, Debug)]
pub struct Database {
    pub(crate) reader: DatabaseConnection,
    pub(crate) writer: DatabaseConnection,
}

impl Database {
    /// Opens the SQLite database in this file, in WAL mode. A missing file is made, and on Unix only
    /// its owner may read it.
    ///
    /// # Errors
    /// A [`DbError`] if the folder is missing, if the file can't be written, is no database, or is
    /// locked.
    pub async fn sqlite(path: impl AsRef<Path>) -> Result<Self, DbError> {
        let path = path.as_ref();
        make_file(path)?;
        let writer = open(path, 1).await?;
        let reader = open(path, MAX_READERS).await?;
        Ok(Self { reader: reader.into(), writer: writer.into() })
    }

    /// A database in memory, for tests: it goes when the last clone does.
    ///
    /// # Errors
    /// A [`DbError`] if memory is short.
    pub async fn sqlite_in_memory() -> Result<Self, DbError> {
        // Each connection would have a database of its own, so there is one, and it is never closed.
        let connections = connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = connections
            .connect_with(options().in_memory(true))
            .await
            .map_err(|error| DbError::opening(Path::new(":memory:"), error))?;
        let connection = DatabaseConnection::from(pool);
        Ok(Self { reader: connection.clone(), writer: connection })
    }

    /// The connections, for the site's own SeaORM entities. They read and write.
    #[must_use]
    pub fn connection(&self) -> &DatabaseConnection {
        &self.reader
    }
}

/// Makes the file if it is missing, and says why if that can't be.
///
/// A file that exists is not opened: to close it again would drop the locks that SQLite holds on it in
/// this process (<https://www.sqlite.org/howtocorrupt.html>, 2.2).
fn make_file(path: &Path) -> Result<(), DbError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path).map_err(|error| error.kind()) {
        Ok(_) => Ok(()),
        Err(ErrorKind::AlreadyExists) => check_file(path),
        Err(ErrorKind::NotFound | ErrorKind::NotADirectory) => Err(DbError::folder_missing(path)),
        Err(ErrorKind::IsADirectory) => Err(DbError::is_a_folder(path)),
        Err(_) => Err(DbError::not_writable(path)),
    }
}

fn check_file(path: &Path) -> Result<(), DbError> {
    let metadata = path.metadata().map_err(|_| DbError::not_writable(path))?;
    if metadata.is_dir() {
        Err(DbError::is_a_folder(path))
    } else if metadata.permissions().readonly() {
        // SQLite would open it for reading, and fail at the first write.
        Err(DbError::not_writable(path))
    } else {
        Ok(())
    }
}

async fn open(path: &Path, count: u32) -> Result<SqlitePool, DbError> {
    let options = options().filename(path).journal_mode(SqliteJournalMode::Wal);
    let pool = connections(count).connect_with(options).await;
    pool.map_err(|error| DbError::opening(path, error))
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

fn connections(count: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(count)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A connection to a file does not go stale, and asking it each time doubles the work.
        .test_before_acquire(false)
}
