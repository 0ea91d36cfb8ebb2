//! The handle by which a request reaches its messages.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use donjon_core::cookie::Https;
use donjon_core::event::Event;
use donjon_core::session::{Session, SessionError};
use http::{HeaderMap, header};
use serde_json::Value;

use super::codec::{Crowded, decode, encode, from_session, to_session};
use super::message::{Level, Message, Text};
use super::policy::{MessagesPolicy, Storage};
use crate::vary;

/// How many messages wait at most.
pub const MAX_MESSAGES: usize = 100;

/// How long the texts of all that wait may be together, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// Django: `SessionStorage.session_key`.
const SESSION_KEY: &str = "_messages";

/// The messages of one request; clones are the same. Django: `messages.*` and `get_messages`.
///
/// Adding one asks nobody for anything. Messages are stored when the response goes out.
#[derive(Clone)]
pub struct Messages(Arc<Inner>);

struct Inner {
    policy: Arc<MessagesPolicy>,
    cookie: Option<String>,
    session: Option<Session>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    loaded: Option<Loaded>,
    queued: Vec<Message>,
    level: Option<Level>,
    used: bool,
    added: bool,
}

/// What was waiting, and where.
#[derive(Clone, Default)]
struct Loaded {
    messages: Vec<Message>,
    in_session: bool,
}

