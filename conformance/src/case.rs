//! One line of a vector file: how it is read, and how an outcome is compared with it.
//!
//! 1. Values that JSON has no word for are objects of one key: `{"$b64": …}` is bytes.
//! 2. `{"$random": {"length", "alphabet"}}` in what is expected stands for any fresh string.
//! 3. Fields named `python` tell what Python said, and bind nobody.
//! 4. [`FAILED`] for an error stands for any: only the errors of signing are told apart.

use std::borrow::Cow;
use std::collections::HashMap;

use base64ct::{Base64, Encoding};
use donjon_core::clock::{Clock, UnixTime};
use donjon_core::secret::{Keys, SecretKey};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Got for a call that fails, where nobody tells its errors apart.
pub const FAILED: &str = "*";

/// A question, and what the real thing answered.
#[derive(Clone, Debug)]
pub struct Case {
    fields: Value,
    line: String,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The part of Donjon that it asks for does not exist yet: named here.
    NotBuilt(String),
    /// The case has a need that is not met: this one.
    Unmet(String),
    /// The line is none of the formats: what is missing.
    Malformed(String),
}

/// What Donjon does with a case, in the form of its `expect`.
pub type Answer = Result<Value, Unanswered>;

impl Case {
    /// Reads a line.
    ///
    /// # Errors
    /// The error of serde for what is no JSON.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        Ok(Self { fields: serde_json::from_str(line)?, line: line.to_owned() })
    }

    /// The field of this name; null if there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> &Value {
        &self.fields[name]
    }

    /// Is there such a field?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some()
    }

    /// The field of this name, which must be text.
    ///
    /// # Errors
    /// [`Unanswered::Malformed`] for anything else.
    pub fn text(&self, name: &str) -> Result<&str, Unanswered> {
        text(self.field(name), name)
    }

    /// The field of this name, which must be text or `{"$b64"}`, as bytes.
    ///
    /// # Errors
    /// [`Unanswered::Malformed`] for anything else.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, Unanswered> {
        bytes(self.field(name), name)
    }

    /// The name of the case.
    #[must_use]
    pub fn id(&self) -> &str {
        self.field("id").as_str().unwrap_or("(no id)")
    }

    /// What to do with it.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.field("kind").as_str().unwrap_or("(no kind)")
    }

    /// What an implementation must have for it.
    pub fn needs(&self) -> impl Iterator<Item = &str> {
        self.field("needs").as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// The outcome.
    #[must_use]
    pub fn expect(&self) -> &Value {
        self.field("expect")
    }

    /// The setting of this name; null if it is not listed.
    #[must_use]
    pub fn setting(&self, name: &str) -> &Value {
        &self.field("settings")[name]
    }

    /// The field of this name, which must be a whole number of whatever size.
    ///
    /// # Errors
    /// [`Unanswered::Malformed`] for anything else.
    pub fn integer(&self, name: &str) -> Result<i128, Unanswered> {
        // A `Value` holds 64 bits: the digits are still in the line.
        let fields = serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(&self.line);
        let digits = fields.ok().and_then(|fields| fields.get(name)?.get().parse().ok());
        digits.ok_or_else(|| malformed(name, "a whole number"))
    }

    /// The time of the case; 1970 if it does not matter.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        match self.field("now") {
            Value::Number(seconds) if seconds.is_f64() => {
                let micros = seconds.as_f64().unwrap_or_default() * 1e6;
                UnixTime::from_micros(micros.round() as i64)
            }
            seconds => UnixTime::from_seconds(seconds.as_i64().unwrap_or_default()),
        }
    }

    /// A clock that stands at [`Case::now`].
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::fixed(self.now())
    }

    /// `SECRET_KEY` and `SECRET_KEY_FALLBACKS`.
    ///
    /// # Errors
    /// [`Unanswered::Malformed`].
    pub fn keys(&self) -> Result<Keys, Unanswered> {
        keys(self.setting("SECRET_KEY"), self.setting("SECRET_KEY_FALLBACKS"))
    }

    /// Is this the outcome?
    #[must_use]
    pub fn is_answered_by(&self, got: &Value) -> bool {
        matches(self.expect(), got)
    }
}

fn malformed(name: &str, expected: &str) -> Unanswered {
    Unanswered::Malformed(format!("{name} is not {expected}"))
}

