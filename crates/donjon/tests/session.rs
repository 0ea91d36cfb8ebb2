//! The session room from outside, rule by rule of its module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::get;
use donjon::session::{Saving, SessionFailure, SessionHandle, SessionLayer, SessionPolicy};
use donjon_core::clock::Clock;
use donjon_core::secret::Keys;
use donjon_core::session::{Expiry, SessionKey, SessionStore};
use http::{HeaderValue, Request, StatusCode, header};
use site::{Browser, NOW, Reply, SECRET_OF_THE_STORE, Sessions};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A site that does to its session what its address says.
struct Site {
    store: Sessions,
    clock: Clock,
    router: Router,
}

impl Site {
    fn new(policy: SessionPolicy) -> Self {
        let (store, clock) = (Sessions::default(), Clock::fixed(NOW));
        let layer = SessionLayer::new(policy.clock(clock.clone()), store.clone());
        let router = Router::new()
            .route("/untouched", get(async || "untouched"))
            .route("/read", get(read))
            .route("/write/{value}", get(write))
            .route("/write/{value}/status/{status}", get(write_and_answer))
            .route("/clear", get(async |session: SessionHandle| session.clear()))
            .route("/mark", get(async |session: SessionHandle| session.mark_modified()))
            .route("/flush", get(flush))
            .route("/cycle", get(cycle))
            .route("/expiry/{kind}", get(expire))
            .route("/deleted-meanwhile", get(deleted_meanwhile).with_state(store.clone()))
            .route("/cycled-too-late", get(cycled_too_late).with_state(store.clone()))
            .layer(layer);
        Self { store, clock, router }
    }

    fn browser(&self) -> Browser {
        Browser::new(&self.router)
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new(SessionPolicy::default())
    }
}

async fn read(session: SessionHandle) -> Result<String, SessionFailure> {
    Ok(session.get("value").await?.unwrap_or_default())
}

async fn write(
    session: SessionHandle,
    Path(value): Path<String>,
) -> Result<&'static str, SessionFailure> {
    session.insert("value", &value).await?;
    Ok("written")
}

async fn write_and_answer(
    session: SessionHandle,
    Path((value, status)): Path<(String, u16)>,
) -> Result<StatusCode, SessionFailure> {
    session.insert("value", &value).await?;
    Ok(StatusCode::from_u16(status).unwrap())
}

async fn flush(session: SessionHandle) -> Result<(), SessionFailure> {
    session.flush().await?;
    Ok(())
}

async fn cycle(session: SessionHandle) -> Result<(), SessionFailure> {
    Ok(session.cycle_key().await?)
}

async fn expire(session: SessionHandle, Path(kind): Path<String>) -> Result<(), SessionFailure> {
    let expiry = match kind.as_str() {
        "after" => Some(Expiry::After(Duration::from_secs(300))),
        "at" => Some(Expiry::At(NOW.plus_seconds(3600))),
        "past" => Some(Expiry::At(NOW.plus_seconds(-10))),
        "close" => Some(Expiry::AtBrowserClose),
        _ => None,
    };
    session.insert("value", "expiring").await?;
    Ok(session.set_expiry(expiry).await?)
}

async fn deleted_meanwhile(
    State(store): State<Sessions>,
    session: SessionHandle,
) -> Result<(), SessionFailure> {
    session.insert("value", "too late").await?;
    SessionStore::delete(&store.inner, &session.key().unwrap()).await.unwrap();
    Ok(())
}

async fn cycled_too_late(
    State(store): State<Sessions>,
    session: SessionHandle,
) -> Result<(), SessionFailure> {
    session.get::<String>("value").await?;
    SessionStore::delete(&store.inner, &session.key().unwrap()).await.unwrap();
    Ok(session.cycle_key().await?)
}

const DELETED: &str =
    "sessionid=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax";

fn set(reply: &Reply) -> &str {
    reply.set_cookie("sessionid").unwrap_or_default()
}

#[tokio::test]
async fn rule_1_a_session_that_nobody_touches_costs_nothing() {
    let site = Site::default();
    let key = SessionKey::random().expose().to_owned();
    for mut browser in [site.browser(), site.browser().with_cookie("sessionid", key)] {
        let reply = browser.get("/untouched").await;
        assert_eq!((reply.text.as_str(), set(&reply)), ("untouched", ""));
        assert!(!reply.varies("cookie"));
    }
    assert_eq!(site.store.calls(), 0);
}

