//! A stack that is judged, a report in its formats, and routers that are asked.

#![cfg(feature = "axum")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse, Redirect};
use axum::routing::{any, get, post};
use donjon::auth::AuthPolicy;
use donjon::check::{Checks, Format, Level, Report, Target, catalogue, probe};
use donjon::cors::{CorsBuilder, CorsPolicy};
use donjon::csp::{CspBuilder, CspPolicies, CspPolicy, Directive, Source};
use donjon::csrf::{CsrfPolicy, Detail};
use donjon::headers::{Framing, HeadersPolicy};
use donjon::https::{HstsScope, HttpsPolicy};
use donjon::isolation::IsolationPolicy;
use donjon::routes::Routes;
use donjon::session::{SessionHandle, SessionPolicy};
use donjon::stack::{RoutePolicy, Stack, StackBuilder};
use donjon_core::account::MemoryAccounts;
use donjon_core::cookie::{CookieSettings, Scripts, Transport};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{SitePolicy, TrustedOrigins};
use donjon_core::secret::Keys;
use donjon_core::session::MemorySessions;
use http::{HeaderValue, Method, Request, StatusCode, header};
use serde_json::Value;

const HOST: &str = "bank.example";
const SECRET: &str = "hunter2hunter2";

fn hosts() -> AllowedHosts {
    AllowedHosts::new([HOST]).unwrap()
}

fn builder() -> StackBuilder {
    Stack::new(SitePolicy::new(hosts()))
}

/// As a site goes live.
fn live(builder: StackBuilder) -> StackBuilder {
    let year = Duration::from_secs(31_536_000);
    let keys = Keys::new("a long and random secret, of which nobody knows a letter");
    builder
        .https(HttpsPolicy::default().redirect().hsts_preload(year).unwrap())
        .sessions(SessionPolicy::hardened(), Arc::new(MemorySessions::default()))
        .csrf(CsrfPolicy::hardened("__Host-sessionid"))
        .accounts(AuthPolicy::new(&keys), Arc::new(MemoryAccounts::default()))
}

fn deploy(builder: StackBuilder) -> Report {
    builder.build().unwrap().check(&Checks::deploy())
}

fn codes(report: &Report) -> Vec<&str> {
    report.findings().iter().map(|finding| finding.rule().code()).collect()
}

// --- the stack

#[test]
fn rule_1_a_stack_that_is_ready_warns_of_nothing_that_django_knows() {
    let report = deploy(live(builder()));
    assert!(!codes(&report).iter().any(|code| code.starts_with("security.")), "{report}");
    assert!(!report.fails(Level::Error));
}

