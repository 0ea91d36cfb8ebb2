//! The auth room from outside, rule by rule of its module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use donjon::auth::{
    Auth, AuthError, AuthLayer, AuthPolicy, BACKEND, CurrentUser, LogOut, LoggedIn,
    LoginRequiredLayer, PermissionPolicy, PermissionRequiredLayer, SafeNext, UserPassesTestLayer,
};
use donjon::csrf::CsrfToken;
use donjon::host::HostLayer;
use donjon::password::{Passwords, Pbkdf2, unusable};
use donjon::session::{SessionHandle, SessionLayer, SessionPolicy};
use donjon::stack::Stack;
use donjon_core::account::{EncodedPassword, User, UserSource};
use donjon_core::clock::{Clock, UnixTime};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::SitePolicy;
use donjon_core::secret::Keys;
use donjon_core::session::SessionKey;
use http::StatusCode;
use site::{Accounts, Browser, NOW, PASSWORD, SECRET_OF_THE_STORE, Sessions, cheap, people};

const KEY: &str = "a long random secret";

/// When people log in.
const LATER: UnixTime = NOW.plus_seconds(60);

struct Site {
    sessions: Sessions,
    accounts: Accounts,
    router: Router,
}

impl Site {
    async fn new() -> Self {
        Self::of(policy(&Keys::new(KEY)), Sessions::default(), people().await)
    }

    fn of(policy: AuthPolicy, sessions: Sessions, accounts: Accounts) -> Self {
        let hosts = AllowedHosts::new(["bank.example"]).unwrap();
        let router = pages()
            .layer(AuthLayer::new(policy, accounts.clone()))
            .layer(session_layer(&sessions))
            .layer(HostLayer::new(SitePolicy::new(hosts)));
        Self { sessions, accounts, router }
    }

    /// The same site under other keys.
    fn with_keys(&self, keys: &Keys) -> Self {
        Self::of(policy(keys), self.sessions.clone(), self.accounts.clone())
    }

    fn browser(&self) -> Browser {
        Browser::new(&self.router)
    }

    async fn logged_in(&self, username: &str) -> Browser {
        let mut browser = self.browser();
        assert_eq!(log_in(&mut browser, username).await, username);
        browser
    }

    /// A browser whose session has these values.
    async fn with_session(&self, json: &str) -> Browser {
        let key = SessionKey::random().expose().to_owned();
        self.sessions.put(&key, json).await;
        self.browser().with_cookie("sessionid", key)
    }

    async fn record(&self, browser: &Browser) -> donjon_core::session::SessionData {
        let key = browser.cookie("sessionid").unwrap();
        self.sessions.record(&key).await.unwrap().data
    }
}

fn policy(keys: &Keys) -> AuthPolicy {
    AuthPolicy::new(keys).passwords(cheap()).clock(Clock::fixed(LATER))
}

fn session_layer(sessions: &Sessions) -> SessionLayer {
    SessionLayer::new(SessionPolicy::default().clock(Clock::fixed(NOW)), sessions.clone())
}

/// Pages that do what their address says, by GET: what guards against forgeries is not here.
fn pages() -> Router {
    let guarded = Router::new().route("/page", get(async || "guarded")).layer(LoginRequiredLayer);
    Router::new()
        .route("/untouched", get(async || "untouched"))
        .route("/login/{username}/{password}", get(login))
        .route("/logout", get(logout))
        .route("/who", get(who))
        .route("/twice", get(twice))
        .route("/private", get(async |LoggedIn(user): LoggedIn| user.username.clone()))
        .route("/next", get(async |next: SafeNext| next.or(None, "/home/")))
        .route("/keep/{value}", get(keep))
        .route("/kept", get(kept))
        .nest("/guarded", guarded)
        .nest("/desk", desk())
        .route("/may/{permission}", get(may))
        .route("/as_bob", get(as_bob))
        .nest("/nested", Router::new().route("/page", get(async |_: LoggedIn| "nested")))
}

/// Pages that demand something of their users.
fn desk() -> Router {
    let page = |layer: PermissionRequiredLayer| get(async || "ran").layer(layer);
    let both = PermissionPolicy::new("bank.view_desk").and("bank.use_till");
    let staff = UserPassesTestLayer::new(|user| user.is_staff);
    Router::new()
        .route("/view", page(PermissionRequiredLayer::new("bank.view_desk")))
        .route("/both", page(PermissionRequiredLayer::new(both.clone())))
        .route("/django", page(PermissionRequiredLayer::new(both.redirect())))
        .route("/staff", get(async || "ran").layer(staff))
}

