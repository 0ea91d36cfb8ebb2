//! What a browser makes of the gate's headers: CORS, frames, and the Content Security Policy.

use axum::Router;
use axum::response::Html;
use axum::routing::{any, get};
use donjon::cors::{CorsBuilder, CorsPolicy};
use donjon::csp::{CspNonce, CspPolicy, Directive};
use donjon::csrf::CsrfPolicy;
use donjon::headers::HeadersPolicy;
use donjon::stack::{Stack, StackBuilder};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{SitePolicy, TrustedOrigins};
use http::{HeaderMap, header};
use serde_json::json;

use crate::driver::{Browser, Outcome, browse, visit};
use crate::site::Site;

fn stack() -> StackBuilder {
    Stack::new(SitePolicy::new(AllowedHosts::local()))
}

/// A page of nobody's: without a policy, and with nothing in it.
async fn blank() -> Outcome<Site> {
    let page = get(async || Html("<!doctype html><title>Blank</title>"));
    Site::open(Router::new().route("/", page.clone()).route("/{name}", page)).await
}

/// An API that tells which cookies came, and lets this origin read.
async fn api(reader: &Site, change: impl FnOnce(CorsBuilder) -> CorsBuilder) -> Outcome<Site> {
    let cookies = async |headers: HeaderMap| {
        let cookies = headers.get(header::COOKIE).and_then(|cookies| cookies.to_str().ok());
        format!("cookies: {}", cookies.unwrap_or("none"))
    };
    let origin = reader.origin();
    let csrf = CsrfPolicy::default().trust(TrustedOrigins::new([origin.as_str()])?);
    let cors = change(CorsPolicy::new([origin.as_str()])).methods(["GET", "PUT"]).build()?;
    let stack = stack().cors(cors).csrf(csrf).build()?;
    let router = Router::new().route("/", any(cookies)).layer(stack.into_layer());
    Site::open(router).await
}

/// What a page gets to read of an answer, or the error that it gets instead.
async fn fetch(browser: &Browser, site: &Site, options: &str) -> Outcome<String> {
    let script = format!("return (await fetch('{}', {options})).text()", site.url("/"));
    Ok(browser.settle(&script).await?.as_str().unwrap_or_default().to_owned())
}

const FAILED: &str = "TypeError: Failed to fetch";

