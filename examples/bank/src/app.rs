//! A single-page front end of the bank, on an origin of its own: what somebody has who serves React
//! from one port and asks an API on another.
//!
//! It is a plain axum application with two of Donjon's rooms around it, and it is nothing but files:
//! whatever it shows, its script has asked the bank for. The same page stands at three addresses, and
//! the bank allows one of them:
//!
//! | the page at | to the browser | cookies | may it read? |
//! |---|---|---|---|
//! | `localhost`, the app's port | same-site | travel | yes: the bank's CORS policy names it |
//! | `localhost`, the attacker's port | same-site | travel | no |
//! | `app.localhost` | cross-site | stay at home (`SameSite=Lax`) | no |
//!
//! 1. The page runs the script of its own origin and no other, and talks to the bank only.
//! 2. The bank trusts the first address exactly: to read its API (CORS) and to write to it (CSRF).
//!
//! A browser takes `localhost` for a top-level domain like `com`: `app.localhost` is no neighbour of
//! the bank's `localhost`, as `app.example` is none of `bank.example`, so that cookies which are
//! `SameSite=Lax` do not travel from there. Another port is the same site.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use donjon::csp::{CspLayer, CspPolicy, Directive, Source};
use donjon::headers::{HeadersLayer, HeadersPolicy};
use donjon_html::context;
use donjon_html::template::{Templates, Value};
use http::{HeaderMap, StatusCode, header};

use crate::assets;
use crate::people::ALICE;
use crate::site::SiteError;

/// The host that is another site than the bank's.
const STRANGER_HOST: &str = "app.localhost";

/// Where the attacker's server has the page.
const COPY: &str = "/app/";

/// The origin of the page that the bank allows.
#[must_use]
pub fn origin(port: u16) -> String {
    format!("http://localhost:{port}")
}

/// The page and what it needs to know; clones share it.
#[derive(Clone)]
pub struct App {
    bank_url: Arc<str>,
    port: u16,
    attacker_port: u16,
    pages: Arc<Templates>,
}

/// Where the page stands, as the bank and the browser see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Allowed,
    Neighbour,
    Stranger,
}

impl Place {
    const ALL: [Self; 3] = [Self::Allowed, Self::Neighbour, Self::Stranger];

    /// The place of a page that the app's own server answers with.
    fn of(headers: &HeaderMap) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        match host.and_then(|host| host.split(':').next()) {
            Some("localhost") => Self::Allowed,
            _ => Self::Stranger,
        }
    }

    fn id(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Neighbour => "neighbour",
            Self::Stranger => "stranger",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Allowed => "The app’s own origin",
            Self::Neighbour => "A port that isn’t the app’s",
            Self::Stranger => "Another site",
        }
    }

    fn note(self) -> &'static str {
        match self {
            Self::Allowed => {
                "Another origin than the bank’s, for the port is another, and yet the same site: the bank’s SameSite=Lax cookies travel. The bank’s CORS policy names this origin and allows it cookies, so this page may read; its CSRF policy names it too, so this page may write, with a token."
            }
            Self::Neighbour => {
                "The very same page on the attacker’s server. Cookies don’t know ports, so the browser sends Alice’s along, and says in Sec-Fetch-Site that another origin asks. The bank doesn’t name this origin among its readers, so it refuses what comes with cookies before it looks at them, and the browser keeps even the refusal from the page."
            }
            Self::Stranger => {
                "To a browser localhost is a top-level domain like com: this host is another site than the bank’s, and its SameSite=Lax cookies stay at home. The bank doesn’t name this origin either. If your front end lives on another site, no CORS setting makes Lax cookies travel: give it a host below the API’s domain."
            }
        }
    }
}

impl App {
    /// The app of the bank at this address, on a port of its own, with a copy at the attacker's.
    ///
    /// # Errors
    /// [`SiteError`], if its page is wrong.
    pub fn new(bank_url: &str, port: u16, attacker_port: u16) -> Result<Self, SiteError> {
        let pages = Arc::new(assets::app_pages()?);
        Ok(Self { bank_url: bank_url.into(), port, attacker_port, pages })
    }

