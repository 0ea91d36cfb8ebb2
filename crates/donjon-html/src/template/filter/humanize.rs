//! The filters of `django.contrib.humanize`.
//!
//! 1. A number of more than [`MAX_DIGITS`] digits is no number here: Python's bound against slow conversions.

use num_bigint::BigInt;
use num_traits::{FromPrimitive as _, Signed as _, ToPrimitive as _};

use super::{Arity, Filter, FilterError, Safety};
use crate::markup::Markup;
use crate::template::date::{DEPTH, DateTime, Units, since};
use crate::template::decimal::Decimal;
use crate::template::env::Env;
use crate::template::value::Value;

type Result = std::result::Result<Value, FilterError>;

/// `{% load humanize %}`
pub(crate) const FILTERS: &[Filter] = &[
    Filter::new("apnumber", Arity::None, Safety::Preserved, apnumber),
    Filter::new("intcomma", Arity::Optional, Safety::Preserved, intcomma),
    Filter::new("intword", Arity::None, Safety::Lost, intword),
    Filter::new("naturalday", Arity::Optional, Safety::Lost, naturalday),
    Filter::new("naturaltime", Arity::None, Safety::Lost, naturaltime),
    Filter::new("ordinal", Arity::None, Safety::Preserved, ordinal),
];

/// Python's `sys.int_info.default_max_str_digits`.
const MAX_DIGITS: usize = 4300;
const DAY: i64 = 86_400;
const MICROS: i64 = 1_000_000;

/// Python's `int(value)`, for numbers of any length.
fn whole(value: &Value) -> Option<BigInt> {
    match value {
        Value::BigInt(number) => Some(BigInt::clone(number)),
        Value::Float(number) => BigInt::from_f64(*number),
        Value::Decimal(number) => truncated(number),
        other => match other.as_str() {
            Some(text) => parsed(text),
            None => other.integer().map(BigInt::from).or_else(|| BigInt::from_f64(other.number()?)),
        },
    }
}

fn truncated(number: &Decimal) -> Option<BigInt> {
    let length = number.digits.len() as u64 + number.exponent.unsigned_abs();
    let fixed = (length <= MAX_DIGITS as u64).then(|| number.fixed())?;
    fixed.split('.').next()?.parse().ok()
}

/// Underscores may stand between digits.
fn parsed(text: &str) -> Option<BigInt> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let valid = digits.len() <= MAX_DIGITS
        && digits
            .split('_')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    valid.then(|| text.replace('_', "").parse().ok())?
}

fn ordinal(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    let Some(number) = whole(value) else {
        return Ok(value.clone());
    };
    if number.is_negative() {
        return Ok(number.to_string().into());
    }
    let hundred = (&number % 100_u32).to_u8().unwrap_or_default();
    let (context, template) = match (number.to_u8(), hundred, hundred % 10) {
        (Some(1), ..) => ("ordinal is 1", "{}st"),
        (_, 11..=13, _) => ("ordinal 11, 12, 13", "{}th"),
        (.., 0) => ("ordinal 0", "{}th"),
        (.., 1) => ("ordinal 1", "{}st"),
        (.., 2) => ("ordinal 2", "{}nd"),
        (.., 3) => ("ordinal 3", "{}rd"),
        (.., 4) => ("ordinal 4", "{}th"),
        (.., 5) => ("ordinal 5", "{}th"),
        (.., 6) => ("ordinal 6", "{}th"),
        (.., 7) => ("ordinal 7", "{}th"),
        (.., 8) => ("ordinal 8", "{}th"),
        _ => ("ordinal 9", "{}th"),
    };
    let written = env.locale.translate(Some(context), template).replace("{}", &number.to_string());
    // The site's own translators may raise the ending: `1<sup>er</sup>`.
    Ok(Markup::danger_trusted(written).into())
}

fn intcomma(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    let localized = arg.is_none_or(Value::is_true);
    let number = match value {
        Value::Float(_) | Value::Decimal(_) => Some(value.clone()),
        Value::Bool(_) | Value::Int(_) | Value::BigInt(_) => value.decimal().map(Value::from),
        other => other.as_str().and_then(decimal),
    };
    Ok(match number.filter(|_| localized) {
        Some(text @ Value::Str(_)) => text,
        Some(number) => env.locale.number_format().grouped().format(&number).into(),
        None => with_commas(&value.text()).into(),
    })
}

/// Python's `Decimal(text)`; what is not finite prints as its text.
fn decimal(text: &str) -> Option<Value> {
    let text = text.trim().replace('_', "");
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text).to_ascii_lowercase();
    match unsigned.as_str() {
        "nan" if text.starts_with('-') => Some("-NaN".into()),
        "nan" => Some("NaN".into()),
        "inf" | "infinity" if text.starts_with('-') => Some("-Infinity".into()),
        "inf" | "infinity" => Some("Infinity".into()),
        _ => Decimal::parse(&text).map(Value::from),
    }
}

