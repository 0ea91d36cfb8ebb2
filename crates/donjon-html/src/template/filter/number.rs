//! Filters that calculate and round.

use super::{Arity, Filter, FilterError, Safety, int, text_or};
use crate::markup::Markup;
use crate::template::decimal::{Decimal, strip_zeros};
use crate::template::env::Env;
use crate::template::value::Value;

type Result = std::result::Result<Value, FilterError>;

pub(super) const FILTERS: &[Filter] = &[
    Filter::new("divisibleby", Arity::Required, Safety::Lost, divisibleby),
    Filter::new("floatformat", Arity::Optional, Safety::Preserved, floatformat),
    Filter::new("get_digit", Arity::Required, Safety::Lost, get_digit),
];

/// Numbers with more digits than this are printed as they are: Django's bound against CVE-2019-6975.
const MAX_DIGITS: usize = 200;
/// The most decimal places that `floatformat` writes.
const MAX_PLACES: usize = 1000;

fn divisibleby(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let pair = int(value).zip(arg.and_then(int)).filter(|(_, divisor)| *divisor != 0);
    let (number, divisor) =
        pair.ok_or_else(|| FilterError::new("divisibleby takes two whole numbers, not 0"))?;
    Ok(Value::Bool(number.checked_rem(divisor).unwrap_or_default() == 0))
}

fn get_digit(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let (Some(number), Some(place)) = (int(value), arg.and_then(int)) else {
        return Ok(value.clone());
    };
    if place < 1 {
        return Ok(Value::Int(number));
    }
    let digit = usize::try_from(place)
        .ok()
        .and_then(|place| number.to_string().bytes().rev().nth(place - 1));
    Ok(Value::Int(digit.filter(u8::is_ascii_digit).map_or(0, |digit| i64::from(digit - b'0'))))
}

fn floatformat(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let arg = text_or(arg, "-1");
    let places_text = arg.trim_end_matches(['g', 'u']);
    let grouped = arg.get(places_text.len()..).is_some_and(|flags| flags.contains('g'));
    let text = value.text();
    let places = if places_text.is_empty() { Some(-1) } else { int(&places_text.into()) };
    let Some(number) =
        Decimal::parse(&text).or_else(|| Decimal::parse(&value.number()?.to_string()))
    else {
        let is_special = matches!(&*text, "nan" | "inf" | "-inf");
        return Ok(if is_special { text.into() } else { "".into() });
    };
    let Some(places) =
        places.filter(|places| places.unsigned_abs() <= MAX_PLACES as u64 && number.is_small())
    else {
        return Ok(text.into());
    };
    Ok(Markup::danger_trusted(number.format(places, grouped)).into())
}

impl Decimal {
    fn is_small(&self) -> bool {
        self.digits.len() as u64 + self.exponent.unsigned_abs() <= MAX_DIGITS as u64
    }

    /// Rounded half up to `places`; with negative `places`, whole numbers have none.
    fn format(&self, places: i64, grouped: bool) -> String {
        let wanted = usize::try_from(places.unsigned_abs()).unwrap_or_default();
        let (whole, fraction) = self.split();
        let is_whole = fraction.iter().all(|digit| *digit == b'0');
        let places = if is_whole && places <= 0 { 0 } else { wanted };
        let (whole, fraction) = round(whole, fraction, places);
        let zero = whole.iter().chain(&fraction).all(|digit| *digit == b'0');
        let mut out = String::new();
        out.push_str(if self.negative && !zero { "-" } else { "" });
        push_whole(&mut out, &whole, grouped);
        out.push_str(if places > 0 { "." } else { "" });
        out.extend(fraction.iter().copied().map(char::from));
        out
    }

    /// The digits before and after the point.
    fn split(&self) -> (Vec<u8>, Vec<u8>) {
        let mut digits = self.digits.clone();
        let after = usize::try_from(-self.exponent).unwrap_or_default();
        digits.resize(digits.len() + usize::try_from(self.exponent).unwrap_or_default(), b'0');
        let missing = (after + 1).saturating_sub(digits.len());
        let mut whole = vec![b'0'; missing];
        whole.append(&mut digits);
        let fraction = whole.split_off(whole.len() - after);
        (strip_zeros(whole), fraction)
    }
}

fn round(mut whole: Vec<u8>, mut fraction: Vec<u8>, places: usize) -> (Vec<u8>, Vec<u8>) {
    let up = fraction.get(places).is_some_and(|digit| *digit >= b'5');
    fraction.resize(places, b'0');
    let mut carry = up;
    for digit in fraction.iter_mut().rev().chain(whole.iter_mut().rev()) {
        match (carry, *digit) {
            (false, _) => break,
            (true, b'9') => *digit = b'0',
            (true, _) => {
                *digit += 1;
                carry = false;
            }
        }
    }
    if carry {
        whole.insert(0, b'1');
    }
    (whole, fraction)
}

fn push_whole(out: &mut String, whole: &[u8], grouped: bool) {
    for (index, digit) in whole.iter().enumerate() {
        if grouped && index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(char::from(*digit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(number: impl Into<Value>, arg: &str) -> String {
        let formatted = floatformat(
            &number.into(),
            Some(&arg.into()),
            &Env::bare(crate::template::Autoescape::On),
        );
        formatted.map(|value| value.text().into_owned()).unwrap_or_default()
    }

    #[test]
    fn floatformat_rounds_half_up() {
        let cases = [
            (34.23, "-1", "34.2"),
            (34.0, "-1", "34"),
            (34.26, "-1", "34.3"),
            (34.26, "0", "34"),
            (6666.6666, "2g", "6,666.67"),
            (0.5, "0", "1"),
            (-0.04, "1", "0.0"),
            (9.99, "1", "10.0"),
            (1e-7, "3", "0.000"),
            (34.0, "3", "34.000"),
        ];
        for (number, arg, expected) in cases {
            assert_eq!(format(number, arg), expected, "{number} {arg}");
        }
        assert_eq!(format("x", "2"), "");
        assert_eq!(format("1e400", "2"), "1e400");
        assert_eq!(format(1, "999999999"), "1");
    }
}
