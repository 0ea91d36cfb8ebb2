//! Deleting rows that are over, some at a time.

use donjon_core::session::StoreError;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    CommonTableExpression, Expr, ExprTrait, LockBehavior, LockType, Order, Query,
};
use sea_orm::{DbBackend, Value};

use crate::Database;

/// The name of the rows that are to go, within one statement.
const EXPIRED: &str = "expired";

/// Deletes at most `limit` of the rows that were over before `now`, by their key and their end, and
/// tells how many.
pub(crate) async fn delete_expired<E: EntityTrait>(
    database: &Database,
    columns: (E::Column, E::Column),
    now: impl Into<Value>,
    limit: usize,
) -> Result<usize, StoreError> {
    let limit = u64::from(u32::try_from(limit).unwrap_or(u32::MAX));
    let now = now.into();
    let delete = || delete::<E>(&database.writer, columns, &now, limit);
    let deleted = database.write(delete).await?;
    Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
}

/// On a server no writer is waited for, and each waits no longer than one batch takes.
async fn delete<E: EntityTrait>(
    database: &DatabaseConnection,
    (key, end): (E::Column, E::Column),
    now: &Value,
    limit: u64,
) -> Result<u64, DbErr> {
    let expired = Expr::col(end).lt(now.clone());
    let mut keys = Query::select();
    keys.column(key).from(E::default()).and_where(expired.clone()).limit(limit);
    let mut delete = Query::delete();
    delete.from_table(E::default());
    let done = match database.get_database_backend() {
        DbBackend::MySql => {
            let ordered = delete.and_where(expired).order_by(end, Order::Asc);
            database.execute(ordered.limit(limit)).await?
        }
        DbBackend::Postgres => {
            // Materialised, for a join could ask for the keys again, and get others.
            keys.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
            let mut found = CommonTableExpression::new();
            found.table_name(EXPIRED).column(key).query(keys).materialized(true);
            let found_keys = Query::select().column(key).from(EXPIRED).to_owned();
            delete.and_where(Expr::col(key).in_subquery(found_keys)).with_cte(found);
            database.execute(&delete).await?
        }
        _ => database.execute(delete.and_where(Expr::col(key).in_subquery(keys))).await?,
    };
    Ok(done.rows_affected())
}
