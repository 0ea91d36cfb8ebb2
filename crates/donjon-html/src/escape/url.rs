//! Text inside URLs.
//!
//! Stops `javascript:` and `data:` links (CWE-79), and holes of a URL that reach further than their part: a query value
//! that adds parameters, a path segment that walks up, a host that changes (CWE-601, CWE-116).
//!
//! 1. A URL that starts with a hole: control characters and spaces are cut from both ends, tab, CR and LF inside are
//!    dropped, as browsers do; then the scheme must be `http`, `https`, `mailto` or `tel`, or there must be none.
//!    Anything else becomes [`INVALID`].
//! 2. A hole in a query or fragment: percent-encoded but for `A-Z a-z 0-9 - . _ ~`.
//! 3. A hole in a path is one segment: as 2, `/` too; a value with a segment `.` or `..` is
//!    [refused](super::REFUSED), as percent-encoded dots walk up just the same.
//! 4. An address that loads code is a [`TrustedUrl`](crate::TrustedUrl), or [`INVALID`].
//! 5. `srcset` is a list of URLs: in each, commas and spaces are percent-encoded, and each passes 1.

use std::borrow::Cow;

/// What a refused URL becomes: an address that every browser knows to be none.
pub const INVALID: &str = "about:invalid#donjon";

const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];

/// The URL as a browser would read it if it is harmless (rule 1), else [`INVALID`].
#[must_use]
pub fn filter(url: &str) -> Cow<'_, str> {
    let url = url.trim_matches(|c: char| c <= ' ');
    let url = match url.contains(['\t', '\r', '\n']) {
        true => Cow::Owned(url.replace(['\t', '\r', '\n'], "")),
        false => Cow::Borrowed(url),
    };
    if has_safe_scheme(&url) { url } else { Cow::Borrowed(INVALID) }
}

fn has_safe_scheme(url: &str) -> bool {
    let end = url.find([':', '/', '?', '#']);
    match end.map(|end| url.split_at(end)) {
        Some((scheme, rest)) if rest.starts_with(':') => {
            SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme))
        }
        _ => true,
    }
}

/// Appends `text` percent-encoded (rule 2).
pub fn write_component(out: &mut String, text: &str) {
    write_quoted(out, text, "");
}

/// Appends `text` as one segment of a path (rule 3).
pub fn write_segment(out: &mut String, text: &str) {
    if walks(text) {
        out.push_str(super::REFUSED);
    } else {
        write_quoted(out, text, "@+,;=!*$");
    }
}

/// Appends text that is percent-encoded already, for a path: what is encoded stays, inner slashes stay, and what could
/// leave the path is encoded (rule 3).
pub fn write_encoded_path(out: &mut String, text: &str) {
    if walks(text) || text.to_ascii_lowercase().contains("%2e") {
        out.push_str(super::REFUSED);
        return;
    }
    let path = text.trim_start_matches('/');
    (path.len()..text.len()).for_each(|_| out.push_str("%2F"));
    write_quoted(out, path, "@+,;=!*$%/");
}

/// Appends text that is percent-encoded already, for a query: only what could leave the value is encoded.
pub fn write_encoded_component(out: &mut String, text: &str) {
    write_quoted(out, text, "%/:@!$*,");
}

/// Appends `url`, filtered, with every character encoded that CSS or `srcset` would read as the end of the URL.
pub fn write_enclosed(out: &mut String, url: &str) {
    write_quoted(out, &filter(url), ":/?#[]@!$&*+;=%");
}

/// Appends a list of image candidates, each filtered (rule 5).
pub fn write_srcset(out: &mut String, list: &str) {
    for (index, candidate) in list.split(',').enumerate() {
        let mut words = candidate.split_ascii_whitespace();
        out.push_str(if index == 0 { "" } else { ", " });
        write_enclosed(out, words.next().unwrap_or_default());
        for word in words {
            out.push(' ');
            write_descriptor(out, word);
        }
    }
}

/// Appends the width or density of an image candidate (`2x`, `640w`).
pub fn write_descriptor(out: &mut String, word: &str) {
    let number = word.strip_suffix(['w', 'x', 'h']).unwrap_or_default();
    let plain =
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    out.push_str(if plain { word } else { super::REFUSED });
}

