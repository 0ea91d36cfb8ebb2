//! The CSRF room, rule by rule, as its module's doc numbers them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests stop a test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use donjon::csrf::{CsrfLayer, CsrfPolicy, CsrfRoute, CsrfSecret, Detail, SESSION_KEY};
use donjon_core::clock::{Clock, UnixTime};
use donjon_core::cookie::{CookieError, CookieSettings, SameSite, Transport};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Scheme, SitePolicy, TrustedOrigins};
use donjon_core::session::{
    Creation, Deletion, Engine, Lifetime, MemorySessions, Session, SessionContext, SessionKey,
    SessionRecord, SessionStore, StoreError, Stored, Update, Version,
};
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use support::{Reply, SECRET, empty, form, mask, over, post, request, send, send_through};

fn default() -> CsrfLayer {
    CsrfLayer::new(CsrfPolicy::default())
}

fn django() -> CsrfLayer {
    CsrfLayer::new(CsrfPolicy::django())
}

fn explained() -> CsrfLayer {
    CsrfLayer::new(CsrfPolicy::default().detail(Detail::Explained))
}

/// The reason that the explained page gives.
async fn reason(policy: CsrfPolicy, request: Request<Full<Bytes>>) -> String {
    let reply = send(&CsrfLayer::new(policy.detail(Detail::Explained)), request).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text);
    let (_, rest) = reply.text.split_once("<pre>").unwrap();
    rest.split_once("</pre>").unwrap().0.replace("&#x27;", "'")
}

fn with_token(token: &str) -> Request<Full<Bytes>> {
    form("/", format!("amount=1&csrfmiddlewaretoken={token}"))
}

fn get(path: &str) -> Request<Full<Bytes>> {
    request("GET", path).body(empty()).unwrap()
}

#[tokio::test]
async fn rule_1_safe_methods_pass_and_all_others_are_checked() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        let forged = request(method, "/")
            .header(header::ORIGIN, "https://evil.example")
            .header("sec-fetch-site", "cross-site")
            .body(empty())
            .unwrap();
        assert_eq!(send(&default(), forged).await.text, "ran", "{method}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "QUERY", "PROPFIND", "get", "post"]
    {
        let bare = request(method, "/").body(empty()).unwrap();
        assert_eq!(send(&default(), bare).await.status, StatusCode::FORBIDDEN, "{method}");
    }
}

