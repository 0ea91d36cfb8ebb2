//! Links where text has addresses: Django's `urlize`.
//!
//! Stops cross-site scripting (CWE-79) through addresses, and text whose reading takes more than linear time
//! (CVE-2024-38875, CVE-2024-41989, CVE-2024-45230).
//!
//! 1. Only `http`, `https` and `mailto` addresses become links, and every part of them is percent-encoded and escaped.
//! 2. A word longer than [`MAX_URL_LENGTH`] is no address.
//! 3. Each word is trimmed in one pass over its end.

use std::borrow::Cow;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;

use crate::escape::{self, url};

/// Words longer than this, in characters, are no addresses: Django's `MAX_URL_LENGTH`.
pub const MAX_URL_LENGTH: usize = 2048;
/// Words longer than this are not looked at for mail addresses (RFC 3696).
const MAX_EMAIL_LENGTH: usize = 320;
/// How often punctuation is trimmed from the end of one word.
const MAX_TRIMS: usize = 64;

/// How text is linked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linkifier {
    limit: Option<usize>,
    nofollow: bool,
    escapes: bool,
    is_markup: bool,
    http: bool,
}

impl Linkifier {
    /// Links without `rel`, from text that is not escaped.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows at most that many characters of an address.
    #[must_use]
    pub fn trim(self, characters: usize) -> Self {
        Self { limit: Some(characters), ..self }
    }

    /// Adds `rel="nofollow"`.
    #[must_use]
    pub fn nofollow(self) -> Self {
        Self { nofollow: true, ..self }
    }

    /// Escapes what is no link too: the result is HTML.
    #[must_use]
    pub fn escape(self) -> Self {
        Self { escapes: true, ..self }
    }

    /// The text is HTML already, and stays as it is outside of links.
    #[must_use]
    pub fn markup(self) -> Self {
        Self { is_markup: true, ..self }
    }

    /// Addresses without a scheme are `http`. Django: `URLIZE_ASSUME_HTTPS = False`.
    #[must_use]
    pub fn assume_http(self) -> Self {
        Self { http: true, ..self }
    }

    /// The text with its addresses as links.
    #[must_use]
    pub fn link(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(is_split).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            self.word(&mut out, word);
            let end = after.find(|c| !is_split(c)).unwrap_or(after.len());
            let (between, after) = after.split_at(end);
            self.plain(&mut out, between);
            rest = after;
        }
        out
    }

    fn plain(self, out: &mut String, text: &str) {
        match self.escapes && !self.is_markup {
            true => escape::write_html(out, text),
            false => out.push_str(text),
        }
    }

    fn word(self, out: &mut String, word: &str) {
        if !word.contains(['.', '@', ':']) {
            return self.plain(out, word);
        }
        let (lead, middle, trail) = trimmed(word);
        let Some((address, nofollow)) = self.address(middle) else {
            return self.plain(out, word);
        };
        self.plain(out, lead);
        out.push_str("<a href=\"");
        escape::write_html(out, &address);
        out.push_str(if nofollow && self.nofollow { "\" rel=\"nofollow\">" } else { "\">" });
        self.plain(out, &self.shown(middle));
        out.push_str("</a>");
        self.plain(out, &trail);
    }

    fn shown(self, middle: &str) -> Cow<'_, str> {
        match self.limit.filter(|limit| middle.chars().count() > *limit) {
            None => middle.to_owned().into(),
            Some(limit) => {
                let kept: String = middle.chars().take(limit.saturating_sub(1)).collect();
                (kept + "…").into()
            }
        }
    }

    /// Rule 1: what a word links to, and whether `rel` belongs to it.
    fn address(self, word: &str) -> Option<(String, bool)> {
        let is_short = word.len() <= MAX_URL_LENGTH || word.chars().count() <= MAX_URL_LENGTH;
        if is_short && has_scheme(word) {
            return Some((quoted(&htmlize::unescape(word)), true));
        }
        if is_short && is_site(word) {
            let scheme = if self.http { "http" } else { "https" };
            return Some((quoted(&format!("{scheme}://{}", htmlize::unescape(word))), true));
        }
        if word.contains(':') || !is_email(word) {
            return None;
        }
        let (local, domain) = word.rsplit_once('@')?;
        let mut address = String::from("mailto:");
        url::write_quoted(&mut address, local, "");
        address.push('@');
        url::write_quoted(&mut address, domain, "");
        Some((address, false))
    }
}

