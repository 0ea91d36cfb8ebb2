//! The extractors.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use donjon_core::account::User;
use donjon_core::event::Event;
use donjon_core::origin::{Scheme, Site, is_safe_redirect};
use donjon_core::visit::word;
use http::request::Parts;
use http::{StatusCode, Uri};

use super::guard::failure;
use super::identity::{Auth, AuthError};
use super::sessions::SessionsError;
use crate::rejection::{redirect, refuse};

/// No auth layer is outside of the handler: the site is put together wrongly. Status 500.
#[derive(Clone, Copy, Debug)]
pub struct MissingAuthLayer;

impl IntoResponse for MissingAuthLayer {
    fn into_response(self) -> Response {
        Event::Misconfigured {
            problem: &"a handler asks for the user, and the layers of hosts, sessions and auth are not all outside of it",
        }
        .emit();
        refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
    }
}

impl IntoResponse for AuthError {
    /// Status 503, or 400 where the session was deleted meanwhile; the log has the reason.
    fn into_response(self) -> Response {
        failure(&self, "")
    }
}

impl IntoResponse for SessionsError {
    /// Status 404 for a session that the user does not have, 403 for visitors who are not logged in, and
    /// 500 where the site keeps no list.
    fn into_response(self) -> Response {
        match self {
            Self::Failed(error) => error.into_response(),
            Self::Unknown => refuse(StatusCode::NOT_FOUND, "Not Found\n"),
            Self::Anonymous => refuse(StatusCode::FORBIDDEN, "Forbidden\n"),
            Self::NoList => {
                Event::Misconfigured { problem: &self }.emit();
                refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Auth {
    type Rejection = MissingAuthLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        word(&parts.extensions).ok_or(MissingAuthLayer)
    }
}

/// Why a request has no user for its handler.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refused {
    /// Nobody is logged in: the visitor is sent to this address.
    LogIn(String),
    /// The store failed: status 503.
    Failed(AuthError),
    /// No auth layer is outside of the handler: status 500.
    Missing(MissingAuthLayer),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::LogIn(address) => redirect(StatusCode::FOUND, &address),
            Self::Failed(error) => error.into_response(),
            Self::Missing(missing) => missing.into_response(),
        }
    }
}

async fn user_of(parts: &Parts) -> Result<(Auth, Option<Arc<User>>), Refused> {
    let auth: Auth = word(&parts.extensions).ok_or(Refused::Missing(MissingAuthLayer))?;
    let user = auth.user().await.map_err(Refused::Failed)?;
    Ok((auth, user))
}

/// The user of the request, if one is logged in.
#[derive(Clone, Debug)]
pub struct CurrentUser(pub Option<Arc<User>>);

impl<S: Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(user_of(parts).await?.1))
    }
}

/// The user of the request; visitors who are not logged in are sent to the log-in page.
#[derive(Clone, Debug)]
pub struct LoggedIn(pub Arc<User>);

impl<S: Sync> FromRequestParts<S> for LoggedIn {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        match user_of(parts).await? {
            (_, Some(user)) => Ok(Self(user)),
            (auth, None) => Err(Refused::LogIn(auth.login_address())),
        }
    }
}

/// Where a visitor wants to go after a log-in, if that is an address of this site.
#[derive(Clone, Debug)]
pub struct SafeNext {
    host: String,
    scheme: Scheme,
    asked: Option<String>,
}

impl SafeNext {
    /// The address to go to: `posted`, the form's field, or where there is none the one in the
    /// query; if that leads off the site, or there is none, `otherwise`. Django: `get_success_url`.
    #[must_use]
    pub fn or(&self, posted: Option<&str>, otherwise: &str) -> String {
        self.checked(posted.or(self.asked.as_deref())).unwrap_or(otherwise).to_owned()
    }

    /// The address in the query, if it is of this site: for the form's hidden field.
    #[must_use]
    pub fn asked(&self) -> Option<&str> {
        self.checked(self.asked.as_deref())
    }

    fn checked<'a>(&self, target: Option<&'a str>) -> Option<&'a str> {
        let target = target.filter(|target| !target.is_empty())?;
        // A line break can't stand in a header: `Location` would be missing.
        let stays = is_safe_redirect(target, &[&self.host], self.scheme);
        if stays && !target.contains(char::is_control) {
            return Some(target);
        }
        Event::RedirectRefused { target }.emit();
        None
    }
}

fn next_in(uri: &Uri, field: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs.filter(|(name, _)| name == field).last().map(|(_, value)| value.into_owned())
}

impl<S: Sync> FromRequestParts<S> for SafeNext {
    type Rejection = MissingAuthLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let auth: Auth = word(&parts.extensions).ok_or(MissingAuthLayer)?;
        let site: Site = word(&parts.extensions).ok_or(MissingAuthLayer)?;
        // Without a host of its own the site has only its paths to go to.
        let host = site.host().map(|host| host.as_str().to_owned()).unwrap_or_default();
        let asked = next_in(&parts.uri, &auth.policy().next_field);
        Ok(Self { host, scheme: site.scheme(), asked })
    }
}
