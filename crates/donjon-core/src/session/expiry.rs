//! When a session ends.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::SessionData;
use crate::clock::UnixTime;

/// When one session ends, if it is not as the site's settings have it. Django: `set_expiry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// This long after its last change.
    After(Duration),
    /// At this time.
    At(UnixTime),
    /// When the browser is closed.
    AtBrowserClose,
}

impl Expiry {
    /// What is stored under `_session_expiry`.
    pub(super) fn to_json(self) -> Value {
        match self {
            Self::After(age) => json!(age.as_secs()),
            Self::At(time) => json!(time.to_iso()),
            Self::AtBrowserClose => json!(0),
        }
    }
}

/// How long sessions last. Django: `SESSION_COOKIE_AGE`, `SESSION_EXPIRE_AT_BROWSER_CLOSE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// After the last change, in seconds.
    pub seconds: i64,
    /// Does the cookie go when the browser is closed?
    pub at_browser_close: bool,
}

/// When a session ends, worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expires {
    /// In so many seconds; negative for what is past. Django: `get_expiry_age`.
    pub age: i64,
    /// At this time. Django: `get_expiry_date`.
    pub at: UnixTime,
    /// Does its cookie go when the browser is closed? Django: `get_expire_at_browser_close`.
    pub at_browser_close: bool,
}

/// A stored expiry that is neither a number of seconds nor a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadExpiry;

impl fmt::Display for BadExpiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session's _session_expiry is neither a number of seconds nor an ISO date")
    }
}

impl std::error::Error for BadExpiry {}

/// The name of the value that says when a session ends.
pub(super) const EXPIRY: &str = "_session_expiry";

impl Lifetime {
    /// When a session of these values ends that was changed `now`.
    ///
    /// # Errors
    /// [`BadExpiry`] for a `_session_expiry` that `set_expiry` never stores.
    pub fn expires_of(&self, data: &SessionData, now: UnixTime) -> Result<Expires, BadExpiry> {
        let stored: Option<Value> = data.value(EXPIRY).map_err(|_| BadExpiry)?;
        self.expires(stored.as_ref(), now)
    }

    /// When a session ends that has `stored` under `_session_expiry` and was changed `now`.
    ///
    /// # Errors
    /// [`BadExpiry`] for what `set_expiry` never stores.
    pub fn expires(&self, stored: Option<&Value>, now: UnixTime) -> Result<Expires, BadExpiry> {
        let after = |age: i64, at_browser_close| Expires {
            age,
            at: now.plus_seconds(age),
            at_browser_close,
        };
        match stored {
            None | Some(Value::Null) => Ok(after(self.seconds, self.at_browser_close)),
            Some(Value::Number(number)) => match number.as_i64().ok_or(BadExpiry)? {
                0 => Ok(after(self.seconds, true)),
                age => Ok(after(age, false)),
            },
            Some(Value::String(date)) => {
                let at = UnixTime::parse_iso(date).ok_or(BadExpiry)?;
                let age = (at.micros() - now.micros()).div_euclid(1_000_000);
                Ok(Expires { age, at, at_browser_close: false })
            }
            Some(_) => Err(BadExpiry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_750_000_000);
    const WEEKS: Lifetime = Lifetime { seconds: 1_209_600, at_browser_close: false };

    #[test]
    fn a_stored_expiry_beats_the_setting() {
        let expires = |value: Value| WEEKS.expires(Some(&value), NOW).unwrap();
        assert_eq!(WEEKS.expires(None, NOW).unwrap().age, 1_209_600);
        assert_eq!(expires(Expiry::After(Duration::from_secs(300)).to_json()).age, 300);
        assert_eq!(expires(Expiry::At(NOW.plus_seconds(-10)).to_json()).age, -10);
        let closing = expires(Expiry::AtBrowserClose.to_json());
        assert!(closing.at_browser_close && closing.age == 1_209_600);
        for bad in [json!(""), json!("not a date"), json!([1]), json!(true), json!(1.5)] {
            assert_eq!(WEEKS.expires(Some(&bad), NOW), Err(BadExpiry), "{bad}");
        }
    }
}