async fn may(auth: Auth, Path(permission): Path<String>) -> Result<String, AuthError> {
    let may = auth.has_perm(&permission).await?;
    // Again, and the other way: one question to the store.
    assert_eq!(may, auth.has_perms([permission.as_str()]).await?);
    Ok(may.to_string())
}

/// What alice may do before bob logs in, and what he may do then.
async fn as_bob(auth: Auth) -> Result<String, AuthError> {
    let before = auth.permissions().await?;
    let bob = auth.authenticate("bob", PASSWORD).await?.unwrap();
    auth.login(&bob).await?;
    let after = auth.permissions().await?;
    assert_eq!(auth.logout().await?, LogOut::Complete);
    let (nobody, nothing) = (auth.permissions().await?, auth.has_perms([]).await?);
    Ok(format!("{before:?} {after:?} {nobody:?} {nothing}"))
}

async fn login(
    auth: Auth,
    Path((username, password)): Path<(String, String)>,
) -> Result<String, AuthError> {
    match auth.authenticate(&username, &password).await? {
        None => Ok("wrong".to_owned()),
        Some(user) => {
            auth.login(&user).await?;
            Ok(user.username.clone())
        }
    }
}

async fn logout(auth: Auth) -> Result<&'static str, AuthError> {
    if auth.logout().await? == LogOut::Unconfirmed {
        return Ok("unconfirmed");
    }
    let user = auth.user().await?;
    Ok(if user.is_none() { "out" } else { "still in" })
}

async fn who(CurrentUser(user): CurrentUser) -> String {
    user.map_or("nobody".to_owned(), |user| user.username.clone())
}

async fn twice(auth: Auth, user: CurrentUser, _: LoggedIn) -> Result<String, AuthError> {
    auth.user().await?;
    Ok(who(user).await)
}

async fn keep(session: SessionHandle, Path(value): Path<String>) -> Result<(), AuthError> {
    Ok(session.insert("cart", &value).await?)
}

async fn kept(session: SessionHandle) -> Result<String, AuthError> {
    Ok(session.get("cart").await?.unwrap_or_default())
}

async fn log_in(browser: &mut Browser, username: &str) -> String {
    try_password(browser, username, "correct%20horse%20%C3%A9").await
}

async fn try_password(browser: &mut Browser, username: &str, password: &str) -> String {
    browser.get(&format!("/login/{username}/{password}")).await.text
}

async fn name(browser: &mut Browser) -> String {
    browser.get("/who").await.text
}

#[tokio::test]
async fn rule_1_the_user_is_asked_for_once_and_only_if_somebody_wants_to_know() {
    let site = Site::new().await;
    let mut alice = site.logged_in("alice").await;
    let before = (site.accounts.calls(), site.sessions.calls());
    alice.get("/untouched").await;
    assert_eq!((site.accounts.calls(), site.sessions.calls()), before);
    assert_eq!(alice.get("/twice").await.text, "alice");
    assert_eq!((site.accounts.calls(), site.sessions.calls()), (before.0 + 1, before.1 + 1));
}

#[tokio::test]
async fn rule_1_a_user_who_was_read_along_is_not_asked_for_again() {
    let site = Site::new().await;
    let mut browser = site.logged_in("alice").await;
    let [alice, bob] = [1, 2].map(|id| site.accounts.inner.change(id, |_| {}).unwrap());
    let users = UserSource::unique();
    site.accounts.read_along(users, None);
    let mut asks = async |source, user| {
        site.sessions.read_along(source, user);
        let before = site.accounts.calls();
        assert_eq!(browser.get("/twice").await.text, "alice");
        site.accounts.calls() - before
    };
    assert_eq!(asks(users, Some(alice.clone())).await, 0);
    assert_eq!(asks(users, None).await, 1);
    assert_eq!(asks(users, Some(bob)).await, 1, "the session names somebody else");
    assert_eq!(asks(UserSource::unique(), Some(alice)).await, 1, "these are other users");
}

#[tokio::test]
async fn rule_3_who_was_read_along_must_be_active_and_have_the_password_too() {
    let site = Site::new().await;
    let (mut here, mut there) = (site.logged_in("alice").await, site.logged_in("alice").await);
    let users = UserSource::unique();
    site.accounts.read_along(users, None);
    site.sessions.read_along(users, site.accounts.inner.change(1, |user| user.is_active = false));
    assert_eq!(name(&mut here).await, "nobody");
    assert_eq!(site.sessions.inner.len(), 2, "who comes back is still logged in");
    let new = Pbkdf2::with_iterations(site::CHEAP).hash("another");
    let changed = site.accounts.inner.change(1, |user| {
        user.is_active = true;
        user.password = new;
    });
    site.sessions.read_along(users, changed);
    assert_eq!(name(&mut there).await, "nobody");
    assert_eq!(site.sessions.inner.len(), 1);
}

