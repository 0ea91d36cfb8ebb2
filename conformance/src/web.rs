//! The requests, settings and cookies of the cases, as Donjon's own values.

use std::collections::VecDeque;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use donjon_core::cookie::{CookieSettings, SameSite, Scripts, Transport};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Connection, Scheme, SitePolicy};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body::{Body, Frame, SizeHint};
use serde_json::{Value, json};

use crate::case::{Case, Unanswered, bytes, list, text};

fn malformed(error: impl fmt::Display) -> Unanswered {
    Unanswered::Malformed(error.to_string())
}

/// A request's body as it comes over the wire: whole, or broken off.
#[derive(Debug, Default)]
pub struct Sent {
    chunks: VecDeque<Result<Bytes, Aborted>>,
}

/// The client went away before the body had come.
#[derive(Clone, Copy, Debug)]
pub struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client went away")
    }
}

impl std::error::Error for Aborted {}

impl Body for Sent {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        Poll::Ready(self.chunks.pop_front().map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let length = |chunk: &Result<Bytes, Aborted>| chunk.as_ref().map_or(0, Bytes::len) as u64;
        match self.chunks.iter().any(Result::is_err) {
            true => SizeHint::new(),
            false => SizeHint::with_exact(self.chunks.iter().map(length).sum()),
        }
    }
}

/// Text that stands for bytes, one code point each.
fn octets(text: &str) -> Result<Vec<u8>, Unanswered> {
    text.chars().map(|c| u8::try_from(c).map_err(malformed)).collect()
}

/// The request of a case, with the connection that it came by.
///
/// # Errors
/// [`Unanswered::Malformed`] for what can be no HTTP request.
pub fn request(case: &Case) -> Result<Request<Sent>, Unanswered> {
    let described = case.field("request");
    let mut request = Request::new(body(described)?);
    let method = text(&described["method"], "method")?;
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(malformed)?;
    *request.uri_mut() = target(described)?;
    *request.headers_mut() = headers(described)?;
    request.extensions_mut().insert(connection(described)?);
    Ok(request)
}

/// The target of a described request.
///
/// # Errors
/// [`Unanswered::Malformed`].
pub fn target(described: &Value) -> Result<Uri, Unanswered> {
    // A path that begins with two slashes is no authority: the target is read as a server reads it.
    Uri::from_maybe_shared(octets(text(&described["path"], "path")?)?).map_err(malformed)
}

fn body(described: &Value) -> Result<Sent, Unanswered> {
    let body = &described["body"];
    let whole = if body.is_null() { Vec::new() } else { bytes(body, "body")? };
    let chunk = match described["aborted"] {
        Value::Bool(true) => Some(Err(Aborted)),
        _ => (!whole.is_empty()).then(|| Ok(Bytes::from(whole))),
    };
    Ok(Sent { chunks: chunk.into_iter().collect() })
}

/// The headers of a described request.
///
/// # Errors
/// [`Unanswered::Malformed`].
pub fn headers(described: &Value) -> Result<HeaderMap, Unanswered> {
    let mut headers = HeaderMap::new();
    let value = |value: &Value| {
        HeaderValue::from_bytes(&octets(text(value, "a header")?)?).map_err(malformed)
    };
    if !described["host"].is_null() {
        headers.insert(header::HOST, value(&described["host"])?);
    }
    for pair in list(&described["headers"]) {
        let name = text(&pair[0], "a header's name")?;
        headers.append(HeaderName::try_from(name).map_err(malformed)?, value(&pair[1])?);
    }
    let cookie = |pair: &Value| {
        let (name, value) = (text(&pair[0], "a cookie's name")?, text(&pair[1], "a cookie")?);
        Ok(format!("{name}={value}"))
    };
    let cookies = list(&described["cookies"]).map(cookie).collect::<Result<Vec<_>, _>>()?;
    if !cookies.is_empty() {
        let line = octets(&cookies.join("; "))?;
        headers.insert(header::COOKIE, HeaderValue::from_bytes(&line).map_err(malformed)?);
    }
    Ok(headers)
}

/// The connection that a described request came by.
///
/// # Errors
/// [`Unanswered::Malformed`].
pub fn connection(described: &Value) -> Result<Connection, Unanswered> {
    let port = server_port(described)?;
    let here = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let scheme = if described["scheme"] == "https" { Scheme::Https } else { Scheme::Http };
    Ok(Connection { peer: here(50_000), local: here(port), scheme })
}

fn server_port(described: &Value) -> Result<u16, Unanswered> {
    text(&described["server"]["port"], "the server's port")?.parse().map_err(malformed)
}

/// How the site of a case finds out its own origin: Django's settings, which believe any peer.
///
/// # Errors
/// [`Unanswered::Malformed`].
pub fn site(case: &Case) -> Result<SitePolicy, Unanswered> {
    let described = case.field("request");
    let name = text(&described["server"]["name"], "the server's name")?;
    Ok(unnamed_site(case)?.server(name, server_port(described)?))
}

