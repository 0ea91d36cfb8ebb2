//! The gate under input that no browser sends, in process and over TCP: nothing panics, nobody gets in
//! by it, every answer carries the headers, and the time is linear.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use donjon::auth::AuthPolicy;
use donjon::canonical::CanonicalPolicy;
use donjon::cors::CorsPolicy;
use donjon::csrf::CsrfToken;
use donjon::https::{HstsScope, HttpsPolicy};
use donjon::serve::Server;
use donjon::session::SessionPolicy;
use donjon::stack::Stack;
use donjon_core::account::MemoryAccounts;
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Connection, Scheme, SitePolicy};
use donjon_core::secret::Keys;
use donjon_core::session::MemorySessions;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower::ServiceExt;

/// How long a test waits for what must come: never reached where all is well.
const AT_MOST: Duration = Duration::from_secs(20);

const FRIEND: &str = "https://app.example";

/// 64 kB: more than any header of a browser's.
const LONG: usize = 64 * 1024;

/// The headers that some room of the gate reads.
const READ: [&str; 20] = [
    "host",
    "origin",
    "referer",
    "cookie",
    "authorization",
    "user-agent",
    "content-type",
    "content-length",
    "x-csrftoken",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "access-control-request-method",
    "access-control-request-headers",
    "access-control-request-private-network",
];

/// The whole gate, behind a trusted proxy so that forwarded headers are read too.
fn site() -> Router {
    let keys = Keys::new("a long random secret");
    let hosts = AllowedHosts::new(["bank.example", ".shop.example"]).unwrap();
    let cors = CorsPolicy::new([FRIEND])
        .allow_pattern(r"^https://[a-z0-9-]+\.app\.example$")
        .allow_credentials()
        .allow_private_network();
    let canonical = CanonicalPolicy::default()
        .append_slash(|path| path == "/form/")
        .disallowed_user_agents(["Evil.*bot"])
        .unwrap();
    let https = HttpsPolicy::default().hsts(Duration::from_secs(60), HstsScope::Subdomains);
    let stack = Stack::new(SitePolicy::new(hosts).trust_proxy("127.0.0.0/8".parse().unwrap()))
        .https(https)
        .canonical(canonical)
        .cors(cors.build().unwrap())
        .sessions(SessionPolicy::default(), std::sync::Arc::new(MemorySessions::default()))
        .accounts(AuthPolicy::new(&keys), std::sync::Arc::new(MemoryAccounts::default()))
        .build()
        .unwrap();
    Router::new()
        .route("/", get(async || "home").post(async || "posted"))
        .route("/form/", get(async |token: CsrfToken| token.mint()))
        .layer(stack.into_layer())
}

/// Values that a header may have and none should.
fn values() -> Vec<HeaderValue> {
    let texts = [
        "",
        " ",
        "\t",
        "*",
        "null",
        ",",
        ";",
        "=",
        "\"",
        "a=\"",
        "[",
        "]",
        "[::1",
        "%",
        "%zz",
        "@",
        "://",
        "https://",
        "https://[",
        "https://app.example:99999999",
        "é",
        "\u{2028}",
        "例え.example",
        "for=\"[::1\";proto=",
        "127.0.0.1:99999, , ,",
        "-1",
        "9999999999999999999999",
    ];
    let bytes: [&[u8]; 4] = [b"\x80", b"\xff\xfe\xfd", b"https://app.ex\xe1mple", b"\xc3\x28"];
    let repeated =
        [",", ";", "=", "\"", ":", "[", "%", ".", "a", "a=b;", "a, ", "\u{e9}", "https://"];
    let long = repeated.map(|text| text.repeat(LONG / text.len()).into_bytes());
    let texts = texts.map(|text| text.as_bytes().to_vec()).into_iter();
    let all = texts.chain(bytes.map(<[u8]>::to_vec)).chain(long);
    all.map(|value| HeaderValue::from_bytes(&value).unwrap()).collect()
}

