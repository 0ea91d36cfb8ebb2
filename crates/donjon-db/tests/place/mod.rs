//! The kinds of database that a test runs on, each time with a database of its own.
//!
//! `cargo xtask test` starts the servers and names them.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

pub(crate) mod accounts;
pub(crate) mod network;
pub(crate) mod sessions;

use std::sync::atomic::{AtomicU32, Ordering};

use donjon_db::{Database, DatabasePolicy};
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Sqlite,
    Postgres,
    MariaDb,
}

/// A database that is nobody else's.
pub(crate) struct Fresh {
    pub(crate) url: String,
    _folder: Option<TempDir>,
}

impl Place {
    /// A new database without tables.
    pub(crate) async fn empty(self) -> Fresh {
        match self {
            Self::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite://{}/site.sqlite3", folder.path().display());
                Fresh { url, _folder: Some(folder) }
            }
            Self::Postgres => on_server(servers::POSTGRES).await,
            Self::MariaDb => on_server(servers::MARIADB).await,
        }
    }

    /// A new database with all tables. Hold on to what names it.
    pub(crate) async fn migrated(self) -> (Fresh, Database) {
        let fresh = self.empty().await;
        let database = fresh.open().await;
        database.migrate().await.unwrap();
        (fresh, database)
    }
}

impl Fresh {
    /// Opens it with few connections: many tests share a server.
    pub(crate) async fn open(&self) -> Database {
        let policy = DatabasePolicy::parse(&self.url).unwrap().max_connections(4);
        Database::open(&policy).await.unwrap()
    }
}

async fn on_server(variable: &str) -> Fresh {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = servers::shared(variable);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("donjon_{}_{number}", std::process::id());
    let database = Database::connect(&server).await.unwrap();
    let charset = if variable == servers::MARIADB { " CHARACTER SET utf8mb4" } else { "" };
    let sql = format!("CREATE DATABASE {name}{charset}");
    database.danger_connection().execute_unprepared(&sql).await.unwrap();
    let (place, _) = server.rsplit_once('/').unwrap();
    Fresh { url: format!("{place}/{name}"), _folder: None }
}

/// A test of each kind of database for each function that takes a [`Place`].
#[macro_export]
macro_rules! on_each {
    ($($name:ident)*) => {
        $crate::on_each! { @ sqlite Sqlite: $($name)* }
        $crate::on_each! { servers: $($name)* }
    };
    (servers: $($name:ident)*) => {
        $crate::on_each! { @ postgres Postgres: $($name)* }
        $crate::on_each! { @ mariadb MariaDb: $($name)* }
    };
    (@ $module:ident $place:ident: $($name:ident)*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    super::$name($crate::place::Place::$place).await;
                }
            )*
        }
    };
}