/// Whether a plain value may be the directory in front of a resource's literal name: a path of this site that ends in
/// a slash, and that no browser reads as another host or another directory.
#[must_use]
pub fn is_site_directory(url: &str) -> bool {
    let plain = url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte));
    plain && url.starts_with('/') && url.ends_with('/') && !url.contains("//") && !walks(url)
}

fn walks(text: &str) -> bool {
    text.split(['/', '\\']).any(|segment| segment == "." || segment == "..")
}

/// Appends `text` percent-encoded, but for `A-Z a-z 0-9 - . _ ~` and the ASCII characters of `keep`: Python's `quote`.
pub(crate) fn write_quoted(out: &mut String, text: &str, keep: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let is_kept = |byte: u8| b"-._~".contains(&byte) || keep.as_bytes().contains(&byte);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte.is_ascii() && is_kept(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// Appends `text` as a name or value of a form: Python's `quote_plus`.
pub(crate) fn write_form(out: &mut String, text: &str) {
    for (at, word) in text.split(' ').enumerate() {
        out.push_str(if at == 0 { "" } else { "+" });
        write_quoted(out, word, "");
    }
}

/// Percent-encodes what a URI cannot have, and keeps what is encoded: Django's `iri_to_uri`.
#[must_use]
pub fn iri_to_uri(iri: &str) -> String {
    quoted(iri, "/#%[]=:;$&()+,!?*@'")
}

/// Percent-encodes a path that is not encoded yet: Django's `escape_uri_path`.
#[must_use]
pub fn escape_uri_path(path: &str) -> String {
    quoted(path, "/:@!$&'()*+,;=")
}

/// [`write_quoted`] as text of its own.
pub(crate) fn quoted(text: &str, keep: &str) -> String {
    let mut out = String::with_capacity(text.len());
    write_quoted(&mut out, text, keep);
    out
}

/// Decodes what a person can read: letters, digits, `-._~` and everything beyond ASCII that is UTF-8. Django's
/// `uri_to_iri`.
#[must_use]
pub fn uri_to_iri(uri: &str) -> String {
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let decoded = hex_pair(after).filter(|byte| {
            *first == b'%'
                && (byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || *byte >= 0x80)
        });
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    repercent(&bytes)
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let pair = bytes.get(..2).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
}

/// Encodes again what is no UTF-8.
fn repercent(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: fn(&mut String, &str), text: &str) -> String {
        let mut out = String::new();
        write(&mut out, text);
        out
    }

    #[test]
    fn rule_1_schemes() {
        for good in ["", "/a", "?a:b", "#a:b", "./a:b", "HTTP://x", "mailto:a@b", "tel:1"] {
            assert_eq!(filter(good), good);
        }
        for bad in [
            "javascript:a",
            "\u{1} JaVaScRiPt:a",
            "java\tscr\nipt:a",
            "data:text/html,a",
            "vbscript:a",
            ":a",
            "x:y",
        ] {
            assert_eq!(filter(bad), INVALID, "{bad:?}");
        }
    }

    #[test]
    fn rule_2_components() {
        assert_eq!(written(write_component, "a&b=é /"), "a%26b%3D%C3%A9%20%2F");
        assert_eq!(written(write_encoded_component, "a%20b&c#"), "a%20b%26c%23");
    }

    #[test]
    fn rule_3_segments() {
        assert_eq!(written(write_segment, "/a?b#c"), "%2Fa%3Fb%23c");
        for up in ["..", ".", "a/../b", "..\\x", "../../logout?x="] {
            assert_eq!(written(write_segment, up), super::super::REFUSED);
        }
        assert_eq!(written(write_encoded_path, "//a/b%20c"), "%2F%2Fa/b%20c");
        assert_eq!(written(write_encoded_path, "%2e%2E/b"), super::super::REFUSED);
    }

    #[test]
    fn rule_4_site_directories() {
        assert!(is_site_directory("/static/") && is_site_directory("/"));
        for bad in ["static/", "/static", "//e/", "/\\e/", "/a/../b/", "https://e/", "/a?/", ""] {
            assert!(!is_site_directory(bad), "{bad:?}");
        }
    }

    #[test]
    fn rule_5_srcset() {
        assert_eq!(
            written(write_srcset, "/a b.png 1x, javascript:a 2x"),
            "/a ZDonjonZ 1x, about:invalid#donjon 2x"
        );
    }
}
