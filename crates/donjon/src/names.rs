//! The addresses of a site by name (Django: `reverse`).
//!
//! Stops: addresses put together by hand, in which an argument adds a segment, a query or a host.
//!
//! 1. An address is made of a route's name and arguments, which are percent-encoded.
//! 2. An argument that is empty, `.` or `..` would lead to another route, and makes no address.
//! 3. A name or a number of arguments that no route has makes no address.

use std::collections::BTreeMap;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What may stand in a segment of a path as it is. Python: `quote(…, safe="/~:@!$&'()*+,;=")`, less
/// the slash.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// The addresses of a site by name; clones are the same. Django: `reverse`.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<BTreeMap<String, Vec<Piece>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// `{name}`: one segment.
    Segment(String),
    /// `{*name}`: the rest of the path.
    Rest(String),
}

impl Names {
    /// Adds a route; `None` if the name is taken.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, path: &str) -> Option<Self> {
        let names = Arc::make_mut(&mut self.0);
        names.insert(name.to_owned(), pieces(path)).is_none().then_some(self)
    }

    /// The address of a route: its parameters are taken from `named`, or without any from `args` in
    /// their order. `None` if there is no such route, or it takes other arguments.
    #[must_use]
    pub fn reverse(&self, name: &str, args: &[&str], named: &[(&str, &str)]) -> Option<String> {
        let pieces = self.0.get(name)?;
        let wanted = pieces.iter().filter(|piece| !matches!(piece, Piece::Literal(_))).count();
        if wanted != args.len() + named.len() || (!args.is_empty() && !named.is_empty()) {
            return None;
        }
        let mut args = args.iter().copied();
        let mut argument = |name: &str| match named.is_empty() {
            true => args.next(),
            false => named.iter().find(|(known, _)| *known == name).map(|(_, value)| *value),
        };
        let mut address = String::new();
        for piece in pieces {
            match piece {
                Piece::Literal(text) => address.push_str(text),
                Piece::Segment(name) => push_segment(&mut address, argument(name)?)?,
                Piece::Rest(name) => push_rest(&mut address, argument(name)?)?,
            }
        }
        Some(address)
    }
}

/// A segment that is empty or made of dots would lead to another route.
fn push_segment(address: &mut String, value: &str) -> Option<()> {
    if matches!(value, "" | "." | "..") {
        return None;
    }
    address.extend(utf8_percent_encode(value, SEGMENT));
    Some(())
}

fn push_rest(address: &mut String, value: &str) -> Option<()> {
    for (index, segment) in value.split('/').enumerate() {
        address.push_str(if index == 0 { "" } else { "/" });
        push_segment(address, segment)?;
    }
    Some(())
}

fn pieces(path: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = path;
    while let Some((literal, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        pieces.push(Piece::Literal(literal.to_owned()));
        pieces.push(match name.strip_prefix('*') {
            Some(name) => Piece::Rest(name.to_owned()),
            None => Piece::Segment(name.to_owned()),
        });
        rest = after;
    }
    pieces.push(Piece::Literal(rest.to_owned()));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let paths =
            [("home", "/"), ("note", "/items/{id}/notes/{note}"), ("file", "/files/{*path}")];
        let add = |names: Names, (name, path): (&str, &str)| names.with(name, path).unwrap();
        paths.into_iter().fold(Names::default(), add)
    }

    #[test]
    fn rule_1_addresses_are_made_of_arguments() {
        let names = names();
        assert_eq!(names.reverse("home", &[], &[]).as_deref(), Some("/"));
        assert_eq!(
            names.reverse("note", &["7", "a b"], &[]).as_deref(),
            Some("/items/7/notes/a%20b")
        );
        let named = names.reverse("note", &[], &[("note", "x"), ("id", "é")]);
        assert_eq!(named.as_deref(), Some("/items/%C3%A9/notes/x"));
        assert_eq!(names.reverse("file", &["a/b?c"], &[]).as_deref(), Some("/files/a/b%3Fc"));
    }

    #[test]
    fn rule_2_an_argument_cannot_leave_its_place() {
        let names = names();
        assert_eq!(
            names.reverse("note", &["1/../..", "?a#b"], &[]).as_deref(),
            Some("/items/1%2F..%2F../notes/%3Fa%23b")
        );
        for bad in ["", ".", ".."] {
            assert_eq!(names.reverse("note", &[bad, "x"], &[]), None, "{bad}");
            assert_eq!(names.reverse("file", &[bad], &[]), None, "{bad}");
        }
        assert_eq!(names.reverse("file", &["a/../b"], &[]), None);
    }

    #[test]
    fn rule_3_wrong_names_and_arguments() {
        let names = names();
        assert_eq!(names.reverse("other", &[], &[]), None);
        assert_eq!(names.reverse("home", &["1"], &[]), None);
        assert_eq!(names.reverse("note", &["1"], &[("note", "2")]), None);
        assert_eq!(names.reverse("note", &[], &[("id", "1"), ("other", "2")]), None);
        assert!(names.with("home", "/other").is_none());
    }
}
