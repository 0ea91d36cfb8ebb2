//! Messages from outside, rule by rule of their module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use donjon::csrf::CsrfPolicy;
use donjon::messages::{Level, MAX_COOKIE, MAX_MESSAGES, Messages, MessagesPolicy, Storage};
use donjon::page::{Page, PageError};
use donjon::routes::Routes;
use donjon::session::{SessionFailure, SessionPolicy};
use donjon::stack::{Stack, StackError};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::SitePolicy;
use donjon_core::secret::Keys;
use donjon_html::template::Templates;
use donjon_html::{Markup, context};
use http::StatusCode;
use site::{Browser, Reply, Sessions};

const PAGES: [(&str, &str); 3] = [
    ("show", "{% for m in messages %}[{{ m.tags }}|{{ m.level }}|{{ m }}]{% endfor %}"),
    ("count", "{% if messages %}{{ messages|length }} waiting{% endif %}"),
    ("plain", "nothing"),
];

struct Site {
    sessions: Sessions,
    router: Router,
}

fn keys() -> Keys {
    Keys::new("a long random secret")
}

impl Site {
    fn new(policy: MessagesPolicy) -> Self {
        let sessions = Sessions::default();
        let stack = Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap()))
            .csrf(CsrfPolicy::default())
            .sessions(SessionPolicy::default(), sessions.clone())
            .messages(policy)
            .build()
            .unwrap();
        let router = Routes::new()
            .path("/say/{text}", get(say))
            .path("/shout/{count}", get(shout))
            .path("/markup/", get(markup))
            .path("/below/", get(below))
            .path("/fail/", get(fail))
            .path("/page/{page}", get(show))
            .path("/save/", post(async || "saved"))
            .into_router(stack, Templates::new(PAGES).unwrap())
            .unwrap();
        Self { sessions, router }
    }

    fn of(storage: Storage) -> Self {
        Self::new(MessagesPolicy::new(&keys()).storage(storage))
    }

    fn browser(&self) -> Browser {
        Browser::new(&self.router)
    }
}

async fn say(messages: Messages, Path(text): Path<String>) -> &'static str {
    messages.add_tagged(Level::WARNING, text, "loud");
    "said"
}

/// So many messages that don't compress well.
async fn shout(messages: Messages, Path(count): Path<u64>) -> &'static str {
    for number in 1..=count {
        messages.info(noise(number));
    }
    "said"
}

fn noise(number: u64) -> String {
    let mix = |factor: u64| number.wrapping_mul(factor);
    format!("{:020}{:020}", mix(0x9E37_79B9_7F4A_7C15), mix(0xD1B5_4A32_D192_ED03))
}

async fn markup(messages: Messages) -> &'static str {
    messages.success(Markup::danger_trusted("<b>good</b>"));
    messages.success("<b>bad</b>");
    "said"
}

async fn below(messages: Messages) -> &'static str {
    messages.debug("for developers");
    messages.info("");
    messages.set_level(Some(Level::DEBUG));
    messages.debug("now for everybody");
    messages.set_level(None);
    messages.debug("and not again");
    "said"
}

async fn fail(messages: Messages) -> Result<(StatusCode, &'static str), SessionFailure> {
    messages.take().await?;
    messages.error("it broke");
    Ok((StatusCode::INTERNAL_SERVER_ERROR, "broken"))
}

async fn show(page: Page, Path(name): Path<String>) -> Result<Response, PageError> {
    page.render(&name, context! {}).await
}

fn cookie(reply: &Reply) -> Option<&str> {
    reply.set_cookie("messages")
}

const STORAGES: [Storage; 3] = [Storage::CookieThenSession, Storage::Cookie, Storage::Session];

