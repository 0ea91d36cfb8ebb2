//! A process that is killed while it writes sessions to SQLite.

#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests stop a test"
)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use donjon_core::clock::UnixTime;
use donjon_core::secret::Keys;
use donjon_core::session::{
    Creation, SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore, Update,
};
use donjon_db::{Database, DjangoSessions};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

/// How often the process is killed.
const ROUNDS: usize = 200;

/// How many tasks write at once.
const WRITERS: usize = 6;

/// The variable that names the file to the process that is killed.
const FILE: &str = "DONJON_KILLED_FILE";

/// What the process says after each write that the store has acknowledged, before key and number.
const WROTE: &str = "wrote ";

async fn open(path: impl AsRef<Path>) -> DjangoSessions {
    let database = Database::sqlite(path).await.unwrap();
    database.migrate().await.unwrap();
    DjangoSessions::new(&database, SessionCodec::new(&Keys::new("a-key-for-tests")))
}

/// A state of a session, which its text fills over some pages.
fn record(number: u32) -> SessionRecord {
    let mut data = SessionData::default();
    data.insert("n", &number).unwrap();
    // Too irregular to be compressed away.
    let text: String =
        (0..number * 400).map(|at| at.wrapping_mul(0x9E37_79B9 + number).to_string()).collect();
    data.insert("text", &text).unwrap();
    SessionRecord { data, expires: NOW.plus_seconds(60) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is the process that the test below kills"]
async fn writes_until_it_is_killed() {
    let sessions = open(std::env::var_os(FILE).expect("the test below sets it")).await;
    let writers: Vec<_> = (0..WRITERS).map(|_| tokio::spawn(write(sessions.clone()))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn write(sessions: DjangoSessions) {
    loop {
        let key = SessionKey::random();
        let Creation::Created(mut seen) = sessions.create(&key, &record(0)).await.unwrap() else {
            panic!("a random key was taken")
        };
        println!("{WROTE}{} 0", key.expose());
        for number in 1..4 {
            match sessions.update(&key, &record(number), &seen).await.unwrap() {
                Update::Saved(version) => seen = version,
                other => panic!("nobody else writes here: {other:?}"),
            }
            println!("{WROTE}{} {number}", key.expose());
        }
    }
}

#[tokio::test]
async fn a_process_killed_while_it_writes_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.sqlite3");
    let sessions = open(&path).await;
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let written = killed_after(&path, round * 7 % 41);
        acknowledged += written.len();
        for (key, number) in written {
            let key = SessionKey::parse(&key).unwrap();
            let stored = sessions.load(&key, NOW).await.unwrap().expect("it was acknowledged");
            let found: u32 = stored.record.data.value("n").unwrap().expect("it is whole");
            // What was begun and not acknowledged may be there too.
            assert!((number..=number + 1).contains(&found), "{found} instead of {number}");
            assert_eq!(stored.record, record(found));
        }
    }
    assert!(acknowledged > ROUNDS * 2, "{acknowledged}");
    nothing_is_broken(&path, &sessions, acknowledged).await;
}

/// Has a process write, kills it after so many lines, and gives what it acknowledged until then: the
/// last number of each key.
fn killed_after(path: &Path, lines: usize) -> HashMap<String, u32> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "writes_until_it_is_killed", "--ignored", "--nocapture"]);
    command.env(FILE, path).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap()).split(b'\n');
    let said: Vec<_> = output.by_ref().take(lines).collect();
    process.kill().unwrap();
    let said = said.into_iter().chain(output);
    let written =
        said.filter_map(|line| acknowledgement(&String::from_utf8(line.unwrap()).unwrap()));
    let written = written.collect();
    process.wait().unwrap();
    written
}

/// A whole line has a number of one digit.
fn acknowledgement(line: &str) -> Option<(String, u32)> {
    let (_, said) = line.split_once(WROTE)?;
    let (key, number) = said.split_once(' ')?;
    Some((key.to_owned(), number.parse().ok()?))
}

async fn nothing_is_broken(path: &Path, sessions: &DjangoSessions, at_least: usize) {
    let url = format!("sqlite://{}", path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let integrity = sqlx::query_scalar("PRAGMA integrity_check");
    let integrity: Vec<String> = integrity.fetch_all(&mut connection).await.unwrap();
    assert_eq!(integrity, ["ok"]);
    let keys = sqlx::query_scalar("SELECT session_key FROM django_session");
    let keys: Vec<String> = keys.fetch_all(&mut connection).await.unwrap();
    assert!(keys.len() >= at_least, "{}", keys.len());
    for key in keys {
        let stored = sessions.load(&SessionKey::parse(&key).unwrap(), NOW).await.unwrap().unwrap();
        let number: u32 = stored.record.data.value("n").unwrap().expect("it is whole");
        assert_eq!(stored.record, record(number));
    }
}
