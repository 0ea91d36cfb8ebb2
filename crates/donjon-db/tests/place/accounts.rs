//! A store of users, filled as tests fill it.

use std::sync::Arc;

use donjon_core::account::{AccountStore, EncodedPassword, NewUser, User, UserCreation};
use donjon_core::clock::UnixTime;
use donjon_db::DjangoAccounts;

pub(crate) const JOINED: UnixTime = UnixTime::from_micros(1_700_000_000_123_456);

/// A new user, unless the name is taken.
pub(crate) async fn create(accounts: &DjangoAccounts, username: &str) -> Option<Arc<User>> {
    let new = NewUser {
        username: username.into(),
        password: EncodedPassword::new("pbkdf2_sha256$1$salt$hash"),
        email: "a@example.com".into(),
        date_joined: JOINED,
    };
    match accounts.create(new).await.unwrap() {
        UserCreation::Created(user) => Some(user),
        UserCreation::NameTaken => None,
    }
}
