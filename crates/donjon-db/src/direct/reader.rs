//! Reading in place.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};

use crate::entity::{session, user};
use crate::time::Moment;

/// How many may read at once: as many as there are likely to be threads that serve requests.
const READERS: usize = 8;

const SESSION: &str =
    "SELECT session_key, session_data, expire_date FROM django_session WHERE session_key = ?1";

const USER: &str = "SELECT id, password, last_login, is_superuser, username, first_name, last_name, email, \
                    is_staff, is_active, date_joined FROM auth_user WHERE id = ?1";

/// Connections that only read.
pub(super) struct Readers {
    path: PathBuf,
    connections: [Mutex<Option<Connection>>; READERS],
    next: AtomicUsize,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        let connections = std::array::from_fn(|_| Mutex::default());
        Self { path: path.to_owned(), connections, next: AtomicUsize::new(0) }
    }

    pub(super) fn session(&self, key: &str) -> Option<Option<session::Model>> {
        self.ask(|connection| session(connection, key))
    }

    pub(super) fn session_and_user<S>(
        &self,
        key: &str,
        read: impl Fn(session::Model) -> (S, Option<i64>),
    ) -> Option<Option<(S, Option<user::Model>)>> {
        self.ask(|connection| session_and_user(connection, key, &read))
    }

    pub(super) fn user(&self, id: i64) -> Option<Option<user::Model>> {
        self.ask(|connection| user(connection, id))
    }

    /// Asks the first connection that is free; `None` if none is, or it does not answer at once.
    fn ask<T>(&self, question: impl Fn(&Connection) -> rusqlite::Result<T>) -> Option<T> {
        // Begins where nobody has begun lately, so that two threads seldom meet.
        let begin = self.next.load(Ordering::Relaxed);
        for at in begin..begin + READERS {
            let mut place = match self.connections[at % READERS].try_lock() {
                Ok(place) => place,
                // A connection whose user panicked is made anew.
                Err(TryLockError::Poisoned(poisoned)) => {
                    let mut place = PoisonError::into_inner(poisoned);
                    *place = None;
                    place
                }
                Err(TryLockError::WouldBlock) => {
                    self.next.store(at + 1, Ordering::Relaxed);
                    continue;
                }
            };
            if place.is_none() {
                *place = Some(open(&self.path).ok()?);
            }
            return match question(place.as_ref()?) {
                Ok(answer) => Some(answer),
                Err(_) => {
                    *place = None;
                    None
                }
            };
        }
        None
    }
}

pub(super) fn session(
    connection: &Connection,
    key: &str,
) -> rusqlite::Result<Option<session::Model>> {
    connection.prepare_cached(SESSION)?.query_row([key], session_row).optional()
}

/// What `read` makes of a session's row, and the row of the user whose id it tells.
fn session_and_user<S>(
    connection: &Connection,
    key: &str,
    read: impl Fn(session::Model) -> (S, Option<i64>),
) -> rusqlite::Result<Option<(S, Option<user::Model>)>> {
    let mut question = connection.prepare_cached(SESSION)?;
    // While the first question has not ended, both see the same state, and SQLite takes its locks once.
    let mut rows = question.query([key])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (session, id) = read(session_row(row)?);
    let user = id.map(|id| user(connection, id)).transpose()?.flatten();
    Ok(Some((session, user)))
}

fn user(connection: &Connection, id: i64) -> rusqlite::Result<Option<user::Model>> {
    connection.prepare_cached(USER)?.query_row([id], user_row).optional()
}

/// Without `mmap_size`: where the file has been cut short, or the disk fails, a page that is read through
/// memory ends the process (<https://www.sqlite.org/mmap.html>).
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

fn session_row(row: &Row<'_>) -> rusqlite::Result<session::Model> {
    Ok(session::Model {
        session_key: row.get(0)?,
        session_data: row.get(1)?,
        expire_date: Moment::Text(row.get(2)?),
    })
}

fn user_row(row: &Row<'_>) -> rusqlite::Result<user::Model> {
    Ok(user::Model {
        id: row.get(0)?,
        password: row.get(1)?,
        last_login: row.get::<_, Option<String>>(2)?.map(Moment::Text),
        is_superuser: row.get(3)?,
        username: row.get(4)?,
        first_name: row.get(5)?,
        last_name: row.get(6)?,
        email: row.get(7)?,
        is_staff: row.get(8)?,
        is_active: row.get(9)?,
        date_joined: Moment::Text(row.get(10)?),
    })
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use donjon_core::account::AccountStore;
    use donjon_core::clock::UnixTime;
    use donjon_core::secret::Keys;
    use donjon_core::session::{
        SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore,
    };

    use super::*;
    use crate::{Database, DjangoAccounts, DjangoSessions};

    const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

    #[tokio::test]
    async fn rule_1_the_pool_answers_where_all_readers_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::sqlite(folder.path().join("site.sqlite3")).await.unwrap();
        database.migrate().await.unwrap();
        let sessions = DjangoSessions::new(&database, SessionCodec::new(&Keys::new("a-key")));
        let (key, expires) = (SessionKey::random(), NOW.plus_seconds(60));
        let record = SessionRecord { data: SessionData::default(), expires };
        sessions.create(&key, &record).await.unwrap();

        let readers = &database.direct().unwrap().readers;
        let taken = readers.connections.each_ref().map(|place| place.lock().unwrap());
        assert!(readers.session(key.expose()).is_none() && readers.user(1).is_none());
        assert!(sessions.load(&key, NOW).await.unwrap().is_some());
        let accounts = DjangoAccounts::new(&database);
        assert!(accounts.by_id(1).await.unwrap().is_none());
        let both = async || {
            let found = sessions.load_with_user(&key, NOW, accounts.source().unwrap()).await;
            found.unwrap().unwrap()
        };
        assert!(both().await.1.is_none());
        drop(taken);
        assert_eq!(
            both().await.0,
            SessionStore::load(&sessions, &key, NOW).await.unwrap().unwrap()
        );
        assert!(readers.session(key.expose()).is_some_and(|row| row.is_some()));
        assert!(readers.user(1).is_some_and(|row| row.is_none()));
    }

    #[tokio::test]
    async fn rule_1_what_is_wrong_is_left_to_the_pool_to_say() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::sqlite(folder.path().join("site.sqlite3")).await.unwrap();
        let sessions = DjangoSessions::new(&database, SessionCodec::new(&Keys::new("a-key")));
        let error = sessions.load(&SessionKey::random(), NOW).await.unwrap_err().to_string();
        assert!(error.contains("django_session"), "{error}");
        database.migrate().await.unwrap();
        assert!(sessions.load(&SessionKey::random(), NOW).await.unwrap().is_none());
        let readers = &database.direct().unwrap().readers;
        assert!(readers.session("no").is_some(), "the reader has come back");
    }

    #[test]
    fn a_reader_whose_user_panicked_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.sqlite3");
        Connection::open(&path).unwrap();
        let readers = Readers::new(&path);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = readers.connections[0].lock().unwrap();
            panic!("while it reads")
        }));
        assert!(panicked.is_err());
        let one = |connection: &Connection| connection.query_row("SELECT 1", [], |row| row.get(0));
        for _ in 0..READERS {
            assert_eq!(readers.ask(one), Some(1));
        }
    }
}
