//! From a body to violations: pure, and with an answer for any bytes.

use donjon_core::violation::{Batch, DirectiveName, Disposition, Noise, Violation};
use serde_json::{Map, Value};

use super::address::{Address, OwnPages};

/// How many reports of one body are read.
pub const REPORTS_LIMIT: usize = 100;

/// How many characters of a sample are kept: browsers send 40, and the sink's name before them.
pub const SAMPLE_LIMIT: usize = 120;

/// How a body holds its reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/csp-report`: one report of CSP's own form. Directive: `report-uri`.
    Legacy,
    /// `application/reports+json`: a list of the Reporting API's. Directive: `report-to`.
    Reporting,
}

impl Format {
    /// The format of this content type, whose parameters don't matter.
    #[must_use]
    pub fn of(content_type: &[u8]) -> Option<Self> {
        let kind = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
        let is = |name: &str| kind.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        if is("application/csp-report") {
            Some(Self::Legacy)
        } else if is("application/reports+json") {
            Some(Self::Reporting)
        } else {
            None
        }
    }
}

/// What the reports of a body show.
#[must_use]
pub fn read(format: Format, body: &[u8], own: &OwnPages<'_>) -> Batch {
    let mut batch = Batch::default();
    // serde_json nests 128 deep at most.
    match (format, serde_json::from_slice(body)) {
        (Format::Legacy, Ok(Value::Object(report))) => {
            add(&mut batch, &LEGACY, report.get("csp-report"), own);
        }
        (Format::Reporting, Ok(Value::Array(reports))) => add_list(&mut batch, &reports, own),
        // WebKit has sent a single report without its list.
        (Format::Reporting, Ok(report @ Value::Object(_))) => add_typed(&mut batch, &report, own),
        _ => batch.add_noise(Noise::Unreadable, 1),
    }
    batch
}

fn add_list(batch: &mut Batch, reports: &[Value], own: &OwnPages<'_>) {
    let (read, surplus) = reports.split_at(reports.len().min(REPORTS_LIMIT));
    read.iter().for_each(|report| add_typed(batch, report, own));
    batch.add_noise(Noise::Surplus, surplus.len() as u64);
}

fn add_typed(batch: &mut Batch, report: &Value, own: &OwnPages<'_>) {
    match report.get("type").and_then(Value::as_str) {
        Some("csp-violation") => add(batch, &REPORTING, report.get("body"), own),
        Some(_) => batch.add_noise(Noise::OtherType, 1),
        None => batch.add_noise(Noise::Unreadable, 1),
    }
}

fn add(batch: &mut Batch, names: &Names, report: Option<&Value>, own: &OwnPages<'_>) {
    let fields = report.and_then(Value::as_object).ok_or(Noise::Unreadable);
    match fields.and_then(|fields| Report { names, fields }.violation(own)) {
        Ok((violation, sample)) => batch.add(violation, sample),
        Err(noise) => batch.add_noise(noise, 1),
    }
}

/// How a format names what it says.
struct Names {
    document: &'static str,
    blocked: &'static str,
    /// The directive: the better name first.
    directive: [&'static str; 2],
    disposition: &'static str,
    source: &'static str,
    line: &'static str,
    column: &'static str,
    sample: &'static str,
}

const LEGACY: Names = Names {
    document: "document-uri",
    blocked: "blocked-uri",
    // Old browsers name the directive only by its whole text.
    directive: ["effective-directive", "violated-directive"],
    disposition: "disposition",
    source: "source-file",
    line: "line-number",
    column: "column-number",
    sample: "script-sample",
};

const REPORTING: Names = Names {
    document: "documentURL",
    blocked: "blockedURL",
    directive: ["effectiveDirective", "violatedDirective"],
    disposition: "disposition",
    source: "sourceFile",
    line: "lineNumber",
    column: "columnNumber",
    sample: "sample",
};

struct Report<'a> {
    names: &'a Names,
    fields: &'a Map<String, Value>,
}

impl Report<'_> {
    fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, name: &str) -> u32 {
        let number = self.fields.get(name).and_then(Value::as_u64).unwrap_or_default();
        u32::try_from(number).unwrap_or_default()
    }

    fn directive(&self) -> Option<DirectiveName> {
        let text = self.names.directive.into_iter().map(|name| self.text(name));
        let name =
            text.into_iter().find(|text| !text.is_empty())?.split_ascii_whitespace().next()?;
        DirectiveName::parse(name)
    }

    fn blocked(&self) -> Option<Address> {
        match self.text(self.names.blocked) {
            // CSP Level 2: what is inline has no address.
            "" => Some(Address::Word("inline")),
            text => Address::parse(text),
        }
    }

    /// Pages first: of another site's page nothing matters.
    fn violation(&self, own: &OwnPages<'_>) -> Result<(Violation, String), Noise> {
        let document = Address::parse(self.text(self.names.document)).ok_or(Noise::Unreadable)?;
        let document = document.page(own).ok_or(Noise::Foreign)?;
        let directive = self.directive().ok_or(Noise::Unreadable)?;
        let blocked = self.blocked().ok_or(Noise::Unreadable)?;
        let source = Address::parse(self.text(self.names.source));
        if blocked.is_extension() || source.as_ref().is_some_and(Address::is_extension) {
            return Err(Noise::Extension);
        }
        let violation = Violation {
            directive,
            disposition: Disposition::parse(self.text(self.names.disposition)),
            blocked: blocked.text(own),
            document,
            source: source.map(|source| source.text(own)).unwrap_or_default(),
            line: self.number(self.names.line),
            column: self.number(self.names.column),
        };
        Ok((violation, sample(self.text(self.names.sample))))
    }
}

/// The sample on one line, without what nobody can see.
fn sample(text: &str) -> String {
    let visible = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    visible.filter(|c| !c.is_control() && !is_format(*c)).take(SAMPLE_LIMIT).collect()
}

/// Characters of Unicode that are no text: they join, hide, or turn around what stands beside them.
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}
