//! What an answer must be.

use donjon_core::origin::Scheme;
use http::StatusCode;

use super::answer::{Answer, Cookie};
use super::question::{MARKUP, Question, STRANGER, UNKNOWN_HEADER};
use crate::check::finding::Rule;
use crate::check::rules::router as rules;

/// Headers of which a second one confuses browsers.
const SINGLE: [&str; 10] = [
    "access-control-allow-origin",
    "content-security-policy",
    "content-type",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
];

/// What a page for visitors never says.
const INSIDES: [&str; 12] = [
    "panicked at",
    "stack backtrace",
    "RUST_BACKTRACE",
    "Traceback (most recent call last)",
    ".rs:",
    "SELECT * FROM",
    "INSERT INTO ",
    "SQLSTATE",
    "sqlx::",
    "sea_orm::",
    "postgres://",
    "(os error ",
];

/// The most bytes of a cookie's name and value.
const MAX_COOKIE: usize = 4096;

/// The rules for every answer.
pub(super) fn always(question: &Question, answer: &Answer) -> Vec<Hit> {
    let rules: [fn(&Question, &Answer) -> Vec<Hit>; 6] =
        [headers, hsts, doubled, content, cookies, failure];
    rules.into_iter().flat_map(|rule| rule(question, answer)).collect()
}

/// A rule that an answer breaks.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) rule: &'static Rule,
    /// What all answers that break it alike have in common; may be nothing.
    pub(super) subject: String,
    /// The answer.
    pub(super) evidence: String,
}

/// The answer breaks the rule, like others that this is said of.
fn hit(rule: &'static Rule, subject: &str, question: &Question, answer: &Answer) -> Hit {
    let evidence = format!("{question} → {}", answer.status.as_u16());
    Hit { rule, subject: subject.to_owned(), evidence }
}

/// The rule, if it is broken.
fn broken(fault: Option<&'static Rule>, question: &Question, answer: &Answer) -> Vec<Hit> {
    fault.map(|rule| hit(rule, "", question, answer)).into_iter().collect()
}

/// The rule, if it is broken: said of the route and method, however they were asked.
fn of_route(fault: Option<&'static Rule>, question: &Question, answer: &Answer) -> Vec<Hit> {
    let evidence = format!("{} → {}", question.kind(), answer.status.as_u16());
    let hit = |rule| Hit { rule, subject: question.route(), evidence };
    fault.map(hit).into_iter().collect()
}

fn headers(question: &Question, answer: &Answer) -> Vec<Hit> {
    let csp = answer.header("content-security-policy");
    let framing = csp.contains("frame-ancestors") || !answer.header("x-frame-options").is_empty();
    let there = [
        (answer.header("x-content-type-options") == "nosniff", "x-content-type-options"),
        (!csp.is_empty(), "content-security-policy"),
        (framing, "x-frame-options"),
        (!answer.header("referrer-policy").is_empty(), "referrer-policy"),
        (!answer.header("cross-origin-opener-policy").is_empty(), "cross-origin-opener-policy"),
    ];
    let missing: Vec<&str> =
        there.iter().filter(|(there, _)| !there).map(|(_, name)| *name).collect();
    match missing.as_slice() {
        [] => Vec::new(),
        names => vec![hit(&rules::LACKS_HEADERS, &without(names), question, answer)],
    }
}

fn without(names: &[&str]) -> String {
    format!("without {}", names.join(", "))
}

/// A refused host is no host to come back to.
fn hsts(question: &Question, answer: &Answer) -> Vec<Hit> {
    let missing = answer.header("strict-transport-security").is_empty();
    let owed = question.scheme == Scheme::Https && answer.status != StatusCode::BAD_REQUEST;
    broken((missing && owed).then_some(&rules::NO_HSTS), question, answer)
}

fn doubled(question: &Question, answer: &Answer) -> Vec<Hit> {
    let twice = |name: &&&str| answer.headers.get_all(**name).iter().count() > 1;
    let names = SINGLE.iter().filter(twice);
    names.map(|name| hit(&rules::DOUBLED_HEADER, name, question, answer)).collect()
}

fn content(question: &Question, answer: &Answer) -> Vec<Hit> {
    let telling =
        ["server", "x-powered-by"].into_iter().filter(|name| !answer.header(name).is_empty());
    let mut found: Vec<_> =
        telling.map(|name| hit(&rules::TELLS_SOFTWARE, name, question, answer)).collect();
    let unnamed = answer.is_html() && !answer.header("content-type").contains("charset=");
    found.extend(broken(unnamed.then_some(&rules::NO_CHARSET), question, answer));
    found
}

fn failure(question: &Question, answer: &Answer) -> Vec<Hit> {
    if !answer.status.is_client_error() && !answer.status.is_server_error() {
        return Vec::new();
    }
    let told = INSIDES.into_iter().filter(|inside| answer.body.contains(inside));
    let mut found: Vec<_> = told
        .map(|inside| hit(&rules::TELLS_INSIDES, &format!("{inside:?}"), question, answer))
        .collect();
    let fails = answer.status.is_server_error() && answer.status != StatusCode::SERVICE_UNAVAILABLE;
    found.extend(broken(fails.then_some(&rules::FAILS), question, answer));
    found
}

