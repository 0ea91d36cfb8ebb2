//! The room of CORS from outside, rule by rule of its module's doc: alone, in a stack, and on a route
//! of its own.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{MethodRouter, any, get};
use donjon::cors::{CorsBuilder, CorsFault, CorsLayer, CorsPolicy, MAX_ORIGIN, Reading};
use donjon::csrf::{CsrfPolicy, CsrfToken};
use donjon::routes::Routes;
use donjon::session::{SessionFailure, SessionHandle, SessionPolicy};
use donjon::stack::{RoutePolicy, Stack, StackBuilder};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{SitePolicy, TrustedOrigins};
use donjon_html::template::Templates;
use http::{Request, StatusCode, header, request};
use site::{Browser, Reply, Sessions};

const APP: &str = "https://app.example";
const STRANGER: &str = "https://evil.example";

/// What somebody registers who wants to be taken for the app, and what a browser never sends.
const LIKE_THE_APP: [&str; 12] = [
    "https://app.example.evil",
    "https://evil-app.example",
    "https://evilapp.example",
    "https://app.example:444",
    "http://app.example",
    "HTTPS://APP.EXAMPLE",
    "https://app.example/",
    "https://app.example.",
    "https://app.example@evil.example",
    "https://app.example, https://evil.example",
    " https://app.example,",
    "null",
];

fn app() -> CorsBuilder {
    CorsPolicy::new([APP]).allow_credentials()
}

/// A site of nothing but this room.
fn alone(policy: CorsBuilder) -> Browser {
    let varied = [(header::VARY, "Accept-Language")];
    let cached = [(header::VARY, "Cookie, ORIGIN")];
    let router = Router::new()
        .route("/", any(async || "page"))
        .route("/varied", any(async move || (varied, "page")))
        .route("/cached", any(async move || (cached, "page")))
        .route("/forbidden", any(async || StatusCode::FORBIDDEN))
        .route("/fail", any(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(CorsLayer::new(policy.build().unwrap()));
    Browser::new(&router)
}

fn from(origin: &str, method: &str, path: &str) -> request::Builder {
    Request::builder().method(method).uri(path).header(header::ORIGIN, origin)
}

fn preflight(origin: &str, path: &str) -> request::Builder {
    from(origin, "OPTIONS", path)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "PUT")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "x-evil, content-type")
}

async fn ask(mut site: Browser, request: request::Builder) -> Reply {
    site.send(request, Body::empty()).await
}

fn allowed(reply: &Reply) -> &str {
    reply.header("access-control-allow-origin")
}

/// Neither the origin nor anything else that a browser heeds.
fn is_closed(reply: &Reply) -> bool {
    reply.headers.keys().all(|name| !name.as_str().starts_with("access-control-"))
}

#[tokio::test]
async fn rule_1_nobody_reads_who_only_resembles_the_app() {
    for origin in LIKE_THE_APP {
        for request in [from(origin, "GET", "/"), preflight(origin, "/")] {
            let reply = ask(alone(app()), request).await;
            assert!(is_closed(&reply), "{origin}: {:?}", reply.headers);
            assert!(reply.varies("origin"), "{origin}");
        }
    }
    assert_eq!(allowed(&ask(alone(app()), from(APP, "GET", "/")).await), APP);
}

#[tokio::test]
async fn rule_1_a_pattern_covers_the_whole_origin() {
    let policy = || CorsPolicy::new([]).allow_pattern(r"^https://[a-z]+\.shop\.example$");
    let site = || alone(policy().allow_credentials());
    for origin in ["https://a.shop.example", "https://admin.shop.example"] {
        assert_eq!(allowed(&ask(site(), from(origin, "GET", "/")).await), origin);
    }
    for origin in [
        "https://a.shop.example.evil",
        "https://ashop.example",
        "https://a.shopxexample",
        "http://a.shop.example",
        "xhttps://a.shop.example",
        "https://a.b.shop.example",
        "https://evil.example#.shop.example",
    ] {
        assert!(is_closed(&ask(site(), from(origin, "GET", "/")).await), "{origin}");
    }
}

