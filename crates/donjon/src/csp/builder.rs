//! How a policy is put together, and what would defeat it.

use std::fmt;

use http::HeaderValue;

use super::directive::{Directive, Sandbox};
use super::policy::{
    CspPolicy, Line, REPORT_TO, REPORT_URI, REQUIRE_TRUSTED_TYPES, SANDBOX, TRUSTED_TYPES, UPGRADE,
};
use super::source::{Source, is_legal};

/// A policy that is to be.
#[derive(Clone, Debug)]
#[must_use = "a policy protects nothing until it is built and sent"]
pub struct CspBuilder {
    lines: Vec<Line>,
    endpoints: Option<HeaderValue>,
    mistakes: Vec<CspError>,
}

impl CspBuilder {
    pub(super) fn of(directives: impl IntoIterator<Item = (Directive, Vec<Source>)>) -> Self {
        let mut builder = Self::with_lines(Vec::new(), None);
        for (directive, sources) in directives {
            if builder.find(directive.name()).is_some() {
                builder.mistakes.push(CspError::Twice(directive));
            }
            builder.lines.push(Line::new(directive.name(), sources));
        }
        builder
    }

    pub(super) fn with_lines(lines: Vec<Line>, endpoints: Option<HeaderValue>) -> Self {
        Self { lines, endpoints, mistakes: Vec::new() }
    }

    /// Sets a directive's sources, whatever they were.
    pub fn directive(
        self,
        directive: Directive,
        sources: impl IntoIterator<Item = Source>,
    ) -> Self {
        self.set(directive.name(), sources.into_iter().collect())
    }

    /// Allows one source more. A directive that isn't there yet begins with the sources it fell back
    /// to, so that nothing that worked is refused.
    pub fn allow(self, directive: Directive, source: Source) -> Self {
        let mut sources = self.counting(directive);
        sources.retain(|known| *known != Source::NONE && *known != source);
        sources.push(source);
        self.set(directive.name(), sources)
    }

    /// Takes a directive away: what it ruled falls back to a wider one, or is allowed from everywhere.
    pub fn danger_without(mut self, directive: Directive) -> Self {
        self.lines.retain(|line| line.name != directive.name());
        self
    }

    /// Serves pages like a stranger's file, with no script, form or origin; allows these things again.
    /// For uploads of users.
    pub fn sandbox(self, allowed: impl IntoIterator<Item = Sandbox>) -> Self {
        let tokens = allowed.into_iter().map(|token| Source::raw(token.token())).collect();
        self.set(SANDBOX, tokens)
    }

    /// Turns `http:` in pages into `https:`, for files and for links to the site itself. Only for a
    /// site that is always reached by HTTPS: where it is not, its own files could not load.
    pub fn upgrade_insecure_requests(self) -> Self {
        self.set(UPGRADE, Vec::new())
    }

    /// `block-all-mixed-content`. Deprecated: browsers do it by themselves today.
    pub fn block_all_mixed_content(self) -> Self {
        self.set("block-all-mixed-content", Vec::new())
    }

    /// `webrtc 'block'`: no connection past `connect-src` by WebRTC. Not in all browsers yet.
    pub fn block_webrtc(self) -> Self {
        self.set("webrtc", vec![Source::raw("'block'")])
    }

