//! The verdict on what another site loads: never a panic, and what must not pass does not.
//!
//! The input's first line names a method and what the policy allows; each other line is a header.
#![no_main]

use donjon::isolation::{Decision, IsolationPolicy, Readers, decide};
use donjon_core::origin::TrustedOrigins;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

const TRUSTED: &str = "https://app.example";

fuzz_target!(|data: &[u8]| {
    let (first, lines) = split_line(data);
    let mut words = first.split(|&byte| byte == b' ');
    let Ok(method) = Method::from_bytes(words.next().unwrap_or_default()) else { return };
    let allowed: Vec<_> = words.collect();
    let allows = |word: &[u8]| allowed.contains(&word);
    let headers = headers(lines);
    let decision = decide(&policy(&allows), &method, &headers, Readers::Nobody);
    let passed = !matches!(decision, Decision::Refuse(..));
    assert!(!passed || may_pass(&method, &headers, &allows), "{decision:?}");
    let read = decide(&policy(&allows), &method, &headers, Readers::Allowed);
    assert_eq!(read, Decision::Pass);
});

fn policy(allows: &impl Fn(&[u8]) -> bool) -> IsolationPolicy {
    let mut policy = IsolationPolicy::default();
    if allows(b"same-site") {
        policy = policy.allow_same_site();
    }
    if allows(b"framing") {
        policy = policy.allow_framing();
    }
    if allows(b"trust") {
        policy = policy.trust(TrustedOrigins::new([TRUSTED]).expect("an origin"));
    }
    policy
}

/// The rules once more, written the other way round.
fn may_pass(method: &Method, headers: &HeaderMap, allows: &impl Fn(&[u8]) -> bool) -> bool {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
        values.next().filter(|_| values.next().is_none())
    };
    let reads = ["GET", "HEAD", "OPTIONS", "TRACE"].contains(&method.as_str());
    let carries = headers.contains_key("cookie") || headers.contains_key("authorization");
    let window = match one("sec-fetch-dest") {
        Some(b"iframe" | b"frame" | b"fencedframe") => allows(b"framing"),
        Some(dest) => dest == b"document",
        None => !headers.contains_key("sec-fetch-dest"),
    };
    let link = one("sec-fetch-mode") == Some(b"navigate") && window && method.as_str().len() < 5;
    let trusted = allows(b"trust") && one("origin") == Some(TRUSTED.as_bytes());
    match one("sec-fetch-site") {
        _ if !reads || !carries => true,
        None => !headers.contains_key("sec-fetch-site"),
        Some(b"same-origin" | b"none") => true,
        Some(b"same-site") => allows(b"same-site") || link || trusted,
        Some(site) => site == b"cross-site" && (link || trusted),
    }
}

fn split_line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    (&data[..end], data.get(end + 1..).unwrap_or_default())
}

fn headers(lines: &[u8]) -> HeaderMap {
    let header = |line: &[u8]| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((name, value))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.split(|&byte| byte == b'\n').filter_map(header) {
        headers.append(name, value);
    }
    headers
}
