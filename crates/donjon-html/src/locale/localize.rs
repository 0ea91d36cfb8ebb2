//! What `{{ value }}` prints.

use super::number::NumberFormat;
use super::{FormatName, Locale};
use crate::template::{Value, write_float};

impl Locale {
    /// How the language writes numbers: grouped where the site says so.
    #[must_use]
    pub fn number_format(&self) -> NumberFormat<'_> {
        let formats = &self.active.formats;
        let format = NumberFormat::new(self.format(FormatName::DecimalSeparator))
            .grouping(formats.grouping(), self.format(FormatName::ThousandSeparator));
        if self.site.settings.use_thousand_separator { format.grouped() } else { format }
    }

    /// How the site's settings write numbers, as if nothing were localized: `number_format(use_l10n=False)`.
    #[must_use]
    pub fn settings_number_format(&self) -> NumberFormat<'_> {
        NumberFormat::new(self.settings_format(FormatName::DecimalSeparator)).grouping(
            self.site.settings.formats.grouping(),
            self.settings_format(FormatName::ThousandSeparator),
        )
    }

    /// Whether whole numbers are printed as they are.
    pub(crate) fn has_plain_ints(&self) -> bool {
        self.active.ungrouped_ints
    }

    /// What `{{ value }}` prints, before it is escaped.
    #[must_use]
    pub fn localize(&self, value: &Value) -> String {
        let mut out = String::new();
        self.write_localized(&mut out, value);
        out
    }

    /// Appends what `{{ value }}` prints, before it is escaped.
    pub fn write_localized(&self, out: &mut String, value: &Value) {
        match value {
            Value::Int(number) if self.active.ungrouped_ints => {
                out.push_str(itoa::Buffer::new().format(*number));
            }
            Value::Float(number) if self.active.plain_floats && has_no_exponent(*number) => {
                let _ = write_float(out, *number);
            }
            Value::Int(_) | Value::BigInt(_) | Value::Float(_) | Value::Decimal(_) => {
                self.number_format().write(out, value);
            }
            _ => self.write_dated(out, value, Self::format),
        }
    }

    /// Appends what `{{ value }}` prints within `{% localize off %}`: numbers as Python prints them, dates and times in
    /// the formats of the site's settings.
    pub fn write_unlocalized(&self, out: &mut String, value: &Value) {
        self.write_dated(out, value, Self::settings_format);
    }

    fn write_dated(&self, out: &mut String, value: &Value, format: fn(&Self, FormatName) -> &str) {
        let start = out.len();
        let written = match value {
            Value::DateTime(moment) => moment.write(out, format(self, FormatName::DateTime), self),
            Value::Date(date) => date.write(out, format(self, FormatName::Date), self),
            Value::Time(time) => time.write(out, format(self, FormatName::Time), self),
            other => return out.push_str(&other.text()),
        };
        if written.is_err() {
            out.truncate(start);
            out.push_str(&value.text());
        }
    }
}

fn has_no_exponent(number: f64) -> bool {
    let size = number.abs();
    number == 0.0 || (1e-4..1e16).contains(&size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::{Formats, LocaleSettings};
    use crate::template::{Date, DateTime, Decimal, Time};

    fn moment() -> Value {
        DateTime::parse_iso("2026-11-24T13:05:00").map_or(Value::None, Value::from)
    }

    #[test]
    fn english_and_german() {
        let site = LocaleSettings::new().with_thousand_separator().into_languages();
        let (english, german) = (site.default_locale(), site.locale("de"));
        let both = |value: Value| (english.localize(&value), german.localize(&value));
        assert_eq!(both(1_234_567.into()), ("1,234,567".into(), "1.234.567".into()));
        assert_eq!(both(1234.5.into()), ("1,234.5".into(), "1.234,5".into()));
        assert_eq!(
            both(moment()),
            ("Nov. 24, 2026, 1:05 p.m.".into(), "24. November 2026 13:05".into())
        );
        assert_eq!(both(true.into()), ("True".into(), "True".into()));
        let day = Date::new(2026, 1, 2).map_or(Value::None, Value::from);
        assert_eq!(both(day), ("Jan. 2, 2026".into(), "2. January 2026".into()));
        let time = Time::new(12, 0, 0, 0).map_or(Value::None, Value::from);
        assert_eq!(both(time), ("noon".into(), "12:00".into()));
    }

    #[test]
    fn without_localization() {
        let formats = Formats::new().text(FormatName::DateTime, "c");
        let german = LocaleSettings::new().formats(formats).into_languages().locale("de");
        let mut out = String::new();
        german.write_unlocalized(&mut out, &1.5.into());
        german.write_unlocalized(&mut out, &moment());
        assert_eq!(out, "1.52026-11-24T13:05:00");
    }

    #[test]
    fn large_and_small_numbers() {
        let english = Locale::english();
        assert_eq!(english.localize(&1e20.into()), "100000000000000000000");
        assert_eq!(english.localize(&1e-7.into()), "0.0000001");
        assert_eq!(english.localize(&1e300.into()), "1e+300");
        assert_eq!(english.localize(&f64::NAN.into()), "nan");
        let decimal = Decimal::parse("1E+2").map_or(Value::None, Value::from);
        assert_eq!(english.localize(&decimal), "100");
    }
}
