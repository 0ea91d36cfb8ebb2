//! What only the running router shows: see [`probe`](crate::check::probe).

use crate::check::finding::{Level, Rule, Test, When};

const OBSERVATORY: &str = "https://developer.mozilla.org/en-US/observatory/docs/tests_and_scoring";

const fn found(level: Level, code: &'static str) -> Rule {
    Rule {
        code,
        level,
        when: When::Always,
        title: "",
        explanation: "",
        hint: "",
        asvs: &[],
        source: OBSERVATORY,
        test: Test::Router,
    }
}

pub(in crate::check) static LACKS_HEADERS: Rule = Rule {
    title: "An answer lacks headers that protect it.",
    explanation: "Pages of errors and redirects are attacked like others: framed, sniffed, injected into.",
    hint: "Put the stack outside of everything that answers: router.layer(stack.into_layer()), or Routes.",
    asvs: &["3.4.3", "3.4.4", "3.4.5", "3.4.6", "3.4.8"],
    ..found(Level::Error, "donjon.E100")
};

pub(in crate::check) static NO_HSTS: Rule = Rule {
    when: When::Deploy,
    title: "An answer over HTTPS lacks Strict-Transport-Security.",
    explanation: "A browser that saw only this answer comes back in clear.",
    hint: "HttpsPolicy::hsts, outside of everything that answers.",
    asvs: &["3.4.1"],
    ..found(Level::Warning, "donjon.W101")
};

pub(in crate::check) static DOUBLED_HEADER: Rule = Rule {
    title: "A header is sent twice.",
    explanation: "Browsers take the first, the last, both or neither.",
    hint: "Set it in one place: a handler's own header stays, a layer's own is added to.",
    ..found(Level::Warning, "donjon.W102")
};

pub(in crate::check) static TELLS_SOFTWARE: Rule = Rule {
    title: "An answer tells which software made it.",
    explanation: "Whoever looks for sites with a known hole finds this one.",
    hint: "Remove Server and X-Powered-By.",
    asvs: &["13.4.6"],
    ..found(Level::Info, "donjon.I103")
};

pub(in crate::check) static NO_CHARSET: Rule = Rule {
    title: "A page does not say its character set.",
    explanation: "A browser that guesses another one reads harmless text as markup.",
    hint: "Content-Type: text/html; charset=utf-8.",
    asvs: &["4.1.1"],
    ..found(Level::Warning, "donjon.W104")
};

pub(in crate::check) static FORGERY: Rule = Rule {
    title: "A forged request was not refused.",
    explanation: "Any site makes its visitors' browsers send it, with their cookies.",
    hint: "Put the route inside the stack; if it is meant to be exempt, say so with Target::csrf_exempt.",
    asvs: &["3.5.1", "3.5.3"],
    source: "https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html",
    ..found(Level::Error, "donjon.E110")
};

pub(in crate::check) static COOKIE_NOT_SECURE: Rule = Rule {
    title: "A cookie that came over HTTPS has no Secure.",
    explanation: "The browser sends it in clear too.",
    hint: "Set Secure, and name the cookie __Host-….",
    asvs: &["3.3.1"],
    ..found(Level::Warning, "donjon.W120")
};

pub(in crate::check) static COOKIE_WITHOUT_SAME_SITE: Rule = Rule {
    title: "A cookie has no SameSite, or SameSite=None.",
    explanation: "Other sites' requests carry it.",
    hint: "SameSite=Lax.",
    asvs: &["3.3.2"],
    ..found(Level::Warning, "donjon.W121")
};

pub(in crate::check) static COOKIE_FOR_SCRIPTS: Rule = Rule {
    title: "Scripts may read a cookie.",
    explanation: "One injected script takes it along. That of the CSRF check, which scripts may need, is not meant.",
    hint: "HttpOnly.",
    asvs: &["3.3.4"],
    ..found(Level::Warning, "donjon.W122")
};

pub(in crate::check) static COOKIE_REFUSED: Rule = Rule {
    title: "Browsers refuse a cookie.",
    explanation: "__Host- demands Secure, Path=/ and no Domain, __Secure- and SameSite=None demand Secure, and name \
                  and value have 4096 bytes at most.",
    hint: "Give it the attributes that its name demands.",
    asvs: &["3.3.1", "3.3.5"],
    source: "https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#section-5.7",
    ..found(Level::Error, "donjon.E123")
};

pub(in crate::check) static READ_BY_STRANGERS: Rule = Rule {
    title: "A foreign origin may read an answer with cookies.",
    explanation: "The answer names whatever origin asks: any page that a visitor opens reads the site as that visitor.",
    hint: "Name the origins in a CorsPolicy.",
    asvs: &["3.4.2"],
    source: "https://fetch.spec.whatwg.org/#http-cors-protocol",
    ..found(Level::Error, "donjon.E130")
};

pub(in crate::check) static READ_BY_ALL: Rule = Rule {
    title: "A foreign origin may read an answer.",
    explanation: "What only the network protects, an intranet page or a service on localhost, is read by any page.",
    hint: "Name the origins in a CorsPolicy; silence this if the answer is public.",
    asvs: &["3.4.2"],
    source: "https://fetch.spec.whatwg.org/#http-cors-protocol",
    ..found(Level::Warning, "donjon.W131")
};

