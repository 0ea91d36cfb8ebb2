//! Spans of time.

use std::fmt;

use super::{DAY_SECONDS, MICROS};

/// A span of time in microseconds: Python's `timedelta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

impl Duration {
    /// A span of that many microseconds.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The span in microseconds.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Whether the span is empty.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whole days, rounded down, and the seconds and microseconds that are left.
    fn parts(self) -> (i64, i64, i64) {
        let seconds = self.0.div_euclid(MICROS);
        (
            seconds.div_euclid(DAY_SECONDS),
            seconds.rem_euclid(DAY_SECONDS),
            self.0.rem_euclid(MICROS),
        )
    }

    pub(crate) fn write_repr(self, out: &mut impl fmt::Write) -> fmt::Result {
        let (days, seconds, micros) = self.parts();
        let named = [("days", days), ("seconds", seconds), ("microseconds", micros)];
        let parts: Vec<String> = named
            .iter()
            .filter(|(_, number)| *number != 0)
            .map(|(name, number)| format!("{name}={number}"))
            .collect();
        match parts.is_empty() {
            true => out.write_str("datetime.timedelta(0)"),
            false => write!(out, "datetime.timedelta({})", parts.join(", ")),
        }
    }
}

/// Python's `str`: `1 day, 0:00:03`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds, micros) = self.parts();
        if days != 0 {
            write!(f, "{days} day{}, ", if days.abs() == 1 { "" } else { "s" })?;
        }
        write!(f, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if micros != 0 { write!(f, ".{micros:06}") } else { Ok(()) }
    }
}
