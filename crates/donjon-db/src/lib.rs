//! Django's tables in SQL: the database, its migrations, and the stores of sessions and accounts. And
//! what Django has no table for: violations of the Content Security Policy. On SQLite, PostgreSQL, MariaDB
//! and MySQL.
//!
//! Stops: SQL injection, and a second truth beside Django's about who is logged in.
//!
//! 1. Every value reaches the database as a bound parameter. The only SQL as text is the schema's, and
//!    it is written in this crate; a site's own tables have a [`Db`], which takes none: see [`guard`].
//! 2. The tables are those of Django 6.1's own migrations, to the letter; a database that Django has
//!    migrated is used as it is, and Django finds nothing to migrate in one of ours.
//! 3. A session is read and written under its key alone, by the contract of
//!    [`SessionStore`](donjon_core::session::SessionStore): no row is overwritten by a new session or
//!    made by an old one.
//! 4. A database that is locked, gone or silent is an error within [`BUSY_TIMEOUT`],
//!    [`SERVER_ACQUIRE_TIMEOUT`] and [`OPERATION_TIMEOUT`], never a hang and never an empty answer.
//! 5. Tables of Donjon's own are named `donjon_…`. Django has no model of them, so that neither
//!    `migrate` nor `makemigrations` there finds anything to do.
//! 6. A server on another machine is spoken to by TLS, its name checked, unless the URL or
//!    [`DatabasePolicy::danger_plaintext`] says otherwise.
//! 7. Keys, names and the states of sessions are compared byte for byte, also where the database's
//!    collation takes `a` for `A`.
//!
//! Times are kept as Django keeps them with `USE_TZ = True`, its default: in UTC.
//!
//! ```
//! use donjon_core::secret::Keys;
//! use donjon_core::session::SessionCodec;
//! use donjon_db::{Database, DbError, DjangoAccounts, DjangoSessions};
//!
//! async fn stores(keys: &Keys) -> Result<(DjangoSessions, DjangoAccounts), DbError> {
//!     let database = Database::sqlite("site.sqlite3").await?;
//!     database.migrate().await?;
//!     let sessions = DjangoSessions::new(&database, SessionCodec::new(keys));
//!     Ok((sessions, DjangoAccounts::new(&database)))
//! }
//! ```

mod accounts;
mod along;
mod bus;
mod cache;
mod database;
mod direct;
mod entity;
mod error;
mod expired;
mod files;
pub mod guard;
mod migrate;
mod schema;
mod sessions;
mod time;
mod user_sessions;
mod violations;

pub use accounts::DjangoAccounts;
pub use bus::PostgresBus;
pub use cache::{
    CACHE_CAPACITY, CACHE_LIFE, CachedAccounts, MAX_CACHED_USERS, ProcessCache, USER_LIFE,
};
pub use database::{
    ACQUIRE_TIMEOUT, BUSY_TIMEOUT, Database, DatabasePolicy, MAX_CONNECTIONS, MAX_READERS,
    OPERATION_TIMEOUT, SERVER_ACQUIRE_TIMEOUT, STATEMENT_TIMEOUT,
};
pub use error::{DbError, DbErrorKind};
pub use files::{FileSessions, LOCK, MAX_FILE};
pub use guard::{
    ColumnError, Columns, Db, FilterKey, OrderBy, Page, PageNumber, Pages, Pattern, SafeRows,
    SafeSql, list,
};
pub use migrate::AppliedMigration;
pub use sessions::DjangoSessions;
pub use user_sessions::SqlUserSessions;
pub use violations::SqlViolations;

/// The guide's chapters, whose examples must compile.
#[cfg(doctest)]
mod chapters {
    #[doc = include_str!("../../../docs/src/databases.md")]
    struct Databases;

    #[doc = include_str!("../../../docs/src/sql.md")]
    struct Sql;
}
