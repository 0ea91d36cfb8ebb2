//! The room of headers from outside, rule by rule of its module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use axum::Router;
use axum::routing::get;
use donjon::headers::{Framing, HeadersLayer, HeadersPolicy};
use http::{HeaderName, HeaderValue, StatusCode, header};
use site::{Browser, Reply};

async fn reply(policy: HeadersPolicy, path: &str) -> Reply {
    let own = [
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, ""),
    ];
    let router = Router::new()
        .route("/", get(async || "page"))
        .route("/own", get(async move || (own, "page")))
        .route("/fail", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(HeadersLayer::new(policy));
    Browser::new(&router).get(path).await
}

#[tokio::test]
async fn rules_1_to_4_every_response_has_the_headers() {
    for path in ["/", "/none", "/fail"] {
        let reply = reply(HeadersPolicy::default(), path).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "same-origin");
        assert_eq!(reply.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(reply.header("x-frame-options"), "DENY");
    }
}

#[tokio::test]
async fn rule_5_what_a_handler_set_stays_and_stands_once() {
    let reply = reply(HeadersPolicy::default(), "/own").await;
    for (name, value) in [
        ("x-frame-options", "SAMEORIGIN"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", ""),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        let values: Vec<_> = reply.headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name}");
    }
}

#[tokio::test]
async fn a_policy_is_changed_by_name() {
    let policy = HeadersPolicy::default()
        .framing(Framing::SameOrigin)
        .referrer_policy(HeaderValue::from_static("strict-origin"))
        .danger_without(&HeaderName::from_static("cross-origin-opener-policy"));
    let reply = reply(policy, "/").await;
    assert_eq!(reply.header("x-frame-options"), "SAMEORIGIN");
    assert_eq!(reply.header("referrer-policy"), "strict-origin");
    assert!(!reply.headers.contains_key("cross-origin-opener-policy"));
}
