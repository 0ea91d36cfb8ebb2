//! The room of HTTPS from outside, rule by rule of its module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use donjon::host::HostLayer;
use donjon::https::{
    HstsScope, HttpsLayer, HttpsPolicy, MAX_ADDRESS, PRELOAD_AGE, RedirectKind, Spelling,
};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::SitePolicy;
use http::{Method, Request, StatusCode, header};
use site::{Browser, Reply};

fn browser(policy: HttpsPolicy) -> Browser {
    let site = SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap());
    let own = [(header::STRICT_TRANSPORT_SECURITY, "max-age=1")];
    let router = Router::new()
        .route("/own", any(async move || (own, "page")))
        .fallback(any(async || "page"))
        .layer(HttpsLayer::new(policy))
        .layer(HostLayer::new(site));
    Browser::new(&router)
}

fn redirecting() -> HttpsPolicy {
    HttpsPolicy::default().redirect()
}

async fn location(policy: HttpsPolicy, path: &str) -> String {
    let reply = browser(policy).get(path).await;
    assert_eq!(reply.status, StatusCode::MOVED_PERMANENTLY, "{path}");
    assert_eq!(reply.text, "");
    reply.header("location").to_owned()
}

#[tokio::test]
async fn rule_1_a_visitor_in_clear_is_sent_to_the_same_address() {
    for path in ["/", "/a/b?c=d&e=%2F", "//evil.example/x", "/a%2Fb"] {
        assert_eq!(location(redirecting(), path).await, format!("https://bank.example{path}"));
    }
    let django = redirecting().spelling(Spelling::Django);
    assert_eq!(location(django, "/a%2Fb").await, "https://bank.example/a/b");
    let own = redirecting().host("secure.bank.example:8443").unwrap();
    assert_eq!(location(own, "/a").await, "https://secure.bank.example:8443/a");
}

#[tokio::test]
async fn rule_1_over_https_nobody_is_redirected() {
    let reply = browser(redirecting()).over_https().get("/").await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, "page"));
}

#[tokio::test]
async fn rule_1_a_post_keeps_its_method_where_the_policy_says_so() {
    let sent = async |policy: HttpsPolicy| {
        let request = Request::builder().method(Method::POST).uri("/a");
        browser(policy).send(request, Body::from("a=b")).await.status
    };
    assert_eq!(sent(redirecting()).await, StatusCode::MOVED_PERMANENTLY);
    let kept = HttpsPolicy::default().redirect_kind(RedirectKind::KeepMethod);
    assert_eq!(sent(kept).await, StatusCode::PERMANENT_REDIRECT);
}

async fn hsts(policy: HttpsPolicy, path: &str) -> Reply {
    browser(policy).over_https().get(path).await
}

#[tokio::test]
async fn rule_2_browsers_are_told_to_stay_over_https_only() {
    let policy = HttpsPolicy::default().hsts(Duration::from_secs(60), HstsScope::Subdomains);
    let reply = hsts(policy.clone(), "/").await;
    assert_eq!(reply.header("strict-transport-security"), "max-age=60; includeSubDomains");
    let reply = browser(policy.clone()).get("/").await;
    assert_eq!(reply.header("strict-transport-security"), "");
    let reply = hsts(policy, "/own").await;
    let values: Vec<_> = reply.headers.get_all("strict-transport-security").iter().collect();
    assert_eq!(values, ["max-age=1"]);
    let preloaded = HttpsPolicy::default().hsts_preload(PRELOAD_AGE).unwrap();
    let value = "max-age=31536000; includeSubDomains; preload";
    assert_eq!(hsts(preloaded, "/").await.header("strict-transport-security"), value);
}

#[tokio::test]
async fn rule_3_exempt_paths_are_not_redirected() {
    let policy = redirecting().exempt_path("/healthz").exempt_path("/.well-known/acme-challenge/");
    let policy = policy.exempt_patterns(["^open/"]).unwrap();
    for path in ["/healthz", "/.well-known/acme-challenge/x", "/open/a"] {
        assert_eq!(browser(policy.clone()).get(path).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/healthz/", "/.well-known/", "/x/open/", "/HEALTHZ"] {
        let reply = browser(policy.clone()).get(path).await;
        assert_eq!(reply.status, StatusCode::MOVED_PERMANENTLY, "{path}");
    }
}

#[tokio::test]
async fn rule_4_what_cannot_be_redirected_is_refused() {
    let long = format!("/{}", "a".repeat(MAX_ADDRESS));
    let reply = browser(redirecting()).get(&long).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!((reply.header("location"), reply.header("cache-control")), ("", "no-store"));
    let strange = Request::get("/").header(header::HOST, "evil.example");
    let reply = browser(redirecting()).send(strange, Body::empty()).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::BAD_REQUEST, ""));
}

#[tokio::test]
async fn rule_4_line_breaks_and_strange_bytes_reach_no_header() {
    for path in ["/%0d%0aset-cookie:a=b", "/a\"b", "/a{b}", "/%00", "/%FF%FE"] {
        for spelling in [Spelling::AsSent, Spelling::Django] {
            let address = location(redirecting().spelling(spelling), path).await;
            assert!(address.starts_with("https://bank.example/"), "{address}");
            assert!(address.bytes().all(|byte| byte.is_ascii_graphic()), "{address}");
        }
    }
}

#[tokio::test]
async fn rule_4_without_a_host_layer_nothing_goes_on_in_clear() {
    let page = || Router::new().route("/", any(async || "page"));
    let alone = page().layer(HttpsLayer::new(redirecting()));
    let reply = Browser::new(&alone).over_https().get("/").await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    let idle = page().layer(HttpsLayer::new(HttpsPolicy::default()));
    assert_eq!(Browser::new(&idle).get("/").await.status, StatusCode::OK);
}

#[test]
fn rule_5_what_cannot_work_is_an_error() {
    assert!(HttpsPolicy::default().host("https://bank.example/").is_err());
    assert!(HttpsPolicy::default().exempt_patterns(["["]).is_err());
    assert!(HttpsPolicy::default().hsts_preload(Duration::from_secs(3600)).is_err());
}
