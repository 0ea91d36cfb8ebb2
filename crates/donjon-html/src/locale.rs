//! How a language writes numbers, dates and words: Django's internationalization and localization.
//!
//! ```
//! use donjon_html::locale::{Catalogue, LocaleSettings};
//!
//! let german = Catalogue::from_po("msgid \"Yes\"\nmsgstr \"Ja\"")?;
//! let site = LocaleSettings::new().catalogue("de", german).into_languages();
//! let austria = site.locale("de-at");
//! assert_eq!(austria.translate(None, "Yes"), "Ja");
//! assert_eq!(austria.localize(&3.5.into()), "3,5");
//! # Ok::<(), donjon_html::locale::CatalogueError>(())
//! ```
//!
//! 1. What a catalogue holds is text: it is escaped like any other, unless the template's author says otherwise. Django's
//!    exception is ours: the endings of `ordinal` may be markup, and so a catalogue is the site's own or Django's.
//! 2. Codes of languages come from visitors: longer ones than [`MAX_LANGUAGE_CODE`] are no languages, and none is
//!    remembered or becomes a path.
//! 3. A catalogue is bounded in size, number and in the work of its plural rule; see [`Catalogue`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

mod catalogue;
mod folder;
mod formats;
mod language;
mod localize;
mod number;
mod settings;
mod table;

pub use catalogue::{Catalogue, CatalogueError, MAX_CATALOGUE, MAX_MESSAGES, PluralRule};
pub use formats::{FormatName, Formats};
pub use language::{Language, MAX_LANGUAGE_CODE};
pub use number::{MAX_PLACES, NumberFormat};
pub use settings::{Languages, LocaleSettings};

use crate::template::TimeZone;

/// The language of a page: its formats and its translations. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Locale {
    site: Arc<Site>,
    active: Arc<Active>,
}

#[derive(Debug)]
struct Site {
    settings: LocaleSettings,
    /// By code, in lower case.
    locales: HashMap<String, Arc<Active>>,
    off: Arc<Active>,
}

#[derive(Debug, Default)]
struct Active {
    /// `None`: translation is switched off.
    language: Option<String>,
    formats: Formats,
    /// In the order in which they are asked.
    catalogues: Vec<Arc<Catalogue>>,
    /// Whole numbers are printed as they are.
    ungrouped_ints: bool,
    /// Floats are printed as Python prints them, but for exponents.
    plain_floats: bool,
}

impl Locale {
    /// English as Django writes it when nothing is configured: `en-us`.
    #[must_use]
    pub fn english() -> Self {
        static ENGLISH: LazyLock<Locale> =
            LazyLock::new(|| LocaleSettings::new().into_languages().default_locale());
        ENGLISH.clone()
    }

    /// The language's code: `de`, `pt-br`. `None` where translation is switched off.
    #[must_use]
    pub fn language(&self) -> Option<&str> {
        self.active.language.as_deref()
    }

    /// The same site in another language: Django's `translation.activate`. Any code is taken, also one that the site
    /// doesn't list; an empty or overlong one changes nothing.
    #[must_use]
    pub fn activate(&self, code: &str) -> Self {
        if code.is_empty() || code.len() > MAX_LANGUAGE_CODE {
            return self.clone();
        }
        let known = self.site.locales.get(code).cloned();
        let active = known.unwrap_or_else(|| Arc::new(self.site.settings.activate(code)));
        Self { site: self.site.clone(), active }
    }

    /// The same site, untranslated and with the formats of the settings: Django's `translation.deactivate_all`.
    #[must_use]
    pub fn deactivate(&self) -> Self {
        let active = if self.uses_i18n() { &self.site.off } else { &self.active };
        Self { site: self.site.clone(), active: active.clone() }
    }

    /// Whether the language is written from right to left.
    #[must_use]
    pub fn is_bidi(&self) -> bool {
        self.language().is_some_and(language::is_bidi)
    }

    /// The codes and English names of the site's languages: `LANGUAGES`.
    pub fn languages(&self) -> impl Iterator<Item = (&str, &str)> {
        self.site.settings.languages.iter().map(|(code, name)| (code.as_str(), name.as_str()))
    }

    /// What is known of a language, or of its parent. Its `name_translated` is `translate(None, info.name)`.
    #[must_use]
    pub fn language_info(&self, code: &str) -> Option<&'static Language> {
        Language::find(code)
    }

    /// Whether translation is on: `USE_I18N`.
    #[must_use]
    pub fn uses_i18n(&self) -> bool {
        self.site.settings.use_i18n
    }

    /// Whether aware moments are shown in the active time zone: `USE_TZ`.
    #[must_use]
    pub fn uses_tz(&self) -> bool {
        self.site.settings.use_tz
    }

    /// The site's time zone, which is also the one of naive moments: `TIME_ZONE`.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.site.settings.time_zone
    }

    /// The translation of a message: `gettext`, and with a context `pgettext`.
    #[must_use]
    pub fn translate<'a>(&'a self, context: Option<&str>, message: &'a str) -> Cow<'a, str> {
        let wanted = unix_lines(message);
        if self.active.catalogues.is_empty() || wanted.is_empty() {
            return wanted;
        }
        let mut found =
            self.active.catalogues.iter().filter_map(|known| known.get(context, &wanted));
        found.next().map_or_else(|| wanted.clone(), Cow::Borrowed)
    }

    /// The form of a message that goes with `n`: `ngettext`, and with a context `npgettext`.
    #[must_use]
    pub fn translate_plural<'a>(
        &'a self,
        context: Option<&str>,
        singular: &'a str,
        plural: &'a str,
        n: u64,
    ) -> Cow<'a, str> {
        let with = |context| {
            self.active.catalogues.iter().find_map(|known| known.get_plural(context, singular, n))
        };
        let found = with(context).or_else(|| with(None));
        found.unwrap_or(if n == 1 { singular } else { plural }).into()
    }

    /// A format or a separator of the language.
    #[must_use]
    pub fn format(&self, name: FormatName) -> &str {
        self.active.formats.get(name)
    }

    /// The same of the site's settings, as if nothing were localized.
    #[must_use]
    pub fn settings_format(&self, name: FormatName) -> &str {
        self.site.settings.formats.get(name)
    }

    /// The format of that name, or else `format` itself: what filters like `date` take.
    #[must_use]
    pub fn named_format<'a>(&'a self, format: &'a str) -> &'a str {
        FormatName::parse(format).map_or(format, |name| self.format(name))
    }

    /// The day with which a week begins: 0 is Sunday.
    #[must_use]
    pub fn first_day_of_week(&self) -> u8 {
        self.active.formats.week_start()
    }
}

/// Messages of catalogues have lines as on Unix.
fn unix_lines(message: &str) -> Cow<'_, str> {
    match message.contains('\r') {
        true => message.replace("\r\n", "\n").replace('\r', "\n").into(),
        false => message.into(),
    }
}
