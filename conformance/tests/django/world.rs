//! Two sites on one database: a real Django, and the Donjon site that mirrors it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use donjon::auth::{Auth, AuthPolicy, CurrentUser, LogOut, PermissionPolicy};
use donjon::form::FormData;
use donjon::messages::{Level, Messages, MessagesPolicy, Text};
use donjon::page::Page;
use donjon::password::{Passwords, Pbkdf2};
use donjon::routes::Routes;
use donjon::serve::Server;
use donjon::session::{SessionHandle, SessionPolicy};
use donjon::stack::Stack;
use donjon_core::account::{AccountStore, NewUser};
use donjon_core::clock::{Clock, UnixTime};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::SitePolicy;
use donjon_core::secret;
use donjon_core::session::{Expiry, SessionCodec};
use donjon_db::{Database, DjangoAccounts, DjangoSessions};
use donjon_html::template::Templates;
use donjon_html::{Markup, context};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::sync::oneshot;

use crate::place::{Kind, Place};

/// How long Django may take to begin.
const DEADLINE: Duration = Duration::from_secs(60);

/// The work factor of both sites, which must agree: where it differs, a log-in hashes anew, and that
/// ends the user's other sessions. Small, since no test here is of the hash's strength.
pub(crate) const ITERATIONS: u32 = 1_000;

/// A key and its fallbacks.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    pub(crate) current: &'static str,
    pub(crate) fallbacks: &'static [&'static str],
}

/// The key of most tests.
pub(crate) const KEYS: Keys =
    Keys { current: "the-key-of-both-sites-0123456789abcdefghijklmnop", fallbacks: &[] };

impl Keys {
    pub(crate) fn of_donjon(self) -> secret::Keys {
        let current = secret::Keys::new(self.current);
        self.fallbacks.iter().fold(current, |keys, fallback| keys.fallback(*fallback))
    }
}

/// A database that both sites use, and that goes at the end.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) place: Place,
}

/// A Django site that is running; it ends when this is dropped.
pub(crate) struct Django {
    pub(crate) port: u16,
    _process: Child,
}

/// A Donjon site that is running; it ends when this is dropped.
pub(crate) struct Donjon {
    pub(crate) port: u16,
    _stop: oneshot::Sender<()>,
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("django")
}

/// Python with Django, in the project of the mirror.
pub(crate) fn python(database: impl AsRef<OsStr>, keys: Keys) -> Command {
    let python = std::env::var_os("DONJON_DJANGO_PYTHON")
        .unwrap_or_else(|| panic!("DONJON_DJANGO_PYTHON is not set: run cargo xtask test"));
    let mut command = Command::new(python);
    command
        .arg("-B")
        .current_dir(project())
        .env("DONJON_DB", database.as_ref())
        .env("DONJON_SECRET_KEY", keys.current)
        .env("DONJON_SECRET_KEY_FALLBACKS", keys.fallbacks.join(" "));
    command
}

impl World {
    /// A database that Django has migrated.
    pub(crate) async fn by_django(kind: Kind) -> Self {
        let place = kind.place();
        place.manage(&["migrate", "-v0"]);
        let database = Database::connect(&place.url).await.unwrap();
        assert!(database.migrate().await.unwrap().is_empty(), "Django has migrated everything");
        Self { database, place }
    }

    /// A database that Donjon has migrated.
    pub(crate) async fn by_donjon(kind: Kind) -> Self {
        let place = kind.place();
        let database = Database::connect(&place.url).await.unwrap();
        assert!(!database.migrate().await.unwrap().is_empty(), "there was nothing before");
        Self { database, place }
    }

    /// Runs a script with Django's models at hand.
    pub(crate) fn script(&self, script: &str) -> String {
        self.place.shell(script)
    }

    pub(crate) fn accounts(&self) -> DjangoAccounts {
        DjangoAccounts::new(&self.database)
    }

    /// Adds a user by Donjon.
    pub(crate) async fn add_user(&self, username: &str, password: &str, hasher: Pbkdf2) {
        let user = NewUser {
            username: username.to_owned(),
            password: hasher.hash(password),
            email: format!("{username}@example.com"),
            date_joined: Clock::system().now(),
        };
        AccountStore::create(&self.accounts(), user).await.unwrap();
    }

