//! Throwaway servers for tests: PostgreSQL, MariaDB and Redis from Debian's packages.
//!
//! 1. A server has a temporary folder, a free port of 127.0.0.1, and a random password. Nobody else
//!    meets it.
//! 2. It is ready when [`start`](Postgres::start) returns, and gone with its folder when it is dropped.
//! 3. It can be stopped, killed as by a power cut, and begun again on the same port and data.
//!
//! Tests that only need a database take one on the servers that `cargo xtask test` has begun: their
//! addresses are in [`POSTGRES`], [`MARIADB`] and [`REDIS`]. Tests that stop their server begin one of
//! their own.

mod mariadb;
mod postgres;
mod process;
mod redis;

pub use mariadb::MariaDb;
pub use postgres::Postgres;
pub use redis::{Cluster, Redis, RedisOptions, Sentinel};

/// The variable with the address of the PostgreSQL server that tests share.
pub const POSTGRES: &str = "DONJON_TEST_POSTGRES";
/// The variable with the address of the MariaDB server that tests share.
pub const MARIADB: &str = "DONJON_TEST_MARIADB";
/// The variable with the address of the Redis server that tests share.
pub const REDIS: &str = "DONJON_TEST_REDIS";

/// What became of a server: nothing more to say, or what went wrong.
pub type Outcome<T = ()> = Result<T, String>;

/// Must what is written outlive a power cut?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// No: tests that don't kill their server are faster so.
    Fast,
    /// Yes.
    Kept,
}

/// The address of a server that tests share.
///
/// # Panics
/// Where it is not set: the test was not begun by `cargo xtask test`.
#[must_use]
#[allow(clippy::panic, reason = "only tests call it")]
pub fn shared(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run cargo xtask test"))
}
