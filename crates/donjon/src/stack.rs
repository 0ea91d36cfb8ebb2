//! All rooms in their one fixed order.
//!
//! Stops: layers put together in an order in which one undoes another. A refusal without headers, a
//! CSRF check that sees no session, CORS headers missing on the answer that a front end needs most.
//!
//! 1. The order is `headers ▶ csp ▶ host ▶ https ▶ cors ▶ canonical ▶ isolation ▶ session ▶ messages
//!    ▶ csrf ▶ auth ▶ handler`, and can't be changed.
//! 2. Headers, the strict CSP, the host check, isolation and CSRF are on unless somebody says
//!    otherwise.
//! 3. What depends on what is checked when the stack is built: all mistakes are reported at once.
//! 4. One route may differ by its [`RoutePolicy`]. It is read when the route is made, and costs no
//!    request anything.
//! 5. What panics fails its own request only: the answer is a 500 with all headers, changes to the
//!    session are not saved, and the log has an event. Not so where a profile says `panic = "abort"`,
//!    and a body that panics while it is sent ends its connection.
//!
//! | step | may answer early | leaves behind |
//! |---|---|---|
//! | headers, csp | never | [`CspNonce`](crate::csp::CspNonce) |
//! | host | 400 | [`Site`](donjon_core::origin::Site) |
//! | https | 301, 308 | |
//! | cors | a preflight | |
//! | canonical | 301, 403 | |
//! | isolation | 403 | |
//! | session | never | [`Session`](donjon_core::session::Session), not loaded until touched |
//! | messages | never | [`Messages`](crate::messages::Messages), not read until touched |
//! | csrf | 403 with a reason | [`CsrfToken`](crate::csrf::CsrfToken) |
//! | auth | never | [`Auth`](crate::auth::Auth), which asks when it is asked |
//!
//! What a room leaves behind is made when somebody takes it: by its extractor, or outside of axum by
//! [`word`](donjon_core::visit::word). A request that touches nothing pays for nothing.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::{Router, routing::post};
//! use donjon::auth::AuthPolicy;
//! use donjon::session::SessionPolicy;
//! use donjon::stack::Stack;
//! use donjon_core::account::MemoryAccounts;
//! use donjon_core::host::AllowedHosts;
//! use donjon_core::origin::SitePolicy;
//! use donjon_core::secret::Keys;
//! use donjon_core::session::MemorySessions;
//! use http::{Request, StatusCode};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = Keys::new("a long random secret");
//! let stack = Stack::new(SitePolicy::new(AllowedHosts::new(["bank.example"])?))
//!     .sessions(SessionPolicy::default(), Arc::new(MemorySessions::default()))
//!     .accounts(AuthPolicy::new(&keys), Arc::new(MemoryAccounts::default()))
//!     .build()?;
//! let router: Router = Router::new().route("/pay", post(async || "paid")).layer(stack.into_layer());
//!
//! let forged = Request::post("/pay").header("host", "bank.example").header("origin", "https://evil.example");
//! assert_eq!(router.oneshot(forged.body(axum::body::Body::empty())?).await?.status(), StatusCode::FORBIDDEN);
//! # Ok(()) }
//! ```

use std::fmt;
use std::sync::Arc;

use donjon_core::account::DynAccountStore;
use donjon_core::origin::SitePolicy;
use donjon_core::secret::Keys;
use donjon_core::session::{DynSessionStore, DynUserSessions};
#[cfg(feature = "axum")]
use donjon_core::visit::Words;

use crate::auth::{AuthLayer, AuthPolicy};
use crate::canonical::CanonicalPolicy;
use crate::cors::CorsPolicy;
use crate::csp::CspPolicies;
use crate::csrf::{CsrfLayer, CsrfPolicy};
use crate::headers::HeadersPolicy;
use crate::https::HttpsPolicy;
use crate::isolation::IsolationPolicy;
use crate::messages::{MessagesLayer, MessagesPolicy};
use crate::rejection::ErrorPages;
use crate::session::{SessionLayer, SessionPolicy};

