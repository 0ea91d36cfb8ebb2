//! Directives, sources, and the header that they make.

use std::fmt;

use http::HeaderValue;

/// What a list of sources is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Directive {
    /// `default-src`: what has no directive of its own.
    Default,
    /// `script-src`.
    Script,
    /// `style-src`.
    Style,
    /// `img-src`.
    Img,
    /// `font-src`.
    Font,
    /// `connect-src`: `fetch`, WebSockets, beacons.
    Connect,
    /// `frame-src`: what this page may frame.
    Frame,
    /// `frame-ancestors`: who may frame this page.
    FrameAncestors,
    /// `form-action`: where forms may go.
    FormAction,
    /// `base-uri`: what `<base>` may say.
    BaseUri,
    /// `object-src`: plugins.
    Object,
}

impl Directive {
    /// The directive's name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default-src",
            Self::Script => "script-src",
            Self::Style => "style-src",
            Self::Img => "img-src",
            Self::Font => "font-src",
            Self::Connect => "connect-src",
            Self::Frame => "frame-src",
            Self::FrameAncestors => "frame-ancestors",
            Self::FormAction => "form-action",
            Self::BaseUri => "base-uri",
            Self::Object => "object-src",
        }
    }
}

/// Where something may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// `'self'`: the page's own origin.
    Own,
    /// `'none'`: nowhere.
    Nowhere,
    /// What has this response's nonce.
    Nonce,
    /// `'strict-dynamic'`: scripts that a trusted script loads.
    StrictDynamic,
    /// Another origin, or `data:`; see [`Source::origin`].
    Origin(String),
}

/// A source that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError(String);

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a source: expected \"https://host[:port]\", \"https://*.host\" or a scheme like \"data:\"",
            self.0
        )
    }
}

impl std::error::Error for SourceError {}

impl Source {
    /// An origin (`https://cdn.example`, `https://*.cdn.example`) or a scheme (`data:`).
    ///
    /// # Errors
    /// [`SourceError`] for what has a space, a quotation mark, a comma or a semicolon in it, or no
    /// scheme: it would be read as another directive, or match nothing.
    pub fn origin(source: impl Into<String>) -> Result<Self, SourceError> {
        let source = source.into();
        let legal = |byte: u8| matches!(byte, b'!'..=b'~') && !b"'\",;".contains(&byte);
        let scheme = source.split_once(':').is_some_and(|(scheme, _)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        });
        if scheme && source.bytes().all(legal) {
            Ok(Self::Origin(source))
        } else {
            Err(SourceError(source))
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Own => "'self'",
            Self::Nowhere => "'none'",
            Self::Nonce => NONCE_PLACE,
            Self::StrictDynamic => "'strict-dynamic'",
            Self::Origin(origin) => origin,
        }
    }
}

/// Stands for the nonce until a response has one: no source has a NUL.
const NONCE_PLACE: &str = "\0";

/// A Content Security Policy, as a parsed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CspPolicy {
    directives: Vec<(Directive, Vec<Source>)>,
    /// The header's text around the nonces, ready to be joined.
    pieces: Vec<String>,
    bare: HeaderValue,
}

impl CspPolicy {
    /// The site's own files, scripts and styles with the nonce, and nothing else.
    #[must_use]
    pub fn strict() -> Self {
        use Directive::{BaseUri, Default, FormAction, FrameAncestors, Object, Script, Style};
        Self::new([
            (Default, vec![Source::Own]),
            (Script, vec![Source::Own, Source::Nonce]),
            (Style, vec![Source::Own, Source::Nonce]),
            (Object, vec![Source::Nowhere]),
            (BaseUri, vec![Source::Nowhere]),
            (FormAction, vec![Source::Own]),
            (FrameAncestors, vec![Source::Nowhere]),
        ])
    }

    /// A policy of these directives, in this order. What is not named falls back to `default-src`,
    /// and without one is allowed from everywhere.
    #[must_use]
    pub fn new(directives: impl IntoIterator<Item = (Directive, Vec<Source>)>) -> Self {
        let mut policy = Self {
            directives: directives.into_iter().collect(),
            pieces: Vec::new(),
            bare: HeaderValue::from_static(""),
        };
        policy.compile();
        policy
    }