#[tokio::test]
async fn rule_4_a_message_is_seen_once_on_the_next_page_that_shows_it() {
    for storage in STORAGES {
        let site = Site::of(storage);
        let mut browser = site.browser();
        browser.get("/say/one").await;
        browser.get("/say/two").await;
        assert_eq!(browser.get("/page/plain").await.text, "nothing");
        assert_eq!(browser.get("/page/count").await.text, "2 waiting", "{storage:?}");
        let shown = browser.get("/page/show").await;
        assert_eq!(shown.text, "[loud warning|30|one][loud warning|30|two]", "{storage:?}");
        assert_eq!(browser.get("/page/show").await.text, "", "{storage:?}");
        assert_eq!(browser.cookie("messages"), None);
    }
}

#[tokio::test]
async fn rule_4_a_failure_leaves_what_waits_and_says_nothing_new() {
    for storage in STORAGES {
        let site = Site::of(storage);
        let mut browser = site.browser();
        browser.get("/say/one").await;
        assert_eq!(browser.get("/fail/").await.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(browser.get("/page/show").await.text, "[loud warning|30|one]", "{storage:?}");
    }
}

#[tokio::test]
async fn rule_1_what_the_cookie_has_no_room_for_goes_into_the_session() {
    let site = Site::of(Storage::CookieThenSession);
    let mut browser = site.browser();
    let reply = browser.get("/shout/90").await;
    let value = browser.cookie("messages").unwrap();
    assert!((MAX_COOKIE - 100..=MAX_COOKIE).contains(&value.len()), "{}", value.len());
    let key = browser.cookie("sessionid").unwrap();
    let record = site.sessions.record(&key).await.unwrap();
    let in_session: String = record.data.value("_messages").unwrap().unwrap();
    assert!(in_session.starts_with("[[\"__json_message\", 0, 20, \""), "{in_session}");
    assert!(cookie(&reply).unwrap().contains("; HttpOnly"));
    let shown = browser.get("/page/show").await.text;
    assert_eq!(shown.matches("[info|20|").count(), 90);
    assert!(shown.starts_with(&format!("[info|20|{}]", noise(1))), "the oldest first: {shown}");
    assert_eq!(browser.get("/page/show").await.text, "");
    let record = site.sessions.record(&key).await.unwrap();
    assert!(!record.data.contains("_messages"));
}

#[tokio::test]
async fn rule_1_without_sessions_the_oldest_go() {
    let site = Site::of(Storage::Cookie);
    let mut browser = site.browser();
    browser.get("/shout/90").await;
    assert!(browser.cookie("messages").unwrap().len() <= MAX_COOKIE);
    let shown = browser.get("/page/show").await.text;
    assert!(shown.ends_with(&format!("[info|20|{}]", noise(90))), "{shown}");
    assert!((10..90).contains(&shown.matches('[').count()), "{shown}");
}

#[tokio::test]
async fn rule_2_a_cookie_of_somebody_else_says_nothing_and_goes() {
    let site = Site::of(Storage::CookieThenSession);
    let mut browser = site.browser();
    browser.get("/say/one").await;
    let good = browser.cookie("messages").unwrap();
    let other = MessagesPolicy::new(&Keys::new("another secret"));
    let mut elsewhere = Site::new(other).browser();
    elsewhere.get("/say/forged").await;
    let tampered = format!("X{}", &good[1..]);
    let forged = elsewhere.cookie("messages").unwrap();
    for bad in [forged, tampered, "x".repeat(8000), "::".into(), String::new(), "\"\\377\"".into()]
    {
        let mut victim = site.browser().with_cookie("messages", &bad);
        let reply = victim.get("/page/show").await;
        assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, ""), "{bad}");
        assert_eq!(victim.cookie("messages"), None, "{bad}");
        let mut victim = site.browser().with_cookie("messages", &bad);
        assert_eq!(victim.get("/page/count").await.text, "");
        assert_eq!(victim.cookie("messages"), None, "{bad}");
    }
    let fallback = Keys::new("a new secret").fallback("a long random secret");
    let rotated = Site::new(MessagesPolicy::new(&fallback));
    let reply = browser.on(&rotated.router).get("/page/show").await;
    assert_eq!(reply.text, "[loud warning|30|one]", "signed with the key before");
}

