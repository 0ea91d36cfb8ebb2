//! A visitor's browser, and stores that count and fail.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of it")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use donjon::password::{Passwords, Pbkdf2};
use donjon_core::account::{
    AccountStore, EncodedPassword, MemoryAccounts, NewUser, Permissions, User, UserCreation,
    UserSource,
};
use donjon_core::clock::UnixTime;
use donjon_core::origin::{Connection, Scheme};
use donjon_core::session::{
    Creation, Deletion, MemorySessions, SessionKey, SessionRecord, SessionStore, StoreError,
    Stored, Update, Version, WithUser,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header, request};
use tower::ServiceExt;

/// 14 November 2023, 22:13:20.
pub const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

/// What a store says when it is down: nothing that a visitor may read.
pub const SECRET_OF_THE_STORE: &str = "postgres://root:hunter2@10.0.0.7";

/// A hasher that costs nothing.
pub const CHEAP: u32 = 10;

/// A store that counts what it is asked, and can be down.
#[derive(Default)]
pub struct Store<S> {
    pub inner: S,
    calls: AtomicUsize,
    down: AtomicBool,
    others_delete: AtomicBool,
    /// Where users are, and whom a store of sessions reads along with each session.
    along: Mutex<(Option<UserSource>, Option<Arc<User>>)>,
}

pub type Sessions = Arc<Store<MemorySessions>>;
pub type Accounts = Arc<Store<MemoryAccounts>>;

impl<S> Store<S> {
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn go_down(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    pub fn come_up(&self) {
        self.down.store(false, Ordering::SeqCst);
    }

    /// From now on another request deletes each record before a request does.
    pub fn others_delete_first(&self) {
        self.others_delete.store(true, Ordering::SeqCst);
    }

    /// Users are of this source, and this one is read along.
    pub fn read_along(&self, users: UserSource, user: Option<Arc<User>>) {
        *self.along.lock().unwrap() = (Some(users), user);
    }

    fn ask(&self) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.down.load(Ordering::SeqCst) {
            true => Err(StoreError::new(SECRET_OF_THE_STORE)),
            false => Ok(()),
        }
    }
}

impl SessionStore for Store<MemorySessions> {
    async fn load_with_user(
        &self,
        key: &SessionKey,
        now: UnixTime,
        users: UserSource,
    ) -> Result<Option<WithUser>, StoreError> {
        let (source, user) = self.along.lock().unwrap().clone();
        let user = user.filter(|_| source == Some(users));
        Ok(SessionStore::load(self, key, now).await?.map(|stored| (stored, user)))
    }

    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        self.ask()?;
        SessionStore::load(&self.inner, key, now).await
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        self.ask()?;
        SessionStore::create(&self.inner, key, record).await
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        self.ask()?;
        SessionStore::update(&self.inner, key, record, over).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        self.ask()?;
        if self.others_delete.load(Ordering::SeqCst) {
            SessionStore::delete(&self.inner, key).await?;
        }
        SessionStore::delete(&self.inner, key).await
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        self.ask()?;
        self.inner.clear_expired(now, limit).await
    }
}

impl Store<MemorySessions> {
    /// The live record under a cookie's value.
    pub async fn record(&self, key: &str) -> Option<SessionRecord> {
        let key = SessionKey::parse(key)?;
        SessionStore::load(&self.inner, &key, NOW).await.unwrap().map(|stored| stored.record)
    }

    /// Puts a record there, as if the site had made it.
    pub async fn put(&self, key: &str, json: &str) {
        let data = donjon_core::session::SessionData::from_json(json.as_bytes()).unwrap();
        let record = SessionRecord { data, expires: NOW.plus_seconds(1000) };
        let key = SessionKey::parse(key).unwrap();
        SessionStore::create(&self.inner, &key, &record).await.unwrap();
    }
}

impl AccountStore for Store<MemoryAccounts> {
    async fn by_id(&self, id: i64) -> Result<Option<Arc<User>>, StoreError> {
        self.ask()?;
        AccountStore::by_id(&self.inner, id).await
    }

    fn source(&self) -> Option<UserSource> {
        self.along.lock().unwrap().0
    }

    async fn by_username(&self, username: &str) -> Result<Option<Arc<User>>, StoreError> {
        self.ask()?;
        AccountStore::by_username(&self.inner, username).await
    }

    async fn create(&self, user: NewUser) -> Result<UserCreation, StoreError> {
        self.ask()?;
        AccountStore::create(&self.inner, user).await
    }

