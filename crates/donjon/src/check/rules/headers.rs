//! What browsers are told to refuse.

use crate::check::facts::{Facts, Route};
use crate::check::finding::{Level, Rule, Test, When};

use super::{DJANGO, one};

/// What `Referrer-Policy` may be. Django: `REFERRER_POLICY_VALUES`.
const REFERRER_POLICIES: [&str; 8] = [
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
];

/// Those that tell other sites more than the site's name, or tell it in clear.
const TELLING: [&str; 4] =
    ["no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "unsafe-url"];

/// What `Cross-Origin-Opener-Policy` may be; Django knows the first three.
const OPENER_POLICIES: [&str; 4] =
    ["same-origin", "same-origin-allow-popups", "unsafe-none", "noopener-allow-popups"];

const OPENER: &str = "cross-origin-opener-policy";
const RESOURCE: &str = "cross-origin-resource-policy";

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "security.W002",
        level: Level::Warning,
        when: When::Deploy,
        title: "No X-Frame-Options is sent (XFrameOptionsMiddleware).",
        explanation: "Another site shows this one in a frame, and has visitors click what they don't see.",
        hint: "HeadersPolicy::default().framing(Framing::Deny).",
        asvs: &["3.4.6"],
        source: DJANGO,
        test: Test::Stack(|facts| absent(facts, "x-frame-options")),
    },
    Rule {
        code: "security.W019",
        level: Level::Warning,
        when: When::Deploy,
        title: "X-Frame-Options is not DENY (X_FRAME_OPTIONS).",
        explanation: "A page of the same origin, which may be an uploaded one, shows this site in a frame.",
        hint: "framing(Framing::Deny) for the site, and Framing::SameOrigin for the routes that need it.",
        asvs: &["3.4.6"],
        source: DJANGO,
        test: Test::Stack(|facts| sent(facts, "x-frame-options", |value| value != "DENY")),
    },
    Rule {
        code: "security.W006",
        level: Level::Warning,
        when: When::Deploy,
        title: "No X-Content-Type-Options: nosniff is sent (SECURE_CONTENT_TYPE_NOSNIFF).",
        explanation: "Browsers run an uploaded picture or text as a script or a page, if it looks like one.",
        hint: "Leave the header in: take danger_without(&X_CONTENT_TYPE_OPTIONS) out.",
        asvs: &["3.4.4"],
        source: DJANGO,
        test: Test::Stack(|facts| {
            let nosniff = facts.header("x-content-type-options") == Some("nosniff");
            one((!nosniff).then_some("headers: x-content-type-options"))
        }),
    },
    Rule {
        code: "security.W022",
        level: Level::Warning,
        when: When::Deploy,
        title: "No Referrer-Policy is sent (SECURE_REFERRER_POLICY).",
        explanation: "Other sites learn which site, and in old browsers which page with what in its query, a visitor \
                      came from.",
        hint: "Leave the header in: its default is same-origin.",
        asvs: &["3.4.5"],
        source: DJANGO,
        test: Test::Stack(|facts| absent(facts, "referrer-policy")),
    },
    Rule {
        code: "security.E023",
        level: Level::Error,
        when: When::Deploy,
        title: "Referrer-Policy has a value that does not exist (SECURE_REFERRER_POLICY).",
        explanation: "Browsers ignore it.",
        hint: "Valid values are: no-referrer, no-referrer-when-downgrade, origin, origin-when-cross-origin, \
               same-origin, strict-origin, strict-origin-when-cross-origin, unsafe-url.",
        asvs: &["3.4.5"],
        source: DJANGO,
        test: Test::Stack(|facts| {
            sent(facts, "referrer-policy", |value| {
                referrers(value).any(|word| !REFERRER_POLICIES.contains(&word))
            })
        }),
    },
    Rule {
        code: "security.E024",
        level: Level::Error,
        when: When::Deploy,
        title: "Cross-Origin-Opener-Policy has a value that does not exist (SECURE_CROSS_ORIGIN_OPENER_POLICY).",
        explanation: "Browsers ignore it.",
        hint: "Valid values are: noopener-allow-popups, same-origin, same-origin-allow-popups, unsafe-none.",
        asvs: &["3.4.8"],
        source: DJANGO,
        test: Test::Stack(|facts| sent(facts, OPENER, |value| !OPENER_POLICIES.contains(&value))),
    },
    Rule {
        code: "donjon.W020",
        level: Level::Warning,
        when: When::Deploy,
        title: "Windows that other sites opened stay scriptable.",
        explanation: "Without Cross-Origin-Opener-Policy a site that opened this one keeps a hand on its window, and \
                      shares its process.",
        hint: "Send same-origin, or same-origin-allow-popups where a log-in with another site opens a window.",
        asvs: &["3.4.8"],
        source: "https://html.spec.whatwg.org/multipage/browsers.html#cross-origin-opener-policies",
        test: Test::Stack(|facts| weak(facts, OPENER, &["unsafe-none"])),
    },
    Rule {
        code: "donjon.W021",
        level: Level::Warning,
        when: When::Deploy,
        title: "Other sites may embed this one's answers.",
        explanation: "Without Cross-Origin-Resource-Policy pictures, scripts and data are loaded into other sites' \
                      processes, from where side channels read them.",
        hint: "HeadersPolicy::strict(), which sends same-origin; cross-origin for the files that others may show.",
        asvs: &["3.5.8"],
        source: "https://fetch.spec.whatwg.org/#cross-origin-resource-policy-header",
        test: Test::Stack(|facts| weak(facts, RESOURCE, &["cross-origin"])),
    },
    Rule {
        code: "donjon.I022",
        level: Level::Info,
        when: When::Deploy,
        title: "Pages are not isolated from what they embed.",
        explanation: "Without Cross-Origin-Embedder-Policy a page takes foreign pictures and scripts into its process \
                      without asking whether they may be there.",
        hint: "HeadersPolicy::strict(), which sends require-corp, if nothing foreign is embedded.",
        asvs: &[],
        source: "https://html.spec.whatwg.org/multipage/browsers.html#coep",
        test: Test::Stack(|facts| weak(facts, "cross-origin-embedder-policy", &["unsafe-none"])),
    },
    Rule {
        code: "donjon.I023",
        level: Level::Info,
        when: When::Deploy,
        title: "No Permissions-Policy is sent.",
        explanation: "An injected script, or a frame, asks for camera, microphone and place in the site's name.",
        hint: "HeadersPolicy::strict(), or permissions_policy(&PermissionsPolicy::powerless()).",
        asvs: &[],
        source: "https://www.w3.org/TR/permissions-policy/",
        test: Test::Stack(|facts| absent(facts, "permissions-policy")),
    },
    Rule {
        code: "donjon.W024",
        level: Level::Warning,
        when: When::Deploy,
        title: "Referrer-Policy tells other sites where a visitor came from.",
        explanation: "Addresses hold names, searches and one-time tokens; some of these values send them in clear.",
        hint: "Send same-origin, or strict-origin-when-cross-origin.",
        asvs: &["3.4.5"],
        source: "https://www.w3.org/TR/referrer-policy/",
        test: Test::Stack(|facts| {
            sent(facts, "referrer-policy", |value| {
                referrers(value).last().is_some_and(|word| TELLING.contains(&word))
            })
        }),
    },
    Rule {
        code: "donjon.I025",
        level: Level::Info,
        when: When::Always,
        title: "Referrer-Policy: no-referrer takes the origin from the site's own forms.",
        explanation: "Their Origin is null then. Browsers that send no Fetch Metadata are refused by the CSRF check.",
        hint: "Send same-origin, which tells other sites as little.",
        asvs: &[],
        source: "https://fetch.spec.whatwg.org/#append-a-request-origin-header",
        test: Test::Stack(|facts| {
            sent(facts, "referrer-policy", |value| referrers(value).last() == Some("no-referrer"))
        }),
    },
    Rule {
        code: "donjon.I026",
        level: Level::Info,
        when: When::Always,
        title: "What the route says of frames has no effect.",
        explanation: "Browsers heed frame-ancestors before X-Frame-Options, and the route's is 'none'.",
        hint: "Change both: csp_update(|site| site.directive(Directive::FrameAncestors, [Source::SELF])).",
        asvs: &[],
        source: "https://www.w3.org/TR/CSP3/#frame-ancestors-and-frame-options",
        test: Test::Stack(|facts| {
            let closed = |own: &Facts| ancestors(own).is_some_and(|sources| sources == ["'none'"]);
            routes(facts, |route, own| route.target.own_policy().opens_frames() && closed(own))
        }),
    },
    Rule {
        code: "donjon.W027",
        level: Level::Warning,
        when: When::Always,
        title: "Every site may show the route in a frame.",
        explanation: "It sends neither X-Frame-Options nor frame-ancestors: a page around it has visitors click what \
                      they don't see.",
        hint: "Name who may with frame-ancestors: csp_update, not csp_exempt.",
        asvs: &["3.4.6"],
        source: "https://www.w3.org/TR/CSP3/#directive-frame-ancestors",
        test: Test::Stack(|facts| {
            let open = |sent: &Facts| {
                sent.header("x-frame-options").is_none() && ancestors(sent).is_none()
            };
            routes(facts, |_, own| open(own) && !open(facts))
        }),
    },
];

