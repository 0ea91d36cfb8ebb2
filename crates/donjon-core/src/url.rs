//! URLs, read as Python and a browser read them, and written as Django writes them.
//!
//! Stops: redirects that leave the site, and addresses that one reader takes for a path and the next
//! for a host.
//!
//! 1. URLs are split and joined as Python's `urlsplit` and `urljoin` do, so that every verdict is
//!    Django's; but tabs and line breaks are dropped as a browser drops them, and a lone `;` stays.
//! 2. A redirect target from a client must pass [`is_safe_redirect`].
//! 3. What goes into `Location` is ASCII: [`iri_to_uri`].
//! 4. A path that goes into `Location` alone never begins with two slashes:
//!    [`escape_leading_slashes`].
//! 5. A path is escaped anew and not decoded: an escaped slash stays escaped, since routes tell it
//!    from a slash ([`full_path`]; Django decodes it, and escapes bytes that are no UTF-8 twice).
//!
//! Spec: Django's `django/utils/http.py`, `django/utils/encoding.py`, `django/http/request.py`; RFC
//! 3986 and 3987.

use std::borrow::Cow;

use http::Uri;
use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode,
};

use crate::cookie::Https;

/// The longest redirect target that is taken from a client, in characters. Django: `MAX_URL_LENGTH`.
pub const MAX_REDIRECT: usize = 2048;

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that an origin of this scheme need not write.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// For the attribute `Secure` of a cookie.
    #[must_use]
    pub const fn https(self) -> Https {
        match self {
            Self::Http => Https::No,
            Self::Https => Https::Yes,
        }
    }
}

/// A URL split where Python's `urlsplit` splits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitUrl {
    /// The scheme, in lower case; empty if there is none.
    pub scheme: String,
    /// What stands between `//` and the path.
    pub netloc: String,
    /// Path, query and fragment.
    pub rest: String,
}

impl SplitUrl {
    /// The URL put together again. Python: `geturl`.
    #[must_use]
    pub fn to_url(&self) -> String {
        let rest = without_empty_parts(&self.rest);
        match (self.scheme.as_str(), self.netloc.as_str()) {
            ("", "") => rest.into_owned(),
            ("", netloc) => format!("//{netloc}{rest}"),
            (scheme, "") => format!("{scheme}:{rest}"),
            (scheme, netloc) => format!("{scheme}://{netloc}{rest}"),
        }
    }
}

/// A URL whose host can't be one. Python: `ValueError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedUrl;

/// Splits a URL as Python's `urllib.parse.urlsplit` does.
///
/// # Errors
/// [`MalformedUrl`] for brackets that hold no IPv6 address, and for a host in which Unicode hides a
/// delimiter.
pub fn split_url(url: &str) -> Result<SplitUrl, MalformedUrl> {
    let url = cleaned(url);
    let (scheme, rest) = split_scheme(&url);
    let Some(after) = rest.strip_prefix("//") else {
        return Ok(SplitUrl { scheme, netloc: String::new(), rest: rest.to_owned() });
    };
    let (netloc, rest) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
    check_brackets(netloc)?;
    if netloc.contains(HIDES_A_DELIMITER) {
        return Err(MalformedUrl);
    }
    Ok(SplitUrl { scheme, netloc: netloc.to_owned(), rest: rest.to_owned() })
}

/// A URL without what a browser skips: blanks in front, tabs and line breaks anywhere.
fn cleaned(url: &str) -> Cow<'_, str> {
    let skipped = ['\t', '\r', '\n'];
    let url = url.trim_start_matches(|c| c <= ' ');
    if url.contains(skipped) { Cow::Owned(url.replace(skipped, "")) } else { Cow::Borrowed(url) }
}

/// Characters that Unicode's normal form KC turns into one of `/ ? # @ :`.
const HIDES_A_DELIMITER: [char; 19] = [
    '\u{2047}', '\u{2048}', '\u{2049}', '\u{2100}', '\u{2101}', '\u{2105}', '\u{2106}', '\u{2a74}',
    '\u{fe13}', '\u{fe16}', '\u{fe55}', '\u{fe56}', '\u{fe5f}', '\u{fe6b}', '\u{ff03}', '\u{ff0f}',
    '\u{ff1a}', '\u{ff1f}', '\u{ff20}',
];

