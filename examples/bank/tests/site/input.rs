//! Bodies that are not what they should be.

use axum::body::Body;
use bank::items::MAX_ITEMS;
use bank::pages::{ajax, upload};
use bank::people::{ALICE, BOB};
use http::{Request, StatusCode, header};

use crate::client::{Branch, Client};

#[tokio::test]
async fn the_api_takes_json_only() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    client.get("/ajax/").await;
    let long = format!("{{\"name\": \"{}\"}}", "x".repeat(81));
    let huge = format!("{{\"name\": \"{}\"}}", "x".repeat(ajax::JSON_LIMIT));
    let deep = "[".repeat(10_000);
    for (kind, body, status) in [
        ("text/plain", r#"{"name": "milk"}"#, 415),
        ("", r#"{"name": "milk"}"#, 415),
        ("application/json", "", 400),
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("application/json", r#"{"name": 1}"#, 400),
        ("application/json", r#"{"name": " "}"#, 400),
        ("application/json", r#"{"name": "a\u0000"}"#, 400),
        ("application/json", &long, 400),
        ("application/json", &deep, 400),
        ("application/json", &huge, 413),
        ("application/json; charset=utf-8", r#"{"name": "milk"}"#, 200),
    ] {
        let answer = client.post_json(kind, body.to_owned()).await;
        assert_eq!(answer.status.as_u16(), status, "{kind} {body:.60}");
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
    }
    let answer = client.get("/api/add-item/").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(answer.text.starts_with("{\"error\":"));
}

#[tokio::test]
async fn the_api_wants_the_token_and_says_so_in_json() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    let answer = client.post_json("application/json", r#"{"name": "milk"}"#).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.text, r#"{"error":"CSRF cookie not set."}"#);
}

#[tokio::test]
async fn a_list_has_an_end() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    client.get("/ajax/").await;
    for _ in 0..MAX_ITEMS {
        let answer = client.post_json("application/json", r#"{"name": "x"}"#).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let full = client.post_json("application/json", r#"{"name": "x"}"#).await;
    assert_eq!(full.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_form_keeps_values_and_names_errors() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    let page = client.post("/form/", &[("name", ""), ("email", "\"><b>@x")]).await;
    assert_eq!(page.status, StatusCode::OK);
    page.sees("id=\"id_name_error\">This field is required.")
        .sees("id=\"id_email_error\">Enter a valid email address.")
        .sees("value=\"&quot;&gt;&lt;b&gt;@x\"");
    let long = "x".repeat(81);
    client
        .post("/form/", &[("name", &long), ("email", "")])
        .await
        .sees("Use at most 80 characters");

    let done = client.post("/form/", &[("name", "Ann"), ("email", "a@b.example")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(done.header(header::LOCATION), "/form/");
    client.get("/form/").await.sees("Thank you, Ann.");
    assert!(!client.get("/form/").await.text.contains("Thank you"));
}

#[tokio::test]
async fn bad_transfers_move_nothing() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    for (to, amount, memo, error) in [
        ("", "1", "", "This field is required."),
        ("carol", "1", "", "Nobody of this name has an account here."),
        ("Bob", "1", "", "Nobody of this name has an account here."),
        ("alice", "1", "", "That is you."),
        ("bob", "", "", "This field is required."),
        ("bob", "-1", "", "Enter an amount"),
        ("bob", "0", "", "Enter at least one cent."),
        ("bob", "1000.01", "", "That is more than you have."),
        ("bob", "1000000.01", "", "One transfer moves €1,000,000.00 at most."),
        ("bob", "1", &"x".repeat(141), "Use at most 140 characters"),
    ] {
        let page =
            alice.post("/transfer/", &[("to", to), ("amount", amount), ("memo", memo)]).await;
        assert_eq!(page.status, StatusCode::OK);
        page.sees(error);
    }
    assert_eq!(branch.balance(&ALICE).await, "€1,000.00");

    let sent = alice.post("/transfer/", &[("to", " bob "), ("amount", "1000")]).await;
    assert_eq!(sent.header(header::LOCATION), "/account/");
    assert_eq!(branch.balance(&ALICE).await, "€0.00");
    assert_eq!(branch.balance(&BOB).await, "€2,000.00");
}

/// A multipart body with the token first, and then these parts.
async fn upload(client: &mut Client, parts: &str, end: &str) -> crate::client::Answer {
    let token = client.token("/upload/").await;
    let body = format!(
        "--X\r\nContent-Disposition: form-data; name=\"csrfmiddlewaretoken\"\r\n\r\n{token}\r\n{parts}{end}"
    );
    send(client, body).await
}

async fn send(client: &mut Client, body: String) -> crate::client::Answer {
    let kind = "multipart/form-data; boundary=X";
    client.send(Request::post("/upload/").header(header::CONTENT_TYPE, kind), body.into()).await
}

fn file(name: &str, content: &str) -> String {
    format!(
        "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{content}\r\n"
    )
}

const END: &str = "--X--\r\n";

#[tokio::test]
async fn files_are_hashed_and_named_as_text() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    let parts = file("../../<b>.txt", "hello world") + &file("two", "");
    let page = upload(&mut client, &parts, END).await;
    assert_eq!(page.status, StatusCode::OK);
    page.sees("../../&lt;b&gt;.txt")
        .sees("11 bytes")
        .sees("b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9")
        .sees("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    upload(&mut client, &file("", ""), END).await.sees("Choose a file first.");
}

#[tokio::test]
async fn uploads_have_limits() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    let enough = file("a", "x").repeat(upload::MAX_FILES);
    assert_eq!(upload(&mut client, &enough, END).await.status, StatusCode::OK);
    let many = upload(&mut client, &(enough + &file("a", "x")), END).await;
    assert_eq!(many.status, StatusCode::BAD_REQUEST);
    many.sees("At most 10 files at a time.");

    let fields = "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n".repeat(100_000);
    assert_eq!(upload(&mut client, &fields, END).await.status, StatusCode::BAD_REQUEST);

    let large = upload(&mut client, &file("large", &"x".repeat(upload::MAX_BODY)), END).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    large.sees("At most 50 MB at a time.");
}

#[tokio::test]
async fn uploads_that_cannot_be_read() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    let cut = upload(&mut client, &file("a", "x"), "").await;
    assert_eq!(cut.status, StatusCode::BAD_REQUEST);
    let without = send(&mut client, file("a", "x") + END).await;
    assert_eq!(without.status, StatusCode::FORBIDDEN);
    without.sees("CSRF token missing.");
    let token = client.token("/upload/").await;
    let text = client.post_raw("/upload/", &[("csrfmiddlewaretoken", &token)]).await;
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let boundary = format!("multipart/form-data; boundary={}", "x".repeat(10 * 1024));
    let request = Request::post("/upload/").header(header::CONTENT_TYPE, boundary);
    assert_eq!(client.send(request, Body::empty()).await.status, StatusCode::BAD_REQUEST);
}
