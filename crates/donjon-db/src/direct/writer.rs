//! Writing, in place or by one thread for all.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params, params_from_iter};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::{BUSY_TIMEOUT, DbError, DbErrorKind};

/// How many writes go into one transaction.
pub(super) const MAX_BATCH: usize = 64;

/// How many writes wait for their turn.
pub(super) const MAX_WAITING: usize = 4_096;

/// How long a write waits for its turn and its end.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(6);

/// After how many transactions what is in the log moves to the database.
pub(super) const CHECKPOINT_AFTER: usize = 512;

/// How many cleared rows put as much into the log as one transaction: what moves at once takes not much longer.
const CLEARED_PER_COMMIT: usize = 16;

/// Moves what no reader needs to be in the log.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// A write to the table of sessions.
#[derive(Clone)]
pub(crate) enum Write {
    /// A new row, unless its key is taken.
    Create { key: String, data: String, expires: String },
    /// Other values in the row, and another end if one is said, if it still has the values that the writer saw.
    Update { key: String, data: String, expires: Option<String>, seen: String },
    /// No row.
    Delete { key: String },
    /// None of the rows that ended before a moment, as far as the limit goes.
    Clear { before: String, limit: usize },
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is done.
    Done,
    /// There is a row, and it is not the one that the writer had in mind.
    Another,
    /// There is no row.
    None,
    /// So many rows are gone.
    Cleared(usize),
}

impl Outcome {
    /// How many rows are gone, if that was asked.
    pub(super) fn cleared(self) -> usize {
        match self {
            Self::Cleared(count) => count,
            Self::Done | Self::Another | Self::None => 0,
        }
    }
}

/// A write and who waits for it.
struct Order {
    write: Write,
    answer: oneshot::Sender<Result<Outcome, DbError>>,
}

/// Writes in place, or hands the write to the thread, which ends when this is dropped.
pub(super) struct Writer {
    desk: Arc<Desk>,
    orders: SyncSender<Order>,
}

impl Writer {
    pub(super) fn start(path: &Path) -> Result<Self, DbError> {
        let desk = Arc::new(Desk::open(path).map_err(|error| DbError::from_sqlite(&error))?);
        let (orders, ordered) = sync_channel(MAX_WAITING);
        let working = Arc::clone(&desk);
        thread::Builder::new()
            .name("donjon-sqlite".to_owned())
            .spawn(move || working.work(&ordered))
            .map_err(|error| DbError::no_thread(&error))?;
        Ok(Self { desk, orders })
    }

    pub(super) async fn write(&self, write: Write) -> Result<Outcome, DbError> {
        match self.desk.write_at_once(&write) {
            Some(outcome) => outcome,
            None => self.order(write).await,
        }
    }

