//! Resource isolation by Fetch Metadata: other sites may link to this one, and load nothing of it that
//! belongs to a visitor.
//!
//! Stops: what CSRF's check leaves, because it lets reading methods pass: cross-site inclusion of JSON
//! and scripts (XSSI), search results told apart by a picture's size or a frame's count (XS-Leaks),
//! Spectre, and event streams opened by another site.
//!
//! 1. Looked at are requests with GET, HEAD, OPTIONS or TRACE that carry `Cookie` or `Authorization`:
//!    without either an answer is the same for everybody, and other methods are for CSRF's check.
//! 2. Without `Sec-Fetch-Site` it is no browser of today: the request passes.
//! 3. `same-origin` and `none` (an address that was typed, a bookmark) pass, and `same-site` where
//!    [`IsolationPolicy::allow_same_site`] says so.
//! 4. `cross-site` and otherwise `same-site` pass only as a navigation: `Sec-Fetch-Mode: navigate`, GET
//!    or HEAD, into a window of its own. Into a frame only with [`IsolationPolicy::allow_framing`], into
//!    `<object>` and `<embed>` never.
//! 5. What CORS has allowed passes ([`Readers::Allowed`]), and so does an origin that the policy trusts
//!    ([`IsolationPolicy::trust`]): its scripts, and its WebSockets.
//! 6. A word that no browser says, or a header that comes twice, is refused: it costs nobody anything.
//! 7. Exempt are paths ([`IsolationPolicy::exempt_path`]) and routes ([`IsolationRoute::Exempt`]): static
//!    files, and what other sites are meant to load.
//! 8. The refusal is 403 with a constant body. A response to what was looked at varies with the headers
//!    that the verdict depended on, so that a cache doesn't hand it to another site.
//!
//! The layer belongs outside of the session: a refusal costs no query. CORS is outside of it, so that a
//! preflight, which carries nothing, is answered.
//!
//! Spec: Fetch Metadata Request Headers (W3C), <https://web.dev/articles/fetch-metadata>.
//!
//! ```
//! use bytes::Bytes;
//! use donjon::isolation::{IsolationLayer, IsolationPolicy};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = ServiceBuilder::new()
//!     .layer(IsolationLayer::new(IsolationPolicy::default()))
//!     .service(service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("mine")))));
//! let picture = Request::get("/inbox.json")
//!     .header("cookie", "sessionid=1")
//!     .header("sec-fetch-site", "cross-site")
//!     .header("sec-fetch-mode", "no-cors")
//!     .header("sec-fetch-dest", "image");
//! assert_eq!(service.oneshot(picture.body(())?).await?.status(), 403);
//! # Ok(()) }
//! ```

mod decision;
pub(crate) mod layer;
mod policy;

pub use decision::{Decision, Readers, Reason, decide};
pub use layer::{Isolated, IsolationFuture, IsolationLayer, IsolationRoute};
pub use policy::IsolationPolicy;
