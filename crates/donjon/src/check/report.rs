//! What was found, all of it.

use std::cmp::Reverse;
use std::fmt;

use super::finding::{Finding, Level};

/// What was found, the worst first.
#[derive(Clone, Debug, Default)]
#[must_use = "a report that nobody reads changes nothing"]
pub struct Report {
    findings: Vec<Finding>,
    silenced: Vec<Finding>,
}

impl Report {
    /// The findings, those aside whose code is silenced; of those that say the same, one.
    pub(super) fn new(findings: Vec<Finding>, silenced: &[String]) -> Self {
        let quiet = |finding: &Finding| silenced.iter().any(|code| code == finding.rule().code());
        let (silenced, findings) = findings.into_iter().partition(quiet);
        Self { findings: sorted(findings), silenced: sorted(silenced) }
    }

    /// What is wrong: the worst first, then by object and code as Django sorts.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What is wrong and was silenced.
    #[must_use]
    pub fn silenced(&self) -> &[Finding] {
        &self.silenced
    }

    /// Both reports in one.
    pub fn join(self, other: Self) -> Self {
        Self {
            findings: sorted([self.findings, other.findings].concat()),
            silenced: sorted([self.silenced, other.silenced].concat()),
        }
    }

    /// Is a finding as bad as this, or worse? Django: `check --fail-level`.
    #[must_use]
    pub fn fails(&self, level: Level) -> bool {
        self.findings.iter().any(|finding| finding.rule().level() >= level)
    }

    /// Was this found, and not silenced?
    #[must_use]
    pub fn has(&self, code: &str) -> bool {
        self.findings.iter().any(|finding| finding.rule().code() == code)
    }
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    let key = |finding: &Finding| {
        (Reverse(finding.rule().level()), finding.object().to_owned(), finding.rule().code())
    };
    findings.sort_by_cached_key(key);
    findings.dedup_by_key(|finding| key(finding));
    findings
}

impl fmt::Display for Report {
    /// As Django prints it: a group for each level, and a count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.findings.is_empty() {
            f.write_str("System check identified some issues:\n")?;
        }
        for level in Level::ALL {
            let group = self.findings.iter().filter(|finding| finding.rule().level() == level);
            for (index, finding) in group.enumerate() {
                if index == 0 {
                    write!(f, "\n{}S:\n", level.as_str())?;
                }
                writeln!(f, "{finding}")?;
            }
        }
        if !self.findings.is_empty() {
            f.write_str("\n")?;
        }
        let count = match self.findings.len() {
            0 => "no issues".to_owned(),
            1 => "1 issue".to_owned(),
            count => format!("{count} issues"),
        };
        write!(f, "System check identified {count} ({} silenced).", self.silenced.len())
    }
}
