//! What can go wrong with Redis.

use std::fmt;

use donjon_core::session::StoreError;
use redis::{ErrorKind, ServerErrorKind};

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedisErrorKind {
    /// The address is none.
    Address,
    /// The user or the password is wrong.
    Authentication,
    /// Nobody answers there.
    Unreachable,
    /// The answer took too long.
    Timeout,
    /// The server takes no writes: it is a replica, out of memory, or can't write its disk.
    ReadOnly,
    /// Anything else that Redis said.
    Other,
}

/// Why Redis could not do its work: what was wrong and what to do.
#[derive(Clone, Debug)]
pub struct RedisError {
    kind: RedisErrorKind,
    message: String,
    no_script: bool,
}

impl RedisError {
    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> RedisErrorKind {
        self.kind
    }

    pub(crate) fn address(problem: &str) -> Self {
        let message = format!(
            "the address of Redis {problem}; expected redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// for \
             TLS, redis+cluster://HOST,HOST or redis+sentinel://HOST,HOST/MASTER[/DATABASE]"
        );
        Self { kind: RedisErrorKind::Address, message, no_script: false }
    }

    pub(crate) fn too_old() -> Self {
        let message = "Redis is too old: Redis 7.0 or Valkey 7.2 is needed".to_owned();
        Self { kind: RedisErrorKind::Other, message, no_script: false }
    }

    pub(crate) fn timeout() -> Self {
        let message = "Redis does not answer in time".to_owned();
        Self { kind: RedisErrorKind::Timeout, message, no_script: false }
    }

    /// Does Redis not know the script of that digest?
    pub(crate) fn is_unknown_script(&self) -> bool {
        self.no_script
    }

    /// Is another connection to be made before anything else is asked?
    pub(crate) fn breaks_the_connection(&self) -> bool {
        use RedisErrorKind::{Authentication, ReadOnly, Timeout, Unreachable};
        matches!(self.kind, Unreachable | Timeout | ReadOnly | Authentication)
    }
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RedisError {}

impl From<redis::RedisError> for RedisError {
    fn from(error: redis::RedisError) -> Self {
        let kind = kind(&error);
        let message = match kind {
            RedisErrorKind::Authentication => {
                "Redis refuses the user or the password; check them in its address".to_owned()
            }
            RedisErrorKind::Unreachable => format!("Redis can't be reached: {}", error.category()),
            RedisErrorKind::Timeout => return Self::timeout(),
            // What the server says may quote what it was asked, and that is a key.
            _ => format!(
                "Redis refused: {} ({})",
                error.code().unwrap_or("no code"),
                error.category()
            ),
        };
        let no_script = error.kind() == ErrorKind::Server(ServerErrorKind::NoScript);
        Self { kind, message, no_script }
    }
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        Self::new(error)
    }
}

fn kind(error: &redis::RedisError) -> RedisErrorKind {
    match error.kind() {
        ErrorKind::AuthenticationFailed => RedisErrorKind::Authentication,
        ErrorKind::InvalidClientConfig => RedisErrorKind::Address,
        _ if matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM")) => {
            RedisErrorKind::Authentication
        }
        ErrorKind::Server(ServerErrorKind::ReadOnly) => RedisErrorKind::ReadOnly,
        _ if matches!(error.code(), Some("OOM" | "MISCONF" | "NOREPLICAS")) => {
            RedisErrorKind::ReadOnly
        }
        _ if error.is_timeout() => RedisErrorKind::Timeout,
        _ if error.is_io_error() || error.is_connection_dropped() => RedisErrorKind::Unreachable,
        ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown,
        ) => RedisErrorKind::Unreachable,
        _ => RedisErrorKind::Other,
    }
}