fn ancestors(facts: &Facts) -> Option<&[String]> {
    facts.csp.as_ref().and_then(|csp| csp.own("frame-ancestors"))
}

/// The routes that this is true of, with what is sent with them.
fn routes(facts: &Facts, fault: impl Fn(&Route, &Facts) -> bool) -> Vec<String> {
    let faulty = |route: &&Route| route.facts.as_ref().is_some_and(|own| fault(route, own));
    let faulty = facts.routes.iter().filter(faulty);
    faulty.map(|route| format!("route {}: frames", route.target.path())).collect()
}

/// The values of a list, of which browsers take the last that they know.
fn referrers(value: &str) -> impl DoubleEndedIterator<Item = &str> {
    value.split(',').map(str::trim)
}

fn absent(facts: &Facts, name: &str) -> Vec<String> {
    one(facts.header(name).is_none().then_some(&format!("headers: {name}")))
}

/// Is this true of the header, where it is sent?
fn sent(facts: &Facts, name: &str, fault: impl Fn(&str) -> bool) -> Vec<String> {
    one(facts.header(name).is_some_and(fault).then_some(&format!("headers: {name}")))
}

/// Is the header missing, or one of these?
fn weak(facts: &Facts, name: &str, values: &[&str]) -> Vec<String> {
    let strong = facts.header(name).is_some_and(|value| !values.contains(&value));
    one((!strong).then_some(&format!("headers: {name}")))
}
