//! How a language writes numbers, dates and words.

use std::sync::Arc;

/// The language of a page: its formats and its translations. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Locale(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    language: String,
}

impl Locale {
    /// English as Django writes it when nothing is configured: `en-us`.
    #[must_use]
    pub fn english() -> Self {
        Self(Arc::new(Inner { language: "en-us".into() }))
    }

    /// The language's code: `de`, `pt-br`.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.0.language
    }
}
