//! Servers that are killed or stopped, and begun again while sessions are written.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests stop a test"
)]

use std::time::{Duration, Instant};

use donjon_core::clock::UnixTime;
use donjon_core::secret::Keys;
use donjon_core::session::{
    Creation, SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore,
};
use donjon_db::{Database, DjangoSessions, OPERATION_TIMEOUT, SERVER_ACQUIRE_TIMEOUT};
use servers::{Durability, MariaDb, Outcome, Postgres};
use tokio::sync::watch;

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

/// How many tasks write at once: more than there are connections.
const WRITERS: usize = 32;

trait Server {
    fn database(&self) -> String;
    fn cut_power(&mut self) -> Outcome;
    fn shut_down(&mut self) -> Outcome;
    fn begin_again(&mut self) -> Outcome;
}

impl Server for Postgres {
    fn database(&self) -> String {
        self.create("site").unwrap()
    }

    fn cut_power(&mut self) -> Outcome {
        self.kill()
    }

    fn shut_down(&mut self) -> Outcome {
        self.stop()
    }

    fn begin_again(&mut self) -> Outcome {
        self.restart()
    }
}

impl Server for MariaDb {
    fn database(&self) -> String {
        self.create("site").unwrap()
    }

    fn cut_power(&mut self) -> Outcome {
        self.kill()
    }

    fn shut_down(&mut self) -> Outcome {
        self.stop()
    }

    fn begin_again(&mut self) -> Outcome {
        self.restart()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgresql_may_be_killed_or_stopped_while_sessions_are_written() {
    gone_while_sessions_are_written(Postgres::start(Durability::Kept).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mariadb_may_be_killed_or_stopped_while_sessions_are_written() {
    gone_while_sessions_are_written(MariaDb::start(Durability::Kept).unwrap()).await;
}

fn record() -> SessionRecord {
    let mut data = SessionData::default();
    data.insert("text", &"x".repeat(1_000)).unwrap();
    SessionRecord { data, expires: NOW.plus_seconds(60) }
}

async fn gone_while_sessions_are_written<S: Server>(mut server: S) {
    let database = Database::connect(&server.database()).await.unwrap();
    database.migrate().await.unwrap();
    let sessions = DjangoSessions::new(&database, SessionCodec::new(&Keys::new("a-key")));
    let mut acknowledged = Vec::new();
    for go in [S::cut_power, S::shut_down, S::cut_power] {
        let (stop, stopped) = watch::channel(());
        let (failed, mut failures) = watch::channel(0_u32);
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| tokio::spawn(write(sessions.clone(), failed.clone(), stopped.clone())))
            .collect();
        until_one_is_written(&sessions).await;
        go(&mut server).unwrap();
        failures.wait_for(|failures| *failures > 2 * WRITERS as u32).await.unwrap();
        server.begin_again().unwrap();
        until_one_is_written(&sessions).await;
        drop(stop);
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
    }
    assert!(acknowledged.len() > WRITERS, "{}", acknowledged.len());
    for key in &acknowledged {
        let stored = sessions.load(key, NOW).await.unwrap();
        assert_eq!(stored.expect("what was acknowledged is there").record, record());
    }
}

/// Creates sessions until nobody wants them, and gives the keys of those that the store acknowledged.
async fn write(
    sessions: DjangoSessions,
    failed: watch::Sender<u32>,
    stopped: watch::Receiver<()>,
) -> Vec<SessionKey> {
    let mut acknowledged = Vec::new();
    while stopped.has_changed().is_ok() {
        let (key, began) = (SessionKey::random(), Instant::now());
        match sessions.create(&key, &record()).await {
            Ok(Creation::Created(_)) => acknowledged.push(key),
            Ok(Creation::KeyTaken) => panic!("a random key was taken"),
            Err(_) => {
                // It waits for a connection, and this machine is busy.
                assert!(began.elapsed() < SERVER_ACQUIRE_TIMEOUT * 2, "{:?}", began.elapsed());
                failed.send_modify(|failures| *failures += 1);
            }
        }
        assert!(began.elapsed() < OPERATION_TIMEOUT, "it never hangs");
    }
    acknowledged
}

async fn until_one_is_written(sessions: &DjangoSessions) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while sessions.create(&SessionKey::random(), &record()).await.is_err() {
        assert!(Instant::now() < deadline, "the store comes back by itself");
    }
}
