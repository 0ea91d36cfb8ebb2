//! The attacker's site: another origin, with a button for each attack.
//!
//! It is a plain axum application, and none of Donjon's rooms guards it. What it does is what any
//! site can do to a visitor who is logged in at the bank in another tab. Three of its addresses matter:
//!
//! | the attacker at | the bank at | to the browser | cookies |
//! |---|---|---|---|
//! | `evil.localhost` | `localhost` | cross-site | stay at home (`SameSite=Lax`) |
//! | `evil.bank.localhost` | `bank.localhost` | same-site | travel, and can be planted |
//! | `localhost`, another port | `localhost` | same-site | travel, can be planted, and read |
//!
//! A browser takes `localhost` for a top-level domain like `com`, so `evil.localhost` is to it no
//! neighbour of the bank, and can't set a cookie for it; below `bank.localhost` it can.

mod thief;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use donjon_core::account::AccountStore;
use donjon_html::context;
use donjon_html::template::{TemplateErrors, Templates, Value, Variables};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use crate::attack::{ATTACKS, Attack};
use crate::people::{ALICE, BOB};
use crate::problem::Problem;
use crate::{Bank, assets};

/// The host that the attacker is known by.
pub const HOST: &str = "evil.localhost";

/// The host below the bank's.
const SIBLING_HOST: &str = "evil.bank.localhost";

/// What the attacker's handlers may use; clones share it.
#[derive(Clone)]
pub struct Attacker {
    /// The attacker looks into the bank's memory, for the sake of the demonstration only.
    bank: Bank,
    bank_at: SocketAddr,
    port: u16,
    pages: Arc<Templates>,
}

/// From where the attack comes, as the browser sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    AnotherSite,
    Sibling,
    SameHost,
}

impl Stage {
    const ALL: [Self; 3] = [Self::AnotherSite, Self::Sibling, Self::SameHost];

    fn of(headers: &HeaderMap) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.unwrap_or_default();
        match host.split(':').next().unwrap_or_default() {
            SIBLING_HOST => Self::Sibling,
            "localhost" => Self::SameHost,
            _ => Self::AnotherSite,
        }
    }

    fn host(self) -> &'static str {
        match self {
            Self::AnotherSite => HOST,
            Self::Sibling => SIBLING_HOST,
            Self::SameHost => "localhost",
        }
    }

    /// The bank's host, as the victim is to visit it.
    fn target(self) -> &'static str {
        match self {
            Self::AnotherSite | Self::SameHost => "localhost",
            Self::Sibling => "bank.localhost",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::AnotherSite => "Another site",
            Self::Sibling => "A host below the bank’s",
            Self::SameHost => "The same host, another port",
        }
    }

    fn note(self) -> &'static str {
        match self {
            Self::AnotherSite => {
                "The everyday case. The bank’s cookies are SameSite=Lax, so the browser leaves them at home: the bank sees a stranger, and even so asks where the request comes from."
            }
            Self::Sibling => {
                "A forgotten test server, a customer’s blog, a hole in either. To the browser it is the same site: Alice’s cookies travel with every request, and this host can plant cookies for the bank’s. SameSite protects nobody here."
            }
            Self::SameHost => {
                "Cookies don’t know ports. From here Alice’s cookies travel, can be replaced, and the token’s cookie can even be read. Only the origin tells the two apart."
            }
        }
    }
}

impl Attacker {
    /// The attacker of this bank, which listens here, on a port of his own.
    ///
    /// # Errors
    /// [`TemplateErrors`].
    pub fn new(bank: Bank, bank_at: SocketAddr, port: u16) -> Result<Self, TemplateErrors> {
        Ok(Self { bank, bank_at, port, pages: Arc::new(assets::attacker_pages()?) })
    }

    fn target(&self, stage: Stage) -> String {
        format!("http://{}:{}", stage.target(), self.bank_at.port())
    }

    async fn balance(&self, username: &str) -> Result<String, Problem> {
        let user = AccountStore::by_username(&*self.bank.accounts, username).await?;
        let id = user.map_or(0, |user| user.id);
        Ok(self.bank.ledger.balance(id).await?.to_string())
    }

    fn stage(&self, stage: Stage, current: Stage) -> Value {
        context! {
            url: format!("http://{}:{}/", stage.host(), self.port),
            title: stage.title(),
            host: stage.host(),
            current: stage == current,
        }
        .into()
    }

    fn attack(&self, attack: &Attack, stage: Stage) -> Value {
        let code = attack.code.replace("{bank}", &self.target(stage));
        context! {
            id: attack.id,
            title: attack.title,
            how: attack.how,
            code: code.replace("{domain}", stage.target()),
            lesson: attack.lesson,
            requests: attack.requests,
        }
        .into()
    }
}

/// The attacker's site, with a copy of the front end.
pub fn router(attacker: Attacker, copy: Router) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/verdict", get(verdict))
        .route("/token", get(token))
        .route("/static/{name}", get(assets::file))
        .with_state(attacker)
        .merge(copy)
}

async fn page(
    State(attacker): State<Attacker>,
    headers: HeaderMap,
) -> Result<Html<String>, Response> {
    let variables = variables(&attacker, Stage::of(&headers)).await;
    let variables = variables.map_err(IntoResponse::into_response)?;
    let page = attacker.pages.render("attacker/index.html", &variables, &());
    page.map(Html).map_err(|error| {
        tracing::error!(%error, "The attacker's page could not be rendered");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

async fn variables(attacker: &Attacker, stage: Stage) -> Result<Variables, Problem> {
    let stages: Vec<Value> =
        Stage::ALL.into_iter().map(|other| attacker.stage(other, stage)).collect();
    let attacks: Vec<Value> = ATTACKS.iter().map(|attack| attacker.attack(attack, stage)).collect();
    Ok(context! {
        host: format!("{}:{}", stage.host(), attacker.port),
        target: attacker.target(stage),
        domain: stage.target(),
        note: stage.note(),
        stages,
        attacks,
        victim: ALICE.username,
        password: ALICE.password,
        thief: BOB.username,
        victim_balance: attacker.balance(ALICE.username).await?,
        thief_balance: attacker.balance(BOB.username).await?,
    })
}

#[derive(Deserialize)]
struct Run {
    run: String,
}

/// What the bank said of a run, and what everybody has now.
async fn verdict(
    State(attacker): State<Attacker>,
    Query(Run { run }): Query<Run>,
) -> Result<Response, Problem> {
    let balances = json!({
        "victim": attacker.balance(ALICE.username).await?,
        "thief": attacker.balance(BOB.username).await?,
    });
    let answers = attacker.bank.witness.of_run(&run);
    Ok(Json(json!({ "answers": answers, "balances": balances })).into_response())
}

/// A token of the attacker's own account.
async fn token(State(attacker): State<Attacker>) -> Response {
    match thief::token(attacker.bank_at).await {
        Ok(token) => Json(json!({ "token": token })).into_response(),
        Err(error) => {
            tracing::error!(%error, "The attacker could not log in");
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_decides_the_stage() {
        let stage = |host: &'static str| {
            Stage::of(&HeaderMap::from_iter([(header::HOST, http::HeaderValue::from_static(host))]))
        };
        assert_eq!(stage("evil.localhost:8001"), Stage::AnotherSite);
        assert_eq!(stage("evil.bank.localhost:8001"), Stage::Sibling);
        assert_eq!(stage("localhost:8001"), Stage::SameHost);
        assert_eq!(stage("127.0.0.1:8001"), Stage::AnotherSite);
    }
}