#[tokio::test]
async fn rule_3_text_is_escaped_and_markup_is_not() {
    for storage in STORAGES {
        let mut browser = Site::of(storage).browser();
        browser.get("/markup/").await;
        let expected = "[success|25|<b>good</b>][success|25|&lt;b&gt;bad&lt;/b&gt;]";
        assert_eq!(browser.get("/page/show").await.text, expected, "{storage:?}");
    }
}

#[tokio::test]
async fn rule_5_who_looked_gets_a_page_that_no_cache_keeps() {
    let site = Site::of(Storage::CookieThenSession);
    let mut browser = site.browser();
    browser.get("/say/one").await;
    let plain = browser.get("/page/plain").await;
    assert!(!plain.varies("Cookie") && plain.header("cache-control").is_empty());
    let shown = browser.get("/page/show").await;
    assert!(shown.varies("Cookie"));
    assert_eq!(shown.header("cache-control"), "private, no-store");
    let none = browser.get("/page/show").await;
    assert!(none.varies("Cookie") && none.header("cache-control").is_empty());
}

#[tokio::test]
async fn rule_6_there_are_only_so_many() {
    let mut browser = Site::of(Storage::Session).browser();
    browser.get(&format!("/shout/{}", MAX_MESSAGES + 50)).await;
    let shown = browser.get("/page/show").await.text;
    assert_eq!(shown.matches('[').count(), MAX_MESSAGES);
    let last = noise(MAX_MESSAGES as u64 + 50);
    assert!(shown.ends_with(&format!("{last}]")), "the newest stay: {shown}");
}

#[tokio::test]
async fn rule_7_who_says_nothing_pays_nothing() {
    let site = Site::of(Storage::CookieThenSession);
    let mut browser = site.browser();
    let reply = browser.get("/page/plain").await;
    assert_eq!((reply.set_cookies().count(), site.sessions.calls()), (0, 0));
    let reply = browser.get("/page/show").await;
    assert_eq!((reply.set_cookies().count(), site.sessions.calls()), (0, 0));
    let reply = browser.get("/say/one").await;
    assert_eq!((reply.set_cookies().count(), site.sessions.calls()), (1, 0), "no session is made");
}

#[tokio::test]
async fn levels_decide_what_is_kept() {
    let mut browser = Site::of(Storage::CookieThenSession).browser();
    browser.get("/below/").await;
    assert_eq!(browser.get("/page/show").await.text, "[debug|10|now for everybody]");
    let policy = MessagesPolicy::new(&keys()).level(Level::ERROR);
    let mut browser = Site::new(policy).browser();
    assert_eq!(cookie(&browser.get("/say/one").await), None);
    let policy = MessagesPolicy::new(&keys()).tag(Level::WARNING, "uh-oh");
    let mut browser = Site::new(policy).browser();
    browser.get("/say/one").await;
    assert_eq!(browser.get("/page/show").await.text, "[loud uh-oh|30|one]");
}

#[tokio::test]
async fn a_session_that_is_down_is_503_and_the_message_waits() {
    let site = Site::of(Storage::CookieThenSession);
    let mut browser = site.browser();
    browser.get("/shout/90").await;
    site.sessions.go_down();
    assert_eq!(browser.get("/page/show").await.status, StatusCode::SERVICE_UNAVAILABLE);
    site.sessions.come_up();
    assert_eq!(browser.get("/page/show").await.text.matches('[').count(), 90);
}

#[test]
fn a_stack_without_sessions_says_so_at_once() {
    let stack = || Stack::new(SitePolicy::new(AllowedHosts::local()));
    let Err(errors) = stack().messages(MessagesPolicy::new(&keys())).build() else {
        panic!("there are no sessions")
    };
    assert!(errors.iter().eq([&StackError::MessagesWithoutSessions]));
    let alone = MessagesPolicy::new(&keys()).storage(Storage::Cookie);
    assert!(stack().messages(alone).build().is_ok());
}
