//! Sessions in files: the contract, and what a folder can do to them.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::fs;

use donjon_core::clock::{Clock, UnixTime};
use donjon_core::secret::Keys;
use donjon_core::session::{
    Deletion, Lifetime, SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore, Update,
    Version, contract,
};
use donjon_db::{FileSessions, MAX_FILE};
use tempfile::TempDir;

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);
const LIFETIME: Lifetime = Lifetime::idle(1_000);

fn store(folder: &TempDir) -> FileSessions {
    let codec = SessionCodec::new(&Keys::new("a long random secret")).clock(Clock::fixed(NOW));
    FileSessions::new(folder.path(), "sessionid", codec, LIFETIME).unwrap()
}

fn record(json: &str, expires: UnixTime) -> SessionRecord {
    SessionRecord { data: SessionData::from_json(json.as_bytes()).unwrap(), expires }
}

fn files(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("sessionid")).collect()
}

#[tokio::test]
async fn the_files_keep_the_contract() {
    let folders = std::sync::Mutex::new(Vec::new());
    let fresh = async || {
        let folder = tempfile::tempdir().unwrap();
        let sessions = store(&folder);
        folders.lock().unwrap().push(folder);
        sessions
    };
    contract::check(fresh).await.unwrap();
}

#[tokio::test]
async fn rule_1_a_key_is_no_path() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = store(&folder);
    for text in ["../../../../etc/passwd", "abcdefgh/", "ABCDEFGH", "a\0bcdefgh", "........"] {
        let key = SessionKey::parse(text).unwrap();
        assert_eq!(sessions.load(&key, NOW).await.unwrap(), None, "{text}");
        assert!(sessions.create(&key, &record("{}", NOW)).await.is_err(), "{text}");
        let over = Version::Text("".into());
        let update = sessions.update(&key, &record("{}", NOW), &over).await.unwrap();
        assert_eq!(update, Update::Gone, "{text}");
        assert_eq!(sessions.delete(&key).await.unwrap(), Deletion::Absent, "{text}");
    }
    assert!(files(&folder).is_empty());
}

#[tokio::test]
async fn rule_2_a_session_ends_after_its_own_time_or_the_sites() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = store(&folder);
    let date = r#"{"_session_expiry":"2023-11-14T22:23:20+00:00"}"#;
    for (json, after) in [("{}", 1_000), (r#"{"_session_expiry":60}"#, 60), (date, 600)] {
        let (key, end) = (SessionKey::random(), NOW.plus_seconds(after));
        sessions.create(&key, &record(json, end)).await.unwrap();
        let stored = sessions.load(&key, NOW).await.unwrap().unwrap();
        assert_eq!(stored.record, record(json, end), "{json}");
        assert_eq!(sessions.load(&key, end).await.unwrap(), None, "{json}");
    }
}

#[tokio::test]
async fn rule_3_what_was_left_half_written_is_cleared_and_is_no_session() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = store(&folder);
    sessions.create(&SessionKey::random(), &record("{}", NOW)).await.unwrap();
    fs::write(folder.path().join("sessionidabcdefgh_out_x1"), "half").unwrap();
    fs::write(folder.path().join("sessionid.of.others"), "not ours").unwrap();
    fs::write(folder.path().join("other"), "not ours").unwrap();
    let far = UnixTime::from_seconds(10_000_000_000);
    assert_eq!(sessions.clear_expired(far, 100).await.unwrap(), 1);
    assert_eq!(files(&folder), ["sessionid.of.others"]);
}

#[cfg(unix)]
#[tokio::test]
async fn rule_4_nobody_else_reads_them() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let sessions = store(&folder);
    sessions.create(&SessionKey::random(), &record("{}", NOW)).await.unwrap();
    let file = folder.path().join(&files(&folder)[0]);
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn what_is_too_large_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = store(&folder);
    let key = SessionKey::parse("abcdefgh").unwrap();
    // What does not get smaller by compression.
    let text: String =
        (0..MAX_FILE / 16).map(|_| SessionKey::random().expose().to_owned()).collect();
    let large = record(&format!(r#"{{"a":"{text}"}}"#), NOW.plus_seconds(9));
    assert!(sessions.create(&key, &large).await.is_err());
    assert!(files(&folder).is_empty());
    fs::write(folder.path().join("sessionidabcdefgh"), "x".repeat(2 * MAX_FILE as usize)).unwrap();
    assert!(sessions.load(&key, NOW).await.is_err());
}

#[test]
fn a_folder_that_is_missing_is_an_error_at_start_up() {
    let codec = SessionCodec::new(&Keys::new("key"));
    let error = FileSessions::new("/nowhere/at/all", "sessionid", codec.clone(), LIFETIME);
    assert!(error.unwrap_err().to_string().contains("/nowhere/at/all"));
    assert!(FileSessions::new(std::env::temp_dir(), "../x", codec, LIFETIME).is_err());
}
