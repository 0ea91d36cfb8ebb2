//! Filters that take lists: cut, sort, pick, nest.
//!
//! Stops lists that are nested without end: see [`MAX_LIST_DEPTH`].

use std::cmp::Ordering;
use std::hash::{BuildHasher as _, RandomState};

use super::{Arity, Filter, FilterError, Safety, int, text_or};
use crate::escape;
use crate::markup::Markup;
use crate::template::Autoescape;
use crate::template::env::Env;
use crate::template::value::Value;

type Result = std::result::Result<Value, FilterError>;

/// The deepest nesting that `unordered_list` prints.
const MAX_LIST_DEPTH: usize = 32;

pub(super) const FILTERS: &[Filter] = &[
    Filter::new("dictsort", Arity::Required, Safety::Lost, dictsort),
    Filter::new("dictsortreversed", Arity::Required, Safety::Lost, dictsortreversed),
    Filter::new("escapeseq", Arity::None, Safety::Preserved, escapeseq),
    Filter::new("make_list", Arity::None, Safety::Lost, make_list),
    Filter::new("random", Arity::None, Safety::Preserved, random),
    Filter::new("safeseq", Arity::None, Safety::Preserved, safeseq),
    Filter::new("slice", Arity::Required, Safety::Preserved, slice),
    Filter::new("unordered_list", Arity::None, Safety::Preserved, unordered_list),
];

fn items(value: &Value, filter: &str) -> std::result::Result<std::sync::Arc<[Value]>, FilterError> {
    value
        .items()
        .filter(|_| !matches!(value, Value::None))
        .ok_or_else(|| FilterError::new(format!("{filter} needs something to iterate over")))
}

fn safeseq(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    let items = items(value, "safeseq")?;
    Ok(items.iter().map(|item| Value::from(Markup::danger_trusted(item.text()))).collect())
}

fn escapeseq(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    let escaped = |item: &Value| match item.is_markup() {
        true => item.clone(),
        false => Markup::escape(&item.text()).into(),
    };
    Ok(items(value, "escapeseq")?.iter().map(escaped).collect())
}

fn make_list(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(value.text().chars().map(|c| Value::from(String::from(c))).collect())
}

fn random(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    let items = items(value, "random")?;
    let dice = usize::try_from(RandomState::new().hash_one(0) >> 1).unwrap_or_default();
    let chosen = dice.checked_rem(items.len()).and_then(|at| items.get(at).cloned());
    Ok(chosen.unwrap_or_else(|| "".into()))
}

/// Python's `value[a:b:c]`; what is no slice changes nothing.
fn slice(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(sliced(value, &text_or(arg, "")).unwrap_or_else(|| value.clone()))
}

fn sliced(value: &Value, arg: &str) -> Option<Value> {
    let bound = |text: &str| match text {
        "" => Some(None),
        text => int(&text.into()).map(Some),
    };
    let bounds = arg.split(':').map(bound).collect::<Option<Vec<_>>>()?;
    let (from, to, step) = match bounds.as_slice() {
        [to] => (None, *to, None),
        [from, to] => (*from, *to, None),
        [from, to, step] => (*from, *to, *step),
        _ => return None,
    };
    if let Some(text) = value.as_str() {
        let letters: Vec<char> = text.chars().collect();
        let places = places(letters.len(), from, to, step.unwrap_or(1))?;
        let kept: String = places.filter_map(|at| letters.get(at)).collect();
        return Some(kept.into());
    }
    let items = match value {
        Value::List(items) | Value::Tuple(items) => items.clone(),
        Value::Object(object) => object.items()?.into(),
        _ => return None,
    };
    let kept =
        places(items.len(), from, to, step.unwrap_or(1))?.filter_map(|at| items.get(at).cloned());
    Some(match value {
        Value::Tuple(_) => Value::Tuple(kept.collect()),
        _ => kept.collect(),
    })
}

/// The places of a slice: Python's `range(*slice.indices(length))`.
fn places(
    length: usize,
    from: Option<i64>,
    to: Option<i64>,
    step: i64,
) -> Option<Box<dyn Iterator<Item = usize>>> {
    let length = i64::try_from(length).ok()?;
    let backwards = step < 0;
    let (lowest, highest) = if backwards { (-1, length - 1) } else { (0, length) };
    let place = |bound: Option<i64>, otherwise: i64| match bound {
        None => otherwise,
        Some(bound) if bound < 0 => bound.saturating_add(length).max(lowest),
        Some(bound) => bound.min(highest),
    };
    let (start, end) = match backwards {
        true => (place(from, highest), place(to, lowest)),
        false => (place(from, lowest), place(to, highest)),
    };
    let stride = usize::try_from(step.unsigned_abs()).ok().filter(|stride| *stride > 0)?;
    let index = |at: i64| usize::try_from(at).unwrap_or(usize::MAX);
    Some(match backwards {
        true => Box::new(((end + 1)..=start).rev().step_by(stride).map(index)),
        false => Box::new((start..end).step_by(stride).map(index)),
    })
}

