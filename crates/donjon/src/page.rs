//! Pages: a template, the view's variables, and what every page may need of its request.
//!
//! Stops: pages that a shared cache hands to another visitor (CVE-2014-0473), error pages that tell
//! what went wrong to whoever broke it, and pages that cost a query for a user they never show.
//!
//! 1. A template is rendered with its holes escaped for their places: see [`donjon_html::template`].
//! 2. The CSRF token, the nonce, the user and the messages are asked for only if the template mentions
//!    them. All forms of one page share one masked token, as in Django.
//! 3. A page with a token or a message is not to be stored: `Cache-Control: private, no-store`.
//! 4. A page that fails is status 500, or 503 if the store did; the log has the reason, the visitor a
//!    sentence.
//! 5. A page that takes longer than [`MAX_RENDER_TIME`] fails.
//! 6. A page that is [streamed](Page::stream) takes little memory, however large it is; the token and the nonce are
//!    settled before its first byte, since its headers leave before its end.
//! 7. [`LiveTemplates`] are for development: a page looks whether their files have changed, and shows what is wrong in
//!    them, with the source, to whoever asks. A site that goes live has [`Templates`], and shows nothing.

use std::any::Any;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use donjon_core::account::{Permissions, User};
use donjon_core::event::Event;
use donjon_core::session::SessionError;
use donjon_core::visit::{Words, offer, word};
use donjon_html::Markup;
use donjon_html::escape::format_html;
use donjon_html::template::{
    LiveTemplates, LoadError, LoadingError, Object, QueryDict, RenderError, Surroundings,
    Templates, Value, Variables,
};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri, header};
use http_body::Frame;
use tokio::sync::mpsc;

use crate::auth::{Auth, AuthError};
use crate::csp::CspNonce;
use crate::csrf::CsrfToken;
use crate::messages::{Messages, default_levels};
use crate::names::Names;
use crate::rejection::{refuse, refuse_with_page};
use crate::session::SessionFailure;

/// The templates and addresses of a site; clones are the same.
#[derive(Clone)]
pub(crate) struct Pages(Arc<Shared>);

struct Shared {
    templates: PageTemplates,
    names: Names,
}

impl Pages {
    pub(crate) fn new(templates: PageTemplates, names: Names) -> Self {
        Self(Arc::new(Shared { templates, names }))
    }

    /// Rule 7.
    async fn templates(&self) -> Result<Arc<Templates>, PageError> {
        let live = match &self.0.templates.kept {
            Kept::Fixed(templates) => return Ok(Arc::clone(templates)),
            Kept::Live(live) => Arc::clone(live),
        };
        let refreshed = tokio::task::spawn_blocking(move || live.refresh()).await;
        match refreshed {
            Ok(templates) => templates.map_err(PageError::Templates),
            Err(error) => {
                Err(PageError::Templates(Arc::new(LoadError::new(error.to_string()).into())))
            }
        }
    }
}

/// The templates of a site's pages: [`Templates`], or for development [`LiveTemplates`], which are read again when their
/// files change, and whose errors are shown in the browser.
#[derive(Clone)]
pub struct PageTemplates {
    kept: Kept,
    /// What every page may use beside what its view gives.
    variables: Variables,
}

#[derive(Clone)]
enum Kept {
    Fixed(Arc<Templates>),
    Live(Arc<LiveTemplates>),
}

impl PageTemplates {
    /// Adds a variable that every page may use and a view may hide: the site's name, `STATIC_URL`, `MEDIA_URL`. What
    /// Django's context processors `static` and `media` give, and a site's own that ask for no request.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.variables.insert(name, value);
        self
    }

    /// The templates as they are now.
    pub(crate) fn current(&self) -> Arc<Templates> {
        match &self.kept {
            Kept::Fixed(templates) => Arc::clone(templates),
            Kept::Live(live) => live.current(),
        }
    }
}

impl From<Templates> for PageTemplates {
    fn from(templates: Templates) -> Self {
        Self { kept: Kept::Fixed(Arc::new(templates)), variables: Variables::new() }
    }
}

impl From<LiveTemplates> for PageTemplates {
    fn from(templates: LiveTemplates) -> Self {
        Self { kept: Kept::Live(Arc::new(templates)), variables: Variables::new() }
    }
}

impl Words for Pages {
    fn fill(self: Arc<Self>, slot: &mut dyn Any) {
        offer(slot, || Some(Self::clone(&self)));
    }
}

