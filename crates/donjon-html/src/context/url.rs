//! The parts of a URL.

use super::{Fault, Slot};

/// What happens to what the URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum UrlUse {
    /// It is shown or followed.
    Link,
    /// It runs in the page.
    Code,
}

/// A place in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Url {
    /// Nothing but white space so far.
    Start,
    /// A word that can be the start of a scheme, or of a path.
    Word,
    /// Behind a slash that can be the first of two.
    Slash,
    /// Behind `https:` or `//`.
    Host,
    Path,
    /// Behind a hole at the start.
    AfterHole,
    /// The query or the fragment.
    Query,
    /// Behind a scheme that runs code, or that is not known.
    Scheme,
    /// Different parts in different branches.
    Unknown,
}

impl Url {
    pub(super) fn feed(self, text: &str) -> Result<Self, Fault> {
        let mut part = self;
        for (at, character) in text.char_indices() {
            part = part.step(character, text.get(..at).unwrap_or_default())?;
        }
        Ok(part)
    }

    fn step(self, character: char, before: &str) -> Result<Self, Fault> {
        let slash = character == '/' || character == '\\';
        Ok(match (self, character) {
            (Self::Query | Self::Scheme, _) => self,
            (_, '\t' | '\n' | '\r') => self,
            (Self::Start, c) if c <= ' ' => self,
            (Self::Host, _) if slash => {
                if after_scheme(before) {
                    Self::Host
                } else {
                    Self::Path
                }
            }
            (_, '?' | '#') => Self::Query,
            (Self::Start | Self::Unknown | Self::AfterHole, _) if slash => Self::Slash,
            (Self::Slash, _) if slash => Self::Host,
            (Self::Word, _) if slash => Self::Path,
            (Self::Start, ':') | (Self::Unknown, ':') => Self::Scheme,
            (Self::Word, ':') => scheme(before),
            (Self::AfterHole, ':') => {
                return Err(Fault::new(
                    "a ':' behind a variable makes the variable a scheme",
                    "write the scheme literally",
                ));
            }
            (Self::Start, _) => Self::Word,
            (Self::Slash, _) => Self::Path,
            _ => self,
        })
    }

    pub(super) fn hole(self, usage: UrlUse) -> Result<(Slot, Self), Fault> {
        const LITERAL: &str =
            "write scheme and host literally, or pass the whole address as one variable";
        let fault = match self {
            Self::Start if usage == UrlUse::Code => return Ok((Slot::UrlCode, Self::AfterHole)),
            Self::Start => return Ok((Slot::UrlStart, Self::AfterHole)),
            Self::Slash | Self::Path => return Ok((Slot::UrlSegment, Self::Path)),
            Self::AfterHole => return Ok((Slot::UrlSegment, Self::AfterHole)),
            Self::Query => return Ok((Slot::UrlQuery, Self::Query)),
            Self::Word => "a variable behind what can be the start of a scheme: java{{ v }}",
            Self::Host => "a variable in the host of a URL",
            Self::Scheme => "a variable behind a scheme that runs code or is not known",
            Self::Unknown => "a variable in a URL whose part depends on a branch",
        };
        Err(Fault::new(fault, LITERAL))
    }

    pub(super) fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Scheme, _) | (_, Self::Scheme) => Self::Scheme,
            (Self::Host, _) | (_, Self::Host) => Self::Host,
            _ => Self::Unknown,
        }
    }
}

fn scheme(before: &str) -> Url {
    match before.trim_start_matches(|c: char| c <= ' ').to_ascii_lowercase().as_str() {
        "http" | "https" => Url::Host,
        // Addresses and numbers: no part of them can leave the scheme.
        "mailto" | "tel" => Url::Path,
        _ => Url::Scheme,
    }
}

/// Whether the host has not begun: behind the scheme, slashes, and what browsers drop.
fn after_scheme(before: &str) -> bool {
    before.is_empty() || before.ends_with([':', '/', '\\', '\t', '\n', '\r'])
}
