//! Policies as Django's settings have them, written byte for byte as Django and django-csp write them.
//!
//! Nothing is checked but that a header can hold it: what such a policy allows, Django allowed too.

use std::collections::BTreeSet;

use super::builder::{CspError, CspErrors};
use super::policy::{CspPolicy, Line, NONCE_PLACE, REPORT_TO, REPORT_URI, join};
use super::source::Source;

/// Django's `CSP.NONCE`: stands for the nonce in a setting.
pub const DJANGO_NONCE: &str = "<CSP_NONCE_SENTINEL>";

/// The directives that django-csp knows, in its order: others in its settings are dropped.
const DJANGO_CSP_DIRECTIVES: [&str; 31] = [
    "child-src",
    "connect-src",
    "default-src",
    "script-src",
    "script-src-attr",
    "script-src-elem",
    "object-src",
    "style-src",
    "style-src-attr",
    "style-src-elem",
    "font-src",
    "frame-src",
    "img-src",
    "manifest-src",
    "media-src",
    "prefetch-src",
    "base-uri",
    "plugin-types",
    "sandbox",
    "form-action",
    "frame-ancestors",
    "navigate-to",
    "report-uri",
    "report-to",
    "require-sri-for",
    "require-trusted-types-for",
    "trusted-types",
    "webrtc",
    "worker-src",
    "upgrade-insecure-requests",
    "block-all-mixed-content",
];

/// What stands behind a directive in Django's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DjangoValue {
    /// `None`: the directive is left out.
    None,
    /// `False`: the directive is left out.
    False,
    /// `True`: the directive stands alone.
    True,
    /// A text: one value, or several with spaces between them.
    Text(String),
    /// A list or tuple.
    List(Vec<String>),
    /// A set: sorted, so that the header is the same every time.
    Set(BTreeSet<String>),
}

impl From<&str> for DjangoValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<const N: usize> From<[&str; N]> for DjangoValue {
    fn from(texts: [&str; N]) -> Self {
        Self::List(texts.map(str::to_owned).into())
    }
}

impl DjangoValue {
    /// The values; [`None`] if the directive is left out or stands alone.
    fn values(&self) -> Option<Vec<&str>> {
        match self {
            Self::None | Self::False | Self::True => None,
            Self::Text(text) => Some(vec![text]),
            Self::List(texts) => Some(texts.iter().map(String::as_str).collect()),
            Self::Set(texts) => Some(texts.iter().map(String::as_str).collect()),
        }
    }
}

/// A policy as Django's `SECURE_CSP` and `SECURE_CSP_REPORT_ONLY` have it: directives in order.
///
/// ```
/// use donjon::csp::{CspPolicy, DJANGO_NONCE, DjangoCsp};
///
/// let setting = DjangoCsp::new([
///     ("default-src", ["'self'"].into()),
///     ("script-src", ["'self'", DJANGO_NONCE].into()),
/// ]);
/// let policy = CspPolicy::from_django(&setting)?.ok_or("an empty setting is no policy")?;
/// assert_eq!(policy.header(Some("abc")), "default-src 'self'; script-src 'self' 'nonce-abc'");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DjangoCsp(Vec<(String, DjangoValue)>);

impl DjangoCsp {
    /// A mapping; as in Python, a name that comes again replaces the value and keeps its place.
    #[must_use]
    pub fn new<N: Into<String>>(directives: impl IntoIterator<Item = (N, DjangoValue)>) -> Self {
        directives.into_iter().fold(Self::default(), |all, (name, value)| all.with(name, value))
    }

