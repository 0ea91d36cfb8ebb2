//! The address that a browser is sent to.

use std::fmt::Write;

use donjon_core::url::{escape_uri_path, iri_to_uri};
use http::Uri;
use percent_encoding::percent_decode_str;

/// How the path of an address is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// As it was sent: `/a%2Fb` stays what it is.
    #[default]
    AsSent,
    /// As Django writes it: decoded and encoded anew, so that `/a%2Fb` becomes `/a/b`, which may be
    /// another route.
    Django,
}

/// Path and query of a request, as they stand in an address behind the host.
pub(super) fn path_and_query(uri: &Uri, spelling: Spelling) -> String {
    // `OPTIONS *` has no slash that would end the host.
    let path = uri.path().strip_prefix('/').unwrap_or(uri.path());
    let mut address = String::from("/");
    match spelling {
        Spelling::AsSent => address.push_str(&iri_to_uri(path)),
        Spelling::Django => address.push_str(&escape_uri_path(&decoded(path))),
    }
    if let Some(query) = uri.query().filter(|query| !query.is_empty()) {
        address.push('?');
        address.push_str(&iri_to_uri(query));
    }
    address
}

/// A path as Django reads it: decoded, and bytes that are no UTF-8 encoded again. Django:
/// `repercent_broken_unicode`.
pub(super) fn decoded(path: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string never fails.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(uri: &str, spelling: Spelling) -> String {
        path_and_query(&uri.parse().unwrap(), spelling)
    }

    #[test]
    fn rule_1_an_address_is_kept_as_it_was_sent() {
        for uri in ["/", "/a%2Fb?c=%20d&e=//f", "/~user/'x'", "//evil.example/x", "/%E9", "/%"] {
            assert_eq!(spelled(uri, Spelling::AsSent), uri);
        }
        assert_eq!(spelled("/?", Spelling::AsSent), "/");
        assert_eq!(spelled("*", Spelling::AsSent), "/*");
        assert_eq!(spelled("/a{b}\"?c", Spelling::AsSent), "/a%7Bb%7D%22?c");
    }

    #[test]
    fn rule_1_django_writes_the_path_anew() {
        for (uri, written) in [
            ("/%2F%2Fevil.org", "///evil.org"),
            ("/%C3%A9t%C3%A9/", "/%C3%A9t%C3%A9/"),
            ("/a%3Fb", "/a%3Fb"),
            ("/a;b=c", "/a%3Bb%3Dc"),
            ("/%E9", "/%25E9"),
            ("/%0d%0aSet-Cookie:x", "/%0D%0ASet-Cookie:x"),
            ("/a?b=%2f", "/a?b=%2f"),
        ] {
            assert_eq!(spelled(uri, Spelling::Django), written, "{uri}");
        }
    }
}
