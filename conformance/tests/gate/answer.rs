//! What is compared of an answer.

use std::collections::{BTreeMap, BTreeSet};

/// The headers that a gate is answerable for, besides all of CORS.
const HEADERS: [&str; 9] = [
    "location",
    "vary",
    "x-frame-options",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "strict-transport-security",
    "content-security-policy",
    "content-security-policy-report-only",
];

/// The status, and the headers that count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    fields: BTreeMap<String, String>,
}

impl Answer {
    /// `headers` have names in small letters.
    pub(crate) fn new<'a>(
        status: u16,
        headers: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Self {
        let mut fields = BTreeMap::from([("status".to_owned(), status.to_string())]);
        for (name, value) in headers.into_iter().filter_map(|(name, value)| kept(name, value)) {
            let field = fields.entry(name.to_owned()).or_default();
            let separator = if field.is_empty() { "" } else { ", " };
            field.push_str(separator);
            field.push_str(&value);
        }
        if let Some(names) = fields.get_mut("vary") {
            *names = sorted(names);
        }
        Self { status, fields }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// The fields in which two answers differ.
    pub(crate) fn differing<'a>(&'a self, other: &'a Self) -> BTreeSet<&'a str> {
        let names = self.fields.keys().chain(other.fields.keys());
        names.map(String::as_str).filter(|name| self.field(name) != other.field(name)).collect()
    }
}

/// A header as it is compared: of a cookie its name alone, since secrets are fresh.
fn kept(name: &str, value: String) -> Option<(&str, String)> {
    match name {
        "set-cookie" => Some((name, value.split('=').next().unwrap_or_default().trim().to_owned())),
        _ if name.starts_with("access-control-") || HEADERS.contains(&name) => Some((name, value)),
        _ => None,
    }
}

fn sorted(names: &str) -> String {
    let names: BTreeSet<_> = names.split(',').map(|name| name.trim().to_lowercase()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}
