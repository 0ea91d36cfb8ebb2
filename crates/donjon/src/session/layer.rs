//! The tower layer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use donjon_core::cookie::{Cookies, Https};
use donjon_core::event::Event;
use donjon_core::origin::{Connection, Scheme, Site};
use donjon_core::secret::Keys;
use donjon_core::session::{
    AgentFamily, CookieSessions, DynSessionStore, Engine, Session, SessionContext, SessionError,
    SessionKey,
};
use http::{Extensions, HeaderMap, Request, Response, StatusCode, Uri, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::decision::{Cookie, Decision, decide};
use super::policy::{Binding, Duplicates, SessionPolicy, Strangers};
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
        Self::kept(policy, Engine::Store(store))
    }

    /// Sessions of this policy, kept in their cookie and signed with these keys: see
    /// [`CookieSessions`] for what that gives up. Django: the engine `signed_cookies`.
    #[must_use]
    pub fn in_cookie(policy: SessionPolicy, keys: &Keys) -> Self {
        let cookie = CookieSessions::new(keys, policy.cookie_name(), policy.clock.clone());
        Self::kept(policy, Engine::Cookie(cookie))
    }

    fn kept(policy: SessionPolicy, engine: Engine) -> Self {
        let (lifetime, clock) = (policy.lifetime, policy.clock.clone());
        let context = Arc::new(SessionContext { engine, lifetime, clock });
        Self(Arc::new(Shared { policy, context }))
    }
}

impl SessionLayer {
    /// How sessions are kept and named.
    pub(crate) fn policy(&self) -> &SessionPolicy {
        &self.0.policy
    }

    /// Are sessions kept in their cookie?
    pub(crate) fn is_in_cookie(&self) -> bool {
        matches!(self.0.context.engine, Engine::Cookie(_))
    }

    /// The session that a request's cookie names, or would name; `None` without the cookie.
    pub(crate) fn sent(&self, headers: &HeaderMap) -> Option<Session> {
        let (cookie, session) = self.0.begin(headers);
        (cookie == Cookie::Sent).then_some(session)
    }

    /// The session of a request without the cookie, by the browser that sends this `User-Agent`.
    pub(crate) fn fresh(&self, agent: Option<AgentFamily>) -> Session {
        self.0.session(None, agent)
    }

    /// The browser of a request, where sessions are bound to it.
    pub(crate) fn agent(&self, headers: &HeaderMap) -> Option<AgentFamily> {
        self.0.agent(headers)
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
        let sent_key = |sent: &str| self.context.engine.key(sent);
        let key = sent.as_deref().filter(|_| !planted).and_then(sent_key);
        let cookie = if sent.is_some() { Cookie::Sent } else { Cookie::Missing };
        (cookie, self.session(key, self.agent(headers)))
    }

    fn session(&self, key: Option<SessionKey>, agent: Option<AgentFamily>) -> Session {
        let context = Arc::clone(&self.context);
        match agent {
            Some(agent) => Session::bound(context, key, agent),
            None => Session::new(context, key),
        }
    }

    fn agent(&self, headers: &HeaderMap) -> Option<AgentFamily> {
        let sent = || headers.get(header::USER_AGENT).map_or(&[][..], |agent| agent.as_bytes());
        (self.policy.binding == Binding::UserAgent).then(|| AgentFamily::of(sent()))
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

/// The refusal for a session that could not do what was asked: rules 5, 6 and 8.
pub(crate) fn failure<R: From<Bytes>>(error: &SessionError, path: &str) -> Response<R> {
    if let SessionError::Interrupted = error {
        Event::SessionInterrupted { path }.emit();
        return refuse(
            StatusCode::BAD_REQUEST,
            "The session was deleted before the request completed. You may have logged out in another tab.\n",
        );
    }
    Event::SessionStoreFailed { error }.emit();
    if let SessionError::TooBig { .. } = error {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n");
    }
    refuse(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n")
}
