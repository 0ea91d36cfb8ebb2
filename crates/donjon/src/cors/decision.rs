//! What a request is to CORS: pure, without I/O and without an allocation.

use std::borrow::Cow;

use donjon_core::origin::{latin1, split_url};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::percent_decode_str;

use super::policy::{
    CorsPolicy, CorsRequest, Credentials, Matching, Paths, PrivateNetwork, Reach, Reading,
};

/// The longest `Origin` that is looked up, in bytes: a host of 253 with scheme and port, and room to
/// spare.
pub const MAX_ORIGIN: usize = 512;

static REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");

/// What is to become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The policy does not reach its path: the response stays as it is.
    OutOfReach,
    /// The response varies with `origin`, and nobody but the site itself may read it.
    Closed(Preflight),
    /// Its origin may read the response.
    Open(Opening),
}

/// For whom a response is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Is the request a preflight?
    pub preflight: Preflight,
    /// The origin, or `*`.
    pub origin: HeaderValue,
    /// May the request have had cookies?
    pub(super) credentials: Credentials,
    /// Is it an OPTIONS request, whose answer tells methods and headers?
    pub(super) options: bool,
    /// Does it ask for a private network that is open?
    pub(super) private_network: bool,
}

/// Is a request a preflight, to be answered here?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preflight {
    /// Yes.
    Yes,
    /// No.
    No,
}

impl Decision {
    /// Is the request a preflight, to be answered here?
    #[must_use]
    pub fn preflight(&self) -> Preflight {
        match self {
            Self::OutOfReach => Preflight::No,
            Self::Closed(preflight) | Self::Open(Opening { preflight, .. }) => *preflight,
        }
    }

    /// May the request's origin read the response?
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// Rules 3 and 4: writes the decision into a response's headers.
    pub fn apply(self, policy: &CorsPolicy, headers: &mut HeaderMap) {
        let opening = match self {
            Self::OutOfReach => return,
            Self::Closed(_) => return crate::vary::add(headers, "origin"),
            Self::Open(opening) => opening,
        };
        crate::vary::add(headers, "origin");
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, opening.origin);
        if opening.credentials == Credentials::Allowed {
            headers
                .insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(names) = &policy.expose {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, names.clone());
        }
        if opening.options {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, policy.headers.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, policy.methods.clone());
            headers.extend(policy.max_age.clone().map(|age| (header::ACCESS_CONTROL_MAX_AGE, age)));
        }
        if opening.private_network {
            headers.insert(&ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
    }
}

static ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// The verdict on a request.
#[must_use]
pub fn decide(policy: &CorsPolicy, request: CorsRequest<'_>) -> Decision {
    let reading = policy.hook.as_ref().map_or(Reading::AsThePolicySays, |hook| hook.ask(request));
    if reading == Reading::AsThePolicySays && !reaches(policy, request.uri.path()) {
        return Decision::OutOfReach;
    }
    let options = is_options(policy, request.method);
    let preflight =
        match options && request.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            true => Preflight::Yes,
            false => Preflight::No,
        };
    match opened(policy, reading, request.headers) {
        Some((origin, credentials)) => Decision::Open(Opening {
            preflight,
            origin,
            credentials,
            options,
            private_network: asks_for_private_network(policy, request.headers),
        }),
        None => Decision::Closed(preflight),
    }
}

/// Methods are what they are in capital letters; Django raises the others.
fn is_options(policy: &CorsPolicy, method: &Method) -> bool {
    match policy.matching {
        Matching::Exact => method == Method::OPTIONS,
        Matching::Split => method.as_str().eq_ignore_ascii_case("OPTIONS"),
    }
}

fn reaches(policy: &CorsPolicy, path: &str) -> bool {
    policy.paths.is_empty()
        || policy.paths.iter().any(|paths| match paths {
            Paths::Below(above) => is_below(above, path),
            Paths::Pattern(pattern) => {
                pattern.matches(&percent_decode_str(path).decode_utf8_lossy())
            }
        })
}

fn is_below(above: &str, path: &str) -> bool {
    let rest = path.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || above.ends_with('/') || rest.starts_with('/'))
}

/// The origin that may read, as the response names it, and whether with cookies.
fn opened(
    policy: &CorsPolicy,
    reading: Reading,
    headers: &HeaderMap,
) -> Option<(HeaderValue, Credentials)> {
    let origin = one_origin(policy, headers)?;
    let any = policy.reach == Reach::Any;
    let public = any && policy.credentials == Credentials::Omitted;
    if public || reading == Reading::Public {
        return Some((HeaderValue::from_static("*"), Credentials::Omitted));
    }
    let wide = || any || reading == Reading::Allowed || matches_pattern(policy, origin);
    let may = is_named(policy, origin) || (is_somebodys(policy, origin) && wide());
    may.then(|| (origin.clone(), policy.credentials))
}

/// Rule 8: two origins are none, and neither is one that no browser sends.
fn one_origin<'h>(policy: &CorsPolicy, headers: &'h HeaderMap) -> Option<&'h HeaderValue> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let origin = origins.next()?;
    let legal = origins.next().is_none() && (1..=MAX_ORIGIN).contains(&origin.len());
    let can_be_split = || split_url(&latin1(origin)).is_ok();
    (legal && (policy.matching == Matching::Exact || can_be_split())).then_some(origin)
}

