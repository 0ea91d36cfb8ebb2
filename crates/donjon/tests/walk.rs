//! A walk through everything that a site answers: pages, refusals, redirects, preflights, files and
//! failures carry all headers, on routes inside a stack and on a plain router with a stack around it.

#![cfg(feature = "axum")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests, and handlers that panic")]

mod site;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, any, any_service, get, post};
use donjon::auth::{AuthPolicy, CurrentUser, LoggedIn};
use donjon::canonical::CanonicalPolicy;
use donjon::cors::CorsPolicy;
use donjon::csp::CspPolicy;
use donjon::csrf::{CsrfPolicy, CsrfToken};
use donjon::form::FormData;
use donjon::headers::HeadersPolicy;
use donjon::https::{HstsScope, HttpsPolicy};
use donjon::routes::Routes;
use donjon::session::{SessionFailure, SessionHandle, SessionPolicy};
use donjon::stack::Stack;
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Scheme, SitePolicy, TrustedOrigins};
use donjon_core::secret::Keys;
use donjon_html::template::Templates;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use site::{Browser, Reply, Sessions, cheap, people};
use tower::service_fn;
use tower_http::services::ServeDir;

const HOST: &str = "bank.example";
const FRIEND: &str = "https://app.example";
const STRANGER: &str = "https://evil.example";
const HSTS: &str = "max-age=3600; includeSubDomains";

/// A file of this crate, which the sites serve.
const FILE: &str = "/src/vary.rs";

const HEADERS: [&str; 9] = [
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "x-frame-options",
    "cross-origin-resource-policy",
    "cross-origin-embedder-policy",
    "permissions-policy",
    "origin-agent-cluster",
    "x-permitted-cross-domain-policies",
];

const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"];

const PATHS: [&str; 15] = [
    "/",
    "/form",
    "/cart",
    "/who",
    "/private",
    "/moved",
    "/small",
    "/fail",
    "/panics",
    "/panics-late",
    "/panics-at-once",
    "/slash/",
    "/slash",
    FILE,
    "/none",
];

/// The pages of both sites.
fn pages() -> Vec<(&'static str, MethodRouter)> {
    let small = post(async |body: String| body).layer(DefaultBodyLimit::max(10));
    let at_once =
        service_fn(|_: Request<Body>| -> std::future::Ready<Result<Response, Infallible>> {
            panic!("a service that panics before it has a future")
        });
    vec![
        ("/", get(async || "home")),
        ("/form", get(async |token: CsrfToken| token.mint()).post(async |_: FormData| "read")),
        ("/cart", get(cart).post(cart)),
        ("/who", get(async |CurrentUser(user): CurrentUser| user.is_some().to_string())),
        ("/private", get(async |_: LoggedIn| "private")),
        ("/moved", get(async || Redirect::temporary("/"))),
        ("/small", small),
        ("/fail", any(async || (banners(), StatusCode::INTERNAL_SERVER_ERROR))),
        ("/panics", any(panics)),
        ("/panics-late", any(panics_late)),
        ("/panics-at-once", any_service(at_once)),
        ("/slash/", get(async || "slash")),
    ]
}

async fn cart(session: SessionHandle) -> Result<&'static str, SessionFailure> {
    session.insert("tea", &1).await?;
    Ok("tea")
}

