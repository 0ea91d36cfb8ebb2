//! What became of the cases, for people and as data.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde_json::{Value, json};

use crate::case::{Case, Unanswered};

/// How many bytes of an expected or got value are printed.
const MAX_SHOWN: usize = 2000;

/// Kinds that are built in part: their failures are told, and fail the run only in a file that was
/// named.
pub const IN_PROGRESS: [&str; 1] = ["template"];

/// What became of one case.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The outcome is the expected one.
    Passed,
    /// It is another.
    Failed(Value),
    /// The case has a need that is not met: named here.
    Skipped(String),
    /// What it asks for does not exist yet: named here.
    NotBuilt(String),
    /// The line is none of the formats.
    Malformed(String),
}

impl Verdict {
    /// What an answer makes of a case.
    #[must_use]
    pub fn of(case: &Case, answer: Result<Value, Unanswered>) -> Self {
        match answer {
            Ok(got) if case.is_answered_by(&got) => Self::Passed,
            Ok(got) => Self::Failed(got),
            Err(Unanswered::NotBuilt(what)) => Self::NotBuilt(what),
            Err(Unanswered::Unmet(need)) => Self::Skipped(need),
            Err(Unanswered::Malformed(what)) => Self::Malformed(what),
        }
    }
}

/// A case that did not pass.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The name of the case.
    pub id: String,
    /// What should have come out.
    pub expected: Value,
    /// What came out.
    pub got: Value,
}

/// What became of all cases of one kind in one file.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many passed.
    pub passed: usize,
    /// Those that did not.
    pub failures: Vec<Failure>,
    /// The needs that are not met, and how many cases each cost.
    pub skipped: BTreeMap<String, usize>,
    /// What does not exist yet, and how many cases ask for it first of all.
    pub not_built: BTreeMap<String, usize>,
}

impl Tally {
    /// How many cases there were.
    #[must_use]
    pub fn total(&self) -> usize {
        self.passed + self.failures.len() + self.skips() + self.unbuilt()
    }

    /// How many were skipped.
    #[must_use]
    pub fn skips(&self) -> usize {
        self.skipped.values().sum()
    }

    /// How many ask for what does not exist yet.
    #[must_use]
    pub fn unbuilt(&self) -> usize {
        self.not_built.values().sum()
    }

    /// Did all of them run and pass?
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.passed == self.total()
    }

    fn add(&mut self, case: &Case, verdict: Verdict) {
        let got = match verdict {
            Verdict::Passed => return self.passed += 1,
            Verdict::Skipped(need) => return *self.skipped.entry(need).or_default() += 1,
            Verdict::NotBuilt(what) => return *self.not_built.entry(what).or_default() += 1,
            Verdict::Failed(got) => got,
            Verdict::Malformed(what) => Value::from(format!("a line of another format: {what}")),
        };
        let failure = Failure { id: case.id().to_owned(), expected: case.expect().clone(), got };
        self.failures.push(failure);
    }
}

/// What became of one file.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// The name of the file, without its folder.
    pub name: String,
    /// Was the file itself named by the caller? Then all of it must be built.
    pub named: bool,
    /// By kind.
    pub kinds: BTreeMap<String, Tally>,
}

impl FileReport {
    /// A report of no case yet.
    #[must_use]
    pub fn new(name: impl Into<String>, named: bool) -> Self {
        Self { name: name.into(), named, kinds: BTreeMap::new() }
    }

    /// Adds what became of a case.
    pub fn add(&mut self, case: &Case, verdict: Verdict) {
        self.kinds.entry(case.kind().to_owned()).or_default().add(case, verdict);
    }

    /// Did no case fail, and was everything built that had to be?
    #[must_use]
    pub fn is_good(&self) -> bool {
        let good = |(kind, tally): (&String, &Tally)| match self.named {
            true => tally.failures.is_empty() && tally.unbuilt() == 0,
            false => tally.failures.is_empty() || IN_PROGRESS.contains(&&**kind),
        };
        self.kinds.iter().all(good)
    }

    /// The report as data.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let kind = |(kind, tally): (&String, &Tally)| {
            let failure = |failure: &Failure| {
                let Failure { id, expected, got } = failure;
                json!({"id": id, "expected": expected, "got": got})
            };
            json!({
                "file": self.name,
                "kind": kind,
                "total": tally.total(),
                "passed": tally.passed,
                "failed": tally.failures.iter().map(failure).collect::<Vec<_>>(),
                "skipped": tally.skipped,
                "not_built": tally.not_built,
            })
        };
        self.kinds.iter().map(kind).collect()
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, tally) in &self.kinds {
            if tally.unbuilt() == tally.total() {
                writeln!(f, "{} not built yet: {kind} ({} cases)", self.name, tally.total())?;
                continue;
            }
            write!(f, "{} {kind} {}/{}", self.name, tally.passed, tally.total())?;
            for (word, count) in [("skipped", tally.skips()), ("not built yet", tally.unbuilt())] {
                if count > 0 {
                    write!(f, " {word} {count}")?;
                }
            }
            let progress = if IN_PROGRESS.contains(&&**kind) { " (in progress)" } else { "" };
            writeln!(f, "{progress}")?;
            details(f, tally)?;
        }
        Ok(())
    }
}

fn details(f: &mut fmt::Formatter<'_>, tally: &Tally) -> fmt::Result {
    for Failure { id, expected, got } in &tally.failures {
        writeln!(f, "  {id}\n    expected {}\n    got      {}", shown(expected), shown(got))?;
    }
    for (need, count) in &tally.skipped {
        writeln!(f, "  skipped {count}: needs {need}")?;
    }
    for (what, count) in &tally.not_built {
        writeln!(f, "  not built yet {count}: {what}")?;
    }
    Ok(())
}

fn shown(value: &Value) -> String {
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(MAX_SHOWN) {
        text.truncate(end);
        // Writing to a String cannot fail.
        let _ = write!(text, "…");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case::parse(r#"{"id": "x-1", "kind": "sign", "expect": {"signed": "a"}}"#).unwrap()
    }

    fn report(named: bool, verdicts: &[Verdict]) -> FileReport {
        let mut report = FileReport::new("x.jsonl", named);
        verdicts.iter().for_each(|verdict| report.add(&case(), verdict.clone()));
        report
    }

    #[test]
    fn a_line_per_file_and_kind() {
        let verdicts = [
            Verdict::Passed,
            Verdict::Skipped("tz".to_owned()),
            Verdict::of(&case(), Ok(json!({"signed": "b"}))),
        ];
        let report = report(false, &verdicts);
        assert!(!report.is_good());
        assert_eq!(
            report.to_string(),
            "x.jsonl sign 1/3 skipped 1\n  x-1\n    expected {\"signed\":\"a\"}\n    got      {\"signed\":\"b\"}\n  \
             skipped 1: needs tz\n"
        );
        assert_eq!(report.to_json()[0]["failed"][0]["id"], "x-1");
    }

    #[test]
    fn what_is_not_built_fails_only_in_a_file_that_was_named() {
        let verdicts = [Verdict::NotBuilt("cors".to_owned())];
        assert!(report(false, &verdicts).is_good());
        assert!(!report(true, &verdicts).is_good());
        assert_eq!(report(false, &verdicts).to_string(), "x.jsonl not built yet: sign (1 cases)\n");
    }
}
