//! A session and its user, read with one question.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests stop a test"
)]

mod place;

use std::sync::Arc;

use donjon_core::account::{AccountStore, EncodedPassword, User, UserSource};
use donjon_core::clock::UnixTime;
use donjon_core::secret::Keys;
use donjon_core::session::{
    HashedKeys, SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore, WithUser,
};
use donjon_db::{CachedAccounts, Database, DjangoAccounts, DjangoSessions};
use place::accounts::create;
use place::sessions::update;
use place::{Fresh, Place};
use sea_orm::ConnectionTrait;

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

struct Site {
    _fresh: Fresh,
    database: Database,
    sessions: DjangoSessions,
    accounts: DjangoAccounts,
}

impl Site {
    async fn new(place: Place) -> Self {
        let (fresh, database) = place.migrated().await;
        let sessions = DjangoSessions::new(&database, SessionCodec::new(&Keys::new("a-key")));
        let accounts = DjangoAccounts::new(&database);
        Self { _fresh: fresh, database, sessions, accounts }
    }

    async fn user(&self, name: &str) -> Arc<User> {
        create(&self.accounts, name).await.unwrap()
    }

    async fn session(&self, json: &str) -> SessionKey {
        let key = SessionKey::random();
        self.sessions.create(&key, &record(json)).await.unwrap();
        key
    }

    async fn load(&self, key: &SessionKey) -> Option<WithUser> {
        let users = self.accounts.source().unwrap();
        self.sessions.load_with_user(key, NOW, users).await.unwrap()
    }

    /// The user whom the session brings along, once a server has had an occasion to guess.
    async fn user_of(&self, key: &SessionKey) -> Option<Arc<User>> {
        self.load(key).await.unwrap();
        self.load(key).await.unwrap().1
    }
}

fn record(json: &str) -> SessionRecord {
    let data = SessionData::from_json(json.as_bytes()).unwrap();
    SessionRecord { data, expires: NOW.plus_seconds(3_600) }
}

fn named(user: &User) -> String {
    format!(r#"{{"_auth_user_id":"{}","cart":[1,2]}}"#, user.id)
}

on_each! {
    a_session_brings_its_user
    a_user_is_brought_as_they_are_now
    whom_a_session_does_not_name_it_does_not_bring
    users_of_another_source_are_not_brought
    a_session_that_is_none_brings_nobody
}

async fn a_session_brings_its_user(place: Place) {
    let site = Site::new(place).await;
    let (alice, bob) = (site.user("alice").await, site.user("bob").await);
    for user in [&alice, &bob] {
        let key = site.session(&named(user)).await;
        let brought = site.user_of(&key).await.unwrap();
        let asked = site.accounts.by_id(user.id).await.unwrap().unwrap();
        assert_eq!(format!("{brought:?}"), format!("{asked:?}"));
        assert_eq!(brought.password, asked.password);
        let (stored, _) = site.load(&key).await.unwrap();
        assert_eq!(Some(stored), site.sessions.load(&key, NOW).await.unwrap());
    }
    let key = site.session(&format!(r#"{{"_auth_user_id":{}}}"#, bob.id)).await;
    assert_eq!(
        site.user_of(&key).await.unwrap().id,
        bob.id,
        "a number, as very old Django wrote it"
    );
}

async fn a_user_is_brought_as_they_are_now(place: Place) {
    let site = Site::new(place).await;
    let alice = site.user("alice").await;
    let key = site.session(&named(&alice)).await;
    assert_eq!(site.user_of(&key).await.unwrap().password, alice.password);
    let new = EncodedPassword::new("pbkdf2_sha256$1$salt$other");
    site.accounts.set_password(alice.id, &new).await.unwrap();
    assert_eq!(site.load(&key).await.unwrap().1.unwrap().password, new);
    let connection = site.database.danger_connection();
    connection.execute_unprepared("DELETE FROM auth_user").await.unwrap();
    assert!(site.load(&key).await.unwrap().1.is_none());
}

async fn whom_a_session_does_not_name_it_does_not_bring(place: Place) {
    let site = Site::new(place).await;
    let (alice, bob) = (site.user("alice").await, site.user("bob").await);
    let key = site.session(&named(&alice)).await;
    assert_eq!(site.user_of(&key).await.unwrap().id, alice.id);
    update(&site.sessions, &key, &record(&named(&bob))).await.unwrap();
    let brought = site.load(&key).await.unwrap().1;
    assert!(brought.is_none_or(|user| user.id == bob.id), "what was guessed was Alice");
    assert_eq!(site.user_of(&key).await.unwrap().id, bob.id);
    for nobody in
        ["{}", r#"{"_auth_user_id":"x"}"#, r#"{"_auth_user_id":"0"}"#, r#"{"_auth_user_id":null}"#]
    {
        update(&site.sessions, &key, &record(nobody)).await.unwrap();
        assert!(site.user_of(&key).await.is_none(), "{nobody}");
    }
}

async fn users_of_another_source_are_not_brought(place: Place) {
    let site = Site::new(place).await;
    let alice = site.user("alice").await;
    let key = site.session(&named(&alice)).await;
    assert!(site.user_of(&key).await.is_some());
    let stored = site.sessions.load(&key, NOW).await.unwrap().unwrap();
    let found = site.sessions.load_with_user(&key, NOW, UserSource::unique()).await.unwrap();
    assert!(found.is_some_and(|(same, user)| same == stored && user.is_none()));
    let clone = DjangoAccounts::new(&site.database.clone());
    assert_eq!(clone.source(), site.accounts.source());
    assert_eq!(CachedAccounts::new(clone).source(), None, "who remembers users is asked for them");
}

async fn a_session_that_is_none_brings_nobody(place: Place) {
    let site = Site::new(place).await;
    let alice = site.user("alice").await;
    let users = site.accounts.source().unwrap();
    assert!(site.load(&SessionKey::random()).await.is_none());
    assert!(site.load(&SessionKey::parse("abcdefgh\0").unwrap()).await.is_none());
    let key = site.session(&named(&alice)).await;
    let after = NOW.plus_seconds(3_600);
    for _ in 0..2 {
        assert!(site.sessions.load_with_user(&key, after, users).await.unwrap().is_none());
    }
    let hashed = HashedKeys::new(site.sessions.clone());
    hashed.create(&key, &record(&named(&alice))).await.unwrap();
    for _ in 0..2 {
        assert!(hashed.load_with_user(&key, NOW, users).await.unwrap().is_some());
    }
    let (_, user) = hashed.load_with_user(&key, NOW, users).await.unwrap().unwrap();
    assert_eq!(user.unwrap().id, alice.id);
}
