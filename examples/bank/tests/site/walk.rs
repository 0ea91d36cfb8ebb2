//! A walk through the bank's whole table of routes: every answer to every method, also to visitors who
//! may not have it, carries all headers.

use axum::body::Body;
use bank::people::ALICE;
use donjon::headers::HeadersPolicy;
use http::{HeaderName, Request, StatusCode, header};

use crate::client::{Answer, Branch, Client};

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];

const HEADERS: [&str; 9] = [
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "x-frame-options",
    "cross-origin-resource-policy",
    "cross-origin-embedder-policy",
    "permissions-policy",
    "origin-agent-cluster",
    "x-permitted-cross-domain-policies",
];

/// What is no route's example.
const OTHERS: [&str; 6] = [
    "/static/bank.css",
    "/static/none.css",
    "/nowhere/",
    "/account",
    "/api/none/",
    "//evil.example/",
];

fn paths() -> Vec<String> {
    let table = bank::site::table().unwrap();
    let examples = table.iter().map(|route| route.example.clone());
    examples.chain(OTHERS.map(str::to_owned)).collect()
}

fn assert_whole(answer: &Answer, what: &str) {
    let what = format!("{what}: {} {:?}", answer.status, answer.headers);
    for name in HEADERS.into_iter().map(HeaderName::from_static) {
        let values: Vec<_> = answer.headers.get_all(&name).iter().collect();
        assert_eq!(values, [HeadersPolicy::strict().value(&name).unwrap()], "{name} of {what}");
    }
    let csp: Vec<_> = answer.headers.get_all(header::CONTENT_SECURITY_POLICY).iter().collect();
    assert_eq!(csp.len(), 1, "{what}");
    let strict = "default-src 'none'; script-src 'self'";
    assert!(csp[0].to_str().unwrap().starts_with(strict), "{what}");
    let error = answer.status.is_client_error() || answer.status.is_server_error();
    assert!(!error || answer.header(header::CACHE_CONTROL).contains("no-store"), "{what}");
}

async fn walk(visitor: &Client, app: &str) -> Vec<StatusCode> {
    let mut seen = Vec::new();
    for path in paths() {
        for method in METHODS {
            let request = Request::builder().method(method).uri(&path).header(header::ORIGIN, app);
            let answer = visitor.clone().send(request, Body::empty()).await;
            let what = format!("{method} {path}");
            assert_whole(&answer, &what);
            let reads = if path.starts_with("/api/") { app } else { "" };
            assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), reads, "{what}");
            seen.push(answer.status);
        }
    }
    seen
}

#[tokio::test]
async fn every_route_and_method_has_all_headers() {
    let branch = Branch::open().await;
    let app = branch.bank.app_url.to_string();
    for visitor in [branch.client(), branch.logged_in(&ALICE).await] {
        let seen = walk(&visitor, &app).await;
        for status in [200, 301, 403, 404, 405] {
            assert!(seen.iter().any(|seen| seen.as_u16() == status), "{status} is not in {seen:?}");
        }
    }
}

#[tokio::test]
async fn every_refusal_has_all_headers() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    let long = "a".repeat(200_000);
    let answer = alice.post_json("application/json", format!("\"{long}\"")).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_whole(&answer, "a body that is too long");
    let request = Request::get("/").header(header::HOST, "evil.example");
    let answer = branch.client().send(request, Body::empty()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_whole(&answer, "another host");
    let request = Request::get("/account/").header("sec-fetch-site", "cross-site");
    let answer = alice.send(request.header("sec-fetch-mode", "no-cors"), Body::empty()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_whole(&answer, "isolation");
    branch.sql("ALTER TABLE bank_account RENAME TO gone").await;
    let answer = alice.get("/account/").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_whole(&answer, "a table that is gone");
}
