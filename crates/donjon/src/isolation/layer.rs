//! The tower layer, and a route's own word.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use donjon_core::event::Event;
use http::{HeaderMap, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::decision::{Decision, Readers, decide};
use super::policy::IsolationPolicy;
use crate::rejection::{Answer, refuse};
use crate::vary;

/// A route's own word on isolation, left in the request before this layer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationRoute {
    /// Other sites may load it: files for everybody, and what tells nothing of the visitor.
    Exempt,
}

/// Refuses what other sites load with a visitor's cookies.
#[derive(Clone, Debug)]
pub struct IsolationLayer(Arc<IsolationPolicy>);

impl IsolationLayer {
    /// A layer of this policy.
    #[must_use]
    pub fn new(policy: IsolationPolicy) -> Self {
        Self(Arc::new(policy))
    }
}

impl<S> Layer<S> for IsolationLayer {
    type Service = Isolated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Isolated { policy: Arc::clone(&self.0), inner }
    }
}

/// The service of [`IsolationLayer`].
#[derive(Clone, Debug)]
pub struct Isolated<S> {
    policy: Arc<IsolationPolicy>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Isolated<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = IsolationFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let readers = request.extensions().get().copied().unwrap_or(Readers::Nobody);
        match admit(&self.policy, &request, readers) {
            Ok(varies) => {
                IsolationFuture { varies, answer: Answer::pass(self.inner.call(request)) }
            }
            Err(refusal) => IsolationFuture { varies: &[], answer: Answer::with(refusal) },
        }
    }
}

/// What the response to a request that may go on varies with: for [`apply`].
pub(crate) fn admit<B, R: From<Bytes>>(
    policy: &IsolationPolicy,
    request: &Request<B>,
    readers: Readers,
) -> Result<&'static [&'static str], Response<R>> {
    if is_exempt(policy, request) {
        return Ok(&[]);
    }
    match decide(policy, request.method(), request.headers(), readers) {
        Decision::Pass => Ok(&[]),
        Decision::Accept(varies) => Ok(varies),
        Decision::Refuse(reason, varies) => {
            Event::IsolationRefused { reason: &reason, path: request.uri().path() }.emit();
            let mut response = refuse(StatusCode::FORBIDDEN, "Forbidden (403)\n");
            apply(varies, response.headers_mut());
            Err(response)
        }
    }
}

/// Rule 7.
fn is_exempt<B>(policy: &IsolationPolicy, request: &Request<B>) -> bool {
    let route = request.extensions().get::<IsolationRoute>();
    route == Some(&IsolationRoute::Exempt) || policy.exempt.contains(request.uri().path())
}

/// Rule 8.
pub(crate) fn apply(varies: &'static [&'static str], headers: &mut HeaderMap) {
    for name in varies {
        vary::add(headers, name);
    }
}

pin_project! {
    /// The future of [`Isolated`].
    pub struct IsolationFuture<F, R> {
        varies: &'static [&'static str],
        #[pin]
        answer: Answer<F, R>,
    }
}

impl<F, R, E> Future for IsolationFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.answer.poll(cx))?;
        apply(this.varies, response.headers_mut());
        Poll::Ready(Ok(response))
    }
}
