//! Cross-site request forgery: another site makes a visitor's browser send a request, and the
//! browser adds the visitor's cookies.
//!
//! Stops: forged forms, `fetch` calls and WebSocket handshakes; planted cookies (with
//! [`CsrfPolicy::hardened`]); tokens read out of compressed pages (BREACH, rule 6).
//!
//! 1. GET, HEAD, OPTIONS and TRACE pass (RFC 9110, 9.2.1): handlers must change nothing on them.
//! 2. `Origin`, where it is sent, is the site's own, letter by letter, or trusted.
//! 3. Over HTTPS and without `Origin`, `Referer` is there, is HTTPS, and is of the site's own host,
//!    of the cookie's domain, or trusted. A request that shows nothing of where it comes from is
//!    refused though its token be good: both proofs are needed, as in Django.
//! 4. By default Fetch Metadata speaks before rules 2 and 3, by the table below.
//! 5. By default a WebSocket's handshake, a GET, has to obey rule 2 and must have an `Origin`.
//! 6. The secret is 32 random characters in the cookie or the session; a page shows it under a fresh
//!    mask each time.
//! 7. Without a secret, or with a broken one, a request is refused before its body is read; a broken
//!    one is replaced.
//! 8. The token is the field [`FIELD`] of a POST, or if that is missing or empty, the header. Bodies
//!    of other methods are never read. A body that breaks off has no token.
//! 9. Token and secret compare in constant time. With [`CsrfPolicy::hardened`] the token must be
//!    masked and made for this session.
//! 10. Of the body at most [`BODY_LIMIT`] bytes and [`FIELDS_LIMIT`] fields are read: a urlencoded
//!     body whole, a multipart body up to the first file behind the token. The handler gets all of
//!     it. Of several such fields the last counts.
//! 11. With [`CsrfPolicy::hardened`] two cookies, headers or fields of one name are refused.
//! 12. A log-in draws a new secret, by the word [`Rotation`](donjon_core::session::Rotation).
//! 13. A response that sets the secret varies with `Cookie`; but for [`CsrfPolicy::django`] it is
//!     `private, no-store` besides, unless its handler said otherwise.
//!
//! # Where a request comes from
//!
//! The default for rule 4. Own means scheme, host and port, letter by letter. What passes still needs
//! its token.
//!
//! | `Sec-Fetch-Site` | `Origin` | `Referer` | |
//! |---|---|---|---|
//! | `same-origin` | own, trusted, `null` or none | any | passes |
//! | `none` | own or none | any | passes |
//! | `same-site`, `cross-site` | trusted | any | passes |
//! | none | own or trusted | any | passes |
//! | none | none | own or trusted | passes |
//! | none | none | none | passes over HTTP only |
//! | all else | | | refused |
//!
//! Trusted means as a browser writes it. Django compares a pattern like `https://*.example.com` with a
//! split URL, and so believes origins with a path or capital letters; it trusts a referer whatever the
//! scheme of the trusted origin, and any host below the cookie's domain.
//!
//! # Compared with `tower_http::csrf`
//!
//! That layer is Go's `CrossOriginProtection`: where a request comes from, and no token. On the first
//! both say the same, but for:
//!
//! - TRACE: to us a safe method, as to Django; they judge it like POST.
//! - An `Origin` that contradicts `Sec-Fetch-Site: same-origin` or `none`: we refuse, they pass.
//! - Neither header, over HTTPS: we ask for a referer, they pass.
//! - An origin of our host and another scheme: we refuse, they pass.
//! - An origin with a path, or with a scheme in capital letters: we refuse, they pass.
//! - A `Sec-Fetch-Site` of no known word: we refuse always, they pass a trusted origin.
//! - An empty header: we refuse it, they read it as none.
//! - An absolute request target: their own host is the target's, ours that of `Host`, as in Django.
//! - WebSockets, patterns of trusted origins and trusted proxies they don't have; nor we their bypass by
//!   path: see [`CsrfRoute`].
//!
//! # Caveats
//!
//! Put the token's field before file fields, or send the header: a multipart body whose token lies
//! behind [`BODY_LIMIT`] bytes of files is refused, and a second token behind a file is not seen. A
//! WebSocket over HTTP/2 is opened with CONNECT, an unsafe method: it needs the header with the token,
//! which no browser sends, or a route that is exempt and looks at `Origin` itself. A sibling host that
//! can plant cookies defeats Django's cookie secret where a browser sends neither Fetch Metadata nor
//! `Origin`; the hardened policy does not mind.
//!
//! Spec: Django's `django/middleware/csrf.py`, Fetch Metadata (W3C), RFC 6454.
//!
//! ```
//! use bytes::Bytes;
//! use donjon::csrf::{CsrfLayer, CsrfPolicy};
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = ServiceBuilder::new()
//!     .layer(CsrfLayer::new(CsrfPolicy::default()))
//!     .service(service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("paid")))));
//! let forged = Request::post("/pay")
//!     .header("host", "bank.example")
//!     .header("origin", "https://evil.example")
//!     .body(Full::<Bytes>::default())?;
//! assert_eq!(service.oneshot(forged).await?.status(), StatusCode::FORBIDDEN);
//! # Ok(()) }
//! ```

mod body;
mod cell;
mod decision;
#[cfg(feature = "axum")]
mod extract;
mod failure;
mod layer;
mod policy;
mod scan;
mod token;

pub use body::ReadBody;
pub use cell::CsrfToken;
pub use decision::{Decision, Reason, Stored, Submitted, TokenSource, compare, decide, is_safe};
#[cfg(feature = "axum")]
pub use extract::MissingCsrfLayer;
pub use failure::Failure;
pub use layer::{Csrf, CsrfFuture, CsrfLayer, CsrfRoute};
pub use policy::{
    BODY_LIMIT, COOKIE_AGE, CsrfPolicy, Detail, Duplicates, FIELD, FIELDS_LIMIT, FailureView,
    Provenance, SESSION_KEY, SecretStorage, Tokens,
};
pub use scan::{
    BOUNDARY_LIMIT, BodyError, Ended, Form, PART_HEADERS_LIMIT, Scan, Scanner, TOKEN_LIMIT,
    urlencoded_token,
};
pub use token::{CsrfSecret, FormatError, SECRET_LENGTH, SubmittedToken, TOKEN_LENGTH};
