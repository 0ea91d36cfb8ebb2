//! A policy, and the header that it makes.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderValue;

use super::builder::{CspBuilder, CspErrors};
use super::directive::Directive;
use super::source::Source;

/// Stands for a nonce in the text of a policy: no source has a NUL.
pub(super) const NONCE_PLACE: &str = "\0";

/// What stands before and after a nonce on the wire.
const NONCE_START: &[u8] = b"'nonce-";
const NONCE_END: &[u8] = b"'";

pub(super) const REPORT_URI: &str = "report-uri";
pub(super) const REPORT_TO: &str = "report-to";
pub(super) const UPGRADE: &str = "upgrade-insecure-requests";
pub(super) const TRUSTED_TYPES: &str = "trusted-types";
pub(super) const REQUIRE_TRUSTED_TYPES: &str = "require-trusted-types-for";
pub(super) const SANDBOX: &str = "sandbox";

/// How many bytes of policies are allocated at once, for a dozen responses.
const BUFFER_SIZE: usize = 4 << 10;

thread_local! {
    /// Where policies with a nonce are written. It is used again when the responses are gone.
    static BUFFER: RefCell<BytesMut> = RefCell::new(BytesMut::with_capacity(BUFFER_SIZE));
}

/// A directive with what stands behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) name: Cow<'static, str>,
    pub(super) sources: Vec<Source>,
}

impl Line {
    pub(super) fn new(name: impl Into<Cow<'static, str>>, sources: Vec<Source>) -> Self {
        Self { name: name.into(), sources }
    }

    pub(super) fn has(&self, source: &Source) -> bool {
        self.sources.contains(source)
    }

    /// The line of a response whose nonce nobody has read. With nothing left to trust it trusts
    /// nothing: a directive that went missing would fall back to a wider one, and origins beside
    /// `'strict-dynamic'`, which the browser ignored, would count.
    fn without_nonce(&self) -> Cow<'_, Self> {
        if !self.has(&Source::NONCE) {
            return Cow::Borrowed(self);
        }
        let mut sources: Vec<_> =
            self.sources.iter().filter(|known| **known != Source::NONCE).cloned().collect();
        let dynamic = self.has(&Source::STRICT_DYNAMIC) && !sources.iter().any(Source::is_hash);
        if dynamic || sources.iter().all(|source| *source == Source::REPORT_SAMPLE) {
            sources = vec![Source::NONE];
        }
        Cow::Owned(Self::new(self.name.clone(), sources))
    }

    fn text(&self) -> String {
        let sources = self.sources.iter().map(|source| source.as_str().unwrap_or(NONCE_PLACE));
        std::iter::once(&*self.name).chain(sources).collect::<Vec<_>>().join(" ")
    }
}

/// A Content Security Policy, as a parsed value. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CspPolicy(Arc<Compiled>);

#[derive(Debug, PartialEq, Eq)]
struct Compiled {
    lines: Vec<Line>,
    endpoints: Option<HeaderValue>,
    /// The header's text around the nonces: more than one piece if there are any.
    pieces: Vec<Box<[u8]>>,
    /// The header of a response without a nonce.
    bare: HeaderValue,
}

impl CspPolicy {
    /// The site's own files, scripts and styles with the nonce, and nothing else: no inline script or
    /// handler, no plugin, no frame in either direction, no `<base>`, forms to the site itself. Scores
    /// full marks in MDN's HTTP Observatory.
    ///
    /// A site that is always reached by HTTPS adds [`CspBuilder::upgrade_insecure_requests`].
    #[must_use]
    pub fn strict() -> Self {
        Self::from_lines(strict_lines(vec![Source::SELF, Source::NONCE]), None)
    }