#[test]
fn rule_1_policies_are_read() {
    let fires = |code: &str, stack: StackBuilder| {
        let report = deploy(stack);
        assert!(report.has(code), "{code}: {report}");
    };
    let site = || SitePolicy::new(hosts());
    let proto = header::HeaderName::from_static("x-forwarded-proto");
    let https = HeaderValue::from_static("https");
    fires("security.W020", Stack::new(SitePolicy::new(AllowedHosts::local())));
    fires("donjon.W001", Stack::new(SitePolicy::new(AllowedHosts::danger_any())));
    fires("donjon.W002", Stack::new(site().danger_scheme_header(proto, https)));
    fires("donjon.W002", Stack::new(site().danger_forwarded_host()));
    fires("donjon.W003", Stack::new(site().trust_proxy("::/0".parse().unwrap())));
    fires("security.W004", builder());
    fires("security.W008", builder());
    let day = Duration::from_secs(86_400);
    let hsts = || HttpsPolicy::default().hsts(day, HstsScope::Host);
    fires("security.W005", builder().https(hsts()));
    fires("security.W021", builder().https(hsts()));
    fires("donjon.W010", builder().https(hsts()));
    let framed = HeadersPolicy::default().framing(Framing::SameOrigin);
    fires("security.W019", builder().headers(framed));
    let csp = CspPolicy::strict().update().danger_without(Directive::BaseUri).build().unwrap();
    fires("donjon.W034", builder().csp(csp.clone()));
    fires("donjon.W030", builder().csp(CspPolicies::danger_none().report_only(csp)));
    let cors = |policy: CorsBuilder| builder().cors(policy.build().unwrap());
    let clear = CorsPolicy::new(["http://app.example"]).allow_credentials();
    fires("donjon.W052", cors(clear));
    let every = CorsPolicy::new([]).allow_any_origin();
    fires("donjon.W051", cors(every.clone()));
    fires("donjon.E050", cors(every.allow_credentials().danger_any_origin_with_credentials()));
    fires("donjon.W053", cors(CorsPolicy::new(["null"]).danger_null()));
    fires("donjon.W054", cors(CorsPolicy::new([]).allow_private_network()));
    fires("donjon.W055", cors(CorsPolicy::new(["http://localhost:5173"])));
    fires("donjon.E056", cors(CorsPolicy::new([]).danger_pattern(r"https://x\.com")));
    let trusted = TrustedOrigins::new(["http://pay.example", "https://*.pay.example"]).unwrap();
    let trusting = || builder().csrf(CsrfPolicy::default().trust(trusted.clone()));
    fires("donjon.W071", trusting());
    fires("donjon.I072", trusting());
    fires("donjon.I070", builder().csrf(CsrfPolicy::django()));
    fires("donjon.W060", builder());
    let sessions = Arc::new(MemorySessions::default());
    fires("security.W012", builder().sessions(SessionPolicy::default(), sessions));
    fires("security.W016", builder());
}

/// What Django 6.1.3 says to the settings that a live site has, with one changed.
#[test]
fn rule_1_codes_are_those_of_django() {
    let sound = || live(builder());
    let year = Duration::from_secs(31_536_000);
    let host_only = || HttpsPolicy::default().redirect().hsts(year, HstsScope::Host);
    let preload = || HttpsPolicy::default().hsts_preload(year).unwrap();
    let local = || live(Stack::new(SitePolicy::new(AllowedHosts::local())));
    let without = |name: &str| {
        let name = name.parse().unwrap();
        live(builder()).headers(HeadersPolicy::default().danger_without(&name))
    };
    let framed = || HeadersPolicy::default().framing(Framing::SameOrigin);
    let sessions = |policy| live(builder()).sessions(policy, Arc::new(MemorySessions::default()));
    let in_clear = || sessions(SessionPolicy::django()).csrf(CsrfPolicy::django());
    let in_session = || sound().csrf(CsrfPolicy::default().in_session(None));
    let readable = CookieSettings {
        scripts: Scripts::MayRead,
        secure: Transport::HttpsOnly,
        ..CookieSettings::new("__Host-sessionid", Some(year))
    };
    let readable = SessionPolicy::hardened().cookie(readable).unwrap();
    let debug = || CsrfPolicy::hardened("__Host-sessionid").detail(Detail::Explained);
    let keys = |keys: &Keys| {
        let accounts = Arc::new(MemoryAccounts::default());
        live(builder()).accounts(AuthPolicy::new(keys), accounts)
    };
    let long = "a long and random secret, of which nobody knows a letter";
    let placeholder = format!("django-insecure-{}", "abcdefghij".repeat(5));
    let cases: [(StackBuilder, &[&str]); 17] = [
        (sound(), &[]),
        (sound().https(HttpsPolicy::default().redirect()), &["security.W004"]),
        (sound().https(host_only()), &["security.W005", "security.W021"]),
        (sound().https(preload()), &["security.W008"]),
        (sound().headers(framed()), &["security.W019"]),
        (without("x-content-type-options"), &["security.W006"]),
        (without("referrer-policy"), &["security.W022"]),
        (without("cross-origin-opener-policy"), &[]),
        (in_clear(), &["security.W012", "security.W016"]),
        (in_session(), &[]),
        (sessions(readable), &["security.W015"]),
        (keys(&Keys::new("short")), &["security.W009"]),
        (keys(&Keys::new("abcd".repeat(20).as_str())), &["security.W009"]),
        (keys(&Keys::new(placeholder.as_str())), &["security.W009"]),
        (keys(&Keys::new(long).fallback("short").fallback(long)), &["security.W025"]),
        (local(), &["security.W020"]),
        (sound().csrf(debug()), &["security.W018"]),
    ];
    for (index, (stack, django)) in cases.into_iter().enumerate() {
        let report = deploy(stack);
        let mut found = codes(&report);
        found.retain(|code| code.starts_with("security."));
        found.sort_unstable();
        assert_eq!(found, django, "case {index}");
    }
}

