//! What every page has in common, and the log-in.

use bank::people::{ALICE, BOB};
use http::{Request, StatusCode, header};

use crate::client::Branch;

const PAGES: [&str; 9] = [
    "/",
    "/accounts/login/",
    "/account/",
    "/transfer/",
    "/form/",
    "/ajax/",
    "/upload/",
    "/attacks/",
    "/security/reports/",
];

#[tokio::test]
async fn every_page_has_the_headers_and_nothing_inline() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    for path in PAGES.into_iter().chain(["/nowhere/"]) {
        let page = alice.get(path).await;
        let expected = if path == "/nowhere/" { StatusCode::NOT_FOUND } else { StatusCode::OK };
        assert_eq!(page.status, expected, "{path}");
        assert!(page.header(header::CONTENT_SECURITY_POLICY).contains("script-src 'self'"));
        assert_eq!(page.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(page.header(header::CONTENT_TYPE), "text/html; charset=utf-8");
        for inline in [" style=", " onclick=", " onload=", " onsubmit=", "javascript:"] {
            assert!(!page.text.contains(inline), "{inline} in {path}");
        }
    }
}

#[tokio::test]
async fn the_inline_script_has_the_nonce_of_the_policy() {
    let branch = Branch::open().await;
    let page = branch.client().get("/ajax/").await;
    let policy = page.header(header::CONTENT_SECURITY_POLICY);
    let (_, rest) = policy.split_once("'nonce-").expect("a nonce");
    let nonce = rest.split('\'').next().unwrap();
    page.sees(&format!("<script nonce=\"{nonce}\">"));
}

#[tokio::test]
async fn files_are_typed_and_may_be_kept() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    for (name, kind) in [("bank.css", "text/css; charset=utf-8"), ("tower.svg", "image/svg+xml")] {
        let file = client.get(&format!("/static/{name}")).await;
        assert_eq!(file.status, StatusCode::OK);
        assert_eq!(file.header(header::CONTENT_TYPE), kind);
        assert_eq!(file.header(header::CACHE_CONTROL), "public, max-age=3600");
        assert_eq!(file.header(header::SET_COOKIE), "");
    }
    for name in ["nothing.css", "..%2f..%2fCargo.toml"] {
        assert_eq!(client.get(&format!("/static/{name}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn other_hosts_are_no_business_of_the_bank() {
    let branch = Branch::open().await;
    let request = Request::get("/").header(header::HOST, "evil.example");
    let answer = branch.client().send(request, axum::body::Body::empty()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    answer.sees("The bank can’t answer this request.");
}

#[tokio::test]
async fn a_log_in_changes_the_keys_and_goes_only_to_this_site() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    client.get("/ajax/").await;
    client.post_json("application/json", r#"{"name": "milk"}"#).await;
    let before = client.cookies.clone();
    for (next, target) in [
        ("https://evil.example/", "/account/"),
        ("//evil.example/", "/account/"),
        ("/transfer/?a=b", "/transfer/?a=b"),
    ] {
        let fields = [("username", ALICE.username), ("password", ALICE.password), ("next", next)];
        let answer = client.post("/accounts/login/", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header(header::LOCATION), target);
    }
    assert_ne!(client.cookies["sessionid"], before["sessionid"]);
    assert_ne!(client.cookies["csrftoken"], before["csrftoken"]);
}

#[tokio::test]
async fn a_failed_log_in_says_the_same_for_everybody() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    for username in ["alice", "nobody"] {
        let fields = [("username", username), ("password", "wrong"), ("next", "/transfer/")];
        let page = client.post("/accounts/login/", &fields).await;
        assert_eq!(page.status, StatusCode::OK);
        page.sees("Please enter a correct username and password.")
            .sees("name=\"next\" value=\"/transfer/\"")
            .sees(&format!("value=\"{username}\""));
    }
    assert!(!client.cookies.contains_key("sessionid"));
}

#[tokio::test]
async fn logging_out_takes_a_post() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    let refused = alice.get("/accounts/logout/").await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.header(header::ALLOW), "POST");
    assert_eq!(alice.get("/account/").await.status, StatusCode::OK);

    let mut stolen = alice.clone();
    let token = alice.token("/account/").await;
    let fields = [("csrfmiddlewaretoken", token.as_str())];
    let answer = alice.post_raw("/accounts/logout/", &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(alice.get("/account/").await.status, StatusCode::FOUND);
    assert_eq!(stolen.get("/account/").await.status, StatusCode::FOUND, "the row is gone");
}

#[tokio::test]
async fn a_list_belongs_to_its_owner() {
    let branch = Branch::open().await;
    let mut visitor = branch.client();
    let (mut alice, mut bob) = (branch.logged_in(&ALICE).await, branch.logged_in(&BOB).await);
    for (client, item) in [(&mut visitor, "one"), (&mut alice, "two"), (&mut bob, "three")] {
        client.get("/ajax/").await;
        let body = format!("{{\"name\": \"{item}\"}}");
        let answer = client.post_json("application/json", body).await;
        assert_eq!(answer.text, format!("{{\"items\":[{{\"name\":\"{item}\"}}]}}"));
    }
}

#[tokio::test]
async fn the_history_is_sorted_by_what_may_be_chosen() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    for (amount, memo) in [("3.00", "dear"), ("1.00", "cheap"), ("2.00", "middling")] {
        let fields = [("to", BOB.username), ("amount", amount), ("memo", memo)];
        assert_eq!(alice.post("/transfer/", &fields).await.status, StatusCode::SEE_OTHER);
    }
    let mut order = async |address: &str| {
        let page = alice.get(address).await.text;
        let mut memos = ["cheap", "middling", "dear"];
        memos.sort_by_key(|memo| page.find(&format!(">{memo}<")).expect("the transfer"));
        memos
    };
    assert_eq!(order("/account/").await, ["middling", "cheap", "dear"]);
    assert_eq!(order("/account/?sort=amount").await, ["cheap", "middling", "dear"]);
    assert_eq!(order("/account/?sort=-amount").await, ["dear", "middling", "cheap"]);
    for wrong in [
        "sort=memo",
        "sort=amount;drop",
        "sort=id%20desc",
        "sort=",
        "page=0",
        "page=x",
        "page=1%20or%201=1",
    ] {
        let answer = alice.get(&format!("/account/?{wrong}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{wrong}");
    }
}
