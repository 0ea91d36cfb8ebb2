//! The text of a session's row.

use std::fmt;

use super::SessionData;
use crate::clock::{Clock, UnixTime};
use crate::secret::Keys;
use crate::signing::{Compress, SigningError, TimestampSigner};

/// Turns a session's values into the text of Django's `session_data` column and back.
#[derive(Clone, Debug)]
pub struct SessionCodec {
    signer: TimestampSigner,
    compress: Compress,
}

/// A row that is not to be believed: garbage, or signed with a key that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuspiciousSession(pub SigningError);

impl fmt::Display for SuspiciousSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the session's row is not to be believed: {}", self.0)
    }
}

impl std::error::Error for SuspiciousSession {}

impl SessionCodec {
    /// The salt of every built-in server-side engine of Django.
    pub const SALT: &'static str = "django.contrib.sessions.SessionStore";

    /// The salt of Django's sessions that are kept in their cookie.
    pub const COOKIE_SALT: &'static str = "django.contrib.sessions.backends.signed_cookies";

    /// A codec with these keys and [`SessionCodec::SALT`].
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        let signer = TimestampSigner::new(keys).salt(Self::SALT);
        Self { signer, compress: Compress::WhereLong }
    }

    /// Takes another salt, as a subclass of Django's engines has.
    #[must_use]
    pub fn salt(self, salt: impl Into<String>) -> Self {
        Self { signer: self.signer.salt(salt), ..self }
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { signer: self.signer.clock(clock), ..self }
    }

    /// Compresses what it writes more or less eagerly than [`Compress::WhereLong`], which is the default. Django's
    /// engines compress [where that is shorter](Compress::WhereShorter). Either reads what the other wrote.
    #[must_use]
    pub fn compress(self, compress: Compress) -> Self {
        Self { compress, ..self }
    }

    /// The values as signed text.
    ///
    /// # Errors
    /// [`SigningError::Malformed`], which the values rule out: all of them are JSON.
    pub fn encode(&self, data: &SessionData) -> Result<String, SigningError> {
        Ok(self.signer.sign_payload(&data.to_json()?, self.compress))
    }

    /// The values back from signed text.
    ///
    /// # Errors
    /// [`SuspiciousSession`]: Django then logs it and goes on with an empty session.
    pub fn decode(&self, text: &str) -> Result<SessionData, SuspiciousSession> {
        let payload = self.signer.unsign_payload(text, None).map_err(SuspiciousSession)?;
        SessionData::from_payload(&payload).map_err(SuspiciousSession)
    }

    /// The values back from signed text, and when it was signed, in whole seconds.
    ///
    /// # Errors
    /// As [`SessionCodec::decode`].
    pub fn decode_dated(&self, text: &str) -> Result<(SessionData, UnixTime), SuspiciousSession> {
        let (payload, signed_at) =
            self.signer.unsign_dated_payload(text).map_err(SuspiciousSession)?;
        let data = SessionData::from_payload(&payload).map_err(SuspiciousSession)?;
        Ok((data, signed_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec() -> SessionCodec {
        let keys = Keys::new("donjon-test-secret-key-0123456789abcdefghijklmnopqrstuvwxyz")
            .fallback("old-secret-key");
        SessionCodec::new(&keys).clock(Clock::fixed(UnixTime::from_seconds(1_700_000_000)))
    }

    #[test]
    fn rule_5_rows_are_djangos() {
        let row = "eyJhIjoxfQ:1r31eq:6JY7qA6_tXlRxkuT49Iwua12kR29N3MUmpm066bm4ps";
        let data = SessionData::from_json(br#"{"a":1}"#).unwrap();
        assert_eq!(codec().encode(&data).unwrap(), row);
        assert_eq!(codec().decode(row).unwrap(), data);
        let compressed = ".eJyrVopPLC3JiC8tTi2Kz0xRslIyVNJBFktKTM5OzQNJpGQl5qXn6yXn55UUZSbpgZToQWWL9XzzU1JznKBqUQzISCzOAOquoBAo1QIAkBRETQ:1r31eq:R3Iy7gCSehp8o0wHEkfX9nHnU75-vywSQMx65qdm70Y";
        let user: Option<String> =
            codec().decode(compressed).unwrap().value("_auth_user_id").unwrap();
        assert_eq!(user.as_deref(), Some("1"));
        let data = codec().decode(compressed).unwrap();
        let short = codec().encode(&data).unwrap();
        assert!(!short.starts_with('.') && codec().decode(&short).unwrap() == data);
        let packed = codec().compress(Compress::WhereShorter).encode(&data).unwrap();
        assert!(packed.starts_with('.') && codec().decode(&packed).unwrap() == data);
    }

    #[test]
    fn rule_5_long_rows_are_compressed() {
        let data = SessionData::from_json(format!("{{\"a\":\"{}\"}}", "b".repeat(1024)).as_bytes());
        let row = codec().encode(data.as_ref().unwrap()).unwrap();
        assert!(row.starts_with('.') && row.len() < 128, "{row}");
        assert_eq!(codec().decode(&row).unwrap(), data.unwrap());
    }

    #[test]
    fn rule_5_garbage_is_told_apart_from_an_empty_session() {
        for row in ["", "garbage", "eyJhIjoxfQ:1r31eq:forged", "::", "\u{0}"] {
            assert!(codec().decode(row).is_err(), "{row}");
        }
    }
}
