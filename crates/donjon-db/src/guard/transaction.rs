//! A transaction that is open: its savepoints, and what is to happen after its commit.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseExecutor, DatabaseTransaction,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::sync::{Mutex, MutexGuard};

use super::act::Act;
use crate::DbError;

/// How many actions may wait for one commit.
pub const MAX_ON_COMMIT: usize = 1_000;

/// How many blocks may stand inside of each other.
pub const MAX_SAVEPOINTS: usize = 32;

/// The number of the outermost block; savepoints have higher ones.
const OUTERMOST: u32 = 0;

/// No block.
const NONE: u32 = u32::MAX;

const OVER: &str = "this block has ended; run what belongs to it inside of its closure";
const INNER: &str = "a block inside of this one is still open; await it before the next one begins or this one ends";
const TOO_DEEP: &str = "more than 32 blocks stand inside of each other; take the recursion out";
const TOO_MANY_ACTIONS: &str =
    "more than 1,000 actions wait for the commit; let one action do the work of many";
const BROKEN: &str = "a statement in it failed or was dropped, so that it can only be rolled back; put what may fail in an `atomic` of its own";

/// What is done after a commit.
pub(super) type Action = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A transaction that blocks share. Whoever drops the last of it rolls back.
pub(super) struct Transaction {
    state: Mutex<State>,
    /// It has ended; what still runs in it is its last.
    over: AtomicBool,
    /// The lowest block that was dropped before its end, to be rolled back before anything else.
    abandoned: AtomicU32,
}

struct State {
    /// `None` when it has ended.
    running: Option<DatabaseTransaction>,
    savepoints: Vec<Savepoint>,
    actions: Vec<Action>,
    /// The number that the next savepoint gets.
    next: u32,
    /// A statement failed or was dropped, so that nobody knows what the database has: only a rollback
    /// mends that. PostgreSQL answers a commit with a silent rollback then.
    broken: bool,
}

struct Savepoint {
    id: u32,
    /// How many actions waited when it began.
    actions: usize,
}

impl Transaction {
    pub(super) async fn begin(
        connection: &DatabaseConnection,
        mode: SqliteTransactionMode,
    ) -> Result<Arc<Self>, DbError> {
        let options =
            TransactionOptions { sqlite_transaction_mode: Some(mode), ..Default::default() };
        let state = State {
            running: Some(connection.begin_with_options(options).await?),
            savepoints: Vec::new(),
            actions: Vec::new(),
            next: OUTERMOST + 1,
            broken: false,
        };
        Ok(Arc::new(Self {
            state: Mutex::new(state),
            over: AtomicBool::new(false),
            abandoned: AtomicU32::new(NONE),
        }))
    }

    /// The outermost block, which rolls everything back when it is dropped.
    pub(super) fn outermost(self: Arc<Self>) -> Block {
        Block { transaction: self, id: OUTERMOST, done: false }
    }

    /// A block inside of the block of this number.
    pub(super) async fn savepoint(self: Arc<Self>, within: u32) -> Result<Block, DbError> {
        let mut lease = self.lock(within).await?;
        let id = lease.push(within)?;
        let block = Block { transaction: Arc::clone(&self), id, done: false };
        lease.run(&format!("SAVEPOINT donjon_{id}")).await?;
        drop(lease);
        Ok(block)
    }

