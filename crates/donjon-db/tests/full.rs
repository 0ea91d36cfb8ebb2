//! SQLite on a disk that is full.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests stop a test"
)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use donjon_core::clock::UnixTime;
use donjon_core::secret::Keys;
use donjon_core::session::{
    Creation, SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore, StoreError,
    Update, Version,
};
use donjon_db::{Database, DbError, DbErrorKind, DjangoSessions};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

/// The variable that names the small disk's folder.
const DISK: &str = "DONJON_FULL_DISK";

/// How large that disk is.
const SIZE: &str = "size=1m";

/// What is on it beside the database, until room is made, in bytes.
const BALLAST: usize = 256 * 1024;

fn record(number: u32) -> SessionRecord {
    let mut data = SessionData::default();
    data.insert("n", &number).unwrap();
    // Too irregular to be compressed away.
    let text: String =
        (0..2_000_u32).map(|at| at.wrapping_mul(0x9E37_79B9 + number).to_string()).collect();
    data.insert("text", &text).unwrap();
    SessionRecord { data, expires: NOW.plus_seconds(60) }
}

fn kind(error: &StoreError) -> DbErrorKind {
    error.source().and_then(|error| error.downcast_ref::<DbError>()).expect("of this crate").kind()
}

/// In a space of mounts of its own, so that nobody else sees the disk, and it goes with the process.
#[test]
fn a_full_disk_is_an_error_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o {SIZE} none \"${DISK}\" && exec \"$0\" \"$@\"");
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &mount]).arg(program);
    command.args(["--exact", "on_a_small_disk", "--ignored", "--nocapture"]);
    let output = command.env(DISK, folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}\nit needs root, or user namespaces, to mount a tmpfs",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the test above runs it on a small disk"]
async fn on_a_small_disk() {
    let disk = PathBuf::from(std::env::var_os(DISK).expect("the test above sets it"));
    let path = disk.join("site.sqlite3");
    let database = Database::sqlite(&path).await.unwrap();
    database.migrate().await.unwrap();
    let sessions = DjangoSessions::new(&database, SessionCodec::new(&Keys::new("a-key-for-tests")));
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![0; BALLAST]).unwrap();

    let written = until_it_is_full(&sessions).await;
    assert!(!written.is_empty(), "there was some room");
    for (key, seen) in &written {
        let error = sessions.update(key, &record(9), seen).await.unwrap_err();
        assert_eq!(kind(&error), DbErrorKind::Full, "{error}");
    }
    all_is_as_it_was(&path, &sessions, &written).await;

    std::fs::remove_file(&ballast).unwrap();
    let (key, seen) = &written[0];
    let updated = sessions.update(key, &record(1), seen).await.unwrap();
    assert!(matches!(updated, Update::Saved(_)), "there is room again");
    assert_eq!(sessions.load(key, NOW).await.unwrap().unwrap().record, record(1));
}

/// Creates sessions as long as it goes, and gives those that were acknowledged.
async fn until_it_is_full(sessions: &DjangoSessions) -> Vec<(SessionKey, Version)> {
    let mut written = Vec::new();
    loop {
        let key = SessionKey::random();
        match sessions.create(&key, &record(0)).await {
            Ok(Creation::Created(version)) => written.push((key, version)),
            Ok(Creation::KeyTaken) => panic!("a random key was taken"),
            Err(error) => {
                assert_eq!(kind(&error), DbErrorKind::Full, "{error}");
                assert!(sessions.load(&key, NOW).await.unwrap().is_none());
                return written;
            }
        }
    }
}

async fn all_is_as_it_was(
    path: &Path,
    sessions: &DjangoSessions,
    written: &[(SessionKey, Version)],
) {
    for (key, _) in written {
        let stored = sessions.load(key, NOW).await.unwrap().expect("it was acknowledged");
        assert_eq!(stored.record, record(0));
    }
    let url = format!("sqlite://{}", path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let integrity = sqlx::query_scalar("PRAGMA integrity_check");
    let integrity: Vec<String> = integrity.fetch_all(&mut connection).await.unwrap();
    assert_eq!(integrity, ["ok"]);
}
