//! The extractor.

use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use donjon_core::session::Session;
use http::StatusCode;
use http::request::Parts;

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
        refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
    }
}

impl<S: Sync> FromRequestParts<S> for SessionHandle {
    type Rejection = MissingSessionLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Session>().cloned().map(Self).ok_or(MissingSessionLayer)
    }
}