/// The longest time that one page may take to render, behind which it fails.
pub const MAX_RENDER_TIME: Duration = Duration::from_secs(10);
/// How many pieces of a streamed page wait for a slow client.
const WAITING_PIECES: usize = 4;

/// Renders the page of a request.
///
/// Every template may use `user`, `perms`, `csrf_token`, `csp_nonce`, `messages`, `DEFAULT_MESSAGE_LEVELS`,
/// `request` (`path`, `method`, `get_full_path`, `GET`), and the tags `url`, `querystring` and
/// `csrf_token`; a variable of the view hides one of these.
pub struct Page {
    pages: Pages,
    csrf: Option<CsrfToken>,
    nonce: Option<CspNonce>,
    auth: Option<Auth>,
    messages: Option<Messages>,
    asked: Uri,
    method: Method,
    status: StatusCode,
}

impl Page {
    /// Answers with another status than 200.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The address of a route of that name. Django: `reverse`.
    #[must_use]
    pub fn url(&self, name: &str, args: &[&str]) -> Option<String> {
        self.pages.0.names.reverse(name, args, &[])
    }

    /// The template of that name as a response.
    ///
    /// # Errors
    /// [`PageError`] if there is no such template, it can't be rendered, or the user could not be
    /// asked for. It is a response itself.
    pub async fn render(
        &self,
        template: &str,
        variables: Variables,
    ) -> Result<Response, PageError> {
        let templates = self.pages.templates().await?;
        let user = self.visitor(&templates, template).await?;
        let messages = self.messages.as_ref().filter(|_| templates.uses(template, "messages"));
        if let Some(messages) = messages {
            messages.load().await.map_err(PageError::Messages)?;
        }
        let waiting = messages.is_some_and(|messages| messages.count_loaded() > 0);
        let around = Around::new(self, user);
        let html = templates.render(template, &variables, &around)?;
        Ok(self.response(html.into(), waiting || around.token.get().is_some()))
    }

    /// Who asks, and what they may do, as far as the template mentions it.
    async fn visitor(&self, templates: &Templates, template: &str) -> Result<Known, AuthError> {
        let mut known = Known::default();
        let Some(auth) = &self.auth else { return Ok(known) };
        if templates.uses(template, "user") {
            known.user = auth.user().await?;
        }
        if templates.uses(template, "perms") {
            known.may = match auth.user().await? {
                None => May::Nothing,
                Some(user) if user.is_superuser && user.is_active => May::Anything,
                Some(_) => May::These(auth.permissions().await?),
            };
        }
        Ok(known)
    }

    /// The template of that name as a response that is sent while it is rendered. It shows no `messages`, which would
    /// have to be marked as shown before the response's headers leave.
    ///
    /// # Errors
    /// [`PageError`] if the user could not be asked for. What fails later cuts the response off, so that a client does
    /// not take it for whole.
    pub async fn stream(
        mut self,
        template: &str,
        variables: Variables,
    ) -> Result<Response, PageError> {
        self.messages = None;
        let templates = self.pages.templates().await?;
        let user = self.visitor(&templates, template).await?;
        let personal = templates.uses(template, "csrf_token");
        let token = self.csrf.as_ref().filter(|_| personal).map(CsrfToken::mint);
        if let Some(nonce) = &self.nonce {
            let _ = nonce.read();
        }
        let (send, receive) = mpsc::channel(WAITING_PIECES);
        let name = template.to_owned();
        let response = self.response(piece_by_piece(receive), personal);
        tokio::task::spawn_blocking(move || {
            let around = Around {
                token: token.map(OnceCell::from).unwrap_or_default(),
                ..Around::new(&self, user)
            };
            let sent = |piece: Result<Bytes, std::io::Error>| {
                send.blocking_send(piece).map_err(|_| fmt::Error)
            };
            let rendered = templates.render_pieces(&name, &variables, &around, &mut |piece| {
                sent(Ok(Bytes::copy_from_slice(piece.as_bytes())))
            });
            if let Err(error) = rendered {
                Event::PageFailed { error: &error }.emit();
                let _ = sent(Err(std::io::Error::other("the page failed")));
            }
        });
        Ok(response)
    }

    /// Rule 3.
    fn response(&self, body: Body, personal: bool) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        if personal {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        }
        response
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("path", &self.asked.path())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// The addresses of a site, and nothing else: for pages without a request.
pub(crate) struct Addresses<'a>(pub(crate) &'a Names);

