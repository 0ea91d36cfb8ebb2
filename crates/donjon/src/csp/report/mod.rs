//! The endpoint to which browsers report what the site's Content Security Policy forbade.
//!
//! Stops: an attack, or a mistake in a page, that the policy stops and nobody hears of. And because
//! anybody may post here, without a log-in and without a token: disks filled by reports, made-up
//! reports of other sites, and texts that attack whoever reads the reports.
//!
//! 1. Both formats are read: `application/csp-report` (`report-uri`), and the reports of type
//!    `csp-violation` in `application/reports+json` (`report-to`). Reports of other types are counted.
//! 2. A body has at most [`BODY_LIMIT`] bytes, or the answer is 413; its reports after the
//!    [`REPORTS_LIMIT`]th are only counted.
//! 3. Of the bodies of one second [`BODIES_PER_SECOND`] are read in a process, others dropped unread.
//! 4. A report of a page of another origin is only counted, for it is made up. So is one that a
//!    browser's extension caused: it says nothing of the site.
//! 5. An address loses query, fragment and user, which may hold secrets. Of the site's own the path
//!    is left; of the web's `scheme://host/path`; of anything else the scheme. It is visible ASCII of
//!    at most [`ADDRESS_LIMIT`] characters, or the report is not kept.
//! 6. A sample has at most [`SAMPLE_LIMIT`] characters, and none that is invisible or turns the text
//!    around. A directive is one of CSP's.
//! 7. The same violation is one record with a count: see [`donjon_core::violation`].
//! 8. The answer to a POST of these formats is 204 with nothing in it, whatever became of the reports;
//!    to other methods 405, to other formats 415. No session is touched, no cookie set.
//! 9. A violation that the store didn't know is an event.
//!
//! Caveats: whoever can send requests to the site can make up reports of its own pages; a count is a
//! hint, not a proof. A page's path is kept, so a secret doesn't belong in one. Browsers send no CSRF
//! token: the route must be exempt, and is safe so, since it changes nothing but these counts.
//!
//! Spec: CSP Level 3 (W3C), 5; Reporting API (W3C), 3. Django has nothing like it.
//!
#![cfg_attr(
    feature = "axum",
    doc = "
```
use std::sync::Arc;

use axum::routing::any_service;
use donjon::csp::report::CspReports;
use donjon::routes::Routes;
use donjon_core::violation::MemoryViolations;

let reports = CspReports::new(Arc::new(MemoryViolations::default()));
let routes: Routes = Routes::new().path(\"/csp-report/\", any_service(reports)).csrf_exempt();
# let _ = routes;
```"
)]

mod address;
mod endpoint;
mod parse;

pub use address::{ADDRESS_LIMIT, OwnPages};
pub use endpoint::{BODIES_PER_SECOND, BODY_LIMIT, CspReports};
pub use parse::{Format, REPORTS_LIMIT, SAMPLE_LIMIT, read};
