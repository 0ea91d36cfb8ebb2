//! The time: the only door to it, so that a test can hold it still.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;

/// A point in time: microseconds since 1970-01-01 00:00 UTC, the precision of Django's dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// From whole seconds since 1970; beyond the range of microseconds it saturates.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// From microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This time and some seconds more, or fewer where they are negative.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// This time and some microseconds more, or fewer where they are negative.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// The system's name for this time, for the dates of files; 1970 for one that it has no name for.
    #[must_use]
    pub fn to_system(self) -> SystemTime {
        let since = Duration::from_micros(self.0.unsigned_abs());
        let time = match self.0 < 0 {
            true => UNIX_EPOCH.checked_sub(since),
            false => UNIX_EPOCH.checked_add(since),
        };
        time.unwrap_or(UNIX_EPOCH)
    }

    /// From the system's name for a time: the date of a file.
    #[must_use]
    pub fn from_system(time: SystemTime) -> Self {
        Self(since_1970(time))
    }

    /// Parses ISO 8601 as Python's `datetime.fromisoformat` reads it; without a zone it is UTC.
    ///
    /// Returns `None` for what is not a date and time.
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        if let Some(time) = parse_plain(text.as_bytes()) {
            return Some(time);
        }
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(Self(instant.as_microsecond()));
        }
        let local = text.parse::<DateTime>().ok()?;
        let instant = local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        Some(Self(instant.as_microsecond()))
    }

    /// ISO 8601 in UTC as Python's `datetime.isoformat` writes it: `2025-06-15T15:06:40+00:00`,
    /// with six decimals where there are microseconds.
    #[must_use]
    pub fn to_iso(self) -> String {
        let mut text = self.civil("T");
        text.push_str("+00:00");
        text
    }

    /// What Django's SQLite back end stores: `2025-06-15 15:06:40[.ffffff]`, in UTC and without zone.
    #[must_use]
    pub fn to_sqlite(self) -> String {
        self.civil(" ")
    }

    fn civil(self, between: &str) -> String {
        let Date { year, month, day, hour, minute, second, .. } = self.date();
        let mut text = String::with_capacity(LONGEST_ISO);
        match year {
            0..=9_999 => {
                push_two(&mut text, year / 100);
                push_two(&mut text, year);
            }
            // Writing to a String cannot fail.
            _ => drop(write!(text, "{year:04}")),
        }
        for (before, number) in
            [("-", month), ("-", day), (between, hour), (":", minute), (":", second)]
        {
            text.push_str(before);
            push_two(&mut text, number);
        }
        let micros = self.0.rem_euclid(1_000_000);
        if micros != 0 {
            text.push('.');
            for part in [micros / 10_000, micros / 100, micros] {
                push_two(&mut text, part);
            }
        }
        text
    }

    fn date(self) -> Date {
        let seconds = self.seconds();
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        Date {
            year,
            month,
            day,
            weekday: (days + 4).rem_euclid(7),
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }
}

/// `2025-06-15 15:06:40[.ffffff]`, which every row has: a tenth of the time that all other forms take, which are not
/// read here.
fn parse_plain(text: &[u8]) -> Option<UnixTime> {
    const MARKS: [(usize, u8); 4] = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let (whole, decimals) = text.split_first_chunk::<19>()?;
    let is_marked = MARKS.iter().all(|&(at, mark)| whole[at] == mark);
    if !is_marked || !matches!(whole[10], b' ' | b'T') {
        return None;
    }
    let micros = match decimals {
        [] => 0,
        [b'.', micros @ ..] if micros.len() == 6 => number(micros)?,
        _ => return None,
    };
    let year = i16::try_from(number(&whole[..4])?).ok().filter(|year| *year > 0)?;
    let two = |at: usize| i8::try_from(number(&whole[at..at + 2])?).ok();
    let (month, day) = (two(5)?, two(8)?);
    let time = DateTime::new(year, month, day, two(11)?, two(14)?, two(17)?, 0).ok()?;
    let since = time.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    Some(UnixTime::from_seconds(since.as_secs()).plus_micros(micros))
}

/// A number of few digits.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

struct Date {
    year: i64,
    month: i64,
    day: i64,
    weekday: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

/// Days since 1970 to year, month and day in the proleptic Gregorian calendar, counting years from
/// March so that the leap day comes last.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The length of `2025-06-15T15:06:40.123456+00:00`.
const LONGEST_ISO: usize = 32;

/// HTTP's form of a date (RFC 9110, 5.6.7): `Sun, 29 Jun 2025 15:06:40 GMT`.
pub struct HttpDate(pub UnixTime);

impl HttpDate {
    /// The length of a date of a year with four digits.
    const LENGTH: usize = 29;

