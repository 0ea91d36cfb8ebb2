//! Secrets and masked tokens.

use std::fmt;

use donjon_core::entropy::{self, ALPHANUMERIC};
use donjon_core::secret::{SecretKey, equal};
use donjon_core::signing::{Algorithm, salted_hmac};
use zeroize::ZeroizeOnDrop;

/// The length of a secret, and of a token that is not masked.
pub const SECRET_LENGTH: usize = 32;

/// The length of a masked token: the mask, then the secret under it.
pub const TOKEN_LENGTH: usize = 2 * SECRET_LENGTH;

/// Domain separation of [`CsrfSecret::bound_to`].
const BINDING_SALT: &[u8] = b"donjon.csrf.session-binding";

/// What a page's tokens hide: 32 characters of `a-zA-Z0-9`, kept in the cookie or the session.
#[derive(Clone, ZeroizeOnDrop)]
pub struct CsrfSecret([u8; SECRET_LENGTH]);

/// A token as a client sent it, of the right form.
#[derive(Clone)]
pub struct SubmittedToken {
    secret: CsrfSecret,
    masked: bool,
}

/// What is wrong with a token or a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// It has neither 32 nor 64 characters.
    Length,
    /// It has other characters than `a-zA-Z0-9`.
    Characters,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "has incorrect length",
            Self::Characters => "has invalid characters",
        })
    }
}

/// The place of each character in the alphabet; 62 for bytes that are not in it.
const PLACES: [u8; 256] = {
    let mut places = [62; 256];
    let mut place = 0;
    while place < ALPHANUMERIC.len() {
        places[ALPHANUMERIC[place] as usize] = place as u8;
        place += 1;
    }
    places
};

fn place(byte: u8) -> u8 {
    PLACES[usize::from(byte)]
}

/// The character that comes `steps` after another, round the alphabet.
fn shift(byte: u8, steps: u8) -> u8 {
    let sum = place(byte) + steps;
    ALPHANUMERIC[usize::from(if sum < 62 { sum } else { sum - 62 })]
}

impl CsrfSecret {
    /// A new random secret.
    #[must_use]
    pub fn random() -> Self {
        Self(entropy::characters(ALPHANUMERIC))
    }

    /// A secret as it is stored: plain, or masked as Django did before 4.0.
    ///
    /// # Errors
    /// [`FormatError`] for what can be no secret.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        SubmittedToken::parse(text).map(|token| token.secret)
    }

    /// The characters, for the cookie or the session.
    #[must_use]
    pub fn expose(&self) -> &str {
        // Its bytes are of the alphabet, so they are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// A token for a page: the secret under a fresh mask, so that no two pages show the same
    /// characters for a compression attack (BREACH) to find.
    #[must_use]
    pub fn mask(&self) -> String {
        self.mask_with(&entropy::characters(ALPHANUMERIC))
    }

    /// A token that hides nothing, and that nothing matches.
    pub(super) fn mask_alone() -> String {
        entropy::string::<SECRET_LENGTH>(ALPHANUMERIC)
    }

    /// The token under a given mask, whose characters are of the alphabet.
    #[must_use]
    pub fn mask_with(&self, mask: &[u8; SECRET_LENGTH]) -> String {
        let mut token = [0; TOKEN_LENGTH];
        let (shown, hidden) = token.split_at_mut(SECRET_LENGTH);
        shown.copy_from_slice(mask);
        for ((hidden, &secret), &mask) in hidden.iter_mut().zip(&self.0).zip(mask) {
            *hidden = shift(secret, place(mask));
        }
        // Its bytes are of the alphabet, so they are ASCII.
        std::str::from_utf8(&token).unwrap_or_default().to_owned()
    }

    /// Another secret, which only this one and this session lead to.
    ///
    /// Whoever plants a cookie in a victim's browser knows its secret, yet not the victim's session
    /// key, and so can make no token.
    #[must_use]
    pub fn bound_to(&self, session_key: &str) -> Self {
        let key = SecretKey::new(self.0);
        let tag = salted_hmac(BINDING_SALT, session_key.as_bytes(), &key, Algorithm::Sha256);
        let mut bound = [0; SECRET_LENGTH];
        for (character, byte) in bound.iter_mut().zip(tag.as_bytes()) {
            *character = ALPHANUMERIC[usize::from(byte % 62)];
        }
        Self(bound)
    }
}

