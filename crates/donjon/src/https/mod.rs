//! HTTPS: visitors who came in clear are sent there, and browsers are told to stay (Django:
//! `SecurityMiddleware`).
//!
//! Stops: passwords and cookies read on the way, and the downgrade of a visitor who typed no
//! `https://`.
//!
//! 1. With [`HttpsPolicy::redirect`] a request over HTTP is sent to the same address over HTTPS, with
//!    301, on the host it asked for, which was checked before, or on [`HttpsPolicy::host`].
//! 2. With [`HttpsPolicy::hsts`] responses over HTTPS carry `Strict-Transport-Security`, unless they
//!    have it already. Over HTTP it is not sent: browsers ignore it there (RFC 6797, 7.2).
//! 3. Exempt paths are not redirected: [`HttpsPolicy::exempt_path`] and
//!    [`HttpsPolicy::exempt_patterns`].
//! 4. A request that can't be redirected, because its host is not the site's or its address is longer
//!    than [`MAX_ADDRESS`], gets 400 and never goes on in clear.
//! 5. What can't work is an error when the policy is built: a host that is none, a pattern that is none,
//!    and a site that asks to be preloaded for less time than the list of preloaded sites demands
//!    ([`PRELOAD_AGE`]). Preloading always includes the hosts below.
//!
//! A redirect with 301 makes a browser repeat the request with GET: a form that was sent in clear is
//! lost, after its content was already read on the way. [`RedirectKind::KeepMethod`] answers what is not
//! GET or HEAD with 308, so that an API's client comes again with its body.
//!
//! Which scheme a request came by is for [`Site`](donjon_core::origin::Site) to say, so a host layer
//! belongs outside of this one. `SECURE_PROXY_SSL_HEADER` is its matter.
//!
//! Spec: Django's `django/middleware/security.py`, RFC 6797, <https://hstspreload.org>.
//!
//! ```
//! use std::time::Duration;
//! use donjon::https::{HstsScope, HttpsPolicy};
//!
//! let policy = HttpsPolicy::default()
//!     .redirect()
//!     .exempt_path("/healthz")
//!     .hsts(Duration::from_secs(3600), HstsScope::Subdomains);
//! # let _ = policy;
//! ```

mod address;
mod decision;
mod layer;
mod policy;

pub use address::Spelling;
pub use decision::{Decision, Refusal, decide};
pub use layer::{Https, HttpsFuture, HttpsLayer};
pub(crate) use layer::{admit, apply, hsts};
pub use policy::{
    HstsScope, HttpsError, HttpsPolicy, MAX_ADDRESS, MAX_HSTS_AGE, MAX_PATTERNS_SIZE, PRELOAD_AGE,
    RedirectKind,
};
