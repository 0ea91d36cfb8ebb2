//! Pages from outside, rule by rule of their module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::get;
use donjon::auth::{Auth, AuthError, AuthPolicy};
use donjon::csrf::CsrfPolicy;
use donjon::page::{Page, PageError, PageTemplates};
use donjon::routes::Routes;
use donjon::session::SessionPolicy;
use donjon::stack::Stack;
use donjon_core::host::AllowedHosts;
use donjon_core::origin::SitePolicy;
use donjon_core::secret::Keys;
use donjon_html::context;
use donjon_html::template::{Folder, LiveTemplates, TemplateOptions, Templates};
use http::{Method, StatusCode, request};
use site::{Accounts, Browser, PASSWORD, Reply, SECRET_OF_THE_STORE, Sessions, cheap, people};

const TEMPLATES: [(&str, &str); 9] = [
    ("plain", "<p>{{ text }}</p>"),
    ("base", "<title>{% block title %}{% endblock %}</title>"),
    (
        "user",
        r#"{% extends "base" %}{% block title %}{{ user.username }}|{{ user }}|{{ user.is_authenticated }}|{{ user.email }}{% endblock %}"#,
    ),
    (
        "hidden",
        r#"<form method="post">{% csrf_token %}</form><form method="post">{% csrf_token %}</form>"#,
    ),
    ("token", r#"<meta name="csrf-token" content="{{ csrf_token }}">"#),
    (
        "nonce",
        r#"<script nonce="{{ csp_nonce }}">1</script><style nonce="{{ csp_nonce }}"></style>"#,
    ),
    (
        "path",
        r#"<a href="{{ request.path }}">{{ request.path }}</a> <a href="{% url 'page' 'plain' %}"></a>"#,
    ),
    ("fails", r#"{% csrf_token %}<a href="{% url 'secret-name' %}"></a>"#),
    ("hides", "{{ user }}"),
];

struct Site {
    sessions: Sessions,
    accounts: Accounts,
    router: Router,
}

impl Site {
    async fn new() -> Self {
        Self::with(CsrfPolicy::default()).await
    }

    async fn with(csrf: CsrfPolicy) -> Self {
        let (sessions, accounts) = (Sessions::default(), people().await);
        let users = AuthPolicy::new(&Keys::new("a long random secret")).passwords(cheap());
        let stack = Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap()))
            .csrf(csrf)
            .sessions(SessionPolicy::default(), sessions.clone())
            .accounts(users, accounts.clone())
            .build()
            .unwrap();
        let router = Routes::new()
            .path("/enter/", get(enter))
            .path("/page/{template}", get(show).post(show))
            .name("page")
            .into_router(stack, Templates::new(TEMPLATES).unwrap())
            .unwrap();
        Self { sessions, accounts, router }
    }

    fn browser(&self) -> Browser {
        Browser::new(&self.router)
    }

    async fn alice(&self) -> Browser {
        let mut browser = self.browser();
        browser.get("/enter/").await;
        browser
    }
}

async fn enter(auth: Auth) -> Result<(), AuthError> {
    let user = auth.authenticate("alice", PASSWORD).await?.unwrap();
    auth.login(&user).await
}

async fn show(
    page: Page,
    Path(template): Path<String>,
    Query(query): Query<std::collections::HashMap<String, String>>,
) -> Result<Response, PageError> {
    let text = query.get("text").cloned().unwrap_or_default();
    match template.as_str() {
        "hides" => page.render("hides", context! { user: "the view's own" }).await,
        _ => page.render(&template, context! { text: text }).await,
    }
}

/// What stands between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap();
    rest.split_once(after).unwrap().0
}