/// Commas among the digits at the beginning.
fn with_commas(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = rest.split_at(length);
    let mut out = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (length - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

const LARGE: [(u32, &str); 11] = [
    (6, "%(value)s million"),
    (9, "%(value)s billion"),
    (12, "%(value)s trillion"),
    (15, "%(value)s quadrillion"),
    (18, "%(value)s quintillion"),
    (21, "%(value)s sextillion"),
    (24, "%(value)s septillion"),
    (27, "%(value)s octillion"),
    (30, "%(value)s nonillion"),
    (33, "%(value)s decillion"),
    (100, "%(value)s googol"),
];

fn intword(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    let Some(number) = whole(value) else {
        return Ok(value.clone());
    };
    let size = number.magnitude().to_string();
    let unit = LARGE.iter().find(|(exponent, _)| size.len() <= *exponent as usize + 3);
    match unit.filter(|_| size.len() > 6) {
        Some((exponent, message)) => in_units(&number, *exponent, message, env),
        None => Ok(number.into()),
    }
}

fn in_units(number: &BigInt, exponent: u32, message: &'static str, env: &Env<'_>) -> Result {
    // The nearest float to the exact quotient.
    let quotient: f64 = format!("{number}e-{exponent}").parse().unwrap_or_default();
    let count = round_away_from_one(quotient).abs() as u64;
    let form = env.locale.translate_plural(None, message, message, count);
    let shown = floatformat(quotient, env)?;
    Ok(form.replace("%(value)s", &shown.text()).into())
}

fn floatformat(number: f64, env: &Env<'_>) -> Result {
    let one_place = Some(Value::Int(1));
    match super::built_in("floatformat") {
        Some(filter) => filter.call(&number.into(), one_place.as_ref(), env),
        None => Ok(number.into()),
    }
}

fn round_away_from_one(number: f64) -> f64 {
    let distance = number - 1.0;
    if distance < 0.0 { distance.floor() + 1.0 } else { distance.ceil() + 1.0 }
}

fn apnumber(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    const WORDS: [&str; 9] =
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let Some(number) = whole(value) else {
        return Ok(value.clone());
    };
    let word = number.to_usize().and_then(|number| WORDS.get(number.checked_sub(1)?));
    Ok(word.map_or_else(|| number.into(), |word| env.locale.translate(None, word).into()))
}

fn naturalday(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    let (date, zone) = match value {
        Value::DateTime(moment) => {
            let moment = env.localtime(moment);
            (moment.date(), moment.zone().cloned())
        }
        Value::Date(date) => (*date, None),
        _ => return Ok(value.clone()),
    };
    let today = env.now.seen_from(zone.as_ref(), env.locale).date();
    let word = match date.days() - today.days() {
        0 => "today",
        1 => "tomorrow",
        -1 => "yesterday",
        _ => return super::date::date(&date.into(), arg, env),
    };
    Ok(env.locale.translate(None, word).into())
}

fn naturaltime(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    let moment = match value {
        Value::DateTime(moment) => moment,
        Value::Date(_) => return Err(FilterError::new("naturaltime takes a date with a time")),
        _ => return Ok(value.clone()),
    };
    let utc = moment.zone().map(|_| crate::template::TimeZone::utc());
    let now = env.now.seen_from(utc.as_ref(), env.locale);
    let micros = now.epoch_micros() - moment.epoch_micros();
    let tense = if micros > 0 { PAST } else { FUTURE };
    Ok(tense.write(moment, &now, micros.unsigned_abs(), env).into())
}

/// The messages for one direction of time.
struct Tense {
    is_past: bool,
    days: &'static str,
    context: &'static str,
    hours: (&'static str, &'static str),
    minutes: (&'static str, &'static str),
    seconds: (&'static str, &'static str),
}

const PAST: Tense = Tense {
    is_past: true,
    days: "%(delta)s ago",
    context: "naturaltime-past",
    hours: ("an hour ago", "%(count)s\u{a0}hours ago"),
    minutes: ("a minute ago", "%(count)s\u{a0}minutes ago"),
    seconds: ("a second ago", "%(count)s\u{a0}seconds ago"),
};
const FUTURE: Tense = Tense {
    is_past: false,
    days: "%(delta)s from now",
    context: "naturaltime-future",
    hours: ("an hour from now", "%(count)s\u{a0}hours from now"),
    minutes: ("a minute from now", "%(count)s\u{a0}minutes from now"),
    seconds: ("a second from now", "%(count)s\u{a0}seconds from now"),
};

impl Tense {
    fn write(&self, moment: &DateTime, now: &DateTime, micros: u64, env: &Env<'_>) -> String {
        let seconds = micros / MICROS as u64;
        match seconds {
            0 => env.locale.translate(None, "now").into_owned(),
            1..60 => counted(self.seconds, seconds, env),
            60..3600 => counted(self.minutes, seconds / 60, env),
            _ if seconds < DAY as u64 => counted(self.hours, seconds / 3600, env),
            _ => self.write_days(moment, now, env),
        }
    }

    fn write_days(&self, moment: &DateTime, now: &DateTime, env: &Env<'_>) -> String {
        let units = Units { locale: env.locale, context: Some(self.context), depth: DEPTH };
        let span = since(moment, now, self.is_past, units).unwrap_or_default();
        env.locale.translate(None, self.days).replace("%(delta)s", &span)
    }
}

fn counted(message: (&'static str, &'static str), count: u64, env: &Env<'_>) -> String {
    let form = env.locale.translate_plural(None, message.0, message.1, count);
    form.replace("%(count)s", &count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::LocaleSettings;
    use crate::template::env::Now;
    use crate::template::{Apply, Autoescape};

    fn show(filter: Apply, value: impl Into<Value>) -> String {
        filter(&value.into(), None, &Env::bare(Autoescape::On))
            .unwrap_or_default()
            .text()
            .into_owned()
    }

    #[test]
    fn ordinals() {
        for (number, written) in [
            (0, "0th"),
            (1, "1st"),
            (2, "2nd"),
            (3, "3rd"),
            (4, "4th"),
            (11, "11th"),
            (13, "13th"),
            (101, "101st"),
            (112, "112th"),
            (-1, "-1"),
        ] {
            assert_eq!(show(ordinal, number), written);
        }
        assert_eq!(show(ordinal, "103"), "103rd");
        assert_eq!(show(ordinal, "x"), "x");
        assert_eq!(show(ordinal, " 1_0 "), "10th");
    }

    #[test]
    fn commas() {
        for (text, written) in [
            ("10311", "10,311"),
            ("-1234567.25", "-1,234,567.25"),
            ("100", "100"),
            ("-100", "-100"),
            ("1234x", "1,234x"),
            ("1_000", "1,000"),
            ("-inf", "-Infinity"),
            ("x", "x"),
            ("-", "-"),
        ] {
            assert_eq!(show(intcomma, text), written);
        }
        assert_eq!(show(intcomma, 1234.5), "1,234.5");
        assert_eq!(show(intcomma, Value::None), "None");
        let german = LocaleSettings::new().into_languages().locale("de");
        let env = Env { locale: &german, ..Env::bare(Autoescape::On) };
        assert_eq!(intcomma(&1234.5.into(), None, &env), Ok("1.234,5".into()));
        assert_eq!(intcomma(&1234.5.into(), Some(&false.into()), &env), Ok("1,234.5".into()));
    }

    #[test]
    fn words() {
        for (number, written) in [
            ("100", "100"),
            ("999999", "999999"),
            ("1000000", "1.0 million"),
            ("-1290000000", "-1.3 billion"),
            ("1000000000", "1.0 billion"),
            ("8100000000000000000000000000000000", "8.1 decillion"),
            ("1_000", "1000"),
            ("x", "x"),
        ] {
            assert_eq!(show(intword, number), written);
        }
        assert_eq!(show(intword, format!("1{}", "0".repeat(100))), "1.0 googol");
        assert_eq!(show(intword, format!("1{}", "0".repeat(103))), format!("1{}", "0".repeat(103)));
        assert_eq!([1.0, 1.2, 0.5, 2.0, -1.5].map(round_away_from_one), [1.0, 2.0, 0.0, 2.0, -2.0]);
        assert_eq!((show(apnumber, 9), show(apnumber, "10")), ("nine".into(), "10".into()));
    }

    #[test]
    fn rule_1_long_numbers_stay_as_they_are() {
        let long = "1".repeat(MAX_DIGITS + 1);
        assert_eq!(show(ordinal, long.as_str()), long);
        assert_eq!(Decimal::parse("1e999999").and_then(|number| truncated(&number)), None);
    }

    #[test]
    fn natural_times() {
        let now = DateTime::parse_iso("2026-03-01T12:00:00Z");
        let micros = now.as_ref().map(DateTime::epoch_micros).unwrap_or_default();
        let env = Env { now: Now::from_epoch_micros(micros), ..Env::bare(Autoescape::On) };
        let at = |seconds: i64| DateTime::from_epoch_micros(micros + seconds * MICROS);
        let time = |seconds| {
            naturaltime(&at(seconds).into(), None, &env).map(|v| v.text().replace('\u{a0}', " "))
        };
        for (seconds, words) in [
            (0, "now"),
            (-1, "a second ago"),
            (-59, "59 seconds ago"),
            (61, "a minute from now"),
            (-7200, "2 hours ago"),
            (-86_400, "1 day ago"),
            (86_400 * 50, "1 month, 2 weeks from now"),
        ] {
            assert_eq!(time(seconds), Ok(words.into()));
        }
        let day = |seconds| naturalday(&at(seconds).into(), None, &env);
        assert_eq!(
            [day(0), day(86_400), day(-86_400)],
            ["today", "tomorrow", "yesterday"].map(|w| Ok(w.into()))
        );
        assert_eq!(day(86_400 * 9), Ok("March 10, 2026".into()));
        assert_eq!(naturalday(&"x".into(), None, &env), Ok("x".into()));
    }
}
