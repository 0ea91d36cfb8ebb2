//! Filters of dates and times.

use super::{Arity, Filter, FilterError, Safety};
use crate::locale::{FormatName, Locale};
use crate::template::date::{DEPTH, DateTime, FormatError, write_nothing};
use crate::template::env::Env;
use crate::template::value::Value;

type Result = std::result::Result<Value, FilterError>;

pub(super) const FILTERS: &[Filter] = &[
    Filter::new("date", Arity::Optional, Safety::Lost, date),
    Filter::new("time", Arity::Optional, Safety::Lost, time),
    Filter::new("timesince", Arity::Optional, Safety::Lost, timesince),
    Filter::new("timeuntil", Arity::Optional, Safety::Lost, timeuntil),
];

pub(super) fn date(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    let value = localtime(value, env);
    match formatted(&value, arg, FormatName::Date, env.locale, write_date) {
        Err(refused @ FormatError::Refused(_)) => Err(FilterError::new(refused.to_string())),
        other => Ok(other.unwrap_or_default().into()),
    }
}

fn time(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    let value = localtime(value, env);
    let written = formatted(&value, arg, FormatName::Time, env.locale, write_time);
    Ok(written.unwrap_or_default().into())
}

type Write = fn(&mut String, &Value, &str, &Locale) -> std::result::Result<(), FormatError>;

fn formatted(
    value: &Value,
    arg: Option<&Value>,
    otherwise: FormatName,
    locale: &Locale,
    write: Write,
) -> std::result::Result<String, FormatError> {
    let mut out = String::new();
    if !is_nothing(value) {
        let arg = arg.filter(|arg| arg.is_true()).map(Value::text);
        let format = arg.as_deref().map(|format| locale.named_format(format));
        write(&mut out, value, format.unwrap_or(locale.format(otherwise)), locale)?;
    }
    Ok(out)
}

fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::None) || value.as_str() == Some("")
}

fn write_date(
    out: &mut String,
    value: &Value,
    format: &str,
    locale: &Locale,
) -> std::result::Result<(), FormatError> {
    match value {
        Value::DateTime(moment) => moment.write(out, format, locale),
        Value::Date(date) => date.write(out, format, locale),
        Value::Time(time) => time.write_date(out, format, locale),
        _ => write_nothing(out, format, locale),
    }
}

fn write_time(
    out: &mut String,
    value: &Value,
    format: &str,
    locale: &Locale,
) -> std::result::Result<(), FormatError> {
    match value {
        Value::DateTime(moment) => moment.write_time(out, format, locale),
        Value::Date(date) => date.write_time(out, format, locale),
        Value::Time(time) => time.write(out, format, locale),
        _ => write_nothing(out, format, locale),
    }
}

/// The value, a moment as it is shown at this place. Serialized data has its moments as text.
pub(super) fn localtime(value: &Value, env: &Env<'_>) -> Value {
    match value {
        Value::DateTime(moment) => env.localtime(moment).into(),
        other => match other.as_str().and_then(DateTime::parse_iso) {
            Some(moment) => env.localtime(&moment).into(),
            None => other.clone(),
        },
    }
}

fn timesince(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    span(value, arg, env, DateTime::timesince)
}

fn timeuntil(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    span(value, arg, env, DateTime::timeuntil)
}

type Span = fn(&DateTime, &DateTime, usize, &Locale) -> Option<String>;

fn span(value: &Value, arg: Option<&Value>, env: &Env<'_>, span: Span) -> Result {
    if !value.is_true() {
        return Ok("".into());
    }
    let moment = moment(value)?;
    let now = match arg.filter(|arg| arg.is_true()) {
        Some(now) => self::moment(now)?,
        None => env.now.seen_from(moment.zone(), env.locale),
    };
    Ok(span(&moment, &now, DEPTH, env.locale).unwrap_or_default().into())
}

