//! The list of a user's own sessions, from outside.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod site;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use donjon::auth::{
    Auth, AuthError, AuthLayer, AuthPolicy, CurrentUser, SEEN_EVERY, SessionsError,
};
use donjon::host::HostLayer;
use donjon::session::{SessionFailure, SessionHandle, SessionLayer, SessionPolicy};
use donjon_core::clock::Clock;
use donjon_core::host::AllowedHosts;
use donjon_core::origin::SitePolicy;
use donjon_core::secret::Keys;
use donjon_core::session::{
    DynUserSessions, HashedKeys, MemorySessions, MemoryUserSessions, SessionId, UserSession,
    clear_unlisted,
};
use http::{Request, StatusCode, header};
use site::{Accounts, Browser, NOW, Reply, cheap, people};

struct Site {
    router: Router,
    accounts: Accounts,
    list: Arc<MemoryUserSessions>,
    clock: Clock,
}

impl Site {
    async fn new() -> Self {
        let (accounts, clock) = (people().await, Clock::fixed(NOW));
        let list = Arc::new(MemoryUserSessions::default());
        let policy = AuthPolicy::new(&Keys::new("key")).passwords(cheap()).clock(clock.clone());
        let store = Arc::new(HashedKeys::new(MemorySessions::default()));
        let hosts = AllowedHosts::new(["bank.example"]).unwrap();
        let router = pages()
            .layer(AuthLayer::new(policy, accounts.clone()).user_sessions(list.clone()))
            .layer(SessionLayer::new(SessionPolicy::default().clock(clock.clone()), store))
            .layer(HostLayer::new(SitePolicy::new(hosts)));
        Self { router, accounts, list, clock }
    }

    async fn logged_in(&self, username: &str, agent: &str) -> Browser {
        let mut browser = Browser::new(&self.router);
        assert_eq!(visit(&mut browser, agent, &format!("/login/{username}")).await.text, username);
        browser
    }

    async fn listed(&self, user: i64) -> Vec<UserSession> {
        let list: &dyn DynUserSessions = &*self.list;
        list.list(user, self.clock.now()).await.unwrap()
    }
}

async fn visit(browser: &mut Browser, agent: &str, path: &str) -> Reply {
    browser.send(Request::get(path).header(header::USER_AGENT, agent), "").await
}

fn pages() -> Router {
    Router::new()
        .route("/login/{username}", get(login))
        .route("/logout", get(async |auth: Auth| auth.logout().await.map(drop)))
        .route("/who", get(who))
        .route("/sessions", get(sessions))
        .route("/end/{id}", get(end))
        .route("/end_others", get(end_others))
        .route("/cycle", get(cycle))
}

async fn login(auth: Auth, Path(username): Path<String>) -> Result<String, AuthError> {
    let user = auth.authenticate(&username, site::PASSWORD).await?.unwrap();
    auth.login(&user).await?;
    Ok(username)
}

async fn who(CurrentUser(user): CurrentUser) -> String {
    user.map_or_else(|| "nobody".to_owned(), |user| user.username.clone())
}

async fn sessions(auth: Auth) -> Result<String, SessionsError> {
    let lines = auth.sessions().await?.into_iter().map(|own| {
        let mark = if own.is_current { "*" } else { "" };
        format!("{}{mark}", own.session.device)
    });
    Ok(lines.collect::<Vec<_>>().join(" "))
}

async fn end(auth: Auth, Path(id): Path<String>) -> Result<&'static str, SessionsError> {
    auth.end_session(&SessionId::parse(&id).ok_or(SessionsError::Unknown)?).await?;
    Ok("ended")
}

async fn end_others(auth: Auth) -> Result<String, SessionsError> {
    Ok(auth.end_other_sessions().await?.to_string())
}

async fn cycle(SessionHandle(session): SessionHandle) -> Result<&'static str, SessionFailure> {
    session.cycle_key().await?;
    Ok("cycled")
}

#[tokio::test]
async fn rule_8_a_user_sees_their_sessions_and_ends_one() {
    let site = Site::new().await;
    let mut phone = site.logged_in("alice", "Phone").await;
    site.clock.set(NOW.plus_seconds(1));
    let mut laptop = site.logged_in("alice", "Laptop").await;
    site.logged_in("bob", "Tablet").await;
    assert_eq!(laptop.get("/sessions").await.text, "Laptop* Phone");
    let listed = site.listed(1).await;
    assert_eq!(listed[1].address, Some([203, 0, 113, 9].into()));
    assert_eq!((listed[1].began, listed[1].seen), (NOW, NOW));
    assert!(!listed.iter().any(|one| phone.cookie("sessionid").unwrap() == one.kept.expose()));
    assert_eq!(laptop.get(&format!("/end/{}", listed[1].id)).await.text, "ended");
    assert_eq!(phone.get("/who").await.text, "nobody");
    assert_eq!(laptop.get("/who").await.text, "alice");
    assert_eq!(laptop.get("/sessions").await.text, "Laptop*");
}

