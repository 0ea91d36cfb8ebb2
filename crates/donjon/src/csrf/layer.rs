//! The tower layer.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use donjon_core::cookie::{CookieSettings, Cookies, Https};
use donjon_core::event::Event;
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Connection, Site, SitePolicy};
use donjon_core::session::Session;
use donjon_core::visit::{Visit, word};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::{ReadBody, search};
use super::cell::{Cell, CsrfToken};
use super::decision::{Decision, Reason, Stored, Submitted, compare, decide, is_safe, joined};
use super::failure::Failure;
use super::policy::{
    Caching, CsrfPolicy, Duplicates, Provenance, SESSION_KEY, SecretStorage, Tokens,
};
use super::scan::{BodyError, Form};
use super::token::CsrfSecret;
use crate::rejection::refuse;
use crate::vary;

/// A route's own word on CSRF, left in the request before this layer sees it. The outermost layer that
/// refuses forgeries takes it out: one further in checks nevertheless, as in Django.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrfRoute {
    /// Nothing is checked. Django: `@csrf_exempt`. For requests that carry no cookies of a browser,
    /// and prove themselves otherwise: webhooks, APIs with tokens.
    Exempt,
}

/// Refuses forged requests. Goes inside the session's layer and outside of whatever a forgery must
/// not reach.
#[derive(Clone)]
pub struct CsrfLayer {
    policy: Arc<CsrfPolicy>,
    site: Arc<SitePolicy>,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Protect,
    RequireToken,
    EnsureCookie,
}

impl CsrfLayer {
    /// Refuses forgeries. Django: `CsrfViewMiddleware`, `@csrf_protect`.
    ///
    /// Without a host room outside of it, the site's own origin is the `Host` header with the
    /// connection's scheme; see [`CsrfLayer::site`].
    #[must_use]
    pub fn new(policy: CsrfPolicy) -> Self {
        Self::with_mode(policy, Mode::Protect)
    }

    /// Refuses nothing, and gives handlers a [`CsrfToken`]: for pages of errors. Django:
    /// `@requires_csrf_token`.
    #[must_use]
    pub fn require_token(policy: CsrfPolicy) -> Self {
        Self::with_mode(policy, Mode::RequireToken)
    }

    /// Refuses nothing, and sets the cookie with every response: for pages whose scripts send the
    /// token though no form shows it. Django: `@ensure_csrf_cookie`.
    #[must_use]
    pub fn ensure_cookie(policy: CsrfPolicy) -> Self {
        Self::with_mode(policy, Mode::EnsureCookie)
    }

    /// This layer's policy, refusing nothing and setting the cookie with every response.
    pub(crate) fn ensuring_cookie(&self) -> Self {
        Self { mode: Mode::EnsureCookie, ..self.clone() }
    }

    /// What the room demands.
    pub(crate) fn policy(&self) -> &CsrfPolicy {
        &self.policy
    }

    fn with_mode(policy: CsrfPolicy, mode: Mode) -> Self {
        let site = SitePolicy::new(AllowedHosts::danger_any());
        Self { policy: Arc::new(policy), site: Arc::new(site), mode }
    }

    /// How the layer finds the site's own origin where no host room left it in the request.
    #[must_use]
    pub fn site(mut self, site: SitePolicy) -> Self {
        self.site = Arc::new(site);
        self
    }
}

impl<S> Layer<S> for CsrfLayer {
    type Service = Csrf<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Csrf { layer: self.clone(), inner }
    }
}

/// The service of [`CsrfLayer`].
#[derive(Clone)]
pub struct Csrf<S> {
    layer: CsrfLayer,
    inner: S,
}

type Boxed<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

pin_project! {
    /// The future of [`Csrf`].
    pub struct CsrfFuture<F, R, E> {
        #[pin]
        course: Course<F, R, E>,
    }
}