    async fn set_password(&self, id: i64, password: &EncodedPassword) -> Result<(), StoreError> {
        self.ask()?;
        AccountStore::set_password(&self.inner, id, password).await
    }

    async fn set_last_login(&self, id: i64, at: UnixTime) -> Result<(), StoreError> {
        self.ask()?;
        AccountStore::set_last_login(&self.inner, id, at).await
    }

    async fn permissions(&self, id: i64) -> Result<Permissions, StoreError> {
        self.ask()?;
        AccountStore::permissions(&self.inner, id).await
    }
}

/// The password of everybody in [`people`].
pub const PASSWORD: &str = "correct horse é";

/// Hashes that cost nothing.
pub fn cheap() -> Passwords {
    Passwords::new(Pbkdf2::with_iterations(CHEAP))
}

/// Alice, whose id is 1, and Bob, whose id is 2.
pub async fn people() -> Accounts {
    let accounts = Accounts::default();
    for username in ["alice", "bob"] {
        let user = NewUser {
            username: username.to_owned(),
            password: Pbkdf2::with_iterations(CHEAP).hash(PASSWORD),
            email: format!("{username}@bank.example"),
            date_joined: NOW,
        };
        AccountStore::create(&accounts.inner, user).await.unwrap();
    }
    accounts
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        Self { status: parts.status, headers: parts.headers, text }
    }

    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The `Set-Cookie` for this cookie.
    pub fn set_cookie(&self, name: &str) -> Option<&str> {
        let mut cookies =
            self.set_cookies().filter(|cookie| cookie.starts_with(&format!("{name}=")));
        let cookie = cookies.next();
        assert_eq!(cookies.next(), None, "two cookies of one name");
        cookie
    }

    pub fn set_cookies(&self) -> impl Iterator<Item = &str> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap())
    }

    /// Does the response vary with this header?
    pub fn varies(&self, name: &str) -> bool {
        let listed = |value: &HeaderValue| {
            let names = value.to_str().unwrap().split(',');
            names.map(str::trim).any(|known| known.eq_ignore_ascii_case(name))
        };
        self.headers.get_all(header::VARY).iter().any(listed)
    }
}

/// A browser: it keeps cookies, and says where its requests come from.
#[derive(Clone)]
pub struct Browser {
    site: Router,
    scheme: Scheme,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn new(site: &Router) -> Self {
        Self { site: site.clone(), scheme: Scheme::Http, cookies: BTreeMap::new() }
    }

    pub fn over_https(mut self) -> Self {
        self.scheme = Scheme::Https;
        self
    }

    pub fn with_cookie(mut self, name: &str, value: impl Into<String>) -> Self {
        self.cookies.insert(name.to_owned(), value.into());
        self
    }

    /// The same browser on the site as it is now.
    pub fn on(mut self, site: &Router) -> Self {
        self.site = site.clone();
        self
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.get(name).cloned()
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(Request::get(path), Body::empty()).await
    }

    /// Sends a form from the site's own page.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header(header::ORIGIN, format!("{}://bank.example", self.scheme.as_str()))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, form).await
    }

    pub async fn send(&mut self, request: request::Builder, body: impl Into<Body>) -> Reply {
        let mut request = request.body(body.into()).unwrap();
        let headers = request.headers_mut();
        headers.entry(header::HOST).or_insert(HeaderValue::from_static("bank.example"));
        if !self.cookies.is_empty() {
            headers.entry(header::COOKIE).or_insert_with(|| self.cookie_header());
        }
        request.extensions_mut().insert(connection(self.scheme));
        let response = self.site.clone().oneshot(request).await.unwrap();
        let reply = Reply::of(response).await;
        self.keep(&reply);
        reply
    }

    fn cookie_header(&self) -> HeaderValue {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        HeaderValue::try_from(pairs.collect::<Vec<_>>().join("; ")).unwrap()
    }

    fn keep(&mut self, reply: &Reply) {
        for cookie in reply.set_cookies() {
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            match rest.contains("Max-Age=0;") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
    }
}

/// The connection of a request that came by this scheme.
pub fn connection(scheme: Scheme) -> Connection {
    let local = SocketAddr::from(([127, 0, 0, 1], scheme.default_port()));
    Connection { peer: SocketAddr::from(([203, 0, 113, 9], 4711)), local, scheme }
}