fn dictsort(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(sorted(value, arg).map_or_else(|| "".into(), |items| items.into_iter().collect()))
}

fn dictsortreversed(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let reversed = |items: Vec<Value>| {
        // Equal ones keep their order, as with Python's `reverse=True`.
        items.into_iter().collect()
    };
    Ok(sorted_by(value, arg, Ordering::reverse).map_or_else(|| "".into(), reversed))
}

fn sorted(value: &Value, arg: Option<&Value>) -> Option<Vec<Value>> {
    sorted_by(value, arg, |ordering| ordering)
}

/// The items in the order of a key or attribute; `None` if one lacks it or two can't be compared.
fn sorted_by(
    value: &Value,
    arg: Option<&Value>,
    turn: fn(Ordering) -> Ordering,
) -> Option<Vec<Value>> {
    let items = value.items().filter(|_| !matches!(value, Value::None))?;
    let arg = arg?;
    let keys = items.iter().map(|item| property(item, arg)).collect::<Option<Vec<_>>>()?;
    let mut comparable = true;
    let mut keyed: Vec<(Value, Value)> = keys.into_iter().zip(items.iter().cloned()).collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let ordering = a.partial_cmp(b);
        comparable &= ordering.is_some();
        turn(ordering.unwrap_or(Ordering::Equal))
    });
    comparable.then(|| keyed.into_iter().map(|(_, item)| item).collect())
}

/// Django's `_property_resolver`: a whole number is an index of lists, a text is a path without private parts.
fn property(item: &Value, arg: &Value) -> Option<Value> {
    if let Some(index) = arg.integer() {
        let length = i64::try_from(item.length()?).ok()?;
        let at = if index < 0 { index + length } else { index };
        return match item {
            Value::Map(_) => None,
            other => other.items()?.get(usize::try_from(at).ok()?).cloned(),
        };
    }
    let path = arg.as_str()?;
    if path.trim().parse::<f64>().is_ok() {
        return match item {
            Value::Map(map) => map.get(path).cloned(),
            _ => None,
        };
    }
    let is_private = path.split('.').any(|part| part.starts_with('_'));
    if is_private || path.is_empty() {
        return None;
    }
    path.split('.').try_fold(item.clone(), |value, part| match &value {
        // Text and lists have no such item, and none of their methods is a key.
        Value::Map(map) => map.get(part).cloned(),
        Value::Object(object) => object.try_attribute(part).ok().flatten(),
        other => other.step(part).map(std::borrow::Cow::into_owned),
    })
}

fn unordered_list(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    let mut out = String::new();
    nested(&mut out, value, env.autoescape, 1)?;
    Ok(Markup::danger_trusted(out).into())
}

fn nested(
    out: &mut String,
    value: &Value,
    escape: Autoescape,
    depth: usize,
) -> std::result::Result<(), FilterError> {
    if depth > MAX_LIST_DEPTH {
        return Err(FilterError::new(format!(
            "the list is nested more than {MAX_LIST_DEPTH} deep"
        )));
    }
    let items = items(value, "unordered_list")?;
    let mut rest = items.iter().peekable();
    let mut first = true;
    while let Some(item) = rest.next() {
        out.push_str(if first { "" } else { "\n" });
        first = false;
        indent(out, depth);
        out.push_str("<li>");
        match escape == Autoescape::On && !item.is_markup() {
            true => escape::write_html(out, &item.text()),
            false => out.push_str(&item.text()),
        }
        let children = rest.next_if(|next| next.as_str().is_none() && next.items().is_some());
        if let Some(children) = children.filter(|children| children.is_true()) {
            out.push('\n');
            indent(out, depth);
            out.push_str("<ul>\n");
            nested(out, children, escape, depth + 1)?;
            out.push('\n');
            indent(out, depth);
            out.push_str("</ul>\n");
            indent(out, depth);
        }
        out.push_str("</li>");
    }
    Ok(())
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n('\t', depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_python_s() {
        let cut = |arg: &str| sliced(&"abcdef".into(), arg).map(|v| v.text().into_owned());
        for (arg, expected) in [
            (":2", "ab"),
            ("2", "ab"),
            ("-2:", "ef"),
            ("1:-1", "bcde"),
            ("::2", "ace"),
            ("::-1", "fedcba"),
            ("4:1:-2", "ec"),
            (":", "abcdef"),
            ("9:", ""),
            ("-99:2", "ab"),
            ("5::-1", "fedcba"),
        ] {
            assert_eq!(cut(arg).as_deref(), Some(expected), "{arg}");
        }
        assert_eq!((cut("x"), cut("::0"), cut("1:2:3:4")), (None, None, None));
    }

    #[test]
    fn private_parts_are_no_keys() {
        let item: Value = [("a", [("b", 1)].into_iter().collect::<Value>())].into_iter().collect();
        assert_eq!(property(&item, &"a.b".into()), Some(1.into()));
        assert!(
            property(&item, &"a._b".into()).is_none() && property(&item, &"_a".into()).is_none()
        );
    }
}
