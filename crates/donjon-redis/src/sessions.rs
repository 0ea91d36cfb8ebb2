//! Sessions in Redis (Django: the session engine `cache` on `RedisCache`).

use std::sync::Arc;

use donjon_core::clock::UnixTime;
use donjon_core::event::Event;
use donjon_core::session::{
    Creation, Deletion, SessionData, SessionKey, SessionRecord, SessionStore, StoreError, Stored,
    Update, Version,
};
use redis::Pipeline;
use sha1::{Digest as _, Sha1};

use crate::Redis;
use crate::connection::{Again, Script};

/// What stands between the cache's prefix and the session's key. Django: `KEY_PREFIX` of the engine.
const ENGINE: &str = "django.contrib.sessions.cache";

/// Writes over the one state that the writer has seen: 0 there is none, 1 there is another, 2 done.
const UPDATE: &str = "\
local seen = redis.call('GET', KEYS[1])
if not seen then return 0 end
if redis.sha1hex(seen) ~= ARGV[1] then return 1 end
redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
return 2";

/// A [`SessionStore`] in Redis, under Django's names of keys.
///
/// The value is the session's values as an object of JSON, in ASCII. Django reads and writes it too,
/// where its cache has a serializer for JSON instead of pickle: see the guide. A value that is no
/// object of JSON, as Django's pickles are, is told to the log and read as a session without values.
///
/// Redis drops what has expired, so that [`clear_expired`](SessionStore::clear_expired) finds nothing.
#[derive(Clone)]
pub struct RedisSessions {
    redis: Redis,
    prefix: Arc<str>,
    update: Arc<Script>,
}

impl std::fmt::Debug for RedisSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisSessions").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RedisSessions {
    /// The sessions in this Redis, under the names of Django's cache without a prefix of its own.
    #[must_use]
    pub fn new(redis: &Redis) -> Self {
        Self::with_prefix(redis, "", 1)
    }

    /// The sessions under the names of a cache with these settings. Django: `KEY_PREFIX` and `VERSION`
    /// in `CACHES`.
    #[must_use]
    pub fn with_prefix(redis: &Redis, prefix: &str, version: u32) -> Self {
        let prefix = format!("{prefix}:{version}:{ENGINE}").into();
        Self { redis: redis.clone(), prefix, update: Arc::new(Script::new(UPDATE)) }
    }

    fn name(&self, key: &SessionKey) -> Vec<u8> {
        [self.prefix.as_bytes(), key.expose().as_bytes()].concat()
    }
}

/// The end of a record in milliseconds, which must be positive: what is long past is past.
fn milliseconds(expires: UnixTime) -> i64 {
    expires.micros().div_euclid(1_000).max(1)
}

fn text(record: &SessionRecord) -> Result<Vec<u8>, StoreError> {
    record.data.to_json().map_err(StoreError::new)
}

/// The digest that Redis makes of the text too: it need not be sent back, nor be text at all.
fn version(text: &[u8]) -> Version {
    let digest = Sha1::digest(text);
    Version::Text(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
}

fn data(text: &[u8]) -> SessionData {
    SessionData::from_json(text).unwrap_or_else(|_| {
        Event::SessionSuspicious { problem: &"the value in Redis is no object of JSON" }.emit();
        SessionData::default()
    })
}

impl SessionStore for RedisSessions {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        let name = self.name(key);
        let mut both = Pipeline::with_capacity(2);
        both.cmd("GET").arg(&name).cmd("PEXPIRETIME").arg(&name);
        let (text, end): (Option<Vec<u8>>, i64) = self.redis.query_all(&both, Again::Yes).await?;
        let Some(text) = text else { return Ok(None) };
        // Without an end it is nobody's session: Django sets one always.
        let expires = UnixTime::from_micros(end.saturating_mul(1_000));
        if expires <= now {
            return Ok(None);
        }
        let record = SessionRecord { data: data(&text), expires };
        Ok(Some(Stored { record, version: version(&text) }))
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        let text = text(record)?;
        let mut set = redis::cmd("SET");
        set.arg(self.name(key)).arg(&text).arg("NX");
        set.arg("PXAT").arg(milliseconds(record.expires));
        let done: Option<String> = self.redis.query(&set, Again::No).await?;
        Ok(done.map_or(Creation::KeyTaken, |_| Creation::Created(version(&text))))
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        let seen = match over {
            Version::Text(seen) => seen.as_bytes(),
            // Another store's: no text here is empty.
            Version::Number(_) => b"",
        };
        let (text, end) = (text(record)?, milliseconds(record.expires).to_string());
        let arguments = [seen, &text, end.as_bytes()];
        let outcome: i64 = self.update.run(&self.redis, &self.name(key), &arguments).await?;
        Ok(match outcome {
            0 => Update::Gone,
            1 => Update::Changed,
            _ => Update::Saved(version(&text)),
        })
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        let mut delete = redis::cmd("DEL");
        let removed: i64 = self.redis.query(delete.arg(self.name(key)), Again::No).await?;
        Ok(if removed == 0 { Deletion::Absent } else { Deletion::Deleted })
    }

    async fn clear_expired(&self, _: UnixTime, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}
