//! What the front end of another origin may ask, and what its own server sends.

use bank::app::{self, App};
use bank::people::ALICE;
use http::{Method, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;

use crate::client::{Answer, Branch, Client};

const APP: &str = "http://localhost:8002";

/// Origins that are not the app's: neighbours, look-alikes, and none at all.
const OTHERS: [&str; 8] = [
    "http://localhost:8001",
    "http://localhost",
    "http://localhost:80020",
    "https://localhost:8002",
    "http://app.localhost:8002",
    "http://localhost:8002.evil.example",
    "http://evil.example",
    "null",
];

/// A script's request, as a browser sends it.
fn script(method: Method, path: &str, origin: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::ORIGIN, origin)
        .header("sec-fetch-site", "same-site")
        .header("sec-fetch-mode", "cors")
        .header("sec-fetch-dest", "empty")
}

async fn read(client: &mut Client, path: &str, origin: &str) -> Answer {
    client.send(script(Method::GET, path, origin), axum::body::Body::empty()).await
}

async fn add(client: &mut Client, origin: &str, token: &str) -> Answer {
    let request = script(Method::POST, "/api/add-item/", origin)
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-csrftoken", token);
    client.send(request, r#"{"name":"tea"}"#.into()).await
}

async fn token(client: &mut Client) -> String {
    let answer = read(client, "/api/csrf/", APP).await;
    let answer: Value = serde_json::from_str(&answer.text).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_app_reads_with_cookies_and_learns_why_it_may_not() {
    let branch = Branch::open().await;
    let stranger = read(&mut branch.client(), "/api/me/", APP).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    stranger.sees("Nobody is logged in.");
    let alice = read(&mut branch.logged_in(&ALICE).await, "/api/me/", APP).await;
    alice.sees(r#""username":"alice""#).sees("€1,000.00");
    for answer in [stranger, alice] {
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), APP);
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), "true");
        assert_eq!(answer.header(header::ACCESS_CONTROL_EXPOSE_HEADERS), "x-items-left");
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
    }
}

#[tokio::test]
async fn no_other_origin_is_named() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    for origin in OTHERS {
        for path in ["/api/me/", "/api/items/", "/api/csrf/"] {
            let answer = read(&mut alice, path, origin).await;
            assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "", "{origin} {path}");
            assert!(answer.header(header::VARY).to_lowercase().contains("origin"), "{path}");
        }
    }
}

#[tokio::test]
async fn the_app_reads_the_api_and_no_page() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    for path in ["/account/", "/ajax/", "/nowhere/"] {
        let answer = read(&mut alice, path, APP).await;
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "", "{path}");
    }
}

#[tokio::test]
async fn the_app_writes_with_a_token_and_not_without() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    let token = token(&mut alice).await;
    let added = add(&mut alice, APP, &token).await;
    assert_eq!((added.status, added.header("x-items-left")), (StatusCode::OK, "99"));
    for wrong in ["", "x"] {
        let refused = add(&mut alice, APP, wrong).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        // The app can read the refusal.
        assert_eq!(refused.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), APP);
        refused.sees("CSRF token");
    }
}

#[tokio::test]
async fn no_other_origin_writes_with_a_good_token_either() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    let token = token(&mut alice).await;
    for origin in OTHERS {
        let refused = add(&mut alice, origin, &token).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{origin}");
    }
    read(&mut alice, "/api/items/", APP).await.sees(r#"{"items":[]}"#);
}

#[tokio::test]
async fn a_preflight_allows_the_app_what_it_needs_and_no_more() {
    let branch = Branch::open().await;
    let preflight = |origin| {
        script(Method::OPTIONS, "/api/add-item/", origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "content-type,x-csrftoken")
            .header("access-control-request-private-network", "true")
    };
    let mut client = branch.client();
    let allowed = client.send(preflight(APP), axum::body::Body::empty()).await;
    assert_eq!(allowed.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), APP);
    assert_eq!(allowed.header(header::ACCESS_CONTROL_ALLOW_METHODS), "GET, POST");
    assert_eq!(allowed.header(header::ACCESS_CONTROL_ALLOW_HEADERS), "content-type, x-csrftoken");
    assert_eq!(allowed.header("access-control-allow-private-network"), "");
    for origin in OTHERS {
        let refused = client.send(preflight(origin), axum::body::Body::empty()).await;
        for name in ["origin", "methods", "headers", "credentials"] {
            let name = format!("access-control-allow-{name}");
            assert_eq!(refused.header(&name), "", "{origin} {name}");
        }
    }
}

#[tokio::test]
async fn looking_makes_no_session() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    for path in ["/api/me/", "/api/items/", "/api/csrf/"] {
        read(&mut client, path, APP).await;
    }
    assert_eq!(client.cookies.keys().collect::<Vec<_>>(), ["csrftoken"]);
}

#[tokio::test]
async fn the_apps_page_is_guarded_and_differs_by_host() {
    let app = App::new("http://localhost:8000", 8002, 8001).unwrap();
    let own = app::router(app.clone()).unwrap();
    let copy = app::copy(app).unwrap();
    for (router, path, host, place) in [
        (&own, "/", "localhost:8002", "allowed"),
        (&own, "/", "app.localhost:8002", "stranger"),
        (&copy, "/app/", "localhost:8001", "neighbour"),
    ] {
        let request = Request::get(path).header(header::HOST, host);
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let headers = response.headers().clone();
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("connect-src http://localhost:8000;"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::VARY], "Host");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let page = String::from_utf8(body.to_vec()).unwrap();
        assert!(page.contains(&format!("data-place=\"{place}\"")), "{host}");
        assert!(page.contains("data-bank=\"http://localhost:8000\""), "{host}");
        assert!(!page.contains(" style=") && !page.contains("<script>"), "nothing is inline");
    }
}
