//! Filters that calculate and round.

use super::{Arity, Filter, FilterError, Safety, int, text_or};
use crate::markup::Markup;
use crate::template::decimal::{Decimal, strip_zeros};
use crate::template::env::Env;
use crate::template::value::Value;

type Result = std::result::Result<Value, FilterError>;

pub(super) const FILTERS: &[Filter] = &[
    Filter::new("divisibleby", Arity::Required, Safety::Lost, divisibleby),
    Filter::new("filesizeformat", Arity::None, Safety::Preserved, filesizeformat),
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

fn floatformat(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    let arg = text_or(arg, "-1");
    let (places, grouped, localized) = flags(&arg);
    let text = value.text();
    let Some(number) = decimal(&text, value) else {
        let is_special = matches!(&*text, "nan" | "inf" | "-inf");
        return Ok(if is_special || is_number(&text) { text.into() } else { "".into() });
    };
    let places = int(&places.into());
    let fits = |places: &i64| places.unsigned_abs() <= MAX_PLACES as u64 && number.is_small();
    let Some(places) = places.filter(fits) else {
        return Ok(text.into());
    };
    let (rounded, shown) = number.rounded(places);
    let format = match localized {
        true => env.locale.number_format(),
        false => env.locale.settings_number_format(),
    };
    let format = if grouped { format.grouped() } else { format }.places(shown);
    Ok(Markup::danger_trusted(format.format(&rounded.into())).into())
}

/// The places, whether digits are grouped (`g`), and whether the language counts (not with `u`).
fn flags(arg: &str) -> (&str, bool, bool) {
    let (places, grouped, localized) = match arg {
        arg if arg.ends_with("gu") || arg.ends_with("ug") => {
            (arg.get(..arg.len() - 2), true, false)
        }
        arg if arg.ends_with('g') => (arg.get(..arg.len() - 1), true, true),
        arg if arg.ends_with('u') => (arg.get(..arg.len() - 1), false, false),
        arg => (Some(arg), false, true),
    };
    (places.filter(|places| !places.is_empty()).unwrap_or("-1"), grouped, localized)
}

fn decimal(text: &str, value: &Value) -> Option<Decimal> {
    Decimal::parse(text).or_else(|| Decimal::parse(&value.number()?.to_string()))
}

/// Whether text is a number whose exponent is too large for any purpose.
fn is_number(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.trim().split_once(['e', 'E']) else { return false };
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_whole && Decimal::parse(mantissa).is_some()
}

fn filesizeformat(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    const UNITS: [(&str, u32); 5] =
        [("%s KB", 10), ("%s MB", 20), ("%s GB", 30), ("%s TB", 40), ("%s PB", 50)];
    let number = value.number().filter(|_| value.as_str().is_none()).map(f64::trunc);
    let number =
        number.or_else(|| int(value).map(|number| number as f64)).filter(|n| n.is_finite());
    let number = number.unwrap_or_default();
    let size = number.abs();
    let unit = UNITS.iter().rev().find(|(_, power)| size >= 2f64.powi(*power as i32));
    let text = match unit {
        None => {
            let count = size as u64;
            env.locale
                .translate_plural(None, "%(size)d byte", "%(size)d bytes", count)
                .replace("%(size)d", &count.to_string())
        }
        Some((name, power)) => {
            let amount = size / 2f64.powi(*power as i32);
            let rounded = format!("{:.1}", (amount * 10.0).round_ties_even() / 10.0);
            let amount = env.locale.number_format().places(1).format(&rounded.into());
            env.locale.translate(None, name).replace("%s", &amount)
        }
    };
    let sign = if number < 0.0 { "-" } else { "" };
    Ok(format!("{sign}{text}").replace(' ', "\u{a0}").into())
}

impl Decimal {
    fn is_small(&self) -> bool {
        self.digits.len() as u64 + self.exponent.unsigned_abs() <= MAX_DIGITS as u64
    }

    /// Rounded half up to `places`, and how many places are shown; with negative `places`, whole numbers have none.
    fn rounded(&self, places: i64) -> (String, usize) {
        let wanted = usize::try_from(places.unsigned_abs()).unwrap_or_default();
        let (whole, fraction) = self.split();
        let is_whole = fraction.iter().all(|digit| *digit == b'0');
        let places = if is_whole && places <= 0 { 0 } else { wanted };
        let (whole, fraction) = round(whole, fraction, places);
        let zero = whole.iter().chain(&fraction).all(|digit| *digit == b'0');
        let mut out = String::new();
        out.push_str(if self.negative && !zero { "-" } else { "" });
        out.extend(whole.iter().copied().map(char::from));
        out.push_str(if places > 0 { "." } else { "" });
        out.extend(fraction.iter().copied().map(char::from));
        (out, places)
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
