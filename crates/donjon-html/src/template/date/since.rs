//! The time between two moments in words: Django's `timesince`.

use super::{Civil, DAY, DateTime, MICROS, days_from_civil};
use crate::locale::Locale;

/// The days of the months as Django's `timesince` has them, also in leap years.
const MONTH_DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// How many neighbouring units are shown.
pub(crate) const DEPTH: usize = 2;

const NAMES: [(&str, &str); 6] = [
    ("%(num)d year", "%(num)d years"),
    ("%(num)d month", "%(num)d months"),
    ("%(num)d week", "%(num)d weeks"),
    ("%(num)d day", "%(num)d days"),
    ("%(num)d hour", "%(num)d hours"),
    ("%(num)d minute", "%(num)d minutes"),
];

/// The words for a span, and the context in which they are translated.
#[derive(Clone, Copy)]
pub(crate) struct Units<'a> {
    pub(crate) locale: &'a Locale,
    pub(crate) context: Option<&'static str>,
    pub(crate) depth: usize,
}

impl Units<'_> {
    fn word(&self, unit: usize, number: i64) -> String {
        let (singular, plural) = NAMES.get(unit).copied().unwrap_or_default();
        let form =
            self.locale.translate_plural(self.context, singular, plural, number.unsigned_abs());
        // A line must not break between the number and its unit.
        form.replace("%(num)d", &number.to_string()).replace(' ', "\u{a0}")
    }
}

/// The time from `moment` to `now`, or where it is not `past` from `now` to `moment`: `4 days, 6 hours`. What is
/// negative or below a minute is `0 minutes`. `None` if only one of the two is naive.
pub(crate) fn since(
    moment: &DateTime,
    now: &DateTime,
    past: bool,
    units: Units<'_>,
) -> Option<String> {
    let now = match (moment.zone(), now.zone()) {
        (Some(zone), Some(_)) => now.in_zone(zone),
        (None, None) => now.clone(),
        _ => return None,
    };
    let parts = if past { parts(moment, &now) } else { parts(&now, moment) };
    let Some(first) = parts.iter().position(|part| *part != 0) else {
        return Some(units.word(5, 0));
    };
    let shown = (first..).zip(parts.iter().skip(first)).take(units.depth);
    let words: Vec<String> = shown
        .take_while(|(_, part)| **part != 0)
        .map(|(unit, part)| units.word(unit, *part))
        .collect();
    Some(words.join(&units.locale.translate(None, ", ")))
}

impl DateTime {
    /// The time from this moment to `now` in words, in at most `depth` neighbouring units: `4 days, 6 hours`. What is
    /// negative or below a minute is `0 minutes`. `None` if only one of the two is naive.
    #[must_use]
    pub fn timesince(&self, now: &Self, depth: usize, locale: &Locale) -> Option<String> {
        since(self, now, true, Units { locale, context: None, depth })
    }

    /// The time from `now` to this moment in words, as [`timesince`](Self::timesince).
    #[must_use]
    pub fn timeuntil(&self, now: &Self, depth: usize, locale: &Locale) -> Option<String> {
        since(self, now, false, Units { locale, context: None, depth })
    }
}

/// Years, months, weeks, days, hours and minutes from `start` to `end`; nothing where `end` is not later. Both are in the
/// same zone, and so Python counts by the clock, also where it was set in between.
fn parts(start: &DateTime, end: &DateTime) -> [i64; 6] {
    if (end.wall - start.wall).div_euclid(MICROS) <= 0 {
        return [0; 6];
    }
    let months = months(start, end);
    let pivot = if months == 0 { start.wall } else { pivot(start, months) };
    let rest = end.wall - pivot;
    let [week, day, hour, minute] = [7 * DAY, DAY, 3600 * MICROS, 60 * MICROS];
    [
        months.div_euclid(12),
        months.rem_euclid(12),
        rest.div_euclid(week),
        rest.rem_euclid(week) / day,
        rest.rem_euclid(day) / hour,
        rest.rem_euclid(hour) / minute,
    ]
}

fn months(start: &DateTime, end: &DateTime) -> i64 {
    let (from, to) = (start.civil(), end.civil());
    let months = (to.year - from.year) * 12 + to.month - from.month;
    let begun = (from.day, start.clock()) > (to.day, end.clock());
    months - i64::from(begun)
}

/// The clock reading that many months later, in whole seconds; on the last day of the month if there is no such day.
fn pivot(start: &DateTime, months: i64) -> i64 {
    let Civil { year, month, day } = start.civil();
    let total = year * 12 + month - 1 + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12));
    let most = usize::try_from(month).ok().and_then(|month| MONTH_DAYS.get(month)).copied();
    let days = days_from_civil(year, month + 1, day.min(most.unwrap_or(day)));
    days * DAY + start.clock() / MICROS * MICROS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(start: &str, end: &str, depth: usize) -> Option<String> {
        let english = Locale::english();
        let (start, end) = (DateTime::parse_iso(start)?, DateTime::parse_iso(end)?);
        Some(start.timesince(&end, depth, &english)?.replace('\u{a0}', " "))
    }

    #[test]
    fn calendars_count() {
        for (start, end, words) in [
            ("2007-08-10", "2008-09-10", "1 year, 1 month"),
            ("2013-02-10", "2014-03-10", "1 year, 1 month"),
            ("2024-01-31", "2024-03-01", "1 month"),
            ("2024-02-29", "2025-02-28", "11 months, 4 weeks"),
            ("2024-01-01", "2024-01-15T03:00", "2 weeks"),
            ("2024-01-01", "2024-01-01T00:00:59", "0 minutes"),
            ("2024-01-02", "2024-01-01", "0 minutes"),
            ("2024-01-01T10:00", "2024-01-01T11:01", "1 hour, 1 minute"),
            ("2024-01-01T00:00:00.5", "2024-01-01T00:00:01.4", "0 minutes"),
        ] {
            assert_eq!(between(start, end, DEPTH).as_deref(), Some(words), "{start} {end}");
        }
    }

    #[test]
    fn depth() {
        let deep = |depth| between("2023-01-01", "2024-02-09T01:01", depth);
        assert_eq!(deep(1).as_deref(), Some("1 year"));
        assert_eq!(deep(6).as_deref(), Some("1 year, 1 month, 1 week, 1 day, 1 hour, 1 minute"));
    }
}