fn is_split(character: char) -> bool {
    crate::text::is_white(character) || matches!(character, '<' | '>' | '"' | '\'')
}

/// `https?://`, and then a character of a name.
fn has_scheme(word: &str) -> bool {
    let lower = word.get(..8).or_else(|| word.get(..7)).unwrap_or_default().to_ascii_lowercase();
    let length = match () {
        () if lower.starts_with("https://") => 8,
        () if lower.starts_with("http://") => 7,
        () => return false,
    };
    let rest = word.get(length..).unwrap_or_default();
    let rest = rest.strip_prefix('[').unwrap_or(rest);
    rest.chars().next().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

const DOMAINS: [&str; 7] = ["com", "edu", "gov", "int", "mil", "net", "org"];

/// `www.`, or a host name that ends in one of seven domains, and a path.
fn is_site(word: &str) -> bool {
    let starts = |prefix: &str| {
        word.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    if starts("www.") {
        return true;
    }
    let host = word.split('/').next().unwrap_or_default();
    let Some((name, domain)) = host.rsplit_once('.') else { return false };
    !starts("http")
        && DOMAINS.iter().any(|known| known.eq_ignore_ascii_case(domain))
        && is_host_name(name)
}

/// Labels of up to 63 letters, digits and hyphens, none of which begins or ends with a hyphen.
pub(crate) fn is_host_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || ('\u{a1}'..='\u{ffff}').contains(&c);
    name.split('.').all(|label| {
        let fits = !label.is_empty() && label.chars().count() <= 63;
        fits && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| is_letter(c) || c == '-')
    })
}

/// Django's `EmailValidator`, without an allow-list.
pub(crate) fn is_email(text: &str) -> bool {
    if text.chars().count() > MAX_EMAIL_LENGTH {
        return false;
    }
    let Some((user, domain)) = text.rsplit_once('@') else { return false };
    is_user(user) && (is_domain(domain) || is_address_literal(domain))
}

fn is_user(user: &str) -> bool {
    let is_atom = |c: char| c.is_ascii_alphanumeric() || "-!#$%&'*+/=?^_`{}|~".contains(c);
    user.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom))
}

fn is_domain(domain: &str) -> bool {
    let Some((name, top)) = domain.rsplit_once('.') else { return false };
    let is_letter = |c: char| c.is_ascii_alphabetic() || ('\u{a1}'..='\u{ffff}').contains(&c);
    let length = top.chars().count();
    let named = (2..=63).contains(&length) && top.chars().all(|c| is_letter(c) || c == '-');
    let puny = top.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"));
    is_host_name(name) && !top.starts_with('-') && !top.ends_with('-') && (named || puny)
}

fn is_address_literal(domain: &str) -> bool {
    let inner = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.parse::<IpAddr>().is_ok())
}

/// Takes punctuation from both ends: what comes before, the word, what comes after.
fn trimmed(word: &str) -> (&str, &str, String) {
    let middle = word.trim_start_matches(['(', '[']);
    let lead = word.get(..word.len() - middle.len()).unwrap_or_default();
    let mut counts =
        [count(middle, '('), count(middle, ')'), count(middle, '['), count(middle, ']')];
    let mut rest = middle;
    for _ in 0..MAX_TRIMS {
        let before = rest.len();
        rest = without_brackets(rest, &mut counts);
        rest = without_punctuation(rest);
        if rest.len() == before || rest.is_empty() {
            break;
        }
    }
    (lead, rest, middle.get(rest.len()..).unwrap_or_default().to_owned())
}

fn count(text: &str, character: char) -> usize {
    text.matches(character).count()
}

/// Closing brackets that nothing opened.
fn without_brackets<'w>(word: &'w str, counts: &mut [usize; 4]) -> &'w str {
    let [round, round_end, square, square_end] = counts;
    let mut rest = word;
    for (closing, opened, closed) in [(')', round, round_end), (']', square, square_end)] {
        let surplus = closed.saturating_sub(*opened);
        if surplus > 0 && rest.ends_with(closing) {
            // As many characters as there are surplus brackets, whatever they are.
            let end = rest.char_indices().rev().nth(surplus - 1).map_or(0, |(at, _)| at);
            rest = rest.get(..end).unwrap_or_default();
            *closed -= surplus;
        }
    }
    rest
}

