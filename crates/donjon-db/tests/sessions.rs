//! The contract of a session store, kept by Django's table.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests stop a test"
)]

mod place;

use std::sync::{Arc, Mutex};

use donjon_core::clock::{Clock, UnixTime};
use donjon_core::secret::Keys;
use donjon_core::session::{
    Creation, SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore, Update, contract,
};
use donjon_db::{Database, DjangoSessions};
use place::sessions::{load, update};
use place::{Fresh, Place};
use sea_orm::{ConnectionTrait, DatabaseConnection};

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

fn codec() -> SessionCodec {
    let keys = Keys::new("donjon-test-secret-key-0123456789abcdefghijklmnopqrstuvwxyz")
        .fallback("old-secret-key");
    SessionCodec::new(&keys).clock(Clock::fixed(NOW))
}

async fn store(place: Place) -> (Fresh, Database, DjangoSessions) {
    let (fresh, database) = place.migrated().await;
    let sessions = DjangoSessions::new(&database, codec());
    (fresh, database, sessions)
}

fn record(number: u32, expires: UnixTime) -> SessionRecord {
    let mut data = SessionData::default();
    data.insert("a", &number).unwrap();
    SessionRecord { data, expires }
}

fn later() -> UnixTime {
    NOW.plus_seconds(3_600)
}

async fn put(connection: &DatabaseConnection, key: &str, data: &str, expires: &str) {
    let sql = format!("INSERT INTO django_session VALUES ('{key}', '{data}', '{expires}')");
    connection.execute_unprepared(&sql).await.unwrap();
}

fn key(text: &str) -> SessionKey {
    SessionKey::parse(text).unwrap()
}

on_each! {
    the_table_keeps_the_contract
    what_is_created_is_loaded_until_it_expires
    a_taken_key_keeps_its_row_even_if_it_has_expired
    a_save_that_races_a_logout_loses
    an_update_touches_no_other_row
    an_end_that_moves_little_stays
    a_row_that_is_not_to_be_believed_is_an_empty_session_under_its_key
    only_what_has_expired_is_cleared
    a_key_that_looks_like_sql_is_only_a_key
    many_tasks_at_once_lose_nothing
}

async fn what_is_created_is_loaded_until_it_expires(place: Place) {
    let (_fresh, _database, sessions) = store(place).await;
    let key = SessionKey::random();
    assert_eq!(load(&sessions, &key, NOW).await.unwrap(), None);
    let record = record(1, UnixTime::from_micros(NOW.micros() + 1_500_000));
    assert!(matches!(sessions.create(&key, &record).await.unwrap(), Creation::Created(_)));
    assert_eq!(load(&sessions, &key, NOW).await.unwrap(), Some(record.clone()));
    let just_before = UnixTime::from_micros(record.expires.micros() - 1);
    assert_eq!(load(&sessions, &key, just_before).await.unwrap(), Some(record.clone()));
    assert_eq!(load(&sessions, &key, record.expires).await.unwrap(), None);
}

async fn a_taken_key_keeps_its_row_even_if_it_has_expired(place: Place) {
    let (_fresh, _database, sessions) = store(place).await;
    for expires in [later(), NOW.plus_seconds(-1)] {
        let key = SessionKey::random();
        sessions.create(&key, &record(1, expires)).await.unwrap();
        let clash = sessions.create(&key, &record(2, later())).await.unwrap();
        assert_eq!(clash, Creation::KeyTaken);
        let kept = load(&sessions, &key, UnixTime::from_seconds(0)).await.unwrap();
        assert_eq!(kept, Some(record(1, expires)));
    }
}

async fn a_save_that_races_a_logout_loses(place: Place) {
    let (_fresh, _database, sessions) = store(place).await;
    let key = SessionKey::random();
    sessions.create(&key, &record(1, later())).await.unwrap();
    assert!(update(&sessions, &key, &record(2, later())).await.unwrap());
    assert_eq!(load(&sessions, &key, NOW).await.unwrap(), Some(record(2, later())));
    sessions.delete(&key).await.unwrap();
    assert!(!update(&sessions, &key, &record(3, later())).await.unwrap());
    assert_eq!(load(&sessions, &key, NOW).await.unwrap(), None);
    sessions.delete(&key).await.unwrap();
}