/// `null` is everybody's: only its own name lets it in, and nothing that lets in many.
fn is_somebodys(policy: &CorsPolicy, origin: &HeaderValue) -> bool {
    policy.matching == Matching::Split || (origin != "null" && origin != "file://")
}

fn is_named(policy: &CorsPolicy, origin: &HeaderValue) -> bool {
    policy.origins.contains(origin.as_bytes())
        || (policy.matching == Matching::Split && is_split_alike(policy, &latin1(origin)))
}

fn matches_pattern(policy: &CorsPolicy, origin: &HeaderValue) -> bool {
    if policy.patterns.is_empty() || (policy.matching == Matching::Exact && !ends_in_host(origin)) {
        return false;
    }
    let text = origin.to_str().map_or_else(|_| Cow::Owned(latin1(origin)), Cow::Borrowed);
    policy.patterns.iter().any(|pattern| pattern.matches(&text))
}

/// An origin ends with its host and port. In what goes on a pattern could find the site's own host
/// where another's path is: `https://evil.example/a.shop.example`.
fn ends_in_host(origin: &HeaderValue) -> bool {
    let bytes = origin.as_bytes();
    let host = memchr::memmem::find(bytes, b"://").map_or(bytes, |at| &bytes[at + 3..]);
    !host.iter().any(|byte| b"/?#@\\".contains(byte))
}

/// Django's rule: the same scheme and host, whatever follows.
fn is_split_alike(policy: &CorsPolicy, origin: &str) -> bool {
    let parts = |url: &str| split_url(url).ok().map(|url| (url.scheme, url.netloc));
    let sent = parts(origin);
    origin != "null" && sent.is_some() && policy.origins().any(|known| parts(known) == sent)
}