    /// Appends the date to `text`. Years beyond 9999 are cut to their last four digits, which no
    /// cookie lives to see.
    pub(crate) fn write_to(&self, text: &mut String) {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let Date { year, month, day, weekday, hour, minute, second } = self.0.date();
        text.reserve(Self::LENGTH);
        text.push_str(DAYS[usize::try_from(weekday).unwrap_or(0) % 7]);
        text.push_str(", ");
        push_two(text, day);
        text.push(' ');
        text.push_str(MONTHS[usize::try_from(month - 1).unwrap_or(0) % 12]);
        text.push(' ');
        push_two(text, year / 100);
        push_two(text, year);
        for (number, before) in [(hour, ' '), (minute, ':'), (second, ':')] {
            text.push(before);
            push_two(text, number);
        }
        text.push_str(" GMT");
    }
}

/// Appends the last two digits of a number.
fn push_two(text: &mut String, number: i64) {
    let digits = number.rem_euclid(100);
    text.push(char::from(b'0' + (digits / 10) as u8));
    text.push(char::from(b'0' + (digits % 10) as u8));
}

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write_to(&mut text);
        f.write_str(&text)
    }
}

/// Where the time comes from: the system, or a hand that a test holds.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until [`Clock::set`] or [`Clock::advance`] moves it.
    #[must_use]
    pub fn fixed(now: UnixTime) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now.micros()))))
    }

    /// The time now.
    #[must_use]
    #[allow(clippy::disallowed_methods)]
    pub fn now(&self) -> UnixTime {
        match &self.0 {
            Some(micros) => UnixTime(micros.load(Ordering::SeqCst)),
            None => UnixTime(since_1970(SystemTime::now())),
        }
    }

    /// Moves a fixed clock to `now`; the system's clock stays as it is.
    pub fn set(&self, now: UnixTime) {
        if let Some(micros) = &self.0 {
            micros.store(now.micros(), Ordering::SeqCst);
        }
    }

    /// Moves a fixed clock on; the system's clock stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Some(micros) = &self.0 {
            let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            micros.fetch_add(by, Ordering::SeqCst);
        }
    }
}

fn since_1970(now: SystemTime) -> i64 {
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_and_python_write_them() {
        let time = UnixTime::from_seconds(1_751_209_600);
        assert_eq!(HttpDate(time).to_string(), "Sun, 29 Jun 2025 15:06:40 GMT");
        assert_eq!(
            HttpDate(UnixTime::from_seconds(0)).to_string(),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
        assert_eq!(time.to_iso(), "2025-06-29T15:06:40+00:00");
        assert_eq!(
            UnixTime::from_micros(1_751_209_600_500_000).to_sqlite(),
            "2025-06-29 15:06:40.500000"
        );
    }

    #[test]
    fn every_day_of_four_centuries_agrees_with_jiff() {
        for day in 0..146_097 {
            let time = UnixTime::from_seconds(day * 86_400 - 6_000_000_000);
            let jiff = jiff::Timestamp::from_second(time.seconds()).unwrap();
            assert_eq!(time.to_iso(), jiff.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string());
            assert_eq!(parse_plain(time.to_sqlite().as_bytes()), Some(time));
            assert_eq!(
                HttpDate(time).to_string(),
                jiff.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
            );
        }
    }

    #[test]
    fn iso_dates_are_read_in_all_of_pythons_forms() {
        for text in [
            "2025-06-15T18:06:40+03:00",
            "2025-06-15T15:06:40Z",
            "2025-06-15T15:06:40",
            "2025-06-15 15:06:40.000000",
        ] {
            assert_eq!(
                UnixTime::parse_iso(text),
                Some(UnixTime::from_seconds(1_750_000_000)),
                "{text}"
            );
        }
        for (text, micros) in [
            ("0001-01-01 00:00:00", -62_135_596_800_000_000),
            ("9999-12-31T23:59:59.999999", 253_402_300_799_999_999),
            ("2024-02-29 12:00:00.000001", 1_709_208_000_000_001),
        ] {
            let time = Some(UnixTime::from_micros(micros));
            assert_eq!((parse_plain(text.as_bytes()), UnixTime::parse_iso(text)), (time, time));
        }
        for other in [
            "2025-02-29 00:00:00",
            "2025-00-10 00:00:00",
            "2025-13-10 00:00:00",
            "2025-01-00 00:00:00",
            "2025-04-31 00:00:00",
            "2025-01-01 24:00:00",
            "2025-01-01 00:60:00",
            "2025-01-01 00:00:61",
            "2025-01-01 00:00:0x",
            "2025-01-01 00:00:00.00000x",
            "2025/01/01 00:00:00",
        ] {
            assert_eq!((parse_plain(other.as_bytes()), UnixTime::parse_iso(other)), (None, None));
        }
        for (micros, text) in [
            (-62_167_219_200_000_000, "0000-01-01 00:00:00"),
            (-62_167_219_200_000_001, "-001-12-31 23:59:59.999999"),
            (253_402_300_800_000_007, "10000-01-01 00:00:00.000007"),
            (1_750_000_000_102_030, "2025-06-15 15:06:40.102030"),
        ] {
            assert_eq!(UnixTime::from_micros(micros).to_sqlite(), text);
        }
        assert_eq!(parse_plain(b"0000-01-01 00:00:00"), None, "Python has no such year");
        assert_eq!(UnixTime::parse_iso("not a date"), None);
        assert_eq!(UnixTime::parse_iso(""), None);
    }
}
