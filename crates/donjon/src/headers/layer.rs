//! The tower layers: of the whole site, and of a route.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::framing::RouteFraming;
use super::policy::HeadersPolicy;

/// Adds the headers to every response.
#[derive(Clone, Debug)]
pub struct HeadersLayer(Arc<HeadersPolicy>);

impl HeadersLayer {
    /// A layer of this policy.
    #[must_use]
    pub fn new(policy: HeadersPolicy) -> Self {
        Self(Arc::new(policy))
    }
}

impl<S> Layer<S> for HeadersLayer {
    type Service = Headers<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Headers { policy: Arc::clone(&self.0), inner }
    }
}

/// The service of [`HeadersLayer`].
#[derive(Clone, Debug)]
pub struct Headers<S> {
    policy: Arc<HeadersPolicy>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Headers<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = HeadersFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        HeadersFuture { policy: Arc::clone(&self.policy), inner: self.inner.call(request) }
    }
}

pin_project! {
    /// The future of [`Headers`].
    pub struct HeadersFuture<F> {
        policy: Arc<HeadersPolicy>,
        #[pin]
        inner: F,
    }
}

impl<F, R, E> Future for HeadersFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        this.policy.apply(&mut response);
        Poll::Ready(Ok(response))
    }
}

/// Gives a route its own word on frames, inside [`HeadersLayer`] or the stack.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Router, routing::get};
/// use donjon::headers::{RouteFraming, RouteFramingLayer};
///
/// let widget = get(async || "the weather").layer(RouteFramingLayer::new(RouteFraming::Exempt));
/// let router: Router = Router::new().route("/widget", widget);
/// # let _ = router; }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RouteFramingLayer(RouteFraming);

impl RouteFramingLayer {
    /// A layer that marks all responses so.
    #[must_use]
    pub fn new(framing: RouteFraming) -> Self {
        Self(framing)
    }
}

impl<S> Layer<S> for RouteFramingLayer {
    type Service = RouteFramed<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RouteFramed { framing: self.0, inner }
    }
}

/// The service of [`RouteFramingLayer`].
#[derive(Clone, Copy, Debug)]
pub struct RouteFramed<S> {
    framing: RouteFraming,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for RouteFramed<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = FramingFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        FramingFuture { framing: self.framing, inner: self.inner.call(request) }
    }
}

pin_project! {
    /// The future of [`RouteFramed`].
    pub struct FramingFuture<F> {
        framing: RouteFraming,
        #[pin]
        inner: F,
    }
}

impl<F, R, E> Future for FramingFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        this.framing.mark(&mut response);
        Poll::Ready(Ok(response))
    }
}
