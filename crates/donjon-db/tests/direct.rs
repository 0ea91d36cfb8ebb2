//! SQLite in place: what another process commits is seen at once, what it locks is waited for, and
//! nothing is lost or left behind.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests stop a test"
)]

use std::error::Error;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use donjon_core::clock::UnixTime;
use donjon_core::secret::Keys;
use donjon_core::session::{
    SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore, StoreError, Update,
    contract,
};
use donjon_db::{BUSY_TIMEOUT, Database, DbError, DbErrorKind, DjangoSessions};
use tempfile::TempDir;

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

fn sessions(database: &Database) -> DjangoSessions {
    DjangoSessions::new(database, SessionCodec::new(&Keys::new("a-key-for-tests")))
}

async fn file() -> (TempDir, PathBuf, Database) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.sqlite3");
    let database = Database::sqlite(&path).await.unwrap();
    database.migrate().await.unwrap();
    (folder, path, database)
}

fn record(number: u32) -> SessionRecord {
    let mut data = SessionData::default();
    data.insert("n", &number).unwrap();
    SessionRecord { data, expires: NOW.plus_seconds(60) }
}

fn kind(error: &StoreError) -> DbErrorKind {
    error.source().and_then(|error| error.downcast_ref::<DbError>()).expect("of this crate").kind()
}

async fn number(sessions: &DjangoSessions, key: &SessionKey) -> Option<u32> {
    let stored = sessions.load(key, NOW).await.unwrap()?;
    stored.record.data.value("n").unwrap()
}

/// Python's SQLite, in a process of its own: says `done` after each line of SQL.
struct Another {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Another {
    fn on(path: &Path) -> Self {
        let python = std::env::var_os("DONJON_DJANGO_PYTHON")
            .expect("DONJON_DJANGO_PYTHON is not set: run cargo xtask test");
        let script = "import sqlite3, sys\n\
                      database = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                      for line in sys.stdin:\n    database.execute(line)\n    print('done', flush=True)";
        let mut command = Command::new(python);
        command.arg("-c").arg(script).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, input, output }
    }

    fn run(&mut self, sql: &str) {
        writeln!(self.input, "{sql}").unwrap();
        assert_eq!(self.output.next().unwrap().unwrap(), "done");
    }
}

impl Drop for Another {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_memory_where_there_is_no_other_way_the_contract_is_kept_too() {
    let fresh = async || {
        let database = Database::sqlite_in_memory().await.unwrap();
        database.migrate().await.unwrap();
        sessions(&database)
    };
    contract::check(fresh).await.unwrap();
}

#[tokio::test]
async fn rule_3_what_another_process_commits_is_seen_at_once() {
    let (_folder, path, database) = file().await;
    let sessions = sessions(&database);
    let (key, other) = (SessionKey::random(), SessionKey::random());
    sessions.create(&key, &record(0)).await.unwrap();
    let mut another = Another::on(&path);
    let copy = format!(
        "INSERT INTO django_session SELECT '{}', session_data, expire_date FROM django_session WHERE session_key = '{}'",
        other.expose(),
        key.expose()
    );
    let remove = format!("DELETE FROM django_session WHERE session_key = '{}'", other.expose());
    for _ in 0..50 {
        another.run(&copy);
        assert_eq!(number(&sessions, &other).await, Some(0));
        another.run("BEGIN IMMEDIATE");
        another.run(&remove);
        assert_eq!(number(&sessions, &other).await, Some(0), "it is not committed");
        another.run("COMMIT");
        assert_eq!(number(&sessions, &other).await, None);
    }
}

#[tokio::test]
async fn a_lock_of_another_process_is_waited_for_and_readers_go_on() {
    let (_folder, path, database) = file().await;
    let sessions = Arc::new(sessions(&database));
    let key = SessionKey::random();
    sessions.create(&key, &record(0)).await.unwrap();
    let mut another = Another::on(&path);
    another.run("BEGIN IMMEDIATE");
    let (seen, new) = (sessions.load(&key, NOW).await.unwrap().unwrap().version, record(1));
    let mut waiting = Box::pin(sessions.update(&key, &new, &seen));
    for _ in 0..1_000 {
        tokio::select! {
            biased;
            said = &mut waiting => panic!("the lock is held: {said:?}"),
            read = number(&sessions, &key) => assert_eq!(read, Some(0)),
        }
    }
    another.run("ROLLBACK");
    assert!(matches!(waiting.await.unwrap(), Update::Saved(_)));
    assert_eq!(number(&sessions, &key).await, Some(1));
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_is_an_error_and_then_over() {
    let (_folder, path, database) = file().await;
    let sessions = sessions(&database);
    let mut another = Another::on(&path);
    another.run("BEGIN IMMEDIATE");
    let (key, new, began) = (SessionKey::random(), record(0), Instant::now());
    let error = sessions.create(&key, &new).await.unwrap_err();
    assert_eq!(kind(&error), DbErrorKind::Locked, "{error}");
    let waited = began.elapsed();
    assert!(BUSY_TIMEOUT - Duration::from_secs(1) < waited && waited < BUSY_TIMEOUT * 2);
    assert_eq!(number(&sessions, &key).await, None);
    another.run("ROLLBACK");
    sessions.create(&key, &record(1)).await.unwrap();
    assert_eq!(number(&sessions, &key).await, Some(1));
}

/// How many tasks count, and how far each.
const COUNTERS: u32 = 8;
const STEPS: u32 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_read_and_write_on_two_nodes_no_update_is_lost() {
    let (_folder, path, database) = file().await;
    let nodes = [database, Database::sqlite(&path).await.unwrap()];
    let key = SessionKey::random();
    sessions(&nodes[0]).create(&key, &record(0)).await.unwrap();
    let counters: Vec<_> = (0..COUNTERS)
        .map(|number| sessions(&nodes[number as usize % 2]))
        .map(|sessions| tokio::spawn(count(sessions, key.clone())))
        .collect();
    for counter in counters {
        counter.await.unwrap();
    }
    assert_eq!(number(&sessions(&nodes[1]), &key).await, Some(COUNTERS * STEPS));
}

async fn count(sessions: DjangoSessions, key: SessionKey) {
    let mut steps = 0;
    while steps < STEPS {
        let stored = sessions.load(&key, NOW).await.unwrap().unwrap();
        let next = stored.record.data.value::<u32>("n").unwrap().unwrap() + 1;
        let saved = sessions.update(&key, &record(next), &stored.version).await.unwrap();
        steps += u32::from(matches!(saved, Update::Saved(_)));
    }
}

/// The files below this folder that this process holds open.
#[cfg(target_os = "linux")]
fn held(folder: &Path) -> usize {
    let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    files
        .filter_map(|file| file.path().read_link().ok())
        .filter(|to| to.starts_with(folder))
        .count()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_last_clone_goes_every_connection_and_the_writing_thread_do() {
    let (folder, _path, database) = file().await;
    let sessions = sessions(&database);
    let key = SessionKey::random();
    sessions.create(&key, &record(0)).await.unwrap();
    drop(database);
    assert_eq!(number(&sessions, &key).await, Some(0));
    assert!(held(folder.path()) > 0, "a clone is still there");
    drop(sessions);
    let deadline = Instant::now() + Duration::from_secs(10);
    while held(folder.path()) > 0 {
        assert!(Instant::now() < deadline, "{} files are held", held(folder.path()));
        tokio::task::yield_now().await;
    }
    folder.close().unwrap();
}
