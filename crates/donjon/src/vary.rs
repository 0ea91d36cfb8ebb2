//! `Vary`: telling caches what a response depends on (Django: `patch_vary_headers`).
//!
//! Stops: a shared cache that hands one visitor's page to another (CVE-2014-0473, CVE-2026-35192).

use http::{HeaderMap, HeaderValue, header};

/// Adds `name` to `Vary`, unless it or `*` is there already. Names compare without case.
pub(crate) fn add(headers: &mut HeaderMap, name: &'static str) {
    let Some(first) = headers.get(header::VARY) else {
        headers.insert(header::VARY, HeaderValue::from_static(name));
        return;
    };
    let is = |entry: &[u8]| entry == b"*" || entry.eq_ignore_ascii_case(name.as_bytes());
    let there = headers.get_all(header::VARY).iter().any(|value| entries(value).any(is));
    let added = (!there).then_some(name.as_bytes());
    let listed: Vec<&[u8]> = entries(first).chain(added).collect();
    // Only the first of several is replaced: what else a response varies with stays.
    let joined = HeaderValue::from_bytes(&listed.join(&b", "[..]));
    if let (Ok(joined), Some(first)) = (joined, headers.get_mut(header::VARY)) {
        *first = joined;
    }
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
