//! The verdict on a request: pure, without I/O and without a log.

use std::borrow::Cow;
use std::fmt;

use donjon_core::host::is_same_domain;
use donjon_core::origin::{Scheme, Site, SplitUrl, latin1, split_url};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::policy::{CsrfPolicy, Duplicates, Provenance, SecretStorage, Tokens};
use super::token::{CsrfSecret, FormatError, SubmittedToken};

static FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is to become of a request, as far as its head tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may pass.
    Accept,
    /// It is refused.
    Refuse(Reason),
    /// It comes from the right place; its token must be found and compared.
    NeedsToken,
}

/// Why a request is refused; in words, Django's where Django has the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// `Origin` is neither the site's own nor trusted.
    BadOrigin(String),
    /// HTTPS, and neither `Origin` nor `Referer`.
    NoReferer,
    /// `Referer` is no URL.
    MalformedReferer,
    /// `Referer` is of another scheme than the site.
    InsecureReferer,
    /// `Referer` is neither of the site's own nor trusted.
    BadReferer(String),
    /// `Sec-Fetch-Site` tells of another site.
    BadFetchSite(String),
    /// A cookie or header that may occur once occurs twice.
    Duplicate(&'static str),
    /// There is no secret to compare with.
    NoSecret,
    /// The cookie with the secret is of the wrong form.
    BadSecret(FormatError),
    /// There is no token, neither in the body nor in the header.
    NoToken,
    /// The token is of the wrong form.
    BadToken(TokenSource, FormatError),
    /// The token hides another secret.
    WrongToken(TokenSource),
    /// The token is not masked, as the policy demands.
    PlainToken(TokenSource),
}

/// Where a token was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// In the body's field.
    Body,
    /// In this header.
    Header(HeaderName),
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("POST"),
            Self::Header(name) => write!(f, "the '{}' HTTP header", title(name.as_str())),
        }
    }
}

/// `x-csrftoken` as Django shows it: `X-Csrftoken`.
fn title(name: &str) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(capital).collect::<Vec<_>>().join("-")
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadOrigin(origin) => {
                write!(f, "Origin checking failed - {origin} does not match any trusted origins.")
            }
            Self::NoReferer => f.write_str("Referer checking failed - no Referer."),
            Self::MalformedReferer => {
                f.write_str("Referer checking failed - Referer is malformed.")
            }
            Self::InsecureReferer => {
                f.write_str("Referer checking failed - Referer is insecure while host is secure.")
            }
            Self::BadReferer(url) => {
                write!(f, "Referer checking failed - {url} does not match any trusted origins.")
            }
            Self::BadFetchSite(site) => {
                write!(f, "Sec-Fetch-Site checking failed - {site} is not a request of this site.")
            }
            Self::Duplicate(what) => {
                write!(f, "Duplicate checking failed - the request has two of: {what}.")
            }
            Self::NoSecret => f.write_str("CSRF cookie not set."),
            Self::BadSecret(error) => write!(f, "CSRF cookie {error}."),
            Self::NoToken => f.write_str("CSRF token missing."),
            Self::BadToken(source, error) => write!(f, "CSRF token from {source} {error}."),
            Self::WrongToken(source) => write!(f, "CSRF token from {source} incorrect."),
            Self::PlainToken(source) => write!(f, "CSRF token from {source} is not masked."),
        }
    }
}

/// Is a method one that changes nothing (RFC 9110, 9.2.1)?
#[must_use]
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// The verdict on a request's head.
#[must_use]
pub fn decide(policy: &CsrfPolicy, site: &Site, method: &Method, headers: &HeaderMap) -> Decision {
    let fetch = policy.provenance == Provenance::FetchMetadata;
    if is_safe(method) {
        return match fetch && is_websocket(headers) {
            true => websocket(policy, site, headers),
            false => Decision::Accept,
        };
    }
    if let Some(what) = doubled(policy, headers) {
        return Decision::Refuse(Reason::Duplicate(what));
    }
    let origin = if fetch { fetched(policy, site, headers) } else { django(policy, site, headers) };
    origin.map_or_else(Decision::Refuse, |()| Decision::NeedsToken)
}

