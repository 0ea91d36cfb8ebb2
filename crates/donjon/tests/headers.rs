//! The room of headers from outside, rule by rule of its module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use axum::routing::get;
use axum::{Extension, Router};
use donjon::headers::{
    Allowlist, Feature, Framing, HeadersLayer, HeadersPolicy, OpenerPolicy, PermissionsPolicy,
    ReferrerPolicy, ResourcePolicy, RouteFraming, RouteFramingLayer,
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use site::{Browser, Reply};

fn router(policy: HeadersPolicy) -> Router {
    let own = [
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, ""),
        (HeaderName::from_static("cross-origin-embedder-policy"), "unsafe-none"),
    ];
    let banners =
        [(header::SERVER, "nginx/1.0"), (HeaderName::from_static("x-powered-by"), "PHP/5.2")];
    let framed = |framing| get(async || "page").layer(RouteFramingLayer::new(framing));
    Router::new()
        .route("/", get(async || "page"))
        .route("/own", get(async move || (own, "page")))
        .route("/fail", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/banners", get(async move || (banners, "page")))
        .route("/deny", framed(RouteFraming::Deny))
        .route("/sameorigin", framed(RouteFraming::SameOrigin))
        .route("/exempt", framed(RouteFraming::Exempt))
        .route("/says", get(async || (Extension(RouteFraming::SameOrigin), "page")))
        .layer(HeadersLayer::new(policy))
}

async fn reply(policy: HeadersPolicy, path: &str) -> Reply {
    Browser::new(&router(policy)).get(path).await
}

const PATHS: [&str; 4] = ["/", "/none", "/fail", "/banners"];

#[tokio::test]
async fn rules_1_to_4_every_response_has_the_headers() {
    for policy in [HeadersPolicy::django(), HeadersPolicy::default()] {
        for path in PATHS {
            let reply = reply(policy.clone(), path).await;
            assert_eq!(reply.header("x-content-type-options"), "nosniff");
            assert_eq!(reply.header("referrer-policy"), "same-origin");
            assert_eq!(reply.header("cross-origin-opener-policy"), "same-origin");
            assert_eq!(reply.header("x-frame-options"), "DENY");
        }
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
        ("cross-origin-embedder-policy", "unsafe-none"),
    ] {
        let values: Vec<_> = reply.headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name}");
    }
}

#[tokio::test]
async fn rules_6_to_10_every_response_of_a_new_site_has_what_django_lacks() {
    for path in PATHS {
        let reply = reply(HeadersPolicy::default(), path).await;
        assert_eq!(reply.header("cross-origin-embedder-policy"), "require-corp");
        assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(reply.header("origin-agent-cluster"), "?1");
        assert_eq!(reply.header("x-permitted-cross-domain-policies"), "none");
        let permissions = reply.header("permissions-policy");
        for feature in ["camera", "geolocation", "microphone", "payment", "usb"] {
            assert!(permissions.contains(&format!("{feature}=()")), "{permissions}");
        }
    }
}

#[tokio::test]
async fn rules_6_to_10_are_not_djangos() {
    let reply = reply(HeadersPolicy::django(), "/").await;
    for name in [
        "cross-origin-embedder-policy",
        "cross-origin-resource-policy",
        "permissions-policy",
        "origin-agent-cluster",
        "x-permitted-cross-domain-policies",
    ] {
        assert_eq!(reply.header(name), "", "{name}");
    }
}

#[tokio::test]
async fn rule_11_banners_go_unless_the_policy_is_djangos() {
    let strict = reply(HeadersPolicy::strict(), "/banners").await;
    assert_eq!((strict.header("server"), strict.header("x-powered-by")), ("", ""));
    let django = reply(HeadersPolicy::django(), "/banners").await;
    assert_eq!((django.header("server"), django.header("x-powered-by")), ("nginx/1.0", "PHP/5.2"));
}

#[tokio::test]
async fn rule_12_routes_have_their_own_word_on_frames() {
    for (path, value) in
        [("/deny", "DENY"), ("/sameorigin", "SAMEORIGIN"), ("/exempt", ""), ("/says", "SAMEORIGIN")]
    {
        let reply = reply(HeadersPolicy::strict(), path).await;
        assert_eq!(reply.header("x-frame-options"), value, "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn rule_12_without_a_site_outside_a_route_still_denies() {
    let deny = get(async || "page").layer(RouteFramingLayer::new(RouteFraming::Deny));
    let reply = Browser::new(&Router::new().route("/", deny)).get("/").await;
    assert_eq!(reply.header("x-frame-options"), "DENY");
}

#[tokio::test]
async fn a_policy_is_changed_by_name() {
    let location = Allowlist::itself().allow_origin("https://maps.example").unwrap();
    let permissions = PermissionsPolicy::powerless().feature(Feature::Geolocation, location);
    let policy = HeadersPolicy::embed()
        .framing(Framing::SameOrigin)
        .referrer_policy([ReferrerPolicy::StrictOrigin])
        .opener_policy(OpenerPolicy::SameOriginAllowPopups)
        .resource_policy(ResourcePolicy::SameSite)
        .permissions_policy(&permissions)
        .danger_value(header::X_DNS_PREFETCH_CONTROL, HeaderValue::from_static("off"))
        .danger_without(&HeaderName::from_static("origin-agent-cluster"));
    let reply = reply(policy, "/").await;
    assert_eq!(reply.header("x-frame-options"), "SAMEORIGIN");
    assert_eq!(reply.header("referrer-policy"), "strict-origin");
    assert_eq!(reply.header("cross-origin-opener-policy"), "same-origin-allow-popups");
    assert_eq!(reply.header("cross-origin-resource-policy"), "same-site");
    assert_eq!(reply.header("x-dns-prefetch-control"), "off");
    assert_eq!(reply.header("origin-agent-cluster"), "");
    let permissions = reply.header("permissions-policy");
    assert!(permissions.contains("geolocation=(self \"https://maps.example\")"), "{permissions}");
}
