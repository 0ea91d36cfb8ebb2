//! Where a request comes from: every combination of what browsers send, against a second reading of the
//! rules; and the origins that only look like good ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests stop a test")]

mod support;

use donjon::csrf::{CsrfLayer, CsrfPolicy};
use donjon_core::origin::{Scheme, TrustedOrigins};
use http::{HeaderValue, Request, StatusCode, header};
use support::{SECRET, empty, mask, over, send};

const OTHER_SECRET: &str = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fetch {
    Absent,
    SameOrigin,
    SameSite,
    CrossSite,
    None,
    Unknown(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Absent,
    Own,
    Trusted,
    Null,
    OtherScheme,
    OtherPort,
    Evil,
    Malformed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Missing,
    Masked,
    Plain,
    OfAnother,
    Truncated,
    Empty,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    site: Fetch,
    origin: Place,
    referer: Place,
    token: Token,
    method: &'static str,
    scheme: Scheme,
}

const SITES: [Fetch; 8] = [
    Fetch::Absent,
    Fetch::SameOrigin,
    Fetch::SameSite,
    Fetch::CrossSite,
    Fetch::None,
    Fetch::Unknown(""),
    Fetch::Unknown("Same-Origin"),
    Fetch::Unknown("same-origin, cross-site"),
];
const ORIGINS: [Place; 8] = [
    Place::Absent,
    Place::Own,
    Place::Trusted,
    Place::Null,
    Place::OtherScheme,
    Place::OtherPort,
    Place::Evil,
    Place::Malformed,
];
const REFERERS: [Place; 6] =
    [Place::Absent, Place::Own, Place::Trusted, Place::OtherScheme, Place::Evil, Place::Malformed];
const TOKENS: [Token; 6] =
    [Token::Missing, Token::Masked, Token::Plain, Token::OfAnother, Token::Truncated, Token::Empty];
const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "TRACE", "POST", "DELETE", "QUERY"];

/// The rules once more, read from the table and not from the code.
fn expected(case: Case) -> bool {
    let safe = ["GET", "HEAD", "OPTIONS", "TRACE"].contains(&case.method);
    let https = case.scheme == Scheme::Https;
    let from_here = match (case.site, case.origin) {
        (Fetch::SameOrigin, Place::Own | Place::Absent | Place::Null | Place::Trusted) => true,
        (Fetch::None, Place::Own | Place::Absent) => true,
        (Fetch::SameSite | Fetch::CrossSite, Place::Trusted) => true,
        (Fetch::Absent, Place::Own | Place::Trusted) => true,
        (Fetch::Absent, Place::Absent) => match case.referer {
            Place::Absent => !https,
            // The trusted origin is one of HTTPS, also where the site itself is not.
            place => matches!(place, Place::Own | Place::Trusted),
        },
        _ => false,
    };
    safe || (from_here && matches!(case.token, Token::Masked | Token::Plain))
}

fn text(place: Place, scheme: Scheme) -> Option<&'static str> {
    Some(match (place, scheme) {
        (Place::Absent, _) => return None,
        (Place::Own, Scheme::Https) | (Place::OtherScheme, Scheme::Http) => "https://bank.example",
        (Place::Own, Scheme::Http) | (Place::OtherScheme, Scheme::Https) => "http://bank.example",
        (Place::Trusted, _) => "https://pay.example",
        (Place::Null, _) => "null",
        (Place::OtherPort, Scheme::Https) => "https://bank.example:444",
        (Place::OtherPort, Scheme::Http) => "http://bank.example:8080",
        (Place::Evil, Scheme::Https) => "https://bank.example.evil.example",
        (Place::Evil, Scheme::Http) => "http://bank.example.evil.example",
        (Place::Malformed, _) => "https://[bank.example",
    })
}