impl fmt::Debug for CsrfSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfSecret(…)")
    }
}

impl PartialEq for CsrfSecret {
    fn eq(&self, other: &Self) -> bool {
        equal(&self.0, &other.0)
    }
}

impl SubmittedToken {
    /// A token as it was sent, masked or not. Its length is looked at first, and its characters only
    /// then, as Django does.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        // Lengths are of characters in Django; only ASCII can pass, so bytes tell the same once the
        // count is right.
        let wrong = |text: &str| match text.chars().take(TOKEN_LENGTH + 1).count() {
            SECRET_LENGTH | TOKEN_LENGTH => FormatError::Characters,
            _ => FormatError::Length,
        };
        let bytes = text.as_bytes();
        if !matches!(bytes.len(), SECRET_LENGTH | TOKEN_LENGTH)
            || bytes.iter().any(|&byte| place(byte) == 62)
        {
            return Err(wrong(text));
        }
        let (mask, cipher) = bytes.split_at(bytes.len() - SECRET_LENGTH);
        let mut secret = CsrfSecret([0; SECRET_LENGTH]);
        secret.0.copy_from_slice(cipher);
        for (byte, &mask) in secret.0.iter_mut().zip(mask) {
            *byte = shift(*byte, 62 - place(mask));
        }
        Ok(Self { secret, masked: !mask.is_empty() })
    }

    /// Was it under a mask?
    #[must_use]
    pub fn is_masked(&self) -> bool {
        self.masked
    }

    /// Does it hide this secret? Takes constant time.
    #[must_use]
    pub fn matches(&self, secret: &CsrfSecret) -> bool {
        self.secret == *secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_djangos() {
        let secret = CsrfSecret::parse("0123456789ABCDEFGHIJKLMNOPQRSTUV").unwrap();
        let token = secret.mask_with(b"abcdefghijklmnopqrstuvwxyzABCDEF");
        assert_eq!(token, "abcdefghijklmnopqrstuvwxyzABCDEF02468acegiKMOQSUWY02468acegikmoq");
        assert!(SubmittedToken::parse(&token).unwrap().matches(&secret));
    }

    #[test]
    fn two_tokens_of_one_secret_differ_and_match() {
        let secret = CsrfSecret::random();
        let (one, two) = (secret.mask(), secret.mask());
        assert_ne!(one, two);
        for token in [one, two, secret.expose().to_owned()] {
            assert!(SubmittedToken::parse(&token).unwrap().matches(&secret));
            assert!(!SubmittedToken::parse(&token).unwrap().matches(&CsrfSecret::random()));
        }
    }

    #[test]
    fn length_is_told_before_characters() {
        let form = |text: &str| SubmittedToken::parse(text).err();
        assert_eq!(form(""), Some(FormatError::Length));
        assert_eq!(form(&"a".repeat(33)), Some(FormatError::Length));
        assert_eq!(form(&"!".repeat(33)), Some(FormatError::Length));
        assert_eq!(form(&"!".repeat(32)), Some(FormatError::Characters));
        assert_eq!(form(&"é".repeat(32)), Some(FormatError::Characters));
        assert_eq!(form(&"é".repeat(16)), Some(FormatError::Length));
        assert_eq!(form(&"é".repeat(1024 * 1024)), Some(FormatError::Length));
        assert_eq!(form(&"a".repeat(64)), None);
    }

    #[test]
    fn a_bound_secret_is_of_one_session_only() {
        let secret = CsrfSecret::random();
        assert!(secret.bound_to("alice") == secret.bound_to("alice"));
        assert!(secret.bound_to("alice") != secret.bound_to("bob"));
        assert!(secret.bound_to("alice") != CsrfSecret::random().bound_to("alice"));
        assert!(SubmittedToken::parse(&secret.bound_to("").mask()).is_ok());
    }
}