#[tokio::test]
async fn rule_1_a_flood_of_strangers_leaves_no_rows() {
    let site = Site::default();
    for number in 0..2_000 {
        let path = ["/untouched", "/read", "/flush", "/clear"][number % 4];
        let reply = site.browser().get(path).await;
        assert_eq!((reply.status, set(&reply)), (StatusCode::OK, ""), "{path}");
    }
    assert_eq!(site.store.calls(), 0);
    for path in ["/read", "/flush", "/clear", "/mark"] {
        let key = SessionKey::random().expose().to_owned();
        site.browser().with_cookie("sessionid", key).get(path).await;
    }
    assert!(site.store.inner.is_empty(), "a key of a stranger's made a row");
}

#[tokio::test]
async fn rule_2_a_response_varies_with_the_cookie_if_the_session_was_looked_at() {
    let site = Site::default();
    let mut browser = site.browser();
    assert!(browser.get("/read").await.varies("cookie"));
    assert!(browser.get("/write/1").await.varies("cookie"));
    assert!(browser.get("/read").await.varies("cookie"));
    assert!(browser.get("/flush").await.varies("cookie"));
}

#[tokio::test]
async fn rule_2_what_a_handler_varies_with_already_stays() {
    async fn handler(
        session: SessionHandle,
    ) -> Result<impl axum::response::IntoResponse, SessionFailure> {
        session.insert("value", "1").await?;
        let mut headers = http::HeaderMap::new();
        headers.append(header::VARY, HeaderValue::from_static("Accept"));
        headers.append(header::VARY, HeaderValue::from_static("Accept-Language"));
        Ok((headers, ""))
    }
    let layer = SessionLayer::new(SessionPolicy::default(), Sessions::default());
    let router = Router::new().route("/", get(handler)).layer(layer);
    let reply = Browser::new(&router).get("/").await;
    assert!(["accept", "accept-language", "cookie"].iter().all(|name| reply.varies(name)));
}

#[tokio::test]
async fn rule_3_a_change_is_saved_and_comes_back() {
    let site = Site::default();
    let mut browser = site.browser();
    browser.get("/write/tea").await;
    let reply = browser.get("/read").await;
    assert_eq!((reply.text.as_str(), set(&reply)), ("tea", ""));
}

#[tokio::test]
async fn rule_3_the_cookie_is_djangos_and_secure_where_the_request_was() {
    let site = Site::default();
    let (mut clear, mut https) = (site.browser(), site.browser().over_https());
    let plain = |browser: &Browser| {
        let key = browser.cookie("sessionid").unwrap();
        format!(
            "sessionid={key}; expires=Tue, 28 Nov 2023 22:13:20 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax"
        )
    };
    let reply = clear.get("/write/1").await;
    assert_eq!(set(&reply), plain(&clear));
    let reply = https.get("/write/1").await;
    assert_eq!(set(&reply), format!("{}; Secure", plain(&https)));
}

#[tokio::test]
async fn rule_3_the_hardened_cookie_is_the_hosts_own() {
    let site = Site::new(SessionPolicy::hardened());
    let reply = site.browser().get("/write/1").await;
    let cookie = reply.set_cookie("__Host-sessionid").unwrap();
    assert!(cookie.ends_with("; Path=/; SameSite=Lax; Secure"), "{cookie}");
    assert!(cookie.contains("; HttpOnly;") && !cookie.contains("Domain"), "{cookie}");
}

#[tokio::test]
async fn rule_3_djangos_own_policy_is_not_secure() {
    let site = Site::new(SessionPolicy::django());
    let reply = site.browser().over_https().get("/write/1").await;
    assert!(set(&reply).ends_with("; SameSite=Lax"));
}

#[tokio::test]
async fn rule_3_only_a_failure_of_the_server_is_not_saved() {
    for (status, saved) in [
        (200, true),
        (302, true),
        (404, true),
        (499, true),
        (500, false),
        (503, false),
        (599, false),
    ] {
        let site = Site::default();
        let mut browser = site.browser();
        browser.get("/write/before").await;
        let reply = browser.get(&format!("/write/after/status/{status}")).await;
        assert_eq!((reply.status.as_u16(), !set(&reply).is_empty()), (status, saved));
        assert!(reply.varies("cookie"));
        let expected = if saved { "after" } else { "before" };
        assert_eq!(browser.get("/read").await.text, expected, "{status}");
    }
}