/// What a careless handler tells of its software.
fn banners() -> [(HeaderName, &'static str); 2] {
    [(header::SERVER, "nginx/1.0"), (HeaderName::from_static("x-powered-by"), "PHP/5.2")]
}

async fn panics() -> Response {
    panic!("a handler that panics")
}

async fn panics_late(session: SessionHandle) -> Result<Response, SessionFailure> {
    session.insert("tea", &1).await?;
    tokio::task::yield_now().await;
    panic!("a handler that has changed the session")
}

struct Site {
    router: Router,
    sessions: Sessions,
}

impl Site {
    async fn of_routes() -> Self {
        let sessions = Sessions::default();
        let routes = pages()
            .into_iter()
            .fold(Routes::new(), |routes, (path, handlers)| routes.path(path, handlers));
        let routes = routes.path("/src/<path:name>", any_service(files()));
        let stack = stack(&sessions).await;
        Self {
            router: routes
                .into_router(stack, Templates::new([("none.html", "")]).unwrap())
                .unwrap(),
            sessions,
        }
    }

    async fn of_a_router() -> Self {
        let sessions = Sessions::default();
        let router = pages()
            .into_iter()
            .fold(Router::new(), |router, (path, handlers)| router.route(path, handlers));
        let router = router.route_service("/src/{*name}", files());
        Self { router: router.layer(stack(&sessions).await.into_layer()), sessions }
    }

    async fn both() -> [Self; 2] {
        [Self::of_routes().await, Self::of_a_router().await]
    }

    fn browser(&self, scheme: Scheme) -> Browser {
        let browser = Browser::new(&self.router);
        if scheme == Scheme::Https { browser.over_https() } else { browser }
    }

    /// A browser whose requests, with the token, are no forgeries.
    async fn visitor(&self) -> (Browser, String) {
        let mut browser = self.browser(Scheme::Https);
        let token = browser.get("/form").await.text;
        (browser, token)
    }
}

fn files() -> ServeDir {
    ServeDir::new(env!("CARGO_MANIFEST_DIR"))
}

async fn stack(sessions: &Sessions) -> Stack {
    let https =
        HttpsPolicy::default().redirect().hsts(Duration::from_secs(3600), HstsScope::Subdomains);
    let canonical = CanonicalPolicy::default()
        .append_slash(|path| path == "/slash/")
        .disallowed_user_agents(["^Evil"])
        .unwrap();
    let keys = Keys::new("a long random secret");
    Stack::new(SitePolicy::new(AllowedHosts::new([HOST]).unwrap()))
        .headers(HeadersPolicy::strict())
        .csp(CspPolicy::strict())
        .https(https)
        .canonical(canonical)
        .cors(CorsPolicy::new([FRIEND]).allow_credentials().build().unwrap())
        .csrf(CsrfPolicy::default().trust(TrustedOrigins::new([FRIEND]).unwrap()))
        .sessions(SessionPolicy::default(), sessions.clone())
        .accounts(AuthPolicy::new(&keys).passwords(cheap()), people().await)
        .build()
        .unwrap()
}

/// Which rooms a request came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It was answered by the host's room, by HTTPS's or by the canonical one.
    BeforeCors,
    /// It came to CORS at least.
    ThroughCors,
}

/// A request, as far as its answer's headers depend on it.
#[derive(Clone, Copy, Debug)]
struct Asked {
    scheme: Scheme,
    origin: &'static str,
    way: Way,
}

impl Asked {
    fn friend(way: Way) -> Self {
        Self { scheme: Scheme::Https, origin: FRIEND, way }
    }

    fn request(self, method: &str, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(path);
        if self.origin.is_empty() { request } else { request.header(header::ORIGIN, self.origin) }
    }

    fn assert_whole(self, reply: &Reply, what: &str) {
        let what = format!("{what}, {self:?}: {} {:?}", reply.status, reply.headers);
        for name in HEADERS.into_iter().map(HeaderName::from_static) {
            let values: Vec<_> = reply.headers.get_all(&name).iter().collect();
            let strict = HeadersPolicy::strict();
            assert_eq!(values, [strict.value(&name).unwrap()], "{name} of {what}");
        }
        let csp: Vec<_> = reply.headers.get_all(header::CONTENT_SECURITY_POLICY).iter().collect();
        assert!(csp.len() == 1 && csp[0].to_str().unwrap().contains("script-src"), "{what}");
        let hsts = if self.scheme == Scheme::Https { HSTS } else { "" };
        assert_eq!(reply.header("strict-transport-security"), hsts, "{what}");
        assert_eq!((reply.header("server"), reply.header("x-powered-by")), ("", ""), "{what}");
        self.assert_read(reply, &what);
        assert!(reply.set_cookies().count() == 0 || reply.varies("cookie"), "{what}");
        let names = reply.headers.get_all(header::VARY).iter().flat_map(names).collect::<Vec<_>>();
        let once: BTreeSet<_> = names.iter().collect();
        assert_eq!(names.len(), once.len(), "names twice in Vary: {what}");
    }