fn split_scheme(url: &str) -> (String, &str) {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    match url.split_once(':') {
        Some((scheme, rest))
            if scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(legal) =>
        {
            (scheme.to_ascii_lowercase(), rest)
        }
        _ => (String::new(), url),
    }
}

fn check_brackets(netloc: &str) -> Result<(), MalformedUrl> {
    if netloc.contains('[') != netloc.contains(']') {
        return Err(MalformedUrl);
    }
    let host = netloc.rsplit_once('@').map_or(netloc, |(_, host)| host);
    let Some((before, inside)) = host.split_once('[') else { return Ok(()) };
    let (address, port) = inside.split_once(']').ok_or(MalformedUrl)?;
    let ipv6 =
        || address.split('%').next().is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    let future = || {
        let parts = address.strip_prefix('v').and_then(|rest| rest.split_once('.'));
        parts.is_some_and(|(version, rest)| {
            !version.is_empty()
                && version.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !rest.is_empty()
        })
    };
    let delimited = port.is_empty() || port.starts_with(':');
    if before.is_empty() && delimited && (ipv6() || future()) { Ok(()) } else { Err(MalformedUrl) }
}

/// A query or a fragment that is empty does not count: `/a?#` is `/a`.
fn without_empty_parts(rest: &str) -> Cow<'_, str> {
    let (before, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let before = match before.split_once('?') {
        Some((path, "")) => path,
        _ => before,
    };
    match fragment {
        "" => Cow::Borrowed(before),
        fragment => Cow::Owned(format!("{before}#{fragment}")),
    }
}

/// Where a location leads from a page, whose path has no query. Python: `urljoin`.
///
/// # Errors
/// [`MalformedUrl`], as [`split_url`].
pub(crate) fn join_url(
    scheme: Scheme,
    host: &str,
    path: &str,
    location: &str,
) -> Result<String, MalformedUrl> {
    let (scheme, url) = (scheme.as_str(), split_url(location)?);
    let elsewhere = !url.scheme.is_empty() && (!url.netloc.is_empty() || url.scheme != scheme);
    Ok(match url.netloc.as_str() {
        _ if elsewhere => cleaned(location).into_owned(),
        "" => format!("{scheme}://{host}{}", resolved(path, &url)),
        netloc => format!("{scheme}://{netloc}{}", without_empty_parts(&url.rest)),
    })
}

/// The path and all behind it of a location on the same host.
fn resolved<'u>(page: &str, location: &'u SplitUrl) -> Cow<'u, str> {
    let rest = location.rest.as_str();
    let (path, behind) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    let behind = || without_empty_parts(behind);
    match path {
        "" => Cow::Owned(format!("{page}{}", behind())),
        _ if !path.starts_with('/') => {
            let folder = page.rfind('/').map_or("", |slash| &page[..slash]);
            let joined = format!("{folder}/{path}");
            Cow::Owned(format!("{}{}", joined_segments(&joined, Empty::Dropped), behind()))
        }
        _ if location.scheme.is_empty() => without_dots(rest),
        _ => Cow::Owned(format!("{}{}", joined_segments(path, Empty::Kept), behind())),
    }
}

/// A path, with all behind it, without `.` and `..`; as it is if it has none but at its end.
pub(crate) fn without_dots(rest: &str) -> Cow<'_, str> {
    let (path, behind) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    if !path.contains("/./") && !path.contains("/../") {
        return Cow::Borrowed(rest);
    }
    let path = joined_segments(path, Empty::Kept);
    Cow::Owned(format!("{path}{}", without_empty_parts(behind)))
}

/// What becomes of empty segments: Python drops them where it joins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Kept,
    Dropped,
}

/// An absolute path without `.` and `..`; those that lead above the root lead to it.
fn joined_segments(path: &str, empty: Empty) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').enumerate().peekable();
    while let Some((at, segment)) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                kept.truncate(kept.len().saturating_sub(usize::from(segment == "..")));
                kept.extend(last.then_some(""));
            }
            "" if empty == Empty::Dropped && at > 0 && !last => {}
            segment => kept.push(segment),
        }
    }
    let joined = kept.join("/");
    if joined.starts_with('/') { joined } else { format!("/{joined}") }
}