pin_project! {
    #[project = Projected]
    enum Course<F, R, E> {
        // The request went on as it came.
        Passed { #[pin] inner: F, cell: Option<Arc<Cell>> },
        // The request was refused by its head.
        Refused { response: Option<Response<R>> },
        // The token must be looked for in the body, or the secret in the session.
        Reading { reading: Boxed<Response<R>, E> },
    }
}

impl<F, R, E> Future for CsrfFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().course.project() {
            Projected::Passed { inner, cell } => {
                let mut response = ready!(inner.poll(cx))?;
                if let Some(cell) = cell {
                    set_cookie(cell, response.headers_mut());
                }
                Poll::Ready(Ok(response))
            }
            // A future that is polled again after it was ready never wakes up, as tower permits.
            Projected::Refused { response } => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
            Projected::Reading { reading } => reading.as_mut().poll(cx),
        }
    }
}

impl<S, B, R> Service<Request<B>> for Csrf<S>
where
    S: Service<Request<ReadBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Send,
    R: From<Bytes> + Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CsrfFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        if self.layer.must_ask_session(&parts) {
            if let Some(refusal) = self.layer.refusal_before_session(&parts) {
                let response = Some(self.layer.refusal(&parts, &refusal));
                return CsrfFuture { course: Course::Refused { response } };
            }
            let layer = self.layer.clone();
            let inner = self.take_ready();
            let reading = Box::pin(with_session(layer, inner, parts, body));
            return CsrfFuture { course: Course::Reading { reading } };
        }
        if self.layer.passes_unseen(&mut parts) {
            let request = Request::from_parts(parts, ReadBody::untouched(body));
            let inner = self.inner.call(request);
            return CsrfFuture { course: Course::Passed { inner, cell: None } };
        }
        let (cell, verdict) = self.layer.meet(&mut parts, None);
        let course = match verdict {
            Verdict::Pass => {
                let request = Request::from_parts(parts, ReadBody::untouched(body));
                Course::Passed { inner: self.inner.call(request), cell: Some(cell) }
            }
            Verdict::Refuse(refusal) => {
                Course::Refused { response: Some(self.layer.refused(&parts, &cell, &refusal)) }
            }
            Verdict::Read(form) => {
                let layer = self.layer.clone();
                let inner = self.take_ready();
                Course::Reading { reading: Box::pin(read(layer, inner, parts, body, cell, form)) }
            }
        };
        CsrfFuture { course }
    }
}

impl<S: Clone> Csrf<S> {
    /// The service that was found ready; a clone, which may not be, takes its place.
    fn take_ready(&mut self) -> S {
        let clone = self.inner.clone();
        std::mem::replace(&mut self.inner, clone)
    }
}

/// What the head of a request leads to.
enum Verdict {
    Pass,
    Refuse(Refusal),
    Read(Form),
}

enum Refusal {
    /// A forgery, as far as can be seen: 403.
    Forged(Reason),
    /// A body that can't be read: 400.
    Body(BodyError),
}

