//! The verdict on who may read: never a panic, and nobody reads whom the policy does not name.
//!
//! The input's first line has words of the policy, the second a method and a path; each other line is a
//! header.
#![no_main]

use donjon::cors::{CorsBuilder, CorsPolicy, CorsRequest, Decision, MAX_ORIGIN, Preflight, decide};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use url::Url;

/// A host that no policy here means, unless it spells it out.
const STRANGER: &str = "evil.test";

fuzz_target!(|data: &[u8]| {
    let (words, rest) = split_line(data);
    let (asked, lines) = split_line(rest);
    let Ok(words) = std::str::from_utf8(words) else { return };
    let Some((method, uri)) = target(asked) else { return };
    let Ok(policy) = policy(words).build() else { return };
    let headers = headers(lines);
    let answer = Answer::of(&policy, &method, &uri, &headers);
    answer.must_be_sound(words, &method, &headers);
    if answer.decision.is_open() && !words.contains(STRANGER) && !means_everybody(words) {
        strangers_stay_out(&policy, &uri, &headers["origin"]);
    }
});

fn policy(words: &str) -> CorsBuilder {
    let origins = words.split(' ').filter(|word| word.contains("://") && !word.contains('='));
    words.split(' ').fold(CorsPolicy::new(origins), said)
}

fn said(policy: CorsBuilder, word: &str) -> CorsBuilder {
    match word.split_once('=').unwrap_or((word, "")) {
        ("any", "") => policy.allow_any_origin(),
        ("credentials", "") => policy.allow_credentials(),
        ("private", "") => policy.allow_private_network(),
        ("django", "") => policy.danger_as_django(),
        ("pattern", pattern) => policy.allow_pattern(pattern),
        ("path", path) => policy.allow_path(path),
        ("paths", pattern) => policy.allow_path_pattern(pattern),
        ("headers", names) => policy.headers(names.split(',')),
        _ => policy,
    }
}

fn means_everybody(words: &str) -> bool {
    words.split(' ').any(|word| matches!(word, "any" | "any=" | "django" | "django="))
}

struct Answer {
    decision: Decision,
    headers: HeaderMap,
}

impl Answer {
    fn of(policy: &CorsPolicy, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let decision = decide(policy, CorsRequest { method, uri, headers });
        let mut written = HeaderMap::new();
        decision.clone().apply(policy, &mut written);
        Self { decision, headers: written }
    }

    fn says(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(HeaderValue::as_bytes)
    }

    /// The rules once more, on what is written.
    fn must_be_sound(&self, words: &str, method: &Method, sent: &HeaderMap) {
        let django = words.contains("django");
        let origin = sent.get("origin").map(HeaderValue::as_bytes);
        let allowed = self.says("access-control-allow-origin");
        assert_eq!(allowed.is_some(), self.decision.is_open());
        if self.decision == Decision::OutOfReach {
            assert!(self.headers.is_empty());
            return;
        }
        assert_eq!(self.says("vary"), Some(&b"origin"[..]));
        let asks = sent.contains_key("access-control-request-method");
        let preflight = *method == Method::OPTIONS && asks;
        assert!(django || preflight == (self.decision.preflight() == Preflight::Yes));
        let Some(allowed) = allowed else {
            assert_eq!(self.headers.len(), 1, "{:?}", self.headers);
            return;
        };
        assert!(allowed == b"*" || (Some(allowed) == origin && allowed.len() <= MAX_ORIGIN));
        let credentials = self.says("access-control-allow-credentials").is_some();
        assert!(django || !credentials || !matches!(allowed, b"*" | b"null" | b"file://"));
        let named = || words.split(' ').any(|word| Some(word.as_bytes()) == origin);
        let varied = words.contains("pattern=") || means_everybody(words);
        assert!(varied || named(), "{words:?} does not name {origin:?}");
    }
}

/// What was let in by its name or by a pattern lets in nobody who resembles it.
fn strangers_stay_out(policy: &CorsPolicy, uri: &Uri, origin: &HeaderValue) {
    let Ok(text) = origin.to_str() else { return };
    let (scheme, host) = text.split_once("://").expect("a scheme");
    for stranger in [
        format!("{text}.{STRANGER}"),
        format!("{text}@{STRANGER}"),
        format!("{text}/.{STRANGER}"),
        format!("{scheme}://{STRANGER}"),
        format!("{scheme}://{STRANGER}/{host}"),
        format!("{scheme}://{STRANGER}#{host}"),
    ] {
        let Ok(value) = HeaderValue::try_from(&stranger) else { continue };
        let browser_reads = Url::parse(&stranger).map(|url| url.host_str().map(str::to_owned));
        let strange = browser_reads.is_ok_and(|host| host.is_some_and(|h| h.ends_with(STRANGER)));
        let headers = HeaderMap::from_iter([(http::header::ORIGIN, value)]);
        let answer = Answer::of(policy, &Method::GET, uri, &headers);
        assert!(!strange || !answer.decision.is_open(), "{text} is let in, and {stranger} too");
    }
}

fn target(line: &[u8]) -> Option<(Method, Uri)> {
    let mut words = line.split(|&byte| byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    Some((method, Uri::try_from(words.next()?).ok()?))
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
