//! How sessions are kept and named.

use std::time::Duration;

use donjon_core::clock::Clock;
use donjon_core::cookie::{CookieError, CookieSettings, Transport};
use donjon_core::session::Lifetime;

/// How long a session lasts after its last change: two weeks. Django: `SESSION_COOKIE_AGE`.
pub const COOKIE_AGE: Duration = Duration::from_secs(60 * 60 * 24 * 14);

/// When a session is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saving {
    /// Where it changed.
    WhereChanged,
    /// With every response, so that it lasts as long as the visitor keeps coming. Django:
    /// `SESSION_SAVE_EVERY_REQUEST`.
    EveryRequest,
}

/// What two cookies of the session's name mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duplicates {
    /// The last counts: Django's rule.
    LastCounts,
    /// Somebody planted one: none counts.
    NoneCounts,
}

/// What becomes of a key that is nobody's, where a session without values is to be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strangers {
    /// Its cookie is deleted: whoever makes keys up fills no table.
    Dropped,
    /// The visitor gets an empty row under a new key: Django's rule.
    Renewed,
}

/// What a session is bound to, besides its cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// Nothing: Django's rule.
    Nothing,
    /// The family of the browser that began it.
    UserAgent,
}

/// How sessions are kept and named, as a parsed value.
///
/// | Django's setting | here |
/// |---|---|
/// | `SESSION_ENGINE` | the store, or [`SessionLayer::in_cookie`](super::SessionLayer::in_cookie) |
/// | `SESSION_COOKIE_NAME`, `_DOMAIN`, `_PATH`, `_SECURE`, `_HTTPONLY`, `_SAMESITE` | [`SessionPolicy::cookie`] |
/// | `SESSION_COOKIE_AGE` | [`SessionPolicy::age`] |
/// | `SESSION_EXPIRE_AT_BROWSER_CLOSE` | [`SessionPolicy::expire_at_browser_close`] |
/// | `SESSION_SAVE_EVERY_REQUEST` | [`SessionPolicy::saving`] |
/// | `SESSION_FILE_PATH`, `SESSION_CACHE_ALIAS` | what the store is made of |
/// | `SESSION_SERIALIZER` | JSON, as Django's default; its `pickle` is gone there too |
///
/// ```
/// use donjon::session::SessionPolicy;
///
/// let policy = SessionPolicy::default().expire_at_browser_close();
/// # let _ = policy;
/// ```
#[derive(Clone, Debug)]
pub struct SessionPolicy {
    pub(super) cookie: CookieSettings,
    pub(super) lifetime: Lifetime,
    pub(super) saving: Saving,
    pub(super) duplicates: Duplicates,
    pub(super) strangers: Strangers,
    pub(super) binding: Binding,
    pub(super) clock: Clock,
}

impl Default for SessionPolicy {
    /// Django's cookie `sessionid` for two weeks, and `Secure` where the request came over HTTPS.
    fn default() -> Self {
        let cookie = CookieSettings::new("sessionid", Some(COOKIE_AGE));
        Self {
            lifetime: Lifetime::idle(seconds(cookie.age.unwrap_or(COOKIE_AGE))),
            cookie,
            saving: Saving::WhereChanged,
            duplicates: Duplicates::LastCounts,
            strangers: Strangers::Dropped,
            binding: Binding::Nothing,
            clock: Clock::system(),
        }
    }
}

impl SessionPolicy {
    /// The cookie `__Host-sessionid`, which no sibling host can plant, and no session for a request
    /// that has two of it: for sites that are reached over HTTPS only.
    #[must_use]
    pub fn hardened() -> Self {
        let cookie = CookieSettings {
            secure: Transport::HttpsOnly,
            ..CookieSettings::new("__Host-sessionid", Some(COOKIE_AGE))
        };
        Self { cookie, duplicates: Duplicates::NoneCounts, ..Self::default() }
    }

    /// Django's rule alone: its cookie, which is not `Secure`, and an empty row for whoever sends a key
    /// that is nobody's where [`Saving::EveryRequest`] saves it.
    #[must_use]
    pub fn django() -> Self {
        let cookie = CookieSettings {
            secure: Transport::Any,
            ..CookieSettings::new("sessionid", Some(COOKIE_AGE))
        };
        Self { cookie, strangers: Strangers::Renewed, ..Self::default() }
    }

    /// Takes another cookie; its age, two weeks if it has none, is that of the sessions. Django:
    /// `SESSION_COOKIE_*`.
    ///
    /// # Errors
    /// [`CookieError`] for a cookie that browsers refuse.
    pub fn cookie(self, cookie: CookieSettings) -> Result<Self, CookieError> {
        cookie.check()?;
        Ok(self.danger_cookie(cookie))
    }

    /// Takes another cookie as it is, though browsers may refuse it, as Django does.
    #[must_use]
    pub fn danger_cookie(mut self, cookie: CookieSettings) -> Self {
        self.lifetime.seconds = seconds(cookie.age.unwrap_or(COOKIE_AGE));
        self.cookie = cookie;
        self
    }

    /// Lets a session last this long after its last change. Django: `SESSION_COOKIE_AGE`.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.cookie.age = Some(age);
        self.lifetime.seconds = seconds(age);
        self
    }

    /// Ends a session this long after its user logged in, or, where nobody did, after it was begun,
    /// however active the visitor is. Without this call a visitor who keeps coming stays for ever, as
    /// in Django.
    #[must_use]
    pub fn absolute_age(mut self, age: Duration) -> Self {
        self.lifetime.absolute = Some(seconds(age));
        self
    }

    /// Binds a session to the [family](donjon_core::session::AgentFamily) of the browser in which it
    /// was begun, or its user logged in: a request from another finds no session. Sessions that were
    /// begun before, or by Django, are bound by the next log-in.
    ///
    /// A tablet that asks for the desktop's page may name another platform, and is then logged out
    /// there.
    #[must_use]
    pub fn bind_user_agent(mut self) -> Self {
        self.binding = Binding::UserAgent;
        self
    }

    /// Lets a session go when the browser is closed. Django: `SESSION_EXPIRE_AT_BROWSER_CLOSE`.
    #[must_use]
    pub fn expire_at_browser_close(mut self) -> Self {
        self.lifetime.at_browser_close = true;
        self
    }

    /// When a session is saved.
    #[must_use]
    pub fn saving(mut self, saving: Saving) -> Self {
        self.saving = saving;
        self
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The name of the cookie.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        &self.cookie.name
    }
}

impl SessionPolicy {
    /// The cookie.
    pub(crate) fn cookie_settings(&self) -> &CookieSettings {
        &self.cookie
    }
}

fn seconds(age: Duration) -> i64 {
    i64::try_from(age.as_secs()).unwrap_or(i64::MAX)
}
