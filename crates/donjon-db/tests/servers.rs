//! Databases on a server: reaching them, migrating them from many nodes, and what goes wrong on the
//! way.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests stop a test"
)]

mod place;

use std::sync::Arc;
use std::time::{Duration, Instant};

use donjon_core::clock::UnixTime;
use donjon_core::secret::Keys;
use donjon_core::session::{
    Creation, Deletion, SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore, Update,
    Version,
};
use donjon_db::{Database, DatabasePolicy, DbError, DbErrorKind, DjangoSessions};
use place::network::{end_the_others, proxy};
use place::{Fresh, Place};
use sea_orm::ConnectionTrait;
use tokio::net::TcpListener;
use tokio::sync::watch;

on_each! {
    servers:
    many_nodes_may_migrate_at_once
    what_is_only_half_there_is_refused_and_left_as_it_was
    an_application_that_is_missing_is_added
    what_cannot_be_reached_is_told_apart
    a_server_that_never_answers_is_an_error_in_time
    connections_that_the_server_ended_are_replaced
    a_connection_that_hangs_is_an_error_in_time_and_is_replaced
    the_server_gives_up_on_a_long_statement
    keys_and_states_are_compared_to_the_letter
    the_session_is_as_django_has_it
    clearing_goes_in_batches_and_waits_for_nobody
    of_many_writers_of_a_state_one_wins
}

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

fn sessions(database: &Database) -> DjangoSessions {
    DjangoSessions::new(database, SessionCodec::new(&Keys::new("a-key-for-tests")))
}

fn record(number: u32, expires: UnixTime) -> SessionRecord {
    let mut data = SessionData::default();
    data.insert("a", &number).unwrap();
    SessionRecord { data, expires }
}

async fn run(database: &Database, sql: &str) {
    database.danger_connection().execute_unprepared(sql).await.unwrap();
}

async fn many_nodes_may_migrate_at_once(place: Place) {
    let fresh = Arc::new(place.empty().await);
    let nodes: Vec<_> = (0..6)
        .map(|_| {
            let fresh = fresh.clone();
            tokio::spawn(async move { fresh.open().await.migrate().await.unwrap().len() })
        })
        .collect();
    let mut applied = Vec::new();
    for node in nodes {
        applied.push(node.await.unwrap());
    }
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, 0, 0, 15], "one node does it, and the others find it done");
    assert_eq!(fresh.open().await.migrate().await.unwrap(), []);
}

async fn what_is_only_half_there_is_refused_and_left_as_it_was(place: Place) {
    for (spoil, named) in [
        ("DELETE FROM django_migrations WHERE app = 'auth'", "auth_user"),
        ("DROP TABLE django_migrations", "django_content_type"),
        ("DELETE FROM django_migrations WHERE name LIKE '0012%'", "0012_alter_user_first_name"),
        ("DROP TABLE django_session", "django_session"),
    ] {
        let (_fresh, database) = place.migrated().await;
        run(&database, spoil).await;
        let error = database.migrate().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Schema, "{spoil}");
        assert!(error.to_string().contains(named), "{spoil}: {error}");
        assert!(database.migrate().await.is_err(), "{spoil}: it was not mended by halves");
    }
}

async fn an_application_that_is_missing_is_added(place: Place) {
    let (_fresh, database) = place.migrated().await;
    run(&database, "DROP TABLE django_session").await;
    run(&database, "DELETE FROM django_migrations WHERE app = 'sessions'").await;
    let applied = database.migrate().await.unwrap();
    let applied: Vec<_> = applied.iter().map(ToString::to_string).collect();
    assert_eq!(applied, ["sessions.0001_initial"]);
}

/// MariaDB alone changes a schema outside of transactions.
#[tokio::test]
async fn on_mariadb_an_interrupted_migration_is_gone_on_with() {
    for (spoil, expected) in [
        // It ended between two applications, within one, and before the permissions.
        ("DROP TABLE django_session; DELETE FROM django_migrations WHERE app = 'sessions'", 1),
        ("DROP TABLE auth_user_groups; DELETE FROM django_migrations WHERE app = 'auth'", 12),
        ("DELETE FROM auth_permission", 0),
    ] {
        let (_fresh, database) = Place::MariaDb.migrated().await;
        run(&database, spoil).await;
        run(&database, "CREATE TABLE donjon_migrating (id integer NOT NULL)").await;
        assert_eq!(database.migrate().await.unwrap().len(), expected, "{spoil}");
        assert_eq!(database.migrate().await.unwrap(), [], "{spoil}");
        let all = "DELETE FROM auth_permission";
        let there = database.danger_connection().execute_unprepared(all).await.unwrap();
        assert_eq!(there.rows_affected(), 20, "{spoil}");
        let mark = "SELECT * FROM donjon_migrating";
        assert!(database.danger_connection().execute_unprepared(mark).await.is_err(), "{spoil}");
    }
}

