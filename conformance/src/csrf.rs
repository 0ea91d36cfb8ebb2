//! `csrf.jsonl.gz`: requests through [`CsrfLayer`], and tokens by themselves.
//!
//! The decorators of a case become layers around its view. What Django's `csrf_exempt` leaves on the
//! view for whatever is outside of it, a route leaves in the request: [`CsrfRoute::Exempt`].

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use donjon::csrf::{
    CsrfLayer, CsrfPolicy, CsrfRoute, CsrfSecret, CsrfToken, Detail, Failure, ReadBody,
    SECRET_LENGTH, SubmittedToken,
};
use donjon::session::{Saving, SessionLayer, SessionPolicy};
use donjon_core::cookie::Cookies;
use donjon_core::origin::{SitePolicy, TrustedOrigins};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

use crate::case::{Answer, Case, Unanswered, list, text};
use crate::table::Table;
use crate::web::{self, Aborted};

type RequestBody = UnsyncBoxBody<Bytes, Aborted>;
type Answered = Response<Full<Bytes>>;
type View = BoxCloneService<Request<RequestBody>, Answered, Infallible>;

/// The session's value that holds the secret.
const SESSION_SECRET: &str = donjon::csrf::SESSION_KEY;

/// Answers a case of kind `token`.
///
/// # Errors
/// [`Unanswered`].
pub fn token(case: &Case) -> Answer {
    let malformed = |error: donjon::csrf::FormatError| Unanswered::Malformed(error.to_string());
    let secret = || CsrfSecret::parse(case.text("secret")?).map_err(malformed);
    match case.text("op")? {
        "mask" => {
            let mask = case.text("mask")?.as_bytes().try_into();
            let mask = mask.map_err(|_| Unanswered::Malformed("a mask has 32 bytes".to_owned()))?;
            Ok(json!({"token": secret()?.mask_with(mask)}))
        }
        "unmask" => {
            let hidden = CsrfSecret::parse(case.text("token")?).map_err(malformed)?;
            Ok(json!({"secret": hidden.expose()}))
        }
        "match" => {
            let token = SubmittedToken::parse(case.text("token")?).map_err(malformed)?;
            Ok(json!({"match": token.matches(&secret()?)}))
        }
        "format" => {
            let error = SubmittedToken::parse(case.text("token")?).err();
            Ok(json!({"error": error.map(|error| error.to_string())}))
        }
        other => Err(Unanswered::NotBuilt(format!("op {other}"))),
    }
}

/// What the layer said of a request that it refused.
#[derive(Clone)]
struct Said(String);

/// The middlewares and settings of a case.
struct Site<'a> {
    case: &'a Case,
    policy: CsrfPolicy,
    site: SitePolicy,
    table: Table,
}

/// Answers a case of kind `request`.
///
/// # Errors
/// [`Unanswered`].
pub async fn request(case: &Case) -> Answer {
    let site =
        Site { case, policy: policy(case)?, site: web::site(case)?, table: Table::default() };
    site.fill_table().await?;
    let mut request = web::request(case)?.map(BodyExt::boxed_unsync);
    if site.is_exempt() {
        request.extensions_mut().insert(CsrfRoute::Exempt);
    }
    let sent = site.sent_secret(&request);
    let Ok(response) = site.service()?.oneshot(request).await;
    site.outcome(sent, response).await
}

/// The policy that Django's settings amount to.
///
/// # Errors
/// [`Unanswered::Malformed`] for settings that are none.
pub fn policy(case: &Case) -> Result<CsrfPolicy, Unanswered> {
    let origins = list(case.setting("CSRF_TRUSTED_ORIGINS")).filter_map(Value::as_str);
    let malformed = |error: &dyn std::fmt::Display| Unanswered::Malformed(error.to_string());
    let trusted = TrustedOrigins::new(origins).map_err(|error| malformed(&error))?;
    let policy = CsrfPolicy::django()
        .trust(trusted)
        .header(web::header_of_setting(case.setting("CSRF_HEADER_NAME"))?)
        .clock(case.clock())
        .detail(if case.setting("DEBUG") == true { Detail::Explained } else { Detail::Brief })
        .failure_view(Arc::new(said));
    if uses_sessions(case) {
        let domain = case.setting("SESSION_COOKIE_DOMAIN").as_str();
        return Ok(policy.in_session(domain.map(str::to_owned)));
    }
    Ok(policy.danger_cookie(web::cookie(case, "CSRF_COOKIE")?))
}

