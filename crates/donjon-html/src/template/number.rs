//! Numbers as Python prints them.

use std::fmt;

/// Writes a float as Python's `str` does: `1.0`, `1e+16`, `1e-05`, `nan`.
pub(crate) fn write_python(out: &mut impl fmt::Write, number: f64) -> fmt::Result {
    if !number.is_finite() {
        return write_special(out, number);
    }
    if uses_exponent(number) {
        let written =
            shortest(number, |number| format!("{number:e}"), |n, places| format!("{n:.places$e}"));
        let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
        let exponent: i32 = exponent.parse().unwrap_or_default();
        return write!(
            out,
            "{digits}e{}{:02}",
            if exponent < 0 { '-' } else { '+' },
            exponent.abs()
        );
    }
    out.write_str(&shortest(
        number,
        |number| format!("{number:?}"),
        |n, places| format!("{n:.places$}"),
    ))
}

/// The shortest text of a float; of two that are equally near the one that ends in an even digit, as in Python.
fn shortest(number: f64, write: fn(f64) -> String, round: fn(f64, usize) -> String) -> String {
    /// Shorter texts are the only ones of their length.
    const AMBIGUOUS: usize = 16;
    let text = write(number);
    if text.len() < AMBIGUOUS {
        return text;
    }
    let mantissa = text.split('e').next().unwrap_or_default();
    let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let nearest = round(number, places);
    if places > 0 && nearest.parse() == Ok(number) { nearest } else { text }
}

/// Writes a float as a template prints it: as [`write_python`], but never with an exponent.
pub(crate) fn write_localized(out: &mut impl fmt::Write, number: f64) -> fmt::Result {
    match number.is_finite() && uses_exponent(number) {
        true => write!(out, "{number}"),
        false => write_python(out, number),
    }
}

fn write_special(out: &mut impl fmt::Write, number: f64) -> fmt::Result {
    out.write_str(match number {
        n if n.is_nan() => "nan",
        n if n > 0.0 => "inf",
        _ => "-inf",
    })
}

fn uses_exponent(number: f64) -> bool {
    let size = number.abs();
    size >= 1e16 || (size != 0.0 && size < 1e-4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats() {
        let cases = [
            (1.0, "1.0", "1.0"),
            (0.1, "0.1", "0.1"),
            (1e15, "1000000000000000.0", "1000000000000000.0"),
            (1e20, "1e+20", "100000000000000000000"),
            (1.5e-7, "1.5e-07", "0.00000015"),
            (-0.0, "-0.0", "-0.0"),
            (-708_249_147_864_955.2, "-708249147864955.2", "-708249147864955.2"),
            (1.000_007_629_394_531_2, "1.0000076293945312", "1.0000076293945312"),
            (708_249_147_864_955.8, "708249147864955.8", "708249147864955.8"),
            (f64::NAN, "nan", "nan"),
        ];
        for (number, python, printed) in cases {
            let (mut a, mut b) = (String::new(), String::new());
            assert!(
                write_python(&mut a, number).is_ok() && write_localized(&mut b, number).is_ok()
            );
            assert_eq!((a.as_str(), b.as_str()), (python, printed));
        }
    }
}
