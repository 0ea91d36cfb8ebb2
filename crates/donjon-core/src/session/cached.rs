//! Sessions in a database with a cache in front of it (Django: `cached_db`).
//!
//! Stops: a log-out that a cache on another node does not know of, or undoes.
//!
//! 1. The truth is the database: every write goes there first and is compared there. A cache that
//!    fails costs a query and an event, never a request.
//! 2. A session that is deleted or changed is dropped from this node's cache before the call returns,
//!    and the other nodes hear of it by a [`ChangeBus`]. What goes over it is a [`KeyDigest`], which
//!    opens nothing.
//! 3. What was read before a change is not put into the cache after it: [`Since`].
//! 4. A node that has not heard its bus for [`DEAF_AFTER`] believes no cached session until it hears
//!    it again, and then starts with an empty cache. So a log-out holds everywhere within a second,
//!    though the bus breaks.
//! 5. No entry is handed out beyond its record's end.
//! 6. Words that could not be sent are kept, at most [`MAX_UNSENT`] of them, and sent when the bus is
//!    heard again; beyond that the word is [`KeyDigest::EVERYTHING`].
//!
//! A cache that all nodes share needs no bus. A cache in the process needs one as soon as there are two
//! processes.

mod bus;
mod digest;
mod hearing;

use std::sync::Arc;
use std::task::{Context, Waker};

pub use bus::{ChangeBus, ChangeListener, MemoryBus};
pub use digest::KeyDigest;
pub use hearing::{DEAF_AFTER, HEARTBEAT, MAX_UNSENT};

use super::{
    Creation, Deletion, SessionKey, SessionRecord, SessionStore, StoreError, Stored, Update,
    Version,
};
use crate::clock::{Clock, UnixTime};
use crate::event::Event;
use hearing::Hearing;

/// For how long a cache that nodes share refuses to take a session that was removed from it, in
/// seconds: longer than any query of a database that answers.
pub const FORGOTTEN_FOR: u64 = 60;

/// What was known of a session before the database was asked for it: what is true now is not put over
/// what has become true since.
#[derive(Clone, Debug, Default)]
pub struct Since {
    /// What [`SessionCache::moment`] said.
    pub moment: u64,
    /// The state that was replaced; none for a session that was only read.
    pub over: Option<Version>,
}

/// Where copies of sessions are kept, to be lost at any time.
///
/// Keys are those that the database keeps ([`SessionStore::kept_key`]).
pub trait SessionCache: Send + Sync + 'static {
    /// The copy under this key, expired or not.
    fn get(
        &self,
        key: &SessionKey,
    ) -> impl Future<Output = Result<Option<Stored>, StoreError>> + Send;

    /// A number that changes when a session of this key is put or forgotten. For caches in the process;
    /// one that nodes share says always the same.
    fn moment(&self, key: &SessionKey) -> u64 {
        let _ = key;
        0
    }

    /// Keeps a copy, at most until its record's end, unless it is stale.
    ///
    /// It is stale if the [`moment`](SessionCache::moment) has passed. In a cache that nodes share it
    /// is, if the key was removed less than [`FORGOTTEN_FOR`] seconds ago, or if there is a copy of
    /// another state than [`Since::over`]; for a write the copy is then removed too.
    fn put(
        &self,
        key: &SessionKey,
        stored: &Stored,
        since: &Since,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Drops the copy whose key has this digest: another node has changed it. A cache that nodes share
    /// has nothing to do.
    fn forget(&self, digest: &KeyDigest) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Drops the copy under this key, and refuses what was read before.
    fn remove(&self, key: &SessionKey) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { self.forget(&KeyDigest::of(key)).await }
    }

    /// Drops all copies that this node alone has.
    fn forget_all(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A database with a cache in front of it.
///
/// ```
/// use std::sync::Arc;
///
/// use donjon_core::session::cached::{CachedSessions, ChangeBus, SessionCache};
/// use donjon_core::session::SessionStore;
///
/// fn sessions<B: SessionStore, C: SessionCache>(
///     database: B,
///     cache: C,
///     bus: Arc<dyn ChangeBus>,
/// ) -> CachedSessions<B, C> {
///     CachedSessions::new(database, cache).bus(bus)
/// }
/// ```
pub struct CachedSessions<B, C> {
    database: B,
    cache: Arc<C>,
    clock: Clock,
    hearing: Option<Arc<Hearing<C>>>,
}

impl<B: SessionStore, C: SessionCache> CachedSessions<B, C> {
    /// This database behind this cache, for one process or for a cache that all share.
    #[must_use]
    pub fn new(database: B, cache: C) -> Self {
        Self { database, cache: Arc::new(cache), clock: Clock::system(), hearing: None }
    }

    /// Reads the time from `clock`. To be called before [`CachedSessions::bus`].
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Tells other nodes of changes by `bus`, and hears of theirs: rules 2 and 4.
    #[must_use]
    pub fn bus(self, bus: Arc<dyn ChangeBus>) -> Self {
        let hearing =
            Arc::new(Hearing::new(Arc::clone(&self.cache), Arc::clone(&bus), self.clock.clone()));
        let listener: Arc<dyn ChangeListener> = Arc::clone(&hearing) as _;
        bus.listen(listener);
        Self { hearing: Some(hearing), ..self }
    }

    /// Rule 4.
    fn believes(&self) -> bool {
        self.hearing.as_ref().is_none_or(|hearing| hearing.hears())
    }

    async fn cached(&self, key: &SessionKey) -> Option<Stored> {
        if !self.believes() {
            return None;
        }
        self.cache.get(key).await.unwrap_or_else(|error| {
            tell(&error);
            None
        })
    }

    fn since(&self, key: &SessionKey, over: Option<&Version>) -> Since {
        Since { moment: self.cache.moment(key), over: over.cloned() }
    }

    async fn keep(&self, key: &SessionKey, stored: &Stored, since: &Since) {
        if self.believes() {
            tell_failure(self.cache.put(key, stored, since).await);
        }
    }

    /// A change of this session begins.
    fn owing<'a>(&'a self, kept: &'a SessionKey) -> Owing<'a, C> {
        Owing { cache: &*self.cache, hearing: self.hearing.as_deref(), kept, settled: false }
    }
}

/// A change that other caches, and this one, are to hear of: though the visitor hangs up, and the
/// request's future is dropped between the database and the word.
struct Owing<'a, C: SessionCache> {
    cache: &'a C,
    hearing: Option<&'a Hearing<C>>,
    kept: &'a SessionKey,
    settled: bool,
}

