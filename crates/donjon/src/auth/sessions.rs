//! The sessions that a user has: which there are, and ending them.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use donjon_core::clock::UnixTime;
use donjon_core::event::Event;
use donjon_core::origin::Site;
use donjon_core::session::cached::KeyDigest;
use donjon_core::session::{
    DynUserSessions, Seen, Session, SessionData, SessionId, SessionKey, Sighting, UserSession,
    device_name,
};
use http::{HeaderMap, HeaderValue, header};

use super::identity::{Auth, AuthError};

/// How often it is written that a session was seen: once a minute.
pub const SEEN_EVERY: i64 = 60;

/// Of how many sessions it is remembered when that was: beyond, all are written once more.
const MAX_REMEMBERED: usize = 100_000;

/// The name under which a session says what names it in its user's list.
const LISTED_AS: &str = "_donjon_session_id";

/// The list of a site, and when this process last wrote to it.
pub(super) struct SessionList {
    list: Arc<dyn DynUserSessions>,
    written: Mutex<HashMap<KeyDigest, UnixTime>>,
}

impl SessionList {
    pub(super) fn new(list: Arc<dyn DynUserSessions>) -> Self {
        Self { list, written: Mutex::default() }
    }

    /// Is it time to write that this session was seen? Whoever is told so writes it.
    fn is_due(&self, kept: &SessionKey, now: UnixTime) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = KeyDigest::of(kept);
        if written.get(&digest).is_some_and(|last| now < last.plus_seconds(SEEN_EVERY)) {
            return false;
        }
        if written.len() >= MAX_REMEMBERED {
            written.clear();
        }
        written.insert(digest, now);
        true
    }

    fn forget_writing(&self, kept: &SessionKey) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.remove(&KeyDigest::of(kept));
    }
}

/// What a request tells of the browser.
#[derive(Clone, Debug, Default)]
pub(crate) struct Device {
    agent: Option<HeaderValue>,
    address: Option<IpAddr>,
}

impl Device {
    pub(crate) fn of(headers: &HeaderMap, site: Option<&Site>) -> Self {
        let agent = headers.get(header::USER_AGENT).cloned();
        Self { agent, address: site.and_then(Site::client) }
    }

    fn name(&self) -> String {
        let agent = self.agent.as_ref().map_or(&[][..], HeaderValue::as_bytes);
        device_name(&String::from_utf8_lossy(agent))
    }
}

/// What names the session in its user's list.
pub(super) fn listed_as(data: &SessionData) -> Option<SessionId> {
    SessionId::parse(&data.text(LISTED_AS)?)
}

/// Why a session could not be ended, or sessions could not be listed.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionsError {
    /// The site keeps no list: give one to the stack (`user_sessions`).
    NoList,
    /// Nobody is logged in.
    Anonymous,
    /// The user has no session of this id, or has it no more.
    Unknown,
    /// The user could not be recognised, or a store failed.
    Failed(AuthError),
}

impl fmt::Display for SessionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoList => {
                f.write_str("the site keeps no list of sessions; name one by user_sessions")
            }
            Self::Anonymous => f.write_str("nobody is logged in"),
            Self::Unknown => f.write_str("the user has no session of this id"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::NoList | Self::Anonymous | Self::Unknown => None,
        }
    }
}

impl<E: Into<AuthError>> From<E> for SessionsError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// One of a user's sessions, for a page.
#[derive(Clone, Debug)]
pub struct OwnSession {
    /// The session.
    pub session: UserSession,
    /// Is it the one of this very request?
    pub is_current: bool,
}

impl Auth {
    /// The user's sessions, those seen last first, at most
    /// [`MAX_LISTED`](donjon_core::session::MAX_LISTED).
    ///
    /// # Errors
    /// [`SessionsError`].
    pub async fn sessions(&self) -> Result<Vec<OwnSession>, SessionsError> {
        let Own { list, user, current } = self.own().await?;
        let sessions = list.list.list(user, self.policy().clock.now()).await?;
        let own = |session: UserSession| OwnSession {
            is_current: current.as_ref() == Some(&session.id),
            session,
        };
        Ok(sessions.into_iter().map(own).collect())
    }

