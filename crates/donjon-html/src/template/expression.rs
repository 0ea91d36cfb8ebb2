//! What stands in a hole: a literal or a variable, and the filters it passes through.
//!
//! Stops templates from reaching what a program keeps to itself, and mistakes from becoming silent.
//!
//! 1. A look-up whose name or part begins with `_` is refused when the template is loaded.
//! 2. An unknown filter, a missing or superfluous argument, and leftover characters are refused when the template is
//!    loaded.
//! 3. Literals are markup: whoever writes the template vouches for them, as in Django.

use std::sync::Arc;

use num_bigint::BigInt;

use super::filter::{Arity, Filter};
use super::library::Vocabulary;
use super::names::Symbol;
use super::value::Value;
use crate::markup::Markup;

/// The most filters that one expression may have.
pub(crate) const MAX_FILTERS: usize = 64;
/// The most parts that a look-up may have.
pub(crate) const MAX_PARTS: usize = 64;
/// The most digits of a whole number.
const MAX_DIGITS: usize = 4300;

/// Why text is not an expression: the message, in Django's words where it has them.
pub(crate) type Complaint = String;

/// A literal or a variable, and the filters it passes through.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) head: Head,
    pub(crate) filters: Box<[Applied]>,
}

/// Where an expression, or the argument of a filter, begins.
#[derive(Clone, Debug)]
pub(crate) enum Head {
    Literal(Value),
    /// `_("text")`: a literal that is translated.
    Message(Arc<str>),
    Path(Path),
}

/// A dotted look-up: never empty.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub(crate) symbol: Symbol,
    pub(crate) name: Arc<str>,
    pub(crate) parts: Box<[Box<str>]>,
}

impl Path {
    /// The path as it is written.
    pub(crate) fn text(&self) -> String {
        let parts = self.parts.iter().map(|part| &**part);
        std::iter::once(&*self.name).chain(parts).collect::<Vec<_>>().join(".")
    }
}

/// A filter and its argument.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) filter: Filter,
    pub(crate) argument: Option<Head>,
}

impl Expression {
    /// Reads an expression such as `user.name|default:"nobody"`.
    pub(crate) fn parse(text: &str, words: &Vocabulary<'_>) -> Result<Self, Complaint> {
        let mut reader = Reader { text, rest: text, words };
        let head = reader.head()?;
        let filters = reader.filters()?;
        Ok(Self { head, filters })
    }

    /// Reads filters alone, as in `{% filter lower|cut:"a" %}`.
    pub(crate) fn parse_filters(
        text: &str,
        words: &Vocabulary<'_>,
    ) -> Result<Box<[Applied]>, Complaint> {
        let whole = format!("|{text}");
        Reader { text: &whole, rest: &whole, words }.filters()
    }

    /// A literal text.
    pub(crate) fn literal(text: &str) -> Self {
        let head = Head::Literal(Markup::danger_trusted(text).into());
        Self { head, filters: Box::default() }
    }

    /// The name of the last filter.
    pub(crate) fn last_filter(&self) -> Option<&'static str> {
        self.filters.last().map(|applied| applied.filter.name)
    }

    /// Whether the value passes through a filter of that name.
    pub(crate) fn has_filter(&self, name: &str) -> bool {
        self.filters.iter().any(|applied| applied.filter.name == name)
    }

    /// The text, if the expression is nothing but a literal text.
    pub(crate) fn literal_text(&self) -> Option<&str> {
        match &self.head {
            Head::Literal(value) if self.filters.is_empty() => value.as_str(),
            _ => None,
        }
    }

    /// Whether the look-up begins with that name.
    pub(crate) fn begins_with(&self, symbol: Symbol) -> bool {
        self.heads().any(|head| matches!(head, Head::Path(path) if path.symbol == symbol))
    }

    /// The expression's own head, and those of its filters' arguments.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &Head> {
        let arguments = self.filters.iter().filter_map(|applied| applied.argument.as_ref());
        std::iter::once(&self.head).chain(arguments)
    }

    /// Whether this is the look-up `first.second`.
    pub(crate) fn is_lookup(&self, first: Symbol, second: &str) -> bool {
        matches!(&self.head, Head::Path(path)
            if path.symbol == first && matches!(&*path.parts, [part] if &**part == second))
    }
}