impl Surroundings for Addresses<'_> {
    fn url(&self, name: &str, args: &[Value], kwargs: &[(&str, Value)]) -> Option<String> {
        let args: Vec<_> = args.iter().map(Value::text).collect();
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        let named: Vec<_> = kwargs.iter().map(|(name, value)| (*name, value.text())).collect();
        let named: Vec<(&str, &str)> =
            named.iter().map(|(name, value)| (*name, value.as_ref())).collect();
        self.0.reverse(name, &args, &named)
    }
}

/// A body of the pieces that arrive.
fn piece_by_piece(pieces: mpsc::Receiver<Result<Bytes, std::io::Error>>) -> Body {
    Body::new(Pieces(pieces))
}

/// The body of a streamed page.
struct Pieces(mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// What a template finds around the view's variables.
struct Around<'a> {
    page: &'a Page,
    user: Option<Arc<User>>,
    may: May,
    token: OnceCell<String>,
    begun: Instant,
}

impl<'a> Around<'a> {
    fn new(page: &'a Page, visitor: Known) -> Self {
        let Known { user, may } = visitor;
        Self { page, user, may, token: OnceCell::new(), begun: Instant::now() }
    }
}

impl Surroundings for Around<'_> {
    fn url(&self, name: &str, args: &[Value], kwargs: &[(&str, Value)]) -> Option<String> {
        Addresses(&self.page.pages.0.names).url(name, args, kwargs)
    }

    fn expired(&self) -> bool {
        self.begun.elapsed() > MAX_RENDER_TIME
    }

    fn csrf_token(&self) -> Option<String> {
        let csrf = self.page.csrf.as_ref()?;
        Some(self.token.get_or_init(|| csrf.mint()).clone())
    }

    fn csp_nonce(&self) -> Option<String> {
        self.page.nonce.as_ref().map(|nonce| nonce.read().to_owned())
    }

    fn lookup(&self, name: &str) -> Option<Value> {
        match name {
            "user" => Some(Value::object(Visitor(self.user.clone()))),
            "request" => Some(Value::object(Asked {
                method: self.page.method.clone(),
                uri: self.page.asked.clone(),
            })),
            "messages" => self.page.messages.clone().map(Value::object),
            "DEFAULT_MESSAGE_LEVELS" => Some(default_levels()),
            "perms" => Some(Value::object(Perms(self.may.clone()))),
            _ => self.page.pages.0.templates.variables.lookup(name).cloned(),
        }
    }
}

/// Who asks, as far as a template wants to know.
#[derive(Default)]
struct Known {
    user: Option<Arc<User>>,
    may: May,
}

/// What the visitor may do.
#[derive(Clone, Default)]
enum May {
    #[default]
    Nothing,
    These(Arc<Permissions>),
    /// A superuser may also do what no permission is of.
    Anything,
}

impl May {
    fn has(&self, permission: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::These(own) => own.contains(permission),
            Self::Anything => true,
        }
    }

    fn has_app(&self, app: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::These(own) => own.contains_app(app),
            Self::Anything => true,
        }
    }
}

/// `perms.app`, `perms.app.codename`, `'app.codename' in perms`: Django's `PermWrapper`.
struct Perms(May);

impl Object for Perms {
    fn attribute(&self, name: &str) -> Option<Value> {
        Some(Value::object(AppPerms { may: self.0.clone(), app: name.to_owned() }))
    }

    fn display(&self) -> Value {
        "PermWrapper".into()
    }

    fn contains(&self, needle: &Value) -> bool {
        needle.as_str().is_some_and(|name| match name.contains('.') {
            true => self.0.has(name),
            false => self.0.has_app(name),
        })
    }
}

/// The permissions of one app: Django's `PermLookupDict`.
struct AppPerms {
    may: May,
    app: String,
}

impl Object for AppPerms {
    fn attribute(&self, name: &str) -> Option<Value> {
        Some(self.may.has(&format!("{}.{name}", self.app)).into())
    }

    fn display(&self) -> Value {
        "PermLookupDict".into()
    }

    fn is_true(&self) -> bool {
        self.may.has_app(&self.app)
    }
}

/// The request as a template sees it.
struct Asked {
    method: Method,
    uri: Uri,
}

impl Object for Asked {
    fn attribute(&self, name: &str) -> Option<Value> {
        Some(match name {
            "method" => self.method.as_str().into(),
            "path" => self.uri.path().into(),
            "get_full_path" => self.uri.path_and_query().map_or("/", |full| full.as_str()).into(),
            "GET" => Value::object(QueryDict::parse(self.uri.query().unwrap_or_default())),
            _ => return None,
        })
    }

