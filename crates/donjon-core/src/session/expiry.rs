//! When a session ends.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::SessionData;
use crate::clock::UnixTime;

/// The name of a session's own end, if it has one. Django: `_session_expiry`.
pub(super) const EXPIRY: &str = "_session_expiry";

/// The name of the second at which a session was begun. Django does not know it, and leaves it alone.
pub(super) const BEGUN: &str = "_donjon_begun";

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
    /// After it was begun, in seconds, however active the visitor is; `None` for no such end.
    pub absolute: Option<i64>,
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

impl Expires {
    fn no_later_than(self, end: UnixTime, now: UnixTime) -> Self {
        if self.at <= end { self } else { Self { at: end, age: seconds_until(end, now), ..self } }
    }
}

fn seconds_until(at: UnixTime, now: UnixTime) -> i64 {
    at.micros().saturating_sub(now.micros()).div_euclid(1_000_000)
}

impl Lifetime {
    /// So many seconds after the last change, and no other end.
    #[must_use]
    pub const fn idle(seconds: i64) -> Self {
        Self { seconds, at_browser_close: false, absolute: None }
    }

    /// When a session with these values ends that was changed `now`: as [`Lifetime::expires`], and
    /// never after its absolute age.
    ///
    /// # Errors
    /// [`BadExpiry`] for a `_session_expiry` that `set_expiry` never stores.
    pub fn expires_of(&self, data: &SessionData, now: UnixTime) -> Result<Expires, BadExpiry> {
        let stored: Option<Value> = data.value(EXPIRY).map_err(|_| BadExpiry)?;
        let expires = self.expires(stored.as_ref(), now)?;
        Ok(self.end(data, now).map_or(expires, |end| expires.no_later_than(end, now)))
    }

    /// Has a session with these values reached its absolute age?
    pub(super) fn is_over(&self, data: &SessionData, now: UnixTime) -> bool {
        self.end(data, now).is_some_and(|end| end <= now)
    }

    /// A session that does not say when it was begun is begun now.
    fn end(&self, data: &SessionData, now: UnixTime) -> Option<UnixTime> {
        let begun = if data.contains(BEGUN) { begun(data) } else { now };
        self.absolute.map(|seconds| begun.plus_seconds(seconds))
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
                Ok(Expires { age: seconds_until(at, now), at, at_browser_close: false })
            }
            Some(_) => Err(BadExpiry),
        }
    }
}

/// What is no number is as old as can be: only the site can have written it.
fn begun(data: &SessionData) -> UnixTime {
    UnixTime::from_seconds(data.value(BEGUN).ok().flatten().unwrap_or(i64::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_750_000_000);
    const WEEKS: Lifetime = Lifetime::idle(1_209_600);

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

    #[test]
    fn the_absolute_age_beats_both() {
        let day = Lifetime { absolute: Some(86_400), ..WEEKS };
        let data = |json: String| SessionData::from_json(json.as_bytes()).unwrap();
        let begun = |ago: i64, expiry: &str| {
            data(format!(r#"{{"_donjon_begun":{}{expiry}}}"#, NOW.seconds() - ago))
        };
        let far = r#","_session_expiry":"2126-01-01T00:00:00+00:00""#;
        for (values, age) in [
            (data("{}".to_owned()), 86_400),
            (begun(0, ""), 86_400),
            (begun(86_000, ""), 400),
            (begun(86_000, r#","_session_expiry":300"#), 300),
            (begun(86_000, r#","_session_expiry":1000000"#), 400),
            (begun(86_000, far), 400),
            (begun(90_000, ""), -3_600),
        ] {
            let expires = day.expires_of(&values, NOW).unwrap();
            assert_eq!((expires.age, expires.at), (age, NOW.plus_seconds(age)), "{values:?}");
            assert_eq!(day.is_over(&values, NOW), age <= 0, "{values:?}");
            assert!(!WEEKS.is_over(&values, NOW));
        }
        for unreadable in [r#""yesterday""#, "null", "1.5", "[]", "99999999999999999999"] {
            let values = data(format!(r#"{{"_donjon_begun":{unreadable}}}"#));
            assert!(day.is_over(&values, NOW), "{unreadable}");
        }
    }
}
