//! Logging in and out.
//!
//! 1. One message for every failure: it doesn't tell whether there is such a user.
//! 2. After the log-in the visitor goes where `next` says, if that is on this site.
//! 3. Logging out takes a POST: a link or an image can't do it.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use donjon::auth::{Auth, LogOut, SafeNext};
use donjon::form::FormData;
use donjon::messages::Messages;
use donjon::page::Page;
use donjon_html::context;

use super::home::people;
use crate::Bank;
use crate::problem::Problem;

const FAILED: &str = "Please enter a correct username and password. Both are case-sensitive.";

const UNCONFIRMED: &str = "You are logged out here. Another request changed your session at the same moment: if you \
                           are still logged in elsewhere, log out there too.";

/// `GET /accounts/login/`
///
/// # Errors
/// [`Problem`], if the page can't be made.
pub async fn show(next: SafeNext, page: Page) -> Result<Response, Problem> {
    let variables = context! { next: next.asked(), people: people() };
    Ok(page.render("bank/login.html", variables).await?)
}

/// `POST /accounts/login/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn submit(
    State(bank): State<Bank>,
    auth: Auth,
    next: SafeNext,
    messages: Messages,
    page: Page,
    form: FormData,
) -> Result<Response, Problem> {
    let username = form.value("username").unwrap_or_default();
    let password = form.value("password").unwrap_or_default();
    let next = next.or(form.value("next"), "");
    let Some(user) = auth.authenticate(username, password).await? else {
        let variables = context! { next, username, error: FAILED, people: people() };
        return Ok(page.render("bank/login.html", variables).await?);
    };
    auth.login(&user).await?;
    messages.success(format!("Welcome, {}.", user.username));
    bank.ledger.open_account(user.id, crate::people::WELCOME).await?;
    let target = if next.is_empty() { "/account/" } else { &next };
    Ok(Redirect::to(target).into_response())
}

/// `POST /accounts/logout/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn log_out(auth: Auth, messages: Messages) -> Result<Redirect, Problem> {
    match auth.logout().await? {
        LogOut::Complete => messages.success("You are logged out."),
        LogOut::Unconfirmed => messages.warning(UNCONFIRMED),
    }
    Ok(Redirect::to("/"))
}
