//! SQLite without a thread's hop: what every request asks is asked in place, and what it writes is
//! written together with what others write at that moment.
//!
//! Stops nothing by itself; it makes the look-up of a session and its user cost a tenth.
//!
//! 1. In place is only read, by a primary key, and only where nobody has to be waited for: a reader that
//!    is taken, a lock, and whatever else is unusual leaves the question to the pool, which waits on
//!    threads of its own and has the words for what is wrong.
//! 2. A page that is not in memory is read from the disk in place. Of the rows that requests look for
//!    these are few, and such a read takes less than the hop on today's disks.
//! 3. Readers see what was committed before they ask, by any process: nothing is kept between two
//!    questions.
//! 4. Writes are done by one thread, which takes all that wait, at most [`writer::MAX_BATCH`], into one
//!    transaction. Nobody hears of a write before it is committed, and if that fails, everybody of the
//!    batch hears that. Who has gone before the turn came has written nothing.
//! 5. At most [`writer::MAX_WAITING`] writes wait, and each at most [`writer::MAX_WAIT`].
//! 6. Checkpoints and what the disk must confirm happen on the writing thread.

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
            .read(|connection| reader::session(connection, key))
            .or_else(|| self.readers.session(key))
    }

    /// The row of a user; `None` where the pool must be asked.
    pub(crate) fn user(&self, id: i64) -> Option<Option<user::Model>> {
        self.readers.user(id)
    }

    /// What became of a write, once it is committed.
    pub(crate) async fn write(&self, write: Write) -> Result<Outcome, StoreError> {
        Ok(self.writer.write(write).await?)
    }
}