fn request(method: Method) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("bank.example"));
    let peer = SocketAddr::from(([127, 0, 0, 1], 4711));
    request.extensions_mut().insert(Connection { peer, local: peer, scheme: Scheme::Http });
    request
}

async fn answer(site: &Router, request: Request<Body>) -> Response<Body> {
    timeout(AT_MOST, site.clone().oneshot(request)).await.unwrap().unwrap()
}

/// Headers are there, nothing failed, and nobody reads who may not.
fn assert_sound(response: &Response<Body>, what: &str) {
    assert!(!response.status().is_server_error(), "{what}: {}", response.status());
    let headers = response.headers();
    for name in ["x-content-type-options", "content-security-policy", "x-frame-options"] {
        assert_eq!(headers.get_all(name).iter().count(), 1, "{name} of {what}");
    }
    assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{what}: {headers:?}");
}

#[tokio::test]
async fn no_value_of_a_header_breaks_a_room() {
    let site = site();
    for name in READ.map(HeaderName::from_static) {
        for value in values() {
            for method in [Method::GET, Method::POST, Method::OPTIONS] {
                let what = format!("{method} with {name}: {:.40}", format!("{value:?}"));
                let mut alone = request(method.clone());
                alone.headers_mut().insert(&name, value.clone());
                assert_sound(&answer(&site, alone).await, &what);
                let mut among = request(method);
                among.headers_mut().insert(header::COOKIE, HeaderValue::from_static("sessionid=a"));
                among.headers_mut().append(&name, value.clone());
                among.headers_mut().append(&name, HeaderValue::from_static("a"));
                assert_sound(&answer(&site, among).await, &what);
            }
        }
    }
}

#[tokio::test]
async fn a_header_that_comes_a_thousand_times_breaks_nothing() {
    let site = site();
    for name in READ.map(HeaderName::from_static) {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let mut request = request(method);
            for number in 0..1000 {
                let value = HeaderValue::try_from(format!("x-{number}")).unwrap();
                request.headers_mut().append(&name, value);
            }
            assert_sound(&answer(&site, request).await, name.as_str());
        }
    }
}

#[tokio::test]
async fn a_friend_is_a_friend_by_one_origin_alone() {
    let site = site();
    for origins in [&[FRIEND][..], &[FRIEND, FRIEND], &[FRIEND, "https://evil.example"]] {
        let mut request = request(Method::GET);
        for origin in origins {
            request.headers_mut().append(header::ORIGIN, HeaderValue::from_static(origin));
        }
        let response = answer(&site, request).await;
        let allowed = response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(allowed.is_some(), origins.len() == 1, "{origins:?}");
    }
}

#[tokio::test]
async fn the_thousand_headers_that_a_preflight_asks_for_are_not_read() {
    let asked: Vec<_> = (0..1000).map(|number| format!("x-header-{number}")).collect();
    let mut request = request(Method::OPTIONS);
    for (name, value) in [
        ("origin", FRIEND),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", &*asked.join(",")),
    ] {
        request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    }
    let response = answer(&site(), request).await;
    let allowed = response.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
    assert!(response.status() == StatusCode::OK && !allowed.contains("x-header"), "{allowed}");
}

/// A length, and how many times as long another is.
const SHORT: usize = 4 * 1024;
const TIMES: usize = 64;

/// The shortest of several runs: what else the machine does only makes one longer.
async fn time(site: &Router, name: &HeaderName, value: &HeaderValue) -> Duration {
    let mut shortest = AT_MOST;
    for _ in 0..3 {
        let mut request = request(Method::POST);
        request.headers_mut().insert(name, value.clone());
        let started = Instant::now();
        let response = answer(site, request).await;
        shortest = shortest.min(started.elapsed());
        drop(response);
    }
    shortest
}

