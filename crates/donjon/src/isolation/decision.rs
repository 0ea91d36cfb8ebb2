//! The verdict on a request: pure, without I/O and without a log.

use std::fmt;

use http::{HeaderMap, HeaderName, Method, header};

use super::policy::{Frames, IsolationPolicy, SameSite};

static FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
static FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// What a verdict depends on that asked where a request comes from.
const WHERE: &[&str] = &["Sec-Fetch-Site"];

/// What a verdict on another site's request depends on.
const WHAT_FOR: &[&str] = &["Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Origin"];

/// What CORS has said of a request. A CORS layer outside may leave it in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// No other origin may read the answer.
    Nobody,
    /// The request's `Origin` may.
    Allowed,
}

/// What is to become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is none of those that this room looks at.
    Pass,
    /// It may go on; the verdict depended on these headers.
    Accept(&'static [&'static str]),
    /// It is refused; the verdict depended on these headers.
    Refuse(Reason, &'static [&'static str]),
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// `Sec-Fetch-Site` says what no browser says, or comes twice.
    UnknownSite,
    /// Another site loads something, and navigates nowhere.
    NotNavigation,
    /// Another site shows it in a frame.
    Framed,
    /// Another site embeds it, or loads it for what no navigation is for.
    Embedded,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownSite => "Sec-Fetch-Site is none of the four words that browsers say.",
            Self::NotNavigation => "another site loads it, and it is no navigation.",
            Self::Framed => "another site loads it into a frame.",
            Self::Embedded => "another site loads it into what is no window.",
        })
    }
}

/// Rules 1 to 6.
#[must_use]
pub fn decide(
    policy: &IsolationPolicy,
    method: &Method,
    headers: &HeaderMap,
    readers: Readers,
) -> Decision {
    if !is_looked_at(method, headers) || readers == Readers::Allowed {
        return Decision::Pass;
    }
    match (only(headers, &FETCH_SITE), policy.same_site) {
        (None | Some(b"same-origin" | b"none"), _) => Decision::Accept(WHERE),
        (Some(b"same-site"), SameSite::Allowed) => Decision::Accept(WHERE),
        (Some(b"same-site" | b"cross-site"), _) => match stranger(policy, method, headers) {
            Ok(()) => Decision::Accept(WHAT_FOR),
            Err(reason) => Decision::Refuse(reason, WHAT_FOR),
        },
        (Some(_), _) => Decision::Refuse(Reason::UnknownSite, WHERE),
    }
}

/// Rule 1.
fn is_looked_at(method: &Method, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
        && (headers.contains_key(header::COOKIE) || headers.contains_key(header::AUTHORIZATION))
}

/// The header; where it comes twice, a word that nobody says.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes();
    Some(if values.next().is_none() { first } else { b"" })
}

/// Rules 4 and 5.
fn stranger(policy: &IsolationPolicy, method: &Method, headers: &HeaderMap) -> Result<(), Reason> {
    if is_trusted(policy, headers) {
        return Ok(());
    }
    let navigates = only(headers, &FETCH_MODE) == Some(b"navigate");
    if !navigates || !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Reason::NotNavigation);
    }
    match (only(headers, &FETCH_DEST), policy.frames) {
        (None | Some(b"document"), _) => Ok(()),
        (Some(b"iframe" | b"frame" | b"fencedframe"), Frames::Allowed) => Ok(()),
        (Some(b"iframe" | b"frame" | b"fencedframe"), Frames::Refused) => Err(Reason::Framed),
        (Some(_), _) => Err(Reason::Embedded),
    }
}

fn is_trusted(policy: &IsolationPolicy, headers: &HeaderMap) -> bool {
    let origin = only(headers, &header::ORIGIN).and_then(|origin| str::from_utf8(origin).ok());
    origin.is_some_and(|origin| is_serialized(origin) && policy.trusted.trusts(origin))
}

/// Is this an origin as browsers write them: `scheme://host[:port]` in lower case? A pattern trusts
/// also what merely reads like one.
fn is_serialized(origin: &str) -> bool {
    let legal =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-+_:[]".contains(&byte);
    origin
        .split_once("://")
        .is_some_and(|(scheme, host)| scheme.bytes().chain(host.bytes()).all(legal))
}

#[cfg(test)]
mod tests {
    use donjon_core::origin::TrustedOrigins;
    use http::HeaderValue;

    use super::*;

    /// Headers as `name: value` lines.
    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    /// The verdict on a request that carries a cookie.
    fn verdict(policy: &IsolationPolicy, method: &Method, lines: &[&str]) -> Decision {
        let headers = headers(&[&["cookie: sessionid=1"], lines].concat());
        decide(policy, method, &headers, Readers::Nobody)
    }

