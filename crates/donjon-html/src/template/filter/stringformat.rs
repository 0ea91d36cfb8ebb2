//! `stringformat`: Python's `"%…" % value`.
//!
//! Stops formats that make a short value long: see [`MAX_WIDTH`].

use super::layout::MAX_WIDTH;
use crate::template::value::{Repr, Value};

/// A directive, behind its `%`.
#[derive(Default)]
struct Directive {
    alternate: bool,
    zero: bool,
    left: bool,
    space: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
    kind: char,
}

/// The value in that format; `None` if Python refuses it.
pub(super) fn format(format: &str, value: &Value) -> Option<String> {
    let (directive, mut rest) = Directive::parse(format)?;
    let mut out = directive.write(value)?;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        // A second directive would need a second value.
        rest = after.strip_prefix('%')?;
        out.push('%');
    }
    out.push_str(rest);
    Some(out)
}

fn number(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let number = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    (number <= MAX_WIDTH).then_some((number, rest))
}

impl Directive {
    fn parse(text: &str) -> Option<(Self, &str)> {
        let mut directive = Self::default();
        let end = text.find(|c| !"#0- +".contains(c)).unwrap_or(text.len());
        let (flags, rest) = text.split_at(end);
        for flag in flags.chars() {
            match flag {
                '#' => directive.alternate = true,
                '0' => directive.zero = true,
                '-' => directive.left = true,
                ' ' => directive.space = true,
                _ => directive.plus = true,
            }
        }
        let (width, rest) = number(rest)?;
        directive.width = width;
        let mut rest = rest;
        if let Some(after) = rest.strip_prefix('.') {
            let (precision, after) = number(after)?;
            (directive.precision, rest) = (Some(precision), after);
        }
        let rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
        directive.kind = rest.chars().next()?;
        let rest = rest.get(directive.kind.len_utf8()..)?;
        Some((directive, rest))
    }

    fn write(&self, value: &Value) -> Option<String> {
        Some(match self.kind {
            's' => self.padded("", &self.cut(&value.text())),
            'r' => self.padded("", &self.cut(&Repr(value).to_string())),
            'a' => self.padded("", &self.cut(&ascii(&Repr(value).to_string()))),
            'c' => self.padded("", &character(value)?),
            'd' | 'i' | 'u' => self.integer(&whole(value)?, ""),
            'o' => self.based(value, 8, "0o")?,
            'x' => self.based(value, 16, "0x")?,
            'X' => self.based(value, 16, "0x")?.to_uppercase(),
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => self.float(value)?,
            _ => return None,
        })
    }

    fn cut(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn sign(&self, negative: bool) -> &'static str {
        match () {
            () if negative => "-",
            () if self.plus => "+",
            () if self.space => " ",
            () => "",
        }
    }

    /// Pads with zeros behind the sign, or with spaces.
    fn padded(&self, sign: &str, text: &str) -> String {
        let missing = self.width.saturating_sub(sign.chars().count() + text.chars().count());
        let is_number = !matches!(self.kind, 's' | 'r' | 'a' | 'c');
        match () {
            () if self.left => format!("{sign}{text}{}", " ".repeat(missing)),
            () if self.zero && is_number => format!("{sign}{}{text}", "0".repeat(missing)),
            () => format!("{}{sign}{text}", " ".repeat(missing)),
        }
    }

    fn integer(&self, number: &num_bigint::BigInt, prefix: &str) -> String {
        self.digits(
            number.sign() == num_bigint::Sign::Minus,
            &number.magnitude().to_string(),
            prefix,
        )
    }

    fn digits(&self, negative: bool, digits: &str, prefix: &str) -> String {
        let missing = self.precision.unwrap_or_default().saturating_sub(digits.len());
        let sign = format!("{}{prefix}", self.sign(negative));
        self.padded(&sign, &format!("{}{digits}", "0".repeat(missing)))
    }

