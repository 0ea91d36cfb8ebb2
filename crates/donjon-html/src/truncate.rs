//! Text and HTML cut to a length: Django's `Truncator`.
//!
//! Stops cut markup that leaves elements open, and inputs that take more than linear time (CVE-2023-43665,
//! CVE-2024-27351).
//!
//! 1. Elements that are open where HTML is cut are closed.
//! 2. Characters that combine with the one before do not count.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::escape;
use crate::markup_reader::{Piece, Reader};

const PLACE: &str = "%(truncated_text)s";
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// At most `length` characters. `ending` has the text in place of `%(truncated_text)s`, or comes behind it.
#[must_use]
pub fn chars(text: &str, length: usize, ending: &str) -> String {
    if length == 0 {
        return String::new();
    }
    let text: String = text.nfc().collect();
    let kept = room(length, ending);
    let visible = |(_, c): &(usize, char)| !is_combining_mark(*c);
    let mut places = text.char_indices().filter(visible).map(|(at, _)| at);
    let end = places.nth(kept);
    let is_longer = end.is_some() && (length == kept || places.nth(length - kept - 1).is_some());
    match end.filter(|_| is_longer) {
        Some(end) => ended(text.get(..end).unwrap_or_default(), ending),
        None => text,
    }
}

/// At most `length` words, with one space between them.
#[must_use]
pub fn words(text: &str, length: usize, ending: &str) -> String {
    if length == 0 {
        return String::new();
    }
    let mut words = text.split_whitespace();
    let kept: Vec<&str> = words.by_ref().take(length).collect();
    match words.next() {
        Some(_) => ended(&kept.join(" "), ending),
        None => kept.join(" "),
    }
}

/// HTML that shows at most `length` characters.
#[must_use]
pub fn html_chars(html: &str, length: usize, ending: &str) -> String {
    let html: String = html.nfc().collect();
    let left = room(length, ending);
    Cut::new(&html, Unit::Characters { length, seen: 0 }, left, ending).run(length)
}

/// HTML that shows at most `length` words.
#[must_use]
pub fn html_words(html: &str, length: usize, ending: &str) -> String {
    Cut::new(html, Unit::Words, length, ending).run(length)
}

/// How many characters are left when the ending is shown.
fn room(length: usize, ending: &str) -> usize {
    let shown = ended("", ending).chars().filter(|c| !is_combining_mark(*c)).count();
    length.saturating_sub(shown)
}

fn ended(text: &str, ending: &str) -> String {
    match ending.contains(PLACE) {
        true => ending.replacen(PLACE, text, 1),
        false => format!("{text}{ending}"),
    }
}

enum Unit {
    Characters { length: usize, seen: usize },
    Words,
}

struct Cut<'s> {
    html: &'s str,
    unit: Unit,
    left: usize,
    ending: &'s str,
    out: String,
    open: Vec<&'s str>,
}

/// Whether the end of what is shown is reached.
#[derive(PartialEq, Eq)]
enum Reached {
    Yes,
    No,
}

impl<'s> Cut<'s> {
    fn new(html: &'s str, unit: Unit, left: usize, ending: &'s str) -> Self {
        Self {
            html,
            unit,
            left,
            ending,
            out: String::with_capacity(html.len().min(1024)),
            open: Vec::new(),
        }
    }

    fn run(mut self, length: usize) -> String {
        if length == 0 {
            return String::new();
        }
        for piece in Reader::new(self.html) {
            let reached = match piece {
                Piece::Text(text) => self.text(text),
                Piece::Start(tag, name, closes) => self.start(tag, name, closes),
                Piece::End(name) => self.end(name),
                Piece::Other => Reached::No,
                // What does not end is not shown.
                Piece::Unfinished(_) => break,
            };
            if reached == Reached::Yes {
                return self.closed();
            }
        }
        self.out
    }

    /// Rule 1.
    fn closed(mut self) -> String {
        while let Some(name) = self.open.pop() {
            self.close(name);
        }
        self.out
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(&name.to_lowercase());
        self.out.push('>');
    }

    fn start(&mut self, tag: &str, name: &'s str, closes: bool) -> Reached {
        self.out.push_str(tag);
        if !is_void(name) {
            match closes {
                true => self.close(name),
                false => self.open.push(name),
            }
        }
        Reached::No
    }

    fn end(&mut self, name: &str) -> Reached {
        if !is_void(name) {
            self.close(name);
            if self.open.last().is_some_and(|open| open.eq_ignore_ascii_case(name)) {
                self.open.pop();
            }
        }
        Reached::No
    }

    fn text(&mut self, raw: &str) -> Reached {
        let text = htmlize::unescape(raw);
        let (size, kept) = match &mut self.unit {
            Unit::Words => {
                let words = between(&text);
                (words.len(), words.get(..self.left.min(words.len())).unwrap_or_default().join(" "))
            }
            Unit::Characters { length, seen } => {
                let size = text.chars().count();
                *seen += size;
                let is_whole = || self.out.chars().count() + size == self.html.chars().count();
                if *seen == *length && is_whole() {
                    self.out.push_str(&text);
                    return Reached::Yes;
                }
                (size, text.chars().take(self.left).collect())
            }
        };
        let kept = escape::escape(&kept);
        if self.left < size {
            self.left = 0;
            self.out.push_str(&ended(&kept, self.ending));
            return Reached::Yes;
        }
        self.left -= size;
        self.out.push_str(&kept);
        Reached::No
    }
}

fn is_void(name: &str) -> bool {
    VOID.iter().any(|void| void.eq_ignore_ascii_case(name))
}

/// Words, the first with the white space before it and the last with that behind it.
fn between(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut blank: Option<usize> = None;
    let mut seen = false;
    for (at, character) in text.char_indices() {
        if character.is_whitespace() {
            blank = blank.or(Some(at));
            continue;
        }
        if let Some(end) = blank.take().filter(|_| seen) {
            words.push(text.get(start..end).unwrap_or_default());
            start = at;
        }
        seen = true;
    }
    words.push(text.get(start..).unwrap_or_default());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_elements_are_closed() {
        let html = "<p>one <a href=\"#\">two - three <br>four</a> five</p>";
        assert_eq!(html_words(html, 2, " …"), "<p>one <a href=\"#\">two …</a></p>");
        assert_eq!(html_chars(html, 4, "…"), "<p>one…</p>");
        assert_eq!(html_words(html, 100, " …"), html);
    }

    #[test]
    fn rule_2_combining_characters_do_not_count() {
        assert_eq!(
            chars("o\u{308}\u{301}xyz", 3, "…"),
            "\u{22b}\u{301}".replace('\u{22b}', "ö") + "x…"
        );
    }

    #[test]
    fn words_and_characters() {
        assert_eq!(chars("abcdef", 5, "%(truncated_text)s…"), "abcd…");
        assert_eq!(chars("abcde", 5, "…"), "abcde");
        assert_eq!(words(" a  b c", 2, " …"), "a b …");
        assert_eq!((words("a", 0, "…"), chars("a", 1, "…")), (String::new(), "a".into()));
    }
}