fn doubled(policy: &CsrfPolicy, headers: &HeaderMap) -> Option<&'static str> {
    let single = [
        (&header::ORIGIN, "Origin"),
        (&FETCH_SITE, "Sec-Fetch-Site"),
        (&header::CONTENT_TYPE, "Content-Type"),
        (&header::HOST, "Host"),
    ];
    let twice = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
    match policy.duplicates {
        Duplicates::LastCounts => None,
        Duplicates::Refuse => {
            single.into_iter().find(|(name, _)| twice(name)).map(|(_, title)| title)
        }
    }
}

/// Rules 2 and 3: Django's.
fn django(policy: &CsrfPolicy, site: &Site, headers: &HeaderMap) -> Result<(), Reason> {
    match joined(headers, &header::ORIGIN) {
        Some(origin) => good_origin(policy, site, &origin),
        None if site.scheme() == Scheme::Https => good_referer(policy, site, headers),
        None => Ok(()),
    }
}

fn good_origin(policy: &CsrfPolicy, site: &Site, origin: &str) -> Result<(), Reason> {
    match site.is_origin(origin) || trusts(policy, origin) {
        true => Ok(()),
        false => Err(Reason::BadOrigin(origin.to_owned())),
    }
}

/// Django splits an origin as a URL before it compares it with a pattern, and so trusts one with a
/// path, a user or capital letters. No browser sends those.
fn trusts(policy: &CsrfPolicy, origin: &str) -> bool {
    policy.trusted.trusts(origin)
        && (policy.provenance == Provenance::Django || is_serialized(origin))
}

/// Is this an origin as browsers write them: `scheme://host[:port]` in lower case?
fn is_serialized(origin: &str) -> bool {
    let legal =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-+_:[]".contains(&byte);
    origin
        .split_once("://")
        .is_some_and(|(scheme, host)| scheme.bytes().chain(host.bytes()).all(legal))
}

/// A header as Django reads it: several joined with a comma.
pub(super) fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let mut values = headers.get_all(name).iter();
    let first = text(values.next()?);
    Some(values.fold(first, |joined, value| Cow::Owned([&joined, ",", &*text(value)].concat())))
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    value.to_str().map_or_else(|_| Cow::Owned(latin1(value)), Cow::Borrowed)
}

/// Rule 3.
fn good_referer(policy: &CsrfPolicy, site: &Site, headers: &HeaderMap) -> Result<(), Reason> {
    let url = referer(site, headers)?.ok_or(Reason::NoReferer)?;
    let good = policy.trusted.trusts_host(&url.netloc) || is_own_host(policy, site, &url);
    if good { Ok(()) } else { Err(Reason::BadReferer(url.to_url())) }
}

fn referer(site: &Site, headers: &HeaderMap) -> Result<Option<SplitUrl>, Reason> {
    let Some(referer) = joined(headers, &header::REFERER) else { return Ok(None) };
    let url = split_url(&referer).map_err(|_| Reason::MalformedReferer)?;
    if url.scheme.is_empty() || url.netloc.is_empty() {
        return Err(Reason::MalformedReferer);
    }
    match site.scheme() {
        Scheme::Https if url.scheme != "https" => Err(Reason::InsecureReferer),
        _ => Ok(Some(url)),
    }
}

fn is_own_host(policy: &CsrfPolicy, site: &Site, url: &SplitUrl) -> bool {
    let domain = match &policy.storage {
        SecretStorage::Cookie(cookie) => &cookie.domain,
        SecretStorage::Session { cookie_domain } => cookie_domain,
    };
    match domain {
        None => site.host().is_ok_and(|host| is_same_domain(&url.netloc, host.as_str())),
        Some(domain) => match site.port().as_str() {
            "443" | "80" => is_same_domain(&url.netloc, domain),
            port => is_same_domain(&url.netloc, &format!("{domain}:{port}")),
        },
    }
}

