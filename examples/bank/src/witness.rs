//! What the bank saw of the attacks, kept in memory for the pages that show it.
//!
//! 1. Only requests whose query names an attack and a run (`?attack=form&run=x`) are kept: the
//!    latest [`CAPACITY`], and of a client's text at most [`MAX_TEXT`] characters.
//! 2. Cookies are kept by name, never by value.
//! 3. Nothing here decides: the stack has refused or passed the request already.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use donjon::csrf::{CsrfPolicy, Decision, Failure, Reason, decide};
use donjon::isolation::{self, IsolationPolicy, Readers};
use donjon_core::cookie::Cookies;
use donjon_html::context;
use donjon_html::template::Value;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde::Serialize;

use crate::attack::{self, Attack};

/// How many answers are kept.
pub const CAPACITY: usize = 100;

/// How many characters of a client's text are kept.
pub const MAX_TEXT: usize = 200;

/// The cookies whose coming along is worth telling.
const TOLD_COOKIES: [&str; 2] = ["sessionid", "csrftoken"];

/// A rule of one of Donjon's rooms, by the number in its documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The room: `csrf` or `isolation`.
    pub room: &'static str,
    /// The number.
    pub number: u8,
    /// What the rule is about.
    pub name: &'static str,
}

impl Rule {
    /// The rule that a request was refused by.
    #[must_use]
    pub fn of(reason: &Reason) -> Self {
        let (number, name) = match reason {
            Reason::BadOrigin(_) => (2, "the request’s origin"),
            Reason::NoReferer
            | Reason::MalformedReferer
            | Reason::InsecureReferer
            | Reason::BadReferer(_) => (3, "the page that sent it"),
            Reason::BadFetchSite(_) => (4, "where the browser says it comes from"),
            Reason::NoSecret | Reason::BadSecret(_) => (7, "the secret in the cookie"),
            Reason::NoToken => (8, "the token"),
            Reason::Duplicate(_) => (11, "nothing twice"),
            _ => (9, "token and secret agree"),
        };
        Self { room: "csrf", number, name }
    }

    /// What other sites may not load.
    const ISOLATION: Self =
        Self { room: "isolation", number: 4, name: "other sites may link, and load nothing" };
}

/// Why a request was refused; the failure view leaves it in the response.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The rule.
    pub rule: Rule,
    /// The reason in the log's words.
    pub reason: String,
    /// What else would have refused it.
    pub also: Option<String>,
}

impl Refusal {
    /// What a failure amounts to.
    #[must_use]
    pub fn of(failure: &Failure<'_>) -> Self {
        Self {
            rule: Rule::of(failure.reason),
            reason: shortened(&failure.reason.to_string()),
            also: also(failure),
        }
    }

    /// What isolation, which has no failure view, refused: it is asked once more.
    fn by_isolation(method: &Method, headers: &HeaderMap, status: StatusCode) -> Option<Self> {
        let policy = IsolationPolicy::default();
        match isolation::decide(&policy, method, headers, Readers::Nobody) {
            isolation::Decision::Refuse(reason, _) if status == StatusCode::FORBIDDEN => {
                Some(Self { rule: Rule::ISOLATION, reason: sentence(reason), also: None })
            }
            _ => None,
        }
    }
}

/// The reason as a sentence of its own.
fn sentence(reason: isolation::Reason) -> String {
    match reason {
        isolation::Reason::NotNavigation => {
            "Another site loads it for a page of its own, and is no link that somebody followed."
        }
        isolation::Reason::Framed => "Another site shows it in a frame.",
        isolation::Reason::Embedded => "Another site loads it into what is no window.",
        _ => "The browser says nothing that browsers say.",
    }
    .to_owned()
}

/// The proofs that lie behind Fetch Metadata: Django's look at the origin, and the secret.
fn also(failure: &Failure<'_>) -> Option<String> {
    if !matches!(failure.reason, Reason::BadFetchSite(_)) {
        return None;
    }
    let django = CsrfPolicy::django();
    let mut reasons = Vec::new();
    if let Decision::Refuse(reason) = decide(&django, failure.site, &Method::POST, failure.headers)
    {
        reasons.push(shortened(&reason.to_string()));
    }
    if Cookies::of(failure.headers).value("csrftoken").is_none() {
        reasons.push(Reason::NoSecret.to_string());
    }
    (!reasons.is_empty()).then(|| reasons.join(" "))
}

/// What became of one request of an attack.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The attack's id.
    pub attack: &'static str,
    /// The run: what the attacker's page calls this press of the button.
    pub run: String,
    /// The request's method.
    pub method: String,
    /// The request's path, without its query.
    pub path: String,
    /// The response's status.
    pub status: u16,
    /// The rule that refused it, if one did.
    pub rule: Option<Rule>,
    /// The reason in the log's words.
    pub reason: Option<String>,
    /// What else would have refused it.
    pub also: Option<String>,
    /// What the status means, where no rule refused.
    pub meaning: &'static str,
    /// `Origin`.
    pub origin: String,
    /// `Sec-Fetch-Site`.
    pub fetch_site: String,
    /// The names of the bank's cookies that came along.
    pub cookies: Vec<&'static str>,
}

