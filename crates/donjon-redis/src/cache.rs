//! A cache of sessions in Redis, in front of a database (Django: `cached_db`).
//!
//! 1. A copy is an entry under the digest of its key, and holds the state that it is a copy of.
//! 2. A session that is removed leaves a mark for [`FORGOTTEN_FOR`] seconds, so that a node which has
//!    read it just before does not bring it back.
//! 3. What could not be removed because Redis was down is owed: the cache is not believed by this node
//!    before it has paid. Beyond [`MAX_OWED`] it is not believed for [`MAX_CACHED`] seconds, after which no
//!    copy from before is left.
//! 4. No copy lives longer than [`MAX_CACHED`] seconds. That is how long a node which was parted from
//!    Redis, or killed while it owed something, can leave a dead session to the others.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use donjon_core::clock::{Clock, UnixTime};
use donjon_core::session::cached::{FORGOTTEN_FOR, KeyDigest, SessionCache, Since};
use donjon_core::session::{SessionData, SessionKey, SessionRecord, StoreError, Stored, Version};

use crate::connection::{Again, Script};
use crate::{Redis, RedisError};

/// How long a copy lives at most, in seconds.
pub const MAX_CACHED: u64 = 300;

/// How many sessions a node remembers that it could not remove.
pub const MAX_OWED: usize = 10_000;

/// What stands between the prefix and the digest.
const ENGINE: &str = "donjon.sessions.cached_db";

/// What a removed session leaves.
const MARK: &[u8] = b"x";

/// Keeps a copy unless it is stale. `ARGV`: the copy, its end, the state that it replaces (empty for a
/// copy that was only read), its own state, and how long a mark stays.
const PUT: &str = "\
local there = redis.call('GET', KEYS[1])
if there == 'x' then return 0 end
if there then
  local state = string.match(there, '^[^\\n]*')
  if state ~= ARGV[3] and state ~= ARGV[4] then
    if ARGV[3] ~= '' then redis.call('SET', KEYS[1], 'x', 'EX', ARGV[5]) end
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
return 1";

/// A [`SessionCache`] in Redis, for all nodes.
#[derive(Clone)]
pub struct RedisCache {
    redis: Redis,
    prefix: Arc<str>,
    put: Arc<Script>,
    owed: Arc<Mutex<Owed>>,
    paying: Arc<tokio::sync::Mutex<()>>,
    clock: Clock,
}

#[derive(Default)]
struct Owed {
    digests: HashSet<[u8; KeyDigest::LENGTH]>,
    /// Too many to name: the cache is not believed before this moment.
    not_before: Option<Instant>,
}

impl RedisCache {
    /// A cache in this Redis. All nodes must name the same prefix.
    #[must_use]
    pub fn new(redis: &Redis, prefix: &str) -> Self {
        Self {
            redis: redis.clone(),
            prefix: format!("{prefix}:1:{ENGINE}").into(),
            put: Arc::new(Script::new(PUT)),
            owed: Arc::default(),
            paying: Arc::default(),
            clock: Clock::system(),
        }
    }

    fn name(&self, digest: &KeyDigest) -> Vec<u8> {
        format!("{}{digest}", self.prefix).into_bytes()
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        // No code panics while it holds the lock.
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owe(&self, digest: &KeyDigest) {
        let mut owed = self.owed();
        if owed.digests.len() < MAX_OWED {
            owed.digests.insert(*digest.bytes());
        } else {
            owed.not_before = Instant::now().checked_add(Duration::from_secs(MAX_CACHED));
        }
    }

    /// Rule 3: removes what could not be removed before. One request does, and the others do without
    /// the cache.
    async fn pay(&self) -> Result<(), StoreError> {
        let Ok(_paying) = self.paying.try_lock() else {
            return Err(StoreError::new("the cache is being brought up to date"));
        };
        let due: Vec<_> = {
            let mut owed = self.owed();
            if owed.not_before.is_some_and(|moment| Instant::now() < moment) {
                return Err(StoreError::new("too much could not be removed from the cache"));
            }
            owed.not_before = None;
            owed.digests.iter().copied().collect()
        };
        for bytes in due {
            if let Some(digest) = KeyDigest::from_bytes(&bytes) {
                self.mark(&digest).await?;
            }
            self.owed().digests.remove(&bytes);
        }
        Ok(())
    }

    fn owes(&self) -> bool {
        let owed = self.owed();
        !owed.digests.is_empty() || owed.not_before.is_some()
    }

    async fn mark(&self, digest: &KeyDigest) -> Result<(), RedisError> {
        let mut set = redis::cmd("SET");
        set.arg(self.name(digest)).arg(MARK).arg("EX").arg(FORGOTTEN_FOR);
        self.redis.query::<()>(&set, Again::Yes).await
    }
}

impl SessionCache for RedisCache {
    async fn get(&self, key: &SessionKey) -> Result<Option<Stored>, StoreError> {
        if self.owes() {
            self.pay().await?;
        }
        let name = self.name(&KeyDigest::of(key));
        let copy: Option<Vec<u8>> =
            self.redis.query(redis::cmd("GET").arg(name), Again::Yes).await?;
        Ok(copy.as_deref().and_then(read))
    }

