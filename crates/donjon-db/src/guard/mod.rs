//! SQL that can't be injected: the database as a site's own code gets it.
//!
//! Stops: SQL injection, by values, by text and by the names of columns; and half of a change.
//!
//! 1. A [`Db`] runs a closed list of types: SeaORM's queries, and [`sql!`](crate::sql). No connection
//!    of SeaORM's comes out of it, for each of those has methods that run a string: `db.all(query)`
//!    stands for SeaORM's `query.all(&db)`, and a string, a `Statement` or a `SelectorRaw` there does
//!    not compile.
//! 2. [`sql!`](crate::sql) takes a literal. Its text is a constant of a type, so that not even a leaked
//!    string becomes one; its `{values}` are bound.
//! 3. A column that a request chooses is looked up among [`Columns`], and comes back as the entity's.
//! 4. In a [`Pattern`] for `like` a request's wildcards are text.
//! 5. [`Db::atomic`] keeps all of a block or nothing: an error, a panic and a dropped future undo it.
//! 6. After a statement that failed, or was dropped while it ran, a block takes no other and does not
//!    commit, on every database alike: PostgreSQL would answer the commit with a silent rollback, and
//!    MariaDB may have left the transaction.
//! 7. What waits for a commit, [`Db::on_commit`], happens after it, or never.
//! 8. [`Pages`] have a size and an end.
//!
//! What the types can't see is text inside of SeaORM's own query builder, `Expr::cust` and its kin, and
//! what the hooks of an entity (`ActiveModelBehavior`) do with the connection that they get. The bans
//! in `clippy-for-sites.toml` beside this crate, as a site's own `clippy.toml`, hold those.

mod act;
mod atomic;
mod closed;
mod columns;
mod db;
mod each;
mod literal;
mod pages;
mod pattern;
mod query;
#[cfg(feature = "tower")]
mod request;
mod transaction;

pub use atomic::{MAX_ATTEMPTS, MayRetry};
pub use closed::Text;
pub use columns::{ColumnError, ColumnErrorKind, Columns, FilterKey, MAX_ORDER_KEYS, OrderBy};
pub use db::Db;
pub use literal::{
    IntoParameter, List, Literal, MAX_ARGUMENTS, MAX_LIST, Parameter, SafeRows, SafeSql, list,
};
pub use pages::{MAX_PAGE, MAX_PAGE_SIZE, NoPage, PAGE_SIZE, Page, PageNumber, Pages};
pub use pattern::Pattern;
pub use query::{Count, Execute, FetchAll, FetchEach, FetchOne};
#[cfg(feature = "tower")]
pub use request::{AtomicRequests, AtomicRequestsLayer, CommitError};
pub use transaction::{MAX_ON_COMMIT, MAX_SAVEPOINTS};
