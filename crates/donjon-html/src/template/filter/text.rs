//! Filters that change text.

use std::borrow::Cow;

use super::{Arity, Filter, FilterError, Safety, int, text_or};
use crate::strip_tags::strip_tags;
use crate::template::env::Env;
use crate::template::value::Value;
use crate::truncate;

type Result = std::result::Result<Value, FilterError>;

pub(super) const FILTERS: &[Filter] = &[
    Filter::new("addslashes", Arity::None, Safety::Preserved, addslashes),
    Filter::new("capfirst", Arity::None, Safety::Preserved, capfirst),
    Filter::new("cut", Arity::Required, Safety::Lost, cut),
    Filter::new("lower", Arity::None, Safety::Preserved, lower),
    Filter::new("phone2numeric", Arity::None, Safety::Preserved, phone2numeric),
    Filter::new("slugify", Arity::None, Safety::Preserved, slugify),
    Filter::new("title", Arity::None, Safety::Preserved, title),
    Filter::new("stringformat", Arity::Required, Safety::Preserved, stringformat),
    Filter::new("striptags", Arity::None, Safety::Preserved, striptags),
    Filter::new("truncatechars", Arity::Required, Safety::Preserved, truncatechars),
    Filter::new("truncatechars_html", Arity::Required, Safety::Preserved, truncatechars_html),
    Filter::new("truncatewords", Arity::Required, Safety::Preserved, truncatewords),
    Filter::new("truncatewords_html", Arity::Required, Safety::Preserved, truncatewords_html),
    Filter::new("upper", Arity::None, Safety::Lost, upper),
    Filter::new("wordcount", Arity::None, Safety::Lost, wordcount),
];

fn addslashes(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(value.text().replace('\\', "\\\\").replace('"', "\\\"").replace('\'', "\\'").into())
}

fn capfirst(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    let text = value.text();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    Ok((first + characters.as_str()).into())
}

/// Markup stays markup unless what is cut could end an entity.
fn cut(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let what = text_or(arg, "");
    let rest = value.text().replace(&*what, "");
    match value.is_markup() && what != ";" {
        true => Ok(crate::Markup::danger_trusted(rest).into()),
        false => Ok(rest.into()),
    }
}

fn lower(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(value.text().to_lowercase().into())
}

fn upper(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(value.text().to_uppercase().into())
}

fn phone2numeric(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(crate::text::phone2numeric(&value.text()).into())
}

fn slugify(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(crate::text::slugify(&value.text()).into())
}

/// Python's `title`, but an apostrophe or a digit begins no new word.
fn title(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    let mut out = String::new();
    let mut before = [' '; 2];
    for character in value.text().chars() {
        let inside = before[1].is_alphabetic()
            || before[1].is_ascii_digit()
            || (before[1] == '\'' && before[0].is_ascii_lowercase());
        match inside {
            true => out.extend(character.to_lowercase()),
            false => out.extend(character.to_uppercase()),
        }
        before = [before[1], out.chars().next_back().unwrap_or(character)];
    }
    Ok(out.into())
}

/// How the page's language ends a text that is cut.
fn ending<'e>(env: &'e Env<'_>) -> Cow<'e, str> {
    env.locale.translate(Some("String to return when truncating text"), "%(truncated_text)s…")
}

const MORE_WORDS: &str = " …";

/// Cuts by `cut`, if the length is a number.
fn cut_to(value: &Value, arg: Option<&Value>, cut: impl Fn(&str, usize) -> String) -> Result {
    let Some(length) = arg.and_then(int) else {
        return Ok(value.clone());
    };
    Ok(cut(&value.text(), usize::try_from(length).unwrap_or_default()).into())
}

fn truncatechars(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    cut_to(value, arg, |text, length| truncate::chars(text, length, &ending(env)))
}

fn truncatechars_html(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    cut_to(value, arg, |text, length| truncate::html_chars(text, length, &ending(env)))
}

fn truncatewords(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    cut_to(value, arg, |text, length| truncate::words(text, length, MORE_WORDS))
}

fn truncatewords_html(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    cut_to(value, arg, |text, length| truncate::html_words(text, length, MORE_WORDS))
}

fn striptags(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    strip_tags(&value.text()).map(Value::from).map_err(|error| FilterError::new(error.to_string()))
}

fn stringformat(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let value = match value {
        Value::Tuple(_) => &Value::from(value.text()),
        other => other,
    };
    Ok(super::stringformat::format(&text_or(arg, ""), value).unwrap_or_default().into())
}

fn wordcount(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(value.text().split_whitespace().count().into())
}