#[test]
fn rule_7_keys_are_judged_and_not_shown() {
    let with = |keys: &Keys| {
        let accounts = Arc::new(MemoryAccounts::default());
        deploy(live(builder()).accounts(AuthPolicy::new(keys), accounts))
    };
    let long = "a long and random secret, of which nobody knows a letter";
    let report = with(&Keys::new(SECRET).fallback(long).fallback(SECRET));
    let objects: Vec<_> = report.findings().iter().map(|finding| finding.object()).collect();
    assert!(objects.contains(&"key (fewer than 50 characters)"), "{objects:?}");
    assert!(objects.contains(&"fallback 1 (fewer than 50 characters)"), "{objects:?}");
    for format in Format::ALL {
        assert!(!report.write(format).contains(SECRET));
    }
    assert!(!with(&Keys::new(long)).has("security.W009"));
    let others = Checks::deploy().keys(&Keys::new(format!("django-insecure-{long}").as_str()));
    assert!(builder().build().unwrap().check(&others).has("security.W009"));
}

#[test]
fn rule_1_exempt_routes_that_change_something() {
    let checks = Checks::new()
        .route(Target::new("/hook/", [Method::POST]).csrf_exempt())
        .routes([Target::new("/feed/", [Method::GET]).csrf_exempt()]);
    let report = builder().build().unwrap().check(&checks);
    let exempt: Vec<_> =
        report.findings().iter().filter(|finding| finding.rule().code() == "donjon.W073").collect();
    assert_eq!(exempt.len(), 1);
    assert_eq!(exempt[0].object(), "route POST /hook/");
}

#[test]
fn rule_1_what_other_sites_may_load() {
    let fires = |code: &str, stack: StackBuilder| {
        let report = deploy(stack);
        assert!(report.has(code), "{code}: {report}");
    };
    assert!(!deploy(builder()).has("donjon.W090"));
    fires("donjon.W090", builder().danger_without_isolation());
    fires("donjon.I092", builder().isolation(IsolationPolicy::default().allow_same_site()));
    let clear = TrustedOrigins::new(["http://pay.example"]).unwrap();
    fires("donjon.W093", builder().isolation(IsolationPolicy::default().trust(clear)));
}

/// The findings of a route of this policy that a site of strict defaults does not have.
fn of_route(policy: RoutePolicy) -> Vec<String> {
    let checks =
        Checks::new().route(Target::new("/r/", [Method::GET, Method::POST]).policy(policy));
    let report = builder().build().unwrap().check(&checks);
    let named = |finding: &donjon::check::Finding| {
        format!("{} {}", finding.rule().code(), finding.object())
    };
    let of_route = report.findings().iter().filter(|finding| finding.object().contains("/r/"));
    of_route.map(named).collect()
}

