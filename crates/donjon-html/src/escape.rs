//! One escaper for each place in a page where text can stand.
//!
//! Stops cross-site scripting (CWE-79) in the places HTML escaping does not reach: a `javascript:` link has nothing to
//! escape, and a backslash ends a JavaScript string. The rules:
//!
//! 1. HTML text and quoted attributes: Django's map, `& < > " '` → `&amp; &lt; &gt; &quot; &#x27;`, nothing else.
//! 2. Markup in an attribute or in `<title>`/`<textarea>`: its entities stay, its `< > " '` are escaped.
//! 3. The start of a URL: see [`url`].
//! 4. JavaScript: see [`js`].
//! 5. CSS: see [`css`].
//!
//! Which escaper a hole of a template gets is decided when the template is linked, by the place it stands in; these
//! functions are for code that writes HTML by hand.

use std::borrow::Cow;
use std::fmt;

use crate::markup::Markup;
use crate::template::Value;

pub mod css;
pub mod js;
pub mod url;

/// What is printed in place of a value that has no harmless form where it stands.
pub const REFUSED: &str = "ZDonjonZ";

/// Escapes text for HTML text and for quoted attribute values, as `django.utils.html.escape` does.
///
/// Borrows when there is nothing to escape.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    match first(text.as_bytes(), 0, is_special) {
        None => Cow::Borrowed(text),
        Some(at) => {
            let mut out = String::with_capacity(text.len() + 16);
            write_from(&mut out, text, at, is_special);
            Cow::Owned(out)
        }
    }
}

/// Appends `text` to `out`, escaped as by [`escape`].
#[inline]
pub fn write_html(out: &mut String, text: &str) {
    match first(text.as_bytes(), 0, is_special) {
        None => out.push_str(text),
        Some(at) => write_from(out, text, at, is_special),
    }
}

/// Appends HTML to `out` so that it cannot leave a quoted attribute or an element that holds only text.
///
/// `&` stays as it is, since entities of markup are meant as entities.
pub fn write_markup_as_text(out: &mut String, html: &str) {
    write_from(out, html, 0, |byte| byte != b'&' && is_special(byte));
}

/// Undoes [`escape`]: turns its five entities, and `&#39;`, back into characters.
#[must_use]
pub fn unescape(html: &str) -> Cow<'_, str> {
    if memchr::memchr(b'&', html.as_bytes()).is_none() {
        return Cow::Borrowed(html);
    }
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (text, length) = entity(from);
        out.push_str(text);
        rest = from.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn entity(from: &str) -> (&str, usize) {
    const ENTITIES: [(&str, &str); 6] = [
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
    ];
    let found = ENTITIES.iter().find(|(entity, _)| from.starts_with(entity));
    found.map_or(("&", 1), |(entity, text)| (*text, entity.len()))
}

/// What one character becomes in HTML text, or `None` if it stays as it is: Django's map.
#[must_use]
pub fn escape_html_map(character: char) -> Option<&'static str> {
    u8::try_from(character).ok().filter(|byte| is_special(*byte)).map(replacement)
}

#[inline]
fn is_special(byte: u8) -> bool {
    matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'')
}

fn replacement(byte: u8) -> &'static str {
    match byte {
        b'&' => "&amp;",
        b'<' => "&lt;",
        b'>' => "&gt;",
        b'"' => "&quot;",
        _ => "&#x27;",
    }
}

/// Most text has nothing to escape, so blocks are tested whole, which the compiler turns into vector instructions.
#[inline]
fn first(bytes: &[u8], from: usize, special: impl Fn(u8) -> bool) -> Option<usize> {
    const BLOCK: usize = 16;
    let mut at = from;
    while let Some(block) = bytes.get(at..at + BLOCK) {
        if block.iter().fold(false, |found, byte| found | special(*byte)) {
            break;
        }
        at += BLOCK;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|byte| special(*byte)).map(|offset| at + offset)
}