struct Reader<'s, 'w> {
    text: &'s str,
    rest: &'s str,
    words: &'w Vocabulary<'w>,
}

impl<'s> Reader<'s, '_> {
    fn filters(&mut self) -> Result<Box<[Applied]>, Complaint> {
        let mut applied = Vec::new();
        while let Some(name) = self.filter_name()? {
            if applied.len() == MAX_FILTERS {
                return Err(format!("more than {MAX_FILTERS} filters in one expression"));
            }
            applied.push(self.filter(name)?);
        }
        Ok(applied.into())
    }

    fn head(&mut self) -> Result<Head, Complaint> {
        if self.text.is_empty() {
            return Err("Empty variable tag".into());
        }
        match self.operand()? {
            Some(head) => Ok(head),
            None => Err(format!("Could not find variable at start of {}.", self.text)),
        }
    }

    /// A literal, a number or a look-up.
    fn operand(&mut self) -> Result<Option<Head>, Complaint> {
        if let Some((head, after)) = quoted(self.rest) {
            self.rest = after;
            return Ok(Some(head));
        }
        let end =
            self.rest.find(|c: char| !is_name(c) && !".+-".contains(c)).unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(end);
        self.rest = after;
        if word.is_empty() { Ok(None) } else { word_head(word, self.words).map(Some) }
    }

    /// The name after a `|`, or `None` at the end.
    fn filter_name(&mut self) -> Result<Option<&'s str>, Complaint> {
        let trimmed = self.rest.trim_start();
        if self.rest.is_empty() {
            return Ok(None);
        }
        let name = trimmed.strip_prefix('|').map(str::trim_start).unwrap_or_default();
        let end = name.find(|c: char| !is_name(c)).unwrap_or(name.len());
        if end == 0 {
            return Err(format!(
                "Could not parse the remainder: '{}' from '{}'",
                self.rest, self.text
            ));
        }
        let (word, after) = name.split_at(end);
        self.rest = after;
        Ok(Some(word))
    }

    fn filter(&mut self, name: &str) -> Result<Applied, Complaint> {
        let filter = self.words.filter(name)?;
        let argument = match self.rest.strip_prefix(':') {
            None => None,
            Some(rest) => {
                let before = std::mem::replace(&mut self.rest, rest);
                let found = self.operand()?;
                self.rest = if found.is_none() { before } else { self.rest };
                found
            }
        };
        match (filter.arity, &argument) {
            (Arity::None, Some(_)) => Err(format!("{name} requires 1 arguments, 2 provided")),
            (Arity::Required, None) => Err(format!("{name} requires 2 arguments, 1 provided")),
            _ => Ok(Applied { filter, argument }),
        }
    }
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Reads `"…"`, `'…'` or `_("…")` at the start of `text`: the literal and what follows.
fn quoted(text: &str) -> Option<(Head, &str)> {
    if let Some(inner) = text.strip_prefix("_(") {
        let (literal, after) = quoted_plain(inner)?;
        return Some((Head::Message(literal.into()), after.strip_prefix(')')?));
    }
    let (literal, after) = quoted_plain(text)?;
    Some((Head::Literal(Markup::danger_trusted(literal).into()), after))
}

fn quoted_plain(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    let mut literal = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            _ if character == quote => return Some((literal, text.get(at + 1..)?)),
            '\\' => unescaped(&mut literal, quote, characters.next()?.1),
            _ => literal.push(character),
        }
    }
    None
}

/// In literals a backslash escapes only the quote and itself.
fn unescaped(literal: &mut String, quote: char, character: char) {
    if character != quote && character != '\\' {
        literal.push('\\');
    }
    literal.push(character);
}

fn word_head(word: &str, words: &Vocabulary<'_>) -> Result<Head, Complaint> {
    if let Some(number) = number(word) {
        return Ok(Head::Literal(number));
    }
    match word {
        "True" => Ok(Head::Literal(Value::Bool(true))),
        "False" => Ok(Head::Literal(Value::Bool(false))),
        "None" => Ok(Head::Literal(Value::None)),
        _ => path(word, words).map(Head::Path),
    }
}

