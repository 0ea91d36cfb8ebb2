//! What a page tried to load or run and its Content Security Policy forbade, and the contract of the
//! store that remembers it.
//!
//! Stops: a disk or a memory filled by reports that anybody may post, and real findings pushed out by
//! made-up ones.
//!
//! 1. The same violation is one record with a count, when it was first and last seen; never two.
//! 2. A store holds [`MAX_VIOLATIONS`] records. When it is full, of those seen least often the one that
//!    was seen longest ago goes, so that what real visitors meet again and again stays.
//! 3. What was not seen for [`KEPT_DAYS`] days is forgotten.
//! 4. How many there were of each kind is kept by the hour. Kinds are a fixed list, so that no report
//!    makes a new one: [`DirectiveName`] and [`Noise`].
//!
//! Spec: CSP Level 3 (W3C), 5.1 to 5.5; Reporting API (W3C).

use std::collections::BTreeMap;

use crate::clock::UnixTime;
use crate::session::{BoxFuture, StoreError};

mod memory;

pub use memory::MemoryViolations;

/// How many different violations a store remembers.
pub const MAX_VIOLATIONS: usize = 1_000;

/// How many days a store remembers what it did not see again.
pub const KEPT_DAYS: i64 = 30;

const HOUR: i64 = 3_600;

/// The directives that a browser may name as violated.
const DIRECTIVES: [&str; 27] = [
    "base-uri",
    "block-all-mixed-content",
    "child-src",
    "connect-src",
    "default-src",
    "fenced-frame-src",
    "font-src",
    "form-action",
    "frame-ancestors",
    "frame-src",
    "img-src",
    "manifest-src",
    "media-src",
    "navigate-to",
    "object-src",
    "plugin-types",
    "prefetch-src",
    "require-trusted-types-for",
    "sandbox",
    "script-src",
    "script-src-attr",
    "script-src-elem",
    "style-src",
    "style-src-attr",
    "style-src-elem",
    "trusted-types",
    "worker-src",
];

/// The name of a directive that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectiveName(&'static str);

impl DirectiveName {
    /// The directive of this name, in lower case; `None` if CSP knows none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        DIRECTIVES.iter().find(|known| **known == name).map(|known| Self(known))
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Did the browser forbid it, or only report it?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// It was forbidden.
    Enforce,
    /// It happened: the policy is report-only.
    Report,
}

impl Disposition {
    /// The word of a report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
        }
    }

    /// What a report says; a browser that says nothing enforces, as in CSP Level 2.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        if word == Self::Report.as_str() { Self::Report } else { Self::Enforce }
    }
}

/// A violation: two that are equal are one record.
///
/// Its addresses have neither query nor fragment nor user. Those of the site itself are paths, others
/// `scheme://host[:port]/path`, the rest words: `inline`, `eval`, `data:`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Violation {
    /// The directive that forbids it.
    pub directive: DirectiveName,
    /// Was it forbidden?
    pub disposition: Disposition,
    /// What was forbidden.
    pub blocked: String,
    /// The page on which it happened.
    pub document: String,
    /// The file whose code tried it; empty if the browser doesn't say.
    pub source: String,
    /// The line in that file; 0 if the browser doesn't say.
    pub line: u32,
    /// The column in that line; 0 if the browser doesn't say.
    pub column: u32,
}

impl Violation {
    /// What was forbidden without its path: an origin, a word, or `'self'` for the site's own files.
    #[must_use]
    pub fn blocked_source(&self) -> &str {
        if self.blocked.starts_with('/') {
            return "'self'";
        }
        let after_scheme = self.blocked.find("://").map_or(0, |at| at + "://".len());
        let end = self.blocked[after_scheme..].find('/').map(|at| after_scheme + at);
        &self.blocked[..end.unwrap_or(self.blocked.len())]
    }
}

/// A violation as one batch of reports shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What happened.
    pub violation: Violation,
    /// How the forbidden code begins; empty if the browser doesn't say.
    pub sample: String,
    /// How often.
    pub count: u64,
}

