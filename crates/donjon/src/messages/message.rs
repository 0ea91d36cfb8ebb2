//! One message.

use std::fmt;

use donjon_html::Markup;

/// How important a message is: a number, of which sites may make their own between Django's five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(pub i64);

impl Level {
    /// For developers, and dropped unless the policy's level is lowered.
    pub const DEBUG: Self = Self(10);
    /// What the visitor may like to know.
    pub const INFO: Self = Self(20);
    /// Something worked.
    pub const SUCCESS: Self = Self(25);
    /// Something will go wrong, unless the visitor acts.
    pub const WARNING: Self = Self(30);
    /// Something did not work.
    pub const ERROR: Self = Self(40);

    /// Django's levels with their tags. Django: `DEFAULT_TAGS`.
    pub(super) const TAGS: [(Self, &'static str); 5] = [
        (Self::DEBUG, "debug"),
        (Self::INFO, "info"),
        (Self::SUCCESS, "success"),
        (Self::WARNING, "warning"),
        (Self::ERROR, "error"),
    ];
}

/// What a message says.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Text {
    /// Text, escaped where it is shown.
    Plain(String),
    /// HTML, shown as it is.
    Markup(Markup),
}

impl Text {
    /// The text or the HTML.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Markup(html) => html.as_str(),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<Markup> for Text {
    fn from(html: Markup) -> Self {
        Self::Markup(html)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// A notice for the visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How important it is.
    pub level: Level,
    /// What it says.
    pub text: Text,
    /// More names for it, parted by blanks: classes, for instance. Django: `extra_tags`.
    pub extra_tags: Option<String>,
}

impl Message {
    /// The names of the message for its looks: its own, and its level's. Django: `tags`.
    #[must_use]
    pub fn tags(&self, level_tag: &str) -> String {
        let own = self.extra_tags.as_deref().unwrap_or_default();
        match (own, level_tag) {
            ("", tag) | (tag, "") => tag.to_owned(),
            (own, level) => format!("{own} {level}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_its_own_and_its_levels() {
        let tags = |extra: Option<&str>, level: &str| {
            let extra_tags = extra.map(str::to_owned);
            Message { level: Level::INFO, text: "x".into(), extra_tags }.tags(level)
        };
        assert_eq!(tags(None, "info"), "info");
        assert_eq!(tags(Some(""), "info"), "info");
        assert_eq!(tags(Some("loud"), "info"), "loud info");
        assert_eq!(tags(Some("loud"), ""), "loud");
        assert_eq!(tags(None, ""), "");
    }
}