#[tokio::test]
async fn rule_3_every_request_renews_a_session() {
    let site = Site::new(SessionPolicy::default().saving(Saving::EveryRequest));
    let mut browser = site.browser();
    browser.get("/write/tea").await;
    site.clock.advance(Duration::from_secs(86_400));
    let reply = browser.get("/untouched").await;
    assert!(set(&reply).contains("expires=Wed, 29 Nov 2023 22:13:20 GMT"), "{}", set(&reply));
    assert!(reply.varies("cookie"), "CVE-2026-35192");
    let reply = browser.get("/write/x/status/500").await;
    assert_eq!(set(&reply), "");
    assert_eq!(site.store.inner.len(), 1);
}

#[tokio::test]
async fn rule_3_every_request_makes_no_session_for_a_stranger() {
    let site = Site::new(SessionPolicy::default().saving(Saving::EveryRequest));
    for path in ["/untouched", "/read"] {
        let reply = site.browser().get(path).await;
        assert_eq!(set(&reply), "");
        let key = SessionKey::random().expose().to_owned();
        let reply = site.browser().with_cookie("sessionid", key).get(path).await;
        assert_eq!((reply.status, set(&reply)), (StatusCode::OK, DELETED), "{path}");
    }
    assert!(site.store.inner.is_empty());
}

#[tokio::test]
async fn rule_3_clearing_keeps_key_and_row() {
    let site = Site::default();
    let mut browser = site.browser();
    browser.get("/write/tea").await;
    let key = browser.cookie("sessionid");
    browser.get("/clear").await;
    assert_eq!((browser.get("/read").await.text.as_str(), browser.cookie("sessionid")), ("", key));
}

#[tokio::test]
async fn rule_3_each_session_can_have_an_end_of_its_own() {
    let site = Site::default();
    for (kind, expected) in [
        ("after", "expires=Tue, 14 Nov 2023 22:18:20 GMT; HttpOnly; Max-Age=300;"),
        ("at", "expires=Tue, 14 Nov 2023 23:13:20 GMT; HttpOnly; Max-Age=3600;"),
        ("default", "expires=Tue, 28 Nov 2023 22:13:20 GMT; HttpOnly; Max-Age=1209600;"),
        ("past", "expires=Tue, 14 Nov 2023 22:13:10 GMT; HttpOnly; Max-Age=-10;"),
    ] {
        let reply = site.browser().get(&format!("/expiry/{kind}")).await;
        assert!(set(&reply).contains(expected), "{kind}: {}", set(&reply));
    }
    let reply = site.browser().get("/expiry/close").await;
    assert!(!set(&reply).contains("expires") && !set(&reply).contains("Max-Age"));
}

#[tokio::test]
async fn rule_3_sessions_can_end_with_the_browser() {
    let site = Site::new(SessionPolicy::default().expire_at_browser_close());
    let reply = site.browser().get("/write/1").await;
    assert!(set(&reply).ends_with("; HttpOnly; Path=/; SameSite=Lax"), "{}", set(&reply));
}

#[tokio::test]
async fn rule_3_a_session_is_over_when_its_time_is() {
    let site = Site::default();
    let mut browser = site.browser();
    browser.get("/expiry/after").await;
    site.clock.advance(Duration::from_secs(299));
    assert_eq!(browser.get("/read").await.text, "expiring");
    site.clock.advance(Duration::from_secs(1));
    let reply = browser.get("/read").await;
    assert_eq!((reply.text.as_str(), set(&reply)), ("", DELETED));
}

#[tokio::test]
async fn rule_3_a_cycled_key_keeps_the_values_and_the_old_one_is_worth_nothing() {
    let site = Site::default();
    let mut browser = site.browser();
    browser.get("/write/tea").await;
    let mut thief = browser.clone();
    let old = browser.cookie("sessionid").unwrap();
    browser.get("/cycle").await;
    assert_ne!(browser.cookie("sessionid").unwrap(), old);
    assert_eq!(browser.get("/read").await.text, "tea");
    let reply = thief.get("/read").await;
    assert_eq!((reply.text.as_str(), set(&reply)), ("", DELETED));
    assert_eq!(site.store.inner.len(), 1);
}