#[tokio::test]
async fn rule_1_a_stranger_costs_no_query() {
    let site = Site::new().await;
    assert_eq!(name(&mut site.browser()).await, "nobody");
    assert_eq!((site.accounts.calls(), site.sessions.calls()), (0, 0));
}

#[tokio::test]
async fn rule_2_a_session_names_its_user_as_djangos_does() {
    let site = Site::new().await;
    let alice = site.logged_in("alice").await;
    let data = site.record(&alice).await;
    assert_eq!(
        data.keys().collect::<Vec<_>>(),
        ["_auth_user_id", "_auth_user_backend", "_auth_user_hash"]
    );
    assert_eq!(data.text("_auth_user_id").as_deref(), Some("1"));
    assert_eq!(data.text("_auth_user_backend").as_deref(), Some(BACKEND));
    assert_eq!(data.text("_auth_user_hash").unwrap().len(), 64);
}

#[tokio::test]
async fn rule_2_a_new_password_ends_all_other_sessions() {
    let site = Site::new().await;
    let (mut here, mut there) = (site.logged_in("alice").await, site.logged_in("alice").await);
    let mut bob = site.logged_in("bob").await;
    let new = Pbkdf2::with_iterations(site::CHEAP).hash("another");
    site.accounts.inner.change(1, |user| user.password = new);
    for browser in [&mut here, &mut there] {
        assert_eq!(name(browser).await, "nobody");
        assert_eq!(browser.cookie("sessionid"), None);
    }
    assert_eq!(name(&mut bob).await, "bob");
    assert_eq!(site.sessions.inner.len(), 1);
}

#[tokio::test]
async fn rule_2_a_hash_under_a_former_key_is_believed_and_replaced() {
    let old = Site::new().await;
    let mut alice = old.logged_in("alice").await;
    let mut thief = alice.clone();
    let hash = old.record(&alice).await.text("_auth_user_hash").unwrap().into_owned();
    let key = alice.cookie("sessionid").unwrap();

    let both = old.with_keys(&Keys::new("another key").fallback(KEY));
    alice = alice.on(&both.router);
    assert_eq!(name(&mut alice).await, "alice");
    assert_ne!(alice.cookie("sessionid").unwrap(), key);
    assert_ne!(both.record(&alice).await.text("_auth_user_hash").unwrap(), hash);
    assert_eq!(name(&mut thief).await, "nobody");

    let new = old.with_keys(&Keys::new("another key"));
    assert_eq!(name(&mut alice.on(&new.router)).await, "alice");
}

#[tokio::test]
async fn rule_2_a_hash_under_a_key_that_is_gone_is_nobodys() {
    let old = Site::new().await;
    let alice = old.logged_in("alice").await;
    let new = old.with_keys(&Keys::new("another key"));
    assert_eq!(name(&mut alice.on(&new.router)).await, "nobody");
}

/// The values of a session of Alice's, with one of them changed.
async fn session_of_alice(site: &Site, id: &str, backend: &str, hash: Option<&str>) -> Browser {
    let user = site.accounts.inner.change(1, |_| {}).unwrap();
    let real = policy(&Keys::new(KEY)).session_hash(&user.password);
    let hash = hash.unwrap_or(&real);
    site.with_session(&format!(
        r#"{{"_auth_user_id": {id}, "_auth_user_backend": "{backend}", "_auth_user_hash": "{hash}"}}"#
    ))
    .await
}

#[tokio::test]
async fn rule_2_an_id_is_text_or_a_number() {
    let site = Site::new().await;
    for id in ["\"1\"", "1", "\" 1 \""] {
        let mut browser = session_of_alice(&site, id, BACKEND, None).await;
        assert_eq!(name(&mut browser).await, "alice", "{id}");
    }
}

