//! Connections to PostgreSQL and MariaDB/MySQL.
//!
//! A connection that has been idle is asked whether it is alive before it is used, and each is asked
//! when it comes back, and either has [`PING_TIMEOUT`] to answer: so a server that was restarted is
//! used again at once, and one that hangs holds no place in the pool.

use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPool};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Connection, Executor};
use tokio::time::timeout;

use super::policy::{Limits, ServerOptions};
use crate::DbError;

/// How long a connection may take to say that it is alive: half of [`SERVER_ACQUIRE_TIMEOUT`], so that
/// there is time for a new one.
///
/// [`SERVER_ACQUIRE_TIMEOUT`]: crate::SERVER_ACQUIRE_TIMEOUT
const PING_TIMEOUT: Duration = Duration::from_millis(500);

/// A connection that was used within this time is taken to be alive.
const FRESH: Duration = Duration::from_secs(1);

/// How long a transaction may do nothing before PostgreSQL ends it.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(60);

/// How long InnoDB waits for the lock of a row, in seconds.
const LOCK_WAIT: u32 = 2;

pub(super) async fn postgres(options: PgConnectOptions, limits: Limits) -> Result<PgPool, DbError> {
    let millis = |time: Duration| time.as_millis().to_string();
    // sqlx has the session speak UTC.
    let options = options.application_name("donjon").options([
        ("statement_timeout", millis(limits.statement)),
        ("idle_in_transaction_session_timeout", millis(IDLE_IN_TRANSACTION)),
        ("default_transaction_isolation", "read committed".into()),
    ]);
    try_once(&options, limits).await?;
    Ok(pool(limits).connect_lazy_with(options))
}

pub(super) async fn mysql(
    options: MySqlConnectOptions,
    limits: Limits,
) -> Result<MySqlPool, DbError> {
    // sqlx has the session speak UTC and utf8mb4. `||` stays what Django takes it for.
    let options = options.charset("utf8mb4").pipes_as_concat(false);
    try_once(&options, limits).await?;
    let pool = pool(limits)
        .after_connect(move |connection, _| Box::pin(begin_session(connection, limits.statement)));
    Ok(pool.connect_lazy_with(options))
}

/// The only connection of its pool, with the server's own limits on statements: for changes of the
/// schema. What it holds is let go when the pool is dropped.
pub(crate) async fn lone_mysql(pool: &MySqlPool) -> Result<MySqlPool, sqlx::Error> {
    let options = pool.connect_options();
    let alone = PoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .acquire_timeout(pool.options().get_acquire_timeout())
        .idle_timeout(None)
        .max_lifetime(None);
    alone.connect_with((*options).clone()).await
}

/// Connects once by itself: the pool would try again and again, and say at last that time is up.
async fn try_once<O: ServerOptions>(options: &O, limits: Limits) -> Result<(), DbError> {
    let tried = timeout(limits.acquire, async { options.connect().await?.close().await }).await;
    let said = tried.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    said.map_err(|error| DbError::connecting(&options.place(), error))
}

fn pool<DB: sqlx::Database>(limits: Limits) -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(limits.connections)
        .acquire_timeout(limits.acquire)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            let is_fresh = meta.idle_for < FRESH;
            Box::pin(async move { if is_fresh { Ok(true) } else { is_alive(connection).await } })
        })
        .after_release(|connection, _| Box::pin(is_alive(connection)))
}

/// An error closes the connection without a farewell, for which a dead one would have to be waited.
async fn is_alive(connection: &mut impl Connection) -> Result<bool, sqlx::Error> {
    let answered = timeout(PING_TIMEOUT, connection.ping()).await;
    answered.map_err(|_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))?.map(|()| true)
}

/// What Django's back end asks of a session, and the limits. The isolation is Django's default.
async fn begin_session(
    connection: &mut MySqlConnection,
    statement_timeout: Duration,
) -> Result<(), sqlx::Error> {
    connection.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')").await?;
    connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
    let wait = sqlx::query("SET SESSION innodb_lock_wait_timeout = ?").bind(LOCK_WAIT);
    wait.execute(&mut *connection).await?;
    let version: String =
        sqlx::query_scalar("SELECT VERSION()").fetch_one(&mut *connection).await?;
    let limit = if version.contains("MariaDB") {
        sqlx::query("SET SESSION max_statement_time = ?").bind(statement_timeout.as_secs_f64())
    } else {
        // MySQL has a limit for reading only.
        let millis = u64::try_from(statement_timeout.as_millis()).unwrap_or(u64::MAX);
        sqlx::query("SET SESSION max_execution_time = ?").bind(millis)
    };
    limit.execute(connection).await?;
    Ok(())
}
