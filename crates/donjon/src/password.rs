//! Passwords as Django hashes them: PBKDF2-HMAC-SHA256.
//!
//! Stops: passwords read out of a stolen database, accounts found out by how long an answer takes,
//! and log-ins that starve the rest of the site.
//!
//! 1. An encoded password is `pbkdf2_sha256$iterations$salt$hash`, the hash in base64; the salt is 22
//!    random characters, new passwords have [`ITERATIONS`] of Django 6.1.
//! 2. Verifying takes constant time in the hash, and the same work whatever is wrong: for an unknown
//!    algorithm, an unusable password or no password at all a hash is made and thrown away, and a
//!    wrong password against an older, cheaper hash pays the difference.
//! 3. An encoded password of other iterations, or of a salt below 128 bits, is to be replaced at the
//!    next log-in.
//! 4. Hashing runs off the async threads, on [`Passwords::parallel`] of them at most; beyond
//!    [`MAX_WAITING`] log-ins in the queue more are turned away.
//! 5. Encoded passwords that demand more than [`MAX_ITERATIONS`] are wrong, whatever the password.
//!
//! Spec: Django's `django/contrib/auth/hashers.py`, RFC 8018.
//!
//! ```
//! use donjon::password::{Pbkdf2, Verification};
//!
//! let hasher = Pbkdf2::with_iterations(1000);
//! let encoded = hasher.encode("correct horse é", "seasalt1234567890abcdef");
//! assert_eq!(
//!     encoded.expose(),
//!     "pbkdf2_sha256$1000$seasalt1234567890abcdef$8/udaDVv8AsQ4QmqhznXibUjQRaoOYVjJnqbfahDWG8=",
//! );
//! assert_eq!(hasher.verify("correct horse é", &encoded), Verification::Correct);
//! ```

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use base64ct::{Base64, Encoding};
use donjon_core::account::EncodedPassword;
use donjon_core::entropy::{self, ALPHANUMERIC};
use donjon_core::secret::equal;
use sha2::Sha256;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// How many rounds a new password gets: Django 6.1's work factor.
pub const ITERATIONS: u32 = 1_500_000;

/// The most rounds that an encoded password may demand.
pub const MAX_ITERATIONS: u32 = 20_000_000;

/// How many hashes may wait for a thread before further ones are turned away.
pub const MAX_WAITING: usize = 256;

/// The characters of a new salt: 131 bits.
const SALT_LENGTH: usize = 22;

const ALGORITHM: &str = "pbkdf2_sha256";

/// What begins a password that nothing opens. Django: `UNUSABLE_PASSWORD_PREFIX`.
const UNUSABLE: char = '!';

/// What became of a password that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// It is the one.
    Correct,
    /// It is the one, and its encoded form is to be replaced by a new one (rule 3).
    CorrectButOutdated,
    /// It is not.
    Wrong,
}

/// The hasher, with its work factor. Django: `PBKDF2PasswordHasher`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pbkdf2 {
    iterations: u32,
}

impl Default for Pbkdf2 {
    /// [`ITERATIONS`] rounds.
    fn default() -> Self {
        Self { iterations: ITERATIONS }
    }
}

impl Pbkdf2 {
    /// A hasher of another work factor, at least 1: for tests, and for what is to come.
    #[must_use]
    pub fn with_iterations(iterations: u32) -> Self {
        Self { iterations: iterations.clamp(1, MAX_ITERATIONS) }
    }

    /// The password under a new salt. Django: `make_password`.
    #[must_use]
    pub fn hash(&self, password: &str) -> EncodedPassword {
        self.encode(password, &entropy::string::<SALT_LENGTH>(ALPHANUMERIC))
    }

    /// The password under a given salt, which has no `$` in it.
    #[must_use]
    pub fn encode(&self, password: &str, salt: &str) -> EncodedPassword {
        encode(password, salt, self.iterations)
    }

