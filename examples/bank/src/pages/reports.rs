//! What the bank's Content Security Policy forbade, as a picture.
//!
//! 1. Everything in it was sent by somebody who needs no account. It is shown as text and as numbers,
//!    and none of it is a link.
//! 2. What belongs together is one group: the same directive, and the same source. The page shows
//!    `SHOWN` groups of `PLACES` places each.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{RawQuery, State};
use axum::response::Response;
use donjon::page::Page;
use donjon_core::clock::{Clock, UnixTime};
use donjon_core::violation::{HourCount, Kind, Noise, Violation, ViolationRecord, ViolationStore};
use donjon_html::context;
use donjon_html::template::{DateTime, Value};

use super::timeline::{Span, draw};
use crate::Bank;
use crate::problem::Problem;

/// How many groups the page shows.
const SHOWN: usize = 25;

/// How many places of a group it shows.
const PLACES: usize = 5;

/// `GET /security/reports/`
///
/// # Errors
/// [`Problem`], if the store fails or the page can't be made.
pub async fn show(
    State(bank): State<Bank>,
    RawQuery(query): RawQuery,
    page: Page,
) -> Result<Response, Problem> {
    let (now, span) = (Clock::system().now(), span(query.as_deref()));
    let records = bank.violations.records().await?;
    let hours = bank.violations.hours(Span::Month.since(now)).await?;
    let groups = groups(&records);
    let highest = groups.iter().map(Group::count).max().unwrap_or(0);
    let shown: Vec<Value> = groups.iter().take(SHOWN).map(|group| group.value(highest)).collect();
    let variables = context! {
        by_day: span == Span::Month, timeline: draw(span, &hours, now), groups: shown,
        more: groups.len().saturating_sub(SHOWN), noise: noise(&hours),
        different: records.len(), pages: pages(&records),
    };
    Ok(page.render("bank/reports.html", variables).await?)
}

fn span(query: Option<&str>) -> Span {
    if query == Some("by=day") { Span::Month } else { Span::Day }
}

fn pages<'a>(records: impl IntoIterator<Item = &'a ViolationRecord>) -> usize {
    let pages = records.into_iter().map(|record| &record.violation.document);
    pages.collect::<BTreeSet<_>>().len()
}

/// Records of one directive and one source, the most frequent first.
struct Group<'a> {
    directive: &'static str,
    source: &'a str,
    records: Vec<&'a ViolationRecord>,
}

/// The groups, the most frequent first.
fn groups(records: &[ViolationRecord]) -> Vec<Group<'_>> {
    let mut found: BTreeMap<(&str, &str), Group<'_>> = BTreeMap::new();
    for record in records {
        let directive = record.violation.directive.as_str();
        let source = record.violation.blocked_source();
        let group = found.entry((directive, source));
        let group = group.or_insert_with(|| Group { directive, source, records: Vec::new() });
        group.records.push(record);
    }
    let mut groups: Vec<_> = found.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count()));
    groups
}

impl Group<'_> {
    fn count(&self) -> u64 {
        self.records.iter().fold(0, |sum, record| sum.saturating_add(record.count))
    }

    fn value(&self, highest: u64) -> Value {
        let seen = |record: &&ViolationRecord| (record.first_seen, record.last_seen);
        let first = self.records.iter().map(|record| seen(record).0).min();
        let last = self.records.iter().map(|record| seen(record).1).max();
        let share =
            self.count().saturating_mul(100).checked_div(highest).unwrap_or(0).clamp(1, 100);
        let places: Vec<Value> =
            self.records.iter().take(PLACES).map(|record| place(record)).collect();
        context! {
            directive: self.directive, source: self.source, count: self.count(), share,
            pages: pages(self.records.iter().copied()), first: first.map(date), last: last.map(date),
            places, more: self.records.len().saturating_sub(PLACES),
        }
        .into()
    }
}

fn place(record: &ViolationRecord) -> Value {
    let Violation { blocked, document, source, line, column, disposition, .. } = &record.violation;
    context! {
        blocked: blocked.as_str(), document: document.as_str(), source: source.as_str(),
        line: *line, column: *column, disposition: disposition.as_str(),
        sample: record.sample.as_str(), count: record.count,
    }
    .into()
}

fn date(time: UnixTime) -> DateTime {
    DateTime::from_epoch_seconds(time.seconds())
}

/// What was left out, in words.
fn noise(hours: &[HourCount]) -> Vec<Value> {
    let count = |noise| {
        let counts = hours.iter().filter(|hour| hour.kind == Kind::Noise(noise));
        counts.fold(0_u64, |sum, hour| sum.saturating_add(hour.count))
    };
    let counted = Noise::ALL.into_iter().map(|noise| (words(noise), count(noise)));
    let there = counted.filter(|(_, count)| *count > 0);
    there.map(|(words, count)| context! { words, count }.into()).collect()
}

fn words(noise: Noise) -> &'static str {
    match noise {
        Noise::Extension => "caused by a browser’s extension",
        Noise::Foreign => "of pages that are not the bank’s",
        Noise::OtherType => "of other things than violations",
        Noise::Unreadable => "that could not be read",
        Noise::Surplus => "too many in one message",
    }
}

#[cfg(test)]
mod tests {
    use donjon_core::violation::{DirectiveName, Disposition};

    use super::*;

    fn record(directive: &str, blocked: &str, document: &str, count: u64) -> ViolationRecord {
        let violation = Violation {
            directive: DirectiveName::parse(directive).unwrap(),
            disposition: Disposition::Enforce,
            blocked: blocked.to_owned(),
            document: document.to_owned(),
            source: String::new(),
            line: 0,
            column: 0,
        };
        let now = UnixTime::from_seconds(0);
        ViolationRecord { violation, sample: String::new(), count, first_seen: now, last_seen: now }
    }

    #[test]
    fn rule_2_what_belongs_together_is_one_group() {
        let records = [
            record("img-src", "https://evil.example/a.png", "/", 3),
            record("script-src", "inline", "/", 2),
            record("img-src", "https://evil.example/b.png", "/b/", 1),
            record("img-src", "/own.png", "/", 1),
        ];
        let groups = groups(&records);
        let shown: Vec<_> = groups
            .iter()
            .map(|group| (group.source, group.count(), pages(group.records.iter().copied())))
            .collect();
        assert_eq!(shown, [("https://evil.example", 4, 2), ("inline", 2, 1), ("'self'", 1, 1)]);
    }
}