    /// One directive more, or another value for one.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: DjangoValue) -> Self {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
        self
    }

    /// Printable ASCII can't end a header; a NUL would be taken for a nonce.
    fn checked(&self) -> Result<&Self, CspErrors> {
        let legal = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let wrong = self.0.iter().filter(|(name, value)| {
            !legal(name) || value.values().into_iter().flatten().any(|text| !legal(text))
        });
        let mistakes: Vec<_> = wrong.map(|(name, _)| CspError::NoHeader(name.clone())).collect();
        if mistakes.is_empty() { Ok(self) } else { Err(CspErrors(mistakes)) }
    }

    fn value(&self, name: &str) -> Option<&DjangoValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl CspPolicy {
    /// The policy of `SECURE_CSP`; [`None`] if it is empty: then Django sends no header.
    ///
    /// The header is what Django's `build_policy` writes. A directive that has the nonce alone is left
    /// out where nobody read it, and falls back to a wider one: [`CspPolicy::update`] and `build` make
    /// a policy that says `'none'` there.
    ///
    /// # Errors
    /// [`CspErrors`] for text that no header can hold.
    pub fn from_django(setting: &DjangoCsp) -> Result<Option<Self>, CspErrors> {
        if setting.0.is_empty() {
            return Ok(None);
        }
        let line = |(name, value): &(String, DjangoValue)| match value {
            DjangoValue::None | DjangoValue::False => None,
            DjangoValue::True => Some(Written::alone(name)),
            _ => Written::by_django(name, &value.values().unwrap_or_default()),
        };
        Ok(Some(written(setting.checked()?.0.iter().filter_map(line).collect())))
    }
}

/// One directive as it is written with a nonce, and without.
struct Written {
    line: Line,
    with: String,
    bare: Option<String>,
}

impl Written {
    fn alone(name: &str) -> Self {
        let name = name.trim_end().to_owned();
        Self { line: Line::new(name.clone(), Vec::new()), with: name.clone(), bare: Some(name) }
    }

    /// `build_policy` of Django: nothing left, no directive.
    fn by_django(name: &str, values: &[&str]) -> Option<Self> {
        let bare: Vec<_> = values.iter().copied().filter(|value| *value != DJANGO_NONCE).collect();
        let text = |values: &[&str]| format!("{name} {}", values.join(" ")).trim_end().to_owned();
        (!values.is_empty()).then(|| Self {
            line: line(name, values),
            with: text(&placed(values)),
            bare: (!bare.is_empty()).then(|| text(&bare)),
        })
    }

    /// `build_policy` of django-csp: the name stays, and a value comes once.
    fn by_django_csp(name: &str, values: &[&str]) -> Self {
        let mut once: Vec<&str> = Vec::new();
        values.iter().for_each(|value| {
            if !once.contains(value) {
                once.push(value)
            }
        });
        let bare: Vec<_> = once.iter().copied().filter(|value| *value != DJANGO_NONCE).collect();
        let text = |values: &[&str]| format!("{name} {}", values.join(" ")).trim().to_owned();
        let (with, bare) = (text(&placed(&once)), Some(text(&bare)));
        Self { line: line(name, &once), with, bare }
    }
}

fn placed<'v>(values: &[&'v str]) -> Vec<&'v str> {
    values.iter().map(|value| if *value == DJANGO_NONCE { NONCE_PLACE } else { value }).collect()
}

/// What the policy can be asked about: each word on its own.
fn line(name: &str, values: &[&str]) -> Line {
    let source = |word: &str| match word {
        DJANGO_NONCE => Source::NONCE,
        word => word.parse().unwrap_or_else(|_| Source::raw(word)),
    };
    let words = values.iter().flat_map(|value| value.split_ascii_whitespace());
    Line::new(name.to_owned(), words.map(source).collect())
}

/// A policy of text that was found legal.
fn written(directives: Vec<Written>) -> CspPolicy {
    let with = join(directives.iter().map(|one| one.with.clone()));
    let bare = join(directives.iter().filter_map(|one| one.bare.clone()));
    let lines = directives.into_iter().map(|one| one.line).collect();
    CspPolicy::compiled(lines, None, &with, bare)
}

/// A policy as django-csp has it: `CONTENT_SECURITY_POLICY` and `CONTENT_SECURITY_POLICY_REPORT_ONLY`.
#[derive(Clone, Debug, PartialEq)]
pub struct DjangoCspSettings {
    directives: DjangoCsp,
    pub(super) excluded: Vec<String>,
    pub(super) percentage: f64,
}

