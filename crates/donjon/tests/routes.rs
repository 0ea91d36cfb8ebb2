//! Named routes from outside, rule by rule of their module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use donjon::auth::{Auth, AuthError, AuthPolicy, PermissionPolicy};
use donjon::cors::CorsPolicy;
use donjon::csp::{CspPolicy, Directive, Source};
use donjon::names::PathError;
use donjon::page::{Page, PageError};
use donjon::routes::{RoutePolicy, Routes, RoutesError, TrailingSlash};
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
    assert_eq!(reply.text, " /files/a/b%3Fc%23d ");
}

#[tokio::test]
async fn rule_3_two_routes_of_one_name_are_an_error_at_the_start() {
    let routes = Routes::<()>::new()
        .path("/a/", get(async || ""))
        .name("x")
        .path("/b/", get(async || ""))
        .name("x");
    assert_eq!(mistakes(routes).await, [RoutesError::NameTaken("x".to_owned())]);
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

/// What the site of these routes says at its start.
async fn mistakes(routes: Routes) -> Vec<RoutesError> {
    let errors = routes.into_router(stack(&people().await), templates()).err();
    errors.iter().flat_map(|errors| errors.iter().cloned()).collect()
}

async fn browser(routes: Routes) -> Browser {
    Browser::new(&routes.into_router(stack(&people().await), templates()).unwrap())
}

#[tokio::test]
async fn rule_2_an_argument_that_does_not_fit_leads_to_no_route() {
    let routes = Routes::new()
        .path("/n/<int:n>/", get(async |Path(n): Path<u64>| n.to_string()).post(async || ""))
        .path("/s/<slug:s>/", get(async |Path(s): Path<String>| s))
        .path("/u/<uuid:u>/", get(async |Path(u): Path<String>| u))
        .path("/t/<t>/", get(async |Path(t): Path<String>| t))
        .path("/p/<path:p>", get(async |Path(p): Path<String>| p))
        .not_found(none);
    let mut browser = browser(routes).await;
    let uuid = "075194d3-6885-417e-a8a8-6c931e272f00";
    for (path, text) in [
        ("/n/7/", "7"),
        ("/n/%37/", "7"),
        ("/s/a-B_9/", "a-B_9"),
        (&*format!("/u/{uuid}/"), uuid),
        ("/t/a%20b/", "a b"),
        ("/p/a/b%20c", "a/b c"),
    ] {
        assert_eq!(browser.get(path).await.text, text, "{path}");
    }
    for argument in ["a.b", "7%0a", "7%00", "7%2f", "7%5c", "%2e%2e", "%FF", "7%250a", "75194D3 "] {
        let argument = argument.replace(' ', "%20");
        for kind in ["n", "s", "u"] {
            let path = format!("/{kind}/{argument}/");
            let reply = browser.get(&path).await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
            assert!(reply.text.starts_with("No /"), "{path}");
            assert_eq!(reply.header("x-frame-options"), "DENY");
        }
    }
    for path in ["/t/a%2Fb/", "/p/a%0ab"] {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn rules_2_and_4_an_argument_that_does_not_fit_gets_no_verdict() {
    let routes = Routes::new().path("/n/<int:n>/", post(async || "ran"));
    let mut browser = browser(routes).await;
    let forged = |path| Request::post(path).header(header::ORIGIN, "https://evil.example");
    let reply = browser.send(forged("/n/x/"), Body::empty()).await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::NOT_FOUND, "Not Found\n"));
    assert_eq!(reply.set_cookies().count(), 0);
    let reply = browser.send(forged("/n/7/"), Body::empty()).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn rule_3_all_mistakes_are_said_at_once() {
    let ok = || get(async || "");
    let routes = Routes::<()>::new()
        .login_required()
        .path("/a/<int:id>/", ok())
        .name("x")
        .path("/a/{id}/", ok())
        .path("/b/<float:id>/", ok())
        .path("/c/", ok())
        .name("y:z")
        .include("/d/", "shop", Routes::new().path("/", ok()))
        .csrf_exempt()
        .include("/e/", "shop", Routes::new().path("/", ok()).not_found(async || ""))
        .path("/f/", ok())
        .permission_required(PermissionPolicy::new("bank.fine").and("desk").and(""));
    let path = |path: &str, error| RoutesError::Path { path: path.to_owned(), error };
    let permission = |permission: &str| RoutesError::Permission {
        path: "/f/".to_owned(),
        permission: permission.to_owned(),
    };
    let mut found = mistakes(routes).await;
    let mut expected = vec![
        RoutesError::NoRoute("login_required"),
        RoutesError::NoRoute("csrf_exempt"),
        RoutesError::Name("y:z".to_owned()),
        RoutesError::NamespaceTaken("shop".to_owned()),
        RoutesError::NotFoundInside("/e/".to_owned()),
        permission("desk"),
        permission(""),
        path("/a/{id}/", PathError::Taken("/a/{id}/".to_owned())),
        path("/b/<float:id>/", PathError::Converter("float".to_owned())),
    ];
    found.sort_by_key(ToString::to_string);
    expected.sort_by_key(ToString::to_string);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn rule_5_names_and_paths_stand_behind_their_includes() {
    async fn link(page: Page) -> String {
        let links =
            [("shop:list", &[][..]), ("shop:old:item", &["7"]), ("plain", &[]), ("item", &["7"])];
        links.map(|(name, args)| page.url(name, args).unwrap_or_default()).join(" ")
    }
    let old = Routes::new().path("<int:id>/", get(link)).name("item");
    let shop = Routes::new().path("/", get(link)).name("list").include("old", "old", old);
    let plain = Routes::new().path("/plain", get(link)).name("plain");
    let routes = Routes::new().include("/shop/", "shop", shop).include("/", "", plain);
    let mut browser = browser(routes).await;
    for path in ["/shop/", "/shop/old/1/", "/plain"] {
        assert_eq!(browser.get(path).await.text, "/shop/ /shop/old/7/ /plain ", "{path}");
    }
}

#[tokio::test]
async fn rule_5_an_include_is_protected_as_a_whole() {
    let staff = Routes::new()
        .path("/early/", get(async || "ran"))
        .path("/open/", get(async || "ran"))
        .login_not_required()
        .protect_all(RoutePolicy::new().login_required())
        .path("/late/", get(async || "ran"));
    let api = Routes::new()
        .protect_all(RoutePolicy::new().csrf_exempt())
        .path("/hook/", post(async || "ran"))
        .path("/form/", post(async || "ran"))
        .csrf_protect();
    let routes = Routes::new().include("/staff/", "staff", staff).include("/api/", "api", api);
    let mut browser = browser(routes).await;
    for path in ["/staff/early/", "/staff/late/"] {
        assert_eq!(browser.get(path).await.status, StatusCode::FOUND, "{path}");
    }
    assert_eq!(browser.get("/staff/open/").await.text, "ran");
    let forged = |path| Request::post(path).header(header::ORIGIN, "https://evil.example");
    assert_eq!(browser.send(forged("/api/hook/"), Body::empty()).await.text, "ran");
    let refused = browser.send(forged("/api/form/"), Body::empty()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn rule_5_a_permission_that_an_include_demands_stays_demanded() {
    let staff = Routes::new()
        .protect_all(RoutePolicy::new().permission_required("bank.view_desk"))
        .path("/", get(async || "ran"))
        .path("/users/", get(async || "ran"))
        .login_required()
        .path("/till/", get(async || "ran"))
        .permission_required("bank.use_till")
        .path("/open/", get(async || "ran"))
        .login_not_required();
    let routes = Routes::new()
        .path("/enter/", get(enter))
        .include("/desk/", "desk", staff)
        .path("/hook/", get(async || "ran").post(async || "ran"))
        .permission_required("bank.view_desk");
    let accounts = people().await;
    let router = routes.into_router(stack(&accounts), templates()).unwrap();
    let mut browser = Browser::new(&router);
    let reply = browser.get("/desk/").await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (StatusCode::FOUND, "/enter/?next=/desk/")
    );
    let reply = browser.post("/hook/", &[]).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "a forgery is refused before the guard asks");
    browser.get("/enter/").await;
    let paths = ["/desk/", "/desk/users/", "/desk/till/", "/hook/", "/desk/open/"];
    for (granted, open) in [(None, 1), (Some("bank.view_desk"), 4), (Some("bank.use_till"), 5)] {
        if let Some(permission) = granted {
            accounts.inner.grant(1, permission).unwrap();
        }
        let mut ran = 0;
        for path in paths {
            let reply = browser.get(path).await;
            let expected = if reply.text == "ran" { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(
                (reply.status, reply.header("x-frame-options")),
                (expected, "DENY"),
                "{path}"
            );
            ran += usize::from(reply.status == StatusCode::OK);
        }
        assert_eq!(ran, open, "{granted:?}");
    }
}

#[tokio::test]
async fn rule_1_a_route_changes_what_its_site_says() {
    let ok = || get(async || "");
    let cors = CorsPolicy::new(["https://app.example"]).build().unwrap();
    let routes = Routes::new()
        .path("/plain/", ok())
        .path("/deny/", ok())
        .xframe_deny()
        .path("/framed/", ok())
        .xframe_sameorigin()
        .csp_update(|site| site.allow(Directive::FrameAncestors, Source::SELF))
        .path("/bare/", ok())
        .xframe_exempt()
        .csp_exempt()
        .path("/own/", ok())
        .csp(CspPolicy::new([(Directive::Default, vec![Source::NONE])]).unwrap())
        .path("/api/", ok())
        .cors(cors);
    let mut browser = browser(routes).await;
    let strict = browser.get("/plain/").await.header("content-security-policy").to_owned();
    for (path, framing, csp) in [
        ("/plain/", "DENY", &*strict),
        ("/deny/", "DENY", &strict),
        (
            "/framed/",
            "SAMEORIGIN",
            &strict.replace("frame-ancestors 'none'", "frame-ancestors 'self'"),
        ),
        ("/bare/", "", ""),
        ("/own/", "DENY", "default-src 'none'"),
    ] {
        let reply = browser.get(path).await;
        assert_eq!(reply.header("x-frame-options"), framing, "{path}");
        assert_eq!(reply.header("content-security-policy"), csp, "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
    }
    for (path, allowed) in [("/api/", "https://app.example"), ("/plain/", ""), ("/none/", "")] {
        for method in [Method::GET, Method::OPTIONS] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(header::ORIGIN, "https://app.example")
                .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET");
            let reply = browser.send(request, Body::empty()).await;
            assert_eq!(reply.header("access-control-allow-origin"), allowed, "{path}");
        }
    }
}

#[tokio::test]
async fn rule_1_the_policies_are_layers_for_plain_routers() {
    let stack = stack(&people().await);
    let layer = |policy: RoutePolicy| stack.for_route(&policy).unwrap();
    let ok = || get(async || "ran").post(async || "ran");
    let router = Router::new()
        .route("/pay/", ok().layer(layer(RoutePolicy::new())))
        .route("/hook/", ok().layer(layer(RoutePolicy::new().csrf_exempt().xframe_sameorigin())))
        .route("/private/", ok().layer(layer(RoutePolicy::new().login_required())))
        .route("/script/", ok().layer(layer(RoutePolicy::new().ensure_csrf_cookie())));
    let mut browser = Browser::new(&router);
    assert_eq!(browser.post("/pay/", &[]).await.status, StatusCode::FORBIDDEN);
    let reply = browser.post("/hook/", &[]).await;
    assert_eq!((reply.text.as_str(), reply.header("x-frame-options")), ("ran", "SAMEORIGIN"));
    let reply = browser.get("/private/").await;
    assert_eq!((reply.status, reply.header("x-frame-options")), (StatusCode::FOUND, "DENY"));
    assert!(browser.get("/script/").await.set_cookie("csrftoken").is_some());
}

#[tokio::test]
async fn rule_6_a_slash_is_added_where_that_leads_to_a_route() {
    let ok = || get(async || "ran").post(async || "ran");
    let routes = || {
        Routes::new()
            .path("/items/<int:id>/", ok())
            .path("/bare", ok())
            .path("/<a>/<b>/", ok())
            .path("/<a>/", ok())
    };
    let mut browser = browser(routes()).await;
    for (path, address) in [
        ("/items/7", "/items/7/"),
        ("/items/7?a=b/c&d", "/items/7/?a=b/c&d"),
        ("/x", "/x/"),
        ("/\\evil.example", "/%5Cevil.example/"),
        ("/%5Cevil.example/a", "/%5Cevil.example/a/"),
    ] {
        let reply = browser.get(path).await;
        assert_eq!(reply.status, StatusCode::MOVED_PERMANENTLY, "{path}");
        assert_eq!(reply.header("location"), address, "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
    }
    for path in ["/items/x/y", "/bare/", "/a/b/c", "//evil.example", "//evil.example/a", "//a/b/c"]
    {
        let reply = browser.get(path).await;
        assert!(!reply.header("location").starts_with("//"), "{path}");
        assert!(path == "/bare/" || reply.status == StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(browser.post("/items/7", &[]).await.status, StatusCode::NOT_FOUND);
    let request = Request::head("/items/7");
    let reply = browser.send(request, Body::empty()).await;
    assert_eq!(reply.status, StatusCode::MOVED_PERMANENTLY);
    let request = Request::get("/items/7").header(header::HOST, "evil.example");
    let reply = browser.send(request, Body::empty()).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::BAD_REQUEST, ""));
    let left = routes().trailing_slash(TrailingSlash::Leave);
    let mut left = Browser::new(&left.into_router(stack(&people().await), templates()).unwrap());
    assert_eq!(left.get("/items/7").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn rule_6_a_path_of_anything_leads_to_no_other_host() {
    let routes = Routes::new().path("/<path:anything>/", get(async || ""));
    assert_eq!(mistakes(routes).await.len(), 1);
    let routes = Routes::new().path("/<a>/<path:rest>", get(async || ""));
    let mut browser = browser(routes).await;
    for path in ["//evil.example/a", "//evil.example", "///evil.example"] {
        assert_eq!(browser.get(path).await.header("location"), "", "{path}");
    }
    // Only what takes an empty segment as an argument could be sent to another host.
    let reply = browser.get("/x").await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
}

#[test]
fn a_table_shows_what_protects_each_route() {
    let staff = Routes::new()
        .protect_all(RoutePolicy::new().login_required())
        .path("/<int:id>/", get(async || "").post(async || ""))
        .name("item")
        .xframe_sameorigin();
    let routes = Routes::<()>::new()
        .path("/hook/", post(async || ""))
        .csrf_exempt()
        .csp_exempt()
        .isolation_exempt()
        .path("/ajax/", axum::routing::any(async || ""))
        .name("ajax")
        .ensure_csrf_cookie()
        .cors_exempt()
        .path("/desk/", get(async || ""))
        .permission_required("bank.view_desk")
        .include("/staff/", "staff", staff);
    let table = routes.table().unwrap();
    let expected = "\
PATH             NAME        METHODS        CSRF                     ACCESS     FRAMES       CSP     CORS    ISOLATION
/hook/           -           POST           exempt                   everybody  site         exempt  site    exempt
/ajax/           ajax        any            checked, cookie ensured  everybody  site         site    nobody  site
/desk/           -           GET HEAD       checked                  bank.view_desk  site    site    site    site
/staff/<int:id>/ staff:item  GET HEAD POST  checked                  users      same origin  site    site    site
";
    let squeezed = |text: &str| {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(words).collect::<Vec<_>>()
    };
    let shown = table.to_string();
    assert_eq!(squeezed(&shown), squeezed(expected));
    let column = |word: &str| shown.lines().filter_map(|line| line.find(word)).collect::<Vec<_>>();
    assert_eq!(column("exempt  "), column("checked, "));
    assert!(table.iter().all(|route| table.matches(&route.example)));
}