/// A report that is no violation of this site's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noise {
    /// A browser's extension did it, not the page.
    Extension,
    /// It is of a page that is none of this site's.
    Foreign,
    /// It reports something else than a violation of the CSP.
    OtherType,
    /// It lacks what a report must have.
    Unreadable,
    /// It came in a body with too many others.
    Surplus,
}

impl Noise {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Extension, Self::Foreign, Self::OtherType, Self::Unreadable, Self::Surplus];

    /// The word that a store keeps for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Extension => "extension",
            Self::Foreign => "foreign",
            Self::OtherType => "other-type",
            Self::Unreadable => "unreadable",
            Self::Surplus => "surplus",
        }
    }
}

/// What is counted by the hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Violations of this directive.
    Violation(DirectiveName),
    /// Reports that are none.
    Noise(Noise),
}

impl Kind {
    /// The word that a store keeps for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Violation(directive) => directive.as_str(),
            Self::Noise(noise) => noise.as_str(),
        }
    }

    /// The kind of this word; `None` if there is none.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let noise = || Noise::ALL.into_iter().find(|noise| noise.as_str() == word);
        DirectiveName::parse(word).map(Self::Violation).or_else(|| noise().map(Self::Noise))
    }
}

/// What some reports that came together show, each violation once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    sightings: Vec<Sighting>,
    noise: BTreeMap<Noise, u64>,
}

impl Batch {
    /// Adds a violation. Of several samples the first stays.
    pub fn add(&mut self, violation: Violation, sample: String) {
        match self.sightings.iter_mut().find(|known| known.violation == violation) {
            Some(known) => known.count += 1,
            None => self.sightings.push(Sighting { violation, sample, count: 1 }),
        }
    }

    /// Adds so many reports that are no violation.
    pub fn add_noise(&mut self, noise: Noise, count: u64) {
        if count > 0 {
            *self.noise.entry(noise).or_default() += count;
        }
    }

    /// The violations.
    #[must_use]
    pub fn sightings(&self) -> &[Sighting] {
        &self.sightings
    }

    /// How many there are of each kind, violations and noise.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Kind, u64> {
        let noise = self.noise.iter().map(|(noise, count)| (Kind::Noise(*noise), *count));
        let mut counts: BTreeMap<_, _> = noise.collect();
        for sighting in &self.sightings {
            *counts.entry(Kind::Violation(sighting.violation.directive)).or_default() +=
                sighting.count;
        }
        counts
    }
}

/// What a store knows of a violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViolationRecord {
    /// What happened.
    pub violation: Violation,
    /// How the forbidden code begins, from the first report; may be empty.
    pub sample: String,
    /// How often it was seen.
    pub count: u64,
    /// When it was seen first.
    pub first_seen: UnixTime,
    /// When it was seen last.
    pub last_seen: UnixTime,
}

/// How many reports of a kind came within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourCount {
    /// When the hour began.
    pub hour: UnixTime,
    /// What was counted.
    pub kind: Kind,
    /// How many there were.
    pub count: u64,
}

/// When the hour began that `time` is in, in UTC.
#[must_use]
pub const fn hour_of(time: UnixTime) -> UnixTime {
    UnixTime::from_seconds(time.seconds().div_euclid(HOUR) * HOUR)
}

/// What is older than this at `now` is forgotten: rule 3.
#[must_use]
pub const fn forgotten_before(now: UnixTime) -> UnixTime {
    now.plus_seconds(-KEPT_DAYS * 24 * HOUR)
}

/// Where violations are kept. All of it must be safe to call at once from many tasks.
pub trait ViolationStore: Send + Sync + 'static {
    /// Adds what was seen at `now`, forgets by the rules 2 and 3, and tells which violations it did
    /// not know.
    fn note(
        &self,
        batch: &Batch,
        now: UnixTime,
    ) -> impl Future<Output = Result<Vec<Violation>, StoreError>> + Send;

    /// All records, the most often seen first: [`MAX_VIOLATIONS`] at most.
    fn records(&self) -> impl Future<Output = Result<Vec<ViolationRecord>, StoreError>> + Send;

    /// The counts of the hours that began at `since` or later, the oldest first.
    fn hours(
        &self,
        since: UnixTime,
    ) -> impl Future<Output = Result<Vec<HourCount>, StoreError>> + Send;
}

