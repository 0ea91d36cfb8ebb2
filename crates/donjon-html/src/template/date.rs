//! Dates and times, and the format letters of Django's `date` filter.
//!
//! The names are English; `c` is ISO 8601 and `r` RFC 5322.

use std::fmt::{self, Write as _};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const AP_MONTHS: [&str; 12] = [
    "Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.",
    "Dec.",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const MICROS: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
/// The years that Python's `datetime` knows, so that no arithmetic can overflow.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// The format of `{{ moment|date }}`: Django's `DATE_FORMAT`.
pub const DATE_FORMAT: &str = "N j, Y";
/// The format of `{{ moment }}`: Django's `DATETIME_FORMAT`.
pub const DATETIME_FORMAT: &str = "N j, Y, P";
/// The format of `{{ moment|time }}`: Django's `TIME_FORMAT`.
pub const TIME_FORMAT: &str = "P";

/// A date and time: a moment and the offset in which it is shown, or a naive one, without an offset.
#[derive(Clone, Copy, Debug)]
pub struct DateTime {
    micros: i64,
    offset: Option<i32>,
}

impl DateTime {
    /// The system's time, in UTC.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "templates have no site around them that could hold the time still"
    )]
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self::from_epoch_micros(
            since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// The moment that many microseconds after 1970-01-01 00:00 UTC, shown in UTC. Years outside 1 to 9999 are cut off
    /// at those years.
    #[must_use]
    pub fn from_epoch_micros(micros: i64) -> Self {
        Self { micros: micros.clamp(*RANGE.start(), *RANGE.end()), offset: Some(0) }
    }

    /// The moment that many seconds after 1970-01-01 00:00 UTC, shown in UTC.
    #[must_use]
    pub fn from_epoch_seconds(seconds: i64) -> Self {
        Self::from_epoch_micros(seconds.saturating_mul(MICROS))
    }

    /// The same moment, shown that many seconds east of UTC. At most a day is taken.
    #[must_use]
    pub fn with_offset(self, seconds: i32) -> Self {
        Self { offset: Some(seconds.clamp(-86_399, 86_399)), ..self }
    }

    /// The same clock reading, without an offset: what Django calls naive.
    #[must_use]
    pub fn naive(self) -> Self {
        let micros = self.local_micros();
        Self { micros, offset: None }
    }

    /// Reads ISO 8601: `2026-11-24`, `2026-11-24T12:30:00.5+01:00`. Without an offset the result is naive.
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
        let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        let valid =
            (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        let days = valid.then(|| days_from_civil(year, month, day))?;
        let (clock, offset) = split_offset(time)?;
        let naive =
            Self { micros: days * DAY_SECONDS * MICROS + clock_micros(clock)?, offset: None };
        Some(match offset {
            None => naive,
            Some(seconds) => Self::from_epoch_micros(naive.micros - i64::from(seconds) * MICROS)
                .with_offset(seconds),
        })
    }

    /// Microseconds since 1970-01-01 00:00 UTC; of a naive one, as if it were UTC.
    #[must_use]
    pub fn epoch_micros(self) -> i64 {
        self.micros
    }

    /// Seconds east of UTC, or `None` for a naive one.
    #[must_use]
    pub fn offset(self) -> Option<i32> {
        self.offset
    }

    /// The date and time in a format of Django's `date` filter.
    #[must_use]
    pub fn format(self, format: &str) -> String {
        let mut out = String::new();
        let fields = Fields::of(self);
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => out.extend(letters.next()),
                _ => drop(fields.write(&mut out, letter)),
            }
        }
        out
    }

    fn local_micros(self) -> i64 {
        self.micros + i64::from(self.offset.unwrap_or_default()) * MICROS
    }

    pub(crate) fn write_repr(self, out: &mut impl fmt::Write) -> fmt::Result {
        let f = Fields::of(self);
        write!(
            out,
            "datetime.datetime({}, {}, {}, {}, {}",
            f.year, f.month, f.day, f.hour, f.minute
        )?;
        if f.second != 0 || f.micro != 0 {
            write!(out, ", {}", f.second)?;
        }
        if f.micro != 0 {
            write!(out, ", {}", f.micro)?;
        }
        out.write_char(')')
    }
}

