//! How a room refuses: a status, and a sentence that tells the client little.
//!
//! Stops: error pages that show paths, settings or a client's own text, and caches that keep them.
//!
//! 1. The body is fixed text in plain ASCII, or a page of the room's own that escapes what it shows.
//! 2. A refusal is not to be stored: `Cache-Control: no-store`.
//! 3. A site's own page may take a refusal's place for a browser. It was rendered when the site began, so that it
//!    cannot fail when something else has.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use pin_project_lite::pin_project;

/// The names of a site's own pages of refusals, and their status; the page of a refused form has its own, as in Django.
#[cfg(feature = "axum")]
const PAGES: [(&str, u16); 9] = [
    ("400.html", 400),
    ("403.html", 403),
    (CSRF_PAGE, 403),
    ("404.html", 404),
    ("405.html", 405),
    ("413.html", 413),
    ("429.html", 429),
    ("500.html", 500),
    ("503.html", 503),
];

const CSRF_PAGE: &str = "403_csrf.html";

/// Says that a response is a refusal of a room's, and which page may take its place.
#[derive(Clone, Copy)]
pub(crate) struct Refusal(Option<&'static str>);

impl Refusal {
    /// Takes the mark off a response, so that what leaves bears none.
    pub(crate) fn take<B>(response: &mut Response<B>) -> Option<Self> {
        response.extensions_mut().remove()
    }
}

/// A site's own pages of refusals.
#[derive(Clone, Default)]
pub(crate) struct ErrorPages(Arc<Vec<(&'static str, u16, Bytes)>>);

impl ErrorPages {
    /// The pages that `render` gives; of those that do not exist it gives none.
    ///
    /// # Errors
    /// Those of `render`.
    #[cfg(feature = "axum")]
    pub(crate) fn of<E>(
        mut render: impl FnMut(&'static str) -> Result<Option<String>, E>,
    ) -> Result<Self, E> {
        let mut pages = Vec::new();
        for (name, status) in PAGES {
            if let Some(html) = render(name)? {
                pages.push((name, status, Bytes::from(html)));
            }
        }
        Ok(Self(Arc::new(pages)))
    }

    /// Whether a request is one for which a page may be shown.
    pub(crate) fn serve(&self, headers: &HeaderMap) -> bool {
        let accepts = |value: &HeaderValue| value.as_bytes().windows(9).any(|w| w == b"text/html");
        !self.0.is_empty() && headers.get_all(header::ACCEPT).iter().any(accepts)
    }

    /// Rule 3: puts the site's page in the place of a refusal.
    pub(crate) fn replace<B: From<Bytes>>(&self, refusal: Refusal, response: &mut Response<B>) {
        let Refusal(own) = refusal;
        let status = response.status().as_u16();
        let fits = |(name, of, _): &&(&str, u16, Bytes)| match own {
            Some(own) => *name == own,
            None => *of == status && *name != CSRF_PAGE,
        };
        let Some((_, _, page)) = self.0.iter().find(fits) else { return };
        *response.body_mut() = B::from(page.clone());
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(HTML));
    }
}

const HTML: &str = "text/html; charset=utf-8";

/// A refusal of plain text.
pub(crate) fn refuse<B: From<Bytes>>(status: StatusCode, message: &'static str) -> Response<B> {
    let text = Bytes::from_static(message.as_bytes());
    let mut response = reply(status, "text/plain; charset=utf-8", text);
    response.extensions_mut().insert(Refusal(None));
    response
}

/// A refusal with a page of its own.
pub(crate) fn refuse_with_page<B: From<Bytes>>(status: StatusCode, page: Bytes) -> Response<B> {
    reply(status, HTML, page)
}

/// The refusal of a form, whose page a site may have of its own.
pub(crate) fn refuse_form<B: From<Bytes>>(page: Bytes) -> Response<B> {
    let mut response = refuse_with_page(StatusCode::FORBIDDEN, page);
    response.extensions_mut().insert(Refusal(Some(CSRF_PAGE)));
    response
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