impl Case {
    fn request(self) -> Request<http_body_util::Full<bytes::Bytes>> {
        let site = match self.site {
            Fetch::Absent => None,
            Fetch::SameOrigin => Some("same-origin"),
            Fetch::SameSite => Some("same-site"),
            Fetch::CrossSite => Some("cross-site"),
            Fetch::None => Some("none"),
            Fetch::Unknown(text) => Some(text),
        };
        let token = match self.token {
            Token::Missing => None,
            Token::Masked => Some(mask(SECRET)),
            Token::Plain => Some(SECRET.to_owned()),
            Token::OfAnother => Some(mask(OTHER_SECRET)),
            Token::Truncated => Some(mask(SECRET)[1..].to_owned()),
            Token::Empty => Some(String::new()),
        };
        let referer = text(self.referer, self.scheme).map(|origin| format!("{origin}/page?q"));
        let headers = [
            ("sec-fetch-site", site.map(str::to_owned)),
            ("origin", text(self.origin, self.scheme).map(str::to_owned)),
            ("referer", referer),
            ("x-csrftoken", token),
        ];
        let request = Request::builder()
            .method(self.method)
            .uri("/")
            .header(header::HOST, "bank.example")
            .header(header::COOKIE, format!("csrftoken={SECRET}"))
            .extension(over(self.scheme));
        let sent = headers.into_iter().filter_map(|(name, value)| Some((name, value?)));
        sent.fold(request, |request, (name, value)| request.header(name, value))
            .body(empty())
            .unwrap()
    }
}

fn layer() -> CsrfLayer {
    let trusted = TrustedOrigins::new(["https://pay.example"]).unwrap();
    CsrfLayer::new(CsrfPolicy::default().trust(trusted))
}

async fn passes(layer: &CsrfLayer, case: Case) -> bool {
    let reply = send(layer, case.request()).await;
    match reply.status {
        StatusCode::OK => assert_eq!(reply.text, "ran", "{case:?}"),
        status => assert_eq!(status, StatusCode::FORBIDDEN, "{case:?}"),
    }
    reply.status == StatusCode::OK
}

fn cases() -> impl Iterator<Item = Case> {
    let schemes = [Scheme::Http, Scheme::Https];
    SITES.into_iter().flat_map(move |site| {
        ORIGINS.into_iter().flat_map(move |origin| {
            REFERERS.into_iter().flat_map(move |referer| {
                TOKENS.into_iter().flat_map(move |token| {
                    METHODS.into_iter().flat_map(move |method| {
                        schemes.map(|scheme| Case { site, origin, referer, token, method, scheme })
                    })
                })
            })
        })
    })
}

#[tokio::test]
async fn every_combination_is_judged_as_the_table_says() {
    let layer = layer();
    let mut count = 0;
    for case in cases() {
        assert_eq!(passes(&layer, case).await, expected(case), "{case:?}");
        count += 1;
    }
    assert_eq!(count, 8 * 8 * 6 * 6 * 7 * 2);
}

/// The case without one of its proofs.
fn weaker(case: Case) -> Vec<Case> {
    let mut cases = Vec::new();
    if case.site == Fetch::SameOrigin {
        cases.push(Case { site: Fetch::Absent, ..case });
    }
    // What the user himself began can't come from another site, trusted or not: there a trusted origin
    // proves nothing, it contradicts.
    let proof =
        case.origin == Place::Own || (case.origin == Place::Trusted && case.site != Fetch::None);
    if proof {
        cases.push(Case { origin: Place::Absent, ..case });
    }
    if matches!(case.referer, Place::Own | Place::Trusted) {
        cases.push(Case { referer: Place::Absent, ..case });
    }
    if matches!(case.token, Token::Masked | Token::Plain) {
        cases.push(Case { token: Token::Missing, ..case });
    }
    cases
}

#[tokio::test]
async fn taking_a_proof_away_never_turns_a_refusal_into_acceptance() {
    let layer = layer();
    let mut removed = 0;
    for case in cases() {
        if passes(&layer, case).await {
            continue;
        }
        for weaker in weaker(case) {
            assert!(!passes(&layer, weaker).await, "{case:?} -> {weaker:?}");
            removed += 1;
        }
    }
    assert!(removed > 5_000, "{removed}");
}

