//! The connections to a database.

mod policy;
pub(crate) mod server;

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use donjon_core::account::UserSource;
use donjon_core::session::StoreError;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{Condition, DbBackend, PrimaryKeyTrait, SqlErr};
use sqlx::ConnectOptions;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

pub use policy::{DatabasePolicy, MAX_CONNECTIONS, OPERATION_TIMEOUT, STATEMENT_TIMEOUT};

use crate::direct::Direct;
use crate::{DbError, DbErrorKind};
use policy::Target;

/// How long a statement waits for a lock that somebody else holds.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a task waits for its turn at a connection to a file.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a task waits for a connection to a server, free or new. As long as a server refuses
/// connections, each operation takes this time and fails.
pub const SERVER_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a write is tried that a deadlock or another transaction undid.
const ATTEMPTS: u32 = 4;

/// How many connections read at once: SQLite answers in microseconds, so that more would only take
/// turns on the processor's cores.
pub const MAX_READERS: u32 = 4;

/// A database with Django's tables, or one that is to get them. Clones share its connections.
///
/// To SQLite the stores write through one connection: it has one writer at a time anyway, and those who
/// queue for a connection are served in turn, while those who meet at SQLite's own lock sleep and try
/// again.
#[derive(Clone, Debug)]
pub struct Database {
    pub(crate) reader: DatabaseConnection,
    pub(crate) writer: DatabaseConnection,
    /// To a file of SQLite's.
    direct: Option<Arc<Direct>>,
    /// How long an operation may take; on SQLite the lock and the pool set the limit.
    patience: Option<Duration>,
    users: UserSource,
}

impl Database {
    /// Opens the database that this URL names; [`DatabasePolicy`] has the forms.
    ///
    /// # Errors
    /// A [`DbError`] if the URL is none, or if the database can't be reached: its kind tells why.
    pub async fn connect(url: &str) -> Result<Self, DbError> {
        Self::open(&DatabasePolicy::parse(url)?).await
    }

    /// Opens a database with limits of one's own.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn open(policy: &DatabasePolicy) -> Result<Self, DbError> {
        let limits = policy.limits;
        let connection = match &policy.target {
            Target::File(path) => return Self::sqlite(path).await,
            Target::Memory => return Self::sqlite_in_memory().await,
            Target::Postgres(server) => {
                DatabaseConnection::from(server::postgres(policy.secured(server)?, limits).await?)
            }
            Target::MySql(server) => server::mysql(policy.secured(server)?, limits).await?.into(),
        };
        Ok(Self { patience: Some(limits.operation), ..Self::of(connection.clone(), connection) })
    }

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
        let direct = Some(Arc::new(Direct::open(path)?));
        Ok(Self { direct, ..Self::of(reader.into(), writer.into()) })
    }

    fn of(reader: DatabaseConnection, writer: DatabaseConnection) -> Self {
        Self { reader, writer, direct: None, patience: None, users: UserSource::unique() }
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
        Ok(Self::of(connection.clone(), connection))
    }

    /// SeaORM's connection, which reads, writes, and runs any text as SQL: for what
    /// [`db`](Self::db) can't do. A request's text must never reach it other than as a bound value.
    #[must_use]
    pub fn danger_connection(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// The rows of `auth_user` here.
    pub(crate) fn users(&self) -> UserSource {
        self.users
    }

    /// The way without a hop, where there is one.
    pub(crate) fn direct(&self) -> Option<&Direct> {
        self.direct.as_deref()
    }

    /// What kind of SQL it speaks.
    pub(crate) fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }

    /// Can a text column here hold this? PostgreSQL's takes no NUL, and refuses to be asked for one.
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.backend() != DbBackend::Postgres || !text.contains('\0')
    }

    /// Is the column this text, byte for byte? MariaDB's collations take `a` for `A` and `a `; they
    /// find the row by its index, and the bytes decide.
    pub(crate) fn exactly(&self, column: impl ColumnTrait, text: &str) -> Condition {
        let same = Condition::all().add(column.eq(text));
        match self.backend() {
            DbBackend::MySql => same.add(column.into_expr().cast_as("binary").eq(text)),
            _ => same,
        }
    }

    /// Reads; once more if the connection turns out to be dead, as those are that were idle while the
    /// database was restarted.
    pub(crate) async fn read<T, F>(&self, ask: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let reading = async {
            match ask().await.map_err(DbError::from) {
                Err(error) if error.kind() == DbErrorKind::Lost => Ok(ask().await?),
                said => said,
            }
        };
        self.in_time(reading).await.map_err(StoreError::from)
    }

    /// Writes; again if the database undid it for the sake of another transaction. Never again after a
    /// lost connection: it may have been done.
    pub(crate) async fn write<T, F>(&self, act: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let writing = async {
            for _ in 1..ATTEMPTS {
                match act().await.map_err(DbError::from) {
                    Err(error) if error.kind() == DbErrorKind::Conflict => {}
                    said => return said,
                }
            }
            Ok(act().await?)
        };
        self.in_time(writing).await.map_err(StoreError::from)
    }

    pub(crate) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, DbError>>,
    ) -> Result<T, DbError> {
        match self.patience {
            Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| DbError::hangs())?,
            None => work.await,
        }
    }
}

/// Inserts a row, and tells its key, or `None` if one of its unique columns is taken.
///
/// MariaDB has no way to ask for that in the statement that tells one from the other, so that the
/// error is the answer everywhere.
pub(crate) async fn insert_new<A>(
    database: &Database,
    row: A,
) -> Result<Option<<<A::Entity as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType>, DbErr>
where
    A: ActiveModelTrait,
{
    match A::Entity::insert(row).exec(&database.writer).await {
        Ok(inserted) => Ok(Some(inserted.last_insert_id)),
        Err(error) => match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Ok(None),
            _ => Err(error),
        },
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
