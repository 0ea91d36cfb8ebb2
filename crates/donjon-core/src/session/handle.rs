//! The handle by which a request reaches its session.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    BadExpiry, Creation, Deletion, DynSessionStore, Expires, Expiry, Lifetime, SessionData,
    SessionKey, SessionRecord, StoreError, Stored, Update, Version,
};
use crate::clock::{Clock, UnixTime};

/// How often [`Session::create`] draws another key before it gives up: two clashes of 165 random bits
/// mean that the randomness or the store is broken.
const MAX_KEY_CLASHES: usize = 8;

/// How often [`Session::save`] puts its changes over those of others before it gives up.
const MAX_SAVE_RACES: usize = 16;

const EXPIRY: &str = "_session_expiry";
const TEST_COOKIE: &str = "testcookie";

/// What all sessions of a site have in common.
pub struct SessionContext {
    /// Where they are kept.
    pub store: Arc<dyn DynSessionStore>,
    /// How long they last.
    pub lifetime: Lifetime,
    /// What time it is.
    pub clock: Clock,
}

/// The session of one request; clones are the same session.
///
/// Nothing is asked of the store before a method needs it. Changes are saved when the response goes
/// out, unless it is a failure of the server (status 500 and above).
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    context: Arc<SessionContext>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    key: Option<SessionKey>,
    data: Option<SessionData>,
    /// What the store had when it was last asked or written: what others change is told from it.
    base: Option<Base>,
    /// Were all values forgotten, those too that others have added meanwhile?
    cleared: bool,
    accessed: bool,
    modified: bool,
}

#[derive(Clone)]
struct Base {
    data: SessionData,
    version: Version,
}

/// Why a session could not do what was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The store failed: the request should end in a 503 or 500.
    Store(StoreError),
    /// The value of this name is of another type, or can't be JSON.
    Value(String, serde_json::Error),
    /// The session was deleted while this request was under way. Django: `SessionInterrupted`.
    Interrupted,
    /// The stored `_session_expiry` is neither a number nor a date.
    Expiry(BadExpiry),
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Value(name, error) => write!(f, "the session's value {name:?} is of another type: {error}"),
            Self::Interrupted => f.write_str(
                "the session was deleted before the request completed: the user may have logged out in another request",
            ),
            Self::Expiry(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Value(_, error) => Some(error),
            Self::Interrupted => None,
            Self::Expiry(error) => Some(error),
        }
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// How a session stands when the response goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Did anybody look at it? Then the response varies with the cookie.
    pub accessed: bool,
    /// Has it changed?
    pub modified: bool,
    /// Has it neither key nor values? Then a cookie that points to it is to go.
    pub empty: bool,
}

