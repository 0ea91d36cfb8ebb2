//! Who the site is in the eyes of a browser, who asks, and whom the site trusts.
//!
//! Stops: forwarded headers that a client made up (a fake `https`, host or address), hosts that two
//! readers read differently, and origins that only look like a trusted one.
//!
//! 1. The site's own origin is the scheme and the host that the browser used: those of the
//!    connection, unless one of the site's own [proxies](crate::proxy) says otherwise.
//! 2. Forwarded headers of anybody else are not read at all.
//! 3. A trusted origin is `scheme://host[:port]`, or `scheme://*.host` for a domain and all below
//!    it; the scheme always counts.
//! 4. A request names one host: one `Host`, and the same in its target. What a trusted proxy says is
//!    read in one way or not at all.
//! 5. Where the host is none of the site's, nothing can be built from it.
//! 6. The client is the peer, unless the site's own proxies say otherwise.
//!
//! Spec: Django's `django/http/request.py`, `django/middleware/csrf.py`; RFC 6454, RFC 9112 3.2.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri::Authority};
use ipnet::IpNet;

use crate::host::{AllowedHosts, is_same_domain};
use crate::proxy::{
    Ambiguous, FORWARDED_HOST, FORWARDED_PORT, FORWARDED_PROTO, ForwardedHeader, Told,
    TrustedProxies,
};
use crate::url::{base_path, full_path, iri_to_uri, join_url, without_dots};

pub use crate::url::{MAX_REDIRECT, MalformedUrl, Scheme, SplitUrl, is_safe_redirect, split_url};

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

/// How the site finds out its own origin, and who asks. Django: `ALLOWED_HOSTS`,
/// `SECURE_PROXY_SSL_HEADER`, `USE_X_FORWARDED_HOST`, `USE_X_FORWARDED_PORT`.
///
/// # Examples
/// ```
/// use donjon_core::host::AllowedHosts;
/// use donjon_core::origin::SitePolicy;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let site = SitePolicy::new(AllowedHosts::new(["shop.example"])?)
///     .trust_proxy("10.0.0.0/8".parse()?)
///     .exempt_path("/healthz")?;
/// # let _ = site;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SitePolicy {
    hosts: AllowedHosts,
    proxies: TrustedProxies,
    any_peer: AnyPeer,
    server: Option<(String, u16)>,
    exempt: Vec<String>,
}

/// What is believed of any peer, proxy or not: Django's settings.
#[derive(Clone, Debug, Default)]
struct AnyPeer {
    scheme: Option<(HeaderName, HeaderValue)>,
    host: bool,
    port: bool,
}

/// A path that can be no request's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExemptPathError(String);

impl fmt::Display for ExemptPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a path: expected one like \"/healthz\", without host or query",
            self.0
        )
    }
}

impl std::error::Error for ExemptPathError {}

impl SitePolicy {
    /// A site that answers to these hosts and has no proxy in front.
    #[must_use]
    pub fn new(hosts: AllowedHosts) -> Self {
        Self {
            hosts,
            proxies: TrustedProxies::none(),
            any_peer: AnyPeer::default(),
            server: None,
            exempt: Vec::new(),
        }
    }

    /// Believes what this proxy, or each proxy of this network, says of the client's address, the
    /// scheme, the host and the port.
    #[must_use]
    pub fn trust_proxy(mut self, proxy: IpNet) -> Self {
        self.proxies = self.proxies.network(proxy);
        self
    }

    /// Believes the last so many proxies, whatever their address: for a platform that does not tell
    /// the addresses of its own. Zero is none.
    ///
    /// Whoever reaches the site past the proxies is believed too. It must be impossible to.
    #[must_use]
    pub fn trust_hops(mut self, hops: u8) -> Self {
        self.proxies = self.proxies.hops(hops);
        self
    }

    /// Which headers of the trusted proxies count; `X-Forwarded-*` if nothing is said.
    #[must_use]
    pub fn forwarded_header(mut self, header: ForwardedHeader) -> Self {
        self.proxies = self.proxies.header(header);
        self
    }

