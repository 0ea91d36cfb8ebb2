//! The handle by which a request reaches its session.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::Saving;
use super::expiry::{BEGUN, EXPIRY};
use super::turn::{self, Changes, Saved, Turn};
use super::{
    AgentFamily, BadExpiry, Deletion, Engine, Expires, Expiry, Lifetime, SessionData, SessionKey,
    SessionRecord, StoreError, Stored, Update, Version,
};
use crate::account::{User, UserSource};
use crate::clock::{Clock, UnixTime};
use crate::event::Event;

/// How often [`Session::save`] puts its changes over those of others before it gives up.
const MAX_SAVE_RACES: usize = 16;

/// The name of the family of browsers that a session is bound to. Django does not know it, and leaves
/// it alone.
const AGENT: &str = "_donjon_agent";

/// The name that marks a row which its session has left for another key: see [`Session::cycle_key`].
const LEFT: &str = "_donjon_left";

/// What no visitor's values are: [`Session::clear`] keeps it.
const MARKS: [&str; 2] = [BEGUN, AGENT];

const TEST_COOKIE: &str = "testcookie";

/// What all sessions of a site have in common.
#[derive(Debug)]
pub struct SessionContext {
    /// Where they are kept.
    pub engine: Engine,
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
    /// The visitor's, where sessions are bound to it.
    agent: Option<AgentFamily>,
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
pub(super) struct Base {
    pub(super) data: SessionData,
    pub(super) version: Version,
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
    /// The session is kept in its cookie, and a browser would drop one of that size. Nothing was saved.
    TooBig {
        /// What the values take, signed.
        bytes: usize,
        /// What there is room for.
        room: usize,
    },
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
            Self::TooBig { bytes, room } => write!(
                f,
                "the session takes {bytes} bytes, and its cookie has room for {room}: keep less in it, or keep sessions in a store"
            ),
        }
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Value(_, error) => Some(error),
            Self::Interrupted | Self::TooBig { .. } => None,
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
        Self::begin_with(context, key, None)
    }

    /// The session of a request by such a browser: it finds none that was begun by another.
    #[must_use]
    pub fn bound(
        context: Arc<SessionContext>,
        key: Option<SessionKey>,
        agent: AgentFamily,
    ) -> Self {
        Self::begin_with(context, key, Some(agent))
    }

    fn begin_with(
        context: Arc<SessionContext>,
        key: Option<SessionKey>,
        agent: Option<AgentFamily>,
    ) -> Self {
        let state = Mutex::new(State { key, ..State::default() });
        Self(Arc::new(Inner { context, agent, state }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the state is whole between any two statements.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn engine(&self) -> &Engine {
        &self.0.context.engine
    }

    fn now(&self) -> UnixTime {
        self.0.context.clock.now()
    }

    /// The values, loaded if they aren't yet.
    async fn load(&self) -> Result<SessionData, StoreError> {
        Ok(self.load_with_user(None).await?.0)
    }

    /// The same, and the user whom they name, if they are loaded now and the store reads these users along.
    async fn load_with_user(
        &self,
        users: Option<UserSource>,
    ) -> Result<(SessionData, Option<Arc<User>>), StoreError> {
        let key = {
            let mut state = self.state();
            state.accessed = true;
            match (&state.data, &state.key) {
                (Some(data), _) => return Ok((data.clone(), None)),
                (None, Some(key)) => key.clone(),
                (None, None) => {
                    return Ok((state.data.insert(SessionData::default()).clone(), None));
                }
            }
        };
        let found = self.find_with_user(&key, self.now(), users).await?;
        let mut state = self.state();
        if let Some(data) = &state.data {
            return Ok((data.clone(), None));
        }
        let user = match found {
            Some((base, user)) => {
                state.base = Some(base);
                user
            }
            // A key without a live row is somebody's wish: it must not become a key of ours.
            None => {
                state.key = None;
                None
            }
        };
        let loaded = state.base.as_ref().map(|base| base.data.clone()).unwrap_or_default();
        Ok((state.data.insert(loaded).clone(), user))
    }

    /// What is kept under `key` and had not expired at `at`, if it is this visitor's.
    async fn find(&self, key: &SessionKey, at: UnixTime) -> Result<Option<Base>, StoreError> {
        Ok(self.find_with_user(key, at, None).await?.map(|(base, _)| base))
    }

    async fn find_with_user(
        &self,
        key: &SessionKey,
        at: UnixTime,
        users: Option<UserSource>,
    ) -> Result<Option<(Base, Option<Arc<User>>)>, StoreError> {
        let lifetime = &self.0.context.lifetime;
        let Some((stored, user)) = self.engine().load(key, lifetime, at, users).await? else {
            return Ok(None);
        };
        let data = &stored.record.data;
        if data.contains(LEFT) || !self.is_the_visitors(data) {
            return Ok(None);
        }
        if lifetime.is_over(data, self.now()) {
            self.engine().delete(key).await?;
            Event::SessionEnded.emit();
            return Ok(None);
        }
        Ok(Some((Base::from(stored), user)))
    }

    /// Was the session begun by a browser like this one?
    fn is_the_visitors(&self, data: &SessionData) -> bool {
        let Some((agent, noted)) = self.0.agent.zip(data.text(AGENT)) else { return true };
        let same = noted == agent.to_string();
        if !same {
            Event::SessionAgentChanged { noted: &noted, sent: &agent }.emit();
        }
        same
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

    /// All values, as they stand, and the user whom they name, if this is the first look at them and the store has read
    /// that user along: see [`SessionStore::load_with_user`](super::SessionStore::load_with_user).
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn data_and_user(
        &self,
        users: Option<UserSource>,
    ) -> Result<(SessionData, Option<Arc<User>>), SessionError> {
        Ok(self.load_with_user(users).await?)
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
        self.change(|data| insert(data, name, value)).await?
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

    /// Forgets all values; the key stays, and so does the end of the session's absolute age.
    pub fn clear(&self) {
        let mut state = self.state();
        state.data = Some(state.data.take().unwrap_or_default().only(&MARKS));
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
    /// [`SessionStore::kept_key`](super::SessionStore::kept_key). A session in its cookie has none.
    #[must_use]
    pub fn kept_key(&self) -> Option<SessionKey> {
        self.0.context.engine.kept_key(&self.key()?)
    }

    /// Deletes another session of the same store, by the key that the store keeps it under.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn end_other(&self, kept: &SessionKey) -> Result<Deletion, SessionError> {
        Ok(self.0.context.engine.delete_kept(kept).await?)
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
        self.expires_of(&self.load().await?)
    }

    fn expires_of(&self, data: &SessionData) -> Result<Expires, SessionError> {
        self.0.context.lifetime.expires_of(data, self.now()).map_err(SessionError::Expiry)
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
    /// To be called whenever a visitor gains rights, or a key planted before would gain them too. What
    /// another request saves meanwhile under the old key comes along, or that request is told that it
    /// was not saved. A session that is kept in its cookie has no key; it is saved anew.
    ///
    /// # Errors
    /// [`SessionError::Interrupted`] if the session was deleted meanwhile; it then stays deleted.
    /// [`SessionError::Store`], and [`SessionError::Expiry`].
    pub async fn cycle_key(&self) -> Result<(), SessionError> {
        self.load().await?;
        let Some(old) = self.key() else { return self.create().await.map(drop) };
        let known = self.known(&old).await?;
        self.create().await?;
        let left = self.leave(&old, known).await;
        if let Err(SessionError::Interrupted) = left {
            // Who logged out in another request must not live on under the new key.
            self.flush().await?;
        }
        left
    }

    /// What is known of the row under `key`, looked at where nobody has yet.
    async fn known(&self, key: &SessionKey) -> Result<Base, SessionError> {
        let base = self.state().base.clone();
        if let Some(base) = base {
            return Ok(base);
        }
        self.rebase(key).await?;
        self.state().base.clone().ok_or(SessionError::Interrupted)
    }

    /// Deletes a row that this session has left. It is marked first, over the state that is known, so
    /// that nobody adds to it unseen between the last look and its deletion.
    async fn leave(&self, old: &SessionKey, known: Base) -> Result<(), SessionError> {
        let Engine::Store(store) = self.engine() else { return Ok(()) };
        let mark = self.mark_of_leaving()?;
        let mut known = known;
        for _ in 0..MAX_SAVE_RACES {
            match store.update(old, &mark, &known.version).await? {
                Update::Saved(_) => return self.delete_left(old).await,
                Update::Gone => return Err(SessionError::Interrupted),
                Update::Changed => known = self.take_along(old, &known).await?,
            }
        }
        Err(too_many_races())
    }

    /// Puts what was added under the old key since `known` to the values, and tells what is known now.
    async fn take_along(&self, old: &SessionKey, known: &Base) -> Result<Base, SessionError> {
        let theirs = self.find(old, LONG_AGO).await?.ok_or(SessionError::Interrupted)?;
        let mut state = self.state();
        let ours = state.data.take().unwrap_or_default();
        state.data = Some(theirs.data.with_changes(&known.data, &ours));
        Ok(theirs)
    }

    /// Saves what came along, if anything did.
    async fn delete_left(&self, old: &SessionKey) -> Result<(), SessionError> {
        let grown = {
            let state = self.state();
            state.data.as_ref() != state.base.as_ref().map(|base| &base.data)
        };
        if grown {
            self.save().await?;
        }
        match self.engine().delete(old).await? {
            Deletion::Deleted => Ok(()),
            Deletion::Absent => Err(SessionError::Interrupted),
        }
    }

    fn mark_of_leaving(&self) -> Result<SessionRecord, SessionError> {
        let mut data = SessionData::default();
        insert(&mut data, LEFT, &true)?;
        Ok(SessionRecord { expires: self.expires_of(&data)?.at, data })
    }

    /// Counts the absolute age from now on, and binds the session to the browser of this request. To
    /// be called when a user logs in; [`Session::cycle_key`] leaves both as they are.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn begin(&self) -> Result<(), SessionError> {
        self.change(|data| MARKS.map(|mark| data.remove(mark))).await?;
        self.mark_beginning()?;
        self.bind()
    }

    /// Notes the beginning of a session that has none yet.
    fn mark_beginning(&self) -> Result<(), SessionError> {
        let now = self.now();
        let mut state = self.state();
        match state.data.get_or_insert_default() {
            data if self.0.context.lifetime.absolute.is_some() && !data.contains(BEGUN) => {
                insert(data, BEGUN, &now.seconds())
            }
            _ => Ok(()),
        }
    }

    /// Notes the browser of a session that is bound to none yet.
    fn bind(&self) -> Result<(), SessionError> {
        let Some(agent) = self.0.agent else { return Ok(()) };
        let mut state = self.state();
        let data = state.data.get_or_insert_default();
        if data.contains(AGENT) { Ok(()) } else { insert(data, AGENT, &agent.to_string()) }
    }

    /// Deletes the session, in the store and here, and tells whether it was there:
    /// [`Deletion::Absent`] says that another request deleted it meanwhile, or gave it another key,
    /// under which it lives on.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn flush(&self) -> Result<Deletion, SessionError> {
        if self.0.agent.is_some() {
            // Who may not use the session may not end it either.
            self.load().await?;
        }
        self.clear();
        let deletion = match self.key() {
            Some(key) => self.engine().delete(&key).await?,
            None => Deletion::Deleted,
        };
        let mut state = self.state();
        state.data = Some(SessionData::default());
        state.key = None;
        state.base = None;
        Ok(deletion)
    }

    async fn record(&self) -> Result<SessionRecord, SessionError> {
        self.load().await?;
        self.mark_beginning()?;
        let data = self.load().await?;
        Ok(SessionRecord { expires: self.expires_of(&data)?.at, data })
    }

    /// Puts the values under a new key.
    async fn create(&self) -> Result<SessionKey, SessionError> {
        self.load().await?;
        self.bind()?;
        let record = self.record().await?;
        let (key, version) = self.engine().create(&record).await?;
        self.state().modified = true;
        Ok(self.saved(key, record, version))
    }

    fn saved(&self, key: SessionKey, record: SessionRecord, version: Version) -> SessionKey {
        let mut state = self.state();
        state.key = Some(key.clone());
        state.cleared = false;
        state.base = Some(Base { data: record.data, version });
        key
    }

    /// Writes the values to where they are kept, under a new key if there is none, and tells the key.
    ///
    /// What other requests have written meanwhile stays, value by value; where both changed the same
    /// one, this session's counts.
    ///
    /// # Errors
    /// [`SessionError::Interrupted`] if the session was deleted meanwhile, [`SessionError::Store`],
    /// [`SessionError::Expiry`], and [`SessionError::TooBig`].
    pub async fn save(&self) -> Result<SessionKey, SessionError> {
        let Some(key) = self.key() else { return self.create().await };
        let site = Arc::as_ptr(&self.0.context).addr();
        let mut turn = match turn::take(site, &key, || self.changes()).await {
            Turn::Taken(turn) => turn,
            Turn::Saved(ours, saved) => return Ok(self.saved_along(&ours, saved)),
        };
        // Whose the session is shows when it is found: who has not looked for it yet is told nothing.
        if let Some(theirs) = turn.told().filter(|_| self.is_known()) {
            self.rebase_on(theirs);
        }
        if self.is_known() {
            self.take_others_along(&turn.along());
        }
        let saved = self.save_in_turn(&key).await;
        match &saved {
            Ok(key) => {
                turn.tell(|| Some(Saved { key: key.clone(), base: self.state().base.clone()? }))
            }
            Err(SessionError::Store(_)) => turn.fail(),
            Err(_) => drop(turn),
        }
        saved
    }

    /// Has the session been found, and are its values here?
    fn is_known(&self) -> bool {
        let state = self.state();
        state.base.is_some() && state.data.is_some()
    }

    /// What is to be saved, if another request may do it: one that forgets all is alone with that.
    fn changes(&self) -> Option<Changes> {
        let state = self.state();
        match (&state.base, &state.data, state.cleared) {
            (Some(base), Some(data), false) => {
                Some(Changes { before: base.data.clone(), after: data.clone() })
            }
            _ => None,
        }
    }

    /// Puts what others have changed, and want saved, over the values.
    fn take_others_along(&self, others: &[Changes]) {
        let mut state = self.state();
        let ours = state.data.take().unwrap_or_default();
        let all = others
            .iter()
            .fold(ours, |data, theirs| data.with_changes(&theirs.before, &theirs.after));
        state.data = Some(all);
    }

    /// Another request has saved these changes of this session.
    fn saved_along(&self, ours: &Changes, saved: Saved) -> SessionKey {
        let mut state = self.state();
        let data = state.data.take().unwrap_or_default();
        state.data = Some(saved.base.data.with_changes(&ours.after, &data));
        state.accessed = true;
        state.base = Some(saved.base);
        state.key = Some(saved.key.clone());
        saved.key
    }

    async fn save_in_turn(&self, key: &SessionKey) -> Result<SessionKey, SessionError> {
        for _ in 0..MAX_SAVE_RACES {
            if let Some(key) = self.save_once(key).await? {
                return Ok(key);
            }
            self.rebase(key).await?;
        }
        Err(too_many_races())
    }

    /// Writes over the state that is known; `None` if there is another by now, or none is known.
    async fn save_once(&self, key: &SessionKey) -> Result<Option<SessionKey>, SessionError> {
        let over = self.state().base.as_ref().map(|base| base.version.clone());
        let Some(version) = over else { return Ok(None) };
        let record = self.record().await?;
        match self.engine().update(key, &record, &version).await? {
            Saving::Saved(key, version) => Ok(Some(self.saved(key, record, version))),
            Saving::Changed => Ok(None),
            Saving::Gone => Err(SessionError::Interrupted),
        }
    }

    /// Puts what changed here over what the store has now.
    async fn rebase(&self, key: &SessionKey) -> Result<(), SessionError> {
        // A row that has expired since is still written over, as in Django.
        let theirs = self.find(key, LONG_AGO).await?.ok_or(SessionError::Interrupted)?;
        self.rebase_on(theirs);
        Ok(())
    }

    fn rebase_on(&self, theirs: Base) {
        let mut state = self.state();
        let ours = state.data.take();
        let none = SessionData::default();
        state.data = Some(match (ours, &state.base) {
            (Some(ours), _) if state.cleared => theirs.data.only(&MARKS).with_changes(&none, &ours),
            (Some(ours), base) => {
                let before = base.as_ref().map_or(&none, |base| &base.data);
                theirs.data.with_changes(before, &ours)
            }
            (None, _) => theirs.data.clone(),
        });
        state.base = Some(theirs);
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

/// Before anything expires.
const LONG_AGO: UnixTime = UnixTime::from_micros(i64::MIN);

fn too_many_races() -> SessionError {
    SessionError::Store(StoreError::new("the session changes faster than it can be saved"))
}

fn insert<T: Serialize + ?Sized>(
    data: &mut SessionData,
    name: &str,
    value: &T,
) -> Result<(), SessionError> {
    data.insert(name, value).map_err(|error| SessionError::Value(name.to_owned(), error))
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

#[cfg(test)]
mod tests;