#[test]
fn rule_5_a_route_is_judged_as_it_is_sent() {
    let quiet = [] as [&str; 0];
    assert_eq!(of_route(RoutePolicy::new()), quiet);
    assert_eq!(of_route(RoutePolicy::new().login_required().xframe_deny().cors_exempt()), quiet);
    assert_eq!(of_route(RoutePolicy::new().csp_exempt()), ["donjon.W030 route /r/: csp"]);
    let eval = |site: CspBuilder| site.allow(Directive::Script, Source::WASM_UNSAFE_EVAL);
    assert_eq!(of_route(RoutePolicy::new().csp_update(eval)), quiet);
    let defeated = CspPolicy::strict().update().danger_without(Directive::BaseUri).build().unwrap();
    assert_eq!(
        of_route(RoutePolicy::new().csp(defeated)),
        ["donjon.W034 route /r/: csp: base-uri"]
    );
    let broken = |site: CspBuilder| site.report_uri("nowhere");
    assert_eq!(of_route(RoutePolicy::new().csp_update(broken)), ["donjon.E044 route /r/: csp"]);
}

#[test]
fn rule_5_a_routes_word_on_frames() {
    let no_effect = ["donjon.I026 route /r/: frames"];
    assert_eq!(of_route(RoutePolicy::new().xframe_sameorigin()), no_effect);
    assert_eq!(of_route(RoutePolicy::new().xframe_exempt()), no_effect);
    let own = |site: CspBuilder| site.directive(Directive::FrameAncestors, [Source::SELF]);
    let both = RoutePolicy::new().xframe_sameorigin().csp_update(own);
    assert_eq!(of_route(both), [] as [&str; 0]);
    let neither = of_route(RoutePolicy::new().xframe_exempt().csp_exempt());
    assert_eq!(neither, ["donjon.W030 route /r/: csp", "donjon.W027 route /r/: frames"]);
}

#[test]
fn rule_5_a_routes_readers_and_exemptions() {
    let cors = |builder: CorsBuilder| of_route(RoutePolicy::new().cors(builder.build().unwrap()));
    let friend = || CorsPolicy::new(["https://app.example"]).allow_credentials();
    assert_eq!(cors(friend()), [] as [&str; 0]);
    let clear = CorsPolicy::new(["http://app.example"]).allow_credentials();
    assert_eq!(cors(clear), ["donjon.W052 route /r/: cors: http://app.example"]);
    let all = friend().allow_any_origin().danger_any_origin_with_credentials();
    assert_eq!(cors(all), ["donjon.E050 route /r/: cors: any origin"]);
    let shared = RoutePolicy::new().isolation_exempt();
    assert_eq!(of_route(shared.clone()), [] as [&str; 0]);
    assert_eq!(of_route(shared.login_required()), ["donjon.W091 route /r/: isolation_exempt"]);
    assert_eq!(of_route(RoutePolicy::new().csrf_exempt()), ["donjon.W073 route POST /r/"]);
}

/// What the site has too is not said again of each route.
#[test]
fn rule_5_a_route_is_blamed_for_what_is_its_own() {
    let defeated = CspPolicy::strict().update().danger_without(Directive::BaseUri).build().unwrap();
    let own = RoutePolicy::new().csp(defeated.clone());
    let checks = Checks::new().route(Target::new("/r/", [Method::GET]).policy(own));
    let report = builder().csp(defeated).build().unwrap().check(&checks);
    assert_eq!(codes(&report), ["donjon.W034"]);
    assert_eq!(report.findings()[0].object(), "csp: base-uri");
}

#[test]
fn routes_come_from_their_table() {
    let ok = async || "";
    let routes = Routes::<()>::new()
        .path("/items/<int:id>/", get(ok).post(ok))
        .csrf_exempt()
        .path("/any/", any(ok))
        .csrf_exempt();
    let table = routes.table().unwrap();
    let report = builder().build().unwrap().check(&Checks::new().routes(table.iter()));
    let objects: Vec<_> = report.findings().iter().map(|finding| finding.object()).collect();
    let any = "route POST, PUT, PATCH, DELETE /any/";
    assert_eq!(objects, ["route POST /items/<int:id>/", any]);
}