async fn an_update_touches_no_other_row(place: Place) {
    let (_fresh, _database, sessions) = store(place).await;
    let (mine, other) = (SessionKey::random(), SessionKey::random());
    for key in [&mine, &other] {
        sessions.create(key, &record(1, later())).await.unwrap();
    }
    update(&sessions, &mine, &record(2, later())).await.unwrap();
    sessions.delete(&mine).await.unwrap();
    assert_eq!(load(&sessions, &other, NOW).await.unwrap(), Some(record(1, later())));
}

async fn an_end_that_moves_little_stays(place: Place) {
    let (_fresh, _database, sessions) = store(place).await;
    let key = SessionKey::random();
    let after = |micros| later().plus_micros(micros);
    let Creation::Created(mut seen) = sessions.create(&key, &record(0, later())).await.unwrap()
    else {
        panic!("there was none")
    };
    let asked = [0, 600_000, 999_999, 1_000_000, 1_600_000, 2_000_000, 1_999_999, -5_000_000];
    let ends = [0, 0, 0, 1_000_000, 1_000_000, 2_000_000, 1_999_999, -5_000_000];
    for (number, (asked, end)) in (1..).zip(asked.into_iter().zip(ends)) {
        let saved = sessions.update(&key, &record(number, after(asked)), &seen).await.unwrap();
        let Update::Saved(now) = saved else { panic!("nobody else writes here") };
        let stored = sessions.load(&key, NOW).await.unwrap().unwrap();
        assert_eq!(stored.record, record(number, after(end)), "{asked}");
        assert!(stored.version == now, "{asked}");
        seen = now;
    }
}

