//! The formats of a language: of dates, times and numbers.

use std::borrow::Cow;

use super::language::to_locale;
use super::table::FORMATS;

const TEXTS: usize = 9;

/// A format setting that is text, by Django's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FormatName {
    /// `DATE_FORMAT`: of `{{ day }}` and `{{ day|date }}`.
    Date,
    /// `DATETIME_FORMAT`: of `{{ moment }}`.
    DateTime,
    /// `TIME_FORMAT`: of `{{ time }}` and `{{ time|time }}`.
    Time,
    /// `YEAR_MONTH_FORMAT`.
    YearMonth,
    /// `MONTH_DAY_FORMAT`.
    MonthDay,
    /// `SHORT_DATE_FORMAT`.
    ShortDate,
    /// `SHORT_DATETIME_FORMAT`.
    ShortDateTime,
    /// `DECIMAL_SEPARATOR`.
    DecimalSeparator,
    /// `THOUSAND_SEPARATOR`.
    ThousandSeparator,
}

impl FormatName {
    const ALL: [(&'static str, Self); TEXTS] = [
        ("DATE_FORMAT", Self::Date),
        ("DATETIME_FORMAT", Self::DateTime),
        ("TIME_FORMAT", Self::Time),
        ("YEAR_MONTH_FORMAT", Self::YearMonth),
        ("MONTH_DAY_FORMAT", Self::MonthDay),
        ("SHORT_DATE_FORMAT", Self::ShortDate),
        ("SHORT_DATETIME_FORMAT", Self::ShortDateTime),
        ("DECIMAL_SEPARATOR", Self::DecimalSeparator),
        ("THOUSAND_SEPARATOR", Self::ThousandSeparator),
    ];

    /// The setting that Django calls `name`: `SHORT_DATE_FORMAT`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }
}

/// What a language, or the site's settings, say about formats. What isn't set follows from the parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formats {
    texts: [Option<Cow<'static, str>>; TEXTS],
    first_day_of_week: Option<u8>,
    number_grouping: Option<Cow<'static, [u8]>>,
}

impl Formats {
    /// Nothing is set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a format or a separator.
    #[must_use]
    pub fn text(mut self, name: FormatName, text: impl Into<Cow<'static, str>>) -> Self {
        if let Some(slot) = self.texts.get_mut(name as usize) {
            *slot = Some(text.into());
        }
        self
    }

    /// `FIRST_DAY_OF_WEEK`: 0 is Sunday, 1 is Monday.
    #[must_use]
    pub fn first_day_of_week(mut self, day: u8) -> Self {
        self.first_day_of_week = Some(day);
        self
    }

    /// `NUMBER_GROUPING`: the sizes of the groups of digits, from the right. The last one repeats; a 0 at the end means
    /// the one before it, and 255 (-1 in Django) that the rest is not grouped. Nothing: digits aren't grouped. India:
    /// `[3, 2, 0]`.
    #[must_use]
    pub fn number_grouping(mut self, sizes: impl Into<Cow<'static, [u8]>>) -> Self {
        self.number_grouping = Some(sizes.into());
        self
    }

    /// What is missing here is taken from `parent`.
    fn or(self, parent: &Self) -> Self {
        let mut texts = self.texts;
        for (text, other) in texts.iter_mut().zip(&parent.texts) {
            *text = text.take().or_else(|| other.clone());
        }
        Self {
            texts,
            first_day_of_week: self.first_day_of_week.or(parent.first_day_of_week),
            number_grouping: self.number_grouping.or_else(|| parent.number_grouping.clone()),
        }
    }

    /// What Django's settings say when the site says nothing.
    pub(super) fn defaults() -> Self {
        let texts = ["N j, Y", "N j, Y, P", "P", "F Y", "F j", "m/d/Y", "m/d/Y P", ".", ","];
        Self {
            texts: texts.map(|text| Some(text.into())),
            first_day_of_week: Some(0),
            number_grouping: Some((&[]).into()),
        }
    }

    /// What Django ships for exactly that locale: `de_CH`.
    fn shipped(locale: &str) -> Option<Self> {
        let row = FORMATS.iter().find(|row| row.locale == locale)?;
        Some(Self {
            texts: row.texts.map(|text| text.map(Cow::Borrowed)),
            first_day_of_week: row.first_day_of_week,
            number_grouping: row.number_grouping.map(Cow::Borrowed),
        })
    }

    /// The formats of a language: the site's own for it, then what Django ships, each from the special to the general.
    pub(super) fn of(language: &str, own: &[(String, Formats)], settings: &Self) -> Self {
        let locale = to_locale(language);
        let parent = locale.split('_').next().filter(|parent| *parent != locale);
        let levels: Vec<&str> = [locale.as_str()].into_iter().chain(parent).collect();
        let site = levels.iter().flat_map(|level| {
            own.iter()
                .filter(move |(code, _)| to_locale(code) == **level)
                .map(|(_, own)| own.clone())
        });
        let shipped = levels.iter().filter_map(|level| Self::shipped(level));
        let found = site.chain(shipped).fold(Self::default(), |found, next| found.or(&next));
        found.or(settings)
    }

    /// What is missing is taken from Django's defaults.
    pub(super) fn or_default(self) -> Self {
        self.or(&Self::defaults())
    }

    pub(super) fn get(&self, name: FormatName) -> &str {
        self.texts.get(name as usize).and_then(Option::as_deref).unwrap_or_default()
    }

    pub(super) fn week_start(&self) -> u8 {
        self.first_day_of_week.unwrap_or_default()
    }

    pub(super) fn grouping(&self) -> &[u8] {
        self.number_grouping.as_deref().unwrap_or_default()
    }
}

/// What Django ships for a locale.
pub(super) struct Row {
    pub(super) locale: &'static str,
    pub(super) texts: [Option<&'static str>; TEXTS],
    pub(super) first_day_of_week: Option<u8>,
    pub(super) number_grouping: Option<&'static [u8]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(language: &str) -> String {
        Formats::of(language, &[], &Formats::defaults()).get(FormatName::Date).to_owned()
    }

    #[test]
    fn special_before_general_before_settings() {
        assert_eq!(date("de"), "j. F Y");
        assert_eq!(date("de-at"), "j. F Y");
        assert_eq!(date("xx-yy"), "N j, Y");
        let swiss = Formats::of("de-ch", &[], &Formats::defaults());
        assert_eq!(swiss.get(FormatName::ThousandSeparator), "\u{a0}");
        assert_eq!(swiss.grouping(), [3]);
    }

    #[test]
    fn the_site_s_own_formats_come_first() {
        let own = [("de".to_owned(), Formats::new().text(FormatName::Date, "Y"))];
        let formats = Formats::of("de-at", &own, &Formats::defaults());
        assert_eq!(formats.get(FormatName::Date), "Y");
        assert_eq!(formats.get(FormatName::Time), "H:i");
    }

    #[test]
    fn names_are_django_s() {
        for (index, (name, format)) in FormatName::ALL.into_iter().enumerate() {
            assert_eq!((FormatName::parse(name), format as usize), (Some(format), index));
        }
        assert_eq!(FormatName::parse("date_format"), None);
    }
}
