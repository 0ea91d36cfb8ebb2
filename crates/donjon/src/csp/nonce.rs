//! The nonce of a response.

use std::fmt;
use std::sync::{Arc, OnceLock};

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use donjon_core::entropy;

/// How many random bytes a nonce has: CSP demands 16 at least.
const NONCE_BYTES: usize = 16;

/// How many characters the longer of the two alphabets makes of them.
const MAX_NONCE_CHARS: usize = 24;

/// How a nonce is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NonceAlphabet {
    /// 22 characters that no attribute, address or header has to escape. Django's.
    #[default]
    UrlSafe,
    /// 24 characters with `+`, `/` and `=`. django-csp's.
    Padded,
}

/// The nonce of the response to a request; clones are the same nonce.
#[derive(Clone)]
pub struct CspNonce(Arc<dyn NonceHolder>);

/// Whoever has a nonce among other things, so that it needs no allocation of its own.
pub(crate) trait NonceHolder: Send + Sync + 'static {
    /// The nonce.
    fn nonce(&self) -> &NonceCell;
}

/// A nonce that is made when somebody reads it.
#[derive(Debug, Default)]
pub(crate) struct NonceCell {
    alphabet: NonceAlphabet,
    text: OnceLock<Text>,
}

impl NonceCell {
    /// A nonce that nobody has read yet.
    pub(super) fn new(alphabet: NonceAlphabet) -> Self {
        Self { alphabet, text: OnceLock::new() }
    }

    /// The nonce, if somebody has read it.
    pub(crate) fn used(&self) -> Option<&str> {
        self.text.get().map(Text::as_str)
    }
}

impl NonceHolder for NonceCell {
    fn nonce(&self) -> &NonceCell {
        self
    }
}

impl Default for CspNonce {
    fn default() -> Self {
        Self(Arc::new(NonceCell::default()))
    }
}

impl fmt::Debug for CspNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CspNonce").field(&self.used()).finish()
    }
}

/// In place, so that a nonce costs no allocation of its own.
#[derive(Debug)]
struct Text {
    chars: [u8; MAX_NONCE_CHARS],
    length: usize,
}

impl Text {
    fn random(alphabet: NonceAlphabet) -> Self {
        let mut chars = [0; MAX_NONCE_CHARS];
        let random = entropy::bytes::<NONCE_BYTES>();
        let written = match alphabet {
            NonceAlphabet::UrlSafe => Base64UrlUnpadded::encode(&random, &mut chars),
            NonceAlphabet::Padded => Base64::encode(&random, &mut chars),
        };
        let length = written.map_or(0, str::len);
        Self { chars, length }
    }

    fn as_str(&self) -> &str {
        let chars = self.chars.get(..self.length).unwrap_or_default();
        std::str::from_utf8(chars).unwrap_or_default()
    }
}

impl CspNonce {
    /// A nonce that nobody has read yet.
    pub(super) fn new(alphabet: NonceAlphabet) -> Self {
        Self(Arc::new(NonceCell::new(alphabet)))
    }

    /// The nonce that this holder has.
    pub(crate) fn of(holder: Arc<dyn NonceHolder>) -> Self {
        Self(holder)
    }

    /// The nonce, made now if nobody has read it yet. Django: `csp_nonce`.
    ///
    /// Read it before the response is handed on: one that is first read while a body streams is in no
    /// header, and the browser refuses what carries it.
    #[must_use]
    pub fn read(&self) -> &str {
        let cell = self.0.nonce();
        cell.text.get_or_init(|| Text::random(cell.alphabet)).as_str()
    }

    /// The nonce, if somebody has read it.
    #[must_use]
    pub fn used(&self) -> Option<&str> {
        self.0.nonce().used()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_2_the_nonce_is_made_once_and_fresh() {
        let nonce = CspNonce::default();
        assert_eq!(nonce.used(), None);
        assert_eq!(nonce.read().len(), 22);
        assert_eq!(nonce.clone().read(), nonce.read());
        assert_eq!(nonce.used(), Some(nonce.read()));
        assert_ne!(CspNonce::default().read(), nonce.read());
    }

    #[test]
    fn rule_2_the_alphabets() {
        let url_safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!((0..100).all(|_| CspNonce::default().read().chars().all(url_safe)));
        let padded = CspNonce::new(NonceAlphabet::Padded);
        assert!(padded.read().len() == 24 && padded.read().ends_with("=="), "{}", padded.read());
    }
}