    /// As [`CspPolicy::strict`], but a script needs the nonce even if it is a file of the site, and
    /// may load others: uploads and JSONP answers of the site itself can't run.
    ///
    /// On a page that never reads the nonce no script runs.
    #[must_use]
    pub fn strict_dynamic() -> Self {
        Self::from_lines(strict_lines(vec![Source::NONCE, Source::STRICT_DYNAMIC]), None)
    }

    /// A policy of these directives, in this order. What is not named falls back to `default-src`,
    /// and without one is allowed from everywhere.
    ///
    /// # Errors
    /// [`CspErrors`]: all that defeats the policy, a directive that comes twice among them.
    pub fn new(
        directives: impl IntoIterator<Item = (Directive, Vec<Source>)>,
    ) -> Result<Self, CspErrors> {
        CspBuilder::of(directives).build()
    }

    /// A policy that is empty yet.
    pub fn builder() -> CspBuilder {
        CspBuilder::of([])
    }

    /// This policy, to be changed: for a site's own sources, or for those of one route. django-csp:
    /// `csp_update`, `csp_replace`.
    ///
    /// A policy of Django's settings must pass the rules of this room then.
    pub fn update(&self) -> CspBuilder {
        CspBuilder::with_lines(self.0.lines.clone(), self.0.endpoints.clone())
    }

    /// Lines that are known to hold nothing but legal text.
    pub(super) fn from_lines(lines: Vec<Line>, endpoints: Option<HeaderValue>) -> Self {
        let with = join(lines.iter().map(Line::text));
        let bare = join(lines.iter().map(|line| line.without_nonce().text()));
        Self::compiled(lines, endpoints, &with, bare)
    }

    pub(super) fn compiled(
        lines: Vec<Line>,
        endpoints: Option<HeaderValue>,
        with: &str,
        bare: String,
    ) -> Self {
        // A header can be made of all legal text; if it could not, nothing would be allowed.
        let bare =
            HeaderValue::try_from(bare).unwrap_or(HeaderValue::from_static("default-src 'none'"));
        let pieces = with.split(NONCE_PLACE).map(|piece| piece.as_bytes().into()).collect();
        Self(Arc::new(Compiled { lines, endpoints, pieces, bare }))
    }

    /// The header's value with this nonce, or without one: then the sources that need it are left
    /// out, and what is left with nothing becomes `'none'`.
    ///
    /// An allocation for every dozen headers with a nonce, and none without.
    #[must_use]
    pub fn header(&self, nonce: Option<&str>) -> HeaderValue {
        match nonce {
            Some(nonce) if self.uses_nonce() => self.with_nonce(nonce.as_bytes()),
            _ => self.0.bare.clone(),
        }
    }