#[tokio::test]
async fn rule_2_another_backend_vouches_for_nobody() {
    let site = Site::new().await;
    for backend in ["", "django.contrib.auth.backends.RemoteUserBackend", "ModelBackend"] {
        let mut browser = session_of_alice(&site, "\"1\"", backend, None).await;
        assert_eq!(name(&mut browser).await, "nobody", "{backend}");
    }
    let mut browser = site.with_session(r#"{"_auth_user_id": "1"}"#).await;
    assert_eq!(name(&mut browser).await, "nobody");
    assert_eq!(site.accounts.calls(), 0);
}

#[tokio::test]
async fn rule_2_an_id_that_can_be_none_fails_closed_and_can_be_logged_out() {
    let site = Site::new().await;
    for id in
        ["\"\"", "\"x\"", "\"1; DROP TABLE\"", "null", "[1]", "1.5", "\"99999999999999999999\""]
    {
        let mut browser = session_of_alice(&site, id, BACKEND, None).await;
        for path in ["/who", "/private", "/guarded/page"] {
            assert_eq!(browser.get(path).await.status, StatusCode::SERVICE_UNAVAILABLE, "{id}");
        }
        assert_eq!(browser.get("/logout").await.status, StatusCode::OK, "{id}");
        assert_eq!(name(&mut browser).await, "nobody", "{id}");
    }
}

#[tokio::test]
async fn rule_3_a_wrong_hash_flushes_the_session() {
    let site = Site::new().await;
    for hash in ["", "x", &"0".repeat(64)] {
        let mut browser = session_of_alice(&site, "\"1\"", BACKEND, Some(hash)).await;
        assert_eq!(name(&mut browser).await, "nobody");
        assert_eq!(browser.cookie("sessionid"), None);
    }
    let json = format!(r#"{{"_auth_user_id": "1", "_auth_user_backend": "{BACKEND}"}}"#);
    assert_eq!(name(&mut site.with_session(&json).await).await, "nobody");
    assert!(site.sessions.inner.is_empty());
}

#[tokio::test]
async fn rule_3_who_is_gone_or_not_active_is_nobody() {
    let site = Site::new().await;
    let mut alice = site.logged_in("alice").await;
    site.accounts.inner.change(1, |user| user.is_active = false);
    assert_eq!(name(&mut alice).await, "nobody");
    assert_eq!(alice.get("/private").await.status, StatusCode::FOUND);
    for id in ["\"3\"", "\"0\"", "\"-1\"", "\"9223372036854775807\""] {
        let mut browser = session_of_alice(&site, id, BACKEND, None).await;
        assert_eq!(name(&mut browser).await, "nobody", "{id}");
    }
}

#[tokio::test]
async fn rule_4_a_login_keeps_a_strangers_values_under_a_new_key() {
    let site = Site::new().await;
    let mut browser = site.browser();
    browser.get("/keep/tea").await;
    let mut attacker = browser.clone();
    let planted = browser.cookie("sessionid").unwrap();
    log_in(&mut browser, "alice").await;
    assert_ne!(browser.cookie("sessionid").unwrap(), planted);
    assert_eq!(browser.get("/kept").await.text, "tea");
    assert_eq!(name(&mut attacker).await, "nobody");
    assert_eq!(attacker.get("/kept").await.text, "");
    assert_eq!(site.sessions.inner.len(), 1);
}

#[tokio::test]
async fn rule_4_a_login_as_somebody_else_drops_the_values() {
    let site = Site::new().await;
    let mut browser = site.logged_in("alice").await;
    browser.get("/keep/secret").await;
    let key = browser.cookie("sessionid").unwrap();
    assert_eq!(log_in(&mut browser, "bob").await, "bob");
    assert_ne!(browser.cookie("sessionid").unwrap(), key);
    assert_eq!((browser.get("/kept").await.text.as_str(), &*name(&mut browser).await), ("", "bob"));
    assert_eq!(site.sessions.inner.len(), 1);
}

#[tokio::test]
async fn rule_4_a_second_login_of_the_same_user_keeps_the_session() {
    let site = Site::new().await;
    let mut browser = site.logged_in("alice").await;
    browser.get("/keep/tea").await;
    log_in(&mut browser, "alice").await;
    assert_eq!(browser.get("/kept").await.text, "tea");
}

#[tokio::test]
async fn rule_4_a_logout_deletes_the_session() {
    let site = Site::new().await;
    let mut browser = site.logged_in("alice").await;
    let mut replayed = browser.clone();
    assert_eq!(browser.get("/logout").await.text, "out");
    assert_eq!(browser.cookie("sessionid"), None);
    assert!(site.sessions.inner.is_empty());
    assert_eq!(name(&mut replayed).await, "nobody");
}

#[tokio::test]
async fn rule_4_accounts_that_are_down_hold_nobody_back_who_logs_out() {
    let site = Site::new().await;
    let mut browser = site.logged_in("alice").await;
    site.accounts.go_down();
    browser.get("/logout").await;
    assert!(site.sessions.inner.is_empty());
}

#[tokio::test]
async fn rule_4_who_is_not_written_down_as_logged_in_is_not() {
    async fn carefree(auth: Auth, State(accounts): State<Accounts>) -> &'static str {
        let user = auth.authenticate("alice", PASSWORD).await.unwrap().unwrap();
        accounts.go_down();
        assert!(auth.login(&user).await.is_err());
        accounts.come_up();
        "please try again"
    }
    let site = Site::new().await;
    let router = pages()
        .route("/carefree", get(carefree).with_state(site.accounts.clone()))
        .layer(AuthLayer::new(policy(&Keys::new(KEY)), site.accounts.clone()))
        .layer(session_layer(&site.sessions));
    let mut browser = Browser::new(&router);
    assert_eq!(browser.get("/carefree").await.status, StatusCode::OK);
    assert_eq!(name(&mut browser).await, "nobody");
}

#[tokio::test]
async fn rule_4_a_login_is_written_down() {
    let site = Site::new().await;
    site.logged_in("alice").await;
    let last_login = |id| site.accounts.inner.change(id, |_| {}).unwrap().last_login;
    assert_eq!((last_login(1), last_login(2)), (Some(LATER), None));
}

#[tokio::test]
async fn rule_4_a_login_draws_a_new_csrf_secret() {
    async fn enter(auth: Auth) -> Result<&'static str, AuthError> {
        let user = auth.authenticate("alice", PASSWORD).await?.unwrap();
        auth.login(&user).await?;
        Ok("in")
    }
    let stack = Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap()))
        .sessions(SessionPolicy::default(), Sessions::default())
        .accounts(policy(&Keys::new(KEY)), people().await)
        .build()
        .unwrap();
    let router = Router::new()
        .route("/form", get(async |token: CsrfToken| token.mint()))
        .route("/enter", post(enter))
        .route("/pay", post(async || "paid"))
        .layer(stack.into_layer());
    let mut browser = Browser::new(&router);
    let old = browser.get("/form").await.text;
    let secret = browser.cookie("csrftoken").unwrap();
    assert_eq!(browser.post("/enter", &[("csrfmiddlewaretoken", &old)]).await.text, "in");
    assert_ne!(browser.cookie("csrftoken").unwrap(), secret);
    let refused = browser.post("/pay", &[("csrfmiddlewaretoken", &old)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let new = browser.get("/form").await.text;
    assert_eq!(browser.post("/pay", &[("csrfmiddlewaretoken", &new)]).await.text, "paid");
}

/// Accounts for every way in which a log-in fails, and the rounds that one hash has.
async fn failures(rounds: u32) -> Accounts {
    let accounts = people().await;
    let set = |id, password: EncodedPassword, is_active| {
        accounts.inner.change(id, |user: &mut User| {
            user.password = password;
            user.is_active = is_active;
        })
    };
    set(1, Pbkdf2::with_iterations(rounds).hash(PASSWORD), true);
    set(2, Pbkdf2::with_iterations(rounds).hash(PASSWORD), false);
    for (username, password) in [
        ("unusable", unusable()),
        ("garbage", EncodedPassword::new("md5$é$\0")),
        ("cheaper", Pbkdf2::with_iterations(rounds / 10).hash(PASSWORD)),
    ] {
        let user = donjon_core::account::NewUser {
            username: username.to_owned(),
            password,
            email: String::new(),
            date_joined: NOW,
        };
        donjon_core::account::AccountStore::create(&accounts.inner, user).await.unwrap();
    }
    accounts
}

const FAILURES: [(&str, &str); 7] = [
    ("alice", "wrong"),
    ("alice", "%00"),
    ("nobody", "wrong"),
    ("bob", "correct%20horse%20%C3%A9"),
    ("bob", "wrong"),
    ("unusable", "wrong"),
    ("garbage", "wrong"),
];

#[tokio::test]
async fn rule_5_every_failure_gets_the_same_answer() {
    let site = Site::of(policy(&Keys::new(KEY)), Sessions::default(), failures(site::CHEAP).await);
    for (username, password) in FAILURES {
        let reply = site.browser().get(&format!("/login/{username}/{password}")).await;
        assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, "wrong"), "{username}");
        assert_eq!(
            reply.headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
            ["content-type", "content-length"]
        );
    }
    assert!(site.sessions.inner.is_empty());
}

