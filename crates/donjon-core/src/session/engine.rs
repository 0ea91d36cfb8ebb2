//! Where sessions are kept.

use std::fmt;
use std::sync::Arc;

use super::{
    Creation, Deletion, DynSessionStore, Lifetime, SessionCodec, SessionError, SessionKey,
    SessionRecord, StoreError, Stored, Update, Version, WithUser,
};
use crate::account::UserSource;
use crate::clock::{Clock, UnixTime};
use crate::event::Event;
use crate::secret::Keys;
use crate::signing::Compress;

/// How often another key is drawn for a new session: two clashes of 165 random bits mean that the
/// randomness or the store is broken.
const MAX_KEY_CLASHES: usize = 8;

/// Where sessions are kept. Django: `SESSION_ENGINE`.
#[derive(Clone)]
pub enum Engine {
    /// In a store; the cookie has the key.
    Store(Arc<dyn DynSessionStore>),
    /// In the cookie itself.
    Cookie(CookieSessions),
}

impl<S: DynSessionStore> From<Arc<S>> for Engine {
    fn from(store: Arc<S>) -> Self {
        Self::Store(store)
    }
}

impl From<Arc<dyn DynSessionStore>> for Engine {
    fn from(store: Arc<dyn DynSessionStore>) -> Self {
        Self::Store(store)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store(_) => "Engine::Store(…)",
            Self::Cookie(_) => "Engine::Cookie(…)",
        })
    }
}

/// What became of a session's new state.
pub(super) enum Saving {
    /// It is kept under this key.
    Saved(SessionKey, Version),
    /// Somebody else has changed the session since.
    Changed,
    /// The session is no more.
    Gone,
}

impl Engine {
    /// What a client's cookie says, if it can be a session's.
    #[must_use]
    pub fn key(&self, sent: &str) -> Option<SessionKey> {
        match self {
            Self::Store(_) => SessionKey::parse(sent),
            Self::Cookie(_) => {
                (sent.len() <= CookieSessions::MAX_BYTES).then(|| SessionKey::sealed(sent))
            }
        }
    }

    pub(super) async fn load(
        &self,
        key: &SessionKey,
        lifetime: &Lifetime,
        now: UnixTime,
        users: Option<UserSource>,
    ) -> Result<Option<WithUser>, StoreError> {
        let stored = match (self, users) {
            (Self::Store(store), Some(users)) => {
                return store.load_with_user(key, now, users).await;
            }
            (Self::Store(store), None) => store.load(key, now).await?,
            (Self::Cookie(cookie), _) => cookie.open(key, lifetime, now),
        };
        Ok(stored.map(|stored| (stored, None)))
    }

    /// Keeps a session that is new.
    pub(super) async fn create(
        &self,
        record: &SessionRecord,
    ) -> Result<(SessionKey, Version), SessionError> {
        let store = match self {
            Self::Store(store) => store,
            Self::Cookie(cookie) => return Ok((cookie.seal(record)?, CookieSessions::VERSION)),
        };
        for _ in 0..MAX_KEY_CLASHES {
            let key = SessionKey::random();
            if let Creation::Created(version) = store.create(&key, record).await? {
                return Ok((key, version));
            }
        }
        Err(SessionError::Store(StoreError::new("every new session key is taken")))
    }

    pub(super) async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Saving, SessionError> {
        let store = match self {
            Self::Store(store) => store,
            Self::Cookie(cookie) => {
                return Ok(Saving::Saved(cookie.seal(record)?, CookieSessions::VERSION));
            }
        };
        Ok(match store.update(key, record, over).await? {
            Update::Saved(version) => Saving::Saved(key.clone(), version),
            Update::Changed => Saving::Changed,
            Update::Gone => Saving::Gone,
        })
    }

    /// The key as the store keeps it; none for a session in its cookie, which nobody else can name.
    pub(super) fn kept_key(&self, key: &SessionKey) -> Option<SessionKey> {
        match self {
            Self::Store(store) => Some(store.kept_key(key)),
            Self::Cookie(_) => None,
        }
    }

    pub(super) async fn delete_kept(&self, kept: &SessionKey) -> Result<Deletion, StoreError> {
        match self {
            Self::Store(store) => store.delete_kept(kept).await,
            Self::Cookie(_) => Ok(Deletion::Absent),
        }
    }

    /// A cookie's session goes with its cookie.
    pub(super) async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        match self {
            Self::Store(store) => store.delete(key).await,
            Self::Cookie(_) => Ok(Deletion::Deleted),
        }
    }
}

/// Sessions in their cookie: signed, and on no server. Django: the engine `signed_cookies`.
///
/// The visitor reads all of it. Who copies the cookie can bring an old state back, also after a
/// log-out, until it is as old as the site's cookies may be: nothing on the server can revoke it. Of
/// two requests at once the answer that comes last counts.
#[derive(Clone, Debug)]
pub struct CookieSessions {
    codec: SessionCodec,
    room: usize,
}

impl CookieSessions {
    /// What browsers keep of a cookie, name and value together (RFC 6265bis, 5.6).
    pub const MAX_BYTES: usize = 4096;

    /// Each answer replaces the state that its request brought.
    const VERSION: Version = Version::Number(0);

    /// Sessions in the cookie of this name, signed with these keys. The time of signing comes from
    /// `clock`.
    #[must_use]
    pub fn new(keys: &Keys, cookie_name: &str, clock: Clock) -> Self {
        let codec = SessionCodec::new(keys)
            .salt(SessionCodec::COOKIE_SALT)
            .compress(Compress::WhereShorter)
            .clock(clock);
        Self { codec, room: Self::MAX_BYTES.saturating_sub(cookie_name.len()) }
    }

    fn seal(&self, record: &SessionRecord) -> Result<SessionKey, SessionError> {
        let text = self.codec.encode(&record.data).map_err(StoreError::new)?;
        if text.len() > self.room {
            return Err(SessionError::TooBig { bytes: text.len(), room: self.room });
        }
        Ok(SessionKey::sealed(&text))
    }

    /// It may be as old as the site's cookies, and no older, whatever end it has of its own.
    fn open(&self, key: &SessionKey, lifetime: &Lifetime, now: UnixTime) -> Option<Stored> {
        let decoded = self.codec.decode_dated(key.expose());
        let decoded = decoded.inspect_err(|problem| Event::SessionSuspicious { problem }.emit());
        let (data, signed_at) = decoded.ok()?;
        let oldest = signed_at.plus_seconds(lifetime.seconds);
        let own = lifetime.expires_of(&data, signed_at).map_or(oldest, |expires| expires.at);
        let record = SessionRecord { data, expires: own.min(oldest) };
        (record.expires > now).then_some(Stored { record, version: Self::VERSION })
    }
}
