//! How long others wait while `clearsessions` clears a table.
//!
//! `cargo run --release -p donjon-db --example clear -- sqlite:///tmp/a.sqlite3 1000000`

use std::time::{Duration, Instant};

use donjon_core::clock::Clock;
use donjon_core::secret::Keys;
use donjon_core::session::{
    Creation, SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore, Update, Version,
};
use donjon_db::{Database, DjangoSessions};
use sea_orm::ConnectionTrait;
use tokio::sync::watch;

/// How many rows go in one statement.
const BATCH: usize = 1_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("the URL of a database is missing")?;
    let rows = arguments.next().map_or(Ok(100_000), |rows| rows.parse())?;
    let database = Database::connect(&url).await?;
    database.migrate().await?;
    let sessions = DjangoSessions::new(&database, SessionCodec::new(&Keys::new("a-key")));
    report("a read", &reads(&sessions).await?);
    fill(&database, rows).await?;
    report(&format!("a read among {rows}"), &reads(&sessions).await?);
    let (stop, stopped) = watch::channel(());
    let writer = tokio::spawn(writes(sessions.clone(), stopped));
    report("one batch", &clear(&sessions).await?);
    drop(stop);
    report("a write meanwhile", &writer.await??);
    Ok(())
}

/// Rows that have expired, as many as fit in a statement at once.
async fn fill(database: &Database, rows: usize) -> Result<(), Failure> {
    for first in (0..rows).step_by(BATCH) {
        let values: Vec<_> = (first..rows.min(first + BATCH))
            .map(|row| format!("('{row:032}', '{:0300}', '2020-01-01 00:00:00.{row:06}')", 0))
            .collect();
        let sql = format!("INSERT INTO django_session VALUES {}", values.join(","));
        database.danger_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}

fn record(number: u64) -> Result<SessionRecord, Failure> {
    let mut data = SessionData::default();
    data.insert("n", &number)?;
    Ok(SessionRecord { data, expires: Clock::system().now().plus_seconds(3_600) })
}

async fn create(sessions: &DjangoSessions) -> Result<(SessionKey, Version), Failure> {
    let key = SessionKey::random();
    match sessions.create(&key, &record(0)?).await? {
        Creation::Created(version) => Ok((key, version)),
        Creation::KeyTaken => Err("the key is taken".into()),
    }
}

async fn reads(sessions: &DjangoSessions) -> Result<Vec<Duration>, Failure> {
    let (key, _) = create(sessions).await?;
    let mut times = Vec::new();
    for _ in 0..1_000 {
        let began = Instant::now();
        sessions.load(&key, Clock::system().now()).await?.ok_or("the session is gone")?;
        times.push(began.elapsed());
    }
    Ok(times)
}

async fn clear(sessions: &DjangoSessions) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    loop {
        let began = Instant::now();
        let cleared = sessions.clear_expired(Clock::system().now(), BATCH).await?;
        times.push(began.elapsed());
        if cleared < BATCH {
            return Ok(times);
        }
        tokio::task::yield_now().await;
    }
}

/// Writes until nobody wants it any more.
async fn writes(
    sessions: DjangoSessions,
    wanted: watch::Receiver<()>,
) -> Result<Vec<Duration>, Failure> {
    let (key, mut version) = create(&sessions).await?;
    let mut times = Vec::new();
    for number in 1.. {
        if wanted.has_changed().is_err() {
            break;
        }
        let began = Instant::now();
        let Update::Saved(saved) = sessions.update(&key, &record(number)?, &version).await? else {
            return Err("somebody else has written".into());
        };
        version = saved;
        times.push(began.elapsed());
    }
    Ok(times)
}

fn report(what: &str, times: &[Duration]) {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "{what:22} {:7} times, median {:7.3} ms, longest {:7.3} ms",
        times.len(),
        millis(sorted.get(sorted.len() / 2)),
        millis(sorted.last()),
    );
}
