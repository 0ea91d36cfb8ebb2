//! Amounts of money: whole cents, so that no cent is lost to rounding.

use std::fmt;

/// The largest amount of one transfer: a million euros.
pub const MAX_TRANSFER: Cents = Cents(100_000_000);

/// An amount in cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cents(pub i64);

/// A text that is no amount that can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountError {
    /// It is not written like an amount.
    Malformed,
    /// It is nothing.
    Zero,
    /// It is more than [`MAX_TRANSFER`].
    TooLarge,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("Enter an amount like 12 or 12.50."),
            Self::Zero => f.write_str("Enter at least one cent."),
            Self::TooLarge => write!(f, "One transfer moves {MAX_TRANSFER} at most."),
        }
    }
}

impl std::error::Error for AmountError {}

impl Cents {
    /// Reads `12`, `12.5` or `12.50`: an amount that can be sent.
    ///
    /// # Errors
    /// [`AmountError`].
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let text = text.trim();
        let (euros, cents) = text.split_once('.').unwrap_or((text, "00"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(euros) || !digits(cents) || cents.len() > 2 {
            return Err(AmountError::Malformed);
        }
        // A number that does not fit is larger than every limit.
        let euros: i64 = euros.parse().map_err(|_| AmountError::TooLarge)?;
        let cents: i64 = format!("{cents:0<2}").parse().map_err(|_| AmountError::Malformed)?;
        match euros.checked_mul(100).and_then(|whole| whole.checked_add(cents)) {
            Some(0) => Err(AmountError::Zero),
            Some(amount) if amount <= MAX_TRANSFER.0 => Ok(Self(amount)),
            _ => Err(AmountError::TooLarge),
        }
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "−" } else { "" };
        let (euros, cents) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        write!(f, "{sign}€{}.{cents:02}", grouped(euros))
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written() {
        for (text, cents, shown) in [
            ("12", 1200, "€12.00"),
            (" 12.5 ", 1250, "€12.50"),
            ("0.01", 1, "€0.01"),
            ("1000000", 100_000_000, "€1,000,000.00"),
            ("007.09", 709, "€7.09"),
        ] {
            assert_eq!(Cents::parse(text), Ok(Cents(cents)), "{text}");
            assert_eq!(Cents(cents).to_string(), shown);
        }
        assert_eq!(Cents(-5).to_string(), "−€0.05");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", " ", "-1", "+1", "1e3", "1,5", "1.234", ".5", "1.", "١", "NaN", "1 0"] {
            assert_eq!(Cents::parse(text), Err(AmountError::Malformed), "{text}");
        }
        assert_eq!(Cents::parse("0.00"), Err(AmountError::Zero));
        for text in ["1000000.01", "92233720368547758.08", "99999999999999999999999"] {
            assert_eq!(Cents::parse(text), Err(AmountError::TooLarge), "{text}");
        }
    }
}
