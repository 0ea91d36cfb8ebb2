//! The room of the Content Security Policy from outside, rule by rule of its module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use donjon::csp::{
    CspErrors, CspLayer, CspNonce, CspPolicies, CspPolicy, DJANGO_NONCE, Directive, DjangoCsp,
    DjangoCspSettings, RouteCsp, RouteCspLayer, Source,
};
use donjon::stack::Stack;
use donjon_core::host::AllowedHosts;
use donjon_core::origin::SitePolicy;
use http::{HeaderName, HeaderValue, StatusCode, header};
use site::{Browser, Reply};
use tower::{ServiceBuilder, ServiceExt, service_fn};

const ENFORCED: &str = "content-security-policy";
const REPORT_ONLY: &str = "content-security-policy-report-only";

async fn page(nonce: CspNonce) -> String {
    format!("{} {}", nonce.read(), nonce.read())
}

fn pages() -> Router {
    let own = [(HeaderName::from_static(ENFORCED), HeaderValue::from_static("img-src *"))];
    Router::new()
        .route("/", get(async || "page"))
        .route("/nonce", get(page))
        .route("/own", get(async move || (own, "page")))
        .route("/fail", get(async || StatusCode::INTERNAL_SERVER_ERROR))
}

async fn reply(policies: impl Into<CspPolicies>, path: &str) -> Reply {
    Browser::new(&pages().layer(CspLayer::new(policies))).get(path).await
}

fn all<'r>(reply: &'r Reply, name: &str) -> Vec<&'r HeaderValue> {
    reply.headers.get_all(name).iter().collect()
}

#[tokio::test]
async fn rule_1_every_response_has_the_strict_policy() {
    for path in ["/", "/missing", "/fail"] {
        let reply = reply(CspPolicies::default(), path).await;
        assert_eq!(all(&reply, ENFORCED), [&CspPolicy::strict().header(None)], "{path}");
        assert_eq!(reply.headers.get(REPORT_ONLY), None);
    }
}

#[tokio::test]
async fn rule_2_the_nonce_of_the_page_is_in_the_header_and_nowhere_else() {
    let site = pages().layer(CspLayer::new(CspPolicy::strict()));
    let mut browser = Browser::new(&site);
    let (first, second) = (browser.get("/nonce").await, browser.get("/nonce").await);
    assert_ne!(first.text, second.text);
    for reply in [first, second] {
        let (nonce, again) = reply.text.split_once(' ').unwrap();
        assert_eq!(nonce, again);
        assert_eq!(reply.headers[ENFORCED], CspPolicy::strict().header(Some(nonce)));
        assert_eq!(reply.header(ENFORCED).matches(nonce).count(), 2);
    }
    assert!(!browser.get("/").await.header(ENFORCED).contains("nonce"));
}

#[tokio::test]
async fn rule_2_where_scripts_need_the_nonce_a_page_without_runs_none() {
    let bare = reply(CspPolicy::strict_dynamic(), "/").await;
    assert!(bare.header(ENFORCED).contains("script-src 'none';"), "{}", bare.header(ENFORCED));
    let page = reply(CspPolicy::strict_dynamic(), "/nonce").await;
    let nonce = page.text.split_once(' ').unwrap().0;
    let expected = format!("script-src 'nonce-{nonce}' 'strict-dynamic';");
    assert!(page.header(ENFORCED).contains(&expected), "{}", page.header(ENFORCED));
}

#[test]
fn rule_4_mistakes_are_told_before_a_request_comes() {
    let defeated = || -> Result<CspPolicy, CspErrors> {
        CspPolicy::strict()
            .update()
            .directive(Directive::Script, [Source::SELF, Source::STRICT_DYNAMIC])
            .directive(Directive::Img, [Source::NONE, Source::SELF])
            .build()
    };
    assert_eq!(defeated().unwrap_err().iter().count(), 2);
}

#[tokio::test]
async fn rule_5_both_policies_are_sent_with_the_same_nonce() {
    let policies =
        CspPolicies::enforce(CspPolicy::strict()).report_only(CspPolicy::strict_dynamic());
    let page = reply(policies, "/nonce").await;
    let nonce = page.text.split_once(' ').unwrap().0;
    assert_eq!(page.headers[ENFORCED], CspPolicy::strict().header(Some(nonce)));
    assert_eq!(page.headers[REPORT_ONLY], CspPolicy::strict_dynamic().header(Some(nonce)));
}

fn routes(site: &CspPolicy) -> Router {
    let maps = Source::origin("https://maps.example").unwrap();
    let updated = site.update().allow(Directive::Frame, maps).build().unwrap();
    let of = |route: RouteCsp| get(page).layer(RouteCspLayer::new(route));
    let inserted = RouteCsp::default().danger_exempt();
    Router::new()
        .route("/update", of(RouteCsp::default().enforce(updated.clone())))
        .route("/tried", of(RouteCsp::default().report_only(updated)))
        .route("/exempt", of(RouteCsp::default().danger_exempt()))
        .route("/quiet", of(RouteCsp::default().exempt_report_only()))
        .route(
            "/by-hand",
            get(async || {
                let mut response = http::Response::new(axum::body::Body::empty());
                response.extensions_mut().insert(inserted);
                response
            }),
        )
}

