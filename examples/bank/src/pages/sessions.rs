//! Where the user is logged in, and logging out there.
//!
//! Stops: a session on a lost telephone that nobody can end.
//!
//! 1. Everybody sees and ends their own sessions alone.
//! 2. Ending takes a POST; a session that is over already is no error.
//! 3. The browser's name is the client's word: it is shown as text, and in words where it is known.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use donjon::auth::{Auth, OwnSession, SessionsError};
use donjon::form::FormData;
use donjon::messages::Messages;
use donjon::page::Page;
use donjon_core::session::SessionId;
use donjon_html::context;
use donjon_html::template::{DateTime, Value};
use http::StatusCode;

use crate::Bank;
use crate::problem::Problem;

/// `GET /account/sessions/`
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn show(State(_): State<Bank>, auth: Auth, page: Page) -> Result<Response, Problem> {
    let sessions = match auth.sessions().await {
        Ok(sessions) => sessions,
        Err(SessionsError::NoList) => {
            return Ok(page.render("bank/sessions.html", context! { unlisted: true }).await?);
        }
        Err(error) => return Err(error.into()),
    };
    let others = sessions.iter().filter(|own| !own.is_current).count();
    let sessions: Vec<Value> = sessions.iter().map(line).collect();
    Ok(page.render("bank/sessions.html", context! { sessions, others }).await?)
}

fn line(own: &OwnSession) -> Value {
    let session = &own.session;
    context! {
        id: session.id.as_str(),
        is_current: own.is_current,
        device: device(&session.device),
        agent: session.device.as_str(),
        address: session.address.map(|address| address.to_string()),
        began: DateTime::from_epoch_seconds(session.began.seconds()),
        seen: DateTime::from_epoch_seconds(session.seen.seconds()),
    }
    .into()
}

/// What browsers call themselves; those that also claim to be another come first.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

/// And the systems that they run on.
const SYSTEMS: [(&str, &str); 6] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// A browser's name in words. Rule 3.
fn device(agent: &str) -> String {
    let known = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "An unknown device".to_owned(),
    }
}

/// `POST /account/sessions/`: ends the session whose id is sent, or all others.
///
/// # Errors
/// [`Problem`], if a store fails.
pub async fn submit(auth: Auth, messages: Messages, form: FormData) -> Result<Response, Problem> {
    match form.value("session") {
        None => end_others(&auth, &messages).await?,
        Some(id) => match SessionId::parse(id) {
            Some(id) => end_one(&auth, &messages, &id).await?,
            None => return Ok(StatusCode::BAD_REQUEST.into_response()),
        },
    }
    Ok(Redirect::to("/account/sessions/").into_response())
}

async fn end_one(auth: &Auth, messages: &Messages, id: &SessionId) -> Result<(), Problem> {
    match auth.end_session(id).await {
        Ok(()) => messages.success("That session is logged out."),
        Err(SessionsError::Unknown) => messages.info("That session was over already."),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn end_others(auth: &Auth, messages: &Messages) -> Result<(), Problem> {
    match auth.end_other_sessions().await? {
        0 => messages.info("You are logged in nowhere else."),
        1 => messages.success("One other session is logged out."),
        ended => messages.success(format!("{ended} other sessions are logged out.")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_devices_in_words() {
        for (agent, expected) in [
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.9", "curl"),
            ("<b>", "An unknown device"),
        ] {
            assert_eq!(device(agent), expected, "{agent}");
        }
    }
}
