//! Which names the site answers to (Django: `ALLOWED_HOSTS`, `get_host`).
//!
//! Stops: poisoned links and redirects built from a `Host` header that an attacker chose, and DNS
//! rebinding against a site on a developer's machine.
//!
//! 1. A host is `[a-z0-9.-]+` or an IPv6 address in brackets, with an optional `:port`, in any case;
//!    nothing else. One trailing dot is dropped for comparing.
//! 2. It must match a pattern: `*` any, `.example.com` that domain and all below it, otherwise the
//!    same name. The port does not count.
//! 3. A site that names no host answers to its own machine only: `localhost`, names below it,
//!    `127.0.0.1` and `[::1]`.
//!
//! Spec: Django's `django/http/request.py`.

use std::fmt;

/// The longest `Host` that is looked at, in bytes: a DNS name of 253 and a port, with room to spare.
pub const MAX_HOST: usize = 512;

/// Splits `host[:port]`, lower case and without one trailing dot. Django: `split_domain_port`.
///
/// Returns two empty strings for a host that is none.
#[must_use]
pub fn split_host(host: &str) -> (String, String) {
    let Some((name, port)) = parse(host) else { return (String::new(), String::new()) };
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    (name.to_owned(), port.unwrap_or_default().to_owned())
}

/// Name and port of a host, as they are written; `None` if it breaks rule 1.
fn parse(host: &str) -> Option<(&str, Option<&str>)> {
    if host.len() > MAX_HOST {
        return None;
    }
    let end = match host.strip_prefix('[') {
        Some(inside) => {
            let length = inside.find(']')?;
            let address = &inside[..length];
            let legal = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            (!address.is_empty() && address.bytes().all(legal)).then_some(length + 2)?
        }
        None => {
            let legal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
            host.bytes().take_while(legal).count()
        }
    };
    let (name, rest) = host.split_at_checked(end)?;
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(port),
        None => rest.is_empty().then_some(None)?,
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (!name.is_empty() && port.is_none_or(digits)).then_some((name, port))
}

/// Is `host` the domain `pattern`, or below it if the pattern begins with a dot?
/// Django: `is_same_domain`. The pattern is compared in lower case, the host as it is.
#[must_use]
pub fn is_same_domain(host: &str, pattern: &str) -> bool {
    let lowered = |text: &str, pattern: &str| {
        text.len() == pattern.len()
            && text.bytes().zip(pattern.bytes()).all(|(a, b)| a == b.to_ascii_lowercase())
    };
    match pattern.strip_prefix('.') {
        Some(domain) => {
            let tail = host.len().checked_sub(pattern.len()).and_then(|start| host.get(start..));
            lowered(host, domain) || tail.is_some_and(|tail| lowered(tail, pattern))
        }
        None => !pattern.is_empty() && lowered(host, pattern),
    }
}

/// The hosts that a site answers to. Django: `ALLOWED_HOSTS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHosts {
    patterns: Vec<String>,
    any: bool,
}

/// A pattern of hosts that can never match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPatternError(String);

impl fmt::Display for HostPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a host: expected a name like \"example.com\" or \".example.com\", without scheme, port or path",
            self.0
        )
    }
}

impl std::error::Error for HostPatternError {}

impl AllowedHosts {
    /// This machine only: `localhost` and names below it, `127.0.0.1`, `[::1]`.
    #[must_use]
    pub fn local() -> Self {
        let patterns = [".localhost", "127.0.0.1", "[::1]"];
        Self { patterns: patterns.map(str::to_owned).to_vec(), any: false }
    }

    /// These hosts, each a name or, with a dot in front, a domain and all below it.
    ///
    /// # Errors
    /// [`HostPatternError`] for what is not a host; `*` is one, see
    /// [`AllowedHosts::danger_any`].
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, HostPatternError> {
        let check = |pattern: &str| match parse(pattern.strip_prefix('.').unwrap_or(pattern)) {
            Some((_, None)) => Ok(pattern.to_ascii_lowercase()),
            _ => Err(HostPatternError(pattern.to_owned())),
        };
        let patterns = patterns.into_iter().map(check).collect::<Result<_, _>>()?;
        Ok(Self { patterns, any: false })
    }