#[tokio::test]
async fn rule_8_another_users_session_is_nobodys_to_end() {
    let site = Site::new().await;
    let mut alice = site.logged_in("alice", "Phone").await;
    let mut bob = site.logged_in("bob", "Tablet").await;
    let id = site.listed(1).await[0].id.clone();
    assert_eq!(bob.get(&format!("/end/{id}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(bob.get("/end/nonsense").await.status, StatusCode::NOT_FOUND);
    assert_eq!(bob.get("/end_others").await.text, "0");
    assert_eq!(alice.get("/who").await.text, "alice");
    let mut stranger = Browser::new(&site.router);
    assert_eq!(stranger.get(&format!("/end/{id}")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(stranger.get("/sessions").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn rule_8_all_others_are_ended_however_many() {
    let site = Site::new().await;
    let mut first = site.logged_in("alice", "First").await;
    let mut others = Vec::new();
    for _ in 0..donjon_core::session::MAX_LISTED + 20 {
        others.push(site.logged_in("alice", "Other").await);
    }
    let mut bob = site.logged_in("bob", "Tablet").await;
    assert_eq!(first.get("/end_others").await.text, others.len().to_string());
    for other in &mut others {
        assert_eq!(other.get("/who").await.text, "nobody");
    }
    assert_eq!(first.get("/sessions").await.text, "First*");
    assert_eq!(bob.get("/who").await.text, "bob");
}

#[tokio::test]
async fn rule_8_a_log_out_takes_the_session_out() {
    let site = Site::new().await;
    let mut phone = site.logged_in("alice", "Phone").await;
    let mut laptop = site.logged_in("alice", "Laptop").await;
    phone.get("/logout").await;
    assert_eq!(laptop.get("/sessions").await.text, "Laptop*");
    let own = site.listed(1).await[0].id.clone();
    assert_eq!(laptop.get(&format!("/end/{own}")).await.text, "ended");
    assert_eq!(laptop.get("/who").await.text, "nobody");
    assert!(site.listed(1).await.is_empty());
}

#[tokio::test]
async fn rule_8_a_log_in_over_another_moves_the_session_to_its_user() {
    let site = Site::new().await;
    let mut browser = site.logged_in("alice", "Phone").await;
    browser.get("/login/bob").await;
    assert!(site.listed(1).await.is_empty());
    assert_eq!(site.listed(2).await.len(), 1);
    browser.get("/login/bob").await;
    assert_eq!(site.listed(2).await.len(), 1);
}

#[tokio::test]
async fn rule_8_it_is_written_once_a_minute_who_was_seen() {
    let site = Site::new().await;
    let mut phone = site.logged_in("alice", "Phone").await;
    let seen = async || site.listed(1).await[0].seen;
    for (after, expected) in [(SEEN_EVERY - 1, 0), (SEEN_EVERY, SEEN_EVERY), (90, SEEN_EVERY)] {
        site.clock.set(NOW.plus_seconds(after));
        phone.get("/who").await;
        assert_eq!(seen().await, NOW.plus_seconds(expected), "after {after} seconds");
    }
}

#[tokio::test]
async fn rule_8_a_key_that_changes_stays_in_the_list() {
    let site = Site::new().await;
    let mut phone = site.logged_in("alice", "Phone").await;
    let mut laptop = site.logged_in("alice", "Laptop").await;
    phone.get("/cycle").await;
    phone.get("/who").await;
    assert_eq!(laptop.get("/end_others").await.text, "1");
    assert_eq!(phone.get("/who").await.text, "nobody");
}

#[tokio::test]
async fn rule_8_a_session_that_was_ended_while_its_key_changed_ends() {
    let site = Site::new().await;
    let mut phone = site.logged_in("alice", "Phone").await;
    let mut laptop = site.logged_in("alice", "Laptop").await;
    // The list has the old key still when the session is ended.
    phone.get("/cycle").await;
    assert_eq!(laptop.get("/end_others").await.text, "1");
    assert_eq!(phone.get("/who").await.text, "nobody");
}

#[tokio::test]
async fn rule_8_accounts_that_are_down_list_nothing_and_log_nobody_out() {
    let site = Site::new().await;
    let mut phone = site.logged_in("alice", "Phone").await;
    site.accounts.go_down();
    assert_eq!(phone.get("/sessions").await.status, StatusCode::SERVICE_UNAVAILABLE);
    site.accounts.come_up();
    assert_eq!(phone.get("/sessions").await.text, "Phone*");
}

#[tokio::test]
async fn what_is_over_is_cleared() {
    let site = Site::new().await;
    site.logged_in("alice", "Phone").await;
    site.clock.set(NOW.plus_seconds(60 * 60 * 24 * 14 + SEEN_EVERY + 1));
    assert!(site.listed(1).await.is_empty());
    let mut told = Vec::new();
    let cleared = clear_unlisted(&*site.list, site.clock.now(), |so_far| told.push(so_far)).await;
    assert_eq!((cleared.unwrap(), told), (1, vec![1]));
}
