//! Dates and times, and the format letters of Django's `date` filter.
//!
//! 1. Years are 1 to 9999, as in Python: no arithmetic can overflow.
//! 2. A format is the template author's; it writes at most as many names and numbers as it has letters.

use std::cmp::Ordering;
use std::fmt;

mod calendar;
mod format;
mod iso;
mod since;
mod span;
mod zone;

use calendar::{Civil, days_from_civil};
pub use format::FormatError;
pub(crate) use format::write_nothing;
use format::{Moment, Shape};
pub(crate) use since::{DEPTH, Units, since};
pub use span::Duration;
pub use zone::TimeZone;

use crate::locale::Locale;

const MICROS: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
const DAY: i64 = DAY_SECONDS * MICROS;
/// The years that Python's `datetime` knows, so that no arithmetic can overflow.
const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// The format of `{{ moment|date }}` in English: Django's `DATE_FORMAT`.
pub const DATE_FORMAT: &str = "N j, Y";
/// The format of `{{ moment }}` in English: Django's `DATETIME_FORMAT`.
pub const DATETIME_FORMAT: &str = "N j, Y, P";
/// The format of `{{ moment|time }}` in English: Django's `TIME_FORMAT`.
pub const TIME_FORMAT: &str = "P";

/// A date and time: aware, in a time zone, or naive, a mere clock reading.
#[derive(Clone, Debug)]
pub struct DateTime {
    /// The clock reading, as microseconds since 1970-01-01 00:00.
    wall: i64,
    aware: Option<Aware>,
    is_pinned: bool,
}

#[derive(Clone, Debug)]
struct Aware {
    zone: TimeZone,
    /// Seconds east of UTC.
    offset: i32,
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
        let aware = Aware { zone: TimeZone::utc(), offset: 0 };
        Self { wall: clamp(micros), aware: Some(aware), is_pinned: false }
    }

    /// The moment that many seconds after 1970-01-01 00:00 UTC, shown in UTC.
    #[must_use]
    pub fn from_epoch_seconds(seconds: i64) -> Self {
        Self::from_epoch_micros(seconds.saturating_mul(MICROS))
    }

    /// A naive moment: that clock reading, as microseconds after 1970-01-01 00:00.
    #[must_use]
    pub fn from_naive_micros(wall: i64) -> Self {
        Self { wall: clamp(wall), aware: None, is_pinned: false }
    }

    /// A naive moment: the first of a day.
    #[must_use]
    pub fn from_date(date: Date) -> Self {
        Self::from_naive_micros(date.days() * DAY)
    }

    /// The same moment, shown that many seconds east of UTC. At most a day is taken.
    #[must_use]
    pub fn with_offset(self, seconds: i32) -> Self {
        self.in_zone(&TimeZone::fixed(seconds))
    }

    /// The same moment, shown in a zone; a naive one is taken as UTC. Python's `astimezone`.
    #[must_use]
    pub fn in_zone(&self, zone: &TimeZone) -> Self {
        let micros = self.epoch_micros();
        let offset = zone.offset_at(micros);
        Self {
            wall: clamp(micros + i64::from(offset) * MICROS),
            aware: Some(Aware { zone: zone.clone(), offset }),
            is_pinned: false,
        }
    }

    /// The same clock reading, in a zone: Django's `make_aware`. Of a reading that occurs twice the first is meant; one
    /// that does not occur has the offset from before the gap, as in Python.
    #[must_use]
    pub fn make_aware(&self, zone: &TimeZone) -> Self {
        let offset = zone.read(self.wall).offset;
        Self { aware: Some(Aware { zone: zone.clone(), offset }), ..self.clone() }
    }

    /// The same clock reading, without a zone: what Django calls naive.
    #[must_use]
    pub fn naive(self) -> Self {
        Self { aware: None, ..self }
    }

    /// Shown in its own zone, also where moments are shown in the active one: what the filter `timezone` makes.
    #[must_use]
    pub fn pinned(self) -> Self {
        Self { is_pinned: true, ..self }
    }

    /// Whether the moment is shown in its own zone everywhere.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.is_pinned
    }

    /// Whether the moment has a zone.
    #[must_use]
    pub fn is_aware(&self) -> bool {
        self.aware.is_some()
    }

    /// The zone, or `None` for a naive moment.
    #[must_use]
    pub fn zone(&self) -> Option<&TimeZone> {
        self.aware.as_ref().map(|aware| &aware.zone)
    }

    /// Reads ISO 8601: `2026-11-24`, `2026-11-24T12:30:00.5+01:00`. Without an offset the result is naive.
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        iso::parse(text)
    }

    /// Microseconds since 1970-01-01 00:00 UTC; of a naive one, as if it were UTC.
    #[must_use]
    pub fn epoch_micros(&self) -> i64 {
        self.wall - i64::from(self.offset().unwrap_or_default()) * MICROS
    }

    /// Seconds east of UTC, or `None` for a naive one.
    #[must_use]
    pub fn offset(&self) -> Option<i32> {
        self.aware.as_ref().map(|aware| aware.offset)
    }

    /// The day on the calendar.
    #[must_use]
    pub fn date(&self) -> Date {
        Date::from_days(self.wall.div_euclid(DAY))
    }

    /// The date and time in a format of Django's `date` filter, in English.
    #[must_use]
    pub fn format(&self, format: &str) -> String {
        let mut out = String::new();
        let _ = self.write(&mut out, format, &Locale::english());
        out
    }

    /// Appends the date and time in a format of Django's `date` filter, with the names of a language. A naive moment is
    /// taken to be in the site's zone.
    ///
    /// # Errors
    ///
    /// None: a date and time has what every letter asks for.
    pub fn write(
        &self,
        out: &mut String,
        format: &str,
        locale: &Locale,
    ) -> Result<(), FormatError> {
        format::write(out, format, &Moment::of_datetime(self, Shape::DateTime, locale))
    }

    /// Appends the time of day in a format of Django's `time` filter.
    pub(crate) fn write_time(
        &self,
        out: &mut String,
        format: &str,
        locale: &Locale,
    ) -> Result<(), FormatError> {
        format::write(out, format, &Moment::of_datetime(self, Shape::ClockOnly, locale))
    }

    fn clock(&self) -> i64 {
        self.wall.rem_euclid(DAY)
    }

    fn civil(&self) -> Civil {
        Civil::of_days(self.wall.div_euclid(DAY))
    }

    pub(crate) fn write_repr(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let Civil { year, month, day } = self.civil();
        let (hour, minute, second, micro) = clock_parts(self.clock());
        write!(out, "datetime.datetime({year}, {month}, {day}, {hour}, {minute}")?;
        write_repr_seconds(out, second, micro)?;
        match &self.aware {
            None => out.write_char(')'),
            Some(aware) => write!(out, ", tzinfo={})", aware.zone.repr()),
        }
    }
}