impl DjangoCspSettings {
    /// The setting with these `DIRECTIVES`: those that django-csp doesn't know are dropped, and
    /// `default-src 'self'` is there unless it is named.
    #[must_use]
    pub fn new(directives: &DjangoCsp) -> Self {
        let value = |name: &&'static str| match (directives.value(name), *name) {
            (Some(value), _) => Some((*name, value.clone())),
            (None, "default-src") => Some((*name, ["'self'"].into())),
            (None, _) => None,
        };
        Self::exactly(DjangoCsp::new(DJANGO_CSP_DIRECTIVES.iter().filter_map(value)))
    }

    /// These directives as they are. django-csp: the decorator `csp`.
    #[must_use]
    pub fn exactly(directives: DjangoCsp) -> Self {
        Self { directives, excluded: Vec::new(), percentage: 100.0 }
    }

    /// No policy for paths that begin so. django-csp: `EXCLUDE_URL_PREFIXES`.
    #[must_use]
    pub fn danger_exclude<P: Into<String>>(
        mut self,
        prefixes: impl IntoIterator<Item = P>,
    ) -> Self {
        self.excluded.extend(prefixes.into_iter().map(Into::into));
        self
    }

    /// This share of responses asks for reports, from 0 to 100. django-csp: `REPORT_PERCENTAGE`, with
    /// its `RateLimitedCSPMiddleware`.
    #[must_use]
    pub fn report_percentage(mut self, percentage: f64) -> Self {
        self.percentage = percentage;
        self
    }

    /// Other values for these directives; `None` takes one away. django-csp: `csp_replace`.
    #[must_use]
    pub fn replace(mut self, directives: &DjangoCsp) -> Self {
        for (name, value) in &directives.0 {
            self.directives = self.directives.with(name.clone(), value.clone());
        }
        self
    }

    /// More values for these directives. django-csp: `csp_update`, which comes after `csp_replace`.
    #[must_use]
    pub fn update(mut self, directives: &DjangoCsp) -> Self {
        for (name, value) in &directives.0 {
            if *value == DjangoValue::None {
                continue;
            }
            let old = self.directives.value(name).and_then(DjangoValue::values);
            let both = match (old, value.values()) {
                (Some(old), Some(more)) => {
                    DjangoValue::List([old, more].concat().into_iter().map(str::to_owned).collect())
                }
                _ => value.clone(),
            };
            self.directives = self.directives.with(name.clone(), both);
        }
        self
    }

    /// The policy; [`None`] if there is nothing to send.
    ///
    /// The header is what django-csp's `build_policy` writes, in the order of its list of directives
    /// (its own changes from one start of Python to the next), `report-uri` last.
    ///
    /// # Errors
    /// [`CspErrors`] for text that no header can hold.
    pub fn policy(&self) -> Result<Option<CspPolicy>, CspErrors> {
        let line = |(name, value): &(String, DjangoValue)| match value {
            DjangoValue::None | DjangoValue::False => None,
            DjangoValue::True => Some(Written::alone(name)),
            _ if name == REPORT_URI => self.report_uri(value),
            _ => Some(Written::by_django_csp(name, &value.values().unwrap_or_default())),
        };
        let mut lines: Vec<_> = self.directives.checked()?.0.iter().filter_map(line).collect();
        lines.sort_by_key(|one| one.line.name == REPORT_URI);
        Ok((!lines.is_empty()).then(|| written(lines)))
    }

    /// `report-uri` alone knows no nonce, may come twice, and is dropped if it is empty.
    fn report_uri(&self, value: &DjangoValue) -> Option<Written> {
        let values = value.values().filter(|values| !values.is_empty())?;
        let text = format!("{REPORT_URI} {}", values.join(" ")).trim().to_owned();
        Some(Written { line: line(REPORT_URI, &values), with: text.clone(), bare: Some(text) })
    }

    /// The policy of responses that are not asked to report.
    pub(super) fn quiet(&self) -> Result<Option<CspPolicy>, CspErrors> {
        let none = [(REPORT_URI, DjangoValue::None), (REPORT_TO, DjangoValue::None)];
        self.clone().replace(&DjangoCsp::new(none)).policy()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn django(setting: &DjangoCsp, nonce: Option<&str>) -> String {
        let policy = CspPolicy::from_django(setting).unwrap().unwrap();
        policy.header(nonce).to_str().unwrap().to_owned()
    }

    #[test]
    fn rule_7_as_django_writes_it() {
        let setting = DjangoCsp::new([
            ("default-src", ["'self'"].into()),
            ("script-src", ["'self'", DJANGO_NONCE, "https://cdn.example"].into()),
            ("upgrade-insecure-requests", DjangoValue::True),
            ("img-src", DjangoValue::None),
            ("font-src", DjangoValue::List(Vec::new())),
            ("style-src", "'self'".into()),
            ("media-src", DjangoValue::Set(["b", "a"].map(str::to_owned).into())),
            ("worker-src", DJANGO_NONCE.into()),
        ]);
        assert_eq!(
            django(&setting, Some("abc")),
            "default-src 'self'; script-src 'self' 'nonce-abc' https://cdn.example; upgrade-insecure-requests; \
             style-src 'self'; media-src a b; worker-src 'nonce-abc'"
        );
        assert_eq!(
            django(&setting, None),
            "default-src 'self'; script-src 'self' https://cdn.example; upgrade-insecure-requests; style-src 'self'; \
             media-src a b"
        );
    }

    #[test]
    fn rule_7_an_empty_setting_is_no_policy_and_an_empty_policy_an_empty_header() {
        assert_eq!(CspPolicy::from_django(&DjangoCsp::default()), Ok(None));
        assert_eq!(django(&DjangoCsp::new([("img-src", DjangoValue::None)]), None), "");
    }

    #[test]
    fn rule_7_text_that_no_header_can_hold_is_refused() {
        for bad in ["a\nb", "a\0b", "é"] {
            let setting = DjangoCsp::new([("img-src", bad.into())]);
            let errors = CspPolicy::from_django(&setting).unwrap_err();
            assert_eq!(errors.0, [CspError::NoHeader("img-src".to_owned())], "{bad:?}");
        }
    }

    #[test]
    fn rule_7_a_django_policy_can_be_asked_and_made_strict() {
        let weak = DjangoCsp::new([
            ("default-src", "'self' 'unsafe-inline'".into()),
            ("img-src", ["*"].into()),
        ]);
        let policy = CspPolicy::from_django(&weak).unwrap().unwrap();
        assert!(policy.allows_inline_scripts());
        let bad = DjangoCsp::new([("script-src", ["'none'", "'self'"].into())]);
        assert!(CspPolicy::from_django(&bad).unwrap().unwrap().update().build().is_err());
    }

    #[test]
    fn rule_8_as_django_csp_writes_it() {
        let settings = DjangoCspSettings::new(&DjangoCsp::new([
            ("report-uri", "/r".into()),
            ("img-src", ["a.example", "a.example"].into()),
            ("script-src", [DJANGO_NONCE].into()),
            ("unknown-src", ["x"].into()),
        ]));
        let text = |settings: &DjangoCspSettings| {
            settings.policy().unwrap().unwrap().header(None).to_str().unwrap().to_owned()
        };
        assert_eq!(
            text(&settings),
            "default-src 'self'; script-src; img-src a.example; report-uri /r"
        );
        let replaced = settings.clone().replace(&DjangoCsp::new([("img-src", DjangoValue::None)]));
        let updated = replaced.update(&DjangoCsp::new([("default-src", "b.example".into())]));
        assert_eq!(text(&updated), "default-src 'self' b.example; script-src; report-uri /r");
        let quiet = settings.quiet().unwrap().unwrap();
        assert!(!quiet.reports() && quiet.sources(crate::csp::Directive::Img).is_some());
        let nothing = DjangoCsp::new([("default-src", DjangoValue::None)]);
        assert_eq!(DjangoCspSettings::new(&nothing).policy(), Ok(None));
    }
}