/// All ASCII but letters, digits, `_.-~` and these.
const fn all_but(kept: &[u8]) -> AsciiSet {
    let mut set = NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~');
    let mut at = 0;
    while at < kept.len() {
        set = set.remove(kept[at]);
        at += 1;
    }
    set
}

const NOT_IN_IRI: AsciiSet = all_but(b"/#%[]=:;$&()+,!?*@'");
const NOT_IN_PATH: AsciiSet = all_but(b"/:@&+$,!*'()");
/// Of a path that [`iri_to_uri`] will see again.
const NOT_IN_BASE: AsciiSet = NOT_IN_IRI.add(b'?').add(b'#').add(b'%');

/// Escapes what may not stand in a URI, and no percent sign. Django: `iri_to_uri`.
#[must_use]
pub fn iri_to_uri(iri: &str) -> Cow<'_, str> {
    utf8_percent_encode(iri, &NOT_IN_IRI).into()
}

/// Escapes a decoded path. Django: `escape_uri_path`.
#[must_use]
pub fn escape_uri_path(path: &str) -> Cow<'_, str> {
    utf8_percent_encode(path, &NOT_IN_PATH).into()
}

/// Rule 4: `//evil.example`, which a browser takes for a host, becomes `/%2Fevil.example`. Django:
/// `escape_leading_slashes`.
#[must_use]
pub fn escape_leading_slashes(url: &str) -> Cow<'_, str> {
    match url.strip_prefix("//") {
        Some(rest) => Cow::Owned(format!("/%2F{rest}")),
        None => Cow::Borrowed(url),
    }
}

/// Path and query that a request names, escaped anew for `Location`. Django: `get_full_path`.
#[must_use]
pub fn full_path(uri: &Uri) -> String {
    full_path_and(uri, "")
}

/// [`full_path`] with a slash at the path's end. Django: `get_full_path(force_append_slash=True)`.
#[must_use]
pub fn full_path_with_slash(uri: &Uri) -> String {
    full_path_and(uri, if uri.path().ends_with('/') { "" } else { "/" })
}

fn full_path_and(uri: &Uri, end: &str) -> String {
    let path = escaped_anew(uri.path(), &NOT_IN_PATH);
    match uri.query() {
        Some(query) if !query.is_empty() => format!("{path}{end}?{}", iri_to_uri(query)),
        _ => format!("{path}{end}"),
    }
}

/// The path of a page, as the base of other addresses.
pub(crate) fn base_path(uri: &Uri) -> String {
    escaped_anew(uri.path(), &NOT_IN_BASE)
}

/// Rule 5.
fn escaped_anew(path: &str, escaped: &'static AsciiSet) -> String {
    let anew = |part: &str| {
        let bytes: Cow<'_, [u8]> = percent_decode_str(part).into();
        percent_encode(&bytes, escaped).to_string()
    };
    path.replace("%2f", "%2F").split("%2F").map(anew).collect::<Vec<_>>().join("%2F")
}

/// May a browser be sent to this URL, which a client gave? Django:
/// `url_has_allowed_host_and_scheme`.
///
/// Yes for a path, and for `http` or `https` URLs whose host, letter by letter and with its port, is
/// in `hosts`; with `scheme` HTTPS, for `https` only. A browser reads `\` as `/`, so the URL must
/// pass in both readings. A host with Unicode's blanks behind it, which Django strips, leads a browser
/// nowhere: it is refused.
#[must_use]
pub fn is_safe_redirect(given: &str, hosts: &[&str], scheme: Scheme) -> bool {
    // At the end only what the browser drops too, or the host that is compared is not the one it reads.
    let url = given.trim_start_matches(is_python_space);
    let url = url.trim_end_matches(|c| c <= ' ' && is_python_space(c));
    // The length comes first: nothing below is worth a megabyte.
    if url.is_empty() || url.len() > MAX_REDIRECT * 4 || url.chars().count() > MAX_REDIRECT {
        return false;
    }
    stays(url, hosts, scheme) && stays(&url.replace('\\', "/"), hosts, scheme)
}

