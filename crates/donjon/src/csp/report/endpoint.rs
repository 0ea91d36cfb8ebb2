//! The service: what it reads, and what it answers.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use donjon_core::clock::{Clock, UnixTime};
use donjon_core::event::Event;
use donjon_core::origin::{Site, TrustedOrigins};
use donjon_core::violation::{Batch, DynViolationStore};
use donjon_core::visit::word;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use tower_service::Service;

use super::address::OwnPages;
use super::parse::{Format, read};
use crate::rejection::refuse;

/// How many bytes a body may have.
pub const BODY_LIMIT: usize = 64 * 1024;

/// How many bodies a process reads in one second.
pub const BODIES_PER_SECOND: u32 = 20;

/// Receives reports of violations and keeps them in a store. A tower service; clones share the rate.
///
/// In an axum router it is mounted by `axum::routing::any_service`.
#[derive(Clone)]
pub struct CspReports {
    store: Arc<dyn DynViolationStore>,
    trusted: Arc<TrustedOrigins>,
    clock: Clock,
    rate: Arc<Rate>,
}

impl CspReports {
    /// An endpoint for the reports of the site's own pages.
    #[must_use]
    pub fn new(store: Arc<dyn DynViolationStore>) -> Self {
        let (trusted, clock) = (Arc::new(TrustedOrigins::none()), Clock::system());
        Self { store, trusted, clock, rate: Arc::default() }
    }

    /// Takes reports of pages of these origins too, such as a site's other hosts. Without a host room
    /// outside, which says what the site's own origin is, only these are taken.
    #[must_use]
    pub fn trust_origins(mut self, origins: TrustedOrigins) -> Self {
        self.trusted = Arc::new(origins);
        self
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The answer, and what it takes to get there.
    async fn receive<B>(self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let format = match admit(&request) {
            Ok(format) => format,
            Err(refusal) => return refusal.response(),
        };
        let now = self.clock.now();
        if !self.rate.allows(now) {
            return taken();
        }
        let (parts, body) = request.into_parts();
        match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(body) => {
                let site = word::<Site>(&parts.extensions);
                let own = OwnPages { site: site.as_ref(), trusted: &self.trusted };
                self.keep(&read(format, &body.to_bytes(), &own), now).await;
                taken()
            }
            Err(error) if error.is::<LengthLimitError>() => Refusal::TooLong.response(),
            // The connection broke; nobody hears the answer.
            Err(_) => taken(),
        }
    }

    async fn keep(&self, batch: &Batch, now: UnixTime) {
        match self.store.note(batch, now).await {
            Ok(unknown) => unknown.iter().for_each(|violation| {
                let directive = violation.directive.as_str();
                let (blocked, document) = (&violation.blocked, &violation.document);
                Event::CspViolated { directive, blocked, document }.emit();
            }),
            Err(error) => Event::CspReportsFailed { error: &error }.emit(),
        }
    }
}

impl fmt::Debug for CspReports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CspReports").field("trusted", &self.trusted).finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for CspReports
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let endpoint = self.clone();
        Box::pin(async { Ok(endpoint.receive(request).await) })
    }
}

/// Why a body is not read.
#[derive(Clone, Copy)]
enum Refusal {
    Method,
    Format,
    TooLong,
}

impl Refusal {
    fn response(self) -> Response<Full<Bytes>> {
        let (status, message) = match self {
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n"),
            Self::Format => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Not a report of a violation\n"),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "Content Too Large\n"),
        };
        let mut response = refuse(status, message);
        if let Self::Method = self {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

/// What can be refused before a byte of the body is read.
fn admit<B: Body>(request: &Request<B>) -> Result<Format, Refusal> {
    if request.method() != Method::POST {
        return Err(Refusal::Method);
    }
    let kind = request.headers().get(header::CONTENT_TYPE);
    let format = kind.and_then(|kind| Format::of(kind.as_bytes())).ok_or(Refusal::Format)?;
    let is_long = request.body().size_hint().lower() > BODY_LIMIT as u64;
    if is_long { Err(Refusal::TooLong) } else { Ok(format) }
}

fn taken() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Counts the bodies of the current second.
#[derive(Debug, Default)]
struct Rate(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    second: i64,
    bodies: u32,
}

impl Rate {
    /// May one more be read? The first that may not is an event.
    fn allows(&self, now: UnixTime) -> bool {
        // Two numbers are whole between any two statements.
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if current.second != now.seconds() {
            *current = Second { second: now.seconds(), bodies: 0 };
        }
        current.bodies = current.bodies.saturating_add(1);
        if current.bodies == BODIES_PER_SECOND + 1 {
            Event::CspReportsDropped.emit();
        }
        current.bodies <= BODIES_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_so_many_a_second_and_no_more() {
        let rate = Rate::default();
        let allowed = |micros| {
            let now = UnixTime::from_micros(micros);
            (0..100).filter(|_| rate.allows(now)).count()
        };
        assert_eq!(allowed(1_000_000), 20);
        assert_eq!(allowed(1_999_999), 0);
        assert_eq!(allowed(2_000_000), 20);
    }
}
