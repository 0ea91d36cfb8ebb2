//! What is asked: a list of requests, each with what its own answer must not be.

use std::fmt;

use donjon_core::origin::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use super::answer::Answer;
use super::judge::{self, Hit};
use crate::check::checks::{Checks, Target};

/// A name that is nobody's (RFC 2606).
pub(super) const STRANGER: &str = "stranger.invalid";

/// A tag that no browser knows, so that nothing happens where it gets through.
pub(super) const MARKUP: &str = "<donjon-probe>";

/// A header that no site knows.
pub(super) const UNKNOWN_HEADER: &str = "x-donjon-probe";

/// A secret that an attacker planted in the visitor's browser, and sends.
const PLANTED: &str = "dj0njonpr0bepr0bepr0bepr0bepr0be";

/// What looks at the answer to one question besides the rules for all.
type Judge = fn(&Question, &Answer) -> Vec<Hit>;

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) scheme: Scheme,
    pub(super) judge: Judge,
    /// What is special about it, for the report.
    special: String,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.uri)?;
        if self.special.is_empty() { Ok(()) } else { write!(f, " ({})", self.special) }
    }
}

impl Question {
    /// A request over HTTPS of which only the rules for all are asked; none for a path that can be none.
    fn new(method: Method, path: &str) -> Option<Self> {
        Some(Self {
            method,
            uri: path.parse().ok()?,
            headers: HeaderMap::new(),
            scheme: Scheme::Https,
            judge: |_, _| Vec::new(),
            special: String::new(),
        })
    }

    fn about(self, about: impl Into<String>) -> Self {
        Self { special: about.into(), ..self }
    }

    /// Method and path.
    pub(super) fn route(&self) -> String {
        format!("{} {}", self.method, self.uri.path())
    }

    /// What is special about it; of a plain request, all of it.
    pub(super) fn kind(&self) -> String {
        if self.special.is_empty() { self.to_string() } else { self.special.clone() }
    }

    fn judged(self, judge: Judge) -> Self {
        Self { judge, ..self }
    }

    fn in_clear(self) -> Self {
        Self { scheme: Scheme::Http, ..self }
    }

    fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    fn headers(self, pairs: &[(&'static str, &str)]) -> Self {
        let add = |question: Self, (name, value): &(&'static str, &str)| {
            question.header(HeaderName::from_static(name), value)
        };
        pairs.iter().fold(self, add)
    }
}

/// All questions.
pub(super) fn questions(host: &str, checks: &Checks) -> Vec<Question> {
    let routes = checks.routes.iter();
    let of_routes = routes.flat_map(|route| {
        [visits(route), wrong_methods(route), readers(host, route), forgeries(host, route)].concat()
    });
    nowhere().into_iter().chain(of_routes).collect()
}

/// What no route is for.
fn nowhere() -> Vec<Question> {
    let get = |path: &str| Question::new(Method::GET, path);
    let missing = "/donjon-probe/missing/";
    let asked = [
        get(missing),
        Question::new(Method::POST, missing),
        get("/donjon-probe/%3Cdonjon-probe%3E/").map(|q| q.judged(judge::markup)),
        get(missing).map(to_stranger),
        get("//stranger.invalid").map(|q| q.judged(judge::redirect)),
        get("//stranger.invalid/%2e%2e").map(|q| q.judged(judge::redirect)),
        get("/%5cstranger.invalid").map(|q| q.judged(judge::redirect)),
    ];
    asked.into_iter().flatten().collect()
}

/// Names a host that the site does not answer to.
fn to_stranger(question: Question) -> Question {
    let about = format!("Host: {STRANGER}");
    question.header(header::HOST, STRANGER).about(about).judged(judge::host)
}

/// What visitors ask of a page.
fn visits(route: &Target) -> Vec<Question> {
    if !route.answers(&Method::GET) {
        return Vec::new();
    }
    let get = |query: &str| {
        let question = Question::new(Method::GET, &format!("{}{query}", route.address()));
        let navigation = [
            ("accept", "text/html"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        question.map(|question| question.headers(&navigation))
    };
    let asked = [
        get(""),
        get("").map(to_stranger),
        get("").map(|q| q.in_clear().about("over HTTP").judged(judge::in_clear)),
        get("?next=https%3A%2F%2Fstranger.invalid%2F").map(|q| q.judged(judge::redirect)),
        get("?next=%3Cdonjon-probe%3E&q=%3Cdonjon-probe%3E").map(|q| q.judged(judge::markup)),
    ];
    asked.into_iter().flatten().collect()
}

/// Methods that the route does not have; safe ones, which no CSRF check answers.
fn wrong_methods(route: &Target) -> Vec<Question> {
    let wrong = [Method::GET, Method::OPTIONS].into_iter().find(|method| !route.answers(method));
    let wrong = wrong.and_then(|method| Question::new(method, route.address()));
    let trace = Question::new(Method::TRACE, route.address());
    wrong.into_iter().chain(trace.map(|question| question.judged(judge::trace))).collect()
}

/// What scripts of other origins ask: to know what they may, and to read. The last looks like the
/// site's own to a pattern without an end.
fn readers(host: &str, route: &Target) -> Vec<Question> {
    let alike = format!("https://{host}.{STRANGER}");
    let origins = [format!("https://{STRANGER}"), "null".to_owned(), alike];
    origins
        .iter()
        .flat_map(|origin| [preflight(route, origin), read(route, origin)])
        .flatten()
        .collect()
}

fn preflight(route: &Target, origin: &str) -> Option<Question> {
    let question = Question::new(Method::OPTIONS, route.address())?;
    let method = route.unsafe_methods().next().unwrap_or(&Method::GET);
    let asked = question.headers(&[
        ("origin", origin),
        ("access-control-request-method", method.as_str()),
        ("access-control-request-headers", UNKNOWN_HEADER),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "cors"),
    ]);
    Some(asked.about(format!("preflight of {origin}")).judged(judge::reading))
}

fn read(route: &Target, origin: &str) -> Option<Question> {
    route.answers(&Method::GET).then_some(())?;
    let question = Question::new(Method::GET, route.address())?;
    let asked = question.headers(&[
        ("origin", origin),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-dest", "empty"),
    ]);
    Some(asked.about(format!("Origin: {origin}")).judged(judge::reading))
}

/// Requests that another site made the browser send. Those of an exempt route are expected to pass.
fn forgeries(host: &str, route: &Target) -> Vec<Question> {
    if route.is_csrf_exempt() {
        return Vec::new();
    }
    route.unsafe_methods().flat_map(|method| forged(host, route, method)).collect()
}

fn forged(host: &str, route: &Target, method: &Method) -> Vec<Question> {
    let (foreign, sibling) = (format!("https://{STRANGER}"), format!("https://sibling.{host}"));
    let cookie = format!("csrftoken={PLANTED}");
    let ways: [(&str, &[(&'static str, &str)]); 6] = [
        ("without a proof", &[]),
        ("cross-site", &[("sec-fetch-site", "cross-site"), ("origin", &foreign)]),
        ("foreign Origin", &[("origin", &foreign)]),
        ("Origin: null", &[("origin", "null")]),
        ("same-site", &[("sec-fetch-site", "same-site"), ("origin", &sibling)]),
        ("planted cookie", &[("origin", &foreign), ("cookie", &cookie), ("x-csrftoken", PLANTED)]),
    ];
    let question = |(about, headers): (&str, &[(&'static str, &str)])| {
        let question = Question::new(method.clone(), route.address())?;
        let form = question.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        Some(form.headers(headers).about(about).judged(judge::forgery))
    };
    ways.into_iter().filter_map(question).collect()
}
