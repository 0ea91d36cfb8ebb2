//! The format letters of Django's `date` and `time` filters (`django.utils.dateformat`).

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::calendar::{Civil, is_leap};
use super::{DAY, Date, DateTime, MICROS, Time, TimeZone, clock_offset, clock_parts, write_clock};
use crate::locale::Locale;

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
const SHORT_MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const AP_MONTHS: [&str; 12] = [
    "Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.",
    "Dec.",
];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const SHORT_DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const CLOCK_LETTERS: &str = "aAefgGhHiOPsTuZ";
const DATE_LETTERS: &str = "bcdDEFIjlLmMnNorStUwWyYz";
/// Those that ask for the day; a mere time of day has none.
const DAY_LETTERS: &str = "bdDEFjlLmMnNoStwWyYz";

/// A format asks for what the value doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// A time of day has no such part: `AttributeError` in Django, whose filters print nothing then.
    Missing(char),
    /// A date must not be asked for that: `TypeError` in Django, whose `date` filter fails.
    Refused(char),
    /// The output could not be written.
    Write,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(letter) => {
                write!(f, "a time of day has no '{letter}'; take it from the format")
            }
            Self::Refused(letter) => {
                write!(f, "'{letter}' asks for a time of day, and a date has none")
            }
            Self::Write => f.write_str("the output could not be written"),
        }
    }
}

impl std::error::Error for FormatError {}

impl From<fmt::Error> for FormatError {
    fn from(_: fmt::Error) -> Self {
        Self::Write
    }
}

/// What a format is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Date and time, all letters.
    DateTime,
    /// A mere date, all letters.
    Date,
    /// A mere time of day, all letters.
    Time,
    /// The letters of a time of day only: the `time` filter.
    ClockOnly,
    /// Neither: only the letters of zones are written, as nothing.
    Nothing,
    /// No letter at all.
    Refusing,
}

/// What the letters of a format are written from.
pub(super) struct Moment<'a> {
    shape: Shape,
    civil: Civil,
    clock: i64,
    /// The zone and its offset, where the clock reading exists once and only once.
    zone: Option<(&'a TimeZone, i32)>,
    /// The value's own offset.
    offset: Option<i32>,
    /// The moment in UTC.
    utc: i64,
    locale: &'a Locale,
}

impl<'a> Moment<'a> {
    pub(super) fn of_datetime(moment: &'a DateTime, shape: Shape, locale: &'a Locale) -> Self {
        let zone = moment.zone().unwrap_or(locale.time_zone());
        let reading = zone.read(moment.wall);
        let offset = moment.offset().unwrap_or(reading.offset);
        Self {
            shape,
            civil: moment.civil(),
            clock: moment.clock(),
            zone: reading.unique.then_some((zone, offset)),
            offset: moment.offset(),
            utc: moment.wall - i64::from(offset) * MICROS,
            locale,
        }
    }

    pub(super) fn of_date(date: Date, locale: &'a Locale) -> Self {
        let wall = date.days() * DAY;
        let offset = locale.time_zone().read(wall).offset;
        Self {
            shape: Shape::Date,
            civil: Civil::of_days(date.days()),
            clock: 0,
            zone: None,
            offset: None,
            utc: wall - i64::from(offset) * MICROS,
            locale,
        }
    }

    pub(super) fn of_time(time: Time, shape: Shape, locale: &'a Locale) -> Self {
        let (civil, clock) = (Civil::of_days(0), time.clock());
        Self { shape, civil, clock, zone: None, offset: time.offset, utc: clock, locale }
    }

    pub(super) fn of_nothing(shape: Shape, locale: &'a Locale) -> Self {
        let civil = Civil::of_days(0);
        Self { shape, civil, clock: 0, zone: None, offset: None, utc: 0, locale }
    }
}

/// Appends what a format makes of something that is neither a date nor a time.
pub(crate) fn write_nothing(
    out: &mut String,
    format: &str,
    locale: &Locale,
) -> Result<(), FormatError> {
    write(out, format, &Moment::of_nothing(Shape::Nothing, locale))
}

