//! Users, and the contract of the store that has them (Django: `auth_user`).
//!
//! Stops: password hashes in logs and pages.
//!
//! 1. [`EncodedPassword`] prints nothing, and is zeroed when dropped.
//! 2. A store looks users up by id and by exact name, and hands out inactive ones too: whether they
//!    may act is not the store's to decide.
//! 3. A user's permissions are their own and those of their groups. A superuser has all that there
//!    are, and a user who is not active has none.
//! 4. A store of sessions may read a session's user along, if the site's accounts are of the same [`UserSource`]: whoever
//!    wraps a store of users to decide otherwise is asked each time.

mod memory;
mod permission;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use crate::clock::UnixTime;
use crate::session::{BoxFuture, StoreError};

pub use memory::{MAX_ACCOUNTS, MemoryAccounts};
pub use permission::{Permissions, is_permission};

/// A password as Django stores it: `algorithm$work$salt$hash`.
#[derive(Clone, PartialEq, Eq)]
pub struct EncodedPassword(Zeroizing<String>);

impl EncodedPassword {
    /// Takes the text of the column.
    pub fn new(encoded: impl Into<String>) -> Self {
        Self(Zeroizing::new(encoded.into()))
    }

    /// The text, for a hasher or a store.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EncodedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncodedPassword(…)")
    }
}

/// A row of `auth_user`.
#[derive(Clone, Debug)]
pub struct User {
    /// The primary key.
    pub id: i64,
    /// The name to log in with; unique, and case counts.
    pub username: String,
    /// The hashed password.
    pub password: EncodedPassword,
    /// The given name; may be empty.
    pub first_name: String,
    /// The family name; may be empty.
    pub last_name: String,
    /// The mail address; may be empty, and need not be unique.
    pub email: String,
    /// May the user see the staff's pages?
    pub is_staff: bool,
    /// May the user act at all?
    pub is_active: bool,
    /// Has the user every permission?
    pub is_superuser: bool,
    /// When the account was made.
    pub date_joined: UnixTime,
    /// When the user last logged in.
    pub last_login: Option<UnixTime>,
}

/// A user who is to be.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The name to log in with.
    pub username: String,
    /// The hashed password.
    pub password: EncodedPassword,
    /// The mail address; may be empty.
    pub email: String,
    /// Now.
    pub date_joined: UnixTime,
}

/// What became of [`AccountStore::create`].
#[derive(Clone, Debug)]
pub enum UserCreation {
    /// The user as stored.
    Created(Arc<User>),
    /// Another user has this name.
    NameTaken,
}

/// Which rows a store of users reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserSource(u64);

impl UserSource {
    /// One that equals no other but its copies.
    #[must_use]
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Where users are kept.
pub trait AccountStore: Send + Sync + 'static {
    /// The user of this id.
    fn by_id(&self, id: i64) -> impl Future<Output = Result<Option<Arc<User>>, StoreError>> + Send;

    /// Which rows [`by_id`](Self::by_id) hands out as they are, so that whoever reads them elsewhere need not ask; `None`
    /// if it must be asked (rule 4).
    fn source(&self) -> Option<UserSource> {
        None
    }

    /// The user of this id as the store has them now, for stores that remember answers.
    fn by_id_afresh(
        &self,
        id: i64,
    ) -> impl Future<Output = Result<Option<Arc<User>>, StoreError>> + Send {
        self.by_id(id)
    }

    /// The user of exactly this name.
    fn by_username(
        &self,
        username: &str,
    ) -> impl Future<Output = Result<Option<Arc<User>>, StoreError>> + Send;

    /// Adds a user, unless the name is taken.
    fn create(
        &self,
        user: NewUser,
    ) -> impl Future<Output = Result<UserCreation, StoreError>> + Send;

    /// Replaces a user's password.
    fn set_password(
        &self,
        id: i64,
        password: &EncodedPassword,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Notes when a user logged in.
    fn set_last_login(
        &self,
        id: i64,
        at: UnixTime,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What this user may do (rule 3). A user who is not there has none. Django:
    /// `get_all_permissions`.
    fn permissions(&self, id: i64) -> impl Future<Output = Result<Permissions, StoreError>> + Send;
}

/// [`AccountStore`] for use behind a `dyn`. Every store has it.
pub trait DynAccountStore: Send + Sync + 'static {
    /// See [`AccountStore::by_id`].
    fn by_id(&self, id: i64) -> BoxFuture<'_, Result<Option<Arc<User>>, StoreError>>;

    /// See [`AccountStore::source`].
    fn source(&self) -> Option<UserSource>;

    /// See [`AccountStore::by_id_afresh`].
    fn by_id_afresh(&self, id: i64) -> BoxFuture<'_, Result<Option<Arc<User>>, StoreError>>;

    /// See [`AccountStore::by_username`].
    fn by_username<'a>(
        &'a self,
        username: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, StoreError>>;

    /// See [`AccountStore::create`].
    fn create(&self, user: NewUser) -> BoxFuture<'_, Result<UserCreation, StoreError>>;

    /// See [`AccountStore::set_password`].
    fn set_password<'a>(
        &'a self,
        id: i64,
        password: &'a EncodedPassword,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// See [`AccountStore::set_last_login`].
    fn set_last_login(&self, id: i64, at: UnixTime) -> BoxFuture<'_, Result<(), StoreError>>;

    /// See [`AccountStore::permissions`].
    fn permissions(&self, id: i64) -> BoxFuture<'_, Result<Permissions, StoreError>>;
}

impl<S: AccountStore> DynAccountStore for S {
    fn by_id(&self, id: i64) -> BoxFuture<'_, Result<Option<Arc<User>>, StoreError>> {
        Box::pin(AccountStore::by_id(self, id))
    }

    fn source(&self) -> Option<UserSource> {
        AccountStore::source(self)
    }

    fn by_id_afresh(&self, id: i64) -> BoxFuture<'_, Result<Option<Arc<User>>, StoreError>> {
        Box::pin(AccountStore::by_id_afresh(self, id))
    }

    fn by_username<'a>(
        &'a self,
        username: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<User>>, StoreError>> {
        Box::pin(AccountStore::by_username(self, username))
    }

    fn create(&self, user: NewUser) -> BoxFuture<'_, Result<UserCreation, StoreError>> {
        Box::pin(AccountStore::create(self, user))
    }

    fn set_password<'a>(
        &'a self,
        id: i64,
        password: &'a EncodedPassword,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(AccountStore::set_password(self, id, password))
    }

    fn set_last_login(&self, id: i64, at: UnixTime) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(AccountStore::set_last_login(self, id, at))
    }

    fn permissions(&self, id: i64) -> BoxFuture<'_, Result<Permissions, StoreError>> {
        Box::pin(AccountStore::permissions(self, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_a_user_does_not_print_the_password() {
        let password = EncodedPassword::new("pbkdf2_sha256$1$salt$hash");
        assert!(!format!("{password:?}").contains("hash"));
    }
}
