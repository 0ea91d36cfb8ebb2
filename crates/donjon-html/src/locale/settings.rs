//! What a site says about languages, and the locales that follow from it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::catalogue::{Catalogue, CatalogueError};
use super::folder;
use super::formats::{FormatName, Formats};
use super::language::{Language, MAX_LANGUAGE_CODE, to_language, to_locale};
use super::table::LANGUAGES;
use super::{Active, Locale, Site};
use crate::template::TimeZone;

/// Django's settings of internationalization. [`LocaleSettings::new`] are those of a new project: `en-us`, UTC,
/// translation and time zones on.
#[derive(Clone, Debug)]
pub struct LocaleSettings {
    pub(super) language_code: String,
    pub(super) languages: Vec<(String, String)>,
    pub(super) use_i18n: bool,
    pub(super) use_tz: bool,
    pub(super) use_thousand_separator: bool,
    pub(super) time_zone: TimeZone,
    pub(super) formats: Formats,
    language_formats: Vec<(String, Formats)>,
    /// The catalogues of one place each, by language; the places that count most first.
    places: Vec<HashMap<String, Arc<Catalogue>>>,
}

impl Default for LocaleSettings {
    fn default() -> Self {
        let named = LANGUAGES.iter().map(|(code, name)| ((*code).to_owned(), (*name).to_owned()));
        Self {
            language_code: "en-us".into(),
            languages: named.collect(),
            use_i18n: true,
            use_tz: true,
            use_thousand_separator: false,
            time_zone: TimeZone::utc(),
            formats: Formats::defaults(),
            language_formats: Vec::new(),
            places: Vec::new(),
        }
    }
}

impl LocaleSettings {
    /// The settings of a new project.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `LANGUAGE_CODE`: the language when nothing else is said, and whose translations stand in for missing ones.
    #[must_use]
    pub fn language_code(mut self, code: impl Into<String>) -> Self {
        self.language_code = code.into();
        self
    }

    /// `LANGUAGES`: the codes and English names that visitors may choose from. By default all that Django ships.
    #[must_use]
    pub fn languages<C, N>(mut self, languages: impl IntoIterator<Item = (C, N)>) -> Self
    where
        C: Into<String>,
        N: Into<String>,
    {
        self.languages = languages.into_iter().map(|(c, n)| (c.into(), n.into())).collect();
        self
    }

    /// `USE_I18N = False`: nothing is translated, and the language is always `LANGUAGE_CODE`.
    #[must_use]
    pub fn without_i18n(mut self) -> Self {
        self.use_i18n = false;
        self
    }

    /// `USE_TZ = False`: aware moments are shown in their own zone.
    #[must_use]
    pub fn without_tz(mut self) -> Self {
        self.use_tz = false;
        self
    }

    /// `USE_THOUSAND_SEPARATOR = True`: digits are grouped, in languages that do so.
    #[must_use]
    pub fn with_thousand_separator(mut self) -> Self {
        self.use_thousand_separator = true;
        self
    }

    /// `TIME_ZONE`: the zone when nothing else is said, and the one of naive moments.
    #[must_use]
    pub fn time_zone(mut self, zone: TimeZone) -> Self {
        self.time_zone = zone;
        self
    }

    /// `DATE_FORMAT` and its like. As in Django, what a language says itself counts more.
    #[must_use]
    pub fn formats(mut self, formats: Formats) -> Self {
        self.formats = formats.or_default();
        self
    }

    /// The site's own formats of a language, before those that Django ships: Django's `FORMAT_MODULE_PATH`.
    #[must_use]
    pub fn language_formats(mut self, language: &str, formats: Formats) -> Self {
        self.language_formats.push((language.into(), formats));
        self
    }

    /// Adds translations. Those added first count most.
    #[must_use]
    pub fn catalogue(mut self, language: &str, catalogue: Catalogue) -> Self {
        self.places.push([place(language, catalogue)].into());
        self
    }

    /// Adds the catalogues of a folder: `de/LC_MESSAGES/django.mo` (or `django.po`) below `path`, of all languages, as
    /// in Django's `LOCALE_PATHS`. The folder `django/conf/locale` of an installed Django, added last, has the names
    /// of months and days in about a hundred languages.
    ///
    /// # Errors
    ///
    /// [`CatalogueError`] with the file that could not be read.
    pub fn locale_path(mut self, path: impl AsRef<Path>) -> Result<Self, CatalogueError> {
        let found = folder::read(path.as_ref())?.into_iter();
        self.places
            .push(found.map(|(locale, found)| place(&to_language(&locale), found)).collect());
        Ok(self)
    }

    /// The locales of the site.
    #[must_use]
    pub fn into_languages(self) -> Languages {
        let codes: Vec<String> =
            self.languages.iter().map(|(code, _)| code.to_lowercase()).collect();
        let settings = self;
        let locales = codes.into_iter().map(|code| {
            let active = Arc::new(settings.activate(&code));
            (code, active)
        });
        let locales: HashMap<_, _> = locales.collect();
        let active = settings.activate(&settings.language_code);
        let off = Active { formats: settings.formats.clone(), ..Active::default() };
        let site = Site { locales, off: Arc::new(off), settings };
        Languages(Locale { site: Arc::new(site), active: Arc::new(active) })
    }

