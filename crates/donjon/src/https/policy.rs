//! How a site gets its visitors to HTTPS.

use std::fmt;
use std::time::Duration;

use donjon_core::host::split_host;
use http::HeaderValue;
use regex::{RegexSet, RegexSetBuilder};

use super::address::Spelling;
use crate::paths::Paths;

/// The longest address that a browser is sent to, in bytes. Django: `MAX_URL_REDIRECT_LENGTH`.
pub const MAX_ADDRESS: usize = 16_384;

/// The longest time that browsers are told to stay with HTTPS: a hundred years. A longer one is
/// shortened to it: a number that a browser can't hold would turn the header off.
pub const MAX_HSTS_AGE: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The shortest time that the list of preloaded sites demands: a year.
pub const PRELOAD_AGE: Duration = Duration::from_secs(365 * 86_400);

/// How big the exempt patterns may become when they are compiled, in bytes.
pub const MAX_PATTERNS_SIZE: usize = 1 << 20;

/// Which hosts a browser is to visit over HTTPS only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HstsScope {
    /// This host. Django: `SECURE_HSTS_INCLUDE_SUBDOMAINS = False`.
    Host,
    /// This host and all below it.
    Subdomains,
}

impl HstsScope {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "",
            Self::Subdomains => "; includeSubDomains",
        }
    }
}

/// With which status a request is sent to HTTPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectKind {
    /// 301, as Django: a browser comes again with GET, whatever it sent before.
    Moved,
    /// 301 for GET and HEAD, 308 for all else: the client comes again with the same method and body.
    KeepMethod,
}

/// How a site gets its visitors to HTTPS, as a parsed value. Without a call: not at all.
#[derive(Clone, Debug, Default)]
pub struct HttpsPolicy {
    pub(super) redirect: Option<RedirectKind>,
    pub(super) host: Option<String>,
    pub(super) spelling: Spelling,
    pub(super) exempt: Paths,
    pub(super) patterns: RegexSet,
    pub(super) hsts: Option<HeaderValue>,
}

impl HttpsPolicy {
    /// Sends visitors who came over HTTP to HTTPS, with 301. Django: `SECURE_SSL_REDIRECT`.
    #[must_use]
    pub fn redirect(self) -> Self {
        self.redirect_kind(RedirectKind::Moved)
    }

    /// Sends visitors who came over HTTP to HTTPS, with this status.
    #[must_use]
    pub fn redirect_kind(mut self, kind: RedirectKind) -> Self {
        self.redirect = Some(kind);
        self
    }

    /// Sends them to this host, with its port if that is not 443, and not to the one they asked for.
    /// Django: `SECURE_SSL_HOST`.
    ///
    /// # Errors
    /// [`HttpsError::Host`] for what is no host.
    pub fn host(mut self, host: &str) -> Result<Self, HttpsError> {
        if split_host(host).0.is_empty() {
            return Err(HttpsError::Host(host.to_owned()));
        }
        self.host = Some(host.to_owned());
        Ok(self)
    }

    /// Writes the address of a redirect so.
    #[must_use]
    pub fn spelling(mut self, spelling: Spelling) -> Self {
        self.spelling = spelling;
        self
    }

    /// Does not redirect this path or, if it ends in `/`, what is below it. It is compared letter by
    /// letter with the path as it was sent.
    #[must_use]
    pub fn exempt_path(mut self, path: impl Into<String>) -> Self {
        self.exempt.add(path);
        self
    }

