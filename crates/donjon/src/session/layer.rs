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
use http::{Extensions, HeaderMap, Request, Response, StatusCode, Uri, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::decision::{Cookie, Decision, decide};
use super::policy::{Duplicates, SessionPolicy, Strangers};
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

impl SessionLayer {
    /// How sessions are kept and named.
    pub(crate) fn policy(&self) -> &SessionPolicy {
        &self.0.policy
    }

    /// The session that a request's cookie names, or would name; `None` without the cookie.
    pub(crate) fn sent(&self, headers: &HeaderMap) -> Option<Session> {
        let (cookie, session) = self.0.begin(headers);
        (cookie == Cookie::Sent).then_some(session)
    }

    /// The session of a request without the cookie.
    pub(crate) fn fresh(&self) -> Session {
        Session::new(Arc::clone(&self.0.context), None)
    }

    /// A session under way, as the stack has it.
    pub(crate) fn open(&self, session: Session, cookie: Cookie, https: Https, path: Uri) -> Open {
        Open { shared: Arc::clone(&self.0), session, cookie, https, path }
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
        let open = Some(self.shared.open(&mut request));
        SessionFuture { course: Course::Running { inner: self.inner.call(request), open } }
    }
}

impl Shared {
    fn open<B>(self: &Arc<Self>, request: &mut Request<B>) -> Open {
        let (cookie, session) = self.begin(request.headers());
        let https = https(request.extensions());
        request.extensions_mut().insert(session.clone());
        Open { shared: Arc::clone(self), session, cookie, https, path: request.uri().clone() }
    }

    fn begin(&self, headers: &HeaderMap) -> (Cookie, Session) {
        let (cookies, name) = (Cookies::of(headers), &self.policy.cookie.name);
        let sent = cookies.value(name);
        let planted = self.policy.duplicates == Duplicates::NoneCounts && cookies.count(name) > 1;
        let key = sent.as_deref().filter(|_| !planted).and_then(SessionKey::parse);
        let cookie = if sent.is_some() { Cookie::Sent } else { Cookie::Missing };
        (cookie, Session::new(Arc::clone(&self.context), key))
    }
}

/// The host room says how the browser came; where there is none, the connection does.
pub(crate) fn https(extensions: &Extensions) -> Https {
    let site = extensions.get::<Site>().map(Site::scheme);
    let connection = || extensions.get::<Connection>().map(|connection| connection.scheme);
    site.or_else(connection).unwrap_or(Scheme::Http).https()
}

/// A session whose request is under way.
pub(crate) struct Open {
    shared: Arc<Shared>,
    session: Session,
    cookie: Cookie,
    https: Https,
    path: Uri,
}

/// Saves a session, and then gives the response.
pub(crate) type Saving<R> = Pin<Box<dyn Future<Output = Response<R>> + Send>>;

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
    pub(crate) fn end<R: From<Bytes> + Send + 'static>(
        self,
        mut response: Response<R>,
    ) -> Result<Response<R>, Saving<R>> {
        let policy = &self.shared.policy;
        let decision = decide(policy.saving, self.cookie, self.session.ending(), response.status());
        match decision {
            Decision::Nothing => {}
            Decision::Vary => vary::add(response.headers_mut(), "Cookie"),
            Decision::DeleteCookie => self.delete_cookie(response.headers_mut()),
            Decision::Save => return Err(Box::pin(self.save(response))),
        }
        Ok(response)
    }

    async fn save<R: From<Bytes>>(self, mut response: Response<R>) -> Response<R> {
        match self.saved().await {
            Ok(Some(cookie)) => {
                response.headers_mut().append(header::SET_COOKIE, cookie);
                vary::add(response.headers_mut(), "Cookie");
                response
            }
            Ok(None) => {
                self.delete_cookie(response.headers_mut());
                response
            }
            Err(error) => failure(&error, self.path.path()),
        }
    }

    fn delete_cookie(&self, headers: &mut HeaderMap) {
        headers.extend(self.shared.policy.cookie.delete().map(|value| (header::SET_COOKIE, value)));
        vary::add(headers, "Cookie");
    }

    /// The cookie; none if the key turned out to be nobody's only now that somebody looked.
    async fn saved(&self) -> Result<Option<http::HeaderValue>, SessionError> {
        let SessionPolicy { cookie, clock, strangers, .. } = &self.shared.policy;
        let expires = self.session.expires().await?;
        if self.session.ending().empty && *strangers == Strangers::Dropped {
            return Ok(None);
        }
        let key = self.session.save().await?;
        let age = (!expires.at_browser_close).then_some(expires.age);
        // A cookie's settings were checked when the policy was made, and a key is a cookie's value.
        Ok(cookie.set(key.expose(), age, clock.now(), self.https))
    }
}

/// The refusal for a session that could not do what was asked: rules 5 and 6.
pub(crate) fn failure<R: From<Bytes>>(error: &SessionError, path: &str) -> Response<R> {
    if let SessionError::Interrupted = error {
        Event::SessionInterrupted { path }.emit();
        return refuse(
            StatusCode::BAD_REQUEST,
            "The session was deleted before the request completed. You may have logged out in another tab.\n",
        );
    }
    Event::SessionStoreFailed { error }.emit();
    refuse(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n")
}
