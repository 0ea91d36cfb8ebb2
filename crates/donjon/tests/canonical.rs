//! The canonical room from outside, rule by rule of its module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use donjon::canonical::{CanonicalLayer, CanonicalPolicy};
use donjon::host::HostLayer;
use donjon_core::host::AllowedHosts;
use donjon_core::origin::SitePolicy;
use http::{Request, StatusCode, header};
use tower::ServiceExt;

fn policy() -> CanonicalPolicy {
    CanonicalPolicy::default()
        .append_slash(|path| matches!(path, "/account/" | "/form" | "/form/" | "/a%20b/"))
}

/// Status and `Location` of an answer.
async fn answer(policy: CanonicalPolicy, method: &str, path: &str) -> (u16, String) {
    let hosts = AllowedHosts::new([".bank.example"]).unwrap();
    let router = Router::new()
        .route("/account/", get(async || "account"))
        .route("/form", get(async || "form").post(async || StatusCode::NOT_FOUND))
        .fallback(async || (StatusCode::NOT_FOUND, [(header::SET_COOKIE, "a=b")], "none"))
        .layer(CanonicalLayer::new(policy))
        .layer(HostLayer::new(SitePolicy::new(hosts)));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "bank.example")
        .header(header::USER_AGENT, "Mozilla/5.0 (evil)")
        .body(Body::empty());
    let response = router.oneshot(request.unwrap()).await.unwrap();
    let location = response.headers().get(header::LOCATION);
    let location = location.map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), location.unwrap_or_default())
}

fn redirect(location: &str) -> (u16, String) {
    (301, location.to_owned())
}

#[tokio::test]
async fn rule_1_www_is_put_in_front_and_the_slash_behind_at_once() {
    let www = || policy().prepend_www();
    assert_eq!(
        answer(www(), "GET", "/form?a=b").await,
        redirect("http://www.bank.example/form?a=b")
    );
    assert_eq!(
        answer(www(), "GET", "/account").await,
        redirect("http://www.bank.example/account/")
    );
}

#[tokio::test]
async fn rule_2_only_what_is_not_found_is_looked_for_with_a_slash() {
    assert_eq!(answer(policy(), "GET", "/account?next=%2F").await, redirect("/account/?next=%2F"));
    assert_eq!(answer(policy(), "HEAD", "/account").await, redirect("/account/"));
    assert_eq!(answer(policy(), "POST", "/account").await, redirect("/account/"));
    assert_eq!(answer(policy(), "GET", "/a%20b").await, redirect("/a%20b/"));
    assert_eq!(answer(policy(), "GET", "/account/").await.0, 200);
    assert_eq!(answer(policy(), "GET", "/form").await.0, 200);
    // A route's own 404 is its own.
    assert_eq!(answer(policy(), "POST", "/form").await.0, 404);
    assert_eq!(answer(policy(), "GET", "/unknown").await.0, 404);
    assert_eq!(answer(CanonicalPolicy::default(), "GET", "/account").await.0, 404);
}

#[tokio::test]
async fn rule_3_no_path_leads_to_another_host() {
    let any = || CanonicalPolicy::default().append_slash(|path| path.ends_with('/'));
    for (path, location) in [
        ("//evil.example", "/%2Fevil.example/"),
        ("///evil.example", "/%2F/evil.example/"),
        ("//evil.example/%2e%2e", "/%2Fevil.example/../"),
        ("/%2f%2Fevil.example", "/%2F%2Fevil.example/"),
        ("/%5cevil.example", "/%5Cevil.example/"),
        ("/%0d%0aSet-Cookie:a", "/%0D%0ASet-Cookie:a/"),
    ] {
        assert_eq!(answer(any(), "GET", path).await, redirect(location), "{path}");
    }
}

#[tokio::test]
async fn rule_4_a_user_agent_that_is_not_served() {
    let served = |pattern| {
        let policy = policy().prepend_www().disallowed_user_agents([pattern]).unwrap();
        answer(policy, "GET", "/form")
    };
    assert_eq!(served("evil").await, (403, String::new()));
    assert_eq!(served("^evil").await.0, 301);
}
