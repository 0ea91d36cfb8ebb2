//! Decimal numbers of any length, held exactly: Python's `Decimal`, as far as templates print and compare it.
//!
//! 1. A number keeps its scale: `1.50` stays `1.50`.

use std::cmp::Ordering;
use std::fmt;

/// A decimal number: `digits` × 10^`exponent`.
#[derive(Clone, Debug)]
pub struct Decimal {
    pub(crate) negative: bool,
    /// ASCII, without zeros in front; never empty.
    pub(crate) digits: Vec<u8>,
    pub(crate) exponent: i64,
}

impl Decimal {
    /// Reads `12`, `-1.50`, `1e-7`. `None` if the text is no finite decimal number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let valid = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let exponent = i64::from(exponent) - i64::try_from(fraction.len()).ok()?;
        let digits = strip_zeros(digits);
        valid.then_some(Self { negative: mantissa.starts_with('-'), digits, exponent })
    }

    /// Whether the number is 0, with either sign and any scale.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.digits == b"0"
    }

    /// The nearest float.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Whether the number is smaller than one at that decimal place: nothing of it would be seen there.
    pub(crate) fn is_below_place(&self, places: usize) -> bool {
        self.is_zero() || self.adjusted() < -i64::try_from(places.max(1)).unwrap_or(i64::MAX)
    }

    /// Without an exponent: Python's `{:f}`. As long as the exponent is large.
    pub(crate) fn fixed(&self) -> String {
        // `0E+2` is one zero, not three.
        let zeros =
            if self.is_zero() { 0 } else { usize::try_from(self.exponent).unwrap_or_default() };
        let digits = self.digits.iter().copied().chain(std::iter::repeat_n(b'0', zeros)).collect();
        Self { digits, exponent: self.exponent.min(0), ..*self }.plain()
    }

    fn plain(&self) -> String {
        let after = usize::try_from(self.exponent.unsigned_abs()).unwrap_or_default();
        let digits = std::str::from_utf8(&self.digits).unwrap_or_default();
        let padded = format!("{digits:0>width$}", width = after + 1);
        let (whole, fraction) = padded.split_at(padded.len() - after);
        let (sign, point) =
            (if self.negative { "-" } else { "" }, if after > 0 { "." } else { "" });
        format!("{sign}{whole}{point}{fraction}")
    }

    /// With one digit before the point and an exponent: Python's `{:e}`.
    pub(crate) fn scientific(&self) -> String {
        let digits = std::str::from_utf8(&self.digits).unwrap_or_default();
        let (first, rest) = digits.split_at(1.min(digits.len()));
        let (sign, point) =
            (if self.negative { "-" } else { "" }, if rest.is_empty() { "" } else { "." });
        format!("{sign}{first}{point}{rest}e{:+}", self.adjusted())
    }

    /// The place of the first digit: 0 for 5, -1 for 0.5.
    fn adjusted(&self) -> i64 {
        self.exponent + self.digits.len() as i64 - 1
    }

    fn signed(&self, ordering: Ordering) -> Ordering {
        if self.negative { ordering.reverse() } else { ordering }
    }

    fn compare_size(&self, other: &Self) -> Ordering {
        let length = self.digits.len().max(other.digits.len());
        let digits = |number: &Self| {
            number
                .digits
                .iter()
                .copied()
                .chain(std::iter::repeat(b'0'))
                .take(length)
                .collect::<Vec<_>>()
        };
        self.adjusted().cmp(&other.adjusted()).then_with(|| digits(self).cmp(&digits(other)))
    }
}

pub(crate) fn strip_zeros(digits: Vec<u8>) -> Vec<u8> {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let keep = zeros.min(digits.len().saturating_sub(1));
    digits.get(keep..).map(<[u8]>::to_vec).unwrap_or_default()
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        let digits = number.unsigned_abs().to_string().into_bytes();
        Self { negative: number < 0, digits, exponent: 0 }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By value: `1.0` and `1.00` are equal.
impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => Ordering::Equal,
            (true, false) => other.signed(Ordering::Less),
            (false, true) => self.signed(Ordering::Greater),
            _ if self.negative != other.negative => other.negative.cmp(&self.negative),
            _ => self.signed(self.compare_size(other)),
        }
    }
}

/// Python's `str`: with an exponent where it is positive or the number very small.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = std::str::from_utf8(&self.digits).unwrap_or_default();
        let point = self.exponent + digits.len() as i64;
        f.write_str(if self.negative { "-" } else { "" })?;
        if self.exponent > 0 || point <= -6 {
            let (first, rest) = digits.split_at(1.min(digits.len()));
            f.write_str(first)?;
            f.write_str(if rest.is_empty() { "" } else { "." })?;
            return write!(f, "{rest}E{:+}", point - 1);
        }
        match usize::try_from(point) {
            Ok(0) => write!(f, "0.{digits}"),
            Ok(point) => {
                let (whole, fraction) = digits.split_at(point.min(digits.len()));
                f.write_str(whole)?;
                if fraction.is_empty() { Ok(()) } else { write!(f, ".{fraction}") }
            }
            Err(_) => write!(f, "0.{}{digits}", "0".repeat(point.unsigned_abs() as usize)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_prints_like_python() {
        for (text, printed) in [
            ("1.50", "1.50"),
            ("1E+2", "1E+2"),
            ("-0.00", "-0.00"),
            ("0.0000001", "1E-7"),
            ("0.000001", "0.000001"),
            ("00012", "12"),
            ("1.23e5", "1.23E+5"),
        ] {
            assert_eq!(Decimal::parse(text).map(|n| n.to_string()).as_deref(), Some(printed));
        }
    }

    #[test]
    fn with_and_without_an_exponent() {
        for (text, fixed, scientific) in [
            ("1E+2", "100", "1e+2"),
            ("0E+2", "0", "0e+2"),
            ("-12.50", "-12.50", "-1.250e+1"),
            ("1E-3", "0.001", "1e-3"),
        ] {
            let shown = Decimal::parse(text).map(|n| (n.fixed(), n.scientific()));
            assert_eq!(shown, Some((fixed.into(), scientific.into())));
        }
    }

    #[test]
    fn compares_by_value() {
        let number = |text| Decimal::parse(text).map(|n| n.to_string()).and(Decimal::parse(text));
        assert_eq!(number("1.0"), number("1.00"));
        assert!(number("-2") < number("-1") && number("9") < number("10"));
        assert!(number("0.5") < number("1E1") && number("-1") < number("0"));
    }
}
