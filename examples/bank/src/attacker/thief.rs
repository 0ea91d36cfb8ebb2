//! The attacker as a customer: he logs in as himself, over HTTP like everybody, and takes the token
//! of his own page.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::people::BOB;

/// How many bytes of a page are read.
const PAGE_LIMIT: usize = 256 * 1024;

/// The attacker could not get his token.
#[derive(Debug)]
pub(super) enum ThiefError {
    Connection(Box<dyn std::error::Error + Send + Sync>),
    /// The bank's answer lacks this.
    Missing(&'static str),
}

impl fmt::Display for ThiefError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => write!(f, "the bank could not be asked: {error}"),
            Self::Missing(what) => write!(f, "the bank's answer lacks {what}"),
        }
    }
}

impl std::error::Error for ThiefError {}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ThiefError {
    ThiefError::Connection(error.into())
}

/// A token that the bank made for Bob.
pub(super) async fn token(bank: SocketAddr) -> Result<String, ThiefError> {
    let form = send(bank, "/accounts/login/", "", None).await?;
    let secret = cookie(form.headers(), "csrftoken")?;
    let fields = Serializer::new(String::new())
        .append_pair("csrfmiddlewaretoken", field(form.body())?)
        .append_pair("username", BOB.username)
        .append_pair("password", BOB.password)
        .finish();
    let cookies = format!("csrftoken={secret}");
    let login = send(bank, "/accounts/login/", &cookies, Some(fields)).await?;
    if login.status() != StatusCode::SEE_OTHER {
        return Err(ThiefError::Missing("Bob's log-in"));
    }
    let session = cookie(login.headers(), "sessionid")?;
    let secret = cookie(login.headers(), "csrftoken")?;
    let cookies = format!("csrftoken={secret}; sessionid={session}");
    let page = send(bank, "/transfer/", &cookies, None).await?;
    Ok(field(page.body())?.to_owned())
}

/// Sends a request, a POST where there are fields, and reads the page.
async fn send(
    bank: SocketAddr,
    path: &str,
    cookies: &str,
    fields: Option<String>,
) -> Result<Response<String>, ThiefError> {
    let request = if fields.is_some() { Request::post(path) } else { Request::get(path) };
    let request = request
        .header(header::HOST, format!("localhost:{}", bank.port()))
        .header(header::COOKIE, cookies)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::<Bytes>::from(fields.unwrap_or_default()))
        .map_err(failed)?;
    let stream = TcpStream::connect(bank).await.map_err(failed)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // The connection ends when the sender is dropped; its error is the request's too.
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.map_err(failed)?.into_parts();
    let body = Limited::new(body, PAGE_LIMIT).collect().await.map_err(failed)?.to_bytes();
    Ok(Response::from_parts(parts, String::from_utf8_lossy(&body).into_owned()))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, ThiefError> {
    let value = |set: &'a http::HeaderValue| {
        let (known, rest) = set.to_str().ok()?.split_once('=')?;
        (known == name).then(|| rest.split(';').next().unwrap_or_default())
    };
    headers.get_all(header::SET_COOKIE).iter().find_map(value).ok_or(ThiefError::Missing(name))
}

fn field(page: &str) -> Result<&str, ThiefError> {
    const BEFORE: &str = "name=\"csrfmiddlewaretoken\" value=\"";
    let (_, rest) = page.split_once(BEFORE).ok_or(ThiefError::Missing("a token"))?;
    rest.split('"').next().ok_or(ThiefError::Missing("a token"))
}
