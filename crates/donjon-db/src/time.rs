//! Times as Django's SQLite back end keeps them: `2025-06-15 15:06:40[.ffffff]`, in UTC.
//!
//! Texts in this form sort as the times do, with and without decimals: a text sorts before those that
//! go on after it.

use donjon_core::clock::UnixTime;

/// What both Django and [`UnixTime::parse_iso`] can read: from Python's `datetime.min` to the last day
/// that is over before the year 10000 begins in any zone.
const RANGE: (UnixTime, UnixTime) =
    (UnixTime::from_seconds(-62_135_596_800), UnixTime::from_seconds(253_402_128_000));

/// The text of the column; a time beyond what can be read becomes the nearest that can.
pub(crate) fn to_column(time: UnixTime) -> String {
    time.clamp(RANGE.0, RANGE.1).to_sqlite()
}

/// The time in a column, whichever of Python's forms it has; `None` for what is no time.
pub(crate) fn from_column(text: &str) -> Option<UnixTime> {
    UnixTime::parse_iso(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_sort_as_times_do() {
        let micros = [-1, 0, 1, 10, 999_999, 1_000_000, 1_000_001, 60_000_000];
        let texts = micros.map(|micros| to_column(UnixTime::from_micros(micros)));
        assert!(texts.is_sorted(), "{texts:?}");
        for (micros, text) in micros.into_iter().zip(&texts) {
            assert_eq!(from_column(text), Some(UnixTime::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn the_ends_of_time_can_be_read_again() {
        let ends = [i64::MIN, i64::MAX].map(|micros| to_column(UnixTime::from_micros(micros)));
        assert_eq!(ends, ["0001-01-01 00:00:00", "9999-12-30 00:00:00"]);
        assert_eq!(ends.map(|text| from_column(&text)), [Some(RANGE.0), Some(RANGE.1)]);
    }
}