fn moment(value: &Value) -> std::result::Result<DateTime, FilterError> {
    match value {
        Value::DateTime(moment) => Ok(DateTime::clone(moment)),
        Value::Date(date) => Ok(DateTime::from_date(*date)),
        other => other.as_str().and_then(DateTime::parse_iso).ok_or_else(|| {
            FilterError::new(format!("{other:?} is neither a date nor a date and time"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::env::Now;
    use crate::template::{Autoescape, Date, Time, TimeZone};

    fn env() -> Env<'static> {
        let now = DateTime::parse_iso("2026-11-24T12:00:00Z").map(|now| now.epoch_micros());
        Env { now: Now::from_epoch_micros(now.unwrap_or_default()), ..Env::bare(Autoescape::On) }
    }

    fn moment(iso: &str) -> Value {
        DateTime::parse_iso(iso).map_or(Value::None, Value::from)
    }

    fn text(result: Result) -> std::result::Result<String, String> {
        result.map(|value| value.text().into_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn formats_by_name_and_by_letter() {
        let show = |arg: &str| text(date(&moment("2026-03-09T13:05"), Some(&arg.into()), &env()));
        assert_eq!(show("SHORT_DATETIME_FORMAT"), Ok("03/09/2026 1:05 p.m.".into()));
        assert_eq!(show(""), Ok("March 9, 2026".into()));
        assert_eq!(show("jS"), Ok("9th".into()));
    }

    #[test]
    fn moments_are_shown_in_the_active_zone() {
        let paris = TimeZone::named("Europe/Paris").unwrap_or_default();
        let env = Env { time_zone: &paris, ..env() };
        let show = |value: &Value, env: &Env<'_>| text(date(value, Some(&"H:i e".into()), env));
        assert_eq!(show(&moment("2026-07-01T12:00Z"), &env), Ok("14:00 CEST".into()));
        let off = Env { use_tz: false, ..env };
        assert_eq!(show(&moment("2026-07-01T12:00Z"), &off), Ok("12:00 UTC".into()));
        assert_eq!(show(&moment("2026-07-01T12:00"), &env), Ok("12:00 ".into()));
    }

    #[test]
    fn what_a_value_lacks_is_nothing_or_fails() {
        let format = Value::from("H:i");
        let day = Date::new(2026, 3, 9).map_or(Value::None, Value::from);
        let noon = Time::new(12, 0, 0, 0).map_or(Value::None, Value::from);
        assert!(text(date(&day, Some(&format), &env())).is_err());
        assert_eq!(text(time(&day, Some(&format), &env())), Ok("".into()));
        assert_eq!(text(time(&day, Some(&"Y".into()), &env())), Ok("".into()));
        assert_eq!(text(date(&noon, Some(&format), &env())), Ok("12:00".into()));
        assert_eq!(text(date(&noon, None, &env())), Ok("".into()));
        assert_eq!(text(time(&moment("2026-01-01"), Some(&"Y".into()), &env())), Ok("".into()));
        for nothing in [Value::None, "".into(), "x".into(), 5.into()] {
            assert_eq!(text(date(&nothing, None, &env())), Ok("".into()));
        }
    }

    #[test]
    fn spans() {
        let since = |value: &Value, arg: Option<&Value>| text(timesince(value, arg, &env()));
        assert_eq!(
            since(&moment("2026-11-23T09:00Z"), None),
            Ok("1\u{a0}day, 3\u{a0}hours".into())
        );
        assert_eq!(
            text(timeuntil(&moment("2026-12-24T12:00Z"), None, &env())),
            Ok("1\u{a0}month".into())
        );
        // Naive and aware moments have nothing between them.
        assert_eq!(since(&moment("2026-11-23T09:00Z"), Some(&moment("2026-11-24"))), Ok("".into()));
        assert_eq!(since(&Value::None, None), Ok("".into()));
        assert!(since(&"x".into(), None).is_err());
    }
}
