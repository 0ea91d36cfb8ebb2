//! What goes over a bus instead of a key.

use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};

use crate::session::SessionKey;

/// The first 16 bytes of the SHA-256 of a key: it names a session and opens none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; Self::LENGTH]);

impl KeyDigest {
    /// How many bytes it has.
    pub const LENGTH: usize = 16;

    /// No key's digest, but a word for all of them: too much has changed to name it.
    pub const EVERYTHING: Self = Self([0; Self::LENGTH]);

    /// The digest of a key.
    #[must_use]
    pub fn of(key: &SessionKey) -> Self {
        let sum: [u8; 32] = Sha256::digest(key.expose().as_bytes()).into();
        let mut first = [0; Self::LENGTH];
        first.copy_from_slice(&sum[..Self::LENGTH]);
        Self(first)
    }

    /// From its bytes; `None` if there are more or fewer.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// From 32 hexadecimal digits, in lower case as [`Display`](fmt::Display) writes them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let text: &[u8; 2 * Self::LENGTH] = text.as_bytes().try_into().ok()?;
        let mut bytes = [0; Self::LENGTH];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(2 * Self::LENGTH);
        for byte in self.0 {
            write!(text, "{byte:02x}")?;
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_2_a_digest_goes_as_text_and_back() {
        let digest = KeyDigest::of(&SessionKey::parse("abcdefgh").unwrap());
        assert_eq!(digest.to_string(), "9c56cc51b374c3ba189210d5b6d4bf57");
        assert_eq!(KeyDigest::parse(&digest.to_string()), Some(digest));
        assert_eq!(KeyDigest::from_bytes(digest.bytes()), Some(digest));
        assert_eq!(KeyDigest::EVERYTHING.to_string(), "0".repeat(32));
        for text in ["", "9c", "9C56CC51B374C3BA189210D5B6D4BF57", &"é".repeat(16)] {
            assert_eq!(KeyDigest::parse(text), None, "{text}");
        }
    }
}
