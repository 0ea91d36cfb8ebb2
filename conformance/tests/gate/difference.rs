//! Where Donjon differs from Django on purpose: each difference by name, with its reason.

use serde_json::Value;

use crate::answer::Answer;

/// One field in which the answers to one request differ.
pub(crate) struct Differing<'a> {
    pub(crate) settings: &'a Value,
    pub(crate) request: &'a Value,
    pub(crate) field: &'a str,
    pub(crate) django: &'a Answer,
    pub(crate) donjon: &'a Answer,
}

/// A difference that is wanted.
pub(crate) struct Difference {
    pub(crate) name: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) covers: fn(&Differing<'_>) -> bool,
}

/// All of them. The first that covers a field counts.
pub(crate) const WANTED: &[Difference] = &[];

impl Differing<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.request["headers"].as_array().into_iter().flatten();
        let named = move |pair: &&Value| pair[0].as_str().unwrap().eq_ignore_ascii_case(name);
        let name = name.to_owned();
        let _ = &name;
        pairs.filter(named).map(|pair| pair[1].as_str().unwrap())
    }
}