pub(in crate::check) static REFLECTS_HEADERS: Rule = Rule {
    title: "A preflight permits whatever header it is asked for.",
    explanation: "Other origins then send headers that only a proxy or the site's own scripts should.",
    hint: "Name the headers: CorsBuilder::headers.",
    asvs: &["3.4.2"],
    source: "https://fetch.spec.whatwg.org/#http-cors-protocol",
    ..found(Level::Warning, "donjon.W132")
};

pub(in crate::check) static TELLS_INSIDES: Rule = Rule {
    title: "A page of an error tells what is inside.",
    explanation: "Paths, queries and traces tell an attacker where to go on.",
    hint: "Log the reason, and answer with a sentence.",
    asvs: &["13.4.2", "16.5.1"],
    source: "https://cheatsheetseries.owasp.org/cheatsheets/Error_Handling_Cheat_Sheet.html",
    ..found(Level::Error, "donjon.E140")
};

pub(in crate::check) static ECHOES_MARKUP: Rule = Rule {
    title: "A page shows a part of its address as markup.",
    explanation: "A link to it runs an attacker's script in the site.",
    hint: "Escape it: templates do.",
    asvs: &["1.2.1"],
    source: "https://cheatsheetseries.owasp.org/cheatsheets/Cross_Site_Scripting_Prevention_Cheat_Sheet.html",
    ..found(Level::Critical, "donjon.C141")
};

pub(in crate::check) static ANY_HOST: Rule = Rule {
    title: "A request for an unknown host is answered.",
    explanation: "Links, redirects and mails are built from a host that an attacker chose.",
    hint: "Put the stack outside, with the hosts named in AllowedHosts.",
    asvs: &["1.2.2", "3.7.2"],
    source: "https://docs.djangoproject.com/en/6.0/topics/security/#host-header-validation",
    ..found(Level::Error, "donjon.E150")
};

pub(in crate::check) static OPEN_REDIRECT: Rule = Rule {
    title: "A redirect leads to another site, which the request has named.",
    explanation: "A link that begins with the site's own name leads to an attacker's copy of it.",
    hint: "Redirect to paths of one slash: escape_leading_slashes, or SafeNext.",
    asvs: &["3.7.2"],
    source: "https://cheatsheetseries.owasp.org/cheatsheets/Unvalidated_Redirects_and_Forwards_Cheat_Sheet.html",
    ..found(Level::Error, "donjon.E151")
};

pub(in crate::check) static ANSWERS_TRACE: Rule = Rule {
    title: "TRACE is answered.",
    explanation: "It echoes cookies and headers that proxies added.",
    hint: "Answer 405.",
    asvs: &["13.4.4", "4.1.4"],
    source: "https://www.rfc-editor.org/rfc/rfc9110#section-9.3.8",
    ..found(Level::Warning, "donjon.W160")
};

pub(in crate::check) static ANSWERS_IN_CLEAR: Rule = Rule {
    when: When::Deploy,
    title: "A request in clear is answered.",
    explanation: "What visitors read and send is read and changed on the way.",
    hint: "HttpsPolicy::default().redirect(); silence this where a proxy redirects.",
    asvs: &["4.1.2", "12.2.1"],
    ..found(Level::Warning, "donjon.W161")
};

pub(in crate::check) static NO_ANSWER: Rule = Rule {
    title: "A request got no answer.",
    explanation: "The handler panicked, or took too long: what it protects was not seen, and a request of this kind \
                  may be all that it takes to bring the site down.",
    hint: "Send the request by hand, and look at the log.",
    asvs: &["16.5.4"],
    source: "https://cheatsheetseries.owasp.org/cheatsheets/Denial_of_Service_Cheat_Sheet.html",
    ..found(Level::Warning, "donjon.W190")
};

pub(in crate::check) static FAILS: Rule = Rule {
    title: "A request that is odd, and no more, made the server fail.",
    explanation: "A status of 500 and above is for what is the server's own fault; each is an entry in its log, which \
                  an attacker can fill.",
    hint: "Answer what is wrong with the request with 400, 404 or 405.",
    asvs: &["16.5.1"],
    source: "https://www.rfc-editor.org/rfc/rfc9110#section-15.6",
    ..found(Level::Info, "donjon.I191")
};

/// All of them, for the catalogue.
pub(super) static RULES: [&Rule; 21] = [
    &LACKS_HEADERS,
    &NO_HSTS,
    &DOUBLED_HEADER,
    &TELLS_SOFTWARE,
    &NO_CHARSET,
    &FORGERY,
    &COOKIE_NOT_SECURE,
    &COOKIE_WITHOUT_SAME_SITE,
    &COOKIE_FOR_SCRIPTS,
    &COOKIE_REFUSED,
    &READ_BY_STRANGERS,
    &READ_BY_ALL,
    &REFLECTS_HEADERS,
    &TELLS_INSIDES,
    &ECHOES_MARKUP,
    &ANY_HOST,
    &OPEN_REDIRECT,
    &ANSWERS_TRACE,
    &ANSWERS_IN_CLEAR,
    &NO_ANSWER,
    &FAILS,
];
