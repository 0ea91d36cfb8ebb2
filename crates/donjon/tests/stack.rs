//! The stack from outside: the order of the rooms shows in what each refusal carries, and in what a
//! forgery never reaches.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use donjon::auth::{Auth, AuthError, AuthPolicy, CurrentUser};
use donjon::canonical::CanonicalPolicy;
use donjon::cors::CorsPolicy;
use donjon::csrf::{CsrfPolicy, CsrfToken, ReadBody};
use donjon::form::FormData;
use donjon::https::{HstsScope, HttpsPolicy};
use donjon::session::{SessionFailure, SessionHandle, SessionPolicy};
use donjon::stack::{Stack, StackBuilder};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Scheme, SitePolicy, TrustedOrigins};
use donjon_core::secret::Keys;
use donjon_core::session::Session;
use donjon_core::visit::word;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use site::{Accounts, Browser, PASSWORD, Reply, Sessions, cheap, connection, people};
use tower::{ServiceBuilder, ServiceExt, service_fn};

const FRIEND: &str = "https://app.example";

struct Site {
    sessions: Sessions,
    accounts: Accounts,
    router: Router,
}

impl Site {
    async fn new(change: impl FnOnce(StackBuilder) -> StackBuilder) -> Self {
        Self::with(SessionPolicy::default(), change).await
    }

    async fn with(
        policy: SessionPolicy,
        change: impl FnOnce(StackBuilder) -> StackBuilder,
    ) -> Self {
        let (sessions, accounts) = (Sessions::default(), people().await);
        let users = AuthPolicy::new(&Keys::new("a long random secret")).passwords(cheap());
        let stack = change(builder())
            .sessions(policy, sessions.clone())
            .accounts(users, accounts.clone())
            .build()
            .unwrap();
        Self { sessions, accounts, router: pages().layer(stack.into_layer()) }
    }

    fn browser(&self) -> Browser {
        Browser::new(&self.router)
    }

    fn calls(&self) -> (usize, usize) {
        (self.sessions.calls(), self.accounts.calls())
    }
}

fn builder() -> StackBuilder {
    Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap()))
}

fn cors(builder: StackBuilder) -> StackBuilder {
    builder.cors(CorsPolicy::new([FRIEND]).allow_credentials().build().unwrap())
}

fn pages() -> Router {
    Router::new()
        .route("/", get(async || "home"))
        .route("/form", get(async |token: CsrfToken| token.mint()))
        .route("/login", post(login))
        .route("/who", get(who).post(who))
        .route("/cart", get(cart).post(cart))
        .route("/fail", get(async || StatusCode::INTERNAL_SERVER_ERROR))
}

async fn login(auth: Auth, form: FormData) -> Result<&'static str, AuthError> {
    let field = |name| form.value(name).unwrap_or_default();
    match auth.authenticate(field("username"), field("password")).await? {
        None => Ok("wrong"),
        Some(user) => {
            auth.login(&user).await?;
            Ok("in")
        }
    }
}

async fn who(CurrentUser(user): CurrentUser) -> String {
    user.map_or("nobody".to_owned(), |user| user.username.clone())
}

async fn cart(session: SessionHandle) -> Result<String, SessionFailure> {
    let tea: u32 = session.get("tea").await?.unwrap_or_default();
    session.insert("tea", &(tea + 1)).await?;
    Ok(tea.to_string())
}

/// What the two outermost rooms promise of every response.
fn assert_guarded(reply: &Reply, what: &str) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(reply.header(name), value, "{what}");
    }
    let csp = reply.header("content-security-policy");
    assert!(csp.contains("script-src") && !csp.contains("unsafe-inline"), "{what}: {csp}");
}

fn assert_readable(reply: &Reply, what: &str) {
    assert!(reply.varies("origin"), "{what}");
    assert_eq!(reply.header("access-control-allow-origin"), FRIEND, "{what}");
    assert_eq!(reply.header("access-control-allow-credentials"), "true", "{what}");
}

fn from_friend(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header(header::ORIGIN, FRIEND)
}