    /// The right to run one statement in the block of this number.
    async fn lock(&self, block: u32) -> Result<Lease<'_>, DbError> {
        let lease = self.settled().await?;
        lease.mended()?;
        let open = block == OUTERMOST || lease.savepoints.iter().any(|point| point.id == block);
        if open { Ok(lease) } else { Err(DbError::transaction(OVER)) }
    }

    /// Waits for one's turn, and rolls back what was dropped.
    async fn settled(&self) -> Result<Lease<'_>, DbError> {
        let mut lease = Lease { transaction: self, state: self.state.lock().await };
        if self.over.load(Ordering::Acquire) || lease.running.is_none() {
            return Err(DbError::transaction(OVER));
        }
        let abandoned = self.abandoned.load(Ordering::Acquire);
        if abandoned != NONE {
            lease.undo(abandoned).await?;
            // One that was dropped meanwhile stays.
            let _ = self.abandoned.compare_exchange(
                abandoned,
                NONE,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
        }
        Ok(lease)
    }

    /// Waits with an action for the commit.
    pub(super) async fn on_commit(&self, block: u32, action: Action) -> Result<(), DbError> {
        let mut lease = self.lock(block).await?;
        if lease.actions.len() >= MAX_ON_COMMIT {
            return Err(DbError::transaction(TOO_MANY_ACTIONS));
        }
        lease.actions.push(action);
        Ok(())
    }

    /// Runs one statement. While it runs, and when it failed or was dropped, the transaction is broken.
    pub(super) async fn act<A: Act>(&self, block: u32, act: A) -> Result<A::Done, DbError> {
        let mut lease = self.lock(block).await?;
        lease.broken = true;
        let done = match &lease.running {
            Some(running) => {
                act.on(&DatabaseExecutor::Transaction(running)).await.map_err(DbError::from)
            }
            None => Err(DbError::transaction(OVER)),
        };
        lease.broken = done.as_ref().is_err_and(DbError::is_the_databases);
        done
    }

    async fn commit(&self) -> Result<Vec<Action>, DbError> {
        let mut lease = self.settled().await?;
        lease.mended()?;
        if !lease.savepoints.is_empty() {
            return Err(DbError::transaction(INNER));
        }
        let actions = std::mem::take(&mut lease.actions);
        if let Some(running) = lease.running.take() {
            running.commit().await?;
        }
        self.over.store(true, Ordering::Release);
        Ok(actions)
    }

    async fn release(&self, id: u32) -> Result<(), DbError> {
        let mut lease = self.settled().await?;
        lease.mended()?;
        if lease.savepoints.last().is_none_or(|point| point.id != id) {
            return Err(DbError::transaction(INNER));
        }
        lease.run(&format!("RELEASE SAVEPOINT donjon_{id}")).await?;
        lease.savepoints.pop();
        Ok(())
    }

    async fn roll_back(&self, id: u32) -> Result<(), DbError> {
        let mut lease = self.settled().await?;
        if id != OUTERMOST {
            return lease.undo(id).await;
        }
        self.over.store(true, Ordering::Release);
        match lease.running.take() {
            Some(running) => Ok(running.rollback().await?),
            None => Ok(()),
        }
    }

    /// Ends it without waiting: a statement that runs is the last, and rolls back.
    fn end(&self) {
        self.over.store(true, Ordering::Release);
        if let Ok(mut state) = self.state.try_lock() {
            state.running.take();
        }
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("over", &self.over).finish_non_exhaustive()
    }
}

/// A turn in the transaction.
struct Lease<'a> {
    transaction: &'a Transaction,
    state: MutexGuard<'a, State>,
}

impl Deref for Lease<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if self.transaction.over.load(Ordering::Acquire) {
            self.state.running.take();
        }
    }
}

impl State {
    fn push(&mut self, within: u32) -> Result<u32, DbError> {
        if self.savepoints.last().map_or(OUTERMOST, |point| point.id) != within {
            return Err(DbError::transaction(INNER));
        }
        if self.savepoints.len() >= MAX_SAVEPOINTS {
            return Err(DbError::transaction(TOO_DEEP));
        }
        let id = self.next;
        self.next += 1;
        self.savepoints.push(Savepoint { id, actions: self.actions.len() });
        Ok(id)
    }

    /// Rolls back to this savepoint, and forgets it and those inside.
    async fn undo(&mut self, id: u32) -> Result<(), DbError> {
        let Some(place) = self.savepoints.iter().position(|point| point.id == id) else {
            return Ok(());
        };
        self.run(&format!("ROLLBACK TO SAVEPOINT donjon_{id}")).await?;
        self.run(&format!("RELEASE SAVEPOINT donjon_{id}")).await?;
        self.actions.truncate(self.savepoints[place].actions);
        self.savepoints.truncate(place);
        Ok(())
    }

    async fn run(&mut self, sql: &str) -> Result<(), DbError> {
        self.broken = true;
        if let Some(running) = &self.running {
            running.execute_unprepared(sql).await?;
        }
        self.broken = false;
        Ok(())
    }

    fn mended(&self) -> Result<(), DbError> {
        if self.broken { Err(DbError::transaction(BROKEN)) } else { Ok(()) }
    }
}

/// A block of a transaction that is open. Dropped before its end, it is rolled back.
#[derive(Debug)]
pub(super) struct Block {
    transaction: Arc<Transaction>,
    id: u32,
    done: bool,
}

impl Block {
    pub(super) fn transaction(&self) -> (Arc<Transaction>, u32) {
        (Arc::clone(&self.transaction), self.id)
    }

    /// Commits, or releases the savepoint; then, the actions that are due.
    pub(super) async fn commit(mut self) -> Result<(), DbError> {
        let actions = match self.id {
            OUTERMOST => self.transaction.commit().await?,
            id => self.transaction.release(id).await.map(|()| Vec::new())?,
        };
        self.done = true;
        for action in actions {
            action.await;
        }
        Ok(())
    }

    /// Rolls back. If the database can't be told, it finds out when the connection breaks.
    pub(super) async fn roll_back(mut self) {
        self.done = self.transaction.roll_back(self.id).await.is_ok();
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        match self.id {
            _ if self.done => {}
            OUTERMOST => self.transaction.end(),
            id => {
                self.transaction.abandoned.fetch_min(id, Ordering::AcqRel);
            }
        }
    }
}
