//! The tower layer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use donjon_core::event::Event;
use donjon_core::origin::{Scheme, Site};
use donjon_core::visit::word;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::decision::{Decision, Refusal, decide};
use super::policy::HttpsPolicy;
use crate::rejection::{Answer, redirect, refuse};

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
        let admitted = match word(request.extensions()) {
            Some(site) => {
                let admitted = admit(&self.policy, &site, request.method(), request.uri());
                admitted.map(|()| hsts(&self.policy, &site))
            }
            None => without_site(&self.policy),
        };
        match admitted {
            Ok(hsts) => HttpsFuture { hsts, answer: Answer::pass(self.inner.call(request)) },
            Err(refusal) => HttpsFuture { hsts: None, answer: Answer::with(refusal) },
        }
    }
}

/// The HSTS header for a request: none where it came in clear.
pub(crate) fn hsts(policy: &HttpsPolicy, site: &Site) -> Option<HeaderValue> {
    policy.hsts.clone().filter(|_| site.scheme() == Scheme::Https)
}

/// Lets a request go on, or answers it.
pub(crate) fn admit<R: From<Bytes>>(
    policy: &HttpsPolicy,
    site: &Site,
    method: &Method,
    uri: &Uri,
) -> Result<(), Response<R>> {
    match decide(policy, site, method, uri) {
        Decision::Redirect { status, address } => Err(redirect(status, &address)),
        Decision::Refuse(why) => Err(refusal(why, uri.path())),
        Decision::Pass => Ok(()),
    }
}

/// Without a host room outside nothing is known of the connection: a site that redirects answers 500,
/// and any other sends nothing.
fn without_site<R: From<Bytes>>(policy: &HttpsPolicy) -> Result<Option<HeaderValue>, Response<R>> {
    if policy.redirect.is_none() {
        return Ok(None);
    }
    let problem = "the HTTPS layer redirects, and no host layer is outside of it";
    Event::Misconfigured { problem: &problem }.emit();
    Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error (500)\n"))
}

fn refusal<R: From<Bytes>>(why: Refusal, path: &str) -> Response<R> {
    Event::HttpsRefused { reason: &why, path }.emit();
    refuse(StatusCode::BAD_REQUEST, "Bad Request (400)\n")
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
