//! Accounts in this process's memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{AccountStore, EncodedPassword, NewUser, Permissions, User, UserCreation};
use crate::clock::UnixTime;
use crate::session::StoreError;

/// How many users [`MemoryAccounts`] holds.
pub const MAX_ACCOUNTS: usize = 1_000_000;

/// An [`AccountStore`] for tests and demonstrations: a restart forgets everybody.
///
/// Ids count from 1. It holds [`MAX_ACCOUNTS`]; then [`create`](AccountStore::create) fails.
#[derive(Debug, Default)]
pub struct MemoryAccounts(Mutex<Accounts>);

#[derive(Debug, Default)]
struct Accounts {
    /// The user of id 1 is the first.
    users: Vec<Arc<User>>,
    ids: HashMap<String, i64>,
    /// What each user was granted.
    granted: HashMap<i64, BTreeSet<String>>,
}

impl Accounts {
    fn user(&self, id: i64) -> Option<&Arc<User>> {
        self.users.get(position(id)?)
    }

    fn add(&mut self, new: NewUser) -> Arc<User> {
        let id = self.users.len() as i64 + 1;
        let user = Arc::new(user(id, new));
        self.ids.insert(user.username.clone(), id);
        self.users.push(user.clone());
        user
    }

    fn permissions(&self, id: i64) -> Permissions {
        match self.user(id) {
            Some(user) if user.is_active && user.is_superuser => {
                self.granted.values().flatten().cloned().collect()
            }
            Some(user) if user.is_active => {
                self.granted.get(&id).into_iter().flatten().cloned().collect()
            }
            _ => Permissions::default(),
        }
    }
}

fn position(id: i64) -> Option<usize> {
    usize::try_from(id.checked_sub(1)?).ok()
}

fn user(id: i64, new: NewUser) -> User {
    let NewUser { username, password, email, date_joined } = new;
    User {
        id,
        username,
        password,
        first_name: String::new(),
        last_name: String::new(),
        email,
        is_staff: false,
        is_active: true,
        is_superuser: false,
        date_joined,
        last_login: None,
    }
}

impl MemoryAccounts {
    /// Changes the user of this id, and tells what they are now; `None` if there is no such user.
    ///
    /// Id and name stay as they are, whatever `change` does to them. The accounts are locked
    /// meanwhile: `change` must not ask them for anything.
    pub fn change(&self, id: i64, change: impl FnOnce(&mut User)) -> Option<Arc<User>> {
        let mut accounts = self.lock();
        let slot = accounts.users.get_mut(position(id)?)?;
        let mut changed = User::clone(slot);
        change(&mut changed);
        changed.id = slot.id;
        changed.username.clone_from(&slot.username);
        *slot = Arc::new(changed);
        Some(slot.clone())
    }

    /// Lets the user of this id do this, `app.codename`, from now on; `None` if there is no such user.
    ///
    /// There are no groups here, and there is no list of permissions: all that there are is what
    /// somebody was granted.
    pub fn grant(&self, id: i64, permission: impl Into<String>) -> Option<()> {
        let mut accounts = self.lock();
        accounts.user(id)?;
        accounts.granted.entry(id).or_default().insert(permission.into());
        Some(())
    }