impl<C: SessionCache> Owing<'_, C> {
    /// Rule 2.
    async fn drop_everywhere(mut self) {
        tell_failure(self.cache.remove(self.kept).await);
        self.publish().await;
        self.settled = true;
    }

    /// The others hear of a change that this node's cache has.
    async fn tell(mut self) {
        self.publish().await;
        self.settled = true;
    }

    /// Nothing was changed, but this node's copy is old.
    async fn drop_here(mut self) {
        tell_failure(self.cache.remove(self.kept).await);
        self.settled = true;
    }

    async fn publish(&self) {
        if let Some(hearing) = self.hearing {
            hearing.publish(KeyDigest::of(self.kept)).await;
        }
    }
}

impl<C: SessionCache> Drop for Owing<'_, C> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        // A cache in the process has done it when it is first asked.
        let remove = std::pin::pin!(self.cache.remove(self.kept));
        let _ = remove.poll(&mut Context::from_waker(Waker::noop()));
        if let Some(hearing) = self.hearing {
            hearing.publish_later(KeyDigest::of(self.kept));
        }
    }
}

fn tell(error: &StoreError) {
    Event::SessionCacheFailed { error }.emit();
}

fn tell_failure(result: Result<(), StoreError>) {
    if let Err(error) = result {
        tell(&error);
    }
}

impl<B: SessionStore, C: SessionCache> SessionStore for CachedSessions<B, C> {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        let kept = self.database.kept_key(key);
        if let Some(stored) = self.cached(&kept).await.filter(|stored| stored.record.expires > now)
        {
            return Ok(Some(stored));
        }
        let since = self.since(&kept, None);
        let found = self.database.load(key, now).await?;
        if let Some(stored) = &found {
            self.keep(&kept, stored, &since).await;
        }
        Ok(found)
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        let kept = self.database.kept_key(key);
        let since = self.since(&kept, None);
        let creation = self.database.create(key, record).await?;
        if let Creation::Created(version) = &creation {
            let stored = Stored { record: record.clone(), version: version.clone() };
            self.keep(&kept, &stored, &since).await;
        }
        Ok(creation)
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        let kept = self.database.kept_key(key);
        let (since, owing) = (self.since(&kept, Some(over)), self.owing(&kept));
        let update = self.database.update(key, record, over).await;
        match &update {
            Ok(Update::Saved(version)) => {
                let stored = Stored { record: record.clone(), version: version.clone() };
                self.keep(&kept, &stored, &since).await;
                owing.tell().await;
            }
            Ok(_) => owing.drop_here().await,
            // It may have come after the write.
            Err(_) => owing.drop_everywhere().await,
        }
        update
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        let kept = self.database.kept_key(key);
        let owing = self.owing(&kept);
        let deletion = self.database.delete(key).await;
        owing.drop_everywhere().await;
        deletion
    }

    fn kept_key(&self, key: &SessionKey) -> SessionKey {
        self.database.kept_key(key)
    }

    async fn delete_kept(&self, kept: &SessionKey) -> Result<Deletion, StoreError> {
        let owing = self.owing(kept);
        let deletion = self.database.delete_kept(kept).await;
        owing.drop_everywhere().await;
        deletion
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        let cleared = self.database.clear_expired(now, limit).await?;
        if cleared > 0 {
            // Nobody says which they were.
            tell_failure(self.cache.forget_all().await);
        }
        Ok(cleared)
    }
}
