//! `sessions.jsonl.gz`: the session's text, its end, the middleware, and the user it names.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use donjon::auth::{Auth, AuthError, AuthLayer, AuthPolicy};
use donjon::session::{SessionLayer, SessionPolicy};
use donjon_core::account::{
    AccountStore, EncodedPassword, NewUser, Permissions, User, UserCreation,
};
use donjon_core::clock::UnixTime;
use donjon_core::secret::Keys;
use donjon_core::session::{
    Expiry, Lifetime, Session, SessionCodec, SessionData, SessionError, SessionKey, SessionStore,
    StoreError,
};
use donjon_core::signing::{Compress, SigningError, TimestampSigner};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::case::{Answer, Case, FAILED, Unanswered, list, text};
use crate::csrf::session_policy;
use crate::signing::{packed, same_json};
use crate::table::Table;
use crate::web::{self, Sent};

/// The key of the session whose user is asked for.
const KEY: &str = "0123456789abcdefghijklmnopqrstuv";

/// Answers a case of any of the kinds of sessions.
///
/// # Errors
/// [`Unanswered`].
pub async fn answer(case: &Case) -> Answer {
    match case.kind() {
        "encode" => encode(case),
        "decode" => decode(case),
        "cookie_session_encode" => cookie_encode(case),
        "cookie_session_decode" => cookie_decode(case),
        "session_key" => Ok(json!({"accepted": SessionKey::parse(case.text("key")?).is_some()})),
        "expiry" => expiry(case),
        "middleware" => middleware(case).await,
        "auth_hash" => auth_hash(case),
        "auth_session" => auth_session(case).await,
        other => Err(Unanswered::NotBuilt(other.to_owned())),
    }
}

fn codec(case: &Case) -> Result<SessionCodec, Unanswered> {
    Ok(SessionCodec::new(&case.keys()?)
        .salt(case.text("salt")?)
        .compress(Compress::WhereShorter)
        .clock(case.clock()))
}

fn failed() -> Value {
    json!({"error": FAILED})
}

/// Session values as they stand in a case's `json`.
fn session_data(case: &Case) -> Result<SessionData, Unanswered> {
    SessionData::from_json(case.text("json")?.as_bytes())
        .map_err(|error| Unanswered::Malformed(error.to_string()))
}

fn encode(case: &Case) -> Answer {
    let (codec, data) = (codec(case)?, session_data(case)?);
    let Ok(text) = codec.encode(&data) else { return Ok(failed()) };
    let unpacked = codec.decode(&text).map_err(|_| SigningError::Malformed);
    let unpacked = unpacked.and_then(|data| data.to_json());
    packed(case, "text", &text, &unpacked, case.text("json")?.as_bytes())
}

/// What does not decode is an empty session.
fn decode(case: &Case) -> Answer {
    decoded(case, codec(case)?.decode(case.text("text")?).ok())
}

fn decoded(case: &Case, data: Option<SessionData>) -> Answer {
    let json = data.unwrap_or_default().to_json().unwrap_or_default();
    let value = serde_json::from_slice(&json).unwrap_or_default();
    Ok(json!({"json": same_json(case, &value)}))
}

fn cookie_signer(case: &Case) -> Result<TimestampSigner, Unanswered> {
    Ok(TimestampSigner::new(&case.keys()?).salt(SessionCodec::COOKIE_SALT).clock(case.clock()))
}

fn cookie_encode(case: &Case) -> Answer {
    let signer = cookie_signer(case)?;
    let Ok(payload) = session_data(case)?.to_json() else { return Ok(failed()) };
    let key = signer.sign_payload(&payload, Compress::WhereShorter);
    packed(case, "key", &key, &signer.unsign_payload(&key, None), case.text("json")?.as_bytes())
}

fn cookie_decode(case: &Case) -> Answer {
    let age = case.setting("SESSION_COOKIE_AGE").as_u64().map(Duration::from_secs);
    let payload = cookie_signer(case)?.unsign_payload(case.text("key")?, age);
    decoded(case, payload.ok().and_then(|json| SessionData::from_payload(&json).ok()))
}