impl From<&Answer> for Value {
    fn from(answer: &Answer) -> Self {
        let rule = answer
            .rule
            .map(|rule| context! { room: rule.room, number: rule.number, name: rule.name });
        context! {
            title: attack::find(answer.attack).map(|attack| attack.title),
            method: answer.method.as_str(),
            path: answer.path.as_str(),
            status: answer.status,
            rule,
            reason: answer.reason.clone(),
            also: answer.also.clone(),
            meaning: answer.meaning,
            origin: answer.origin.as_str(),
            fetch_site: answer.fetch_site.as_str(),
            cookies: answer.cookies.clone(),
        }
        .into()
    }
}

/// The latest answers; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<VecDeque<Answer>>>);

impl Witness {
    fn answers(&self) -> MutexGuard<'_, VecDeque<Answer>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, answer: Answer) {
        let mut answers = self.answers();
        if answers.len() == CAPACITY {
            answers.pop_front();
        }
        answers.push_back(answer);
    }

    /// All answers, the newest first.
    #[must_use]
    pub fn latest(&self) -> Vec<Answer> {
        self.answers().iter().rev().cloned().collect()
    }

    /// The answers to this run of an attack, in the order in which they were given.
    #[must_use]
    pub fn of_run(&self, run: &str) -> Vec<Answer> {
        self.answers().iter().filter(|answer| answer.run == run).cloned().collect()
    }
}

/// The attack and the run that a request's query names.
fn marked(uri: &Uri) -> Option<(&'static Attack, String)> {
    let (mut attack, mut run) = (None, None);
    for pair in uri.query()?.split('&') {
        match pair.split_once('=') {
            Some(("attack", id)) => attack = attack::find(id),
            Some(("run", id)) if !id.is_empty() => run = Some(shortened(id)),
            _ => {}
        }
    }
    Some((attack?, run?))
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// The middleware that takes the notes; outside of everything.
pub async fn watch(State(witness): State<Witness>, request: Request, next: Next) -> Response {
    let Some((attack, run)) = marked(request.uri()) else { return next.run(request).await };
    let (method, path) = (request.method().clone(), shortened(request.uri().path()));
    let headers = request.headers().clone();
    let response = next.run(request).await;
    let status = response.status();
    let refusal = response.extensions().get().cloned();
    let refusal = refusal.or_else(|| Refusal::by_isolation(&method, &headers, status));
    let rule = refusal.as_ref().map(|refusal| refusal.rule);
    let (reason, also) =
        refusal.map_or((None, None), |refusal| (Some(refusal.reason), refusal.also));
    witness.note(Answer {
        attack: attack.id,
        run,
        status: status.as_u16(),
        rule,
        reason,
        also,
        meaning: meaning(&method, status),
        method: shortened(method.as_str()),
        path,
        origin: text(&headers, header::ORIGIN.as_str()),
        fetch_site: text(&headers, "sec-fetch-site"),
        cookies: told(&headers),
    });
    response
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    shortened(value.unwrap_or_default())
}

fn told(headers: &HeaderMap) -> Vec<&'static str> {
    let came = |name: &&str| Cookies::of(headers).value(name).is_some();
    TOLD_COOKIES.into_iter().filter(came).collect()
}

fn meaning(method: &Method, status: StatusCode) -> &'static str {
    match (method, status) {
        (&Method::OPTIONS, _) => {
            "The browser asked whether it may send this, was not told so, and sent nothing more."
        }
        (_, StatusCode::METHOD_NOT_ALLOWED) => "This address does not take that method.",
        (&Method::GET, StatusCode::OK) => "A GET only shows the form; it moves nothing.",
        (_, StatusCode::UNAUTHORIZED) => "Without cookies this is nobody’s balance.",
        (_, StatusCode::FOUND) => "The bank does not know this visitor, and asks for a log-in.",
        (_, StatusCode::UNSUPPORTED_MEDIA_TYPE) => "The API takes application/json only.",
        _ => "The request was answered.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(run: &str) -> Answer {
        Answer {
            attack: "form",
            run: run.to_owned(),
            method: "POST".to_owned(),
            path: "/".to_owned(),
            status: 403,
            rule: None,
            reason: None,
            also: None,
            meaning: "",
            origin: String::new(),
            fetch_site: String::new(),
            cookies: Vec::new(),
        }
    }

    #[test]
    fn rule_1_the_list_is_bounded() {
        let witness = Witness::default();
        (0..=CAPACITY).for_each(|run| witness.note(answer(&run.to_string())));
        assert_eq!(witness.latest().len(), CAPACITY);
        assert!(witness.of_run("0").is_empty());
        assert_eq!(witness.of_run("100").len(), 1);
    }

    #[test]
    fn rule_1_only_marked_requests_are_kept() {
        let marked = |uri: &'static str| super::marked(&Uri::from_static(uri));
        assert!(marked("/").is_none());
        assert!(marked("/?attack=form").is_none());
        assert!(marked("/?run=1").is_none());
        assert!(marked("/?attack=unknown&run=1").is_none());
        let (attack, run) = marked("/?to=bob&attack=form&run=1").unwrap();
        assert_eq!((attack.id, run.as_str()), ("form", "1"));
        let long = format!("/?attack=form&run={}", "x".repeat(5000)).parse().unwrap();
        assert_eq!(super::marked(&long).unwrap().1.len(), MAX_TEXT);
    }
}
