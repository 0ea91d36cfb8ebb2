//! Cuts HTML into text and tags as Python's `HTMLParser` does, for filters that change text between tags.
//!
//! Stops hostile markup from being read in more than linear time (CVE-2024-7592 and its like).
//!
//! 1. A start tag has at most [`MAX_TAG`] bytes; a longer one is text.
//! 2. That a closing mark is missing is found out once.

use std::ops::Range;

/// The longest start tag, in bytes.
const MAX_TAG: usize = 4096;

/// A piece of HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'s> {
    Text(&'s str),
    /// A start tag: as written, its name, and whether it ends with `/>`.
    Start(&'s str, &'s str, bool),
    /// An end tag's name.
    End(&'s str),
    /// A comment, declaration or processing instruction.
    Other,
    /// What begins like a tag and does not end.
    Unfinished(&'s str),
}

/// The pieces of HTML, in order.
pub(crate) struct Reader<'s> {
    html: &'s str,
    at: usize,
    /// The element whose content is text.
    raw: Option<&'s str>,
    /// Whether `>` and `-->` are known to be missing from here on.
    missing: [bool; 2],
}

impl<'s> Reader<'s> {
    pub(crate) fn new(html: &'s str) -> Self {
        Self { html, at: 0, raw: None, missing: [false; 2] }
    }

    fn rest(&self) -> &'s str {
        self.html.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> &'s str {
        let piece = self.rest().get(..length).unwrap_or(self.rest());
        self.at += piece.len();
        piece
    }

    /// Rule 2.
    fn find(&mut self, which: usize, mark: &str) -> Option<usize> {
        let known = self.missing.get(which).copied().unwrap_or_default();
        let found = (!known).then(|| self.rest().find(mark)).flatten();
        if found.is_none() {
            self.missing.iter_mut().skip(which).take(1).for_each(|missing| *missing = true);
        }
        found
    }

    fn raw_text(&mut self, element: &str) -> Piece<'s> {
        let rest = self.rest().as_bytes();
        let ends = |at: usize| {
            let name = rest.get(at + 2..at + 2 + element.len());
            rest.get(at + 1) == Some(&b'/')
                && name.is_some_and(|n| n.eq_ignore_ascii_case(element.as_bytes()))
        };
        let end = memchr::memchr_iter(b'<', rest).find(|at| ends(*at));
        self.raw = None;
        match end {
            Some(0) => self.markup(),
            Some(end) => Piece::Text(self.take(end)),
            None => Piece::Text(self.take(rest.len())),
        }
    }

    fn markup(&mut self) -> Piece<'s> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        match (bytes.get(1), bytes.get(2)) {
            (Some(letter), _) if letter.is_ascii_alphabetic() => self.start_tag(),
            (Some(b'/'), _) => self.end_tag(),
            (Some(b'!'), Some(b'-')) if rest.starts_with("<!--") => match self.find(1, "-->") {
                Some(end) => self.skip(end + 3),
                None => self.unfinished(),
            },
            (Some(b'!' | b'?'), _) => match self.find(0, ">") {
                Some(end) => self.skip(end + 1),
                None => self.unfinished(),
            },
            _ => Piece::Text(self.take(1)),
        }
    }

    fn skip(&mut self, length: usize) -> Piece<'s> {
        self.take(length);
        Piece::Other
    }

    fn unfinished(&mut self) -> Piece<'s> {
        // Up to the end of what may be meant, or the next mark.
        let end = self.find(0, ">").map(|end| end + 1);
        let next = || self.rest().get(1..).and_then(|rest| rest.find('<')).map(|at| at + 1);
        let length = end.or_else(next).unwrap_or(1);
        Piece::Unfinished(self.take(length))
    }

    fn start_tag(&mut self) -> Piece<'s> {
        let Some(Range { start, end }) = tag_range(self.rest()) else { return self.unfinished() };
        let tag = self.take(end);
        let name = tag.get(1..start).unwrap_or_default();
        let closes = tag.ends_with("/>");
        if !closes && ["script", "style"].iter().any(|raw| name.eq_ignore_ascii_case(raw)) {
            self.raw = Some(name);
        }
        Piece::Start(tag, name, closes)
    }

    fn end_tag(&mut self) -> Piece<'s> {
        let Some(end) = self.find(0, ">") else { return self.unfinished() };
        let tag = self.take(end + 1);
        let inner = tag.get(2..end).unwrap_or_default().trim_start();
        let name = inner.split([' ', '\t', '\n', '\r', '\x0c', '/']).next().unwrap_or_default();
        match name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            true => Piece::End(name),
            false => Piece::Other,
        }
    }
}

impl<'s> Iterator for Reader<'s> {
    type Item = Piece<'s>;

    fn next(&mut self) -> Option<Piece<'s>> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        if let Some(element) = self.raw {
            return Some(self.raw_text(element));
        }
        Some(match rest.find('<') {
            Some(0) => self.markup(),
            Some(at) => Piece::Text(self.take(at)),
            None => Piece::Text(self.take(rest.len())),
        })
    }
}

/// Where the name of a start tag ends, and where the tag does. Rule 1.
fn tag_range(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes().get(..text.len().min(MAX_TAG))?;
    let ends_name = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | 0);
    let name = bytes.iter().position(ends_name)?;
    let mut quote = None;
    let mut behind_equals = false;
    for (at, byte) in bytes.iter().enumerate().skip(name) {
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (Some(_), _) => {}
            (None, b'>') => return Some(name..at + 1),
            (None, b'"' | b'\'') if behind_equals => quote = Some(*byte),
            (None, _) => {}
        }
        behind_equals = *byte == b'=' || (behind_equals && byte.is_ascii_whitespace());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_order() {
        let pieces: Vec<_> = Reader::new("a<b x=\"1>\">c</b ><!-- <i> --><br/>d").collect();
        assert_eq!(
            pieces,
            [
                Piece::Text("a"),
                Piece::Start("<b x=\"1>\">", "b", false),
                Piece::Text("c"),
                Piece::End("b"),
                Piece::Other,
                Piece::Start("<br/>", "br", true),
                Piece::Text("d"),
            ]
        );
        assert_eq!(Reader::new("<script><b></script>").nth(1), Some(Piece::Text("<b>")));
        assert_eq!(Reader::new("a < b").nth(1), Some(Piece::Text("<")));
    }

    #[test]
    fn rule_1_rule_2_time_is_linear() {
        let started = std::time::Instant::now();
        for hostile in ["<a '", "<!--", "<a b=\"", "</", "<![", "<", "<script>", "<a>"] {
            assert!(Reader::new(&hostile.repeat(20_000)).count() > 0);
        }
        assert!(started.elapsed().as_secs() < 20);
    }
}