    /// Is this the password that was encoded? Django: `check_password`.
    #[must_use]
    pub fn verify(&self, password: &str, encoded: &EncodedPassword) -> Verification {
        let Some(parts) = Parts::of(encoded.expose()) else {
            // As long as for a password that can be right (rule 2).
            let _ = self.hash(password);
            return Verification::Wrong;
        };
        let again = encode(password, parts.salt, parts.iterations);
        let correct = equal(again.expose().as_bytes(), encoded.expose().as_bytes());
        match (correct, self.is_outdated(encoded)) {
            (true, false) => Verification::Correct,
            (true, true) => Verification::CorrectButOutdated,
            (false, _) => {
                self.make_up_for(password, &parts);
                Verification::Wrong
            }
        }
    }

    /// Is the encoded password to be replaced (rule 3)? Django: `must_update`.
    #[must_use]
    pub fn is_outdated(&self, encoded: &EncodedPassword) -> bool {
        Parts::of(encoded.expose()).is_none_or(|parts| {
            parts.iterations != self.iterations || parts.salt.chars().count() < SALT_LENGTH
        })
    }

    /// Does the work that a cheaper hash has spared. Django: `harden_runtime`.
    fn make_up_for(&self, password: &str, parts: &Parts<'_>) {
        let missing = self.iterations.saturating_sub(parts.iterations);
        if missing > 0 {
            let _ = encode(password, parts.salt, missing);
        }
    }
}

fn encode(password: &str, salt: &str, iterations: u32) -> EncodedPassword {
    let mut hash = Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt.as_bytes(), iterations, &mut *hash);
    let hash = Zeroizing::new(Base64::encode_string(&*hash));
    EncodedPassword::new(format!("{ALGORITHM}${iterations}${salt}${}", &*hash))
}

/// The parts of an encoded password of this algorithm.
struct Parts<'a> {
    iterations: u32,
    salt: &'a str,
}

impl<'a> Parts<'a> {
    fn of(encoded: &'a str) -> Option<Self> {
        let mut parts = encoded.splitn(4, '$');
        let (algorithm, iterations, salt) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next()?;
        let iterations: u32 = iterations.parse().ok()?;
        let within = (1..=MAX_ITERATIONS).contains(&iterations);
        (algorithm == ALGORITHM && within && !salt.is_empty()).then_some(Self { iterations, salt })
    }
}

/// A password that nothing opens. Django: `make_password(None)`.
#[must_use]
pub fn unusable() -> EncodedPassword {
    EncodedPassword::new(format!("{UNUSABLE}{}", entropy::string::<40>(ALPHANUMERIC)))
}

/// Can any password open this? Django: `is_password_usable`.
#[must_use]
pub fn is_usable(encoded: &EncodedPassword) -> bool {
    !encoded.expose().starts_with(UNUSABLE)
}

/// Too many log-ins are waiting already: the site should answer 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {MAX_WAITING} passwords wait to be hashed")
    }
}

impl std::error::Error for Busy {}

/// Hashes passwords off the async threads, a few at a time; clones share the queue.
#[derive(Clone, Debug)]
pub struct Passwords {
    hasher: Pbkdf2,
    threads: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Passwords {
    /// Django 6.1's work factor, on as many threads as there are processors.
    fn default() -> Self {
        Self::new(Pbkdf2::default())
    }
}

impl Passwords {
    /// How many rounds a new password gets.
    pub(crate) fn iterations(&self) -> u32 {
        self.hasher.iterations
    }

    /// With this hasher, on as many threads as there are processors.
    #[must_use]
    pub fn new(hasher: Pbkdf2) -> Self {
        let threads = available_parallelism().map_or(1, usize::from);
        Self { hasher, threads: Arc::new(Semaphore::new(threads)), waiting: Arc::default() }
    }

    /// Hashes at most so many passwords at a time, at least one.
    #[must_use]
    pub fn parallel(mut self, threads: usize) -> Self {
        self.threads = Arc::new(Semaphore::new(threads.clamp(1, Semaphore::MAX_PERMITS)));
        self
    }

    /// The password under a new salt.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn hash(&self, password: &str) -> Result<EncodedPassword, Busy> {
        let password = Zeroizing::new(password.to_owned());
        self.run(move |hasher| hasher.hash(&password)).await
    }