    pub(crate) async fn django(&self, keys: Keys) -> Django {
        let mut command = python(&self.place.setting, keys);
        command.arg("serve.py").env("DONJON_ITERATIONS", ITERATIONS.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process =
            tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(DEADLINE, lines.next_line()).await;
        let line = line.expect("Django began in time").unwrap();
        let port = line.expect("Django told its port").parse().unwrap();
        Django { port, _process: process }
    }

    pub(crate) async fn donjon(&self, keys: Keys) -> Donjon {
        let router = self.routes(keys);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        tokio::spawn(Server::new(listener, router).run_until(stopped));
        Donjon { port, _stop: stop }
    }

    fn routes(&self, keys: Keys) -> axum::Router {
        let keys = keys.of_donjon();
        let sessions = DjangoSessions::new(&self.database, SessionCodec::new(&keys));
        let passwords = Passwords::new(Pbkdf2::with_iterations(ITERATIONS));
        let auth = AuthPolicy::new(&keys).login_url("/login/").passwords(passwords);
        let stack = Stack::new(SitePolicy::new(AllowedHosts::local()))
            .sessions(SessionPolicy::default(), Arc::new(sessions))
            .accounts(auth, Arc::new(self.accounts()))
            .messages(MessagesPolicy::new(&keys))
            .build()
            .unwrap();
        Routes::new()
            .path("/login/", get(show_login).post(log_in))
            .name("login")
            .path("/logout/", post(log_out))
            .name("logout")
            .path("/who/", get(who))
            .name("who")
            .path("/form/", get(show_form).post(submit))
            .name("form")
            .path("/session/", post(session))
            .name("session")
            .csrf_exempt()
            .path("/say/", post(say))
            .csrf_exempt()
            .path("/messages/", get(show_messages))
            .path("/desk/", get(async || "ran"))
            .permission_required("auth.view_user")
            .path("/till/", get(async || "ran"))
            .permission_required(
                PermissionPolicy::new("auth.view_user").and("auth.add_user").redirect(),
            )
            .into_router(stack, templates())
            .unwrap()
    }
}

/// What it says, which must succeed.
pub(crate) fn finished(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The very files that Django renders.
fn templates() -> Templates {
    let source = |name: &str| {
        let file = project().join("mirror/templates").join(name);
        (name.to_owned(), std::fs::read_to_string(file).unwrap())
    };
    Templates::new(["registration/login.html", "form.html", "messages.html"].map(source)).unwrap()
}

async fn show_login(page: Page) -> Response {
    page.render("registration/login.html", context! {}).await.into_response()
}

async fn log_in(auth: Auth, page: Page, form: FormData) -> Response {
    let field = |name| form.value(name).unwrap_or_default();
    match auth.authenticate(field("username"), field("password")).await.unwrap() {
        Some(user) => {
            auth.login(&user).await.unwrap();
            Redirect::to("/who/").into_response()
        }
        None => show_login(page).await,
    }
}

async fn log_out(auth: Auth) -> Redirect {
    assert_eq!(auth.logout().await.unwrap(), LogOut::Complete);
    Redirect::to("/who/")
}

async fn who(CurrentUser(user): CurrentUser) -> Json<Value> {
    let last_login = user.as_ref().and_then(|user| user.last_login);
    let seconds = last_login.map(|time| time.micros() as f64 / 1e6);
    Json(json!({"user": user.map(|user| user.username.clone()), "last_login": seconds}))
}

async fn show_form(page: Page) -> Response {
    page.render("form.html", context! {}).await.into_response()
}

async fn submit(form: FormData) -> Json<Value> {
    Json(json!({"got": form.value("text")}))
}

async fn session(session: SessionHandle, Json(operation): Json<Value>) -> Json<Value> {
    let name = operation[1].as_str().unwrap_or_default();
    let mut value = Value::Null;
    match operation[0].as_str().unwrap() {
        "get" => value = session.get(name).await.unwrap().unwrap_or_default(),
        "set" => session.insert(name, &operation[2]).await.unwrap(),
        "pop" => value = session.pop(name).await.unwrap().unwrap_or_default(),
        "set_expiry" => session.set_expiry(expiry(&operation[1])).await.unwrap(),
        "flush" => drop(session.flush().await.unwrap()),
        "cycle_key" => session.cycle_key().await.unwrap(),
        "data" => {}
        other => panic!("no such operation: {other}"),
    }
    let data = session.data().await.unwrap().to_json().unwrap();
    let data: Value = serde_json::from_slice(&data).unwrap();
    let ends = session.expires().await.unwrap();
    Json(json!({"value": value, "data": data, "age": ends.age, "at_close": ends.at_browser_close}))
}

/// Level, text, extra tags, and whether the text is markup.
type Said = (i64, String, String, bool);

async fn say(messages: Messages, Json(said): Json<Vec<Said>>) -> &'static str {
    for (level, text, tags, markup) in said {
        let text = if markup { Markup::danger_trusted(text).into() } else { Text::Plain(text) };
        messages.add_tagged(Level(level), text, tags);
    }
    "said"
}

async fn show_messages(page: Page) -> Response {
    page.render("messages.html", context! {}).await.into_response()
}

fn expiry(value: &Value) -> Option<Expiry> {
    match value {
        Value::String(date) => Some(Expiry::At(UnixTime::parse_iso(date).unwrap())),
        value => match value.as_u64()? {
            0 => Some(Expiry::AtBrowserClose),
            seconds => Some(Expiry::After(Duration::from_secs(seconds))),
        },
    }
}
