//! A Content Security Policy that defeats itself.
//!
//! The rules are those of Google's csp_evaluator and of MDN's HTTP Observatory.

use crate::check::directives::{Directives, broad, contains, has_proof};
use crate::check::facts::Facts;
use crate::check::finding::{Level, Rule, Test, When};

use super::one;

const SPEC: &str = "https://www.w3.org/TR/CSP3/";
const OBSERVATORY: &str = "https://developer.mozilla.org/en-US/observatory/docs/tests_and_scoring";

/// What browsers forget when a directive is missing: these do not fall back to `default-src`.
const BASE: &str = "base-uri";
const ANCESTORS: &str = "frame-ancestors";
const FORMS: &str = "form-action";

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "donjon.W030",
        level: Level::Warning,
        when: When::Always,
        title: "No Content-Security-Policy is enforced.",
        explanation: "A script that gets past the escaping runs. A policy that only reports stops none.",
        hint: "CspPolicy::strict(), which is the default.",
        asvs: &["3.4.3"],
        source: OBSERVATORY,
        test: Test::Stack(|facts| one(facts.csp.is_none().then_some("csp"))),
    },
    Rule {
        code: "donjon.W031",
        level: Level::Warning,
        when: When::Always,
        title: "Inline scripts run without proof.",
        explanation: "'unsafe-inline' without a nonce or a hash permits exactly what an injection is made of.",
        hint: "Give inline scripts the nonce: Source::NONCE, and nonce=\"{{ csp_nonce }}\" in the template.",
        asvs: &["3.4.3"],
        source: SPEC,
        test: Test::Stack(|facts| {
            ruled(facts, "script-src", |sources| {
                contains(sources, "'unsafe-inline'") && !has_proof(sources)
            })
        }),
    },
    Rule {
        code: "donjon.W032",
        level: Level::Warning,
        when: When::Always,
        title: "Scripts may turn text into code.",
        explanation: "'unsafe-eval' makes a string that an attacker controls run, in eval, setTimeout and new Function.",
        hint: "Take it out; 'wasm-unsafe-eval' is enough for WebAssembly.",
        asvs: &["3.4.3"],
        source: SPEC,
        test: Test::Stack(|facts| {
            ruled(facts, "script-src", |sources| contains(sources, "'unsafe-eval'"))
        }),
    },
    Rule {
        code: "donjon.W033",
        level: Level::Warning,
        when: When::Always,
        title: "Plugins are not ruled out.",
        explanation: "An injected <object> or <embed> runs what script-src refuses.",
        hint: "object-src 'none', or default-src 'none'.",
        asvs: &["3.4.3"],
        source: OBSERVATORY,
        test: Test::Stack(|facts| {
            policy(facts, "object-src", |csp| csp.ruling("object-src").is_none())
        }),
    },
    Rule {
        code: "donjon.W034",
        level: Level::Warning,
        when: When::Always,
        title: "<base> is not ruled.",
        explanation: "An injected <base> makes the page's own relative scripts load from an attacker, nonce and all.",
        hint: "base-uri 'none'. default-src does not stand in for it.",
        asvs: &["3.4.3"],
        source: SPEC,
        test: Test::Stack(|facts| policy(facts, BASE, |csp| !csp.has(BASE))),
    },
    Rule {
        code: "donjon.W035",
        level: Level::Warning,
        when: When::Always,
        title: "Who may frame the page is not said.",
        explanation: "Another site shows this one in a frame, and has visitors click what they don't see.",
        hint: "frame-ancestors 'none' or 'self'. default-src does not stand in for it.",
        asvs: &["3.4.6"],
        source: SPEC,
        test: Test::Stack(|facts| policy(facts, ANCESTORS, |csp| !csp.has(ANCESTORS))),
    },
    Rule {
        code: "donjon.W036",
        level: Level::Warning,
        when: When::Always,
        title: "Scripts or plugins may come from anywhere.",
        explanation: "A whole scheme or * lets in the attacker's own server; data: is a script in the address itself.",
        hint: "Name the origins, or give scripts the nonce with 'strict-dynamic'.",
        asvs: &["3.4.3"],
        source: OBSERVATORY,
        test: Test::Stack(broad_sources),
    },
    Rule {
        code: "donjon.W037",
        level: Level::Warning,
        when: When::Always,
        title: "A source is in clear.",
        explanation: "Whoever is on the way changes what comes from an http: address.",
        hint: "Name it with https:.",
        asvs: &["3.4.3", "12.2.1"],
        source: OBSERVATORY,
        test: Test::Stack(clear_sources),
    },
    Rule {
        code: "donjon.I038",
        level: Level::Info,
        when: When::Deploy,
        title: "Nobody hears of violations.",
        explanation: "Browsers that stop an attack, or a page of the site's own that breaks, tell nobody.",
        hint: "CspBuilder::report_to(\"csp\", \"/csp-report/\"), which sends report-uri too.",
        asvs: &["3.4.7"],
        source: SPEC,
        test: Test::Stack(|facts| {
            policy(facts, "report-to", |csp| !csp.has("report-to") && !csp.has("report-uri"))
        }),
    },
    Rule {
        code: "donjon.W039",
        level: Level::Warning,
        when: When::Always,
        title: "'strict-dynamic' has nothing to begin with.",
        explanation: "It hands on the trust of a script with a nonce or a hash; without either no script runs, and \
                      the other sources are ignored.",
        hint: "Add Source::NONCE, or take Source::STRICT_DYNAMIC out.",
        asvs: &["3.4.3"],
        source: SPEC,
        test: Test::Stack(|facts| {
            ruled(facts, "script-src", |sources| {
                contains(sources, "'strict-dynamic'") && !has_proof(sources)
            })
        }),
    },
    Rule {
        code: "donjon.W040",
        level: Level::Warning,
        when: When::Always,
        title: "Scripts are not ruled.",
        explanation: "With neither script-src nor default-src the policy lets every script run.",
        hint: "Begin with CspPolicy::strict(), or name script-src.",
        asvs: &["3.4.3"],
        source: SPEC,
        test: Test::Stack(|facts| {
            policy(facts, "script-src", |csp| csp.ruling("script-src").is_none())
        }),
    },
    Rule {
        code: "donjon.W041",
        level: Level::Warning,
        when: When::Always,
        title: "Forms may send anywhere.",
        explanation: "An injected form, or one whose action was changed, sends passwords and CSRF tokens to an attacker.",
        hint: "form-action 'self'. default-src does not stand in for it.",
        asvs: &["3.4.3"],
        source: SPEC,
        test: Test::Stack(|facts| policy(facts, FORMS, |csp| !csp.has(FORMS))),
    },
    Rule {
        code: "donjon.I042",
        level: Level::Info,
        when: When::Always,
        title: "Inline styles apply without proof.",
        explanation: "Injected CSS reads attribute values letter by letter, and paints over the page.",
        hint: "Give <style> the nonce, and move style=\"…\" attributes into a file.",
        asvs: &["3.4.3"],
        source: OBSERVATORY,
        test: Test::Stack(|facts| {
            ruled(facts, "style-src", |sources| {
                contains(sources, "'unsafe-inline'") && !has_proof(sources)
            })
        }),
    },
    Rule {
        code: "donjon.W043",
        level: Level::Warning,
        when: When::Always,
        title: "'none' stands beside other sources.",
        explanation: "Browsers ignore it there, and what looks closed is open.",
        hint: "Leave 'none' alone in its directive, or take it out.",
        asvs: &["3.4.3"],
        source: SPEC,
        test: Test::Stack(|facts| {
            directives(facts, |_, sources| sources.len() > 1 && contains(sources, "'none'"))
        }),
    },
    Rule {
        code: "donjon.E044",
        level: Level::Error,
        when: When::Always,
        title: "A route's change makes a policy that is refused.",
        explanation: "The route can't be made, and the site does not start.",
        hint: "Stack::for_route and Routes::into_router say what is wrong about it.",
        asvs: &["3.4.3"],
        source: SPEC,
        test: Test::Stack(|facts| {
            let refused = facts.routes.iter().filter(|route| route.facts.is_none());
            refused.map(|route| format!("route {}: csp", route.target.path())).collect()
        }),
    },
];

