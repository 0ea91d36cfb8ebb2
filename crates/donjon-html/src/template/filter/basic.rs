//! Filters that choose, count, join and date.

use super::{Apply, Arity, Autoescape, Filter, FilterError, Safety, int, text_or};
use crate::escape;
use crate::markup::Markup;
use crate::template::env::Env;
use crate::template::value::Value;

type Result = std::result::Result<Value, FilterError>;

pub(super) const FILTERS: &[Filter] = &[
    lost("add", Arity::Required, add),
    lost("default", Arity::Required, default),
    lost("default_if_none", Arity::Required, default_if_none),
    lost("first", Arity::None, first),
    Filter::new("join", Arity::Required, Safety::Preserved, join),
    Filter::new("last", Arity::None, Safety::Preserved, last),
    lost("length", Arity::None, length),
    lost("pluralize", Arity::Optional, pluralize),
    lost("yesno", Arity::Optional, yesno),
];

const fn lost(name: &'static str, arity: Arity, apply: Apply) -> Filter {
    Filter::new(name, arity, Safety::Lost, apply)
}

fn default(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(if value.is_true() { value.clone() } else { arg.cloned().unwrap_or_default() })
}

fn default_if_none(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(if matches!(value, Value::None) { arg.cloned().unwrap_or_default() } else { value.clone() })
}

fn add(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let arg = arg.cloned().unwrap_or_default();
    let sum = int(value).zip(int(&arg)).and_then(|(a, b)| a.checked_add(b)).map(Value::Int);
    Ok(sum.or_else(|| concatenate(value, &arg)).unwrap_or_else(|| "".into()))
}

/// Python's `+`: markup and markup is markup, all other text is text.
fn concatenate(value: &Value, arg: &Value) -> Option<Value> {
    match (value, arg) {
        (Value::List(a), Value::List(b)) => Some(a.iter().chain(b.iter()).cloned().collect()),
        (Value::Tuple(a), Value::Tuple(b)) => {
            Some(Value::Tuple(a.iter().chain(b.iter()).cloned().collect()))
        }
        (Value::Markup(a), Value::Markup(b)) => {
            let mut sum = Markup::clone(a);
            sum.push(b);
            Some(sum.into())
        }
        (a, b) if a.number().is_some() && b.number().is_some() => {
            Some(Value::Float(a.number()? + b.number()?))
        }
        (a, b) => Some([a.as_str()?, b.as_str()?].concat().into()),
    }
}

fn first(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    edge(value, |items| items.first().cloned(), |text| text.chars().next())
}

fn last(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    edge(value, |items| items.last().cloned(), |text| text.chars().next_back())
}

fn edge(
    value: &Value,
    item: fn(&[Value]) -> Option<Value>,
    letter: fn(&str) -> Option<char>,
) -> Result {
    if let Some(text) = value.as_str() {
        return Ok(letter(text).map(String::from).unwrap_or_default().into());
    }
    match value {
        Value::List(_) | Value::Tuple(_) | Value::Object(_) => {
            let items = value.items().unwrap_or_default();
            Ok(item(&items).unwrap_or_else(|| "".into()))
        }
        other => Err(FilterError::new(format!("{other:?} has no first and no last item"))),
    }
}

fn join(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    let (Some(items), Some(separator)) =
        (value.items().filter(|_| !matches!(value, Value::None)), arg)
    else {
        return Ok(value.clone());
    };
    if separator.as_str().is_none() {
        return Ok(value.clone());
    }
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            push(&mut joined, separator, env.autoescape);
        }
        push(&mut joined, item, env.autoescape);
    }
    Ok(Markup::danger_trusted(joined).into())
}

fn push(out: &mut String, value: &Value, autoescape: Autoescape) {
    match autoescape == Autoescape::On && !value.is_markup() {
        true => escape::write_html(out, &value.text()),
        false => out.push_str(&value.text()),
    }
}

fn length(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(value.length().unwrap_or_default().into())
}

fn pluralize(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let arg = text_or(arg, "s");
    let suffixes: Vec<&str> = arg.split(',').collect();
    let (singular, plural) = match suffixes.as_slice() {
        [plural] => ("", *plural),
        [singular, plural] => (*singular, *plural),
        _ => return Ok("".into()),
    };
    let count = match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => value.number().or_else(|| value.length().map(|length| length as f64)),
    };
    Ok(count.map_or("", |count| if count == 1.0 { singular } else { plural }).into())
}

fn yesno(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let arg = text_or(arg, "yes,no,maybe");
    let words: Vec<&str> = arg.split(',').collect();
    let (yes, no, maybe) = match words.as_slice() {
        [yes, no, maybe] => (yes, no, maybe),
        [yes, no, ..] => (yes, no, no),
        _ => return Ok(value.clone()),
    };
    let word = if matches!(value, Value::None) {
        maybe
    } else if value.is_true() {
        yes
    } else {
        no
    };
    Ok((*word).into())
}
