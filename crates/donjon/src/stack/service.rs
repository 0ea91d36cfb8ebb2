//! The stack as one service: the rooms outside of CSRF act in one call and one future, so that a
//! request is not handed through a service, and a response not through a future, for each of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use donjon_core::origin::SitePolicy;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower::layer::util::Identity;
use tower::util::{Either, option_layer};
use tower_layer::Layer;
use tower_service::Service;

use crate::auth::{AuthLayer, Auths};
use crate::cors::{self, CorsPolicy, Preflight};
use crate::csp::{CspNonce, CspPolicy};
use crate::csrf::{Csrf, CsrfLayer};
use crate::headers::HeadersPolicy;
use crate::host;
use crate::https::{self, HttpsPolicy};
use crate::rejection::Answer;
use crate::session::SessionLayer;
use crate::session::layer::{Open, Saving};

/// How many headers the stack may add: room for them is made once.
const ADDED_HEADERS: usize = 12;

/// The rooms outside of CSRF.
pub(super) struct Outer {
    pub(super) headers: HeadersPolicy,
    pub(super) csp: CspPolicy,
    pub(super) site: SitePolicy,
    pub(super) https: HttpsPolicy,
    pub(super) cors: Option<CorsPolicy>,
    pub(super) sessions: Option<SessionLayer>,
}

/// The tower layer of a [`Stack`](super::Stack).
#[derive(Clone)]
pub struct StackLayer {
    outer: Arc<Outer>,
    csrf: CsrfLayer,
    auth: Either<AuthLayer, Identity>,
}

impl StackLayer {
    pub(super) fn new(outer: Outer, csrf: CsrfLayer, auth: Option<AuthLayer>) -> Self {
        Self { outer: Arc::new(outer), csrf, auth: option_layer(auth) }
    }

    #[cfg(feature = "axum")]
    pub(super) fn csrf(&self) -> &CsrfLayer {
        &self.csrf
    }
}

impl<S> Layer<S> for StackLayer {
    type Service = Guarded<S>;

    fn layer(&self, handler: S) -> Self::Service {
        Guarded { outer: Arc::clone(&self.outer), inner: self.csrf.layer(self.auth.layer(handler)) }
    }
}

/// A service with all rooms around it.
#[derive(Clone)]
pub struct Guarded<S> {
    outer: Arc<Outer>,
    inner: Csrf<Either<Auths<S>, S>>,
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    Csrf<Either<Auths<S>, S>>: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes> + Send + 'static,
{
    type Response = Response<R>;
    type Error = <Csrf<Either<Auths<S>, S>> as Service<Request<B>>>::Error;
    type Future = GuardedFuture<<Csrf<Either<Auths<S>, S>> as Service<Request<B>>>::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut visit = Visit::begin(&self.outer, &mut request);
        let answer = match visit.enter(&mut request) {
            Ok(()) => Answer::pass(self.inner.call(request)),
            Err(response) => Answer::with(response),
        };
        GuardedFuture { course: Course::Running { answer, visit: Some(visit) } }
    }
}

/// What the rooms remember of a request for its response.
struct Visit {
    outer: Arc<Outer>,
    nonce: CspNonce,
    hsts: Option<HeaderValue>,
    cors: Option<Vec<(HeaderName, HeaderValue)>>,
    session: Option<Open>,
}

impl Visit {
    fn begin<B>(outer: &Arc<Outer>, request: &mut Request<B>) -> Self {
        let nonce = CspNonce::give(request);
        Self { outer: Arc::clone(outer), nonce, hsts: None, cors: None, session: None }
    }

    /// Through the rooms on the way in; an error is the answer of the one that gives it.
    fn enter<B, R: From<Bytes>>(&mut self, request: &mut Request<B>) -> Result<(), Response<R>> {
        host::admit(&self.outer.site, request)?;
        self.hsts = https::admit(&self.outer.https, request)?;
        if let Some(policy) = &self.outer.cors {
            let decision = cors::decide(policy, request.method(), request.headers());
            self.cors = Some(decision.headers);
            if decision.preflight == Preflight::Yes {
                return Err(cors::layer::preflight());
            }
        }
        self.session = self.outer.sessions.as_ref().map(|sessions| sessions.open(request));
        Ok(())
    }

    /// Through the rooms on the way out, but for the session, which may have to wait.
    fn leave(&mut self, headers: &mut HeaderMap) {
        headers.reserve(ADDED_HEADERS);
        if let Some(allowed) = self.cors.take() {
            cors::layer::apply(allowed, headers);
        }
        https::apply(self.hsts.take(), headers);
        self.nonce.apply(&self.outer.csp, headers);
        self.outer.headers.apply(headers);
    }
}

pin_project! {
    /// The future of [`Guarded`].
    pub struct GuardedFuture<F, R> {
        #[pin]
        course: Course<F, R>,
    }
}

pin_project! {
    #[project = Projected]
    enum Course<F, R> {
        Running { #[pin] answer: Answer<F, R>, visit: Option<Visit> },
        Saving { saving: Saving<R>, visit: Visit },
    }
}

impl<F, R, E> Future for GuardedFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes> + Send + 'static,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut course = self.project().course;
        if let Projected::Running { answer, visit } = course.as_mut().project() {
            let response = ready!(answer.poll(cx))?;
            // A future that is polled again after it was ready has nothing left to do.
            let Some(mut visit) = visit.take() else { return Poll::Ready(Ok(response)) };
            let ended = match visit.session.take() {
                Some(session) => session.end(response),
                None => Ok(response),
            };
            match ended {
                Ok(mut response) => {
                    visit.leave(response.headers_mut());
                    return Poll::Ready(Ok(response));
                }
                Err(saving) => course.set(Course::Saving { saving, visit }),
            }
        }
        match course.project() {
            Projected::Saving { saving, visit } => {
                let mut response = ready!(saving.as_mut().poll(cx));
                visit.leave(response.headers_mut());
                Poll::Ready(Ok(response))
            }
            Projected::Running { .. } => Poll::Pending,
        }
    }
}
