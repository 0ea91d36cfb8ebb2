//! Session rows that are not what they should be, and a database that is held by somebody else.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use bank::people::ALICE;
use donjon_db::Database;
use http::{Request, StatusCode, header};
use http_body::Frame;
use sea_orm::{ConnectionTrait, TransactionTrait};

use crate::client::Branch;

#[tokio::test]
async fn a_row_that_cannot_be_believed_is_nobodys() {
    let branch = Branch::open().await;
    for change in [
        "UPDATE django_session SET session_data = 'garbage'",
        "UPDATE django_session SET session_data = ''",
        "UPDATE django_session SET session_data = 'eyJhIjoxfQ:1r31eq:forged'",
        "UPDATE django_session SET expire_date = '2001-01-01 00:00:00'",
        "DELETE FROM django_session",
    ] {
        let mut alice = branch.logged_in(&ALICE).await;
        assert_eq!(alice.get("/account/").await.status, StatusCode::OK);
        branch.sql(change).await;
        let answer = alice.get("/account/").await;
        assert_eq!(answer.status, StatusCode::FOUND, "{change}");
        assert_eq!(answer.header(header::LOCATION), "/accounts/login/?next=/account/");
        alice.log_in(&ALICE).await;
        assert_eq!(alice.get("/account/").await.status, StatusCode::OK, "{change}");
    }
}

#[tokio::test]
async fn a_key_that_nobody_gave_is_not_taken() {
    let branch = Branch::open().await;
    let mut client = branch.client();
    let planted = "attackerattackerattackerattacker";
    client.cookies.insert("sessionid".to_owned(), planted.to_owned());
    client.log_in(&ALICE).await;
    assert_ne!(client.cookies["sessionid"], planted);
    for wrong in ["x", &"x".repeat(100_000), "%00%ff", "a\u{7f}b"] {
        let request = Request::get("/account/");
        let mut client = branch.client();
        if http::HeaderValue::try_from(wrong).is_ok() {
            client.cookies.insert("sessionid".to_owned(), wrong.to_owned());
        }
        assert_eq!(client.send(request, Body::empty()).await.status, StatusCode::FOUND);
    }
}

#[tokio::test]
async fn a_session_that_ends_in_the_middle_is_a_bad_request() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    let token = alice.token("/form/").await;
    let part = |name: &str, value: &str| {
        format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    // The CSRF room reads up to the first file; by then the session has been loaded.
    let file = "--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nx";
    let first = part("csrfmiddlewaretoken", &token) + file;
    let rest = format!("\r\n{}{}--X--\r\n", part("name", "Ann"), part("email", "a@b.example"));
    let database = branch.database.clone();
    let body = Body::new(Interrupted {
        first: Some(first.into()),
        rest: Some(Box::pin(async move {
            let deleted =
                database.danger_connection().execute_unprepared("DELETE FROM django_session");
            deleted.await.unwrap();
            rest.into()
        })),
    });
    let request =
        Request::post("/form/").header(header::CONTENT_TYPE, "multipart/form-data; boundary=X");
    let answer = alice.send(request, body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(alice.get("/account/").await.status, StatusCode::FOUND, "logged out stays so");
}

/// A body in two pieces; the second comes when the future is done.
struct Interrupted {
    first: Option<Bytes>,
    rest: Option<Pin<Box<dyn Future<Output = Bytes> + Send>>>,
}

impl http_body::Body for Interrupted {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let data = ready!(rest.as_mut().poll(cx));
        self.rest = None;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

#[tokio::test]
async fn a_locked_database_is_a_reason_to_come_back_later() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    let token = alice.token("/transfer/").await;
    let other = Database::sqlite(branch.folder.path().join("bank.sqlite3")).await.unwrap();
    let held = other.danger_connection().begin().await.unwrap();
    held.execute_unprepared("UPDATE bank_account SET balance = balance").await.unwrap();

    let fields = [("to", "bob"), ("amount", "1"), ("csrfmiddlewaretoken", &token)];
    let busy = alice.post_raw("/transfer/", &fields).await;
    assert_eq!(busy.status, StatusCode::SERVICE_UNAVAILABLE);
    busy.sees("The bank is busy.");
    assert_eq!(alice.get("/account/").await.status, StatusCode::OK, "reading goes on");

    held.rollback().await.unwrap();
    let sent = alice.post_raw("/transfer/", &fields).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_database_that_lost_its_tables_tells_nothing_to_the_visitor() {
    let branch = Branch::open().await;
    let mut alice = branch.logged_in(&ALICE).await;
    branch.sql("DROP TABLE bank_transfer").await;
    let answer = alice.get("/account/").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    answer.sees("Something broke.");
    assert!(!answer.text.contains("bank_transfer"), "{}", answer.text);
}
