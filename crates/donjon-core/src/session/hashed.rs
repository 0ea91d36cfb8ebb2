//! Keys that the store does not know.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{
    Creation, Deletion, SessionKey, SessionRecord, SessionStore, StoreError, Stored, Update,
    Version, WithUser,
};
use crate::account::UserSource;
use crate::clock::UnixTime;

/// What tells these digests from others of the same text.
const LABEL: &[u8] = b"donjon.session.key\0";

/// How many hexadecimal digits of the digest are kept: as many as Django's column takes.
const DIGITS: usize = 40;

/// A [`SessionStore`] whose keys are digests of those in the cookies: who reads a stolen database, a
/// backup or a log of queries can be no visitor by it.
///
/// Not for a table that is shared with Django, which would look for the cookie's key. A table that
/// held plain keys before has, for this store, no session: everybody logs in anew.
#[derive(Clone, Debug)]
pub struct HashedKeys<S>(S);

impl<S: SessionStore> HashedKeys<S> {
    /// Keeps sessions in this store, under digests.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self(store)
    }
}

/// The first 160 bits of the SHA-256 of the label and the key, in hexadecimal digits.
fn digest(key: &SessionKey) -> SessionKey {
    let sum: [u8; 32] = Sha256::new_with_prefix(LABEL).chain_update(key.expose()).finalize().into();
    let mut digits = String::with_capacity(DIGITS);
    for byte in &sum[..DIGITS / 2] {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    SessionKey::kept(digits)
}

impl<S: SessionStore> SessionStore for HashedKeys<S> {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        self.0.load(&digest(key), now).await
    }

    async fn load_with_user(
        &self,
        key: &SessionKey,
        now: UnixTime,
        users: UserSource,
    ) -> Result<Option<WithUser>, StoreError> {
        self.0.load_with_user(&digest(key), now, users).await
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        self.0.create(&digest(key), record).await
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        self.0.update(&digest(key), record, over).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        self.0.delete(&digest(key)).await
    }

    fn kept_key(&self, key: &SessionKey) -> SessionKey {
        self.0.kept_key(&digest(key))
    }

    async fn delete_kept(&self, kept: &SessionKey) -> Result<Deletion, StoreError> {
        self.0.delete_kept(kept).await
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        self.0.clear_expired(now, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::memory::ready;
    use crate::session::{MemorySessions, SessionData};

    #[test]
    fn the_store_has_digests_that_open_nothing() {
        let key = SessionKey::parse("abcdefgh").unwrap();
        let kept = digest(&key);
        assert_eq!(kept.expose().len(), DIGITS);
        assert!(kept.expose().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(digest(&kept), kept);
    }

    #[test]
    fn a_session_is_found_by_its_key_and_ended_by_what_is_kept() {
        let store = HashedKeys::new(MemorySessions::default());
        let (key, now) = (SessionKey::random(), UnixTime::from_seconds(0));
        let record = SessionRecord { data: SessionData::default(), expires: now.plus_seconds(9) };
        assert!(matches!(ready(store.create(&key, &record)).unwrap(), Creation::Created(_)));
        assert!(ready(store.load(&key, now)).unwrap().is_some());
        let kept = SessionStore::kept_key(&store, &key);
        assert!(ready(store.load(&kept, now)).unwrap().is_none(), "a stolen key opens nothing");
        assert!(ready(store.0.load(&kept, now)).unwrap().is_some());
        assert_eq!(ready(store.delete_kept(&kept)).unwrap(), Deletion::Deleted);
        assert!(ready(store.load(&key, now)).unwrap().is_none());
    }
}
