//! Catalogues of translations.
//!
//! 1. A message is found by its text and its context; fuzzy and empty translations do not count.
//! 2. A catalogue that is read from bytes is bounded: [`MAX_CATALOGUE`], [`MAX_MESSAGES`].

use std::collections::HashMap;

mod mo;
mod plural;
mod po;

pub use plural::PluralRule;

/// The largest catalogue that is read, in bytes.
pub const MAX_CATALOGUE: usize = 16 << 20;
/// The most messages that a catalogue holds.
pub const MAX_MESSAGES: usize = 200_000;

type Messages = HashMap<Box<str>, Message>;

/// The translations of one language, from one source.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    plain: Messages,
    contexts: HashMap<Box<str>, Messages>,
    rule: PluralRule,
    count: usize,
}

#[derive(Clone, Debug, Default)]
struct Message {
    text: Option<Box<str>>,
    forms: Vec<(u64, Box<str>)>,
}

impl Message {
    fn form(&self, index: u64) -> Option<&str> {
        self.forms.iter().find(|(known, _)| *known == index).map(|(_, form)| &**form)
    }
}

impl Catalogue {
    /// An empty catalogue, whose plurals are chosen by `rule`.
    #[must_use]
    pub fn new(rule: PluralRule) -> Self {
        Self { rule, ..Self::default() }
    }

    /// Reads gettext's binary format, of `msgfmt`.
    ///
    /// # Errors
    ///
    /// [`CatalogueError`] if the bytes are no such catalogue, not in UTF-8, or too many.
    pub fn from_mo(bytes: &[u8]) -> Result<Self, CatalogueError> {
        mo::read(bytes)
    }

    /// Reads gettext's text format, of translators.
    ///
    /// # Errors
    ///
    /// [`CatalogueError`] with the line that could not be read.
    pub fn from_po(text: &str) -> Result<Self, CatalogueError> {
        po::read(text)
    }

    /// Adds the translation of a message. An empty one does not count.
    #[must_use]
    pub fn message(mut self, context: Option<&str>, message: &str, text: &str) -> Self {
        self.insert(context, message, text);
        self
    }

    /// Adds a form of a message with a number: the one whose index the [`PluralRule`] gives for that number.
    #[must_use]
    pub fn plural(mut self, context: Option<&str>, singular: &str, index: u64, text: &str) -> Self {
        self.insert_form(context, singular, index, text);
        self
    }

    /// The number of translations.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no translations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn insert(&mut self, context: Option<&str>, message: &str, text: &str) {
        if !text.is_empty() && self.count < MAX_MESSAGES {
            self.count += 1;
            self.slot(context, message).text = Some(text.into());
        }
    }

    fn insert_form(&mut self, context: Option<&str>, singular: &str, index: u64, text: &str) {
        if !text.is_empty() && self.count < MAX_MESSAGES {
            self.count += 1;
            self.slot(context, singular).forms.push((index, text.into()));
        }
    }

    fn slot(&mut self, context: Option<&str>, message: &str) -> &mut Message {
        let messages = match context {
            None => &mut self.plain,
            Some(context) => self.contexts.entry(context.into()).or_default(),
        };
        messages.entry(message.into()).or_default()
    }

    fn find(&self, context: Option<&str>, message: &str) -> Option<&Message> {
        match context {
            None => self.plain.get(message),
            Some(context) => self.contexts.get(context)?.get(message),
        }
    }

    pub(super) fn get(&self, context: Option<&str>, message: &str) -> Option<&str> {
        let found = self.find(context, message)?;
        found.text.as_deref().or_else(|| found.form(self.rule.index(1)))
    }

    pub(super) fn get_plural(&self, context: Option<&str>, singular: &str, n: u64) -> Option<&str> {
        self.find(context, singular)?.form(self.rule.index(n))
    }
}

/// A catalogue that could not be read: where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueError(String);

impl CatalogueError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl std::fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CatalogueError {}