    /// Whatever host a request names. Django: `ALLOWED_HOSTS = ["*"]`.
    ///
    /// Then nothing may be built from the host: no link, no redirect, no mail.
    #[must_use]
    pub fn danger_any() -> Self {
        Self { patterns: Vec::new(), any: true }
    }

    /// Does the site answer to this `Host`, port and case aside?
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        let Some((name, _)) = parse(host) else { return false };
        let name = name.strip_suffix('.').unwrap_or(name);
        // A lone dot names nothing.
        !name.is_empty()
            && (self.any || self.patterns.iter().any(|pattern| matches_pattern(name, pattern)))
    }
}

/// [`is_same_domain`] with both sides in any case.
fn matches_pattern(name: &str, pattern: &str) -> bool {
    match pattern.strip_prefix('.') {
        Some(domain) => {
            let tail = name.len().checked_sub(pattern.len()).and_then(|start| name.get(start..));
            name.eq_ignore_ascii_case(domain)
                || tail.is_some_and(|tail| tail.eq_ignore_ascii_case(pattern))
        }
        None => name.eq_ignore_ascii_case(pattern),
    }
}

impl AllowedHosts {
    /// Does the site answer to whatever host a request names?
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.any
    }

    /// Does the site answer to its own machine only, or to nobody?
    #[must_use]
    pub fn is_local(&self) -> bool {
        !self.any && (self.patterns.is_empty() || *self == Self::local())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_what_is_no_host_is_refused() {
        for host in [
            "",
            ".",
            ".:80",
            "::1",
            "a_b.com",
            "example.com:",
            "example.com:8a",
            "ex ample.com",
            "é.com",
            "a@b.com",
            "[fe80::1%eth0]",
            "a/b",
            "example.com:80/badpath",
            "example.com:dr@evil.tld:80",
            "example.com:dr@evil.tld",
            "example.com@evil.tld",
            "example.com: evil",
            "example.com,example.com",
            "example.com\t",
            "<x>",
            "[",
            "[]",
            "[::1",
        ] {
            assert_eq!(split_host(host).0, "", "{host}");
            assert!(!AllowedHosts::danger_any().allows(host), "{host}");
        }
        assert_eq!(split_host("EXAMPLE.com."), ("example.com".to_owned(), String::new()));
        assert_eq!(split_host("[::1]:8000"), ("[::1]".to_owned(), "8000".to_owned()));
        assert_eq!(split_host("example.com:080"), ("example.com".to_owned(), "080".to_owned()));
        assert_eq!(split_host("example.com..").0, "example.com.");
    }

    #[test]
    fn rule_2_patterns_match_as_in_django() {
        let hosts =
            AllowedHosts::new([".multitenant.com", "example.com", "[2001:19f0::beef]"]).unwrap();
        for host in [
            "example.com",
            "EXAMPLE.com:80",
            "example.com.",
            "a.multitenant.com",
            "multitenant.com",
            "[2001:19F0::beef]:8080",
        ] {
            assert!(hosts.allows(host), "{host}");
        }
        for host in [
            "www.example.com",
            "badmultitenant.com",
            "example.com..",
            "[::ffff:169.254.169.254]",
            "évil.com",
            // What a converter of international names takes for `example.com`.
            "xn--example-.com",
            "example.com\u{3002}",
        ] {
            assert!(!hosts.allows(host), "{host}");
        }
        assert!(AllowedHosts::new(["https://example.com"]).is_err());
        assert!(AllowedHosts::new(["example.com:80"]).is_err());
    }

    #[test]
    fn rule_3_a_site_without_hosts_is_its_machines_own() {
        let hosts = AllowedHosts::local();
        assert!(
            ["localhost:8000", "a.localhost", "127.0.0.1", "[::1]:1"]
                .iter()
                .all(|host| hosts.allows(host))
        );
        assert!(!hosts.allows("evil.example"));
    }

    #[test]
    fn domains_compare_as_in_django() {
        assert!(is_same_domain("a.example.com", ".EXAMPLE.com"));
        assert!(is_same_domain("example.com", ".example.com"));
        assert!(!is_same_domain("EXAMPLE.com", "example.com"));
        assert!(!is_same_domain("badexample.com", ".example.com"));
        assert!(!is_same_domain("", ""));
        assert!(!is_same_domain("*", "example.com"));
    }
}
