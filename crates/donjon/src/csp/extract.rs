//! The extractor.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use donjon_core::visit::word;
use http::StatusCode;
use http::request::Parts;

use super::nonce::CspNonce;
use crate::rejection::refuse;

/// No CSP layer is outside of the handler: the site is put together wrongly. Status 500.
#[derive(Clone, Copy, Debug)]
pub struct MissingCspLayer;

impl IntoResponse for MissingCspLayer {
    fn into_response(self) -> Response {
        refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
    }
}

impl<S: Sync> FromRequestParts<S> for CspNonce {
    type Rejection = MissingCspLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        word(&parts.extensions).ok_or(MissingCspLayer)
    }
}
