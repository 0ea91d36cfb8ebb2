//! Sending a question through the router.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use donjon_core::origin::{Connection, Scheme};
use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::answer::Answer;
use super::question::Question;

/// How long a handler may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How many bytes of an answer are looked at.
pub const MAX_BODY: usize = 256 * 1024;

/// A client nobody knows: an address of the block for documentation (RFC 5737).
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Where a question led.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Answer),
    Panicked,
    TookTooLong,
}

/// Who asks.
pub(super) struct Visitor {
    router: Router,
    host: String,
}

impl Visitor {
    pub(super) fn new(router: Router, host: &str) -> Self {
        Self { router, host: host.to_owned() }
    }

    /// On a task of its own, so that a panic ends that task only.
    pub(super) async fn ask(&self, question: &Question) -> Outcome {
        let (router, request) = (self.router.clone(), self.request(question));
        let task = tokio::spawn(tokio::time::timeout(PATIENCE, answer(router, request)));
        match task.await {
            Ok(Ok(answer)) => Outcome::Answered(answer),
            Ok(Err(_)) => Outcome::TookTooLong,
            Err(_) => Outcome::Panicked,
        }
    }

    fn request(&self, question: &Question) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = question.method.clone();
        *request.uri_mut() = question.uri.clone();
        if let Ok(host) = HeaderValue::from_str(&self.host) {
            request.headers_mut().insert(header::HOST, host);
        }
        request.headers_mut().extend(question.headers.clone());
        request.extensions_mut().insert(connection(question.scheme));
        request
    }
}

fn connection(scheme: Scheme) -> Connection {
    Connection {
        peer: SocketAddr::from((CLIENT, 49_152)),
        local: SocketAddr::from((Ipv4Addr::LOCALHOST, scheme.default_port())),
        scheme,
    }
}

async fn answer(router: Router, request: Request<Body>) -> Answer {
    let response: Response<Body> = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    let body = String::from_utf8_lossy(&read(body).await).into_owned();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// The body's beginning; one that breaks off ends there.
async fn read(mut body: Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_BODY
        && let Some(Ok(frame)) = body.frame().await
    {
        bytes.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
    }
    bytes.truncate(MAX_BODY);
    bytes
}