    fn with_nonce(&self, nonce: &[u8]) -> HeaderValue {
        let text = BUFFER.with_borrow_mut(|buffer| self.filled(nonce, buffer));
        HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| self.0.bare.clone())
    }

    /// The header's text, in the room that the texts before it have left in the buffer.
    fn filled(&self, nonce: &[u8], buffer: &mut BytesMut) -> Bytes {
        let pieces = &self.0.pieces;
        let around: usize = pieces.iter().map(|piece| piece.len()).sum();
        let each = NONCE_START.len() + nonce.len() + NONCE_END.len();
        buffer.reserve(around + pieces.len().saturating_sub(1) * each);
        for (at, piece) in pieces.iter().enumerate() {
            if at > 0 {
                for part in [NONCE_START, nonce, NONCE_END] {
                    buffer.extend_from_slice(part);
                }
            }
            buffer.extend_from_slice(piece);
        }
        buffer.split().freeze()
    }

    /// `Reporting-Endpoints`, which names the address behind `report-to`.
    #[must_use]
    pub fn reporting_endpoints(&self) -> Option<&HeaderValue> {
        self.0.endpoints.as_ref()
    }

    /// The sources of a directive, if the policy has it.
    #[must_use]
    pub fn sources(&self, directive: Directive) -> Option<&[Source]> {
        self.line(directive.name()).map(|line| &*line.sources)
    }

    /// The sources that count for a directive: its own, or those it falls back to. [`None`]: anything
    /// is allowed.
    #[must_use]
    pub fn effective(&self, directive: Directive) -> Option<&[Source]> {
        let chain = std::iter::once(&directive).chain(directive.fallbacks());
        chain.copied().find_map(|directive| self.sources(directive))
    }

    /// Does any inline script run, an injected one too?
    #[must_use]
    pub fn allows_inline_scripts(&self) -> bool {
        [Directive::ScriptElem, Directive::ScriptAttr].into_iter().any(|kind| self.inline(kind))
    }

    /// Does any inline style count, an injected one too?
    #[must_use]
    pub fn allows_inline_styles(&self) -> bool {
        [Directive::StyleElem, Directive::StyleAttr].into_iter().any(|kind| self.inline(kind))
    }

    /// Browsers ignore `'unsafe-inline'` beside a hash, a nonce, or `'strict-dynamic'`. A nonce that
    /// nobody read is not there.
    fn inline(&self, directive: Directive) -> bool {
        self.effective(directive).is_none_or(|sources| {
            sources.iter().any(|source| source.text() == "'unsafe-inline'")
                && !sources.iter().any(|known| known.is_hash() || *known == Source::STRICT_DYNAMIC)
        })
    }

    /// May text become code?
    #[must_use]
    pub fn allows_eval(&self) -> bool {
        self.effective(Directive::Script)
            .is_none_or(|sources| sources.iter().any(|source| source.text() == "'unsafe-eval'"))
    }

    /// May what anybody wrote stand here: `*`, `data:`, `https:`, or no rule at all?
    #[must_use]
    pub fn allows_anybody(&self, directive: Directive) -> bool {
        self.effective(directive).is_none_or(|sources| sources.iter().any(Source::is_broad))
    }

    /// Is anything allowed to be fetched in clear?
    #[must_use]
    pub fn allows_insecure(&self) -> bool {
        self.0.lines.iter().flat_map(|line| &line.sources).any(Source::is_insecure)
    }

    /// Does anything need the nonce?
    #[must_use]
    pub fn uses_nonce(&self) -> bool {
        self.0.pieces.len() > 1
    }

    /// Are violations reported to an address?
    #[must_use]
    pub fn reports(&self) -> bool {
        [REPORT_URI, REPORT_TO].iter().any(|name| self.line(name).is_some())
    }

    /// Is `http:` in pages turned into `https:`?
    #[must_use]
    pub fn upgrades_insecure_requests(&self) -> bool {
        self.line(UPGRADE).is_some()
    }

    /// Must text that scripts turn into markup or code pass a policy of Trusted Types?
    #[must_use]
    pub fn requires_trusted_types(&self) -> bool {
        self.line(REQUIRE_TRUSTED_TYPES).is_some()
    }

    /// Is it a sandbox?
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        self.line(SANDBOX).is_some()
    }

    fn line(&self, name: &str) -> Option<&Line> {
        // The first counts, for browsers too.
        self.0.lines.iter().find(|line| line.name == name)
    }
}

fn strict_lines(scripts: Vec<Source>) -> Vec<Line> {
    use Directive::{
        BaseUri, Connect, Default, Font, FormAction, FrameAncestors, Img, Manifest, Object, Script,
        Style,
    };
    let own = |directive: Directive| Line::new(directive.name(), vec![Source::SELF]);
    let none = |directive: Directive| Line::new(directive.name(), vec![Source::NONE]);
    vec![
        none(Default),
        Line::new(Script.name(), scripts),
        Line::new(Style.name(), vec![Source::SELF, Source::NONCE]),
        own(Img),
        own(Font),
        own(Connect),
        own(Manifest),
        none(Object),
        none(BaseUri),
        own(FormAction),
        none(FrameAncestors),
    ]
}

