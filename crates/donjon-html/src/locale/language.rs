//! Codes of languages and what is known about them.

use super::table::LANGUAGES_KNOWN;

/// Codes longer than this, in bytes, are no languages: Django's bound against CVE-2022-41323.
pub const MAX_LANGUAGE_CODE: usize = 500;

/// What is known of a language: Django's `LANG_INFO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    /// Its code: `pt-br`.
    pub code: &'static str,
    /// Its name in English.
    pub name: &'static str,
    /// Its name in the language itself.
    pub name_local: &'static str,
    /// Whether it is written from right to left.
    pub is_bidi: bool,
    pub(super) fallback: &'static [&'static str],
}

impl Language {
    /// The language of that code, or of its first part. `None` if neither is known to Django.
    #[must_use]
    pub fn find(code: &str) -> Option<&'static Self> {
        let exact = Self::exact(code).or_else(|| Self::exact(code.split_once('-')?.0))?;
        match exact.fallback.first() {
            Some(other) if exact.name.is_empty() => Self::exact(other),
            _ => Some(exact),
        }
    }

    pub(super) fn exact(code: &str) -> Option<&'static Self> {
        let index = LANGUAGES_KNOWN.binary_search_by(|language| language.code.cmp(code)).ok()?;
        LANGUAGES_KNOWN.get(index)
    }
}

/// The locale of a language, which is the name of its folder: `zh-hans` lies in `zh_Hans`, `pt-br` in `pt_BR`.
pub(super) fn to_locale(language: &str) -> String {
    let lower = language.to_lowercase();
    let Some((language_part, country)) =
        lower.split_once('-').filter(|(_, country)| !country.is_empty())
    else {
        return language.to_owned();
    };
    let (country, tail) = match country.split_once('-') {
        Some((country, tail)) if !tail.is_empty() => (country, format!("-{tail}")),
        _ => (country.trim_end_matches('-'), String::new()),
    };
    let country = if country.len() > 2 { title(country) } else { country.to_uppercase() };
    format!("{language_part}_{country}{tail}")
}

/// The language of a locale: `pt_BR` is `pt-br`.
pub(super) fn to_language(locale: &str) -> String {
    locale.replacen('_', "-", 1).to_lowercase()
}

fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// Whether a language is written from right to left, by the first part of its code.
pub(super) fn is_bidi(code: &str) -> bool {
    let base = code.split('-').next().unwrap_or_default();
    super::table::LANGUAGES_BIDI.contains(&base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_and_languages() {
        let pairs =
            [("de", "de"), ("pt-br", "pt_BR"), ("zh-hans", "zh_Hans"), ("de-at-x", "de_AT-x")];
        for (language, locale) in pairs {
            assert_eq!(to_locale(language), locale);
            assert_eq!(to_language(locale), language);
        }
    }

    #[test]
    fn codes_are_sorted_and_found() {
        assert!(LANGUAGES_KNOWN.is_sorted_by_key(|language| language.code));
        let name = |code| Language::find(code).map(|language| language.name);
        assert_eq!(name("de"), Some("German"));
        assert_eq!(name("de-xx"), Some("German"));
        assert_eq!(name("zh-cn"), Some("Simplified Chinese"));
        assert_eq!(name("xx-de"), None);
        assert_eq!(name(""), None);
    }

    #[test]
    fn right_to_left() {
        assert!(is_bidi("ar-dz") && is_bidi("he") && !is_bidi("de") && !is_bidi(""));
    }
}
