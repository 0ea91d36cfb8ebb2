//! Text as templates and forms shape it: Django's `django.utils.text`, as far as it is about characters.
//!
//! 1. Every function takes time in proportion to its input.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

use crate::escape;
use crate::locale::Locale;
use crate::template::Value;

/// `\r\n` and `\r` as `\n`. Django: `normalize_newlines`.
#[must_use]
pub fn normalize_newlines(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        true => text.replace("\r\n", "\n").replace('\r', "\n").into(),
        false => text.into(),
    }
}

/// Paragraphs where the text has empty lines, and `<br>` where it has a line's end. Django: `linebreaks`.
#[must_use]
pub fn linebreaks(text: &str, escapes: bool) -> String {
    let text = normalize_newlines(text);
    let mut out = String::with_capacity(text.len() + 16);
    for (at, paragraph) in paragraphs(&text).into_iter().enumerate() {
        out.push_str(if at == 0 { "<p>" } else { "\n\n<p>" });
        for (at, line) in paragraph.split('\n').enumerate() {
            out.push_str(if at == 0 { "" } else { "<br>" });
            if escapes { escape::write_html(&mut out, line) } else { out.push_str(line) }
        }
        out.push_str("</p>");
    }
    out
}

/// The text between two or more ends of lines.
fn paragraphs(text: &str) -> Vec<&str> {
    let mut paragraphs = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\n\n") {
        paragraphs.push(before);
        rest = after.trim_start_matches('\n');
    }
    paragraphs.push(rest);
    paragraphs
}

/// Breaks lines before they get wider than `width` characters, where they have spaces. Django: `wrap`.
#[must_use]
pub fn wrap(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lines = lines(text).peekable();
    while let Some(line) = lines.next() {
        wrap_line(&mut out, line, width);
        if lines.peek().is_some() {
            out.push('\n');
        }
    }
    out.push_str(if text.ends_with('\n') { "\n" } else { "" });
    out
}

/// Python's `splitlines`.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = rest.find(ends).unwrap_or(rest.len());
        let (line, after) = rest.split_at(at);
        let skip = if after.starts_with("\r\n") {
            2
        } else {
            after.chars().next().map_or(0, char::len_utf8)
        };
        rest = after.get(skip..).unwrap_or_default();
        Some(line)
    })
}

/// Python's `textwrap`, without breaking words: white space at a break is dropped.
fn wrap_line(out: &mut String, line: &str, width: usize) {
    let expanded = expand_tabs(line);
    let mut pieces: &[&str] = &pieces(&expanded);
    let mut lines = 0;
    while !pieces.is_empty() {
        if let [first, after @ ..] = pieces
            && is_blank_piece(first)
            && lines > 0
        {
            pieces = after;
        }
        let (fitting, rest) = pieces.split_at(fitting(pieces, width));
        pieces = rest;
        let kept = match fitting {
            [kept @ .., last] if is_blank_piece(last) => kept,
            all => all,
        };
        if !kept.is_empty() {
            out.push_str(if lines == 0 { "" } else { "\n" });
            out.extend(kept.iter().copied());
            lines += 1;
        }
    }
    // A line of nothing but white space stays.
    out.push_str(if lines == 0 { line } else { "" });
}

fn is_blank_piece(piece: &str) -> bool {
    piece.starts_with(is_space)
}

/// How many pieces go on one line: what fits, or else one word that is too long for any.
fn fitting(pieces: &[&str], width: usize) -> usize {
    let mut filled = 0;
    let fits = |piece: &&&str| -> bool {
        filled += piece.chars().count();
        filled <= width
    };
    let count = pieces.iter().take_while(fits).count();
    count.max(usize::from(pieces.first().is_some_and(|first| first.chars().count() > width)))
}

fn is_space(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' ')
}

/// Tabs up to the next eighth column.
fn expand_tabs(line: &str) -> Cow<'_, str> {
    const TAB: usize = 8;
    if !line.contains('\t') {
        return line.into();
    }
    let mut out = String::with_capacity(line.len() + TAB);
    let mut column = 0;
    for character in line.chars() {
        let wide = if character == '\t' { TAB - column % TAB } else { 1 };
        match character {
            '\t' => out.extend(std::iter::repeat_n(' ', wide)),
            other => out.push(other),
        }
        column += wide;
    }
    out.into()
}

