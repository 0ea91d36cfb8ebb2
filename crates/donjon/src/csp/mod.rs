//! Content Security Policy: which scripts, styles and frames a browser may load for a page.
//!
//! Stops: injected scripts that got past the escaping (CWE-79), foreign frames, forms that send
//! passwords to another site.
//!
//! 1. A policy is typed: directives and sources. [`CspPolicy::strict`] allows the site's own files,
//!    and scripts and styles with this response's nonce; nothing inline, no plugins, no `<base>`, no
//!    frames, and forms to the site itself.
//! 2. The nonce is 16 random bytes, made when it is first read, and fresh for each response. A
//!    response whose page never read it has none in its policy.
//! 3. A header that the response has already stays, as in Django.
//!
//! Caveats: a page with a nonce must not be cached by a shared cache.
//!
//! Spec: CSP Level 3 (W3C), Django's `django/utils/csp.py` and `django/middleware/csp.py`.
//!
//! ```
//! use donjon::csp::{CspPolicy, Directive, Source};
//!
//! let policy = CspPolicy::strict().allow(Directive::Img, Source::origin("https://images.example")?);
//! assert!(policy.header(None).to_str()?.contains("img-src 'self' https://images.example"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "axum")]
mod extract;
mod layer;
mod policy;

#[cfg(feature = "axum")]
pub use extract::MissingCspLayer;
pub use layer::{Csp, CspFuture, CspLayer, CspNonce};
pub use policy::{CspPolicy, Directive, Source, SourceError};
