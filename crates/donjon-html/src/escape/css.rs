//! Text inside style sheets.
//!
//! Stops injected declarations (CWE-79, and the theft of page content by CSS):
//!
//! 1. A value is let through only if it is made of letters, digits, spaces and `# % . , + - _ !`, and is no
//!    `expression` or `moz-binding`; else it becomes [`REFUSED`](super::REFUSED).
//! 2. Text in a quoted string has every character escaped as `\hex ` that could end the string or the element.

use std::fmt::Write as _;

/// Appends `text` where a property's value stands (rule 1).
pub fn write_value(out: &mut String, text: &str) {
    out.push_str(if is_plain(text) { text } else { super::REFUSED });
}

fn is_plain(text: &str) -> bool {
    let letters: String =
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" #%.,+-_!".contains(&byte))
        && !text.contains("--")
        && !letters.contains("expression")
        && !letters.contains("mozbinding")
}

/// Appends `text` for the inside of a quoted string (rule 2).
pub fn write_string(out: &mut String, text: &str) {
    for character in text.chars() {
        if character.is_ascii_control() || "\"'&()/:;<>\\{}`*@!\u{2028}\u{2029}".contains(character)
        {
            let _ = write!(out, "\\{:x} ", character as u32);
        } else {
            out.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: fn(&mut String, &str), text: &str) -> String {
        let mut out = String::new();
        write(&mut out, text);
        out
    }

    #[test]
    fn rule_1_values() {
        for good in ["red", "#ff0000", "1.5em", "50%", "bold, serif", "-3px", "red !important"] {
            assert_eq!(written(write_value, good), good);
        }
        for bad in [
            "red;a:b",
            "url(x)",
            "a/**/",
            "\"",
            "exp-ression",
            "-->",
            "a\\62",
            "é",
            "a:b",
            "{}",
            "</style",
        ] {
            assert_eq!(written(write_value, bad), super::super::REFUSED, "{bad:?}");
        }
    }

    #[test]
    fn rule_2_strings() {
        assert_eq!(written(write_string, "\\\"</style>"), "\\5c \\22 \\3c \\2f style\\3e ");
    }
}