fn clamp(micros: i64) -> i64 {
    micros.clamp(*RANGE.start(), *RANGE.end())
}

/// Hour, minute, second and microsecond of a time of day.
fn clock_parts(clock: i64) -> (i64, i64, i64, i64) {
    let seconds = clock / MICROS;
    (seconds / 3600, seconds / 60 % 60, seconds % 60, clock % MICROS)
}

fn write_clock(out: &mut impl fmt::Write, clock: i64) -> fmt::Result {
    let (hour, minute, second, micro) = clock_parts(clock);
    write!(out, "{hour:02}:{minute:02}:{second:02}")?;
    if micro != 0 { write!(out, ".{micro:06}") } else { Ok(()) }
}

fn write_repr_seconds(out: &mut impl fmt::Write, second: i64, micro: i64) -> fmt::Result {
    if second != 0 || micro != 0 {
        write!(out, ", {second}")?;
    }
    if micro != 0 { write!(out, ", {micro}") } else { Ok(()) }
}

/// `+01:30`, and with seconds where there are some.
fn clock_offset(seconds: i32, separator: &str) -> String {
    let (sign, size) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let minutes = format!("{sign}{:02}{separator}{:02}", size / 3600, size / 60 % 60);
    if size % 60 == 0 { minutes } else { format!("{minutes}{separator}{:02}", size % 60) }
}

/// Python's `str`: `2026-11-24 12:30:00+00:00`.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_iso(f, ' ')
    }
}

impl DateTime {
    fn write_iso(&self, out: &mut impl fmt::Write, separator: char) -> fmt::Result {
        let Civil { year, month, day } = self.civil();
        write!(out, "{year:04}-{month:02}-{day:02}{separator}")?;
        write_clock(out, self.clock())?;
        self.offset().map_or(Ok(()), |seconds| out.write_str(&clock_offset(seconds, ":")))
    }
}