    /// Ends one of the user's sessions, on every node; if it is the one of this request, logs out.
    ///
    /// # Errors
    /// [`SessionsError::Unknown`] for an id that is none of this user's.
    pub async fn end_session(&self, id: &SessionId) -> Result<(), SessionsError> {
        let Own { list, user, current } = self.own().await?;
        if current.as_ref() == Some(id) {
            return Ok(self.logout().await.map(drop)?);
        }
        let session = list.list.find(user, id).await?.ok_or(SessionsError::Unknown)?;
        end(list, self.session(), &session).await
    }

    /// Ends all of the user's sessions but the one of this request, and tells how many.
    ///
    /// # Errors
    /// [`SessionsError`]. Those that were ended before it stay ended.
    pub async fn end_other_sessions(&self) -> Result<usize, SessionsError> {
        let Own { list, user, current } = self.own().await?;
        let mut ended = 0;
        loop {
            let mut others = list.list.list(user, self.policy().clock.now()).await?;
            others.retain(|session| current.as_ref() != Some(&session.id));
            if others.is_empty() {
                return Ok(ended);
            }
            for session in &others {
                end(list, self.session(), session).await?;
                ended += 1;
            }
        }
    }

    async fn own(&self) -> Result<Own<'_>, SessionsError> {
        let list = self.list().ok_or(SessionsError::NoList)?;
        let user = self.user().await?.ok_or(SessionsError::Anonymous)?.id;
        let current = listed_as(&self.session().data().await?);
        Ok(Own { list, user, current })
    }

    /// Puts a session that begins into the list.
    pub(super) async fn note(&self, list: &SessionList, user: i64) -> Result<(), AuthError> {
        let Some(sighting) = self.sighting().await? else { return Ok(()) };
        let Sighting { kept, address, at, expires } = sighting;
        let (id, device) = (SessionId::random(), self.device().name());
        list.is_due(&kept, at);
        let session = UserSession { id, user, kept, device, address, began: at, seen: at, expires };
        list.list.note(&session).await?;
        Ok(self.session().insert(LISTED_AS, session.id.as_str()).await?)
    }

    /// Notes that the user's session was seen, or that there is one which began elsewhere.
    ///
    /// A list that fails costs the time of a session, and not the session. One that says that the
    /// session was ended is believed: a new key was on its way when the old one was ended.
    pub(super) async fn sight(
        &self,
        list: &SessionList,
        user: i64,
        data: &SessionData,
    ) -> Result<Seen, AuthError> {
        let Some(kept) = self.session().kept_key() else { return Ok(Seen::Listed) };
        if !list.is_due(&kept, self.policy().clock.now()) {
            return Ok(Seen::Listed);
        }
        let seen = match listed_as(data) {
            None => self.note(list, user).await.map(|()| Seen::Listed),
            Some(id) => self.see(list, user, &id).await,
        };
        match seen {
            Err(AuthError::Store(error)) => {
                list.forget_writing(&kept);
                Event::AccountsFailed { error: &error }.emit();
                Ok(Seen::Listed)
            }
            seen => seen,
        }
    }

    async fn see(&self, list: &SessionList, user: i64, id: &SessionId) -> Result<Seen, AuthError> {
        match self.sighting().await? {
            Some(sighting) => Ok(list.list.seen(user, id, &sighting).await?),
            None => Ok(Seen::Listed),
        }
    }

    /// Takes a session that was ended out of the list. What stays there opens nothing.
    pub(super) async fn unlist(&self, user: i64, data: &SessionData) {
        let (Some(list), Some(id)) = (self.list(), listed_as(data)) else { return };
        if let Err(error) = list.list.remove(user, &id).await {
            Event::AccountsFailed { error: &error }.emit();
        }
    }

    async fn sighting(&self) -> Result<Option<Sighting>, AuthError> {
        let Some(kept) = self.session().kept_key() else { return Ok(None) };
        // The session may be saved until it is due to be seen again.
        let expires = self.session().expires().await?.at.plus_seconds(SEEN_EVERY);
        let (address, at) = (self.device().address, self.policy().clock.now());
        Ok(Some(Sighting { kept, address, at, expires }))
    }
}

/// What a user needs to reach their sessions.
struct Own<'a> {
    list: &'a SessionList,
    user: i64,
    current: Option<SessionId>,
}

/// The session first: one that is not listed any more could not be ended again.
async fn end(
    list: &SessionList,
    through: &Session,
    session: &UserSession,
) -> Result<(), SessionsError> {
    through.end_other(&session.kept).await?;
    Ok(list.list.remove(session.user, &session.id).await?)
}
