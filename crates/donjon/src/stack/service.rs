//! The stack as one service: the rooms outside of CSRF act in one call and one future, so that a
//! request is not handed through a service, and a response not through a future, for each of them.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use donjon_core::event::Event;
use donjon_core::origin::{Scheme, SitePolicy};
use donjon_core::visit::{Visit, Words};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use pin_project_lite::pin_project;
use tower::layer::util::Identity;
use tower::util::{Either, option_layer};
use tower_layer::Layer;
use tower_service::Service;

use super::dress::Dress;
use super::visit::Visiting;
use crate::auth::{AuthLayer, AuthPolicy, Auths};
use crate::canonical::{self, CanonicalPolicy};
use crate::cors::{self, CorsPolicy, Preflight};
use crate::csp::CspPolicies;
use crate::csrf::{Csrf, CsrfLayer, CsrfPolicy};
use crate::headers::HeadersPolicy;
use crate::host;
use crate::https::{self, HttpsPolicy};
use crate::isolation::{self, IsolationPolicy, Readers};
use crate::messages::{self, MessagesLayer};
use crate::rejection::{Answer, ErrorPages, Refusal, refuse};
use crate::session::layer::Saving;
use crate::session::{SessionLayer, SessionPolicy};

/// How many headers the stack may add: room for them is made once.
const ADDED_HEADERS: usize = 20;

/// The rooms of a stack, as every request finds them.
#[derive(Clone)]
pub(super) struct Rooms {
    pub(super) headers: HeadersPolicy,
    pub(super) csp: CspPolicies,
    /// What these rooms and HTTPS say to most responses.
    pub(super) dress: Option<Dress>,
    pub(super) site: SitePolicy,
    pub(super) https: HttpsPolicy,
    pub(super) canonical: CanonicalPolicy,
    pub(super) cors: Option<CorsPolicy>,
    pub(super) isolation: Option<IsolationPolicy>,
    pub(super) sessions: Option<SessionLayer>,
    pub(super) messages: Option<MessagesLayer>,
    /// For words made on demand: none where the secret is in the session, which must be waited for.
    pub(super) csrf: Option<CsrfLayer>,
    pub(super) auth: Option<AuthLayer>,
    /// What else handlers may ask for.
    pub(super) words: Option<Arc<dyn Words>>,
    /// The site's own pages of refusals.
    pub(super) pages: ErrorPages,
}

/// The tower layer of a [`Stack`](super::Stack).
#[derive(Clone)]
pub struct StackLayer {
    rooms: Arc<Rooms>,
    csrf: CsrfLayer,
    auth: Either<AuthLayer, Identity>,
}

impl StackLayer {
    pub(super) fn new(rooms: Rooms, csrf: CsrfLayer, auth: Option<AuthLayer>) -> Self {
        let on_demand = csrf.keeps_cookies();
        let rooms = Rooms {
            csrf: on_demand.then(|| csrf.clone()),
            auth: auth.clone().filter(|_| on_demand),
            dress: Dress::of(&rooms),
            ..rooms
        };
        Self { rooms: Arc::new(rooms), csrf, auth: option_layer(auth.filter(|_| !on_demand)) }
    }

    /// This layer with some rooms changed.
    pub(super) fn changed<E>(
        &self,
        change: impl FnOnce(&mut Rooms) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut rooms = Rooms::clone(&self.rooms);
        change(&mut rooms)?;
        rooms.dress = Dress::of(&rooms);
        Ok(Self { rooms: Arc::new(rooms), ..self.clone() })
    }

    /// This layer with more words for handlers to ask for, and with a site's own pages of refusals.
    #[cfg(feature = "axum")]
    pub(super) fn with_words(&self, words: Arc<dyn Words>, pages: ErrorPages) -> Self {
        let rooms = Rooms { words: Some(words), pages, ..Rooms::clone(&self.rooms) };
        Self { rooms: Arc::new(rooms), ..self.clone() }
    }

    pub(super) fn csrf(&self) -> &CsrfLayer {
        &self.csrf
    }
}

/// The policies of a stack, for whoever judges them.
pub(crate) struct Policies<'s> {
    pub(crate) site: &'s SitePolicy,
    pub(crate) headers: &'s HeadersPolicy,
    pub(crate) csp: &'s CspPolicies,
    pub(crate) https: &'s HttpsPolicy,
    pub(crate) cors: Option<&'s CorsPolicy>,
    pub(crate) isolation: Option<&'s IsolationPolicy>,
    pub(crate) sessions: Option<&'s SessionPolicy>,
    pub(crate) csrf: &'s CsrfPolicy,
    pub(crate) accounts: Option<&'s AuthPolicy>,
}