/// R009, C09: only the method on the wire counts.
#[tokio::test]
async fn rule_1_no_override_makes_a_method_safe() {
    let tunnelled = request("POST", "/?_method=GET")
        .header("x-http-method-override", "GET")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::from("_method=GET"))
        .unwrap();
    assert_eq!(send(&default(), tunnelled).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn rule_2_an_origin_is_the_sites_own_or_trusted() {
    let from = |origin: &str| {
        request("POST", "/")
            .header(header::ORIGIN, origin)
            .header(header::COOKIE, format!("csrftoken={SECRET}"))
            .header("x-csrftoken", mask(SECRET))
            .header(header::REFERER, "https://evil.example/never-looked-at")
            .body(empty())
            .unwrap()
    };
    let trusted = TrustedOrigins::new(["https://pay.example"]).unwrap();
    for policy in [CsrfPolicy::default(), CsrfPolicy::django()] {
        let layer = CsrfLayer::new(policy.clone().trust(trusted.clone()));
        assert_eq!(send(&layer, from("https://bank.example")).await.text, "ran");
        assert_eq!(send(&layer, from("https://pay.example")).await.text, "ran");
        assert_eq!(
            reason(policy, from("https://evil.example")).await,
            "Origin checking failed - https://evil.example does not match any trusted origins."
        );
    }
}

#[tokio::test]
async fn rule_3_without_origin_https_needs_a_referer() {
    let from = |referer: Option<&str>| {
        let request = request("POST", "/")
            .header(header::COOKIE, format!("csrftoken={SECRET}"))
            .header("x-csrftoken", mask(SECRET));
        match referer {
            Some(referer) => request.header(header::REFERER, referer),
            None => request,
        }
        .body(empty())
        .unwrap()
    };
    for policy in [CsrfPolicy::default(), CsrfPolicy::django()] {
        let good = from(Some("https://bank.example/transfer?to=1"));
        assert_eq!(send(&CsrfLayer::new(policy.clone()), good).await.text, "ran");
        for (referer, words) in [
            (None, "no Referer."),
            (Some(""), "Referer is malformed."),
            (Some("bank.example/path"), "Referer is malformed."),
            (Some("https://[bank.example/"), "Referer is malformed."),
            (Some("http://bank.example/"), "Referer is insecure while host is secure."),
            (
                Some("https://evil.example/a"),
                "https://evil.example/a does not match any trusted origins.",
            ),
            (
                Some("https://bank.example:8443/"),
                "https://bank.example:8443/ does not match any trusted origins.",
            ),
        ] {
            assert_eq!(
                reason(policy.clone(), from(referer)).await,
                format!("Referer checking failed - {words}")
            );
        }
    }
}

#[tokio::test]
async fn rule_4_fetch_metadata_speaks_first() {
    let from = |site: &str| {
        request("POST", "/")
            .header("sec-fetch-site", site)
            .header(header::COOKIE, format!("csrftoken={SECRET}"))
            .header("x-csrftoken", mask(SECRET))
            .body(empty())
            .unwrap()
    };
    assert_eq!(send(&default(), from("same-origin")).await.text, "ran");
    assert_eq!(send(&default(), from("none")).await.text, "ran");
    assert_eq!(
        reason(CsrfPolicy::default(), from("same-site")).await,
        "Sec-Fetch-Site checking failed - same-site is not a request of this site."
    );
    // Django does not read it: here the missing referer counts.
    assert_eq!(
        reason(CsrfPolicy::django(), from("same-origin")).await,
        "Referer checking failed - no Referer."
    );
}

#[tokio::test]
async fn rule_6_every_page_shows_another_token_of_one_secret() {
    let page = || request("GET", "/form").header(header::COOKIE, format!("csrftoken={SECRET}"));
    let one = send(&default(), page().body(empty()).unwrap()).await;
    let two = send(&default(), page().body(empty()).unwrap()).await;
    assert_ne!(one.text, two.text);
    assert_eq!((one.secret().unwrap(), two.secret().unwrap()), (SECRET.into(), SECRET.into()));
    for token in [one.text, two.text] {
        assert_eq!(token.len(), 64);
        assert_eq!(send(&default(), with_token(&token)).await.text, "ran");
    }
}

#[tokio::test]
async fn rule_6_a_first_visit_gets_a_secret_only_with_a_token() {
    let plain = send(&default(), get("/")).await;
    assert_eq!((plain.set_cookie(), plain.header("vary")), (None, ""));
    let page = send(&default(), get("/form")).await;
    let secret = page.secret().unwrap();
    assert_eq!(secret.len(), 32);
    let answer = request("POST", "/")
        .header(header::ORIGIN, "https://bank.example")
        .header(header::COOKIE, format!("csrftoken={secret}"))
        .header("x-csrftoken", page.text)
        .body(empty())
        .unwrap();
    assert_eq!(send(&default(), answer).await.text, "ran");
}

#[tokio::test]
async fn rule_7_without_secret_no_token_helps_and_no_body_is_read() {
    let broken = "x".repeat(31);
    for (cookie, words, repaired) in [
        ("other=1".to_owned(), "CSRF cookie not set.", false),
        ("csrftoken=".to_owned(), "CSRF cookie has incorrect length.", true),
        (format!("csrftoken={broken}"), "CSRF cookie has incorrect length.", true),
        (format!("csrftoken={broken}!"), "CSRF cookie has invalid characters.", true),
    ] {
        let token = mask(SECRET);
        let body = support::Pieces::split(format!("csrfmiddlewaretoken={token}").into(), 8);
        let taken = body.taken();
        let mut request = post("/")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .unwrap();
        request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        let reply = send(&explained(), request).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        assert!(reply.text.contains(words), "{words}");
        assert_eq!(reply.secret().is_some(), repaired, "{cookie}");
        assert_eq!(taken.load(Ordering::Relaxed), 0, "{cookie}");
    }
}

/// Before 4.0 Django kept the secret masked.
#[tokio::test]
async fn rule_7_a_masked_secret_of_an_old_django_is_read() {
    let request = |path: &str| {
        request("POST", path)
            .header(header::ORIGIN, "https://bank.example")
            .header(header::COOKIE, format!("csrftoken={}", mask(SECRET)))
            .header("x-csrftoken", mask(SECRET))
            .body(empty())
            .unwrap()
    };
    let reply = send(&django(), request("/")).await;
    assert_eq!((reply.text.as_str(), reply.set_cookie()), ("ran", None));
    assert_eq!(send(&django(), request("/form")).await.secret().unwrap(), SECRET);
}

#[tokio::test]
async fn rule_8_the_body_speaks_before_the_header() {
    let good = mask(SECRET);
    let bad = mask("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz");
    let both = |body: &str, header: &str| {
        let mut request = form("/", format!("csrfmiddlewaretoken={body}"));
        request.headers_mut().insert("x-csrftoken", header.parse().unwrap());
        request
    };
    assert_eq!(send(&default(), both(&good, &bad)).await.text, "ran");
    assert_eq!(send(&default(), both("", &good)).await.text, "ran");
    let reason = |request| reason(CsrfPolicy::default(), request);
    assert_eq!(reason(both(&bad, &good)).await, "CSRF token from POST incorrect.");
    assert_eq!(
        reason(both("", &bad)).await,
        "CSRF token from the 'X-Csrftoken' HTTP header incorrect."
    );
    assert_eq!(reason(form("/", "a=1")).await, "CSRF token missing.");
}

#[tokio::test]
async fn rule_8_the_header_has_the_name_that_the_policy_gives() {
    let policy = CsrfPolicy::default().header("x-xsrf-token".parse().unwrap());
    let with = |name: &str| post("/").header(name, mask(SECRET)).body(empty()).unwrap();
    assert_eq!(send(&CsrfLayer::new(policy.clone()), with("x-xsrf-token")).await.text, "ran");
    assert_eq!(reason(policy, with("x-csrftoken")).await, "CSRF token missing.");
}

/// C14, R006.
#[tokio::test]
async fn rule_9_only_the_whole_token_of_this_secret_passes() {
    let good = mask(SECRET);
    for token in [good.as_str(), SECRET] {
        assert_eq!(send(&default(), with_token(token)).await.text, "ran");
    }
    let swapped = [&good[32..], &good[..32]].concat();
    let turned = good.chars().rev().collect::<String>();
    let flipped = [if good.starts_with('a') { "b" } else { "a" }, &good[1..]].concat();
    let another = mask("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz");
    for token in [&swapped, &turned, &flipped, &another, &SECRET.to_lowercase()] {
        let reason = reason(CsrfPolicy::default(), with_token(token)).await;
        assert_eq!(reason, "CSRF token from POST incorrect.", "{token}");
    }
    let longer = format!("{good}a");
    for token in [&good[1..], &good[..63], &good[..33], &good[..31], &longer] {
        let reason = reason(CsrfPolicy::default(), with_token(token)).await;
        assert_eq!(reason, "CSRF token from POST has incorrect length.", "{token}");
    }
    let list = form("/", format!("csrfmiddlewaretoken[]={good}"));
    assert_eq!(reason(CsrfPolicy::default(), list).await, "CSRF token missing.");
}

/// R008, C17: what is worth something in one session only.
fn hardened(cookies: &str, token: &str) -> Request<Full<Bytes>> {
    request("POST", "/")
        .header(header::ORIGIN, "https://bank.example")
        .header(header::COOKIE, cookies)
        .header("x-csrftoken", token)
        .body(empty())
        .unwrap()
}

#[tokio::test]
async fn rule_9_a_hardened_token_belongs_to_one_session() {
    let policy = || CsrfPolicy::hardened("__Host-sessionid");
    let layer = CsrfLayer::new(policy());
    let cookies = |session: &str| format!("__Host-csrftoken={SECRET}; __Host-sessionid={session}");
    let page = request("GET", "/form").header(header::COOKIE, cookies("alice")).body(empty());
    let token = send(&layer, page.unwrap()).await.text;
    assert_eq!(send(&layer, hardened(&cookies("alice"), &token)).await.text, "ran");
    for (session, token) in [("bob", &token), ("", &token), ("alice", &mask(SECRET))] {
        assert_eq!(
            reason(policy(), hardened(&cookies(session), token)).await,
            "CSRF token from the 'X-Csrftoken' HTTP header incorrect."
        );
    }
    let bound = CsrfSecret::parse(SECRET).unwrap().bound_to("alice");
    assert_eq!(
        reason(policy(), hardened(&cookies("alice"), bound.expose())).await,
        "CSRF token from the 'X-Csrftoken' HTTP header is not masked."
    );
}

/// A sibling host that plants its own pair of cookie and token wins over Django where a browser sends
/// no word of where a request comes from; not over the hardened policy.
#[tokio::test]
async fn rule_9_a_planted_pair_is_worth_nothing_when_hardened() {
    let planted = "PLANTEDbyASiblingHost00000000000";
    let cookies = format!("__Host-csrftoken={planted}; __Host-sessionid=victim");
    let policy = CsrfPolicy::hardened("__Host-sessionid");
    assert_eq!(
        send(&CsrfLayer::new(policy.clone()), hardened(&cookies, &mask(planted))).await.status,
        StatusCode::FORBIDDEN
    );
    let attackers = CsrfSecret::parse(planted).unwrap().bound_to("attacker").mask();
    assert_eq!(
        send(&CsrfLayer::new(policy), hardened(&cookies, &attackers)).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn rule_10_the_handler_gets_the_whole_body() {
    let body = format!("a=1&csrfmiddlewaretoken={}&b=%20", mask(SECRET));
    assert_eq!(send(&default(), form("/echo", body.clone())).await.text, body);
    for size in [1, 7, 100_000] {
        let pieces = support::Pieces::split(body.clone().into(), size);
        let request = post("/echo")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(pieces)
            .unwrap();
        assert_eq!(send(&default(), request).await.text, body, "{size}");
    }
}

/// C15.
#[tokio::test]
async fn rule_11_doubles_count_by_default_and_are_refused_when_hardened() {
    let other = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";
    let twice = |first: &str, second: &str| {
        let mut request = with_token(&mask(SECRET));
        let cookies = format!("csrftoken={first}; csrftoken={second}");
        request.headers_mut().insert(header::COOKIE, cookies.parse().unwrap());
        request
    };
    assert_eq!(send(&default(), twice(other, SECRET)).await.text, "ran", "the last counts");
    assert_eq!(send(&default(), twice(SECRET, other)).await.status, StatusCode::FORBIDDEN);

    let policy = || CsrfPolicy::hardened("__Host-sessionid");
    let token = CsrfSecret::parse(SECRET).unwrap().bound_to("alice").mask();
    let good = format!("__Host-csrftoken={SECRET}; __Host-sessionid=alice");
    assert_eq!(send(&CsrfLayer::new(policy()), hardened(&good, &token)).await.text, "ran");
    for (planted, what) in [
        (format!("{good}; __Host-csrftoken={other}"), "the CSRF cookie"),
        (format!("__Host-csrftoken={SECRET}; {good}"), "the CSRF cookie"),
        (format!("{good}; __Host-sessionid=mallory"), "the session cookie"),
    ] {
        assert_eq!(
            reason(policy(), hardened(&planted, &token)).await,
            format!("Duplicate checking failed - the request has two of: {what}.")
        );
    }
    for (name, value, title) in [
        ("origin", "https://bank.example", "Origin"),
        ("sec-fetch-site", "same-origin", "Sec-Fetch-Site"),
        ("content-type", "text/plain", "Content-Type"),
        ("host", "bank.example", "Host"),
    ] {
        let mut request = hardened(&good, &token);
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name.clone(), value.parse().unwrap());
        request.headers_mut().append(name, value.parse().unwrap());
        assert_eq!(
            reason(policy(), request).await,
            format!("Duplicate checking failed - the request has two of: {title}.")
        );
    }
    let mut fields = hardened(&good, &token)
        .map(|_| Full::from(format!("csrfmiddlewaretoken={token}&csrfmiddlewaretoken={token}")));
    fields
        .headers_mut()
        .insert(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
    assert!(reason(policy(), fields).await.contains("two of: the token's field"));
}

/// C15, R001: cookies that only look like ours are others.
#[tokio::test]
async fn rule_11_a_hidden_cookie_is_another_cookie() {
    let token = CsrfSecret::parse(SECRET).unwrap().bound_to("alice").mask();
    let layer = CsrfLayer::new(CsrfPolicy::hardened("__Host-sessionid"));
    for cookies in [
        format!("\u{2000}__Host-csrftoken={SECRET}; __Host-sessionid=alice"),
        format!("u=x]__Host-csrftoken={SECRET}; __Host-sessionid=alice"),
        format!("__host-csrftoken={SECRET}; __Host-sessionid=alice"),
        format!("$Version=1,__Host-csrftoken={SECRET}; __Host-sessionid=alice"),
    ] {
        let mut request = hardened("x=1", &token);
        let value = http::HeaderValue::from_bytes(cookies.as_bytes()).unwrap();
        request.headers_mut().insert(header::COOKIE, value);
        assert_eq!(send(&layer, request).await.status, StatusCode::FORBIDDEN, "{cookies}");
    }
    let quoted = format!("$Version=1; __Host-csrftoken=\"{SECRET}\"; __Host-sessionid=alice");
    assert_eq!(
        send(&layer, hardened(&quoted, &token)).await.text,
        "ran",
        "quotes are no part of it"
    );
}

/// R008.
#[tokio::test]
async fn rule_12_a_log_in_draws_a_new_secret() {
    let old = mask(SECRET);
    let mut login = with_token(&old);
    *login.uri_mut() = "/login".parse().unwrap();
    let reply = send(&default(), login).await;
    let secret = reply.secret().unwrap();
    assert_ne!(secret, SECRET);
    let after = |token: &str| {
        let mut request = with_token(token);
        let cookie = format!("csrftoken={secret}").parse().unwrap();
        request.headers_mut().insert(header::COOKIE, cookie);
        request
    };
    assert_eq!(send(&default(), after(&reply.text)).await.text, "ran");
    assert_eq!(send(&default(), after(&old)).await.status, StatusCode::FORBIDDEN);
}

/// C19: somebody who is made to log in as the attacker has no cookie yet.
#[tokio::test]
async fn a_log_in_without_cookie_is_refused() {
    let forged = request("POST", "/login")
        .header("x-csrftoken", mask(SECRET))
        .header("sec-fetch-site", "none")
        .body(empty())
        .unwrap();
    assert_eq!(reason(CsrfPolicy::default(), forged).await, "CSRF cookie not set.");
}

/// R003, C01, C07, C08.
#[tokio::test]
async fn forgeries_are_refused_and_handlers_do_not_run() {
    let forged = |kind: &str, mode: &str| {
        request("POST", "/")
            .header(header::ORIGIN, "https://evil.example")
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", mode)
            .header(header::CONTENT_TYPE, kind)
            .header(header::COOKIE, format!("csrftoken={SECRET}"))
            .header("x-requested-with", "XMLHttpRequest")
            .body(Full::from("{\"a\":\"1\",\"x\":\"=\"}"))
            .unwrap()
    };
    for kind in ["application/x-www-form-urlencoded", "text/plain", "text/plain;application/json"] {
        for mode in ["navigate", "no-cors"] {
            for layer in [default(), django()] {
                let reply = send(&layer, forged(kind, mode)).await;
                assert_eq!(reply.status, StatusCode::FORBIDDEN, "{kind}");
                assert_ne!(reply.text, "ran");
            }
        }
    }
    let ajax = post("/").header("x-requested-with", "XMLHttpRequest").body(empty()).unwrap();
    assert_eq!(reason(CsrfPolicy::default(), ajax).await, "CSRF token missing.");
}

/// R004, R011: the site's own origin is not what any `Host` says.
#[tokio::test]
async fn a_foreign_host_makes_no_origin_good() {
    let hosts = AllowedHosts::new(["bank.example"]).unwrap();
    let layer = CsrfLayer::new(CsrfPolicy::default()).site(SitePolicy::new(hosts));
    for (name, value) in [("origin", "https://evil.example"), ("referer", "https://evil.example/")]
    {
        let mut rebound = request("POST", "/")
            .header(name, value)
            .header(header::COOKIE, format!("csrftoken={SECRET}"))
            .header("x-csrftoken", mask(SECRET))
            .body(empty())
            .unwrap();
        rebound.headers_mut().insert(header::HOST, "evil.example".parse().unwrap());
        assert_eq!(send(&layer, rebound).await.status, StatusCode::FORBIDDEN, "{name}");
    }
}

#[tokio::test]
async fn an_exempt_route_is_not_checked() {
    let forged = || {
        request("POST", "/form")
            .header(header::ORIGIN, "https://evil.example")
            .extension(CsrfRoute::Exempt)
            .body(empty())
            .unwrap()
    };
    let reply = send(&default(), forged()).await;
    assert_eq!((reply.status, reply.text.len()), (StatusCode::OK, 64), "it still shows tokens");
    let nested = send_through(&default(), &default(), forged()).await;
    assert_eq!(nested.status, StatusCode::FORBIDDEN, "the layer further in was asked for by name");
}

#[tokio::test]
async fn what_an_outer_layer_checked_an_inner_one_lets_pass() {
    let reply = send_through(&default(), &django(), with_token(&mask(SECRET))).await;
    assert_eq!(reply.text, "ran");
    let bare = post("/").body(empty()).unwrap();
    let reply = send_through(&default(), &default(), bare).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn one_request_has_one_secret_in_all_layers() {
    for (outer, inner) in [
        (default(), default()),
        (default(), CsrfLayer::ensure_cookie(CsrfPolicy::default())),
        (CsrfLayer::require_token(CsrfPolicy::default()), default()),
    ] {
        let reply = send_through(&outer, &inner, get("/form")).await;
        let token = donjon::csrf::SubmittedToken::parse(&reply.text).unwrap();
        assert!(token.matches(&CsrfSecret::parse(&reply.secret().unwrap()).unwrap()));
    }
}

#[tokio::test]
async fn require_token_refuses_nothing_and_gives_tokens() {
    let layer = CsrfLayer::require_token(CsrfPolicy::default());
    let forged = request("POST", "/form").header("origin", "https://evil.example").body(empty());
    let reply = send(&layer, forged.unwrap()).await;
    assert_eq!((reply.text.len(), reply.secret().unwrap().len()), (64, 32));
    assert_eq!(send(&layer, get("/")).await.set_cookie(), None);
    let checked = send_through(&layer, &default(), post("/").body(empty()).unwrap()).await;
    assert_eq!(checked.status, StatusCode::FORBIDDEN, "it vouches for nothing");
}

#[tokio::test]
async fn ensure_cookie_sets_the_cookie_with_every_response() {
    let layer = CsrfLayer::ensure_cookie(CsrfPolicy::default());
    let reply = send(&layer, get("/")).await;
    assert_eq!((reply.text.as_str(), reply.secret().unwrap().len()), ("ran", 32));
    let known = request("GET", "/").header(header::COOKIE, format!("csrftoken={SECRET}"));
    assert_eq!(send(&layer, known.body(empty()).unwrap()).await.secret().unwrap(), SECRET);
}

#[tokio::test]
async fn the_cookie_has_the_attributes_of_its_policy() {
    let clock = Clock::fixed(UnixTime::from_seconds(1_750_000_000));
    let cookie = |policy: CsrfPolicy, scheme: Scheme| {
        let layer = CsrfLayer::new(policy.clock(clock.clone()));
        let mut request = get("/form");
        request.extensions_mut().insert(over(scheme));
        async move {
            send(&layer, request).await.set_cookie().unwrap().split_once(';').unwrap().1.to_owned()
        }
    };
    let dated = "expires=Sun, 14 Jun 2026 15:06:40 GMT";
    let django = format!(" {dated}; Max-Age=31449600; Path=/; SameSite=Lax");
    assert_eq!(cookie(CsrfPolicy::django(), Scheme::Http).await, django);
    assert_eq!(cookie(CsrfPolicy::django(), Scheme::Https).await, django);
    assert_eq!(cookie(CsrfPolicy::default(), Scheme::Http).await, django);
    assert_eq!(cookie(CsrfPolicy::default(), Scheme::Https).await, format!("{django}; Secure"));
    let hardened = format!(" {dated}; HttpOnly; Max-Age=31449600; Path=/; SameSite=Lax; Secure");
    assert_eq!(cookie(CsrfPolicy::hardened("sessionid"), Scheme::Https).await, hardened);
    let own = CookieSettings {
        domain: Some("bank.example".to_owned()),
        path: "/app/".to_owned(),
        same_site: SameSite::Strict,
        secure: Transport::HttpsOnly,
        ..CookieSettings::new("xsrf", None)
    };
    let policy = CsrfPolicy::default().cookie(own.clone()).unwrap();
    assert_eq!(
        cookie(policy, Scheme::Http).await,
        " Domain=bank.example; HttpOnly; Path=/app/; SameSite=Strict; Secure"
    );
    let split = CookieSettings { path: "/;".to_owned(), ..own };
    assert!(matches!(CsrfPolicy::default().cookie(split), Err(CookieError::Attribute(_))));
}

/// R002: a token page of one visitor must not reach the next.
#[tokio::test]
async fn a_page_with_a_token_is_not_for_caches() {
    let page = send(&default(), get("/form")).await;
    assert_eq!(page.header("vary"), "Cookie");
    assert_eq!(page.header("cache-control"), "private, no-store");
    let public = send(&default(), get("/public")).await;
    assert_eq!(public.header("vary"), "Accept, Cookie");
    assert_eq!(public.header("cache-control"), "max-age=60", "the handler knows better");
    let djangos = send(&django(), get("/form")).await;
    assert_eq!((djangos.header("vary"), djangos.header("cache-control")), ("Cookie", ""));
    let without = send(&default(), get("/")).await;
    assert_eq!((without.header("vary"), without.header("cache-control")), ("", ""));
}

#[tokio::test]
async fn the_brief_page_tells_nothing() {
    let forged =
        request("POST", "/").header("origin", "https://evil.example/<script>").body(empty());
    let reply = send(&default(), forged.unwrap()).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(reply.header("cache-control"), "no-store");
    assert!(reply.text.contains("CSRF verification failed. Request aborted."));
    for word in ["evil", "Origin", "donjon", "Help"] {
        assert!(!reply.text.contains(word), "{word}");
    }
}

#[tokio::test]
async fn the_explained_page_shows_what_was_compared_and_escapes_it() {
    let forged = request("POST", "/")
        .header("origin", "https://evil.example/<script>")
        .header("referer", "x".repeat(100_000))
        .body(empty());
    let page = send(&explained(), forged.unwrap()).await.text;
    assert!(page.contains("https://evil.example/&lt;script&gt; does not match"));
    assert!(page.contains("<code>https://bank.example</code>"));
    assert!(page.contains("CsrfPolicy::trust") && page.contains("CSRF_TRUSTED_ORIGINS"));
    assert!(!page.contains("<script>") && page.len() < 8_000);
}

/// The commonest question: a proxy ends TLS, and the site sees HTTP.
#[tokio::test]
async fn behind_a_proxy_the_page_names_the_setting() {
    let behind = |peer: [u8; 4]| {
        let mut connection = over(Scheme::Http);
        connection.peer = (peer, 4711).into();
        let mut request = with_token(&mask(SECRET));
        request.extensions_mut().insert(connection);
        request.headers_mut().insert("x-forwarded-proto", "https".parse().unwrap());
        request
    };
    let untrusting = send(&explained(), behind([10, 0, 0, 1])).await;
    assert_eq!(untrusting.status, StatusCode::FORBIDDEN);
    assert!(untrusting.text.contains("SitePolicy::trust_proxy("));
    assert!(untrusting.text.contains("SECURE_PROXY_SSL_HEADER"));
    assert!(untrusting.text.contains("<code>http://bank.example</code>"));
    let hosts = AllowedHosts::new(["bank.example"]).unwrap();
    let site = SitePolicy::new(hosts).trust_proxy("10.0.0.0/8".parse().unwrap());
    assert_eq!(send(&explained().site(site.clone()), behind([10, 0, 0, 1])).await.text, "ran");
    let stranger = send(&explained().site(site), behind([203, 0, 113, 9])).await;
    assert_eq!(stranger.status, StatusCode::FORBIDDEN, "anybody can send the header");
}

#[tokio::test]
async fn every_reason_has_its_advice() {
    for (request, advice) in [
        (form("/", "a=1"), "{% csrf_token %}"),
        (with_token("short"), "Load the page again"),
        (with_token(&mask("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz")), "older than the last log-in"),
        (
            request("POST", "/").header("sec-fetch-site", "same-origin").body(empty()).unwrap(),
            "take cookies",
        ),
        (
            request("POST", "/").header("origin", "null").body(empty()).unwrap(),
            "Referrer-Policy: same-origin",
        ),
        (request("POST", "/").body(empty()).unwrap(), "disable the Referer header"),
    ] {
        let page = send(&explained(), request).await.text.replace("&#x27;", "'");
        assert!(page.contains(advice), "{advice}: {page}");
    }
}

#[tokio::test]
async fn a_site_may_have_a_page_of_its_own() {
    let view = Arc::new(|failure: &donjon::csrf::Failure<'_>| {
        let text = Bytes::from(format!("no: {}", failure.reason));
        Response::builder().status(StatusCode::IM_A_TEAPOT).body(text).unwrap()
    });
    let layer = CsrfLayer::new(CsrfPolicy::default().failure_view(view));
    let reply = send(&layer, form("/", "a=1")).await;
    assert_eq!(
        (reply.status, reply.text.as_str()),
        (StatusCode::IM_A_TEAPOT, "no: CSRF token missing.")
    );
}

/// A store that counts what is asked of it, and may be down.
#[derive(Default)]
struct Counting {
    sessions: MemorySessions,
    loads: AtomicUsize,
    down: bool,
}

impl SessionStore for Counting {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        if self.down { Err(StoreError::new("down")) } else { self.sessions.load(key, now).await }
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        self.sessions.create(key, record).await
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        self.sessions.update(key, record, over).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        self.sessions.delete(key).await
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        self.sessions.clear_expired(now, limit).await
    }
}

fn session(store: &Arc<Counting>, key: Option<SessionKey>) -> Session {
    let lifetime = Lifetime::idle(3_600);
    let engine = Engine::from(Arc::clone(store));
    Session::new(Arc::new(SessionContext { engine, lifetime, clock: Clock::system() }), key)
}

async fn send_in(session: &Session, mut request: Request<Full<Bytes>>) -> Reply {
    request.headers_mut().remove(header::COOKIE);
    request.extensions_mut().insert(session.clone());
    send(&CsrfLayer::new(CsrfPolicy::default().in_session(None)), request).await
}

#[tokio::test]
async fn in_the_session_the_secret_needs_no_cookie() {
    let store = Arc::new(Counting::default());
    let visit = session(&store, None);
    let page = send_in(&visit, get("/form")).await;
    assert_eq!((page.set_cookie(), page.header("vary")), (None, ""));
    assert_eq!(page.header("cache-control"), "private, no-store");
    let secret: String = visit.get(SESSION_KEY).await.unwrap().unwrap();
    assert_eq!(secret.len(), 32);
    assert_eq!(send_in(&visit, with_token(&page.text)).await.text, "ran");
    assert_eq!(send_in(&visit, with_token(&mask(SECRET))).await.status, StatusCode::FORBIDDEN);
    let stranger = send_in(&session(&store, None), with_token(&page.text)).await;
    assert_eq!(stranger.status, StatusCode::FORBIDDEN);

    let mut login = with_token(&page.text);
    *login.uri_mut() = "/login".parse().unwrap();
    let reply = send_in(&visit, login).await;
    let rotated: String = visit.get(SESSION_KEY).await.unwrap().unwrap();
    assert_ne!(rotated, secret);
    assert_eq!(send_in(&visit, with_token(&reply.text)).await.text, "ran");
    assert_eq!(send_in(&visit, with_token(&page.text)).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_unchanged_secret_leaves_the_session_unchanged() {
    let store = Arc::new(Counting::default());
    let first = session(&store, None);
    first.insert(SESSION_KEY, SECRET).await.unwrap();
    let key = first.save().await.unwrap();
    let again = session(&store, Some(key));
    assert_eq!(send_in(&again, get("/form")).await.text.len(), 64);
    assert!(again.ending().accessed && !again.ending().modified);
}

#[tokio::test]
async fn a_forgery_is_refused_before_the_session_store_is_asked() {
    let store = Arc::new(Counting::default());
    let visit = session(&store, Some(SessionKey::random()));
    let mut forged = with_token(&mask(SECRET));
    forged.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(send_in(&visit, forged).await.status, StatusCode::FORBIDDEN);
    assert_eq!(store.loads.load(Ordering::Relaxed), 0);
    assert_eq!(send_in(&visit, with_token(&mask(SECRET))).await.status, StatusCode::FORBIDDEN);
    assert_eq!(store.loads.load(Ordering::Relaxed), 1);
    let exempt = {
        let mut request = with_token("");
        request.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
        request.extensions_mut().insert(CsrfRoute::Exempt);
        request
    };
    assert_eq!(send_in(&visit, exempt).await.text, "ran");
}

#[tokio::test]
async fn a_store_that_is_down_is_no_forgery_and_no_pass() {
    let store = Arc::new(Counting { down: true, ..Counting::default() });
    let visit = session(&store, Some(SessionKey::random()));
    for request in [get("/"), with_token(&mask(SECRET))] {
        assert_eq!(send_in(&visit, request).await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test]
async fn without_session_layer_the_site_is_put_together_wrongly() {
    let layer = CsrfLayer::new(CsrfPolicy::default().in_session(None));
    let reply = send(&layer, get("/")).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(reply.text, "Internal Server Error\n");
}

/// C21: neither address nor page of a refusal shows the token.
#[tokio::test]
async fn no_refusal_shows_a_token_or_a_secret() {
    let token = mask(SECRET);
    let wrong = mask("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz");
    for request in [with_token(&wrong), form("/", format!("x={token}"))] {
        let reply = send(&explained(), request).await;
        let shown = format!("{:?}{}", reply.headers, reply.text);
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        assert!(![&token, &wrong, SECRET].iter().any(|text| shown.contains(*text)));
    }
    let secret = CsrfSecret::parse(SECRET).unwrap();
    assert!(!format!("{secret:?}").contains(SECRET));
}
