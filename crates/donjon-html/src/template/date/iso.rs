//! Reads ISO 8601.

use super::{DAY, Date, DateTime, MICROS, TimeZone};

pub(super) fn parse(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let (year, month, day) = (i16::try_from(year), i8::try_from(month), i8::try_from(day));
    let days = Date::new(year.ok()?, month.ok()?, day.ok()?)?.days();
    let (clock, offset) = split_offset(time)?;
    let naive = DateTime::from_naive_micros(days * DAY + clock_micros(clock)?);
    Some(match offset {
        None => naive,
        Some(0) => naive.make_aware(&TimeZone::utc()),
        Some(seconds) => naive.make_aware(&TimeZone::fixed(seconds)),
    })
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