#[test]
fn rule_2_what_endangers_visitors_is_an_error_when_the_policy_is_built() {
    let fault = |policy: CorsBuilder| policy.build().unwrap_err().faults()[0].clone();
    let any = app().allow_any_origin();
    assert_eq!(fault(any.clone()), CorsFault::AnyOriginWithCredentials);
    assert_eq!(fault(CorsPolicy::new(["null"])), CorsFault::Null);
    for pattern in [r"https://.*\.shop\.example", r"^https://app\.example", r"app\.example$"] {
        let open = fault(CorsPolicy::new([]).allow_pattern(pattern));
        assert_eq!(open, CorsFault::PatternNotAnchored(pattern.to_owned()));
    }
    let wide = r"^https://.*shop\.example$";
    let fault = fault(CorsPolicy::new([]).allow_pattern(wide));
    assert_eq!(fault, CorsFault::PatternTooWide(wide.to_owned()));
    let told = any.build().unwrap_err().to_string();
    assert!(told.contains("danger_any_origin_with_credentials"), "no way out in: {told}");
}

#[tokio::test]
async fn rule_3_a_preflight_is_answered_and_goes_no_further() {
    let reply = ask(alone(app()), preflight(APP, "/fail")).await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(reply.header("content-length"), "0");
    assert_eq!(allowed(&reply), APP);
    assert_eq!(reply.header("access-control-allow-credentials"), "true");
    assert_eq!(reply.header("access-control-max-age"), "86400");
    let not_asked = ask(alone(app()), from(APP, "OPTIONS", "/")).await;
    assert_eq!(not_asked.text, "page", "an OPTIONS request that asks for no method is none");
    let post = from(APP, "POST", "/").header(header::ACCESS_CONTROL_REQUEST_METHOD, "PUT");
    assert_eq!(ask(alone(app()), post).await.text, "page");
}

#[tokio::test]
async fn rule_4_what_was_asked_for_is_not_reflected() {
    let policy = app().methods(["GET", "POST"]).headers(["content-type"]).expose(["x-left"]);
    let reply = ask(alone(policy), preflight(APP, "/")).await;
    assert_eq!(reply.header("access-control-allow-headers"), "content-type");
    assert_eq!(reply.header("access-control-allow-methods"), "GET, POST");
    assert_eq!(reply.header("access-control-expose-headers"), "x-left");
    let any = CorsPolicy::new([]).allow_any_origin();
    let reply = ask(alone(any), preflight(STRANGER, "/")).await;
    assert_eq!((allowed(&reply), reply.header("access-control-allow-credentials")), ("*", ""));
    assert!(!reply.header("access-control-allow-headers").contains("x-evil"));
}

#[tokio::test]
async fn rule_4_every_answer_varies_with_the_origin_once() {
    for (path, vary) in [
        ("/", "origin"),
        ("/varied", "Accept-Language, origin"),
        ("/cached", "Cookie, ORIGIN"),
        ("/none", "origin"),
        ("/forbidden", "origin"),
    ] {
        for request in [Request::get(path), from(APP, "GET", path), from(STRANGER, "GET", path)] {
            let reply = ask(alone(app()), request).await;
            let values: Vec<_> = reply.headers.get_all(header::VARY).iter().collect();
            assert_eq!(values, [vary], "{path}");
        }
    }
    let reply = ask(alone(app()), preflight(STRANGER, "/")).await;
    assert_eq!(reply.header("vary"), "origin");
}

#[tokio::test]
async fn rule_5_a_policy_reaches_its_paths_only() {
    let site = || alone(app().allow_path("/varied"));
    assert_eq!(allowed(&ask(site(), from(APP, "GET", "/varied")).await), APP);
    let reply = ask(site(), from(APP, "GET", "/")).await;
    assert!(is_closed(&reply) && !reply.varies("origin"));
    let reply = ask(site(), preflight(APP, "/")).await;
    assert_eq!(reply.text, "page", "an OPTIONS request out of reach is the site's own");
}