#[tokio::test]
async fn rule_1_a_refused_host_gets_all_headers() {
    let site = Site::new(cors).await;
    for host in ["evil.example", "bank.example.evil.example", "bank.example@evil.example", ""] {
        let request = from_friend(Method::GET, "/").header(header::HOST, host);
        let reply = site.browser().send(request, Body::empty()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{host}");
        assert_guarded(&reply, host);
        assert_eq!(reply.header("access-control-allow-origin"), "", "the host comes before CORS");
        assert!(!reply.varies("origin"), "{host}");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn rule_1_every_answer_gets_all_headers_and_may_be_read_by_a_friend() {
    let site = Site::new(cors).await;
    let preflight = || {
        from_friend(Method::OPTIONS, "/cart").header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
    };
    for (what, request, status) in [
        ("a page", from_friend(Method::GET, "/"), 200),
        ("a forgery", from_friend(Method::POST, "/cart"), 403),
        ("an unknown path", from_friend(Method::GET, "/none"), 404),
        ("a wrong method", from_friend(Method::OPTIONS, "/"), 405),
        ("a failure", from_friend(Method::GET, "/fail"), 500),
        ("a preflight", preflight(), 200),
    ] {
        let reply = site.browser().send(request, Body::empty()).await;
        assert_eq!(reply.status.as_u16(), status, "{what}");
        assert_guarded(&reply, what);
        assert_readable(&reply, what);
    }
    site.sessions.go_down();
    let mut visitor = site.browser().with_cookie("sessionid", "12345678");
    for (what, path) in [("a session that fails", "/cart"), ("a user that can't be told", "/who")] {
        let reply = visitor.send(from_friend(Method::GET, path), Body::empty()).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{what}");
        assert_guarded(&reply, what);
        assert_readable(&reply, what);
    }
}

#[tokio::test]
async fn rule_1_a_strangers_script_may_read_nothing() {
    let site = Site::new(cors).await;
    for origin in
        ["https://evil.example", "null", "http://app.example", "https://app.example.evil.example"]
    {
        let request = Request::get("/").header(header::ORIGIN, origin);
        let reply = site.browser().send(request, Body::empty()).await;
        assert_eq!(
            (reply.status, reply.header("access-control-allow-origin")),
            (StatusCode::OK, "")
        );
        assert!(reply.varies("origin"), "or a cache answers the friend with this");
    }
}

#[tokio::test]
async fn rule_1_a_path_that_cors_does_not_reach_is_the_same_for_all_origins() {
    let form_only = |builder: StackBuilder| {
        builder.cors(CorsPolicy::new([FRIEND]).allow_path("/form").build().unwrap())
    };
    let site = Site::new(form_only).await;
    for (path, varies) in [("/", false), ("/form", true)] {
        let reply = site.browser().send(from_friend(Method::GET, path), Body::empty()).await;
        assert_eq!((reply.status, reply.varies("origin")), (StatusCode::OK, varies), "{path}");
    }
}

#[tokio::test]
async fn rule_1_a_preflight_reaches_no_store_and_no_handler() {
    let site = Site::new(cors).await;
    let request =
        from_friend(Method::OPTIONS, "/cart").header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
    let mut visitor = site.browser().with_cookie("sessionid", "12345678");
    let reply = visitor.send(request, Body::empty()).await;
    assert_eq!((reply.text.as_str(), site.calls()), ("", (0, 0)));
    assert_eq!(reply.set_cookies().count(), 0);
}

#[tokio::test]
async fn rule_1_visitors_in_clear_are_sent_to_https_on_a_host_that_was_checked() {
    let policy = HttpsPolicy::default()
        .redirect()
        .hsts(std::time::Duration::from_secs(3600), HstsScope::Subdomains);
    let site = Site::new(|builder| builder.https(policy)).await;
    let reply = site.browser().get("/cart?a=b").await;
    assert_eq!(reply.status, StatusCode::MOVED_PERMANENTLY);
    assert_eq!(reply.header("location"), "https://bank.example/cart?a=b");
    assert_eq!((reply.header("strict-transport-security"), site.calls()), ("", (0, 0)));
    assert_guarded(&reply, "a redirect");
    let request = Request::get("/").header(header::HOST, "evil.example");
    let reply = site.browser().send(request, Body::empty()).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::BAD_REQUEST, ""));
    let reply = site.browser().over_https().get("/").await;
    assert_eq!(reply.header("strict-transport-security"), "max-age=3600; includeSubDomains");
}

#[tokio::test]
async fn rule_1_a_preflight_is_not_redirected_and_a_redirect_may_be_read() {
    let canonical = CanonicalPolicy::default().prepend_www();
    let site = Site::new(|builder| cors(builder).canonical(canonical)).await;
    let preflight =
        from_friend(Method::OPTIONS, "/").header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
    let reply = site.browser().send(preflight, Body::empty()).await;
    assert_eq!(reply.status, StatusCode::OK);
    let reply = site.browser().send(from_friend(Method::GET, "/"), Body::empty()).await;
    assert_eq!(reply.status, StatusCode::MOVED_PERMANENTLY);
    assert_guarded(&reply, "a redirect");
    assert_readable(&reply, "a redirect");
}

#[tokio::test]
async fn rule_1_a_page_that_was_not_found_is_looked_for_with_a_slash() {
    let canonical = CanonicalPolicy::default().append_slash(|path| path == "/account/");
    let site = Site::new(|builder| cors(builder).canonical(canonical)).await;
    let reply = site.browser().send(from_friend(Method::GET, "/account?a=b"), Body::empty()).await;
    assert_eq!(reply.headers[header::LOCATION], "/account/?a=b");
    assert_guarded(&reply, "a redirect");
    assert_readable(&reply, "a redirect");
    let reply = site.browser().send(from_friend(Method::GET, "/none"), Body::empty()).await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn rule_1_a_forgery_reaches_neither_sessions_nor_accounts() {
    for change in [
        |builder: StackBuilder| builder,
        |builder: StackBuilder| builder.csrf(CsrfPolicy::default().in_session(None)),
    ] {
        let site = Site::new(change).await;
        let mut visitor = site
            .browser()
            .with_cookie("sessionid", "12345678")
            .with_cookie("csrftoken", "KJVPB3v6vZ2mXkzWQqk1dN7rT0aYhCsE");
        for path in ["/cart", "/who", "/login"] {
            let request = Request::post(path).header(header::ORIGIN, "https://evil.example");
            let reply = visitor.send(request, Body::empty()).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}");
            assert_eq!(reply.set_cookies().count(), 0, "{path}");
        }
        assert_eq!(site.calls(), (0, 0));
    }
}

#[tokio::test]
async fn rule_1_a_page_that_touches_nothing_costs_nothing() {
    for change in [
        |builder: StackBuilder| builder,
        |builder: StackBuilder| builder.csrf(CsrfPolicy::default().in_session(None)),
    ] {
        let site = Site::new(change).await;
        for path in ["/", "/none", "/fail"] {
            let reply = site.browser().get(path).await;
            assert_eq!((reply.set_cookies().count(), site.calls()), (0, (0, 0)), "{path}");
        }
    }
    let site = Site::new(|builder| builder).await;
    let reply = site.browser().with_cookie("sessionid", "12345678").get("/").await;
    assert_eq!((site.calls(), reply.varies("cookie")), ((0, 0), false));
}

#[tokio::test]
async fn rule_1_two_cookies_of_two_rooms_stand_beside_each_other() {
    let site = Site::new(|builder| builder).await;
    let mut browser = site.browser();
    let token = browser.get("/form").await.text;
    let fields = [("username", "alice"), ("password", PASSWORD), ("csrfmiddlewaretoken", &token)];
    let reply = browser.post("/login", &fields).await;
    assert!(reply.set_cookie("csrftoken").is_some() && reply.set_cookie("sessionid").is_some());
    assert!(reply.varies("cookie"));
    assert_eq!(browser.get("/who").await.text, "alice");
}

#[tokio::test]
async fn rule_1_a_friend_may_read_but_not_write_unless_trusted() {
    let site = Site::new(cors).await;
    let mut browser = site.browser();
    let token = browser.get("/form").await.text;
    let post = || from_friend(Method::POST, "/cart").header("x-csrftoken", &token);
    assert_eq!(browser.send(post(), Body::empty()).await.status, StatusCode::FORBIDDEN);

    let trust = CsrfPolicy::default().trust(TrustedOrigins::new([FRIEND]).unwrap());
    let site = Site::new(|builder| cors(builder).csrf(trust)).await;
    assert_eq!(browser.on(&site.router).send(post(), Body::empty()).await.text, "0");
}

#[tokio::test]
async fn rule_1_csrf_secrets_can_be_kept_in_the_session() {
    let site = Site::new(|builder| builder.csrf(CsrfPolicy::default().in_session(None))).await;
    let mut browser = site.browser();
    let reply = browser.get("/form").await;
    assert!(reply.set_cookie("csrftoken").is_none() && reply.set_cookie("sessionid").is_some());
    let old = reply.text;
    assert_eq!(browser.post("/cart", &[("csrfmiddlewaretoken", &old)]).await.text, "0");
    assert_eq!(browser.post("/cart", &[]).await.status, StatusCode::FORBIDDEN);

    let fields = [("username", "alice"), ("password", PASSWORD), ("csrfmiddlewaretoken", &old)];
    assert_eq!(browser.post("/login", &fields).await.text, "in");
    let refused = browser.post("/cart", &[("csrfmiddlewaretoken", &old)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let new = browser.get("/form").await.text;
    assert_eq!(browser.post("/cart", &[("csrfmiddlewaretoken", &new)]).await.text, "1");
}

#[tokio::test]
async fn rule_1_hardened_from_the_login_page_to_the_first_payment() {
    let hardened = SessionPolicy::hardened();
    let csrf = CsrfPolicy::hardened(hardened.cookie_name());
    let site = Site::with(hardened, |builder| builder.csrf(csrf)).await;
    let mut alice = site.browser().over_https();

    let before = alice.get("/form").await.text;
    assert!(alice.cookie("__Host-csrftoken").is_some());
    let fields = [("username", "alice"), ("password", PASSWORD), ("csrfmiddlewaretoken", &before)];
    let reply = alice.post("/login", &fields).await;
    assert_eq!(reply.text, "in");
    for name in ["__Host-csrftoken", "__Host-sessionid"] {
        let cookie = reply.set_cookie(name).unwrap();
        assert!(cookie.contains("; Path=/;") && cookie.ends_with("; Secure"), "{cookie}");
        assert!(cookie.contains("; HttpOnly;") && !cookie.contains("Domain"), "{cookie}");
    }

    let refused = alice.post("/cart", &[("csrfmiddlewaretoken", &before)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let after = alice.get("/form").await.text;
    assert_eq!(alice.post("/cart", &[("csrfmiddlewaretoken", &after)]).await.text, "0");

    // A token is worth nothing in another session, though the attacker plants the secret's cookie.
    let mut mallory = site.browser().over_https();
    let token = mallory.get("/form").await.text;
    let secret = mallory.cookie("__Host-csrftoken").unwrap();
    let mut victim = alice.clone().with_cookie("__Host-csrftoken", secret);
    let refused = victim.post("/cart", &[("csrfmiddlewaretoken", &token)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn rule_1_a_planted_session_cookie_does_not_keep_a_hardened_visitor_out() {
    let hardened = SessionPolicy::hardened();
    let csrf = CsrfPolicy::hardened(hardened.cookie_name());
    let site = Site::with(hardened, |builder| builder.csrf(csrf)).await;
    for planted in ["x", "attackers-wish-attackers-wish", "\"a\\073b\""] {
        let mut alice = site.browser().over_https().with_cookie("__Host-sessionid", planted);
        let token = alice.get("/form").await.text;
        let fields =
            [("username", "alice"), ("password", PASSWORD), ("csrfmiddlewaretoken", &token)];
        assert_eq!(alice.post("/login", &fields).await.text, "in", "{planted}");
        assert_ne!(alice.cookie("__Host-sessionid").unwrap(), planted);
    }
}

#[tokio::test]
async fn rule_2_all_is_on_unless_somebody_says_otherwise() {
    let stack = builder().build().unwrap();
    let router: Router =
        Router::new().route("/", get(async || "").post(async || "")).layer(stack.into_layer());
    let reply = Browser::new(&router).get("/").await;
    assert_guarded(&reply, "a page");
    assert_eq!(reply.header("access-control-allow-origin"), "");
    assert!(!reply.varies("origin"));
    assert_eq!(Browser::new(&router).post("/", &[]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn any_tower_service_can_stand_inside_without_a_router() {
    async fn handler(
        request: Request<ReadBody<Full<Bytes>>>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let session: Session = word(request.extensions()).unwrap();
        session.insert("tea", &1).await.unwrap();
        let token = word::<CsrfToken>(request.extensions()).unwrap().mint();
        Ok(Response::new(Full::from(token)))
    }
    let sessions = Sessions::default();
    let stack = builder().sessions(SessionPolicy::default(), sessions.clone()).build().unwrap();
    let service = ServiceBuilder::new().layer(stack.into_layer()).service(service_fn(handler));
    let request = |method: Method| {
        Request::builder()
            .method(method)
            .header(header::HOST, "bank.example")
            .extension(connection(Scheme::Https))
            .body(Full::<Bytes>::default())
            .unwrap()
    };
    let response = service.clone().oneshot(request(Method::GET)).await.unwrap();
    assert_eq!(response.headers()["x-frame-options"], "DENY");
    assert_eq!(response.headers().get_all(header::SET_COOKIE).iter().count(), 2);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 64);
    let refused = service.oneshot(request(Method::POST)).await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(sessions.inner.len(), 1);
}
