//! The tower layer, and the nonce of a response.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use base64ct::{Base64UrlUnpadded, Encoding};
use donjon_core::entropy;
use http::{HeaderMap, Request, Response, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::policy::CspPolicy;

/// How many random bytes a nonce has: CSP demands 16 at least.
const NONCE_BYTES: usize = 16;

/// The nonce of the response to a request; clones are the same nonce.
#[derive(Clone, Debug, Default)]
pub struct CspNonce(Arc<OnceLock<String>>);

impl CspNonce {
    /// The nonce, made now if nobody has read it yet. Django: `csp_nonce`.
    #[must_use]
    pub fn read(&self) -> &str {
        self.0.get_or_init(|| Base64UrlUnpadded::encode_string(&entropy::bytes::<NONCE_BYTES>()))
    }

    /// Leaves a nonce in a request.
    pub(crate) fn give<B>(request: &mut Request<B>) -> Self {
        let nonce = Self::default();
        request.extensions_mut().insert(nonce.clone());
        nonce
    }

    /// Adds the policy, with the nonce if somebody has read it.
    pub(crate) fn apply(&self, policy: &CspPolicy, headers: &mut HeaderMap) {
        let policy = || policy.header(self.used());
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert_with(policy);
    }

    /// Adds the policy to a response whose nonce nobody has read.
    pub(crate) fn unread(policy: &CspPolicy, headers: &mut HeaderMap) {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert_with(|| policy.header(None));
    }

    /// The nonce, if somebody has read it.
    fn used(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// Sends the policy with every response, and gives each request a [`CspNonce`].
#[derive(Clone, Debug)]
pub struct CspLayer(Arc<CspPolicy>);

impl CspLayer {
    /// A layer of this policy.
    #[must_use]
    pub fn new(policy: CspPolicy) -> Self {
        Self(Arc::new(policy))
    }
}

impl<S> Layer<S> for CspLayer {
    type Service = Csp<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Csp { policy: Arc::clone(&self.0), inner }
    }
}

/// The service of [`CspLayer`].
#[derive(Clone, Debug)]
pub struct Csp<S> {
    policy: Arc<CspPolicy>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Csp<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CspFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let nonce = CspNonce::give(&mut request);
        CspFuture { policy: Arc::clone(&self.policy), nonce, inner: self.inner.call(request) }
    }
}

pin_project! {
    /// The future of [`Csp`].
    pub struct CspFuture<F> {
        policy: Arc<CspPolicy>,
        nonce: CspNonce,
        #[pin]
        inner: F,
    }
}

impl<F, R, E> Future for CspFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        this.nonce.apply(this.policy, response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_2_the_nonce_is_made_once_and_fresh() {
        let nonce = CspNonce::default();
        assert_eq!(nonce.used(), None);
        assert_eq!(nonce.read().len(), 22);
        assert_eq!(nonce.clone().read(), nonce.read());
        assert_ne!(CspNonce::default().read(), nonce.read());
    }
}