fn asks_for_private_network(policy: &CorsPolicy, headers: &HeaderMap) -> bool {
    policy.private_network == PrivateNetwork::Open
        && headers.get(&REQUEST_PRIVATE_NETWORK).is_some_and(|asked| asked == "true")
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::super::policy::{CorsBuilder, Reading};
    use super::*;

    const APP: &str = "https://app.example";

    fn decision(
        builder: CorsBuilder,
        method: Method,
        path: &'static str,
        pairs: &[(&'static str, &str)],
    ) -> (Decision, HeaderMap) {
        let policy = builder.build().unwrap();
        let value = |text: &str| HeaderValue::try_from(text).unwrap();
        let headers: HeaderMap =
            pairs.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect();
        let uri = Uri::from_static(path);
        let request = CorsRequest { method: &method, uri: &uri, headers: &headers };
        let decision = decide(&policy, request);
        let mut answer = HeaderMap::new();
        decision.clone().apply(&policy, &mut answer);
        (decision, answer)
    }

    fn get(builder: CorsBuilder, origin: &str) -> HeaderMap {
        decision(builder, Method::GET, "/", &[("origin", origin)]).1
    }

    fn app() -> CorsBuilder {
        CorsPolicy::new([APP]).allow_credentials()
    }

    #[test]
    fn rule_1_origins_are_compared_letter_by_letter() {
        for origin in [
            "https://app.example.evil",
            "https://evil-app.example",
            "https://app.example:444",
            "HTTPS://APP.EXAMPLE",
            "https://app.example/",
            "http://app.example",
            "null",
            "",
        ] {
            let answer = get(app(), origin);
            assert_eq!(answer.len(), 1, "{origin}");
            assert_eq!(answer["vary"], "origin");
        }
        let answer = get(app(), APP);
        assert_eq!(answer["access-control-allow-origin"], APP);
        assert_eq!(answer["access-control-allow-credentials"], "true");
        assert_eq!(answer.len(), 3);
    }

    #[test]
    fn rule_2_patterns_and_any_origin() {
        let pattern = || CorsPolicy::new([]).allow_pattern(r"^https://[a-z]+\.app\.example$");
        assert!(
            get(pattern(), "https://a.app.example").contains_key("access-control-allow-origin")
        );
        assert_eq!(get(pattern(), "https://app.example").len(), 1);
        let any = get(CorsPolicy::new([]).allow_any_origin(), "https://whoever.example");
        assert_eq!(any["access-control-allow-origin"], "*");
        assert_eq!(get(CorsPolicy::new([]).allow_any_origin(), "null").len(), 2);
    }

    /// Found by the fuzz target `cors_decision`: a class that has a slash in it matched across hosts.
    #[test]
    fn rule_2_a_pattern_sees_no_path() {
        let wide = || CorsPolicy::new([]).allow_pattern(r"^https://[a-z:/.@#-]+\.shop\.example$");
        assert!(get(wide(), "https://a.shop.example").contains_key("access-control-allow-origin"));
        for stranger in ["https://evil.test/a.shop.example", "https://evil.test#a.shop.example"] {
            assert_eq!(get(wide(), stranger).len(), 1, "{stranger}");
        }
    }

    #[test]
    fn rule_3_a_preflight_is_told_apart() {
        let asked = ("access-control-request-method", "POST");
        let origin = ("origin", APP);
        let preflight = |method, pairs: &[_]| decision(app(), method, "/", pairs).0.preflight();
        assert_eq!(preflight(Method::OPTIONS, &[asked]), Preflight::Yes);
        assert_eq!(preflight(Method::OPTIONS, &[asked, ("origin", "null")]), Preflight::Yes);
        assert_eq!(preflight(Method::POST, &[asked]), Preflight::No);
        assert_eq!(preflight(Method::OPTIONS, &[origin]), Preflight::No);
        let (_, answer) = decision(app(), Method::OPTIONS, "/", &[origin, asked]);
        assert_eq!(answer["access-control-max-age"], "86400");
        assert_eq!(
            answer["access-control-allow-methods"],
            "DELETE, GET, OPTIONS, PATCH, POST, PUT"
        );
        assert_eq!(answer.len(), 6);
    }

    #[test]
    fn rule_5_a_policy_may_reach_some_paths_only() {
        let api = || app().allow_path("/api/");
        let at = |path| decision(api(), Method::GET, path, &[("origin", APP)]);
        assert!(at("/api/x").0.is_open());
        assert_eq!(at("/").0, Decision::OutOfReach);
        assert!(at("/").1.is_empty());
        let pattern = app().allow_path_pattern("/api");
        assert!(decision(pattern, Method::GET, "/%61pi", &[("origin", APP)]).0.is_open());
    }

    #[test]
    fn rule_5_a_path_ends_where_a_name_ends() {
        let at = |path| {
            let api = app().allow_path("/api");
            decision(api, Method::GET, path, &[("origin", APP)]).0.is_open()
        };
        assert!(["/api", "/api/", "/api/x?y"].into_iter().all(at));
        assert!(!["/apiary", "/", "/x/api", "/API"].into_iter().any(at));
    }

    #[test]
    fn rule_6_what_a_function_makes_public_is_so_without_cookies() {
        let feed = app().allow_path("/api/").allow_if(|_| Reading::Public);
        let answer = decision(feed, Method::GET, "/feed", &[("origin", "https://b.example")]).1;
        assert_eq!(answer["access-control-allow-origin"], "*");
        assert!(!answer.contains_key("access-control-allow-credentials"));
    }

    #[test]
    fn rule_1_null_is_let_in_by_its_own_name_only() {
        for origin in ["null", "file://"] {
            for wide in [
                app().danger_pattern(".*"),
                app().danger_any_origin_with_credentials(),
                app().allow_if(|_| Reading::Allowed),
            ] {
                assert_eq!(get(wide, origin).len(), 1, "{origin}");
            }
        }
        let named = CorsPolicy::new(["null"]).danger_null();
        assert_eq!(get(named, "null")["access-control-allow-origin"], "null");
    }

    #[test]
    fn rule_8_two_origins_are_none() {
        let policy = app().build().unwrap();
        for second in [APP, "https://evil.example"] {
            let mut headers = HeaderMap::new();
            for origin in [APP, second] {
                headers.append(header::ORIGIN, HeaderValue::from_static(origin));
            }
            let (method, uri) = (Method::GET, Uri::from_static("/"));
            let request = CorsRequest { method: &method, uri: &uri, headers: &headers };
            assert!(!decide(&policy, request).is_open(), "{second}");
        }
    }

    #[test]
    fn rule_6_a_function_may_open_what_the_policy_leaves_closed() {
        let hooked = || {
            app().allow_path("/api/").allow_if(|request| match request.uri.path() == "/feed" {
                true => Reading::Allowed,
                false => Reading::AsThePolicySays,
            })
        };
        let at = |path| decision(hooked(), Method::GET, path, &[("origin", "https://b.example")]).0;
        assert!(at("/feed").is_open());
        assert_eq!(at("/api/"), Decision::Closed(Preflight::No));
        assert_eq!(at("/"), Decision::OutOfReach);
    }

    #[test]
    fn rule_7_private_networks_are_closed_unless_somebody_opens_them() {
        let pairs = [("origin", APP), ("access-control-request-private-network", "true")];
        let answer = |builder| decision(builder, Method::OPTIONS, "/", &pairs).1;
        let name = "access-control-allow-private-network";
        assert!(!answer(app()).contains_key(name));
        assert_eq!(answer(app().allow_private_network())[name], "true");
    }

    #[test]
    fn rule_8_a_long_origin_is_not_looked_up() {
        let long = format!("https://{}.example", "a".repeat(64 * 1024));
        assert_eq!(get(CorsPolicy::new([]).danger_any_origin_with_credentials(), &long).len(), 1);
    }

    #[test]
    fn djangos_rule_splits_the_url() {
        let django = || app().danger_as_django();
        for origin in ["HTTPS://app.example", "https://app.example/path?x#y"] {
            assert_eq!(get(django(), origin)["access-control-allow-origin"], origin);
        }
        for origin in ["https://app.example:443", "https://[::1", "https://APP.example"] {
            assert_eq!(get(django(), origin).len(), 1, "{origin}");
        }
    }
}
