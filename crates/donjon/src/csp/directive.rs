//! What a list of sources is for, and what each directive may hold.

use std::fmt;
use std::str::FromStr;

use super::source::Source;

/// What a list of sources is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Directive {
    /// `default-src`: what has no directive of its own.
    Default,
    /// `script-src`.
    Script,
    /// `script-src-elem`: `<script>` alone.
    ScriptElem,
    /// `script-src-attr`: event handlers alone.
    ScriptAttr,
    /// `style-src`.
    Style,
    /// `style-src-elem`: `<style>` and style sheets alone.
    StyleElem,
    /// `style-src-attr`: `style` attributes alone.
    StyleAttr,
    /// `img-src`.
    Img,
    /// `font-src`.
    Font,
    /// `connect-src`: `fetch`, WebSockets, beacons.
    Connect,
    /// `media-src`: audio, video, subtitles.
    Media,
    /// `object-src`: plugins.
    Object,
    /// `manifest-src`.
    Manifest,
    /// `worker-src`.
    Worker,
    /// `frame-src`: what this page may frame.
    Frame,
    /// `child-src`: frames and workers that have no directive of their own.
    Child,
    /// `base-uri`: what `<base>` may say. Does not fall back to `default-src`.
    BaseUri,
    /// `form-action`: where forms may go. Does not fall back to `default-src`.
    FormAction,
    /// `frame-ancestors`: who may frame this page. Does not fall back to `default-src`.
    FrameAncestors,
}

/// All of them, in the order of their kinds.
const ALL: [Directive; 19] = [
    Directive::Default,
    Directive::Script,
    Directive::ScriptElem,
    Directive::ScriptAttr,
    Directive::Style,
    Directive::StyleElem,
    Directive::StyleAttr,
    Directive::Img,
    Directive::Font,
    Directive::Connect,
    Directive::Media,
    Directive::Object,
    Directive::Manifest,
    Directive::Worker,
    Directive::Frame,
    Directive::Child,
    Directive::BaseUri,
    Directive::FormAction,
    Directive::FrameAncestors,
];

impl Directive {
    /// The directive's name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default-src",
            Self::Script => "script-src",
            Self::ScriptElem => "script-src-elem",
            Self::ScriptAttr => "script-src-attr",
            Self::Style => "style-src",
            Self::StyleElem => "style-src-elem",
            Self::StyleAttr => "style-src-attr",
            Self::Img => "img-src",
            Self::Font => "font-src",
            Self::Connect => "connect-src",
            Self::Media => "media-src",
            Self::Object => "object-src",
            Self::Manifest => "manifest-src",
            Self::Worker => "worker-src",
            Self::Frame => "frame-src",
            Self::Child => "child-src",
            Self::BaseUri => "base-uri",
            Self::FormAction => "form-action",
            Self::FrameAncestors => "frame-ancestors",
        }
    }

    /// Where a browser looks next if a policy does not have this directive, in this order.
    #[must_use]
    pub const fn fallbacks(self) -> &'static [Self] {
        match self {
            Self::ScriptElem | Self::ScriptAttr => &[Self::Script, Self::Default],
            Self::StyleElem | Self::StyleAttr => &[Self::Style, Self::Default],
            Self::Worker => &[Self::Child, Self::Script, Self::Default],
            Self::Frame => &[Self::Child, Self::Default],
            Self::Default | Self::BaseUri | Self::FormAction | Self::FrameAncestors => &[],
            _ => &[Self::Default],
        }
    }

    /// Is it about what runs?
    pub(super) const fn is_active(self) -> bool {
        matches!(
            self,
            Self::Default
                | Self::Script
                | Self::ScriptElem
                | Self::Worker
                | Self::Object
                | Self::BaseUri
        )
    }

    /// Does a browser look at this source in this directive at all?
    pub(super) fn understands(self, source: &Source) -> bool {
        use Directive::{Default, Script, ScriptAttr, ScriptElem, Style, StyleAttr, StyleElem};
        let any = |known: &[Self]| known.contains(&self);
        match source.as_str() {
            None => any(&[Default, Script, ScriptElem, Style, StyleElem]),
            Some("'strict-dynamic'") => any(&[Default, Script, ScriptElem]),
            Some("'unsafe-eval'" | "'wasm-unsafe-eval'") => any(&[Default, Script]),
            Some("'unsafe-hashes'") => any(&[Default, Script, ScriptAttr, Style, StyleAttr]),
            Some("'unsafe-inline'" | "'report-sample'") => self.is_inline(),
            Some(_) if source.is_hash() => self.is_inline(),
            Some(_) => true,
        }
    }

    fn is_inline(self) -> bool {
        let name = self.name();
        self == Self::Default || name.starts_with("script") || name.starts_with("style")
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name on the wire: for settings that are text.
impl FromStr for Directive {
    type Err = UnknownDirective;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = ALL.into_iter().find(|directive| directive.name() == name);
        known.ok_or_else(|| UnknownDirective(name.to_owned()))
    }
}

