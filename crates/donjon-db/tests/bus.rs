//! Word of changed sessions by PostgreSQL.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod place;

use std::sync::Arc;
use std::time::{Duration, Instant};

use donjon_core::session::cached::{ChangeBus, ChangeListener, DEAF_AFTER, KeyDigest};
use donjon_core::session::{BoxFuture, SessionKey};
use donjon_db::{Database, DatabasePolicy, DbErrorKind, PostgresBus};
use place::Place;
use place::network::{end_the_others, proxy};
use sea_orm::ConnectionTrait;
use tokio::sync::{mpsc, watch};

#[derive(Debug, PartialEq, Eq)]
enum Word {
    Changed(KeyDigest),
    Heard,
    Deaf,
}

struct Notebook(mpsc::UnboundedSender<Word>);

impl ChangeListener for Notebook {
    fn changed<'a>(&'a self, digest: &'a KeyDigest) -> BoxFuture<'a, ()> {
        Box::pin(async { self.0.send(Word::Changed(*digest)).unwrap() })
    }

    fn heard(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.0.send(Word::Heard).unwrap() })
    }

    fn deaf(&self) {
        self.0.send(Word::Deaf).unwrap();
    }
}

type Words = mpsc::UnboundedReceiver<Word>;

async fn node(database: &Database) -> (PostgresBus, Words) {
    let bus = PostgresBus::start(database).await.unwrap();
    let (sender, words) = mpsc::unbounded_channel();
    bus.listen(Arc::new(Notebook(sender)));
    (bus, words)
}

/// Waits for this word, and tells how long.
async fn until(words: &mut Words, expected: Word) -> Duration {
    let began = Instant::now();
    let wait = async { while words.recv().await.unwrap() != expected {} };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap();
    began.elapsed()
}

fn digest() -> KeyDigest {
    KeyDigest::of(&SessionKey::random())
}

#[tokio::test]
async fn rule_1_every_node_hears_a_word_soon_and_in_order() {
    let (_fresh, database) = Place::Postgres.migrated().await;
    let (one, mut here) = node(&database).await;
    let (_other, mut there) = node(&database).await;
    for words in [&mut here, &mut there] {
        until(words, Word::Heard).await;
    }
    let sent = [digest(), digest(), KeyDigest::EVERYTHING, digest()];
    for word in &sent {
        one.publish(word).await.unwrap();
    }
    for words in [&mut here, &mut there] {
        for word in sent {
            let waited = until(words, Word::Changed(word)).await;
            assert!(waited < DEAF_AFTER, "{waited:?}");
        }
    }
}

#[tokio::test]
async fn rule_2_each_node_hears_its_own_heart_alone() {
    let (_fresh, database) = Place::Postgres.migrated().await;
    let mut nodes = Vec::new();
    for _ in 0..4 {
        nodes.push(node(&database).await);
    }
    let (_bus, words) = &mut nodes[0];
    let began = Instant::now();
    // Those of all four would be there in half a second.
    for _ in 0..9 {
        until(words, Word::Heard).await;
    }
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn rule_3_a_broken_connection_is_told_and_replaced() {
    let (fresh, database) = Place::Postgres.migrated().await;
    let (bus, mut words) = node(&database).await;
    until(&mut words, Word::Heard).await;
    end_the_others(&fresh, Place::Postgres).await;
    until(&mut words, Word::Deaf).await;
    // On a slow machine the bus may break once more: each word comes, or a break is told.
    loop {
        until(&mut words, Word::Heard).await;
        let word = digest();
        if bus.publish(&word).await.is_ok() && comes(&mut words, word).await {
            break;
        }
    }
}

/// Did the word come, and no break before it?
async fn comes(words: &mut Words, word: KeyDigest) -> bool {
    let wait = async {
        loop {
            match words.recv().await.unwrap() {
                Word::Deaf => return false,
                Word::Changed(changed) => return changed == word,
                Word::Heard => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap()
}

#[tokio::test]
async fn rule_3_silence_is_told_and_ended() {
    let (fresh, _database) = Place::Postgres.migrated().await;
    let (_, rest) = fresh.url.rsplit_once('@').unwrap();
    let (server, _) = rest.split_once('/').unwrap();
    let (freeze, frozen) = watch::channel(false);
    let address = proxy(server.parse().unwrap(), frozen).await;
    let url = fresh.url.replace(server, &address.to_string());
    let policy = DatabasePolicy::parse(&url).unwrap().acquire_timeout(Duration::from_secs(1));
    let database = Database::open(&policy).await.unwrap();
    let (_bus, mut words) = node(&database).await;
    until(&mut words, Word::Heard).await;
    freeze.send(true).unwrap();
    let silent = until(&mut words, Word::Deaf).await;
    assert!(silent < Duration::from_secs(2), "{silent:?}");
    freeze.send(false).unwrap();
    until(&mut words, Word::Heard).await;
}

#[tokio::test]
async fn rule_4_a_word_that_cannot_be_read_is_taken_for_all() {
    let (_fresh, database) = Place::Postgres.migrated().await;
    let (_bus, mut words) = node(&database).await;
    let sql = "NOTIFY donjon_sessions, 'of a later version'";
    database.danger_connection().execute_unprepared(sql).await.unwrap();
    until(&mut words, Word::Changed(KeyDigest::EVERYTHING)).await;
}

#[tokio::test]
async fn no_other_database_carries_word() {
    for place in [Place::Sqlite, Place::MariaDb] {
        let (_fresh, database) = place.migrated().await;
        let error = PostgresBus::start(&database).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Url);
    }
}
