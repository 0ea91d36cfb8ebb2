//! One transaction for a request (Django: `ATOMIC_REQUESTS`).

mod layer;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::SqliteTransactionMode;
use tokio::sync::Mutex;

pub use layer::{AtomicRequests, AtomicRequestsLayer, CommitError};

use super::db::begun;
use super::transaction::{Block, Transaction};
use crate::{Database, DbError};

const ANSWERED: &str = "the request is over; what goes on after it needs `Database::db`";

/// The transaction that a request may need: it begins with the first statement.
pub(super) struct Requested {
    mode: SqliteTransactionMode,
    block: Mutex<Option<Block>>,
    over: AtomicBool,
}

impl Requested {
    pub(super) fn new(mode: SqliteTransactionMode) -> Self {
        Self { mode, block: Mutex::new(None), over: AtomicBool::new(false) }
    }

    /// The transaction, begun now if it was not.
    pub(super) async fn begun(
        &self,
        database: &Database,
    ) -> Result<(Arc<Transaction>, u32), DbError> {
        let mut block = self.block.lock().await;
        if self.over.load(Ordering::Acquire) {
            return Err(DbError::transaction(ANSWERED));
        }
        match &mut *block {
            Some(block) => Ok(block.transaction()),
            none => Ok(none.insert(begun(database, self.mode).await?).transaction()),
        }
    }

    /// Keeps what the request did, and runs what waits for that.
    pub(super) async fn commit(&self) -> Result<(), DbError> {
        match self.end().await {
            Some(block) => block.commit().await,
            None => Ok(()),
        }
    }

    /// Undoes it.
    pub(super) async fn roll_back(&self) {
        if let Some(block) = self.end().await {
            block.roll_back().await;
        }
    }

    /// Undoes it without waiting.
    pub(super) fn abandon(&self) {
        self.over.store(true, Ordering::Release);
        if let Ok(mut block) = self.block.try_lock() {
            block.take();
        }
    }

    async fn end(&self) -> Option<Block> {
        self.over.store(true, Ordering::Release);
        self.block.lock().await.take()
    }
}

impl fmt::Debug for Requested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requested").field("over", &self.over).finish_non_exhaustive()
    }
}