#[tokio::test]
async fn rule_4_a_key_that_a_client_made_up_is_never_adopted() {
    let site = Site::default();
    for wish in ["attackerattackerattackerattacker", "12345678", "short", "__proto__"] {
        let mut browser = site.browser().with_cookie("sessionid", wish);
        browser.get("/write/1").await;
        let given = browser.cookie("sessionid").unwrap();
        assert_ne!(given, wish);
        assert_eq!(given.len(), SessionKey::LENGTH);
        assert!(site.store.record(wish).await.is_none(), "{wish}");
        assert!(site.store.record(&given).await.is_some());
    }
}

#[tokio::test]
async fn rule_4_a_key_that_leads_to_nothing_is_deleted_when_it_is_read() {
    let site = Site::default();
    let key = SessionKey::random().expose().to_owned();
    let reply = site.browser().with_cookie("sessionid", key).get("/read").await;
    assert_eq!((reply.text.as_str(), set(&reply)), ("", DELETED));
    assert!(reply.varies("cookie"));
}

#[tokio::test]
async fn rule_4_a_flush_deletes_row_and_cookie_and_the_next_key_is_fresh() {
    let site = Site::default();
    let mut browser = site.browser();
    browser.get("/write/tea").await;
    let mut replayed = browser.clone();
    let old = browser.cookie("sessionid").unwrap();
    let reply = browser.get("/flush").await;
    assert_eq!(set(&reply), DELETED);
    assert!(site.store.inner.is_empty());
    assert_eq!(replayed.get("/read").await.text, "");
    browser.get("/write/coffee").await;
    assert_ne!(browser.cookie("sessionid").unwrap(), old);
}

#[tokio::test]
async fn rule_5_a_session_deleted_meanwhile_is_not_made_again() {
    let site = Site::default();
    let mut browser = site.browser();
    browser.get("/write/tea").await;
    let reply = browser.get("/deleted-meanwhile").await;
    assert_eq!((reply.status, set(&reply)), (StatusCode::BAD_REQUEST, ""));
    assert_eq!(reply.header("cache-control"), "no-store");
    assert!(site.store.inner.is_empty());
}

#[tokio::test]
async fn rule_5_a_new_key_does_not_bring_a_deleted_session_back() {
    let site = Site::default();
    let mut browser = site.browser();
    browser.get("/write/tea").await;
    let reply = browser.get("/cycled-too-late").await;
    assert_eq!((reply.status, set(&reply)), (StatusCode::BAD_REQUEST, DELETED));
    assert!(site.store.inner.is_empty());
}