    /// Text that a script turns into markup or code must pass one of these Trusted Types policies,
    /// which scripts may make once each: `"default"`, `"app"`. Without a name they may make none, and
    /// `innerHTML` is closed.
    ///
    /// Stops scripts of the site that put a visitor's text into the page.
    pub fn trusted_types<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let wrong = names.iter().filter(|name| !is_type_name(name)).cloned();
        self.mistakes.extend(wrong.map(CspError::TypeName));
        let sources = match names.is_empty() {
            true => vec![Source::NONE],
            false => names.iter().map(|name| Source::raw(name)).collect(),
        };
        self.set(REQUIRE_TRUSTED_TYPES, vec![Source::raw("'script'")]).set(TRUSTED_TYPES, sources)
    }

    /// Scripts may make a Trusted Types policy of the same name again. After
    /// [`CspBuilder::trusted_types`] with names.
    pub fn allow_duplicate_types(mut self) -> Self {
        let mut types =
            self.find(TRUSTED_TYPES).map(|line| line.sources.clone()).unwrap_or_default();
        if types.is_empty() || types.contains(&Source::NONE) {
            self.mistakes.push(CspError::DuplicatesOfNothing);
        }
        types.push(Source::raw("'allow-duplicates'"));
        self.set(TRUSTED_TYPES, types)
    }

    /// Violations are reported to this address, an absolute path or `https://…`, under this name.
    ///
    /// Sets `report-to` and the header `Reporting-Endpoints` for browsers that know them, and
    /// `report-uri` for the others.
    pub fn report_to(mut self, group: &str, address: &str) -> Self {
        match endpoints(group, address) {
            Some(header) if is_group(group) => self.endpoints = Some(header),
            _ => self.mistakes.push(CspError::Group(group.to_owned())),
        }
        self.report_uri(address).set(REPORT_TO, vec![Source::raw(group)])
    }

    /// Violations are reported to this address, an absolute path or `https://…`, in the older way
    /// alone: it also works without TLS, on a developer's machine.
    pub fn report_uri(mut self, address: &str) -> Self {
        if !is_address(address) {
            self.mistakes.push(CspError::Address(address.to_owned()));
        }
        self.set(REPORT_URI, vec![Source::raw(address)])
    }

    /// The policy.
    ///
    /// # Errors
    /// [`CspErrors`]: all that would defeat it.
    pub fn build(mut self) -> Result<CspPolicy, CspErrors> {
        self.mistakes.extend(self.lines.iter().flat_map(mistakes));
        if self.lines.is_empty() {
            self.mistakes.push(CspError::Empty);
        }
        if !self.mistakes.is_empty() {
            return Err(CspErrors(self.mistakes));
        }
        self.lines.sort_by_key(|line| [REPORT_URI, REPORT_TO].contains(&&*line.name));
        Ok(CspPolicy::from_lines(self.lines, self.endpoints))
    }

    fn set(mut self, name: &'static str, sources: Vec<Source>) -> Self {
        match self.lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.sources = sources,
            None => self.lines.push(Line::new(name, sources)),
        }
        self
    }

    fn find(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    /// The sources that count for a directive now, without those that mean nothing in it.
    fn counting(&self, directive: Directive) -> Vec<Source> {
        let chain = std::iter::once(&directive).chain(directive.fallbacks());
        let line = chain.copied().find_map(|known| self.find(known.name()));
        let sources = line.into_iter().flat_map(|line| &line.sources);
        sources.filter(|source| directive.understands(source)).cloned().collect()
    }
}

/// What would defeat one directive.
fn mistakes(line: &Line) -> Vec<CspError> {
    let Ok(directive) = line.name.parse::<Directive>() else { return Vec::new() };
    let foreign = |source: &&Source| !directive.understands(source);
    let anybodys =
        |source: &&Source| directive.is_active() && source.is_broad() && !source.is_danger();
    let mut mistakes = contradictions(directive, &line.sources);
    let strange = line.sources.iter().filter(foreign);
    mistakes.extend(strange.map(|source| CspError::Meaningless(directive, source.clone())));
    let broad = line.sources.iter().filter(anybodys);
    mistakes.extend(broad.map(|source| CspError::AnybodysScripts(directive, source.clone())));
    mistakes
}

/// Sources that undo each other, or do nothing alone.
fn contradictions(directive: Directive, sources: &[Source]) -> Vec<CspError> {
    let says = |word: &str| sources.iter().any(|source| source.text() == word);
    let hashes = sources.iter().any(Source::is_hash);
    let trusts = hashes || sources.contains(&Source::NONCE);
    let dynamic = says("'strict-dynamic'");
    let found = [
        (sources.is_empty(), CspError::NoSource(directive)),
        (says("'none'") && sources.len() > 1, CspError::NoneBesideOthers(directive)),
        (dynamic && !trusts, CspError::DynamicAlone(directive)),
        (says("'unsafe-inline'") && (trusts || dynamic), CspError::InlineIgnored(directive)),
        (says("'unsafe-hashes'") && !hashes, CspError::HashesOfNothing(directive)),
    ];
    found.into_iter().filter_map(|(is, mistake)| is.then_some(mistake)).collect()
}

fn is_type_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-#=_/@.%".contains(&byte);
    !name.is_empty() && name.bytes().all(legal)
}

/// A key of a structured header, which is a token of CSP as well.
fn is_group(name: &str) -> bool {
    let legal =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(legal)
}

fn is_address(address: &str) -> bool {
    let path = address.starts_with('/') && !address.starts_with("//");
    let legal = |byte: u8| is_legal(byte) || byte == b'?';
    (path || address.starts_with("https://")) && address.bytes().all(legal)
}

fn endpoints(group: &str, address: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("{group}=\"{address}\"")).ok()
}

