//! Bad input: each has the status that Django gives it, costs no more than it may, and reaches no
//! handler.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests stop a test")]

mod support;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use donjon::csrf::{
    BODY_LIMIT, CsrfLayer, CsrfPolicy, Detail, Ended, FIELDS_LIMIT, PART_HEADERS_LIMIT, ReadBody,
    Scan, Scanner, TOKEN_LIMIT, urlencoded_token,
};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use support::{Broken, Pieces, SECRET, empty, form, mask, post, request, send};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

fn layer() -> CsrfLayer {
    CsrfLayer::new(CsrfPolicy::default())
}

fn explained() -> CsrfLayer {
    CsrfLayer::new(CsrfPolicy::default().detail(Detail::Explained))
}

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=XX";

fn with_body<B>(kind: &str, body: B) -> Request<B> {
    post("/").header(header::CONTENT_TYPE, kind).body(body).unwrap()
}

fn field(name: &str, value: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(size: usize) -> String {
    let head = "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\r\n";
    format!("{head}{}\r\n", "x".repeat(size))
}

async fn status<B>(request: Request<B>) -> StatusCode
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: std::fmt::Debug + Send,
{
    let reply = send(&layer(), request).await;
    assert_eq!(reply.status == StatusCode::OK, reply.text == "ran");
    reply.status
}

/// R006.
#[tokio::test]
async fn tokens_of_any_bytes_are_403() {
    let long = "a".repeat(1024 * 1024);
    for (token, words) in [
        ("", "token missing"),
        ("a", "has incorrect length"),
        (long.as_str(), "has incorrect length"),
        ("%00", "has incorrect length"),
        (&"%00".repeat(32), "has invalid characters"),
        (&"%ff".repeat(64), "has invalid characters"),
        (&"%C3%A9".repeat(32), "has invalid characters"),
        (&"%C3%A9".repeat(16), "has incorrect length"),
        (&"+".repeat(32), "has invalid characters"),
        (&"-_".repeat(16), "has invalid characters"),
    ] {
        let reply = send(&explained(), form("/", format!("csrfmiddlewaretoken={token}"))).await;
        let shown = token.get(..20).unwrap_or(token);
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{shown}");
        assert!(reply.text.contains(words), "{shown}: {words}");
    }
    let raw = [b"csrfmiddlewaretoken=".as_slice(), &[0xff; 32], b"\0&a=\xfe"].concat();
    assert_eq!(status(form("/", raw)).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn tokens_of_any_bytes_in_the_header_are_403() {
    for token in [&b""[..], b"a", &[b'a'; 1024 * 1024], &[0xff; 32], &[0xe9; 64], b"a,b"] {
        let mut request = post("/").body(empty()).unwrap();
        request.headers_mut().insert("x-csrftoken", HeaderValue::from_bytes(token).unwrap());
        assert_eq!(status(request).await, StatusCode::FORBIDDEN);
    }
    let twice = post("/").header("x-csrftoken", mask(SECRET)).header("x-csrftoken", mask(SECRET));
    assert_eq!(status(twice.body(empty()).unwrap()).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn cookies_of_any_bytes_are_403_and_replaced() {
    let long = vec![b'a'; 60_000];
    for cookie in [
        &b"csrftoken="[..],
        b"csrftoken=\xff\xfe",
        b"csrftoken=\"\\000\"",
        b"csrftoken=%00",
        &[b"csrftoken=", long.as_slice()].concat(),
        b"csrftoken=KJVPB3v6vZ2mXkzWQqk1dN7rT0aYhCs\xe9",
    ] {
        let mut request = form("/", format!("csrfmiddlewaretoken={}", mask(SECRET)));
        request.headers_mut().insert(header::COOKIE, HeaderValue::from_bytes(cookie).unwrap());
        let reply = send(&layer(), request).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        assert_eq!(reply.secret().unwrap().len(), 32);
    }
    // Beyond the limit of cookies nothing is read: there is no secret.
    let huge = [b"csrftoken=".to_vec(), vec![b'a'; 1024 * 1024]].concat();
    let mut request = form("/", format!("csrfmiddlewaretoken={}", mask(SECRET)));
    request.headers_mut().insert(header::COOKIE, HeaderValue::from_bytes(&huge).unwrap());
    assert_eq!(status(request).await, StatusCode::FORBIDDEN);
}

/// R006, C14.
#[tokio::test]
async fn a_token_in_the_query_is_not_read() {
    let target = format!("/?csrfmiddlewaretoken={}&x-csrftoken={}", mask(SECRET), mask(SECRET));
    assert_eq!(status(form(&target, "a=1")).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn of_two_fields_the_last_counts() {
    let (good, bad) = (mask(SECRET), mask("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"));
    let both = |one: &str, two: &str| {
        form("/", format!("csrfmiddlewaretoken={one}&csrfmiddlewaretoken={two}"))
    };
    assert_eq!(status(both(&bad, &good)).await, StatusCode::OK);
    assert_eq!(status(both(&good, &bad)).await, StatusCode::FORBIDDEN);
}

fn endless() -> impl Iterator<Item = Result<Bytes, Broken>> + Send + 'static {
    let chunk = Bytes::from(vec![b'a'; 16 * 1024]);
    std::iter::repeat_n(Ok(chunk), 100 * 1024 * 1024 / (16 * 1024))
}

#[tokio::test]
async fn a_huge_form_is_400_after_the_limit() {
    for kind in [FORM, MULTIPART] {
        let body = Pieces::new(endless());
        let taken = body.taken();
        assert_eq!(status(with_body(kind, body)).await, StatusCode::BAD_REQUEST, "{kind}");
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken <= BODY_LIMIT + 16 * 1024, "{kind}: {taken}");
    }
    let announced = Pieces::new(endless()).announce(100 * 1024 * 1024);
    let taken = announced.taken();
    assert_eq!(status(with_body(FORM, announced)).await, StatusCode::BAD_REQUEST);
    assert_eq!(taken.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_last_permitted_byte_is_permitted() {
    let token = format!("csrfmiddlewaretoken={}&a=", mask(SECRET));
    let padded = |length: usize| format!("{token}{}", "x".repeat(length - token.len()));
    assert_eq!(status(form("/", padded(BODY_LIMIT))).await, StatusCode::OK);
    assert_eq!(status(form("/", padded(BODY_LIMIT + 1))).await, StatusCode::BAD_REQUEST);
    for size in [1_000, 64 * 1024] {
        let pieces = |length| Pieces::split(padded(length).into(), size);
        assert_eq!(status(with_body(FORM, pieces(BODY_LIMIT))).await, StatusCode::OK);
        let longer = status(with_body(FORM, pieces(BODY_LIMIT + 1))).await;
        assert_eq!(longer, StatusCode::BAD_REQUEST);
    }
    let field_count = |count: usize| {
        let rest = "&a=1".repeat(count - 1);
        form("/", format!("csrfmiddlewaretoken={}{rest}", mask(SECRET)))
    };
    assert_eq!(status(field_count(FIELDS_LIMIT)).await, StatusCode::OK);
    assert_eq!(status(field_count(FIELDS_LIMIT + 1)).await, StatusCode::BAD_REQUEST);
}

/// Streams a body of 100 MB behind the token through the layer, and tells how far ahead of its reader
/// the layer ever was.
#[tokio::test]
async fn an_upload_behind_the_token_streams_and_is_never_held() {
    let head = [field("csrfmiddlewaretoken", &mask(SECRET)), file(0)].concat();
    let head_length = head.len();
    let body = Pieces::new(std::iter::once(Ok(Bytes::from(head))).chain(endless()));
    let taken = body.taken();
    let handler = service_fn(move |request: Request<ReadBody<Pieces>>| {
        let taken = Arc::clone(&taken);
        async move {
            let before = taken.load(Ordering::Relaxed);
            assert!(before <= head_length + 16 * 1024, "{before} bytes before the handler");
            let (mut read, mut ahead) = (0, 0);
            let mut body = pin!(request.into_body());
            while let Some(frame) = body.frame().await {
                read += frame.unwrap().into_data().unwrap().len();
                ahead = ahead.max(taken.load(Ordering::Relaxed) - read);
            }
            Ok::<_, Infallible>(Response::new(Bytes::from(format!("{read} {ahead}"))))
        }
    });
    let service = ServiceBuilder::new().layer(layer()).service(handler);
    let reply = service.oneshot(with_body(MULTIPART, body)).await.unwrap().into_body();
    let text = String::from_utf8(reply.to_vec()).unwrap();
    assert_eq!(text, format!("{} 0", head_length + 100 * 1024 * 1024));
}

/// R007: Django reads no fields out of a body that breaks off.
#[tokio::test]
async fn a_body_that_breaks_off_has_no_token() {
    let token = mask(SECRET);
    for (kind, start) in [
        (FORM, format!("csrfmiddlewaretoken={token}&a=1")),
        (FORM, "a=1".to_owned()),
        (MULTIPART, field("a", "1")),
        (MULTIPART, field("csrfmiddlewaretoken", &token)),
    ] {
        let broken = || Pieces::new([Ok(Bytes::from(start.clone())), Err(Broken)]);
        assert_eq!(status(with_body(kind, broken())).await, StatusCode::FORBIDDEN, "{start}");
        // With the token in the header the handler meets the error itself.
        let mut request = with_body(kind, broken());
        *request.uri_mut() = "/echo".parse().unwrap();
        request.headers_mut().insert("x-csrftoken", token.parse().unwrap());
        let reply = send(&layer(), request).await;
        assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, "Broken"), "{start}");
    }
}

#[tokio::test]
async fn a_token_in_any_pieces_of_a_multipart_body_passes() {
    let body = [field("a", "1"), file(100), field("csrfmiddlewaretoken", &mask(SECRET)), file(9)];
    let body = [&body.concat(), "--XX--\r\n"].concat();
    for size in [1, 2, 3, 17, 64, 1_000_000] {
        let mut request = with_body(MULTIPART, Pieces::split(body.clone().into(), size));
        *request.uri_mut() = "/echo".parse().unwrap();
        assert_eq!(send(&layer(), request).await.text, body, "{size}");
    }
}

#[tokio::test]
async fn bad_multipart_bodies() {
    let token = field("csrfmiddlewaretoken", &mask(SECRET));
    let bad_token = field("csrfmiddlewaretoken", "x");
    let disposition = "Content-Disposition: form-data; name=\"csrfmiddlewaretoken\"";
    let headers = "y".repeat(PART_HEADERS_LIMIT);
    let (ok, bad, forbidden) = (StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN);
    for (what, body, status_expected) in [
        ("no parts", "--XX--\r\n".to_owned(), forbidden),
        ("nothing", String::new(), forbidden),
        ("no boundary in it", "csrfmiddlewaretoken=x".to_owned(), forbidden),
        ("no final boundary: its line break is of the value", token.clone(), forbidden),
        ("no end of the value", format!("--XX\r\n{disposition}\r\n\r\n{}", mask(SECRET)), ok),
        ("a preamble", format!("preamble\r\n{token}--XX--"), ok),
        ("behind the final boundary", format!("--XX--\r\n{token}"), forbidden),
        ("a file is no token", token.replace("token\"", "token\"; filename=\"x\""), forbidden),
        ("behind a small file", format!("{}{token}--XX--", file(100_000)), ok),
        ("behind a big file", format!("{}{token}", file(BODY_LIMIT)), bad),
        ("100,000 parts", format!("{}{token}", "--XX\r\n\r\n\r\n".repeat(100_000)), bad),
        ("long headers of a part", format!("--XX\r\n{headers}\r\n\r\n"), bad),
        (
            "a token that never ends",
            token.trim_end().to_owned() + &"a".repeat(TOKEN_LIMIT * 2),
            forbidden,
        ),
        ("a token of 1 MiB", field("csrfmiddlewaretoken", &"a".repeat(1024 * 1024)), forbidden),
        ("two tokens", format!("{token}{bad_token}"), forbidden),
        ("two tokens, the last is good", format!("{bad_token}{token}--XX--"), ok),
        ("another token behind a file", format!("{token}{}{bad_token}", file(9)), ok),
        ("headers of bytes", format!("--XX\r\n\0\u{ff}: \u{0}\r\n\r\n\r\n{token}--XX--"), ok),
        ("only headers", format!("--XX\r\n{disposition}"), forbidden),
        ("delimiters without end", "--XX\r\n--XX".repeat(5_000), bad),
    ] {
        for size in [4096, 10_000_000] {
            let pieces = Pieces::split(body.clone().into(), size);
            assert_eq!(
                status(with_body(MULTIPART, pieces)).await,
                status_expected,
                "{what}, {size}"
            );
        }
    }
}

#[tokio::test]
async fn a_token_that_never_ends_is_not_awaited() {
    let start = "--XX\r\nContent-Disposition: form-data; name=csrfmiddlewaretoken\r\n\r\n";
    let body = Pieces::new(std::iter::once(Ok(Bytes::from(start))).chain(endless()));
    let taken = body.taken();
    let reply = send(&explained(), with_body(MULTIPART, body)).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(reply.text.contains("CSRF token from POST has incorrect length."));
    assert!(taken.load(Ordering::Relaxed) <= 32 * 1024);
}

#[tokio::test]
async fn bad_boundaries_and_types_are_400_or_no_form() {
    let token = field("csrfmiddlewaretoken", &mask(SECRET)) + "--XX--";
    let long = format!("multipart/form-data; boundary={}", "x".repeat(10 * 1024));
    for (kind, status_expected) in [
        (long.as_str(), StatusCode::BAD_REQUEST),
        ("multipart/form-data", StatusCode::BAD_REQUEST),
        ("multipart/form-data; boundary=", StatusCode::BAD_REQUEST),
        ("application/x-www-form-urlencoded; charset=utf-16", StatusCode::BAD_REQUEST),
        ("multipart/form-data; boundary=YY", StatusCode::FORBIDDEN),
        ("multipart/mixed; boundary=XX", StatusCode::FORBIDDEN),
        ("text/plain", StatusCode::FORBIDDEN),
        ("text/plain;application/x-www-form-urlencoded", StatusCode::FORBIDDEN),
        ("", StatusCode::FORBIDDEN),
        ("MULTIPART/Form-Data; Boundary=\"XX\"", StatusCode::OK),
    ] {
        let body = Full::<Bytes>::from(token.clone());
        let shown = kind.get(..60).unwrap_or(kind);
        assert_eq!(status(with_body(kind, body)).await, status_expected, "{shown}");
    }
}

/// C06: joined with a comma, as Django sees it, two types are none of a form.
#[tokio::test]
async fn two_content_types_are_no_form() {
    for (one, two) in [(FORM, FORM), (FORM, "application/json"), ("application/json", FORM)] {
        let mut request = form("/", format!("csrfmiddlewaretoken={}", mask(SECRET)));
        request.headers_mut().insert(header::CONTENT_TYPE, one.parse().unwrap());
        request.headers_mut().append(header::CONTENT_TYPE, two.parse().unwrap());
        assert_eq!(status(request).await, StatusCode::FORBIDDEN, "{one}, {two}");
    }
}

#[tokio::test]
async fn bodies_that_can_hold_no_token_are_never_read() {
    let token = mask(SECRET);
    let named = format!("csrfmiddlewaretoken={token}");
    for (method, kind, with_header, status_expected) in [
        ("PUT", FORM, false, StatusCode::FORBIDDEN),
        ("PATCH", FORM, false, StatusCode::FORBIDDEN),
        ("DELETE", MULTIPART, false, StatusCode::FORBIDDEN),
        ("post", FORM, false, StatusCode::FORBIDDEN),
        ("PUT", FORM, true, StatusCode::OK),
        ("DELETE", FORM, true, StatusCode::OK),
        ("POST", "application/json", true, StatusCode::OK),
        ("POST", "application/json", false, StatusCode::FORBIDDEN),
        ("GET", FORM, false, StatusCode::OK),
    ] {
        let body = Pieces::split(named.clone().into(), 8);
        let taken = body.taken();
        let mut request = with_body(kind, body);
        *request.method_mut() = method.parse().unwrap();
        if with_header {
            request.headers_mut().insert("x-csrftoken", token.parse().unwrap());
        }
        assert_eq!(status(request).await, status_expected, "{method} {kind}");
        assert_eq!(taken.load(Ordering::Relaxed), 0, "{method} {kind}");
    }
}

#[tokio::test]
async fn a_forgery_is_refused_before_its_body_is_read() {
    let body = Pieces::new(endless());
    let taken = body.taken();
    let forged = request("POST", "/")
        .header(header::ORIGIN, "https://evil.example")
        .header(header::COOKIE, format!("csrftoken={SECRET}"))
        .header(header::CONTENT_TYPE, FORM)
        .body(body)
        .unwrap();
    assert_eq!(status(forged).await, StatusCode::FORBIDDEN);
    assert_eq!(taken.load(Ordering::Relaxed), 0);
}

/// A service that may only be called once it was found ready, by the very copy that was.
struct Strict {
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl<B> Service<Request<B>> for Strict {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Bytes>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called before it was ready");
        ready(Ok(Response::new(Bytes::from("ran"))))
    }
}

#[tokio::test]
async fn the_service_is_called_only_when_it_is_ready() {
    let mut service = layer().layer(Strict { ready: false });
    let token = mask(SECRET);
    for _ in 0..2 {
        for request in [
            form("/", format!("csrfmiddlewaretoken={token}")),
            request("GET", "/").body(empty()).unwrap(),
            form("/", "a=1"),
            post("/").header("x-csrftoken", &token).body(empty()).unwrap(),
        ] {
            let service = ServiceExt::<Request<Full<Bytes>>>::ready(&mut service).await.unwrap();
            service.call(request).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_service_that_is_not_ready_holds_requests_back() {
    let limited = tower::util::BoxCloneSyncService::new(layer().layer(NeverReady));
    let late = limited.oneshot(form("/", format!("csrfmiddlewaretoken={}", mask(SECRET))));
    assert!(tokio::time::timeout(Duration::from_millis(20), late).await.is_err());
}

#[derive(Clone)]
struct NeverReady;

impl<B> Service<Request<B>> for NeverReady {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Bytes>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        panic!("it was never ready")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_visitors_at_once_keep_their_own_secrets() {
    let layer = layer();
    let passed = Arc::new(AtomicUsize::new(0));
    let visits: Vec<_> = (0..1_000)
        .map(|_| {
            let (layer, passed) = (layer.clone(), Arc::clone(&passed));
            tokio::spawn(async move {
                let first = send(&layer, request("GET", "/form").body(empty()).unwrap()).await;
                let cookie = format!("csrftoken={}", first.secret().unwrap()).parse().unwrap();
                let body = format!("csrfmiddlewaretoken={}", first.text);
                let mut request = with_body(FORM, Pieces::split(body.into(), 16));
                request.headers_mut().insert(header::COOKIE, cookie);
                let reply = send(&layer, request).await;
                passed.fetch_add(usize::from(reply.text == "ran"), Ordering::Relaxed);
                first.secret().unwrap()
            })
        })
        .collect();
    let mut secrets = std::collections::HashSet::new();
    for visit in visits {
        secrets.insert(visit.await.unwrap());
    }
    assert_eq!((secrets.len(), passed.load(Ordering::Relaxed)), (1_000, 1_000));
}

/// The shortest of several runs: what the machine does besides only lengthens them.
fn shortest(act: impl Fn()) -> Duration {
    let run = || {
        let start = Instant::now();
        act();
        start.elapsed()
    };
    (0..9).map(|_| run()).min().unwrap()
}

fn scanned(body: &[u8], size: usize) {
    let mut scanner = Scanner::new(b"XX");
    for end in (size..=body.len()).step_by(size) {
        if scanner.scan(&body[..end], Ended::No) != Ok(Scan::More) {
            break;
        }
    }
}

type Act = fn(usize);

/// How often a measurement that looks bad is repeated.
const ATTEMPTS: usize = 20;

/// Eight times the input takes eight times as long, and not 64 times: the bound lies between.
#[test]
fn nothing_is_quadratic() {
    let inputs: [(&str, Act); 6] = [
        ("dashes", |n| scanned(&b"-".repeat(n), 64)),
        ("delimiters that aren't", |n| scanned(&b"\r\n--X".repeat(n / 5), 64)),
        ("a file", |n| scanned(&b"x".repeat(n), 1)),
        ("ampersands", |n| drop(urlencoded_token(&b"&".repeat(n)))),
        ("escapes", |n| drop(urlencoded_token(&b"%63%73".repeat(n / 6)))),
        ("one long token", |n| {
            drop(urlencoded_token(&[b"csrfmiddlewaretoken=", &*b"%61".repeat(n / 3)].concat()))
        }),
    ];
    for (name, act) in inputs {
        // A busy machine can spoil a measurement, and none can make 64 times look like 20 at the best
        // of many.
        let linear = || {
            let (one, eight) = (shortest(|| act(100_000)), shortest(|| act(800_000)));
            eight < one * 20 + Duration::from_millis(1)
        };
        assert!((0..ATTEMPTS).any(|_| linear()), "{name}");
    }
}