/// Python's `str`: `2026-11-24 12:30:00+00:00`.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = Fields::of(*self);
        fields.write_iso(f, ' ')
    }
}

impl PartialEq for DateTime {
    fn eq(&self, other: &Self) -> bool {
        self.offset.is_some() == other.offset.is_some() && self.micros == other.micros
    }
}

impl PartialOrd for DateTime {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (self.offset.is_some() == other.offset.is_some()).then(|| self.micros.cmp(&other.micros))
    }
}

/// A date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(jiff::civil::Date);

impl Date {
    /// A date of the calendar. `None` outside the years 1 to 9999, or if there is no such day.
    #[must_use]
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        let date = jiff::civil::Date::new(year, month, day).ok()?;
        (1..=9999).contains(&year).then_some(Self(date))
    }

    pub(crate) fn write_repr(self, out: &mut impl fmt::Write) -> fmt::Result {
        let date = self.0;
        write!(out, "datetime.date({}, {}, {})", date.year(), date.month(), date.day())
    }
}

/// Python's `str`: `2026-11-24`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

/// A time of day, with microseconds, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(jiff::civil::Time);

impl Time {
    /// A time of day. `None` if there is no such time.
    #[must_use]
    pub fn new(hour: i8, minute: i8, second: i8, micro: i32) -> Option<Self> {
        jiff::civil::Time::new(hour, minute, second, micro.checked_mul(1000)?).ok().map(Self)
    }

    fn micro(self) -> i32 {
        self.0.subsec_nanosecond() / 1000
    }

    pub(crate) fn write_repr(self, out: &mut impl fmt::Write) -> fmt::Result {
        write!(out, "datetime.time({}, {}", self.0.hour(), self.0.minute())?;
        if self.0.second() != 0 || self.micro() != 0 {
            write!(out, ", {}", self.0.second())?;
        }
        if self.micro() != 0 {
            write!(out, ", {}", self.micro())?;
        }
        out.write_char(')')
    }
}

/// Python's `str`: `12:30:00.000005`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.0.hour(), self.0.minute(), self.0.second())?;
        if self.micro() != 0 { write!(f, ".{:06}", self.micro()) } else { Ok(()) }
    }
}

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

fn split_offset(time: &str) -> Option<(&str, Option<i32>)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, Some(0)));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, None));
    };
    let (clock, offset) = time.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let seconds = clock_micros(offset.get(1..)?)? / MICROS;
    Some((clock, Some(sign * i32::try_from(seconds).ok()?)))
}