/// How long each of these log-ins takes at least: what others do on the machine only makes one longer.
struct Shortest<'a> {
    site: &'a Site,
    times: Vec<(&'a str, &'a str, Duration)>,
}

impl<'a> Shortest<'a> {
    fn new(site: &'a Site, logins: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let times = logins.into_iter().map(|(name, password)| (name, password, Duration::MAX));
        Self { site, times: times.collect() }
    }

    /// Each once more, in turn, so that a busy moment falls on all of them.
    async fn once_more(&mut self) {
        for (username, password, shortest) in &mut self.times {
            let begun = Instant::now();
            assert_eq!(try_password(&mut self.site.browser(), username, password).await, "wrong");
            *shortest = begun.elapsed().min(*shortest);
        }
    }

    /// The first that takes another time than one hash, of which the first log-in has one. None would
    /// be about 0, two about 2.
    fn other_than_one(&self) -> Option<(&str, &str, f64)> {
        let one = self.times[0].2.as_secs_f64();
        let ratios = self
            .times
            .iter()
            .map(|(name, password, time)| (*name, *password, time.as_secs_f64() / one));
        ratios.into_iter().find(|(.., ratio)| !(0.6..1.5).contains(ratio))
    }
}

#[tokio::test]
async fn rule_5_every_failure_costs_one_hash() {
    const ROUNDS: u32 = 2_000;
    let slow = policy(&Keys::new(KEY)).passwords(Passwords::new(Pbkdf2::with_iterations(ROUNDS)));
    let site = Site::of(slow, Sessions::default(), failures(ROUNDS).await);
    let mut shortest = Shortest::new(&site, FAILURES.into_iter().chain([("cheaper", "wrong")]));
    let mut tries = 0;
    while tries < 20 || (tries < 400 && shortest.other_than_one().is_some()) {
        shortest.once_more().await;
        tries += 1;
    }
    assert_eq!(shortest.other_than_one(), None);
}