    /// Takes what was granted, if it was.
    pub fn revoke(&self, id: i64, permission: &str) {
        if let Some(granted) = self.lock().granted.get_mut(&id) {
            granted.remove(permission);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Accounts> {
        // A change that panics has changed only its own copy, so the accounts are whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_or_fail(&self, id: i64, change: impl FnOnce(&mut User)) -> Result<(), StoreError> {
        let missing = || StoreError::new(format!("no user has the id {id}"));
        self.change(id, change).map(|_| ()).ok_or_else(missing)
    }
}

impl AccountStore for MemoryAccounts {
    async fn by_id(&self, id: i64) -> Result<Option<Arc<User>>, StoreError> {
        Ok(self.lock().user(id).cloned())
    }

    async fn by_username(&self, username: &str) -> Result<Option<Arc<User>>, StoreError> {
        let accounts = self.lock();
        Ok(accounts.ids.get(username).and_then(|&id| accounts.user(id)).cloned())
    }

    async fn create(&self, user: NewUser) -> Result<UserCreation, StoreError> {
        let mut accounts = self.lock();
        if accounts.ids.contains_key(&user.username) {
            return Ok(UserCreation::NameTaken);
        }
        if accounts.users.len() >= MAX_ACCOUNTS {
            return Err(StoreError::new(format!(
                "the memory has room for {MAX_ACCOUNTS} users and is full; keep them in a database"
            )));
        }
        Ok(UserCreation::Created(accounts.add(user)))
    }

    async fn set_password(&self, id: i64, password: &EncodedPassword) -> Result<(), StoreError> {
        self.change_or_fail(id, |user| user.password = password.clone())
    }

    async fn set_last_login(&self, id: i64, at: UnixTime) -> Result<(), StoreError> {
        self.change_or_fail(id, |user| user.last_login = Some(at))
    }

    async fn permissions(&self, id: i64) -> Result<Permissions, StoreError> {
        Ok(self.lock().permissions(id))
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// The memory never waits, so its futures are ready at once.
    fn ready<T>(future: impl Future<Output = T>) -> T {
        match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("the memory waits for nothing"),
        }
    }

    fn create(accounts: &MemoryAccounts, username: &str) -> Option<Arc<User>> {
        let new = NewUser {
            username: username.into(),
            password: EncodedPassword::new("!"),
            email: "a@example.com".into(),
            date_joined: UnixTime::from_seconds(1),
        };
        match ready(accounts.create(new)).unwrap() {
            UserCreation::Created(user) => Some(user),
            UserCreation::NameTaken => None,
        }
    }

    #[test]
    fn rule_2_names_are_unique_and_case_counts() {
        let accounts = MemoryAccounts::default();
        assert_eq!(create(&accounts, "alice").unwrap().id, 1);
        assert_eq!(create(&accounts, "Alice").unwrap().id, 2);
        assert!(create(&accounts, "alice").is_none());
        let by_name = |name| ready(accounts.by_username(name)).unwrap().map(|user| user.id);
        assert_eq!(
            (by_name("alice"), by_name("Alice"), by_name("ALICE")),
            (Some(1), Some(2), None)
        );
        for id in [0, 3, -1, i64::MIN, i64::MAX] {
            assert!(ready(accounts.by_id(id)).unwrap().is_none(), "{id}");
        }
    }

    #[test]
    fn a_user_changes_but_not_their_id_and_name() {
        let accounts = MemoryAccounts::default();
        create(&accounts, "alice").unwrap();
        ready(accounts.set_password(1, &EncodedPassword::new("new"))).unwrap();
        ready(accounts.set_last_login(1, UnixTime::from_seconds(2))).unwrap();
        accounts.change(1, |user| {
            user.is_active = false;
            user.username = "bob".into();
            user.id = 9;
        });
        let user = ready(accounts.by_username("alice")).unwrap().unwrap();
        assert_eq!((user.id, user.username.as_str(), user.is_active), (1, "alice", false));
        assert_eq!(user.password.expose(), "new");
        assert_eq!(user.last_login, Some(UnixTime::from_seconds(2)));
    }

    #[test]
    fn rule_3_a_superuser_has_all_and_who_is_not_active_none() {
        let accounts = MemoryAccounts::default();
        for name in ["alice", "bob", "root"] {
            create(&accounts, name).unwrap();
        }
        accounts.grant(1, "bank.add_transfer").unwrap();
        accounts.grant(2, "bank.view_transfer").unwrap();
        accounts.change(3, |user| user.is_superuser = true);
        let of = |id| ready(accounts.permissions(id)).unwrap();
        let names = |id| of(id).iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(names(1), ["bank.add_transfer"]);
        assert_eq!(names(3), ["bank.add_transfer", "bank.view_transfer"]);
        for id in [1, 3] {
            accounts.change(id, |user| user.is_active = false);
            assert_eq!(of(id), Permissions::default());
        }
        accounts.revoke(2, "bank.view_transfer");
        accounts.revoke(9, "bank.view_transfer");
        assert_eq!((of(2), of(9), of(-1)), Default::default());
        assert!(accounts.grant(9, "bank.add_transfer").is_none());
    }

    #[test]
    fn a_user_who_is_not_there_cannot_be_changed() {
        let accounts = MemoryAccounts::default();
        assert!(ready(accounts.set_password(1, &EncodedPassword::new("new"))).is_err());
        assert!(ready(accounts.set_last_login(1, UnixTime::from_seconds(2))).is_err());
        assert!(accounts.change(1, |user| user.is_staff = true).is_none());
    }
}
