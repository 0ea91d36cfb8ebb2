//! What a variable of a template can be.
//!
//! Stops two attacks on the way in: a value that claims to be markup without anybody having vouched for it (rule 1),
//! and a template that calls what it should only read (rule 2).
//!
//! 1. A value is markup only if it was made from [`Markup`]; text, serialized data and what an [`Object`] prints as
//!    text are escaped.
//! 2. Templates read attributes by name, through [`Object::attribute`], and nothing else: no method is called that an
//!    object does not offer there.
//! 3. Printing follows Python, as templates of Django expect: `None`, `True`, `1.0`, `['a', 1]`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::date::{Date, DateTime, Duration, Time, TimeZone};
use super::decimal::Decimal;
use super::map::{Key, Map};
use super::number;
use crate::markup::{Markup, TrustedUrl};
use num_bigint::BigInt;
use num_traits::ToPrimitive as _;

/// Lists and maps nested deeper than this are printed as `...`.
pub const MAX_PRINT_DEPTH: usize = 64;

/// A value in a template. Cloning is cheap: everything large is shared.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Value {
    /// `None`.
    #[default]
    None,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text, escaped wherever it is printed.
    Str(Arc<str>),
    /// HTML, printed as it is in HTML text.
    Markup(Arc<Markup>),
    /// An address that may be loaded as code.
    Url(TrustedUrl),
    /// A whole number outside 64 bits.
    BigInt(Arc<BigInt>),
    /// A decimal number: Python's `Decimal`.
    Decimal(Arc<Decimal>),
    /// A list.
    List(Arc<[Value]>),
    /// A tuple: a list that prints in round brackets.
    Tuple(Arc<[Value]>),
    /// A map.
    Map(Arc<Map>),
    /// A date and time.
    DateTime(Arc<DateTime>),
    /// A date.
    Date(Date),
    /// A time of day.
    Time(Time),
    /// A span of time: Python's `timedelta`.
    Duration(Duration),
    /// Something that resolves its attributes when asked.
    Object(Arc<dyn Object>),
}

/// Something a template can look into without its being converted first: a user, a form, a row.
///
/// ```
/// use donjon_html::template::{Object, Value};
///
/// struct User { name: String }
///
/// impl Object for User {
///     fn attribute(&self, name: &str) -> Option<Value> {
///         (name == "name").then(|| self.name.as_str().into())
///     }
///
///     fn display(&self) -> Value {
///         self.name.as_str().into()
///     }
/// }
/// ```
pub trait Object: Send + Sync {
    /// The attribute or method result of that name, or `None` if there is none.
    fn attribute(&self, name: &str) -> Option<Value>;

    /// The attribute of that name, for attributes whose reading can fail.
    ///
    /// # Errors
    ///
    /// [`LookupError`]; a silent one is as if there were no such attribute.
    fn try_attribute(&self, name: &str) -> Result<Option<Value>, LookupError> {
        Ok(self.attribute(name))
    }

    /// What a template gets that ends a look-up, or a step of one, at this object: by default the object itself.
    /// Functions and methods are [called](Call::Returned), unless they [change data](Call::AltersData).
    ///
    /// # Errors
    ///
    /// [`LookupError`] if the call fails.
    fn call(&self) -> Result<Call, LookupError> {
        Ok(Call::NotCallable)
    }

    /// What `{{ object }}` prints: text, which is escaped, or [`Markup`].
    fn display(&self) -> Value;

    /// How the object prints within a list: Python's `repr`. By default as it displays.
    fn repr(&self) -> Option<String> {
        None
    }

    /// The number that the object stands for, for filters that calculate.
    fn number(&self) -> Option<f64> {
        None
    }

    /// The time zone that the object is, for `{% timezone object %}`.
    fn time_zone(&self) -> Option<TimeZone> {
        None
    }

    /// The item at that index, for `{{ object.0 }}`.
    fn item(&self, index: usize) -> Option<Value> {
        self.items()?.into_iter().nth(index)
    }

    /// The items, for `{% for %}`, or `None` if there is nothing to iterate over.
    fn items(&self) -> Option<Vec<Value>> {
        None
    }