    /// Allows one source more. A directive that isn't there yet begins with those of `default-src`.
    #[must_use]
    pub fn allow(mut self, directive: Directive, source: Source) -> Self {
        let default = self.sources(Directive::Default).cloned().unwrap_or_default();
        if self.sources(directive).is_none() {
            self.directives.push((directive, default));
        }
        for (_, sources) in self.directives.iter_mut().filter(|(known, _)| *known == directive) {
            sources.retain(|known| *known != Source::Nowhere && *known != source);
            sources.push(source.clone());
        }
        self.compile();
        self
    }

    fn sources(&self, directive: Directive) -> Option<&Vec<Source>> {
        self.directives.iter().find(|(known, _)| *known == directive).map(|(_, sources)| sources)
    }

    fn compile(&mut self) {
        self.pieces = join(&self.directives).split(NONCE_PLACE).map(str::to_owned).collect();
        let without: Vec<_> = self
            .directives
            .iter()
            .map(|(directive, sources)| (*directive, without_nonce(sources)))
            .filter(|(_, sources)| !sources.is_empty())
            .collect();
        // All parts were checked when they were made.
        self.bare = HeaderValue::try_from(join(&without))
            .unwrap_or(HeaderValue::from_static("default-src 'none'"));
    }

    /// The header's value with this nonce, or without one: then the sources that need it are left
    /// out, and a directive without any source with them.
    #[must_use]
    pub fn header(&self, nonce: Option<&str>) -> HeaderValue {
        match nonce {
            None => self.bare.clone(),
            Some(nonce) => {
                let text = self.pieces.join(&format!("'nonce-{nonce}'"));
                HeaderValue::try_from(text).unwrap_or_else(|_| self.bare.clone())
            }
        }
    }
}

fn without_nonce(sources: &[Source]) -> Vec<Source> {
    sources.iter().filter(|source| **source != Source::Nonce).cloned().collect()
}

fn join(directives: &[(Directive, Vec<Source>)]) -> String {
    let directive = |(directive, sources): &(Directive, Vec<Source>)| {
        let sources = sources.iter().map(Source::text);
        std::iter::once(directive.name()).chain(sources).collect::<Vec<_>>().join(" ")
    };
    directives.iter().map(directive).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_the_strict_policy() {
        assert_eq!(
            CspPolicy::strict().header(Some("abc")),
            "default-src 'self'; script-src 'self' 'nonce-abc'; style-src 'self' 'nonce-abc'; object-src 'none'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
    }

    #[test]
    fn rule_2_without_a_nonce_its_sources_are_left_out() {
        let header = CspPolicy::strict().header(None);
        assert!(!header.to_str().unwrap().contains("nonce"));
        assert!(header.to_str().unwrap().contains("script-src 'self'; style-src 'self'"));
        let only = CspPolicy::new([
            (Directive::Default, vec![Source::Own]),
            (Directive::Script, vec![Source::Nonce]),
        ]);
        assert_eq!(only.header(None), "default-src 'self'");
    }

    #[test]
    fn sources_cannot_smuggle_directives() {
        for bad in [
            "https://a.example; script-src *",
            "'unsafe-inline'",
            "https://a.example,x",
            "a.example",
            "",
            "data: x",
        ] {
            assert!(Source::origin(bad).is_err(), "{bad}");
        }
        for good in ["https://*.cdn.example:8443", "data:", "blob:"] {
            assert!(Source::origin(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_source_more_keeps_the_others() {
        let policy = CspPolicy::strict()
            .allow(Directive::Frame, Source::origin("https://maps.example").unwrap())
            .allow(Directive::Object, Source::Own);
        let header = policy.header(None);
        let header = header.to_str().unwrap();
        assert!(header.contains("frame-src 'self' https://maps.example"), "{header}");
        assert!(header.contains("object-src 'self';"), "{header}");
    }
}