/// Rule 4: Fetch Metadata first, and where a browser doesn't send it, `Origin` and `Referer`.
fn fetched(policy: &CsrfPolicy, site: &Site, headers: &HeaderMap) -> Result<(), Reason> {
    let origin = joined(headers, &header::ORIGIN);
    let origin = origin.as_deref();
    let bad_origin = || Err(Reason::BadOrigin(origin.unwrap_or_default().to_owned()));
    match joined(headers, &FETCH_SITE).as_deref() {
        Some("same-origin") => match origin {
            None | Some("null") => Ok(()),
            Some(origin) => good_origin(policy, site, origin),
        },
        Some("none") if origin.is_none_or(|origin| site.is_origin(origin)) => Ok(()),
        Some("none") => bad_origin(),
        Some("same-site" | "cross-site") if origin.is_some_and(|origin| trusts(policy, origin)) => {
            Ok(())
        }
        Some(site) => Err(Reason::BadFetchSite(site.to_owned())),
        None => match origin {
            Some(origin) => good_origin(policy, site, origin),
            None => referred(policy, site, headers),
        },
    }
}

/// A referer obeys the rule of origins: unlike in Django its scheme counts, and the hosts that share
/// the cookie's domain are strangers. Over HTTP it may be missing.
fn referred(policy: &CsrfPolicy, site: &Site, headers: &HeaderMap) -> Result<(), Reason> {
    let Some(url) = referer(site, headers)? else {
        return if site.scheme() == Scheme::Http { Ok(()) } else { Err(Reason::NoReferer) };
    };
    let origin = [&url.scheme, "://", &url.netloc].concat();
    good_origin(policy, site, &origin).map_err(|_| Reason::BadReferer(url.to_url()))
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let named = |value: &HeaderValue| {
        value
            .as_bytes()
            .split(|&b| b == b',')
            .any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    };
    headers.get_all(header::UPGRADE).iter().any(named)
}

/// Rule 5: a WebSocket's handshake is a GET that carries cookies, and CORS does not hold it back.
fn websocket(policy: &CsrfPolicy, site: &Site, headers: &HeaderMap) -> Decision {
    let origin = joined(headers, &header::ORIGIN).unwrap_or_default();
    good_origin(policy, site, &origin).map_or_else(Decision::Refuse, |()| Decision::Accept)
}

/// The secret that the request came with.
#[derive(Clone, Debug)]
pub enum Stored {
    /// None.
    Missing,
    /// One of the wrong form.
    Malformed(FormatError),
    /// This.
    Secret(CsrfSecret),
}

impl Stored {
    /// The secret, or why no token can be good.
    pub(super) fn secret(&self) -> Result<&CsrfSecret, Reason> {
        match self {
            Self::Missing => Err(Reason::NoSecret),
            Self::Malformed(error) => Err(Reason::BadSecret(*error)),
            Self::Secret(secret) => Ok(secret),
        }
    }
}

/// The token that the request came with: of the body, and only if there is none or an empty one, of
/// the header.
#[derive(Clone, Debug, Default)]
pub struct Submitted<'a> {
    /// The body's field.
    pub body: Option<Cow<'a, str>>,
    /// The header.
    pub header: Option<Cow<'a, str>>,
}

/// Compares token and secret (rules 6 to 9). `session_key` is that of the session cookie, or empty.
///
/// # Errors
/// The [`Reason`] to refuse the request for.
pub fn compare(
    policy: &CsrfPolicy,
    stored: &Stored,
    submitted: &Submitted<'_>,
    session_key: &str,
) -> Result<(), Reason> {
    let secret = stored.secret()?;
    let body = submitted.body.as_deref().filter(|token| !token.is_empty());
    let (text, source) = match (body, submitted.header.as_deref()) {
        (Some(token), _) => (token, TokenSource::Body),
        (None, Some(token)) => (token, TokenSource::Header(policy.header.clone())),
        (None, None) => return Err(Reason::NoToken),
    };
    let token =
        SubmittedToken::parse(text).map_err(|error| Reason::BadToken(source.clone(), error))?;
    let matches = match &policy.tokens {
        Tokens::MaskedOrPlain => token.matches(secret),
        Tokens::BoundToSession(_) if !token.is_masked() => return Err(Reason::PlainToken(source)),
        Tokens::BoundToSession(_) => token.matches(&secret.bound_to(session_key)),
    };
    if matches { Ok(()) } else { Err(Reason::WrongToken(source)) }
}
