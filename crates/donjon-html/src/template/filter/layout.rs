//! Filters that put text into lines and fields.
//!
//! Stops output that is much larger than what asked for it: a field has at most [`MAX_WIDTH`] characters.

use super::{Arity, Filter, FilterError, Safety, int, text_or};
use crate::escape;
use crate::markup::Markup;
use crate::template::Autoescape;
use crate::template::env::Env;
use crate::template::value::Value;

type Result = std::result::Result<Value, FilterError>;

/// The widest field that a filter makes.
pub(crate) const MAX_WIDTH: usize = 10_000;

pub(super) const FILTERS: &[Filter] = &[
    Filter::new("center", Arity::Required, Safety::Preserved, center),
    Filter::new("linebreaks", Arity::None, Safety::Preserved, linebreaks),
    Filter::new("linenumbers", Arity::None, Safety::Preserved, linenumbers),
    Filter::new("ljust", Arity::Required, Safety::Preserved, ljust),
    Filter::new("rjust", Arity::Required, Safety::Preserved, rjust),
    Filter::new("wordwrap", Arity::Required, Safety::Preserved, wordwrap),
];

fn width(arg: Option<&Value>) -> std::result::Result<i64, FilterError> {
    let width =
        arg.and_then(int).ok_or_else(|| FilterError::new("the width is no whole number"))?;
    match usize::try_from(width).is_ok_and(|width| width > MAX_WIDTH) {
        true => Err(FilterError::new(format!("a field has at most {MAX_WIDTH} characters"))),
        false => Ok(width),
    }
}

/// How many characters are missing.
fn missing(text: &str, width: i64) -> usize {
    usize::try_from(width).unwrap_or_default().saturating_sub(text.chars().count())
}

fn padded(text: &str, left: usize, right: usize) -> Value {
    format!("{}{text}{}", " ".repeat(left), " ".repeat(right)).into()
}

fn center(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let text = value.text();
    let missing = missing(&text, width(arg)?);
    Ok(padded(&text, missing / 2, missing - missing / 2))
}

fn ljust(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let text = value.text();
    Ok(padded(&text, 0, missing(&text, width(arg)?)))
}

fn rjust(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let text = value.text();
    Ok(padded(&text, missing(&text, width(arg)?), 0))
}

fn linenumbers(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    let text = value.text();
    let lines: Vec<&str> = text.split('\n').collect();
    let width = lines.len().to_string().len();
    let escapes = env.autoescape == Autoescape::On && !value.is_markup();
    let mut out = String::with_capacity(text.len() + lines.len() * (width + 3));
    for (at, line) in lines.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "\n" });
        out.push_str(&format!("{:0width$}. ", at + 1));
        if escapes { escape::write_html(&mut out, line) } else { out.push_str(line) }
    }
    Ok(Markup::danger_trusted(out).into())
}

fn linebreaks(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    let escapes = env.autoescape == Autoescape::On && !value.is_markup();
    Ok(Markup::danger_trusted(crate::text::linebreaks(&value.text(), escapes)).into())
}

fn wordwrap(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let width = arg.and_then(int).filter(|width| *width > 0);
    let width = width.ok_or_else(|| FilterError::new("the width is no whole number above 0"))?;
    let width = usize::try_from(width).unwrap_or(usize::MAX);
    Ok(crate::text::wrap(&text_or(Some(value), ""), width).into())
}