impl StackLayer {
    pub(super) fn policies(&self) -> Policies<'_> {
        let waiting = match &self.auth {
            Either::Left(auth) => Some(auth),
            Either::Right(_) => None,
        };
        Policies {
            site: &self.rooms.site,
            headers: &self.rooms.headers,
            csp: &self.rooms.csp,
            https: &self.rooms.https,
            cors: self.rooms.cors.as_ref(),
            isolation: self.rooms.isolation.as_ref(),
            sessions: self.rooms.sessions.as_ref().map(SessionLayer::policy),
            csrf: self.csrf.policy(),
            accounts: self.rooms.auth.as_ref().or(waiting).map(AuthLayer::policy),
        }
    }
}

impl<S> Layer<S> for StackLayer {
    type Service = Guarded<S>;

    fn layer(&self, handler: S) -> Self::Service {
        Guarded { rooms: Arc::clone(&self.rooms), inner: self.csrf.layer(self.auth.layer(handler)) }
    }
}

/// A service with all rooms around it.
#[derive(Clone)]
pub struct Guarded<S> {
    rooms: Arc<Rooms>,
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
        let mut passage = Passage::through(&self.rooms);
        let entered = caught(|| passage.enter(&mut request).map(|()| self.inner.call(request)));
        let answer = match entered {
            Ok(Ok(running)) => Answer::pass(running),
            Ok(Err(response)) => Answer::with(response),
            Err(Panicked) => Answer::with(passage.failure()),
        };
        GuardedFuture { course: Course::Running { answer, passage: Some(passage) } }
    }
}

/// Something behind the rooms panicked. What it said the panic hook has printed, and it may be what no
/// security log should tell.
struct Panicked;

/// Rule 5. Nothing that was under way is used again, but for what the rooms themselves remember.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}

/// What the rooms remember of a request for its response.
struct Passage {
    rooms: Arc<Rooms>,
    hsts: Option<HeaderValue>,
    /// The address, where a slash may be missing at its end.
    asked: Option<Uri>,
    cors: Option<cors::Decision>,
    varies: &'static [&'static str],
    /// Whether a refusal is shown as the site's own page.
    shows_pages: bool,
    /// None where a room answered before the session's.
    visiting: Option<Arc<Visiting>>,
}

impl Passage {
    fn through(rooms: &Arc<Rooms>) -> Self {
        let rooms = Arc::clone(rooms);
        Self {
            rooms,
            hsts: None,
            asked: None,
            cors: None,
            varies: &[],
            shows_pages: false,
            visiting: None,
        }
    }

    /// Through the rooms on the way in; an error is the answer of the one that gives it.
    fn enter<B, R: From<Bytes>>(&mut self, request: &mut Request<B>) -> Result<(), Response<R>> {
        self.shows_pages = self.rooms.pages.serve(request.headers());
        let site = host::resolve(&self.rooms.site, request);
        // A refused host is refused over HTTPS too, and browsers are to stay there.
        self.hsts = https::hsts(&self.rooms.https, &site);
        host::admit(&self.rooms.site, &site, request.uri().path())?;
        https::admit(&self.rooms.https, &site, request.method(), request.uri())?;
        if let Some(policy) = &self.rooms.cors {
            let decision = cors::layer::judge(policy, request);
            let preflight = decision.preflight();
            self.cors = Some(decision);
            if preflight == Preflight::Yes {
                return Err(cors::layer::preflight());
            }
        }
        // Inside of CORS: a browser takes no redirect for the answer to a preflight.
        let (canonical, headers) = (&self.rooms.canonical, request.headers());
        self.asked = canonical::admit(canonical, Some(&site), headers, request.uri())?;
        if let Some(policy) = &self.rooms.isolation {
            let open = self.cors.as_ref().is_some_and(cors::Decision::is_open);
            let readers = if open { Readers::Allowed } else { Readers::Nobody };
            self.varies = isolation::layer::admit(policy, request, readers)?;
        }
        let visiting = Arc::new(Visiting::new(&self.rooms, site, request));
        request.extensions_mut().insert(Visit::new(Arc::clone(&visiting) as _));
        self.visiting = Some(visiting);
        Ok(())
    }