#[tokio::test]
async fn rule_6_a_function_of_the_sites_own_may_open() {
    let site = || {
        alone(app().allow_if(|request| match request.uri.path() {
            "/varied" => Reading::Allowed,
            _ => Reading::AsThePolicySays,
        }))
    };
    assert_eq!(allowed(&ask(site(), from(STRANGER, "GET", "/varied")).await), STRANGER);
    assert_eq!(allowed(&ask(site(), preflight(STRANGER, "/varied")).await), STRANGER);
    assert!(is_closed(&ask(site(), from(STRANGER, "GET", "/")).await));
}

#[tokio::test]
async fn rule_7_private_networks_stay_closed() {
    let name = "access-control-request-private-network";
    let asks = || preflight(APP, "/").header(name, "true");
    let answer = "access-control-allow-private-network";
    assert_eq!(ask(alone(app()), asks()).await.header(answer), "");
    let open = || alone(app().allow_private_network());
    assert_eq!(ask(open(), asks()).await.header(answer), "true");
    assert_eq!(ask(open(), preflight(APP, "/")).await.header(answer), "");
    let stranger = preflight(STRANGER, "/").header(name, "true");
    assert_eq!(ask(open(), stranger).await.header(answer), "");
}

#[tokio::test]
async fn rule_8_a_long_origin_or_two_are_nobodys() {
    let any = || alone(CorsPolicy::new([]).danger_any_origin_with_credentials());
    let origin = |length: usize| format!("https://{}", "a".repeat(length - "https://".len()));
    let (longest, longer) = (origin(MAX_ORIGIN), origin(MAX_ORIGIN + 1));
    assert_eq!(allowed(&ask(any(), from(&longest, "GET", "/")).await), longest);
    assert!(is_closed(&ask(any(), from(&longer, "GET", "/")).await));
    let twice = from(APP, "GET", "/").header(header::ORIGIN, APP);
    assert!(is_closed(&ask(alone(app()), twice).await));
}

#[tokio::test]
async fn rule_9_a_front_end_reads_refusals_and_failures() {
    for (path, status) in [("/forbidden", 403), ("/fail", 500), ("/none", 404)] {
        let reply = ask(alone(app()), from(APP, "POST", path)).await;
        assert_eq!((reply.status.as_u16(), allowed(&reply)), (status, APP));
        let reply = ask(alone(app()), from(STRANGER, "POST", path)).await;
        assert!(is_closed(&reply) && reply.varies("origin"), "{path}");
    }
}

#[tokio::test]
async fn the_age_of_a_preflight_is_the_policys() {
    let age = |policy: CorsBuilder| async {
        let reply = ask(alone(policy), preflight(APP, "/")).await;
        reply.header("access-control-max-age").to_owned()
    };
    assert_eq!(age(app().max_age(Duration::from_secs(60))).await, "60");
    assert_eq!(age(app().max_age(Duration::ZERO)).await, "");
}

/// Counts what reaches the handlers of a stack.
type Reached = Arc<AtomicUsize>;

fn builder() -> StackBuilder {
    Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap()))
        .sessions(SessionPolicy::default(), Sessions::default())
        .cors(app().build().unwrap())
}

/// Sets a cookie of the session and one of CSRF, whatever is asked.
fn eager(reached: &Reached) -> MethodRouter {
    let handler = async |State(reached): State<Reached>, token: CsrfToken, cart: SessionHandle| {
        reached.fetch_add(1, Ordering::SeqCst);
        cart.insert("tea", &1).await?;
        Ok::<_, SessionFailure>(token.mint())
    };
    any(handler).with_state(Arc::clone(reached))
}

#[tokio::test]
async fn rule_3_in_a_stack_a_preflight_reaches_no_handler_and_sets_no_cookie() {
    let reached = Reached::default();
    let routes = Routes::new().path("/eager", eager(&reached)).ensure_csrf_cookie();
    let templates = Templates::new([("none.html", "")]).unwrap();
    let of_routes = routes.into_router(builder().build().unwrap(), templates).unwrap();
    let stack = builder().build().unwrap();
    let plain = Router::new().route("/eager", eager(&reached)).layer(stack.into_layer());
    for router in [of_routes, plain] {
        for origin in [APP, STRANGER, "null"] {
            let visitor = Browser::new(&router).with_cookie("sessionid", "a".repeat(32));
            let reply = ask(visitor, preflight(origin, "/eager")).await;
            assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, ""));
            assert_eq!(reply.set_cookies().count(), 0, "{origin}");
            assert_eq!(is_closed(&reply), origin != APP);
        }
        assert_eq!(reached.swap(0, Ordering::SeqCst), 0);
        let reply = ask(Browser::new(&router), from(APP, "GET", "/eager")).await;
        assert_eq!((reply.set_cookies().count(), reached.swap(0, Ordering::SeqCst)), (2, 1));
        assert!(reply.varies("origin") && reply.varies("cookie"));
    }
}

