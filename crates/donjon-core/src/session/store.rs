//! The contract of a session store.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::SessionData;
use crate::account::{User, UserSource};
use crate::clock::UnixTime;
use crate::entropy;

/// What names a session: the value of its cookie and the key of its row.
///
/// It is a secret: who has it is that visitor. `Debug` shows none of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionKey(Arc<str>);

impl SessionKey {
    /// The length of the keys that are made here.
    pub const LENGTH: usize = 32;

    /// The shortest key that a client may send. Django: `len(value) >= 8`.
    pub const MIN_LENGTH: usize = 8;

    /// The longest key that is looked up: more than any store's column holds.
    pub const MAX_LENGTH: usize = 128;

    /// A new random key.
    #[must_use]
    pub fn random() -> Self {
        Self(entropy::string::<{ Self::LENGTH }>(entropy::LOWER_ALPHANUMERIC).into())
    }

    /// A key as a client sent it; `None` if no session can have it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let length = text.chars().take(Self::MAX_LENGTH + 1).count();
        (Self::MIN_LENGTH..=Self::MAX_LENGTH).contains(&length).then(|| Self(text.into()))
    }

    /// The key of a session that is kept in its cookie: the signed values themselves.
    pub(super) fn sealed(text: &str) -> Self {
        Self(text.into())
    }

    /// A key as a store keeps it, for stores that keep others than the cookies have.
    #[must_use]
    pub fn kept(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The key's text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// What a store keeps under a key.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRecord {
    /// The visitor's values.
    pub data: SessionData,
    /// When the record ceases to exist.
    pub expires: UnixTime,
}

/// A record as a store handed it out.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// What the store keeps.
    pub record: SessionRecord,
    /// Which state of it this is.
    pub version: Version,
}

/// A record and, if the store has read that row along, the user whom its values name.
pub type WithUser = (Stored, Option<Arc<User>>);

/// Which state of a record somebody has seen: [`SessionStore::update`] writes over that one only.
///
/// Only the store that made a version reads it. `Debug` shows none of it, for the text of a record is
/// the visitor's.
#[derive(Clone, PartialEq, Eq)]
pub enum Version {
    /// A number that grows with each change.
    Number(u64),
    /// What the store tells the state by: the record's text, when it ends, or a digest.
    Text(Arc<str>),
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Version(…)")
    }
}

/// What became of [`SessionStore::create`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The record is in the store, in this state.
    Created(Version),
    /// Another record has this key, and keeps it.
    KeyTaken,
}

/// What became of [`SessionStore::update`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// The record is in the store, in this state.
    Saved(Version),
    /// Somebody else has changed the record since, and nothing was written.
    Changed,
    /// No record has this key any more, and none was made.
    Gone,
}

/// What became of [`SessionStore::delete`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The record was there, and is no more.
    Deleted,
    /// No record had this key.
    Absent,
}