#[tokio::test]
async fn an_outdated_hash_is_renewed_at_the_login_and_other_sessions_end() {
    let site = Site::new().await;
    let mut elsewhere = site.logged_in("alice").await;
    let weak = Pbkdf2::with_iterations(5).hash(PASSWORD);
    site.accounts.inner.change(1, |user| user.password = weak.clone());
    let mut alice = site.logged_in("alice").await;
    let stored = site.accounts.inner.change(1, |_| {}).unwrap().password.clone();
    assert!(stored != weak && !Pbkdf2::with_iterations(site::CHEAP).is_outdated(&stored));
    assert_eq!((&*name(&mut alice).await, &*name(&mut elsewhere).await), ("alice", "nobody"));
}

#[tokio::test]
async fn an_outdated_hash_of_who_may_not_act_stays() {
    let site = Site::new().await;
    let weak = Pbkdf2::with_iterations(5).hash(PASSWORD);
    let change = |user: &mut User| {
        user.password = weak.clone();
        user.is_active = false;
    };
    site.accounts.inner.change(1, change);
    assert_eq!(log_in(&mut site.browser(), "alice").await, "wrong");
    assert_eq!(site.accounts.inner.change(1, |_| {}).unwrap().password, weak);
}

#[tokio::test]
async fn rule_6_a_stranger_is_sent_to_the_login_page_and_knows_the_way_back() {
    let site = Site::new().await;
    for (path, next) in [
        ("/private", "/private"),
        ("/private?a=b&c=%2F#x", "/private%3Fa%3Db%26c%3D%252F"),
        ("/guarded/page?x=1", "/guarded/page%3Fx%3D1"),
        ("/nested/page", "/nested/page"),
    ] {
        let reply = site.browser().get(path).await;
        assert_eq!(reply.status, StatusCode::FOUND);
        assert_eq!(reply.header("location"), format!("/accounts/login/?next={next}"));
        assert!(reply.varies("cookie"));
    }
    let mut alice = site.logged_in("alice").await;
    assert_eq!(alice.get("/private").await.text, "alice");
    assert_eq!(alice.get("/guarded/page").await.text, "guarded");
}

async fn next(browser: Browser, target: &str) -> String {
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("next", target).finish();
    browser.clone().get(&format!("/next?{query}")).await.text
}

#[tokio::test]
async fn rule_6_next_leads_to_this_site_only() {
    let site = Site::new().await;
    for target in [
        "/",
        "/a",
        "a/b",
        "?x=1",
        "#f",
        "/a//evil",
        "path/http://evil.com",
        "https://bank.example/x",
        "/v/?p=http://e.com",
        "view/?p=//e.com",
        "/a%20b/",
        "path/http:222",
    ] {
        assert_eq!(next(site.browser(), target).await, target);
        assert_eq!(next(site.browser().over_https(), target).await, target);
    }
    for target in ["http://bank.example/x", "HTTP://bank.example/", "//bank.example/p"] {
        assert_eq!(next(site.browser(), target).await, target);
        assert_eq!(next(site.browser().over_https(), target).await, "/home/", "{target}");
    }
}