/// The same URL with other parts.
fn with(url: &str, user: &str, place: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (_, server) = rest.rsplit_once('@').unwrap();
    let (host, _) = server.split_once('/').unwrap();
    match place.strip_prefix('/') {
        Some(database) => format!("{scheme}://{user}@{host}/{database}"),
        None => format!("{scheme}://{user}@{place}/d"),
    }
}

fn user(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap();
    rest.rsplit_once('@').unwrap().0
}

async fn what_cannot_be_reached_is_told_apart(place: Place) {
    let fresh = place.empty().await;
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, kind) in [
        (with(&fresh.url, "nobody:hunter2", "/mysql"), DbErrorKind::Authentication),
        (with(&fresh.url, user(&fresh.url), "/no_such_database"), DbErrorKind::UnknownDatabase),
        (with(&fresh.url, "u:hunter2", &unused.to_string()), DbErrorKind::Refused),
    ] {
        let began = Instant::now();
        let error = Database::connect(&url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(2), "{error}");
    }
}

async fn a_server_that_never_answers_is_an_error_in_time(place: Place) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scheme = if place == Place::Postgres { "postgres" } else { "mysql" };
    let url = format!("{scheme}://u:p@{}/d", silent.local_addr().unwrap());
    let policy = DatabasePolicy::parse(&url).unwrap().acquire_timeout(Duration::from_millis(200));
    let began = Instant::now();
    let error = Database::open(&policy).await.unwrap_err();
    assert_eq!(error.kind(), DbErrorKind::Timeout, "{error}");
    assert!(began.elapsed() < Duration::from_secs(3));
}

async fn connections_that_the_server_ended_are_replaced(place: Place) {
    let fresh = place.empty().await;
    let policy = DatabasePolicy::parse(&fresh.url).unwrap().max_connections(1);
    let database = Database::open(&policy).await.unwrap();
    database.migrate().await.unwrap();
    let sessions = sessions(&database);
    let key = SessionKey::random();
    sessions.create(&key, &record(1, NOW.plus_seconds(60))).await.unwrap();
    for _ in 0..3 {
        end_the_others(&fresh, place).await;
        run(&fresh.open().await, "DROP PROCEDURE IF EXISTS end_others").await;
        assert!(sessions.load(&key, NOW).await.unwrap().is_some(), "a read does not notice");
    }
}

async fn a_connection_that_hangs_is_an_error_in_time_and_is_replaced(place: Place) {
    let (fresh, _database) = place.migrated().await;
    let (_, rest) = fresh.url.rsplit_once('@').unwrap();
    let (server, _) = rest.split_once('/').unwrap();
    let (freeze, frozen) = watch::channel(false);
    let address = proxy(server.parse().unwrap(), frozen).await;
    let url = fresh.url.replace(server, &address.to_string());
    let policy = DatabasePolicy::parse(&url)
        .unwrap()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_millis(500));
    let database = Database::open(&policy).await.unwrap();
    let sessions = sessions(&database);
    let key = SessionKey::random();
    sessions.create(&key, &record(1, NOW.plus_seconds(60))).await.unwrap();

    freeze.send(true).unwrap();
    let began = Instant::now();
    let error = sessions.load(&key, NOW).await.unwrap_err().to_string();
    assert!(error.contains("in time"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());

    freeze.send(false).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while sessions.load(&key, NOW).await.is_err() {
        assert!(Instant::now() < deadline, "the pool has got rid of what hangs");
    }
}

async fn the_server_gives_up_on_a_long_statement(place: Place) {
    let fresh = place.empty().await;
    let policy = DatabasePolicy::parse(&fresh.url).unwrap();
    let database =
        Database::open(&policy.statement_timeout(Duration::from_millis(200))).await.unwrap();
    let sleep = match place {
        Place::Postgres => "SELECT pg_sleep(60)",
        _ => {
            "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c"
        }
    };
    let began = Instant::now();
    let error = database.danger_connection().execute_unprepared(sleep).await.unwrap_err();
    assert_eq!(DbError::from(error).kind(), DbErrorKind::Timeout);
    assert!(began.elapsed() < Duration::from_secs(5));
}

