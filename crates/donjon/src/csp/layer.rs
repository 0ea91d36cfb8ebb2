//! The tower layers: one for a site, one for a route.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::decision::{CspPolicies, Exclusion, RouteCsp};
use super::nonce::CspNonce;

/// Sends the policies with every response, and gives each request a [`CspNonce`].
#[derive(Clone, Debug)]
pub struct CspLayer(Arc<CspPolicies>);

impl CspLayer {
    /// A layer of these policies; of one that is enforced, if it is one.
    #[must_use]
    pub fn new(policies: impl Into<CspPolicies>) -> Self {
        Self(Arc::new(policies.into()))
    }
}

impl<S> Layer<S> for CspLayer {
    type Service = Csp<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Csp { policies: Arc::clone(&self.0), inner }
    }
}

/// The service of [`CspLayer`].
#[derive(Clone, Debug)]
pub struct Csp<S> {
    policies: Arc<CspPolicies>,
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
        let nonce = self.policies.nonce();
        let exclusion = self.policies.exclusion(request.uri().path());
        request.extensions_mut().insert(nonce.clone());
        let policies = Arc::clone(&self.policies);
        CspFuture { policies, exclusion, nonce, inner: self.inner.call(request) }
    }
}

pin_project! {
    /// The future of [`Csp`].
    pub struct CspFuture<F> {
        policies: Arc<CspPolicies>,
        exclusion: Exclusion,
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
        this.policies.apply(*this.exclusion, this.nonce.used(), &mut response);
        Poll::Ready(Ok(response))
    }
}

/// Says for one route what it has in place of the site's policies. Belongs inside of [`CspLayer`], or
/// of the stack; without either it does nothing. The innermost counts, as a response's own word does.
#[derive(Clone, Debug)]
pub struct RouteCspLayer(Arc<RouteCsp>);

impl RouteCspLayer {
    /// A layer that says this.
    #[must_use]
    pub fn new(route: RouteCsp) -> Self {
        Self(Arc::new(route))
    }
}

impl<S> Layer<S> for RouteCspLayer {
    type Service = RouteCsps<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RouteCsps { route: Arc::clone(&self.0), inner }
    }
}

/// The service of [`RouteCspLayer`].
#[derive(Clone, Debug)]
pub struct RouteCsps<S> {
    route: Arc<RouteCsp>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for RouteCsps<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = RouteCspFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        RouteCspFuture { route: Arc::clone(&self.route), inner: self.inner.call(request) }
    }
}

pin_project! {
    /// The future of [`RouteCsps`].
    pub struct RouteCspFuture<F> {
        route: Arc<RouteCsp>,
        #[pin]
        inner: F,
    }
}

impl<F, R, E> Future for RouteCspFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        if response.extensions().get::<RouteCsp>().is_none() {
            response.extensions_mut().insert(RouteCsp::clone(this.route));
        }
        Poll::Ready(Ok(response))
    }
}
