//! What can go wrong in a handler, and the page that says so.
//!
//! Stops: pages that tell a visitor what broke inside.
//!
//! 1. The log has the reason; the visitor gets a status and a sentence.
//! 2. A database that is locked for too long, or can't be reached, is 503: come back later. Anything
//!    else is 500.
//! 3. Every answer of 400 and above gets a page of the bank's own, or JSON where a script asked;
//!    unless it has one already, and nobody keeps it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use donjon::auth::{AuthError, SessionsError};
use donjon::csrf::{Failure, FailureView};
use donjon::page::PageError;
use donjon_core::session::{SessionError, StoreError};
use donjon_db::{DbError, DbErrorKind};
use donjon_html::context;
use donjon_html::template::{Templates, Value};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::witness::Refusal;

/// Why a handler has no page to show.
#[derive(Debug)]
pub enum Problem {
    /// The page could not be made.
    Page(PageError),
    /// The visitor could not be recognised, logged in or out.
    Auth(AuthError),
    /// The session could not be read or written.
    Session(SessionError),
    /// The accounts' store failed.
    Store(StoreError),
    /// The bank's own tables could not be read or written.
    Database(DbError),
    /// The address asks for a page that there can't be.
    NoPage,
}

macro_rules! from {
    ($($error:ty => $variant:ident),*) => {$(
        impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from!(PageError => Page, AuthError => Auth, SessionError => Session, StoreError => Store, DbError => Database);

impl From<SessionsError> for Problem {
    fn from(error: SessionsError) -> Self {
        match error {
            SessionsError::Failed(error) => Self::Auth(error),
            error => Self::Store(StoreError::new(error)),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::NoPage => StatusCode::NOT_FOUND.into_response(),
            Self::Page(error) => error.into_response(),
            Self::Auth(error) => error.into_response(),
            Self::Session(error) => logged(StatusCode::SERVICE_UNAVAILABLE, &error),
            Self::Store(error) => logged(StatusCode::SERVICE_UNAVAILABLE, &error),
            Self::Database(error) => logged(status(error.kind()), &error),
        }
    }
}

/// Rule 2.
fn status(kind: DbErrorKind) -> StatusCode {
    use DbErrorKind::{Conflict, Locked, Lost, Refused, Timeout, TooManyConnections};
    match kind {
        Conflict | Locked | Lost | Refused | Timeout | TooManyConnections => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn logged(status: StatusCode, error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "A request failed");
    status.into_response()
}

/// The handler of unknown addresses.
pub async fn not_found() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// The middleware that gives errors their page.
pub async fn dress(
    State(templates): State<Arc<Templates>>,
    request: Request,
    next: Next,
) -> Response {
    let wants_json = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let mut response = match is_dressed(&response) {
        true => response,
        false => dressed(response, &templates, wants_json),
    };
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(no_store);
    response
}

fn is_dressed(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"text/html") || kind.starts_with(b"application/json"))
}

fn dressed(response: Response, templates: &Templates, wants_json: bool) -> Response {
    let (mut parts, _) = response.into_parts();
    let (title, text) = words(parts.status);
    let (kind, body) = if wants_json {
        ("application/json", json!({ "error": text }).to_string())
    } else {
        let page = context! { status: i64::from(parts.status.as_u16()), title, text };
        let page = templates.render("bank/error.html", &page, &());
        // The page is the bank's own, and is rendered by a test; the title will do for a visitor.
        ("text/html; charset=utf-8", page.unwrap_or_else(|_| title.to_owned()))
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Response::from_parts(parts, Body::from(body))
}

/// A title and a sentence for a status.
fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => ("No such page.", "Nothing is kept at this address."),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("Not like this.", "This address doesn’t take that method. Use the button on the page.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("Too much.", "That is more than this address takes."),
        StatusCode::SERVICE_UNAVAILABLE => (
            "The bank is busy.",
            "The vault did not open in time. Nothing was changed; please try again in a moment.",
        ),
        status if status.is_server_error() => (
            "Something broke.",
            "It is our fault, it has been written down, and your money is where it was.",
        ),
        _ => (
            "The bank can’t answer this request.",
            "Something in it was wrong, or you logged out meanwhile. Look at your account before you try again.",
        ),
    }
}

/// The page of a refused forgery. It explains: this bank teaches.
#[must_use]
pub fn refusals(templates: Arc<Templates>) -> FailureView {
    Arc::new(move |failure| refused(&templates, failure))
}

fn refused(templates: &Templates, failure: &Failure<'_>) -> http::Response<Bytes> {
    let refusal = Refusal::of(failure);
    let kind = failure.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let (kind, body) = if kind.starts_with(b"application/json") {
        ("application/json", json!({ "error": refusal.reason }).to_string())
    } else {
        ("text/html; charset=utf-8", refusal_page(templates, failure, &refusal))
    };
    let mut response = http::Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::FORBIDDEN;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(refusal);
    response
}

fn refusal_page(templates: &Templates, failure: &Failure<'_>, refusal: &Refusal) -> String {
    let rule: Value = context! { number: refusal.rule.number, name: refusal.rule.name }.into();
    let page = context! { rule, reason: refusal.reason.as_str(), advice: failure.advice() };
    let page = templates.render("bank/refused.html", &page, &());
    page.unwrap_or_else(|_| "CSRF verification failed. Request aborted.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_the_pages_can_be_rendered() {
        let templates = crate::assets::bare_pages().unwrap();
        let response = dressed(StatusCode::NOT_FOUND.into_response(), &templates, false);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(is_dressed(&response));
        let page = context! { status: 404, title: "t", text: "x" };
        assert!(templates.render("bank/error.html", &page, &()).unwrap().contains("<h1>t</h1>"));
        let rule: Value = context! { number: 4, name: "n" }.into();
        let page = context! { rule, reason: "r", advice: vec!["a"] };
        let page = templates.render("bank/refused.html", &page, &()).unwrap();
        assert!(page.contains("Rule 4, n."));
    }
}