mod dress;
mod route;
mod service;
mod visit;

pub use route::{Access, CsrfCookie, CsrfRule, Marked, RouteLayer, RoutePolicy};
pub(crate) use service::Policies;
use service::Rooms;
pub use service::{Guarded, GuardedFuture, StackLayer};

/// The policies of a stack that is to be.
#[must_use = "a stack protects nothing until it is built and layered"]
pub struct StackBuilder {
    site: SitePolicy,
    headers: HeadersPolicy,
    csp: CspPolicies,
    https: HttpsPolicy,
    canonical: CanonicalPolicy,
    cors: Option<CorsPolicy>,
    isolation: Option<IsolationPolicy>,
    csrf: CsrfPolicy,
    sessions: Option<SessionLayer>,
    accounts: Option<(AuthPolicy, Arc<dyn DynAccountStore>)>,
    user_sessions: Option<Arc<dyn DynUserSessions>>,
    messages: Option<MessagesPolicy>,
}

impl StackBuilder {
    /// Sends these headers. Without this call: [`HeadersPolicy::default`].
    pub fn headers(mut self, policy: HeadersPolicy) -> Self {
        self.headers = policy;
        self
    }

    /// Sends this Content Security Policy, or these. Without this call:
    /// [`CspPolicy::strict`](crate::csp::CspPolicy::strict).
    pub fn csp(mut self, policies: impl Into<CspPolicies>) -> Self {
        self.csp = policies.into();
        self
    }

    /// Gets visitors to HTTPS like this. Without this call: not at all.
    pub fn https(mut self, policy: HttpsPolicy) -> Self {
        self.https = policy;
        self
    }

    /// Sends visitors to a page's one address, and refuses user agents. Without this call: neither.
    pub fn canonical(mut self, policy: CanonicalPolicy) -> Self {
        self.canonical = policy;
        self
    }

    /// Decides what other sites may load with a visitor's cookies. Without this call:
    /// [`IsolationPolicy::default`].
    pub fn isolation(mut self, policy: IsolationPolicy) -> Self {
        self.isolation = Some(policy);
        self
    }

    /// Lets other sites load whatever they like with a visitor's cookies, as Django does.
    pub fn danger_without_isolation(mut self) -> Self {
        self.isolation = None;
        self
    }

    /// Lets other origins read. Without this call none may.
    pub fn cors(mut self, policy: CorsPolicy) -> Self {
        self.cors = Some(policy);
        self
    }

    /// Refuses forgeries like this. Without this call: [`CsrfPolicy::default`].
    pub fn csrf(mut self, policy: CsrfPolicy) -> Self {
        self.csrf = policy;
        self
    }

    /// Gives every visitor a session, kept in this store.
    pub fn sessions(mut self, policy: SessionPolicy, store: Arc<dyn DynSessionStore>) -> Self {
        self.sessions = Some(SessionLayer::new(policy, store));
        self
    }

    /// Gives every visitor a session, kept in its cookie and signed with these keys. Django: the engine
    /// `signed_cookies`. See [`CookieSessions`](donjon_core::session::CookieSessions) for what that
    /// gives up.
    pub fn sessions_in_cookie(mut self, policy: SessionPolicy, keys: &Keys) -> Self {
        self.sessions = Some(SessionLayer::in_cookie(policy, keys));
        self
    }

    /// Recognises the users of this store. Needs [`StackBuilder::sessions`].
    pub fn accounts(mut self, policy: AuthPolicy, accounts: Arc<dyn DynAccountStore>) -> Self {
        self.accounts = Some((policy, accounts));
        self
    }

    /// Lists the sessions of each user here, for them to see and to end:
    /// [`Auth::sessions`](crate::auth::Auth::sessions). Needs [`StackBuilder::accounts`].
    pub fn user_sessions(mut self, list: Arc<dyn DynUserSessions>) -> Self {
        self.user_sessions = Some(list);
        self
    }

    /// Shows visitors one-time notices. Needs [`StackBuilder::sessions`], unless the policy keeps
    /// messages in the cookie alone.
    pub fn messages(mut self, policy: MessagesPolicy) -> Self {
        self.messages = Some(policy);
        self
    }