    fn refused(lines: &[&str]) -> Option<Reason> {
        match verdict(&IsolationPolicy::default(), &Method::GET, lines) {
            Decision::Refuse(reason, _) => Some(reason),
            _ => None,
        }
    }

    const PICTURE: [&str; 3] =
        ["sec-fetch-site: cross-site", "sec-fetch-mode: no-cors", "sec-fetch-dest: image"];
    const LINK: [&str; 3] =
        ["sec-fetch-site: cross-site", "sec-fetch-mode: navigate", "sec-fetch-dest: document"];

    #[test]
    fn rule_1_only_reading_requests_with_credentials_are_looked_at() {
        let policy = IsolationPolicy::default();
        let without = decide(&policy, &Method::GET, &headers(&PICTURE), Readers::Nobody);
        assert_eq!(without, Decision::Pass);
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::CONNECT] {
            assert_eq!(verdict(&policy, &method, &PICTURE), Decision::Pass, "{method}");
        }
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE] {
            let refused = Decision::Refuse(Reason::NotNavigation, WHAT_FOR);
            assert_eq!(verdict(&policy, &method, &PICTURE), refused, "{method}");
        }
        let basic = headers(&[&["authorization: Basic eDp5"][..], &PICTURE].concat());
        assert_ne!(decide(&policy, &Method::GET, &basic, Readers::Nobody), Decision::Pass);
    }

    #[test]
    fn rule_2_without_metadata_it_is_no_browser_of_today() {
        assert_eq!(refused(&[]), None);
        assert_eq!(refused(&["sec-fetch-mode: no-cors", "sec-fetch-dest: image"]), None);
    }

    #[test]
    fn rule_3_the_site_itself_and_the_visitor_pass() {
        for site in ["same-origin", "none"] {
            let site = format!("sec-fetch-site: {site}");
            for mode in ["navigate", "cors", "no-cors", "websocket"] {
                let mode = format!("sec-fetch-mode: {mode}");
                assert_eq!(refused(&[&site, &mode, "sec-fetch-dest: empty"]), None);
            }
        }
        let sibling = ["sec-fetch-site: same-site", "sec-fetch-mode: no-cors"];
        assert_eq!(refused(&sibling), Some(Reason::NotNavigation));
        let policy = IsolationPolicy::default().allow_same_site();
        assert_eq!(verdict(&policy, &Method::GET, &sibling), Decision::Accept(WHERE));
        assert_ne!(verdict(&policy, &Method::GET, &PICTURE), Decision::Accept(WHERE));
    }

    #[test]
    fn rule_4_other_sites_may_link_and_nothing_else() {
        for site in ["same-site", "cross-site"] {
            let site = format!("sec-fetch-site: {site}");
            for (mode, dest, reason) in [
                ("navigate", "document", None),
                ("navigate", "iframe", Some(Reason::Framed)),
                ("navigate", "frame", Some(Reason::Framed)),
                ("navigate", "fencedframe", Some(Reason::Framed)),
                ("navigate", "object", Some(Reason::Embedded)),
                ("navigate", "embed", Some(Reason::Embedded)),
                ("navigate", "image", Some(Reason::Embedded)),
                ("navigate", "", Some(Reason::Embedded)),
                ("nested-navigate", "document", Some(Reason::NotNavigation)),
                ("Navigate", "document", Some(Reason::NotNavigation)),
                ("no-cors", "image", Some(Reason::NotNavigation)),
                ("no-cors", "script", Some(Reason::NotNavigation)),
                ("cors", "empty", Some(Reason::NotNavigation)),
                ("websocket", "websocket", Some(Reason::NotNavigation)),
                ("same-origin", "document", Some(Reason::NotNavigation)),
            ] {
                let lines = [format!("sec-fetch-mode: {mode}"), format!("sec-fetch-dest: {dest}")];
                assert_eq!(refused(&[&site, &lines[0], &lines[1]]), reason, "{site} {lines:?}");
            }
        }
        assert_eq!(refused(&LINK[..2]), None);
        assert_eq!(refused(&LINK[..1]), Some(Reason::NotNavigation));
    }

    #[test]
    fn rule_4_a_navigation_reads() {
        let policy = IsolationPolicy::default();
        assert_eq!(verdict(&policy, &Method::HEAD, &LINK), Decision::Accept(WHAT_FOR));
        for method in [Method::OPTIONS, Method::TRACE] {
            let refused = Decision::Refuse(Reason::NotNavigation, WHAT_FOR);
            assert_eq!(verdict(&policy, &method, &LINK), refused, "{method}");
        }
    }

    #[test]
    fn rule_4_frames_where_the_policy_allows_them() {
        let policy = IsolationPolicy::default().allow_framing();
        let into = |dest| verdict(&policy, &Method::GET, &[LINK[0], LINK[1], dest]);
        for dest in ["sec-fetch-dest: iframe", "sec-fetch-dest: frame"] {
            assert_eq!(into(dest), Decision::Accept(WHAT_FOR), "{dest}");
        }
        for dest in ["sec-fetch-dest: object", "sec-fetch-dest: embed"] {
            assert_eq!(into(dest), Decision::Refuse(Reason::Embedded, WHAT_FOR), "{dest}");
        }
    }

    #[test]
    fn rule_5_what_cors_allowed_passes() {
        let headers =
            headers(&[&["cookie: a=b", "origin: https://app.example"], &PICTURE[..]].concat());
        let policy = IsolationPolicy::default();
        let decide = |readers| decide(&policy, &Method::GET, &headers, readers);
        assert_eq!(decide(Readers::Allowed), Decision::Pass);
        assert_eq!(decide(Readers::Nobody), Decision::Refuse(Reason::NotNavigation, WHAT_FOR));
    }

    #[test]
    fn rule_5_a_trusted_origin_passes_letter_by_letter() {
        let trusted = ["https://app.example", "https://*.bank.example"];
        let policy = IsolationPolicy::default().trust(TrustedOrigins::new(trusted).unwrap());
        let socket = ["sec-fetch-site: cross-site", "sec-fetch-mode: websocket"];
        let from = |origins: &[&str]| {
            let origins: Vec<_> = origins.iter().map(|text| format!("origin: {text}")).collect();
            let lines: Vec<_> =
                socket.into_iter().chain(origins.iter().map(String::as_str)).collect();
            verdict(&policy, &Method::GET, &lines) == Decision::Accept(WHAT_FOR)
        };
        assert!(from(&["https://app.example"]) && from(&["https://a.bank.example"]));
        for origin in
            ["http://app.example", "https://app.example.evil", "null", "HTTPS://a.bank.example"]
        {
            assert!(!from(&[origin]), "{origin}");
        }
        assert!(!from(&[]));
        assert!(!from(&["https://app.example", "https://app.example"]));
        assert!(!from(&["https://a.bank.example/path"]));
    }

    #[test]
    fn rule_6_what_no_browser_says_is_refused() {
        for site in
            ["", "Same-Origin", "same-origin, cross-site", "same-origin;", "cross", "\u{e9}"]
        {
            let line = format!("sec-fetch-site: {site}");
            let lines = [&line, "sec-fetch-mode: navigate", "sec-fetch-dest: document"];
            assert_eq!(refused(&lines), Some(Reason::UnknownSite), "{site}");
        }
        let twice = ["sec-fetch-site: same-origin", "sec-fetch-site: same-origin"];
        assert_eq!(refused(&twice), Some(Reason::UnknownSite));
        let modes = [&LINK[..], &["sec-fetch-mode: navigate"]].concat();
        assert_eq!(refused(&modes), Some(Reason::NotNavigation));
        let dests = [&LINK[..], &["sec-fetch-dest: document"]].concat();
        assert_eq!(refused(&dests), Some(Reason::Embedded));
    }

    /// Rule by rule once more, for all words at once, written otherwise.
    #[test]
    fn rules_1_to_6_hold_for_all_words_together() {
        let policy = IsolationPolicy::default();
        let sites = ["same-origin", "none", "same-site", "cross-site", "x", ""];
        let modes = ["navigate", "cors", "no-cors", "same-origin", "websocket", "x", ""];
        let dests = ["document", "iframe", "frame", "object", "embed", "image", "empty", "x", ""];
        let methods = ["GET", "HEAD", "OPTIONS", "TRACE", "POST", "QUERY", "get"];
        for (site, mode) in sites.iter().flat_map(|site| modes.iter().map(move |mode| (site, mode)))
        {
            for (dest, method) in
                dests.iter().flat_map(|dest| methods.iter().map(move |method| (dest, method)))
            {
                // An empty word stands for a header that is not there.
                let lines: Vec<_> =
                    [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)]
                        .into_iter()
                        .filter(|(_, word)| !word.is_empty())
                        .map(|(name, word)| format!("{name}: {word}"))
                        .collect();
                let lines: Vec<_> = lines.iter().map(String::as_str).collect();
                let link = ["GET", "HEAD"].contains(method)
                    && *mode == "navigate"
                    && ["document", ""].contains(dest)
                    && ["same-site", "cross-site"].contains(site);
                let writes = ["POST", "QUERY", "get"].contains(method);
                let passes = writes || link || ["same-origin", "none", ""].contains(site);
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let decision = verdict(&policy, &method, &lines);
                let passed = !matches!(decision, Decision::Refuse(..));
                assert_eq!(passed, passes, "{method} {lines:?}");
            }
        }
    }
}
