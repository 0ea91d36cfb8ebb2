//! The same requests through this room and through `tower_http::csrf`, the token always good: both say
//! the same, but for the differences that the module's doc lists.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests stop a test")]

mod support;

use std::collections::BTreeSet;
use std::convert::Infallible;

use bytes::Bytes;
use donjon::csrf::{CsrfLayer, CsrfPolicy};
use donjon_core::origin::{Scheme, TrustedOrigins};
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use support::{SECRET, empty, mask, over, send};
use tower::{ServiceBuilder, ServiceExt, service_fn};

const TRUSTED: &str = "https://pay.example";

#[derive(Clone, Copy, Debug)]
struct Case {
    method: &'static str,
    site: Option<&'static str>,
    origin: Option<&'static str>,
    host: &'static str,
    target: &'static str,
    scheme: Scheme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// They refuse a cross-site TRACE; to us it is a safe method, as to Django.
    Trace,
    /// They believe `same-origin` and `none` whatever `Origin` says.
    ContradictingOrigin,
    /// They read an empty header as none.
    EmptyHeader,
    /// They let pass what shows nothing of where it comes from; over HTTPS we ask for a referer.
    NoProofAtAll,
    /// They let a trusted origin pass whatever word `Sec-Fetch-Site` has, also one that is none.
    UnknownWord,
    /// They compare hosts and not schemes.
    SchemeOfOrigin,
    /// They overlook what stands behind the host, and the case of the scheme.
    UnusualOrigin,
    /// They take the host of an absolute target, we that of `Host`, as Django does.
    AbsoluteTarget,
}

impl Case {
    fn request(self) -> Request<Full<Bytes>> {
        let request = Request::builder()
            .method(self.method)
            .uri(self.target)
            .header(header::HOST, self.host)
            .header(header::COOKIE, format!("csrftoken={SECRET}"))
            .header("x-csrftoken", mask(SECRET))
            .extension(over(self.scheme));
        let headers = [("sec-fetch-site", self.site), ("origin", self.origin)];
        headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .fold(request, |request, (name, value)| request.header(name, value))
            .body(empty())
            .unwrap()
    }

    /// Why the verdicts may differ, and which way: true if they pass what we refuse.
    fn difference(self, they_pass: bool) -> Option<Difference> {
        let own = format!("{}://{}", self.scheme.as_str(), self.host);
        if self.method == "TRACE" {
            return (!they_pass).then_some(Difference::Trace);
        }
        if self.target != "/" {
            return Some(Difference::AbsoluteTarget);
        }
        if !they_pass {
            return None;
        }
        if self.site == Some("") || self.origin == Some("") {
            return Some(Difference::EmptyHeader);
        }
        let origin = match self.origin {
            None => {
                return (self.site.is_none() && self.scheme == Scheme::Https)
                    .then_some(Difference::NoProofAtAll);
            }
            Some(origin) if origin == own => return None,
            Some(origin) => origin,
        };
        if matches!(self.site, Some("same-origin" | "none")) {
            return Some(Difference::ContradictingOrigin);
        }
        if origin == TRUSTED {
            return Some(Difference::UnknownWord);
        }
        if ["http://", "https://"].iter().any(|scheme| origin == format!("{scheme}{}", self.host)) {
            return Some(Difference::SchemeOfOrigin);
        }
        let origin = origin.to_lowercase();
        let (_, behind) = origin.split_once("://")?;
        behind.starts_with(self.host).then_some(Difference::UnusualOrigin)
    }
}

async fn we_pass(case: Case) -> bool {
    let trusted = TrustedOrigins::new([TRUSTED]).unwrap();
    let layer = CsrfLayer::new(CsrfPolicy::default().trust(trusted));
    send(&layer, case.request()).await.status == StatusCode::OK
}

async fn they_pass(case: Case) -> bool {
    let layer = tower_http::csrf::CsrfLayer::new().add_trusted_origin(TRUSTED).unwrap();
    let handler =
        service_fn(async |_| Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("ran"))));
    let service = ServiceBuilder::new().layer(layer).service(handler);
    service.oneshot(case.request()).await.unwrap().status() == StatusCode::OK
}

fn cases() -> Vec<Case> {
    let methods = ["GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "DELETE", "QUERY"];
    let sites = [
        None,
        Some(""),
        Some("same-origin"),
        Some("same-site"),
        Some("cross-site"),
        Some("none"),
        Some("Same-Origin"),
        Some("same-origin, cross-site"),
    ];
    let origins = [
        None,
        Some(""),
        Some("null"),
        Some("https://bank.example"),
        Some("http://bank.example"),
        Some("https://bank.example:8443"),
        Some("http://bank.example:8443"),
        Some("https://bank.example/path"),
        Some("HTTPS://bank.example"),
        Some("https://user@bank.example"),
        Some("https://BANK.example"),
        Some("https://evil.example"),
        Some("https://[bank.example"),
        Some(TRUSTED),
        Some("http://pay.example"),
        Some("https://a.pay.example"),
    ];
    let hosts = ["bank.example", "bank.example:8443"];
    let mut cases = Vec::new();
    for (method, site) in methods.into_iter().flat_map(|method| sites.map(|site| (method, site))) {
        for (origin, host) in
            origins.into_iter().flat_map(|origin| hosts.map(|host| (origin, host)))
        {
            for (scheme, target) in [Scheme::Http, Scheme::Https]
                .into_iter()
                .flat_map(|scheme| ["/", "https://evil.example/"].map(|target| (scheme, target)))
            {
                cases.push(Case { method, site, origin, host, target, scheme });
            }
        }
    }
    cases
}

#[tokio::test]
async fn both_say_the_same_but_for_the_listed_differences() {
    let mut seen = BTreeSet::new();
    let mut alike = 0;
    for case in cases() {
        let (we, they) = (we_pass(case).await, they_pass(case).await);
        if we == they {
            alike += 1;
            continue;
        }
        let difference = case.difference(they);
        assert!(difference.is_some(), "we {we}, they {they}: {case:?}");
        seen.extend(difference);
    }
    use Difference::*;
    let all = [
        Trace,
        ContradictingOrigin,
        EmptyHeader,
        NoProofAtAll,
        UnknownWord,
        SchemeOfOrigin,
        UnusualOrigin,
        AbsoluteTarget,
    ];
    assert_eq!(seen, BTreeSet::from(all), "the list has a difference that is none");
    assert!(alike > cases().len() / 2, "{alike} of {}", cases().len());
}

/// The one difference that the others can't show: they ask for no token.
#[tokio::test]
async fn they_ask_for_no_token() {
    let request = || {
        Request::post("/")
            .header(header::HOST, "bank.example")
            .header(header::ORIGIN, "https://bank.example")
            .header("sec-fetch-site", "same-origin")
            .extension(over(Scheme::Https))
            .body(empty())
            .unwrap()
    };
    let layer = tower_http::csrf::CsrfLayer::new();
    let handler = service_fn(async |_| Ok::<_, Infallible>(Response::new(empty())));
    let theirs = ServiceBuilder::new().layer(layer).service(handler);
    assert_eq!(theirs.oneshot(request()).await.unwrap().status(), StatusCode::OK);
    let ours = CsrfLayer::new(CsrfPolicy::default());
    assert_eq!(send(&ours, request()).await.status, StatusCode::FORBIDDEN);
}
