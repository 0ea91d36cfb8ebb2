//! Word of changed sessions from node to node by PostgreSQL's `LISTEN` and `NOTIFY`.
//!
//! Stops: a session that was ended on one node and lives on in the cache of another.
//!
//! 1. A word is the digest of a session's key, which opens nothing for those who listen.
//! 2. The sign of life takes the way of the words: PostgreSQL sends it down the connection that they
//!    come by, after those that were sent before it. It is for its own node, so that fifty nodes do not
//!    hear each other's.
//! 3. What breaks or is silent for [`DEAF_AFTER`] is told to the listeners and begun anew, for ever.
//! 4. A word that can't be read is taken for all sessions.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use donjon_core::entropy;
use donjon_core::session::cached::{ChangeBus, ChangeListener, DEAF_AFTER, HEARTBEAT, KeyDigest};
use donjon_core::session::{BoxFuture, StoreError};
use sea_orm::{DbBackend, DbErr, RuntimeErr};
use sqlx::postgres::{PgExecutor, PgListener, PgNotification, PgPool, PgPoolOptions};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::{Database, DbError};

/// Where the words are.
const CHANNEL: &str = "donjon_sessions";

/// How many random letters tell the sign of life of one node from another's.
const NODE_LENGTH: usize = 16;

/// A [`ChangeBus`] by way of the PostgreSQL database that the nodes share anyway. It takes one
/// connection of its own on each node.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use donjon_core::session::SessionStore;
/// use donjon_core::session::cached::{CachedSessions, SessionCache};
/// use donjon_db::{Database, DbError, DjangoSessions, PostgresBus};
///
/// async fn sessions<C: SessionCache>(
///     database: &Database,
///     sessions: DjangoSessions,
///     cache: C,
/// ) -> Result<impl SessionStore, DbError> {
///     let bus = PostgresBus::start(database).await?;
///     Ok(CachedSessions::new(sessions, cache).bus(Arc::new(bus)))
/// }
/// ```
pub struct PostgresBus {
    database: Database,
    listeners: Listeners,
    task: AbortHandle,
}

impl PostgresBus {
    /// Begins to listen, on the runtime that this is called on.
    ///
    /// # Errors
    /// A [`DbError`] of kind [`Url`](crate::DbErrorKind::Url) if the database is no PostgreSQL, another
    /// if it can't be reached.
    pub async fn start(database: &Database) -> Result<Self, DbError> {
        if database.backend() != DbBackend::Postgres {
            return Err(DbError::url(
                "only PostgreSQL carries word between nodes; use it, or Redis, or no cache in the process",
            ));
        }
        let listeners = Listeners::default();
        let ear = Ear::new(database.writer.get_postgres_connection_pool(), listeners.clone());
        let first = ear.connect().await.map_err(DbError::driver)?;
        let task = tokio::spawn(ear.listen(first)).abort_handle();
        Ok(Self { database: database.clone(), listeners, task })
    }
}

impl Drop for PostgresBus {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ChangeBus for PostgresBus {
    fn publish<'a>(&'a self, digest: &'a KeyDigest) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let (pool, word) =
                (self.database.writer.get_postgres_connection_pool(), digest.to_string());
            // Twice is as good as once.
            self.database.read(|| notify(pool, CHANNEL, &word)).await
        })
    }

    fn listen(&self, listener: Arc<dyn ChangeListener>) {
        self.listeners.add(listener);
    }
}

impl fmt::Debug for PostgresBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresBus").finish_non_exhaustive()
    }
}

async fn notify<'c>(
    connection: impl PgExecutor<'c>,
    channel: &str,
    word: &str,
) -> Result<(), DbErr> {
    let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(channel).bind(word);
    let sent = notify.execute(connection).await;
    sent.map(drop).map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))
}

#[derive(Clone, Default)]
struct Listeners(Arc<Mutex<Vec<Arc<dyn ChangeListener>>>>);

impl Listeners {
    fn add(&self, listener: Arc<dyn ChangeListener>) {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    fn all(&self) -> Vec<Arc<dyn ChangeListener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn changed(&self, digest: KeyDigest) {
        for listener in self.all() {
            listener.changed(&digest).await;
        }
    }

    async fn heard(&self) {
        for listener in self.all() {
            listener.heard().await;
        }
    }

    fn deaf(&self) {
        self.all().iter().for_each(|listener| listener.deaf());
    }
}

/// What listens.
struct Ear {
    /// The database's own connections, of which it takes none.
    pool: PgPool,
    /// The channel of this node's signs of life.
    beats: String,
    listeners: Listeners,
}

impl Ear {
    fn new(pool: &PgPool, listeners: Listeners) -> Self {
        let node = entropy::string::<NODE_LENGTH>(entropy::LOWER_ALPHANUMERIC);
        Self { pool: pool.clone(), beats: format!("{CHANNEL}_{node}"), listeners }
    }

    /// A pool is made for each connection: one that hangs keeps its place for long.
    async fn connect(&self) -> Result<PgListener, sqlx::Error> {
        let limit = self.pool.options().get_acquire_timeout();
        let alone = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(limit)
            .idle_timeout(None)
            .max_lifetime(None);
        let alone = alone.connect_lazy_with((*self.pool.connect_options()).clone());
        let mut listener = PgListener::connect_with(&alone).await?;
        // A break is told before anything else.
        listener.eager_reconnect(false);
        let listening = timeout(limit, listener.listen_all([CHANNEL, &self.beats])).await;
        listening.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        Ok(listener)
    }

    /// Rule 3.
    async fn listen(self, first: PgListener) {
        let mut connected = Ok(first);
        loop {
            if let Ok(mut listener) = connected {
                self.hear(&mut listener).await;
            }
            self.listeners.deaf();
            sleep(HEARTBEAT).await;
            connected = self.connect().await;
        }
    }

    /// Until the connection breaks.
    async fn hear(&self, listener: &mut PgListener) {
        let mut beats = interval(HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                said = listener.try_recv() => match said {
                    Ok(Some(word)) => self.take(&word).await,
                    _ => return,
                },
                _ = beats.tick() => match timeout(DEAF_AFTER, self.beat(listener)).await {
                    Ok(Ok(())) => {}
                    _ => return,
                },
            }
        }
    }

    async fn beat(&self, listener: &mut PgListener) -> Result<(), DbError> {
        notify(listener, &self.beats, "").await.map_err(DbError::from)
    }

    async fn take(&self, word: &PgNotification) {
        if word.channel() == self.beats {
            return self.listeners.heard().await;
        }
        let digest = KeyDigest::parse(word.payload()).unwrap_or(KeyDigest::EVERYTHING);
        self.listeners.changed(digest).await;
    }
}
