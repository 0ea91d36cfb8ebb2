//! Writing, one thread for all.

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::{BUSY_TIMEOUT, DbError};

/// How many writes go into one transaction.
pub(super) const MAX_BATCH: usize = 64;

/// How many writes wait for their turn.
pub(super) const MAX_WAITING: usize = 4_096;

/// How long a write waits for its turn and its end.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(6);

/// A write to the table of sessions.
#[derive(Clone)]
pub(crate) enum Write {
    /// A new row, unless its key is taken.
    Create { key: String, data: String, expires: String },
    /// Other values in the row, if it still has those that the writer saw.
    Update { key: String, data: String, expires: String, seen: String },
    /// No row.
    Delete { key: String },
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
}

/// A write and who waits for it.
struct Order {
    write: Write,
    answer: oneshot::Sender<Result<Outcome, DbError>>,
}

/// Hands writes to the thread, which ends when this is dropped.
pub(super) struct Writer(SyncSender<Order>);

impl Writer {
    pub(super) fn start(path: &Path) -> Result<Self, DbError> {
        let connection = open(path).map_err(|error| DbError::from_sqlite(&error))?;
        let (sender, orders) = sync_channel(MAX_WAITING);
        thread::Builder::new()
            .name("donjon-sqlite".to_owned())
            .spawn(move || work(connection, &orders))
            .map_err(|error| DbError::no_thread(&error))?;
        Ok(Self(sender))
    }

    pub(super) async fn write(&self, write: Write) -> Result<Outcome, DbError> {
        let (answer, answered) = oneshot::channel();
        match self.0.try_send(Order { write, answer }) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
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

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Writes until nobody can order any more.
fn work(mut connection: Connection, orders: &Receiver<Order>) {
    while let Ok(first) = orders.recv() {
        let more = std::iter::from_fn(|| orders.try_recv().ok());
        let waits = |order: &Order| !order.answer.is_closed();
        let batch: Vec<_> =
            std::iter::once(first).chain(more.take(MAX_BATCH - 1)).filter(waits).collect();
        let outcomes = written(&mut connection, &batch);
        answer(batch, outcomes);
    }
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
            let update = "UPDATE django_session SET session_data = ?2, expire_date = ?3 \
                          WHERE session_key = ?1 AND session_data = ?4";
            let count =
                connection.prepare_cached(update)?.execute(params![key, data, expires, seen])?;
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
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::DbErrorKind;

    const TABLE: &str = "CREATE TABLE django_session (\
                         session_key TEXT NOT NULL PRIMARY KEY, session_data TEXT NOT NULL, \
                         expire_date TEXT NOT NULL)";

    type Answer = oneshot::Receiver<Result<Outcome, DbError>>;

    fn table() -> (TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.sqlite3");
        Connection::open(&path).unwrap().execute(TABLE, []).unwrap();
        (folder, open(&path).unwrap())
    }

    fn create(key: &str, data: &str) -> Write {
        Write::Create { key: key.into(), data: data.into(), expires: "2031-05-06 07:08:09".into() }
    }

    fn update(key: &str, data: &str, seen: &str) -> Write {
        let expires = "2031-05-06 07:08:09".into();
        Write::Update { key: key.into(), data: data.into(), expires, seen: seen.into() }
    }

    fn order(orders: &SyncSender<Order>, write: Write) -> Answer {
        let (answer, answered) = oneshot::channel();
        assert!(orders.try_send(Order { write, answer }).is_ok());
        answered
    }

    /// Does all that was ordered, in one batch, as the thread does.
    fn done(connection: Connection, (sender, orders): (SyncSender<Order>, Receiver<Order>)) {
        drop(sender);
        work(connection, &orders);
    }

    fn outcome(mut answer: Answer) -> Result<Outcome, DbErrorKind> {
        answer.try_recv().unwrap().map_err(|error| error.kind())
    }

    #[test]
    fn rule_4_a_batch_is_done_in_order() {
        let (_folder, connection) = table();
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
        done(connection, channel);
        for (answer, expected) in answers {
            assert_eq!(outcome(answer), Ok(expected));
        }
    }

    #[test]
    fn rule_4_who_has_gone_before_the_turn_came_has_written_nothing() {
        let (folder, connection) = table();
        let channel = sync_channel(MAX_WAITING);
        let stays = order(&channel.0, create("stays", ""));
        drop(order(&channel.0, create("gone", "")));
        done(connection, channel);
        assert_eq!(outcome(stays), Ok(Outcome::Done));
        let rows = Connection::open(folder.path().join("site.sqlite3")).unwrap();
        let keys = "SELECT group_concat(session_key) FROM django_session";
        let keys: String = rows.query_row(keys, [], |row| row.get(0)).unwrap();
        assert_eq!(keys, "stays");
    }

    #[test]
    fn rule_4_if_one_fails_everybody_hears_it_and_nothing_is_written() {
        let (folder, connection) = table();
        let path = folder.path().join("site.sqlite3");
        let trigger = "CREATE TRIGGER no BEFORE INSERT ON django_session WHEN NEW.session_key = 'b' \
                       BEGIN SELECT RAISE(FAIL, 'no'); END";
        let other = Connection::open(path).unwrap();
        other.execute(trigger, []).unwrap();
        let channel = sync_channel(MAX_WAITING);
        let answers = ["a", "b", "c"].map(|key| order(&channel.0, create(key, "")));
        done(connection, channel);
        for answer in answers {
            assert_eq!(outcome(answer), Err(DbErrorKind::Other));
        }
        let count = "SELECT count(*) FROM django_session";
        assert_eq!(other.query_row(count, [], |row| row.get(0)), Ok(0));
    }

    #[test]
    fn rule_4_more_than_a_batch_is_several() {
        let (_folder, connection) = table();
        let channel = sync_channel(MAX_WAITING);
        let answers: Vec<_> = (0..MAX_BATCH * 2 + 1)
            .map(|number| order(&channel.0, create(&number.to_string(), "")))
            .collect();
        done(connection, channel);
        assert!(answers.into_iter().all(|answer| outcome(answer) == Ok(Outcome::Done)));
    }

    #[tokio::test]
    async fn rule_5_who_finds_the_queue_full_or_nobody_at_work_is_told_at_once() {
        let (sender, orders) = sync_channel(1);
        let writer = Writer(sender);
        let waiting = order(&writer.0, create("a", ""));
        let kind = async || writer.write(create("b", "")).await.unwrap_err().kind();
        assert_eq!(kind().await, DbErrorKind::Timeout);
        drop((waiting, orders));
        assert_eq!(kind().await, DbErrorKind::Timeout);
    }

    #[test]
    fn a_full_disk_is_told_and_is_over_when_there_is_room() {
        let (_folder, mut connection) = table();
        let pages: u32 =
            connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        connection.pragma_update(None, "max_page_count", pages + 2).unwrap();
        let data = "x".repeat(3 * 4096);
        let write = |connection: &mut Connection, key| {
            let (answer, _) = oneshot::channel();
            let order = Order { write: create(key, &data), answer };
            written(connection, &[order]).map_err(|error| DbError::from_sqlite(&error).kind())
        };
        assert_eq!(write(&mut connection, "a"), Err(DbErrorKind::Full));
        let count = "SELECT count(*) FROM django_session";
        assert_eq!(connection.query_row(count, [], |row| row.get(0)), Ok(0));
        connection.pragma_update(None, "max_page_count", pages + 20).unwrap();
        assert_eq!(write(&mut connection, "a"), Ok(vec![Outcome::Done]));
    }
}
