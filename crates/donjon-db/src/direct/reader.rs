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
        self.ask(|connection| {
            connection.prepare_cached(SESSION)?.query_row([key], session_row).optional()
        })
    }

    pub(super) fn user(&self, id: i64) -> Option<Option<user::Model>> {
        self.ask(|connection| connection.prepare_cached(USER)?.query_row([id], user_row).optional())
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
