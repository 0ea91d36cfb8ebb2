//! How long the stores take: `cargo run --release -p donjon-db --example measure [URL]`.
//!
//! Prints microseconds for each call, one task at a time. Without a URL it is a SQLite file that is removed again; a
//! database that has one must be empty, and keeps what is written.

use std::time::Instant;

use donjon_core::account::{AccountStore, EncodedPassword, NewUser, UserCreation};
use donjon_core::clock::Clock;
use donjon_core::secret::Keys;
use donjon_core::session::{SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore};
use donjon_db::{Database, DjangoAccounts, DjangoSessions};

const ROUNDS: u32 = 2_000;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let database = match std::env::args().nth(1) {
        Some(url) => Database::connect(&url).await?,
        None => Database::sqlite(folder.path().join("site.sqlite3")).await?,
    };
    for migration in database.migrate().await? {
        println!("applied {migration}");
    }
    let keys = Keys::new("donjon-test-secret-key-0123456789abcdefghijklmnopqrstuvwxyz");
    let sessions = DjangoSessions::new(&database, SessionCodec::new(&keys));
    let accounts = DjangoAccounts::new(&database);
    measure_sessions(&sessions).await?;
    measure_accounts(&accounts).await?;
    measure_both(&sessions, &accounts).await
}

/// What a signed-in request asks.
async fn measure_both(sessions: &DjangoSessions, accounts: &DjangoAccounts) -> Result<(), Failure> {
    let (key, now) = (SessionKey::random(), Clock::system().now());
    sessions.create(&key, &record()?).await?;
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        sessions.load(&key, now).await?.ok_or("the session is gone")?;
        accounts.by_id(1).await?.ok_or("the user is gone")?;
    }
    report("session, then user", begin);
    let users = accounts.source().ok_or("the users have a source")?;
    let load = async || sessions.load_with_user(&key, now, users).await;
    load().await?;
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        let (_, user) = load().await?.ok_or("the session is gone")?;
        user.ok_or("the user did not come along")?;
    }
    report("session with user", begin);
    Ok(())
}

/// The session of a user who is logged in.
fn record() -> Result<SessionRecord, Failure> {
    let mut data = SessionData::default();
    data.insert("_auth_user_id", "1")?;
    data.insert("_auth_user_backend", "django.contrib.auth.backends.ModelBackend")?;
    data.insert("_auth_user_hash", &"x".repeat(64))?;
    Ok(SessionRecord { data, expires: Clock::system().now().plus_seconds(1_209_600) })
}

async fn measure_sessions(sessions: &DjangoSessions) -> Result<(), Failure> {
    let (now, record) = (Clock::system().now(), record()?);
    let keys: Vec<_> = (0..ROUNDS).map(|_| SessionKey::random()).collect();
    let begin = Instant::now();
    for key in &keys {
        sessions.create(key, &record).await?;
    }
    report("session create", begin);
    let begin = Instant::now();
    for key in &keys {
        sessions.load(key, now).await?.ok_or("the session is gone")?;
    }
    report("session load", begin);
    let begin = Instant::now();
    for key in &keys {
        let seen = sessions.load(key, now).await?.ok_or("the session is gone")?;
        sessions.update(key, &record, &seen.version).await?;
    }
    report("session load and update", begin);
    Ok(())
}

async fn measure_accounts(accounts: &DjangoAccounts) -> Result<(), Failure> {
    let new = NewUser {
        username: "alice".into(),
        password: EncodedPassword::new("!"),
        email: "alice@example.com".into(),
        date_joined: Clock::system().now(),
    };
    if let UserCreation::Created(user) = accounts.create(new).await? {
        accounts.set_last_login(user.id, Clock::system().now()).await?;
    }
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        accounts.by_id(1).await?.ok_or("the user is gone")?;
    }
    report("user by id", begin);
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        accounts.by_username("alice").await?.ok_or("the user is gone")?;
    }
    report("user by name", begin);
    Ok(())
}

fn report(what: &str, begin: Instant) {
    println!("{what:23} {:6.1} µs", begin.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
}