/// A name that no list of sources has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDirective(String);

impl fmt::Display for UnknownDirective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ALL.map(Directive::name).join(", ");
        write!(f, "{:?} is not a CSP directive with sources: expected one of {names}", self.0)
    }
}

impl std::error::Error for UnknownDirective {}

/// What a sandboxed page may still do. Nothing else of it works: no scripts, no forms, an origin of
/// its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sandbox {
    /// `allow-downloads`.
    Downloads,
    /// `allow-forms`.
    Forms,
    /// `allow-modals`: `alert`, `confirm`, `print`.
    Modals,
    /// `allow-orientation-lock`.
    OrientationLock,
    /// `allow-pointer-lock`.
    PointerLock,
    /// `allow-popups`.
    Popups,
    /// `allow-popups-to-escape-sandbox`.
    PopupsToEscapeSandbox,
    /// `allow-presentation`.
    Presentation,
    /// `allow-same-origin`: the page keeps its origin, with its cookies and storage.
    SameOrigin,
    /// `allow-scripts`.
    Scripts,
    /// `allow-storage-access-by-user-activation`.
    StorageAccessByUserActivation,
    /// `allow-top-navigation`.
    TopNavigation,
    /// `allow-top-navigation-by-user-activation`.
    TopNavigationByUserActivation,
    /// `allow-top-navigation-to-custom-protocols`.
    TopNavigationToCustomProtocols,
}

impl Sandbox {
    /// The token on the wire.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Downloads => "allow-downloads",
            Self::Forms => "allow-forms",
            Self::Modals => "allow-modals",
            Self::OrientationLock => "allow-orientation-lock",
            Self::PointerLock => "allow-pointer-lock",
            Self::Popups => "allow-popups",
            Self::PopupsToEscapeSandbox => "allow-popups-to-escape-sandbox",
            Self::Presentation => "allow-presentation",
            Self::SameOrigin => "allow-same-origin",
            Self::Scripts => "allow-scripts",
            Self::StorageAccessByUserActivation => "allow-storage-access-by-user-activation",
            Self::TopNavigation => "allow-top-navigation",
            Self::TopNavigationByUserActivation => "allow-top-navigation-by-user-activation",
            Self::TopNavigationToCustomProtocols => "allow-top-navigation-to-custom-protocols",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_every_directive_is_found_by_its_name() {
        for directive in ALL {
            assert_eq!(directive.name().parse(), Ok(directive));
        }
        let error = "navigate-to".parse::<Directive>().unwrap_err().to_string();
        assert!(error.contains("form-action"), "{error}");
    }

    #[test]
    fn rule_4_what_a_directive_understands() {
        let eval = Source::danger_unsafe_eval();
        for (directive, source, understood) in [
            (Directive::Script, Source::NONCE, true),
            (Directive::Img, Source::NONCE, false),
            (Directive::ScriptAttr, Source::NONCE, false),
            (Directive::ScriptAttr, Source::sha256_of("x"), true),
            (Directive::Style, Source::STRICT_DYNAMIC, false),
            (Directive::Script, eval.clone(), true),
            (Directive::ScriptElem, eval, false),
            (Directive::FormAction, Source::SELF, true),
            (Directive::FrameAncestors, Source::REPORT_SAMPLE, false),
        ] {
            assert_eq!(directive.understands(&source), understood, "{directive} {source}");
        }
    }
}