    /// The stack.
    ///
    /// # Errors
    /// [`StackErrors`]: everything that doesn't fit together.
    pub fn build(self) -> Result<Stack, StackErrors> {
        let mistakes = self.mistakes();
        if !mistakes.is_empty() {
            return Err(StackErrors(mistakes));
        }
        let session_cookie = self.sessions.as_ref().map(|layer| layer.policy().cookie_settings());
        let messages = self.messages.map(|policy| match session_cookie {
            Some(cookie) => policy.beside(cookie),
            None => policy,
        });
        let rooms = Rooms {
            messages: messages.map(MessagesLayer::new),
            headers: self.headers,
            csp: self.csp,
            dress: None,
            site: self.site,
            https: self.https,
            canonical: self.canonical,
            cors: self.cors,
            isolation: self.isolation,
            sessions: self.sessions,
            csrf: None,
            auth: None,
            words: None,
            pages: ErrorPages::default(),
        };
        let auth = self.accounts.map(|(policy, store)| AuthLayer::new(policy, store));
        let auth = match self.user_sessions {
            Some(list) => auth.map(|auth| auth.user_sessions(list)),
            None => auth,
        };
        Ok(Stack(StackLayer::new(rooms, CsrfLayer::new(self.csrf), auth)))
    }

    fn mistakes(&self) -> Vec<StackError> {
        let mut mistakes = Vec::new();
        if self.sessions.is_none() && self.accounts.is_some() {
            mistakes.push(StackError::AccountsWithoutSessions);
        }
        if self.accounts.is_none() && self.user_sessions.is_some() {
            mistakes.push(StackError::UserSessionsWithoutAccounts);
        }
        if self.sessions.is_none() && self.csrf.needs_session() {
            mistakes.push(StackError::CsrfWithoutSessions);
        }
        let in_session = |policy: &MessagesPolicy| policy.keeps_in().needs_session();
        if self.sessions.is_none() && self.messages.as_ref().is_some_and(in_session) {
            mistakes.push(StackError::MessagesWithoutSessions);
        }
        let session_cookie = self.sessions.as_ref().map(|layer| layer.policy().cookie_name());
        if let (Some(bound), Some(cookie)) = (self.csrf.bound_cookie(), session_cookie)
            && bound != cookie
        {
            mistakes.push(StackError::CsrfBoundElsewhere {
                bound: bound.to_owned(),
                cookie: cookie.to_owned(),
            });
        }
        let in_cookie = self.sessions.as_ref().is_some_and(SessionLayer::is_in_cookie);
        if in_cookie && self.csrf.bound_cookie().is_some() {
            mistakes.push(StackError::CsrfBoundToValues);
        }
        mistakes
    }
}

/// Rooms that don't fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StackError {
    /// Users are recognised by their session, and there are none.
    AccountsWithoutSessions,
    /// The sessions of users are to be listed, and there are no users.
    UserSessionsWithoutAccounts,
    /// The CSRF policy keeps its secret in the session or binds its tokens to it, and there are none.
    CsrfWithoutSessions,
    /// Messages that the cookie has no room for go into the session, and there are none.
    MessagesWithoutSessions,
    /// The CSRF policy binds its tokens to the session's cookie, and that has the session itself: each
    /// change of a value would end all tokens.
    CsrfBoundToValues,
    /// The CSRF policy binds its tokens to another cookie than the session's.
    CsrfBoundElsewhere {
        /// The cookie that the tokens are bound to.
        bound: String,
        /// The session's cookie.
        cookie: String,
    },
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccountsWithoutSessions => {
                f.write_str("accounts need sessions: call StackBuilder::sessions too")
            }
            Self::UserSessionsWithoutAccounts => {
                f.write_str("a list of users' sessions needs users: call StackBuilder::accounts too")
            }
            Self::CsrfWithoutSessions => f.write_str(
                "the CSRF policy needs sessions: call StackBuilder::sessions too, or keep the secret in a cookie",
            ),
            Self::MessagesWithoutSessions => f.write_str(
                "messages need sessions: call StackBuilder::sessions too, or keep them in Storage::Cookie",
            ),
            Self::CsrfBoundToValues => f.write_str(
                "CSRF tokens are bound to the session's cookie, and sessions_in_cookie changes it with every value: keep \
                 sessions in a store, or take CsrfPolicy::default",
            ),
            Self::CsrfBoundElsewhere { bound, cookie } => write!(
                f,
                "CSRF tokens are bound to the cookie {bound:?}, and the session's is {cookie:?}: give \
                 CsrfPolicy::hardened the session cookie's name"
            ),
        }
    }
}

