//! Content Security Policy: which scripts, styles and frames a browser may load for a page.
//!
//! Stops: injected scripts that got past the escaping (CWE-79), foreign frames (CWE-1021), forms that
//! send passwords to another site, plugins, and `<base>` tags that turn every link.
//!
//! 1. [`CspPolicy::strict`] is what a site has when nothing is said: nothing but the site's own files,
//!    and scripts and styles with this response's nonce. Nothing inline, no plugins, no `<base>`, no
//!    frames, and forms to the site itself.
//! 2. The nonce is 16 random bytes, made when it is first read, and fresh for each response. A
//!    response whose page never read it has none in its policy, and a directive that trusted the nonce
//!    alone trusts nothing then.
//! 3. A policy is typed: [`Directive`]s, [`Source`]s, and methods for the rest. What weakens it is
//!    called `danger_…`. No source can carry another directive or header.
//! 4. What defeats itself is an error when the policy is built, all mistakes at once, each with the
//!    way out: [`CspError`].
//! 5. A policy that is enforced and one that is only reported may be sent at once, and know nothing of
//!    each other. A route has others of its own, or none: [`RouteCsp`].
//! 6. A header that the response has already stays, as in Django. `Reporting-Endpoints` goes with the
//!    policy that reports.
//! 7. Django's settings are taken as they are and written byte for byte: [`DjangoCsp`].
//! 8. So are django-csp's, with its prefixes, its share of reports and its decorators:
//!    [`DjangoCspSettings`].
//!
//! Caveats: a page with a nonce must not be kept by a shared cache. A nonce that is first read while
//! the body already streams is in no header. A policy in a `<meta>` tag is not known here.
//!
//! Spec: CSP Level 3 and Trusted Types (W3C), Reporting API (W3C), Django's `django/utils/csp.py` and
//! `django/middleware/csp.py`, django-csp 4.0.
//!
//! ```
//! use donjon::csp::{CspPolicies, CspPolicy, Directive, Source};
//!
//! let policy = CspPolicy::strict()
//!     .update()
//!     .allow(Directive::Img, Source::origin("https://images.example")?)
//!     .report_to("csp", "/csp-report/")
//!     .build()?;
//! assert!(policy.header(None).to_str()?.contains("img-src 'self' https://images.example;"));
//!
//! // Tried beside it, before it is enforced:
//! let tried = policy.update().directive(Directive::Style, [Source::NONCE]).build()?;
//! let policies = CspPolicies::enforce(policy).report_only(tried);
//! # let _ = policies;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod decision;
mod directive;
mod django;
#[cfg(feature = "axum")]
mod extract;
mod layer;
mod nonce;
mod policy;
pub mod report;
mod source;

pub use builder::{CspBuilder, CspError, CspErrors};
pub use decision::{CspPolicies, RouteCsp};
pub use directive::{Directive, Sandbox, UnknownDirective};
pub use django::{DJANGO_NONCE, DjangoCsp, DjangoCspSettings, DjangoValue};
#[cfg(feature = "axum")]
pub use extract::MissingCspLayer;
pub use layer::{Csp, CspFuture, CspLayer, RouteCspFuture, RouteCspLayer, RouteCsps};
pub use nonce::{CspNonce, NonceAlphabet};
pub(crate) use nonce::{NonceCell, NonceHolder};
pub use policy::CspPolicy;
pub use source::{MAX_SOURCE_BYTES, Source, SourceError};