#[test]
fn rule_3_what_goes_live_is_asked_more() {
    let stack = builder().build().unwrap();
    assert!(!stack.check(&Checks::new()).has("security.W004"));
    assert!(stack.check(&Checks::deploy()).has("security.W004"));
}

#[test]
fn rule_4_what_is_silenced_is_counted() {
    let stack = builder().build().unwrap();
    let loud = stack.check(&Checks::deploy());
    let quiet = stack.check(&Checks::deploy().silence(["security.W004"]));
    assert!(!quiet.has("security.W004"));
    assert_eq!(quiet.silenced().len(), 1);
    assert_eq!(quiet.findings().len() + 1, loud.findings().len());
    assert!(quiet.to_string().ends_with("(1 silenced)."), "{quiet}");
}

// --- the formats

#[test]
fn text_is_djangos() {
    let any = Stack::new(SitePolicy::new(AllowedHosts::danger_any())).build().unwrap();
    let report = any.check(&Checks::new());
    let text = report.to_string();
    let start = "System check identified some issues:\n\nWARNINGS:\nhost: AllowedHosts::danger_any: (donjon.W001) \
                 The site answers to any host. ";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("\n\tHINT: Name the hosts: "), "{text}");
    assert!(text.contains("\n\tASVS 5.0.0: 1.2.2, 3.7.2\n"), "{text}");
    assert!(text.ends_with("\n\nSystem check identified 1 issue (0 silenced)."), "{text}");
    assert_eq!(Report::default().to_string(), "System check identified no issues (0 silenced).");
}

#[test]
fn levels_decide_whether_a_check_fails() {
    let any = Stack::new(SitePolicy::new(AllowedHosts::danger_any())).build().unwrap();
    let report = any.check(&Checks::new());
    assert!(report.fails(Level::Warning) && report.fails(Level::Info));
    assert!(!report.fails(Level::Error));
}

#[test]
fn json_has_all_of_a_finding() {
    let checks = Checks::deploy().silence(["security.W008"]);
    let report = builder().build().unwrap().check(&checks);
    let json: Value = serde_json::from_str(&report.write(Format::Json)).unwrap();
    let findings = json["findings"].as_array().unwrap();
    assert_eq!(findings.len(), report.findings().len());
    let hsts = findings.iter().find(|finding| finding["code"] == "security.W004").unwrap();
    assert_eq!(hsts["level"], "WARNING");
    assert_eq!(hsts["asvs"], serde_json::json!(["3.4.1"]));
    for key in ["object", "title", "explanation", "hint", "source"] {
        assert!(!hsts[key].as_str().unwrap().is_empty(), "{key}");
    }
    assert_eq!(json["silenced"][0]["code"], "security.W008");
}

#[test]
fn sarif_has_what_its_schema_demands() {
    let checks = Checks::deploy().silence(["security.W008"]);
    let report = builder().build().unwrap().check(&checks);
    let sarif: Value = serde_json::from_str(&report.write(Format::Sarif)).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "donjon");
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), report.findings().len() + 1);
    for result in results {
        let rule = &driver["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let suppressed = !result["suppressions"].as_array().unwrap().is_empty();
        assert_eq!(suppressed, result["ruleId"] == "security.W008");
    }
    let taxa = run["taxonomies"][0]["taxa"].as_array().unwrap();
    for rule in driver["rules"].as_array().unwrap() {
        for relation in rule["relationships"].as_array().unwrap() {
            assert!(taxa.iter().any(|taxon| taxon["id"] == relation["target"]["id"]));
        }
    }
}

// --- the router

/// A site that does everything right; its handlers do, too.
fn good() -> Router {
    let stack = live(builder()).build().unwrap();
    Router::new()
        .route("/", get(async || Html("home")))
        .route("/pay/", get(async || Html("form")).post(async || "paid"))
        .route("/items/{id}", get(async || Redirect::to("/")).delete(async || "gone"))
        .route("/api/", post(async || "done"))
        .route("/visit/", get(visit))
        .fallback(async || (StatusCode::NOT_FOUND, Html("Not Found")))
        .layer(stack.into_layer())
}

