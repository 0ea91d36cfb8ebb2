//! HTTPS: visitors who came in clear are sent there, and browsers are told to stay (Django:
//! `SecurityMiddleware`).
//!
//! Stops: passwords and cookies read on the way, and the downgrade of a visitor who typed no
//! `https://`.
//!
//! 1. With [`HttpsPolicy::redirect`] a request over HTTP is sent to the same address over HTTPS, with
//!    301; its host was checked before.
//! 2. With [`HttpsPolicy::hsts`] responses over HTTPS carry `Strict-Transport-Security`, unless they
//!    have it already. Over HTTP it is not sent: browsers ignore it there (RFC 6797, 7.2).
//!
//! Spec: Django's `django/middleware/security.py`, RFC 6797.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use donjon_core::origin::{Scheme, Site};
use donjon_core::visit::word;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::rejection::{Answer, redirect};

/// Which hosts a browser is to visit over HTTPS only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HstsScope {
    /// This host. Django: `SECURE_HSTS_INCLUDE_SUBDOMAINS = False`.
    Host,
    /// This host and all below it.
    Subdomains,
    /// This host and all below it, and browsers may ship that knowledge. Hard to take back.
    Preload,
}

/// How a site gets its visitors to HTTPS, as a parsed value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpsPolicy {
    redirect: Redirect,
    hsts: Option<HeaderValue>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Redirect {
    #[default]
    Never,
    Permanent,
}

impl HttpsPolicy {
    /// Sends visitors who came over HTTP to HTTPS. Django: `SECURE_SSL_REDIRECT`.
    #[must_use]
    pub fn redirect(mut self) -> Self {
        self.redirect = Redirect::Permanent;
        self
    }

    /// Tells browsers to come over HTTPS only, for so long. Django: `SECURE_HSTS_SECONDS`,
    /// `_INCLUDE_SUBDOMAINS`, `_PRELOAD`.
    #[must_use]
    pub fn hsts(mut self, age: Duration, scope: HstsScope) -> Self {
        let scope = match scope {
            HstsScope::Host => "",
            HstsScope::Subdomains => "; includeSubDomains",
            HstsScope::Preload => "; includeSubDomains; preload",
        };
        self.hsts = HeaderValue::try_from(format!("max-age={}{scope}", age.as_secs())).ok();
        self
    }
}

/// What is to become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes on.
    Pass,
    /// It is sent to this address.
    Redirect(String),
}

/// Rule 1.
#[must_use]
pub fn decide(policy: &HttpsPolicy, site: &Site, uri: &Uri) -> Decision {
    match site.host() {
        Ok(host) if policy.redirect == Redirect::Permanent && site.scheme() == Scheme::Http => {
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            Decision::Redirect(format!("https://{}{path}", host.as_str()))
        }
        _ => Decision::Pass,
    }
}

/// Redirects to HTTPS, and keeps browsers there. Goes inside the host layer.
#[derive(Clone, Debug)]
pub struct HttpsLayer(Arc<HttpsPolicy>);

impl HttpsLayer {
    /// A layer of this policy.
    #[must_use]
    pub fn new(policy: HttpsPolicy) -> Self {
        Self(Arc::new(policy))
    }
}

impl<S> Layer<S> for HttpsLayer {
    type Service = Https<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Https { policy: Arc::clone(&self.0), inner }
    }
}

/// The service of [`HttpsLayer`].
#[derive(Clone, Debug)]
pub struct Https<S> {
    policy: Arc<HttpsPolicy>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Https<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = HttpsFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let site = word(request.extensions());
        // Without a host room outside nothing is known of the connection, and nothing is sent.
        let admitted = site.map_or(Ok(None), |site| admit(&self.policy, &site, request.uri()));
        match admitted {
            Ok(hsts) => HttpsFuture { hsts, answer: Answer::pass(self.inner.call(request)) },
            Err(refusal) => HttpsFuture { hsts: None, answer: Answer::with(refusal) },
        }
    }
}

/// The HSTS header for a request that may go on.
pub(crate) fn admit<R: From<Bytes>>(
    policy: &HttpsPolicy,
    site: &Site,
    uri: &Uri,
) -> Result<Option<HeaderValue>, Response<R>> {
    match decide(policy, site, uri) {
        Decision::Redirect(address) => Err(redirect(StatusCode::MOVED_PERMANENTLY, &address)),
        Decision::Pass if site.scheme() == Scheme::Https => Ok(policy.hsts.clone()),
        Decision::Pass => Ok(None),
    }
}

/// Rule 2.
pub(crate) fn apply(hsts: Option<HeaderValue>, headers: &mut HeaderMap) {
    if let Some(hsts) = hsts {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(hsts);
    }
}

pin_project! {
    /// The future of [`Https`].
    pub struct HttpsFuture<F, R> {
        hsts: Option<HeaderValue>,
        #[pin]
        answer: Answer<F, R>,
    }
}

impl<F, R, E> Future for HttpsFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.answer.poll(cx))?;
        apply(this.hsts.take(), response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use donjon_core::host::AllowedHosts;
    use donjon_core::origin::{Connection, SitePolicy};

    fn site(scheme: Scheme) -> Site {
        let connection = Connection {
            peer: ([127, 0, 0, 1], 50_000).into(),
            local: ([127, 0, 0, 1], 80).into(),
            scheme,
        };
        let headers =
            HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("example.com"))]);
        let policy = SitePolicy::new(AllowedHosts::new(["example.com"]).unwrap());
        policy.resolve(&headers, None, Some(&connection))
    }

    #[test]
    fn rule_1_the_same_address_over_https() {
        let policy = HttpsPolicy::default().redirect();
        let uri = Uri::from_static("/a?b=c");
        let there = Decision::Redirect("https://example.com/a?b=c".to_owned());
        assert_eq!(decide(&policy, &site(Scheme::Http), &uri), there);
        assert_eq!(decide(&policy, &site(Scheme::Https), &uri), Decision::Pass);
        assert_eq!(decide(&HttpsPolicy::default(), &site(Scheme::Http), &uri), Decision::Pass);
    }

    #[test]
    fn rule_2_the_header_is_djangos() {
        let year = Duration::from_secs(31_536_000);
        let header = |scope| HttpsPolicy::default().hsts(year, scope).hsts.unwrap();
        assert_eq!(header(HstsScope::Host), "max-age=31536000");
        assert_eq!(header(HstsScope::Subdomains), "max-age=31536000; includeSubDomains");
        assert_eq!(header(HstsScope::Preload), "max-age=31536000; includeSubDomains; preload");
    }
}
