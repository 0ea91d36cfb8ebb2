//! The attacks from browsers that know no Fetch Metadata: the second proofs.

use axum::body::Body;
use bank::attack::ATTACKS;
use bank::people::{ALICE, BOB};
use http::{Request, StatusCode, header};

use crate::client::{Branch, Client, FORM};

/// A theft with the victim's cookies, and what an older browser says of where it comes from.
async fn theft(client: &mut Client, origin: Option<&str>, token: &str) -> crate::client::Answer {
    let mut request =
        Request::post("/transfer/?attack=form&run=1").header(header::CONTENT_TYPE, FORM);
    if let Some(origin) = origin {
        request = request.header(header::ORIGIN, origin);
    }
    let body = format!("to=bob&amount=100&csrfmiddlewaretoken={token}");
    client.send(request, body.into()).await
}

#[tokio::test]
async fn without_fetch_metadata_the_origin_speaks() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    let planted = "p".repeat(32);
    alice.cookies.insert("csrftoken".to_owned(), planted.clone());
    for origin in ["http://evil.localhost:8001", "http://localhost:8001", "null", ""] {
        let answer = theft(&mut alice, Some(origin), &planted).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin}");
        answer.sees("Rule 2, the request’s origin.");
    }
    assert_eq!(branch.balance(&ALICE).await, "€1,000.00");
    let answers = branch.bank.witness.of_run("1");
    assert_eq!(answers.len(), 4);
    assert!(answers.iter().all(|answer| answer.rule.is_some_and(|rule| rule.number == 2)));
}

#[tokio::test]
async fn without_any_word_of_where_from_the_token_speaks() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    let bobs = branch.logged_in(&BOB).await.token("/transfer/").await;
    let looks_right = "a".repeat(64);
    for (token, reason) in [
        ("", "CSRF token missing."),
        (looks_right.as_str(), "CSRF token from POST incorrect."),
        (bobs.as_str(), "CSRF token from POST incorrect."),
        ("short", "CSRF token from POST has incorrect length."),
    ] {
        let answer = theft(&mut alice, None, token).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
        answer.sees(reason);
    }
    let request = Request::post("/api/add-item/").header(header::CONTENT_TYPE, "text/plain");
    let text = alice.send(request, Body::from(r#"{"name": "stolen", "x": "="}"#)).await;
    assert_eq!(text.status, StatusCode::FORBIDDEN);
    text.sees("CSRF token missing.");
    assert_eq!(branch.balance(&ALICE).await, "€1,000.00");
}

#[tokio::test]
async fn a_get_or_a_renamed_method_moves_nothing() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    let page = alice.get("/transfer/?to=bob&amount=100&_method=POST").await;
    assert_eq!(page.status, StatusCode::OK);
    let renamed = Request::post("/transfer/?_method=GET&attack=method-override&run=2")
        .header("x-http-method-override", "GET")
        .header(header::CONTENT_TYPE, FORM);
    let answer = alice.send(renamed, Body::from("to=bob&amount=100&_method=GET")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(branch.balance(&ALICE).await, "€1,000.00");
    branch
        .client()
        .get("/attacks/")
        .await
        .sees("A method in disguise")
        .sees("Refused by rule 8 of csrf");
}

/// What a page of another origin of the same site makes the browser ask, with Alice's cookies.
async fn foreign(client: &mut Client, path: &str, mode: &str, dest: &str) -> StatusCode {
    let request = Request::get(format!("{path}?attack=read&run=4"))
        .header("sec-fetch-site", "same-site")
        .header("sec-fetch-mode", mode)
        .header("sec-fetch-dest", dest);
    client.send(request, Body::empty()).await.status
}

#[tokio::test]
async fn other_sites_may_link_and_load_nothing() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    assert_eq!(foreign(&mut alice, "/account/", "navigate", "document").await, StatusCode::OK);
    for (path, mode, dest) in [
        ("/account/", "no-cors", "image"),
        ("/account/", "navigate", "iframe"),
        ("/api/me/", "no-cors", "script"),
        ("/api/me/", "cors", "empty"),
        ("/static/tower.svg", "no-cors", "image"),
    ] {
        let status = foreign(&mut alice, path, mode, dest).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path} {mode} {dest}");
    }
    let answers = branch.bank.witness.of_run("4");
    let rules: Vec<_> = answers.iter().map(|answer| answer.rule.map(|rule| rule.room)).collect();
    assert_eq!(rules[0], None, "the link");
    assert!(rules[1..].iter().all(|room| *room == Some("isolation")), "{rules:?}");
    branch.client().get("/attacks/").await.sees("Refused by rule 4 of isolation");
    // Whoever brings no cookies gets what is everybody's.
    let mut stranger = branch.client();
    assert_eq!(
        foreign(&mut stranger, "/static/tower.svg", "no-cors", "image").await,
        StatusCode::OK
    );
}

#[tokio::test]
async fn what_an_attacker_sends_is_shown_as_text() {
    let branch = Branch::open().await;
    let request = Request::post("/transfer/%3Cb%3E?attack=form&run=3")
        .header(header::ORIGIN, "http://<script>alert(1)</script>");
    branch.client().send(request, Body::empty()).await;
    let page = branch.client().get("/attacks/").await;
    assert!(!page.text.contains("<script>alert(1)"), "{}", page.text);
    page.sees("&lt;script&gt;alert(1)");
}

#[test]
fn every_attack_has_its_words() {
    for attack in &ATTACKS {
        assert!(!attack.title.is_empty() && attack.lesson.ends_with('.'), "{}", attack.id);
        assert!(attack.requests > 0);
        assert!(std::ptr::eq(bank::attack::find(attack.id).unwrap(), attack), "{}", attack.id);
    }
}
