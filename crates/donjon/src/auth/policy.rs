//! How users are recognised.

use donjon_core::account::EncodedPassword;
use donjon_core::clock::Clock;
use donjon_core::secret::{KeyWeakness, Keys, SecretKey, equal};
use donjon_core::signing::SaltedMac;

use crate::password::Passwords;

/// The name under which a session says who vouched for the user. Django:
/// `django.contrib.auth.backends.ModelBackend`.
pub const BACKEND: &str = "django.contrib.auth.backends.ModelBackend";

/// The salt of the hash that ties a session to a password.
const HASH_SALT: &[u8] = b"django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";

/// How users are recognised, as a parsed value.
///
/// ```
/// use donjon::auth::AuthPolicy;
/// use donjon_core::secret::Keys;
///
/// let policy = AuthPolicy::new(&Keys::new("a long random secret")).login_url("/enter/");
/// # let _ = policy;
/// ```
#[derive(Clone, Debug)]
pub struct AuthPolicy {
    pub(super) hashes: Vec<SaltedMac>,
    /// Why each key may be guessed, the current one first.
    weaknesses: Vec<Vec<KeyWeakness>>,
    pub(super) passwords: Passwords,
    pub(super) login_url: String,
    pub(super) next_field: String,
    pub(super) clock: Clock,
}

impl AuthPolicy {
    /// Django's defaults under these keys: the log-in page is `/accounts/login/`, the way back is in
    /// `next`.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        Self {
            hashes: keys.iter().map(|key| SaltedMac::new(HASH_SALT, key)).collect(),
            weaknesses: keys.iter().map(SecretKey::weaknesses).collect(),
            passwords: Passwords::default(),
            login_url: "/accounts/login/".to_owned(),
            next_field: "next".to_owned(),
            clock: Clock::system(),
        }
    }

    /// Where visitors log in: a path of this site. Django: `LOGIN_URL`.
    #[must_use]
    pub fn login_url(mut self, path: impl Into<String>) -> Self {
        self.login_url = path.into();
        self
    }

    /// What carries the way back. Django: `REDIRECT_FIELD_NAME`.
    #[must_use]
    pub fn next_field(mut self, name: impl Into<String>) -> Self {
        self.next_field = name.into();
        self
    }

    /// Hashes passwords like this.
    #[must_use]
    pub fn passwords(mut self, passwords: Passwords) -> Self {
        self.passwords = passwords;
        self
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The hash that ties a session to a password. Django: `get_session_auth_hash`.
    #[must_use]
    pub fn session_hash(&self, password: &EncodedPassword) -> String {
        self.hashes
            .first()
            .map(|mac| mac.hash(password.expose().as_bytes()).to_hex())
            .unwrap_or_default()
    }

    /// Which key made this hash of that password?
    pub(super) fn find(&self, hash: &str, password: &EncodedPassword) -> HashOf {
        let made = |mac: &SaltedMac| {
            equal(mac.hash(password.expose().as_bytes()).to_hex().as_bytes(), hash.as_bytes())
        };
        match self.hashes.iter().position(made) {
            Some(0) => HashOf::Current,
            Some(_) => HashOf::Former,
            None => HashOf::Nobody,
        }
    }
}

impl AuthPolicy {
    /// Why each key may be guessed, the current one first.
    pub(crate) fn key_weaknesses(&self) -> &[Vec<KeyWeakness>] {
        &self.weaknesses
    }

    /// How passwords are hashed.
    pub(crate) fn hasher(&self) -> &Passwords {
        &self.passwords
    }

    /// Where visitors log in.
    pub(crate) fn login_page(&self) -> &str {
        &self.login_url
    }
}

/// Who made a session's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HashOf {
    Current,
    Former,
    Nobody,
}