impl Session {
    /// The session of a request that sent `key`, or none.
    #[must_use]
    pub fn new(context: Arc<SessionContext>, key: Option<SessionKey>) -> Self {
        Self(Arc::new(Inner { context, state: Mutex::new(State { key, ..State::default() }) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the state is whole between any two statements.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> UnixTime {
        self.0.context.clock.now()
    }

    /// The values, loaded if they aren't yet.
    async fn load(&self) -> Result<SessionData, StoreError> {
        let key = {
            let mut state = self.state();
            state.accessed = true;
            match (&state.data, &state.key) {
                (Some(data), _) => return Ok(data.clone()),
                (None, Some(key)) => key.clone(),
                (None, None) => return Ok(state.data.insert(SessionData::default()).clone()),
            }
        };
        let found = self.0.context.store.load(&key, self.now()).await?;
        let mut state = self.state();
        if let Some(data) = &state.data {
            return Ok(data.clone());
        }
        match found.map(Base::from) {
            Some(base) => state.base = Some(base),
            // A key without a live row is somebody's wish: it must not become a key of ours.
            None => state.key = None,
        }
        let loaded = state.base.as_ref().map(|base| base.data.clone()).unwrap_or_default();
        Ok(state.data.insert(loaded).clone())
    }

    /// The value of this name.
    ///
    /// # Errors
    /// [`SessionError::Store`], and [`SessionError::Value`] for a value that is no `T`.
    pub async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SessionError> {
        let data = self.load().await?;
        data.value(name).map_err(|error| SessionError::Value(name.to_owned(), error))
    }

    /// Is there a value of this name?
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn contains(&self, name: &str) -> Result<bool, SessionError> {
        Ok(self.load().await?.contains(name))
    }

    /// All values, as they stand.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn data(&self) -> Result<SessionData, SessionError> {
        Ok(self.load().await?)
    }

    /// Puts a value under this name.
    ///
    /// # Errors
    /// [`SessionError::Store`], and [`SessionError::Value`] for what JSON has no words for.
    pub async fn insert<T: Serialize + ?Sized>(
        &self,
        name: &str,
        value: &T,
    ) -> Result<(), SessionError> {
        self.change(|data| data.insert(name, value))
            .await?
            .map_err(|error| SessionError::Value(name.to_owned(), error))
    }

    /// Takes the value of this name out, and tells whether there was one.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn remove(&self, name: &str) -> Result<bool, SessionError> {
        let there = self.load().await?.contains(name);
        if there {
            self.change(|data| data.remove(name)).await?;
        }
        Ok(there)
    }

    /// Takes the value of this name out and returns it.
    ///
    /// # Errors
    /// [`SessionError::Store`], and [`SessionError::Value`] for a value that is no `T`, which then
    /// stays.
    pub async fn pop<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SessionError> {
        let value = self.get(name).await?;
        self.remove(name).await?;
        Ok(value)
    }

    /// Forgets all values; the key stays.
    pub fn clear(&self) {
        let mut state = self.state();
        state.data = Some(SessionData::default());
        state.cleared = true;
        state.accessed = true;
        state.modified = true;
    }

    /// Saves the session with the response, though no value changed.
    pub fn mark_modified(&self) {
        self.state().modified = true;
    }

    async fn change<T>(&self, change: impl FnOnce(&mut SessionData) -> T) -> Result<T, StoreError> {
        self.load().await?;
        let mut state = self.state();
        state.modified = true;
        Ok(change(state.data.get_or_insert_default()))
    }

    /// The key, if there is one: that of the cookie until the store has shown it to be nobody's.
    #[must_use]
    pub fn key(&self) -> Option<SessionKey> {
        self.state().key.clone()
    }

    /// The key as the store keeps it, if there is one: see
    /// [`SessionStore::kept_key`](super::SessionStore::kept_key).
    #[must_use]
    pub fn kept_key(&self) -> Option<SessionKey> {
        self.key().map(|key| self.0.context.store.kept_key(&key))
    }

    /// Deletes another session of the same store, by the key that the store keeps it under.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn end_other(&self, kept: &SessionKey) -> Result<Deletion, SessionError> {
        Ok(self.0.context.store.delete_kept(kept).await?)
    }

    /// When this session ends. `None` takes the site's settings again.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn set_expiry(&self, expiry: Option<Expiry>) -> Result<(), SessionError> {
        match expiry {
            Some(expiry) => self.insert(EXPIRY, &expiry.to_json()).await,
            None => self.remove(EXPIRY).await.map(drop),
        }
    }

    /// When this session ends, if it is saved now.
    ///
    /// # Errors
    /// [`SessionError::Store`], and [`SessionError::Expiry`] for a stored expiry that is none.
    pub async fn expires(&self) -> Result<Expires, SessionError> {
        let stored: Option<Value> = self.get(EXPIRY).await?;
        self.0.context.lifetime.expires(stored.as_ref(), self.now()).map_err(SessionError::Expiry)
    }