fn clock_micros(clock: &str) -> Option<i64> {
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts =
        clock.split(':').map(|part| part.parse::<i64>().ok().filter(|n| (0..60).contains(n)));
    let (hour, minute, second) =
        (parts.next()??, parts.next().unwrap_or(Some(0))?, parts.next().unwrap_or(Some(0))?);
    let digits = fraction.get(..fraction.len().min(6))?;
    let micros = digits.parse::<u32>().ok()? * 10u32.pow(6 - u32::try_from(digits.len()).ok()?);
    (hour < 24 && parts.next().is_none())
        .then_some((hour * 3600 + minute * 60 + second) * MICROS + i64::from(micros))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (<https://howardhinnant.github.io/date_algorithms.html>).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

struct Fields {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micro: i64,
    /// Days since the epoch.
    days: i64,
    epoch: i64,
    offset: Option<i32>,
}

impl Fields {
    fn of(moment: DateTime) -> Self {
        let local = moment.local_micros();
        let (seconds, micro) = (local.div_euclid(MICROS), local.rem_euclid(MICROS));
        let (days, clock) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
        let epoch = moment.micros.div_euclid(MICROS);
        Self { year, month, day, hour, minute, second, micro, days, epoch, offset: moment.offset }
    }

    fn write(&self, out: &mut String, letter: char) -> fmt::Result {
        match letter {
            'a' => out.write_str(if self.hour > 11 { "p.m." } else { "a.m." }),
            'A' => out.write_str(if self.hour > 11 { "PM" } else { "AM" }),
            'g' => write!(out, "{}", self.hour12()),
            'G' => write!(out, "{}", self.hour),
            'h' => write!(out, "{:02}", self.hour12()),
            'H' => write!(out, "{:02}", self.hour),
            'i' => write!(out, "{:02}", self.minute),
            's' => write!(out, "{:02}", self.second),
            'u' => write!(out, "{:06}", self.micro),
            'f' => self.write_short_time(out),
            'P' => self.write_prose_time(out),
            'e' | 'T' => self.write_zone(out),
            'O' => self.write_offset(out, ""),
            'Z' => self.offset.map_or(Ok(()), |seconds| write!(out, "{seconds}")),
            'I' => out.write_str(if self.offset.is_some() { "0" } else { "" }),
            _ => self.write_date(out, letter),
        }
    }

    fn write_date(&self, out: &mut String, letter: char) -> fmt::Result {
        match letter {
            'd' => write!(out, "{:02}", self.day),
            'D' => out.write_str(start(self.weekday_name(), 3)),
            'j' => write!(out, "{}", self.day),
            'l' => out.write_str(self.weekday_name()),
            'S' => out.write_str(self.ordinal()),
            'w' => write!(out, "{}", self.weekday()),
            'z' => write!(out, "{}", self.day_of_year()),
            'W' => write!(out, "{}", self.iso_week().1),
            'o' => write!(out, "{}", self.iso_week().0),
            'm' => write!(out, "{:02}", self.month),
            'n' => write!(out, "{}", self.month),
            'M' => out.write_str(start(self.month_in(&MONTHS), 3)),
            'b' => out.write_str(&start(self.month_in(&MONTHS), 3).to_lowercase()),
            'E' | 'F' => out.write_str(self.month_in(&MONTHS)),
            'N' => out.write_str(self.month_in(&AP_MONTHS)),
            't' => write!(out, "{}", self.days_in_month()),
            'L' => out.write_str(if is_leap(self.year) { "True" } else { "False" }),
            'y' => write!(out, "{:02}", self.year % 100),
            'Y' => write!(out, "{:04}", self.year),
            'U' => write!(out, "{}", self.epoch),
            'c' => self.write_iso(out, 'T'),
            'r' => self.write_rfc_5322(out),
            _ => out.write_char(letter),
        }
    }

    fn hour12(&self) -> i64 {
        if self.hour % 12 == 0 { 12 } else { self.hour % 12 }
    }

    fn weekday(&self) -> i64 {
        (self.days + 4).rem_euclid(7)
    }

    fn weekday_name(&self) -> &'static str {
        usize::try_from(self.weekday())
            .ok()
            .and_then(|day| DAYS.get(day))
            .copied()
            .unwrap_or_default()
    }

    fn month_in(&self, names: &[&'static str; 12]) -> &'static str {
        usize::try_from(self.month - 1)
            .ok()
            .and_then(|month| names.get(month))
            .copied()
            .unwrap_or_default()
    }

    fn ordinal(&self) -> &'static str {
        match (self.day, self.day % 10) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        }
    }

    fn day_of_year(&self) -> i64 {
        self.days - days_from_civil(self.year, 1, 1) + 1
    }

    fn days_in_month(&self) -> i64 {
        match self.month {
            2 if is_leap(self.year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// The ISO 8601 year and week: the week belongs to the year of its Thursday.
    fn iso_week(&self) -> (i64, i64) {
        let thursday = self.days - (self.weekday() + 6) % 7 + 3;
        let (year, ..) = civil_from_days(thursday);
        (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
    }

    fn write_short_time(&self, out: &mut String) -> fmt::Result {
        write!(out, "{}", self.hour12())?;
        if self.minute != 0 { write!(out, ":{:02}", self.minute) } else { Ok(()) }
    }

    fn write_prose_time(&self, out: &mut String) -> fmt::Result {
        match (self.hour, self.minute) {
            (0, 0) => out.write_str("midnight"),
            (12, 0) => out.write_str("noon"),
            _ => {
                self.write_short_time(out)?;
                out.write_str(if self.hour > 11 { " p.m." } else { " a.m." })
            }
        }
    }

    fn write_zone(&self, out: &mut String) -> fmt::Result {
        match self.offset {
            None => Ok(()),
            Some(0) => out.write_str("UTC"),
            Some(_) => {
                out.write_str("UTC")?;
                self.write_offset(out, ":")
            }
        }
    }

    fn write_offset(&self, out: &mut impl fmt::Write, separator: &str) -> fmt::Result {
        let Some(seconds) = self.offset else {
            return Ok(());
        };
        let (sign, size) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
        write!(out, "{sign}{:02}{separator}{:02}", size / 3600, size / 60 % 60)
    }

    fn write_iso(&self, out: &mut impl fmt::Write, separator: char) -> fmt::Result {
        write!(out, "{:04}-{:02}-{:02}{separator}", self.year, self.month, self.day)?;
        write!(out, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)?;
        if self.micro != 0 {
            write!(out, ".{:06}", self.micro)?;
        }
        self.write_offset(out, ":")
    }

    fn write_rfc_5322(&self, out: &mut String) -> fmt::Result {
        let (day, month) = (start(self.weekday_name(), 3), start(self.month_in(&MONTHS), 3));
        write!(out, "{day}, {:02} {month} {:04} ", self.day, self.year)?;
        write!(out, "{:02}:{:02}:{:02} ", self.hour, self.minute, self.second)?;
        if self.offset.is_none() { out.write_str("-0000") } else { self.write_offset(out, "") }
    }
}

fn start(name: &str, length: usize) -> &str {
    name.get(..length).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(iso: &str, format: &str) -> String {
        DateTime::parse_iso(iso).map(|moment| moment.format(format)).unwrap_or_default()
    }

    #[test]
    fn every_letter() {
        let iso = "2023-11-14T22:13:20.000007+01:30";
        let all = "a|A|b|c|d|D|e|E|f|F|g|G|h|H|i|I|j|l|L|m|M|n|N|o|O|P|s|S|t|u|U|w|W|y|Y|z|Z|\\Y";
        assert_eq!(
            format(iso, all),
            "p.m.|PM|nov|2023-11-14T22:13:20.000007+01:30|14|Tue|UTC+01:30|November|10:13|November|10|22|10|22|13|0|14\
             |Tuesday|False|11|Nov|11|Nov.|2023|+0130|10:13 p.m.|20|th|30|000007|1699994600|2|46|23|2023|318|5400|Y"
        );
        assert_eq!(format("2023-11-14T22:13:20+00:00", "r"), "Tue, 14 Nov 2023 22:13:20 +0000");
    }

    #[test]
    fn edges_of_years() {
        assert_eq!(format("2021-01-01", "o W z"), "2020 53 1");
        assert_eq!(format("2024-12-31", "o W z t"), "2025 1 366 31");
        assert_eq!(format("0001-01-01", "Y N j, P"), "0001 Jan. 1, midnight");
        assert_eq!(DateTime::from_epoch_micros(i64::MIN).format("Y"), "0001");
        assert_eq!(DateTime::from_epoch_seconds(i64::MAX).with_offset(80_000).format("Y"), "10000");
    }

    #[test]
    fn nonsense_is_no_date() {
        for bad in [
            "",
            "x",
            "2023",
            "2023-13-01",
            "2023-01-01T25:00",
            "2023-01-01T00:00:00.é",
            "2023-01-01T1+",
        ] {
            assert!(DateTime::parse_iso(bad).is_none(), "{bad:?}");
        }
    }
}
