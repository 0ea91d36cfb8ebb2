//! The services around a route and around the page of unknown paths.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::MethodRouter;
use axum::routing::future::RouteFuture;
use http::{Method, StatusCode, Uri};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::canonical::{CanonicalPolicy, missing};
use crate::names::RoutePath;
use crate::rejection::{Answer, redirect};

/// What answers unknown paths; clones are the same.
#[derive(Clone)]
pub(super) struct Unknown(Arc<MethodRouter>);

impl Unknown {
    pub(super) fn new(handlers: MethodRouter) -> Self {
        Self(Arc::new(handlers.with_state(())))
    }
}

impl Service<Request> for Unknown {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    /// axum's handlers, and the stack around them, are always ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        MethodRouter::clone(&self.0).call(request)
    }
}

/// Lets requests through whose arguments fit, and hands the others to the page of unknown paths.
/// Goes outside of the stack: what leads to no route gets no verdict.
#[derive(Clone)]
pub(super) struct FitsLayer {
    pub(super) path: RoutePath,
    pub(super) unknown: Unknown,
}

impl<S> Layer<S> for FitsLayer {
    type Service = Fits<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Fits { layer: self.clone(), inner }
    }
}

#[derive(Clone)]
pub(super) struct Fits<S> {
    layer: FitsLayer,
    inner: S,
}

impl<S> Service<Request> for Fits<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = FitsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.layer.path.fits(request.uri().path()) {
            true => FitsFuture::Fits { inner: self.inner.call(request) },
            false => FitsFuture::Unknown { inner: self.layer.unknown.call(request) },
        }
    }
}

pin_project! {
    #[project = Projected]
    pub(super) enum FitsFuture<F> {
        Fits { #[pin] inner: F },
        Unknown { #[pin] inner: RouteFuture<Infallible> },
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for FitsFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            Projected::Fits { inner } => inner.poll(cx),
            Projected::Unknown { inner } => inner.poll(cx),
        }
    }
}

/// Sends requests to the address with a slash if that is a route's. Goes inside the stack.
#[derive(Clone)]
pub(super) struct SlashLayer(pub(super) Arc<CanonicalPolicy>);

impl<S> Layer<S> for SlashLayer {
    type Service = Slash<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Slash { policy: Arc::clone(&self.0), inner }
    }
}

#[derive(Clone)]
pub(super) struct Slash<S> {
    policy: Arc<CanonicalPolicy>,
    inner: S,
}

impl<S, B> Service<http::Request<B>> for Slash<S>
where
    S: Service<http::Request<B>, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Answer<S::Future, Body>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        match slashed(&self.policy, request.method(), request.uri()) {
            Some(address) => Answer::with(redirect(StatusCode::MOVED_PERMANENTLY, &address)),
            None => Answer::pass(self.inner.call(request)),
        }
    }
}

/// Where the page is, with a slash. A body would be lost on the way, so only requests without one are
/// sent.
fn slashed(policy: &CanonicalPolicy, method: &Method, uri: &Uri) -> Option<String> {
    matches!(*method, Method::GET | Method::HEAD).then(|| missing(policy, uri)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_6_the_address_stays_on_this_host() {
        let policy = CanonicalPolicy::default().append_slash(|path| path.ends_with('/'));
        let address = |uri: &str| slashed(&policy, &Method::GET, &uri.parse().unwrap()).unwrap();
        assert_eq!(address("/a/b?c=d/e&f"), "/a/b/?c=d/e&f");
        assert_eq!(address("//evil.example/a"), "/%2Fevil.example/a/");
        assert_eq!(address("///evil.example"), "/%2F/evil.example/");
        assert_eq!(address("/\\evil.example"), "/%5Cevil.example/");
        assert_eq!(address("http://bank.example/a"), "/a/");
    }
}
