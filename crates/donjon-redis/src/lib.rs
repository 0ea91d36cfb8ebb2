//! Sessions on Redis and Valkey: a store of sessions, a cache in front of a database, and word of
//! changes between nodes.
//!
//! Stops: a log-out that one node does not hear of, sessions that outlive an outage of Redis, and a
//! slow or dead Redis that takes the site down with it.
//!
//! 1. A key is made, changed and removed by one command or one script: nobody sees half of it, and it
//!    works in a cluster. It is read with its end at once, which may already be that of the next state.
//! 2. Every command ends within [`RedisPolicy::response_timeout`], and within
//!    [`RedisPolicy::connect_timeout`] more where a connection has to be made first. While Redis is down
//!    one attempt at a time is made to reach it, and all requests fail with that one. It is tried again
//!    by the next request: nothing has to be restarted.
//! 3. Redis forgets sessions by itself when they expire.
//! 4. Passwords are in no message and no `Debug`.
//! 5. What several requests ask at the same moment goes to one server together; each gets its own answer.
//!
//! Redis 7.0, Valkey 7.2 or newer; one server, sentinels or a cluster, in clear or with TLS.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), donjon_redis::RedisError> {
//! use donjon_redis::{Redis, RedisSessions};
//!
//! let redis = Redis::connect("redis://:password@127.0.0.1:6379/0").await?;
//! let sessions = RedisSessions::new(&redis);
//! # drop(sessions); Ok(()) }
//! ```

mod batch;
mod bus;
mod cache;
mod connection;
mod error;
mod policy;
mod sessions;

pub use bus::RedisBus;
pub use cache::{MAX_CACHED, MAX_OWED, RedisCache};
pub use connection::Redis;
pub use error::{RedisError, RedisErrorKind};
pub use policy::{CONNECT_TIMEOUT, MAX_IN_FLIGHT, RESPONSE_TIMEOUT, RedisPolicy};
pub use sessions::RedisSessions;
