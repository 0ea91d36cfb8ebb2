//! What `{% querystring %}` makes.
//!
//! 1. Keys and values are form-encoded; a key that is set again keeps its place.

use super::value::Value;
use crate::escape::url;

/// Keys, each with its values, in the order in which they came: Django's `QueryDict`.
#[derive(Default)]
pub(crate) struct QueryString(Vec<(String, Vec<String>)>);

impl QueryString {
    /// Sets what a mapping has: a `dict`, or something with Django's `lists`.
    pub(crate) fn update(&mut self, mapping: &Value) -> Result<(), String> {
        let pairs = match mapping {
            Value::Object(object) => {
                object.attribute("lists").or_else(|| object.attribute("items"))
            }
            Value::Map(_) => mapping.step("items").map(std::borrow::Cow::into_owned),
            _ => None,
        };
        let pairs = pairs.and_then(|pairs| pairs.items()).ok_or_else(|| {
            format!(
                "querystring requires mappings for positional arguments (got {mapping:?} instead)."
            )
        })?;
        for pair in pairs.iter() {
            let pair = pair.items().unwrap_or_default();
            let [key, value] = &*pair else { continue };
            let key = key.as_str().ok_or_else(|| {
                format!("querystring requires strings for mapping keys (got {key:?} instead).")
            })?;
            self.set(key, value);
        }
        Ok(())
    }

    /// Sets one key: to a value, to several, or, with `None`, to nothing.
    pub(crate) fn set(&mut self, key: &str, value: &Value) {
        let values: Vec<String> = match value {
            Value::None => return self.0.retain(|(known, _)| known != key),
            text if text.as_str().is_some() => vec![text.text().into_owned()],
            other => match other.items() {
                Some(items) => items
                    .iter()
                    .filter(|item| !matches!(item, Value::None))
                    .map(|item| item.text().into_owned())
                    .collect(),
                None => vec![other.text().into_owned()],
            },
        };
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = values,
            None => self.0.push((key.to_owned(), values)),
        }
    }

    /// The text behind the path: it always begins with `?`.
    pub(crate) fn into_text(self) -> String {
        let mut out = String::from("?");
        let pairs = self.0.iter().flat_map(|(key, values)| values.iter().map(move |v| (key, v)));
        for (at, (key, value)) in pairs.enumerate() {
            out.push_str(if at == 0 { "" } else { "&" });
            url::write_form(&mut out, key);
            out.push('=');
            url::write_form(&mut out, value);
        }
        out
    }
}

/// Form-encodes a mapping, or a list of pairs; with [`Sequences::Repeated`] a list repeats its key. Django's
/// `urlencode`.
///
/// # Errors
///
/// What is wrong, if the value has no pairs, or a value is `None`.
pub fn urlencode(query: &Value, sequences: Sequences) -> Result<String, String> {
    let pairs = match query {
        Value::Object(object) => object.attribute("lists").or_else(|| object.attribute("items")),
        Value::Map(_) => query.step("items").map(std::borrow::Cow::into_owned),
        other => Some(other.clone()),
    };
    let pairs = pairs.and_then(|pairs| pairs.items()).ok_or("there are no pairs to encode")?;
    let mut out = String::new();
    for pair in pairs.iter() {
        let pair = pair.items().unwrap_or_default();
        let [key, value] = &*pair else { return Err("a pair has a key and a value".into()) };
        let values = match value.items() {
            Some(items) if sequences == Sequences::Repeated && value.as_str().is_none() => items,
            _ => [value.clone()].into(),
        };
        for value in values.iter() {
            if matches!(value, Value::None) {
                return Err(format!(
                    "Cannot encode None for key '{}' in a query string.",
                    key.text()
                ));
            }
            out.push_str(if out.is_empty() { "" } else { "&" });
            url::write_form(&mut out, &key.text());
            out.push('=');
            url::write_form(&mut out, &value.text());
        }
    }
    Ok(out)
}

/// What becomes of a list in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequences {
    /// It is printed.
    Printed,
    /// Its key is repeated: Django's `doseq`.
    Repeated,
}
