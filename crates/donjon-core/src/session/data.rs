//! A session's values.

use std::borrow::Cow;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::signing::{SigningError, from_json, to_ascii_json};

/// A session's values by name, in the order in which they were added.
///
/// Each is kept as the JSON it came as, and read only when it is asked for; what nobody touches goes
/// back as it was, to the letter, but for letters outside of ASCII, which are escaped: Django reads a
/// signed payload as Latin-1. Cloning shares the values.
#[derive(Clone, Debug, Default)]
pub struct SessionData(Arc<IndexMap<String, Box<RawValue>>>);

impl SessionData {
    /// The name of the id of the user who is logged in. Django: `SESSION_KEY`.
    pub const USER_ID: &'static str = "_auth_user_id";

    /// Reads a JSON object.
    ///
    /// # Errors
    /// [`SigningError::Malformed`] for any other JSON.
    pub fn from_json(json: &[u8]) -> Result<Self, SigningError> {
        serde_json::from_slice(json)
            .map(|map| Self(Arc::new(map)))
            .map_err(|_| SigningError::Malformed)
    }

    /// Reads a signed payload, as [`from_json`] does.
    ///
    /// # Errors
    /// [`SigningError::Malformed`] for anything but a JSON object.
    pub fn from_payload(payload: &[u8]) -> Result<Self, SigningError> {
        from_json(payload).map(|map| Self(Arc::new(map)))
    }

    /// The JSON object, in ASCII.
    ///
    /// # Errors
    /// [`SigningError::Malformed`], which the values rule out: all of them are JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, SigningError> {
        to_ascii_json(&*self.0)
    }

    /// Is there nothing in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes its names and values have, as JSON has them.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.0.iter().map(|(name, raw)| name.len() + raw.get().len()).sum()
    }

    /// The names of the values.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Is there a value of this name?
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The value of this name as a `T`.
    ///
    /// # Errors
    /// The error of serde for a value that is no `T`.
    pub fn value<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.0.get(name).map(|raw| serde_json::from_str(raw.get())).transpose()
    }

    /// The value of this name, if it is text; not copied where JSON has it without escapes.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let raw = self.0.get(name)?.get();
        match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(plain) if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
            _ => serde_json::from_str(raw).ok().map(Cow::Owned),
        }
    }

    /// The id of the user who is logged in: text, or a number as very old Django wrote it.
    #[must_use]
    pub fn user_id(&self) -> Option<i64> {
        match self.text(Self::USER_ID) {
            Some(text) => text.trim().parse().ok(),
            None => self.value(Self::USER_ID).ok().flatten(),
        }
    }

    /// Puts a value under this name.
    ///
    /// # Errors
    /// The error of serde for what JSON has no words for.
    pub fn insert<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), serde_json::Error> {
        let json = to_ascii_json(value).map_err(serde::ser::Error::custom)?;
        let raw =
            RawValue::from_string(String::from_utf8(json).map_err(serde::ser::Error::custom)?)?;
        Arc::make_mut(&mut self.0).insert(name.to_owned(), raw);
        Ok(())
    }

    /// Takes the value of this name out, and tells whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.contains(name) && Arc::make_mut(&mut self.0).shift_remove(name).is_some()
    }

    /// Those of the values that have one of these names.
    pub(super) fn only(&self, names: &[&str]) -> Self {
        let named = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        Self(Arc::new(named.map(|(name, raw)| (name.clone(), raw.clone())).collect()))
    }

    /// These values, and over them what became of `before` in `after`: names that are new, changed or
    /// gone there.
    pub(super) fn with_changes(&self, before: &Self, after: &Self) -> Self {
        let mut merged = (*self.0).clone();
        merged.retain(|name, _| after.contains(name) || !before.contains(name));
        for (name, raw) in after.0.iter() {
            if before.json(name) != Some(raw.get()) {
                merged.insert(name.clone(), raw.clone());
            }
        }
        Self(Arc::new(merged))
    }

    fn json(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|raw| raw.get())
    }
}

impl PartialEq for SessionData {
    /// Compares names and JSON texts, in whatever order.
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.keys().all(|name| self.json(name) == other.json(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_touches_stays_to_the_letter() {
        let json = br#"{"big":123456789012345678901234567890,"float":1e+20,"caf\u00e9":"\u00e9"}"#;
        let mut data = SessionData::from_json(json).unwrap();
        data.insert("new", "é").unwrap();
        let text = String::from_utf8(data.to_json().unwrap()).unwrap();
        assert_eq!(
            text,
            r#"{"big":123456789012345678901234567890,"float":1e+20,"caf\u00e9":"\u00e9","new":"\u00e9"}"#
        );
    }

    #[test]
    fn whatever_came_what_goes_is_ascii() {
        let came = "{\"é\":\"é\", \"a\":[{\"☂\":\"😀\\n\u{7f}\"}]}";
        let gone = SessionData::from_json(came.as_bytes()).unwrap().to_json().unwrap();
        let expected =
            "{\"\\u00e9\":\"\\u00e9\",\"a\":[{\"\\u2602\":\"\\ud83d\\ude00\\n\u{7f}\"}]}";
        assert_eq!(std::str::from_utf8(&gone), Ok(expected));
        let again = SessionData::from_payload(&gone).unwrap();
        assert_eq!(again.text("é").as_deref(), Some("é"));
    }

    #[test]
    fn changes_go_over_what_others_wrote() {
        let data = |json: &str| SessionData::from_json(json.as_bytes()).unwrap();
        let before = data(r#"{"same":1,"ours":1,"dropped":1,"theirs":1,"both":1}"#);
        let ours = data(r#"{"same":1,"ours":2,"theirs":1,"both":2,"new":2}"#);
        let theirs = data(r#"{"same":1,"ours":1,"dropped":3,"both":3,"added":3}"#);
        assert_eq!(
            theirs.with_changes(&before, &ours),
            data(r#"{"same":1,"ours":2,"both":2,"new":2,"added":3}"#)
        );
    }

    #[test]
    fn values_are_typed() {
        let mut data = SessionData::default();
        data.insert("cart", &[1, 2]).unwrap();
        assert_eq!(data.value::<Vec<u8>>("cart").unwrap(), Some(vec![1, 2]));
        assert!(data.value::<String>("cart").is_err());
        assert_eq!(data.value::<String>("other").unwrap(), None);
        assert!(data.remove("cart") && !data.remove("cart") && data.is_empty());
    }

    #[test]
    fn text_is_told_from_other_values() {
        let data = SessionData::from_json(br#"{"a":"x","b":"\u00e9\"","c":1,"d":["x"]}"#).unwrap();
        assert_eq!(data.text("a").as_deref(), Some("x"));
        assert_eq!(data.text("b").as_deref(), Some("é\""));
        assert_eq!((data.text("c"), data.text("d"), data.text("e")), (None, None, None));
    }

    #[test]
    fn other_json_is_no_session() {
        for json in ["[]", "1", "null", "{", "", "{\"a\":}", "\u{feff}{}"] {
            assert!(SessionData::from_json(json.as_bytes()).is_err(), "{json}");
        }
        assert!(SessionData::from_json("[".repeat(100_000).as_bytes()).is_err());
    }
}