/// Everything about a stack that doesn't fit together. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackErrors(Vec<StackError>);

impl StackErrors {
    /// The mistakes.
    pub fn iter(&self) -> std::slice::Iter<'_, StackError> {
        self.0.iter()
    }
}

impl fmt::Display for StackErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for error in &self.0 {
            write!(f, "{separator}{error}")?;
            separator = "\n";
        }
        Ok(())
    }
}

impl std::error::Error for StackErrors {}

/// All rooms, fitted together.
#[derive(Clone)]
pub struct Stack(StackLayer);

impl Stack {
    /// Begins a stack for this site.
    #[allow(clippy::new_ret_no_self)]
    pub fn new(site: SitePolicy) -> StackBuilder {
        StackBuilder {
            site,
            headers: HeadersPolicy::default(),
            csp: CspPolicies::default(),
            https: HttpsPolicy::default(),
            canonical: CanonicalPolicy::default(),
            cors: None,
            isolation: Some(IsolationPolicy::default()),
            csrf: CsrfPolicy::default(),
            sessions: None,
            accounts: None,
            user_sessions: None,
            messages: None,
        }
    }

    /// The layer, for a router of axum's own or any other tower service.
    #[must_use]
    pub fn into_layer(self) -> StackLayer {
        self.0
    }

    /// The policies, for the room that judges them.
    pub(crate) fn policies(&self) -> Policies<'_> {
        self.0.policies()
    }

    /// The same stack, with more words for handlers to ask for, and with a site's own pages of refusals.
    #[cfg(feature = "axum")]
    pub(crate) fn with_words(&self, words: Arc<dyn Words>, pages: ErrorPages) -> Self {
        Self(self.0.with_words(words, pages))
    }
}

#[cfg(test)]
mod tests {
    use donjon_core::account::MemoryAccounts;
    use donjon_core::host::AllowedHosts;
    use donjon_core::secret::Keys;
    use donjon_core::session::MemorySessions;

    use super::*;

    fn builder() -> StackBuilder {
        Stack::new(SitePolicy::new(AllowedHosts::local()))
    }

    #[test]
    fn rule_3_all_mistakes_are_reported_at_once() {
        let accounts = Arc::new(MemoryAccounts::default());
        let wrong = builder()
            .csrf(CsrfPolicy::default().in_session(None))
            .accounts(AuthPolicy::new(&Keys::new("key")), accounts);
        let errors = wrong.build().err().unwrap();
        assert_eq!(errors.iter().count(), 2);
        assert!(errors.to_string().contains("sessions"));
        assert!(builder().build().is_ok());
    }

    #[test]
    fn rule_3_tokens_are_bound_to_the_sessions_cookie() {
        let sessions = || Arc::new(MemorySessions::default());
        let hardened = || builder().csrf(CsrfPolicy::hardened("__Host-sessionid"));
        assert!(hardened().sessions(SessionPolicy::hardened(), sessions()).build().is_ok());
        assert!(hardened().sessions(SessionPolicy::default(), sessions()).build().is_err());
        assert!(hardened().build().is_err());
        let keys = Keys::new("key");
        assert!(hardened().sessions_in_cookie(SessionPolicy::hardened(), &keys).build().is_err());
        assert!(builder().sessions_in_cookie(SessionPolicy::hardened(), &keys).build().is_ok());
    }
}
