//! Who the site is in the eyes of a browser, and whom it trusts.
//!
//! Stops: forwarded headers that a client made up (a fake `https`, a fake host), origins that only
//! look like a trusted one, and redirects that leave the site.
//!
//! 1. The site's own origin is the scheme and the host that the browser used: those of the
//!    connection, unless a proxy that [`SitePolicy`] names by address says otherwise.
//! 2. `X-Forwarded-Proto`, `-Host` and `-Port` from anybody else are not read at all.
//! 3. A trusted origin is `scheme://host[:port]`, or `scheme://*.host` for a domain and all below
//!    it; the scheme always counts.
//! 4. URLs are split as Python's `urlsplit` splits them, so that every verdict is Django's.
//! 5. A redirect target from a client must pass [`is_safe_redirect`].
//!
//! Spec: Django's `django/http/request.py`, `django/middleware/csrf.py`, `django/utils/http.py`;
//! RFC 6454.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header, uri::Authority};
use ipnet::IpNet;

use crate::cookie::Https;
use crate::host::{AllowedHosts, is_same_domain};

/// The longest redirect target that is taken from a client, in characters. Django: `MAX_URL_LENGTH`.
pub const MAX_REDIRECT: usize = 2048;

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that an origin of this scheme need not write.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// For the attribute `Secure` of a cookie.
    #[must_use]
    pub const fn https(self) -> Https {
        match self {
            Self::Http => Https::No,
            Self::Https => Https::Yes,
        }
    }
}

/// What the server knows of the connection that a request came by.
///
/// Whoever accepts connections leaves it in the request's extensions. Where it is missing, the
/// connection counts as plain HTTP from an unknown peer, which is trusted with nothing.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// This end.
    pub local: SocketAddr,
    /// Was it TLS?
    pub scheme: Scheme,
}

/// How the site finds out its own origin. Django: `ALLOWED_HOSTS`, `SECURE_PROXY_SSL_HEADER`,
/// `USE_X_FORWARDED_HOST`, `USE_X_FORWARDED_PORT`.
#[derive(Clone, Debug)]
pub struct SitePolicy {
    hosts: AllowedHosts,
    proxies: Vec<IpNet>,
    any_peer: AnyPeer,
    server: Option<(String, u16)>,
}

/// What is believed of any peer, proxy or not: Django's settings.
#[derive(Clone, Debug, Default)]
struct AnyPeer {
    scheme: Option<(HeaderName, HeaderValue)>,
    host: bool,
    port: bool,
}

impl SitePolicy {
    /// A site that answers to these hosts and has no proxy in front.
    #[must_use]
    pub fn new(hosts: AllowedHosts) -> Self {
        Self { hosts, proxies: Vec::new(), any_peer: AnyPeer::default(), server: None }
    }

    /// Believes what this proxy, or each proxy of this network, says of scheme, host and port.
    #[must_use]
    pub fn trust_proxy(mut self, proxy: IpNet) -> Self {
        self.proxies.push(proxy);
        self
    }

    /// Names the server for requests without `Host`, and its port. Otherwise they are those of the
    /// connection.
    #[must_use]
    pub fn server(mut self, name: impl Into<String>, port: u16) -> Self {
        self.server = Some((name.into(), port));
        self
    }

    /// Believes a header of *any* peer: the request is HTTPS if the header has this value, and HTTP
    /// if it has another. Django: `SECURE_PROXY_SSL_HEADER`.
    ///
    /// Any client can send it, unless a proxy in front always overwrites it. Prefer
    /// [`SitePolicy::trust_proxy`].
    #[must_use]
    pub fn danger_scheme_header(mut self, name: HeaderName, https: HeaderValue) -> Self {
        self.any_peer.scheme = Some((name, https));
        self
    }

    /// Believes `X-Forwarded-Host` of any peer. Django: `USE_X_FORWARDED_HOST`.
    #[must_use]
    pub fn danger_forwarded_host(mut self) -> Self {
        self.any_peer.host = true;
        self
    }

    /// Believes `X-Forwarded-Port` of any peer. Django: `USE_X_FORWARDED_PORT`.
    #[must_use]
    pub fn danger_forwarded_port(mut self) -> Self {
        self.any_peer.port = true;
        self
    }