/// Rows of the table by their numbers: a site's word, an origin, a referer, over HTTPS, with a token.
#[tokio::test]
async fn the_rows_of_the_table() {
    use Place::{Absent, Evil, Malformed, Null, OtherPort, OtherScheme, Own, Trusted};
    let rows = [
        ("P01", Fetch::SameOrigin, Own, Evil, true),
        ("P02", Fetch::SameOrigin, Absent, Evil, true),
        ("P03", Fetch::SameOrigin, Null, Absent, true),
        ("P04", Fetch::SameOrigin, Evil, Own, false),
        ("P04", Fetch::SameOrigin, OtherScheme, Own, false),
        ("P05", Fetch::None, Absent, Absent, true),
        ("P05", Fetch::None, Own, Absent, true),
        ("P06", Fetch::None, Null, Own, false),
        ("P06", Fetch::None, Trusted, Own, false),
        ("P07", Fetch::SameSite, Trusted, Absent, true),
        ("P08", Fetch::SameSite, Own, Own, false),
        ("P08", Fetch::SameSite, Absent, Own, false),
        ("P09", Fetch::CrossSite, Trusted, Absent, true),
        ("P10", Fetch::CrossSite, Own, Own, false),
        ("P11", Fetch::Unknown("Same-Origin"), Own, Own, false),
        ("P11", Fetch::Unknown("same-origin, cross-site"), Trusted, Own, false),
        ("P11", Fetch::Unknown(""), Own, Own, false),
        ("P12", Fetch::Absent, Own, Absent, true),
        ("P13", Fetch::Absent, Trusted, Absent, true),
        ("P14", Fetch::Absent, Null, Own, false),
        ("P15", Fetch::Absent, OtherScheme, Own, false),
        ("P16", Fetch::Absent, OtherPort, Own, false),
        ("P17", Fetch::Absent, Malformed, Own, false),
        ("P18", Fetch::Absent, Absent, Own, true),
        ("P19", Fetch::Absent, Absent, Evil, false),
        ("P19", Fetch::Absent, Absent, OtherScheme, false),
        ("P19", Fetch::Absent, Absent, Malformed, false),
        ("P20", Fetch::Absent, Absent, Absent, false),
    ];
    for (row, site, origin, referer, passes_with_token) in rows {
        let (method, scheme) = ("POST", Scheme::Https);
        let case = Case { site, origin, referer, token: Token::Masked, method, scheme };
        assert_eq!(passes(&layer(), case).await, passes_with_token, "{row}");
        assert!(!passes(&layer(), Case { token: Token::Missing, ..case }).await, "{row}");
    }
    let local = Case {
        site: Fetch::Absent,
        origin: Absent,
        referer: Absent,
        token: Token::Masked,
        method: "POST",
        scheme: Scheme::Http,
    };
    assert!(passes(&layer(), local).await, "P21");
    assert!(!passes(&layer(), Case { token: Token::Missing, ..local }).await, "P21");
}

fn with_origin(origin: &[u8]) -> Request<http_body_util::Full<bytes::Bytes>> {
    support::request("POST", "/")
        .header(header::COOKIE, format!("csrftoken={SECRET}"))
        .header("x-csrftoken", mask(SECRET))
        .header(header::ORIGIN, HeaderValue::from_bytes(origin).unwrap())
        .body(empty())
        .unwrap()
}

fn wildcard() -> TrustedOrigins {
    TrustedOrigins::new(["https://*.partner.example", "https://example.com"]).unwrap()
}

/// P17, R005, C16, C25.
#[tokio::test]
async fn what_only_looks_like_a_good_origin_is_refused() {
    let layer = CsrfLayer::new(CsrfPolicy::default().trust(wildcard()));
    for good in [
        "https://bank.example",
        "https://a.partner.example",
        "https://a.b.partner.example",
        "https://partner.example",
        "https://example.com",
    ] {
        let status = send(&layer, with_origin(good.as_bytes())).await.status;
        assert_eq!(status, StatusCode::OK, "{good}");
    }
    for bad in [
        &b""[..],
        b"null",
        b"bank.example",
        b"//bank.example",
        b"http://bank.example",
        b"HTTPS://bank.example",
        b"https://BANK.example",
        b"https://bank.example.",
        b"https://bank.example/",
        b"https://bank.example/path",
        b"https://bank.example:443",
        b"https://bank.example:444",
        b"https://user@bank.example",
        b"https://bank.example@evil.example",
        b"https://[bank.example",
        b"https://bank.example, https://evil.example",
        b"https://bank.example.evil.example",
        b"https://evil-bank.example",
        b"https://evil.example#https://bank.example",
        b"https://evil.example\\@bank.example",
        b"https://bank.example\xe9",
        b"https://www.example.com",
        b"http://a.partner.example",
        b"https://a.partner.example:444",
        b"https://a.partner.example.",
        b"https://a.partner.example/path",
        b"https://a.partner.example?q",
        b"https://user@a.partner.example",
        b"https://evil.example,a.partner.example",
        b"https://evil.example\\.partner.example",
        b"https://evil.example%2f.partner.example",
        b"HTTPS://a.partner.example",
        b"https://A.partner.example",
        b"https://evilpartner.example",
        b"https://\xe9.partner.example",
        b"https://a\t.partner.example",
    ] {
        let reply = send(&layer, with_origin(bad)).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", String::from_utf8_lossy(bad));
    }
}