impl Messages {
    /// The messages of a request that sent this cookie, and has this session.
    pub(super) fn new(
        policy: &Arc<MessagesPolicy>,
        cookie: Option<String>,
        session: Option<Session>,
    ) -> Self {
        let (policy, state) = (Arc::clone(policy), Mutex::default());
        Self(Arc::new(Inner { policy, cookie, session, state }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the state is whole between any two statements.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message, unless it is empty or below the level. Django: `add_message`.
    pub fn add(&self, level: Level, text: impl Into<Text>) {
        self.add_tagged(level, text, "");
    }

    /// Adds a message with more names for its looks. Django: `extra_tags`.
    pub fn add_tagged(&self, level: Level, text: impl Into<Text>, extra_tags: impl Into<String>) {
        let (text, extra_tags) = (text.into(), Some(extra_tags.into()));
        if level < self.level() || text.as_str().is_empty() {
            return;
        }
        let mut state = self.state();
        state.added = true;
        state.queued.push(Message { level, text, extra_tags });
    }

    /// Tells developers something.
    pub fn debug(&self, text: impl Into<Text>) {
        self.add(Level::DEBUG, text);
    }

    /// Tells the visitor something.
    pub fn info(&self, text: impl Into<Text>) {
        self.add(Level::INFO, text);
    }

    /// Tells the visitor that something worked.
    pub fn success(&self, text: impl Into<Text>) {
        self.add(Level::SUCCESS, text);
    }

    /// Warns the visitor.
    pub fn warning(&self, text: impl Into<Text>) {
        self.add(Level::WARNING, text);
    }

    /// Tells the visitor that something failed.
    pub fn error(&self, text: impl Into<Text>) {
        self.add(Level::ERROR, text);
    }

    /// The level below which messages are dropped. Django: `get_level`.
    #[must_use]
    pub fn level(&self) -> Level {
        self.state().level.unwrap_or(self.0.policy.level)
    }

    /// Drops messages below this level in this request; `None` takes the policy's again. Django:
    /// `set_level`.
    pub fn set_level(&self, level: Option<Level>) {
        self.state().level = level;
    }

    /// What a message's level is called. Django: `level_tag`.
    #[must_use]
    pub fn level_tag(&self, level: Level) -> &str {
        self.0.policy.level_tag(level)
    }

    /// All messages, oldest first: they are seen with that, and gone with the response.
    ///
    /// # Errors
    /// [`SessionError`] if the session has to be asked and can't be.
    pub async fn take(&self) -> Result<Vec<Message>, SessionError> {
        self.load().await?;
        Ok(self.take_loaded())
    }

    /// How many messages there are. They stay.
    ///
    /// # Errors
    /// As [`Messages::take`].
    pub async fn count(&self) -> Result<usize, SessionError> {
        self.load().await?;
        Ok(self.count_loaded())
    }

    /// Reads what is waiting, if it isn't read yet.
    pub(crate) async fn load(&self) -> Result<(), SessionError> {
        if self.state().loaded.is_some() {
            return Ok(());
        }
        let loaded = self.waiting().await?;
        self.state().loaded.get_or_insert(loaded);
        Ok(())
    }

    async fn waiting(&self) -> Result<Loaded, SessionError> {
        let Inner { policy, cookie, .. } = &*self.0;
        if policy.storage == Storage::Session {
            return self.in_session().await;
        }
        let decoded = cookie.as_deref().and_then(|cookie| decode(&policy.signer, cookie));
        let decoded = decoded.unwrap_or_default();
        if !decoded.more || policy.storage == Storage::Cookie {
            return Ok(Loaded { messages: decoded.messages, in_session: false });
        }
        let rest = self.in_session().await?;
        let messages = decoded.messages.into_iter().chain(rest.messages).collect();
        Ok(Loaded { messages, in_session: rest.in_session })
    }

    async fn in_session(&self) -> Result<Loaded, SessionError> {
        let Some(session) = &self.0.session else { return Ok(Loaded::default()) };
        let value: Option<Value> = session.get(SESSION_KEY).await?;
        let in_session = value.is_some();
        Ok(Loaded { messages: value.and_then(from_session).unwrap_or_default(), in_session })
    }

    /// What was read and what was added, now seen.
    pub(crate) fn take_loaded(&self) -> Vec<Message> {
        let mut state = self.state();
        state.used = true;
        let queued = std::mem::take(&mut state.queued);
        let loaded = state.loaded.get_or_insert_default();
        loaded.messages.extend(queued);
        loaded.messages.clone()
    }

    pub(crate) fn count_loaded(&self) -> usize {
        let state = self.state();
        state.loaded.as_ref().map_or(0, |loaded| loaded.messages.len()) + state.queued.len()
    }

    /// Has anybody looked, or said anything?
    pub(crate) fn touched(&self) -> bool {
        let state = self.state();
        state.added || state.loaded.is_some()
    }

    /// Stores what the visitor has not seen, in the session and in the headers of the response.
    ///
    /// # Errors
    /// [`SessionError`] if the session has to be asked and can't be.
    pub(super) async fn store(
        &self,
        headers: &mut HeaderMap,
        https: Https,
    ) -> Result<(), SessionError> {
        if let Some((messages, in_session)) = self.unseen().await? {
            let messages = bounded(messages);
            match self.0.policy.storage {
                Storage::Session => self.put_in_session(&messages, in_session).await?,
                Storage::Cookie => {
                    self.put_in_cookie(&messages, Crowded::OldestGo, headers, https);
                }
                Storage::CookieThenSession => {
                    let left = self.put_in_cookie(&messages, Crowded::NewestMoveOn, headers, https);
                    let moved_on = &messages[messages.len() - left..];
                    self.put_in_session(moved_on, in_session).await?;
                }
            }
        }
        if self.state().loaded.is_some() {
            vary::add(headers, "Cookie");
        }
        Ok(())
    }

    /// What is to be stored, if that has changed, and whether the session holds older messages.
    async fn unseen(&self) -> Result<Option<(Vec<Message>, bool)>, SessionError> {
        let (used, added) = {
            let state = self.state();
            (state.used, state.added)
        };
        if !used && !added {
            return Ok(self.unreadable().then(|| (Vec::new(), false)));
        }
        self.load().await?;
        let mut state = self.state();
        let queued = std::mem::take(&mut state.queued);
        let Loaded { messages, in_session } = state.loaded.clone().unwrap_or_default();
        let waiting = if used { Vec::new() } else { messages };
        Ok(Some((waiting.into_iter().chain(queued).collect(), in_session)))
    }

    /// Rule 2: did somebody look at a cookie that is nobody's?
    fn unreadable(&self) -> bool {
        let Inner { policy, cookie, .. } = &*self.0;
        let looked = policy.storage != Storage::Session && self.state().loaded.is_some();
        looked && cookie.as_deref().is_some_and(|cookie| decode(&policy.signer, cookie).is_none())
    }

    /// Puts what fits into the cookie, and tells how many do not.
    fn put_in_cookie(
        &self,
        messages: &[Message],
        crowded: Crowded,
        headers: &mut HeaderMap,
        https: Https,
    ) -> usize {
        let Inner { policy, cookie, .. } = &*self.0;
        let (value, left) = encode(&policy.signer, messages, crowded);
        let header = match value {
            Some(value) => policy.cookie.set(&value, None, policy.clock.now(), https),
            None => cookie.as_ref().and_then(|_| policy.cookie.delete()),
        };
        headers.extend(header.map(|value| (header::SET_COOKIE, value)));
        left
    }

    async fn put_in_session(&self, messages: &[Message], there: bool) -> Result<(), SessionError> {
        let Some(session) = &self.0.session else { return Ok(()) };
        if !messages.is_empty() {
            session.insert(SESSION_KEY, &to_session(messages)).await?;
        } else if there {
            session.remove(SESSION_KEY).await?;
        }
        Ok(())
    }
}

/// Rule 6.
fn bounded(mut messages: Vec<Message>) -> Vec<Message> {
    let (mut kept, mut bytes) = (0, 0);
    for message in messages.iter().rev() {
        bytes += message.text.as_str().len() + message.extra_tags.as_deref().map_or(0, str::len);
        if kept == MAX_MESSAGES || bytes > MAX_BYTES {
            break;
        }
        kept += 1;
    }
    let dropped = messages.len() - kept;
    if dropped > 0 {
        Event::MessagesDropped { count: dropped }.emit();
    }
    messages.split_off(dropped)
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Messages(…)")
    }
}
