//! The tower layer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use donjon_core::cookie::{Cookies, Https};
use donjon_core::event::Event;
use donjon_core::origin::{Connection, Scheme, Site};
use donjon_core::session::{DynSessionStore, Session, SessionContext, SessionError, SessionKey};
use http::{Extensions, HeaderMap, Request, Response, StatusCode, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::decision::{Cookie, Decision, decide};
use super::policy::SessionPolicy;
use crate::rejection::refuse;
use crate::vary;

/// Gives every request its [`Session`], and saves it when the response goes out.
#[derive(Clone)]
pub struct SessionLayer(Arc<Shared>);

struct Shared {
    policy: SessionPolicy,
    context: Arc<SessionContext>,
}

impl SessionLayer {
    /// Sessions of this policy, kept in this store.
    #[must_use]
    pub fn new(policy: SessionPolicy, store: Arc<dyn DynSessionStore>) -> Self {
        let context =
            SessionContext { store, lifetime: policy.lifetime, clock: policy.clock.clone() };
        Self(Arc::new(Shared { policy, context: Arc::new(context) }))
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = Sessions<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Sessions { shared: Arc::clone(&self.0), inner }
    }
}

/// The service of [`SessionLayer`].
#[derive(Clone)]
pub struct Sessions<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Sessions<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = SessionFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let (cookie, session) = self.shared.begin(request.headers());
        let https = https(request.extensions());
        request.extensions_mut().insert(session.clone());
        let ending = Open {
            shared: Arc::clone(&self.shared),
            session,
            cookie,
            https,
            path: request.uri().clone(),
        };
        SessionFuture {
            course: Course::Running { inner: self.inner.call(request), open: Some(ending) },
        }
    }
}

impl Shared {
    fn begin(&self, headers: &HeaderMap) -> (Cookie, Session) {
        let sent = Cookies::of(headers).value(&self.policy.cookie.name);
        let key = sent.as_deref().and_then(SessionKey::parse);
        let cookie = if sent.is_some() { Cookie::Sent } else { Cookie::Missing };
        (cookie, Session::new(Arc::clone(&self.context), key))
    }
}

/// The host room says how the browser came; where there is none, the connection does.
fn https(extensions: &Extensions) -> Https {
    let site = extensions.get::<Site>().map(Site::scheme);
    let connection = || extensions.get::<Connection>().map(|connection| connection.scheme);
    site.or_else(connection).unwrap_or(Scheme::Http).https()
}

/// A session whose request is under way.
struct Open {
    shared: Arc<Shared>,
    session: Session,
    cookie: Cookie,
    https: Https,
    path: http::Uri,
}

type Saving<R> = Pin<Box<dyn Future<Output = Response<R>> + Send>>;

pin_project! {
    /// The future of [`Sessions`].
    pub struct SessionFuture<F, R> {
        #[pin]
        course: Course<F, R>,
    }
}

pin_project! {
    #[project = Projected]
    enum Course<F, R> {
        Running { #[pin] inner: F, open: Option<Open> },
        Saving { saving: Saving<R> },
    }
}

impl<F, R, E> Future for SessionFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes> + Send + 'static,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut course = self.project().course;
        if let Projected::Running { inner, open } = course.as_mut().project() {
            let response = ready!(inner.poll(cx))?;
            // A future that is polled again after it was ready has nothing left to save.
            let Some(open) = open.take() else { return Poll::Ready(Ok(response)) };
            match open.end(response) {
                Ok(response) => return Poll::Ready(Ok(response)),
                Err(saving) => course.set(Course::Saving { saving }),
            }
        }
        match course.project() {
            Projected::Saving { saving } => saving.as_mut().poll(cx).map(Ok),
            Projected::Running { .. } => Poll::Pending,
        }
    }
}

impl Open {
    /// The response, or the future that saves the session first.
    fn end<R: From<Bytes> + Send + 'static>(
        self,
        mut response: Response<R>,
    ) -> Result<Response<R>, Saving<R>> {
        let policy = &self.shared.policy;
        let decision = decide(policy.saving, self.cookie, self.session.ending(), response.status());
        match decision {
            Decision::Nothing => {}
            Decision::Vary => vary::add(response.headers_mut(), "Cookie"),
            Decision::DeleteCookie => {
                response
                    .headers_mut()
                    .extend(policy.cookie.delete().map(|value| (header::SET_COOKIE, value)));
                vary::add(response.headers_mut(), "Cookie");
            }
            Decision::Save => return Err(Box::pin(self.save(response))),
        }
        Ok(response)
    }

    async fn save<R: From<Bytes>>(self, mut response: Response<R>) -> Response<R> {
        match self.saved().await {
            Ok(cookie) => {
                response.headers_mut().append(header::SET_COOKIE, cookie);
                vary::add(response.headers_mut(), "Cookie");
                response
            }
            Err(error) => self.failure(&error),
        }
    }

    async fn saved(&self) -> Result<http::HeaderValue, SessionError> {
        let SessionPolicy { cookie, clock, .. } = &self.shared.policy;
        let expires = self.session.expires().await?;
        let key = self.session.save().await?;
        let age = (!expires.at_browser_close).then_some(expires.age);
        // A cookie's settings were checked when the policy was made, and a key is a cookie's value.
        Ok(cookie
            .set(key.expose(), age, clock.now(), self.https)
            .unwrap_or(http::HeaderValue::from_static("")))
    }

    fn failure<R: From<Bytes>>(&self, error: &SessionError) -> Response<R> {
        if let SessionError::Interrupted = error {
            Event::SessionInterrupted { path: self.path.path() }.emit();
            return refuse(
                StatusCode::BAD_REQUEST,
                "The session was deleted before the request completed. You may have logged out in another tab.\n",
            );
        }
        Event::SessionStoreFailed { error }.emit();
        refuse(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n")
    }
}
