//! A browser in miniature: a jar of cookies, and forms that are sent as browsers send them.

use std::collections::BTreeMap;

use bytes::Bytes;
use conformance::web::set_cookies;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Cookies ignore ports, so that both sites on 127.0.0.1 get the same ones.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    jar: BTreeMap<String, String>,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }

    /// The token in the form's hidden field.
    pub(crate) fn token(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"csrfmiddlewaretoken\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Browser {
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.jar.get(name).map(String::as_str)
    }

    pub(crate) fn plant(&mut self, name: &str, value: &str) {
        self.jar.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) async fn get(&mut self, site: u16, path: &str) -> Reply {
        self.send(site, Request::get(path), String::new()).await
    }

    pub(crate) async fn post(&mut self, site: u16, path: &str, fields: &[(&str, &str)]) -> Reply {
        let form = "application/x-www-form-urlencoded";
        let request = Request::post(path).header(header::CONTENT_TYPE, form);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(site, request, body).await
    }

    pub(crate) async fn post_json(&mut self, site: u16, path: &str, json: Value) -> Reply {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(site, request, json.to_string()).await
    }

    /// Does something to the session on that site, and tells what came of it.
    pub(crate) async fn session(&mut self, site: u16, operation: Value) -> Value {
        let reply = self.post_json(site, "/session/", operation.clone()).await;
        assert_eq!(reply.status, StatusCode::OK, "{operation}: {}", reply.body);
        reply.json()
    }

    /// Logs in with a fresh form of that site.
    pub(crate) async fn log_in(&mut self, site: u16, username: &str, password: &str) -> Reply {
        let token = self.get(site, "/login/").await.token();
        let fields =
            [("csrfmiddlewaretoken", &*token), ("username", username), ("password", password)];
        self.post(site, "/login/", &fields).await
    }

    pub(crate) async fn log_out(&mut self, site: u16) -> Reply {
        let token = self.get(site, "/form/").await.token();
        self.post(site, "/logout/", &[("csrfmiddlewaretoken", &token)]).await
    }

    /// Who that site takes this browser for; null for nobody.
    pub(crate) async fn who(&mut self, site: u16) -> Value {
        self.get(site, "/who/").await.json()["user"].clone()
    }

    async fn send(&mut self, site: u16, request: http::request::Builder, body: String) -> Reply {
        let host = format!("127.0.0.1:{site}");
        let mut request = request.header(header::HOST, &host);
        if !self.jar.is_empty() {
            let pairs: Vec<_> =
                self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        if !body.is_empty() {
            request = request.header(header::ORIGIN, format!("http://{host}"));
        }
        let request = request.body(Full::<Bytes>::from(body)).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", site)).await.unwrap();
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        connection.abort();
        self.keep(&parts.headers);
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for cookie in set_cookies(headers) {
            let text = |field: &str| cookie[field].as_str().unwrap().to_owned();
            if cookie["max_age"] == 0 {
                self.jar.remove(&text("name"));
            } else {
                self.jar.insert(text("name"), text("value"));
            }
        }
    }
}