    /// The pairs of a mapping, for `{% querystring %}` and `urlencode`: of each key and its value, or the list of its
    /// values. By default what the attribute `lists` or `items` has.
    fn pairs(&self) -> Option<Value> {
        self.attribute("lists").or_else(|| self.attribute("items"))
    }

    /// The number of items.
    fn length(&self) -> Option<usize> {
        self.items().map(|items| items.len())
    }

    /// Whether `needle` is in this object, for `{% if needle in object %}`.
    fn contains(&self, needle: &Value) -> bool {
        self.items().is_some_and(|items| items.contains(needle))
    }

    /// Whether `{% if object %}` takes its branch.
    fn is_true(&self) -> bool {
        self.length() != Some(0)
    }
}

/// What a template gets from something that may be callable. Django: "Variables and lookups", callables.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Call {
    /// It is a value, and used as it is: also what Django marks with `do_not_call_in_templates`.
    NotCallable,
    /// It was called without arguments, and this is the result.
    Returned(Value),
    /// It changes data (`alters_data`), so it was not called; the template sees a missing value.
    AltersData,
    /// It needs arguments, which a template cannot give; the template sees a missing value.
    NeedsArguments,
}

/// A look-up that failed. Reaches the log, never the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupError {
    message: String,
    silent: bool,
}

impl LookupError {
    /// The page fails with this message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), silent: false }
    }

    /// The template sees a missing value: Django's `silent_variable_failure`, as of `ObjectDoesNotExist`.
    #[must_use]
    pub fn silent(message: impl Into<String>) -> Self {
        Self { message: message.into(), silent: true }
    }

    /// Whether the template sees a missing value instead of an error.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.silent
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for LookupError {}

impl Value {
    /// The value that `data` serializes to. Takes anything with serde's `Serialize`.
    ///
    /// # Errors
    ///
    /// [`SerializeError`](super::SerializeError) if the data is nested too deeply, has keys that are not text or
    /// numbers, or refuses to serialize itself.
    pub fn from_serialize<T: serde::Serialize + ?Sized>(
        data: &T,
    ) -> Result<Self, super::SerializeError> {
        super::serialize::value(data)
    }

    /// A value that resolves its attributes when asked.
    #[must_use]
    pub fn object(object: impl Object + 'static) -> Self {
        Self::Object(Arc::new(object))
    }