#[tokio::test]
async fn an_origin_that_may_read_may_not_write() {
    let reached = Reached::default();
    let router = |stack: StackBuilder| {
        let layer = stack.build().unwrap().into_layer();
        Router::new().route("/", eager(&reached)).layer(layer)
    };
    let post = |token: &str| {
        let json = from(APP, "POST", "/").header(header::CONTENT_TYPE, "application/json");
        json.header("x-csrftoken", token)
    };
    let mut visitor = Browser::new(&router(builder()));
    let token = visitor.get("/").await.text;
    let refused = visitor.send(post(&token), "{}").await;
    assert_eq!((refused.status, allowed(&refused)), (StatusCode::FORBIDDEN, APP));
    let trusting = CsrfPolicy::default().trust(TrustedOrigins::new([APP]).unwrap());
    let mut visitor = visitor.on(&router(builder().csrf(trusting)));
    assert_eq!(visitor.send(post(&token), "{}").await.status, StatusCode::OK);
    let without = from(APP, "POST", "/").header(header::CONTENT_TYPE, "application/json");
    assert_eq!(visitor.send(without, "{}").await.status, StatusCode::FORBIDDEN);
}

/// `/site` as the site has it, `/own` for another origin, `/nobody` for none.
fn routes_of_their_own() -> [Router; 2] {
    const PARTNER: &str = "https://partner.example";
    let own = || RoutePolicy::new().cors(CorsPolicy::new([PARTNER]).build().unwrap());
    let page = || get(async || "page");
    let routes = Routes::new()
        .path("/site", page())
        .path("/own", page())
        .protect(own())
        .path("/nobody", page())
        .cors_exempt();
    let templates = Templates::new([("none.html", "")]).unwrap();
    let of_routes = routes.into_router(builder().build().unwrap(), templates).unwrap();
    let stack = builder().build().unwrap();
    let layer = |policy| stack.for_route(&policy).unwrap();
    let plain = Router::new()
        .route("/site", page().layer(layer(RoutePolicy::new())))
        .route("/own", page().layer(layer(own())))
        .route("/nobody", page().layer(layer(RoutePolicy::new().cors_exempt())));
    [of_routes, plain]
}

#[tokio::test]
async fn a_route_says_for_itself_who_may_read() {
    let partner = "https://partner.example";
    for router in routes_of_their_own() {
        for (path, origin, readable) in [
            ("/site", APP, true),
            ("/site", partner, false),
            ("/own", APP, false),
            ("/own", partner, true),
            ("/nobody", APP, false),
            ("/nobody", partner, false),
        ] {
            for request in [from(origin, "GET", path), preflight(origin, path)] {
                let reply = ask(Browser::new(&router), request).await;
                let expected = if readable { origin } else { "" };
                assert_eq!(allowed(&reply), expected, "{path} for {origin}");
                assert_eq!(reply.varies("origin"), path != "/nobody", "{path} for {origin}");
            }
        }
    }
}

#[tokio::test]
async fn a_routes_own_policy_has_its_own_credentials() {
    for router in routes_of_their_own() {
        let credentials = async |origin, path| {
            let reply = ask(Browser::new(&router), from(origin, "GET", path)).await;
            reply.header("access-control-allow-credentials").to_owned()
        };
        assert_eq!(credentials(APP, "/site").await, "true");
        assert_eq!(credentials("https://partner.example", "/own").await, "");
    }
}

#[tokio::test]
async fn an_exempt_routes_preflight_is_an_ordinary_request() {
    for router in routes_of_their_own() {
        let reply = ask(Browser::new(&router), preflight(APP, "/nobody")).await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(is_closed(&reply));
    }
}