fn uses_sessions(case: &Case) -> bool {
    case.setting("CSRF_USE_SESSIONS") == true
}

/// The built-in page, and the reason beside it.
fn said(failure: &Failure<'_>) -> Response<Bytes> {
    let mut response = failure.response();
    response.extensions_mut().insert(Said(failure.reason.to_string()));
    response
}

impl Site<'_> {
    fn decorators(&self) -> impl DoubleEndedIterator<Item = &str> {
        let decorators = self.case.field("view")["decorators"].as_array();
        decorators.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Is the view exempt, or is there none, so that the answer is a 404?
    fn is_exempt(&self) -> bool {
        self.decorators().any(|name| name == "csrf_exempt")
            || self.case.field("view")["resolved"] == false
    }

    async fn fill_table(&self) -> Result<(), Unanswered> {
        let session = self.case.field("session");
        if session.is_null() {
            return Ok(());
        }
        let age = self.case.setting("SESSION_COOKIE_AGE").as_i64().unwrap_or_default();
        let expires = self.case.now().plus_seconds(age);
        self.table.add(text(&session["key"], "a session's key")?, &session["data"], expires).await
    }

    fn layer(&self, make: impl FnOnce(CsrfPolicy) -> CsrfLayer) -> CsrfLayer {
        make(self.policy.clone()).site(self.site.clone())
    }

    fn service(&self) -> Result<View, Unanswered> {
        let mut service = self.view()?;
        let mut exemptions = 0;
        for decorator in self.decorators().rev() {
            service = match decorator {
                "csrf_protect" => layered(self.layer(CsrfLayer::new), service),
                "ensure_csrf_cookie" => layered(self.layer(CsrfLayer::ensure_cookie), service),
                "requires_csrf_token" => layered(self.layer(CsrfLayer::require_token), service),
                "rotate_token_after" => rotating_after(service),
                "csrf_exempt" => {
                    exemptions += 1;
                    if exemptions == 1 { exempt_outside(service) } else { service }
                }
                other => return Err(Unanswered::NotBuilt(format!("the decorator {other}"))),
            };
        }
        if self.case.field("middleware") == true {
            service = layered(self.layer(CsrfLayer::new), service);
        }
        if uses_sessions(self.case) {
            let layer = SessionLayer::new(session_policy(self.case)?, Arc::new(self.table.clone()));
            service = BoxCloneService::new(layer.layer(service));
        }
        Ok(service)
    }

    fn view(&self) -> Result<View, Unanswered> {
        let view = self.case.field("view");
        let shows_token = match text(&view["body"], "the view's body")? {
            "token" => true,
            "plain" => false,
            other => return Err(Unanswered::NotBuilt(format!("a view that answers {other}"))),
        };
        let rotates = view["rotate"] == true;
        let status = if view["resolved"] == false { 599 } else { 200 };
        Ok(BoxCloneService::new(service_fn(move |request: Request<RequestBody>| {
            let token = request.extensions().get::<CsrfToken>();
            // Without a layer there is nobody to keep a secret: it is a fresh one each time.
            let mint = || token.map_or_else(|| CsrfSecret::random().mask(), |token| token.mint());
            let body = if shows_token { mint() } else { "OK".to_owned() };
            if let Some(token) = token.filter(|_| rotates) {
                token.rotate();
            }
            ready(Ok(page(status, body)))
        })))
    }

    /// The secret that the request came with.
    fn sent_secret(&self, request: &Request<RequestBody>) -> Option<CsrfSecret> {
        let text = match uses_sessions(self.case) {
            true => self.case.field("session")["data"][SESSION_SECRET].as_str().map(str::to_owned),
            false => Cookies::of(request.headers())
                .value(self.case.setting("CSRF_COOKIE_NAME").as_str()?)
                .map(|value| value.into_owned()),
        };
        CsrfSecret::parse(&text?).ok()
    }

    async fn outcome(&self, sent: Option<CsrfSecret>, response: Answered) -> Answer {
        let (parts, body) = response.into_parts();
        let cookies = web::set_cookies(&parts.headers);
        let reason = parts.extensions.get::<Said>().map(|said| &*said.0);
        let stored = self.stored_after(&cookies).await;
        let content_type = parts.headers.get(header::CONTENT_TYPE);
        let mut outcome = json!({
            "decision": if reason.is_none() { "accept" } else { "reject" },
            "reason": reason,
            "status": parts.status.as_u16(),
            "content_type": content_type.and_then(|value| value.to_str().ok()),
            "vary": web::vary(&parts.headers),
            "set_cookie": cookies,
            "secret": self.secret_word(sent.as_ref(), stored.as_deref()),
        });
        if uses_sessions(self.case) {
            let rows = self.table.rows().await;
            outcome["session_after"] =
                rows.into_iter().next().map_or(Value::Null, |(_, data, _)| data);
        }
        if reason.is_none() && self.case.field("view")["body"] == "token" {
            let Ok(body) = body.collect().await;
            let token = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            let kept = stored.or(sent.map(|secret| secret.expose().to_owned()));
            outcome["token"] = self.token_outcome(&token, kept).await;
        }
        Ok(outcome)
    }

    /// The secret that this response stored, in the cookie or the session.
    async fn stored_after(&self, cookies: &[Value]) -> Option<String> {
        if !uses_sessions(self.case) {
            let name = self.case.setting("CSRF_COOKIE_NAME");
            let cookie = cookies.iter().find(|cookie| &cookie["name"] == name)?;
            return cookie["value"].as_str().map(str::to_owned);
        }
        let before = &self.case.field("session")["data"][SESSION_SECRET];
        let (_, data, _) = self.table.rows().await.into_iter().next()?;
        let after = &data[SESSION_SECRET];
        (after != before).then(|| after.as_str().map(str::to_owned)).flatten()
    }

    fn secret_word(&self, sent: Option<&CsrfSecret>, stored: Option<&str>) -> &'static str {
        match (stored, sent) {
            (None, _) => "untouched",
            (Some(stored), Some(sent)) if stored == sent.expose() => "kept",
            (Some(_), _) => "new",
        }
    }

    async fn token_outcome(&self, token: &str, kept: Option<String>) -> Value {
        let hidden = hidden_in(token);
        let in_session = self.table.rows().await.into_iter().next();
        let empty = in_session.is_some_and(|(_, data, _)| data[SESSION_SECRET] == "");
        let kept = kept.or(empty.then(String::new));
        json!({
            "length": token.len(),
            "secret": hidden,
            "secret_is_the_stored_one": hidden.is_some() && hidden == kept,
        })
    }
}