    /// Whether `{% if value %}` takes its branch: Python's truth.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(yes) => *yes,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::Markup(html) => !html.is_empty(),
            Self::BigInt(_) => true,
            Self::Decimal(number) => !number.is_zero(),
            Self::List(items) | Self::Tuple(items) => !items.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Url(_) | Self::DateTime(_) | Self::Date(_) | Self::Time(_) => true,
            Self::Duration(span) => !span.is_zero(),
            Self::Object(object) => object.is_true(),
        }
    }

    /// The number of characters, items or keys, or `None` if the value has no length.
    #[must_use]
    pub fn length(&self) -> Option<usize> {
        match self {
            Self::List(items) | Self::Tuple(items) => Some(items.len()),
            Self::Map(map) => Some(map.len()),
            Self::Object(object) => object.length(),
            other => other.as_str().map(|text| text.chars().count()),
        }
    }

    /// The text, if the value is text of any kind.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Markup(html) => Some(html),
            Self::Url(url) => Some(url.as_str()),
            _ => None,
        }
    }

    /// Whether the value is [`Markup`].
    #[must_use]
    pub fn is_markup(&self) -> bool {
        matches!(self, Self::Markup(_))
    }

    /// The value as text, as Python's `str` gives it. Not escaped.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self.as_str() {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.owned_text()),
        }
    }

    fn owned_text(&self) -> String {
        match self {
            Self::Object(object) => flat(&object.display()).into_owned(),
            Self::DateTime(moment) => moment.to_string(),
            Self::Date(date) => date.to_string(),
            Self::Time(time) => time.to_string(),
            Self::Duration(span) => span.to_string(),
            Self::Decimal(number) => number.to_string(),
            other => Repr(other).to_string(),
        }
    }

    /// One step of a look-up: the key of a map, the attribute of an object, the index of a list.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<Cow<'_, Value>> {
        match self {
            Self::Map(map) => {
                map.get(name).map(Cow::Borrowed).or_else(|| map_method(map, name).map(Cow::Owned))
            }
            Self::List(items) | Self::Tuple(items) => items.get(index(name)?).map(Cow::Borrowed),
            Self::Object(object) => {
                object.attribute(name).or_else(|| object.item(index(name)?)).map(Cow::Owned)
            }
            other => {
                let text = other.as_str()?;
                if let Some(result) = text_method(text, name) {
                    return Some(Cow::Owned(result));
                }
                let character = text.chars().nth(index(name)?)?;
                Some(Cow::Owned(character.encode_utf8(&mut [0; 4]).into()))
            }
        }
    }

    /// The items that `{% for %}` walks over, or `None` if the value cannot be iterated over.
    #[must_use]
    pub fn items(&self) -> Option<Arc<[Value]>> {
        match self {
            Self::None => Some(Arc::default()),
            Self::List(items) | Self::Tuple(items) => Some(items.clone()),
            Self::Map(map) => Some(map.keys().map(Value::from).collect()),
            Self::Object(object) => object.items().map(Into::into),
            other => other
                .as_str()
                .map(|text| text.chars().map(|c| c.encode_utf8(&mut [0; 4]).into()).collect()),
        }
    }

    /// Whether `needle` is in this value, as Python's `in` says. `None` if the question makes no sense.
    #[must_use]
    pub fn contains(&self, needle: &Value) -> Option<bool> {
        match self {
            Self::List(items) | Self::Tuple(items) => Some(items.contains(needle)),
            Self::Map(map) => Some(needle.as_str().is_some_and(|name| map.get(name).is_some())),
            Self::Object(object) => Some(object.contains(needle)),
            other => Some(other.as_str()?.contains(needle.as_str()?)),
        }
    }

    /// Python's `is`, for the values where it can be told.
    #[must_use]
    pub fn is_same(&self, other: &Value) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::None, Self::None) => true,
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => Arc::ptr_eq(a, b),
            (Self::Map(a), Self::Map(b)) => Arc::ptr_eq(a, b),
            (Self::Object(a), Self::Object(b)) => Arc::ptr_eq(a, b),
            (Self::Str(a), Self::Str(b)) => a == b,
            _ => false,
        }
    }

    /// The number, if the value is one; `True` is 1, as in Python.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(yes) => Some(f64::from(u8::from(*yes))),
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            Self::BigInt(number) => number.to_f64(),
            Self::Decimal(number) => Some(number.to_f64()),
            Self::Object(object) => object.number(),
            _ => None,
        }
    }

    /// Whether the value is a number that is held exactly.
    fn is_exact(&self) -> bool {
        matches!(self, Self::BigInt(_) | Self::Decimal(_)) || self.integer().is_some()
    }

    /// The number as a decimal, if the value is a number and finite.
    #[must_use]
    pub fn decimal(&self) -> Option<Decimal> {
        match self {
            Self::Decimal(number) => Some(Decimal::clone(number)),
            Self::BigInt(number) => Decimal::parse(&number.to_string()),
            Self::Float(number) => Decimal::parse(&number.to_string()),
            other => other.integer().map(Decimal::from),
        }
    }

    /// The whole number, if the value is one.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Bool(yes) => Some(i64::from(*yes)),
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }
}

/// What an object shows, where an object that shows an object shows nothing: no chain of objects can be endless.
fn flat(shown: &Value) -> Cow<'_, str> {
    match shown {
        Value::Object(_) => Cow::Borrowed(""),
        other => other.text(),
    }
}

fn index(name: &str) -> Option<usize> {
    if name.bytes().all(|byte| byte.is_ascii_digit()) { name.parse().ok() } else { None }
}

fn map_method(map: &Map, name: &str) -> Option<Value> {
    let pair =
        |(key, value): (&Key, &Value)| Value::Tuple([Value::from(key), value.clone()].into());
    match name {
        "items" => Some(Value::List(map.iter().map(pair).collect())),
        "keys" => Some(Value::List(map.keys().map(Value::from).collect())),
        "values" => Some(Value::List(map.values().cloned().collect())),
        _ => None,
    }
}