/// Is this true of the policy, where there is one?
fn policy(facts: &Facts, directive: &str, fault: impl Fn(&Directives) -> bool) -> Vec<String> {
    one(facts.csp.as_ref().is_some_and(fault).then_some(&format!("csp: {directive}")))
}

/// Is this true of the sources that rule a kind of resource?
fn ruled(facts: &Facts, directive: &str, fault: impl Fn(&[String]) -> bool) -> Vec<String> {
    policy(facts, directive, |csp| csp.ruling(directive).is_some_and(&fault))
}

/// The directives that this is true of.
fn directives(facts: &Facts, fault: impl Fn(&str, &[String]) -> bool) -> Vec<String> {
    let all = facts.csp.iter().flat_map(Directives::iter);
    let faulty = all.filter(|(name, sources)| fault(name, sources));
    faulty.map(|(name, _)| format!("csp: {name}")).collect()
}

/// With `'strict-dynamic'` browsers ignore hosts and schemes.
fn broad_sources(facts: &Facts) -> Vec<String> {
    let open = |name: &&str| {
        !ruled(facts, name, |sources| {
            broad(sources).next().is_some() && !contains(sources, "'strict-dynamic'")
        })
        .is_empty()
    };
    let names = ["script-src", "object-src"].into_iter().filter(open);
    names.map(|name| format!("csp: {name}")).collect()
}

fn clear_sources(facts: &Facts) -> Vec<String> {
    let clear = |source: &String| {
        let local =
            source.starts_with("http://localhost") || source.starts_with("http://127.0.0.1");
        (source.starts_with("http:") && !local) || source.starts_with("ws:")
    };
    directives(facts, |name, sources| name != "report-uri" && sources.iter().any(clear))
}