/// What would defeat a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CspError {
    /// There is no directive.
    Empty,
    /// A directive comes twice: browsers ignore the second.
    Twice(Directive),
    /// A directive has no source.
    NoSource(Directive),
    /// `'none'` with other sources: browsers ignore it.
    NoneBesideOthers(Directive),
    /// `'strict-dynamic'` without a nonce or hash: nothing runs.
    DynamicAlone(Directive),
    /// `'unsafe-inline'` beside a nonce, a hash or `'strict-dynamic'`: browsers ignore it, until a
    /// page comes that did not read its nonce, where everything inline runs.
    InlineIgnored(Directive),
    /// `'unsafe-hashes'` without a hash.
    HashesOfNothing(Directive),
    /// A source that browsers don't look at in this directive.
    Meaningless(Directive, Source),
    /// A scheme of anybody's content, where code may come from.
    AnybodysScripts(Directive, Source),
    /// A name that no Trusted Types policy can have.
    TypeName(String),
    /// `'allow-duplicates'` where no Trusted Types policy may be made.
    DuplicatesOfNothing,
    /// A name that no group of reports can have.
    Group(String),
    /// An address that reports can't be sent to.
    Address(String),
    /// Text in Django's settings that no header can hold: the directive.
    NoHeader(String),
}

impl fmt::Display for CspError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "the CSP has no directive and would allow everything: begin with CspPolicy::strict().update()",
            ),
            Self::Twice(directive) => write!(
                f,
                "{directive} comes twice and browsers ignore the second: put all its sources into one"
            ),
            Self::NoSource(directive) => {
                write!(f, "{directive} has no source: say Source::NONE if nothing is allowed")
            }
            Self::NoneBesideOthers(directive) => write!(
                f,
                "{directive} has 'none' beside other sources, which ignore it: take one or the other away"
            ),
            Self::DynamicAlone(directive) => write!(
                f,
                "{directive} has 'strict-dynamic' without a nonce or hash, so nothing could run: add Source::NONCE"
            ),
            Self::InlineIgnored(directive) => write!(
                f,
                "{directive} has 'unsafe-inline' beside a nonce, a hash or 'strict-dynamic': browsers ignore it, \
                 but not on pages that don't read their nonce: take it away"
            ),
            Self::HashesOfNothing(directive) => write!(
                f,
                "{directive} has 'unsafe-hashes' without a hash: add Source::sha256_of the handler's text"
            ),
            Self::Meaningless(directive, source) => write!(
                f,
                "{source} means nothing in {directive}: put it where scripts or styles are ruled, or take it away"
            ),
            Self::AnybodysScripts(directive, source) => write!(
                f,
                "{source} in {directive} lets anybody's text run: name the origin, or say Source::danger_scheme"
            ),
            Self::TypeName(name) => write!(
                f,
                "{name:?} is not a name of a Trusted Types policy: expected letters, digits and any of -#=_/@.%"
            ),
            Self::DuplicatesOfNothing => f.write_str(
                "duplicate Trusted Types policies are allowed, but none by name: call trusted_types with names first",
            ),
            Self::Group(name) => write!(
                f,
                "{name:?} is not a name of a group of reports: expected lower-case letters, digits and any of _-."
            ),
            Self::Address(address) => write!(
                f,
                "{address:?} is not an address for reports: expected an absolute path or \"https://host/path\""
            ),
            Self::NoHeader(directive) => write!(
                f,
                "the CSP setting {directive:?} has text that no header can hold: expected printable ASCII"
            ),
        }
    }
}

/// Everything that would defeat a policy. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CspErrors(pub(super) Vec<CspError>);

impl CspErrors {
    /// The mistakes.
    pub fn iter(&self) -> std::slice::Iter<'_, CspError> {
        self.0.iter()
    }
}

impl fmt::Display for CspErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for error in &self.0 {
            write!(f, "{separator}{error}")?;
            separator = "\n";
        }
        Ok(())
    }
}

