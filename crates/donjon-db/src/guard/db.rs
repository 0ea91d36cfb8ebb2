//! The database as a site's own code gets it.

use std::future::Future;
use std::sync::Arc;

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, DatabaseExecutor, DbBackend, IntoActiveModel,
    ModelTrait, SqliteTransactionMode,
};

use super::act::{
    Act, ActiveOf, All, Counting, Deleting, Executing, Inserting, ModelOf, One, Saving, Updating,
};
use super::each;
use super::query::{Count, Execute, FetchAll, FetchEach, FetchOne};
#[cfg(feature = "tower")]
use super::request::Requested;
use super::transaction::{Block, Transaction};
use crate::{Database, DbError};

/// A database that takes queries and no text: for all that a site does with its own tables.
///
/// It is one type inside and outside of a transaction: what takes a `&Db` works in both.
///
/// ```
/// use donjon_db::{Database, DbError, sql};
/// # mod item {
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
/// #     #[sea_orm(table_name = "item")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
/// use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), DbError> {
/// let db = Database::sqlite_in_memory().await?.db();
/// db.execute(sql!("create table item (id integer primary key, name text not null)")).await?;
///
/// let tea = item::ActiveModel { name: Set("tea".into()), ..Default::default() };
/// let tea = db.insert(tea).await?;
/// let found = db.one(item::Entity::find().filter(item::Column::Name.eq("tea"))).await?;
/// assert_eq!(found, Some(tea));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Db {
    pub(super) database: Database,
    pub(super) lane: Lane,
}

/// Where statements run.
#[derive(Clone, Debug)]
pub(super) enum Lane {
    /// Each on its own, on whichever connection is free.
    Pool,
    /// In a block of a transaction.
    Block(Arc<Transaction>, u32),
    /// In the transaction of a request, which begins with the first.
    #[cfg(feature = "tower")]
    Request(Arc<Requested>),
}

impl Database {
    /// The database for the site's own tables.
    #[must_use]
    pub fn db(&self) -> Db {
        Db { database: self.clone(), lane: Lane::Pool }
    }
}

impl Db {
    /// All rows of a query. For those that have no end there are [`Pages`](super::Pages) and
    /// [`for_each`](Self::for_each).
    ///
    /// # Errors
    /// A [`DbError`] if the database refuses, or the transaction has ended.
    pub async fn all<Q: FetchAll>(&self, query: Q) -> Result<Vec<Q::Row>, DbError> {
        self.run(All(query)).await
    }

    /// The first row of a query, if there is one.
    ///
    /// # Errors
    /// As for [`all`](Self::all).
    pub async fn one<Q: FetchOne>(&self, query: Q) -> Result<Option<Q::Row>, DbError> {
        self.run(One(query)).await
    }

    /// How many rows a query has.
    ///
    /// # Errors
    /// As for [`all`](Self::all).
    pub async fn count<Q: Count>(&self, query: Q) -> Result<u64, DbError> {
        self.run(Counting(query)).await
    }

    /// Gives the rows one by one, so that a large answer never is in memory at once, until there are
    /// no more or `row` fails. It holds a connection meanwhile.
    ///
    /// # Errors
    /// As for [`all`](Self::all), and what `row` returns.
    pub async fn for_each<Q, E, F>(&self, query: Q, row: F) -> Result<(), E>
    where
        Q: FetchEach,
        E: From<DbError> + Send,
        F: FnMut(Q::Row) -> Result<(), E> + Send,
    {
        self.run(each::Each::new(query, row)).await?
    }

    /// Runs what changes rows, and tells how many.
    ///
    /// # Errors
    /// As for [`all`](Self::all).
    pub async fn execute<S: Execute>(&self, statement: S) -> Result<u64, DbError> {
        self.run(Executing(statement)).await
    }

    /// Inserts a row, and gives it back as it is now.
    ///
    /// # Errors
    /// As for [`all`](Self::all); [`DbError::is_duplicate`] tells that a value must be unique.
    pub async fn insert<A>(&self, row: A) -> Result<ModelOf<A>, DbError>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        ModelOf<A>: IntoActiveModel<A>,
    {
        self.run(Inserting(row)).await
    }

