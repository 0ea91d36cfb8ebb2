//! Sessions in this process's memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Creation, SessionKey, SessionRecord, SessionStore, StoreError, Update};
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
}

type Shard = HashMap<SessionKey, SessionRecord>;

impl Default for MemorySessions {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            shard_capacity: MAX_SESSIONS / SHARDS,
            clock: Clock::system(),
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

    fn make_room(&self, shard: &mut Shard) -> Result<(), StoreError> {
        if shard.len() >= self.shard_capacity {
            drop_expired(shard, self.clock.now());
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

fn drop_expired(shard: &mut Shard, now: UnixTime) -> usize {
    let before = shard.len();
    shard.retain(|_, record| record.expires >= now);
    before - shard.len()
}

impl SessionStore for MemorySessions {
    async fn load(
        &self,
        key: &SessionKey,
        now: UnixTime,
    ) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.shard(key).get(key).filter(|record| record.expires > now).cloned())
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
        shard.insert(key.clone(), record.clone());
        Ok(Creation::Created)
    }

    async fn update(&self, key: &SessionKey, record: &SessionRecord) -> Result<Update, StoreError> {
        match self.shard(key).entry(key.clone()) {
            Entry::Occupied(mut entry) => {
                entry.insert(record.clone());
                Ok(Update::Saved)
            }
            Entry::Vacant(_) => Ok(Update::Gone),
        }
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.shard(key).remove(key);
        Ok(())
    }

    async fn clear_expired(&self, now: UnixTime) -> Result<u64, StoreError> {
        let dropped: usize =
            self.shards.iter().map(|shard| drop_expired(&mut lock(shard), now)).sum();
        Ok(dropped as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::session::SessionData;

    /// The memory never waits, so its futures are ready at once.
    fn ready<T>(future: impl Future<Output = T>) -> T {
        match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("the memory waits for nothing"),
        }
    }

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    fn record(number: u32, expires: i64) -> SessionRecord {
        let mut data = SessionData::default();
        data.insert("number", &number).unwrap();
        SessionRecord { data, expires: at(expires) }
    }

    #[test]
    fn rule_1_an_expired_or_unknown_key_has_no_record() {
        let (sessions, key) = (MemorySessions::default(), SessionKey::random());
        assert_eq!(ready(sessions.load(&key, at(0))).unwrap(), None);
        ready(sessions.create(&key, &record(1, 100))).unwrap();
        assert_eq!(ready(sessions.load(&key, at(99))).unwrap(), Some(record(1, 100)));
        assert_eq!(ready(sessions.load(&key, at(100))).unwrap(), None);
    }

    #[test]
    fn rule_3_create_never_overwrites_and_update_never_makes() {
        let (sessions, key) = (MemorySessions::default(), SessionKey::random());
        assert_eq!(ready(sessions.update(&key, &record(1, 100))).unwrap(), Update::Gone);
        assert!(sessions.is_empty());
        assert_eq!(ready(sessions.create(&key, &record(1, 100))).unwrap(), Creation::Created);
        assert_eq!(ready(sessions.create(&key, &record(2, 100))).unwrap(), Creation::KeyTaken);
        assert_eq!(ready(sessions.load(&key, at(0))).unwrap(), Some(record(1, 100)));
        assert_eq!(ready(sessions.update(&key, &record(3, 100))).unwrap(), Update::Saved);
        assert_eq!(ready(sessions.load(&key, at(0))).unwrap(), Some(record(3, 100)));
        ready(sessions.delete(&key)).unwrap();
        ready(sessions.delete(&key)).unwrap();
        assert_eq!(ready(sessions.update(&key, &record(4, 100))).unwrap(), Update::Gone);
        assert_eq!(ready(sessions.load(&key, at(0))).unwrap(), None);
    }

    #[test]
    fn expired_sessions_are_cleared() {
        let sessions = MemorySessions::default();
        for expires in 0..100 {
            ready(sessions.create(&SessionKey::random(), &record(1, expires))).unwrap();
        }
        assert_eq!(ready(sessions.clear_expired(at(40))).unwrap(), 40);
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
        assert_eq!(ready(sessions.create(&key, &record(2, 200))).unwrap(), Creation::Created);
        assert!(ready(sessions.load(&key, at(101))).unwrap().is_some());
    }
}
