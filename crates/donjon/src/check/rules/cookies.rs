//! The cookies of the session and of the CSRF check.

use donjon_core::cookie::{CookieSettings, SameSite, Scripts};

use crate::check::facts::Facts;
use crate::check::finding::{Level, Rule, Test, When};

use super::DJANGO;

const PREFIXES: &str =
    "https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-4.1.3";

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "security.W012",
        level: Level::Warning,
        when: When::Deploy,
        title: "The session's cookie travels in clear (SESSION_COOKIE_SECURE).",
        explanation: "Whoever reads it on the way is the user.",
        hint: "SessionPolicy::hardened(), or HttpsPolicy::default().redirect(): then no request in clear gets a cookie.",
        asvs: &["3.3.1"],
        source: DJANGO,
        test: Test::Stack(|facts| {
            cookies(facts, |room, cookie| room == "session" && facts.travels_in_clear(cookie))
        }),
    },
    Rule {
        code: "security.W015",
        level: Level::Warning,
        when: When::Deploy,
        title: "Scripts may read the session's cookie (SESSION_COOKIE_HTTPONLY).",
        explanation: "One injected script takes the session along.",
        hint: "Scripts::MayNotRead, which is the default.",
        asvs: &["3.3.4"],
        source: DJANGO,
        test: Test::Stack(|facts| {
            cookies(facts, |room, cookie| room == "session" && cookie.scripts == Scripts::MayRead)
        }),
    },
    Rule {
        code: "security.W016",
        level: Level::Warning,
        when: When::Deploy,
        title: "The CSRF cookie travels in clear (CSRF_COOKIE_SECURE).",
        explanation: "Whoever reads it on the way can make tokens.",
        hint: "CsrfPolicy::hardened(…), or HttpsPolicy::default().redirect(): then no request in clear gets a cookie.",
        asvs: &["3.3.1"],
        source: DJANGO,
        test: Test::Stack(|facts| {
            cookies(facts, |room, cookie| room == "csrf" && facts.travels_in_clear(cookie))
        }),
    },
    Rule {
        code: "donjon.W060",
        level: Level::Warning,
        when: When::Deploy,
        title: "The cookie's name has no __Host- in front.",
        explanation: "A sibling host, or whoever is on the way to one in clear, plants a cookie of this name.",
        hint: "SessionPolicy::hardened() and CsrfPolicy::hardened(\"__Host-sessionid\").",
        asvs: &["3.3.1", "3.3.3"],
        source: PREFIXES,
        test: Test::Stack(|facts| cookies(facts, |_, cookie| !cookie.name.starts_with("__Host-"))),
    },
    Rule {
        code: "donjon.W061",
        level: Level::Warning,
        when: When::Always,
        title: "The cookie is sent from other sites, or SameSite is left to the browser.",
        explanation: "Forged requests arrive with the visitor's session; one of three defences is gone.",
        hint: "SameSite::Lax, which is the default, or SameSite::Strict.",
        asvs: &["3.3.2"],
        source: "https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-5.6.7",
        test: Test::Stack(|facts| {
            cookies(facts, |_, cookie| matches!(cookie.same_site, SameSite::None | SameSite::Unset))
        }),
    },
    Rule {
        code: "donjon.W062",
        level: Level::Warning,
        when: When::Always,
        title: "All hosts of a domain get the cookie.",
        explanation: "The weakest of them, or one that is abandoned and taken over, reads it and sets it.",
        hint: "Leave domain at None; give each host a cookie of its own.",
        asvs: &["3.3.3"],
        source: PREFIXES,
        test: Test::Stack(|facts| cookies(facts, |_, cookie| cookie.domain.is_some())),
    },
    Rule {
        code: "donjon.E063",
        level: Level::Error,
        when: When::Always,
        title: "Browsers refuse the cookie.",
        explanation: "Its name's prefix, or SameSite=None, demands attributes that it does not have: nobody stays \
                      logged in, and no form is accepted.",
        hint: "Set it with SessionPolicy::cookie or CsrfPolicy::cookie, which say what is wrong, not with \
               danger_cookie.",
        asvs: &["3.3.1"],
        source: PREFIXES,
        test: Test::Stack(|facts| cookies(facts, |_, cookie| cookie.check().is_err())),
    },
];

/// The cookies that this is true of.
fn cookies(facts: &Facts, fault: impl Fn(&str, &CookieSettings) -> bool) -> Vec<String> {
    let faulty = facts.cookies().filter(|(room, cookie)| fault(room, cookie));
    faulty.map(|(room, cookie)| format!("{room}: cookie {:?}", cookie.name)).collect()
}
