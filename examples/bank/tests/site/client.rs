//! A bank on a fresh database, and a client that keeps cookies.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use bank::Bank;
use bank::people::Person;
use bank::start::site;
use bank::storage::Storage;
use donjon::password::{Passwords, Pbkdf2};
use donjon_core::secret::Keys;
use donjon_db::Database;
use form_urlencoded::Serializer;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A bank whose passwords are cheap to check.
pub(crate) struct Branch {
    pub(crate) router: Router,
    pub(crate) bank: Bank,
    pub(crate) database: Database,
    pub(crate) folder: TempDir,
}

impl Branch {
    pub(crate) async fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let database = Database::sqlite(folder.path().join("bank.sqlite3")).await.unwrap();
        let passwords = Passwords::new(Pbkdf2::with_iterations(1));
        let keys = Keys::new("a test's key");
        let storage = Storage::db(&database, &keys);
        let (router, bank) = site(&storage, &keys, passwords).await.unwrap();
        Self { router, bank, database, folder }
    }

    pub(crate) fn client(&self) -> Client {
        Client::of(&self.router)
    }

    pub(crate) async fn logged_in(&self, person: &Person) -> Client {
        let mut client = self.client();
        client.log_in(person).await;
        client
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.database.danger_connection().execute_unprepared(sql).await.unwrap();
    }

    pub(crate) async fn balance(&self, person: &Person) -> String {
        let mut client = self.logged_in(person).await;
        let page = client.get("/account/").await.text;
        let (_, rest) = page.split_once("id=\"balance\">").expect("a balance");
        rest.split('<').next().unwrap().to_owned()
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn sees(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "{text:?} is not in {}", self.text);
        self
    }
}

/// A client that keeps cookies, and sends what it is told to.
#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Client {
    pub(crate) fn of(router: &Router) -> Self {
        Self { router: router.clone(), cookies: BTreeMap::new() }
    }

    /// The same cookies, at another node.
    pub(crate) fn at(self, router: &Router) -> Self {
        Self { router: router.clone(), ..self }
    }

    pub(crate) async fn send(&mut self, request: http::request::Builder, body: Body) -> Answer {
        let mut request = request.body(body).unwrap();
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers = request.headers_mut();
        headers.entry(header::HOST).or_insert("localhost:8000".parse().unwrap());
        if !cookies.is_empty() {
            headers.insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        parts.headers.get_all(header::SET_COOKIE).iter().for_each(|set| self.keep(set));
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    fn keep(&mut self, set: &http::HeaderValue) {
        let set = set.to_str().unwrap();
        let (name, rest) = set.split_once('=').unwrap();
        let value = rest.split(';').next().unwrap();
        if rest.contains("Max-Age=0;") || rest.ends_with("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    /// A form with the token of the page at the same address.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token(path).await;
        let fields = [fields, &[("csrfmiddlewaretoken", token.as_str())]].concat();
        self.post_raw(path, &fields).await
    }

    /// A form as it is.
    pub(crate) async fn post_raw(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path).header(header::CONTENT_TYPE, FORM);
        self.send(request, body.into()).await
    }

    /// JSON, with the token from the cookie in the header.
    pub(crate) async fn post_json(&mut self, kind: &str, body: impl Into<Body>) -> Answer {
        let token = self.cookies.get("csrftoken").cloned().unwrap_or_default();
        let request = Request::post("/api/add-item/")
            .header(header::CONTENT_TYPE, kind)
            .header("x-csrftoken", token);
        self.send(request, body.into()).await
    }

    /// The token of a page's form.
    pub(crate) async fn token(&mut self, path: &str) -> String {
        let page = self.get(path).await.text;
        let (_, rest) =
            page.split_once("name=\"csrfmiddlewaretoken\" value=\"").expect("a token in the page");
        rest.split('"').next().unwrap().to_owned()
    }

    pub(crate) async fn log_in(&mut self, person: &Person) -> Answer {
        let fields = [("username", person.username), ("password", person.password)];
        let answer = self.post("/accounts/login/", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        answer
    }
}
