//! `Cookie` in any bytes reads as a slow and plain reader reads it, and `Set-Cookie` reads back.
//!
//! Each line of the input is a `Cookie` header.
#![no_main]

use donjon_core::clock::UnixTime;
use donjon_core::cookie::{CookieSettings, Cookies, Https};
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|&byte| byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        headers.append(header::COOKIE, value);
    }
    reads_like_the_oracle(&headers);
    if let Ok(value) = std::str::from_utf8(data) {
        reads_back(value);
    }
});

fn reads_like_the_oracle(headers: &HeaderMap) {
    let cookies = Cookies::of(headers);
    let expected: Vec<(Vec<u8>, Vec<u8>)> = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b';'))
        .map(oracle)
        .filter(|pair| *pair != (Vec::new(), Vec::new()))
        .collect();
    let pairs: Vec<_> =
        cookies.pairs().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    assert_eq!(pairs, expected);
    for (name, _) in &expected {
        let Ok(text) = std::str::from_utf8(name) else { continue };
        let same: Vec<_> = expected.iter().filter(|(other, _)| other == name).collect();
        assert_eq!(cookies.count(text), same.len());
        assert_eq!(cookies.value(text).expect("it is there"), plain(&same[same.len() - 1].1));
    }
}

fn oracle(part: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut halves = part.splitn(2, |&byte| byte == b'=').map(trimmed);
    match (halves.next(), halves.next()) {
        (Some(name), Some(value)) => (name, value),
        (Some(value), None) => (Vec::new(), value),
        (None, _) => (Vec::new(), Vec::new()),
    }
}

fn trimmed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    while matches!(bytes.last(), Some(b' ' | b'\t')) {
        bytes.pop();
    }
    while matches!(bytes.first(), Some(b' ' | b'\t')) {
        bytes.remove(0);
    }
    bytes
}

/// A value without its quotes, by Python's rules.
fn plain(value: &[u8]) -> String {
    if value.len() < 2 || value[0] != b'"' || value[value.len() - 1] != b'"' {
        return String::from_utf8_lossy(value).into_owned();
    }
    let quoted = &value[1..value.len() - 1];
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < quoted.len() {
        let octal = quoted.get(at + 1..at + 4).filter(|digits| {
            digits[0] <= b'3' && digits.iter().all(|byte| (b'0'..=b'7').contains(byte))
        });
        match (quoted[at], octal, quoted.get(at + 1)) {
            (b'\\', Some(digits), _) => {
                let digits = std::str::from_utf8(digits).expect("digits");
                bytes.push(u8::from_str_radix(digits, 8).expect("at most 0o377"));
                at += 4;
            }
            (b'\\', None, Some(&escaped)) => {
                bytes.push(escaped);
                at += 2;
            }
            (byte, ..) => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// No value adds an attribute to its cookie, and one of ASCII comes back as it was.
fn reads_back(value: &str) {
    let settings = CookieSettings::new("id", None);
    let set = |value: &str| settings.set(value, None, UnixTime::from_seconds(0), Https::Yes);
    let header = set(value).expect("any value can be quoted");
    let parts = |header: &HeaderValue| header.as_bytes().split(|&byte| byte == b';').count();
    assert_eq!(parts(&header), parts(&set("").expect("a header")));
    if value.is_ascii() {
        let end = header.as_bytes().iter().position(|&byte| byte == b';').expect("attributes");
        let sent = HeaderValue::from_bytes(&header.as_bytes()[..end]).expect("a header");
        let headers = HeaderMap::from_iter([(header::COOKIE, sent)]);
        assert_eq!(Cookies::of(&headers).value("id").expect("it is there"), value);
    }
}
