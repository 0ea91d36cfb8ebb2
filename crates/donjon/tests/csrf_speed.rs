//! What the room costs a request. Run with `cargo test --release --test csrf_speed -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests stop a test")]

mod support;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use donjon::csrf::{CsrfLayer, CsrfPolicy, CsrfSecret, Decision, SubmittedToken, decide};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Scheme, Site, SitePolicy};
use http::{Request, Response, header};
use http_body_util::Full;
use support::{SECRET, empty, form, mask, over, post, request};
use tower::{Layer, Service};

#[derive(Clone)]
struct Nothing;

impl<B> Service<Request<B>> for Nothing {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Bytes>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        black_box(&request.extensions());
        ready(Ok(Response::new(Bytes::new())))
    }
}

const ROUNDS: u32 = 200_000;

fn nanoseconds(name: &str, mut act: impl FnMut()) -> u128 {
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            (0..ROUNDS).for_each(|_| act());
            start.elapsed() / ROUNDS
        })
        .min()
        .unwrap();
    println!("{name:<44} {:>6} ns", best.as_nanos());
    best.as_nanos()
}

fn site() -> Site {
    let hosts = AllowedHosts::new(["bank.example"]).unwrap();
    let headers = [(header::HOST, "bank.example".parse().unwrap())].into_iter().collect();
    SitePolicy::new(hosts).resolve(&headers, None, Some(&over(Scheme::Https)))
}

/// The request's own cost is taken off.
fn through_layer(name: &str, layer: &CsrfLayer, make: impl Fn() -> Request<Full<Bytes>>) -> u128 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut outer = layer.layer(Nothing);
    let mut bare = Nothing;
    let site = site();
    let make = || {
        let mut request = make();
        request.extensions_mut().insert(site.clone());
        request
    };
    let with = nanoseconds(name, || {
        drop(black_box(runtime.block_on(async { outer.call(make()).await })));
    });
    let without = nanoseconds("    the same without layer", || {
        drop(black_box(runtime.block_on(async { bare.call(make()).await })));
    });
    with.saturating_sub(without)
}

#[test]
#[ignore = "measures: only a release build on a quiet machine says anything"]
fn costs() {
    let secret = CsrfSecret::parse(SECRET).unwrap();
    let token = mask(SECRET);
    let minted = nanoseconds("a masked token", || drop(black_box(secret.mask())));
    nanoseconds("a token parsed and compared", || {
        black_box(
            SubmittedToken::parse(black_box(&token)).is_ok_and(|token| token.matches(&secret)),
        );
    });
    let policy = CsrfPolicy::default();
    let own = site();
    let request_post = post("/").body(empty()).unwrap();
    let decided = nanoseconds("a decision", || {
        let (method, headers) = (request_post.method(), request_post.headers());
        assert_eq!(decide(black_box(&policy), &own, method, headers), Decision::NeedsToken);
    });
    let layer = CsrfLayer::new(policy.clone());
    let costs = [
        through_layer("GET without cookie", &layer, || request("GET", "/").body(empty()).unwrap()),
        through_layer("forged POST", &layer, || {
            let request = request("POST", "/").header("sec-fetch-site", "cross-site");
            request.body(empty()).unwrap()
        }),
        through_layer("POST with header", &layer, || {
            post("/").header("x-csrftoken", &token).body(empty()).unwrap()
        }),
        through_layer("POST with form", &layer, || {
            form("/", format!("a=1&csrfmiddlewaretoken={token}"))
        }),
    ];
    println!("of the layer: {costs:?} ns");
    assert!(minted < 300 && decided < 1_000, "{minted} {decided}");
    assert!(costs.iter().all(|cost| *cost < 2_000), "{costs:?}");
}