/// [`ViolationStore`] for use behind a `dyn`. Every store has it.
pub trait DynViolationStore: Send + Sync + 'static {
    /// See [`ViolationStore::note`].
    fn note<'a>(
        &'a self,
        batch: &'a Batch,
        now: UnixTime,
    ) -> BoxFuture<'a, Result<Vec<Violation>, StoreError>>;

    /// See [`ViolationStore::records`].
    fn records(&self) -> BoxFuture<'_, Result<Vec<ViolationRecord>, StoreError>>;

    /// See [`ViolationStore::hours`].
    fn hours(&self, since: UnixTime) -> BoxFuture<'_, Result<Vec<HourCount>, StoreError>>;
}

impl<S: ViolationStore> DynViolationStore for S {
    fn note<'a>(
        &'a self,
        batch: &'a Batch,
        now: UnixTime,
    ) -> BoxFuture<'a, Result<Vec<Violation>, StoreError>> {
        Box::pin(ViolationStore::note(self, batch, now))
    }

    fn records(&self) -> BoxFuture<'_, Result<Vec<ViolationRecord>, StoreError>> {
        Box::pin(ViolationStore::records(self))
    }

    fn hours(&self, since: UnixTime) -> BoxFuture<'_, Result<Vec<HourCount>, StoreError>> {
        Box::pin(ViolationStore::hours(self, since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(blocked: &str) -> Violation {
        Violation {
            directive: DirectiveName::parse("img-src").unwrap(),
            disposition: Disposition::Enforce,
            blocked: blocked.to_owned(),
            document: "/".to_owned(),
            source: String::new(),
            line: 0,
            column: 0,
        }
    }

    #[test]
    fn rule_1_a_batch_has_each_violation_once() {
        let mut batch = Batch::default();
        for (blocked, sample) in [("inline", "a"), ("eval", ""), ("inline", "b")] {
            batch.add(violation(blocked), sample.to_owned());
        }
        batch.add_noise(Noise::Foreign, 2);
        batch.add_noise(Noise::Surplus, 0);
        let seen: Vec<_> =
            batch.sightings().iter().map(|seen| (&*seen.sample, seen.count)).collect();
        assert_eq!(seen, [("a", 2), ("", 1)]);
        let counts: Vec<_> =
            batch.counts().into_iter().map(|(kind, count)| (kind.as_str(), count)).collect();
        assert_eq!(counts, [("img-src", 3), ("foreign", 2)]);
    }

    #[test]
    fn rule_4_kinds_are_a_fixed_list() {
        for name in DIRECTIVES {
            assert_eq!(Kind::parse(name).unwrap().as_str(), name);
        }
        for noise in Noise::ALL {
            assert_eq!(Kind::parse(noise.as_str()), Some(Kind::Noise(noise)));
        }
        for unknown in ["", "IMG-SRC", "img-src 'self'", "my-src"] {
            assert_eq!(Kind::parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn what_was_blocked_has_a_source() {
        for (blocked, source) in [
            ("https://evil.example:8443/a/b.js", "https://evil.example:8443"),
            ("https://evil.example", "https://evil.example"),
            ("/static/a.js", "'self'"),
            ("inline", "inline"),
            ("data:", "data:"),
        ] {
            assert_eq!(violation(blocked).blocked_source(), source);
        }
    }

    #[test]
    fn hours_begin_on_the_hour() {
        for (time, hour) in [(7_199, 3_600), (7_200, 7_200), (-1, -3_600)] {
            assert_eq!(hour_of(UnixTime::from_seconds(time)), UnixTime::from_seconds(hour));
        }
    }
}
