//! What `{% querystring %}` makes.
//!
//! 1. Keys and values are form-encoded; a key that is set again keeps its place.

use std::collections::HashMap;

use super::value::{Object, Value};
use crate::escape::url;

/// The most fields of a query that a template sees: Django's `DATA_UPLOAD_MAX_NUMBER_FIELDS`.
pub const MAX_FIELDS: usize = 1000;

/// The query of a request, keys in the order in which they came, each with its values: Django's `QueryDict`.
///
/// ```
/// use donjon_html::template::{Object, QueryDict};
///
/// let query = QueryDict::parse("tag=a&tag=b+c");
/// assert_eq!(query.attribute("tag"), Some("b c".into()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct QueryDict {
    lists: Vec<(String, Vec<String>)>,
    places: HashMap<String, usize>,
}

impl QueryDict {
    /// Reads a query string, without its `?`: at most [`MAX_FIELDS`] of its fields.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for (key, value) in form_urlencoded::parse(text.as_bytes()).take(MAX_FIELDS) {
            query.values(&key).push(value.into_owned());
        }
        query
    }

    /// The values of a key, which is added if it is new.
    fn values(&mut self, key: &str) -> &mut Vec<String> {
        let at = match self.places.get(key) {
            Some(&at) => at,
            None => {
                self.places.insert(key.to_owned(), self.lists.len());
                self.lists.push((key.to_owned(), Vec::new()));
                self.lists.len() - 1
            }
        };
        &mut self.lists[at].1
    }

    /// Sets what a mapping has.
    pub(crate) fn update(&mut self, mapping: &Value) -> Result<(), String> {
        let pairs = match mapping {
            Value::Object(_) | Value::Map(_) => pairs(mapping),
            _ => None,
        };
        let pairs = pairs.ok_or_else(|| {
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
        if let Value::None = value {
            let at = self.places.remove(key);
            return at.into_iter().for_each(|at| self.lists[at].1.clear());
        }
        *self.values(key) = match value {
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
    }

    /// As text, form-encoded.
    pub(crate) fn encode(&self) -> String {
        let mut out = String::new();
        for (key, values) in &self.lists {
            values.iter().for_each(|value| write_pair(&mut out, key, value));
        }
        out
    }

    fn pairs_with(&self, value: impl Fn(&Vec<String>) -> Value) -> Value {
        let pair = |(key, values): &(String, Vec<String>)| {
            Value::Tuple([key.as_str().into(), value(values)].into())
        };
        self.lists.iter().map(pair).collect()
    }
}

fn last(values: &[String]) -> Value {
    values.last().cloned().into()
}

impl Object for QueryDict {
    fn attribute(&self, name: &str) -> Option<Value> {
        match (self.places.get(name), name) {
            (Some(&at), _) => self.lists.get(at).map(|(_, values)| last(values)),
            (None, "lists") => self.pairs(),
            (None, "items") => Some(self.pairs_with(|values| last(values))),
            (None, "urlencode") => Some(self.encode().into()),
            (None, _) => None,
        }
    }

    fn pairs(&self) -> Option<Value> {
        Some(self.pairs_with(|values| values.clone().into()))
    }

    fn display(&self) -> Value {
        let pair = |(key, values): &(String, Vec<String>)| {
            format!("{:?}: {:?}", Value::from(key), Value::from(values.clone()))
        };
        format!("<QueryDict: {{{}}}>", self.lists.iter().map(pair).collect::<Vec<_>>().join(", "))
            .into()
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(self.lists.iter().map(|(key, _)| key.into()).collect())
    }
}

/// What a mapping has, in pairs; other values are taken for pairs themselves.
fn pairs(value: &Value) -> Option<std::sync::Arc<[Value]>> {
    match value {
        Value::Object(object) => object.pairs()?.items(),
        Value::Map(_) => value.step("items")?.items(),
        other => other.items(),
    }
}

/// Appends one field of a form: rule 1.
fn write_pair(out: &mut String, key: &str, value: &str) {
    out.push_str(if out.is_empty() { "" } else { "&" });
    url::write_form(out, key);
    out.push('=');
    url::write_form(out, value);
}

/// Form-encodes a mapping, or a list of pairs; with [`Sequences::Repeated`] a list repeats its key. Django's
/// `urlencode`.
///
/// # Errors
///
/// What is wrong, if the value has no pairs, or a value is `None`.
pub fn urlencode(query: &Value, sequences: Sequences) -> Result<String, String> {
    let pairs = pairs(query).ok_or("there are no pairs to encode")?;
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
            write_pair(&mut out, &key.text(), &value.text());
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