    fn based(&self, value: &Value, base: u32, prefix: &str) -> Option<String> {
        let number = match value {
            Value::Int(_) | Value::Bool(_) | Value::BigInt(_) => whole(value)?,
            _ => return None,
        };
        let digits = number.magnitude().to_str_radix(base);
        let prefix = if self.alternate { prefix } else { "" };
        Some(self.digits(number.sign() == num_bigint::Sign::Minus, &digits, prefix))
    }

    fn float(&self, value: &Value) -> Option<String> {
        let number = value.number()?;
        let precision = self.precision.unwrap_or(6);
        let size = number.abs();
        let text = match self.kind {
            _ if !size.is_finite() => if size.is_nan() { "nan" } else { "inf" }.to_owned(),
            'f' | 'F' => format!("{size:.precision$}"),
            'e' | 'E' => exponent(size, precision),
            _ => general(size, precision.max(1), self.alternate),
        };
        let text = if self.kind.is_uppercase() { text.to_uppercase() } else { text };
        Some(self.padded(self.sign(number.is_sign_negative()), &text))
    }
}

fn whole(value: &Value) -> Option<num_bigint::BigInt> {
    use num_traits::FromPrimitive as _;
    match value {
        Value::BigInt(number) => Some(num_bigint::BigInt::clone(number)),
        other if other.as_str().is_some() => None,
        other => match other.integer() {
            Some(number) => Some(number.into()),
            None => num_bigint::BigInt::from_f64(other.number()?.trunc()),
        },
    }
}

fn character(value: &Value) -> Option<String> {
    match value.as_str() {
        Some(text) => (text.chars().count() == 1).then(|| text.to_owned()),
        None => Some(char::from_u32(u32::try_from(value.integer()?).ok()?)?.to_string()),
    }
}

fn ascii(text: &str) -> String {
    let escaped = |c: char| match u32::from(c) {
        0..=0x7f => c.to_string(),
        code @ 0x80..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    };
    text.chars().map(escaped).collect()
}

/// `1.500000e+01`.
fn exponent(size: f64, precision: usize) -> String {
    let written = format!("{size:.precision$e}");
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// The shorter of both, without zeros at the end.
fn general(size: f64, precision: usize, alternate: bool) -> String {
    let written = format!("{size:.*e}", precision - 1);
    let power: i64 = written.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or_default();
    let limit = i64::try_from(precision).unwrap_or(i64::MAX);
    let trim = |text: &str| match text.contains('.') && !alternate {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if power < -4 || power >= limit {
        let text = exponent(size, precision - 1);
        let (digits, power) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{power}", trim(digits));
    }
    let places = usize::try_from(limit - 1 - power).unwrap_or_default();
    trim(&format!("{size:.places$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_python_s() {
        let cases: [(&str, Value, &str); 17] = [
            ("03d", 1.into(), "001"),
            ("5d", (-42).into(), "  -42"),
            ("-5d|", 42.into(), "42   |"),
            ("+d", 3.into(), "+3"),
            (".2f", 2.675.into(), "2.67"),
            ("e", 15.into(), "1.500000e+01"),
            ("g", 0.00001.into(), "1e-05"),
            ("g", 1e6.into(), "1e+06"),
            ("g", 123456.into(), "123456"),
            ("#x", 255.into(), "0xff"),
            ("X", 255.into(), "FF"),
            ("o", 8.into(), "10"),
            (".3s!", "abcdef".into(), "abc!"),
            ("r", "a'b".into(), "\"a'b\""),
            ("c", 65.into(), "A"),
            ("d%%", 3.9.into(), "3%"),
            ("08.3f", (-1.5).into(), "-001.500"),
        ];
        for (directive, value, expected) in cases {
            assert_eq!(format(directive, &value).as_deref(), Some(expected), "{directive}");
        }
        for (bad, value) in [
            ("d", "x".into()),
            ("z", 1.into()),
            ("", 1.into()),
            ("x", 1.5.into()),
            ("s%s", 1.into()),
            ("99999999d", 1.into()),
        ] {
            let value: Value = value;
            assert_eq!(format(bad, &value), None, "{bad}");
        }
    }
}
