//! A field of a form, as a page shows it again: the value that was sent, and what is wrong with it.

use donjon_html::context;
use donjon_html::template::Value;

/// A field that was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field {
    pub(crate) value: String,
    pub(crate) error: Option<String>,
}

impl Field {
    /// A field with this value, and an error if it has one.
    pub(crate) fn new(value: &str, error: Option<String>) -> Self {
        Self { value: value.to_owned(), error }
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.error.is_none()
    }
}

impl From<Field> for Value {
    fn from(field: Field) -> Self {
        context! { value: field.value, error: field.error }.into()
    }
}

/// What is wrong with a text that must be there, and of at most `max` characters.
pub(crate) fn required(text: &str, max: usize) -> Option<String> {
    if text.trim().is_empty() {
        return Some("This field is required.".to_owned());
    }
    too_long(text, max)
}

/// What is wrong with a text that may have at most `max` characters, and no control characters.
pub(crate) fn too_long(text: &str, max: usize) -> Option<String> {
    let length = text.chars().count();
    if length > max {
        return Some(format!("Use at most {max} characters; these are {length}."));
    }
    text.chars().any(char::is_control).then(|| "Leave out control characters.".to_owned())
}
