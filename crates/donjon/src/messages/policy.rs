//! Where messages are kept, and which.

use std::collections::BTreeMap;
use std::time::Duration;

use donjon_core::clock::Clock;
use donjon_core::cookie::{CookieError, CookieSettings};
use donjon_core::secret::Keys;
use donjon_core::signing::{CookieSigner, TimestampSigner};

use super::message::Level;

/// Django: `CookieStorage.key_salt`.
const SALT: &str = "django.contrib.messages";

/// Where messages wait for the next page. Django: `MESSAGE_STORAGE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// In a cookie, and what it has no room for in the session. Django: `FallbackStorage`.
    #[default]
    CookieThenSession,
    /// In a cookie; of what it has no room for the oldest are dropped. Django: `CookieStorage`.
    Cookie,
    /// In the session. Django: `SessionStorage`.
    Session,
}

impl Storage {
    /// Must there be sessions?
    #[must_use]
    pub fn needs_session(self) -> bool {
        self != Self::Cookie
    }
}

/// Where messages are kept, and which.
#[derive(Clone, Debug)]
pub struct MessagesPolicy {
    pub(super) signer: TimestampSigner,
    pub(super) storage: Storage,
    pub(super) level: Level,
    pub(super) tags: BTreeMap<Level, String>,
    pub(super) cookie: CookieSettings,
    pub(super) clock: Clock,
    own_cookie: bool,
}

impl MessagesPolicy {
    /// Django's defaults: the cookie `messages`, then the session; [`Level::INFO`] and above.
    ///
    /// Inside a stack the cookie has the attributes of the session's, as in Django.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        let tags = Level::TAGS.map(|(level, tag)| (level, tag.to_owned()));
        Self {
            signer: CookieSigner::new(keys).salted(SALT),
            storage: Storage::default(),
            level: Level::INFO,
            tags: tags.into(),
            cookie: CookieSettings::new("messages", None),
            clock: Clock::system(),
            own_cookie: false,
        }
    }

    /// Keeps messages there. Django: `MESSAGE_STORAGE`.
    #[must_use]
    pub fn storage(self, storage: Storage) -> Self {
        Self { storage, ..self }
    }

    /// Drops messages below this level. Django: `MESSAGE_LEVEL`.
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Names a level, for the looks of its messages. Django: `MESSAGE_TAGS`.
    #[must_use]
    pub fn tag(mut self, level: Level, tag: impl Into<String>) -> Self {
        self.tags.insert(level, tag.into());
        self
    }

    /// Keeps messages in this cookie.
    ///
    /// # Errors
    /// [`CookieError`] if browsers would refuse it.
    pub fn cookie(self, cookie: CookieSettings) -> Result<Self, CookieError> {
        cookie.check()?;
        Ok(Self { cookie, own_cookie: true, ..self })
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { signer: self.signer.clock(clock.clone()), clock, ..self }
    }

    /// The attributes of the session's cookie, unless somebody chose others.
    pub(crate) fn beside(self, session: &CookieSettings) -> Self {
        if self.own_cookie {
            return self;
        }
        let Self { cookie: CookieSettings { name, path, .. }, .. } = &self;
        let cookie = CookieSettings {
            name: name.clone(),
            path: path.clone(),
            age: None::<Duration>,
            ..session.clone()
        };
        Self { cookie, ..self }
    }

    pub(crate) fn keeps_in(&self) -> Storage {
        self.storage
    }

    pub(super) fn level_tag(&self, level: Level) -> &str {
        self.tags.get(&level).map_or("", String::as_str)
    }
}
