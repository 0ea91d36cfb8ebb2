//! Style sheets and declarations.

use super::url::{Url, UrlUse};
use super::{Fault, Slot};

/// A place in a style sheet: within what, and whether within an at-rule such as `@import`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Css {
    inside: Inside,
    at_rule: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Inside {
    Code,
    Double,
    Single,
    Comment,
    /// `url(`, with the quote that ends it.
    Url(Url, char),
    Unknown,
}

impl Css {
    pub(super) const START: Self = Self { inside: Inside::Code, at_rule: false };

    pub(super) fn feed(self, text: &str) -> Result<Self, Fault> {
        let mut css = self;
        let mut rest = text;
        while !rest.is_empty() {
            let before = text.get(..text.len() - rest.len()).unwrap_or_default();
            let length = css.step(rest, before)?;
            rest = rest.get(length.max(1)..).unwrap_or_default();
        }
        Ok(css)
    }

    fn step(&mut self, rest: &str, before: &str) -> Result<usize, Fault> {
        match self.inside {
            Inside::Code => Ok(self.code(rest, before)),
            Inside::Double => self.string(rest, '"'),
            Inside::Single => self.string(rest, '\''),
            Inside::Comment => Ok(self.comment(rest)),
            Inside::Url(url, end) => self.url(url, end, rest),
            Inside::Unknown => Ok(rest.len()),
        }
    }

    fn code(&mut self, rest: &str, before: &str) -> usize {
        let character = rest.chars().next().unwrap_or(' ');
        match character {
            '"' => self.inside = Inside::Double,
            '\'' => self.inside = Inside::Single,
            '@' => self.at_rule = true,
            ';' | '{' | '}' => self.at_rule = false,
            '/' if rest.starts_with("/*") => {
                self.inside = Inside::Comment;
                return 2;
            }
            '/' if rest.len() == 1 => self.inside = Inside::Unknown,
            // An escape can spell any name, `url` too.
            '\\' => self.inside = Inside::Unknown,
            '(' if is_url(before) => return self.open_url(rest),
            _ => {}
        }
        character.len_utf8()
    }

    fn open_url(&mut self, rest: &str) -> usize {
        let inner = rest.get(1..).unwrap_or_default().trim_start();
        let end = inner.chars().next().filter(|c| *c == '"' || *c == '\'');
        self.inside = Inside::Url(Url::Start, end.unwrap_or(')'));
        rest.len() - inner.len() + usize::from(end.is_some())
    }

    fn url(&mut self, url: Url, end: char, rest: &str) -> Result<usize, Fault> {
        let at = rest.find(end);
        let text = rest.get(..at.unwrap_or(rest.len())).unwrap_or_default();
        if text.contains(['\\', '\n']) {
            self.inside = Inside::Unknown;
            return Ok(rest.len());
        }
        self.inside = match at {
            Some(_) => Inside::Code,
            None => Inside::Url(url.feed(text)?, end),
        };
        Ok(text.len() + usize::from(at.is_some()))
    }

    fn string(&mut self, rest: &str, quote: char) -> Result<usize, Fault> {
        let mut characters = rest.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                c if c == quote => {
                    self.inside = Inside::Code;
                    return Ok(at + 1);
                }
                '\\' if characters.next().is_none() => {
                    return Err(Fault::new(
                        "a backslash in front of a variable or a tag",
                        "write the escape in one piece",
                    ));
                }
                '\n' | '\r' | '\x0c' => {
                    self.inside = Inside::Unknown;
                    return Ok(rest.len());
                }
                _ => {}
            }
        }
        Ok(rest.len())
    }

    fn comment(&mut self, rest: &str) -> usize {
        match rest.find("*/") {
            Some(at) => {
                self.inside = Inside::Code;
                at + 2
            }
            None => {
                self.inside = if rest.ends_with('*') { Inside::Unknown } else { Inside::Comment };
                rest.len()
            }
        }
    }

    pub(super) fn hole(self) -> Result<(Slot, Self), Fault> {
        let (slot, inside) = match self.inside {
            _ if self.at_rule => return Err(refused("an at-rule of a style sheet")),
            Inside::Code => (Slot::CssValue, Inside::Code),
            Inside::Double | Inside::Single => (Slot::CssString, self.inside),
            Inside::Url(url, end) => {
                let (slot, url) = url.hole(UrlUse::Link)?;
                (if slot == Slot::UrlStart { Slot::CssUrl } else { slot }, Inside::Url(url, end))
            }
            Inside::Comment => return Err(refused("a comment of a style sheet")),
            Inside::Unknown => {
                return Err(refused(
                    "a style sheet, behind something that cannot be read with certainty",
                ));
            }
        };
        Ok((slot, Self { inside, ..self }))
    }

    pub(super) fn join(self, other: Self) -> Option<Self> {
        match (self.inside, other.inside) {
            (a, b) if a == b => Some(Self { inside: a, at_rule: self.at_rule || other.at_rule }),
            (Inside::Url(a, e), Inside::Url(b, f)) if e == f => Some(Self {
                inside: Inside::Url(a.join(b), e),
                at_rule: self.at_rule || other.at_rule,
            }),
            _ => None,
        }
    }
}

fn is_url(before: &str) -> bool {
    let bytes = before.as_bytes();
    bytes
        .len()
        .checked_sub(3)
        .and_then(|at| bytes.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(b"url"))
}

fn refused(place: &str) -> Fault {
    Fault::new(
        format!("a variable in {place}"),
        "write it literally, or choose a class with {% if %}",
    )
}