fn expiry(case: &Case) -> Answer {
    let lifetime = Lifetime {
        at_browser_close: case.setting("SESSION_EXPIRE_AT_BROWSER_CLOSE") == true,
        ..Lifetime::idle(case.setting("SESSION_COOKIE_AGE").as_i64().unwrap_or_default())
    };
    let stored = Some(case.field("stored")).filter(|stored| !stored.is_null());
    Ok(match lifetime.expires(stored, case.now()) {
        Ok(expires) => json!({
            "age": expires.age,
            "date": expires.at.to_iso(),
            "at_browser_close": expires.at_browser_close,
        }),
        Err(_) => failed(),
    })
}

/// Asks a site whose sessions are these, and whose only view is that function.
async fn ask<V, F>(
    policy: SessionPolicy,
    table: &Table,
    request: Request<Sent>,
    view: V,
) -> Response<Full<Bytes>>
where
    V: FnMut(Request<Sent>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send,
{
    let Ok(response) = SessionLayer::new(policy, Arc::new(table.clone()))
        .layer(service_fn(view))
        .oneshot(request)
        .await;
    response
}

async fn middleware(case: &Case) -> Answer {
    let table = Table::default();
    table.add_stored(case).await?;
    let ops = Arc::new(list(case.field("ops")).cloned().collect::<Vec<_>>());
    let status = case.field("status").as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or_default();
    let (now, behind) = (case.now(), table.clone());
    let view = move |request: Request<Sent>| {
        let (ops, behind) = (Arc::clone(&ops), behind.clone());
        async move {
            let mut response = Response::new(Full::default());
            *response.status_mut() = match perform(&request, &ops, now, &behind).await {
                Ok(()) => status,
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            Ok(response)
        }
    };
    let response = ask(session_policy(case)?, &table, web::request(case)?, view).await;
    Ok(json!({
        "status": response.status().as_u16(),
        "set_cookie": web::set_cookies(response.headers()),
        "vary": web::vary(response.headers()),
        "stored_after": table.to_json().await,
    }))
}

async fn perform(
    request: &Request<Sent>,
    ops: &[Value],
    now: UnixTime,
    behind: &Table,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let session = request.extensions().get::<Session>().ok_or("no session layer")?;
    for op in ops {
        let name = op[1].as_str().unwrap_or_default();
        match op[0].as_str().unwrap_or_default() {
            "set" => session.insert(name, &op[2]).await?,
            "get" => drop(session.get::<Value>(name).await?),
            "pop" => drop(session.pop::<Value>(name).await?),
            "del" => drop(session.remove(name).await?),
            "clear" => session.clear(),
            "flush" => {
                session.flush().await?;
            }
            "cycle_key" => session.cycle_key().await?,
            "set_expiry" => set_expiry(session, &op[1], now).await?,
            "set_test_cookie" => session.set_test_cookie().await?,
            "mark_modified" => session.mark_modified(),
            "delete_behind" => {
                if let Some(key) = session.key() {
                    SessionStore::delete(behind, &key).await?;
                }
            }
            other => return Err(format!("no such operation: {other}").into()),
        }
    }
    Ok(())
}

/// Django turns a time span into a point in time at once, and keeps a number of seconds as it is.
async fn set_expiry(session: &Session, value: &Value, now: UnixTime) -> Result<(), SessionError> {
    let span = value["$seconds"].as_i64().map(|seconds| now.plus_seconds(seconds));
    let date = value["$datetime"].as_str().and_then(UnixTime::parse_iso);
    if let Some(at) = date.or(span) {
        return session.set_expiry(Some(Expiry::At(at))).await;
    }
    match value.as_i64() {
        None => session.set_expiry(None).await,
        Some(0) => session.set_expiry(Some(Expiry::AtBrowserClose)).await,
        Some(seconds) => match u64::try_from(seconds).map(Duration::from_secs) {
            Ok(age) => session.set_expiry(Some(Expiry::After(age))).await,
            Err(_) => session.insert("_session_expiry", &seconds).await,
        },
    }
}

fn auth_hash(case: &Case) -> Answer {
    let password = EncodedPassword::new(case.text("password_hash")?);
    let keys = case.keys()?;
    let hash = |key| AuthPolicy::new(&Keys::new(key)).session_hash(&password);
    let fallbacks: Vec<_> = keys.fallbacks().iter().cloned().map(hash).collect();
    Ok(
        json!({"hash": AuthPolicy::new(&keys).session_hash(&password), "fallback_hashes": fallbacks}),
    )
}

/// The accounts of a site that has one user, or none.
struct OneUser(Option<Arc<User>>);

impl OneUser {
    fn of(case: &Case) -> Result<Self, Unanswered> {
        let user = case.field("user");
        if user.is_null() {
            return Ok(Self(None));
        }
        let id = user["pk"].as_i64();
        let epoch = UnixTime::from_seconds(0);
        Ok(Self(Some(Arc::new(User {
            id: id.ok_or_else(|| Unanswered::Malformed("a user without pk".to_owned()))?,
            username: "somebody".to_owned(),
            password: EncodedPassword::new(text(&user["password_hash"], "password_hash")?),
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
            is_staff: false,
            is_active: user["is_active"] == true,
            is_superuser: false,
            date_joined: epoch,
            last_login: None,
        }))))
    }
}

impl AccountStore for OneUser {
    async fn by_id(&self, id: i64) -> Result<Option<Arc<User>>, StoreError> {
        Ok(self.0.clone().filter(|user| user.id == id))
    }

    async fn by_username(&self, username: &str) -> Result<Option<Arc<User>>, StoreError> {
        Ok(self.0.clone().filter(|user| user.username == username))
    }

    async fn create(&self, _: NewUser) -> Result<UserCreation, StoreError> {
        Ok(UserCreation::NameTaken)
    }

    async fn set_password(&self, _: i64, _: &EncodedPassword) -> Result<(), StoreError> {
        Err(StoreError::new("nobody changes a password here"))
    }

    async fn set_last_login(&self, _: i64, _: UnixTime) -> Result<(), StoreError> {
        Err(StoreError::new("nobody logs in here"))
    }

    async fn permissions(&self, _: i64) -> Result<Permissions, StoreError> {
        Ok(Permissions::default())
    }
}

/// What [`Auth::user`] said, carried out in the response.
#[derive(Clone)]
struct Recognised(Result<bool, String>);

async fn auth_session(case: &Case) -> Answer {
    let table = Table::default();
    let now = UnixTime::from_seconds(0);
    table.add(KEY, case.field("session"), now.plus_seconds(1_000_000)).await?;
    let layer = AuthLayer::new(AuthPolicy::new(&case.keys()?), Arc::new(OneUser::of(case)?));
    let asked = layer.layer(service_fn(async |request: Request<Sent>| {
        let recognised = match request.extensions().get::<Auth>() {
            Some(auth) => auth.user().await.map(|user| user.is_some()),
            None => Ok(false),
        };
        let mut response = Response::new(Full::default());
        let recognised = recognised.map_err(|error: AuthError| error.to_string());
        response.extensions_mut().insert(Recognised(recognised));
        Ok::<_, Infallible>(response)
    }));
    let mut request = Request::new(Sent::default());
    let cookie = HeaderValue::from_static("sessionid=0123456789abcdefghijklmnopqrstuv");
    request.headers_mut().insert(header::COOKIE, cookie);
    let policy = SessionPolicy::django().clock(donjon_core::clock::Clock::fixed(now));
    let response =
        ask(policy, &table, request, move |request| asked.clone().oneshot(request)).await;
    let Some(Recognised(Ok(authenticated))) = response.extensions().get() else {
        return Ok(failed());
    };
    let row = table.rows().await.into_iter().next();
    let kept = row.as_ref().is_some_and(|(key, _, _)| key == KEY);
    Ok(json!({
        "authenticated": authenticated,
        "session_flushed": row.is_none(),
        "session_key_cycled": row.is_some() && !kept,
        "session_after": row.map_or_else(|| json!({}), |(_, data, _)| data),
    }))
}