#[tokio::test(flavor = "multi_thread")]
async fn cors_rule_2_a_preflight_that_passes_is_asked_once_and_kept() -> Outcome {
    let page = blank().await?;
    let api = api(&page, |policy| policy).await?;
    browse(&[], async |browser| {
        browser.open(&page.url("/")).await?;
        // Without a token the request is refused, and the page may read that.
        for _ in 0..2 {
            assert!(fetch(&browser, &api, "{method: 'PUT'}").await?.contains("CSRF"));
        }
        assert_eq!(api.asked(), ["OPTIONS /", "PUT /", "PUT /"]);
        assert_eq!(fetch(&browser, &api, "{}").await?, "cookies: none");
        assert_eq!(api.asked(), ["GET /"], "what a form could send too is not asked about");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn cors_rule_2_a_preflight_that_fails_sends_nothing() -> Outcome {
    let page = blank().await?;
    let stranger = blank().await?;
    let api = api(&page, |policy| policy).await?;
    browse(&[], async |browser| {
        browser.open(&page.url("/")).await?;
        for refused in ["{method: 'DELETE'}", "{headers: {'X-Own': '1'}}"] {
            assert_eq!(fetch(&browser, &api, refused).await?, FAILED, "{refused}");
            assert_eq!(api.asked(), ["OPTIONS /"], "{refused}");
        }
        browser.open(&stranger.url("/")).await?;
        assert_eq!(fetch(&browser, &api, "{method: 'PUT'}").await?, FAILED);
        assert_eq!(api.asked(), ["OPTIONS /"]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn cors_rule_1_another_origin_asks_and_does_not_read() -> Outcome {
    let page = blank().await?;
    let stranger = blank().await?;
    let api = api(&page, |policy| policy).await?;
    browse(&[], async |browser| {
        browser.open(&stranger.url("/")).await?;
        assert_eq!(fetch(&browser, &api, "{}").await?, FAILED);
        assert_eq!(api.asked(), ["GET /"], "CORS keeps the answer, not the request");
        let log = browser.console().await?.join("\n");
        assert!(log.contains("No 'Access-Control-Allow-Origin' header is present"), "{log}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn cors_cookies_are_read_about_only_where_the_policy_allows_credentials() -> Outcome {
    let page = blank().await?;
    let (plain, with_cookies) =
        (api(&page, |policy| policy).await?, api(&page, CorsBuilder::allow_credentials).await?);
    browse(&[], async |browser| {
        browser.open(&page.url("/")).await?;
        browser.run("document.cookie = 'who=alice; SameSite=Lax'").await?;
        let include = "{credentials: 'include'}";
        assert_eq!(fetch(&browser, &with_cookies, include).await?, "cookies: who=alice");
        assert_eq!(fetch(&browser, &with_cookies, "{}").await?, "cookies: none");
        assert_eq!(fetch(&browser, &plain, "{}").await?, "cookies: none");
        assert_eq!(fetch(&browser, &plain, include).await?, FAILED);
        let log = browser.console().await?.join("\n");
        assert!(
            log.contains("'Access-Control-Allow-Credentials' header in the response is ''"),
            "{log}"
        );
        Ok(())
    })
    .await
}

/// What the browser calls the visitor's permission to reach this machine.
const LOOPBACK: &str = "loopback-network";

/// A browser that takes everything at this site's port for a server out in the internet.
fn far_away(site: &Site) -> Vec<String> {
    vec![format!("--ip-address-space-overrides=127.0.0.1:{}=public", site.port)]
}

/// This Chromium asks the visitor (Local Network Access). Its forerunner, Private Network Access,
/// asked the server in a preflight with `Access-Control-Request-Private-Network`, which no browser
/// sends any more; what the stack answers to it is tested without a browser.
#[tokio::test(flavor = "multi_thread")]
async fn cors_a_page_from_the_internet_does_not_reach_this_machine_unasked() -> Outcome {
    let page = blank().await?;
    let api = api(&page, |policy| policy).await?;
    browse(&far_away(&page), async |browser| {
        browser.open(&page.url("/")).await?;
        assert_eq!(fetch(&browser, &api, "{}").await?, FAILED);
        assert_eq!(api.asked(), [""; 0], "the API was not asked");
        let log = browser.console().await?.join("\n");
        assert!(log.contains("Permission was denied for this request to access the"), "{log}");

        browser.grant(&page.origin(), LOOPBACK).await?;
        assert_eq!(fetch(&browser, &api, "{}").await?, "cookies: none");
        assert_eq!(api.asked(), ["GET /"], "the visitor was asked, and the API need not be");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn cors_the_visitors_permission_is_not_the_sites() -> Outcome {
    let page = blank().await?;
    let stranger = blank().await?;
    let api = api(&page, |policy| policy).await?;
    browse(&far_away(&stranger), async |browser| {
        browser.open(&stranger.url("/")).await?;
        browser.grant(&stranger.origin(), LOOPBACK).await?;
        assert_eq!(fetch(&browser, &api, "{}").await?, FAILED);
        assert_eq!(api.asked(), ["GET /"]);
        let log = browser.console().await?.join("\n");
        assert!(log.contains("No 'Access-Control-Allow-Origin' header is present"), "{log}");
        Ok(())
    })
    .await
}

/// Puts a page into a frame, and tells whether the browser showed it.
async fn framed(browser: &Browser, url: &str) -> Outcome<bool> {
    let script = format!(
        "const frame = document.createElement('iframe');
         const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
         frame.src = '{url}';
         document.body.replaceChildren(frame);
         await loaded;
         // A refused page is replaced by one of another origin; what is shown here has a title to tell.
         return new Promise((resolve) => {{
           addEventListener('message', () => resolve(true), {{ once: true }});
           frame.contentWindow.postMessage('there?', '*');
           setTimeout(() => resolve(false), 1000);
         }});"
    );
    Ok(browser.settle(&script).await? == json!(true))
}

/// A page that answers whoever frames it.
const ANSWERS: &str = "<!doctype html><title>Framed</title>
    <script>addEventListener('message', (event) => event.source.postMessage('here', '*'))</script>";

async fn answering(headers: HeadersPolicy, policy: CspPolicy) -> Outcome<Site> {
    let page = async |nonce: CspNonce| Html(with_nonce(ANSWERS, &nonce));
    let stack = stack().headers(headers).csp(policy).build()?;
    let router = Router::new().route("/", get(page)).layer(stack.into_layer());
    // Besides, a page that nobody protects: the frame itself works.
    Site::open(router.route("/open", get(async || Html(ANSWERS)))).await
}

fn with_nonce(page: &str, nonce: &CspNonce) -> String {
    page.replace("<script>", &format!("<script nonce=\"{}\">", nonce.read()))
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_csp_a_page_is_not_framed() -> Outcome {
    let page = blank().await?;
    let both = answering(HeadersPolicy::strict(), CspPolicy::strict()).await?;
    // Nothing but X-Frame-Options keeps this one out of frames.
    let anywhere =
        CspPolicy::strict().update().danger_without(Directive::FrameAncestors).build()?;
    let header = answering(HeadersPolicy::django(), anywhere).await?;
    browse(&[], async |browser| {
        browser.open(&page.url("/")).await?;
        assert!(framed(&browser, &both.url("/open")).await?, "a page without headers is framed");
        assert_eq!(both.asked(), ["GET /open"]);
        browser.console().await?;

        assert!(!framed(&browser, &both.url("/")).await?);
        assert_eq!(both.asked(), ["GET /"], "the page was asked for");
        let log = browser.console().await?.join("\n");
        assert!(log.contains("frame-ancestors 'none'"), "{log}");

        assert!(!framed(&browser, &header.url("/")).await?);
        let log = browser.console().await?.join("\n");
        assert!(log.contains("'X-Frame-Options' to 'deny'"), "{log}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_csp_the_banks_pages_are_not_framed() -> Outcome {
    visit(async |visitor| {
        let bank = format!("http://localhost:{}", visitor.bank_port());
        visitor.open(&format!("http://evil.localhost:{}/", visitor.attacker_port())).await?;
        for path in ["/", "/accounts/login/", "/nowhere/"] {
            visitor.console().await?;
            assert!(!framed(&visitor, &format!("{bank}{path}")).await?, "{path}");
            let log = visitor.console().await?.join("\n");
            assert!(log.contains("frame-ancestors 'none'"), "{path}: {log}");
        }
        Ok(())
    })
    .await
}

/// Does the page that is open get this image, and this script?
async fn embedded(browser: &Browser, site: &str) -> Outcome<serde_json::Value> {
    let script = format!(
        "const loads = (name, src) => new Promise((resolve) => {{
           const element = document.createElement(name);
           element.addEventListener('load', () => resolve(true));
           element.addEventListener('error', () => resolve(false));
           element.src = src;
           document.body.append(element);
         }});
         return [
           await loads('img', '{site}/static/tower.svg'),
           await loads('script', '{site}/static/attacker.js'),
         ];"
    );
    browser.settle(&script).await
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_the_banks_files_are_not_embedded() -> Outcome {
    visit(async |visitor| {
        let bank = format!("http://localhost:{}", visitor.bank_port());
        visitor.open(&format!("http://evil.localhost:{}/", visitor.attacker_port())).await?;
        // The attacker has the same files, without the headers.
        assert_eq!(embedded(&visitor, "").await?, json!([true, true]));
        visitor.console().await?;
        assert_eq!(embedded(&visitor, &bank).await?, json!([false, false]));
        let log = visitor.console().await?.join("\n");
        assert!(log.contains("ERR_BLOCKED_BY_RESPONSE.NotSameOrigin"), "{log}");
        Ok(())
    })
    .await
}

/// A page that an injection has reached, and which tells what ran and what the browser refused.
const INJECTED: &str = "<!doctype html><title>Injected</title>
    <script>
    window.ran = ['nonce'];
    window.refused = [];
    document.addEventListener('securitypolicyviolation', (event) => {
      refused.push(`${event.effectiveDirective} ${event.blockedURI} ${event.disposition}`);
      if (refused.length === 5) document.title = 'All refused';
    });
    </script>
    <script nonce=''>ran.push('empty nonce')</script>
    <script nonce='guessed'>ran.push('wrong nonce')</script>
    <p onclick=\"ran.push('handler')\" style=\"color: red\">Text</p>
    <script src='https://evil.example/x.js'></script>";

#[tokio::test(flavor = "multi_thread")]
async fn csp_an_inline_script_without_the_nonce_does_not_run() -> Outcome {
    let page = async |nonce: CspNonce| Html(with_nonce(INJECTED, &nonce));
    let router = Router::new().route("/", get(page)).layer(stack().build()?.into_layer());
    let site = Site::open(router).await?;
    browse(&[], async |browser| {
        browser.open(&site.url("/")).await?;
        browser.run("document.querySelector('p').click()").await?;
        browser
            .settle(
                "while (document.title !== 'All refused') {
                   await new Promise((go) => setTimeout(go, 20));
                 }",
            )
            .await?;
        assert_eq!(browser.run("return window.ran").await?, json!(["nonce"]));
        let refused = browser.run("return window.refused.sort()").await?;
        let expected = [
            "script-src-attr inline enforce",
            "script-src-elem https://evil.example/x.js enforce",
            "script-src-elem inline enforce",
            "script-src-elem inline enforce",
            "style-src-attr inline enforce",
        ];
        assert_eq!(refused, json!(expected));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn csp_a_nonce_is_of_one_response() -> Outcome {
    let page =
        async |nonce: CspNonce| Html(with_nonce("<script>window.ran = true</script>", &nonce));
    let router = Router::new().route("/", get(page)).layer(stack().build()?.into_layer());
    let site = Site::open(router).await?;
    browse(&[], async |browser| {
        let read = "return [window.ran, document.querySelector('script').nonce]";
        let mut seen = Vec::new();
        for _ in 0..2 {
            browser.open(&site.url("/")).await?;
            seen.push(browser.run(read).await?);
        }
        assert_eq!([&seen[0][0], &seen[1][0]], [&json!(true), &json!(true)]);
        assert_ne!(seen[0][1], seen[1][1]);
        // The nonce of the page before is worth nothing here.
        let old = seen[0][1].as_str().unwrap_or_default();
        browser
            .run(&format!(
                "const script = document.createElement('script');
                 script.setAttribute('nonce', '{old}');
                 script.textContent = 'window.late = true';
                 document.body.append(script);"
            ))
            .await?;
        assert_eq!(browser.run("return window.late === true").await?, json!(false));
        Ok(())
    })
    .await
}