    /// Who the site is for one request.
    #[must_use]
    pub fn resolve(
        &self,
        headers: &HeaderMap,
        authority: Option<&Authority>,
        connection: Option<&Connection>,
    ) -> Site {
        let proxy = connection.is_some_and(|connection| self.trusts(connection.peer.ip()));
        let forwarded =
            |believed: bool, name| (proxy || believed).then(|| headers.get(name)).flatten();
        let sent = forwarded(self.any_peer.host, &FORWARDED_HOST)
            .or_else(|| headers.get(header::HOST))
            .cloned();
        let host = sent.or_else(|| HeaderValue::from_str(authority?.as_str()).ok());
        let scheme = self.scheme(headers, connection, proxy);
        let server_port = self.server.as_ref().map(|(_, port)| *port);
        let forwarded_port = forwarded(self.any_peer.port, &FORWARDED_PORT).cloned();
        Site {
            scheme,
            host: self.check(host.or_else(|| self.server_host(scheme, forwarded_port.as_ref()))),
            forwarded_port,
            server_port: server_port
                .or_else(|| connection.map(|connection| connection.local.port())),
            proxy: ProxyHint::of(headers, scheme, proxy),
        }
    }

    fn check(&self, host: Option<HeaderValue>) -> Result<HostName, DisallowedHost> {
        let host = host.ok_or(DisallowedHost(None))?;
        match host.to_str() {
            Ok(name) if self.hosts.allows(name) => Ok(HostName(host)),
            _ => Err(DisallowedHost(Some(host))),
        }
    }

    /// The server's own name, for a request that names no host.
    fn server_host(&self, scheme: Scheme, forwarded: Option<&HeaderValue>) -> Option<HeaderValue> {
        let (name, port) = self.server.as_ref()?;
        let port = forwarded.map_or_else(|| port.to_string(), latin1);
        let needless = port == scheme.default_port().to_string();
        let host = if needless { name.clone() } else { format!("{name}:{port}") };
        HeaderValue::try_from(host).ok()
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.contains(&peer.to_canonical()))
    }

    fn scheme(&self, headers: &HeaderMap, connection: Option<&Connection>, proxy: bool) -> Scheme {
        let named = |name: &HeaderName, https: &HeaderValue| {
            let value = headers.get(name)?.as_bytes();
            let first = value.split(|&byte| byte == b',').next().unwrap_or(value).trim_ascii();
            Some(if first == https.as_bytes() { Scheme::Https } else { Scheme::Http })
        };
        let believed = match &self.any_peer.scheme {
            Some((name, https)) => named(name, https),
            None if proxy => named(&FORWARDED_PROTO, &HeaderValue::from_static("https")),
            None => None,
        };
        believed.unwrap_or(connection.map_or(Scheme::Http, |connection| connection.scheme))
    }
}

static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Who the site is for one request: left in the request for the rooms further in.
#[derive(Clone, Debug)]
pub struct Site {
    scheme: Scheme,
    host: Result<HostName, DisallowedHost>,
    forwarded_port: Option<HeaderValue>,
    server_port: Option<u16>,
    proxy: ProxyHint,
}

/// A host that the site answers to, as it was written: case and port kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(HeaderValue);

impl HostName {
    /// The host, with its port if one was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// The request named no host, or one that the site does not answer to. Django: `DisallowedHost`,
/// status 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisallowedHost(Option<HeaderValue>);

impl DisallowedHost {
    /// What the request named, for the log.
    #[must_use]
    pub fn sent(&self) -> String {
        self.0.as_ref().map(latin1).unwrap_or_default()
    }
}

impl fmt::Display for DisallowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request's host is none that this site answers to")
    }
}

impl std::error::Error for DisallowedHost {}

/// What the request says of a proxy that the site does not trust: no rule looks at it, it only
/// explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHint {
    /// No sign of a proxy that is not trusted.
    None,
    /// `X-Forwarded-Proto` says another scheme than the site believes, and nobody trusts it.
    SchemeUnbelieved,
    /// `X-Forwarded-Host` is there and nobody trusts it.
    HostUnbelieved,
}

impl ProxyHint {
    fn of(headers: &HeaderMap, scheme: Scheme, trusted: bool) -> Self {
        let proto = headers.get(&FORWARDED_PROTO);
        match proto {
            _ if trusted => Self::None,
            Some(proto) if proto.as_bytes() != scheme.as_str().as_bytes() => Self::SchemeUnbelieved,
            _ if headers.contains_key(&FORWARDED_HOST) => Self::HostUnbelieved,
            _ => Self::None,
        }
    }
}

