//! Sessions in this process's memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
#[cfg(test)]
use std::task::{Context, Poll, Waker};

use super::{
    Creation, Deletion, SessionKey, SessionRecord, SessionStore, StoreError, Stored, Update,
    Version,
};
use crate::clock::{Clock, UnixTime};

/// How many sessions [`MemorySessions`] holds: some hundreds of megabytes of small ones.
pub const MAX_SESSIONS: usize = 1_000_000;

/// Requests that touch different sessions rarely wait for each other.
const SHARDS: usize = 64;

/// A [`SessionStore`] for tests, demonstrations and a single process: a restart forgets everybody.
///
/// It holds [`MAX_SESSIONS`]. When it is full it drops what expired; if that makes no room,
/// [`create`](SessionStore::create) fails, for a visitor who is logged in comes before a new one.
#[derive(Debug)]
pub struct MemorySessions {
    shards: [Mutex<Shard>; SHARDS],
    shard_capacity: usize,
    clock: Clock,
    /// Across all records: one that is made anew must not look like the one before it.
    versions: AtomicU64,
}

type Shard = HashMap<SessionKey, Stored>;

impl Default for MemorySessions {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            shard_capacity: MAX_SESSIONS / SHARDS,
            clock: Clock::system(),
            versions: AtomicU64::new(0),
        }
    }
}

impl MemorySessions {
    /// Reads the time from `clock` when it is full and looks for what expired.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// How many sessions it holds, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Does it hold none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys are random, so the sum of their bytes spreads them evenly.
    fn shard(&self, key: &SessionKey) -> MutexGuard<'_, Shard> {
        let sum = key.expose().bytes().fold(0, |sum: usize, byte| sum.wrapping_add(byte.into()));
        lock(&self.shards[sum % SHARDS])
    }

    fn next_version(&self) -> Version {
        Version::Number(self.versions.fetch_add(1, Ordering::Relaxed))
    }

    fn make_room(&self, shard: &mut Shard) -> Result<(), StoreError> {
        if shard.len() >= self.shard_capacity {
            drop_expired(shard, self.clock.now(), usize::MAX);
        }
        if shard.len() >= self.shard_capacity {
            return Err(StoreError::new(format!(
                "the memory has room for {MAX_SESSIONS} sessions and is full; keep them in a database"
            )));
        }
        Ok(())
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // No code panics while it holds the lock, and the map is whole between any two statements.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn drop_expired(shard: &mut Shard, now: UnixTime, limit: usize) -> usize {
    let before = shard.len();
    let mut left = limit;
    shard.retain(|_, stored| {
        let stays = left == 0 || stored.record.expires >= now;
        left -= usize::from(!stays);
        stays
    });
    before - shard.len()
}

impl SessionStore for MemorySessions {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        Ok(self.shard(key).get(key).filter(|stored| stored.record.expires > now).cloned())
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        let mut shard = self.shard(key);
        if shard.contains_key(key) {
            return Ok(Creation::KeyTaken);
        }
        self.make_room(&mut shard)?;
        let version = self.next_version();
        shard.insert(key.clone(), Stored { record: record.clone(), version: version.clone() });
        Ok(Creation::Created(version))
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        match self.shard(key).get_mut(key) {
            None => Ok(Update::Gone),
            Some(stored) if stored.version != *over => Ok(Update::Changed),
            Some(stored) => {
                let version = self.next_version();
                *stored = Stored { record: record.clone(), version: version.clone() };
                Ok(Update::Saved(version))
            }
        }
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        let was = self.shard(key).remove(key);
        Ok(if was.is_some() { Deletion::Deleted } else { Deletion::Absent })
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        let clear = |cleared, shard| cleared + drop_expired(&mut lock(shard), now, limit - cleared);
        Ok(self.shards.iter().fold(0, clear))
    }
}

/// The memory never waits, so its futures are ready at once.
#[cfg(test)]
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the memory waits for nothing"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionData;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    fn record(number: u32, expires: i64) -> SessionRecord {
        let mut data = SessionData::default();
        data.insert("number", &number).unwrap();
        SessionRecord { data, expires: at(expires) }
    }

    fn created(creation: Result<Creation, StoreError>) -> Version {
        match creation {
            Ok(Creation::Created(version)) => version,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rule_1_an_expired_or_unknown_key_has_no_record() {
        let (sessions, key) = (MemorySessions::default(), SessionKey::random());
        assert_eq!(ready(sessions.load(&key, at(0))).unwrap(), None);
        ready(sessions.create(&key, &record(1, 100))).unwrap();
        assert_eq!(ready(sessions.load(&key, at(99))).unwrap().unwrap().record, record(1, 100));
        assert_eq!(ready(sessions.load(&key, at(100))).unwrap(), None);
    }

    #[test]
    fn rule_3_create_never_overwrites_and_update_never_makes() {
        let (sessions, key) = (MemorySessions::default(), SessionKey::random());
        let gone = || ready(sessions.update(&key, &record(1, 100), &Version::Number(0))).unwrap();
        assert_eq!(gone(), Update::Gone);
        assert!(sessions.is_empty());
        let first = created(ready(sessions.create(&key, &record(1, 100))));
        assert_eq!(ready(sessions.create(&key, &record(2, 100))).unwrap(), Creation::KeyTaken);
        let stored = || ready(sessions.load(&key, at(0))).unwrap().unwrap();
        assert_eq!(stored(), Stored { record: record(1, 100), version: first.clone() });
        let update = |over| ready(sessions.update(&key, &record(3, 100), over)).unwrap();
        let Update::Saved(second) = update(&first) else { panic!("nobody changed it") };
        assert_eq!(stored(), Stored { record: record(3, 100), version: second.clone() });
        assert_eq!(update(&first), Update::Changed);
        assert_eq!(ready(sessions.delete(&key)).unwrap(), Deletion::Deleted);
        assert_eq!(ready(sessions.delete(&key)).unwrap(), Deletion::Absent);
        assert_eq!(update(&second), Update::Gone);
        assert_eq!(ready(sessions.load(&key, at(0))).unwrap(), None);
        created(ready(sessions.create(&key, &record(1, 100))));
        assert_eq!(update(&second), Update::Changed);
    }

    #[test]
    fn expired_sessions_are_cleared() {
        let sessions = MemorySessions::default();
        for expires in 0..100 {
            ready(sessions.create(&SessionKey::random(), &record(1, expires))).unwrap();
        }
        assert_eq!(ready(sessions.clear_expired(at(40), 30)).unwrap(), 30);
        assert_eq!(ready(sessions.clear_expired(at(40), 30)).unwrap(), 10);
        assert_eq!(sessions.len(), 60);
    }

    #[test]
    fn a_full_store_drops_what_expired_and_then_refuses() {
        let clock = Clock::fixed(at(0));
        let sessions =
            MemorySessions { shard_capacity: 1, ..MemorySessions::default() }.clock(clock.clone());
        let create = || ready(sessions.create(&SessionKey::random(), &record(1, 100)));
        let refused = (0..10_000).filter(|_| create().is_err()).count();
        assert_eq!(refused + sessions.len(), 10_000);
        assert!(sessions.len() <= SHARDS);
        clock.set(at(101));
        let key = SessionKey::random();
        created(ready(sessions.create(&key, &record(2, 200))));
        assert!(ready(sessions.load(&key, at(101))).unwrap().is_some());
    }
}
