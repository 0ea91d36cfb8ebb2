//! The tower layer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use donjon_core::cookie::{Cookies, Https};
use donjon_core::session::Session;
use donjon_core::visit::word;
use http::{HeaderMap, Request, Response};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::handle::Messages;
use super::policy::MessagesPolicy;
use crate::session::layer::{Saving, failure, https};

/// Leaves [`Messages`] in every request, and stores them with the response. Goes inside the layer of
/// sessions, unless the policy keeps messages in the cookie alone.
#[derive(Clone)]
pub struct MessagesLayer(Arc<MessagesPolicy>);

impl MessagesLayer {
    /// Keeps messages like this.
    #[must_use]
    pub fn new(policy: MessagesPolicy) -> Self {
        Self(Arc::new(policy))
    }

    /// The messages of a request with these headers, if it has sent any.
    pub(crate) fn sent(
        &self,
        headers: &HeaderMap,
        session: impl FnOnce() -> Option<Session>,
    ) -> Option<Messages> {
        let cookie = self.cookie(headers)?;
        Some(Messages::new(&self.0, Some(cookie), session()))
    }

    /// The messages of a request that has sent none.
    pub(crate) fn fresh(&self, session: Option<Session>) -> Messages {
        Messages::new(&self.0, None, session)
    }

    fn cookie(&self, headers: &HeaderMap) -> Option<String> {
        Cookies::of(headers).value(&self.0.cookie.name).map(std::borrow::Cow::into_owned)
    }
}

impl<S> Layer<S> for MessagesLayer {
    type Service = WithMessages<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithMessages { layer: self.clone(), inner }
    }
}

/// A service whose requests carry their messages.
#[derive(Clone)]
pub struct WithMessages<S> {
    layer: MessagesLayer,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for WithMessages<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = MessagesFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let session = word::<Session>(request.extensions());
        let cookie = self.layer.cookie(request.headers());
        let messages = Messages::new(&self.layer.0, cookie, session);
        let https = https(request.extensions());
        request.extensions_mut().insert(messages.clone());
        MessagesFuture {
            course: Course::Running {
                inner: self.inner.call(request),
                left: Some((messages, https)),
            },
        }
    }
}

pin_project! {
    /// The future of [`WithMessages`].
    pub struct MessagesFuture<F, R> {
        #[pin]
        course: Course<F, R>,
    }
}

pin_project! {
    #[project = Projected]
    enum Course<F, R> {
        Running { #[pin] inner: F, left: Option<(Messages, Https)> },
        Saving { saving: Saving<R> },
    }
}

impl<F, R, E> Future for MessagesFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes> + Send + 'static,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut course = self.project().course;
        if let Projected::Running { inner, left } = course.as_mut().project() {
            let response = ready!(inner.poll(cx))?;
            match left.take() {
                Some((messages, https)) if to_store(&messages, &response) => {
                    course.set(Course::Saving {
                        saving: Box::pin(stored(messages, response, https)),
                    });
                }
                _ => return Poll::Ready(Ok(response)),
            }
        }
        match course.project() {
            Projected::Saving { saving } => saving.as_mut().poll(cx).map(Ok),
            Projected::Running { .. } => Poll::Pending,
        }
    }
}

/// Rules 4 and 7.
pub(crate) fn to_store<R>(messages: &Messages, response: &Response<R>) -> bool {
    messages.touched() && !response.status().is_server_error()
}

/// The response with its messages stored; where the session can't take them, the failure.
pub(crate) async fn stored<R: From<Bytes>>(
    messages: Messages,
    mut response: Response<R>,
    https: Https,
) -> Response<R> {
    match messages.store(response.headers_mut(), https).await {
        Ok(()) => response,
        Err(error) => failure(&error, ""),
    }
}