    /// The answer to what panicked.
    fn failure<R: From<Bytes>>(&self) -> Response<R> {
        let path = self.visiting.as_deref().map_or("", Visiting::path);
        Event::Panicked { path }.emit();
        refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error (500)\n")
    }

    /// What becomes of an answer before it leaves: a redirect where only a slash was missing, and a future
    /// where the session must be saved first.
    fn end<R: From<Bytes> + Send + 'static>(
        &mut self,
        response: Response<R>,
    ) -> Result<Response<R>, Saving<R>> {
        let response = canonical::apply(&self.rooms.canonical, self.asked.take(), response);
        let Some(visiting) = self.visiting.as_deref() else { return Ok(response) };
        let (open, messages) = (visiting.open(), visiting.spoken(&response));
        match (messages, open) {
            (None, None) => Ok(response),
            (None, Some(session)) => session.end(response),
            // Messages may go into the session, which is saved after them.
            (Some(messages), open) => {
                let https = visiting.https();
                Err(Box::pin(async move {
                    let response = messages::layer::stored(messages, response, https).await;
                    let Some(session) = open else { return response };
                    match session.end(response) {
                        Ok(response) => response,
                        Err(saving) => saving.await,
                    }
                }))
            }
        }
    }

    /// Through the rooms on the way out, but for the session, which may have to wait.
    fn leave<R: From<Bytes>>(&mut self, response: &mut Response<R>) {
        if let Some(refusal) = Refusal::take(response).filter(|_| self.shows_pages) {
            self.rooms.pages.replace(refusal, response);
        }
        let visiting = self.visiting.as_deref();
        let nonce = visiting.and_then(Visiting::used_nonce);
        match &self.rooms.dress {
            Some(dress) if response.extensions().is_empty() && self.came_to_cors() => {
                if nonce.is_some() {
                    self.rooms.csp.apply(Default::default(), nonce, response);
                }
                self.rooms.headers.strip(response.headers_mut());
                let scheme = if self.hsts.is_some() { Scheme::Https } else { Scheme::Http };
                dress.put_on(scheme, response.headers_mut());
            }
            _ => self.speak(nonce, response),
        }
        let headers = response.headers_mut();
        if let (Some(policy), Some(decision)) = (&self.rooms.cors, self.cors.take()) {
            decision.apply(policy, headers);
        }
        isolation::layer::apply(self.varies, headers);
        if let Some(visiting) = visiting {
            visiting.set_csrf_cookie(headers);
        }
    }

    /// Did no room outside of CORS answer? Their answers vary with no origin.
    fn came_to_cors(&self) -> bool {
        self.cors.is_some() || self.rooms.cors.is_none()
    }

    /// What the rooms of headers, CSP and HTTPS say to this response, each by itself.
    fn speak<R>(&self, nonce: Option<&str>, response: &mut Response<R>) {
        let csp = &self.rooms.csp;
        response.headers_mut().reserve(ADDED_HEADERS);
        https::apply(self.hsts.clone(), response.headers_mut());
        let path = self.visiting.as_ref().map(|visiting| visiting.path());
        let exclusion = path.map(|path| csp.exclusion(path)).unwrap_or_default();
        csp.apply(exclusion, nonce, response);
        self.rooms.headers.apply(response);
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
        Running { #[pin] answer: Answer<F, R>, passage: Option<Passage> },
        Saving { saving: Saving<R>, passage: Passage },
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
        if let Projected::Running { answer, passage } = course.as_mut().project() {
            let answered = match caught(|| answer.poll(cx)) {
                Ok(answered) => Some(ready!(answered)?),
                Err(Panicked) => None,
            };
            // A future that is polled again after it was ready never wakes up, as tower permits.
            let Some(mut passage) = passage.take() else { return Poll::Pending };
            let response = answered.unwrap_or_else(|| passage.failure());
            match passage.end(response) {
                Ok(mut response) => {
                    passage.leave(&mut response);
                    return Poll::Ready(Ok(response));
                }
                Err(saving) => course.set(Course::Saving { saving, passage }),
            }
        }
        match course.project() {
            Projected::Saving { saving, passage } => {
                let mut response = match caught(|| saving.as_mut().poll(cx)) {
                    Ok(saved) => ready!(saved),
                    Err(Panicked) => passage.failure(),
                };
                passage.leave(&mut response);
                Poll::Ready(Ok(response))
            }
            Projected::Running { .. } => Poll::Pending,
        }
    }
}
