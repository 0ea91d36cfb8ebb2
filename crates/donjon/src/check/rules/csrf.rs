//! How forgeries are told, and where nobody looks.

use crate::check::facts::{Facts, Route};
use crate::check::finding::{Level, Rule, Test, When};
use crate::csrf::{Detail, Provenance};

use super::cors::is_local;
use super::{DJANGO, one};

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "security.W018",
        level: Level::Warning,
        when: When::Deploy,
        title: "Refusals explain themselves to visitors (DEBUG).",
        explanation: "The page says what was compared and what is trusted, which is for developers.",
        hint: "Detail::Brief, which is the default; the log has the reason.",
        asvs: &["13.4.2", "16.5.1"],
        source: DJANGO,
        test: Test::Stack(|facts| {
            one((facts.csrf.detail == Detail::Explained).then_some("csrf: detail"))
        }),
    },
    Rule {
        code: "donjon.I070",
        level: Level::Info,
        when: When::Always,
        title: "Where a request comes from is told by Origin and Referer only.",
        explanation: "Django's rule knows no Fetch Metadata: over HTTP a request without Origin needs its token alone, \
                      and a sibling host can plant one.",
        hint: "CsrfPolicy::default() or CsrfPolicy::hardened(…) instead of CsrfPolicy::django().",
        asvs: &["3.5.1", "3.5.3"],
        source: "https://www.w3.org/TR/fetch-metadata/",
        test: Test::Stack(|facts| {
            one((facts.csrf.provenance == Provenance::Django).then_some("csrf: provenance"))
        }),
    },
    Rule {
        code: "donjon.W071",
        level: Level::Warning,
        when: When::Deploy,
        title: "An origin in clear is trusted like the site itself.",
        explanation: "Whoever is on the way of a visitor to that origin sends forms in the visitor's name.",
        hint: "Trust it with https:.",
        asvs: &["3.5.1", "12.2.1"],
        source: "https://docs.djangoproject.com/en/6.0/ref/settings/#csrf-trusted-origins",
        test: Test::Stack(|facts| {
            trusted(facts, |origin| origin.starts_with("http://") && !is_local(origin))
        }),
    },
    Rule {
        code: "donjon.I072",
        level: Level::Info,
        when: When::Always,
        title: "All hosts of a domain are trusted like the site itself.",
        explanation: "The weakest of them, or one that is abandoned and taken over, sends forms in a visitor's name.",
        hint: "Name the hosts.",
        asvs: &["3.5.1"],
        source: "https://docs.djangoproject.com/en/6.0/ref/settings/#csrf-trusted-origins",
        test: Test::Stack(|facts| trusted(facts, |origin| origin.contains("://*."))),
    },
    Rule {
        code: "donjon.W073",
        level: Level::Warning,
        when: When::Always,
        title: "A route that changes something is exempt from the CSRF check.",
        explanation: "Any site makes its visitors' browsers send this request, with their cookies.",
        hint: "Take csrf_exempt off; silence this if the route reads no cookie and demands a proof of its own, like a \
               signature.",
        asvs: &["3.5.1"],
        source: "https://docs.djangoproject.com/en/6.0/howto/csrf/#disabling-csrf-protection-for-just-a-few-views",
        test: Test::Stack(exempt_routes),
    },
];

fn trusted(facts: &Facts, fault: impl Fn(&str) -> bool) -> Vec<String> {
    let faulty = facts.csrf.trusted.iter().filter(|origin| fault(origin));
    faulty.map(|origin| format!("csrf: trusted origin {origin}")).collect()
}

fn exempt_routes(facts: &Facts) -> Vec<String> {
    let exempt = facts.routes.iter().filter(|route| route.target.is_csrf_exempt());
    let named = |Route { target, .. }: &Route| {
        let methods: Vec<&str> = target.unsafe_methods().map(http::Method::as_str).collect();
        (!methods.is_empty()).then(|| format!("route {} {}", methods.join(", "), target.path()))
    };
    exempt.filter_map(named).collect()
}