/// Django splits an origin before it compares it with a pattern.
#[tokio::test]
async fn djangos_policy_trusts_what_django_trusts() {
    let layer = CsrfLayer::new(CsrfPolicy::django().trust(wildcard()));
    for (origin, status) in [
        ("https://a.partner.example/path", StatusCode::OK),
        ("HTTPS://a.partner.example", StatusCode::OK),
        ("https://a.partner.example:444", StatusCode::FORBIDDEN),
        ("http://a.partner.example", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(send(&layer, with_origin(origin.as_bytes())).await.status, status, "{origin}");
    }
}

/// The hosts below the cookie's domain are good referers for Django alone.
#[tokio::test]
async fn a_sibling_of_the_cookies_domain_is_a_stranger_by_default() {
    let cookie = || donjon_core::cookie::CookieSettings {
        domain: Some(".bank.example".to_owned()),
        ..donjon_core::cookie::CookieSettings::new("csrftoken", None)
    };
    let from = |referer: &str| {
        support::request("POST", "/")
            .header(header::COOKIE, format!("csrftoken={SECRET}"))
            .header("x-csrftoken", mask(SECRET))
            .header(header::REFERER, referer)
            .body(empty())
            .unwrap()
    };
    let own = CsrfLayer::new(CsrfPolicy::default().cookie(cookie()).unwrap());
    let django = CsrfLayer::new(CsrfPolicy::django().cookie(cookie()).unwrap());
    assert_eq!(send(&own, from("https://bank.example/a")).await.status, StatusCode::OK);
    assert_eq!(send(&own, from("https://blog.bank.example/a")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(send(&django, from("https://blog.bank.example/a")).await.status, StatusCode::OK);
    assert_eq!(send(&django, from("https://evil.example/a")).await.status, StatusCode::FORBIDDEN);
}

/// P23, C18: a handshake carries cookies, and no CORS holds it back.
#[tokio::test]
async fn rule_5_a_websocket_needs_a_good_origin() {
    let handshake = |origin: Option<&str>, upgrade: &str| {
        let request = support::request("GET", "/ws")
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, upgrade);
        match origin {
            Some(origin) => request.header(header::ORIGIN, origin),
            None => request,
        }
        .body(empty())
        .unwrap()
    };
    for (origin, status) in [
        (Some("https://bank.example"), StatusCode::OK),
        (Some("https://pay.example"), StatusCode::OK),
        (Some("https://evil.example"), StatusCode::FORBIDDEN),
        (Some("null"), StatusCode::FORBIDDEN),
        (None, StatusCode::FORBIDDEN),
    ] {
        for upgrade in ["websocket", "WebSocket", "h2c, websocket"] {
            assert_eq!(
                send(&layer(), handshake(origin, upgrade)).await.status,
                status,
                "{origin:?}"
            );
        }
    }
    let other = handshake(Some("https://evil.example"), "h2c");
    assert_eq!(send(&layer(), other).await.status, StatusCode::OK);
    let django = CsrfLayer::new(CsrfPolicy::django());
    let evil = handshake(Some("https://evil.example"), "websocket");
    assert_eq!(send(&django, evil).await.status, StatusCode::OK, "Django knows no WebSockets");
}
