//! Getting visitors to HTTPS, and keeping them there.

use crate::check::facts::{Facts, Hsts};
use crate::check::finding::{Level, Rule, Test, When};

use super::{DJANGO, one};

/// What ASVS and the preload list demand: a year.
const YEAR: u64 = 31_536_000;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "security.W004",
        level: Level::Warning,
        when: When::Deploy,
        title: "No Strict-Transport-Security is sent (SECURE_HSTS_SECONDS).",
        explanation: "A browser that was here before comes back in clear, where anybody on the way can answer instead.",
        hint: "HttpsPolicy::default().redirect().hsts(Duration::from_secs(31_536_000), HstsScope::Subdomains), once \
               the whole site is reached over HTTPS.",
        asvs: &["3.4.1"],
        source: DJANGO,
        test: Test::Stack(|facts| one(facts.hsts.is_none().then_some("https: hsts"))),
    },
    Rule {
        code: "security.W005",
        level: Level::Warning,
        when: When::Deploy,
        title: "HSTS leaves the hosts below out (SECURE_HSTS_INCLUDE_SUBDOMAINS).",
        explanation: "An attacker on the way invents a host below in clear, and plants cookies for the site from there.",
        hint: "HstsScope::Subdomains, if all hosts below are reached over HTTPS.",
        asvs: &["3.4.1"],
        source: DJANGO,
        test: Test::Stack(|facts| hsts(facts, |hsts| !hsts.subdomains)),
    },
    Rule {
        code: "security.W021",
        level: Level::Warning,
        when: When::Deploy,
        title: "HSTS does not permit preloading (SECURE_HSTS_PRELOAD).",
        explanation: "The first visit of a browser is in clear.",
        hint: "HttpsPolicy::hsts_preload, and the form at https://hstspreload.org. It is hard to take back.",
        asvs: &["3.7.4"],
        source: DJANGO,
        test: Test::Stack(|facts| hsts(facts, |hsts| !hsts.preload)),
    },
    Rule {
        code: "security.W008",
        level: Level::Warning,
        when: When::Deploy,
        title: "Visitors who come in clear are not sent to HTTPS (SECURE_SSL_REDIRECT).",
        explanation: "Passwords and cookies are read on the way.",
        hint: "HttpsPolicy::default().redirect(); silence this where a proxy redirects.",
        asvs: &["4.1.2", "12.2.1"],
        source: DJANGO,
        test: Test::Stack(|facts| one((!facts.redirects).then_some("https: redirect"))),
    },
    Rule {
        code: "donjon.W010",
        level: Level::Warning,
        when: When::Deploy,
        title: "HSTS is forgotten within a year.",
        explanation: "Who comes less often comes in clear; the preload list and the HTTP Observatory want more.",
        hint: "hsts(Duration::from_secs(31_536_000), …), or longer.",
        asvs: &["3.4.1"],
        source: "https://hstspreload.org/#submission-requirements",
        test: Test::Stack(|facts| hsts(facts, |hsts| hsts.seconds < YEAR)),
    },
];

/// Is this true of the header, where there is one?
fn hsts(facts: &Facts, fault: impl Fn(&Hsts) -> bool) -> Vec<String> {
    one(facts.hsts.as_ref().is_some_and(fault).then_some("https: hsts"))
}