impl PartialEq for DateTime {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for DateTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.is_aware() == other.is_aware())
            .then(|| self.epoch_micros().cmp(&other.epoch_micros()))
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

    /// The day that many days after 1970-01-01; outside the years 1 to 9999, that day itself.
    fn from_days(days: i64) -> Self {
        let Civil { year, month, day } = Civil::of_days(days);
        let part = |number: i64| i8::try_from(number).unwrap_or(1);
        let year = i16::try_from(year).unwrap_or(1970);
        Self(
            jiff::civil::Date::new(year, part(month), part(day)).unwrap_or(jiff::civil::Date::ZERO),
        )
    }

    /// Days after 1970-01-01.
    pub(crate) fn days(self) -> i64 {
        days_from_civil(self.0.year().into(), self.0.month().into(), self.0.day().into())
    }

    /// Appends the date in a format of Django's `date` filter, with the names of a language.
    ///
    /// # Errors
    ///
    /// [`FormatError::Refused`] if the format asks for the time: `TypeError` in Django.
    pub fn write(self, out: &mut String, format: &str, locale: &Locale) -> Result<(), FormatError> {
        format::write(out, format, &Moment::of_date(self, locale))
    }

    /// Appends the date in a format of Django's `time` filter: a date has nothing for any letter.
    pub(crate) fn write_time(
        self,
        out: &mut String,
        format: &str,
        locale: &Locale,
    ) -> Result<(), FormatError> {
        format::write(out, format, &Moment::of_nothing(Shape::Refusing, locale))
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

/// A time of day, with microseconds: naive, or with the offset of a zone that always has the same one.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    clock: jiff::civil::Time,
    offset: Option<i32>,
}

impl Time {
    /// A naive time of day. `None` if there is no such time.
    #[must_use]
    pub fn new(hour: i8, minute: i8, second: i8, micro: i32) -> Option<Self> {
        let nanoseconds = micro.checked_mul(1000)?;
        let clock = jiff::civil::Time::new(hour, minute, second, nanoseconds).ok()?;
        Some(Self { clock, offset: None })
    }

    /// The same time in a zone. Zones with several offsets have none for a mere time of day, as in Python: it stays
    /// naive.
    #[must_use]
    pub fn make_aware(self, zone: &TimeZone) -> Self {
        Self { offset: zone.constant(), ..self }
    }

    /// Appends the time in a format of Django's `time` filter.
    ///
    /// # Errors
    ///
    /// [`FormatError::Missing`] if the format asks for the date: `AttributeError` in Django.
    pub fn write(self, out: &mut String, format: &str, locale: &Locale) -> Result<(), FormatError> {
        format::write(out, format, &Moment::of_time(self, Shape::ClockOnly, locale))
    }

    /// Appends the time in a format of Django's `date` filter.
    pub(crate) fn write_date(
        self,
        out: &mut String,
        format: &str,
        locale: &Locale,
    ) -> Result<(), FormatError> {
        format::write(out, format, &Moment::of_time(self, Shape::Time, locale))
    }

    /// Microseconds since midnight.
    fn clock(self) -> i64 {
        let time = self.clock;
        let seconds = i64::from(time.hour()) * 3600
            + i64::from(time.minute()) * 60
            + i64::from(time.second());
        seconds * MICROS + i64::from(time.subsec_nanosecond() / 1000)
    }

    /// Microseconds since midnight, in UTC where the time has an offset.
    fn utc(self) -> i64 {
        self.clock() - i64::from(self.offset.unwrap_or_default()) * MICROS
    }

    pub(crate) fn write_repr(self, out: &mut impl fmt::Write) -> fmt::Result {
        let (hour, minute, second, micro) = clock_parts(self.clock());
        write!(out, "datetime.time({hour}, {minute}")?;
        write_repr_seconds(out, second, micro)?;
        match self.offset {
            None => out.write_char(')'),
            Some(seconds) => write!(out, ", tzinfo={})", TimeZone::fixed(seconds).repr()),
        }
    }
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.offset.is_some() == other.offset.is_some()).then(|| self.utc().cmp(&other.utc()))
    }
}

/// Python's `str`: `12:30:00.000005+01:00`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_clock(f, self.clock())?;
        self.offset.map_or(Ok(()), |seconds| f.write_str(&clock_offset(seconds, ":")))
    }
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
        assert_eq!(DateTime::from_epoch_seconds(i64::MAX).with_offset(80_000).format("Y"), "9999");
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
