//! What was found, and the rule that found it.

use std::fmt;
use std::str::FromStr;

use super::facts::Facts;

/// How bad it is. Django: `DEBUG` to `CRITICAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever develops Donjon.
    Debug,
    /// Worth knowing.
    Info,
    /// A defence is missing.
    Warning,
    /// An attack works, or a browser refuses what the site sends.
    Error,
    /// The site must not run like this.
    Critical,
}

impl Level {
    /// All levels, the worst first.
    pub const ALL: [Self; 5] =
        [Self::Critical, Self::Error, Self::Warning, Self::Info, Self::Debug];

    /// Django's name of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }
}

/// A level that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLevel(String);

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Level::ALL.map(Level::as_str).join(", ");
        write!(f, "{:?} is not a level: expected one of {names}", self.0)
    }
}

impl std::error::Error for UnknownLevel {}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        let named = |level: &Self| level.as_str().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(named).ok_or_else(|| UnknownLevel(name.to_owned()))
    }
}

/// When a rule is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// For a site that is to go live. Django: `check --deploy`.
    Deploy,
}

/// One thing that can be wrong: its code, its meaning, and the way out.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub(super) code: &'static str,
    pub(super) level: Level,
    pub(super) when: When,
    pub(super) title: &'static str,
    pub(super) explanation: &'static str,
    pub(super) hint: &'static str,
    pub(super) asvs: &'static [&'static str],
    pub(super) source: &'static str,
    pub(super) test: Test,
}

/// Who finds it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Test {
    /// This function: what it is true of, or nothing.
    Stack(fn(&Facts) -> Vec<String>),
    /// Whoever asks the running router.
    Router,
    /// Nobody, for this reason.
    Nobody,
}

impl Rule {
    /// The code: Django's own (`security.W004`), an add-on's (`corsheaders.E013`, `csp.E002`), or ours
    /// (`donjon.W001`). Never reused.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// How bad it is.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// When it is asked.
    #[must_use]
    pub const fn when(&self) -> When {
        self.when
    }

    /// What is wrong, in a sentence.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        self.title
    }

    /// What an attacker makes of it; of a rule that can't fire, why not.
    #[must_use]
    pub const fn explanation(&self) -> &'static str {
        self.explanation
    }

    /// What to write; empty for a rule that can't fire.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        self.hint
    }

    /// The requirements of OWASP ASVS 5.0.0 that are missed, as `3.4.1`.
    #[must_use]
    pub const fn asvs(&self) -> &'static [&'static str] {
        self.asvs
    }

    /// Where the rule comes from: a URL.
    #[must_use]
    pub const fn source(&self) -> &'static str {
        self.source
    }

    /// Is the rule here for the record only: a default or a type makes it impossible?
    #[must_use]
    pub const fn is_impossible(&self) -> bool {
        matches!(self.test, Test::Nobody)
    }

    /// The rule, found at this place.
    pub(super) fn at(&'static self, object: impl Into<String>) -> Finding {
        Finding { rule: self, object: object.into() }
    }
}

/// A rule that a stack or a router breaks, and where.
#[derive(Clone, Debug)]
pub struct Finding {
    rule: &'static Rule,
    object: String,
}

impl Finding {
    /// What is wrong.
    #[must_use]
    pub const fn rule(&self) -> &'static Rule {
        self.rule
    }

    /// Where: a room and its setting, a cookie, a route, an answer.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }
}

impl Finding {
    /// The same, inside of this place.
    pub(super) fn inside(self, place: &str) -> Self {
        Self { object: format!("{place}: {}", self.object), ..self }
    }

    /// Do both say the same of the same object?
    pub(super) fn repeats(&self, other: &Self) -> bool {
        self.rule.code == other.rule.code && self.object == other.object
    }
}

impl fmt::Display for Finding {
    /// As Django prints it: the object, the code, the message, and the hint on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { code, title, explanation, hint, asvs, .. } = self.rule;
        write!(f, "{}: ({code}) {title} {explanation}\n\tHINT: {hint}", self.object)?;
        match asvs {
            [] => Ok(()),
            ids => write!(f, "\n\tASVS 5.0.0: {}", ids.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_djangos() {
        assert!(Level::Critical > Level::Error && Level::Debug < Level::Info);
        assert_eq!("warning".parse(), Ok(Level::Warning));
        let error = "SEVERE".parse::<Level>().unwrap_err().to_string();
        assert!(error.contains("CRITICAL, ERROR, WARNING, INFO, DEBUG"), "{error}");
    }
}