    /// Answers requests for this path, and no other below it, whatever host they name: a health check
    /// asks for an address. Their [`Site::host`] is an error if it is not one of the site's, and
    /// nothing can be built from it.
    ///
    /// # Errors
    /// [`ExemptPathError`] for what does not begin with a slash, or has a query.
    pub fn exempt_path(mut self, path: impl Into<String>) -> Result<Self, ExemptPathError> {
        let path = path.into();
        if !path.starts_with('/') || path.contains(['?', '#']) {
            return Err(ExemptPathError(path));
        }
        self.exempt.push(path);
        Ok(self)
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

    /// The hosts that the site answers to.
    #[must_use]
    pub fn hosts(&self) -> &AllowedHosts {
        &self.hosts
    }

    /// The proxies that are the site's own.
    #[must_use]
    pub fn proxies(&self) -> &TrustedProxies {
        &self.proxies
    }

    /// Is a header of any peer believed, as Django's settings have it?
    #[must_use]
    pub fn believes_any_peer(&self) -> bool {
        self.any_peer.scheme.is_some() || self.any_peer.host || self.any_peer.port
    }

    /// The settings by which a header of any peer is believed, as the methods are named.
    pub fn believed_of_any_peer(&self) -> impl Iterator<Item = &'static str> {
        let believed = [
            (self.any_peer.scheme.is_some(), "danger_scheme_header"),
            (self.any_peer.host, "danger_forwarded_host"),
            (self.any_peer.port, "danger_forwarded_port"),
        ];
        believed.into_iter().filter_map(|(believed, name)| believed.then_some(name))
    }

    /// Is this path answered whatever the host?
    #[must_use]
    pub fn exempts(&self, path: &str) -> bool {
        self.exempt.iter().any(|exempt| exempt == path)
    }

    /// Who the site is for one request, and who asks.
    ///
    /// `authority` is that of the request's target: HTTP/2's `:authority`, or the host of an absolute
    /// URL.
    #[must_use]
    pub fn resolve(
        &self,
        headers: &HeaderMap,
        authority: Option<&Authority>,
        connection: Option<&Connection>,
    ) -> Site {
        let peer = connection.map(|connection| connection.peer.ip().to_canonical());
        let (told, fault) = match peer.map(|peer| self.proxies.told(headers, peer)) {
            Some(Ok(told)) => (told, None),
            Some(Err(ambiguous)) => (None, Some(HostFault::Forwarded(ambiguous))),
            None => (None, None),
        };
        let scheme = self.scheme(headers, connection, told.as_ref());
        let port = self.port(headers, connection, scheme, told.as_ref());
        let host = fault.map_or_else(|| self.named(headers, authority, told.as_ref()), Err);
        let named = host.map(|host| host.or_else(|| self.server_host(scheme, &port)));
        Site {
            scheme,
            host: self.check(named, headers),
            port,
            client: told.and_then(|told| told.client).or(peer),
            proxy: ProxyHint::of(headers, scheme, told.is_some() || fault.is_some()),
        }
    }

