//! One transaction for a request.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests stop a test")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use donjon_db::guard::{AtomicRequestsLayer, CommitError};
use donjon_db::{Database, Db, DbError, DbErrorKind, sql};
use http::{Method, Request, Response, StatusCode};
use sea_orm::FromQueryResult;
use tempfile::TempDir;
use tower::{Layer, ServiceExt, service_fn};

struct Site {
    database: Database,
    _folder: TempDir,
}

impl Site {
    async fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let database = Database::sqlite(folder.path().join("site.sqlite3")).await.unwrap();
        let db = database.db();
        db.execute(sql!("create table note (id integer primary key, text text not null unique)"))
            .await
            .unwrap();
        db.execute(sql!(
            "create table reply (note integer not null references note (id) deferrable initially deferred)"
        ))
        .await
        .unwrap();
        Self { database, _folder: folder }
    }

    async fn notes(&self) -> Vec<String> {
        texts(&self.database.db()).await
    }

    /// Asks a handler inside of the layer.
    async fn ask<F, Fut>(&self, method: Method, handler: F) -> Response<String>
    where
        F: FnMut(Db) -> Fut,
        Fut: Future<Output = StatusCode> + Send + 'static,
    {
        let mut handler = handler;
        let service = service_fn(move |request: Request<()>| {
            let db = request.extensions().get::<Db>().unwrap().clone();
            let answer = handler(db);
            async move {
                let mut response = Response::new(String::from("body"));
                *response.status_mut() = answer.await;
                Ok::<_, Infallible>(response)
            }
        });
        let service = AtomicRequestsLayer::new(&self.database).layer(service);
        let request = Request::builder().method(method).body(()).unwrap();
        service.oneshot(request).await.unwrap()
    }
}

#[derive(FromQueryResult)]
struct Text {
    text: String,
}

async fn texts(db: &Db) -> Vec<String> {
    let rows = db.all(sql!("select text from note order by id").rows::<Text>()).await.unwrap();
    rows.into_iter().map(|row| row.text).collect()
}

async fn write(db: &Db, text: &str) -> Result<u64, DbError> {
    db.execute(sql!("insert into note (text) values ({text})", text)).await
}

#[tokio::test]
async fn rule_2_an_answer_commits_and_a_failure_does_not() {
    let site = Site::open().await;
    for (status, kept) in
        [(200, true), (302, true), (404, true), (499, true), (500, false), (503, false)]
    {
        let answer = site
            .ask(Method::POST, move |db| async move {
                write(&db, &format!("{status}")).await.unwrap();
                write(&db, &format!("{status} again")).await.unwrap();
                StatusCode::from_u16(status).unwrap()
            })
            .await;
        assert_eq!((answer.status().as_u16(), answer.body().as_str()), (status, "body"));
        let notes = site.notes().await;
        assert_eq!(notes.contains(&format!("{status}")), kept, "{status}");
        assert_eq!(notes.contains(&format!("{status} again")), kept, "{status}");
    }
}

#[tokio::test]
async fn rule_2_it_is_committed_before_the_answer() {
    let site = Site::open().await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let (database, seen) = (site.database.clone(), Arc::clone(&log));
    let answer = site
        .ask(Method::POST, move |db| {
            let (seen, database) = (Arc::clone(&seen), database.clone());
            async move {
                write(&db, "note").await.unwrap();
                let before = texts(&database.db()).await;
                let after = async move {
                    let after = texts(&database.db()).await;
                    seen.lock().unwrap().push((before, after));
                };
                db.on_commit(after).await.unwrap();
                StatusCode::CREATED
            }
        })
        .await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(*log.lock().unwrap(), [(vec![], vec!["note".to_owned()])]);
}

#[tokio::test]
async fn rule_2_a_dropped_request_is_rolled_back() {
    let site = Site::open().await;
    let stuck = site.ask(Method::POST, |db| async move {
        write(&db, "undone").await.unwrap();
        std::future::pending().await
    });
    assert!(tokio::time::timeout(Duration::from_millis(200), stuck).await.is_err());
    write(&site.database.db(), "next").await.unwrap();
    assert_eq!(site.notes().await, ["next"]);
}

#[tokio::test]
async fn rule_2_a_panic_is_rolled_back() {
    let site = Arc::new(Site::open().await);
    let inside = Arc::clone(&site);
    let task = tokio::spawn(async move {
        inside
            .ask(Method::POST, |db| async move {
                write(&db, "undone").await.unwrap();
                panic!("as a handler may")
            })
            .await
    });
    assert!(task.await.unwrap_err().is_panic());
    write(&site.database.db(), "next").await.unwrap();
    assert_eq!(site.notes().await, ["next"]);
}

#[tokio::test]
async fn rule_3_a_commit_that_fails_is_a_503() {
    let site = Site::open().await;
    let actions = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&actions);
    let answer = site
        .ask(Method::POST, move |db| {
            let counted = Arc::clone(&counted);
            async move {
                write(&db, "undone").await.unwrap();
                // A reply to nothing: the database looks when it commits.
                db.execute(sql!("insert into reply (note) values (77)")).await.unwrap();
                let action = async move { _ = counted.fetch_add(1, Ordering::SeqCst) };
                db.on_commit(action).await.unwrap();
                StatusCode::OK
            }
        })
        .await;
    assert_eq!((answer.status(), answer.body().as_str()), (StatusCode::SERVICE_UNAVAILABLE, ""));
    assert!(answer.extensions().get::<CommitError>().is_some());
    assert_eq!(actions.load(Ordering::SeqCst), 0);
    write(&site.database.db(), "next").await.unwrap();
    assert_eq!(site.notes().await, ["next"]);
}

#[tokio::test]
async fn rule_3_a_failure_that_was_swallowed_is_a_503() {
    let site = Site::open().await;
    let answer = site
        .ask(Method::POST, |db| async move {
            write(&db, "twice").await.unwrap();
            assert!(write(&db, "twice").await.unwrap_err().is_duplicate());
            StatusCode::OK
        })
        .await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let CommitError(error) = answer.extensions().get::<CommitError>().unwrap();
    assert_eq!(error.kind(), DbErrorKind::Transaction);
    assert_eq!(site.notes().await, [""; 0]);
    // In a block of its own it may fail.
    let answer = site.ask(Method::POST, |db| async move {
        write(&db, "twice").await.unwrap();
        assert!(db.atomic(async |tx| write(&tx, "twice").await).await.unwrap_err().is_duplicate());
        StatusCode::OK
    });
    assert_eq!(answer.await.status(), StatusCode::OK);
    assert_eq!(site.notes().await, ["twice"]);
}

#[tokio::test]
async fn rule_4_a_reader_waits_for_no_writer() {
    let site = Site::open().await;
    let db = site.database.db();
    db.atomic(async |tx| {
        write(&tx, "open").await?;
        let answer = site.ask(Method::GET, |db| async move {
            assert!(texts(&db).await.is_empty());
            StatusCode::OK
        });
        assert_eq!(answer.await.status(), StatusCode::OK);
        Ok::<_, DbError>(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_request_that_is_over_runs_nothing() {
    let site = Site::open().await;
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    site.ask(Method::POST, move |db| {
        keep.lock().unwrap().replace(db);
        async { StatusCode::OK }
    })
    .await;
    let db: Db = kept.lock().unwrap().take().unwrap();
    assert_eq!(write(&db, "late").await.unwrap_err().kind(), DbErrorKind::Transaction);
}