    /// Leaves a mark that shows on the next request whether the browser takes cookies.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn set_test_cookie(&self) -> Result<(), SessionError> {
        self.insert(TEST_COOKIE, "worked").await
    }

    /// Did the mark of [`Session::set_test_cookie`] come back?
    ///
    /// # Errors
    /// [`SessionError::Store`], and [`SessionError::Value`] if something else has that name.
    pub async fn test_cookie_worked(&self) -> Result<bool, SessionError> {
        Ok(self.get::<String>(TEST_COOKIE).await?.as_deref() == Some("worked"))
    }

    /// Gives the session a new key and keeps its values: the old key is worth nothing from now on.
    ///
    /// To be called whenever a visitor gains rights, or a key planted before would gain them too.
    ///
    /// # Errors
    /// [`SessionError::Interrupted`] if the session was deleted meanwhile; it then stays deleted.
    /// [`SessionError::Store`], and [`SessionError::Expiry`].
    pub async fn cycle_key(&self) -> Result<(), SessionError> {
        self.load().await?;
        let old = self.key();
        self.create().await?;
        let Some(old) = old else { return Ok(()) };
        if self.0.context.store.delete(&old).await? == Deletion::Absent {
            // Who logged out in another request must not live on under the new key.
            self.flush().await?;
            return Err(SessionError::Interrupted);
        }
        Ok(())
    }

    /// Deletes the session, in the store and here.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn flush(&self) -> Result<(), SessionError> {
        self.clear();
        if let Some(key) = self.key() {
            self.0.context.store.delete(&key).await?;
        }
        let mut state = self.state();
        state.key = None;
        state.base = None;
        Ok(())
    }

    async fn record(&self) -> Result<SessionRecord, SessionError> {
        let expires = self.expires().await?.at;
        Ok(SessionRecord { data: self.load().await?, expires })
    }

    /// Puts the values under a new key.
    async fn create(&self) -> Result<(), SessionError> {
        let record = self.record().await?;
        for _ in 0..MAX_KEY_CLASHES {
            let key = SessionKey::random();
            if let Creation::Created(version) = self.0.context.store.create(&key, &record).await? {
                let mut state = self.state();
                state.key = Some(key);
                state.modified = true;
                state.cleared = false;
                state.base = Some(Base { data: record.data, version });
                return Ok(());
            }
        }
        Err(SessionError::Store(StoreError::new("every new session key is taken")))
    }

    /// Writes the values to the store, under a new key if there is none, and tells the key.
    ///
    /// What other requests have written meanwhile stays, value by value; where both changed the same
    /// one, this session's counts.
    ///
    /// # Errors
    /// [`SessionError::Interrupted`] if the session was deleted meanwhile, [`SessionError::Store`],
    /// and [`SessionError::Expiry`].
    pub async fn save(&self) -> Result<SessionKey, SessionError> {
        let Some(key) = self.key() else {
            self.create().await?;
            return self.key().ok_or(SessionError::Interrupted);
        };
        for _ in 0..MAX_SAVE_RACES {
            let over = self.state().base.as_ref().map(|base| base.version.clone());
            if let Some(version) = over {
                let record = self.record().await?;
                match self.0.context.store.update(&key, &record, &version).await? {
                    Update::Saved(version) => {
                        let mut state = self.state();
                        state.cleared = false;
                        state.base = Some(Base { data: record.data, version });
                        return Ok(key);
                    }
                    Update::Changed => {}
                    Update::Gone => return Err(SessionError::Interrupted),
                }
            }
            self.rebase(&key).await?;
        }
        Err(SessionError::Store(StoreError::new("the session changes faster than it can be saved")))
    }

    /// Puts what changed here over what the store has now.
    async fn rebase(&self, key: &SessionKey) -> Result<(), SessionError> {
        // A row that has expired since is still written over, as in Django.
        let found = self.0.context.store.load(key, UnixTime::from_micros(i64::MIN)).await?;
        let theirs = Base::from(found.ok_or(SessionError::Interrupted)?);
        let mut state = self.state();
        let ours = state.data.take();
        state.data = Some(match (ours, &state.base) {
            (Some(ours), _) if state.cleared => ours,
            (Some(ours), base) => {
                let before = base.as_ref().map(|base| base.data.clone()).unwrap_or_default();
                theirs.data.with_changes(&before, &ours)
            }
            (None, _) => theirs.data.clone(),
        });
        state.base = Some(theirs);
        Ok(())
    }

    /// How the session stands, for the layer that ends the request.
    #[must_use]
    pub fn ending(&self) -> Ending {
        let state = self.state();
        let no_values = state.data.as_ref().is_none_or(SessionData::is_empty);
        Ending {
            accessed: state.accessed,
            modified: state.modified,
            empty: state.key.is_none() && no_values,
        }
    }
}

impl From<Stored> for Base {
    fn from(stored: Stored) -> Self {
        Self { data: stored.record.data, version: stored.version }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("ending", &self.ending()).finish_non_exhaustive()
    }
}
