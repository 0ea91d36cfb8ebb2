//! HTTPS in a browser, on real TLS sockets with a throwaway certificate: the redirect, and a browser
//! that remembers.
//!
//! The browser is told where the hosts of the test are, and to take this one key for good; then it
//! treats the connection as any valid one, and keeps what it is told by `Strict-Transport-Security`.
//! (It keeps nothing for `localhost` or an address.)

use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use base64ct::{Base64, Encoding};
use donjon::csrf::CsrfToken;
use donjon::https::{HstsScope, HttpsPolicy};
use donjon::serve::Tls;
use donjon::stack::{Stack, StackLayer};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Connection, SitePolicy};
use rcgen::{PublicKeyData, generate_simple_self_signed};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::driver::{Browser, Outcome, browse};
use crate::site::Site;

const HOST: &str = "bank.test";

const YEAR: Duration = Duration::from_secs(31_536_000);

/// One site behind both doors.
struct Doors {
    clear: Site,
    tls: Site,
    flags: Vec<String>,
}

impl Doors {
    async fn open(policy: HttpsPolicy) -> Outcome<Self> {
        let certificate = generate_simple_self_signed([HOST.to_owned(), format!("*.{HOST}")])?;
        let key = &certificate.signing_key;
        let tls = Tls::pem(certificate.cert.pem().as_bytes(), key.serialize_pem().as_bytes())?;
        let router = router(policy)?;
        let clear = Site::open(router.clone()).await?;
        let tls = Site::open_as(router, |server| server.tls(tls)).await?;
        let spki = Base64::encode_string(&Sha256::digest(key.subject_public_key_info()));
        let flags = flags(clear.port, tls.port, &spki);
        Ok(Self { clear, tls, flags })
    }
}

fn flags(clear: u16, tls: u16, spki: &str) -> Vec<String> {
    let rule = |host: &str, from: u16, to: u16| format!("MAP {host}:{from} 127.0.0.1:{to}");
    let www = format!("www.{HOST}");
    let rules =
        [rule(HOST, 80, clear), rule(HOST, 443, tls), rule(&www, 80, clear), rule(&www, 443, tls)];
    vec![
        format!("--host-resolver-rules={}", rules.join(",")),
        format!("--ignore-certificate-errors-spki-list={spki}"),
        // It would try HTTPS by itself, and the site's redirect would never be seen.
        "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable".to_owned(),
    ]
}

fn router(policy: HttpsPolicy) -> Outcome<Router> {
    let page = async |connection: axum::Extension<Connection>, token: CsrfToken| {
        Html(format!(
            "<!doctype html><title>{}</title><input value=\"{}\">",
            connection.scheme.as_str(),
            token.mint()
        ))
    };
    let site = SitePolicy::new(AllowedHosts::new([HOST, &format!(".{HOST}")])?);
    let stack: StackLayer = Stack::new(site).https(policy).build()?.into_layer();
    Ok(Router::new().route("/", get(page)).route("/{name}", get(page)).layer(stack))
}

async fn title(browser: &Browser) -> Outcome<serde_json::Value> {
    browser.run("return `${location.href} ${document.title}`").await
}

#[tokio::test(flavor = "multi_thread")]
async fn https_rule_1_a_visitor_in_clear_is_sent_to_the_same_address_over_tls() -> Outcome {
    let doors = Doors::open(HttpsPolicy::default().redirect()).await?;
    browse(&doors.flags, async |browser| {
        for round in ["/first?a=b", "/second"] {
            browser.open(&format!("http://{HOST}{round}")).await?;
            let expected = format!("https://{HOST}{round} https");
            assert_eq!(title(&browser).await?, json!(expected));
            // Without HSTS the browser comes in clear each time.
            assert_eq!(doors.clear.asked(), [format!("GET {round}")]);
            assert_eq!(doors.tls.asked(), [format!("GET {round}")]);
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn https_rule_2_a_browser_that_was_told_never_comes_in_clear_again() -> Outcome {
    let policy = HttpsPolicy::default().redirect().hsts(YEAR, HstsScope::Subdomains);
    let doors = Doors::open(policy).await?;
    browse(&doors.flags, async |browser| {
        browser.open(&format!("http://{HOST}/first")).await?;
        assert_eq!(doors.clear.asked(), ["GET /first"]);
        assert_eq!(doors.tls.asked(), ["GET /first"]);
        for host in [HOST, "www.bank.test"] {
            browser.open(&format!("http://{host}/again")).await?;
            assert_eq!(title(&browser).await?, json!(format!("https://{host}/again https")));
            assert_eq!(doors.clear.asked(), [""; 0], "the browser goes to HTTPS by itself");
            assert_eq!(doors.tls.asked(), ["GET /again"]);
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_was_set_over_tls_stays_there() -> Outcome {
    let doors = Doors::open(HttpsPolicy::default()).await?;
    browse(&doors.flags, async |browser| {
        browser.open(&format!("https://{HOST}/")).await?;
        assert_eq!(browser.cookie("csrftoken").await?.secure, Some(true));
        browser.open(&format!("http://{HOST}/")).await?;
        assert_eq!(title(&browser).await?, json!(format!("http://{HOST}/ http")));
        assert_eq!(browser.run("return document.cookie").await?, json!(""));
        Ok(())
    })
    .await
}
