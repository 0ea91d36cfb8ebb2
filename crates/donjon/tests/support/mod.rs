//! A small site behind the CSRF layer, as a plain tower service over `http` types.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of it")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use donjon::csrf::{CsrfLayer, CsrfSecret, CsrfToken, ReadBody};
use donjon_core::origin::{Connection, Scheme};
use donjon_core::session::Rotation;
use http::{HeaderMap, Request, Response, StatusCode, header, request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// A secret of the right form.
pub const SECRET: &str = "KJVPB3v6vZ2mXkzWQqk1dN7rT0aYhCsE";

/// A token for a secret, under a fresh mask.
pub fn mask(secret: &str) -> String {
    CsrfSecret::parse(secret).unwrap().mask()
}

/// The connection of a request that came by this scheme.
pub fn over(scheme: Scheme) -> Connection {
    let local = SocketAddr::from(([127, 0, 0, 1], scheme.default_port()));
    Connection { peer: SocketAddr::from(([203, 0, 113, 9], 4711)), local, scheme }
}

/// A request to `bank.example` over HTTPS.
pub fn request(method: &str, path: &str) -> request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "bank.example")
        .extension(over(Scheme::Https))
}

/// A POST that the site's own page sends, with a secret and without a token.
pub fn post(path: &str) -> request::Builder {
    request("POST", path)
        .header(header::ORIGIN, "https://bank.example")
        .header("sec-fetch-site", "same-origin")
        .header(header::COOKIE, format!("csrftoken={SECRET}"))
}

/// A POST of a urlencoded form.
pub fn form(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(body.into()))
        .unwrap()
}

/// A body without bytes.
pub fn empty() -> Full<Bytes> {
    Full::default()
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    fn of(response: Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        let text = String::from_utf8_lossy(&body).into_owned();
        Self { status: parts.status, headers: parts.headers, text }
    }

    /// The value of the CSRF cookie that the response sets.
    pub fn secret(&self) -> Option<String> {
        let cookie = self.set_cookie()?;
        Some(cookie.split_once('=')?.1.split(';').next()?.to_owned())
    }

    /// The only `Set-Cookie`.
    pub fn set_cookie(&self) -> Option<&str> {
        let mut cookies = self.headers.get_all(header::SET_COOKIE).iter();
        let cookie = cookies.next()?.to_str().unwrap();
        assert_eq!(cookies.next(), None, "two cookies");
        Some(cookie)
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The site's pages: `/form` shows a token, `/login` logs in and shows one, `/public` caches its token
/// page, `/echo` gives the body back; all others say that they ran.
pub async fn page<B>(request: Request<B>) -> Result<Response<Bytes>, Infallible>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = request.into_parts();
    let token = || parts.extensions.get::<CsrfToken>().unwrap().mint();
    let text = match parts.uri.path() {
        "/form" | "/public" => token(),
        "/login" => {
            parts.extensions.get::<Rotation>().unwrap().rotate();
            token()
        }
        "/echo" => match body.collect().await {
            Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            Err(error) => format!("{error:?}"),
        },
        _ => "ran".to_owned(),
    };
    let mut response = Response::new(Bytes::from(text));
    if parts.uri.path() == "/public" {
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, "max-age=60".parse().unwrap());
        headers.insert(header::VARY, "Accept".parse().unwrap());
    }
    Ok(response)
}

/// Sends a request through layers, the outermost first, to the site.
pub async fn send_through<B>(outer: &CsrfLayer, inner: &CsrfLayer, request: Request<B>) -> Reply
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: std::fmt::Debug + Send,
{
    let service = ServiceBuilder::new()
        .layer(outer.clone())
        .layer(inner.clone())
        .service(service_fn(page::<ReadBody<ReadBody<B>>>));
    Reply::of(service.oneshot(request).await.unwrap())
}

/// Sends a request through the layer to the site.
pub async fn send<B>(layer: &CsrfLayer, request: Request<B>) -> Reply
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: std::fmt::Debug + Send,
{
    let service =
        ServiceBuilder::new().layer(layer.clone()).service(service_fn(page::<ReadBody<B>>));
    Reply::of(service.oneshot(request).await.unwrap())
}

/// A body in pieces, which counts how many bytes were taken from it.
pub struct Pieces {
    pieces: Box<dyn Iterator<Item = Result<Bytes, Broken>> + Send>,
    taken: Arc<AtomicUsize>,
    length: Option<u64>,
}

/// The connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl Pieces {
    pub fn new(
        pieces: impl IntoIterator<Item = Result<Bytes, Broken>, IntoIter: Send + 'static>,
    ) -> Self {
        Self { pieces: Box::new(pieces.into_iter()), taken: Arc::default(), length: None }
    }

    /// This text, `size` bytes at a time.
    pub fn split(text: Vec<u8>, size: usize) -> Self {
        let text = Bytes::from(text);
        let starts = (0..text.len()).step_by(size);
        Self::new(starts.map(move |at| Ok(text.slice(at..text.len().min(at + size)))))
    }

    /// Announces a length, as `Content-Length` does.
    pub fn announce(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// How many bytes were taken so far.
    pub fn taken(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.taken)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let piece = self.pieces.next();
        if let Some(Ok(bytes)) = &piece {
            self.taken.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