impl std::error::Error for CspErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes_of(directive: Directive, sources: &[Source]) -> Vec<CspError> {
        match CspPolicy::new([(directive, sources.to_vec())]) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.0,
        }
    }

    fn text(builder: CspBuilder) -> String {
        builder.build().unwrap().header(None).to_str().unwrap().to_owned()
    }

    #[test]
    fn rule_4_what_defeats_itself_is_refused() {
        use Directive::{BaseUri, Img, Script, ScriptElem, Style};
        let inline = Source::danger_unsafe_inline;
        let data = Source::scheme("data:").unwrap();
        let hash = Source::sha256_of("x");
        for (directive, sources, expected) in [
            (Img, vec![], CspError::NoSource(Img)),
            (Img, vec![Source::NONE, Source::SELF], CspError::NoneBesideOthers(Img)),
            (Script, vec![Source::SELF, Source::STRICT_DYNAMIC], CspError::DynamicAlone(Script)),
            (Script, vec![Source::NONCE, inline()], CspError::InlineIgnored(Script)),
            (Style, vec![hash, inline()], CspError::InlineIgnored(Style)),
            (Script, vec![Source::danger_unsafe_hashes()], CspError::HashesOfNothing(Script)),
            (Img, vec![Source::NONCE], CspError::Meaningless(Img, Source::NONCE)),
            (
                ScriptElem,
                vec![Source::danger_unsafe_eval()],
                CspError::Meaningless(ScriptElem, Source::danger_unsafe_eval()),
            ),
            (Script, vec![data.clone()], CspError::AnybodysScripts(Script, data.clone())),
            (BaseUri, vec![data.clone()], CspError::AnybodysScripts(BaseUri, data.clone())),
        ] {
            assert_eq!(mistakes_of(directive, &sources), [expected], "{directive} {sources:?}");
        }
        for (directive, sources) in [
            (Img, vec![data]),
            (Script, vec![Source::danger_scheme("data:").unwrap()]),
            (Script, vec![Source::NONCE, Source::STRICT_DYNAMIC]),
            (Script, vec![inline()]),
            (Script, vec![Source::sha256_of("x"), Source::danger_unsafe_hashes()]),
        ] {
            assert_eq!(mistakes_of(directive, &sources), [], "{directive} {sources:?}");
        }
    }

    #[test]
    fn rule_4_all_mistakes_at_once_with_the_way_out() {
        let errors = CspBuilder::of([
            (Directive::Script, vec![Source::STRICT_DYNAMIC]),
            (Directive::Script, vec![Source::SELF]),
        ])
        .trusted_types(["a b"])
        .report_to("CSP!", "javascript:1")
        .build()
        .unwrap_err();
        let said = errors.to_string();
        assert_eq!(errors.iter().count(), 5, "{said}");
        for way_out in ["into one", "Source::NONCE", "letters", "lower-case", "absolute path"] {
            assert!(said.contains(way_out), "{said}");
        }
        assert!(CspPolicy::builder().build().unwrap_err().to_string().contains("strict()"));
    }

    #[test]
    fn rule_4_addresses_and_groups_cannot_smuggle() {
        for bad in [
            "",
            "report",
            "//evil.example/",
            "http://a.example/",
            "/a;b",
            "/a,b",
            "/a\"b",
            "/a b",
            "/a\n",
        ] {
            assert!(CspPolicy::strict().update().report_uri(bad).build().is_err(), "{bad}");
        }
        for bad in ["", "Csp", "1", "a b", "a;b", "a\"b", "a=b"] {
            assert!(CspPolicy::strict().update().report_to(bad, "/r").build().is_err(), "{bad}");
        }
        assert!(
            CspPolicy::strict().update().report_to("a", "https://r.example/?x=1").build().is_ok()
        );
    }

    #[test]
    fn rule_3_a_source_more_keeps_the_others() {
        let maps = Source::origin("https://maps.example").unwrap();
        let base = [(Directive::Default, vec![Source::SELF, Source::NONCE])];
        let text = text(
            CspBuilder::of(base)
                .allow(Directive::Frame, maps.clone())
                .allow(Directive::Frame, maps),
        );
        assert_eq!(text, "default-src 'self'; frame-src 'self' https://maps.example");
    }

    #[test]
    fn rule_3_a_source_takes_the_place_of_none() {
        let policy =
            CspPolicy::strict().update().allow(Directive::Object, Source::SELF).build().unwrap();
        assert_eq!(policy.sources(Directive::Object), Some(&[Source::SELF][..]));
    }

    #[test]
    fn rule_3_the_other_directives() {
        let builder = CspBuilder::of([])
            .report_to("csp", "/csp-report/")
            .sandbox([Sandbox::Scripts, Sandbox::Forms])
            .upgrade_insecure_requests()
            .block_all_mixed_content()
            .block_webrtc()
            .trusted_types(["default"])
            .allow_duplicate_types();
        let policy = builder.clone().build().unwrap();
        assert_eq!(policy.reporting_endpoints().unwrap(), "csp=\"/csp-report/\"");
        assert!(policy.requires_trusted_types() && policy.is_sandbox() && policy.reports());
        assert_eq!(
            text(builder),
            "sandbox allow-scripts allow-forms; upgrade-insecure-requests; block-all-mixed-content; webrtc 'block'; \
             require-trusted-types-for 'script'; trusted-types default 'allow-duplicates'; report-uri /csp-report/; \
             report-to csp"
        );
        let none: [&str; 0] = [];
        assert!(text(CspBuilder::of([]).trusted_types(none)).ends_with("trusted-types 'none'"));
        let errors = CspBuilder::of([]).trusted_types(none).allow_duplicate_types().build();
        assert_eq!(errors.unwrap_err().0, [CspError::DuplicatesOfNothing]);
    }

    #[test]
    fn rule_3_a_directive_can_be_taken_away() {
        let policy =
            CspPolicy::strict().update().danger_without(Directive::BaseUri).build().unwrap();
        assert!(policy.sources(Directive::BaseUri).is_none());
        assert!(policy.effective(Directive::BaseUri).is_none());
    }
}