async fn visit(session: SessionHandle) -> Result<&'static str, donjon::session::SessionFailure> {
    session.insert("visited", &1).await?;
    Ok("hello")
}

fn routes() -> Vec<Target> {
    vec![
        Target::new("/", [Method::GET]),
        Target::new("/pay/", [Method::GET, Method::POST]),
        Target::new("/items/{id}", [Method::GET, Method::DELETE]),
        Target::new("/api/", [Method::POST]),
        Target::new("/visit/", [Method::GET]),
    ]
}

#[tokio::test]
async fn rule_6_a_good_site_has_no_findings() {
    let report = probe(good(), HOST, &Checks::deploy().routes(routes())).await;
    assert_eq!(codes(&report), [] as [&str; 0], "{report}");
}

/// What is found where one route is outside of the stack.
async fn found(path: &str, methods: impl IntoIterator<Item = Method>, router: Router) -> Report {
    let checks = Checks::deploy().route(Target::new(path, methods));
    probe(good_with(router), HOST, &checks).await
}

fn good_with(router: Router) -> Router {
    let stack = live(builder()).build().unwrap();
    let fallback = Router::new().fallback(async || StatusCode::NOT_FOUND).layer(stack.into_layer());
    router.merge(fallback)
}

/// Handlers whose own answers a stack's headers surround.
fn inside(routes: Router) -> Router {
    routes.layer(live(builder()).build().unwrap().into_layer())
}

fn assert_found(report: &Report, code: &str, object: &str) {
    let fits = |finding: &&donjon::check::Finding| {
        finding.rule().code() == code && finding.object().contains(object)
    };
    assert!(report.findings().iter().any(|finding| fits(&finding)), "{code} {object}: {report}");
}

#[tokio::test]
async fn rule_6_a_route_outside_of_the_stack() {
    let router = Router::new().route("/bare/", get(async || "bare").post(async || "done"));
    let report = found("/bare/", [Method::GET, Method::POST], router).await;
    assert_found(
        &report,
        "donjon.E100",
        "without x-content-type-options, content-security-policy, x-frame-options, referrer-policy, \
         cross-origin-opener-policy: GET /bare/ → 200",
    );
    assert_found(&report, "donjon.E100", "OPTIONS /bare/ → 405");
    assert_found(&report, "donjon.W101", "GET /bare/ → 200");
    assert_found(&report, "donjon.W161", "GET /bare/ (over HTTP)");
    assert_found(&report, "donjon.E150", "GET /bare/ (Host: stranger.invalid)");
    for way in [
        "without a proof",
        "cross-site",
        "foreign Origin",
        "Origin: null",
        "same-site",
        "planted cookie",
    ] {
        assert_found(&report, "donjon.E110", &format!("{way} → 200"));
    }
    assert_found(&report, "donjon.E110", "POST /bare/: ");
    assert!(report.fails(Level::Error));
}

#[tokio::test]
async fn rule_6_a_handler_that_refuses_an_empty_form_has_run_all_the_same() {
    let router = Router::new().route("/bare/", post(async || StatusCode::UNPROCESSABLE_ENTITY));
    let report = found("/bare/", [Method::POST], router).await;
    assert_found(&report, "donjon.E110", "POST /bare/: without a proof → 422, cross-site → 422");
}

#[tokio::test]
async fn rule_6_an_exempt_route_is_expected_to_pass() {
    let router = Router::new().route("/hook/", post(async || "thanks"));
    let checks = Checks::new().route(Target::new("/hook/", [Method::POST]).csrf_exempt());
    assert!(!probe(good_with(router), HOST, &checks).await.has("donjon.E110"));
}