/// The same, of a server that has no name of its own: a request must name the host.
///
/// # Errors
/// [`Unanswered::Malformed`].
pub fn unnamed_site(case: &Case) -> Result<SitePolicy, Unanswered> {
    let mut site = SitePolicy::new(allowed_hosts(case)?);
    if let [name, https] =
        &case.setting("SECURE_PROXY_SSL_HEADER").as_array().map_or(&[][..], |pair| pair)
    {
        let https = HeaderValue::try_from(text(https, "a proxy's header")?).map_err(malformed)?;
        site = site.danger_scheme_header(header_of_setting(name)?, https);
    }
    if case.setting("USE_X_FORWARDED_HOST") == true {
        site = site.danger_forwarded_host();
    }
    if case.setting("USE_X_FORWARDED_PORT") == true {
        site = site.danger_forwarded_port();
    }
    Ok(site)
}

/// `ALLOWED_HOSTS`; with `DEBUG`, none are those of this machine.
///
/// # Errors
/// [`Unanswered::Malformed`].
pub fn allowed_hosts(case: &Case) -> Result<AllowedHosts, Unanswered> {
    let patterns: Vec<_> = list(case.setting("ALLOWED_HOSTS")).filter_map(Value::as_str).collect();
    match patterns.as_slice() {
        [] if case.setting("DEBUG") == true => Ok(AllowedHosts::local()),
        patterns if patterns.contains(&"*") => Ok(AllowedHosts::danger_any()),
        patterns => AllowedHosts::new(patterns.iter().copied()).map_err(malformed),
    }
}

/// A header as Django's settings name it: `HTTP_X_CSRFTOKEN`.
///
/// # Errors
/// [`Unanswered::Malformed`].
pub fn header_of_setting(setting: &Value) -> Result<HeaderName, Unanswered> {
    let name = text(setting, "a header's setting")?;
    let name = name.strip_prefix("HTTP_").unwrap_or(name).replace('_', "-");
    HeaderName::try_from(name).map_err(malformed)
}

/// The cookie whose settings begin with `prefix`, as in `CSRF_COOKIE_NAME`.
///
/// # Errors
/// [`Unanswered::Malformed`].
pub fn cookie(case: &Case, prefix: &str) -> Result<CookieSettings, Unanswered> {
    let setting = |name: &str| case.setting(&format!("{prefix}_{name}"));
    let age = setting("AGE").as_u64().map(Duration::from_secs);
    Ok(CookieSettings {
        domain: setting("DOMAIN").as_str().map(str::to_owned),
        path: text(setting("PATH"), "a cookie's path")?.to_owned(),
        secure: if setting("SECURE") == true { Transport::HttpsOnly } else { Transport::Any },
        scripts: match setting("HTTPONLY") {
            Value::Bool(true) => Scripts::MayNotRead,
            _ => Scripts::MayRead,
        },
        same_site: match setting("SAMESITE").as_str() {
            Some("Strict") => SameSite::Strict,
            Some("Lax") => SameSite::Lax,
            Some("None") => SameSite::None,
            _ => SameSite::Unset,
        },
        ..CookieSettings::new(text(setting("NAME"), "a cookie's name")?, age)
    })
}

/// The cookies that a response sets, in the form of the vectors.
#[must_use]
pub fn set_cookies(headers: &HeaderMap) -> Vec<Value> {
    headers.get_all(header::SET_COOKIE).iter().map(set_cookie).collect()
}

fn set_cookie(line: &HeaderValue) -> Value {
    let line = donjon_core::origin::latin1(line);
    let mut parts = line.split("; ");
    let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).unwrap_or_default();
    let mut cookie = json!({
        "name": name, "value": value, "path": null, "domain": null, "max_age": null,
        "expires": null, "secure": false, "http_only": false, "same_site": null,
    });
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        match name {
            "Path" => cookie["path"] = json!(value),
            "Domain" => cookie["domain"] = json!(value),
            "expires" => cookie["expires"] = json!(value),
            "SameSite" => cookie["same_site"] = json!(value),
            "Max-Age" => cookie["max_age"] = json!(value.parse::<i64>().ok()),
            "Secure" => cookie["secure"] = json!(true),
            "HttpOnly" => cookie["http_only"] = json!(true),
            other => cookie[other] = json!("no attribute that Django sets"),
        }
    }
    cookie
}

/// The names in `Vary`.
#[must_use]
pub fn vary(headers: &HeaderMap) -> Vec<String> {
    let names = |value: &HeaderValue| -> Vec<String> {
        value.to_str().unwrap_or_default().split(',').map(|name| name.trim().to_owned()).collect()
    };
    headers.get_all(header::VARY).iter().flat_map(names).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_as_it_was_written() {
        let line = HeaderValue::from_static(
            "a=\"b c\"; Domain=x.org; expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Max-Age=0; Path=/; SameSite=Lax; Secure",
        );
        assert_eq!(
            set_cookie(&line),
            json!({
                "name": "a", "value": "\"b c\"", "path": "/", "domain": "x.org", "max_age": 0,
                "expires": "Thu, 01 Jan 1970 00:00:00 GMT", "secure": true, "http_only": true,
                "same_site": "Lax",
            })
        );
    }
}
