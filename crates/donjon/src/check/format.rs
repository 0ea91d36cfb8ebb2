//! A report as text for people, and as data for machines.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use super::finding::{Finding, Level, Rule};
use super::report::Report;

/// The schema that [`Format::Sarif`] follows.
const SARIF_SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Where the requirements are.
const ASVS: &str = "https://owasp.org/www-project-application-security-verification-standard/";

/// The edition that the ids are of.
const ASVS_VERSION: &str = "5.0.0";

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: as Django prints it.
    #[default]
    Text,
    /// For scripts: one object with `findings` and `silenced`.
    Json,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Text, Self::Json, Self::Sarif];

    /// Its name on a command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Sarif => "sarif",
        }
    }
}

/// A format that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat(String);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Format::ALL.map(Format::as_str).join(", ");
        write!(f, "{:?} is not a format: expected one of {names}", self.0)
    }
}

impl std::error::Error for UnknownFormat {}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let named = |format: &Self| format.as_str() == name;
        Self::ALL.into_iter().find(named).ok_or_else(|| UnknownFormat(name.to_owned()))
    }
}

impl Report {
    /// The report in a format, without a newline at its end.
    #[must_use]
    pub fn write(&self, format: Format) -> String {
        match format {
            Format::Text => self.to_string(),
            Format::Json => format!("{:#}", to_json(self)),
            Format::Sarif => format!("{:#}", to_sarif(self)),
        }
    }
}

fn to_json(report: &Report) -> Value {
    json!({
        "donjon": env!("CARGO_PKG_VERSION"),
        "asvs": ASVS_VERSION,
        "findings": report.findings().iter().map(finding).collect::<Value>(),
        "silenced": report.silenced().iter().map(finding).collect::<Value>(),
    })
}

fn finding(finding: &Finding) -> Value {
    let rule = finding.rule();
    json!({
        "code": rule.code(),
        "level": rule.level().as_str(),
        "object": finding.object(),
        "title": rule.title(),
        "explanation": rule.explanation(),
        "hint": rule.hint(),
        "asvs": rule.asvs(),
        "source": rule.source(),
    })
}

fn to_sarif(report: &Report) -> Value {
    let rules = rules(report);
    let shown = report.findings().iter().map(|finding| (finding, json!([])));
    let external = || json!([{ "kind": "external", "justification": "silenced by its code" }]);
    let silenced = report.silenced().iter().map(|finding| (finding, external()));
    let results = shown.chain(silenced).map(|(finding, suppressions)| {
        let index = rules.iter().position(|rule| rule.code() == finding.rule().code());
        result(finding, index, suppressions)
    });
    json!({
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver(&rules) },
            "taxonomies": [taxonomy(&rules)],
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Value>(),
        }],
    })
}

/// The rules that something breaks, each once.
fn rules(report: &Report) -> Vec<&'static Rule> {
    let findings = report.findings().iter().chain(report.silenced());
    let mut rules: Vec<_> = findings.map(Finding::rule).collect();
    rules.sort_by_key(|rule| rule.code());
    rules.dedup_by_key(|rule| rule.code());
    rules
}

fn driver(rules: &[&Rule]) -> Value {
    json!({
        "name": "donjon",
        "version": env!("CARGO_PKG_VERSION"),
        "informationUri": env!("CARGO_PKG_REPOSITORY"),
        "supportedTaxonomies": [asvs()],
        "rules": rules.iter().map(|rule| descriptor(rule)).collect::<Value>(),
    })
}

fn descriptor(rule: &Rule) -> Value {
    let relationship = |id: &&str| json!({ "target": { "id": id, "toolComponent": asvs() }, "kinds": ["relevant"] });
    json!({
        "id": rule.code(),
        "shortDescription": { "text": rule.title() },
        "fullDescription": { "text": rule.explanation() },
        "help": { "text": rule.hint() },
        "helpUri": rule.source(),
        "defaultConfiguration": { "level": severity(rule.level()) },
        "relationships": rule.asvs().iter().map(relationship).collect::<Value>(),
        "properties": { "tags": ["security"] },
    })
}

/// The requirements as a taxonomy, which the rules relate to.
fn taxonomy(rules: &[&Rule]) -> Value {
    let mut ids: Vec<_> = rules.iter().flat_map(|rule| rule.asvs()).collect();
    ids.sort();
    ids.dedup();
    json!({
        "name": "OWASP ASVS",
        "version": ASVS_VERSION,
        "informationUri": ASVS,
        "taxa": ids.iter().map(|id| json!({ "id": id })).collect::<Value>(),
    })
}

fn asvs() -> Value {
    json!({ "name": "OWASP ASVS" })
}

fn result(finding: &Finding, rule: Option<usize>, suppressions: Value) -> Value {
    let Rule { code, title, explanation, hint, level, .. } = finding.rule();
    let object = finding.object();
    json!({
        "ruleId": code,
        "ruleIndex": rule,
        "level": severity(*level),
        "message": { "text": format!("{object}: {title} {explanation} {hint}") },
        "locations": [{ "logicalLocations": [{ "fullyQualifiedName": object }] }],
        "suppressions": suppressions,
    })
}

/// SARIF has three levels.
fn severity(level: Level) -> &'static str {
    match level {
        Level::Critical | Level::Error => "error",
        Level::Warning => "warning",
        Level::Info | Level::Debug => "note",
    }
}
