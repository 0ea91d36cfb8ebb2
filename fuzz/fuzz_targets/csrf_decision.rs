//! The verdict on a request's head: never a panic, and what must not pass does not.
//!
//! The input's first line names a method, a scheme and a policy; each other line is a header.
#![no_main]

use std::net::SocketAddr;

use donjon::csrf::{CsrfPolicy, Decision, decide, is_safe};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Connection, Scheme, Site, SitePolicy, TrustedOrigins};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

const TRUSTED: &str = "https://pay.example";

fuzz_target!(|data: &[u8]| {
    let (first, lines) = split_line(data);
    let mut words = first.split(|&byte| byte == b' ');
    let mut word = || words.next().unwrap_or_default();
    let Ok(method) = Method::from_bytes(word()) else { return };
    let scheme = if word() == b"https" { Scheme::Https } else { Scheme::Http };
    let headers = headers(lines);
    let request = Request { method, site: site(&headers, scheme), headers };
    match word() {
        b"django" => request.must_obey_django(),
        b"hardened" => request.must_obey_the_table(CsrfPolicy::hardened("sessionid")),
        _ => request.must_obey_the_table(CsrfPolicy::default()),
    }
});

struct Request {
    method: Method,
    site: Site,
    headers: HeaderMap,
}

impl Request {
    fn must_obey_django(&self) {
        let decision = self.decide(CsrfPolicy::django());
        if is_safe(&self.method) {
            return assert_eq!(decision, Decision::Accept);
        }
        let origin = self.one("origin").map(|origin| self.is_good(origin));
        assert!(decision != Decision::Accept);
        assert!(decision != Decision::NeedsToken || origin != Some(false));
    }

    fn must_obey_the_table(&self, policy: CsrfPolicy) {
        let decision = self.decide(policy);
        if decision == Decision::Accept {
            assert!(is_safe(&self.method));
            assert!(self.one("upgrade") != Some("websocket") || self.has_good_origin());
        }
        if decision == Decision::NeedsToken {
            assert!(!is_safe(&self.method));
            match self.one("sec-fetch-site") {
                Some("cross-site" | "same-site") => {
                    assert_eq!(self.one("origin"), Some(TRUSTED));
                }
                Some("same-origin") if self.one("origin") == Some("null") => {}
                _ => assert!(self.one("origin").is_none_or(|origin| self.is_good(origin))),
            }
        }
    }

    fn decide(&self, policy: CsrfPolicy) -> Decision {
        let policy = policy.trust(TrustedOrigins::new([TRUSTED]).expect("an origin"));
        let decision = decide(&policy, &self.site, &self.method, &self.headers);
        if let Decision::Refuse(reason) = &decision {
            assert!(!reason.to_string().is_empty());
        }
        decision
    }

    /// The header, if there is exactly one and it is ASCII.
    fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        values.next().is_none().then(|| first.to_str().ok()).flatten()
    }

    fn has_good_origin(&self) -> bool {
        self.one("origin").is_some_and(|origin| self.is_good(origin))
    }

    fn is_good(&self, origin: &str) -> bool {
        origin == TRUSTED || self.site.origin().as_deref() == Some(origin)
    }
}

fn site(headers: &HeaderMap, scheme: Scheme) -> Site {
    let hosts = AllowedHosts::new(["bank.example", ".shop.example"]).expect("hosts");
    let here = SocketAddr::from(([127, 0, 0, 1], 8000));
    let connection = Connection { peer: here, local: here, scheme };
    let policy = SitePolicy::new(hosts).danger_forwarded_host().danger_forwarded_port();
    policy.resolve(headers, None, Some(&connection))
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