#[tokio::test]
async fn rule_1_what_a_visitor_sends_stays_text() {
    let site = Site::new().await;
    let reply = site.browser().get("/page/plain?text=%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert_eq!(reply.text, "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>");
    assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn rule_1_path_and_urls_are_at_hand() {
    let site = Site::new().await;
    let reply = site.browser().get("/page/path").await;
    assert_eq!(reply.text, r#"<a href="/page/path">/page/path</a> <a href="/page/plain"></a>"#);
}

#[tokio::test]
async fn rule_1_the_users_name_is_text_too() {
    let site = Site::new().await;
    site.accounts.inner.change(1, |user| user.email = "\"<b>@bank.example".to_owned());
    let reply = site.alice().await.get("/page/user").await;
    assert!(reply.text.contains("&quot;&lt;b&gt;@bank.example"), "{}", reply.text);
}

#[tokio::test]
async fn rule_2_the_user_is_asked_for_only_if_the_template_mentions_one() {
    let site = Site::new().await;
    let mut alice = site.alice().await;
    let before = (site.accounts.calls(), site.sessions.calls());
    for template in ["plain", "hidden", "nonce", "path"] {
        assert_eq!(alice.get(&format!("/page/{template}")).await.status, StatusCode::OK);
    }
    assert_eq!((site.accounts.calls(), site.sessions.calls()), before);
    let reply = alice.get("/page/user").await;
    assert_eq!(reply.text, "<title>alice|alice|True|alice@bank.example</title>");
    assert!(reply.varies("cookie"));
    assert_eq!(site.accounts.calls(), before.0 + 1);
}

#[tokio::test]
async fn rule_2_nobody_is_djangos_anonymous_user() {
    let site = Site::new().await;
    let reply = site.browser().get("/page/user").await;
    assert_eq!(reply.text, "<title>|AnonymousUser|False|</title>");
    assert_eq!((site.accounts.calls(), site.sessions.calls()), (0, 0));
}

#[tokio::test]
async fn rule_2_a_variable_of_the_view_hides_the_user() {
    let site = Site::new().await;
    assert_eq!(site.alice().await.get("/page/hides").await.text, "the view&#x27;s own");
}

#[tokio::test]
async fn rule_2_all_forms_of_a_page_share_a_token_that_works() {
    let site = Site::new().await;
    let mut browser = site.browser();
    let page = browser.get("/page/hidden").await;
    let field = "<input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"";
    let tokens: Vec<_> =
        page.text.split(field).skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!((tokens.len(), tokens[0].len()), (2, 64));
    assert_eq!(tokens[0], tokens[1]);
    let again = browser.get("/page/token").await;
    let fresh = between(&again.text, "content=\"", "\"");
    assert_ne!(fresh, tokens[0], "BREACH: another page has another mask");
    for token in [fresh, tokens[0]] {
        let reply = browser.post("/page/plain", &[("csrfmiddlewaretoken", token)]).await;
        assert_eq!(reply.status, StatusCode::OK);
    }
    assert_eq!(browser.post("/page/plain", &[]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn rule_2_the_nonce_is_the_pages_own_and_stands_only_where_it_was_read() {
    let site = Site::new().await;
    let mut browser = site.browser();
    let (one, other) = (browser.get("/page/nonce").await, browser.get("/page/nonce").await);
    let nonce = between(&one.text, "<script nonce=\"", "\"");
    assert_eq!(between(&one.text, "<style nonce=\"", "\""), nonce);
    assert!(one.header("content-security-policy").contains(&format!("'nonce-{nonce}'")));
    assert!(!other.text.contains(nonce), "a nonce is fresh for each response");
    let plain = browser.get("/page/plain").await;
    assert!(!plain.header("content-security-policy").contains("nonce-"));
}

#[tokio::test]
async fn rule_3_a_page_with_a_token_is_not_to_be_stored() {
    // Under Django's own policy the CSRF room leaves it to the page.
    for csrf in [CsrfPolicy::default(), CsrfPolicy::django()] {
        let site = Site::with(csrf).await;
        for template in ["hidden", "token"] {
            let reply = site.browser().get(&format!("/page/{template}")).await;
            assert_eq!(reply.header("cache-control"), "private, no-store");
            assert!(reply.varies("cookie") && reply.set_cookie("csrftoken").is_some());
        }
    }
    let site = Site::new().await;
    let reply = site.browser().get("/page/plain").await;
    assert_eq!((reply.header("cache-control"), reply.set_cookies().count()), ("", 0));
}

#[tokio::test]
async fn rule_4_a_page_that_fails_is_500_and_tells_nothing() {
    let site = Site::new().await;
    for template in ["fails", "there-is-none"] {
        let reply = site.browser().get(&format!("/page/{template}")).await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(reply.text, "Internal Server Error\n");
        assert_eq!(reply.header("x-frame-options"), "DENY");
    }
}

#[tokio::test]
async fn rule_4_a_user_who_cannot_be_told_is_503_and_not_a_stranger() {
    for sessions_fail in [true, false] {
        let site = Site::new().await;
        let mut alice = site.alice().await;
        match sessions_fail {
            true => site.sessions.go_down(),
            false => site.accounts.go_down(),
        }
        let reply = alice.get("/page/user").await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!reply.text.contains(SECRET_OF_THE_STORE) && !reply.text.contains("Anonymous"));
        assert_eq!(alice.get("/page/plain").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_page_outside_of_routes_is_500() {
    let router = Router::new().route("/{template}", get(show));
    let reply = Browser::new(&router).get("/plain").await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
}

const ERROR_PAGES: [(&str, &str); 5] = [
    ("404.html", "<h1>Nothing here</h1><a href=\"{% url 'page' 'plain' %}\">back</a>{{ user }}"),
    ("403_csrf.html", "<h1>Send it again</h1>"),
    ("500.html", "<h1>Our fault</h1>"),
    ("fails", "{% url 'nothing' %}"),
    ("plain", "<p>{{ text }}</p>"),
];

async fn routed(templates: impl Into<PageTemplates>) -> Router {
    let users = AuthPolicy::new(&Keys::new("a long random secret")).passwords(cheap());
    let stack = Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap()))
        .sessions(SessionPolicy::default(), Sessions::default())
        .accounts(users, people().await)
        .build()
        .unwrap();
    Routes::new()
        .path("/page/{template}", get(show).post(show))
        .name("page")
        .path("/stream/{template}", get(stream))
        .into_router(stack, templates)
        .unwrap()
}

async fn stream(page: Page, Path(template): Path<String>) -> Result<Response, PageError> {
    let rows: Vec<u32> = (0..40_000).collect();
    page.stream(&template, context! { rows: rows }).await
}

async fn asked(router: &Router, method: Method, path: &str, accept: &str) -> Reply {
    let request = request::Builder::new().method(method).uri(path).header("accept", accept);
    Browser::new(router).send(request, Body::empty()).await
}

#[tokio::test]
async fn a_site_s_own_pages_take_the_place_of_refusals() {
    let router = routed(Templates::new(ERROR_PAGES).unwrap()).await;
    let html = "text/html,*/*;q=0.8";
    let cases = [
        (
            Method::GET,
            "/nothing/",
            StatusCode::NOT_FOUND,
            "<h1>Nothing here</h1><a href=\"/page/plain\">back</a>",
        ),
        (Method::POST, "/page/plain", StatusCode::FORBIDDEN, "<h1>Send it again</h1>"),
        (Method::GET, "/page/fails", StatusCode::INTERNAL_SERVER_ERROR, "<h1>Our fault</h1>"),
    ];
    for (method, path, status, page) in cases {
        let reply = asked(&router, method.clone(), path, html).await;
        assert_eq!((reply.status, reply.text.as_str()), (status, page), "{path}");
        assert_eq!(reply.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(
            (reply.header("x-frame-options"), reply.header("cache-control")),
            ("DENY", "no-store")
        );
        let reply = asked(&router, method, path, "application/json").await;
        assert_eq!(reply.status, status);
        assert_ne!(reply.text, page);
    }
}

#[tokio::test]
async fn a_page_of_refusals_that_needs_a_request_is_an_error_at_the_start() {
    let stack =
        Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap())).build().unwrap();
    let templates = Templates::new([("404.html", "{% url 'nothing' %}")]).unwrap();
    let error = Routes::<()>::new().into_router(stack, templates).unwrap_err();
    assert!(error.to_string().contains("404.html:1"), "{error}");
}

#[tokio::test]
async fn rule_6_a_streamed_page_is_whole_and_safe() {
    let templates = Templates::new([
        ("rows", "<script>1</script>{% csrf_token %}{% for row in rows %}<p>{{ row }}</p>{% endfor %}end"),
        ("breaks", "{% for row in rows %}<p>{{ row }}</p>{% endfor %}{% url 'nothing' %}"),
    ])
    .unwrap();
    let router = routed(templates).await;
    let reply = asked(&router, Method::GET, "/stream/rows", "*/*").await;
    assert!(reply.text.ends_with("<p>39999</p>end") && reply.text.len() > 400_000);
    let nonce = between(&reply.text, "nonce=\"", "\"");
    assert!(reply.header("content-security-policy").contains(&format!("'nonce-{nonce}'")));
    assert_eq!(reply.header("cache-control"), "private, no-store");
    assert!(reply.set_cookie("csrftoken").is_some());
    assert_eq!(between(&reply.text, "name=\"csrfmiddlewaretoken\" value=\"", "\"").len(), 64);
}

#[tokio::test]
async fn rule_7_templates_that_change_are_read_again_and_explain_themselves() {
    let folder = std::env::temp_dir().join(format!("donjon-live-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |text: &str| std::fs::write(folder.join("plain"), text).unwrap();
    write("one");
    let live = LiveTemplates::new(Folder::new(&folder), TemplateOptions::new()).unwrap();
    let router = routed(live).await;
    let mut browser = Browser::new(&router);
    assert_eq!(browser.get("/page/plain").await.text, "one");
    write("second");
    assert_eq!(browser.get("/page/plain").await.text, "second");
    write("{{ <b>|uper }}");
    let reply = browser.get("/page/plain").await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        reply.text.contains("plain:1:1: ") && reply.text.contains("{{ &lt;b&gt;|uper }}"),
        "{}",
        reply.text
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn the_request_can_be_asked() {
    let page = "{{ request.method }} {{ request.GET.a }} {{ request.get_full_path }} {% querystring a=None b='x y' %}";
    let router = routed(Templates::new([("asked", page)]).unwrap()).await;
    let reply = asked(&router, Method::GET, "/page/asked?a=1&a=%3Cb%3E&c=3", "*/*").await;
    assert_eq!(reply.text, "GET &lt;b&gt; /page/asked?a=1&amp;a=%3Cb%3E&amp;c=3 ?c=3&amp;b=x+y");
}

#[tokio::test]
async fn a_query_may_have_fields_named_like_methods() {
    let page = "{% autoescape off %}{% querystring page=2 %}{% endautoescape %}";
    let router = routed(Templates::new([("asked", page)]).unwrap()).await;
    let reply = asked(&router, Method::GET, "/page/asked?lists=x&items=y&page=1", "*/*").await;
    assert_eq!(reply.text, "?lists=x&items=y&page=2");
}

#[tokio::test]
async fn perms_and_a_site_s_own_variables() {
    let source = "{{ site_name }} {% if perms.bank %}app{% endif %}{{ perms.bank.add_transfer }}{% if 'bank.add_transfer' in perms %}in{% endif %}";
    let templates = PageTemplates::from(Templates::new([("perms", source)]).unwrap());
    let router = routed(templates.with("site_name", "<Bank>")).await;
    let mut browser = Browser::new(&router);
    assert_eq!(browser.get("/page/perms").await.text, "&lt;Bank&gt; False");
}

#[test]
fn templates_are_built_into_the_binary() {
    let embedded = donjon::embed_templates!("tests/templates");
    let templates = Templates::load(embedded, TemplateOptions::new()).unwrap();
    assert_eq!(templates.names().collect::<Vec<_>>(), ["a.html", "parts/b.html"]);
    assert_eq!(templates.render("a.html", &context! {}, &()).unwrap(), "built in");
}