    /// Changes the row that has this primary key, and gives it back as it is now.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert), and if there is no such row.
    pub async fn update<A>(&self, row: A) -> Result<ModelOf<A>, DbError>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        ModelOf<A>: IntoActiveModel<A>,
    {
        self.run(Updating(row)).await
    }

    /// Inserts a row without a primary key, changes one that has it.
    ///
    /// # Errors
    /// As for [`update`](Self::update).
    pub async fn save<A>(&self, row: A) -> Result<A, DbError>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        ModelOf<A>: IntoActiveModel<A>,
    {
        self.run(Saving(row)).await
    }

    /// Deletes a row, and tells whether it was there.
    ///
    /// # Errors
    /// As for [`all`](Self::all).
    pub async fn delete<M>(&self, row: M) -> Result<bool, DbError>
    where
        M: ModelTrait + IntoActiveModel<ActiveOf<M>>,
        ActiveOf<M>: ActiveModelBehavior + Send,
    {
        self.run(Deleting(row)).await.map(|rows| rows > 0)
    }

    /// What kind of SQL it speaks.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.database.backend()
    }

    /// Does a block of its own, [`atomic`](Self::atomic), stand in a transaction?
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        !matches!(self.lane, Lane::Pool)
    }

    async fn run<A: Act>(&self, act: A) -> Result<A::Done, DbError> {
        let work = async {
            match self.transaction().await? {
                Some((transaction, block)) => transaction.act(block, act).await,
                None => self.on_pool(act).await,
            }
        };
        self.database.in_time(work).await
    }

    /// The transaction that this stands in, and the block; that of a request begins now.
    async fn transaction(&self) -> Result<Option<(Arc<Transaction>, u32)>, DbError> {
        match &self.lane {
            Lane::Pool => Ok(None),
            Lane::Block(transaction, block) => Ok(Some((Arc::clone(transaction), *block))),
            #[cfg(feature = "tower")]
            Lane::Request(requested) => requested.begun(&self.database).await.map(Some),
        }
    }

    async fn on_pool<A: Act>(&self, act: A) -> Result<A::Done, DbError> {
        let connection = if act.reads() { &self.database.reader } else { &self.database.writer };
        Ok(act.on(&DatabaseExecutor::Connection(connection)).await?)
    }

    /// A block in this lane, and the `Db` that runs in it.
    pub(super) async fn begin(&self) -> Result<(Self, Block), DbError> {
        let block = match self.transaction().await? {
            Some((transaction, block)) => transaction.savepoint(block).await?,
            None => begun(&self.database, SqliteTransactionMode::Immediate).await?,
        };
        let (transaction, id) = block.transaction();
        let lane = Lane::Block(transaction, id);
        Ok((Self { database: self.database.clone(), lane }, block))
    }

    /// Does this when the outermost transaction has been committed, in the order of the calls, before
    /// [`atomic`](Self::atomic) returns; never if it is rolled back, or the block that this stands in.
    /// Outside of a transaction it is done at once.
    ///
    /// What must not be forgotten if the process dies in between belongs in a table.
    ///
    /// # Errors
    /// A [`DbError`] if the transaction has ended, or [`MAX_ON_COMMIT`](super::MAX_ON_COMMIT) wait.
    pub async fn on_commit<F>(&self, action: F) -> Result<(), DbError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self.transaction().await? {
            Some((transaction, block)) => transaction.on_commit(block, Box::pin(action)).await,
            None => {
                action.await;
                Ok(())
            }
        }
    }
}

/// A transaction on a connection of its own: one that writes, where that must be said at the beginning.
pub(super) async fn begun(
    database: &Database,
    mode: SqliteTransactionMode,
) -> Result<Block, DbError> {
    let connection = match mode {
        SqliteTransactionMode::Deferred => &database.reader,
        _ => &database.writer,
    };
    let transaction = database.in_time(Transaction::begin(connection, mode)).await?;
    Ok(transaction.outermost())
}
