//! What other sites may load with a visitor's cookies.

use crate::check::facts::{Facts, Isolation, Route};
use crate::check::finding::{Level, Rule, Test, When};
use crate::stack::Access;

use super::cors::is_local;
use super::one;

const GUIDE: &str = "https://web.dev/articles/fetch-metadata";
const LEAKS: &str = "https://xsleaks.dev/docs/defenses/isolation-policies/resource-isolation/";

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "donjon.W090",
        level: Level::Warning,
        when: When::Deploy,
        title: "Other sites may load what belongs to a visitor.",
        explanation: "A page of another site loads this one's with the visitor's cookies, and tells from its size, \
                      its time or its frames what it says.",
        hint: "Take danger_without_isolation out; isolation_exempt is for the routes that others may load.",
        asvs: &["3.5.8"],
        source: GUIDE,
        test: Test::Stack(|facts| {
            one(facts.isolation.is_none().then_some("isolation: danger_without_isolation"))
        }),
    },
    Rule {
        code: "donjon.W091",
        level: Level::Warning,
        when: When::Always,
        title: "A route for users may be loaded by other sites.",
        explanation: "It is exempt from isolation, which is for what is the same for everybody; that somebody must be \
                      logged in makes it theirs.",
        hint: "Take isolation_exempt or login_required off.",
        asvs: &["3.5.8"],
        source: LEAKS,
        test: Test::Stack(|facts| facts.routes.iter().filter_map(shared).collect()),
    },
    Rule {
        code: "donjon.I092",
        level: Level::Info,
        when: When::Always,
        title: "All hosts of the domain may load what belongs to a visitor.",
        explanation: "The weakest of them, or one that is abandoned and taken over, reads it.",
        hint: "Take allow_same_site out, and trust the origins that need it.",
        asvs: &["3.5.8"],
        source: GUIDE,
        test: Test::Stack(|facts| {
            policy(facts, |isolation| isolation.siblings.then(|| "allow_same_site".to_owned()))
        }),
    },
    Rule {
        code: "donjon.W093",
        level: Level::Warning,
        when: When::Deploy,
        title: "Scripts of an origin in clear may load what belongs to a visitor.",
        explanation: "Whoever is on the way of a visitor to that origin puts a script in.",
        hint: "Trust it with https:.",
        asvs: &["3.5.8", "12.2.1"],
        source: GUIDE,
        test: Test::Stack(|facts| {
            policy(facts, |isolation| {
                let in_clear =
                    |origin: &&String| origin.starts_with("http://") && !is_local(origin);
                isolation.trusted.iter().find(in_clear).map(|origin| format!("trusts {origin}"))
            })
        }),
    },
];

fn policy(facts: &Facts, fault: impl Fn(&Isolation) -> Option<String>) -> Vec<String> {
    let fault = facts.isolation.as_ref().and_then(fault);
    fault.map(|fault| format!("isolation: {fault}")).into_iter().collect()
}

fn shared(route: &Route) -> Option<String> {
    let policy = route.target.own_policy();
    let shared = policy.is_isolation_exempt() && policy.access() != Access::Everybody;
    shared.then(|| format!("route {}: isolation_exempt", route.target.path()))
}
