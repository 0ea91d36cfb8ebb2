//! What a [`Db`](super::Db) runs: a closed list of types, none of which a string becomes.

use std::future::Future;
use std::pin::Pin;

use futures_core::Stream;
use sea_orm::sea_query::{IndexCreateStatement, TableCreateStatement};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseExecutor, DbErr, DeleteMany, DeleteOne, EntityTrait,
    FromQueryResult, Insert, InsertMany, IntoActiveModel, PaginatorTrait, Select, SelectTwo,
    SelectTwoMany, SelectTwoRequired, Selector, SelectorTrait, TryInsert, TryInsertResult,
    UpdateMany, UpdateOne, ValidatedDeleteOne,
};

use super::literal::{SafeRows, SafeSql};

mod sealed {
    /// Only this module says what runs.
    pub trait Sealed {}
}

use sealed::Sealed;

/// A boxed stream of rows.
pub(super) type RowStream<'a, T> = Pin<Box<dyn Stream<Item = Result<T, DbErr>> + Send + 'a>>;

/// A query that gives rows: SeaORM's selects, and [`SafeSql::rows`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no query that a `Db` runs",
    label = "neither a SeaORM select nor `sql!(\"…\").rows::<Row>()`",
    note = "write a query: `db.all(Entity::find().filter(Column::Name.eq(name)))`",
    note = "or SQL as a literal: `db.all(sql!(\"select … where name = {{name}}\", name).rows::<Row>())`; the value is bound",
    note = "SQL from a `String`, `format!`, a leaked string or SeaORM's `Statement` is refused: a request could write it"
)]
pub trait FetchAll: Sealed + Send + Sized {
    /// What a row is read as.
    type Row: Send;

    /// May it run where only reading is cheap?
    #[doc(hidden)]
    fn reads(&self) -> bool {
        true
    }

    #[doc(hidden)]
    fn fetch_all(
        self,
        on: &DatabaseExecutor<'_>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, DbErr>> + Send;
}

/// A query of which the first row can be asked for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no query of which a `Db` gives one row",
    label = "neither a SeaORM select nor `sql!(\"…\").rows::<Row>()`",
    note = "write a query: `db.one(Entity::find_by_id(id))`",
    note = "or SQL as a literal: `db.one(sql!(\"select … where id = {{id}}\", id).rows::<Row>())`; the value is bound",
    note = "SQL from a `String`, `format!`, a leaked string or SeaORM's `Statement` is refused: a request could write it"
)]
pub trait FetchOne: FetchAll {
    #[doc(hidden)]
    fn fetch_one(
        self,
        on: &DatabaseExecutor<'_>,
    ) -> impl Future<Output = Result<Option<Self::Row>, DbErr>> + Send;
}

/// A query whose rows can come one after the other.
#[diagnostic::on_unimplemented(
    message = "the rows of `{Self}` can't come one by one",
    note = "`Db::for_each` takes SeaORM's selects, and `sql!(\"…\").rows::<Row>()`"
)]
pub trait FetchEach: FetchAll {
    #[doc(hidden)]
    fn fetch_each<'a>(
        self,
        on: &'a DatabaseExecutor<'a>,
    ) -> impl Future<Output = Result<RowStream<'a, Self::Row>, DbErr>> + Send;
}

/// A query whose rows the database can count.
#[diagnostic::on_unimplemented(
    message = "the rows of `{Self}` can't be counted",
    note = "`Db::count` takes SeaORM's `Select`, `SelectTwo` and `Selector`; in SQL write `select count(*)`"
)]
pub trait Count: FetchAll {
    #[doc(hidden)]
    fn count_on(self, on: &DatabaseExecutor<'_>)
    -> impl Future<Output = Result<u64, DbErr>> + Send;
}

/// A statement that changes rows: SeaORM's inserts, updates and deletes, [`SafeSql`], and the
/// creation of tables and indexes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no statement that a `Db` runs",
    label = "neither a SeaORM insert, update or delete nor `sql!(\"…\")`",
    note = "write `db.execute(Entity::update_many().col_expr(…).filter(…))`",
    note = "or SQL as a literal: `db.execute(sql!(\"update … where id = {{id}}\", id))`; the value is bound",
    note = "SQL from a `String`, `format!`, a leaked string or SeaORM's `Statement` is refused: a request could write it"
)]
pub trait Execute: Sealed + Send + Sized {
    /// How many rows it changed.
    #[doc(hidden)]
    fn execute_on(
        self,
        on: &DatabaseExecutor<'_>,
    ) -> impl Future<Output = Result<u64, DbErr>> + Send;
}

/// SeaORM's streams take a connection or a transaction, and not what may be either.
macro_rules! stream {
    ($query:expr, $on:expr) => {
        match $on {
            DatabaseExecutor::Connection(on) => Ok(Box::pin($query.stream(*on).await?)),
            DatabaseExecutor::Transaction(on) => Ok(Box::pin($query.stream(*on).await?)),
            DatabaseExecutor::OwnedTransaction(on) => Ok(Box::pin($query.stream(on).await?)),
        }
    };
}

