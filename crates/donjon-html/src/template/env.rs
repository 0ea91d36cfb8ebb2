//! What a filter or a tag may ask of the page around it.

use std::sync::LazyLock;

use super::date::{DateTime, TimeZone};
use super::filter::Autoescape;
use crate::locale::Locale;

/// What a filter or a tag may ask of the page around it.
#[derive(Clone, Copy, Debug)]
pub struct Env<'a> {
    /// Whether text is escaped at this place.
    pub autoescape: Autoescape,
    /// The active language.
    pub locale: &'a Locale,
    /// The active time zone.
    pub time_zone: &'a TimeZone,
    /// Whether aware moments are shown in the active time zone: `USE_TZ`, or what `{% localtime %}` says.
    pub use_tz: bool,
    /// Whether numbers and dates are written as in the language, or `{% localize off %}` holds.
    pub use_l10n: bool,
    /// Whether `urlize` takes addresses without a scheme for `http`: `URLIZE_ASSUME_HTTPS = False`.
    pub urlize_http: bool,
    /// The present.
    pub now: Now,
}

impl Env<'static> {
    /// An English page without anything around it, in UTC, in 1970.
    #[must_use]
    pub fn bare(autoescape: Autoescape) -> Self {
        static BARE: LazyLock<(Locale, TimeZone)> =
            LazyLock::new(|| (Locale::english(), TimeZone::utc()));
        let (locale, time_zone) = &*BARE;
        Self {
            autoescape,
            locale,
            time_zone,
            use_tz: true,
            use_l10n: true,
            urlize_http: false,
            now: Now::default(),
        }
    }
}

impl Env<'_> {
    /// The moment as it is shown at this place: in the active time zone, if time zones are in use and the moment has
    /// one and was not put into one by a filter. Django's `template_localtime`.
    #[must_use]
    pub fn localtime(&self, moment: &DateTime) -> DateTime {
        match self.use_tz && moment.is_aware() && !moment.is_pinned() {
            true => moment.in_zone(self.time_zone),
            false => moment.clone(),
        }
    }
}

/// The present, read once for a page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    utc: i64,
    local: Option<i64>,
}

impl Now {
    /// The system's time.
    #[must_use]
    pub fn system() -> Self {
        Self::from_epoch_micros(DateTime::now().epoch_micros())
    }

    /// That many microseconds after 1970-01-01 00:00 UTC.
    #[must_use]
    pub fn from_epoch_micros(micros: i64) -> Self {
        Self { utc: micros, local: None }
    }

    /// The present for naive moments, where a test sets it apart: the clock reading in microseconds, as if it were UTC.
    #[must_use]
    pub fn with_local_micros(self, micros: i64) -> Self {
        Self { local: Some(micros), ..self }
    }

    /// The present in a zone, or for `None` the naive reading of a clock in the site's zone.
    #[must_use]
    pub fn seen_from(self, zone: Option<&TimeZone>, locale: &Locale) -> DateTime {
        let utc = DateTime::from_epoch_micros(self.utc);
        match (zone, self.local) {
            (Some(zone), _) => utc.in_zone(zone),
            (None, Some(micros)) => DateTime::from_epoch_micros(micros).naive(),
            (None, None) => utc.in_zone(locale.time_zone()).naive(),
        }
    }
}