/// The store could not do its work: it is down, slow, full or locked.
#[derive(Debug)]
pub struct StoreError(Box<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// Wraps the store's own error, or a text.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store failed: {}", self.0)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// Where sessions are kept. Django: a session engine.
///
/// A store holds records; it knows nothing of cookies or requests. All of it must be safe to call at
/// once from many tasks.
pub trait SessionStore: Send + Sync + 'static {
    /// The record under `key`, unless it expired at `now` or before.
    fn load(
        &self,
        key: &SessionKey,
        now: UnixTime,
    ) -> impl Future<Output = Result<Option<Stored>, StoreError>> + Send;

    /// The same, and the user whom the record [names](SessionData::user_id), if the store reads users of this source with
    /// the same question.
    fn load_with_user(
        &self,
        key: &SessionKey,
        now: UnixTime,
        users: UserSource,
    ) -> impl Future<Output = Result<Option<WithUser>, StoreError>> + Send {
        let _ = users;
        async move { Ok(self.load(key, now).await?.map(|stored| (stored, None))) }
    }

    /// Puts a record under a key that has none, expired or not. Never overwrites.
    fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> impl Future<Output = Result<Creation, StoreError>> + Send;

    /// Puts another record over the state of one that `over` names. Never makes one, and never writes
    /// over what its writer has not seen.
    fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> impl Future<Output = Result<Update, StoreError>> + Send;

    /// Removes the record under `key`, expired or not, and tells whether there was one.
    fn delete(&self, key: &SessionKey)
    -> impl Future<Output = Result<Deletion, StoreError>> + Send;

    /// The key as the store keeps it: another one where keys are hashed. A list of sessions may hold it,
    /// and it is worth nothing in a cookie where it differs from `key`.
    fn kept_key(&self, key: &SessionKey) -> SessionKey {
        key.clone()
    }

    /// Removes the record that the store keeps under `kept`: see [`SessionStore::kept_key`].
    fn delete_kept(
        &self,
        kept: &SessionKey,
    ) -> impl Future<Output = Result<Deletion, StoreError>> + Send {
        self.delete(kept)
    }

    /// Removes at most `limit` of the records that expired before `now`, and tells how many: fewer than
    /// `limit` when none is left. Django: `clearsessions`.
    fn clear_expired(
        &self,
        now: UnixTime,
        limit: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;
}

/// A future in a box, as a store behind a `dyn` returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`SessionStore`] for use behind a `dyn`. Every store has it.
pub trait DynSessionStore: Send + Sync + 'static {
    /// See [`SessionStore::load`].
    fn load<'a>(
        &'a self,
        key: &'a SessionKey,
        now: UnixTime,
    ) -> BoxFuture<'a, Result<Option<Stored>, StoreError>>;

    /// See [`SessionStore::load_with_user`].
    fn load_with_user<'a>(
        &'a self,
        key: &'a SessionKey,
        now: UnixTime,
        users: UserSource,
    ) -> BoxFuture<'a, Result<Option<WithUser>, StoreError>>;

    /// See [`SessionStore::create`].
    fn create<'a>(
        &'a self,
        key: &'a SessionKey,
        record: &'a SessionRecord,
    ) -> BoxFuture<'a, Result<Creation, StoreError>>;

    /// See [`SessionStore::update`].
    fn update<'a>(
        &'a self,
        key: &'a SessionKey,
        record: &'a SessionRecord,
        over: &'a Version,
    ) -> BoxFuture<'a, Result<Update, StoreError>>;

    /// See [`SessionStore::delete`].
    fn delete<'a>(&'a self, key: &'a SessionKey) -> BoxFuture<'a, Result<Deletion, StoreError>>;

    /// See [`SessionStore::kept_key`].
    fn kept_key(&self, key: &SessionKey) -> SessionKey;

    /// See [`SessionStore::delete_kept`].
    fn delete_kept<'a>(
        &'a self,
        kept: &'a SessionKey,
    ) -> BoxFuture<'a, Result<Deletion, StoreError>>;

    /// See [`SessionStore::clear_expired`].
    fn clear_expired(
        &self,
        now: UnixTime,
        limit: usize,
    ) -> BoxFuture<'_, Result<usize, StoreError>>;
}

impl<S: SessionStore> DynSessionStore for S {
    fn load<'a>(
        &'a self,
        key: &'a SessionKey,
        now: UnixTime,
    ) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        Box::pin(SessionStore::load(self, key, now))
    }

    fn load_with_user<'a>(
        &'a self,
        key: &'a SessionKey,
        now: UnixTime,
        users: UserSource,
    ) -> BoxFuture<'a, Result<Option<WithUser>, StoreError>> {
        Box::pin(SessionStore::load_with_user(self, key, now, users))
    }

    fn create<'a>(
        &'a self,
        key: &'a SessionKey,
        record: &'a SessionRecord,
    ) -> BoxFuture<'a, Result<Creation, StoreError>> {
        Box::pin(SessionStore::create(self, key, record))
    }

    fn update<'a>(
        &'a self,
        key: &'a SessionKey,
        record: &'a SessionRecord,
        over: &'a Version,
    ) -> BoxFuture<'a, Result<Update, StoreError>> {
        Box::pin(SessionStore::update(self, key, record, over))
    }

    fn delete<'a>(&'a self, key: &'a SessionKey) -> BoxFuture<'a, Result<Deletion, StoreError>> {
        Box::pin(SessionStore::delete(self, key))
    }

    fn kept_key(&self, key: &SessionKey) -> SessionKey {
        SessionStore::kept_key(self, key)
    }

    fn delete_kept<'a>(
        &'a self,
        kept: &'a SessionKey,
    ) -> BoxFuture<'a, Result<Deletion, StoreError>> {
        Box::pin(SessionStore::delete_kept(self, kept))
    }

    fn clear_expired(
        &self,
        now: UnixTime,
        limit: usize,
    ) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(SessionStore::clear_expired(self, now, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_keys_are_random_and_a_clients_key_is_bounded() {
        let key = SessionKey::random();
        assert_eq!(key.expose().len(), 32);
        assert_ne!(key, SessionKey::random());
        assert_eq!(SessionKey::parse(key.expose()), Some(key));
        assert_eq!(SessionKey::parse("1234567"), None);
        assert!(SessionKey::parse("12345678").is_some());
        assert_eq!(SessionKey::parse(&"x".repeat(1024 * 1024)), None);
    }

    #[test]
    fn a_key_does_not_print_itself() {
        let key = SessionKey::random();
        assert!(!format!("{key:?}").contains(key.expose()));
    }
}
