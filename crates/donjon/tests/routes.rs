//! Named routes from outside, rule by rule of their module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use donjon::auth::{Auth, AuthError, AuthPolicy};
use donjon::page::{Page, PageError};
use donjon::routes::{Routes, RoutesError};
use donjon::session::SessionPolicy;
use donjon::stack::Stack;
use donjon_core::host::AllowedHosts;
use donjon_core::origin::SitePolicy;
use donjon_core::secret::Keys;
use donjon_html::context;
use donjon_html::template::Templates;
use http::{Method, Request, StatusCode, header};
use site::{Accounts, Browser, PASSWORD, Sessions, cheap, people};

/// How often a handler ran.
type Runs = Arc<AtomicUsize>;

struct Site {
    accounts: Accounts,
    runs: Runs,
    router: Router,
}

impl Site {
    async fn new() -> Self {
        let (accounts, runs) = (people().await, Runs::default());
        let router = routes().into_router(stack(&accounts), templates()).unwrap();
        Self { accounts, router: router.with_state(Arc::clone(&runs)), runs }
    }

    fn browser(&self) -> Browser {
        Browser::new(&self.router)
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

fn stack(accounts: &Accounts) -> Stack {
    let users =
        AuthPolicy::new(&Keys::new("a long random secret")).passwords(cheap()).login_url("/enter/");
    Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap()))
        .sessions(SessionPolicy::default(), Sessions::default())
        .accounts(users, accounts.clone())
        .build()
        .unwrap()
}

fn templates() -> Templates {
    Templates::new([
        (
            "links.html",
            r#"<a href="{% url 'item' 7 %}"></a><a href="{% url 'file' path=path %}"></a>"#,
        ),
        ("none.html", "No {{ request.path }} here."),
        ("dangling.html", r#"<a href="{% url 'nowhere' %}"></a>"#),
    ])
    .unwrap()
}

fn routes() -> Routes<Runs> {
    Routes::new()
        .path("/enter/", get(enter))
        .path("/pay/", post(run))
        .name("pay")
        .path("/hook/", post(run))
        .csrf_exempt()
        .path("/script/", get(run))
        .ensure_csrf_cookie()
        .path("/private/", get(run).post(run))
        .login_required()
        .path("/links/", get(links))
        .path("/dangling/", get(dangling))
        .path("/items/{id}/", get(run))
        .name("item")
        .path("/files/{*path}", get(run))
        .name("file")
        .not_found(none)
}

async fn run(State(runs): State<Runs>) -> &'static str {
    runs.fetch_add(1, Ordering::SeqCst);
    "ran"
}

async fn enter(auth: Auth) -> Result<(), AuthError> {
    let user = auth.authenticate("alice", PASSWORD).await?.unwrap();
    auth.login(&user).await
}

#[derive(serde::Deserialize)]
struct Target {
    path: String,
}

async fn links(page: Page, Query(target): Query<Target>) -> Result<Response, PageError> {
    page.render("links.html", context! { path: target.path }).await
}

async fn dangling(page: Page) -> Result<Response, PageError> {
    page.render("dangling.html", context! {}).await
}

async fn none(page: Page) -> Result<Response, PageError> {
    page.status(StatusCode::NOT_FOUND).render("none.html", context! {}).await
}

