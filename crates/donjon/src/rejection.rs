//! How a room refuses: a status, and a sentence that tells the client little.
//!
//! Stops: error pages that show paths, settings or a client's own text, and caches that keep them.
//!
//! 1. The body is fixed text in plain ASCII, or a page of the room's own that escapes what it shows.
//! 2. A refusal is not to be stored: `Cache-Control: no-store`.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// A refusal of plain text.
pub(crate) fn refuse<B: From<Bytes>>(status: StatusCode, message: &'static str) -> Response<B> {
    reply(status, "text/plain; charset=utf-8", Bytes::from_static(message.as_bytes()))
}

/// A refusal with a page of its own.
pub(crate) fn refuse_with_page<B: From<Bytes>>(status: StatusCode, page: Bytes) -> Response<B> {
    reply(status, "text/html; charset=utf-8", page)
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