#[tokio::test]
async fn rule_6_next_leads_nowhere_else() {
    let site = Site::new().await;
    let long = format!("/{}", "x".repeat(60_000));
    for target in [
        "",
        "\n",
        "//evil.com",
        "///evil.com",
        "/\\evil.com",
        "/\\/evil.com",
        "\\/evil.com",
        "\\\\evil.com",
        "\\\\\\evil.com",
        "http:///evil.com",
        "http:/\\//evil.com",
        "http:\\/evil.com",
        "http://bank.example:8000/",
        "http://BANK.example/",
        "javascript:alert(1)",
        "\njavascript:x",
        "java\nscript:x",
        "data:text/html,x",
        "vbscript:x",
        "ftp://bank.example/",
        "ftp:9999999999",
        "http:bank.example",
        "https:evil.com",
        "http:999999999",
        "http:\\\\evil.com",
        "\u{8}//evil.com",
        "http://bank.example@evil.com",
        "http://evil.com\\@bank.example",
        "http://bank.example\\@evil.com",
        "http:\\\\bank.example\\@evil.com",
        " //evil.com",
        "/\t/evil.com",
        "/\n/evil.com",
        "/a\r\nSet-Cookie: x=y",
        "http://[::1",
        "http://bad]/",
        "mailto:x@bank.example",
        "http://bank.example.evil.com/",
        &long,
    ] {
        assert_eq!(next(site.browser(), target).await, "/home/", "{target:?}");
        assert_eq!(next(site.browser().over_https(), target).await, "/home/", "{target:?}");
    }
}

#[tokio::test]
async fn rule_7_visitors_are_sent_to_the_log_in_page_and_users_refused() {
    let site = Site::new().await;
    let (mut stranger, mut alice) = (site.browser(), site.logged_in("alice").await);
    for path in ["/desk/view", "/desk/both", "/desk/django", "/desk/staff"] {
        let reply = stranger.get(path).await;
        let address = format!("/accounts/login/?next={path}");
        assert_eq!((reply.status, reply.header("location")), (StatusCode::FOUND, &*address));
        let reply = alice.get(path).await;
        match path {
            "/desk/django" => {
                assert_eq!(
                    (reply.status, reply.header("location")),
                    (StatusCode::FOUND, &*address)
                );
            }
            _ => assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}"),
        }
        assert_ne!(reply.text, "ran");
    }
}

#[tokio::test]
async fn rule_7_all_permissions_are_demanded_to_the_letter() {
    let site = Site::new().await;
    let mut alice = site.logged_in("alice").await;
    let forbidden = StatusCode::FORBIDDEN;
    for wrong in ["bank.view_des", "Bank.view_desk", "bank", "view_desk", "*", "shop.view_desk"] {
        site.accounts.inner.grant(1, wrong).unwrap();
        assert_eq!(alice.get("/desk/view").await.status, forbidden, "{wrong}");
    }
    site.accounts.inner.grant(1, "bank.use_till").unwrap();
    assert_eq!(alice.get("/desk/both").await.status, forbidden);
    site.accounts.inner.grant(1, "bank.view_desk").unwrap();
    for path in ["/desk/view", "/desk/both", "/desk/django"] {
        assert_eq!(alice.get(path).await.text, "ran", "{path}");
    }
    assert_eq!(alice.get("/desk/staff").await.status, forbidden, "that is another question");
    assert_eq!(site.logged_in("bob").await.get("/desk/view").await.status, forbidden);
    site.accounts.inner.revoke(1, "bank.view_desk");
    assert_eq!(alice.get("/desk/view").await.status, forbidden, "from the next request on");
}

#[tokio::test]
async fn rule_7_a_superuser_may_do_anything_and_who_is_not_active_nothing() {
    let site = Site::new().await;
    let mut alice = site.logged_in("alice").await;
    site.accounts.inner.change(1, |user| user.is_superuser = true);
    for path in ["/desk/view", "/desk/both", "/desk/django"] {
        assert_eq!(alice.get(path).await.text, "ran", "{path}");
    }
    assert_eq!(alice.get("/may/no.such_permission").await.text, "true");
    site.accounts.inner.change(1, |user| user.is_active = false);
    assert_eq!(alice.get("/desk/view").await.status, StatusCode::FOUND);
    assert_eq!(alice.get("/may/no.such_permission").await.text, "false");
}