impl Site {
    /// The scheme that the browser used.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host that the browser asked for. Django: `get_host`.
    ///
    /// # Errors
    /// [`DisallowedHost`] if the site does not answer to it.
    pub fn host(&self) -> Result<&HostName, &DisallowedHost> {
        self.host.as_ref()
    }

    /// The port that the browser used, as far as the site can tell. Django: `get_port`.
    #[must_use]
    pub fn port(&self) -> String {
        match &self.forwarded_port {
            Some(port) => latin1(port),
            None => self.server_port.unwrap_or(self.scheme.default_port()).to_string(),
        }
    }

    /// Signs of a proxy that is not trusted.
    #[must_use]
    pub fn proxy_hint(&self) -> ProxyHint {
        self.proxy
    }

    /// Is this text the site's own origin, letter by letter?
    #[must_use]
    pub fn is_origin(&self, origin: &str) -> bool {
        let host =
            origin.strip_prefix(self.scheme.as_str()).and_then(|rest| rest.strip_prefix("://"));
        self.host().is_ok_and(|own| host == Some(own.as_str()))
    }

    /// The site's own origin; `None` if the host is not allowed.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        Some(format!("{}://{}", self.scheme.as_str(), self.host().ok()?.as_str()))
    }
}

/// A header's bytes as Django reads them: each byte the character of that number.
#[must_use]
pub fn latin1(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|&byte| char::from(byte)).collect()
}

/// A URL split where Python's `urlsplit` splits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitUrl {
    /// The scheme, in lower case; empty if there is none.
    pub scheme: String,
    /// What stands between `//` and the path.
    pub netloc: String,
    /// Path, query and fragment.
    pub rest: String,
}

impl SplitUrl {
    /// The URL put together again. Python: `geturl`.
    #[must_use]
    pub fn to_url(&self) -> String {
        let rest = self.rest.strip_suffix(['?', '#']).unwrap_or(&self.rest);
        match (self.scheme.as_str(), self.netloc.as_str()) {
            ("", "") => rest.to_owned(),
            ("", netloc) => format!("//{netloc}{rest}"),
            (scheme, "") => format!("{scheme}:{rest}"),
            (scheme, netloc) => format!("{scheme}://{netloc}{rest}"),
        }
    }
}

/// A URL whose host can't be one. Python: `ValueError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedUrl;

/// Splits a URL as Python's `urllib.parse.urlsplit` does.
///
/// # Errors
/// [`MalformedUrl`] for brackets that hold no IPv6 address, and for a host in which Unicode hides a
/// delimiter.
pub fn split_url(url: &str) -> Result<SplitUrl, MalformedUrl> {
    let url: String = url
        .trim_start_matches(|c| c <= ' ')
        .chars()
        .filter(|c| !matches!(c, '\t' | '\r' | '\n'))
        .collect();
    let (scheme, rest) = split_scheme(&url);
    let Some(after) = rest.strip_prefix("//") else {
        return Ok(SplitUrl { scheme, netloc: String::new(), rest: rest.to_owned() });
    };
    let (netloc, rest) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
    check_brackets(netloc)?;
    if netloc.contains(HIDES_A_DELIMITER) {
        return Err(MalformedUrl);
    }
    Ok(SplitUrl { scheme, netloc: netloc.to_owned(), rest: rest.to_owned() })
}

/// Characters that Unicode's normal form KC turns into one of `/ ? # @ :`.
const HIDES_A_DELIMITER: [char; 19] = [
    '\u{2047}', '\u{2048}', '\u{2049}', '\u{2100}', '\u{2101}', '\u{2105}', '\u{2106}', '\u{2a74}',
    '\u{fe13}', '\u{fe16}', '\u{fe55}', '\u{fe56}', '\u{fe5f}', '\u{fe6b}', '\u{ff03}', '\u{ff0f}',
    '\u{ff1a}', '\u{ff1f}', '\u{ff20}',
];

fn split_scheme(url: &str) -> (String, &str) {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    match url.split_once(':') {
        Some((scheme, rest))
            if scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(legal) =>
        {
            (scheme.to_ascii_lowercase(), rest)
        }
        _ => (String::new(), url),
    }
}