    /// Is this the password that was encoded? Without an encoded one the answer is no, after the
    /// same work: who asks learns nothing of whether there is such a user.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn verify(
        &self,
        password: &str,
        encoded: Option<&EncodedPassword>,
    ) -> Result<Verification, Busy> {
        let password = Zeroizing::new(password.to_owned());
        let encoded = encoded.cloned().unwrap_or_else(|| EncodedPassword::new(""));
        self.run(move |hasher| hasher.verify(&password, &encoded)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Pbkdf2) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = Place::in_queue(&self.waiting)?;
        let permit = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| Busy)?;
        drop(place);
        let hasher = self.hasher;
        let done = tokio::task::spawn_blocking(move || {
            let result = work(hasher);
            drop(permit);
            result
        });
        done.await.map_err(|_| Busy)
    }
}

/// A place in the queue, given up when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn in_queue(waiting: &'a AtomicUsize) -> Result<Self, Busy> {
        let place = Self(waiting);
        match waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING {
            true => Ok(place),
            false => Err(Busy),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Pbkdf2 = Pbkdf2 { iterations: 10 };

    #[test]
    fn rule_1_new_passwords_are_djangos() {
        let encoded = CHEAP.hash("letmein");
        let parts: Vec<_> = encoded.expose().split('$').collect();
        assert_eq!((parts[0], parts[1], parts[2].len(), parts[3].len()), (ALGORITHM, "10", 22, 44));
        assert_ne!(CHEAP.hash("letmein"), encoded);
    }

    #[test]
    fn rule_2_only_the_password_is_right() {
        let encoded = CHEAP.hash("letmein");
        assert_eq!(CHEAP.verify("letmein", &encoded), Verification::Correct);
        for wrong in ["", "letmein ", "Letmein", "letmei"] {
            assert_eq!(CHEAP.verify(wrong, &encoded), Verification::Wrong, "{wrong:?}");
        }
        for broken in [
            "",
            "!",
            "letmein",
            "md5$salt$hash",
            "pbkdf2_sha256$10$salt",
            "pbkdf2_sha256$0$salt$hash",
            "pbkdf2_sha256$10$$hash",
        ] {
            assert_eq!(
                CHEAP.verify("letmein", &EncodedPassword::new(broken)),
                Verification::Wrong,
                "{broken}"
            );
        }
        assert!(!is_usable(&unusable()) && is_usable(&encoded));
        assert_eq!(unusable().expose().len(), 41);
    }

    #[test]
    fn rule_3_other_work_factors_and_short_salts_are_outdated() {
        let other = Pbkdf2::with_iterations(11).hash("letmein");
        assert_eq!(CHEAP.verify("letmein", &other), Verification::CorrectButOutdated);
        let weak = CHEAP.encode("letmein", "seasalt");
        assert_eq!(CHEAP.verify("letmein", &weak), Verification::CorrectButOutdated);
        assert_eq!(CHEAP.verify("wrong", &weak), Verification::Wrong);
    }

    #[tokio::test]
    async fn rule_4_the_queue_is_bounded() {
        let passwords = Passwords::new(CHEAP).parallel(1);
        let held = Arc::clone(&passwords.threads).acquire_owned().await.unwrap();
        passwords.waiting.store(MAX_WAITING, Ordering::Relaxed);
        assert_eq!(passwords.hash("x").await, Err(Busy));
        passwords.waiting.store(0, Ordering::Relaxed);
        drop(held);
        let encoded = passwords.hash("x").await.unwrap();
        assert_eq!(passwords.verify("x", Some(&encoded)).await, Ok(Verification::Correct));
        assert_eq!(passwords.verify("x", None).await, Ok(Verification::Wrong));
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn rule_5_work_is_bounded() {
        let greedy = EncodedPassword::new("pbkdf2_sha256$4294967295$seasalt$aGFzaA==");
        assert_eq!(CHEAP.verify("letmein", &greedy), Verification::Wrong);
    }
}
