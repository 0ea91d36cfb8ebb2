//! Cross-origin resource sharing: which other origins' scripts may read this site's answers
//! (django-cors-headers).
//!
//! Stops: any site's scripts from reading answers that a visitor's cookies brought about.
//!
//! 1. An origin is allowed letter by letter, or by a pattern that covers the whole of it. `null` and
//!    `file://`, which are everybody's, are let in by name only, and by nothing that lets in many.
//! 2. What browsers refuse or what endangers visitors is an error when the policy is built, all of it
//!    at once and with the way out: any origin with credentials, a pattern that other people's hosts
//!    match, `null`, `file://`, an origin with a path.
//! 3. A preflight (OPTIONS with `Access-Control-Request-Method`) is answered here, with 200 and no
//!    body, whether the origin is allowed or not; no handler runs, and no cookie is set.
//! 4. Every response varies with `origin`, also where none was sent. An allowed origin is echoed; `*`
//!    is sent only by [`CorsBuilder::allow_any_origin`]. What was asked for is never reflected: methods
//!    and headers are those of the policy.
//! 5. A policy may reach some paths only; the responses of others stay as they are.
//! 6. A function of the site's own may let a request's origin read, or everybody without cookies:
//!    [`CorsBuilder::allow_if`].
//! 7. Pages of the public network reach a site in a private one only if the policy says so.
//! 8. An `Origin` of more than [`MAX_ORIGIN`] bytes is not looked up, nor one that is sent twice.
//! 9. The layer is outside of the rooms that refuse, so that a front end can read their refusals and
//!    failures.
//!
//! In a stack without a policy, a single route has a layer of its own: `get(…).layer(CorsLayer::new(…))`,
//! and not `route_layer`, which a preflight does not pass.
//!
//! A site that lets an origin read does not trust it to write: see
//! [`CsrfPolicy::trust`](crate::csrf::CsrfPolicy::trust) for that.
//!
//! Spec: Fetch (WHATWG), django-cors-headers' `corsheaders/middleware.py`, Private Network Access
//! (WICG).
//!
//! ```
//! use bytes::Bytes;
//! use donjon::cors::{CorsLayer, CorsPolicy};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = CorsPolicy::new(["https://app.example"]).allow_credentials().build()?;
//! let service = ServiceBuilder::new()
//!     .layer(CorsLayer::new(policy))
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("data")))));
//! let request = Request::get("/").header("origin", "https://app.example").body(Full::<Bytes>::default())?;
//! let response = service.oneshot(request).await?;
//! assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
//! # Ok(()) }
//! ```

mod decision;
mod fault;
pub(crate) mod layer;
mod pattern;
mod policy;

pub use decision::{Decision, MAX_ORIGIN, Opening, Preflight, decide};
pub use fault::{CorsError, CorsFault};
pub use layer::{Cors, CorsFuture, CorsLayer};
pub use pattern::MAX_PATTERN;
pub use policy::{CorsBuilder, CorsPolicy, CorsRequest, MAX_AGE, Reading, current_setting};