/// What Python's `str.strip` strips.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn stays(url: &str, hosts: &[&str], scheme: Scheme) -> bool {
    let Ok(split) = split_url(url) else { return false };
    let nowhere = split.netloc.is_empty() && !split.scheme.is_empty();
    if begins_with_three_slashes(url) || nowhere || url.chars().next().is_none_or(is_other) {
        return false;
    }
    let named = match split.scheme.as_str() {
        "" if !split.netloc.is_empty() => "http",
        named => named,
    };
    let scheme_fits = match named {
        "" | "https" => true,
        named => named == "http" && scheme == Scheme::Http,
    };
    scheme_fits && (split.netloc.is_empty() || hosts.contains(&split.netloc.as_str()))
}

/// A browser takes three slashes for two, and drops tabs and line breaks before it counts them, where
/// Django looks at the text as it is and leaves them to be encoded in `Location`.
fn begins_with_three_slashes(url: &str) -> bool {
    let mut seen = url.chars().filter(|c| !matches!(c, '\t' | '\r' | '\n'));
    (0..3).all(|_| seen.next() == Some('/'))
}

/// Unicode's category C: control, format, private use and what is not assigned, as far as a browser
/// might skip it.
fn is_other(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_urls_are_split_as_python_does() {
        let split = |url| split_url(url).map(|url| (url.scheme, url.netloc, url.rest));
        let owned = |a: &str, b: &str, c: &str| Ok((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(
            split(" HTTPS://User@EX.com:1/p?q#f"),
            owned("https", "User@EX.com:1", "/p?q#f")
        );
        assert_eq!(split("java\tscript:x"), owned("javascript", "", "x"));
        assert_eq!(split("//h"), owned("", "h", ""));
        assert_eq!(split("1a:b"), owned("", "", "1a:b"));
        for url in [
            "http://[bad/",
            "http://bad]/",
            "http://[1.2.3.4]/",
            "http://a[::1]/",
            "http://[::1]a/",
            "//a\u{ff0f}b",
        ] {
            assert_eq!(split_url(url), Err(MalformedUrl), "{url}");
        }
    }

    #[test]
    fn rule_2_redirects_stay_on_the_site() {
        let safe = |url| is_safe_redirect(url, &["testserver", "testserver.com"], Scheme::Http);
        for url in [
            "http://example.com",
            "http:///example.com",
            "https://example.com",
            "ftp://example.com",
            r"\\example.com",
            r"\\\example.com",
            r"/\\/example.com",
            r"\\\example.com",
            r"\\example.com",
            r"\\//example.com",
            r"/\/example.com",
            r"\/example.com",
            r"/\example.com",
            "http:///example.com",
            r"http:/\//example.com",
            r"http:\/example.com",
            r"http:/\example.com",
            "javascript:alert(\"XSS\")",
            "\njavascript:alert(x)",
            "java\nscript:alert(x)",
            "\x08//example.com",
            r"http://otherserver\@example.com",
            r"http:\\testserver\@example.com",
            r"http://testserver\me:pass@example.com",
            r"http:\\testserver\confirm\me@example.com",
            "http:999999999",
            "ftp:9999999999",
            "\n",
            "",
            "http://[2001:cdba:0000:0000:0000:0000:3257:9652/",
            "http://2001:cdba:0000:0000:0000:0000:3257:9652]/",
            "//e.com",
            "///e.com",
            "http:e.com",
            "/\t/e.com",
            "https:e.com",
            "//testserver\u{a0}",
            "http://testserver\u{2003}\n",
        ] {
            assert!(!safe(url), "{url:?}");
        }
        for url in [
            "/view/?param=http://example.com",
            "/view/?param=https://example.com",
            "/view?param=ftp://example.com",
            "view/?param=//example.com",
            "https://testserver/",
            "HTTPS://testserver/",
            "//testserver/",
            "http://testserver.com/confirm?email=me@example.com",
            "/url%20with%20spaces/",
            "path/http:2222222222",
            " //testserver \x0b\n",
            "\u{a0}/view/\u{a0}",
        ] {
            assert!(safe(url), "{url:?}");
        }
        let https = |url| is_safe_redirect(url, &["testserver"], Scheme::Https);
        assert!(https("https://testserver/p") && https("/p"));
        assert!(!https("http://testserver/p") && !https("//testserver/p"));
        assert!(!safe(&"/a".repeat(MAX_REDIRECT)));
    }

    /// Found by the fuzz target `url_split`: a browser reads `//\t/evil.example` as `///evil.example`.
    #[test]
    fn three_slashes_do_not_hide_behind_tabs_and_line_breaks() {
        for url in [
            "/\t//evil.example",
            "//\n/evil.example",
            "\\\\\r\\evil.example",
            "\\\n\t\\/evil.example",
        ] {
            assert!(!is_safe_redirect(url, &["testserver"], Scheme::Http), "{url:?}");
        }
        assert!(is_safe_redirect("/a\t//b", &["testserver"], Scheme::Http));
    }

    #[test]
    fn rule_1_urls_are_joined_as_python_does() {
        let join = |path, location| join_url(Scheme::Http, "h", path, location).unwrap();
        for (path, location, joined) in [
            ("/base/page/", "x", "http://h/base/page/x"),
            ("/base/page", "x", "http://h/base/x"),
            ("/base/page/", "../x", "http://h/base/x"),
            ("/base/page/", "..", "http://h/base/"),
            ("/base/page/", ".", "http://h/base/page/"),
            ("/", "../../x", "http://h/x"),
            ("/a", "", "http://h/a"),
            ("/a", "?q=1", "http://h/a?q=1"),
            ("/a", "?#f", "http://h/a#f"),
            ("//two", "x", "http://h/x"),
            ("/a", "/b/../c", "http://h/c"),
            ("/a", "/b//./c", "http://h/b//c"),
            ("/a/", "b//c", "http://h/a/b/c"),
            ("/a", "/x?", "http://h/x?"),
            ("/a", "http:x", "http://h/x"),
            ("/a", "https:x", "https:x"),
            ("/a", "///x", "http://h/x"),
            ("/a", "//other/../x?", "http://other/../x"),
            ("/a", " mailto:x", "mailto:x"),
            ("/a", "/\tx", "http://h/x"),
        ] {
            assert_eq!(join(path, location), joined, "{path} {location}");
        }
        assert_eq!(join_url(Scheme::Http, "h", "/", "//[bad/"), Err(MalformedUrl));
    }

    #[test]
    fn rule_3_what_goes_into_location_is_ascii() {
        assert_eq!(
            iri_to_uri("/I ♥ Django/?ü=%20\r\n"),
            "/I%20%E2%99%A5%20Django/?%C3%BC=%20%0D%0A"
        );
        assert_eq!(
            escape_uri_path("/;some/=awful/?path/:with/@lots/&of/+awful/chars"),
            "/%3Bsome/%3Dawful/%3Fpath/:with/@lots/&of/+awful/chars"
        );
    }

    #[test]
    fn rule_4_two_slashes_are_no_host() {
        assert_eq!(escape_leading_slashes("//evil.example/a"), "/%2Fevil.example/a");
        assert_eq!(escape_leading_slashes("/a//b"), "/a//b");
    }

    #[test]
    fn rule_5_a_path_is_escaped_anew() {
        for (sent, full) in [
            ("/a%20b/%7Euser?%C3%BC=1", "/a%20b/~user?%C3%BC=1"),
            ("/a%2fb%2Fc%5Cd", "/a%2Fb%2Fc%5Cd"),
            ("/a=b;c%3Fd%25", "/a%3Db%3Bc%3Fd%25"),
            ("/%e9%0a%00", "/%E9%0A%00"),
            ("/a?", "/a"),
            ("/a?b?c=[d]", "/a?b?c=[d]"),
        ] {
            assert_eq!(full_path(&Uri::from_static(sent)), full, "{sent}");
        }
        assert_eq!(full_path_with_slash(&Uri::from_static("/a%20?b")), "/a%20/?b");
        assert_eq!(full_path_with_slash(&Uri::from_static("/a/?b")), "/a/?b");
    }
}