fn cookies(question: &Question, answer: &Answer) -> Vec<Hit> {
    let set = answer.cookies().filter(|cookie| !cookie.is_deleted());
    set.flat_map(|cookie| cookie_faults(question, &cookie)).collect()
}

fn cookie_faults(question: &Question, cookie: &Cookie) -> Vec<Hit> {
    let over_https = question.scheme == Scheme::Https;
    let open = matches!(cookie.same_site(), "" | "none");
    let for_scripts = cookie.attribute("httponly").is_none() && !cookie.name.contains("csrf");
    let faults = [
        (over_https && !cookie.is_secure(), &rules::COOKIE_NOT_SECURE),
        (open, &rules::COOKIE_WITHOUT_SAME_SITE),
        (for_scripts, &rules::COOKIE_FOR_SCRIPTS),
        (is_refused(cookie), &rules::COOKIE_REFUSED),
    ];
    let faults = faults.into_iter().filter(|(broken, _)| *broken);
    let hit = |rule| Hit {
        rule,
        subject: format!("cookie {:?}", cookie.name),
        evidence: question.uri.path().to_owned(),
    };
    faults.map(|(_, rule)| hit(rule)).collect()
}

/// What RFC 6265bis makes browsers do.
fn is_refused(cookie: &Cookie) -> bool {
    let name = cookie.name.to_ascii_lowercase();
    let whole_host = cookie.attribute("path") == Some("/") && cookie.attribute("domain").is_none();
    (name.starts_with("__host-") && !(cookie.is_secure() && whole_host))
        || (name.starts_with("__secure-") && !cookie.is_secure())
        || (cookie.same_site() == "none" && !cookie.is_secure())
        || cookie.length > MAX_COOKIE
}

/// Not even a handler that refuses an empty form may have run.
pub(super) fn forgery(question: &Question, answer: &Answer) -> Vec<Hit> {
    let refused = [StatusCode::FORBIDDEN, StatusCode::METHOD_NOT_ALLOWED].contains(&answer.status);
    of_route((!refused).then_some(&rules::FORGERY), question, answer)
}

pub(super) fn host(question: &Question, answer: &Answer) -> Vec<Hit> {
    let refusals = [StatusCode::BAD_REQUEST, StatusCode::MISDIRECTED_REQUEST];
    let answered = !refusals.contains(&answer.status);
    broken(answered.then_some(&rules::ANY_HOST), question, answer)
}

pub(super) fn trace(question: &Question, answer: &Answer) -> Vec<Hit> {
    broken(answer.status.is_success().then_some(&rules::ANSWERS_TRACE), question, answer)
}

/// Redirected to HTTPS, or refused.
pub(super) fn in_clear(question: &Question, answer: &Answer) -> Vec<Hit> {
    let there = answer.status.is_redirection() && answer.header("location").starts_with("https://");
    let answered = !there && !answer.status.is_client_error();
    broken(answered.then_some(&rules::ANSWERS_IN_CLEAR), question, answer)
}

pub(super) fn markup(question: &Question, answer: &Answer) -> Vec<Hit> {
    let shown = answer.is_html() && answer.body.contains(MARKUP);
    broken(shown.then_some(&rules::ECHOES_MARKUP), question, answer)
}

pub(super) fn redirect(question: &Question, answer: &Answer) -> Vec<Hit> {
    let away = leads_to_stranger(&answer.header("location"));
    broken(away.then_some(&rules::OPEN_REDIRECT), question, answer)
}

/// As browsers read it: the scheme may be missing, and backslashes are slashes.
fn leads_to_stranger(location: &str) -> bool {
    let location = location.replace('\\', "/");
    let after = ["https:", "http:"].into_iter().find_map(|scheme| location.strip_prefix(scheme));
    let rest = after.unwrap_or(&location);
    rest.starts_with("//") && rest.trim_start_matches('/').starts_with(STRANGER)
}

pub(super) fn reading(question: &Question, answer: &Answer) -> Vec<Hit> {
    let allowed = answer.header("access-control-allow-origin");
    let origin = question.headers.get("origin").and_then(|origin| origin.to_str().ok());
    let echoed = Some(allowed.as_str()) == origin;
    let credentials = answer.header("access-control-allow-credentials") == "true";
    let mut found = Vec::new();
    if echoed && credentials {
        found.extend(of_route(Some(&rules::READ_BY_STRANGERS), question, answer));
    } else if echoed || allowed == "*" {
        found.extend(of_route(Some(&rules::READ_BY_ALL), question, answer));
    }
    let reflects = answer.header("access-control-allow-headers").contains(UNKNOWN_HEADER);
    found.extend(of_route(reflects.then_some(&rules::REFLECTS_HEADERS), question, answer));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_redirects_are_read_as_browsers_read_them() {
        for away in [
            "https://stranger.invalid/",
            "http://stranger.invalid",
            "//stranger.invalid/",
            "/\\stranger.invalid/",
            "https:\\\\stranger.invalid",
            "///stranger.invalid/",
        ] {
            assert!(leads_to_stranger(away), "{away}");
        }
        for home in ["/", "/stranger.invalid/", "https://bank.example/?next=//stranger.invalid", ""]
        {
            assert!(!leads_to_stranger(home), "{home}");
        }
    }
}
