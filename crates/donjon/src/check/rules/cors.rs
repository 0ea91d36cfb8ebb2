//! Who may read across origins.

use crate::check::facts::{Cors, Facts};
use crate::check::finding::{Level, Rule, Test, When};

use super::one;

const FETCH: &str = "https://fetch.spec.whatwg.org/#http-cors-protocol";

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "donjon.E050",
        level: Level::Error,
        when: When::Always,
        title: "Every site may read with its visitors' cookies.",
        explanation: "Any page that a visitor opens reads this site as that visitor.",
        hint: "Name the origins: CorsPolicy::new([\"https://app.example\"]).allow_credentials().build()?.",
        asvs: &["3.4.2"],
        source: FETCH,
        test: Test::Stack(|facts| policy(facts, "any origin", |cors| cors.any && cors.credentials)),
    },
    Rule {
        code: "donjon.W051",
        level: Level::Warning,
        when: When::Always,
        title: "Every site may read.",
        explanation: "What only the network protects, an intranet page or a service on localhost, is read by any page.",
        hint: "Name the origins, or permit all on the public routes only.",
        asvs: &["3.4.2"],
        source: FETCH,
        test: Test::Stack(|facts| {
            policy(facts, "any origin", |cors| cors.any && !cors.credentials)
        }),
    },
    Rule {
        code: "donjon.W052",
        level: Level::Warning,
        when: When::Always,
        title: "An origin in clear may read with cookies.",
        explanation: "Whoever is on the way of a visitor to that origin puts a script in, and reads this site.",
        hint: "Name the origin with https:.",
        asvs: &["3.4.2", "12.2.1"],
        source: FETCH,
        test: Test::Stack(|facts| {
            origins(facts, |cors, origin| cors.credentials && in_clear(origin) && !is_local(origin))
        }),
    },
    Rule {
        code: "donjon.W053",
        level: Level::Warning,
        when: When::Always,
        title: "The origin null may read.",
        explanation: "Every sandboxed frame of every site has that origin.",
        hint: "Take null out, and serve the page that has it from an origin of its own.",
        asvs: &["3.4.2"],
        source: FETCH,
        test: Test::Stack(|facts| policy(facts, "null", |cors| cors.null && !cors.any)),
    },
    Rule {
        code: "donjon.W054",
        level: Level::Warning,
        when: When::Always,
        title: "Public sites may reach into a private network.",
        explanation: "Their pages talk to this site though only its network can reach it.",
        hint: "Leave private network access off, unless the site is meant for that.",
        asvs: &["3.4.2"],
        source: "https://wicg.github.io/private-network-access/",
        test: Test::Stack(|facts| policy(facts, "private network", |cors| cors.private_network)),
    },
    Rule {
        code: "donjon.W055",
        level: Level::Warning,
        when: When::Deploy,
        title: "An origin on the visitor's own machine may read.",
        explanation: "Whatever else runs on that port of a visitor's machine reads the site too.",
        hint: "Name localhost while developing only.",
        asvs: &["3.4.2"],
        source: FETCH,
        test: Test::Stack(|facts| origins(facts, |_, origin| is_local(origin))),
    },
    Rule {
        code: "donjon.E056",
        level: Level::Error,
        when: When::Always,
        title: "Other people's hosts match a pattern of origins.",
        explanation: "A pattern without an end lets https://bank.example.evil.example read, and a dot that is not \
                      escaped https://bankxexample: an attacker registers that name.",
        hint: "CorsBuilder::allow_pattern(r\"^https://[a-z]+\\.bank\\.example$\"), which refuses what is open.",
        asvs: &["3.4.2"],
        source: "https://docs.python.org/3/library/re.html#re.match",
        test: Test::Stack(|facts| {
            let patterns = facts.cors.iter().flat_map(|cors| &cors.loose_patterns);
            patterns.map(|pattern| format!("cors: pattern {pattern}")).collect()
        }),
    },
];

fn policy(facts: &Facts, what: &str, fault: impl Fn(&Cors) -> bool) -> Vec<String> {
    one(facts.cors.as_ref().is_some_and(fault).then_some(&format!("cors: {what}")))
}

fn origins(facts: &Facts, fault: impl Fn(&Cors, &str) -> bool) -> Vec<String> {
    let pairs = facts.cors.iter().flat_map(|cors| cors.origins.iter().map(move |o| (cors, o)));
    let faulty = pairs.filter(|(cors, origin)| fault(cors, origin));
    faulty.map(|(_, origin)| format!("cors: {origin}")).collect()
}

fn in_clear(origin: &str) -> bool {
    origin.starts_with("http://")
}

/// Is the origin on the visitor's own machine, where nobody is on the way?
pub(super) fn is_local(origin: &str) -> bool {
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name == "localhost" || name.ends_with(".localhost") || name == "127.0.0.1" || name == "[::1]"
}
