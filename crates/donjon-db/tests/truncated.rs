//! A file that is cut short under a running site, as `cp` does with a live database that it writes a
//! backup over, is an error of each request and never the end of the process.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::fs::OpenOptions;

use donjon_core::account::AccountStore;
use donjon_core::clock::UnixTime;
use donjon_core::secret::Keys;
use donjon_core::session::{SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore};
use donjon_db::{Database, DjangoAccounts, DjangoSessions};

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

/// Enough rows for a table of many pages, most of which no reader has seen yet.
const ROWS: usize = 2_000;

#[tokio::test]
async fn a_file_cut_short_is_an_error_and_the_process_lives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.sqlite3");
    let database = Database::sqlite(&path).await.unwrap();
    database.migrate().await.unwrap();
    let sessions = DjangoSessions::new(&database, SessionCodec::new(&Keys::new("a-key-for-tests")));
    let mut data = SessionData::default();
    data.insert("text", &"x".repeat(300)).unwrap();
    let record = SessionRecord { data, expires: NOW.plus_seconds(60) };
    let keys: Vec<_> = (0..ROWS).map(|_| SessionKey::random()).collect();
    for key in &keys {
        sessions.create(key, &record).await.unwrap();
    }
    checkpoint(&path);
    assert!(sessions.load(&keys[0], NOW).await.unwrap().is_some());

    OpenOptions::new().write(true).open(&path).unwrap().set_len(4_096).unwrap();
    for key in &keys {
        // What a reader still has in memory it may answer with; it may not say that there is no row.
        assert!(!matches!(sessions.load(key, NOW).await, Ok(None)));
    }
    DjangoAccounts::new(&database).by_id(1).await.unwrap_err();
}

/// Puts into the file what is still beside it, so that readers need the file itself.
fn checkpoint(path: &std::path::Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}
