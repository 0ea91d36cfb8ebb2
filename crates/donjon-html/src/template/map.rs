//! A map with text as keys, in the order in which they came: a Python `dict`.
//!
//! 1. Keys that the program's own source names (fields of a struct) are lent, not copied.
//! 2. A small map is searched, a large one has an index, so that no look-up takes more than constant time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::value::Value;

/// A map with more entries than this has an index.
const FEW: usize = 12;

/// A key of a [`Map`]. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Key(Text);

#[derive(Clone, Debug)]
enum Text {
    Lent(&'static str),
    Shared(Arc<str>),
}

impl Key {
    /// A key from the program's own source.
    #[must_use]
    pub const fn constant(text: &'static str) -> Self {
        Self(Text::Lent(text))
    }
}

impl Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Text::Lent(text) => text,
            Text::Shared(text) => text,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl std::borrow::Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<Arc<str>> for Key {
    fn from(text: Arc<str>) -> Self {
        Self(Text::Shared(text))
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self(Text::Shared(text.into()))
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(Text::Shared(text.into()))
    }
}

impl From<Cow<'static, str>> for Key {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::constant(text),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<&Key> for Value {
    fn from(key: &Key) -> Self {
        match &key.0 {
            Text::Lent(text) => (*text).into(),
            Text::Shared(text) => Self::Str(text.clone()),
        }
    }
}

/// A map with text as keys, in the order in which they came.
#[derive(Clone, Default)]
pub struct Map {
    entries: Vec<(Key, Value)>,
    index: Option<HashMap<Key, usize>>,
}

impl Map {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty map with room for that many entries.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { entries: Vec::with_capacity(capacity), index: None }
    }

    /// Sets a key, which keeps its place if it is known already.
    pub fn insert(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        if let Some((_, old)) = self.position(&key).and_then(|at| self.entries.get_mut(at)) {
            *old = value;
            return;
        }
        if let Some(index) = &mut self.index {
            index.insert(key.clone(), self.entries.len());
        }
        self.entries.push((key, value));
        if self.index.is_none() && self.entries.len() > FEW {
            let places = self.entries.iter().enumerate().map(|(at, (key, _))| (key.clone(), at));
            self.index = Some(places.collect());
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(self.position(key)?).map(|(_, value)| value)
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => self.entries.iter().position(|(known, _)| **known == *key),
        }
    }

    /// Whether there is such a key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// The keys and values, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Key> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The values, in order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The order of the keys does not matter, as in Python.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        let same = |(key, value): &(Key, Value)| other.get(key) == Some(value);
        self.len() == other.len() && self.entries.iter().all(same)
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Into<Key>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        let mut map = Self::with_capacity(pairs.size_hint().0.min(FEW));
        pairs.for_each(|(key, value)| map.insert(key, value));
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_places() {
        let mut map: Map = (0..40).map(|n| (n.to_string(), n)).collect();
        map.insert("3", "three");
        map.insert("x", 1);
        assert_eq!(
            (map.len(), map.get("3"), map.get("39")),
            (41, Some(&"three".into()), Some(&39.into()))
        );
        assert_eq!(map.keys().nth(3).map(|key| &**key), Some("3"));
        assert!(map.get("40").is_none() && map.contains_key("x"));
    }

    #[test]
    fn order_does_not_matter() {
        let map = |names: [&str; 2]| Map::from_iter(names.map(|name| (name, 1)));
        assert_eq!(map(["a", "b"]), map(["b", "a"]));
        assert_ne!(map(["a", "b"]), map(["a", "c"]));
    }
}
