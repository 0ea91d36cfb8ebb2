//! The tower layer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::decision::{Decision, Preflight, decide};
use super::policy::{CorsPolicy, CorsRequest};
use crate::rejection::Answer;

/// How many headers this room puts into the answer to a preflight. A stack brings a map of its own.
const PREFLIGHT_HEADERS: usize = 8;

/// Answers preflights, and tells browsers who may read the other answers.
#[derive(Clone, Debug)]
pub struct CorsLayer(Arc<CorsPolicy>);

impl CorsLayer {
    /// A layer of this policy.
    #[must_use]
    pub fn new(policy: CorsPolicy) -> Self {
        Self(Arc::new(policy))
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = Cors<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Cors { policy: Arc::clone(&self.0), inner }
    }
}

/// The service of [`CorsLayer`].
#[derive(Clone, Debug)]
pub struct Cors<S> {
    policy: Arc<CorsPolicy>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Cors<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CorsFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let decision = judge(&self.policy, &request);
        let answer = match decision.preflight() {
            Preflight::Yes => Answer::with(preflight()),
            Preflight::No => Answer::pass(self.inner.call(request)),
        };
        CorsFuture { policy: Arc::clone(&self.policy), decision: Some(decision), answer }
    }
}

/// The verdict on a request.
pub(crate) fn judge<B>(policy: &CorsPolicy, request: &Request<B>) -> Decision {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    decide(policy, CorsRequest { method, uri, headers })
}

/// Rule 3.
pub(crate) fn preflight<R: From<Bytes>>() -> Response<R> {
    let mut response = Response::new(R::from(Bytes::new()));
    let mut headers = HeaderMap::with_capacity(PREFLIGHT_HEADERS);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    *response.headers_mut() = headers;
    response
}

pin_project! {
    /// The future of [`Cors`].
    pub struct CorsFuture<F, R> {
        policy: Arc<CorsPolicy>,
        decision: Option<Decision>,
        #[pin]
        answer: Answer<F, R>,
    }
}

impl<F, R, E> Future for CorsFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.answer.poll(cx))?;
        if let Some(decision) = this.decision.take() {
            decision.apply(this.policy, response.headers_mut());
        }
        Poll::Ready(Ok(response))
    }
}