#[tokio::test]
async fn rule_1_a_route_is_checked_unless_it_is_exempt() {
    let site = Site::new().await;
    assert_eq!(site.browser().post("/pay/", &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(site.runs(), 0);
    let request = Request::post("/hook/").header(header::ORIGIN, "https://payments.example");
    let reply = site.browser().send(request, Body::from("{}")).await;
    assert_eq!((reply.text.as_str(), site.runs()), ("ran", 1));
    assert_eq!(reply.set_cookies().count(), 0);
}

#[tokio::test]
async fn rule_1_an_exemption_is_of_one_route_only() {
    let site = Site::new().await;
    for path in ["/pay/", "/private/", "/hook/../pay/", "//hook/", "/hook"] {
        let reply = site.browser().post(path, &[]).await;
        assert!(matches!(reply.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{path}");
    }
    assert_eq!(site.runs(), 0);
}

#[tokio::test]
async fn rule_1_the_cookie_can_be_ensured() {
    let site = Site::new().await;
    let mut browser = site.browser();
    let reply = browser.get("/script/").await;
    assert!(reply.set_cookie("csrftoken").is_some() && reply.varies("cookie"));
    assert_eq!(reply.header("cache-control"), "private, no-store");
    let secret = browser.cookie("csrftoken").unwrap();
    assert_eq!(browser.post("/pay/", &[("csrfmiddlewaretoken", &secret)]).await.text, "ran");
}

#[tokio::test]
async fn rule_1_pages_for_users_send_strangers_to_the_login_page() {
    let site = Site::new().await;
    let mut browser = site.browser();
    let reply = browser.get("/private/?a=b").await;
    assert_eq!(reply.status, StatusCode::FOUND);
    assert_eq!(reply.header("location"), "/enter/?next=/private/%3Fa%3Db");
    assert_eq!(reply.header("x-frame-options"), "DENY");
    assert_eq!(site.runs(), 0);
    browser.get("/enter/").await;
    assert_eq!(browser.get("/private/").await.text, "ran");
    site.accounts.go_down();
    assert_eq!(browser.get("/private/").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn rule_1_a_forgery_is_refused_before_anybody_asks_for_the_user() {
    let site = Site::new().await;
    let mut browser = site.browser();
    browser.get("/enter/").await;
    let asked = site.accounts.calls();
    let request = Request::post("/private/").header(header::ORIGIN, "https://evil.example");
    assert_eq!(browser.send(request, Body::empty()).await.status, StatusCode::FORBIDDEN);
    assert_eq!((site.accounts.calls(), site.runs()), (asked, 0));
}

#[tokio::test]
async fn rule_2_links_are_made_of_names_and_arguments() {
    let site = Site::new().await;
    let reply = site.browser().get("/links/?path=a%20b/c%3Fd").await;
    assert_eq!(reply.text, r#"<a href="/items/7/"></a><a href="/files/a%20b/c%3Fd"></a>"#);
}

#[tokio::test]
async fn rules_2_and_3_an_address_that_cannot_be_is_500_and_tells_nothing() {
    let site = Site::new().await;
    for path in ["/links/?path=//evil.example", "/links/?path=..", "/links/?path=", "/dangling/"] {
        let reply = site.browser().get(path).await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert_eq!(reply.text, "Internal Server Error\n");
    }
}

#[tokio::test]
async fn rule_2_an_argument_cannot_lead_off_its_route() {
    async fn link(page: Page) -> impl IntoResponse {
        [page.url("item", &["/evil.example"]), page.url("file", &["a/b?c#d"]), page.url("x", &[])]
            .map(|address| address.unwrap_or_default())
            .join(" ")
    }
    let routes = Routes::<()>::new()
        .path("/", get(link))
        .path("/{item}", get(async || ""))
        .name("item")
        .path("/files/{*path}", get(async || ""))
        .name("file");
    let router = routes.into_router(stack(&people().await), templates()).unwrap();
    let reply = Browser::new(&router).get("/").await;
    assert_eq!(reply.text, "/%2Fevil.example /files/a/b%3Fc%23d ");
}

#[tokio::test]
async fn rule_3_two_routes_of_one_name_are_an_error_at_the_start() {
    let routes = Routes::<()>::new()
        .path("/a/", get(async || ""))
        .name("x")
        .path("/b/", get(async || ""))
        .name("x");
    let error = routes.into_router(stack(&people().await), templates()).err();
    assert_eq!(error, Some(RoutesError::NameTaken("x".to_owned())));
}

#[tokio::test]
async fn rule_4_an_unknown_path_is_a_404_without_a_csrf_verdict() {
    let site = Site::new().await;
    for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
        let request = Request::builder()
            .method(method.clone())
            .uri("/none/%3Cb%3E")
            .header(header::ORIGIN, "https://evil.example");
        let reply = site.browser().send(request, Body::empty()).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{method}");
        assert_eq!(reply.text, "No /none/%3Cb%3E here.");
        assert_eq!(reply.header("x-frame-options"), "DENY");
        assert_ne!(reply.header("content-security-policy"), "");
    }
    let request = Request::get("/none/").header(header::HOST, "evil.example");
    let reply = site.browser().send(request, Body::empty()).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn rule_4_without_a_page_of_its_own_a_404_is_plain() {
    let routes = Routes::<()>::new().path("/", get(async || ""));
    let router = routes.into_router(stack(&people().await), templates()).unwrap();
    let reply = Browser::new(&router).get("/none/").await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::NOT_FOUND, "Not Found\n"));
}

#[tokio::test]
async fn a_method_that_a_route_does_not_know_is_405_with_all_headers() {
    let site = Site::new().await;
    for (method, path) in
        [(Method::GET, "/pay/"), (Method::OPTIONS, "/links/"), (Method::DELETE, "/hook/")]
    {
        let request = Request::builder().method(method).uri(path);
        let reply = site.browser().send(request, Body::empty()).await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY");
        assert_ne!(reply.header("allow"), "");
    }
    assert_eq!(site.runs(), 0);
}

#[tokio::test]
async fn two_routes_of_one_site_share_their_sessions() {
    let site = Site::new().await;
    let mut browser = site.browser();
    browser.get("/enter/").await;
    browser.get("/script/").await;
    assert_eq!(browser.get("/private/").await.text, "ran");
}
