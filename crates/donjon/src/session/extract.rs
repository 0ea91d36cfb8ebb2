//! The extractor.

use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use donjon_core::event::Event;
use donjon_core::session::{Session, SessionError};
use donjon_core::visit::word;
use http::StatusCode;
use http::request::Parts;

use super::layer::failure;
use crate::rejection::refuse;

/// The session of a request. Django: `request.session`.
#[derive(Clone, Debug)]
pub struct SessionHandle(pub Session);

impl Deref for SessionHandle {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

/// No session layer is outside of the handler: the site is put together wrongly. Status 500.
#[derive(Clone, Copy, Debug)]
pub struct MissingSessionLayer;

impl IntoResponse for MissingSessionLayer {
    fn into_response(self) -> Response {
        Event::Misconfigured {
            problem: &"a handler takes the session, and no session layer is outside of it",
        }
        .emit();
        refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
    }
}

/// A session that could not do what a handler asked of it. As a response it is 503, or 400 where the
/// session was deleted meanwhile; the log has the reason.
#[derive(Debug)]
pub struct SessionFailure(pub SessionError);

impl From<SessionError> for SessionFailure {
    fn from(error: SessionError) -> Self {
        Self(error)
    }
}

impl IntoResponse for SessionFailure {
    fn into_response(self) -> Response {
        failure(&self.0, "")
    }
}

impl<S: Sync> FromRequestParts<S> for SessionHandle {
    type Rejection = MissingSessionLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        word(&parts.extensions).map(Self).ok_or(MissingSessionLayer)
    }
}