/// The methods of Python's `str` that take no argument and that templates use.
fn text_method(text: &str, name: &str) -> Option<Value> {
    Some(match name {
        "upper" => text.to_uppercase().into(),
        "lower" => text.to_lowercase().into(),
        "strip" => text.trim().into(),
        "lstrip" => text.trim_start().into(),
        "rstrip" => text.trim_end().into(),
        "split" => text.split_whitespace().map(Value::from).collect(),
        "splitlines" => text.lines().map(Value::from).collect(),
        "isdigit" => (!text.is_empty() && text.chars().all(|c| c.is_ascii_digit())).into(),
        "isalpha" => (!text.is_empty() && text.chars().all(char::is_alphabetic)).into(),
        _ => return None,
    })
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::DateTime(a), Self::DateTime(b)) => a == b,
            (Self::Date(a), Self::Date(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => Arc::ptr_eq(a, b),
            (Self::Object(object), text) | (text, Self::Object(object))
                if text.as_str().is_some() =>
            {
                object.display().as_str() == text.as_str()
            }
            _ => self.partial_cmp(other) == Some(Ordering::Equal),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::List(a), Self::List(b)) | (Self::Tuple(a), Self::Tuple(b)) => a.partial_cmp(b),
            (Self::DateTime(a), Self::DateTime(b)) => a.partial_cmp(b),
            (Self::Date(a), Self::Date(b)) => a.partial_cmp(b),
            (Self::Time(a), Self::Time(b)) => a.partial_cmp(b),
            (Self::Duration(a), Self::Duration(b)) => a.partial_cmp(b),
            _ => match (self.as_str(), other.as_str()) {
                (Some(a), Some(b)) => Some(a.cmp(b)),
                (None, None) => compare_numbers(self, other),
                _ => None,
            },
        }
    }
}

fn compare_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    match (a.integer(), b.integer()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ if a.is_exact() && b.is_exact() => Some(a.decimal()?.cmp(&b.decimal()?)),
        _ => a.number()?.partial_cmp(&b.number()?),
    }
}

/// Prints a value as Python's `repr` does, numbers as `str` does.
pub(crate) struct Repr<'a>(pub(crate) &'a Value);

impl fmt::Display for Repr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        repr(f, self.0, 0)
    }
}

fn repr(f: &mut fmt::Formatter<'_>, value: &Value, depth: usize) -> fmt::Result {
    match value {
        _ if depth > MAX_PRINT_DEPTH => f.write_str("..."),
        Value::None => f.write_str("None"),
        Value::Bool(yes) => f.write_str(if *yes { "True" } else { "False" }),
        Value::Int(number) => write!(f, "{number}"),
        Value::Float(number) => number::write_python(f, *number),
        Value::BigInt(number) => write!(f, "{number}"),
        Value::Decimal(number) => write!(f, "Decimal('{number}')"),
        Value::List(items) => repr_list(f, items, depth),
        Value::Tuple(items) => repr_tuple(f, items, depth),
        Value::Map(map) => repr_map(f, map, depth),
        Value::DateTime(moment) => moment.write_repr(f),
        Value::Date(date) => date.write_repr(f),
        Value::Time(time) => time.write_repr(f),
        Value::Duration(span) => span.write_repr(f),
        Value::Object(object) => match object.repr() {
            Some(text) => f.write_str(&text),
            None => f.write_str(&flat(&object.display())),
        },
        text => repr_text(f, text.as_str().unwrap_or_default()),
    }
}

fn repr_list(f: &mut fmt::Formatter<'_>, items: &[Value], depth: usize) -> fmt::Result {
    f.write_char('[')?;
    repr_items(f, items, depth)?;
    f.write_char(']')
}

fn repr_tuple(f: &mut fmt::Formatter<'_>, items: &[Value], depth: usize) -> fmt::Result {
    f.write_char('(')?;
    repr_items(f, items, depth)?;
    f.write_str(if items.len() == 1 { ",)" } else { ")" })
}

fn repr_items(f: &mut fmt::Formatter<'_>, items: &[Value], depth: usize) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { ", " })?;
        repr(f, item, depth + 1)?;
    }
    Ok(())
}

fn repr_map(f: &mut fmt::Formatter<'_>, map: &Map, depth: usize) -> fmt::Result {
    f.write_char('{')?;
    for (index, (key, value)) in map.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { ", " })?;
        repr_text(f, key)?;
        f.write_str(": ")?;
        repr(f, value, depth + 1)?;
    }
    f.write_char('}')
}

