//! The sessions that a user has, and the contract of the list that holds them.

mod memory;

use std::fmt;
use std::net::IpAddr;

use super::{BoxFuture, SessionKey, StoreError};
use crate::clock::UnixTime;
use crate::entropy;

pub use memory::MemoryUserSessions;

/// How many sessions of one user a list shows at once: the ones seen last.
pub const MAX_LISTED: usize = 100;

/// How many characters of a browser's name are kept.
pub const MAX_DEVICE: usize = 200;

/// What names a session in its user's list: it may stand in a page and in a form, for it opens nothing.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SessionId(Box<str>);

impl SessionId {
    /// The length of an id.
    pub const LENGTH: usize = 16;

    /// A new random id.
    #[must_use]
    pub fn random() -> Self {
        Self(entropy::string::<{ Self::LENGTH }>(entropy::LOWER_ALPHANUMERIC).into())
    }

    /// An id as a form sent it; `None` if no session can have it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        (text.len() == Self::LENGTH && text.bytes().all(fits)).then(|| Self(text.into()))
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One session in its user's list.
#[derive(Clone, Debug, PartialEq)]
pub struct UserSession {
    /// What names it here.
    pub id: SessionId,
    /// Whose it is.
    pub user: i64,
    /// The key as the session's store keeps it
    /// ([`SessionStore::kept_key`](super::SessionStore::kept_key)).
    pub kept: SessionKey,
    /// What the browser calls itself, at most [`MAX_DEVICE`] characters; may be empty, and is the
    /// client's word.
    pub device: String,
    /// Where it was seen last; none where the server does not know.
    pub address: Option<IpAddr>,
    /// When it began, or was first noted.
    pub began: UnixTime,
    /// When it was seen last, to the minute.
    pub seen: UnixTime,
    /// When it is over, if it is not seen again.
    pub expires: UnixTime,
}

/// A visit in a session that the list has.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The key as the store keeps it now.
    pub kept: SessionKey,
    /// Where from.
    pub address: Option<IpAddr>,
    /// When.
    pub at: UnixTime,
    /// When the session is over, if it is not seen again.
    pub expires: UnixTime,
}

/// What became of [`UserSessions::seen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The session is in the list.
    Listed,
    /// It is not, or no more: somebody ended it.
    Unlisted,
}

/// Shortens what a browser calls itself to [`MAX_DEVICE`] characters, without control characters.
#[must_use]
pub fn device_name(agent: &str) -> String {
    agent.chars().filter(|character| !character.is_control()).take(MAX_DEVICE).collect()
}

/// The list of the sessions that each user has. Django has none.
///
/// It is a list of what there is and not the truth of who is logged in: that is the store of sessions.
/// Every question names the user, so that nobody ends another's session.
pub trait UserSessions: Send + Sync + 'static {
    /// Adds a session.
    fn note(&self, session: &UserSession) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes that the session of this user was seen. Never adds one.
    fn seen(
        &self,
        user: i64,
        id: &SessionId,
        sighting: &Sighting,
    ) -> impl Future<Output = Result<Seen, StoreError>> + Send;

    /// The user's sessions that are not over at `now`, those seen last first, at most [`MAX_LISTED`].
    fn list(
        &self,
        user: i64,
        now: UnixTime,
    ) -> impl Future<Output = Result<Vec<UserSession>, StoreError>> + Send;

    /// The session of this id, if it is this user's.
    fn find(
        &self,
        user: i64,
        id: &SessionId,
    ) -> impl Future<Output = Result<Option<UserSession>, StoreError>> + Send;

    /// Takes the session of this id out of the list, if it is this user's.
    fn remove(
        &self,
        user: i64,
        id: &SessionId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes at most `limit` sessions out that were over before `now`, and tells how many: fewer than
    /// `limit` when none is left.
    fn clear_expired(
        &self,
        now: UnixTime,
        limit: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;
}

/// [`UserSessions`] for use behind a `dyn`. Every list has it.
pub trait DynUserSessions: Send + Sync + 'static {
    /// See [`UserSessions::note`].
    fn note<'a>(&'a self, session: &'a UserSession) -> BoxFuture<'a, Result<(), StoreError>>;

    /// See [`UserSessions::seen`].
    fn seen<'a>(
        &'a self,
        user: i64,
        id: &'a SessionId,
        sighting: &'a Sighting,
    ) -> BoxFuture<'a, Result<Seen, StoreError>>;

    /// See [`UserSessions::list`].
    fn list(&self, user: i64, now: UnixTime)
    -> BoxFuture<'_, Result<Vec<UserSession>, StoreError>>;

    /// See [`UserSessions::find`].
    fn find<'a>(
        &'a self,
        user: i64,
        id: &'a SessionId,
    ) -> BoxFuture<'a, Result<Option<UserSession>, StoreError>>;

    /// See [`UserSessions::remove`].
    fn remove<'a>(&'a self, user: i64, id: &'a SessionId) -> BoxFuture<'a, Result<(), StoreError>>;

    /// See [`UserSessions::clear_expired`].
    fn clear_expired(
        &self,
        now: UnixTime,
        limit: usize,
    ) -> BoxFuture<'_, Result<usize, StoreError>>;
}

impl<S: UserSessions> DynUserSessions for S {
    fn note<'a>(&'a self, session: &'a UserSession) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(UserSessions::note(self, session))
    }

    fn seen<'a>(
        &'a self,
        user: i64,
        id: &'a SessionId,
        sighting: &'a Sighting,
    ) -> BoxFuture<'a, Result<Seen, StoreError>> {
        Box::pin(UserSessions::seen(self, user, id, sighting))
    }

    fn list(
        &self,
        user: i64,
        now: UnixTime,
    ) -> BoxFuture<'_, Result<Vec<UserSession>, StoreError>> {
        Box::pin(UserSessions::list(self, user, now))
    }

    fn find<'a>(
        &'a self,
        user: i64,
        id: &'a SessionId,
    ) -> BoxFuture<'a, Result<Option<UserSession>, StoreError>> {
        Box::pin(UserSessions::find(self, user, id))
    }

    fn remove<'a>(&'a self, user: i64, id: &'a SessionId) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(UserSessions::remove(self, user, id))
    }

    fn clear_expired(
        &self,
        now: UnixTime,
        limit: usize,
    ) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(UserSessions::clear_expired(self, now, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browsers_name_is_cut_and_stays_on_its_line() {
        assert_eq!(device_name("Mozilla/5.0\r\n\u{7}(X11)"), "Mozilla/5.0(X11)");
        assert_eq!(device_name(&"é".repeat(10_000)), "é".repeat(MAX_DEVICE));
    }

    #[test]
    fn an_id_is_one_of_ours_or_none() {
        let id = SessionId::random();
        assert_eq!(SessionId::parse(id.as_str()), Some(id));
        for text in ["", "abc", "ABCDEFGHIJKLMNOP", "0123456789abcdef0", "' or 1=1 --    '"] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
    }
}
