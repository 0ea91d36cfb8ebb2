//! The host room from outside, rule by rule of its module's doc, and over real TCP.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::routing::get;
use axum::{Extension, Router};
use donjon::host::HostLayer;
use donjon::serve::Server;
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Connection, Scheme, Site, SitePolicy};
use donjon_core::proxy::ForwardedHeader;
use http::{HeaderName, HeaderValue, Request, StatusCode, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

const PROXY: &str = "10.0.0.1";
const VISITOR: &str = "192.0.2.1";

fn policy() -> SitePolicy {
    let hosts = AllowedHosts::new(["example.com", ".multitenant.com", "[2001:19f0::beef]"]);
    SitePolicy::new(hosts.unwrap())
}

fn trusting() -> SitePolicy {
    policy().trust_proxy("10.0.0.0/8".parse().unwrap())
}

/// Tells what the site knows of a request.
async fn told(Extension(site): Extension<Site>, uri: Uri) -> String {
    let client = site.client().map_or("nobody".to_owned(), |client| client.to_string());
    let page = site.page_uri(&uri).unwrap_or_else(|refused| refused.to_string());
    format!("{page} for {client}")
}

fn router(policy: SitePolicy) -> Router {
    Router::new().route("/", get(told)).route("/healthz", get(told)).layer(HostLayer::new(policy))
}

async fn asked(
    policy: SitePolicy,
    peer: &str,
    target: &'static str,
    headers: &[(&'static str, &str)],
) -> (StatusCode, String) {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static(target);
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request.headers_mut().append(HeaderName::from_static(name), value);
    }
    let peer = SocketAddr::new(peer.parse().unwrap(), 50_000);
    let local = SocketAddr::from(([10, 0, 0, 9], 80));
    request.extensions_mut().insert(Connection { peer, local, scheme: Scheme::Http });
    let response = router(policy).oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn status(policy: SitePolicy, headers: &[(&'static str, &str)]) -> StatusCode {
    asked(policy, PROXY, "/", headers).await.0
}

#[tokio::test]
async fn rule_1_poisoned_hosts_are_refused() {
    for host in [
        "evil.example",
        "example.com@evil.tld",
        "example.com:dr@evil.tld",
        "example.com:dr@evil.tld:80",
        "example.com:80/badpath",
        "example.com: evil",
        "example.com..",
        "example.com.evil.tld",
        "badmultitenant.com",
        "[::ffff:169.254.169.254]",
        "xn--example-.com",
        "<x>",
        "a b",
        "e.com:x",
        "ex\u{e4}mple.com",
        "",
    ] {
        let answer = asked(policy(), VISITOR, "/", &[("host", host)]).await;
        assert_eq!(answer, (StatusCode::BAD_REQUEST, "Bad Request (400)\n".to_owned()), "{host}");
    }
    let long = "a".repeat(64 << 10);
    assert_eq!(status(policy(), &[("host", &long)]).await, StatusCode::BAD_REQUEST);
    assert_eq!(status(policy(), &[]).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn rule_1_the_sites_own_hosts_are_not() {
    for host in ["example.com.", "EXAMPLE.com:80", "[2001:19f0::beef]:8080", "a.multitenant.com"] {
        assert_eq!(status(policy(), &[("host", host)]).await, StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn rule_1_two_hosts_are_refused() {
    let twice = [("host", "example.com"), ("host", "example.com")];
    assert_eq!(status(policy(), &twice).await, StatusCode::BAD_REQUEST);
    let host = [("host", "example.com")];
    for (target, expected) in [
        ("http://example.com/", StatusCode::OK),
        ("http://EXAMPLE.com/", StatusCode::OK),
        ("http://evil.example/", StatusCode::BAD_REQUEST),
        ("http://example.com:8080/", StatusCode::BAD_REQUEST),
        ("http://user@example.com/", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(asked(policy(), VISITOR, target, &host).await.0, expected, "{target}");
    }
}

#[tokio::test]
async fn rule_2_the_rooms_further_in_know_the_site_and_the_client() {
    let answer = asked(policy(), VISITOR, "/?q=1", &[("host", "example.com:8000")]).await;
    assert_eq!(answer.1, "http://example.com:8000/?q=1 for 192.0.2.1");
}

#[tokio::test]
async fn rule_3_a_trusted_proxy_is_believed_and_nobody_else() {
    let headers = [
        ("host", "example.com"),
        ("x-forwarded-for", "203.0.113.7, 198.51.100.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.multitenant.com"),
    ];
    let proxied = asked(trusting(), PROXY, "/", &headers).await.1;
    assert_eq!(proxied, "https://shop.multitenant.com/ for 198.51.100.9");
    let direct = asked(trusting(), VISITOR, "/", &headers).await.1;
    assert_eq!(direct, "http://example.com/ for 192.0.2.1");
    let hops = asked(policy().trust_hops(2), VISITOR, "/", &headers).await.1;
    assert_eq!(hops, "https://shop.multitenant.com/ for 203.0.113.7");
}

#[tokio::test]
async fn rule_3_a_proxys_host_must_be_the_sites_too() {
    let headers = [("host", "example.com"), ("x-forwarded-host", "evil.example")];
    assert_eq!(status(trusting(), &headers).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn rule_3_the_standard_header_is_read_where_it_is_named() {
    let headers = [
        ("host", "example.com"),
        ("forwarded", "for=1.2.3.4, for=\"[2001:db8::7]:1\";proto=https;host=a.multitenant.com"),
    ];
    let standard = trusting().forwarded_header(ForwardedHeader::Rfc7239);
    let answer = asked(standard, PROXY, "/", &headers).await.1;
    assert_eq!(answer, "https://a.multitenant.com/ for 2001:db8::7");
    let other = asked(trusting(), PROXY, "/", &headers).await.1;
    assert_eq!(other, "http://example.com/ for 10.0.0.1");
}

#[tokio::test]
async fn rule_1_an_ambiguous_proxy_is_refused() {
    let host = ("host", "example.com");
    let many = vec!["192.0.2.1"; 1000].join(",");
    for headers in [
        &[host, ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "1.2.3.4")][..],
        &[host, ("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")],
        &[host, ("x-forwarded-proto", "https, http")],
        &[host, ("x-forwarded-host", "example.com, evil.example")],
        &[host, ("x-forwarded-for", "1.2.3.4, garbage")],
        &[host, ("x-forwarded-for", "unknown")],
        &[host, ("x-forwarded-for", "\u{e4}")],
        &[host, ("x-forwarded-for", &many)],
        &[host, ("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.5")],
        &[host, ("x-forwarded-proto", "https"), ("forwarded", "for=1.2.3.5;proto=http")],
    ] {
        assert_eq!(status(trusting(), headers).await, StatusCode::BAD_REQUEST, "{headers:?}");
        let direct = asked(trusting(), VISITOR, "/", headers).await.0;
        assert_eq!(direct, StatusCode::OK, "{headers:?}");
    }
}

#[tokio::test]
async fn rule_4_an_exempt_path_has_no_host() {
    let exempt = || trusting().exempt_path("/healthz").unwrap();
    let by_address = [("host", "10.0.0.9:8000")];
    let (status, body) = asked(exempt(), PROXY, "/healthz", &by_address).await;
    let nothing = "the request's host is none that this site answers to for 10.0.0.1";
    assert_eq!((status, body.as_str()), (StatusCode::OK, nothing));
    assert_eq!(asked(exempt(), PROXY, "/", &by_address).await.0, StatusCode::BAD_REQUEST);
    let named = asked(exempt(), PROXY, "/healthz", &[("host", "example.com")]).await.1;
    assert_eq!(named, "http://example.com/healthz for 10.0.0.1");
}

async fn over_tcp(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn rule_1_holds_over_real_tcp() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(listener, router(policy()));
    tokio::spawn(server.run_until(std::future::pending()));
    for (target, hosts, expected) in [
        ("/", "Host: example.com\r\n", "200"),
        ("http://example.com/", "Host: example.com\r\n", "200"),
        ("http://evil.example/", "Host: example.com\r\n", "400"),
        ("http://example.com/", "Host: evil.example\r\n", "400"),
        ("/", "Host: example.com\r\nHost: evil.example\r\n", "400"),
        ("/", "Host: example.com\r\nhost: example.com\r\n", "400"),
        ("/", "Host: example.com@evil.tld\r\n", "400"),
        ("/", "Host:\r\n", "400"),
        ("/", "", "400"),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let answer = over_tcp(address, &head).await;
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{head}: {answer}");
    }
}