#[tokio::test]
async fn rule_7_a_test_is_asked_about_the_user() {
    let site = Site::new().await;
    site.accounts.inner.change(1, |user| user.is_staff = true);
    assert_eq!(site.logged_in("alice").await.get("/desk/staff").await.text, "ran");
    let reply = site.logged_in("bob").await.get("/desk/staff").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn rule_7_permissions_are_asked_for_once_and_only_if_somebody_wants_to_know() {
    let site = Site::new().await;
    let mut alice = site.logged_in("alice").await;
    let calls = async |browser: &mut Browser, path: &str| {
        let before = site.accounts.calls();
        browser.get(path).await;
        site.accounts.calls() - before
    };
    assert_eq!(calls(&mut alice, "/who").await, 1);
    assert_eq!(calls(&mut alice, "/may/bank.view_desk").await, 2, "the user, and what they may do");
    assert_eq!(calls(&mut site.browser(), "/may/bank.view_desk").await, 0);
    site.accounts.inner.change(1, |user| user.is_superuser = true);
    assert_eq!(calls(&mut alice, "/may/bank.view_desk").await, 1);
}

#[tokio::test]
async fn rule_7_permissions_are_of_who_is_logged_in_now() {
    let site = Site::new().await;
    let mut alice = site.logged_in("alice").await;
    site.accounts.inner.grant(1, "bank.a").unwrap();
    site.accounts.inner.grant(2, "bank.b").unwrap();
    let text = alice.get("/as_bob").await.text;
    let expected = r#"Permissions({"bank.a"}) Permissions({"bank.b"}) Permissions({}) false"#;
    assert_eq!(text, expected);
}

#[tokio::test]
async fn a_store_that_is_down_makes_nobody_a_stranger() {
    for sessions_fail in [true, false] {
        let site = Site::new().await;
        let mut alice = site.logged_in("alice").await;
        let cookie = alice.cookie("sessionid");
        match sessions_fail {
            true => site.sessions.go_down(),
            false => site.accounts.go_down(),
        }
        for path in [
            "/who",
            "/private",
            "/guarded/page",
            "/desk/view",
            "/desk/staff",
            "/may/a.b",
            "/twice",
            "/login/alice/x",
        ] {
            let reply = alice.get(path).await;
            let untouched = sessions_fail && path.starts_with("/login");
            let expected = if untouched { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            assert_eq!(
                (reply.status, alice.cookie("sessionid")),
                (expected, cookie.clone()),
                "{path}"
            );
            assert!(!reply.text.contains(SECRET_OF_THE_STORE));
        }
        site.sessions.come_up();
        site.accounts.come_up();
        assert_eq!(name(&mut alice).await, "alice");
    }
}

#[tokio::test]
async fn without_the_layer_of_sessions_whoever_asks_for_the_user_gets_500() {
    let router = pages().layer(AuthLayer::new(policy(&Keys::new(KEY)), people().await));
    for path in [
        "/who",
        "/private",
        "/guarded/page",
        "/desk/view",
        "/desk/staff",
        "/logout",
        "/next",
        "/login/alice/x",
    ] {
        let reply = Browser::new(&router).get(path).await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        let bare = Browser::new(&pages()).get(path).await;
        assert_eq!(bare.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
    }
    assert_eq!(Browser::new(&router).get("/untouched").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_auth_prints_nothing_of_its_user() {
    let site = Site::new().await;
    let router = Router::new()
        .route("/", get(async |auth: Auth| format!("{auth:?} {:?}", auth.user().await)))
        .layer(AuthLayer::new(policy(&Keys::new(KEY)), site.accounts.clone()))
        .layer(session_layer(&site.sessions));
    let mut alice = site.logged_in("alice").await.on(&router);
    let text = alice.get("/").await.text;
    assert!(text.contains("alice") && !text.contains("pbkdf2"), "{text}");
}

#[tokio::test]
async fn rule_4_a_log_out_that_comes_second_is_no_failure_and_says_what_it_knows() {
    let site = Site::new().await;
    let browser = site.logged_in("alice").await;
    let (mut first, mut second) = (browser.clone(), browser);
    assert_eq!(first.get("/logout").await.text, "out");
    let reply = second.get("/logout").await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, "out"));
}

#[tokio::test]
async fn rule_4_a_log_out_whose_row_went_meanwhile_is_not_confirmed() {
    let site = Site::new().await;
    let mut browser = site.logged_in("alice").await;
    site.sessions.others_delete_first();
    let reply = browser.get("/logout").await;
    assert_eq!((reply.status, reply.text.as_str()), (StatusCode::OK, "unconfirmed"));
    assert_eq!(browser.cookie("sessionid"), None);
}

#[tokio::test]
async fn rule_4_a_log_in_begins_the_sessions_absolute_age_anew() {
    let sessions = Sessions::default();
    let clock = Clock::fixed(NOW);
    let policy_of_sessions = SessionPolicy::default().absolute_age(Duration::from_secs(3_600));
    let layer = SessionLayer::new(policy_of_sessions.clock(clock.clone()), sessions.clone());
    let router =
        pages().layer(AuthLayer::new(policy(&Keys::new(KEY)), people().await)).layer(layer);
    let mut browser = Browser::new(&router);
    browser.get("/keep/tea").await;
    clock.advance(Duration::from_secs(1_800));
    assert_eq!(log_in(&mut browser, "alice").await, "alice");
    clock.advance(Duration::from_secs(3_599));
    assert_eq!(browser.get("/who").await.text, "alice");
    clock.advance(Duration::from_secs(1));
    assert_ne!(browser.get("/who").await.text, "alice");
}
