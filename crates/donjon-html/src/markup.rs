//! Types that say "this text may stand in a page as it is".
//!
//! Stops cross-site scripting (CWE-79) by making trust a type instead of a habit:
//!
//! 1. Text is not HTML. A `&str` becomes [`Markup`] only through [`escape`](crate::escape::escape) or through
//!    [`Markup::danger_trusted`], so that one grep finds every place where somebody vouches for text.
//! 2. An address from which a page loads code (`<script src>`, `<iframe src>`, `<link rel=stylesheet href>`) must be a
//!    [`TrustedUrl`]; escaping cannot make a foreign script harmless.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::escape;

/// Text that is HTML, and safe to print as HTML: what Django calls a `SafeString`.
///
/// ```
/// use donjon_html::Markup;
///
/// assert_eq!(Markup::escape("<b>").as_str(), "&lt;b&gt;");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Markup(String);

impl Markup {
    /// Makes markup that shows `text` as it is.
    #[must_use]
    pub fn escape(text: &str) -> Self {
        Self(escape::escape(text).into_owned())
    }

    /// Vouches that `html` is safe to send to a browser unescaped: Django's `mark_safe`.
    ///
    /// Whoever calls this takes the place of the escaper: no part of `html` may come from a user unescaped.
    #[must_use]
    pub fn danger_trusted(html: impl Into<String>) -> Self {
        Self(html.into())
    }

    /// The HTML.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The HTML, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// Appends markup. Markup and markup stay markup.
    pub fn push(&mut self, other: &Markup) {
        self.0.push_str(&other.0);
    }

    /// Appends `text`, escaped.
    pub fn push_text(&mut self, text: &str) {
        escape::write_html(&mut self.0, text);
    }
}

impl Deref for Markup {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Markup {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Markup").field(&self.0).finish()
    }
}

impl From<Markup> for String {
    fn from(markup: Markup) -> String {
        markup.0
    }
}

/// An address whose content the page may run: a script, a style sheet, a frame.
///
/// ```
/// use donjon_html::TrustedUrl;
///
/// assert_eq!(TrustedUrl::constant("/static/site.js").as_str(), "/static/site.js");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TrustedUrl(Arc<str>);

impl TrustedUrl {
    /// An address written in the program's own source.
    #[must_use]
    pub fn constant(url: &'static str) -> Self {
        Self(url.into())
    }

    /// Vouches that what `url` names may run in the page. No part of it may come from a user.
    #[must_use]
    pub fn danger_trusted(url: impl Into<Arc<str>>) -> Self {
        Self(url.into())
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_text_is_escaped_and_markup_is_not() {
        let mut page = Markup::danger_trusted("<b>");
        page.push_text("<i>");
        page.push(&Markup::danger_trusted("</b>"));
        assert_eq!(page.as_str(), "<b>&lt;i&gt;</b>");
    }
}
