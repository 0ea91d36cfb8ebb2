//! What becomes of a request: pure, without I/O and without a log.

use std::fmt;

use donjon_core::origin::{Scheme, Site};
use http::{Method, StatusCode, Uri};

use super::address::{decoded, path_and_query};
use super::policy::{HttpsPolicy, MAX_ADDRESS, RedirectKind};

/// What is to become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes on.
    Pass,
    /// It is sent to this address.
    Redirect {
        /// With this status.
        status: StatusCode,
        /// The address.
        address: String,
    },
    /// It can't be sent anywhere, and does not go on in clear.
    Refuse(Refusal),
}

/// Why a request can't be sent anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its host is none of the site's.
    UnknownHost,
    /// Its address is longer than [`MAX_ADDRESS`].
    TooLong,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHost => f.write_str("its host is none of the site's."),
            Self::TooLong => write!(f, "its address is longer than {MAX_ADDRESS} bytes."),
        }
    }
}

/// Rules 1, 3 and 4.
#[must_use]
pub fn decide(policy: &HttpsPolicy, site: &Site, method: &Method, uri: &Uri) -> Decision {
    match policy.redirect {
        Some(kind) if site.scheme() == Scheme::Http && !is_exempt(policy, uri.path()) => {
            redirect(policy, kind, site, method, uri)
        }
        _ => Decision::Pass,
    }
}

fn is_exempt(policy: &HttpsPolicy, path: &str) -> bool {
    let found = || policy.patterns.is_match(decoded(path).trim_start_matches('/'));
    policy.exempt.contains(path) || (!policy.patterns.is_empty() && found())
}

fn redirect(
    policy: &HttpsPolicy,
    kind: RedirectKind,
    site: &Site,
    method: &Method,
    uri: &Uri,
) -> Decision {
    let host = match (&policy.host, site.host()) {
        (Some(own), _) => own,
        (None, Ok(asked)) => asked.as_str(),
        (None, Err(_)) => return Decision::Refuse(Refusal::UnknownHost),
    };
    let address = ["https://", host, &path_and_query(uri, policy.spelling)].concat();
    match address.len() > MAX_ADDRESS {
        true => Decision::Refuse(Refusal::TooLong),
        false => Decision::Redirect { status: status(kind, method), address },
    }
}

fn status(kind: RedirectKind, method: &Method) -> StatusCode {
    match (kind, method) {
        (RedirectKind::Moved, _) | (_, &Method::GET | &Method::HEAD) => {
            StatusCode::MOVED_PERMANENTLY
        }
        (RedirectKind::KeepMethod, _) => StatusCode::PERMANENT_REDIRECT,
    }
}

#[cfg(test)]
mod tests {
    use donjon_core::host::AllowedHosts;
    use donjon_core::origin::{Connection, SitePolicy};
    use http::{HeaderMap, HeaderValue, header};

    use super::*;

    fn site(scheme: Scheme, host: &'static str) -> Site {
        let connection = Connection {
            peer: ([127, 0, 0, 1], 50_000).into(),
            local: ([127, 0, 0, 1], 80).into(),
            scheme,
        };
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
        let policy = SitePolicy::new(AllowedHosts::new(["example.com"]).unwrap());
        policy.resolve(&headers, None, Some(&connection))
    }

    fn verdict(policy: &HttpsPolicy, uri: &str) -> Decision {
        let site = site(Scheme::Http, "example.com");
        decide(policy, &site, &Method::GET, &uri.parse().unwrap())
    }

    fn moved(address: &str) -> Decision {
        Decision::Redirect { status: StatusCode::MOVED_PERMANENTLY, address: address.to_owned() }
    }

    #[test]
    fn rule_1_the_same_address_over_https() {
        let policy = HttpsPolicy::default().redirect();
        assert_eq!(verdict(&policy, "/a?b=c"), moved("https://example.com/a?b=c"));
        assert_eq!(verdict(&policy, "//evil.org/x"), moved("https://example.com//evil.org/x"));
        assert_eq!(verdict(&HttpsPolicy::default(), "/"), Decision::Pass);
        let secure = site(Scheme::Https, "example.com");
        let uri = Uri::from_static("/");
        assert_eq!(decide(&policy, &secure, &Method::GET, &uri), Decision::Pass);
    }

    #[test]
    fn rule_1_the_sites_own_host() {
        let policy = HttpsPolicy::default().redirect().host("secure.example.com:8443").unwrap();
        assert_eq!(verdict(&policy, "/a"), moved("https://secure.example.com:8443/a"));
    }

    #[test]
    fn rule_1_the_status_is_djangos_unless_the_method_is_kept() {
        let site = site(Scheme::Http, "example.com");
        let status = |kind, method| {
            let policy = HttpsPolicy::default().redirect_kind(kind);
            match decide(&policy, &site, &method, &Uri::from_static("/")) {
                Decision::Redirect { status, .. } => status.as_u16(),
                other => panic!("{other:?}"),
            }
        };
        for (method, kept) in
            [(Method::GET, 301), (Method::HEAD, 301), (Method::POST, 308), (Method::PUT, 308)]
        {
            assert_eq!(status(RedirectKind::Moved, method.clone()), 301);
            assert_eq!(status(RedirectKind::KeepMethod, method), kept);
        }
    }

    #[test]
    fn rule_3_exempt_paths_are_plain_or_patterns() {
        let policy = HttpsPolicy::default().redirect().exempt_path("/healthz");
        let policy = policy.exempt_patterns(["^insecure/", "^café$"]).unwrap();
        for path in ["/healthz", "/healthz?x", "/insecure/a", "//insecure/a", "/caf%C3%A9"] {
            assert_eq!(verdict(&policy, path), Decision::Pass, "{path}");
        }
        for path in ["/healthz/a", "/x/insecure/", "/Insecure/", "/?/insecure/", "/caf%C3%A9%0A"] {
            assert_ne!(verdict(&policy, path), Decision::Pass, "{path}");
        }
    }

    #[test]
    fn rule_4_what_cannot_be_redirected_does_not_go_on_in_clear() {
        let policy = HttpsPolicy::default().redirect();
        let strange = site(Scheme::Http, "evil.example");
        let uri = Uri::from_static("/");
        let refused = Decision::Refuse(Refusal::UnknownHost);
        assert_eq!(decide(&policy, &strange, &Method::GET, &uri), refused);
        let at_most = MAX_ADDRESS - "https://example.com/".len();
        assert_ne!(verdict(&policy, &format!("/{}", "a".repeat(at_most))), TOO_LONG);
        assert_eq!(verdict(&policy, &format!("/{}", "a".repeat(at_most + 1))), TOO_LONG);
    }

    const TOO_LONG: Decision = Decision::Refuse(Refusal::TooLong);
}
