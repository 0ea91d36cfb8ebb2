//! What can be wrong with a policy, and the way out of each.

use std::error::Error;
use std::fmt;

/// All that is wrong with a policy, said at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsError(Vec<CorsFault>);

impl CorsError {
    pub(super) fn new(faults: Vec<CorsFault>) -> Self {
        Self(faults)
    }

    /// What is wrong, in the order in which it was written.
    #[must_use]
    pub fn faults(&self) -> &[CorsFault] {
        &self.0
    }
}

impl fmt::Display for CorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the CORS policy can't be used:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n- {fault}"))
    }
}

impl Error for CorsError {}

/// One thing that is wrong with a policy. Its text names the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorsFault {
    /// It has no scheme, no host, or characters that none has.
    NotAnOrigin(String),
    /// Something follows the host and the port.
    OriginWithPath(String),
    /// Browsers write this origin in another way, the second, so it would never be found.
    OriginAsNeverSent(String, String),
    /// `null`, which every sandboxed frame of every site has.
    Null,
    /// `file://`, which every page on a visitor's disk has.
    LocalFiles,
    /// `*`, alone or in a host.
    Wildcard(String),
    /// Every site could read what a visitor's cookies bring about.
    AnyOriginWithCredentials,
    /// With credentials browsers take `*` for a name; in the list of this setting it means nothing.
    WildcardWithCredentials(&'static str),
    /// Not the name of a header or of a method: the setting, and what it has.
    NotAName(&'static str, String),
    /// A regular expression that can't be read or is too large: the pattern, and why.
    PatternSyntax(String, String),
    /// A pattern that more may follow, or that may begin in the middle.
    PatternNotAnchored(String),
    /// A pattern that does not begin with a scheme.
    PatternWithoutScheme(String),
    /// A pattern that origins of other people match.
    PatternTooWide(String),
    /// A prefix of paths that does not begin with `/`.
    NotAPath(String),
}

impl fmt::Display for CorsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnOrigin(origin) => write!(
                f,
                "{origin:?} is not an origin: write \"https://host\", with a port where it is not the scheme's own"
            ),
            Self::OriginWithPath(origin) => write!(
                f,
                "{origin:?} has something after its host: an origin ends there; `allow_path` limits which of your own \
                 pages may be read"
            ),
            Self::OriginAsNeverSent(origin, sent) => {
                write!(f, "{origin:?} is never sent: browsers write {sent:?}")
            }
            Self::Null => f.write_str(
                "\"null\" is the origin of every sandboxed frame of every site: serve the page that reads from an \
                 origin of its own, or let all of those frames read with `danger_null`",
            ),
            Self::LocalFiles => f.write_str(
                "\"file://\" is the origin of every page on a visitor's disk: serve the page that reads over HTTP, or \
                 let all of those pages read with `danger_local_files`",
            ),
            Self::Wildcard(origin) => write!(
                f,
                "{origin:?} has a wildcard, which an origin can't have: write `allow_pattern` with \
                 `^https://[a-z0-9-]+\\.example\\.com$` for the hosts below a domain, or `allow_any_origin` for data \
                 that is public"
            ),
            Self::AnyOriginWithCredentials => f.write_str(
                "any origin with credentials: every site that a visitor opens could read what the visitor's cookies \
                 bring about. List the origins with `allow_origins`, or leave `allow_credentials` out; Django's way is \
                 `danger_any_origin_with_credentials`",
            ),
            Self::WildcardWithCredentials(setting) => write!(
                f,
                "\"*\" in `{setting}` means nothing with credentials (Fetch, 3.3.4): name what the front end uses"
            ),
            Self::NotAName(setting, name) => write!(
                f,
                "{name:?} in `{setting}` is not the name of a {}",
                if *setting == "methods" { "method" } else { "header" }
            ),
            Self::PatternSyntax(pattern, why) => {
                write!(f, "the pattern `{pattern}` can't be used: {why}")
            }
            Self::PatternNotAnchored(pattern) => write!(
                f,
                "the pattern `{pattern}` does not cover the whole origin, so that https://your.site.evil passes: write \
                 `^(?:{pattern})$`; Python's `match`, open at the end, is `danger_pattern`"
            ),
            Self::PatternWithoutScheme(pattern) => write!(
                f,
                "the pattern `{pattern}` does not say which scheme: begin with `^https://`, or take it as it is with \
                 `danger_pattern`"
            ),
            Self::PatternTooWide(pattern) => write!(
                f,
                "the pattern `{pattern}` lets hosts of other people pass, as https://evil-example.com: escape each dot \
                 (`\\.`), and let what varies end before a dot and a whole domain, as in \
                 `^https://[a-z0-9-]+\\.example\\.com$`; to take it as it is, `danger_pattern`"
            ),
            Self::NotAPath(path) => write!(f, "{path:?} is not a path: begin with \"/\""),
        }
    }
}
