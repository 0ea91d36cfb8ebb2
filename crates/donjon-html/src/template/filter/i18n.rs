//! The filters of Django's libraries `i18n`, `l10n` and `tz`.

use super::{Arity, Filter, FilterError, Safety};
use crate::locale::{Language, Locale};
use crate::template::date::TimeZone;
use crate::template::env::Env;
use crate::template::value::Value;

type Result = std::result::Result<Value, FilterError>;

/// `{% load i18n %}`
pub(crate) const I18N: &[Filter] = &[
    Filter::new("language_name", Arity::None, Safety::Lost, language_name),
    Filter::new("language_name_translated", Arity::None, Safety::Lost, language_name_translated),
    Filter::new("language_name_local", Arity::None, Safety::Lost, language_name_local),
    Filter::new("language_bidi", Arity::None, Safety::Lost, language_bidi),
];

/// `{% load l10n %}`
pub(crate) const L10N: &[Filter] = &[
    Filter::new("localize", Arity::None, Safety::Lost, localize),
    Filter::new("unlocalize", Arity::None, Safety::Lost, unlocalize),
];

/// `{% load tz %}`
pub(crate) const TZ: &[Filter] = &[
    Filter::new("localtime", Arity::None, Safety::Lost, localtime),
    Filter::new("utc", Arity::None, Safety::Lost, utc),
    Filter::new("timezone", Arity::Required, Safety::Lost, timezone),
];

fn language(code: &Value) -> std::result::Result<&'static Language, FilterError> {
    code.as_str().and_then(Language::find).ok_or_else(|| {
        FilterError::new(format!("{code:?} is not the code of a known language, such as \"pt-br\""))
    })
}

fn language_name(code: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(language(code)?.name.into())
}

fn language_name_translated(code: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    Ok(env.locale.translate(None, language(code)?.name).into())
}

fn language_name_local(code: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(language(code)?.name_local.into())
}

fn language_bidi(code: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(language(code)?.is_bidi.into())
}

fn localize(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    Ok(written(value, env.locale, Locale::write_localized))
}

fn unlocalize(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    Ok(written(value, env.locale, Locale::write_unlocalized))
}

/// Text stays what it is: markup, too.
fn written(value: &Value, locale: &Locale, write: fn(&Locale, &mut String, &Value)) -> Value {
    if value.as_str().is_some() {
        return value.clone();
    }
    let mut out = String::new();
    write(locale, &mut out, value);
    out.into()
}

fn localtime(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    Ok(in_zone(value, env.time_zone, env))
}

fn utc(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    Ok(in_zone(value, &TimeZone::utc(), env))
}

fn timezone(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    let zone = arg.and_then(TimeZone::of_value);
    Ok(zone.map_or_else(|| "".into(), |zone| in_zone(value, &zone, env)))
}

/// The moment in a zone, in which it stays; a naive one is taken to be in the site's zone.
fn in_zone(value: &Value, zone: &TimeZone, env: &Env<'_>) -> Value {
    let Value::DateTime(moment) = value else {
        return "".into();
    };
    let shown = match moment.is_aware() {
        true => moment.in_zone(zone),
        false => moment.make_aware(env.locale.time_zone()).in_zone(zone),
    };
    // Django builds the moment anew, and so of an hour that occurs twice always means the first.
    shown.make_aware(zone).pinned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Markup;
    use crate::template::{Autoescape, DateTime};

    fn bare() -> Env<'static> {
        Env::bare(Autoescape::On)
    }

    #[test]
    fn names_of_languages() {
        let code = Value::from("de-at");
        assert_eq!(language_name(&code, None, &bare()), Ok("German".into()));
        assert_eq!(language_name_local(&code, None, &bare()), Ok("Deutsch".into()));
        assert_eq!(language_name_translated(&code, None, &bare()), Ok("German".into()));
        assert_eq!(language_bidi(&"ar".into(), None, &bare()), Ok(true.into()));
        for unknown in ["xx".into(), Value::None, 1.into()] {
            assert!(language_name(&unknown, None, &bare()).is_err());
        }
    }

    #[test]
    fn zones() {
        let Some(moment) = DateTime::parse_iso("2026-07-01T12:00:00Z").map(Value::from) else {
            unreachable!("the moment is well formed")
        };
        let shown = |zone: &str| {
            let shown = timezone(&moment, Some(&zone.into()), &bare()).unwrap_or_default();
            (shown.text().into_owned(), matches!(shown, Value::DateTime(m) if m.is_pinned()))
        };
        assert_eq!(shown("Asia/Tokyo"), ("2026-07-01 21:00:00+09:00".into(), true));
        for bad in ["asia/tokyo", "../etc/passwd", "/etc/localtime", "", "x"] {
            assert_eq!(shown(bad), (String::new(), false), "{bad}");
        }
        let fixed = Value::from(TimeZone::fixed(3600));
        let shown = timezone(&moment, Some(&fixed), &bare()).unwrap_or_default();
        assert_eq!(shown.text(), "2026-07-01 13:00:00+01:00");
        assert_eq!(utc(&"x".into(), None, &bare()), Ok("".into()));
    }

    #[test]
    fn markup_stays_markup() {
        let bold = Value::from(Markup::danger_trusted("<b>"));
        assert!(localize(&bold, None, &bare()).is_ok_and(|value| value.is_markup()));
        assert_eq!(unlocalize(&1.5.into(), None, &bare()), Ok("1.5".into()));
    }
}