async fn keys_and_states_are_compared_to_the_letter(place: Place) {
    let (_fresh, database) = place.migrated().await;
    let sessions = sessions(&database);
    let key = |text| SessionKey::parse(text).unwrap();
    let (lower, record) = (key("abcdefgh"), record(1, NOW.plus_seconds(60)));
    let Creation::Created(Version::Text(seen)) = sessions.create(&lower, &record).await.unwrap()
    else {
        panic!("there was none")
    };
    let version = Version::Text(seen.clone());
    for other in ["ABCDEFGH", "abcdefgH", "abcdefgh ", "ábcdefgh", "abcdefgh\0"] {
        assert_eq!(sessions.load(&key(other), NOW).await.unwrap(), None, "{other}");
        let updated = sessions.update(&key(other), &record, &version).await.unwrap();
        assert_eq!(updated, Update::Gone, "{other}");
        assert_eq!(sessions.delete(&key(other)).await.unwrap(), Deletion::Absent, "{other}");
    }
    for other in [seen.to_lowercase(), format!("{seen} ")] {
        let updated = sessions.update(&lower, &record, &Version::Text(other.into())).await;
        assert_eq!(updated.unwrap(), Update::Changed);
    }
    assert!(matches!(sessions.update(&lower, &record, &version).await, Ok(Update::Saved(_))));
}

async fn the_session_is_as_django_has_it(place: Place) {
    let (_fresh, database) = place.migrated().await;
    let (utc, isolation, too_long) = match place {
        Place::Postgres => (
            "DO $$ BEGIN ASSERT current_setting('TimeZone') = 'UTC'; END $$",
            "DO $$ BEGIN ASSERT current_setting('transaction_isolation') = 'read committed'; END $$",
            "INSERT INTO django_session VALUES (repeat('x', 41), '', now())",
        ),
        _ => (
            "BEGIN NOT ATOMIC IF @@time_zone <> '+00:00' THEN SIGNAL SQLSTATE '45000'; END IF; END",
            "BEGIN NOT ATOMIC IF @@tx_isolation <> 'READ-COMMITTED' THEN SIGNAL SQLSTATE '45000'; END IF; END",
            "INSERT INTO django_session VALUES (repeat('x', 41), '', now())",
        ),
    };
    run(&database, utc).await;
    run(&database, isolation).await;
    let refused = database.danger_connection().execute_unprepared(too_long).await;
    assert!(refused.is_err(), "nothing is cut silently");
}

async fn clearing_goes_in_batches_and_waits_for_nobody(place: Place) {
    let (fresh, database) = place.migrated().await;
    let sessions = sessions(&database);
    for seconds in 1..=10 {
        let record = record(1, NOW.plus_seconds(-seconds));
        sessions.create(&SessionKey::random(), &record).await.unwrap();
    }
    let live = SessionKey::random();
    sessions.create(&live, &record(1, NOW.plus_seconds(1))).await.unwrap();
    for expected in [4, 4, 2, 0] {
        assert_eq!(sessions.clear_expired(NOW, 4).await.unwrap(), expected);
    }
    assert!(sessions.load(&live, NOW).await.unwrap().is_some());
    if place == Place::Postgres {
        one_that_is_held_is_passed_over(&fresh, &sessions).await;
    }
}

async fn one_that_is_held_is_passed_over(fresh: &Fresh, sessions: &DjangoSessions) {
    use sea_orm::TransactionTrait;
    for _ in 0..2 {
        let record = record(1, NOW.plus_seconds(-1));
        sessions.create(&SessionKey::random(), &record).await.unwrap();
    }
    let other = fresh.open().await;
    let holder = other.danger_connection().begin().await.unwrap();
    let hold = "SELECT * FROM django_session ORDER BY expire_date LIMIT 1 FOR UPDATE";
    holder.execute_unprepared(hold).await.unwrap();
    assert_eq!(sessions.clear_expired(NOW, 10).await.unwrap(), 1);
    holder.rollback().await.unwrap();
    assert_eq!(sessions.clear_expired(NOW, 10).await.unwrap(), 1);
}

async fn of_many_writers_of_a_state_one_wins(place: Place) {
    let (_fresh, database) = place.migrated().await;
    let sessions = Arc::new(sessions(&database));
    let key = SessionKey::random();
    let end = NOW.plus_seconds(60);
    let Creation::Created(seen) = sessions.create(&key, &record(0, end)).await.unwrap() else {
        panic!("there was none")
    };
    let writers: Vec<_> = (1..=16)
        .map(|number| {
            let (sessions, key, seen) = (sessions.clone(), key.clone(), seen.clone());
            tokio::spawn(async move {
                sessions.update(&key, &record(number, end), &seen).await.unwrap()
            })
        })
        .collect();
    let mut saved = 0;
    for writer in writers {
        saved += usize::from(matches!(writer.await.unwrap(), Update::Saved(_)));
    }
    assert_eq!(saved, 1);
}
