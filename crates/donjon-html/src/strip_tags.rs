//! HTML without its tags: Django's `strip_tags`. Not a sanitiser: the result is text, and must be escaped.
//!
//! Stops text that is stripped again and again without end (CVE-2019-14233, CVE-2024-53907).
//!
//! 1. Tags that appear when others are taken away are taken away too, [`MAX_STRIP_TAGS_DEPTH`] times at most.

use crate::markup_reader::{Piece, Reader};

/// How often text is stripped again: Django's `MAX_STRIP_TAGS_DEPTH`.
pub const MAX_STRIP_TAGS_DEPTH: usize = 50;

/// The text without tags.
///
/// # Errors
///
/// [`Suspicious`] if tags appear more than [`MAX_STRIP_TAGS_DEPTH`] times. Django: `SuspiciousOperation`.
pub fn strip_tags(html: &str) -> Result<String, Suspicious> {
    let mut text = html.to_owned();
    if opens_too_often(html) {
        return Err(Suspicious);
    }
    for _ in 0..MAX_STRIP_TAGS_DEPTH {
        if !text.contains('<') || !text.contains('>') {
            return Ok(text);
        }
        let stripped = once(&text);
        if stripped.matches('<').count() == text.matches('<').count() {
            return Ok(text);
        }
        text = stripped;
    }
    match text.contains('<') && text.contains('>') {
        true => Err(Suspicious),
        false => Ok(text),
    }
}

/// The text was made to take time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicious;

impl std::fmt::Display for Suspicious {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("tags are nested in tags too often")
    }
}

impl std::error::Error for Suspicious {}

/// Whether a long run without `>` opens many tags.
fn opens_too_often(html: &str) -> bool {
    const LONG: usize = 1000;
    let opens = |run: &str| {
        run.find('<').and_then(|at| run.get(at..)).unwrap_or_default().len() >= LONG + 2
    };
    html.split('>').any(|run| opens(run) && run.matches('<').count() >= MAX_STRIP_TAGS_DEPTH)
}

fn once(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    for piece in Reader::new(html) {
        match piece {
            Piece::Text(text) | Piece::Unfinished(text) => push(&mut out, text),
            Piece::Start(..) | Piece::End(_) | Piece::Other => {}
        }
    }
    drop_open_entity(&mut out, html);
    out
}

/// Of an entity that has only begun where the text ends, `&a`, Python's parser drops the `&`.
fn drop_open_entity(out: &mut String, html: &str) {
    let begun = html.rfind('&').and_then(|at| html.get(at + 1..));
    let is_one = |name: &str| {
        name.len() == 1 && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '#')
    };
    if begun.is_some_and(is_one) && html.get(html.len() - 2..).is_some_and(|end| out.ends_with(end))
    {
        let last = out.pop();
        out.pop();
        out.extend(last);
    }
}

/// Python's parser gives each entity its semicolon.
fn push(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, entity) = rest.split_at(at);
        out.push_str(before);
        let length = entity_length(entity);
        let (entity, after) = entity.split_at(length.unwrap_or(1));
        out.push_str(entity);
        out.push_str(if length.is_some() && !after.starts_with(';') { ";" } else { "" });
        rest = after;
    }
    out.push_str(rest);
}

/// The length of `&name` or `&#number`, if a character follows that is no part of it.
fn entity_length(text: &str) -> Option<usize> {
    let body = text.get(1..)?;
    let number = body.strip_prefix('#');
    let length = match number {
        Some(digits) => {
            let hex = digits.starts_with(['x', 'X']);
            let skip = usize::from(hex);
            let digits = digits.get(skip..)?;
            let is_digit = |c: char| if hex { c.is_ascii_hexdigit() } else { c.is_ascii_digit() };
            1 + skip + digits.find(|c| !is_digit(c)).filter(|length| *length > 0)?
        }
        None => {
            let starts = body.starts_with(|c: char| c.is_ascii_alphabetic());
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
            body.find(|c| !is_part(c)).filter(|length| starts && *length > 0)?
        }
    };
    Some(1 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_tags_that_appear_are_taken_too() {
        assert_eq!(strip_tags("<sc<b>ript>x</script>").as_deref(), Ok("ript>x"));
        assert_eq!(strip_tags("a<p onclick=\"x\">b</p> &amp; c").as_deref(), Ok("ab &amp; c"));
        assert_eq!(strip_tags("5 < 6 > 4").as_deref(), Ok("5 < 6 > 4"));
    }
}