    fn display(&self) -> Value {
        format!("<Request: {} '{}'>", self.method, self.uri.path()).into()
    }
}

/// The user as a template sees one; nobody is Django's `AnonymousUser`.
struct Visitor(Option<Arc<User>>);

impl Object for Visitor {
    fn attribute(&self, name: &str) -> Option<Value> {
        let user = self.0.as_deref();
        let text = |part: fn(&User) -> &str| Some(user.map_or("", part).into());
        let flag = |part: fn(&User) -> bool| Some(user.is_some_and(part).into());
        match name {
            "is_authenticated" => Some(user.is_some().into()),
            "is_anonymous" => Some(user.is_none().into()),
            "is_active" => flag(|user| user.is_active),
            "is_staff" => flag(|user| user.is_staff),
            "is_superuser" => flag(|user| user.is_superuser),
            "username" | "get_username" => text(|user| &user.username),
            "id" | "pk" => Some(user.map_or(Value::None, |user| user.id.into())),
            "first_name" => user.map(|user| user.first_name.as_str().into()),
            "last_name" => user.map(|user| user.last_name.as_str().into()),
            "email" => user.map(|user| user.email.as_str().into()),
            "get_full_name" => user.map(|user| full_name(user).into()),
            _ => None,
        }
    }

    fn display(&self) -> Value {
        self.0.as_ref().map_or("AnonymousUser", |user| &user.username).into()
    }
}

fn full_name(user: &User) -> String {
    format!("{} {}", user.first_name, user.last_name).trim().to_owned()
}

/// A page that could not be made. As a response it is 500, or 503 where the store failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum PageError {
    /// The template could not be rendered.
    Render(RenderError),
    /// The user could not be asked for.
    Auth(AuthError),
    /// The messages could not be read.
    Messages(SessionError),
    /// The templates have changed, and something is wrong in them. Only with [`LiveTemplates`].
    Templates(Arc<LoadingError>),
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Render(error) => error.fmt(f),
            Self::Auth(error) => error.fmt(f),
            Self::Messages(error) => error.fmt(f),
            Self::Templates(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Render(error) => Some(error),
            Self::Auth(error) => Some(error),
            Self::Messages(error) => Some(error),
            Self::Templates(error) => Some(&**error),
        }
    }
}

impl From<RenderError> for PageError {
    fn from(error: RenderError) -> Self {
        Self::Render(error)
    }
}

impl From<AuthError> for PageError {
    fn from(error: AuthError) -> Self {
        Self::Auth(error)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match self {
            Self::Auth(error) => error.into_response(),
            Self::Messages(error) => SessionFailure(error).into_response(),
            Self::Templates(error) => {
                Event::PageFailed { error: &error }.emit();
                explained(&error)
            }
            Self::Render(error) => {
                Event::PageFailed { error: &error }.emit();
                refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
            }
        }
    }
}

/// What is wrong in the templates, for whoever is writing them: rule 7.
fn explained(error: &LoadingError) -> Response {
    let errors = match error {
        LoadingError::Wrong(errors) => errors.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    };
    let mut page = markup(HEAD, &[]);
    for error in errors {
        page.push(&markup("<pre>{}</pre>\n", &[error.into()]));
    }
    page.push(&markup("</body>\n</html>\n", &[]));
    refuse_with_page(StatusCode::INTERNAL_SERVER_ERROR, page.into_string().into())
}

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Templates</title></head>\n\
    <body>\n<h1>Something is wrong in the templates</h1>\n";

fn markup(html: &'static str, values: &[Value]) -> Markup {
    format_html(html, values, &[]).unwrap_or_default()
}

/// The route was not made by [`Routes`](crate::routes::Routes), which brings the templates. Status
/// 500.
#[derive(Clone, Copy, Debug)]
pub struct MissingTemplates;

impl IntoResponse for MissingTemplates {
    fn into_response(self) -> Response {
        Event::Misconfigured {
            problem: &"a handler takes a Page, and its route is none of Routes",
        }
        .emit();
        refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
    }
}

impl<S: Sync> FromRequestParts<S> for Page {
    type Rejection = MissingTemplates;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let extensions = &parts.extensions;
        Ok(Self {
            pages: word(extensions).ok_or(MissingTemplates)?,
            csrf: word(extensions),
            nonce: word(extensions),
            auth: word(extensions),
            messages: word(extensions),
            asked: parts.uri.clone(),
            method: parts.method.clone(),
            status: StatusCode::OK,
        })
    }
}
