//! Secret bytes: compared in constant time, never printed, zeroed when dropped.
//!
//! Stops: guessing a token byte by byte from response times, and secrets that reach a log through
//! `{:?}`.
//!
//! 1. Comparing goes through [`equal`], whose time depends on the lengths only.
//! 2. [`SecretKey`] has no `Display`, and its `Debug` shows nothing.
//! 3. Its bytes are overwritten when the last owner lets go.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Compares two byte strings in a time that depends on their lengths only.
///
/// Strings of different lengths are unequal at once: lengths are not secret.
#[must_use]
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// A key: Django's `SECRET_KEY` or one of its fallbacks.
///
/// Cloning shares the bytes; they are zeroed when the last clone is dropped.
#[derive(Clone)]
pub struct SecretKey(Arc<Zeroizing<Vec<u8>>>);

impl SecretKey {
    /// Takes the key's bytes; of text, its UTF-8, as Django does.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes.into())))
    }

    /// The bytes, for feeding a hash. Don't compare them: see [`equal`].
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl From<&str> for SecretKey {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

/// The key that signs, and the older ones that are still believed.
///
/// Django: `SECRET_KEY` and `SECRET_KEY_FALLBACKS`.
#[derive(Clone, Debug)]
pub struct Keys {
    current: SecretKey,
    fallbacks: Vec<SecretKey>,
}

impl Keys {
    /// A ring of one key.
    pub fn new(current: impl Into<SecretKey>) -> Self {
        Self { current: current.into(), fallbacks: Vec::new() }
    }

    /// Adds a former key: what it signed is still accepted, and nothing new is signed with it.
    #[must_use]
    pub fn fallback(mut self, key: impl Into<SecretKey>) -> Self {
        self.fallbacks.push(key.into());
        self
    }

    /// The key that signs.
    #[must_use]
    pub fn current(&self) -> &SecretKey {
        &self.current
    }

    /// The former keys, newest first as they were added.
    #[must_use]
    pub fn fallbacks(&self) -> &[SecretKey] {
        &self.fallbacks
    }

    /// All keys, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = &SecretKey> {
        std::iter::once(&self.current).chain(&self.fallbacks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_print_itself() {
        let keys = Keys::new("hush").fallback("older hush");
        assert!(!format!("{keys:?}").contains("hush"));
    }

    #[test]
    fn equality_is_of_the_whole_string() {
        assert!(equal(b"abc", b"abc"));
        for other in [&b"abd"[..], b"ab", b"abcd", b""] {
            assert!(!equal(b"abc", other));
        }
    }
}