    /// Asks the connection that writes, if it is free; `None` if it is not, or does not answer at once.
    pub(super) fn read_at_once<T>(
        &self,
        question: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Option<T> {
        let connection = self.desk.connection.try_lock().ok()?;
        connection.busy_timeout(Duration::ZERO).ok()?;
        question(&connection).ok()
    }

    /// Has the thread write, together with what others write: for what takes long.
    pub(super) async fn order(&self, write: Write) -> Result<Outcome, DbError> {
        let (answer, answered) = oneshot::channel();
        self.desk.waiting.fetch_add(1, Ordering::Relaxed);
        match self.orders.try_send(Order { write, answer }) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.desk.waiting.fetch_sub(1, Ordering::Relaxed);
                return Err(DbError::overloaded());
            }
        }
        match timeout(MAX_WAIT, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(DbError::overloaded()),
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

/// Where all write: at one connection, one at a time.
struct Desk {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// How many wait for the thread.
    waiting: AtomicUsize,
    /// How many transactions the log has taken since the last checkpoint.
    commits: AtomicUsize,
}

impl Desk {
    fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Mutex::new(open(path)?);
        let (waiting, commits) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Ok(Self { path: path.to_owned(), connection, waiting, commits })
    }

    /// Writes, if nobody has to be waited for; `None` if it is the thread's turn.
    fn write_at_once(&self, write: &Write) -> Option<Result<Outcome, DbError>> {
        let is_full = self.commits.load(Ordering::Relaxed) >= CHECKPOINT_AFTER;
        if is_full || self.waiting.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let connection = self.connection.try_lock().ok()?;
        connection.busy_timeout(Duration::ZERO).ok()?;
        // One statement that writes is a transaction that begins as one.
        match act(&connection, write) {
            Ok(outcome) => {
                self.commits.fetch_add(1, Ordering::Relaxed);
                Some(Ok(outcome))
            }
            Err(error) => match DbError::from_sqlite(&error) {
                locked if locked.kind() == DbErrorKind::Locked => None,
                error => Some(Err(error)),
            },
        }
    }

    /// Writes what is ordered until nobody can order any more.
    fn work(&self, orders: &Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            let more = std::iter::from_fn(|| orders.try_recv().ok());
            let taken: Vec<_> = std::iter::once(first).chain(more.take(MAX_BATCH - 1)).collect();
            let count = taken.len();
            let waits = |order: &Order| !order.answer.is_closed();
            let batch: Vec<_> = taken.into_iter().filter(waits).collect();
            let outcomes = self.write_all(&batch);
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            answer(batch, outcomes);
        }
    }

