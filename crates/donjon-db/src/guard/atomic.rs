//! Blocks that happen as a whole or not at all (Django: `transaction.atomic`).

use std::future::Future;

use super::Db;
use crate::{DbError, DbErrorKind};

/// How often [`Db::atomic_with_retries`] tries at most.
pub const MAX_ATTEMPTS: u32 = 10;

const DURABLE: &str =
    "a durable block can't stand in another transaction; call it outside, or use `atomic`";

impl Db {
    /// Runs a block that happens as a whole: what it did is kept if it returns `Ok`, and undone if it
    /// returns an error, panics, or is dropped. In another block it is a savepoint, as in Django.
    ///
    /// The block runs what belongs to it on the `Db` that it gets. On SQLite it begins as a write, and
    /// nobody else writes until it ends; statements on another `Db` wait for that end.
    ///
    /// A statement that failed breaks the block that it stands in, on every database alike: what may
    /// fail stands in an `atomic` of its own.
    ///
    /// ```
    /// use donjon_db::{Db, DbError, sql};
    ///
    /// async fn pay(db: &Db, from: i64, to: i64, cents: i64) -> Result<(), DbError> {
    ///     db.atomic(async move |tx| {
    ///         let take = "less than nothing is refused by the table's own check";
    ///         tx.execute(sql!("update account set balance = balance - {cents} where id = {from}", cents, from)).await?;
    ///         tx.execute(sql!("update account set balance = balance + {cents} where id = {to}", cents, to)).await?;
    ///         tx.on_commit(async move { println!("paid: {take}") }).await
    ///     })
    ///     .await
    /// }
    /// ```
    ///
    /// # Errors
    /// What the block returns, and a [`DbError`] if the database does not begin or commit.
    pub async fn atomic<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(Db) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<DbError>,
    {
        let (db, block) = self.begin().await?;
        match work(db).await {
            Ok(done) => {
                block.commit().await?;
                Ok(done)
            }
            Err(error) => {
                block.roll_back().await;
                Err(error)
            }
        }
    }

    /// The same, which is committed when it returns: it can't stand in another block (Django:
    /// `atomic(durable=True)`).
    ///
    /// # Errors
    /// As for [`atomic`](Self::atomic), and [`DbErrorKind::Transaction`] in another block.
    pub async fn durable<T, E, F, Fut>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(Db) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<DbError>,
    {
        if self.in_transaction() {
            return Err(DbError::transaction(DURABLE).into());
        }
        self.atomic(work).await
    }

    /// The same, done again if another transaction was in the way: up to `attempts` times in all, and
    /// to [`MAX_ATTEMPTS`]. What the block does outside of the database is done again too.
    ///
    /// Inside of another block it is tried once: what the database undid is the whole transaction.
    ///
    /// # Errors
    /// As for [`atomic`](Self::atomic); after the last attempt, what that one returned.
    pub async fn atomic_with_retries<T, E, F, Fut>(&self, attempts: u32, work: F) -> Result<T, E>
    where
        F: Fn(Db) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<DbError> + MayRetry,
    {
        let attempts = if self.in_transaction() { 1 } else { attempts.min(MAX_ATTEMPTS) };
        for _ in 1..attempts {
            match self.atomic(&work).await {
                Err(error) if error.may_retry() => {}
                done => return done,
            }
        }
        self.atomic(work).await
    }
}

/// An error that knows whether the same transaction may succeed if it is done again.
pub trait MayRetry {
    /// Did another transaction come between?
    fn may_retry(&self) -> bool;
}

impl MayRetry for DbError {
    fn may_retry(&self) -> bool {
        self.kind() == DbErrorKind::Conflict
    }
}