    fn assert_read(self, reply: &Reply, what: &str) {
        let readable = self.way == Way::ThroughCors && self.origin == FRIEND;
        let (origin, credentials) = if readable { (FRIEND, "true") } else { ("", "") };
        assert_eq!(reply.header("access-control-allow-origin"), origin, "{what}");
        assert_eq!(reply.header("access-control-allow-credentials"), credentials, "{what}");
        assert_eq!(reply.varies("origin"), self.way == Way::ThroughCors, "{what}");
    }
}

fn names(value: &HeaderValue) -> Vec<String> {
    value.to_str().unwrap().split(',').map(|name| name.trim().to_lowercase()).collect()
}

#[tokio::test]
async fn every_route_and_method_has_all_headers() {
    for site in Site::both().await {
        let mut seen = BTreeSet::new();
        let (visitor, token) = site.visitor().await;
        for (path, method, origin) in everything() {
            let what = format!("{method} {path}");
            let asked = Asked { scheme: Scheme::Https, origin, way: Way::ThroughCors };
            let request = asked.request(method, path);
            let reply = site.browser(Scheme::Https).send(request, Body::empty()).await;
            asked.assert_whole(&reply, &what);
            seen.insert(reply.status.as_u16());
            let request = asked.request(method, path).header("x-csrftoken", &token);
            let reply = visitor.clone().send(request, Body::empty()).await;
            asked.assert_whole(&reply, &format!("{what} with a token"));
            seen.insert(reply.status.as_u16());
        }
        let expected = [200, 301, 302, 307, 403, 404, 405, 500];
        assert!(expected.iter().all(|status| seen.contains(status)), "{seen:?}");
    }
}

#[tokio::test]
async fn every_redirect_to_https_has_all_headers_but_hsts() {
    for site in Site::both().await {
        for (path, method, origin) in everything() {
            let asked = Asked { scheme: Scheme::Http, origin, way: Way::BeforeCors };
            let request = asked.request(method, path);
            let reply = site.browser(Scheme::Http).send(request, Body::empty()).await;
            assert_eq!(reply.status, StatusCode::MOVED_PERMANENTLY, "{method} {path}");
            asked.assert_whole(&reply, &format!("{method} {path}"));
        }
    }
}

fn everything() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let methods = PATHS.into_iter().flat_map(|path| METHODS.map(|method| (path, method)));
    methods.flat_map(|(path, method)| {
        ["", FRIEND, STRANGER, "null"].map(|origin| (path, method, origin))
    })
}

#[tokio::test]
async fn every_refusal_has_all_headers() {
    for site in Site::both().await {
        let (visitor, token) = site.visitor().await;
        let with_token = |path, kind: &str| {
            let request = Asked::friend(Way::ThroughCors).request("POST", path);
            request.header("x-csrftoken", &token).header(header::CONTENT_TYPE, kind)
        };
        let from_friend = |method, path| Asked::friend(Way::ThroughCors).request(method, path);
        let isolated = |request: http::request::Builder| request.header(header::COOKIE, "a=b");
        let form = "application/x-www-form-urlencoded";
        let long = "a".repeat(3 << 20);
        for (what, request, body, status) in [
            ("a forgery", from_friend("POST", "/cart"), "", 403),
            ("a forgery by a form", from_friend("POST", "/form"), "a=b", 403),
            ("a form of one field too long", with_token("/form", form), &*long, 400),
            ("a body that is too long", with_token("/small", "text/plain"), "more than ten", 413),
            ("no route", from_friend("GET", "/nowhere"), "", 404),
            ("no file", from_friend("GET", "/src/none.rs"), "", 404),
            ("a wrong method", with_token("/", "text/plain"), "", 405),
            ("a slash that is missing", from_friend("GET", "/slash?a=b"), "", 301),
            ("a part of a file", from_friend("GET", FILE).header("range", "bytes=0-1"), "", 206),
            ("no part", from_friend("GET", FILE).header("range", "bytes=900000-"), "", 416),
            (
                "a file that is known",
                from_friend("GET", FILE)
                    .header("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT"),
                "",
                304,
            ),
            (
                "a preflight",
                from_friend("OPTIONS", "/cart").header("access-control-request-method", "PUT"),
                "",
                200,
            ),
            (
                "a preflight for no route",
                from_friend("OPTIONS", "/none").header("access-control-request-method", "PUT"),
                "",
                200,
            ),
        ] {
            let reply = visitor.clone().send(request, body.to_owned()).await;
            assert_eq!(reply.status.as_u16(), status, "{what}");
            Asked::friend(Way::ThroughCors).assert_whole(&reply, what);
        }
        let strange = Asked { origin: STRANGER, ..Asked::friend(Way::ThroughCors) };
        let request = isolated(strange.request("GET", "/")).header("sec-fetch-site", "cross-site");
        let reply = visitor.clone().send(request, Body::empty()).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "isolation");
        assert!(reply.varies("sec-fetch-site"));
        strange.assert_whole(&reply, "isolation");
    }
}