    /// Does not redirect paths in which one of these regular expressions is found, wherever in the
    /// path: the path is decoded, and without the slashes it begins with. Django:
    /// `SECURE_REDIRECT_EXEMPT`.
    ///
    /// Patterns have neither look-around nor back references, so that matching takes linear time; and
    /// `$` is the very end, where Python also takes a line break before it.
    ///
    /// # Errors
    /// [`HttpsError::Patterns`] for what is no pattern, or more than [`MAX_PATTERNS_SIZE`].
    pub fn exempt_patterns(
        mut self,
        patterns: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, HttpsError> {
        let built = RegexSetBuilder::new(patterns).size_limit(MAX_PATTERNS_SIZE).build();
        self.patterns = built.map_err(|error| HttpsError::Patterns(error.to_string()))?;
        Ok(self)
    }

    /// Tells browsers to come over HTTPS only, for so long, at most [`MAX_HSTS_AGE`]; zero sends
    /// nothing, as in Django. Django: `SECURE_HSTS_SECONDS`, `_INCLUDE_SUBDOMAINS`.
    #[must_use]
    pub fn hsts(self, age: Duration, scope: HstsScope) -> Self {
        self.hsts_text(age, scope.as_str(), "")
    }

    /// Tells browsers to come over HTTPS only, to this host and all below it, and lets them ship that
    /// knowledge. Hard to take back. Django: `SECURE_HSTS_PRELOAD`.
    ///
    /// # Errors
    /// [`HttpsError::PreloadAge`] for less than [`PRELOAD_AGE`].
    pub fn hsts_preload(self, age: Duration) -> Result<Self, HttpsError> {
        if age < PRELOAD_AGE {
            return Err(HttpsError::PreloadAge(age));
        }
        Ok(self.danger_hsts_preload(age, HstsScope::Subdomains))
    }

    /// Says `preload` whatever else the header says, as Django does: the list takes no site that says it
    /// for less than a year or without the hosts below it.
    #[must_use]
    pub fn danger_hsts_preload(self, age: Duration, scope: HstsScope) -> Self {
        self.hsts_text(age, scope.as_str(), "; preload")
    }

    /// Tells browsers to forget what they were told: visitors may come in clear again.
    #[must_use]
    pub fn danger_hsts_forget(mut self) -> Self {
        self.hsts = Some(HeaderValue::from_static("max-age=0"));
        self
    }

    fn hsts_text(mut self, age: Duration, scope: &str, preload: &str) -> Self {
        let seconds = age.min(MAX_HSTS_AGE).as_secs();
        let text = format!("max-age={seconds}{scope}{preload}");
        self.hsts = (seconds > 0).then(|| HeaderValue::try_from(text).ok()).flatten();
        self
    }

    /// What `Strict-Transport-Security` says.
    #[must_use]
    pub fn hsts_value(&self) -> Option<&HeaderValue> {
        self.hsts.as_ref()
    }

    /// With which status visitors are sent to HTTPS; none if they are not.
    #[must_use]
    pub fn redirects(&self) -> Option<RedirectKind> {
        self.redirect
    }

    /// The patterns of exempt paths, as they were given.
    #[must_use]
    pub fn patterns(&self) -> &[String] {
        self.patterns.patterns()
    }
}

/// A policy that can't work.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpsError {
    /// The host of redirects is none: this.
    Host(String),
    /// The exempt patterns are none, or too big: what is wrong.
    Patterns(String),
    /// The site asks to be preloaded, but for so long only.
    PreloadAge(Duration),
}

impl fmt::Display for HttpsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => write!(
                f,
                "{host:?} is not a host to redirect to: expected \"secure.example.com\", with a port where it is not \
                 443, without scheme and path"
            ),
            Self::Patterns(error) => write!(
                f,
                "the exempt patterns can't be used: {error}; expected regular expressions without look-around and \
                 back references, of {MAX_PATTERNS_SIZE} bytes at most when compiled; HttpsPolicy::exempt_path takes \
                 plain paths"
            ),
            Self::PreloadAge(age) => write!(
                f,
                "a site that is preloaded stays with HTTPS for {} seconds at least, not {}: begin with \
                 HttpsPolicy::hsts and a short age, and ask for preloading when nothing broke",
                PRELOAD_AGE.as_secs(),
                age.as_secs()
            ),
        }
    }
}

impl std::error::Error for HttpsError {}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: Duration = PRELOAD_AGE;

    fn header(policy: HttpsPolicy) -> String {
        policy.hsts.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn rule_2_the_header_is_djangos() {
        let policy = HttpsPolicy::default;
        assert_eq!(header(policy().hsts(YEAR, HstsScope::Host)), "max-age=31536000");
        let below = "max-age=31536000; includeSubDomains";
        assert_eq!(header(policy().hsts(YEAR, HstsScope::Subdomains)), below);
        let preload = "max-age=31536000; includeSubDomains; preload";
        assert_eq!(header(policy().hsts_preload(YEAR).unwrap()), preload);
        let weak = policy().danger_hsts_preload(Duration::from_secs(60), HstsScope::Host);
        assert_eq!(header(weak), "max-age=60; preload");
    }

    #[test]
    fn rule_2_an_age_has_limits() {
        let hsts = |age| header(HttpsPolicy::default().hsts(age, HstsScope::Host));
        assert_eq!(hsts(Duration::ZERO), "");
        assert_eq!(hsts(Duration::from_millis(999)), "");
        assert_eq!(hsts(Duration::MAX), "max-age=3153600000");
        assert_eq!(header(HttpsPolicy::default().danger_hsts_forget()), "max-age=0");
    }

    #[test]
    fn rule_5_what_cannot_work_is_an_error() {
        let policy = HttpsPolicy::default;
        for host in ["", "https://a.example", "a.example/", "a_b", "a.example:x", "a@b", "a b"] {
            let error = policy().host(host).unwrap_err();
            assert_eq!(error, HttpsError::Host(host.to_owned()));
        }
        for pattern in ["(", "(?=x)", r"(a)\1", "(a{1000}){1000}"] {
            let error = policy().exempt_patterns([pattern]).unwrap_err();
            assert!(error.to_string().contains("exempt_path"), "{pattern}: {error}");
        }
        let almost = YEAR - Duration::from_secs(1);
        let error = policy().hsts_preload(almost).unwrap_err();
        assert_eq!(error, HttpsError::PreloadAge(almost));
        assert!(error.to_string().contains("31536000"), "{error}");
    }
}
