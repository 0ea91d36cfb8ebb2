//! Where Redis is, and how long it may take.

use std::fmt;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates};

use crate::RedisError;

/// How long a connection may take to stand.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long an answer may take: a request that waits longer is better told so.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);

/// How many commands wait for their answers at once.
pub const MAX_IN_FLIGHT: usize = 10_000;

/// Where Redis is, and how long it may take. Passwords do not print.
#[derive(Clone)]
pub struct RedisPolicy {
    pub(crate) place: Place,
    pub(crate) nodes: Vec<ConnectionInfo>,
    pub(crate) sentinel_login: Option<(String, String)>,
    pub(crate) authority: Option<Vec<u8>>,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) max_in_flight: usize,
}

/// How the nodes belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Single,
    Cluster,
    /// Sentinels, and what they call their master.
    Watched(String),
}

impl RedisPolicy {
    /// Reads an address.
    ///
    /// `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, `redis+cluster://…@HOST,HOST,…`, or
    /// `redis+sentinel://…@HOST,HOST,…/MASTER[/DATABASE]`, where user and password are those of the
    /// servers; `rediss` instead of `redis` for TLS.
    ///
    /// # Errors
    /// [`RedisError`] of kind [`Address`](crate::RedisErrorKind::Address), which shows nothing of it.
    pub fn parse(url: &str) -> Result<Self, RedisError> {
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| RedisError::address("has no scheme"))?;
        let (tls, place) = scheme.split_once('+').unwrap_or((scheme, ""));
        if !matches!(tls, "redis" | "rediss") {
            return Err(RedisError::address("has another scheme"));
        }
        let (login, rest) = rest.rsplit_once('@').map_or(("", rest), |(login, rest)| (login, rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (place, database) = match place {
            "" => (Place::Single, path),
            "cluster" => (Place::Cluster, path),
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                (Place::Watched(master.to_owned()), database)
            }
            _ => return Err(RedisError::address("has another scheme")),
        };
        if place == Place::Watched(String::new()) {
            return Err(RedisError::address("does not say what the sentinels call their master"));
        }
        let at = if login.is_empty() { "" } else { "@" };
        let node = |host| node(&format!("{tls}://{login}{at}{host}/{database}"));
        let nodes = hosts.split(',').map(node).collect::<Result<Vec<_>, _>>()?;
        if place == Place::Single && nodes.len() != 1 {
            return Err(RedisError::address("has several hosts, and is no cluster's"));
        }
        Ok(Self {
            place,
            nodes,
            sentinel_login: None,
            authority: None,
            connect_timeout: CONNECT_TIMEOUT,
            response_timeout: RESPONSE_TIMEOUT,
            max_in_flight: MAX_IN_FLIGHT,
        })
    }

    /// Logs in to the sentinels themselves with this user and password.
    #[must_use]
    pub fn sentinel_login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.sentinel_login = Some((user.into(), password.into()));
        self
    }

    /// Believes certificates of this authority, in PEM, and no others. Without this call: those that
    /// the system believes.
    #[must_use]
    pub fn certificate_authority(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authority = Some(pem.into());
        self
    }

    /// How long a connection may take to stand. Without this call: [`CONNECT_TIMEOUT`].
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an answer may take. Without this call: [`RESPONSE_TIMEOUT`].
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// How many commands wait for their answers at once. Without this call: [`MAX_IN_FLIGHT`].
    #[must_use]
    pub fn max_in_flight(mut self, count: usize) -> Self {
        self.max_in_flight = count;
        self
    }

    pub(crate) fn certificates(&self) -> Option<TlsCertificates> {
        let root_cert = Some(self.authority.clone()?);
        Some(TlsCertificates { client_tls: None, root_cert })
    }
}

fn node(url: &str) -> Result<ConnectionInfo, RedisError> {
    let node = url.into_connection_info().map_err(|_| RedisError::address("can't be read"))?;
    if let ConnectionAddr::TcpTls { insecure: true, .. } = node.addr() {
        return Err(RedisError::address("asks for TLS that believes every certificate"));
    }
    Ok(node)
}

impl fmt::Debug for RedisPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.nodes.iter().map(|node| node.addr().to_string()).collect();
        f.debug_struct("RedisPolicy")
            .field("place", &self.place)
            .field("hosts", &hosts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> (Place, Vec<String>) {
        let policy = RedisPolicy::parse(url).unwrap();
        (policy.place, policy.nodes.iter().map(|node| node.addr().to_string()).collect())
    }

    #[test]
    fn addresses_are_read() {
        let hosts = |hosts: &[&str]| hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>();
        assert_eq!(parsed("redis://h"), (Place::Single, hosts(&["h:6379"])));
        assert_eq!(parsed("rediss://u:p@h:1/3"), (Place::Single, hosts(&["h:1"])));
        assert_eq!(parsed("redis+cluster://:p@a:1,b:2"), (Place::Cluster, hosts(&["a:1", "b:2"])));
        let watched = Place::Watched("main".into());
        assert_eq!(parsed("redis+sentinel://:p@a:1,b:2/main/4"), (watched, hosts(&["a:1", "b:2"])));
        let policy = RedisPolicy::parse("redis://u:p%40%2F@h/7").unwrap();
        let settings = policy.nodes[0].redis_settings();
        assert_eq!((settings.username(), settings.password()), (Some("u"), Some("p@/")));
        assert_eq!(settings.db(), 7);
    }

    #[test]
    fn rule_4_what_is_no_address_is_refused_without_showing_it() {
        for url in [
            "",
            "h",
            "http://hunter2@h",
            "redis://",
            "redis://:hunter2@h:port",
            "redis://:hunter2@h/database",
            "redis://:hunter2@a,b",
            "redis+sentinel://:hunter2@a",
            "redis+other://:hunter2@a",
            "rediss://:hunter2@h/#insecure",
        ] {
            let error = RedisPolicy::parse(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let policy = RedisPolicy::parse("redis://u:hunter2@h").unwrap();
        assert!(!format!("{policy:?}").contains("hunter2"));
    }
}