    pub(super) fn activate(&self, code: &str) -> Active {
        let code = if self.use_i18n { code } else { &self.language_code };
        let mut catalogues = Vec::new();
        if self.use_i18n {
            self.collect(code, &mut catalogues);
            if code != self.language_code && !code.starts_with("en") {
                self.collect(&self.language_code, &mut catalogues);
            }
        }
        let formats = Formats::of(code, &self.language_formats, &self.formats);
        let grouped = self.use_thousand_separator && !formats.grouping().is_empty();
        let ungrouped_ints = !grouped;
        let plain_floats = ungrouped_ints && formats.get(FormatName::DecimalSeparator) == ".";
        Active { language: Some(code.into()), formats, catalogues, ungrouped_ints, plain_floats }
    }

    /// The catalogues of a language, those that count most first. A place that has one for the language itself and one
    /// for its parent comes with the first; the second is asked at the end, in Django's order: the last place first.
    fn collect(&self, code: &str, into: &mut Vec<Arc<Catalogue>>) {
        let code = to_language(&to_locale(code));
        let parent = code.split_once('-').map_or("", |(parent, _)| parent);
        let best = |place: &HashMap<String, Arc<Catalogue>>| {
            place.get(&code).or(place.get(parent)).cloned()
        };
        into.extend(self.places.iter().filter_map(best));
        let both = self.places.iter().rev().filter(|place| place.contains_key(&code));
        into.extend(both.filter_map(|place| place.get(parent).cloned()));
    }
}

fn place(language: &str, catalogue: Catalogue) -> (String, Arc<Catalogue>) {
    (to_language(&to_locale(language)), Arc::new(catalogue))
}

/// The languages of a site.
#[derive(Clone, Debug)]
pub struct Languages(Locale);

impl Languages {
    /// `LANGUAGE_CODE`, in which a page is written when nothing else is said.
    #[must_use]
    pub fn default_locale(&self) -> Locale {
        self.0.clone()
    }

    /// The locale of any language: [`Locale::activate`].
    #[must_use]
    pub fn locale(&self, code: &str) -> Locale {
        self.0.activate(code)
    }

    /// The language that the site supports and that comes nearest to `code`: itself, its fallback, its parent, or else
    /// another variant of it (for `fr-fr`: `fr-ca`). Django's `get_supported_language_variant`.
    #[must_use]
    pub fn supported(&self, code: &str) -> Option<String> {
        let code = code.to_lowercase();
        if code.is_empty() || code.len() > MAX_LANGUAGE_CODE {
            return None;
        }
        let is_supported = |code: &str| self.0.site.locales.contains_key(code);
        let fallback = Language::exact(&code).map_or(&[][..], |language| language.fallback);
        let parents = code.rmatch_indices('-').filter_map(|(at, _)| code.get(..at));
        let near = [code.as_str()].into_iter().chain(fallback.iter().copied()).chain(parents);
        let generic = near.clone().last().unwrap_or_default();
        let mut near = near;
        near.find(|code| is_supported(code)).map(str::to_owned).or_else(|| {
            let mut codes =
                self.0.site.settings.languages.iter().map(|(code, _)| code.to_lowercase());
            codes.find(|code| code.strip_prefix(generic).is_some_and(|rest| rest.starts_with('-')))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn german(text: &str) -> Catalogue {
        Catalogue::default().message(None, "Yes", text)
    }

    #[test]
    fn the_first_catalogue_counts_most_and_the_default_language_stands_in() {
        let site = LocaleSettings::new()
            .language_code("fr")
            .catalogue("de", german("Jawohl"))
            .catalogue("de", german("Ja").message(None, "No", "Nein"))
            .catalogue("fr", Catalogue::default().message(None, "Maybe", "Peut-être"))
            .into_languages();
        let austria = site.locale("de-at");
        let say = |text| austria.translate(None, text);
        assert_eq!(
            (say("Yes"), say("No"), say("Maybe")),
            ("Jawohl".into(), "Nein".into(), "Peut-être".into())
        );
        assert_eq!(site.locale("en-gb").translate(None, "Maybe"), "Maybe");
        assert_eq!(site.default_locale().translate(None, "Maybe"), "Peut-être");
        assert_eq!(site.default_locale().deactivate().translate(None, "Maybe"), "Maybe");
    }

    #[test]
    fn without_translation_formats_stay() {
        let site =
            LocaleSettings::new().language_code("de").catalogue("de", german("Ja")).without_i18n();
        let locale = site.into_languages().locale("fr");
        assert_eq!((locale.language(), locale.translate(None, "Yes")), (Some("de"), "Yes".into()));
        assert_eq!(locale.format(FormatName::Date), "j. F Y");
    }

    #[test]
    fn nearest_supported_language() {
        let languages = [("de", "German"), ("fr-ca", "French"), ("zh-hans", "Chinese")];
        let site = LocaleSettings::new().languages(languages).into_languages();
        let found = |code: &str| site.supported(code);
        assert_eq!(found("de-AT-1996").as_deref(), Some("de"));
        assert_eq!(found("fr").as_deref(), Some("fr-ca"));
        assert_eq!(found("fr-fr").as_deref(), Some("fr-ca"));
        assert_eq!(found("zh-sg").as_deref(), Some("zh-hans"));
        assert_eq!(found("es"), None);
        assert_eq!(found(&"de-".repeat(200)), None);
    }
}