fn write_from(out: &mut String, text: &str, from: usize, special: impl Fn(u8) -> bool + Copy) {
    let mut copied = 0;
    let mut search = from;
    while let Some(at) = first(text.as_bytes(), search, special) {
        out.push_str(text.get(copied..at).unwrap_or_default());
        out.push_str(replacement(text.as_bytes().get(at).copied().unwrap_or_default()));
        copied = at + 1;
        search = copied;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
}

/// Puts values into HTML, each escaped unless it is markup: Django's `format_html`. `{}` stands for the next of
/// `values`, `{0}` for one by its place, `{name}` for one of `named`; `{{` and `}}` are braces.
///
/// `html` is `'static`, so that it is the program's own.
///
/// # Errors
///
/// [`FormatError`] if a place has no value, or a brace no partner.
pub fn format_html(
    html: &'static str,
    values: &[Value],
    named: &[(&str, Value)],
) -> Result<Markup, FormatError> {
    filled(html, values, named, |out, value| match value {
        Value::Markup(html) => out.push_str(html),
        other => write_html(out, &other.text()),
    })
    .map(Markup::danger_trusted)
}

/// What is wrong with a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError(String);

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FormatError {}

/// Python's `str.format`, as far as places and names go.
pub(crate) fn filled(
    format: &str,
    values: &[Value],
    named: &[(&str, Value)],
    write: impl Fn(&mut String, &Value),
) -> Result<String, FormatError> {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let doubled = after.strip_prefix("{{").map(|after| ('{', after));
        if let Some((brace, after)) = doubled.or_else(|| after.strip_prefix("}}").map(|a| ('}', a)))
        {
            out.push(brace);
            rest = after;
            continue;
        }
        let place = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let (name, after) =
            place.ok_or_else(|| FormatError(format!("a brace without a partner in '{format}'")))?;
        let value = placed(name, &mut next, values, named);
        write(&mut out, &value.ok_or_else(|| FormatError(format!("no value for '{{{name}}}'")))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn placed(
    name: &str,
    next: &mut usize,
    values: &[Value],
    named: &[(&str, Value)],
) -> Option<Value> {
    let (name, index) = match name.split_once('[') {
        Some((name, index)) => (name, Some(index.strip_suffix(']')?)),
        None => (name, None),
    };
    let value = match name.parse::<usize>() {
        Ok(at) => values.get(at),
        Err(_) if name.is_empty() => {
            *next += 1;
            values.get(*next - 1)
        }
        Err(_) => named.iter().find(|(known, _)| *known == name).map(|(_, value)| value),
    };
    match index {
        Some(index) => Some(value?.step(index)?.into_owned()),
        None => value.cloned(),
    }
}

/// A [`fmt::Write`] that escapes whatever is written through it, so that formatting needs no string of its own.
pub(crate) struct HtmlWriter<'a>(pub(crate) &'a mut String);

impl fmt::Write for HtmlWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_html(self.0, text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_django_s_map_and_nothing_else() {
        let every: String = (0u8..128).map(char::from).collect();
        let expected = every
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#x27;");
        assert_eq!(escape(&every), expected);
    }

    #[test]
    fn rule_1_borrows_when_nothing_is_special() {
        assert!(matches!(escape("a long enough text, é, with nothing in it"), Cow::Borrowed(_)));
        assert!(matches!(escape(""), Cow::Borrowed(_)));
    }

    #[test]
    fn rule_1_specials_at_every_place_of_a_block() {
        for length in 0..40 {
            for at in 0..length {
                let mut text = "a".repeat(length);
                text.replace_range(at..=at, "<");
                assert_eq!(escape(&text), text.replace('<', "&lt;"));
            }
        }
    }

    #[test]
    fn rule_2_markup_keeps_its_entities() {
        let mut out = String::new();
        write_markup_as_text(&mut out, "a &amp; <b> \"q\"");
        assert_eq!(out, "a &amp; &lt;b&gt; &quot;q&quot;");
    }

    #[test]
    fn unescape_undoes_escape_and_nothing_else() {
        let text = "a & <b> \"q\" 'r' &nbsp;";
        assert_eq!(unescape(&escape(text)), text);
        assert_eq!(unescape("&#106;&"), "&#106;&");
    }
}
