//! `Vary`: telling caches what a response depends on (Django: `patch_vary_headers`).
//!
//! Stops: a shared cache that hands one visitor's page to another (CVE-2014-0473, CVE-2026-35192).

use http::header::{self, Entry};
use http::{HeaderMap, HeaderValue};

/// Adds `name` to `Vary`, unless it or `*` is there already. Names compare without case.
pub(crate) fn add(headers: &mut HeaderMap, name: &'static str) {
    let mut present = match headers.entry(header::VARY) {
        Entry::Vacant(vacant) => {
            vacant.insert(HeaderValue::from_static(name));
            return;
        }
        Entry::Occupied(present) => present,
    };
    if *present.get() == *name {
        return;
    }
    let is = |entry: &[u8]| entry == b"*" || entry.eq_ignore_ascii_case(name.as_bytes());
    let there = present.iter().any(|value| entries(value).any(is));
    let added = (!there).then_some(name.as_bytes());
    // Only the first of several is replaced: what else a response varies with stays.
    if let Ok(joined) = HeaderValue::try_from(joined(present.get(), added)) {
        *present.get_mut() = joined;
    }
}

/// The names in a header and one more, a comma between two of them.
fn joined(first: &HeaderValue, added: Option<&[u8]>) -> Vec<u8> {
    let room = first.len() + added.map_or(0, |name| name.len() + 2);
    let mut joined = Vec::with_capacity(room);
    for name in entries(first).chain(added) {
        if !joined.is_empty() {
            joined.extend_from_slice(b", ");
        }
        joined.extend_from_slice(name);
    }
    joined
}

/// The names in one header.
fn entries(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let entries = value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    entries.filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(before: &'static str) -> String {
        let mut headers = HeaderMap::new();
        if !before.is_empty() {
            headers.insert(header::VARY, HeaderValue::from_static(before));
        }
        add(&mut headers, "Cookie");
        headers[header::VARY].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_name_is_added_once() {
        assert_eq!(added(""), "Cookie");
        assert_eq!(added("Accept"), "Accept, Cookie");
        assert_eq!(added("accept, COOKIE"), "accept, COOKIE");
        assert_eq!(added("*"), "*");
        assert_eq!(added("Set-Cookie"), "Set-Cookie, Cookie");
        assert_eq!(added("Accept,  Origin ,,cookie"), "Accept, Origin, cookie");
    }

    #[test]
    fn of_several_headers_none_is_lost() {
        let mut headers = HeaderMap::new();
        for value in ["Accept", "Origin"] {
            headers.append(header::VARY, HeaderValue::from_static(value));
        }
        add(&mut headers, "Cookie");
        let values: Vec<_> = headers.get_all(header::VARY).iter().collect();
        assert_eq!(values, ["Accept, Cookie", "Origin"]);
    }
}
