//! The bank's routes, inside the stack.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, post_service};
use donjon::auth::AuthPolicy;
use donjon::cors::CorsPolicy;
use donjon::csp::report::CspReports;
use donjon::csp::{CspErrors, CspPolicy};
use donjon::csrf::CsrfPolicy;
use donjon::messages::MessagesPolicy;
use donjon::routes::{RouteTable, Routes, RoutesErrors};
use donjon::stack::{Stack, StackErrors};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{SitePolicy, TrustedOrigins};
use donjon_core::secret::Keys;
use donjon_core::violation::{DynViolationStore, MemoryViolations};
use donjon_html::template::{TemplateErrors, Templates};

use crate::Bank;
use crate::pages::{
    account, ajax, api, contact, home, log_in, reports, sessions, transfer, upload,
};
use crate::storage::Storage;
use crate::{assets, problem, witness};

/// A site that does not fit together: a mistake in the source, found at start-up.
#[derive(Debug)]
pub enum SiteError {
    /// A template is wrong.
    Templates(TemplateErrors),
    /// The Content Security Policy is none.
    Csp(CspErrors),
    /// The rooms don't fit together.
    Stack(StackErrors),
    /// The routes don't.
    Routes(RoutesErrors),
    /// The front end can't be allowed or served.
    App(Box<dyn std::error::Error + Send + Sync>),
}

impl SiteError {
    /// What is wrong about the front end.
    pub(crate) fn app(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::App(error.into())
    }
}

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Templates(errors) => errors.fmt(f),
            Self::Csp(errors) => errors.fmt(f),
            Self::Stack(errors) => errors.fmt(f),
            Self::Routes(errors) => errors.fmt(f),
            Self::App(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SiteError {}

impl From<TemplateErrors> for SiteError {
    fn from(errors: TemplateErrors) -> Self {
        Self::Templates(errors)
    }
}

impl From<CspErrors> for SiteError {
    fn from(errors: CspErrors) -> Self {
        Self::Csp(errors)
    }
}

impl From<StackErrors> for SiteError {
    fn from(errors: StackErrors) -> Self {
        Self::Stack(errors)
    }
}

impl From<RoutesErrors> for SiteError {
    fn from(errors: RoutesErrors) -> Self {
        Self::Routes(errors)
    }
}

/// The whole site.
///
/// # Errors
/// [`SiteError`].
pub fn router(bank: Bank, storage: &Storage, keys: &Keys) -> Result<Router, SiteError> {
    let bare = Arc::new(assets::bare_pages()?);
    let stack = stack(&bank, storage, keys, Arc::clone(&bare))?;
    let watch = from_fn_with_state(bank.witness.clone(), witness::watch);
    Ok(routes(bank.violations.clone())
        .into_router(stack, assets::pages()?)?
        .with_state(bank)
        .layer(from_fn_with_state(bare, problem::dress))
        .layer(watch))
}

/// All rooms, as the bank wants them. `bare` has the pages of refusals.
///
/// # Errors
/// [`StackErrors`] if they don't fit together.
pub fn stack(
    bank: &Bank,
    storage: &Storage,
    keys: &Keys,
    bare: Arc<Templates>,
) -> Result<Stack, SiteError> {
    let auth = AuthPolicy::new(keys).passwords(bank.passwords.clone());
    let csp = CspPolicy::strict().update().report_uri(REPORTS).build()?;
    let app = TrustedOrigins::new([&*bank.app_url]).map_err(SiteError::app)?;
    let csrf = CsrfPolicy::default().trust(app).failure_view(problem::refusals(bare));
    let mut site = SitePolicy::new(AllowedHosts::local());
    if let Some(proxy) = bank.proxy {
        site = site.trust_proxy(proxy);
    }
    let stack = storage
        .furnish(Stack::new(site), keys)
        .csp(csp)
        .cors(readers(&bank.app_url)?)
        .csrf(csrf)
        .messages(MessagesPolicy::new(keys))
        .accounts(auth, bank.accounts.clone());
    Ok(stack.build()?)
}

/// The front end may read the API with its visitor's cookies, and no page.
fn readers(app: &str) -> Result<CorsPolicy, SiteError> {
    let policy = CorsPolicy::new([app])
        .allow_credentials()
        .allow_path("/api/")
        .methods(["GET", "POST"])
        .headers(["content-type", "x-csrftoken"])
        .expose([ajax::ITEMS_LEFT.as_str()]);
    policy.build().map_err(SiteError::app)
}

/// What the bank answers, and what protects it.
///
/// # Errors
/// [`RoutesErrors`].
pub fn table() -> Result<RouteTable, RoutesErrors> {
    routes(Arc::new(MemoryViolations::default())).table()
}

fn routes(violations: Arc<dyn DynViolationStore>) -> Routes<Bank> {
    Routes::new()
        .path("/", get(home::show))
        .name("home")
        .path("/accounts/login/", get(log_in::show).post(log_in::submit))
        .name("login")
        .path("/accounts/logout/", post(log_in::log_out))
        .name("logout")
        .path("/account/", get(account::show))
        .name("account")
        .login_required()
        .path("/account/sessions/", get(sessions::show).post(sessions::submit))
        .name("sessions")
        .login_required()
        .path("/transfer/", get(transfer::show).post(transfer::submit))
        .name("transfer")
        .login_required()
        .path("/form/", get(contact::show).post(contact::submit))
        .name("my_view")
        .path("/ajax/", get(ajax::show))
        .name("ajax")
        .ensure_csrf_cookie()
        .path("/api/add-item/", limited(post(ajax::add_item), ajax::JSON_LIMIT))
        .name("add_item")
        .path("/api/csrf/", get(api::csrf))
        .name("api_csrf")
        .path("/api/me/", get(api::me))
        .name("api_me")
        .path("/api/items/", get(ajax::items))
        .name("api_items")
        .path("/upload/", limited(get(upload::show).post(upload::submit), upload::MAX_BODY))
        .name("upload")
        .path("/attacks/", get(home::attacks))
        .name("attacks")
        .path("/security/reports/", get(reports::show))
        .name("reports")
        .login_required()
        .path(REPORTS, post_service(CspReports::new(violations)))
        .name("csp_report")
        .csrf_exempt()
        .path("/static/<name>", get(assets::file))
        .not_found(problem::not_found)
}

/// Where browsers report what the Content Security Policy forbade.
const REPORTS: &str = "/csp-report/";

type Handlers = axum::routing::MethodRouter<Bank>;

/// Handlers whose bodies have at most so many bytes.
fn limited(handlers: Handlers, bytes: usize) -> Handlers {
    handlers.layer(DefaultBodyLimit::max(bytes))
}

#[cfg(test)]
mod tests {
    use donjon::stack::{Access, CsrfRule, RoutePolicy};

    use super::*;

    #[test]
    fn only_what_browsers_post_themselves_is_exempt() {
        let table = table().unwrap();
        let paths = |wanted: fn(&RoutePolicy) -> bool| {
            let routes = table.iter().filter(|route| wanted(&route.policy));
            routes.map(|route| route.path.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(paths(|policy| policy.csrf_rule() == CsrfRule::Exempt), [REPORTS]);
        let users = paths(|policy| policy.access() == Access::Users);
        assert_eq!(users, ["/account/", "/account/sessions/", "/transfer/", "/security/reports/"]);
        assert_eq!(paths(|policy| policy.isolation_words() != "site"), [""; 0]);
    }
}