fn check_brackets(netloc: &str) -> Result<(), MalformedUrl> {
    if netloc.contains('[') != netloc.contains(']') {
        return Err(MalformedUrl);
    }
    let host = netloc.rsplit_once('@').map_or(netloc, |(_, host)| host);
    let Some((before, inside)) = host.split_once('[') else { return Ok(()) };
    let (address, port) = inside.split_once(']').ok_or(MalformedUrl)?;
    let ipv6 =
        || address.split('%').next().is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    let future = || {
        let parts = address.strip_prefix('v').and_then(|rest| rest.split_once('.'));
        parts.is_some_and(|(version, rest)| {
            !version.is_empty()
                && version.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !rest.is_empty()
        })
    };
    let delimited = port.is_empty() || port.starts_with(':');
    if before.is_empty() && delimited && (ipv6() || future()) { Ok(()) } else { Err(MalformedUrl) }
}

/// The origins whose requests count as the site's own. Django: `CSRF_TRUSTED_ORIGINS`.
#[derive(Clone, Debug, Default)]
pub struct TrustedOrigins {
    exact: Vec<String>,
    below: Vec<(String, String)>,
    hosts: Vec<String>,
}

/// A trusted origin that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedOriginError(String);

impl fmt::Display for TrustedOriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not an origin: expected \"https://example.com\", with a port where it is not the scheme's own, or \
             \"https://*.example.com\", and nothing behind the host",
            self.0
        )
    }
}

impl std::error::Error for TrustedOriginError {}

impl TrustedOrigins {
    /// Nobody but the site itself.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// These origins, `scheme://host[:port]` or `scheme://*.host[:port]`.
    ///
    /// # Errors
    /// [`TrustedOriginError`] for the first that is none: without scheme, with a path, or with a
    /// star elsewhere.
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, TrustedOriginError> {
        origins.into_iter().try_fold(Self::none(), |trusted, origin| {
            trusted.add(origin).ok_or_else(|| TrustedOriginError(origin.to_owned()))
        })
    }

    fn add(mut self, origin: &str) -> Option<Self> {
        let url = split_url(origin).ok()?;
        if url.scheme.is_empty()
            || url.netloc.is_empty()
            || !url.rest.is_empty()
            || url.netloc.contains('@')
        {
            return None;
        }
        let host = url.netloc.strip_prefix('*').unwrap_or(&url.netloc);
        let star = host.len() < url.netloc.len();
        if host.contains('*') || (star && !host.starts_with('.')) || origin != url.to_url() {
            return None;
        }
        self.hosts.push(host.to_owned());
        match star {
            true => self.below.push((url.scheme.clone(), host.to_owned())),
            false => self.exact.push(origin.to_owned()),
        }
        Some(self)
    }

    /// Is this origin, as a browser writes it, trusted?
    #[must_use]
    pub fn trusts(&self, origin: &str) -> bool {
        if self.exact.iter().any(|trusted| trusted == origin) {
            return true;
        }
        let below = |url: &SplitUrl| {
            self.below
                .iter()
                .any(|(scheme, host)| url.scheme == *scheme && is_same_domain(&url.netloc, host))
        };
        !self.below.is_empty() && split_url(origin).is_ok_and(|url| below(&url))
    }

    /// Is this host, with its port, one of a trusted origin of whatever scheme?
    #[must_use]
    pub fn trusts_host(&self, netloc: &str) -> bool {
        self.hosts.iter().any(|host| is_same_domain(netloc, host))
    }
}

/// May a browser be sent to this URL, which a client gave? Django:
/// `url_has_allowed_host_and_scheme`.
///
/// Yes for a path, and for `http` or `https` URLs whose host, letter by letter and with its port, is
/// in `hosts`; with `scheme` HTTPS, for `https` only. A browser reads `\` as `/`, so the URL must
/// pass in both readings.
#[must_use]
pub fn is_safe_redirect(url: &str, hosts: &[&str], scheme: Scheme) -> bool {
    // The length comes first: nothing below is worth a megabyte.
    let url = url.trim_matches(is_python_space);
    if url.is_empty() || url.len() > MAX_REDIRECT * 4 || url.chars().count() > MAX_REDIRECT {
        return false;
    }
    stays(url, hosts, scheme) && stays(&url.replace('\\', "/"), hosts, scheme)
}

