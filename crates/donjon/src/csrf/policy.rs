//! What the CSRF room demands.

use std::sync::Arc;
use std::time::Duration;

use donjon_core::clock::Clock;
use donjon_core::cookie::{CookieError, CookieSettings, SameSite, Scripts, Transport};
use donjon_core::origin::TrustedOrigins;
use http::{HeaderName, Response};

use bytes::Bytes;

use super::decision::Stored;
use super::failure::Failure;

/// The field of a form that carries the token. Django: `csrfmiddlewaretoken`.
pub const FIELD: &str = "csrfmiddlewaretoken";

/// The session's value that holds the secret, where it is not in a cookie. Django:
/// `CSRF_SESSION_KEY`.
pub const SESSION_KEY: &str = "_csrftoken";

/// How long the cookie lasts: 52 weeks. Django: `CSRF_COOKIE_AGE`.
pub const COOKIE_AGE: Duration = Duration::from_secs(60 * 60 * 24 * 7 * 52);

/// How many bytes of a body are read while looking for the token. Django:
/// `DATA_UPLOAD_MAX_MEMORY_SIZE`.
pub const BODY_LIMIT: usize = 2_621_440;

/// How many fields a body may have before the token. Django: `DATA_UPLOAD_MAX_NUMBER_FIELDS`.
pub const FIELDS_LIMIT: usize = 1000;

/// Where the secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretStorage {
    /// In a cookie of its own.
    Cookie(CookieSettings),
    /// In the session. Django: `CSRF_USE_SESSIONS`.
    Session {
        /// The session cookie's domain, which is a good referer.
        cookie_domain: Option<String>,
    },
}

/// How a request must show where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// Fetch Metadata, then `Origin`, then `Referer`; see the module's table.
    FetchMetadata,
    /// `Origin`, then over HTTPS `Referer`: Django's rule.
    Django,
}

/// Which tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// Masked ones, and the bare secret as a script reads it from the cookie: Django's rule.
    MaskedOrPlain,
    /// Masked ones that were made for the session whose key is in the cookie of this name.
    BoundToSession(String),
}

/// What two cookies, headers or fields of one name mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// The last counts: Django's rule.
    LastCounts,
    /// Somebody planted one: the request is refused.
    Refuse,
}

/// What becomes of a stored secret that can be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BrokenSecret {
    /// The response stores a new one.
    Replaced,
    /// In the session, where only the site can have put it, it stays, and no token is good: Django's
    /// rule. In a cookie it is replaced.
    LeftInSession,
}

/// How much the page of a refusal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// That it was refused, and no more.
    Brief,
    /// The reason, what was compared, and what to do: for developers. Django: `DEBUG`.
    Explained,
}

/// What caches may do with a response that sets the secret, as every page with a token does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caching {
    /// Keep it, if the handler's own headers permit it: Django's rule.
    AsHandled,
    /// Keep it only if the handler says so.
    NotStored,
}

/// Makes the response to a refused request. Django: `CSRF_FAILURE_VIEW`.
pub type FailureView = Arc<dyn Fn(&Failure<'_>) -> Response<Bytes> + Send + Sync>;

/// What the CSRF room demands, as a parsed value.
///
/// ```
/// use donjon::csrf::CsrfPolicy;
/// use donjon_core::origin::TrustedOrigins;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = CsrfPolicy::default().trust(TrustedOrigins::new(["https://pay.example.com"])?);
/// # let _ = policy;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CsrfPolicy {
    pub(super) storage: SecretStorage,
    pub(super) header: HeaderName,
    pub(super) trusted: TrustedOrigins,
    pub(super) provenance: Provenance,
    pub(super) tokens: Tokens,
    pub(super) duplicates: Duplicates,
    pub(super) broken: BrokenSecret,
    pub(super) caching: Caching,
    pub(super) detail: Detail,
    pub(super) failure_view: Option<FailureView>,
    pub(super) clock: Clock,
}

impl std::fmt::Debug for CsrfPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsrfPolicy")
            .field("storage", &self.storage)
            .field("provenance", &self.provenance)
            .field("tokens", &self.tokens)
            .field("duplicates", &self.duplicates)
            .finish_non_exhaustive()
    }
}

impl Default for CsrfPolicy {
    /// Django's tokens and cookies, and the provenance table: both proofs are needed.
    fn default() -> Self {
        let cookie = CookieSettings {
            scripts: Scripts::MayRead,
            ..CookieSettings::new("csrftoken", Some(COOKIE_AGE))
        };
        Self {
            storage: SecretStorage::Cookie(cookie),
            header: HeaderName::from_static("x-csrftoken"),
            trusted: TrustedOrigins::none(),
            provenance: Provenance::FetchMetadata,
            tokens: Tokens::MaskedOrPlain,
            duplicates: Duplicates::LastCounts,
            broken: BrokenSecret::Replaced,
            caching: Caching::NotStored,
            detail: Detail::Brief,
            failure_view: None,
            clock: Clock::system(),
        }
    }
}