/// Appends a value in a format. A letter behind a backslash stands for itself.
pub(super) fn write(
    out: &mut String,
    format: &str,
    moment: &Moment<'_>,
) -> Result<(), FormatError> {
    let mut previous = None;
    let mut letters = format.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_escaped = previous == Some('\\');
        previous = Some(letter);
        if letter == '\\' {
            // Django sees a backslash behind a backslash too, and so takes the letter behind both for itself.
            let next = letters.next_if(|next| *next != '\n');
            previous = next.or(previous);
            out.push(next.unwrap_or(letter));
        } else if is_escaped {
            out.push(letter);
        } else {
            moment.write(out, letter)?;
        }
    }
    Ok(())
}

impl Moment<'_> {
    fn write(&self, out: &mut String, letter: char) -> Result<(), FormatError> {
        let is_clock = CLOCK_LETTERS.contains(letter);
        if !is_clock && !DATE_LETTERS.contains(letter) {
            out.push(letter);
            return Ok(());
        }
        self.check(letter, is_clock)?;
        if is_clock {
            self.write_clock(out, letter)?
        } else {
            self.write_date(out, letter)?
        }
        Ok(())
    }

    fn check(&self, letter: char, is_clock: bool) -> Result<(), FormatError> {
        match self.shape {
            Shape::Date if is_clock => Err(FormatError::Refused(letter)),
            Shape::ClockOnly if !is_clock => Err(FormatError::Missing(letter)),
            Shape::Refusing => Err(FormatError::Refused(letter)),
            Shape::Nothing if matches!(letter, 'r' | 'U') => Err(FormatError::Refused(letter)),
            Shape::Nothing if !"eTOZI".contains(letter) => Err(FormatError::Missing(letter)),
            Shape::Time if DAY_LETTERS.contains(letter) => Err(FormatError::Missing(letter)),
            Shape::Time if matches!(letter, 'r' | 'U') => Err(FormatError::Refused(letter)),
            _ => Ok(()),
        }
    }

    fn write_clock(&self, out: &mut String, letter: char) -> fmt::Result {
        let (hour, minute, second, micro) = clock_parts(self.clock);
        match letter {
            'a' => out.write_str(&self.word(if hour > 11 { "p.m." } else { "a.m." })),
            'A' => out.write_str(&self.word(if hour > 11 { "PM" } else { "AM" })),
            'g' => write!(out, "{}", hour12(hour)),
            'G' => write!(out, "{hour}"),
            'h' => write!(out, "{:02}", hour12(hour)),
            'H' => write!(out, "{hour:02}"),
            'i' => write!(out, "{minute:02}"),
            's' => write!(out, "{second:02}"),
            'u' => write!(out, "{micro:06}"),
            'f' => write_short_time(out, hour, minute),
            'P' => self.write_prose_time(out, hour, minute),
            _ => self.write_zone(out, letter),
        }
    }

    fn write_zone(&self, out: &mut String, letter: char) -> fmt::Result {
        let Some((zone, offset)) = self.zone else {
            return Ok(());
        };
        match letter {
            'e' if self.offset.is_none() => Ok(()),
            'e' | 'T' => out.write_str(&zone.abbreviation(self.utc)),
            'O' => out.write_str(clock_offset(offset, "").get(..5).unwrap_or_default()),
            'Z' => write!(out, "{offset}"),
            _ => out.write_str(if zone.is_dst(self.utc) { "1" } else { "0" }),
        }
    }

    fn write_date(&self, out: &mut String, letter: char) -> fmt::Result {
        let Civil { year, month, day } = self.civil;
        match letter {
            'd' => write!(out, "{day:02}"),
            'j' => write!(out, "{day}"),
            'S' => out.write_str(ordinal(day)),
            'w' => write!(out, "{}", (self.civil.weekday() + 1) % 7),
            'z' => write!(out, "{}", self.civil.day_of_year()),
            'W' => write!(out, "{}", self.civil.iso_week().1),
            'o' => write!(out, "{}", self.civil.iso_week().0),
            'm' => write!(out, "{month:02}"),
            'n' => write!(out, "{month}"),
            't' => write!(out, "{}", self.civil.days_in_month()),
            'L' => out.write_str(if is_leap(year) { "True" } else { "False" }),
            'y' => write!(out, "{:02}", year % 100),
            'Y' => write!(out, "{year:04}"),
            'U' => write!(out, "{}", self.utc / MICROS),
            'c' => self.write_iso(out),
            'r' => self.write_rfc_5322(out),
            'I' => self.write_zone(out, letter),
            _ => self.write_name(out, letter),
        }
    }

    fn write_name(&self, out: &mut String, letter: char) -> fmt::Result {
        let (month, weekday) = (self.civil.month - 1, self.civil.weekday());
        let word = match letter {
            'D' => self.word(name(&SHORT_DAYS, weekday)),
            'l' => self.word(name(&DAYS, weekday)),
            'b' => self.word(name(&SHORT_MONTHS, month)),
            'M' => title(&self.word(name(&SHORT_MONTHS, month))).into(),
            'F' => self.word(name(&MONTHS, month)),
            'E' => self.locale.translate(Some("alt. month"), name(&MONTHS, month)),
            _ => self.locale.translate(Some("abbrev. month"), name(&AP_MONTHS, month)),
        };
        out.write_str(&word)
    }

    fn word(&self, message: &'static str) -> Cow<'_, str> {
        self.locale.translate(None, message)
    }

    fn write_prose_time(&self, out: &mut String, hour: i64, minute: i64) -> fmt::Result {
        match (hour, minute) {
            (0, 0) => out.write_str(&self.word("midnight")),
            (12, 0) => out.write_str(&self.word("noon")),
            _ => {
                write_short_time(out, hour, minute)?;
                out.write_char(' ')?;
                self.write_clock(out, 'a')
            }
        }
    }

    fn write_iso(&self, out: &mut String) -> fmt::Result {
        let Civil { year, month, day } = self.civil;
        if self.shape != Shape::Time {
            write!(out, "{year:04}-{month:02}-{day:02}")?;
        }
        if self.shape == Shape::Date {
            return Ok(());
        }
        out.write_str(if self.shape == Shape::Time { "" } else { "T" })?;
        write_clock(out, self.clock)?;
        self.offset.map_or(Ok(()), |seconds| out.write_str(&clock_offset(seconds, ":")))
    }

    fn write_rfc_5322(&self, out: &mut String) -> fmt::Result {
        let Civil { year, month, day } = self.civil;
        let (hour, minute, second, _) = clock_parts(self.clock);
        let weekday = name(&SHORT_DAYS, self.civil.weekday());
        let month = name(&MONTHS, month - 1).get(..3).unwrap_or_default();
        let wall = self.civil.days() * DAY + self.clock;
        let offset = i32::try_from((wall - self.utc) / MICROS).unwrap_or_default();
        write!(out, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} ")?;
        out.write_str(&clock_offset(offset, ""))
    }
}

