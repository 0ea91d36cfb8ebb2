//! Opening, migrating, and what goes wrong on the way.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests stop a test"
)]

mod place;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use donjon_core::clock::UnixTime;
use donjon_core::secret::Keys;
use donjon_core::session::{SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore};
use donjon_db::{BUSY_TIMEOUT, Database, DbErrorKind, DjangoSessions};
use place::sessions::{load, update};
use sea_orm::ConnectionTrait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};
use tempfile::TempDir;

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.sqlite3");
    (folder, path)
}

async fn kind_of_opening(path: &Path) -> DbErrorKind {
    let error = Database::sqlite(path).await.unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    error.kind()
}

async fn another_process(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn texts(connection: &mut SqliteConnection, sql: &'static str) -> Vec<String> {
    let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_missing_file_is_made_for_its_owner_alone_and_in_wal_mode() {
    let (_folder, path) = file();
    let database = Database::sqlite(&path).await.unwrap();
    database.migrate().await.unwrap();
    let mut other = another_process(&path).await;
    assert_eq!(texts(&mut other, "PRAGMA journal_mode").await, ["wal"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(database);
    Database::sqlite(&path).await.expect("a file that exists is opened");
}

#[tokio::test]
async fn foreign_keys_are_enforced() {
    let (_folder, path) = file();
    let database = Database::sqlite(&path).await.unwrap();
    database.migrate().await.unwrap();
    let sql = "INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1)";
    assert!(database.danger_connection().execute_unprepared(sql).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_opened_is_told_apart() {
    let (folder, path) = file();
    let missing = folder.path().join("missing").join("site.sqlite3");
    assert_eq!(kind_of_opening(&missing).await, DbErrorKind::FolderMissing);
    assert_eq!(kind_of_opening(folder.path()).await, DbErrorKind::NotADatabase);
    std::fs::write(&path, "This is a letter and no database. ".repeat(100)).unwrap();
    assert_eq!(kind_of_opening(&path).await, DbErrorKind::NotADatabase);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("This is a letter"));
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_refused_at_once() {
    let (_folder, path) = file();
    drop(Database::sqlite(&path).await.unwrap());
    let mut permissions = path.metadata().unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    assert_eq!(kind_of_opening(&path).await, DbErrorKind::NotWritable);
}

#[tokio::test]
async fn a_locked_database_is_an_error_in_bounded_time() {
    let (_folder, path) = file();
    let database = Database::sqlite(&path).await.unwrap();
    database.migrate().await.unwrap();
    let sessions = DjangoSessions::new(&database, SessionCodec::new(&Keys::new("a-key-for-tests")));
    let key = SessionKey::random();
    let expires = UnixTime::from_seconds(2_000_000_000);
    let record = SessionRecord { data: SessionData::default(), expires };
    sessions.create(&key, &record).await.unwrap();

    let mut other = another_process(&path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let began = Instant::now();
    let error = update(&sessions, &key, &record).await.unwrap_err().to_string();
    assert!(error.contains("locked"), "{error}");
    assert!(began.elapsed() < BUSY_TIMEOUT * 4);
    let loaded = load(&sessions, &key, UnixTime::from_seconds(0)).await.unwrap();
    assert_eq!(loaded, Some(record.clone()), "readers go on");

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    update(&sessions, &key, &record).await.expect("the lock is gone, and so is the error");
}

#[tokio::test]
async fn a_database_that_is_locked_while_it_is_opened_says_so() {
    let (_folder, path) = file();
    let mut other = another_process(&path).await;
    for sql in ["CREATE TABLE t (x)", "BEGIN EXCLUSIVE"] {
        sqlx::query(sql).execute(&mut other).await.unwrap();
    }
    assert_eq!(kind_of_opening(&path).await, DbErrorKind::Locked);
}

#[tokio::test]
async fn migrating_twice_does_nothing_the_second_time() {
    let database = Database::sqlite_in_memory().await.unwrap();
    let applied = database.migrate().await.unwrap();
    assert_eq!(applied.len(), 15);
    assert_eq!(applied[2].to_string(), "auth.0001_initial");
    assert_eq!(database.migrate().await.unwrap(), []);
}

#[tokio::test]
async fn what_django_notes_after_migrating_is_noted() {
    let (_folder, path) = file();
    Database::sqlite(&path).await.unwrap().migrate().await.unwrap();
    let mut other = another_process(&path).await;
    let types = "SELECT app_label || '.' || model FROM django_content_type ORDER BY 1";
    assert_eq!(
        texts(&mut other, types).await,
        [
            "auth.group",
            "auth.permission",
            "auth.user",
            "contenttypes.contenttype",
            "sessions.session"
        ]
    );
    let permissions = "SELECT app_label || '.' || codename || ': ' || name FROM auth_permission JOIN django_content_type t ON t.id = content_type_id";
    let permissions = BTreeSet::from_iter(texts(&mut other, permissions).await);
    assert_eq!(permissions.len(), 20);
    assert!(permissions.contains("contenttypes.view_contenttype: Can view content type"));
    assert!(permissions.contains("auth.delete_user: Can delete user"));
}

#[tokio::test]
async fn an_application_that_is_missing_is_added_to_those_of_django() {
    let (_folder, path) = file();
    let database = Database::sqlite(&path).await.unwrap();
    database.migrate().await.unwrap();
    for sql in [
        "DROP TABLE django_session",
        "DELETE FROM django_migrations WHERE app = 'sessions'",
        "DELETE FROM auth_permission WHERE codename LIKE '%_session'",
        "DELETE FROM django_content_type WHERE model = 'session'",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0001_initial', '2025-01-01 00:00:00')",
    ] {
        database.danger_connection().execute_unprepared(sql).await.unwrap();
    }
    let applied = database.migrate().await.unwrap();
    assert_eq!(
        applied.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["sessions.0001_initial"]
    );
    let mut other = another_process(&path).await;
    assert_eq!(texts(&mut other, "SELECT codename FROM auth_permission").await.len(), 20);
    assert_eq!(database.migrate().await.unwrap(), []);
}

#[tokio::test]
async fn what_is_only_half_there_is_refused_and_left_as_it_was() {
    for (spoil, named) in [
        ("DELETE FROM django_migrations WHERE app = 'auth'", "auth_user"),
        ("DROP TABLE django_migrations", "django_content_type"),
        (
            "DELETE FROM django_migrations WHERE name LIKE '0012%'",
            "0012_alter_user_first_name_max_length",
        ),
        ("DROP TABLE django_session", "django_session"),
    ] {
        let (_folder, path) = file();
        let database = Database::sqlite(&path).await.unwrap();
        database.migrate().await.unwrap();
        database.danger_connection().execute_unprepared(spoil).await.unwrap();
        let mut other = another_process(&path).await;
        let all = "SELECT name FROM sqlite_master ORDER BY 1";
        let before = texts(&mut other, all).await;
        let error = database.migrate().await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::Schema, "{spoil}");
        assert!(error.to_string().contains(named), "{spoil}: {error}");
        assert_eq!(texts(&mut other, all).await, before, "{spoil}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_migrate_at_once_one_does() {
    let (_folder, path) = file();
    let database = Database::sqlite(&path).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.migrate().await.unwrap().len() })
        })
        .collect();
    let mut applied = 0;
    for task in tasks {
        applied += task.await.unwrap();
    }
    assert_eq!(applied, 15);
}