/// With `.` or an exponent a float, else an int. `2.` is neither.
fn number(word: &str) -> Option<Value> {
    let first = word.bytes().find(|byte| !b"+-".contains(byte))?;
    if !(first.is_ascii_digit() || first == b'.') || word.len() > MAX_DIGITS {
        return None;
    }
    if word.contains(['.', 'e', 'E']) {
        return word.parse().ok().filter(|_| !word.ends_with('.')).map(Value::Float);
    }
    match word.contains("__") || word.ends_with('_') {
        true => None,
        false => word.replace('_', "").parse::<BigInt>().ok().map(Value::from),
    }
}

fn path(word: &str, words: &Vocabulary<'_>) -> Result<Path, Complaint> {
    if let Some(sign) = word.chars().find(|character| "+-".contains(*character)) {
        return Err(format!("Invalid character ('{sign}') in variable name: '{word}'"));
    }
    if word.split('.').any(|part| part.starts_with('_')) {
        return Err(format!("Variables and attributes may not begin with underscores: '{word}'"));
    }
    let mut parts = word.split('.');
    let name = parts.next().unwrap_or_default();
    let path = Path {
        symbol: words.names.symbol(name),
        name: name.into(),
        parts: parts.map(Into::into).collect(),
    };
    match path.parts.len() > MAX_PARTS {
        true => Err(format!("more than {MAX_PARTS} parts in the look-up '{word}'")),
        false => Ok(path),
    }
}

/// Cuts the contents of a tag into words; quoted text stays in one piece (Django's `smart_split`).
pub(crate) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    // Once a quote is found to have no partner, no later one of its kind has.
    let mut unpaired = [false; 2];
    while !rest.is_empty() {
        let (word, after) = rest.split_at(word_end(rest, &mut unpaired));
        words.push(word);
        rest = after.trim_start();
    }
    words
}

fn word_end(text: &str, unpaired: &mut [bool; 2]) -> usize {
    let mut at = 0;
    while let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) {
        at += match character {
            _ if character.is_whitespace() => return at,
            '"' => quoted_length(text, at, unpaired, 0),
            '\'' => quoted_length(text, at, unpaired, 1),
            _ => character.len_utf8(),
        };
    }
    at
}

/// The length of the quoted text at that place, or 1 if it does not end.
fn quoted_length(text: &str, at: usize, unpaired: &mut [bool; 2], which: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let known = unpaired.get(which).copied().unwrap_or(true);
    match (!known).then(|| quoted_plain(rest)).flatten() {
        Some((_, after)) => rest.len() - after.len(),
        None => {
            unpaired.iter_mut().skip(which).take(1).for_each(|flag| *flag = true);
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::library::Libraries;
    use crate::template::names::Names;

    fn parse(text: &str) -> Result<Expression, Complaint> {
        let libraries = Libraries::default();
        Expression::parse(text, &Vocabulary::new(&libraries, &Names::default()))
    }

    #[test]
    fn rule_1_underscores_are_refused() {
        for bad in ["_a", "a._b", "a.__class__"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("a_b.c_").is_ok());
    }

    #[test]
    fn rule_2_leftovers_are_refused() {
        for bad in [
            "a b",
            "a|",
            "a|nosuch",
            "a|upper:1",
            "a|default",
            "a|default :1",
            "a-b",
            "",
            "\"a",
            "a|upper|",
            "a||upper",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for good in [
            "a",
            "a.0.b",
            "a | upper",
            "a|default:\"x y\"",
            "_('x')",
            "-1",
            "1.5e3",
            "007",
            "a|default:b.c",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn rule_3_literals_are_markup() {
        let literal = parse(r#""a\"\\\n""#).ok().and_then(|e| e.literal_text().map(str::to_owned));
        assert_eq!(literal.as_deref(), Some(r#"a"\\n"#));
    }

    #[test]
    fn words_keep_quotes_together() {
        assert_eq!(words(r#"url  "a b" x='c d'|f y"#), ["url", r#""a b""#, "x='c d'|f", "y"]);
        assert_eq!(words(r#"a "b c"#), ["a", "\"b", "c"]);
    }
}
