//! JavaScript and JSON, followed as far as it is certain.

use super::{Fault, Slot};

/// A place in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Js {
    /// With what a slash would mean here.
    Code(Slash),
    Double,
    Single,
    LineComment,
    BlockComment,
    Template,
    Regex,
    /// What follows cannot be told for certain.
    Unknown,
}

/// What a slash means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slash {
    Regex,
    Divides,
    Either,
}

const KEYWORDS: [&str; 16] = [
    "return",
    "typeof",
    "case",
    "in",
    "of",
    "delete",
    "void",
    "new",
    "instanceof",
    "do",
    "else",
    "throw",
    "yield",
    "await",
    "default",
    "extends",
];

fn is_line_end(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

impl Js {
    pub(super) const START: Self = Self::Code(Slash::Regex);

    pub(super) fn feed(self, text: &str) -> Result<Self, Fault> {
        let mut js = self;
        let mut rest = text;
        while !rest.is_empty() {
            let (next, length) =
                js.step(rest, text.get(..text.len() - rest.len()).unwrap_or_default())?;
            js = next;
            rest = rest.get(length.max(1)..).unwrap_or_default();
        }
        Ok(js)
    }

    /// The state behind the next piece of `rest`, and its length.
    fn step(self, rest: &str, before: &str) -> Result<(Self, usize), Fault> {
        match self {
            Self::Code(slash) => Ok(code(slash, rest, before)),
            Self::Double => string(rest, '"', self),
            Self::Single => string(rest, '\'', self),
            Self::LineComment => Ok(match rest.char_indices().find(|(_, c)| is_line_end(*c)) {
                Some((at, c)) => (Self::Code(Slash::Regex), at + c.len_utf8()),
                None => (self, rest.len()),
            }),
            Self::BlockComment => Ok(match rest.find("*/") {
                Some(at) => (Self::Code(Slash::Either), at + 2),
                None if rest.ends_with('*') => (Self::Unknown, rest.len()),
                None => (self, rest.len()),
            }),
            Self::Template | Self::Regex | Self::Unknown => Ok((self, rest.len())),
        }
    }

    pub(super) fn hole(self) -> Result<(Slot, Self), Fault> {
        const HINT: &str =
            "give the script its data as a value (var a = {{ v }};) or with json_script";
        let place = match self {
            Self::Code(_) => return Ok((Slot::JsValue, Self::Code(Slash::Divides))),
            Self::Double | Self::Single => return Ok((Slot::JsString, self)),
            Self::LineComment | Self::BlockComment => "a comment of a script",
            Self::Template => "a template literal of a script",
            Self::Regex => "a regular expression of a script",
            Self::Unknown => "a script, behind something that cannot be read with certainty",
        };
        Err(Fault::new(format!("a variable in {place}"), HINT))
    }

    pub(super) fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Code(_), Self::Code(_)) => Some(Self::Code(Slash::Either)),
            (Self::Unknown, _) | (_, Self::Unknown) => Some(Self::Unknown),
            _ => None,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Double | Self::Single => "a string of a script",
            Self::LineComment | Self::BlockComment => "a comment of a script",
            _ => "a script",
        }
    }
}

fn code(slash: Slash, rest: &str, before: &str) -> (Js, usize) {
    let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
    if word > 0 {
        let is_keyword =
            KEYWORDS.contains(&rest.get(..word).unwrap_or_default()) && !before.ends_with('.');
        return (Js::Code(after_word(is_keyword, before)), word);
    }
    let character = rest.chars().next().unwrap_or(' ');
    let length = character.len_utf8();
    let next = match character {
        '"' => Js::Double,
        '\'' => Js::Single,
        '`' => return template(rest),
        '/' => return slashed(slash, rest),
        '\\' => Js::Unknown,
        '<' if rest.starts_with("<!--") => Js::Unknown,
        '-' if rest.starts_with("-->") => Js::Unknown,
        '+' | '-' if before.is_empty() || before.ends_with(character) => Js::Code(Slash::Either),
        ')' | '}' => Js::Code(Slash::Either),
        ']' => Js::Code(Slash::Divides),
        c if c.is_whitespace() => Js::Code(slash),
        _ => Js::Code(Slash::Regex),
    };
    (next, length)
}

fn after_word(is_keyword: bool, before: &str) -> Slash {
    match is_keyword {
        // What stands in front of a tag may be the start of the word, or a dot.
        _ if before.is_empty() => Slash::Either,
        true => Slash::Regex,
        false => Slash::Divides,
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}

fn string(rest: &str, quote: char, state: Js) -> Result<(Js, usize), Fault> {
    let mut characters = rest.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            c if c == quote => return Ok((Js::Code(Slash::Divides), at + 1)),
            '\\' if characters.next().is_none() => {
                return Err(Fault::new(
                    "a backslash in front of a variable or a tag",
                    "write the escape in one piece",
                ));
            }
            '\n' | '\r' => return Ok((Js::Unknown, at + 1)),
            _ => {}
        }
    }
    Ok((state, rest.len()))
}

fn template(rest: &str) -> (Js, usize) {
    let mut characters = rest.char_indices().skip(1);
    let mut before = ' ';
    while let Some((at, character)) = characters.next() {
        match character {
            '`' => return (Js::Code(Slash::Divides), at + 1),
            '\\' => drop(characters.next()),
            '{' if before == '$' => break,
            _ => {}
        }
        before = character;
    }
    (Js::Template, rest.len())
}

fn slashed(slash: Slash, rest: &str) -> (Js, usize) {
    match rest.as_bytes().get(1) {
        Some(b'/') => (Js::LineComment, 2),
        Some(b'*') => (Js::BlockComment, 2),
        // Could become a comment with what follows the hole or the tag.
        None if slash == Slash::Regex => (Js::Regex, 1),
        None => (Js::Unknown, 1),
        _ => match slash {
            Slash::Divides => (Js::Code(Slash::Regex), 1),
            Slash::Either => (Js::Unknown, rest.len()),
            Slash::Regex => regex(rest),
        },
    }
}

fn regex(rest: &str) -> (Js, usize) {
    let mut characters = rest.char_indices().skip(1);
    let mut in_class = false;
    while let Some((at, character)) = characters.next() {
        match character {
            '/' if !in_class => return (Js::Code(Slash::Divides), at + 1),
            '[' => in_class = true,
            ']' => in_class = false,
            '\\' => drop(characters.next()),
            c if is_line_end(c) => return (Js::Unknown, rest.len()),
            _ => {}
        }
    }
    (Js::Regex, rest.len())
}