#[tokio::test]
async fn time_is_linear_in_the_length_of_a_header() {
    let site = site();
    for name in READ.map(HeaderName::from_static) {
        for text in [",", ";", "a=b; ", "\"", ":", "a", "%"] {
            let value =
                |size: usize| HeaderValue::try_from(text.repeat(size / text.len())).unwrap();
            let short = time(&site, &name, &value(SHORT)).await.max(Duration::from_micros(20));
            let long = time(&site, &name, &value(SHORT * TIMES)).await;
            // What is quadratic takes 4,096 times as long; a busy machine accounts for the rest.
            assert!(long < short * 1000, "{name} of {text:?}: {short:?}, and then {long:?}");
        }
    }
}

struct Running(SocketAddr);

impl Running {
    async fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(Server::new(listener, site()).run_until(std::future::pending()));
        Self(address)
    }

    /// All that comes in answer, until the server closes the connection.
    async fn answer(&self, request: &[u8]) -> String {
        let (mut read, mut write) = TcpStream::connect(self.0).await.unwrap().into_split();
        let mut answer = Vec::new();
        // A server that refuses early closes before it has read everything: both ends may see a reset.
        let sending = async { drop(write.write_all(request).await) };
        let reading = async { drop(read.read_to_end(&mut answer).await) };
        timeout(AT_MOST, async { tokio::join!(sending, reading) }).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn lives(&self) {
        let answer = self.answer(&get_with(b"")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("home"), "{answer}");
    }
}

