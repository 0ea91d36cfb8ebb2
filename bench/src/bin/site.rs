//! `site MODE PORT THREADS` serves the peers' site with the whole of Donjon's stack on 127.0.0.1.
//!
//! | MODE | sessions | users |
//! |---|---|---|
//! | mem | in memory | in memory |
//! | cookie | in their cookie | in SQLite |
//! | sqlite | in SQLite | in SQLite |
//! | sqlite-cached | in SQLite, a cache in the process in front | the same |
//! | redis | in Redis | in SQLite |
//!
//! The environment gives `PEERS_DATA`, a folder for the database, `PEERS_SECRET`, the key, and
//! `PEERS_REDIS`, the address of Redis.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use std::{env, process};

use axum::Form;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use donjon::auth::{Auth, AuthError, AuthPolicy, LoggedIn};
use donjon::cors::CorsPolicy;
use donjon::https::{HstsScope, HttpsPolicy};
use donjon::page::{Page, PageError};
use donjon::password::Pbkdf2;
use donjon::routes::Routes;
use donjon::serve::{Server, shutdown_signal};
use donjon::session::{SessionHandle, SessionPolicy};
use donjon::stack::Stack;
use donjon_core::account::{AccountStore, DynAccountStore, MemoryAccounts, NewUser};
use donjon_core::clock::Clock;
use donjon_core::host::AllowedHosts;
use donjon_core::origin::SitePolicy;
use donjon_core::secret::Keys;
use donjon_core::session::cached::CachedSessions;
use donjon_core::session::{DynSessionStore, MemorySessions, SessionCodec, SessionStore};
use donjon_db::{CachedAccounts, Database, DjangoAccounts, DjangoSessions, ProcessCache};
use donjon_html::context;
use donjon_html::template::Templates;
use donjon_redis::{Redis, RedisSessions};
use http::{StatusCode, header};
use serde::Deserialize;

type Failure = Box<dyn Error + Send + Sync>;

const USAGE: &str = "usage: site mem|cookie|sqlite|sqlite-cached|redis PORT THREADS";

fn main() -> Result<(), Failure> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [mode, port, threads] = args.as_slice() else {
        eprintln!("{USAGE}");
        process::exit(2);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.parse()?)
        .enable_all()
        .build()?;
    runtime.block_on(serve(mode, port.parse()?))
}

async fn serve(mode: &str, port: u16) -> Result<(), Failure> {
    let keys = Keys::new(env::var("PEERS_SECRET")?.as_str());
    let (sessions, accounts) = match mode {
        "mem" => memory().await?,
        "cookie" => (Sessions::InCookie, Arc::new(users(&database().await?).await?) as _),
        "sqlite" => sqlite(&keys).await?,
        "sqlite-cached" => cached(&keys).await?,
        "redis" => redis().await?,
        other => {
            eprintln!("there is no mode {other}. {USAGE}");
            process::exit(2);
        }
    };
    let templates = Templates::new([
        ("base.html", include_str!("../../templates/base.html")),
        ("page.html", include_str!("../../templates/page.html")),
    ])?;
    let router = routes().into_router(stack(&keys, sessions, accounts)?, templates)?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    Ok(Server::new(listener, router).run_until(shutdown_signal()).await?)
}

fn stack(
    keys: &Keys,
    sessions: Sessions,
    accounts: Arc<dyn DynAccountStore>,
) -> Result<Stack, Failure> {
    let site =
        SitePolicy::new(AllowedHosts::new(["bench.test"])?).trust_proxy("127.0.0.1/32".parse()?);
    let cors = CorsPolicy::new(["https://app.example"])
        .allow_credentials()
        .methods(["GET", "POST"])
        .headers(["content-type", "x-csrftoken"])
        .build()?;
    let year = Duration::from_secs(31_536_000);
    let stack = Stack::new(site)
        .https(HttpsPolicy::default().redirect().hsts(year, HstsScope::Subdomains))
        .cors(cors);
    let stack = match sessions {
        Sessions::InStore(store) => stack.sessions(SessionPolicy::default(), store),
        Sessions::InCookie => stack.sessions_in_cookie(SessionPolicy::default(), keys),
    };
    Ok(stack.accounts(AuthPolicy::new(keys).login_url("/login"), accounts).build()?)
}

