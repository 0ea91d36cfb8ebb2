//! One address for each page, and user agents that are not served (Django: `CommonMiddleware`).
//!
//! Stops: redirects to a host that hides in a path (`//evil.example`, CVE-2018-14574), and one page
//! under several addresses, which caches and search engines take for several.
//!
//! 1. With [`CanonicalPolicy::prepend_www`] a request for a host without `www.` is sent to the one
//!    with, with 301. Case counts, as in Django.
//! 2. With [`CanonicalPolicy::append_slash`] a path without a slash at its end that is not found is
//!    sent to the one with, with 301, if there is such a route. Both redirects are made at once.
//! 3. A path in `Location` is escaped, and never begins with two slashes.
//! 4. A user agent that a pattern of [`CanonicalPolicy::disallowed_user_agents`] is found in gets
//!    403. It is a courtesy of robots to say who they are, and no protection.
//!
//! `Content-Length`, which Django's middleware also sets, is the server's. A redirect after a POST
//! loses the body, as in Django: browsers repeat the request as a GET.
//!
//! Goes inside the host room, whose verdict rule 1 needs: without it there is no `www.`.
//!
//! Spec: Django's `django/middleware/common.py`.
//!
//! ```
//! use donjon::canonical::{CanonicalLayer, CanonicalPolicy};
//!
//! # fn main() -> Result<(), donjon::canonical::AgentPatternError> {
//! let policy = CanonicalPolicy::default()
//!     .append_slash(|path| path == "/account/")
//!     .disallowed_user_agents(["(?i)curl"])?;
//! let layer = CanonicalLayer::new(policy);
//! # let _ = layer;
//! # Ok(()) }
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use donjon_core::event::Event;
use donjon_core::origin::{Site, latin1};
use donjon_core::url::{escape_leading_slashes, full_path, full_path_with_slash};
use donjon_core::visit::word;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use pin_project_lite::pin_project;
use regex::{RegexSet, RegexSetBuilder};
use tower_layer::Layer;
use tower_service::Service;

use crate::rejection::{Answer, redirect, refuse};

/// How large the compiled patterns of user agents may be together, in bytes.
pub const MAX_PATTERNS: usize = 1 << 20;

/// The longest `User-Agent` that patterns are searched in, in bytes; a longer one is refused.
pub const MAX_USER_AGENT: usize = 8 << 10;

/// What a page's one address is, as a parsed value. The default changes nothing and refuses nobody.
#[derive(Clone, Debug, Default)]
pub struct CanonicalPolicy {
    www: Www,
    routes: Option<RouteTest>,
    agents: Option<RegexSet>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Www {
    #[default]
    AsItCame,
    Prepend,
}

/// Is there a route for a path?
#[derive(Clone)]
struct RouteTest(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl fmt::Debug for RouteTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteTest")
    }
}

/// The patterns of user agents can't be compiled.
#[derive(Clone, Debug)]
pub struct AgentPatternError(regex::Error);

impl fmt::Display for AgentPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the patterns of disallowed user agents do not compile (expected regular expressions, without look-around, of \
             at most {MAX_PATTERNS} bytes when compiled): {}",
            self.0
        )
    }
}

impl std::error::Error for AgentPatternError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl CanonicalPolicy {
    /// Sends visitors of a host without `www.` to the one with. Django: `PREPEND_WWW`.
    ///
    /// The site must answer to both hosts.
    #[must_use]
    pub fn prepend_www(mut self) -> Self {
        self.www = Www::Prepend;
        self
    }

    /// Sends visitors of a path that is not found to the one with a slash at its end, if `routes`
    /// says that there is a route for it. Django: `APPEND_SLASH`.
    ///
    /// `routes` gets paths as they stand in the request, percent-encoded and without query. It says
    /// no for a route that is not to be redirected to (Django: `no_append_slash`).
    #[must_use]
    pub fn append_slash(mut self, routes: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.routes = Some(RouteTest(Arc::new(routes)));
        self
    }

    /// Refuses user agents that one of these regular expressions is found in, anywhere unless it is
    /// anchored. Django: `DISALLOWED_USER_AGENTS`.
    ///
    /// # Errors
    /// [`AgentPatternError`] for what does not compile, or becomes larger than [`MAX_PATTERNS`].
    pub fn disallowed_user_agents<'a>(
        mut self,
        patterns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, AgentPatternError> {
        let agents = RegexSetBuilder::new(patterns).size_limit(MAX_PATTERNS).build();
        self.agents = Some(agents.map_err(AgentPatternError)?).filter(|agents| !agents.is_empty());
        Ok(self)
    }

