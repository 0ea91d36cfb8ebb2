//! Reading a stack, and asking the router that runs it, for what is wrong (Django: `check --deploy`).
//!
//! Stops: a site that goes live with the settings it was developed with, and protection that somebody
//! took out, put at the wrong place, or only believes to be there.
//!
//! 1. [`Stack::check`] reads the policies. It knows every `security.*` rule of Django's
//!    `check --deploy` under its id and with its meaning, those of django-cors-headers
//!    (`corsheaders.*`) and django-csp (`csp.*`), and ours (`donjon.*`) for what they can't see.
//! 2. What a default or a type makes impossible is in the [`catalogue`] with the reason.
//! 3. Rules for a site that goes live are asked by [`Checks::deploy`] only.
//! 4. A code that is silenced is counted, and shown no more.
//! 5. What a route says of its own is judged as it is sent: a Content Security Policy or CORS that is
//!    worse than the site's, an exemption that opens more than it should, a word without effect.
#![cfg_attr(
    feature = "axum",
    doc = "6. [`probe`] asks the running router, in this process: do all its answers carry the headers, does \
           each unsafe route refuse a forgery, what flags do its cookies have, who may read."
)]
//! 7. No finding shows a secret: of a key it is said why it is weak.
//!
//! Caveats: a report without findings is no proof. What a handler does with its data nobody sees from
//! here.
//!
//! Source: Django's `django/core/checks/security/`, django-cors-headers' and django-csp's
//! `checks.py`, OWASP ASVS 5.0.0, MDN's HTTP Observatory.
//!
//! ```
//! use donjon::check::{Checks, Format, Level};
//! use donjon::stack::Stack;
//! use donjon_core::host::AllowedHosts;
//! use donjon_core::origin::SitePolicy;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stack = Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"])?)).build()?;
//! let report = stack.check(&Checks::deploy().silence(["security.W021"]));
//!
//! assert!(report.has("security.W004"), "no HSTS");
//! assert!(!report.fails(Level::Error));
//! println!("{}", report.write(Format::Text));
//! # Ok(()) }
//! ```

use crate::stack::Stack;

mod checks;
mod directives;
mod facts;
mod finding;
mod format;
#[cfg(feature = "axum")]
mod probe;
mod report;
mod rules;

pub use checks::{Checks, Target};
use facts::{Facts, Route};
use finding::Test;
pub use finding::{Finding, Level, Rule, UnknownLevel, When};
pub use format::{Format, UnknownFormat};
#[cfg(feature = "axum")]
pub use probe::{MAX_BODY, PATIENCE, probe};
pub use report::Report;

/// Every rule there is, also those that can't fire.
pub fn catalogue() -> impl Iterator<Item = &'static Rule> {
    rules::all()
}

impl Stack {
    /// What is wrong with the stack: rules 1 to 5.
    ///
    /// It looks at policies only, so it costs nothing and can run at every start.
    pub fn check(&self, checks: &Checks) -> Report {
        judge(&Facts::of(self, checks), checks)
    }
}

fn judge(facts: &Facts, checks: &Checks) -> Report {
    let mut found = broken(catalogue(), facts, checks);
    let of_routes = facts.routes.iter().flat_map(|route| judge_route(route, &found, checks));
    let of_routes: Vec<_> = of_routes.collect();
    found.extend(of_routes);
    Report::new(found, &checks.silenced)
}

/// Rule 5: what is broken by the route alone.
fn judge_route(route: &Route, site: &[Finding], checks: &Checks) -> Vec<Finding> {
    let facts = route.facts.iter();
    let found = facts.flat_map(|facts| broken(rules::of_routes(), facts, checks));
    let own = found.filter(|finding| !site.iter().any(|known| known.repeats(finding)));
    own.map(|finding| finding.inside(&format!("route {}", route.target.path()))).collect()
}

fn broken(
    rules: impl Iterator<Item = &'static Rule>,
    facts: &Facts,
    checks: &Checks,
) -> Vec<Finding> {
    let objects = |rule: &Rule| match rule.test {
        Test::Stack(look) => look(facts),
        Test::Router | Test::Nobody => Vec::new(),
    };
    let asked = rules.filter(|rule| asks(checks, rule));
    asked.flat_map(|rule| objects(rule).into_iter().map(|object| rule.at(object))).collect()
}

/// Rule 3.
fn asks(checks: &Checks, rule: &Rule) -> bool {
    rule.when == When::Always || checks.when == When::Deploy
}
