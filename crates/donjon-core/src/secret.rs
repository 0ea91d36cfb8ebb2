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

/// The fewest characters of a key that can't be guessed. Django: `SECRET_KEY_MIN_LENGTH`.
pub const MIN_CHARACTERS: usize = 50;

/// The fewest different characters of such a key. Django: `SECRET_KEY_MIN_UNIQUE_CHARACTERS`.
pub const MIN_DISTINCT: usize = 5;

/// What begins a key that `startproject` made for developing. Django: `SECRET_KEY_INSECURE_PREFIX`.
pub const PLACEHOLDER_PREFIX: &str = "django-insecure-";

/// Why a key may be guessed. Django: `security.W009`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyWeakness {
    /// It has fewer than [`MIN_CHARACTERS`].
    Short,
    /// It has fewer than [`MIN_DISTINCT`] different ones.
    Uniform,
    /// It begins with [`PLACEHOLDER_PREFIX`].
    Placeholder,
}

impl fmt::Display for KeyWeakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(f, "fewer than {MIN_CHARACTERS} characters"),
            Self::Uniform => write!(f, "fewer than {MIN_DISTINCT} different characters"),
            Self::Placeholder => write!(f, "begins with {PLACEHOLDER_PREFIX:?}"),
        }
    }
}

impl SecretKey {
    /// Why the key may be guessed; nothing of the key itself. Bytes that are no UTF-8 count one by
    /// one.
    #[must_use]
    pub fn weaknesses(&self) -> Vec<KeyWeakness> {
        let characters: Vec<u32> = match std::str::from_utf8(&self.0) {
            Ok(text) => text.chars().map(u32::from).collect(),
            Err(_) => self.0.iter().copied().map(u32::from).collect(),
        };
        let characters = Zeroizing::new(characters);
        let distinct = characters.iter().collect::<std::collections::BTreeSet<_>>().len();
        let weak = [
            (characters.len() < MIN_CHARACTERS, KeyWeakness::Short),
            (distinct < MIN_DISTINCT, KeyWeakness::Uniform),
            (self.0.starts_with(PLACEHOLDER_PREFIX.as_bytes()), KeyWeakness::Placeholder),
        ];
        weak.into_iter().filter_map(|(found, weakness)| found.then_some(weakness)).collect()
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
    fn a_key_says_why_it_may_be_guessed() {
        use KeyWeakness::{Placeholder, Short, Uniform};
        let of = |key: &str| SecretKey::new(key).weaknesses();
        assert_eq!(of(&"abcde".repeat(10)), []);
        assert_eq!(of(&"abcde".repeat(9)), [Short]);
        assert_eq!(of(&"abcd".repeat(20)), [Uniform]);
        assert_eq!(of(&format!("django-insecure-{}", "abcde".repeat(10))), [Placeholder]);
        assert_eq!(of(&"é".repeat(49)), [Short, Uniform]);
        assert_eq!(SecretKey::new(vec![0xff; 50]).weaknesses(), [Uniform]);
    }

    #[test]
    fn equality_is_of_the_whole_string() {
        assert!(equal(b"abc", b"abc"));
        for other in [&b"abd"[..], b"ab", b"abcd", b""] {
            assert!(!equal(b"abc", other));
        }
    }
}