/// Writes once the gate is open; tells before that it has read the session.
async fn write_at_the_gate(
    session: SessionHandle,
    State((entered, gate)): State<(Arc<Semaphore>, Arc<Semaphore>)>,
) -> Result<(), SessionFailure> {
    session.insert("value", "resurrected").await?;
    entered.add_permits(1);
    let _open = gate.acquire().await.unwrap();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_5_no_request_under_way_brings_a_session_back() {
    const REQUESTS: u32 = 200;
    let store = Sessions::default();
    let (entered, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let waiting = get(write_at_the_gate).with_state((Arc::clone(&entered), Arc::clone(&gate)));
    let router = Router::new()
        .route("/slow", waiting)
        .route("/write/{value}", get(write))
        .route("/flush", get(flush))
        .layer(SessionLayer::new(SessionPolicy::default(), store.clone()));
    let mut browser = Browser::new(&router);
    browser.get("/write/secret").await;

    let mut requests = JoinSet::new();
    for _ in 0..REQUESTS {
        let mut browser = browser.clone();
        requests.spawn(async move { browser.get("/slow").await });
    }
    let _all = entered.acquire_many(REQUESTS).await.unwrap();
    assert_eq!(set(&browser.get("/flush").await), DELETED);
    gate.add_permits(REQUESTS as usize);
    for reply in requests.join_all().await {
        assert_eq!((reply.status, set(&reply)), (StatusCode::BAD_REQUEST, ""));
    }
    assert!(store.inner.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_5_a_logout_among_many_requests_leaves_nothing_of_the_old_session() {
    let site = Site::default();
    site.store.put("keykeykeykey", r#"{"secret": "of the user"}"#).await;
    let browser = site.browser().with_cookie("sessionid", "keykeykeykey");
    let mut requests = JoinSet::new();
    for number in 0..200 {
        let mut browser = browser.clone();
        requests.spawn(async move {
            let path = if number == 100 { "/flush".to_owned() } else { format!("/write/{number}") };
            browser.get(&path).await;
            browser.cookie("sessionid")
        });
    }
    let keys = requests.join_all().await;
    assert!(site.store.record("keykeykeykey").await.is_none());
    for key in keys.into_iter().flatten() {
        let record = site.store.record(&key).await;
        assert!(record.is_none_or(|record| !record.data.contains("secret")));
    }
}

#[tokio::test]
async fn rule_6_a_store_that_fails_is_503_and_tells_nothing() {
    let site = Site::default();
    let mut browser = site.browser();
    browser.get("/write/tea").await;
    site.store.go_down();
    for path in ["/read", "/write/1", "/flush", "/cycle", "/mark"] {
        let reply = browser.get(path).await;
        assert_eq!((reply.status, set(&reply)), (StatusCode::SERVICE_UNAVAILABLE, ""), "{path}");
        assert!(!reply.text.contains(SECRET_OF_THE_STORE), "{path}");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    let reply = site.browser().get("/write/1").await;
    assert_eq!((reply.status, set(&reply)), (StatusCode::SERVICE_UNAVAILABLE, ""));
    site.store.come_up();
    assert_eq!(browser.get("/read").await.text, "tea");
}

#[tokio::test]
async fn rule_7_of_two_cookies_the_last_counts_as_in_django() {
    let site = Site::default();
    site.store.put("first-key", r#"{"value": "first"}"#).await;
    site.store.put("second-key", r#"{"value": "second"}"#).await;
    for (one, other, expected) in
        [("first-key", "second-key", "second"), ("second-key", "first-key", "first")]
    {
        let request = Request::get("/read")
            .header(header::COOKIE, format!("sessionid={one}; sessionid={other}"));
        assert_eq!(site.browser().send(request, Body::empty()).await.text, expected);
        let request = Request::get("/read")
            .header(header::COOKIE, format!("sessionid={one}"))
            .header(header::COOKIE, format!("sessionid={other}"));
        assert_eq!(site.browser().send(request, Body::empty()).await.text, expected);
    }
}

#[tokio::test]
async fn rule_7_of_two_hardened_cookies_none_counts_and_both_go() {
    let site = Site::new(SessionPolicy::hardened());
    site.store.put("first-key", r#"{"value": "first"}"#).await;
    site.store.put("second-key", r#"{"value": "second"}"#).await;
    for (one, other) in [("first-key", "second-key"), ("second-key", "first-key")] {
        let request = Request::get("/read").header(
            header::COOKIE,
            format!("__Host-sessionid={one}; a=b; __Host-sessionid={other}"),
        );
        let reply = site.browser().send(request, Body::empty()).await;
        assert_eq!(reply.text, "");
        assert!(reply.set_cookie("__Host-sessionid").unwrap().contains("Max-Age=0"));
    }
}

#[tokio::test]
async fn rule_7_only_the_cookie_of_exactly_that_name_is_read() {
    let site = Site::new(SessionPolicy::hardened());
    site.store.put("planted-key", r#"{"value": "planted"}"#).await;
    for cookie in [
        "sessionid=planted-key",
        "__host-sessionid=planted-key",
        "__HOST-sessionid=planted-key",
        "%5F_Host-sessionid=planted-key",
        "x__Host-sessionid=planted-key",
        "__Host-sessionid2=planted-key",
        "=__Host-sessionid=planted-key",
        "x=\"; __Host-sessionid planted-key\"",
    ] {
        let request = Request::get("/read").header(header::COOKIE, cookie);
        assert_eq!(site.browser().send(request, Body::empty()).await.text, "", "{cookie}");
    }
    // A blank that is none in HTTP makes another name, and what stands beside it is still read.
    for blank in ["\u{2000}", "\u{85}", "\u{a0}"] {
        let cookie = format!("{blank}__Host-sessionid=other-key; __Host-sessionid=planted-key");
        let cookie = HeaderValue::from_bytes(cookie.as_bytes()).unwrap();
        let request = Request::get("/read").header(header::COOKIE, cookie);
        assert_eq!(site.browser().send(request, Body::empty()).await.text, "planted", "{blank:?}");
    }
}

#[tokio::test]
async fn rule_7_quotes_have_no_power_over_semicolons() {
    let site = Site::default();
    site.store.put("real-key", r#"{"value": "real"}"#).await;
    let sandwich = "$Version=1; a=\"b; sessionid=real-key; c=d\"";
    let request = Request::get("/read").header(header::COOKIE, sandwich);
    assert_eq!(site.browser().send(request, Body::empty()).await.text, "real");
}

#[tokio::test]
async fn rule_7_no_cookie_makes_the_room_panic() {
    let site = Site::default();
    let megabyte = "x".repeat(1024 * 1024);
    let many = "a=b; ".repeat(4_000);
    let values: [&[u8]; 18] = [
        b"",
        b"\"",
        b"\"\"",
        b"\"\\\"",
        b"\"\\000\\000\\000\\000\\000\\000\\000\\000\"",
        b"\"\\377\\377\\377\\377\\377\\377\\377\\377\"",
        b"\"\\8\\9\\40\\\\\\",
        b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8",
        b"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
        b"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80",
        b"%00%00%00%00",
        b"' OR 1=1 --",
        b"../../../etc/passwd",
        b"\ttab\ttab\ttab\t",
        b"=========",
        b";;;;;;;;;",
        megabyte.as_bytes(),
        many.as_bytes(),
    ];
    for value in values {
        for prefix in [&b"sessionid="[..], b"", b"=", b"sessionid"] {
            let cookie = HeaderValue::from_bytes(&[prefix, value].concat()).unwrap();
            let request = Request::get("/write/1").header(header::COOKIE, cookie);
            let reply = site.browser().send(request, Body::empty()).await;
            assert_eq!(reply.status, StatusCode::OK);
            assert!(set(&reply).contains("Max-Age=1209600"), "a fresh session of its own");
        }
    }
}

#[tokio::test]
async fn without_the_layer_a_handler_that_takes_a_session_is_500() {
    let router = Router::new().route("/", get(read));
    let reply = Browser::new(&router).get("/").await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
}

/// A site that keeps sessions in their cookie.
fn in_cookies(policy: SessionPolicy, clock: &Clock) -> Browser {
    let layer = SessionLayer::in_cookie(policy.clock(clock.clone()), &Keys::new("secret"));
    let router = Router::new()
        .route("/untouched", get(async || "untouched"))
        .route("/read", get(read))
        .route("/write/{value}", get(write))
        .route("/grow/{times}", get(grow))
        .route("/cycle", get(cycle))
        .route("/flush", get(flush))
        .layer(layer);
    Browser::new(&router)
}

/// Puts a value in that does not compress.
async fn grow(session: SessionHandle, Path(times): Path<usize>) -> Result<(), SessionFailure> {
    let keys: Vec<_> = (0..times).map(|_| SessionKey::random().expose().to_owned()).collect();
    Ok(session.insert("grown", &keys).await?)
}

#[tokio::test]
async fn rule_8_a_session_in_its_cookie_comes_back_and_is_sent_when_it_changed() {
    let clock = Clock::fixed(NOW);
    let mut browser = in_cookies(SessionPolicy::default(), &clock);
    let reply = browser.get("/write/tea").await;
    assert!(set(&reply).starts_with("sessionid=eyJ2YWx1ZSI6InRlYSJ9:"), "{}", set(&reply));
    assert!(set(&reply).contains("; Max-Age=1209600;") && reply.varies("cookie"));
    for path in ["/untouched", "/read"] {
        assert_eq!(set(&browser.get(path).await), "", "{path}");
    }
    assert_eq!(browser.get("/read").await.text, "tea");
    clock.advance(Duration::from_secs(60));
    let before = browser.cookie("sessionid");
    browser.get("/cycle").await;
    assert_ne!(browser.cookie("sessionid"), before);
    assert_eq!(browser.get("/read").await.text, "tea");
    assert_eq!(set(&browser.get("/flush").await), DELETED);
    assert_eq!(browser.get("/read").await.text, "");
}

#[tokio::test]
async fn rule_8_a_forged_or_old_cookie_is_no_session_and_goes() {
    let clock = Clock::fixed(NOW);
    let mut browser = in_cookies(SessionPolicy::default(), &clock);
    browser.get("/write/tea").await;
    let cookie = browser.cookie("sessionid").unwrap();
    let mut forger = browser.clone().with_cookie("sessionid", format!("x{cookie}"));
    let reply = forger.get("/read").await;
    assert_eq!((reply.text.as_str(), set(&reply)), ("", DELETED));
    clock.advance(Duration::from_secs(60 * 60 * 24 * 14));
    let reply = browser.get("/read").await;
    assert_eq!((reply.text.as_str(), set(&reply)), ("", DELETED));
}

#[tokio::test]
async fn rule_8_a_session_too_big_for_its_cookie_is_told_and_the_old_one_stays() {
    let mut browser = in_cookies(SessionPolicy::default(), &Clock::fixed(NOW));
    browser.get("/write/tea").await;
    let reply = browser.get("/grow/50").await;
    assert_eq!(reply.status, StatusCode::OK);
    let reply = browser.get("/grow/200").await;
    assert_eq!((reply.status, set(&reply)), (StatusCode::INTERNAL_SERVER_ERROR, ""));
    assert_eq!(browser.get("/read").await.text, "tea");
}

#[tokio::test]
async fn rule_9_neither_row_nor_cookie_outlives_the_absolute_age() {
    let day = Duration::from_secs(86_400);
    let policy = SessionPolicy::default().absolute_age(day).saving(Saving::EveryRequest);
    let site = Site::new(policy);
    let mut browser = site.browser();
    let reply = browser.get("/write/tea").await;
    assert!(set(&reply).contains("; Max-Age=86400;"), "{}", set(&reply));
    site.clock.advance(day / 2);
    let reply = browser.get("/read").await;
    assert!(set(&reply).contains("; Max-Age=43200;"), "{}", set(&reply));
    let record = site.store.record(&browser.cookie("sessionid").unwrap()).await.unwrap();
    assert_eq!(record.expires, NOW.plus_seconds(86_400));
    site.clock.advance(day / 2);
    let reply = browser.get("/read").await;
    assert_eq!((reply.text.as_str(), set(&reply)), ("", DELETED));
}

#[tokio::test]
async fn rule_9_the_absolute_age_ends_with_the_browser_where_the_session_does() {
    let policy = SessionPolicy::default().absolute_age(Duration::from_secs(86_400));
    let reply = Site::new(policy.expire_at_browser_close()).browser().get("/write/1").await;
    assert!(!set(&reply).contains("Max-Age"), "{}", set(&reply));
}

/// Asks as that browser.
async fn read_as(browser: &mut Browser, user_agent: &str) -> Reply {
    let request = Request::get("/read").header(header::USER_AGENT, user_agent);
    browser.send(request, Body::empty()).await
}

#[tokio::test]
async fn rule_10_a_stolen_cookie_is_worth_nothing_in_another_browser() {
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    const NEWER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0";
    for (policy, stolen) in
        [(SessionPolicy::default().bind_user_agent(), ""), (SessionPolicy::default(), "tea")]
    {
        let site = Site::new(policy);
        let mut browser = site.browser();
        let request = Request::get("/write/tea").header(header::USER_AGENT, FIREFOX);
        browser.send(request, Body::empty()).await;
        for other in ["curl/8.14.1", ""] {
            assert_eq!(read_as(&mut browser.clone(), other).await.text, stolen, "{other}");
        }
        assert_eq!(browser.clone().get("/read").await.text, stolen);
        assert_eq!(read_as(&mut browser, NEWER).await.text, "tea", "the visitor's own stays");
    }
}

#[tokio::test]
async fn the_age_is_the_cookies_and_the_sessions() {
    let site = Site::new(SessionPolicy::default().age(Duration::from_secs(600)));
    let mut browser = site.browser();
    let reply = browser.get("/write/tea").await;
    assert!(set(&reply).contains("; Max-Age=600;"), "{}", set(&reply));
    site.clock.advance(Duration::from_secs(600));
    assert_eq!(browser.get("/read").await.text, "");
}
