//! Cross-origin resource sharing: which other origins' scripts may read this site's answers
//! (django-cors-headers).
//!
//! Stops: any site's scripts from reading answers that a visitor's cookies brought about.
//!
//! 1. An origin is allowed letter by letter, or not at all. `null` never is: every sandboxed frame
//!    of every site has it.
//! 2. A preflight (OPTIONS with `Access-Control-Request-Method`) is answered here, with 200 and no
//!    body, whether the origin is allowed or not; no handler runs.
//! 3. Every response varies with `origin`, also where none was sent.
//! 4. An allowed origin is echoed; `*` is never sent.
//! 5. The layer is outside of the rooms that refuse, so that a front end can read their refusals.
//!
//! A site that lets an origin read does not trust it to write: see
//! [`CsrfPolicy::trust`](crate::csrf::CsrfPolicy::trust) for that.
//!
//! Spec: Fetch (WHATWG), django-cors-headers' `corsheaders/middleware.py`.

mod decision;
pub(crate) mod layer;
mod policy;

pub use decision::{Decision, Preflight, decide};
pub use layer::{Cors, CorsFuture, CorsLayer};
pub use policy::{CorsOriginError, CorsPolicy, MAX_AGE};
