//! The filters of expressions.
//!
//! Stops a filter from turning text into markup by accident.
//!
//! 1. What a filter returns is text, and is escaped, unless the filter makes [`Markup`] itself.
//! 2. A filter declared to [preserve safety](Safety::Preserved) makes markup of markup, and text of text.
//! 3. `safe` is the only filter that vouches for a value as it is; where only text may stand, the template is refused.

use std::fmt;

use super::env::Env;
use super::value::Value;

mod basic;
mod date;
mod humanize;
mod i18n;
mod layout;
mod list;
mod markup;
mod number;
mod stringformat;
mod text;

/// Whether a template escapes at the place where a filter stands: `{% autoescape %}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Autoescape {
    /// Text is escaped.
    On,
    /// The template's author has switched escaping off.
    Off,
}

/// Whether a filter takes an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// `x|upper`.
    None,
    /// `x|date` or `x|date:"Y"`.
    Optional,
    /// `x|add:1`.
    Required,
}

/// What a filter does to markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// Adds no character that HTML escapes: markup stays markup. Django's `is_safe=True`.
    Preserved,
    /// Its result is text, whatever went in.
    Lost,
}

/// What a filter does: takes the value, the argument and whether escaping is on.
pub type Apply = fn(&Value, Option<&Value>, &Env<'_>) -> Result<Value, FilterError>;

/// A filter: how it is called, and what it does.
#[derive(Clone, Copy)]
pub struct Filter {
    pub(crate) name: &'static str,
    pub(crate) arity: Arity,
    pub(crate) safety: Safety,
    pub(crate) apply: Apply,
}

impl Filter {
    /// A filter of that name.
    #[must_use]
    pub const fn new(name: &'static str, arity: Arity, safety: Safety, apply: Apply) -> Self {
        Self { name, arity, safety, apply }
    }

    pub(crate) fn call(
        &self,
        value: &Value,
        arg: Option<&Value>,
        env: &Env<'_>,
    ) -> Result<Value, FilterError> {
        let result = (self.apply)(value, arg, env)?;
        match self.safety == Safety::Preserved && is_safe(value) && !result.is_markup() {
            true => Ok(crate::Markup::danger_trusted(result.text()).into()),
            false => Ok(result),
        }
    }
}

/// Whether a value is markup, or an object that prints as markup.
fn is_safe(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.display().is_markup(),
        other => other.is_markup(),
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.name).finish()
    }
}

/// A filter could not take the value that it was given. The page fails, as in Django.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError(String);

impl FilterError {
    /// Says what was given and what was expected. The message reaches the log, never the page.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FilterError {}

const BUILT_IN: [&[Filter]; 7] = [
    basic::FILTERS,
    date::FILTERS,
    layout::FILTERS,
    list::FILTERS,
    markup::FILTERS,
    number::FILTERS,
    text::FILTERS,
];

/// Django's filter of that name, of those that need no `load`.
pub(crate) fn built_in(name: &str) -> Option<Filter> {
    BUILT_IN.into_iter().flatten().find(|filter| filter.name == name).copied()
}

/// The filters of a library that Donjon brings.
pub(crate) fn shipped(library: &str) -> &'static [Filter] {
    match library {
        "humanize" => humanize::FILTERS,
        "i18n" => i18n::I18N,
        "l10n" => i18n::L10N,
        "tz" => i18n::TZ,
        _ => &[],
    }
}

/// Calls a filter by its name, outside of a template: one of Django's, or with a library one that needs `load`.
///
/// # Errors
///
/// [`FilterError`] if there is no such filter, or it can't take what it is given.
pub fn call_filter(
    library: Option<&str>,
    name: &str,
    value: &Value,
    arg: Option<&Value>,
    env: &Env<'_>,
) -> Result<Value, FilterError> {
    let of_library = library.and_then(|library| shipped(library).iter().find(|f| f.name == name));
    let filter = of_library.copied().or_else(|| built_in(name));
    let filter = filter.ok_or_else(|| FilterError::new(format!("Invalid filter: '{name}'")))?;
    (filter.apply)(value, arg, env)
}

/// The names of the filters that need no `load`.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.into_iter().flatten().map(|filter| filter.name)
}

/// Python's `int(value)`.
pub(crate) fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Float(number) if number.abs() < 9e18 => Some(number.trunc() as i64),
        other => match other.as_str() {
            Some(text) => text.trim().replace('_', "").parse().ok(),
            None => other.integer(),
        },
    }
}

/// The argument as text; nothing if there is none.
fn text_or<'a>(arg: Option<&'a Value>, otherwise: &'a str) -> std::borrow::Cow<'a, str> {
    arg.map_or(otherwise.into(), Value::text)
}
