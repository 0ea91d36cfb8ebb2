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
//! 6. Attributes without quotes: what a quoted one holds, with white space and ``/ = ` `` as numeric entities.
//!
//! Which escaper a hole of a template gets is decided when the template is linked, by the place it stands in; these
//! functions are for code that writes HTML by hand.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::markup::Markup;
use crate::template::Value;

pub mod css;
pub mod js;
mod scan;
pub mod url;

/// What is printed in place of a value that has no harmless form where it stands.
pub const REFUSED: &str = "ZDonjonZ";

/// Escapes text for HTML text and for quoted attribute values, as `django.utils.html.escape` does.
///
/// Borrows when there is nothing to escape.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    match scan::first::<true>(text.as_bytes()) {
        None => Cow::Borrowed(text),
        Some(at) => {
            let mut out = String::with_capacity(text.len() + text.len() / 8 + 16);
            scan::write_from::<true>(&mut out, text, at);
            Cow::Owned(out)
        }
    }
}

/// Appends `text` to `out`, escaped as by [`escape`].
#[inline]
pub fn write_html(out: &mut String, text: &str) {
    match scan::first::<true>(text.as_bytes()) {
        None => out.push_str(text),
        Some(at) => scan::write_from::<true>(out, text, at),
    }
}

/// Appends HTML to `out` so that it cannot leave a quoted attribute or an element that holds only text.
///
/// `&` stays as it is, since entities of markup are meant as entities.
pub fn write_markup_as_text(out: &mut String, html: &str) {
    match scan::first::<false>(html.as_bytes()) {
        None => out.push_str(html),
        Some(at) => scan::write_from::<false>(out, html, at),
    }
}

/// Appends `html`, which is escaped for a quoted attribute already, so that it cannot end an attribute without quotes.
///
/// Entities stay; whatever else a browser could read as the end of the value, or as a quotation mark, becomes a
/// numeric one.
pub fn write_unquoted(out: &mut String, html: &str) {
    let ends = |byte: u8| b"<>\"'`= \t\n\r\x0c/\0".contains(&byte);
    let mut rest = html;
    while let Some(at) = rest.bytes().position(ends) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let _ = write!(out, "&#{};", from.bytes().next().unwrap_or_default());
        rest = from.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
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
    fn rule_6_nothing_ends_a_value_without_quotes() {
        let mut out = String::new();
        write_unquoted(&mut out, &escape("a b\tc\n`=/\"'<>&\x0c\r"));
        assert_eq!(out, "a&#32;b&#9;c&#10;&#96;&#61;&#47;&quot;&#x27;&lt;&gt;&amp;&#12;&#13;");
    }

    #[test]
    fn unescape_undoes_escape_and_nothing_else() {
        let text = "a & <b> \"q\" 'r' &nbsp;";
        assert_eq!(unescape(&escape(text)), text);
        assert_eq!(unescape("&#106;&"), "&#106;&");
    }
}
