//! Pages for users only (Django: `login_required`).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use donjon_core::event::Event;
use donjon_core::visit::word;
use http::request::Parts;
use http::{Request, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tower_layer::Layer;
use tower_service::Service;

use super::identity::{Auth, AuthError};
use super::policy::AuthPolicy;
use crate::rejection::{redirect, refuse};
use crate::session;

/// What Python's `quote` leaves as it is, and the slash.
const QUOTED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'_').remove(b'.').remove(b'-').remove(b'~');

/// The log-in page, with the way back to `uri`. Django: `redirect_to_login`.
#[must_use]
pub fn login_address(policy: &AuthPolicy, uri: &Uri) -> String {
    let back = uri.path_and_query().map_or("/", |path| path.as_str());
    let joint = if policy.login_url.contains('?') { '&' } else { '?' };
    format!(
        "{}{joint}{}={}",
        policy.login_url,
        policy.next_field,
        utf8_percent_encode(back, QUOTED)
    )
}

/// The refusal for an error of [`Auth`], which the log has in full.
pub(super) fn failure<R: From<Bytes>>(error: &AuthError, path: &str) -> Response<R> {
    if let AuthError::Session(error) = error {
        return session::layer::failure(error, path);
    }
    Event::AccountsFailed { error }.emit();
    refuse(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n")
}

/// Sends visitors who are not logged in to the log-in page. Goes inside [`AuthLayer`](super::AuthLayer).
#[derive(Clone, Copy, Debug, Default)]
pub struct LoginRequiredLayer;

impl<S> Layer<S> for LoginRequiredLayer {
    type Service = LoginRequired<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LoginRequired { inner }
    }
}

/// The service of [`LoginRequiredLayer`].
#[derive(Clone, Debug)]
pub struct LoginRequired<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for LoginRequired<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<Bytes> + Send,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let clone = self.inner.clone();
        // The service that was found ready; the clone, which may not be, takes its place.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let (parts, body) = request.into_parts();
        Box::pin(async move {
            match admit(&parts).await {
                Some(refusal) => Ok(refusal),
                None => inner.call(Request::from_parts(parts, body)).await,
            }
        })
    }
}

/// The refusal, if the visitor is not let in.
async fn admit<R: From<Bytes>>(parts: &Parts) -> Option<Response<R>> {
    let Some(auth) = word::<Auth>(&parts.extensions) else {
        Event::Misconfigured {
            problem: &"a route demands a log-in, and no auth layer is outside of it",
        }
        .emit();
        return Some(refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n"));
    };
    match auth.user().await {
        Ok(Some(_)) => None,
        Ok(None) => Some(redirect(StatusCode::FOUND, &auth.login_address())),
        Err(error) => Some(failure(&error, parts.uri.path())),
    }
}

#[cfg(test)]
mod tests {
    use donjon_core::secret::Keys;

    use super::*;

    #[test]
    fn rule_6_the_way_back_is_quoted() {
        let policy = AuthPolicy::new(&Keys::new("key"));
        let address = |uri| login_address(&policy, &Uri::from_static(uri));
        assert_eq!(address("/a/b?c=d&e"), "/accounts/login/?next=/a/b%3Fc%3Dd%26e");
        let other = AuthPolicy::new(&Keys::new("key")).login_url("/in/?a=b").next_field("to");
        assert_eq!(login_address(&other, &Uri::from_static("/x")), "/in/?a=b&to=/x");
    }
}
