//! SQLite without a thread's hop: what every request asks and writes is asked and written in place, as long as nobody
//! has to be waited for.
//!
//! Stops nothing by itself; it makes the look-up of a session and its user cost a tenth, and a write a half.
//!
//! 1. In place is only read, by a primary key, and only where nobody has to be waited for: a reader that
//!    is taken, a lock, and whatever else is unusual leaves the question to the pool, which waits on
//!    threads of its own and has the words for what is wrong.
//! 2. A page that is not in memory is read from the disk in place. Of the rows that requests look for
//!    these are few, and such a read takes less than the hop on today's disks.
//! 3. Readers see what was committed before they ask, by any process: nothing is kept between two
//!    questions.
//! 4. Who writes alone writes in place. Where somebody else writes, or waits to, writes are done by one thread, which
//!    takes all that wait, at most [`writer::MAX_BATCH`], into one transaction. Nobody hears of a write before it is
//!    committed, and if that fails, everybody of the batch hears that. Who has gone before the turn came has written
//!    nothing.
//! 5. At most [`writer::MAX_WAITING`] writes wait, and each at most [`writer::MAX_WAIT`].
//! 6. What the disk must confirm, what waits for another process, and what takes long, is the writing thread's: after
//!    [`writer::CHECKPOINT_AFTER`] transactions the next write is, with a checkpoint before it, and so is the clearing of
//!    sessions that ended. Who saves one meanwhile has its turn after it, where a lock would be a matter of luck.
//! 7. The connection that writes is the first to be asked for a session: it has in memory what it wrote. What takes longer
//!    than to fetch a row, as to decode a session and then fetch its user, is done at another.

mod reader;
mod writer;

use std::path::Path;

use donjon_core::session::StoreError;

pub(crate) use writer::{Outcome, Write};

use crate::entity::{session, user};
use crate::{DbError, direct::reader::Readers, direct::writer::Writer};

/// The two ways into one SQLite file.
#[derive(Debug)]
pub(crate) struct Direct {
    readers: Readers,
    writer: Writer,
}

impl Direct {
    /// To a file that is there and in WAL mode.
    pub(crate) fn open(path: &Path) -> Result<Self, DbError> {
        Ok(Self { readers: Readers::new(path), writer: Writer::start(path)? })
    }

    /// The row of a session; `None` where the pool must be asked.
    pub(crate) fn session(&self, key: &str) -> Option<Option<session::Model>> {
        self.writer
            .read_at_once(|connection| reader::session(connection, key))
            .or_else(|| self.readers.session(key))
    }

    /// What `read` makes of a session's row, and the row of the user whose id it tells, as they are at one moment; `None`
    /// where the pool must be asked.
    pub(crate) fn session_and_user<S>(
        &self,
        key: &str,
        read: impl Fn(session::Model) -> (S, Option<i64>),
    ) -> Option<Option<(S, Option<user::Model>)>> {
        self.readers.session_and_user(key, read)
    }

    /// The row of a user; `None` where the pool must be asked.
    pub(crate) fn user(&self, id: i64) -> Option<Option<user::Model>> {
        self.readers.user(id)
    }

    /// What became of a write, once it is committed.
    pub(crate) async fn write(&self, write: Write) -> Result<Outcome, StoreError> {
        Ok(self.writer.write(write).await?)
    }

    /// Has the writing thread delete sessions that ended before a moment, and tells how many.
    pub(crate) async fn clear(&self, before: String, limit: usize) -> Result<usize, StoreError> {
        Ok(self.writer.order(Write::Clear { before, limit }).await?.cleared())
    }
}