fn routes() -> Routes {
    Routes::new()
        .path("/", get(page))
        .name("home")
        .path("/login", post(login))
        .name("login")
        .path("/transfer", post(transfer))
        .name("transfer")
        .path("/visit", get(visit))
        .path("/healthz", get(async || "ok"))
}

/// Where sessions are.
enum Sessions {
    InStore(Arc<dyn DynSessionStore>),
    InCookie,
}

type Stores = (Sessions, Arc<dyn DynAccountStore>);

fn stores(sessions: impl SessionStore, accounts: impl AccountStore) -> Stores {
    (Sessions::InStore(Arc::new(sessions)), Arc::new(accounts))
}

async fn memory() -> Result<Stores, Failure> {
    let accounts = MemoryAccounts::default();
    AccountStore::create(&accounts, alice()).await?;
    Ok(stores(MemorySessions::default(), accounts))
}

async fn database() -> Result<Database, Failure> {
    let folder = env::var("PEERS_DATA")?;
    let database = Database::sqlite(format!("{folder}/donjon.sqlite3")).await?;
    database.migrate().await?;
    Ok(database)
}

async fn users(database: &Database) -> Result<DjangoAccounts, Failure> {
    let accounts = DjangoAccounts::new(database);
    AccountStore::create(&accounts, alice()).await?;
    Ok(accounts)
}

async fn sqlite(keys: &Keys) -> Result<Stores, Failure> {
    let database = database().await?;
    let sessions = DjangoSessions::new(&database, SessionCodec::new(keys));
    Ok(stores(sessions, users(&database).await?))
}

async fn cached(keys: &Keys) -> Result<Stores, Failure> {
    let database = database().await?;
    let sessions = DjangoSessions::new(&database, SessionCodec::new(keys));
    let sessions = CachedSessions::new(sessions, ProcessCache::default());
    Ok(stores(sessions, CachedAccounts::new(users(&database).await?)))
}

async fn redis() -> Result<Stores, Failure> {
    let redis = Redis::connect(&env::var("PEERS_REDIS")?).await?;
    Ok(stores(RedisSessions::new(&redis), users(&database().await?).await?))
}

fn alice() -> NewUser {
    NewUser {
        username: "alice".to_owned(),
        password: Pbkdf2::default().hash("correct horse battery staple"),
        email: "alice@example.com".to_owned(),
        date_joined: Clock::system().now(),
    }
}

async fn page(page: Page) -> Result<Response, PageError> {
    page.render("page.html", context! {}).await
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

async fn login(auth: Auth, Form(form): Form<Credentials>) -> Result<Response, AuthError> {
    match auth.authenticate(&form.username, &form.password).await? {
        None => Ok(StatusCode::UNAUTHORIZED.into_response()),
        Some(user) => {
            auth.login(&user).await?;
            Ok(found())
        }
    }
}

#[derive(Deserialize)]
struct Transfer {
    to: String,
    amount: u32,
    memo: String,
}

impl Transfer {
    fn is_valid(&self) -> bool {
        let address = self
            .to
            .split_once('@')
            .is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'));
        let lengths = self.to.chars().count() <= 254 && self.memo.chars().count() <= 140;
        address && lengths && (1..=1_000_000).contains(&self.amount)
    }
}

async fn transfer(LoggedIn(user): LoggedIn, Form(form): Form<Transfer>) -> Response {
    if !form.is_valid() {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    std::hint::black_box((user, form.to, form.amount, form.memo));
    found()
}

async fn visit(session: SessionHandle) -> Response {
    let seen = session.get::<u64>("visits").await.ok().flatten().unwrap_or(0) + 1;
    match session.insert("visits", &seen).await {
        Ok(()) => seen.to_string().into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn found() -> Response {
    (StatusCode::FOUND, [(header::LOCATION, "/")]).into_response()
}