/// What a token hides; the mask alone hides the empty text.
fn hidden_in(token: &str) -> Option<String> {
    if token.len() == SECRET_LENGTH {
        return Some(String::new());
    }
    CsrfSecret::parse(token).ok().map(|secret| secret.expose().to_owned())
}

/// The session middleware of a case that keeps its secrets there.
///
/// # Errors
/// [`Unanswered::Malformed`].
pub(crate) fn session_policy(case: &Case) -> Result<SessionPolicy, Unanswered> {
    let cookie = web::cookie(case, "SESSION_COOKIE")?;
    let saving = match case.setting("SESSION_SAVE_EVERY_REQUEST") {
        Value::Bool(true) => Saving::EveryRequest,
        _ => Saving::WhereChanged,
    };
    let policy = SessionPolicy::django().danger_cookie(cookie).saving(saving).clock(case.clock());
    Ok(match case.setting("SESSION_EXPIRE_AT_BROWSER_CLOSE") {
        Value::Bool(true) => policy.expire_at_browser_close(),
        _ => policy,
    })
}

fn layered(layer: CsrfLayer, inner: View) -> View {
    let whole = |request: Request<ReadBody<RequestBody>>| request.map(BodyExt::boxed_unsync);
    BoxCloneService::new(layer.layer(inner.map_request(whole)))
}

/// Rotates the token once the inner response is there.
fn rotating_after(inner: View) -> View {
    BoxCloneService::new(service_fn(move |request: Request<RequestBody>| {
        let (inner, token) = (inner.clone(), request.extensions().get::<CsrfToken>().cloned());
        async move {
            let response = inner.oneshot(request).await;
            if let Some(token) = token {
                token.rotate();
            }
            response
        }
    }))
}

/// What is inside of the exemption does not know of it.
fn exempt_outside(inner: View) -> View {
    BoxCloneService::new(inner.map_request(|mut request: Request<RequestBody>| {
        request.extensions_mut().remove::<CsrfRoute>();
        request
    }))
}

fn page(status: u16, body: String) -> Answered {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}