fn pieces(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let blank = is_space(first);
        let end = rest.find(|c| is_space(c) != blank).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Lower-case ASCII letters, digits, `_` and `-`. Django: `slugify`.
#[must_use]
pub fn slugify(text: &str) -> String {
    slug(&text.nfkd().filter(char::is_ascii).collect::<String>().to_lowercase())
}

fn slug(text: &str) -> String {
    let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '-') || is_white(*c);
    let mut out = String::with_capacity(text.len());
    for character in text.chars().filter(is_kept) {
        let character = if is_white(character) { '-' } else { character };
        if !(character == '-' && out.ends_with('-')) {
            out.push(character);
        }
    }
    out.trim_matches(['-', '_']).to_owned()
}

/// White space as Python's `\s` has it.
pub(crate) fn is_white(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}

/// The digits that a telephone has for letters. Django: `phone2numeric`.
#[must_use]
pub fn phone2numeric(phone: &str) -> String {
    let digit = |character: char| match character {
        'a'..='c' => '2',
        'd'..='f' => '3',
        'g'..='i' => '4',
        'j'..='l' => '5',
        'm'..='o' => '6',
        'p'..='s' => '7',
        't'..='v' => '8',
        'w'..='z' => '9',
        other => other,
    };
    phone.to_lowercase().chars().map(digit).collect()
}

/// Takes the white space between tags away. Django: `strip_spaces_between_tags`.
#[must_use]
pub fn strip_spaces_between_tags(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(end) = memchr::memchr(b'>', rest.as_bytes()) {
        let (before, after) = rest.split_at(end + 1);
        out.push_str(before);
        let trimmed = after.trim_start_matches(is_white);
        if !trimmed.starts_with('<') {
            out.push_str(after.get(..after.len() - trimmed.len()).unwrap_or_default());
        }
        rest = trimmed;
    }
    out.push_str(rest);
    out
}

/// `a, b or c`. Django: `get_text_list`.
#[must_use]
pub fn get_text_list(items: &[String], last_word: &str, locale: &Locale) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => {
            format!("{} {last_word} {last}", first.join(&locale.translate(None, ", ")))
        }
    }
}

/// Python's `str.format` for places and names: Django's `format_lazy`, which is not lazy here.
///
/// # Errors
///
/// [`FormatError`](escape::FormatError) if a place has no value, or a brace no partner.
pub fn format_text(
    format: &str,
    values: &[Value],
    named: &[(&str, Value)],
) -> Result<String, escape::FormatError> {
    escape::filled(format, values, named, |out, value| out.push_str(&value.text()))
}

/// A name that every file system takes; `None` if nothing is left of it. Django: `get_valid_filename`.
#[must_use]
pub fn get_valid_filename(name: &str) -> Option<String> {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name.trim().replace(' ', "_").chars().filter(kept).collect();
    (!matches!(name.as_str(), "" | "." | "..")).then_some(name)
}

/// Words, of which those in quotes stay whole. Django: `smart_split`.
#[must_use]
pub fn smart_split(text: &str) -> Vec<&str> {
    crate::template::split_words(text)
}

/// What a quoted literal says; `None` if the text is none. Django: `unescape_string_literal`.
#[must_use]
pub fn unescape_string_literal(literal: &str) -> Option<String> {
    let quote = literal.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = literal.get(1..)?.strip_suffix(quote)?;
    Some(inner.replace(&format!("\\{quote}"), &quote.to_string()).replace("\\\\", "\\"))
}

/// Lower-case letters and digits of any language, `_` and `-`. Django: `slugify(allow_unicode=True)`.
#[must_use]
pub fn slugify_unicode(text: &str) -> String {
    slug(&text.nfkc().collect::<String>().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_at_spaces() {
        assert_eq!(
            wrap("this is a long paragraph of text", 14),
            "this is a long\nparagraph of\ntext"
        );
        assert_eq!(wrap("a  b\n   \nc", 2), "a\nb\n   \nc");
        assert_eq!(wrap("longword x\n", 3), "longword\nx\n");
    }

    #[test]
    fn slugs() {
        assert_eq!(slugify(" Héllo, Wörld_! "), "hello-world");
        assert_eq!(slugify("--a   b--c_"), "a-b-c");
    }

    #[test]
    fn paragraphs_and_breaks() {
        assert_eq!(linebreaks("a<\r\nb\n\n\n\nc", true), "<p>a&lt;<br>b</p>\n\n<p>c</p>");
    }
}
