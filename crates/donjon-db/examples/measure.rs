//! How long the stores take: `cargo run --release -p donjon-db --example measure [FILE]`.
//!
//! Prints microseconds for each call, one task at a time. With a file it leaves the database there.

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
    let file = std::env::args().nth(1).map(Into::into);
    let database =
        Database::sqlite(file.unwrap_or_else(|| folder.path().join("site.sqlite3"))).await?;
    for migration in database.migrate().await? {
        println!("applied {migration}");
    }
    let keys = Keys::new("donjon-test-secret-key-0123456789abcdefghijklmnopqrstuvwxyz");
    measure_sessions(&DjangoSessions::new(&database, SessionCodec::new(&keys))).await?;
    measure_accounts(&DjangoAccounts::new(&database)).await
}

async fn measure_sessions(sessions: &DjangoSessions) -> Result<(), Failure> {
    let now = Clock::system().now();
    let mut data = SessionData::default();
    data.insert("_auth_user_id", "1")?;
    data.insert("_auth_user_backend", "django.contrib.auth.backends.ModelBackend")?;
    data.insert("_auth_user_hash", &"x".repeat(64))?;
    let record = SessionRecord { data, expires: now.plus_seconds(1_209_600) };
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
    println!("{what:15} {:6.1} µs", begin.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
}