#[tokio::test]
async fn rule_6_a_fallback_outside_of_the_stack() {
    let inner = Router::new().route("/", get(async || "home"));
    let stack = live(builder()).build().unwrap();
    let router = inner.route_layer(stack.into_layer());
    let report = probe(router, HOST, &Checks::new()).await;
    assert_found(&report, "donjon.E100", "GET /donjon-probe/missing/ → 404");
    assert_found(
        &report,
        "donjon.E150",
        "GET /donjon-probe/missing/ (Host: stranger.invalid) → 404",
    );
}

async fn cookies() -> impl IntoResponse {
    let mut headers = HeaderMap::new();
    for cookie in [
        "plain=1; Path=/",
        "__Host-x=1; Secure; HttpOnly; SameSite=Lax; Path=/; Domain=bank.example",
        "csrf_x=1; Secure; SameSite=Strict; Path=/",
        "gone=; Max-Age=0; Path=/",
    ] {
        headers.append(header::SET_COOKIE, HeaderValue::from_static(cookie));
    }
    headers
}

#[tokio::test]
async fn rule_6_the_flags_that_cookies_really_have() {
    let router = inside(Router::new().route("/c/", get(cookies)));
    let report = found("/c/", [Method::GET], router).await;
    assert_found(&report, "donjon.W120", "cookie \"plain\": /c/");
    assert_found(&report, "donjon.W121", "cookie \"plain\": /c/");
    assert_found(&report, "donjon.W122", "cookie \"plain\": /c/");
    assert_found(&report, "donjon.E123", "cookie \"__Host-x\": /c/");
    assert_eq!(report.findings().len(), 4, "{report}");
}

async fn reflect(request: Request<Body>) -> impl IntoResponse {
    let asked = |name: &str| request.headers().get(name).cloned();
    let mut headers = HeaderMap::new();
    if let Some(origin) = asked("origin") {
        headers.insert("access-control-allow-origin", origin);
        headers.insert("access-control-allow-credentials", HeaderValue::from_static("true"));
    }
    if let Some(names) = asked("access-control-request-headers") {
        headers.insert("access-control-allow-headers", names);
    }
    headers
}

#[tokio::test]
async fn rule_6_foreign_origins_that_may_read() {
    let router = inside(Router::new().route("/r/", get(reflect).options(reflect)));
    let report = found("/r/", [Method::GET, Method::OPTIONS], router).await;
    for origin in ["https://stranger.invalid", "null", "https://bank.example.stranger.invalid"] {
        assert_found(&report, "donjon.E130", &format!("Origin: {origin} → 200"));
        assert_found(&report, "donjon.E130", &format!("preflight of {origin} → 200"));
    }
    assert_found(&report, "donjon.W132", "preflight of null");

    let public = async || [("access-control-allow-origin", "*")];
    let report = found("/p/", [Method::GET], inside(Router::new().route("/p/", get(public)))).await;
    assert_found(
        &report,
        "donjon.W131",
        "GET /p/: Origin: https://stranger.invalid → 200, Origin: null → 200",
    );
    assert!(!report.has("donjon.E130"));
}

#[tokio::test]
async fn rule_6_errors_that_tell() {
    let broken = async || {
        (StatusCode::INTERNAL_SERVER_ERROR, "thread 'main' panicked at src/ledger.rs:12:5")
    };
    let router = inside(Router::new().route("/e/", get(broken)));
    let report = found("/e/", [Method::GET], router).await;
    assert_found(&report, "donjon.E140", "\"panicked at\": GET /e/ → 500");
    assert_found(&report, "donjon.I191", "GET /e/ → 500");
}