impl CsrfPolicy {
    /// The default, and besides: the cookie `__Host-csrftoken`, which no sibling host can plant and
    /// no script can read; tokens that are worth something in one session only; and refusal of
    /// doubled cookies, headers and fields.
    ///
    /// `session_cookie` is the name of the session's cookie. Scripts take the token from the page.
    /// A page that was shown before the session began must be loaded again.
    #[must_use]
    pub fn hardened(session_cookie: impl Into<String>) -> Self {
        let cookie = CookieSettings {
            secure: Transport::HttpsOnly,
            ..CookieSettings::new("__Host-csrftoken", Some(COOKIE_AGE))
        };
        Self {
            storage: SecretStorage::Cookie(cookie),
            tokens: Tokens::BoundToSession(session_cookie.into()),
            duplicates: Duplicates::Refuse,
            ..Self::default()
        }
    }

    /// Django's rule alone, and its cookie with Django's attributes.
    #[must_use]
    pub fn django() -> Self {
        let cookie = CookieSettings {
            scripts: Scripts::MayRead,
            secure: Transport::Any,
            same_site: SameSite::Lax,
            ..CookieSettings::new("csrftoken", Some(COOKIE_AGE))
        };
        Self {
            storage: SecretStorage::Cookie(cookie),
            provenance: Provenance::Django,
            broken: BrokenSecret::LeftInSession,
            caching: Caching::AsHandled,
            ..Self::default()
        }
    }

    /// Keeps the secret in this cookie. Django: `CSRF_COOKIE_*`.
    ///
    /// # Errors
    /// [`CookieError`] for a cookie that browsers refuse.
    pub fn cookie(self, cookie: CookieSettings) -> Result<Self, CookieError> {
        cookie.check()?;
        Ok(self.danger_cookie(cookie))
    }

    /// Keeps the secret in this cookie as it is, though browsers may refuse it, as Django does.
    #[must_use]
    pub fn danger_cookie(mut self, cookie: CookieSettings) -> Self {
        self.storage = SecretStorage::Cookie(cookie);
        self
    }

    /// Keeps the secret in the session; the session's layer must be outside this one. Django:
    /// `CSRF_USE_SESSIONS`, and `SESSION_COOKIE_DOMAIN`.
    #[must_use]
    pub fn in_session(mut self, cookie_domain: Option<String>) -> Self {
        self.storage = SecretStorage::Session { cookie_domain };
        self
    }

    /// Takes the token from this header. Django: `CSRF_HEADER_NAME`, which is `X-CSRFToken`.
    #[must_use]
    pub fn header(mut self, header: HeaderName) -> Self {
        self.header = header;
        self
    }

    /// Trusts requests of these origins like the site's own. Django: `CSRF_TRUSTED_ORIGINS`.
    #[must_use]
    pub fn trust(mut self, origins: TrustedOrigins) -> Self {
        self.trusted = origins;
        self
    }

    /// Must this secret be left as it is?
    pub(super) fn leaves(&self, stored: &Stored) -> bool {
        let in_session = matches!(self.storage, SecretStorage::Session { .. });
        let broken = matches!(stored, Stored::Malformed(_));
        broken && in_session && self.broken == BrokenSecret::LeftInSession
    }

    /// Must the session's layer be outside?
    pub(crate) fn needs_session(&self) -> bool {
        matches!(self.storage, SecretStorage::Session { .. }) || self.bound_cookie().is_some()
    }

    /// The cookie whose session the tokens are bound to.
    pub(crate) fn bound_cookie(&self) -> Option<&str> {
        match &self.tokens {
            Tokens::MaskedOrPlain => None,
            Tokens::BoundToSession(cookie) => Some(cookie),
        }
    }

    /// Explains refusals on their page: while developing only.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// Answers refused requests with a page of the site's own. Django: `CSRF_FAILURE_VIEW`.
    #[must_use]
    pub fn failure_view(mut self, view: FailureView) -> Self {
        self.failure_view = Some(view);
        self
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

impl CsrfPolicy {
    /// The cookie with the secret, unless the session has it.
    pub(crate) fn secret_cookie(&self) -> Option<&CookieSettings> {
        match &self.storage {
            SecretStorage::Cookie(cookie) => Some(cookie),
            SecretStorage::Session { .. } => None,
        }
    }

    /// How a request must show where it comes from.
    pub(crate) fn provenance_rule(&self) -> Provenance {
        self.provenance
    }

    /// Whose requests count as the site's own.
    pub(crate) fn trusted_origins(&self) -> &TrustedOrigins {
        &self.trusted
    }

    /// How much the page of a refusal says.
    pub(crate) fn refusal_detail(&self) -> Detail {
        self.detail
    }
}