async fn with_session<S, B, R>(
    layer: CsrfLayer,
    inner: S,
    mut parts: Parts,
    body: B,
) -> Result<Response<R>, S::Error>
where
    S: Service<Request<ReadBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes> + Unpin,
    R: From<Bytes>,
{
    let Some(session) = word::<Session>(&parts.extensions) else {
        Event::Misconfigured { problem: &"CSRF secrets are kept in the session, and no session layer is outside of the CSRF layer" }.emit();
        return Ok(refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n"));
    };
    let stored = match session.get::<String>(SESSION_KEY).await {
        Ok(secret) => stored(secret.as_deref()),
        Err(error) => {
            Event::SessionStoreFailed { error: &error }.emit();
            return Ok(refuse(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n"));
        }
    };
    let (cell, verdict) = layer.meet(&mut parts, Some(stored));
    let mut response = match verdict {
        Verdict::Pass => go_on(inner, parts, ReadBody::untouched(body), &cell).await?,
        Verdict::Refuse(refusal) => layer.refused(&parts, &cell, &refusal),
        Verdict::Read(form) => read(layer, inner, parts, body, Arc::clone(&cell), form).await?,
    };
    let Some(secret) = cell.take_update() else { return Ok(response) };
    match keep_in_session(&session, &secret).await {
        Ok(()) => forbid_storing(&cell.policy, response.headers_mut()),
        Err(error) => {
            Event::SessionStoreFailed { error: &error }.emit();
            response = refuse(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n");
        }
    }
    Ok(response)
}

async fn keep_in_session(
    session: &Session,
    secret: &CsrfSecret,
) -> Result<(), donjon_core::session::SessionError> {
    let kept: Option<String> = session.get(SESSION_KEY).await?;
    match kept.as_deref() == Some(secret.expose()) {
        true => Ok(()),
        false => session.insert(SESSION_KEY, secret.expose()).await,
    }
}

async fn read<S, B, R>(
    layer: CsrfLayer,
    inner: S,
    parts: Parts,
    body: B,
    cell: Arc<Cell>,
    form: Form,
) -> Result<Response<R>, S::Error>
where
    S: Service<Request<ReadBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes> + Unpin,
    R: From<Bytes>,
{
    let found = search(&form, body).await.map_err(Refusal::Body);
    let checked = found.and_then(|(search, body)| {
        if search.doubled && layer.policy.duplicates == Duplicates::Refuse {
            return Err(Refusal::Forged(Reason::Duplicate("the token's field")));
        }
        layer
            .compare(&parts.headers, &cell, search.token.as_deref())
            .map(|()| body)
            .map_err(Refusal::Forged)
    });
    match checked {
        Ok(body) => {
            cell.mark_checked();
            go_on(inner, parts, body, &cell).await
        }
        Err(refusal) => Ok(layer.refused(&parts, &cell, &refusal)),
    }
}

async fn go_on<S, B, R>(
    mut inner: S,
    parts: Parts,
    body: ReadBody<B>,
    cell: &Cell,
) -> Result<Response<R>, S::Error>
where
    S: Service<Request<ReadBody<B>>, Response = Response<R>>,
    B: Body,
{
    let mut response = inner.call(Request::from_parts(parts, body)).await?;
    set_cookie(cell, response.headers_mut());
    Ok(response)
}

impl CsrfLayer {
    fn must_ask_session(&self, parts: &Parts) -> bool {
        !self.keeps_cookies() && parts.extensions.get::<CsrfToken>().is_none()
    }

    /// In a stack, which makes the token when it is asked for, a request that can be no forgery goes on
    /// without a look at its secret.
    fn passes_unseen(&self, parts: &mut Parts) -> bool {
        self.mode == Mode::Protect
            && self.keeps_cookies()
            && parts.extensions.get::<Visit>().is_some()
            && (parts.extensions.remove::<CsrfRoute>().is_some()
                || (is_safe(&parts.method) && !parts.headers.contains_key(header::UPGRADE)))
    }

    /// The token of a request that sent the cookies it is made of; `None` without.
    pub(crate) fn sent(
        &self,
        headers: &HeaderMap,
        https: Https,
        session: Option<&Session>,
    ) -> Option<CsrfToken> {
        let cell = self.cell(headers, https, session.cloned(), None);
        cell.has_secret().then(|| CsrfToken(Arc::new(cell)))
    }

    /// The token of a request that sent none of these cookies.
    pub(crate) fn fresh(&self, https: Https, session: Option<Session>) -> CsrfToken {
        CsrfToken(Arc::new(self.cell(&HeaderMap::new(), https, session, None)))
    }

    /// Sets the cookie where a token of this request was made or its secret replaced.
    pub(crate) fn leave(token: &CsrfToken, headers: &mut HeaderMap) {
        set_cookie(&token.0, headers);
    }

    /// Are the secrets kept in cookies?
    pub(crate) fn keeps_cookies(&self) -> bool {
        matches!(self.policy.storage, SecretStorage::Cookie(_))
    }

    /// What the head alone refuses, before the session store is asked for the secret. Django asks
    /// first.
    fn refusal_before_session(&self, parts: &Parts) -> Option<Refusal> {
        let checks = self.mode == Mode::Protect && parts.extensions.get::<CsrfRoute>().is_none();
        if !checks || self.policy.provenance == Provenance::Django {
            return None;
        }
        match decide(&self.policy, &self.site_of(parts), &parts.method, &parts.headers) {
            Decision::Refuse(reason) => Some(Refusal::Forged(reason)),
            Decision::Accept | Decision::NeedsToken => None,
        }
    }

    /// Judges a request by its head, and leaves in one that goes on what makes its tokens. A layer
    /// further in finds those of the layer outside.
    fn meet(&self, parts: &mut Parts, in_session: Option<Stored>) -> (Arc<Cell>, Verdict) {
        let exempt = self.mode == Mode::Protect && parts.extensions.remove::<CsrfRoute>().is_some();
        let site = self.site_of(parts);
        let outside = word::<CsrfToken>(&parts.extensions).map(|token| token.0);
        let first = outside.is_none();
        let cell = outside.unwrap_or_else(|| {
            let (https, session) = (site.scheme().https(), word(&parts.extensions));
            Arc::new(self.cell(&parts.headers, https, session, in_session))
        });
        if self.mode == Mode::EnsureCookie {
            cell.ensure();
        }
        let verdict = match exempt {
            true => Verdict::Pass,
            false => self.check(parts, &site, &cell),
        };
        if first && !matches!(verdict, Verdict::Refuse(_)) {
            parts.extensions.insert(CsrfToken(Arc::clone(&cell)));
            parts.extensions.insert(cell.rotation());
        }
        (cell, verdict)
    }

    /// Reads the secret.
    fn cell(
        &self,
        headers: &HeaderMap,
        https: Https,
        session: Option<Session>,
        in_session: Option<Stored>,
    ) -> Cell {
        let cookies = Cookies::of(headers);
        let stored = in_session.unwrap_or_else(|| match &self.policy.storage {
            SecretStorage::Cookie(cookie) => stored(cookies.value(&cookie.name).as_deref()),
            SecretStorage::Session { .. } => Stored::Missing,
        });
        let (session_key, session) = match &self.policy.tokens {
            Tokens::MaskedOrPlain => (String::new(), None),
            Tokens::BoundToSession(name) => {
                let key = cookies.value(name).map(Cow::into_owned).unwrap_or_default();
                (key, session)
            }
        };
        Cell::new(Arc::clone(&self.policy), https, session_key, session, stored)
    }

    /// Who the site is: as the host room left it, or as this layer can tell.
    fn site_of(&self, parts: &Parts) -> Site {
        word(&parts.extensions).unwrap_or_else(|| {
            let connection = parts.extensions.get::<Connection>();
            self.site.resolve(&parts.headers, parts.uri.authority(), connection)
        })
    }

    fn check(&self, parts: &Parts, site: &Site, cell: &Cell) -> Verdict {
        if self.mode != Mode::Protect || cell.is_checked() {
            return Verdict::Pass;
        }
        match decide(&self.policy, site, &parts.method, &parts.headers) {
            Decision::Accept => {
                cell.mark_checked();
                Verdict::Pass
            }
            Decision::Refuse(reason) => Verdict::Refuse(Refusal::Forged(reason)),
            Decision::NeedsToken => self.judge_token(parts, cell).unwrap_or_else(Verdict::Refuse),
        }
    }

    /// Refuses what no token could save before a byte of the body is read.
    fn judge_token(&self, parts: &Parts, cell: &Cell) -> Result<Verdict, Refusal> {
        self.doubled_cookie(&parts.headers).map_err(Refusal::Forged)?;
        cell.stored().secret().map_err(Refusal::Forged)?;
        // Django's request.POST is empty for every other method.
        if parts.method == Method::POST {
            let kind = joined(&parts.headers, &header::CONTENT_TYPE).unwrap_or_default();
            match Form::of(kind.as_bytes()).map_err(Refusal::Body)? {
                Form::Other => {}
                form => return Ok(Verdict::Read(form)),
            }
        }
        self.compare(&parts.headers, cell, None).map_err(Refusal::Forged)?;
        cell.mark_checked();
        Ok(Verdict::Pass)
    }

    fn doubled_cookie(&self, headers: &HeaderMap) -> Result<(), Reason> {
        let doubled = |name: &str| Cookies::of(headers).count(name) > 1;
        if self.policy.duplicates == Duplicates::LastCounts {
            return Ok(());
        }
        match (&self.policy.storage, &self.policy.tokens) {
            (SecretStorage::Cookie(cookie), _) if doubled(&cookie.name) => {
                Err(Reason::Duplicate("the CSRF cookie"))
            }
            (_, Tokens::BoundToSession(name)) if doubled(name) => {
                Err(Reason::Duplicate("the session cookie"))
            }
            _ => Ok(()),
        }
    }

    fn compare(&self, headers: &HeaderMap, cell: &Cell, body: Option<&str>) -> Result<(), Reason> {
        let submitted =
            Submitted { body: body.map(Into::into), header: joined(headers, &self.policy.header) };
        compare(&self.policy, &cell.stored(), &submitted, cell.sent_session_key())
    }

    fn refused<R: From<Bytes>>(
        &self,
        parts: &Parts,
        cell: &Cell,
        refusal: &Refusal,
    ) -> Response<R> {
        let mut response = self.refusal(parts, refusal);
        set_cookie(cell, response.headers_mut());
        response
    }

    fn refusal<R: From<Bytes>>(&self, parts: &Parts, refusal: &Refusal) -> Response<R> {
        match refusal {
            Refusal::Forged(reason) => {
                Event::CsrfRefused { reason, path: parts.uri.path() }.emit();
                self.failure(parts, reason)
            }
            Refusal::Body(error) => {
                Event::CsrfRefused { reason: &error.message(), path: parts.uri.path() }.emit();
                refuse(StatusCode::BAD_REQUEST, error.message())
            }
        }
    }

    fn failure<R: From<Bytes>>(&self, parts: &Parts, reason: &Reason) -> Response<R> {
        let site = self.site_of(parts);
        let failure =
            Failure { reason, site: &site, headers: &parts.headers, detail: self.policy.detail };
        match &self.policy.failure_view {
            Some(view) => view(&failure).map(R::from),
            None => failure.response(),
        }
    }
}

fn stored(text: Option<&str>) -> Stored {
    match text.map(CsrfSecret::parse) {
        None => Stored::Missing,
        Some(Ok(secret)) => Stored::Secret(secret),
        Some(Err(error)) => Stored::Malformed(error),
    }
}

/// Sets the cookie where a token was made or the secret was replaced. In the session it is kept by
/// the layer's own future, which may wait.
fn set_cookie(cell: &Cell, headers: &mut HeaderMap) {
    let SecretStorage::Cookie(cookie) = &cell.policy.storage else { return };
    let Some(secret) = cell.take_update() else { return };
    let now = cell.policy.clock.now();
    let Some(value) = cookie.set(secret.expose(), cookie.age_seconds(), now, cell.https) else {
        return;
    };
    remove_earlier(cookie, headers);
    headers.append(header::SET_COOKIE, value);
    vary::add(headers, "Cookie");
    forbid_storing(&cell.policy, headers);
}

/// A cached page would give its token, and the cookie with it, to the next visitor.
fn forbid_storing(policy: &CsrfPolicy, headers: &mut HeaderMap) {
    if policy.caching == Caching::NotStored && !headers.contains_key(header::CACHE_CONTROL) {
        let value = http::HeaderValue::from_static("private, no-store");
        headers.insert(header::CACHE_CONTROL, value);
    }
}

/// A layer further in may have set the same cookie: a browser must not have to choose.
fn remove_earlier(cookie: &CookieSettings, headers: &mut HeaderMap) {
    let ours = |value: &http::HeaderValue| {
        value
            .as_bytes()
            .strip_prefix(cookie.name.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&b'='))
    };
    if !headers.get_all(header::SET_COOKIE).iter().any(ours) {
        return;
    }
    if let header::Entry::Occupied(entry) = headers.entry(header::SET_COOKIE) {
        let (name, values) = entry.remove_entry_mult();
        let others: Vec<_> = values.filter(|value| !ours(value)).collect();
        for value in others {
            headers.append(name.clone(), value);
        }
    }
}
