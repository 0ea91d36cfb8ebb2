//! Asking the running router what a visitor, a browser of another site and an attacker would.
//!
//! 1. Every answer is looked at, whatever was asked: pages, redirects, preflights, 400, 403, 404, 405
//!    and 500 must carry the headers, name their character set, set cookies with their flags, and tell
//!    nothing of the inside.
//! 2. Each unsafe method of each route is asked with forgeries, and must answer 403; 405 is as good.
//! 3. Foreign origins must not read, an unknown host gets 400 (or 421), TRACE is refused, a redirect
//!    leads to no site that the request names, and no part of an address comes back as markup.
//! 4. A handler that panics or takes longer than [`PATIENCE`] is a finding, not the end of the probe.
//!
//! Nothing leaves the process. What a forgery does when it is *not* refused, it does: ask a router on
//! a database for tests.

use std::collections::BTreeMap;

use axum::Router;

use super::asks;
use super::checks::Checks;
use super::finding::{Finding, Rule};
use super::report::Report;
use super::rules::router::NO_ANSWER;

mod answer;
mod ask;
mod judge;
mod question;

pub use ask::{MAX_BODY, PATIENCE};

use ask::{Outcome, Visitor};
use judge::Hit;
use question::{Question, questions};

/// How many answers a finding names.
const SHOWN: usize = 6;

/// Asks the router about the routes of `checks`, as visitors of `host` would: the name (and port) that
/// the site answers to. Must run inside a tokio runtime.
///
/// Each route costs a dozen requests, and four to six more per unsafe method. Leave out the routes that
/// answer to any host on purpose, like health checks, and those that never end.
///
/// ```
/// use axum::Router;
/// use axum::routing::post;
/// use donjon::check::{Checks, Target, probe};
/// use http::Method;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let bare = Router::new().route("/pay/", post(async || "paid"));
/// let checks = Checks::new().route(Target::new("/pay/", [Method::POST]));
///
/// let report = probe(bare, "bank.example", &checks).await;
/// assert!(report.has("donjon.E110"), "the forgery is not refused");
/// # }
/// ```
pub async fn probe(router: Router, host: &str, checks: &Checks) -> Report {
    let visitor = Visitor::new(router, host);
    let mut hits = Vec::new();
    for question in questions(host, checks) {
        let outcome = visitor.ask(&question).await;
        hits.extend(judged(&question, &outcome));
    }
    hits.retain(|hit| asks(checks, hit.rule));
    Report::new(findings(hits), &checks.silenced)
}

fn judged(question: &Question, outcome: &Outcome) -> Vec<Hit> {
    let unanswered = |subject: &str| Hit {
        rule: &NO_ANSWER,
        subject: subject.to_owned(),
        evidence: question.to_string(),
    };
    match outcome {
        Outcome::Answered(answer) => {
            let mut hits = judge::always(question, answer);
            hits.extend((question.judge)(question, answer));
            hits
        }
        Outcome::Panicked => vec![unanswered("the handler panicked")],
        Outcome::TookTooLong => vec![unanswered("it took too long")],
    }
}

/// One finding for all answers of which the same is said.
fn findings(hits: Vec<Hit>) -> Vec<Finding> {
    let mut groups: BTreeMap<(&str, String), (&'static Rule, Vec<String>)> = BTreeMap::new();
    for hit in hits {
        let group = groups.entry((hit.rule.code(), hit.subject));
        group.or_insert((hit.rule, Vec::new())).1.push(hit.evidence);
    }
    let finding = |((_, subject), (rule, answers)): ((&str, String), (&'static Rule, _))| {
        rule.at(place(&subject, answers))
    };
    groups.into_iter().map(finding).collect()
}

fn place(subject: &str, mut answers: Vec<String>) -> String {
    answers.dedup();
    let others = answers.len().saturating_sub(SHOWN);
    answers.truncate(SHOWN);
    let colon = if subject.is_empty() { "" } else { ": " };
    let more = if others == 0 { String::new() } else { format!(" and {others} more") };
    format!("{subject}{colon}{}{more}", answers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_many_answers_is_said_once() {
        let answers = |count: usize| (0..count).map(|number| number.to_string()).collect();
        assert_eq!(place("", answers(2)), "0, 1");
        assert_eq!(place("all", answers(SHOWN + 2)), "all: 0, 1, 2, 3, 4, 5 and 2 more");
        let same = vec!["/".to_owned(), "/".to_owned()];
        assert_eq!(place("cookie", same), "cookie: /");
    }
}
