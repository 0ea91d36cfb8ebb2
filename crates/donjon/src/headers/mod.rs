//! Headers by which a site tells browsers what to refuse (Django: `SecurityMiddleware`,
//! `XFrameOptionsMiddleware`; django-permissions-policy).
//!
//! Stops: clickjacking, content sniffing, leaks through `Referer`, pages that stay scriptable through
//! a window that opened them, other sites that load this one's files into their process, injected
//! scripts that reach for the camera, and banners that tell which hole to try.
//!
//! 1. `X-Content-Type-Options: nosniff`.
//! 2. `Referrer-Policy: same-origin`. Not `no-referrer`: with it the site's own forms say
//!    `Origin: null`.
//! 3. `Cross-Origin-Opener-Policy: same-origin`.
//! 4. `X-Frame-Options: DENY`.
//! 5. A header that the response has already stays as it is, as in Django: a handler knows best.
//! 6. `Cross-Origin-Embedder-Policy: require-corp`: a page loads from other origins only what says that
//!    it may be loaded.
//! 7. `Cross-Origin-Resource-Policy: same-origin`: other sites can't load what this one serves.
//! 8. `Permissions-Policy` denies what reaches for a visitor's devices and surroundings: see
//!    [`PermissionsPolicy::powerless`].
//! 9. `Origin-Agent-Cluster: ?1`: the origin asks for a process of its own.
//! 10. `X-Permitted-Cross-Domain-Policies: none`: for the plug-ins that still ask.
//! 11. `Server` and `X-Powered-By` are taken out, whoever set them.
//! 12. A route that leaves a [`RouteFraming`] in its response has a rule 4 of its own, as with Django's
//!     decorators.
//!
//! Four presets: [`HeadersPolicy::strict`] is all of it, and the default;
//! [`HeadersPolicy::standard`] is without rule 6, for a site that loads from others what does not say
//! that it may be loaded; [`HeadersPolicy::embed`] is for a site whose files others load;
//! [`HeadersPolicy::django`] is rules 1 to 5 and 12.
//!
//! A browser that knows CSP's `frame-ancestors` obeys that and not rule 4: a route that may be framed
//! says so in both.
//!
//! The layer belongs outermost, so that refusals of all other rooms carry the headers too.
//!
//! Spec: Django's `django/middleware/security.py` and `clickjacking.py`, RFC 7034, Referrer Policy
//! and Permissions Policy (W3C), HTML and Fetch (WHATWG).
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

mod framing;
mod layer;
mod permissions;
mod policy;
mod token;

pub use framing::RouteFraming;
pub use layer::{
    FramingFuture, Headers, HeadersFuture, HeadersLayer, RouteFramed, RouteFramingLayer,
};
pub use permissions::{Allowlist, AllowlistError, Feature, PermissionsPolicy};
pub use policy::HeadersPolicy;
pub use token::{
    EmbedderPolicy, Framing, OpenerPolicy, ReferrerPolicy, ResourcePolicy, UnknownToken,
};
