//! What a filter or a tag may ask of the page around it.

use std::sync::LazyLock;

use super::filter::Autoescape;
use crate::locale::Locale;

/// What a filter or a tag may ask of the page around it.
#[derive(Clone, Copy, Debug)]
pub struct Env<'a> {
    /// Whether text is escaped at this place.
    pub autoescape: Autoescape,
    /// The active language.
    pub locale: &'a Locale,
}

impl Env<'static> {
    /// An English page without anything around it.
    #[must_use]
    pub fn bare(autoescape: Autoescape) -> Self {
        static ENGLISH: LazyLock<Locale> = LazyLock::new(Locale::english);
        Self { autoescape, locale: &ENGLISH }
    }
}
