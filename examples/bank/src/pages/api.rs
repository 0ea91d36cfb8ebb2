//! What a front end of another origin asks the bank, beside the list of the AJAX page.
//!
//! 1. Whoever may read it is named by the stack's CORS policy; nothing here knows of it.
//! 2. It answers with JSON, errors too, and never with a redirect to a page: a script can't follow
//!    one.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use donjon::auth::CurrentUser;
use donjon::csrf::CsrfToken;
use http::StatusCode;
use serde_json::json;

use super::ajax::refusal;
use crate::Bank;
use crate::problem::Problem;

/// `GET /api/csrf/`: a token for the `X-CSRFToken` header, and the cookie that it goes with. A
/// script of another origin can't see the cookie.
pub async fn csrf(token: CsrfToken) -> Response {
    Json(json!({ "token": token.mint() })).into_response()
}

/// `GET /api/me/`: who is logged in, and the balance; 401 if nobody is.
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn me(
    State(bank): State<Bank>,
    CurrentUser(user): CurrentUser,
) -> Result<Response, Problem> {
    let Some(user) = user else {
        return Ok(refusal(StatusCode::UNAUTHORIZED, "Nobody is logged in."));
    };
    let balance = bank.ledger.balance(user.id).await?.to_string();
    Ok(Json(json!({ "username": user.username, "balance": balance })).into_response())
}