    /// The host that the request names, if it names one, and only one.
    fn named(
        &self,
        headers: &HeaderMap,
        authority: Option<&Authority>,
        told: Option<&Told<'_>>,
    ) -> Result<Option<HeaderValue>, HostFault> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some() {
            return Err(HostFault::Repeated);
        }
        let target = authority.map(Authority::as_str);
        let same = |host: &HeaderValue| {
            target.is_none_or(|target| host.as_bytes().eq_ignore_ascii_case(target.as_bytes()))
        };
        if !host.is_none_or(same) {
            return Err(HostFault::Contradiction);
        }
        let forwarded = match told.and_then(|told| told.host) {
            Some(told) => forwarded_host(headers, told),
            None if self.any_peer.host => joined(headers, &FORWARDED_HOST),
            None => None,
        };
        let sent = forwarded.or_else(|| host.cloned());
        Ok(sent.or_else(|| HeaderValue::from_str(target?).ok()))
    }

    fn check(
        &self,
        named: Result<Option<HeaderValue>, HostFault>,
        headers: &HeaderMap,
    ) -> Result<HostName, DisallowedHost> {
        let refused = |fault, sent| Err(DisallowedHost { sent, fault });
        match named {
            Ok(Some(host)) if host.to_str().is_ok_and(|name| self.hosts.allows(name)) => {
                Ok(HostName(host))
            }
            Ok(Some(host)) => refused(HostFault::NotAllowed, Some(host)),
            Ok(None) => refused(HostFault::Missing, None),
            Err(fault) => refused(fault, headers.get(header::HOST).cloned()),
        }
    }

    /// The server's own name, for a request that names no host.
    fn server_host(&self, scheme: Scheme, port: &Port) -> Option<HeaderValue> {
        let (name, _) = self.server.as_ref()?;
        let port = port.text();
        let needless = port == scheme.default_port().to_string();
        let host = if needless { name.clone() } else { format!("{name}:{port}") };
        HeaderValue::try_from(host).ok()
    }

    fn port(
        &self,
        headers: &HeaderMap,
        connection: Option<&Connection>,
        scheme: Scheme,
        told: Option<&Told<'_>>,
    ) -> Port {
        let believed = || self.any_peer.port.then(|| joined(headers, &FORWARDED_PORT)).flatten();
        let own = || match &self.server {
            Some((_, port)) => *port,
            None => connection.map_or(scheme.default_port(), |connection| connection.local.port()),
        };
        match told.and_then(|told| told.port) {
            Some(told) => Port::Number(told),
            None => believed().map_or_else(|| Port::Number(own()), Port::Text),
        }
    }

    fn scheme(
        &self,
        headers: &HeaderMap,
        connection: Option<&Connection>,
        told: Option<&Told<'_>>,
    ) -> Scheme {
        let named = |(name, https): &(HeaderName, HeaderValue)| {
            let value = headers.get(name)?.as_bytes();
            let first = value.split(|&byte| byte == b',').next().unwrap_or(value).trim_ascii();
            Some(if first == https.as_bytes() { Scheme::Https } else { Scheme::Http })
        };
        let believed = self.any_peer.scheme.as_ref().and_then(named);
        believed
            .or_else(|| told?.scheme)
            .unwrap_or(connection.map_or(Scheme::Http, |connection| connection.scheme))
    }
}

/// A host that a proxy told, as a header's value: its own value again, where it is all of one.
fn forwarded_host(headers: &HeaderMap, told: &str) -> Option<HeaderValue> {
    let whole = headers.get(&FORWARDED_HOST).filter(|value| value.as_bytes() == told.as_bytes());
    whole.cloned().or_else(|| HeaderValue::from_str(told).ok())
}

/// A header as Django reads it: one that is there twice is joined with a comma.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let rest: Vec<_> = values.map(HeaderValue::as_bytes).collect();
    match rest.is_empty() {
        true => Some(first.clone()),
        false => HeaderValue::from_bytes(&[&[first.as_bytes()], &*rest].concat().join(&b',')).ok(),
    }
}

/// Who the site is for one request, and who asks: left in the request for the rooms further in. Cheap
/// to clone.
#[derive(Clone, Debug)]
pub struct Site {
    scheme: Scheme,
    host: Result<HostName, DisallowedHost>,
    port: Port,
    client: Option<IpAddr>,
    proxy: ProxyHint,
}

/// A port; Django's is the text that any peer sent.
#[derive(Clone, Debug)]
enum Port {
    Number(u16),
    Text(HeaderValue),
}

impl Port {
    fn text(&self) -> String {
        match self {
            Self::Number(port) => port.to_string(),
            Self::Text(port) => latin1(port),
        }
    }
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

/// The request named no host, one that the site does not answer to, or several. Django:
/// `DisallowedHost`, status 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisallowedHost {
    sent: Option<HeaderValue>,
    fault: HostFault,
}

/// What is wrong with a request's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostFault {
    /// It names none.
    Missing,
    /// It is none that the site answers to.
    NotAllowed,
    /// There are two `Host` headers.
    Repeated,
    /// The request's target (`:authority`, or an absolute URL) names another than `Host`.
    Contradiction,
    /// A trusted proxy's word can't be taken.
    Forwarded(Ambiguous),
}

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the request names no host"),
            Self::NotAllowed => f.write_str("the request's host is none that this site answers to"),
            Self::Repeated => f.write_str("the request names its host twice"),
            Self::Contradiction => f.write_str("the request's target and its Host name two hosts"),
            Self::Forwarded(ambiguous) => ambiguous.fmt(f),
        }
    }
}

impl DisallowedHost {
    /// What the request named, for the log.
    #[must_use]
    pub fn sent(&self) -> String {
        self.sent.as_ref().map(latin1).unwrap_or_default()
    }

    /// What is wrong with it.
    #[must_use]
    pub fn kind(&self) -> HostFault {
        self.fault
    }
}