/// What Python's `str.strip` strips.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn stays(url: &str, hosts: &[&str], scheme: Scheme) -> bool {
    let Ok(split) = split_url(url) else { return false };
    let nowhere = split.netloc.is_empty() && !split.scheme.is_empty();
    if begins_with_three_slashes(url) || nowhere || url.chars().next().is_none_or(is_other) {
        return false;
    }
    let named = match split.scheme.as_str() {
        "" if !split.netloc.is_empty() => "http",
        named => named,
    };
    let scheme_fits = match named {
        "" | "https" => true,
        named => named == "http" && scheme == Scheme::Http,
    };
    scheme_fits && (split.netloc.is_empty() || hosts.contains(&split.netloc.as_str()))
}

/// A browser takes three slashes for two, and drops tabs and line breaks before it counts them, where
/// Django looks at the text as it is and leaves them to be encoded in `Location`.
fn begins_with_three_slashes(url: &str) -> bool {
    let mut seen = url.chars().filter(|c| !matches!(c, '\t' | '\r' | '\n'));
    (0..3).all(|_| seen.next() == Some('/'))
}

/// Unicode's category C: control, format, private use and what is not assigned, as far as a browser
/// might skip it.
fn is_other(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn connection(peer: &str) -> Connection {
        Connection {
            peer: SocketAddr::new(peer.parse().unwrap(), 50_000),
            local: "127.0.0.1:8000".parse().unwrap(),
            scheme: Scheme::Http,
        }
    }

    fn policy() -> SitePolicy {
        SitePolicy::new(AllowedHosts::new(["example.com"]).unwrap())
            .trust_proxy("10.0.0.0/8".parse().unwrap())
    }

    #[test]
    fn rule_1_a_trusted_proxy_is_believed() {
        let headers = headers(&[
            ("host", "internal"),
            ("x-forwarded-host", "example.com"),
            ("x-forwarded-proto", "https"),
        ]);
        let site = policy().resolve(&headers, None, Some(&connection("10.1.2.3")));
        assert_eq!(site.origin().unwrap(), "https://example.com");
        let mapped = policy().resolve(&headers, None, Some(&connection("::ffff:10.1.2.3")));
        assert_eq!(mapped.scheme(), Scheme::Https);
    }

    #[test]
    fn rule_2_nobody_else_is() {
        let headers = headers(&[
            ("host", "example.com"),
            ("x-forwarded-host", "evil.com"),
            ("x-forwarded-proto", "https"),
        ]);
        for peer in [Some(connection("192.0.2.1")), None] {
            let site = policy().resolve(&headers, None, peer.as_ref());
            assert_eq!(site.origin().unwrap(), "http://example.com");
            assert_eq!(site.proxy_hint(), ProxyHint::SchemeUnbelieved);
        }
    }

    #[test]
    fn rule_1_a_disallowed_host_has_no_origin() {
        let site = policy().resolve(&headers(&[("host", "evil.com")]), None, None);
        assert_eq!(site.host().unwrap_err().sent(), "evil.com");
        assert_eq!(site.origin(), None);
        assert!(!site.is_origin("http://evil.com"));
    }

    #[test]
    fn rule_1_without_a_host_the_server_is_named_with_the_port_that_is_believed() {
        let site = |policy: SitePolicy, port: &'static str| {
            let headers = headers(&[("x-forwarded-port", port)]);
            policy.resolve(&headers, None, None).origin().unwrap()
        };
        let server = || policy().server("example.com", 8000);
        assert_eq!(site(server(), "8443"), "http://example.com:8000");
        assert_eq!(site(server().danger_forwarded_port(), "8443"), "http://example.com:8443");
        assert_eq!(site(server().danger_forwarded_port(), "80"), "http://example.com");
        let malformed = server().danger_forwarded_port();
        assert_eq!(
            malformed.resolve(&headers(&[("x-forwarded-port", "x")]), None, None).origin(),
            None
        );
    }

    #[test]
    fn rule_3_trusted_origins_keep_their_scheme() {
        let trusted =
            TrustedOrigins::new(["https://*.example.com", "https://trusted.org"]).unwrap();
        for origin in ["https://a.example.com", "https://example.com", "https://trusted.org"] {
            assert!(trusted.trusts(origin), "{origin}");
        }
        for origin in [
            "http://a.example.com",
            "https://a.example.com:8443",
            "https://badexample.com",
            "https://trusted.org.evil",
            "https://trusted.org:443",
            "HTTPS://trusted.org",
            "null",
            "https://[",
            "",
        ] {
            assert!(!trusted.trusts(origin), "{origin}");
        }
        for origin in [
            "example.com",
            "https://",
            "https://a.com/",
            "https://a*.com",
            "https://*a.com",
            "*",
            "https://u@a.com",
        ] {
            assert!(TrustedOrigins::new([origin]).is_err(), "{origin}");
        }
    }

    #[test]
    fn rule_4_urls_are_split_as_python_does() {
        let split = |url| split_url(url).map(|url| (url.scheme, url.netloc, url.rest));
        let owned = |a: &str, b: &str, c: &str| Ok((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(
            split(" HTTPS://User@EX.com:1/p?q#f"),
            owned("https", "User@EX.com:1", "/p?q#f")
        );
        assert_eq!(split("java\tscript:x"), owned("javascript", "", "x"));
        assert_eq!(split("//h"), owned("", "h", ""));
        assert_eq!(split("1a:b"), owned("", "", "1a:b"));
        for url in [
            "http://[bad/",
            "http://bad]/",
            "http://[1.2.3.4]/",
            "http://a[::1]/",
            "http://[::1]a/",
            "//a\u{ff0f}b",
        ] {
            assert_eq!(split_url(url), Err(MalformedUrl), "{url}");
        }
    }

    #[test]
    fn rule_5_redirects_stay_on_the_site() {
        let safe = |url| is_safe_redirect(url, &["testserver", "testserver.com"], Scheme::Http);
        for url in [
            "http://example.com",
            "http:///example.com",
            "https://example.com",
            "ftp://example.com",
            r"\\example.com",
            r"\\\example.com",
            r"/\\/example.com",
            r"\\\example.com",
            r"\\example.com",
            r"\\//example.com",
            r"/\/example.com",
            r"\/example.com",
            r"/\example.com",
            "http:///example.com",
            r"http:/\//example.com",
            r"http:\/example.com",
            r"http:/\example.com",
            "javascript:alert(\"XSS\")",
            "\njavascript:alert(x)",
            "java\nscript:alert(x)",
            "\x08//example.com",
            r"http://otherserver\@example.com",
            r"http:\\testserver\@example.com",
            r"http://testserver\me:pass@example.com",
            r"http:\\testserver\confirm\me@example.com",
            "http:999999999",
            "ftp:9999999999",
            "\n",
            "",
            "http://[2001:cdba:0000:0000:0000:0000:3257:9652/",
            "http://2001:cdba:0000:0000:0000:0000:3257:9652]/",
            "//e.com",
            "///e.com",
            "http:e.com",
            "/\t/e.com",
            "https:e.com",
        ] {
            assert!(!safe(url), "{url:?}");
        }
        for url in [
            "/view/?param=http://example.com",
            "/view/?param=https://example.com",
            "/view?param=ftp://example.com",
            "view/?param=//example.com",
            "https://testserver/",
            "HTTPS://testserver/",
            "//testserver/",
            "http://testserver.com/confirm?email=me@example.com",
            "/url%20with%20spaces/",
            "path/http:2222222222",
        ] {
            assert!(safe(url), "{url:?}");
        }
        let https = |url| is_safe_redirect(url, &["testserver"], Scheme::Https);
        assert!(https("https://testserver/p") && https("/p"));
        assert!(!https("http://testserver/p") && !https("//testserver/p"));
        assert!(!safe(&"/a".repeat(MAX_REDIRECT)));
    }

    /// Found by the fuzz target `url_split`: a browser reads `//\t/evil.example` as `///evil.example`.
    #[test]
    fn three_slashes_do_not_hide_behind_tabs_and_line_breaks() {
        for url in [
            "/\t//evil.example",
            "//\n/evil.example",
            "\\\\\r\\evil.example",
            "\\\n\t\\/evil.example",
        ] {
            assert!(!is_safe_redirect(url, &["testserver"], Scheme::Http), "{url:?}");
        }
        assert!(is_safe_redirect("/a\t//b", &["testserver"], Scheme::Http));
    }
}