#[tokio::test]
async fn djangos_rows_are_read() {
    let (_fresh, database, sessions) = store(Place::Sqlite).await;
    let row = "eyJhIjoxfQ:1r31eq:6JY7qA6_tXlRxkuT49Iwua12kR29N3MUmpm066bm4ps";
    for (name, date) in [
        ("whole-seconds", "2023-11-14 22:13:21"),
        ("with-decimals", "2023-11-14 22:13:20.000001"),
        ("a-t-between-", "2023-11-14T22:13:21"),
        ("with-a-zone", "2023-11-14 22:13:21+00:00"),
    ] {
        put(database.danger_connection(), name, row, date).await;
        let loaded = load(&sessions, &key(name), NOW).await.unwrap().expect(name);
        assert_eq!(loaded.data.value::<u32>("a").unwrap(), Some(1));
    }
    let compressed = ".eJyrVopPLC3JiC8tTi2Kz0xRslIyVNJBFktKTM5OzQNJpGQl5qXn6yXn55UUZSbpgZToQWWL9XzzU1JznKBqUQzISCzOAOquoBAo1QIAkBRETQ:1r31eq:R3Iy7gCSehp8o0wHEkfX9nHnU75-vywSQMx65qdm70Y";
    put(database.danger_connection(), "logged-in", compressed, "2023-11-15 00:00:00").await;
    let loaded = load(&sessions, &key("logged-in"), NOW).await.unwrap().unwrap();
    assert_eq!(loaded.data.value::<String>("_auth_user_id").unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn an_end_that_has_passed_or_is_no_date_ends_the_session() {
    let (_fresh, database, sessions) = store(Place::Sqlite).await;
    let row = "eyJhIjoxfQ:1r31eq:6JY7qA6_tXlRxkuT49Iwua12kR29N3MUmpm066bm4ps";
    for (name, date) in [
        ("expires-now", "2023-11-14 22:13:20"),
        ("just-passed", "2023-11-14 22:13:19.999999"),
        ("passed-with-t", "2023-11-14T22:13:19"),
        ("passed-in-zone", "2023-11-14 23:13:19+01:00"),
        ("never-a-date", "zzzz"),
        ("empty-date", ""),
    ] {
        put(database.danger_connection(), name, row, date).await;
        assert_eq!(load(&sessions, &key(name), NOW).await.unwrap(), None, "{name}");
    }
}

async fn a_row_that_is_not_to_be_believed_is_an_empty_session_under_its_key(place: Place) {
    let (_fresh, database, sessions) = store(place).await;
    let stranger = SessionCodec::new(&Keys::new("another-key-that-this-site-does-not-have"));
    let foreign = stranger.encode(&record(1, later()).data).unwrap();
    for (name, data) in [
        ("garbage-row", "garbage"),
        ("empty-row", ""),
        ("unsigned-row", "eyJhIjoxfQ"),
        ("forged-row", "eyJhIjoxfQ:1r31eq:6JY7qA6_tXlRxkuT49Iwua12kR29N3MUmpm066bm4pt"),
        ("another-keys-row", &foreign),
    ] {
        put(database.danger_connection(), name, data, "2023-11-15 00:00:00").await;
        let loaded = load(&sessions, &key(name), NOW).await.unwrap().expect(name);
        assert!(loaded.data.is_empty(), "{name}");
        let saved = update(&sessions, &key(name), &record(2, later())).await.unwrap();
        assert!(saved, "{name}");
    }
}

#[tokio::test]
async fn dates_are_written_as_django_writes_them() {
    let (_fresh, database, sessions) = store(Place::Sqlite).await;
    for (expires, text) in [
        (NOW, "2023-11-14 22:13:20"),
        (UnixTime::from_micros(NOW.micros() + 50), "2023-11-14 22:13:20.000050"),
        (UnixTime::from_micros(i64::MAX), "9999-12-30 00:00:00"),
    ] {
        let key = SessionKey::random();
        sessions.create(&key, &record(1, expires)).await.unwrap();
        let sql = format!(
            "DELETE FROM django_session WHERE session_key = '{}' AND expire_date = '{text}'",
            key.expose()
        );
        let found = database.danger_connection().execute_unprepared(&sql).await.unwrap();
        assert_eq!(found.rows_affected(), 1, "{text}");
    }
}

async fn only_what_has_expired_is_cleared(place: Place) {
    let (_fresh, _database, sessions) = store(place).await;
    let offsets = [-1_000_001, -1, 0, 1, 1_000_000];
    for offset in offsets {
        let expires = UnixTime::from_micros(NOW.micros() + offset);
        sessions.create(&SessionKey::random(), &record(1, expires)).await.unwrap();
    }
    assert_eq!(sessions.clear_expired(NOW, usize::MAX).await.unwrap(), 2);
    assert_eq!(sessions.clear_expired(NOW, usize::MAX).await.unwrap(), 0);
    assert_eq!(sessions.clear_expired(NOW.plus_seconds(2), usize::MAX).await.unwrap(), 3);
}

async fn a_key_that_looks_like_sql_is_only_a_key(place: Place) {
    let (_fresh, _database, sessions) = store(place).await;
    sessions.create(&SessionKey::random(), &record(1, later())).await.unwrap();
    for text in ["' OR '1'='1", "x'; DROP TABLE django_session; --", "%%%%%%%%", "\0\0\0\0\0\0\0\0"]
    {
        assert_eq!(load(&sessions, &key(text), NOW).await.unwrap(), None);
        sessions.delete(&key(text)).await.unwrap();
        assert!(!update(&sessions, &key(text), &record(2, later())).await.unwrap());
    }
    assert_eq!(sessions.clear_expired(later().plus_seconds(1), usize::MAX).await.unwrap(), 1);
}

async fn many_tasks_at_once_lose_nothing(place: Place) {
    let (_fresh, _database, sessions) = store(place).await;
    let sessions = Arc::new(sessions);
    let shared = SessionKey::random();
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let (sessions, shared) = (sessions.clone(), shared.clone());
            tokio::spawn(async move {
                let own = SessionKey::random();
                sessions.create(&own, &record(number, later())).await.unwrap();
                update(&sessions, &own, &record(number + 1, later())).await.unwrap();
                let loaded = load(&sessions, &own, NOW).await.unwrap();
                assert_eq!(loaded, Some(record(number + 1, later())));
                sessions.create(&shared, &record(number, later())).await.unwrap()
            })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        created += usize::from(matches!(task.await.unwrap(), Creation::Created(_)));
    }
    assert_eq!(created, 1, "one task makes the row, and the others find it taken");
}

async fn the_table_keeps_the_contract(place: Place) {
    let databases = Mutex::new(Vec::new());
    let fresh = async || {
        let (fresh, _database, sessions) = store(place).await;
        databases.lock().unwrap().push(fresh);
        sessions
    };
    contract::check(fresh).await.unwrap();
}