/// A value that must be text.
///
/// # Errors
/// [`Unanswered::Malformed`] with the name, for anything else.
pub fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, Unanswered> {
    value.as_str().ok_or_else(|| malformed(name, "text"))
}

/// A value that must be text (its UTF-8) or `{"$b64"}`.
///
/// # Errors
/// [`Unanswered::Malformed`] with the name, for anything else.
pub fn bytes(value: &Value, name: &str) -> Result<Vec<u8>, Unanswered> {
    match &value["$b64"] {
        Value::String(base64) => Base64::decode_vec(base64).map_err(|_| malformed(name, "base64")),
        _ => Ok(text(value, name)?.as_bytes().to_vec()),
    }
}

/// A key and its fallbacks.
///
/// # Errors
/// [`Unanswered::Malformed`].
pub fn keys(current: &Value, fallbacks: &Value) -> Result<Keys, Unanswered> {
    let key = |value| bytes(value, "a key").map(SecretKey::new);
    list(fallbacks)
        .try_fold(Keys::new(key(current)?), |keys, fallback| Ok(keys.fallback(key(fallback)?)))
}

/// The values of an array; none of anything else.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn matches(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Object(random), _) if random.len() == 1 && random.contains_key("$random") => {
            got.as_str().is_some_and(|text| is_random(&random["$random"], text))
        }
        (Value::Object(expected), Value::Object(got)) => objects_match(expected, got),
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len() && expected.iter().zip(got).all(|(a, b)| matches(a, b))
        }
        _ => expected == got,
    }
}

fn objects_match(expected: &Map<String, Value>, got: &Map<String, Value>) -> bool {
    let binding = |name: &&String| *name != "python";
    let same = |name: &String| match (&expected[name], got.get(name)) {
        (Value::String(_), Some(Value::String(got))) if name == "error" && got == FAILED => true,
        (expected, got) => got.is_some_and(|got| matches(expected, got)),
    };
    expected.keys().filter(binding).all(same)
        && got.keys().filter(binding).all(|name| expected.contains_key(name))
}

fn is_random(random: &Value, text: &str) -> bool {
    let long_enough =
        random["length"].as_u64().is_none_or(|length| text.chars().count() as u64 == length);
    let alphabet = random["alphabet"].as_str();
    long_enough && alphabet.is_none_or(|alphabet| text.chars().all(|c| in_class(alphabet, c)))
}

/// Is a character of the class that a regular expression would write in brackets: `A-Za-z0-9_-`?
fn in_class(class: &str, character: char) -> bool {
    let mut rest = class.chars();
    while let Some(first) = rest.next() {
        let mut range = rest.clone();
        let found = match (range.next(), range.next()) {
            (Some('-'), Some(last)) => {
                rest = range;
                (first..=last).contains(&character)
            }
            _ => character == first,
        };
        if found {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_outcome_must_have_all_that_is_expected_and_no_more() {
        let expected = json!({"a": [1, {"b": null}], "python": "ValueError"});
        assert!(matches(&expected, &json!({"a": [1, {"b": null}]})));
        for wrong in [
            json!({}),
            json!({"a": [1, {}]}),
            json!({"a": [1, {"b": 2}]}),
            json!({"a": [1]}),
            json!({"a": [1, {"b": null}], "c": null}),
            json!(null),
        ] {
            assert!(!matches(&expected, &wrong), "{wrong}");
        }
    }

    #[test]
    fn random_text_has_the_length_and_the_alphabet() {
        let expected = json!({"$random": {"length": 4, "alphabet": "a-z0-9_-"}});
        assert!(matches(&expected, &json!("a9_-")));
        for wrong in [json!("a9_"), json!("a9_-a"), json!("A9_-"), json!(1234)] {
            assert!(!matches(&expected, &wrong), "{wrong}");
        }
        assert!(matches(&json!({"$random": {}}), &json!("anything at all")));
    }

    #[test]
    fn a_failure_is_any_failure_and_nothing_else_is() {
        assert!(matches(&json!({"error": "ValueError"}), &json!({"error": FAILED})));
        assert!(!matches(&json!({"error": "BadSignature"}), &json!({"error": "other"})));
        assert!(!matches(&json!({"error": null}), &json!({"error": FAILED})));
        assert!(!matches(&json!({"value": 1}), &json!({"error": FAILED})));
    }
}