    async fn put(
        &self,
        key: &SessionKey,
        stored: &Stored,
        since: &Since,
    ) -> Result<(), StoreError> {
        let digest = KeyDigest::of(key);
        if since.over.is_some() {
            // Until it is replaced, the copy of the state before is there.
            self.owe(&digest);
        } else if self.owes() {
            self.pay().await?;
        }
        let (state, over) = (state(&stored.version), since.over.as_ref().map(state));
        let latest = self.clock.now().plus_seconds(i64::try_from(MAX_CACHED).unwrap_or(i64::MAX));
        let end = stored.record.expires.min(latest).micros().div_euclid(1_000).max(1).to_string();
        let copy = write(&state, stored)?;
        let (over, stays) = (over.unwrap_or_default(), FORGOTTEN_FOR.to_string());
        let arguments =
            [&*copy, end.as_bytes(), over.as_bytes(), state.as_bytes(), stays.as_bytes()];
        self.put.run::<i64>(&self.redis, &self.name(&digest), &arguments).await?;
        if since.over.is_some() {
            self.owed().digests.remove(digest.bytes());
        }
        Ok(())
    }

    async fn forget(&self, _: &KeyDigest) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remove(&self, key: &SessionKey) -> Result<(), StoreError> {
        let digest = KeyDigest::of(key);
        // Owed before it is tried: a request that is cut off in between has tried nothing.
        self.owe(&digest);
        self.mark(&digest).await?;
        self.owed().digests.remove(digest.bytes());
        Ok(())
    }

    async fn forget_all(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A state as one line.
fn state(version: &Version) -> String {
    match version {
        Version::Number(number) => format!("n{number}"),
        Version::Text(text) => format!("t{}", text.replace('\n', " ")),
    }
}

/// State, end and values, each on a line.
fn write(state: &str, stored: &Stored) -> Result<Vec<u8>, StoreError> {
    let head = format!("{state}\n{}\n", stored.record.expires.micros());
    let data = stored.record.data.to_json().map_err(StoreError::new)?;
    Ok([head.as_bytes(), &data].concat())
}

/// The copy; none for a mark, or what somebody else has written.
fn read(copy: &[u8]) -> Option<Stored> {
    let mut lines = copy.splitn(3, |&byte| byte == b'\n');
    let state = std::str::from_utf8(lines.next()?).ok()?;
    let expires = std::str::from_utf8(lines.next()?).ok()?.parse().ok()?;
    let data = SessionData::from_json(lines.next()?).ok()?;
    let version = match (state.get(..1)?, state.get(1..)?) {
        ("n", number) => Version::Number(number.parse().ok()?),
        ("t", text) => Version::Text(text.into()),
        _ => return None,
    };
    let record = SessionRecord { data, expires: UnixTime::from_micros(expires) };
    Some(Stored { record, version })
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCache").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_a_copy_comes_back() {
        let data = SessionData::from_json(br#"{"a":"line\nbreak"}"#).unwrap();
        let record = SessionRecord { data, expires: UnixTime::from_micros(1_700_000_000_123_456) };
        for version in [Version::Number(7), Version::Text("row:1:sig".into())] {
            let stored = Stored { record: record.clone(), version };
            let copy = write(&state(&stored.version), &stored).unwrap();
            assert_eq!(read(&copy), Some(stored));
        }
        for other in
            [&b"x"[..], b"", b"t\n", b"t1\nx\n{}", b"q1\n1\n{}", b"t1\n1\n[]", b"\xff\n1\n{}"]
        {
            assert_eq!(read(other), None);
        }
    }
}