/// Punctuation at the end, but the `;` of an entity.
fn without_punctuation(word: &str) -> &str {
    let entity = word.rfind('&');
    let rest = match entity {
        None => word.trim_end_matches(['.', ',', ':', ';', '!']),
        Some(_) => word.trim_end_matches(['.', ',', ':', '!']),
    };
    if !rest.ends_with(';') {
        return rest;
    }
    let possible = rest.get(entity.unwrap_or_default()..).unwrap_or_default();
    let unescaped = htmlize::unescape(possible);
    if unescaped != possible && !unescaped.ends_with(';') {
        return rest;
    }
    let bare = rest.trim_end_matches(['.', ',', ':', ';', '!']);
    let semicolons = rest.len() - rest.trim_end_matches(';').len();
    if entity.is_none() || semicolons < 2 {
        return bare;
    }
    // Up to the first semicolon, which may be an entity's.
    let first = rest.get(bare.len()..).and_then(|tail| tail.find(';')).unwrap_or_default();
    rest.get(..bare.len() + first + 1).unwrap_or(bare)
}

/// Percent-encodes an address that may be encoded already: Django's `smart_urlquote`.
#[must_use]
pub fn quoted(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (rest, fragment) = split_off(rest, '#');
    let (rest, query) = split_off(rest, '?');
    let (host, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let mut out = String::with_capacity(address.len() + 16);
    out.push_str(&scheme.to_ascii_lowercase());
    out.push_str(if scheme.is_empty() { "" } else { "://" });
    requoted(&mut out, host);
    requoted(&mut out, path);
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        out.push('?');
        write_query(&mut out, query);
    }
    if let Some(fragment) = fragment.filter(|fragment| !fragment.is_empty()) {
        out.push('#');
        requoted(&mut out, fragment);
    }
    out
}

fn split_off(text: &str, mark: char) -> (&str, Option<&str>) {
    text.split_once(mark).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn requoted(out: &mut String, segment: &str) {
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    url::write_quoted(out, &decoded, "!$&'()*+,;=:/?#[]@~");
}

/// Python's `urlencode(parse_qsl(query, keep_blank_values=True))`.
fn write_query(out: &mut String, query: &str) {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    for (at, pair) in pairs.enumerate() {
        out.push_str(if at == 0 { "" } else { "&" });
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        rewrite_form(out, key);
        out.push('=');
        rewrite_form(out, value);
    }
}

fn rewrite_form(out: &mut String, text: &str) {
    let spaced = text.replace('+', " ");
    let once = percent_decode_str(&spaced).decode_utf8_lossy();
    let twice = percent_decode_str(&once).decode_utf8_lossy();
    url::write_form(out, &twice);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> String {
        Linkifier::new().escape().link(text)
    }

    #[test]
    fn rule_1_other_schemes_are_text() {
        for text in ["javascript:alert(1)", "data:text/html,x", "//example.org", "ftp://a.b"] {
            assert_eq!(link(text), text);
        }
        assert_eq!(
            link("https://a.org/\"onclick=x"),
            "<a href=\"https://a.org/\">https://a.org/</a>&quot;onclick=x"
        );
    }

    #[test]
    fn rule_2_long_words_are_text() {
        let long = format!("https://example.org/{}", "x".repeat(MAX_URL_LENGTH));
        assert_eq!(link(&long), long);
    }

    #[test]
    fn punctuation_stays_outside() {
        assert_eq!(
            link("(see www.example.org/a_(b)), a@b.org!"),
            "(see <a href=\"https://www.example.org/a_(b)\">www.example.org/a_(b)</a>), \
             <a href=\"mailto:a@b.org\">a@b.org</a>!"
        );
    }

    #[test]
    fn addresses_are_encoded_once() {
        assert_eq!(
            quoted("http://é.org/a b%20c?x=1&y=%26 z#é"),
            "http://%C3%A9.org/a%20b%20c?x=1&y=%26+z#%C3%A9"
        );
    }
}
