//! The addresses of a site by name, and what stands in them (Django: `reverse`, path converters).
//!
//! Stops: addresses put together by hand, in which an argument adds a segment, a query or a host, and
//! arguments that a proxy in front reads otherwise than the site (CVE-2021-44420).
//!
//! 1. A path is written as Django does, `/items/<int:id>/`, or as axum does, `/items/{id}/`. An
//!    address is made of a route's name and arguments, which are percent-encoded.
//! 2. An argument that does not fit its [`Converter`] makes no address, and no request reaches a
//!    handler with it: what is compared is decoded once.
//! 3. An argument with a segment that is empty, `.` or `..` would lead to another route, and makes no
//!    address.
//! 4. A name or a number of arguments that no route has makes no address.

use std::collections::BTreeMap;
use std::sync::Arc;

mod converter;
mod path;

pub use converter::{Converter, MAX_DIGITS};
pub use path::PathError;
pub(crate) use path::RoutePath;

/// The addresses of a site by name; clones are the same. Django: `reverse`.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<BTreeMap<String, RoutePath>>);

impl Names {
    /// Adds a route; `false` if the name is taken.
    #[must_use]
    pub(crate) fn add(&mut self, name: &str, path: &RoutePath) -> bool {
        Arc::make_mut(&mut self.0).insert(name.to_owned(), path.clone()).is_none()
    }

    /// The address of a route, `namespace:name` where it is included: its arguments are taken from
    /// `named`, or without any from `args` in their order. `None` if there is no such route, or it
    /// takes other arguments.
    #[must_use]
    pub fn reverse(&self, name: &str, args: &[&str], named: &[(&str, &str)]) -> Option<String> {
        let path = self.0.get(name)?;
        let mixed = !args.is_empty() && !named.is_empty();
        if mixed || path.arguments() != args.len() + named.len() {
            return None;
        }
        let mut args = args.iter().copied();
        path.address(|name| match named.is_empty() {
            true => args.next(),
            false => named.iter().find(|(known, _)| *known == name).map(|(_, value)| *value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let mut names = Names::default();
        for (name, path) in [
            ("home", "/"),
            ("note", "/items/{id}/notes/<note>"),
            ("file", "/files/{*path}"),
            ("shop:item", "/shop/<int:id>/"),
        ] {
            assert!(names.add(name, &RoutePath::parse(path).unwrap()));
        }
        names
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
    fn rule_3_an_argument_cannot_leave_its_place() {
        let names = names();
        assert_eq!(
            names.reverse("note", &["1\\..", "?a#b%2f"], &[]).as_deref(),
            Some("/items/1%5C../notes/%3Fa%23b%252f")
        );
        for bad in ["", ".", ".."] {
            assert_eq!(names.reverse("note", &[bad, "x"], &[]), None, "{bad}");
            assert_eq!(names.reverse("file", &[bad], &[]), None, "{bad}");
        }
        for bad in ["a/../b", "/evil.example", "//evil.example", "a/", "a//b"] {
            assert_eq!(names.reverse("file", &[bad], &[]), None, "{bad}");
        }
    }

    #[test]
    fn rule_2_an_argument_that_does_not_fit_makes_no_address() {
        let names = names();
        assert_eq!(names.reverse("shop:item", &["7"], &[]).as_deref(), Some("/shop/7/"));
        for bad in ["a", "-1", "7/8", "7\n", ""] {
            assert_eq!(names.reverse("shop:item", &[bad], &[]), None, "{bad:?}");
        }
        assert_eq!(names.reverse("note", &["1/../..", "x"], &[]), None);
        assert_eq!(names.reverse("file", &["a\nb"], &[]), None);
    }

    #[test]
    fn rule_4_wrong_names_and_arguments() {
        let mut names = names();
        assert_eq!(names.reverse("other", &[], &[]), None);
        assert_eq!(names.reverse("home", &["1"], &[]), None);
        assert_eq!(names.reverse("note", &["1"], &[("note", "2")]), None);
        assert_eq!(names.reverse("note", &[], &[("id", "1"), ("other", "2")]), None);
        assert!(!names.add("home", &RoutePath::parse("/other").unwrap()));
    }
}
