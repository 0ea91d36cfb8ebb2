//! Headers by which a site tells browsers what to refuse (Django: `SecurityMiddleware`,
//! `XFrameOptionsMiddleware`).
//!
//! Stops: clickjacking, content sniffing, leaks through `Referer`, and pages that stay scriptable
//! through a window that opened them.
//!
//! 1. `X-Content-Type-Options: nosniff`.
//! 2. `Referrer-Policy: same-origin`.
//! 3. `Cross-Origin-Opener-Policy: same-origin`.
//! 4. `X-Frame-Options: DENY`.
//! 5. A header that the response has already stays as it is, as in Django: a handler knows best.
//!
//! The layer belongs outermost, so that refusals of all other rooms carry the headers too.
//!
//! Spec: Django's `django/middleware/security.py` and `clickjacking.py`, RFC 7034, Referrer Policy
//! (W3C), HTML (WHATWG).
//!
//! ```
//! use bytes::Bytes;
//! use donjon::headers::{HeadersLayer, HeadersPolicy};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = ServiceBuilder::new()
//!     .layer(HeadersLayer::new(HeadersPolicy::default()))
//!     .service(service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("ok")))));
//! let response = service.oneshot(Request::get("/").body(())?).await?;
//! assert_eq!(response.headers()["x-frame-options"], "DENY");
//! # Ok(()) }
//! ```

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

static OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// May other pages show this site in a frame? Django: `X_FRAME_OPTIONS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No page may.
    Deny,
    /// Pages of the same origin may.
    SameOrigin,
}

/// Which headers a site sends, as a parsed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadersPolicy(Vec<(HeaderName, HeaderValue)>);

impl Default for HeadersPolicy {
    /// Rules 1 to 4.
    fn default() -> Self {
        Self(vec![
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
            (OPENER_POLICY.clone(), HeaderValue::from_static("same-origin")),
            (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        ])
    }
}

impl HeadersPolicy {
    /// Who may show the site in a frame.
    #[must_use]
    pub fn framing(self, framing: Framing) -> Self {
        self.replace(
            header::X_FRAME_OPTIONS,
            HeaderValue::from_static(match framing {
                Framing::Deny => "DENY",
                Framing::SameOrigin => "SAMEORIGIN",
            }),
        )
    }

    /// What browsers tell other sites of the page that a visitor came from. Django:
    /// `SECURE_REFERRER_POLICY`.
    #[must_use]
    pub fn referrer_policy(self, policy: HeaderValue) -> Self {
        self.replace(header::REFERRER_POLICY, policy)
    }

    /// Sends no header of this name. Django: the setting is `None` or `False`.
    #[must_use]
    pub fn danger_without(mut self, name: &HeaderName) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    fn replace(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
        self
    }

    /// Adds what the response lacks.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.0 {
            headers.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// Adds the headers to every response.
#[derive(Clone, Debug)]
pub struct HeadersLayer(Arc<HeadersPolicy>);

impl HeadersLayer {
    /// A layer of this policy.
    #[must_use]
    pub fn new(policy: HeadersPolicy) -> Self {
        Self(Arc::new(policy))
    }
}

impl<S> Layer<S> for HeadersLayer {
    type Service = Headers<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Headers { policy: Arc::clone(&self.0), inner }
    }
}

/// The service of [`HeadersLayer`].
#[derive(Clone, Debug)]
pub struct Headers<S> {
    policy: Arc<HeadersPolicy>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Headers<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = HeadersFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        HeadersFuture { policy: Arc::clone(&self.policy), inner: self.inner.call(request) }
    }
}

pin_project! {
    /// The future of [`Headers`].
    pub struct HeadersFuture<F> {
        policy: Arc<HeadersPolicy>,
        #[pin]
        inner: F,
    }
}

impl<F, R, E> Future for HeadersFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        this.policy.apply(response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(policy: &HeadersPolicy, before: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers: HeaderMap = before
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        policy.apply(&mut headers);
        headers
    }

    #[test]
    fn rules_1_to_4_are_the_default() {
        let headers = applied(&HeadersPolicy::default(), &[]);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(headers[name], value);
        }
        assert_eq!(headers.len(), 4);
    }

    #[test]
    fn rule_5_what_a_handler_set_stays() {
        let headers =
            applied(&HeadersPolicy::default(), &[(header::X_FRAME_OPTIONS, "SAMEORIGIN")]);
        assert_eq!(headers.get_all("x-frame-options").iter().count(), 1);
        assert_eq!(headers["x-frame-options"], "SAMEORIGIN");
    }

    #[test]
    fn a_policy_can_be_changed() {
        let policy =
            HeadersPolicy::default().framing(Framing::SameOrigin).danger_without(&OPENER_POLICY);
        let headers = applied(&policy, &[]);
        assert_eq!(headers["x-frame-options"], "SAMEORIGIN");
        assert!(!headers.contains_key(&OPENER_POLICY));
    }
}