fn repr_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    f.write_char(quote)?;
    for character in text.chars() {
        match character {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            _ if character == quote => write!(f, "\\{character}")?,
            '\0'..='\x1f' | '\x7f'..='\u{a0}' | '\u{ad}' => {
                write!(f, "\\x{:02x}", character as u32)?
            }
            '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{3000}'
            | '\u{feff}' => {
                write!(f, "\\u{:04x}", character as u32)?;
            }
            _ => f.write_char(character)?,
        }
    }
    f.write_char(quote)
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(_) => f.write_str("Object"),
            Self::Markup(html) => write!(f, "{html:?}"),
            other => write!(f, "{}", Repr(other)),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<&mut str> for Value {
    fn from(text: &mut str) -> Self {
        Self::Str((&*text).into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Str(text.as_str().into())
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(text: Cow<'_, str>) -> Self {
        Self::Str(text.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Self::Str(text)
    }
}

impl From<Markup> for Value {
    fn from(markup: Markup) -> Self {
        Self::Markup(Arc::new(markup))
    }
}

impl From<TrustedUrl> for Value {
    fn from(url: TrustedUrl) -> Self {
        Self::Url(url)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

impl From<f32> for Value {
    fn from(number: f32) -> Self {
        Self::Float(f64::from(number))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<DateTime> for Value {
    fn from(moment: DateTime) -> Self {
        Self::DateTime(Arc::new(moment))
    }
}

impl From<Date> for Value {
    fn from(date: Date) -> Self {
        Self::Date(date)
    }
}

impl From<Time> for Value {
    fn from(time: Time) -> Self {
        Self::Time(time)
    }
}

impl From<Duration> for Value {
    fn from(span: Duration) -> Self {
        Self::Duration(span)
    }
}

impl From<Decimal> for Value {
    fn from(number: Decimal) -> Self {
        Self::Decimal(Arc::new(number))
    }
}

/// A whole number that fits into 64 bits becomes [`Value::Int`].
impl From<BigInt> for Value {
    fn from(number: BigInt) -> Self {
        number.to_i64().map_or_else(|| Self::BigInt(Arc::new(number)), Self::Int)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(Arc::new(map))
    }
}

impl From<Arc<dyn Object>> for Value {
    fn from(object: Arc<dyn Object>) -> Self {
        Self::Object(object)
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::None
    }
}

macro_rules! from_integer {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Value {
            fn from(number: $integer) -> Self {
                i64::try_from(number).map_or_else(|_| BigInt::from(number).into(), Self::Int)
            }
        }
    )*};
}

from_integer!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value> + Clone> From<&[T]> for Value {
    fn from(items: &[T]) -> Self {
        Self::List(items.iter().cloned().map(Into::into).collect())
    }
}

impl<K: Into<Key>, V: Into<Value>> FromIterator<(K, V)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self::from(pairs.into_iter().collect::<Map>())
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::List(items.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_prints_like_python() {
        let list = Value::from(vec![
            Value::from("a'b"),
            Value::Int(1),
            Value::None,
            Value::Float(1.0),
            true.into(),
        ]);
        assert_eq!(list.text(), r#"["a'b", 1, None, 1.0, True]"#);
        let map: Value = [("a", Value::from("\n"))].into_iter().collect();
        assert_eq!(map.text(), r"{'a': '\n'}");
    }

    #[test]
    fn comparisons_are_python_s() {
        assert_eq!(Value::Int(1), Value::Float(1.0));
        assert_eq!(Value::Bool(true), Value::Int(1));
        assert_ne!(Value::Int(1), Value::from("1"));
        assert_eq!(Value::Int(1).partial_cmp(&Value::from("1")), None);
        assert_eq!(Value::from("abc").contains(&"b".into()), Some(true));
        assert_eq!(Value::Int(1).contains(&"b".into()), None);
    }

    #[test]
    fn endless_objects_print_nothing() {
        struct Endless;
        impl Object for Endless {
            fn attribute(&self, _: &str) -> Option<Value> {
                None
            }
            fn display(&self) -> Value {
                Value::object(Endless)
            }
        }
        assert_eq!(Value::object(Endless).text(), "");
    }
}
