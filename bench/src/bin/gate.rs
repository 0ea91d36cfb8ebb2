//! `gate` times the gate in-process: the rooms from the host to CORS around a handler, against the
//! handler alone.
//!
//! The request is a page's, from an allowed origin of another site, and the handler reads the nonce:
//! everything that the gate can do for a request that it lets in. Each figure is the median of five
//! rounds; allocations are counted over one call.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use donjon::cors::CorsPolicy;
use donjon::csp::CspNonce;
use donjon::https::{HstsScope, HttpsPolicy};
use donjon::stack::{Stack, StackLayer};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Connection, Scheme, SitePolicy};
use donjon_core::visit::word;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use tower::{Layer, Service};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(300);
const ORIGIN: &str = "https://app.example";

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let layer = gate(3)?;
    report("the handler alone", &mut Handler, &Method::GET);
    report("in the gate", &mut layer.layer(Handler), &Method::GET);
    report("in the gate, 1,000 origins", &mut gate(1_000)?.layer(Handler), &Method::GET);
    report("in the gate, a preflight", &mut layer.layer(Handler), &Method::OPTIONS);
    Ok(())
}

fn gate(origins: usize) -> Result<StackLayer, Failure> {
    let others = (1..origins).map(|number| format!("https://app{number}.example"));
    let origins: Vec<String> = others.chain([ORIGIN.to_owned()]).collect();
    let cors = CorsPolicy::new(origins.iter().map(String::as_str)).allow_credentials().build()?;
    let year = Duration::from_secs(31_536_000);
    let stack = Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"])?))
        .https(HttpsPolicy::default().redirect().hsts(year, HstsScope::Subdomains))
        .cors(cors)
        .build()?;
    Ok(stack.into_layer())
}

/// A page with a nonce in it.
#[derive(Clone)]
struct Handler;

impl<B> Service<Request<B>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Some(nonce) = word::<CspNonce>(request.extensions()) {
            black_box(nonce.read());
        }
        let mut response = Response::new(Full::from("hello"));
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        ready(Ok(response))
    }
}

fn request(method: &Method, headers: &HeaderMap, connection: Connection) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::default());
    *request.method_mut() = method.clone();
    *request.headers_mut() = headers.clone();
    request.extensions_mut().insert(connection);
    request
}

fn headers(method: &Method) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "bank.example"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("accept", "text/html"),
        ("origin", ORIGIN),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "cors"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if method == Method::OPTIONS {
        let post = HeaderValue::from_static("POST");
        headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, post);
    }
    headers
}

fn report<S>(name: &str, service: &mut S, method: &Method)
where
    S: Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible>,
{
    let headers = headers(method);
    let connection = Connection {
        peer: ([127, 0, 0, 1], 50_000).into(),
        local: ([127, 0, 0, 1], 443).into(),
        scheme: Scheme::Https,
    };
    let mut call = || answer(service, request(method, &headers, connection));
    // Once for whatever is made only once.
    black_box(call());
    let counted = allocation_counter::measure(|| drop(black_box(call())));
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| round(&mut call)).collect();
    rounds.sort_by(f64::total_cmp);
    println!("{name:<30} {:>7.0} ns {:>3} allocations", rounds[ROUNDS / 2], counted.count_total);
}

/// What a service that never waits answers.
fn answer<S>(service: &mut S, request: Request<Full<Bytes>>) -> Response<Full<Bytes>>
where
    S: Service<Request<Full<Bytes>>, Response = Response<Full<Bytes>>, Error = Infallible>,
{
    let mut future = pin!(service.call(request));
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

/// Nanoseconds a call.
fn round(call: &mut impl FnMut() -> Response<Full<Bytes>>) -> f64 {
    let (start, mut calls) = (Instant::now(), 0u32);
    while start.elapsed() < ROUND {
        (0..1000).for_each(|_| drop(black_box(call())));
        calls += 1000;
    }
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}