fn hour12(hour: i64) -> i64 {
    if hour % 12 == 0 { 12 } else { hour % 12 }
}

fn write_short_time(out: &mut String, hour: i64, minute: i64) -> fmt::Result {
    write!(out, "{}", hour12(hour))?;
    if minute != 0 { write!(out, ":{minute:02}") } else { Ok(()) }
}

fn name<const N: usize>(names: &[&'static str; N], index: i64) -> &'static str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
}

fn ordinal(day: i64) -> &'static str {
    match (day, day % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

/// Python's `str.title`.
fn title(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut in_word = false;
    for letter in word.chars() {
        match letter {
            // Georgian words begin with no capital, though the letters have some.
            'ა'..='ჿ' => out.push(letter),
            _ if in_word => out.extend(letter.to_lowercase()),
            _ => out.extend(letter.to_uppercase()),
        }
        in_word = letter.is_lowercase() || letter.is_uppercase();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::LocaleSettings;

    fn in_zone(wall: &str, zone: &str, format: &str) -> Option<String> {
        let zone = TimeZone::named(zone)?;
        Some(DateTime::parse_iso(wall)?.make_aware(&zone).format(format))
    }

    #[test]
    fn escapes() {
        let moment = DateTime::from_epoch_seconds(0);
        for (format, written) in [
            (r"\Y Y", "Y 1970"),
            (r"\\Y", r"\Y"),
            (r"\\\Y Y", r"\Y 1970"),
            ("\\", "\\"),
            ("\\\nY", "\\\n1970"),
            (r"\é", "é"),
            ("jS \\o\\f F", "1st of January"),
        ] {
            assert_eq!(moment.format(format), written, "{format:?}");
        }
    }

    #[test]
    fn zones() {
        let all = "e|T|O|Z|I|c|r|U";
        assert_eq!(
            in_zone("2026-07-01T12:00:00", "Europe/Paris", all).as_deref(),
            Some(
                "CEST|CEST|+0200|7200|1|2026-07-01T12:00:00+02:00|Wed, 01 Jul 2026 12:00:00 +0200|1782900000"
            )
        );
        // The hour that occurs twice, and the one that does not occur.
        for wall in ["2026-10-25T02:30:00", "2026-03-29T02:30:00"] {
            assert_eq!(in_zone(wall, "Europe/Paris", "e|T|O|Z|I").as_deref(), Some("||||"));
        }
        let naive = DateTime::parse_iso("2026-07-01T12:00:00").map(|moment| moment.format(all));
        assert_eq!(
            naive.as_deref(),
            Some("|UTC|+0000|0|0|2026-07-01T12:00:00|Wed, 01 Jul 2026 12:00:00 +0000|1782907200")
        );
    }

    #[test]
    fn dates_and_times_lack_what_they_lack() {
        let english = Locale::english();
        let date = Date::new(2026, 3, 9);
        let time = Time::new(13, 5, 0, 7);
        let of_date = |format: &str| {
            let mut out = String::new();
            date.map(|date| date.write(&mut out, format, &english).map(|()| out))
        };
        let of_time = |format: &str| {
            let mut out = String::new();
            time.map(|time| time.write_date(&mut out, format, &english).map(|()| out))
        };
        assert_eq!(of_date("c I z"), Some(Ok("2026-03-09  68".into())));
        assert_eq!(of_date("j H"), Some(Err(FormatError::Refused('H'))));
        assert_eq!(of_time("c P T"), Some(Ok("13:05:00.000007 1:05 p.m. ".into())));
        assert_eq!(of_time("Y"), Some(Err(FormatError::Missing('Y'))));
        assert_eq!(of_time("U"), Some(Err(FormatError::Refused('U'))));
    }

    #[test]
    fn names_of_a_language() {
        let french = crate::locale::Catalogue::default()
            .message(None, "may", "mai")
            .message(None, "May", "mai.")
            .message(Some("abbrev. month"), "May", "m.")
            .message(Some("alt. month"), "May", "de mai")
            .message(None, "Fri", "ven")
            .message(None, "noon", "midi");
        let locale = LocaleSettings::new().catalogue("fr", french).into_languages().locale("fr");
        let mut out = String::new();
        let moment = DateTime::parse_iso("2026-05-01T12:00:00");
        let written = moment.map(|moment| moment.write(&mut out, "D b M F N E P l", &locale));
        assert_eq!(written, Some(Ok(())));
        assert_eq!(out, "ven mai Mai mai. m. de mai midi Friday");
    }

    #[test]
    fn titles() {
        assert_eq!(title("ş.b-x'é 1a"), "Ş.B-X'É 1A");
        assert_eq!(title("სექ"), "სექ");
        assert_eq!(title("სექ"), "სექ");
    }
}