pub(super) fn join(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(policy: &CspPolicy, nonce: Option<&str>) -> String {
        policy.header(nonce).to_str().unwrap().to_owned()
    }

    #[test]
    fn rule_1_the_strict_policy() {
        assert_eq!(
            text(&CspPolicy::strict(), Some("abc")),
            "default-src 'none'; script-src 'self' 'nonce-abc'; style-src 'self' 'nonce-abc'; img-src 'self'; \
             font-src 'self'; connect-src 'self'; manifest-src 'self'; object-src 'none'; base-uri 'none'; \
             form-action 'self'; frame-ancestors 'none'"
        );
    }

    #[test]
    fn rule_1_the_presets_keep_their_own_rules() {
        for policy in [CspPolicy::strict(), CspPolicy::strict_dynamic()] {
            assert_eq!(policy.update().build().unwrap(), policy);
        }
    }

    #[test]
    fn rule_2_without_a_nonce_its_sources_are_left_out() {
        let header = text(&CspPolicy::strict(), None);
        assert!(!header.contains("nonce"), "{header}");
        assert!(header.contains("script-src 'self'; style-src 'self'; "), "{header}");
    }

    #[test]
    fn rule_2_what_is_left_with_nothing_allows_nothing() {
        let cdn = Source::origin("https://cdn.example").unwrap();
        for sources in [
            vec![Source::NONCE],
            vec![Source::NONCE, Source::REPORT_SAMPLE],
            vec![Source::NONCE, Source::STRICT_DYNAMIC, cdn.clone()],
        ] {
            let lists = [(Directive::Default, vec![Source::SELF]), (Directive::Script, sources)];
            let policy = CspPolicy::new(lists).unwrap();
            assert_eq!(text(&policy, None), "default-src 'self'; script-src 'none'");
        }
        let hash = Source::sha256_of("x");
        let policy = CspPolicy::new([(
            Directive::Script,
            vec![Source::NONCE, hash.clone(), Source::STRICT_DYNAMIC],
        )])
        .unwrap();
        assert_eq!(text(&policy, None), format!("script-src {hash} 'strict-dynamic'"));
    }

    #[test]
    fn rule_2_a_nonce_that_no_header_can_hold_is_not_written() {
        let policy = CspPolicy::strict();
        assert_eq!(policy.header(Some("a\nb")), policy.header(None));
    }

    #[test]
    fn rule_2_headers_with_a_nonce_share_a_buffer_and_not_their_text() {
        let policy = CspPolicy::strict();
        let texts: Vec<_> = (0..100).map(|at| policy.header(Some(&format!("n{at}")))).collect();
        for (at, text) in texts.iter().enumerate() {
            assert!(text.to_str().unwrap().contains(&format!("'nonce-n{at}'")), "{text:?}");
        }
    }

    #[test]
    fn what_a_policy_allows_can_be_asked() {
        let strict = CspPolicy::strict();
        assert!(!strict.allows_inline_scripts() && !strict.allows_inline_styles());
        assert!(!strict.allows_eval() && !strict.allows_insecure() && strict.uses_nonce());
        assert!(!strict.allows_anybody(Directive::Worker) && !strict.reports());
        assert!(!strict.upgrades_insecure_requests() && !strict.is_sandbox());
        let unsafe_inline = Source::danger_unsafe_inline();
        let weak = CspPolicy::new([
            (Directive::Script, vec![unsafe_inline, Source::danger_unsafe_eval()]),
            (Directive::Img, vec![Source::danger_any(), Source::danger_scheme("http:").unwrap()]),
        ])
        .unwrap();
        assert!(weak.allows_inline_scripts() && weak.allows_eval() && weak.allows_insecure());
        assert!(weak.allows_anybody(Directive::Img) && weak.allows_inline_styles());
        assert!(!weak.allows_anybody(Directive::Script) && !weak.allows_anybody(Directive::Worker));
        assert!(!weak.uses_nonce());
    }
}