#[tokio::test]
async fn rule_6_addresses_that_come_back() {
    let echo = async |request: Request<Body>| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let fields = form_urlencoded::parse(query.as_bytes());
        let next = fields.into_iter().find(|(name, _)| name == "next").map(|(_, value)| value);
        let next = next.unwrap_or_default().into_owned();
        match next.starts_with("http") {
            true => Redirect::to(&next).into_response(),
            false => ([(header::CONTENT_TYPE, "text/html")], next).into_response(),
        }
    };
    let router = inside(Router::new().route("/x/", get(echo)));
    let report = found("/x/", [Method::GET], router).await;
    assert_found(&report, "donjon.C141", "GET /x/?next=%3Cdonjon-probe%3E");
    assert_found(&report, "donjon.E151", "GET /x/?next=https%3A%2F%2Fstranger.invalid%2F → 303");
    assert_found(&report, "donjon.W104", "GET /x/ → 200");
}

#[tokio::test]
async fn rule_6_trace_doubles_and_names_of_software() {
    let answer = async || {
        let mut headers = HeaderMap::new();
        headers.append("x-frame-options", HeaderValue::from_static("DENY"));
        headers.append("x-frame-options", HeaderValue::from_static("SAMEORIGIN"));
        headers
    };
    let router = inside(Router::new().route("/t/", get(answer).trace(answer)));
    let report = found("/t/", [Method::GET], router).await;
    assert_found(&report, "donjon.W160", "TRACE /t/ → 200");
    assert_found(&report, "donjon.W102", "x-frame-options: GET /t/ → 200");

    // The stack removes the name; here a route is outside.
    let telling = Router::new().route("/s/", get(async || [("server", "bank/1.0")]));
    let report = found("/s/", [Method::GET], telling).await;
    assert_found(&report, "donjon.I103", "server: GET /s/ → 200");
}

async fn panics() -> &'static str {
    panic!("a test's own")
}

#[tokio::test]
async fn rule_6_a_handler_that_panics() {
    let boom = || Router::new().route("/boom/", get(panics));
    let report = found("/boom/", [Method::GET], boom()).await;
    assert_found(&report, "donjon.W190", "the handler panicked: GET /boom/");
    // A stack makes a 500 of it, with all headers.
    let report = found("/boom/", [Method::GET], inside(boom())).await;
    assert_found(&report, "donjon.I191", "GET /boom/ → 500");
    assert!(!report.has("donjon.W190") && !report.has("donjon.E100"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn rule_6_a_handler_that_never_ends() {
    let router = inside(Router::new().route("/slow/", get(std::future::pending::<&str>)));
    let report = found("/slow/", [Method::GET], router).await;
    assert_found(&report, "donjon.W190", "it took too long: GET /slow/");
}

#[test]
fn rule_6_every_rule_for_routers_is_tested_above() {
    let source: String = include_str!("check.rs").split_whitespace().collect();
    let routers = catalogue().filter(|rule| is_of_routers(rule.code()));
    for rule in routers {
        let asserted = format!("assert_found(&report,\"{}\"", rule.code());
        assert!(source.contains(&asserted), "{}", rule.code());
    }
}

/// Codes of a hundred and above.
fn is_of_routers(code: &str) -> bool {
    code.strip_prefix("donjon.").is_some_and(|number| number[1..].starts_with('1'))
}

#[tokio::test]
async fn reports_are_joined_and_silenced_alike() {
    let checks = Checks::deploy().routes(routes()).silence(["donjon.W001", "donjon.E150"]);
    let stack = Stack::new(SitePolicy::new(AllowedHosts::danger_any())).build().unwrap();
    let router = Router::new().route("/", get(async || "home")).layer(stack.clone().into_layer());
    let report = stack.check(&checks).join(probe(router, HOST, &checks).await);
    let silenced: Vec<_> = report.silenced().iter().map(|finding| finding.rule().code()).collect();
    assert!(silenced.contains(&"donjon.W001") && silenced.contains(&"donjon.E150"), "{silenced:?}");
    assert!(!report.has("donjon.W001") && !report.has("donjon.E150"));
}