    /// Rule 4.
    fn refuses(&self, agent: &HeaderValue) -> bool {
        self.agents.as_ref().is_some_and(|agents| match agent.to_str() {
            _ if agent.len() > MAX_USER_AGENT => true,
            Ok(agent) => agents.is_match(agent),
            Err(_) => agents.is_match(&latin1(agent)),
        })
    }

    /// Is a page that is not found to be looked for with a slash at its end?
    fn lacks_slash(&self, path: &str) -> bool {
        let Some(RouteTest(routes)) = &self.routes else { return false };
        path.starts_with('/')
            && !path.ends_with('/')
            && !routes(path)
            && routes(&format!("{path}/"))
    }
}

/// What is to become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes on.
    Pass,
    /// It comes from a user agent that is not served.
    Refuse,
    /// It is sent to this address.
    Redirect(String),
}

/// Rules 1 and 4, and rule 2 where the visitor is sent to another host anyway.
#[must_use]
pub fn decide(
    policy: &CanonicalPolicy,
    site: Option<&Site>,
    headers: &HeaderMap,
    uri: &Uri,
) -> Decision {
    let agent = policy.agents.as_ref().and_then(|_| headers.get(header::USER_AGENT));
    if agent.is_some_and(|agent| policy.refuses(agent)) {
        return Decision::Refuse;
    }
    let host = match site.map(Site::host) {
        Some(Ok(host)) if policy.www == Www::Prepend => host.as_str(),
        _ => return Decision::Pass,
    };
    // `OPTIONS *` names no page.
    if host.starts_with("www.") || !uri.path().starts_with('/') {
        return Decision::Pass;
    }
    let path = missing(policy, uri).unwrap_or_else(|| full_path(uri));
    let scheme = site.map_or("http", |site| site.scheme().as_str());
    Decision::Redirect(format!("{scheme}://www.{host}{path}"))
}

/// Rules 2 and 3: where to look for a page that was not found, if anywhere.
#[must_use]
pub fn missing(policy: &CanonicalPolicy, uri: &Uri) -> Option<String> {
    let path = || escape_leading_slashes(&full_path_with_slash(uri)).into_owned();
    policy.lacks_slash(uri.path()).then(path)
}

/// Sends visitors to a page's one address.
#[derive(Clone, Debug)]
pub struct CanonicalLayer(Arc<CanonicalPolicy>);

impl CanonicalLayer {
    /// A layer of this policy.
    #[must_use]
    pub fn new(policy: CanonicalPolicy) -> Self {
        Self(Arc::new(policy))
    }
}

impl<S> Layer<S> for CanonicalLayer {
    type Service = Canonical<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Canonical { policy: Arc::clone(&self.0), inner }
    }
}

/// The service of [`CanonicalLayer`].
#[derive(Clone, Debug)]
pub struct Canonical<S> {
    policy: Arc<CanonicalPolicy>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Canonical<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CanonicalFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let policy = Arc::clone(&self.policy);
        let site = word::<Site>(request.extensions());
        match admit(&policy, site.as_ref(), request.headers(), request.uri()) {
            Ok(asked) => {
                CanonicalFuture { policy, asked, answer: Answer::pass(self.inner.call(request)) }
            }
            Err(answer) => CanonicalFuture { policy, asked: None, answer: Answer::with(answer) },
        }
    }
}

/// Lets a request go on, and remembers what it asked for if a slash may be missing there; or answers
/// it.
pub(crate) fn admit<R: From<Bytes>>(
    policy: &CanonicalPolicy,
    site: Option<&Site>,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Option<Uri>, Response<R>> {
    match decide(policy, site, headers, uri) {
        Decision::Pass => {
            let may_lack = policy.routes.is_some() && !uri.path().ends_with('/');
            Ok(may_lack.then(|| uri.clone()))
        }
        Decision::Redirect(address) => Err(redirect(StatusCode::MOVED_PERMANENTLY, &address)),
        Decision::Refuse => {
            let agent = headers.get(header::USER_AGENT).map(latin1).unwrap_or_default();
            Event::AgentRefused { agent: &agent, path: uri.path() }.emit();
            Err(refuse(StatusCode::FORBIDDEN, "Forbidden (403)\n"))
        }
    }
}

/// Rule 2, on what [`admit`] remembered.
pub(crate) fn apply<R: From<Bytes>>(
    policy: &CanonicalPolicy,
    asked: Option<Uri>,
    response: Response<R>,
) -> Response<R> {
    let asked = asked.filter(|_| response.status() == StatusCode::NOT_FOUND);
    match asked.and_then(|asked| missing(policy, &asked)) {
        Some(address) => redirect(StatusCode::MOVED_PERMANENTLY, &address),
        None => response,
    }
}

pin_project! {
    /// The future of [`Canonical`].
    pub struct CanonicalFuture<F, R> {
        policy: Arc<CanonicalPolicy>,
        asked: Option<Uri>,
        #[pin]
        answer: Answer<F, R>,
    }
}

impl<F, R, E> Future for CanonicalFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.answer.poll(cx))?;
        Poll::Ready(Ok(apply(this.policy, this.asked.take(), response)))
    }
}

