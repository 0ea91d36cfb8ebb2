//! Users in this process's memory, in front of a store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use donjon_core::account::{
    AccountStore, EncodedPassword, NewUser, Permissions, User, UserCreation,
};
use donjon_core::clock::UnixTime;
use donjon_core::session::StoreError;
use moka::sync::Cache;

use super::fence::Fences;

/// How long a user is believed to be as they were: one who is deactivated elsewhere, in Django's admin or
/// on another node, is out within this time.
pub const USER_LIFE: Duration = Duration::from_secs(1);

/// How many users are held.
pub const MAX_CACHED_USERS: u64 = 10_000;

/// An [`AccountStore`] that remembers, for at most [`USER_LIFE`], whom it was asked for by id. What is
/// changed through it counts at once. Permissions and names are asked of the store each time.
pub struct CachedAccounts<A> {
    accounts: A,
    users: Cache<i64, Arc<User>>,
    fences: Fences,
}

impl<A: AccountStore> CachedAccounts<A> {
    /// Remembers users of this store.
    #[must_use]
    pub fn new(accounts: A) -> Self {
        let users = Cache::builder().max_capacity(MAX_CACHED_USERS).time_to_live(USER_LIFE).build();
        Self { accounts, users, fences: Fences::default() }
    }

    /// Ids are numbered one after the other, so that they spread as they are.
    fn moment(&self, id: i64) -> u64 {
        *self.fences.of(id.unsigned_abs())
    }

    fn forget(&self, id: i64) {
        let mut moment = self.fences.of(id.unsigned_abs());
        *moment += 1;
        self.users.invalidate(&id);
    }

    fn keep(&self, user: &Arc<User>, since: u64) {
        let moment = self.fences.of(user.id.unsigned_abs());
        if *moment == since {
            self.users.insert(user.id, Arc::clone(user));
        }
    }

    /// Changes a user, who is forgotten though the request be dropped meanwhile.
    async fn change<T>(&self, id: i64, change: impl Future<Output = T>) -> T {
        let _forgetting = Forgetting { cached: self, id };
        change.await
    }
}

struct Forgetting<'a, A: AccountStore> {
    cached: &'a CachedAccounts<A>,
    id: i64,
}

impl<A: AccountStore> Drop for Forgetting<'_, A> {
    fn drop(&mut self) {
        self.cached.forget(self.id);
    }
}

impl<A: AccountStore> AccountStore for CachedAccounts<A> {
    async fn by_id(&self, id: i64) -> Result<Option<Arc<User>>, StoreError> {
        match self.users.get(&id) {
            Some(user) => Ok(Some(user)),
            None => self.by_id_afresh(id).await,
        }
    }

    async fn by_id_afresh(&self, id: i64) -> Result<Option<Arc<User>>, StoreError> {
        let since = self.moment(id);
        let user = self.accounts.by_id_afresh(id).await?;
        match &user {
            Some(user) => self.keep(user, since),
            None => self.forget(id),
        }
        Ok(user)
    }

    async fn by_username(&self, username: &str) -> Result<Option<Arc<User>>, StoreError> {
        self.accounts.by_username(username).await
    }

    async fn create(&self, user: NewUser) -> Result<UserCreation, StoreError> {
        self.accounts.create(user).await
    }

    async fn set_password(&self, id: i64, password: &EncodedPassword) -> Result<(), StoreError> {
        self.change(id, self.accounts.set_password(id, password)).await
    }

    async fn set_last_login(&self, id: i64, at: UnixTime) -> Result<(), StoreError> {
        self.change(id, self.accounts.set_last_login(id, at)).await
    }

    async fn permissions(&self, id: i64) -> Result<Permissions, StoreError> {
        self.accounts.permissions(id).await
    }
}

impl<A> fmt::Debug for CachedAccounts<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedAccounts").field("users", &self.users.entry_count()).finish()
    }
}
