//! How a room refuses: a status, and a sentence that tells the client little.
//!
//! Stops: error pages that show paths, settings or a client's own text, and caches that keep them.
//!
//! 1. The body is fixed text in plain ASCII, or a page of the room's own that escapes what it shows.
//! 2. A refusal is not to be stored: `Cache-Control: no-store`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use pin_project_lite::pin_project;

/// A refusal of plain text.
pub(crate) fn refuse<B: From<Bytes>>(status: StatusCode, message: &'static str) -> Response<B> {
    reply(status, "text/plain; charset=utf-8", Bytes::from_static(message.as_bytes()))
}

/// A refusal with a page of its own.
pub(crate) fn refuse_with_page<B: From<Bytes>>(status: StatusCode, page: Bytes) -> Response<B> {
    reply(status, "text/html; charset=utf-8", page)
}

/// Sends the browser to another address, a header's value by now.
pub(crate) fn redirect<B: From<Bytes>>(status: StatusCode, address: &str) -> Response<B> {
    let Ok(location) = HeaderValue::try_from(address) else {
        return refuse(StatusCode::BAD_REQUEST, "Bad Request (400)\n");
    };
    let mut response = Response::new(B::from(Bytes::new()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn reply<B: From<Bytes>>(
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
) -> Response<B> {
    let mut response = Response::new(B::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pin_project! {
    /// The future of a room that answers some requests itself, and passes the others on.
    pub struct Answer<F, R> {
        #[pin]
        course: Course<F, R>,
    }
}

pin_project! {
    #[project = Projected]
    enum Course<F, R> {
        Passed { #[pin] inner: F },
        Answered { response: Option<Response<R>> },
    }
}

impl<F, R> Answer<F, R> {
    /// The request goes on.
    pub(crate) fn pass(inner: F) -> Self {
        Self { course: Course::Passed { inner } }
    }

    /// The room answers.
    pub(crate) fn with(response: Response<R>) -> Self {
        Self { course: Course::Answered { response: Some(response) } }
    }
}

impl<F, R, E> Future for Answer<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().course.project() {
            Projected::Passed { inner } => inner.poll(cx),
            // A future that is polled again after it was ready never wakes up, as tower permits.
            Projected::Answered { response } => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
        }
    }
}