#[tokio::test]
async fn every_refusal_before_cors_has_all_headers() {
    let asked = Asked::friend(Way::BeforeCors);
    for site in Site::both().await {
        let get = |path| asked.request("GET", path);
        for (what, request, status) in [
            ("another host", get("/").header(header::HOST, "evil.example"), 400),
            ("no host", get("/").header(header::HOST, ""), 400),
            ("two hosts", get("/").header(header::HOST, HOST).header(header::HOST, HOST), 400),
            ("a target of another host", get("http://evil.example/"), 400),
            ("a user agent", get("/").header(header::USER_AGENT, "Evil/1"), 403),
        ] {
            let reply = site.browser(Scheme::Https).send(request, Body::empty()).await;
            assert_eq!(reply.status.as_u16(), status, "{what}");
            asked.assert_whole(&reply, what);
        }
        let clear = Asked { scheme: Scheme::Http, ..asked };
        let path = format!("/{}", "a".repeat(20_000));
        let reply =
            site.browser(Scheme::Http).send(clear.request("GET", &path), Body::empty()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "an address too long for a redirect");
        clear.assert_whole(&reply, "an address too long for a redirect");
    }
}

#[tokio::test]
async fn a_store_that_is_down_fails_with_all_headers() {
    for site in Site::both().await {
        let (visitor, _) = site.visitor().await;
        let visitor = visitor.with_cookie("sessionid", "a".repeat(32));
        site.sessions.go_down();
        let asked = Asked::friend(Way::ThroughCors);
        for path in ["/cart", "/who", "/private"] {
            let reply = visitor.clone().send(asked.request("GET", path), Body::empty()).await;
            assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
            asked.assert_whole(&reply, path);
        }
    }
}

#[tokio::test]
async fn rule_5_what_panics_is_a_500_that_tells_nothing_and_saves_nothing() {
    for site in Site::both().await {
        let asked = Asked::friend(Way::ThroughCors);
        let mut visitor = site.browser(Scheme::Https);
        for path in ["/panics", "/panics-late", "/panics-at-once"] {
            let before = site.sessions.calls();
            let reply = visitor.send(asked.request("GET", path), Body::empty()).await;
            assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
            assert_eq!(reply.text, "Internal Server Error (500)\n");
            assert_eq!(reply.header("cache-control"), "no-store");
            assert_eq!((reply.set_cookies().count(), site.sessions.calls()), (0, before));
            asked.assert_whole(&reply, path);
        }
        assert_eq!(visitor.get("/").await.text, "home");
    }
}

#[tokio::test]
async fn rule_5_a_room_that_panics_by_a_function_of_the_sites_own_is_a_500_too() {
    let asks = CorsPolicy::new([FRIEND]).allow_if(|_| panic!("a hook that panics"));
    let stack = Stack::new(SitePolicy::new(AllowedHosts::new([HOST]).unwrap()))
        .cors(asks.build().unwrap())
        .build()
        .unwrap();
    let router = Router::new().route("/", get(async || "home")).layer(stack.into_layer());
    let request = Request::get("/").header(header::ORIGIN, STRANGER);
    let reply = Browser::new(&router).send(request, Body::empty()).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(reply.header("access-control-allow-origin"), "");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn the_walk_would_see_a_header_that_is_missing() {
    let bare = Router::new().route("/", get(async || "home".into_response()));
    let reply = Browser::new(&bare).over_https().get("/").await;
    let walk = std::panic::catch_unwind(|| {
        Asked::friend(Way::ThroughCors).assert_whole(&reply, "a bare router");
    });
    assert!(walk.is_err());
}
