//! The AJAX page and its API.
//!
//! 1. The API takes `application/json` only (415), and well-formed JSON of the right shape (400), of
//!    at most [`JSON_LIMIT`] bytes (413).
//! 2. It answers with JSON, errors too.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use donjon::auth::CurrentUser;
use donjon::page::Page;
use donjon::session::SessionHandle;
use donjon_core::account::User;
use donjon_core::entropy::{ALPHANUMERIC, string};
use donjon_html::context;
use donjon_html::template::Value;
use http::{HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::field::required;
use crate::Bank;
use crate::items::{Addition, MAX_ITEMS, MAX_NAME, Owner, item::Model};
use crate::problem::Problem;

/// How many bytes of JSON the API takes.
pub const JSON_LIMIT: usize = 64 * 1024;

/// How many items more a list holds. A front end of another origin can read it because the stack's
/// CORS policy exposes it.
pub static ITEMS_LEFT: HeaderName = HeaderName::from_static("x-items-left");

/// Where the session keeps the name of a visitor's list.
const LIST: &str = "list";

/// What the API takes.
#[derive(Debug, Deserialize)]
pub struct NewItem {
    /// The item's text.
    name: String,
}

/// `GET /ajax/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn show(
    State(bank): State<Bank>,
    CurrentUser(user): CurrentUser,
    session: SessionHandle,
    page: Page,
) -> Result<Response, Problem> {
    let items = listed(&bank, user, &session).await?;
    let items: Vec<Value> =
        items.into_iter().map(|item| context! { name: item.name }.into()).collect();
    Ok(page.render("bank/ajax.html", context! { items }).await?)
}

/// `GET /api/items/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn items(
    State(bank): State<Bank>,
    CurrentUser(user): CurrentUser,
    session: SessionHandle,
) -> Result<Response, Problem> {
    Ok(list(listed(&bank, user, &session).await?))
}

/// `POST /api/add-item/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn add_item(
    State(bank): State<Bank>,
    CurrentUser(user): CurrentUser,
    session: SessionHandle,
    item: Result<Json<NewItem>, JsonRejection>,
) -> Result<Response, Problem> {
    let name = match item {
        Ok(Json(item)) => item.name.trim().to_owned(),
        Err(rejection) => return Ok(unreadable(&rejection)),
    };
    if let Some(error) = required(&name, MAX_NAME) {
        return Ok(refusal(StatusCode::BAD_REQUEST, &error));
    }
    let owner = match user {
        Some(user) => Owner::user(user.id),
        None => visitor(&session).await?,
    };
    if bank.items.add(&owner, &name).await? == Addition::Full {
        let full = format!("The list is full: it holds {MAX_ITEMS}.");
        return Ok(refusal(StatusCode::CONFLICT, &full));
    }
    Ok(list(bank.items.of(&owner).await?))
}

/// The items of whoever asks; a visitor without a list does not get one by looking.
async fn listed(
    bank: &Bank,
    user: Option<Arc<User>>,
    session: &SessionHandle,
) -> Result<Vec<Model>, Problem> {
    let owner = match user {
        Some(user) => Some(Owner::user(user.id)),
        None => session.get::<String>(LIST).await?.as_deref().map(Owner::visitor),
    };
    match owner {
        Some(owner) => Ok(bank.items.of(&owner).await?),
        None => Ok(Vec::new()),
    }
}

fn list(items: Vec<Model>) -> Response {
    let left = MAX_ITEMS.saturating_sub(items.len() as u64);
    let items: Vec<_> = items.into_iter().map(|item| json!({ "name": item.name })).collect();
    ([(&ITEMS_LEFT, left.to_string())], Json(json!({ "items": items }))).into_response()
}

async fn visitor(session: &SessionHandle) -> Result<Owner, Problem> {
    if let Some(name) = session.get::<String>(LIST).await? {
        return Ok(Owner::visitor(&name));
    }
    let name = string::<16>(ALPHANUMERIC);
    session.insert(LIST, &name).await?;
    Ok(Owner::visitor(&name))
}

fn unreadable(rejection: &JsonRejection) -> Response {
    match rejection.status() {
        status @ StatusCode::UNSUPPORTED_MEDIA_TYPE => refusal(status, "Send application/json."),
        status @ StatusCode::PAYLOAD_TOO_LARGE => refusal(status, "That is too much JSON."),
        _ => refusal(StatusCode::BAD_REQUEST, "Send JSON like {\"name\": \"…\"}."),
    }
}

/// An answer of this status that says why.
pub(super) fn refusal(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