impl fmt::Display for DisallowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
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
        if trusted {
            return Self::None;
        }
        match headers.get(&FORWARDED_PROTO) {
            Some(proto) if proto.as_bytes() != scheme.as_str().as_bytes() => Self::SchemeUnbelieved,
            _ if headers.contains_key(&FORWARDED_HOST) => Self::HostUnbelieved,
            _ => Self::None,
        }
    }
}

/// No absolute URI can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AbsoluteUriError {
    /// The request's host is none of the site's.
    Host(DisallowedHost),
    /// The location is no URL.
    Location,
}

impl fmt::Display for AbsoluteUriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Location => f.write_str("the location is not a URL: its host can't be one"),
        }
    }
}

impl std::error::Error for AbsoluteUriError {}

impl From<DisallowedHost> for AbsoluteUriError {
    fn from(host: DisallowedHost) -> Self {
        Self::Host(host)
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
        self.port.text()
    }

    /// Who asks: the peer, or of whom the trusted proxies say that they speak for. An IPv4 address is
    /// one also where it came mapped into IPv6.
    ///
    /// `None` where nothing is known of the connection.
    #[must_use]
    pub fn client(&self) -> Option<IpAddr> {
        self.client
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

    /// The address of the page that a request asks for, query and all. Django:
    /// `build_absolute_uri()`.
    ///
    /// # Errors
    /// [`DisallowedHost`] if the site does not answer to the host.
    pub fn page_uri(&self, page: &Uri) -> Result<String, DisallowedHost> {
        let host = self.host.as_ref().map_err(Clone::clone)?;
        let path = full_path(page);
        Ok(format!("{}://{}{}", self.scheme.as_str(), host.as_str(), without_dots(&path)))
    }

    /// Where a location leads from the page that a request asks for. Django:
    /// `build_absolute_uri(location)`.
    ///
    /// A location with a host of its own leads there: one from a client must pass
    /// [`is_safe_redirect`] first.
    ///
    /// # Errors
    /// [`AbsoluteUriError`] if the site does not answer to the host, or the location is no URL.
    pub fn absolute_uri(&self, page: &Uri, location: &str) -> Result<String, AbsoluteUriError> {
        let host = self.host.as_ref().map_err(Clone::clone)?;
        // A browser drops what stands behind a URL, Python does not.
        let location = location.trim_end_matches(|c| c <= ' ');
        let joined = join_url(self.scheme, host.as_str(), &base_path(page), location);
        Ok(iri_to_uri(&joined.map_err(|MalformedUrl| AbsoluteUriError::Location)?).into_owned())
    }
}

/// A header's bytes as Django reads them: each byte the character of that number.
#[must_use]
pub fn latin1(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|&byte| char::from(byte)).collect()
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

    /// The origins as they were given, those with a star behind the others.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        let below = self.below.iter().map(|(scheme, host)| format!("{scheme}://*{host}"));
        self.exact.iter().cloned().chain(below)
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
    fn rule_1_a_scheme_decides_both_ways() {
        let tls = Connection { scheme: Scheme::Https, ..connection("10.1.2.3") };
        let headers = headers(&[("host", "example.com"), ("x-forwarded-proto", "http")]);
        assert_eq!(policy().resolve(&headers, None, Some(&tls)).scheme(), Scheme::Http);
        let django = SitePolicy::new(AllowedHosts::danger_any())
            .danger_scheme_header(FORWARDED_PROTO.clone(), HeaderValue::from_static("https"));
        assert_eq!(django.resolve(&headers, None, Some(&tls)).scheme(), Scheme::Http);
    }

    #[test]
    fn rule_2_underscores_are_no_hyphens() {
        let headers = headers(&[
            ("host", "example.com"),
            ("x_forwarded_proto", "https"),
            ("x_forwarded_for", "192.0.2.1"),
        ]);
        let site = policy().resolve(&headers, None, Some(&connection("10.1.2.3")));
        assert_eq!(site.origin().unwrap(), "http://example.com");
        assert_eq!(site.client(), Some([10, 1, 2, 3].into()));
    }

