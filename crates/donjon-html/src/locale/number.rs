//! Numbers as a language writes them: Django's `numberformat`.
//!
//! 1. A number of more than [`MAX_DIGITS`] digits is written with an exponent, and at most [`MAX_PLACES`] places are
//!    written: no number makes a page long.

use crate::template::{Decimal, Value, write_float};

/// Decimal numbers with more digits than this, zeros of the exponent included, are written with an exponent.
pub(crate) const MAX_DIGITS: u64 = 200;
/// The most decimal places that are written.
pub const MAX_PLACES: usize = 1000;

/// How a number is written.
#[derive(Clone, Copy, Debug)]
pub struct NumberFormat<'a> {
    decimal_separator: &'a str,
    thousand_separator: &'a str,
    grouping: &'a [u8],
    is_grouped: bool,
    places: Option<usize>,
}

impl<'a> NumberFormat<'a> {
    /// With that decimal separator, without groups.
    #[must_use]
    pub fn new(decimal_separator: &'a str) -> Self {
        Self {
            decimal_separator,
            thousand_separator: "",
            grouping: &[],
            is_grouped: false,
            places: None,
        }
    }

    /// The sizes of the groups of digits, as in [`Formats::number_grouping`](super::Formats::number_grouping), and what
    /// stands between them when the number is [grouped](Self::grouped).
    #[must_use]
    pub fn grouping(self, sizes: &'a [u8], separator: &'a str) -> Self {
        Self { grouping: sizes, thousand_separator: separator, ..self }
    }

    /// Groups the digits: `force_grouping`.
    #[must_use]
    pub fn grouped(self) -> Self {
        Self { is_grouped: true, ..self }
    }

    /// The number of decimal places, at most [`MAX_PLACES`]. Digits beyond are cut off, not rounded: `decimal_pos`.
    #[must_use]
    pub fn places(self, places: usize) -> Self {
        Self { places: Some(places.min(MAX_PLACES)), ..self }
    }

    /// The number, or text that is one, in this format. Other values as they print.
    #[must_use]
    pub fn format(&self, value: &Value) -> String {
        let mut out = String::new();
        self.write(&mut out, value);
        out
    }

    /// Appends what [`format`](Self::format) gives.
    pub fn write(&self, out: &mut String, value: &Value) {
        match value {
            Value::Decimal(number) => self.write_decimal(out, number),
            Value::Float(number) => self.write_float(out, *number),
            other => self.write_plain(out, &other.text()),
        }
    }

    fn write_float(&self, out: &mut String, number: f64) {
        let mut text = String::new();
        let _ = write_float(&mut text, number);
        match text.contains('e').then(|| Decimal::parse(&text)).flatten() {
            Some(decimal) => self.write_decimal(out, &decimal),
            None => self.write_plain(out, &text),
        }
    }

    fn write_decimal(&self, out: &mut String, number: &Decimal) {
        let invisible = self.places.is_some_and(|places| number.is_below_place(places));
        let zero = Decimal::from(0);
        let number = if invisible { &zero } else { number };
        if number.digits.len() as u64 + number.exponent.unsigned_abs() > MAX_DIGITS {
            let scientific = number.scientific();
            let (coefficient, exponent) = scientific.split_once('e').unwrap_or((&scientific, "+0"));
            self.write_plain(out, coefficient);
            out.push('e');
            out.push_str(exponent);
        } else {
            self.write_plain(out, &number.fixed());
        }
    }

    /// Writes digits that have a point, if any, and no exponent.
    fn write_plain(&self, out: &mut String, text: &str) {
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        out.push_str(sign);
        if self.is_grouped {
            self.write_groups(out, whole)
        } else {
            out.push_str(whole)
        }
        self.write_fraction(out, fraction);
    }

    fn write_fraction(&self, out: &mut String, fraction: &str) {
        let places = self.places.unwrap_or(fraction.len());
        if places == 0 {
            return;
        }
        out.push_str(self.decimal_separator);
        let shown = fraction.char_indices().nth(places).and_then(|(end, _)| fraction.get(..end));
        out.push_str(shown.unwrap_or(fraction));
        out.extend(std::iter::repeat_n('0', places.saturating_sub(fraction.chars().count())));
    }

    fn write_groups(&self, out: &mut String, whole: &str) {
        let mut begins = self.group_begins(whole.chars().count());
        for (index, digit) in whole.chars().enumerate() {
            if begins.pop_if(|begin| *begin == index).is_some() {
                out.push_str(self.thousand_separator);
            }
            out.push(digit);
        }
    }

    /// Before which digits, counted from the left, a group begins; the first one last.
    fn group_begins(&self, length: usize) -> Vec<usize> {
        let mut sizes = self.grouping.iter().copied().map(usize::from);
        let mut size = sizes.next().unwrap_or_default();
        let mut left = length;
        let mut begins = Vec::new();
        while size > 0 && left > size {
            left -= size;
            begins.push(left);
            size = sizes.next().filter(|next| *next > 0).unwrap_or(size);
        }
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grouped<'a>(sizes: &'a [u8], separator: &'a str) -> NumberFormat<'a> {
        NumberFormat::new(".").grouping(sizes, separator).grouped()
    }

    fn decimal(text: &str) -> Value {
        Decimal::parse(text).map_or(Value::None, Value::from)
    }

    #[test]
    fn groups() {
        let number = Value::Int(-1_234_567_890);
        assert_eq!(grouped(&[3], ",").format(&number), "-1,234,567,890");
        assert_eq!(grouped(&[3, 0], ",").format(&number), "-1,234,567,890");
        assert_eq!(grouped(&[3, 2, 0], ",").format(&number), "-1,23,45,67,890");
        assert_eq!(grouped(&[4], "").format(&number), "-1234567890");
        assert_eq!(grouped(&[], ",").format(&number), "-1234567890");
        assert_eq!(grouped(&[3], "comma").format(&"10000".into()), "10comma000");
        assert_eq!(NumberFormat::new(".").grouping(&[3], ",").format(&number), "-1234567890");
    }

    #[test]
    fn places() {
        let two = NumberFormat::new(",").places(2);
        let none = NumberFormat::new(",").places(0);
        assert_eq!(two.format(&1234.into()), "1234,00");
        assert_eq!(two.format(&1.999.into()), "1,99");
        assert_eq!(two.format(&decimal("0.009")), "0,00");
        assert_eq!(two.format(&decimal("-0.5")), "-0,50");
        assert_eq!(none.format(&1.9.into()), "1");
        assert_eq!(NumberFormat::new(".").format(&1e16.into()), "10000000000000000");
    }

    #[test]
    fn rule_1_long_numbers_are_short() {
        assert_eq!(NumberFormat::new(".").format(&decimal("1e1000")), "1e+1000");
        assert_eq!(NumberFormat::new(",").format(&decimal("-1.25e300")), "-1,25e+300");
        assert_eq!(NumberFormat::new(".").format(&1e300.into()), "1e+300");
        assert_eq!(
            NumberFormat::new(".").places(usize::MAX).format(&1.into()).len(),
            MAX_PLACES + 2
        );
    }
}