#[cfg(test)]
mod tests {
    use donjon_core::host::AllowedHosts;
    use donjon_core::origin::SitePolicy;

    use super::*;

    fn site(host: &'static str) -> Site {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
        SitePolicy::new(AllowedHosts::danger_any()).resolve(&headers, None, None)
    }

    fn slashes() -> CanonicalPolicy {
        CanonicalPolicy::default()
            .append_slash(|path| matches!(path, "/slash/" | "/noslash" | "//evil.example/slash/"))
    }

    fn decided(policy: &CanonicalPolicy, host: &'static str, uri: &'static str) -> Decision {
        decide(policy, Some(&site(host)), &HeaderMap::new(), &Uri::from_static(uri))
    }

    #[test]
    fn rule_1_www_is_put_in_front() {
        let policy = CanonicalPolicy::default().prepend_www();
        for (host, uri, to) in [
            ("a.example", "/x?y=1", "http://www.a.example/x?y=1"),
            ("a.example:80", "//evil.example/", "http://www.a.example:80//evil.example/"),
            ("WWW.a.example", "/", "http://www.WWW.a.example/"),
        ] {
            assert_eq!(decided(&policy, host, uri), Decision::Redirect(to.to_owned()));
        }
        assert_eq!(decided(&policy, "www.a.example", "/"), Decision::Pass);
        assert_eq!(decided(&policy, "a.example", "*"), Decision::Pass);
        assert_eq!(decided(&CanonicalPolicy::default(), "a.example", "/"), Decision::Pass);
    }

    #[test]
    fn rule_1_nothing_is_built_from_a_host_that_is_not_the_sites() {
        let policy = CanonicalPolicy::default().prepend_www();
        let foreign = SitePolicy::new(AllowedHosts::local()).resolve(&HeaderMap::new(), None, None);
        let (headers, uri) = (HeaderMap::new(), Uri::from_static("/"));
        assert_eq!(decide(&policy, Some(&foreign), &headers, &uri), Decision::Pass);
        assert_eq!(decide(&policy, None, &headers, &uri), Decision::Pass);
    }

    #[test]
    fn rule_2_a_slash_leads_to_a_route() {
        let missing = |uri| missing(&slashes(), &Uri::from_static(uri));
        assert_eq!(missing("/slash?a=b").unwrap(), "/slash/?a=b");
        for uri in ["/slash/", "/noslash", "/unknown", "/", "*"] {
            assert_eq!(missing(uri), None, "{uri}");
        }
        let both = slashes().prepend_www();
        let to = Decision::Redirect("http://www.a.example/slash/".to_owned());
        assert_eq!(decided(&both, "a.example", "/slash"), to);
    }

    #[test]
    fn rule_3_a_path_leads_to_no_host() {
        let missing = |uri| missing(&slashes(), &Uri::from_static(uri)).unwrap();
        assert_eq!(missing("//evil.example/slash"), "/%2Fevil.example/slash/");
        let any = CanonicalPolicy::default().append_slash(|path| path.ends_with('/'));
        for uri in ["/%2Fevil.example", "/%5Cevil.example", "/%09/evil.example", "/%0d%0aX:y"] {
            let address = super::missing(&any, &Uri::from_static(uri)).unwrap();
            assert_eq!(address.to_lowercase(), format!("{uri}/").to_lowercase());
        }
    }

    #[test]
    fn rule_4_user_agents_are_searched() {
        let policy =
            CanonicalPolicy::default().disallowed_user_agents(["bot", "^Evil", "é"]).unwrap();
        let decided = |agent: &[u8]| {
            let agent = HeaderValue::from_bytes(agent).unwrap();
            let headers = HeaderMap::from_iter([(header::USER_AGENT, agent)]);
            decide(&policy, None, &headers, &Uri::from_static("/"))
        };
        let long = vec![b'a'; MAX_USER_AGENT + 1];
        for agent in [b"Some bot 1".as_slice(), b"Evil", b"caf\xe9", &long] {
            assert_eq!(decided(agent), Decision::Refuse);
        }
        for agent in [b"Mozilla".as_slice(), b"not Evil", b""] {
            assert_eq!(decided(agent), Decision::Pass);
        }
        let none = CanonicalPolicy::default().disallowed_user_agents([]).unwrap();
        assert!(!none.refuses(&HeaderValue::from_bytes(&long).unwrap()));
        for pattern in ["(", "(?=a)", r"\pL{10000}"] {
            assert!(CanonicalPolicy::default().disallowed_user_agents([pattern]).is_err());
        }
    }
}