    #[test]
    fn rule_4_a_request_names_one_host() {
        let fault = |headers: &HeaderMap, target: Option<&'static str>| {
            let target = target.map(Authority::from_static);
            let site = policy().resolve(headers, target.as_ref(), None);
            site.host().map(|host| host.as_str().to_owned()).map_err(DisallowedHost::kind)
        };
        let one = headers(&[("host", "example.com")]);
        let two = headers(&[("host", "example.com"), ("host", "example.com")]);
        let none = HeaderMap::new();
        assert_eq!(fault(&two, None), Err(HostFault::Repeated));
        assert_eq!(fault(&one, Some("EXAMPLE.com")), Ok("example.com".to_owned()));
        assert_eq!(fault(&none, Some("example.com")), Ok("example.com".to_owned()));
        assert_eq!(fault(&none, Some("evil.com")), Err(HostFault::NotAllowed));
        assert_eq!(fault(&none, None), Err(HostFault::Missing));
        for target in ["evil.com", "example.com:8000", "user@example.com"] {
            assert_eq!(fault(&one, Some(target)), Err(HostFault::Contradiction), "{target}");
        }
    }

    #[test]
    fn rule_4_a_proxy_that_can_be_read_in_two_ways_is_not_believed() {
        let headers = headers(&[
            ("host", "example.com"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-for", "192.0.2.2"),
        ]);
        let ambiguous = policy().resolve(&headers, None, Some(&connection("10.1.2.3")));
        let fault = ambiguous.host().unwrap_err().kind();
        assert_eq!(fault, HostFault::Forwarded(Ambiguous::Repeated));
        assert_eq!(
            (ambiguous.scheme(), ambiguous.client()),
            (Scheme::Http, Some([10, 1, 2, 3].into()))
        );
        assert!(policy().resolve(&headers, None, Some(&connection("192.0.2.9"))).host().is_ok());
    }

    #[test]
    fn rule_4_ten_thousand_headers_are_as_quick_as_two() {
        let mut headers = headers(&[("host", "example.com")]);
        for _ in 0..10_000 {
            headers.append("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
        }
        let site = policy().resolve(&headers, None, Some(&connection("10.1.2.3")));
        let fault = site.host().unwrap_err().kind();
        assert_eq!(fault, HostFault::Forwarded(Ambiguous::Repeated));
    }

    #[test]
    fn rule_5_nothing_is_built_from_a_disallowed_host() {
        let page = Uri::from_static("/a?b");
        let site = policy().resolve(&headers(&[("host", "evil.com")]), None, None);
        assert!(site.page_uri(&page).is_err() && site.absolute_uri(&page, "/x").is_err());
        let site = policy().resolve(&headers(&[("host", "example.com")]), None, None);
        assert_eq!(site.page_uri(&page).unwrap(), "http://example.com/a?b");
        assert_eq!(site.absolute_uri(&page, "../é?x").unwrap(), "http://example.com/%C3%A9?x");
        assert_eq!(site.absolute_uri(&page, "//example.com\n\x0b ").unwrap(), "http://example.com");
        assert_eq!(site.absolute_uri(&page, "//[bad"), Err(AbsoluteUriError::Location));
    }

    #[test]
    fn rule_5_an_exempt_path_is_a_path() {
        let policy = policy().exempt_path("/healthz").unwrap();
        assert!(policy.exempts("/healthz"));
        for path in ["/healthz/", "/", "/healthz/x", "/HEALTHZ"] {
            assert!(!policy.exempts(path), "{path}");
        }
        for path in ["healthz", "", "/a?b", "/a#b"] {
            assert!(policy.clone().exempt_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn rule_6_the_client_is_the_peer_unless_a_proxy_says_otherwise() {
        let headers =
            headers(&[("host", "example.com"), ("x-forwarded-for", "198.51.100.7, 192.0.2.1")]);
        let client = |policy: &SitePolicy, peer: &str| {
            policy.resolve(&headers, None, Some(&connection(peer))).client().unwrap().to_string()
        };
        assert_eq!(client(&policy(), "10.1.2.3"), "192.0.2.1");
        assert_eq!(client(&policy(), "192.0.2.9"), "192.0.2.9");
        assert_eq!(client(&policy(), "::ffff:192.0.2.9"), "192.0.2.9");
        let hops = SitePolicy::new(AllowedHosts::danger_any()).trust_hops(2);
        assert_eq!(client(&hops, "192.0.2.9"), "198.51.100.7");
        assert_eq!(policy().resolve(&headers, None, None).client(), None);
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
}
