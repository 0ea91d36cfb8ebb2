//! Filters that change text.

use super::{Arity, Filter, FilterError, Safety, int, text_or};
use crate::template::env::Env;
use crate::template::value::Value;

type Result = std::result::Result<Value, FilterError>;

pub(super) const FILTERS: &[Filter] = &[
    Filter::new("addslashes", Arity::None, Safety::Preserved, addslashes),
    Filter::new("capfirst", Arity::None, Safety::Preserved, capfirst),
    Filter::new("cut", Arity::Required, Safety::Lost, cut),
    Filter::new("lower", Arity::None, Safety::Preserved, lower),
    Filter::new("phone2numeric", Arity::None, Safety::Preserved, phone2numeric),
    Filter::new("slugify", Arity::None, Safety::Preserved, slugify),
    Filter::new("title", Arity::None, Safety::Preserved, title),
    Filter::new("truncatechars", Arity::Required, Safety::Preserved, truncatechars),
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

const ELLIPSIS: char = '…';

fn truncatechars(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let Some(length) = arg.and_then(int) else {
        return Ok(value.clone());
    };
    let text = value.text();
    let length = usize::try_from(length).unwrap_or_default();
    let visible = |(_, character): &(usize, char)| !is_combining(*character);
    if length == 0 {
        return Ok("".into());
    }
    if text.char_indices().filter(visible).nth(length).is_none() {
        return Ok(text.into());
    }
    let end = text.char_indices().filter(visible).nth(length - 1).map_or(0, |(at, _)| at);
    let mut out = text.get(..end).unwrap_or_default().to_owned();
    out.push(ELLIPSIS);
    Ok(out.into())
}

/// The blocks of combining marks; they count as part of the character before them.
fn is_combining(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{487}' | '\u{591}'..='\u{5bd}' | '\u{64b}'..='\u{65f}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20dc}' | '\u{fe20}'..='\u{fe2f}')
}

fn wordcount(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(value.text().split_whitespace().count().into())
}