macro_rules! select {
    ($query:ident<$($entity:ident),+> => $row:ty) => {
        impl<$($entity: EntityTrait),+> Sealed for $query<$($entity),+> {}

        impl<$($entity: EntityTrait),+> FetchAll for $query<$($entity),+> {
            type Row = $row;

            async fn fetch_all(self, on: &DatabaseExecutor<'_>) -> Result<Vec<$row>, DbErr> {
                self.all(on).await
            }
        }
    };
    (one $query:ident<$($entity:ident),+> => $row:ty) => {
        select!($query<$($entity),+> => $row);

        impl<$($entity: EntityTrait),+> FetchOne for $query<$($entity),+> {
            async fn fetch_one(self, on: &DatabaseExecutor<'_>) -> Result<Option<$row>, DbErr> {
                self.one(on).await
            }
        }

        impl<$($entity: EntityTrait),+> FetchEach for $query<$($entity),+>
        {
            async fn fetch_each<'a>(
                self,
                on: &'a DatabaseExecutor<'a>,
            ) -> Result<RowStream<'a, $row>, DbErr> {
                stream!(self, on)
            }
        }
    };
}

select!(one Select<E> => E::Model);
select!(one SelectTwo<E, F> => (E::Model, Option<F::Model>));
select!(one SelectTwoRequired<E, F> => (E::Model, F::Model));
select!(SelectTwoMany<E, F> => (E::Model, Vec<F::Model>));

impl<S> Sealed for Selector<S> where S: SelectorTrait {}

impl<S> FetchAll for Selector<S>
where
    S: SelectorTrait + Send,
    S::Item: Send,
{
    type Row = S::Item;

    async fn fetch_all(self, on: &DatabaseExecutor<'_>) -> Result<Vec<S::Item>, DbErr> {
        self.all(on).await
    }
}

impl<S> FetchOne for Selector<S>
where
    S: SelectorTrait + Send,
    S::Item: Send,
{
    async fn fetch_one(self, on: &DatabaseExecutor<'_>) -> Result<Option<S::Item>, DbErr> {
        self.one(on).await
    }
}

impl<M: FromQueryResult + Send> Sealed for SafeRows<M> {}

impl<M: FromQueryResult + Send> FetchAll for SafeRows<M> {
    type Row = M;

    fn reads(&self) -> bool {
        self.sql.reads()
    }

    async fn fetch_all(self, on: &DatabaseExecutor<'_>) -> Result<Vec<M>, DbErr> {
        let rows = on.query_all_raw(self.sql.statement(on.get_database_backend())).await?;
        rows.iter().map(|row| M::from_query_result(row, "")).collect()
    }
}

impl<M: FromQueryResult + Send> FetchOne for SafeRows<M> {
    async fn fetch_one(self, on: &DatabaseExecutor<'_>) -> Result<Option<M>, DbErr> {
        let row = on.query_one_raw(self.sql.statement(on.get_database_backend())).await?;
        row.map(|row| M::from_query_result(&row, "")).transpose()
    }
}

impl<E: EntityTrait> Count for Select<E>
where
    E::Model: Sync,
{
    async fn count_on(self, on: &DatabaseExecutor<'_>) -> Result<u64, DbErr> {
        PaginatorTrait::count(self, on).await
    }
}

impl<E: EntityTrait, F: EntityTrait> Count for SelectTwo<E, F>
where
    E::Model: Sync,
    F::Model: Sync,
{
    async fn count_on(self, on: &DatabaseExecutor<'_>) -> Result<u64, DbErr> {
        PaginatorTrait::count(self, on).await
    }
}

impl Sealed for SafeSql {}

impl Execute for SafeSql {
    async fn execute_on(self, on: &DatabaseExecutor<'_>) -> Result<u64, DbErr> {
        let done = on.execute_raw(self.statement(on.get_database_backend())).await?;
        Ok(done.rows_affected())
    }
}

macro_rules! creation {
    ($($statement:ty),+) => {$(
        impl Sealed for $statement {}

        impl Execute for $statement {
            async fn execute_on(self, on: &DatabaseExecutor<'_>) -> Result<u64, DbErr> {
                on.execute(&self).await.map(|done| done.rows_affected())
            }
        }
    )+};
}

creation!(TableCreateStatement, IndexCreateStatement);

macro_rules! change {
    ($statement:ident<E> . $exec:ident => $rows:expr) => {
        impl<E: EntityTrait> Sealed for $statement<E> {}

        impl<E: EntityTrait> Execute for $statement<E> {
            async fn execute_on(self, on: &DatabaseExecutor<'_>) -> Result<u64, DbErr> {
                self.$exec(on).await.map($rows)
            }
        }
    };
    ($statement:ident<A: Active> . $exec:ident => $rows:expr) => {
        impl<A: ActiveModelTrait> Sealed for $statement<A> {}

        impl<A: ActiveModelTrait + Send> Execute for $statement<A>
        where
            <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
        {
            async fn execute_on(self, on: &DatabaseExecutor<'_>) -> Result<u64, DbErr> {
                self.$exec(on).await.map($rows)
            }
        }
    };
}

change!(UpdateMany<E>.exec => |done| done.rows_affected);
change!(DeleteMany<E>.exec => |done| done.rows_affected);
change!(DeleteOne<E>.exec => |done| done.rows_affected);
change!(ValidatedDeleteOne<E>.exec => |done| done.rows_affected);
change!(UpdateOne<A: Active>.exec_without_returning => |done| done.rows_affected);
change!(Insert<A: Active>.exec_without_returning => |rows| rows);
change!(InsertMany<A: Active>.exec_without_returning => |rows| rows);
change!(TryInsert<A: Active>.exec_without_returning => inserted);

fn inserted(done: TryInsertResult<u64>) -> u64 {
    match done {
        TryInsertResult::Inserted(rows) => rows,
        _ => 0,
    }
}
