//! `Vary`: telling caches what a response depends on (Django: `patch_vary_headers`).
//!
//! Stops: a shared cache that hands one visitor's page to another (CVE-2014-0473, CVE-2026-35192).

use http::{HeaderMap, HeaderValue, header};

/// Adds `name` to `Vary`, unless it or `*` is there already. Names compare without case.
pub(crate) fn add(headers: &mut HeaderMap, name: &'static str) {
    if !headers.contains_key(header::VARY) {
        headers.insert(header::VARY, HeaderValue::from_static(name));
        return;
    }
    let varies = |value: &HeaderValue| {
        let listed = |entry: &[u8]| {
            let entry = entry.trim_ascii();
            entry == b"*" || entry.eq_ignore_ascii_case(name.as_bytes())
        };
        value.as_bytes().split(|&byte| byte == b',').any(listed)
    };
    if headers.get_all(header::VARY).iter().any(varies) {
        return;
    }
    // Only the first of several is replaced: what else a response varies with stays.
    if let Some(first) = headers.get_mut(header::VARY)
        && let Ok(joined) =
            HeaderValue::from_bytes(&[first.as_bytes(), b", ", name.as_bytes()].concat())
    {
        *first = joined;
    }
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
