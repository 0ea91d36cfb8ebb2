//! The room of isolation from outside, rule by rule of its module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use donjon::isolation::{IsolationLayer, IsolationPolicy, IsolationRoute, Readers};
use http::{Method, Request, StatusCode, header, request};
use site::{Browser, Reply};
use tracing::span;

fn page() -> Router {
    let varying = [(header::VARY, "Cookie")];
    Router::new()
        .route("/", get(async || "mine").post(async || "done"))
        .route("/varying", get(async move || (varying, "mine")))
        .route("/static/a.js", get(async || "everybody's"))
}

fn site(policy: IsolationPolicy) -> Browser {
    logged_in(&page().layer(IsolationLayer::new(policy)))
}

fn logged_in(router: &Router) -> Browser {
    Browser::new(router).with_cookie("sessionid", "1")
}

fn from(site: &str, mode: &str, dest: &str, path: &str) -> request::Builder {
    Request::get(path)
        .header("sec-fetch-site", site)
        .header("sec-fetch-mode", mode)
        .header("sec-fetch-dest", dest)
}

fn picture(path: &str) -> request::Builder {
    from("cross-site", "no-cors", "image", path)
}

async fn send(mut browser: Browser, request: request::Builder) -> Reply {
    browser.send(request, Body::empty()).await
}

#[tokio::test]
async fn rule_1_what_carries_nothing_and_what_writes_is_for_others() {
    let default = || page().layer(IsolationLayer::new(IsolationPolicy::default()));
    let reply = send(Browser::new(&default()), picture("/")).await;
    assert_eq!((reply.status, reply.header("vary")), (StatusCode::OK, ""));
    let reply = send(logged_in(&default()), picture("/").method(Method::POST)).await;
    assert_eq!((reply.text.as_str(), reply.header("vary")), ("done", ""));
}

#[tokio::test]
async fn rules_2_and_3_the_site_its_visitor_and_old_clients_pass() {
    for origin in ["same-origin", "none"] {
        for (mode, dest) in [("navigate", "document"), ("cors", "empty"), ("no-cors", "image")] {
            let reply = send(site(IsolationPolicy::default()), from(origin, mode, dest, "/")).await;
            assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, "mine"), "{mode}");
            assert_eq!(reply.header("vary"), "Sec-Fetch-Site");
        }
    }
    let reply = send(site(IsolationPolicy::default()), Request::get("/")).await;
    assert_eq!(reply.text, "mine");
}

#[tokio::test]
async fn rule_4_other_sites_link_and_load_nothing() {
    for origin in ["cross-site", "same-site"] {
        let link = from(origin, "navigate", "document", "/");
        let reply = send(site(IsolationPolicy::default()), link).await;
        assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, "mine"));
        for (mode, dest) in [
            ("no-cors", "image"),
            ("no-cors", "script"),
            ("cors", "empty"),
            ("navigate", "iframe"),
            ("navigate", "object"),
            ("navigate", "embed"),
            ("websocket", "websocket"),
        ] {
            let reply = send(site(IsolationPolicy::default()), from(origin, mode, dest, "/")).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{origin} {mode} {dest}");
            assert_eq!(reply.text, "Forbidden (403)\n");
        }
    }
    let policy = IsolationPolicy::default().allow_framing().allow_same_site();
    for request in
        [from("cross-site", "navigate", "iframe", "/"), from("same-site", "no-cors", "image", "/")]
    {
        assert_eq!(send(site(policy.clone()), request).await.status, StatusCode::OK);
    }
}

/// P24: an event stream that another site opens with the visitor's cookies.
#[tokio::test]
async fn rule_4_an_event_stream_is_not_opened_by_another_site() {
    for mode in ["cors", "no-cors"] {
        let stream = from("cross-site", mode, "empty", "/").header("accept", "text/event-stream");
        let reply = send(site(IsolationPolicy::default()), stream).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{mode}");
    }
}

#[tokio::test]
async fn rule_5_what_cors_outside_allowed_passes() {
    let layered = |readers: Readers| {
        page().layer(IsolationLayer::new(IsolationPolicy::default())).layer(Extension(readers))
    };
    let script = || from("cross-site", "cors", "empty", "/");
    let reply = send(logged_in(&layered(Readers::Allowed)), script()).await;
    assert_eq!(reply.text, "mine");
    let reply = send(logged_in(&layered(Readers::Nobody)), script()).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn rule_6_what_no_browser_says_is_refused() {
    for word in ["", "Same-Origin", "same-origin, cross-site", "anything"] {
        let request = from(word, "navigate", "document", "/");
        let reply = send(site(IsolationPolicy::default()), request).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{word}");
    }
    let twice = from("same-origin", "navigate", "document", "/").header("sec-fetch-site", "none");
    let reply = send(site(IsolationPolicy::default()), twice).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    let bytes = Request::get("/").header("sec-fetch-site", &b"\xff\xfe"[..]);
    assert_eq!(send(site(IsolationPolicy::default()), bytes).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn rule_7_files_and_exempt_routes_are_for_everybody() {
    let policy = IsolationPolicy::default().exempt_path("/static/");
    let reply = send(site(policy.clone()), picture("/static/a.js")).await;
    assert_eq!((reply.text.as_str(), reply.header("vary")), ("everybody's", ""));
    assert_eq!(send(site(policy), picture("/")).await.status, StatusCode::FORBIDDEN);
    let exempt = page()
        .layer(IsolationLayer::new(IsolationPolicy::default()))
        .layer(Extension(IsolationRoute::Exempt));
    assert_eq!(send(logged_in(&exempt), picture("/")).await.text, "mine");
}

#[tokio::test]
async fn rule_8_answers_vary_and_refusals_are_not_kept() {
    let all = ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "origin"];
    let reply = send(site(IsolationPolicy::default()), picture("/")).await;
    assert_eq!(reply.header("cache-control"), "no-store");
    assert!(all.iter().all(|name| reply.varies(name)), "{:?}", reply.headers);
    let link = from("cross-site", "navigate", "document", "/varying");
    let reply = send(site(IsolationPolicy::default()), link).await;
    assert!(all.iter().all(|name| reply.varies(name)) && reply.varies("cookie"));
}

/// Counts what is told to the log of this room.
#[derive(Default)]
struct Log(AtomicUsize);

impl tracing::Subscriber for &'static Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "donjon::security::isolation"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn rule_8_a_refusal_is_told_once() {
    static LOG: Log = Log(AtomicUsize::new(0));
    let _guard = tracing::subscriber::set_default(&LOG);
    send(site(IsolationPolicy::default()), picture("/")).await;
    assert_eq!(LOG.0.load(Ordering::Relaxed), 1);
    send(site(IsolationPolicy::default()), Request::get("/")).await;
    assert_eq!(LOG.0.load(Ordering::Relaxed), 1);
}