    fn url(&self, place: Place) -> String {
        match place {
            Place::Allowed => format!("{}/", origin(self.port)),
            Place::Neighbour => format!("{}{COPY}", origin(self.attacker_port)),
            Place::Stranger => format!("http://{STRANGER_HOST}:{}/", self.port),
        }
    }

    fn place(&self, place: Place, current: Place) -> Value {
        let url = self.url(place);
        let shown = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        context! { url, shown, title: place.title(), current: place == current }.into()
    }

    fn page(&self, current: Place) -> Response {
        let places: Vec<Value> =
            Place::ALL.into_iter().map(|place| self.place(place, current)).collect();
        let variables = context! {
            bank: &*self.bank_url,
            place: current.id(),
            note: current.note(),
            places,
            username: ALICE.username,
            password: ALICE.password,
        };
        self.pages.render("app/index.html", &variables, &()).map_or_else(failed, |page| {
            // The same address is another page on another host.
            ([(header::VARY, "Host")], Html(page)).into_response()
        })
    }

    /// Rule 1.
    fn policy(&self) -> Result<CspPolicy, SiteError> {
        use Directive::{
            BaseUri, Connect, Default, FormAction, FrameAncestors, Img, Script, Style,
        };
        // The demonstration is in clear, on the visitor's own machine.
        let bank = Source::danger_insecure(&*self.bank_url).map_err(SiteError::app)?;
        let policy = CspPolicy::new([
            (Default, vec![Source::NONE]),
            (Script, vec![Source::SELF]),
            (Style, vec![Source::SELF]),
            (Img, vec![Source::SELF]),
            (Connect, vec![bank]),
            (BaseUri, vec![Source::NONE]),
            (FormAction, vec![Source::NONE]),
            (FrameAncestors, vec![Source::NONE]),
        ]);
        policy.map_err(SiteError::app)
    }

    fn guarded(self, routes: Router<Self>) -> Result<Router, SiteError> {
        let policy = self.policy()?;
        let headers = HeadersLayer::new(HeadersPolicy::default());
        Ok(routes.with_state(self).layer(CspLayer::new(policy)).layer(headers))
    }
}

fn failed(error: impl std::fmt::Display) -> Response {
    tracing::error!(%error, "The app's page could not be rendered");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// The app's own server.
///
/// # Errors
/// [`SiteError`], if its policy is wrong.
pub fn router(app: App) -> Result<Router, SiteError> {
    let routes = Router::new().route("/", get(own)).route("/static/{name}", get(assets::file));
    app.guarded(routes)
}

/// The page on the attacker's server, whose `/static/` has its files.
///
/// # Errors
/// [`SiteError`], if its policy is wrong.
pub fn copy(app: App) -> Result<Router, SiteError> {
    app.guarded(Router::new().route(COPY, get(copied)))
}

async fn own(State(app): State<App>, headers: HeaderMap) -> Response {
    app.page(Place::of(&headers))
}

async fn copied(State(app): State<App>) -> Response {
    app.page(Place::Neighbour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_decides_the_place() {
        let place = |host: &'static str| {
            Place::of(&HeaderMap::from_iter([(header::HOST, http::HeaderValue::from_static(host))]))
        };
        assert_eq!(place("localhost:8002"), Place::Allowed);
        assert_eq!(place("app.localhost:8002"), Place::Stranger);
        assert_eq!(place("localhost.evil.example:8002"), Place::Stranger);
        assert_eq!(place("127.0.0.1:8002"), Place::Stranger);
    }

    #[test]
    fn rule_1_the_page_talks_to_the_bank_only() {
        let app = App::new("http://localhost:8000", 8002, 8001).unwrap();
        let policy = app.policy().unwrap().header(None);
        let policy = policy.to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(policy.contains("connect-src http://localhost:8000;"), "{policy}");
    }
}