#[tokio::test]
async fn rule_5_a_route_has_policies_of_its_own() {
    let site = CspPolicy::strict();
    let policies = CspPolicies::enforce(site.clone()).report_only(CspPolicy::strict_dynamic());
    let stack = Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap()))
        .csp(policies.clone())
        .build()
        .unwrap();
    let layered = routes(&site).layer(CspLayer::new(policies));
    for router in [layered, routes(&site).layer(stack.into_layer())] {
        let mut browser = Browser::new(&router);
        let update = browser.get("/update").await;
        let nonce = update.text.split_once(' ').unwrap().0;
        assert!(update.header(ENFORCED).ends_with("frame-src https://maps.example"));
        assert!(
            update.header(ENFORCED).contains(nonce) && update.header(REPORT_ONLY).contains(nonce)
        );
        let tried = browser.get("/tried").await;
        assert!(tried.header(REPORT_ONLY).ends_with("frame-src https://maps.example"));
        assert!(!tried.header(ENFORCED).contains("maps"));
        for (path, enforced, report_only) in [
            ("/exempt", false, true),
            ("/by-hand", false, true),
            ("/quiet", true, false),
            ("/404", true, true),
        ] {
            let reply = browser.get(path).await;
            assert_eq!(reply.headers.contains_key(ENFORCED), enforced, "{path}");
            assert_eq!(reply.headers.contains_key(REPORT_ONLY), report_only, "{path}");
        }
    }
}

#[tokio::test]
async fn rule_6_what_a_handler_set_stays_and_stands_once() {
    let policies = CspPolicies::default().report_only(CspPolicy::strict());
    let reply = reply(policies, "/own").await;
    assert_eq!(all(&reply, ENFORCED), ["img-src *"]);
    assert_eq!(all(&reply, REPORT_ONLY), [&CspPolicy::strict().header(None)]);
}

#[tokio::test]
async fn rule_6_the_endpoint_of_the_reports_is_named() {
    let policy = CspPolicy::strict().update().report_to("csp", "/csp-report/").build().unwrap();
    let reply = reply(policy, "/").await;
    assert_eq!(reply.header("reporting-endpoints"), "csp=\"/csp-report/\"");
    let ends = "; report-uri /csp-report/; report-to csp";
    assert!(reply.header(ENFORCED).ends_with(ends), "{}", reply.header(ENFORCED));
}

#[tokio::test]
async fn rule_7_django_sends_an_empty_header_for_a_policy_that_comes_to_nothing() {
    let setting = DjangoCsp::new([("script-src", [DJANGO_NONCE].into())]);
    let policy = CspPolicy::from_django(&setting).unwrap().unwrap();
    assert_eq!(all(&reply(policy.clone(), "/").await, ENFORCED), [""]);
    let page = reply(policy, "/nonce").await;
    let nonce = page.text.split_once(' ').unwrap().0;
    assert_eq!(page.header(ENFORCED), format!("script-src 'nonce-{nonce}'"));
}

#[tokio::test]
async fn rule_8_django_csp_leaves_paths_out() {
    let settings = DjangoCspSettings::new(&DjangoCsp::default()).danger_exclude(["/nonce"]);
    let policies = CspPolicies::from_django_csp(Some(&settings), None).unwrap();
    assert_eq!(reply(policies.clone(), "/").await.header(ENFORCED), "default-src 'self'");
    let excluded = reply(policies.clone(), "/nonce").await;
    assert_eq!(excluded.headers.get(ENFORCED), None);
    assert_eq!(excluded.text.len(), 24 + 1 + 24);
    let stack = Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap()))
        .csp(policies)
        .build()
        .unwrap();
    let mut browser = Browser::new(&pages().layer(stack.into_layer()));
    assert_eq!(browser.get("/nonce").await.headers.get(ENFORCED), None);
    assert_eq!(browser.get("/").await.header(ENFORCED), "default-src 'self'");
}

#[tokio::test]
async fn without_the_layer_a_handler_that_wants_a_nonce_is_500() {
    let reply = Browser::new(&pages()).get("/nonce").await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn the_layer_needs_no_axum() {
    let service = ServiceBuilder::new()
        .layer(CspLayer::new(CspPolicy::strict()))
        .layer(RouteCspLayer::new(RouteCsp::default().report_only(CspPolicy::strict())))
        .service(service_fn(async |request: http::Request<()>| {
            let nonce = request.extensions().get::<CspNonce>().unwrap();
            Ok::<_, Infallible>(http::Response::new(Arc::<str>::from(nonce.read())))
        }));
    let response = service.oneshot(http::Request::get("/").body(()).unwrap()).await.unwrap();
    for name in [header::CONTENT_SECURITY_POLICY, header::CONTENT_SECURITY_POLICY_REPORT_ONLY] {
        assert_eq!(response.headers()[name], CspPolicy::strict().header(Some(response.body())));
    }
}
