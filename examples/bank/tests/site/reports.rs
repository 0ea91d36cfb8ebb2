//! What browsers report of the policy, from the endpoint to the picture.

use bank::people::ALICE;
use donjon_core::violation::{ViolationRecord, ViolationStore};
use http::{Request, StatusCode, header};
use serde_json::json;

use crate::client::{Answer, Branch, Client};

async fn report(client: &mut Client, blocked: &str, sample: &str) -> Answer {
    let body = json!({ "csp-report": {
        "document-uri": "http://localhost:8000/account/?secret=1", "blocked-uri": blocked,
        "effective-directive": "script-src-elem", "disposition": "enforce",
        "source-file": "http://localhost:8000/account/", "line-number": 3, "column-number": 7,
        "script-sample": sample,
    }});
    post(client, "application/csp-report", &body.to_string()).await
}

/// As a browser sends it: with its cookies, and without a token.
async fn post(client: &mut Client, kind: &str, body: &str) -> Answer {
    let request = Request::post("/csp-report/")
        .header(header::CONTENT_TYPE, kind)
        .header(header::ORIGIN, "http://localhost:8000")
        .header("sec-fetch-site", "same-origin")
        .header("sec-fetch-dest", "report");
    client.send(request, body.to_owned().into()).await
}

async fn records(branch: &Branch) -> Vec<ViolationRecord> {
    branch.bank.violations.records().await.unwrap()
}

#[tokio::test]
async fn the_page_needs_a_log_in_and_has_an_empty_state() {
    let branch = Branch::open().await;
    assert_eq!(branch.client().get("/security/reports/").await.status, StatusCode::FOUND);
    let mut alice = branch.logged_in(&ALICE).await;
    for path in ["/security/reports/", "/security/reports/?by=day"] {
        alice.get(path).await.sees("No violations yet.");
    }
}

#[tokio::test]
async fn the_policy_names_the_endpoint() {
    let branch = Branch::open().await;
    let page = branch.client().get("/").await;
    let policy = page.header(header::CONTENT_SECURITY_POLICY);
    assert!(policy.contains("report-uri /csp-report/"), "{policy}");
}

#[tokio::test]
async fn what_browsers_report_is_drawn_and_grouped() {
    let branch = Branch::open().await;
    let mut visitor = branch.client();
    for blocked in ["https://evil.example/a.js?x", "https://evil.example/b.js", "inline"] {
        assert_eq!(report(&mut visitor, blocked, "").await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(report(&mut visitor, "inline", "").await.status, StatusCode::NO_CONTENT);
    report(&mut visitor, "chrome-extension", "").await;
    assert_eq!(records(&branch).await[0].count, 2, "the same is counted, whichever row it is");
    let mut alice = branch.logged_in(&ALICE).await;
    let page = alice.get("/security/reports/").await;
    assert_eq!(page.status, StatusCode::OK);
    page.sees("4 in the last 24 hours")
        .sees("<code>script-src-elem</code> stopped <code>https://evil.example</code>")
        .sees("<code>inline</code></span> <strong>2×</strong>")
        .sees("3 different, on 1 page<")
        .sees(": script-src-elem 4</title>")
        .sees("<code>/account/:3:7</code>")
        .sees("1 report caused by a browser’s extension");
    assert_eq!(page.text.matches("<g>").count(), 24);
    assert!(!page.text.contains("secret=1"));
    let month = alice.get("/security/reports/?by=day").await;
    month.sees("4 in the last 30 days");
    assert_eq!(month.text.matches("<g>").count(), 30);
}

#[tokio::test]
async fn what_a_report_says_is_shown_as_text() {
    let branch = Branch::open().await;
    let mut visitor = branch.client();
    let script = "</code><script>alert(1)</script>\"'";
    report(&mut visitor, "https://evil.example/<script>alert(2)</script>", script).await;
    let page = branch.logged_in(&ALICE).await.get("/security/reports/").await;
    page.sees("&lt;/code&gt;&lt;script&gt;alert(1)").sees("/&lt;script&gt;alert(2)");
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    assert!(!page.text.contains("href=\"https://evil"), "nothing of a report is a link");
}

#[tokio::test]
async fn a_report_needs_no_token_and_touches_no_session() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    let before = alice.cookies.clone();
    let answer = report(&mut alice, "inline", "").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(answer.header(header::SET_COOKIE), "");
    assert_eq!(answer.header(header::VARY), "");
    assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(alice.cookies, before);
    branch.sql("DROP TABLE django_session").await;
    assert_eq!(report(&mut alice, "eval", "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(records(&branch).await.len(), 2, "no session was asked for");
}

#[tokio::test]
async fn what_is_no_report_is_refused_or_dropped() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    let refused = client.get("/csp-report/").await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.header(header::ALLOW), "POST");
    let form = post(&mut client, crate::client::FORM, "a=b").await;
    assert_eq!(form.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let long = post(&mut client, "application/reports+json", &" ".repeat(70_000)).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    let garbage = post(&mut client, "application/reports+json", "[[{").await;
    assert_eq!(garbage.status, StatusCode::NO_CONTENT);
    let forged = json!([{ "type": "csp-violation", "body": {
        "documentURL": "https://evil.example/", "effectiveDirective": "img-src", "blockedURL": "inline",
    }}]);
    let forged = post(&mut client, "application/reports+json", &forged.to_string()).await;
    assert_eq!(forged.status, StatusCode::NO_CONTENT);
    assert_eq!(records(&branch).await, []);
    let page = branch.logged_in(&ALICE).await.get("/security/reports/").await;
    page.sees("1 report of pages that are not the bank’s").sees("1 report that could not be read");
}

#[tokio::test]
async fn a_store_that_fails_costs_the_browser_nothing_and_the_page_says_so() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    branch.sql("DROP TABLE donjon_csp_violation").await;
    assert_eq!(report(&mut alice, "inline", "").await.status, StatusCode::NO_CONTENT);
    let page = alice.get("/security/reports/").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    page.sees("The bank is busy.");
}