/// A request for the home page with these further lines.
fn get_with(lines: &[u8]) -> Vec<u8> {
    let head = b"GET / HTTP/1.1\r\nHost: bank.example\r\nConnection: close\r\n";
    [&head[..], lines, b"\r\n"].concat()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

/// Did the stack answer, and no room before it?
fn is_guarded(answer: &str) -> bool {
    ["x-content-type-options: nosniff", "content-security-policy: ", "x-frame-options: DENY"]
        .iter()
        .all(|header| answer.contains(header))
}

#[tokio::test]
async fn over_tcp_control_characters_end_the_connection() {
    let server = Running::new().await;
    for byte in (0..=31).chain([127]).filter(|byte| !matches!(byte, b'\t' | b'\n' | b'\r')) {
        for name in ["Origin", "Host", "Access-Control-Request-Headers", "X-Other"] {
            let line = [name.as_bytes(), b": https://app", &[byte], b".example\r\n"].concat();
            let answer = server.answer(&get_with(&line)).await;
            assert_eq!(status(&answer), 400, "{name} with {byte}: {answer}");
            assert!(!answer.contains("home"));
        }
    }
    let tab = server.answer(&get_with(b"Origin: https://app\t.example\r\n")).await;
    assert!(status(&tab) == 200 && !tab.contains("access-control-allow-origin"), "{tab}");
    server.lives().await;
}

#[tokio::test]
async fn over_tcp_line_breaks_add_no_header() {
    let server = Running::new().await;
    for line in [
        &b"Origin: https://app.example\rX-Evil: 1\r\n"[..],
        b"Origin: https://evil.example\r\n https://app.example\r\n",
        b"Origin : https://app.example\r\n",
        b"Origin\r\n",
        b": https://app.example\r\n",
    ] {
        let answer = server.answer(&get_with(line)).await;
        assert!(status(&answer) == 400 && !answer.contains("home"), "{line:?}: {answer}");
        assert!(!answer.contains("access-control-allow-origin"), "{line:?}: {answer}");
    }
    server.lives().await;
}

#[tokio::test]
async fn over_tcp_bytes_that_are_no_text_are_nobodys() {
    let server = Running::new().await;
    for (line, expected) in [
        (&b"Origin: https://app.ex\xffmple\r\n"[..], 200),
        (b"Origin: \x80\xfe\xff\r\n", 200),
        (b"Cookie: sessionid=\xff\xff; csrftoken=\x80\r\n", 200),
        (b"User-Agent: \xff\xfe\r\n", 200),
        (b"Sec-Fetch-Site: \xff\r\nCookie: a=b\r\n", 403),
        (b"X-Forwarded-For: \xff\r\n", 400),
        (b"Host: bank.ex\xe1mple\r\n", 400),
    ] {
        let answer = server.answer(&get_with(line)).await;
        assert_eq!(status(&answer), expected, "{line:?}: {answer}");
        assert!(is_guarded(&answer), "{line:?}: {answer}");
        assert!(!answer.contains("access-control-allow-origin"), "{line:?}: {answer}");
    }
    server.lives().await;
}

#[tokio::test]
async fn over_tcp_a_request_names_one_host() {
    let server = Running::new().await;
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: bank.example\r\nHost: bank.example\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: bank.example\r\nhost: evil.example\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: bank.example, evil.example\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: bank.example@evil.example\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n", 400),
        ("GET / HTTP/1.1\r\n", 400),
        ("GET / HTTP/1.0\r\n", 400),
        ("GET http://bank.example/ HTTP/1.1\r\nHost: bank.example\r\n", 200),
        ("GET http://BANK.example/ HTTP/1.1\r\nHost: bank.example\r\n", 200),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: bank.example\r\n", 400),
        ("GET http://bank.example/ HTTP/1.1\r\nHost: evil.example\r\n", 400),
        ("GET http://bank.example@evil.example/ HTTP/1.1\r\nHost: bank.example\r\n", 400),
        ("GET https://evil.example HTTP/1.1\r\nHost: bank.example\r\n", 400),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n", 400),
        ("CONNECT evil.example:443 HTTP/1.1\r\nHost: bank.example\r\n", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: bank.example\r\n", 404),
        ("GET //evil.example/form HTTP/1.1\r\nHost: bank.example\r\n", 404),
        ("GET /form?next=//evil.example HTTP/1.1\r\nHost: bank.example\r\n", 301),
    ] {
        let answer = server.answer(format!("{request}Connection: close\r\n\r\n").as_bytes()).await;
        assert_eq!(status(&answer), expected, "{request:?}: {answer}");
        assert!(is_guarded(&answer), "{request:?}: {answer}");
        let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
        assert!(location.is_none_or(|to| to == "/form/?next=//evil.example"), "{request:?}");
    }
    server.lives().await;
}

#[tokio::test]
async fn over_tcp_targets_that_are_none_end_the_connection() {
    let server = Running::new().await;
    for target in ["", "form", "/ /", "/\u{0}", "/\u{7f}", "http://", "http://[::1/", "://", "?"] {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: bank.example\r\nConnection: close\r\n\r\n");
        let answer = server.answer(request.as_bytes()).await;
        assert!(matches!(status(&answer), 400 | 404), "{target:?}: {answer}");
        assert!(!answer.contains("home"), "{target:?}: {answer}");
    }
    server.lives().await;
}

#[tokio::test]
async fn over_tcp_what_is_too_long_or_too_many_is_refused_or_not_read() {
    let server = Running::new().await;
    let long = |length| format!("Origin: https://{}.app.example\r\n", "a".repeat(length));
    let many = "Access-Control-Request-Headers: x-a\r\n".repeat(1000);
    let names = format!("Access-Control-Request-Headers: {}\r\n", "x-a,".repeat(1000));
    let hosts = format!("Host: {}\r\n", "a.".repeat(LONG / 2));
    for (what, lines, expected) in [
        ("64 kB of Origin", long(LONG), 200),
        ("1 MB of Origin", long(LONG * 16), 431),
        ("a thousand headers", many, 431),
        ("a thousand names", names, 200),
        ("a second Host of 64 kB", hosts, 400),
    ] {
        let answer = server.answer(&get_with(lines.as_bytes())).await;
        // What is refused before it is read may be cut off before the client sees why.
        let cut_off = expected == 431 && answer.is_empty();
        assert!(cut_off || status(&answer) == expected, "{what}: {answer}");
        assert!(!answer.contains("access-control-allow-origin"), "{what}: {answer}");
        assert!(is_guarded(&answer) || expected == 431, "{what}: {answer}");
    }
    server.lives().await;
}