    fn write_all(&self, batch: &[Order]) -> rusqlite::Result<Vec<Outcome>> {
        let mut connection = self.connection.lock().or_else(|poisoned| {
            // The connection of somebody who panicked is made anew.
            let mut connection = poisoned.into_inner();
            *connection = open(&self.path)?;
            self.connection.clear_poison();
            Ok::<_, rusqlite::Error>(connection)
        })?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        if self.commits.fetch_add(1, Ordering::Relaxed) >= CHECKPOINT_AFTER {
            self.commits.store(0, Ordering::Relaxed);
            // What can't be moved to the database now stays in the log until the next time.
            let _ = connection.query_row(CHECKPOINT, [], |_| Ok(()));
        }
        let outcomes = written(&mut connection, batch)?;
        let cleared: usize = outcomes.iter().map(|outcome| outcome.cleared()).sum();
        self.commits.fetch_add(cleared / CLEARED_PER_COMMIT, Ordering::Relaxed);
        Ok(outcomes)
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    Ok(connection)
}

/// Tells everybody of the batch.
fn answer(batch: Vec<Order>, outcomes: rusqlite::Result<Vec<Outcome>>) {
    match outcomes {
        Ok(outcomes) => {
            for (order, outcome) in batch.into_iter().zip(outcomes) {
                // Who has gone meanwhile wants no answer.
                let _ = order.answer.send(Ok(outcome));
            }
        }
        Err(error) => {
            for order in batch {
                let _ = order.answer.send(Err(DbError::from_sqlite(&error)));
            }
        }
    }
}

fn written(connection: &mut Connection, batch: &[Order]) -> rusqlite::Result<Vec<Outcome>> {
    // A transaction that begins by reading could not write after another process has written.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let outcomes = batch
        .iter()
        .map(|order| act(&transaction, &order.write))
        .collect::<rusqlite::Result<Vec<_>>>()?;
    transaction.commit()?;
    Ok(outcomes)
}

fn act(connection: &Connection, write: &Write) -> rusqlite::Result<Outcome> {
    match write {
        Write::Create { key, data, expires } => {
            let insert = "INSERT INTO django_session (session_key, session_data, expire_date) \
                          VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            let count = connection.prepare_cached(insert)?.execute(params![key, data, expires])?;
            Ok(if count == 0 { Outcome::Another } else { Outcome::Done })
        }
        Write::Update { key, data, expires, seen } => {
            // An index of the column is written to as soon as the column is named, whatever its value.
            let update = match expires {
                Some(_) => {
                    "UPDATE django_session SET session_data = ?2, expire_date = ?4 \
                     WHERE session_key = ?1 AND session_data = ?3"
                }
                None => {
                    "UPDATE django_session SET session_data = ?2 \
                     WHERE session_key = ?1 AND session_data = ?3"
                }
            };
            let values = params_from_iter([key, data, seen].into_iter().chain(expires));
            let count = connection.prepare_cached(update)?.execute(values)?;
            if count > 0 {
                return Ok(Outcome::Done);
            }
            let there = "SELECT 1 FROM django_session WHERE session_key = ?1";
            let there = connection.prepare_cached(there)?.exists([key])?;
            Ok(if there { Outcome::Another } else { Outcome::None })
        }
        Write::Delete { key } => {
            let delete = "DELETE FROM django_session WHERE session_key = ?1";
            let count = connection.prepare_cached(delete)?.execute([key])?;
            Ok(if count == 0 { Outcome::None } else { Outcome::Done })
        }
        Write::Clear { before, limit } => {
            let clear = "DELETE FROM django_session WHERE session_key IN \
                         (SELECT session_key FROM django_session WHERE expire_date < ?1 LIMIT ?2)";
            let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
            Ok(Outcome::Cleared(connection.prepare_cached(clear)?.execute(params![before, limit])?))
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const TABLE: &str = "CREATE TABLE django_session (\
                         session_key TEXT NOT NULL PRIMARY KEY, session_data TEXT NOT NULL, \
                         expire_date TEXT NOT NULL)";

    type Answer = oneshot::Receiver<Result<Outcome, DbError>>;

    fn table() -> (TempDir, Desk) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.sqlite3");
        let other = Connection::open(&path).unwrap();
        other.pragma_update(None, "journal_mode", "WAL").unwrap();
        other.execute(TABLE, []).unwrap();
        (folder, Desk::open(&path).unwrap())
    }

    fn other(folder: &TempDir) -> Connection {
        Connection::open(folder.path().join("site.sqlite3")).unwrap()
    }

    fn count(connection: &Connection) -> u32 {
        connection.query_row("SELECT count(*) FROM django_session", [], |row| row.get(0)).unwrap()
    }

    fn create(key: &str, data: &str) -> Write {
        Write::Create { key: key.into(), data: data.into(), expires: "2031-05-06 07:08:09".into() }
    }

    fn update(key: &str, data: &str, seen: &str) -> Write {
        let expires = Some("2031-05-06 07:08:09".into());
        Write::Update { key: key.into(), data: data.into(), expires, seen: seen.into() }
    }

    fn order(orders: &SyncSender<Order>, write: Write) -> Answer {
        let (answer, answered) = oneshot::channel();
        assert!(orders.try_send(Order { write, answer }).is_ok());
        answered
    }

    /// Does all that was ordered, in one batch, as the thread does.
    fn done(desk: &Desk, (sender, orders): (SyncSender<Order>, Receiver<Order>)) {
        drop(sender);
        desk.waiting.store(usize::MAX, Ordering::Relaxed);
        desk.work(&orders);
    }

    fn outcome(mut answer: Answer) -> Result<Outcome, DbErrorKind> {
        answer.try_recv().unwrap().map_err(|error| error.kind())
    }

    #[test]
    fn rule_4_a_batch_is_done_in_order() {
        let (_folder, desk) = table();
        let channel = sync_channel(MAX_WAITING);
        let answers = [
            (create("a", "1"), Outcome::Done),
            (create("a", "2"), Outcome::Another),
            (update("a", "3", "2"), Outcome::Another),
            (update("a", "3", "1"), Outcome::Done),
            (update("a", "4", "3"), Outcome::Done),
            (Write::Delete { key: "a".into() }, Outcome::Done),
            (update("a", "5", "4"), Outcome::None),
            (Write::Delete { key: "a".into() }, Outcome::None),
        ]
        .map(|(write, expected)| (order(&channel.0, write), expected));
        done(&desk, channel);
        for (answer, expected) in answers {
            assert_eq!(outcome(answer), Ok(expected));
        }
    }

    #[test]
    fn rule_4_who_has_gone_before_the_turn_came_has_written_nothing() {
        let (folder, desk) = table();
        let channel = sync_channel(MAX_WAITING);
        let stays = order(&channel.0, create("stays", ""));
        drop(order(&channel.0, create("gone", "")));
        done(&desk, channel);
        assert_eq!(outcome(stays), Ok(Outcome::Done));
        let rows = other(&folder);
        let keys = "SELECT group_concat(session_key) FROM django_session";
        let keys: String = rows.query_row(keys, [], |row| row.get(0)).unwrap();
        assert_eq!(keys, "stays");
    }

    #[test]
    fn rule_4_if_one_fails_everybody_hears_it_and_nothing_is_written() {
        let (folder, desk) = table();
        let trigger = "CREATE TRIGGER no BEFORE INSERT ON django_session WHEN NEW.session_key = 'b' \
                       BEGIN SELECT RAISE(FAIL, 'no'); END";
        let other = other(&folder);
        other.execute(trigger, []).unwrap();
        let channel = sync_channel(MAX_WAITING);
        let answers = ["a", "b", "c"].map(|key| order(&channel.0, create(key, "")));
        done(&desk, channel);
        for answer in answers {
            assert_eq!(outcome(answer), Err(DbErrorKind::Other));
        }
        assert_eq!(count(&other), 0);
    }

    #[tokio::test]
    async fn rule_6_what_has_ended_is_cleared_by_the_thread_as_far_as_the_limit_goes() {
        let (folder, _) = table();
        let writer = Writer::start(&folder.path().join("site.sqlite3")).unwrap();
        for key in ["a", "b", "c"] {
            writer.write(create(key, "")).await.unwrap();
        }
        let clear = async |before: &str| {
            writer.order(Write::Clear { before: before.into(), limit: 2 }).await.unwrap()
        };
        let their_end = "2031-05-06 07:08:09";
        assert_eq!(clear(their_end).await, Outcome::Cleared(0), "they end now, and have not ended");
        let later = "2031-05-06 07:08:10";
        assert_eq!(clear(later).await, Outcome::Cleared(2));
        assert_eq!(count(&other(&folder)), 1);
        assert_eq!(clear(later).await, Outcome::Cleared(1));
        assert_eq!(clear(later).await, Outcome::Cleared(0));
    }

    #[test]
    fn rule_4_more_than_a_batch_is_several() {
        let (_folder, desk) = table();
        let channel = sync_channel(MAX_WAITING);
        let answers: Vec<_> = (0..MAX_BATCH * 2 + 1)
            .map(|number| order(&channel.0, create(&number.to_string(), "")))
            .collect();
        done(&desk, channel);
        assert!(answers.into_iter().all(|answer| outcome(answer) == Ok(Outcome::Done)));
    }

    #[tokio::test]
    async fn rule_5_who_finds_the_queue_full_or_nobody_at_work_is_told_at_once() {
        let (_folder, desk) = table();
        let (sender, orders) = sync_channel(1);
        let writer = Writer { desk: Arc::new(desk), orders: sender };
        writer.desk.waiting.store(1, Ordering::Relaxed);
        let waiting = order(&writer.orders, create("a", ""));
        let kind = async || writer.write(create("b", "")).await.unwrap_err().kind();
        assert_eq!(kind().await, DbErrorKind::Timeout);
        drop((waiting, orders));
        assert_eq!(kind().await, DbErrorKind::Timeout);
    }

    #[test]
    fn rule_4_who_writes_alone_writes_at_once() {
        let (folder, desk) = table();
        let at_once = |write| desk.write_at_once(&write).map(Result::unwrap);
        assert_eq!(at_once(create("a", "1")), Some(Outcome::Done));
        assert_eq!(at_once(create("a", "2")), Some(Outcome::Another));
        assert_eq!(at_once(update("a", "3", "1")), Some(Outcome::Done));
        assert_eq!(at_once(update("a", "4", "1")), Some(Outcome::Another));
        assert_eq!(at_once(Write::Delete { key: "a".into() }), Some(Outcome::Done));
        assert_eq!(at_once(update("a", "5", "3")), Some(Outcome::None));
        assert_eq!(count(&other(&folder)), 0);
    }

    #[test]
    fn an_end_that_stays_costs_no_write_to_its_index() {
        let (folder, desk) = table();
        other(&folder).execute("CREATE INDEX ends ON django_session (expire_date)", []).unwrap();
        let log = folder.path().join("site.sqlite3-wal");
        let written = |write| {
            let before = log.metadata().unwrap().len();
            assert_eq!(desk.write_at_once(&write).map(Result::unwrap), Some(Outcome::Done));
            log.metadata().unwrap().len() - before
        };
        written(create("a", "1"));
        let moves = written(update("a", "2", "1"));
        let (key, data, seen) = ("a".into(), "3".into(), "2".into());
        let stays = written(Write::Update { key, data, expires: None, seen });
        assert_eq!(moves, 2 * stays, "pages of the table and of the index");
    }

    #[test]
    fn rule_4_nobody_is_waited_for_in_place() {
        let (folder, desk) = table();
        let at_once = || desk.write_at_once(&create("a", "")).is_some();
        let other = other(&folder);
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(!at_once(), "another process writes");
        other.execute_batch("COMMIT").unwrap();
        let taken = desk.connection.lock().unwrap();
        assert!(!at_once(), "another thread writes");
        drop(taken);
        desk.waiting.store(1, Ordering::Relaxed);
        assert!(!at_once(), "others wait for the thread");
        desk.waiting.store(0, Ordering::Relaxed);
        assert!(at_once());
    }

    #[tokio::test]
    async fn rule_6_checkpoints_are_the_thread_s() {
        let (folder, _) = table();
        let path = folder.path().join("site.sqlite3");
        let writer = Writer::start(&path).unwrap();
        let log = path.with_extension("sqlite3-wal");
        let size = || std::fs::metadata(&log).unwrap().len();
        let data = "x".repeat(2 * 4096);
        let mut largest = 0;
        for number in 0..3 * CHECKPOINT_AFTER {
            let key = number.to_string();
            assert_eq!(writer.write(create(&key, &data)).await.unwrap(), Outcome::Done);
            if number < CHECKPOINT_AFTER {
                largest = size();
            }
        }
        assert!(size() < largest * 3 / 2, "{} after {largest}", size());
        assert_eq!(count(&other(&folder)) as usize, 3 * CHECKPOINT_AFTER);
    }

    #[test]
    fn a_writer_whose_user_panicked_is_made_anew() {
        let (folder, desk) = table();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = desk.connection.lock().unwrap();
            panic!("while it writes")
        }));
        assert!(panicked.is_err() && desk.write_at_once(&create("a", "")).is_none());
        let channel = sync_channel(MAX_WAITING);
        let answer = order(&channel.0, create("a", ""));
        done(&desk, channel);
        assert_eq!(outcome(answer), Ok(Outcome::Done));
        desk.waiting.store(0, Ordering::Relaxed);
        assert!(desk.write_at_once(&create("b", "")).is_some());
        assert_eq!(count(&other(&folder)), 2);
    }

    #[test]
    fn a_full_disk_is_told_and_is_over_when_there_is_room() {
        let (folder, desk) = table();
        let limit = |pages: u32| {
            let connection = desk.connection.lock().unwrap();
            let used: u32 =
                connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
            connection.pragma_update(None, "max_page_count", used + pages).unwrap();
        };
        let data = "x".repeat(3 * 4096);
        let write = || desk.write_at_once(&create("a", &data)).unwrap();
        limit(2);
        assert_eq!(write().map_err(|error| error.kind()), Err(DbErrorKind::Full));
        assert_eq!(count(&other(&folder)), 0);
        limit(20);
        assert_eq!(write().map_err(|error| error.kind()), Ok(Outcome::Done));
    }
}
