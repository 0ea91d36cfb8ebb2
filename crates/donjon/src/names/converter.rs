//! What an argument of a path may be (Django: path converters).

/// The longest number that fits [`Converter::Int`], in digits: the longest that Python reads.
pub const MAX_DIGITS: usize = 4300;

/// What an argument of a path may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Converter {
    /// One segment: `[^/]+`. Written `<name>`, `<str:name>` or `{name}`.
    Str,
    /// A number without a sign: `[0-9]+`, of at most [`MAX_DIGITS`]. It may be too big for a type of
    /// Rust's, which axum's `Path` answers with 400.
    Int,
    /// `[-a-zA-Z0-9_]+`.
    Slug,
    /// 32 lower-case hexadecimal digits in groups of 8, 4, 4, 4 and 12.
    Uuid,
    /// The rest of the path: `.+`, so anything but a line feed. Written `<path:name>` or `{*name}`.
    /// It may hold `..`, a backslash and NUL: a file system must not get it unchecked.
    Path,
}

impl Converter {
    /// The converter of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "str" => Self::Str,
            "int" => Self::Int,
            "slug" => Self::Slug,
            "uuid" => Self::Uuid,
            "path" => Self::Path,
            _ => return None,
        })
    }

    /// May an argument have this value, free of percent-encoding?
    #[must_use]
    pub fn fits(self, value: &str) -> bool {
        let all = |legal: fn(u8) -> bool| !value.is_empty() && value.bytes().all(legal);
        match self {
            Self::Str => all(|byte| byte != b'/'),
            Self::Int => value.len() <= MAX_DIGITS && all(|byte| byte.is_ascii_digit()),
            Self::Slug => all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')),
            Self::Uuid => is_uuid(value.as_bytes()),
            Self::Path => all(|byte| byte != b'\n'),
        }
    }

    /// A value that fits.
    pub(crate) const fn example(self) -> &'static str {
        match self {
            Self::Int => "1",
            Self::Uuid => "00000000-0000-0000-0000-000000000000",
            Self::Str | Self::Slug | Self::Path => "a",
        }
    }
}

/// Where a UUID has its hyphens, and how long it is.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const UUID_LENGTH: usize = 36;

fn is_uuid(value: &[u8]) -> bool {
    let legal = |(at, byte): (usize, &u8)| match HYPHENS.contains(&at) {
        true => *byte == b'-',
        false => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    value.len() == UUID_LENGTH && value.iter().enumerate().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_2_an_argument_fits_its_converter() {
        let uuid = "075194d3-6885-417e-a8a8-6c931e272f00";
        let fitting = [
            (Converter::Str, vec!["a", "é b", "a\\b", "..", "\n"]),
            (Converter::Int, vec!["0", "007", "123456789012345678901234567890"]),
            (Converter::Slug, vec!["a-B_9", "-", "_"]),
            (Converter::Uuid, vec![uuid]),
            (Converter::Path, vec!["a", "a/b", "/", "//a", "a\0", "a\\b"]),
        ];
        for (converter, values) in fitting {
            for value in values {
                assert!(converter.fits(value), "{converter:?} {value:?}");
            }
            assert!(converter.fits(converter.example()), "{converter:?}");
        }
    }

    #[test]
    fn rule_2_anything_else_does_not() {
        let upper = "075194D3-6885-417E-A8A8-6C931E272F00";
        let bare = "075194d36885417ea8a86c931e272f00";
        let moved = "075194d-36885-417e-a8a8-6c931e272f00";
        let others = [
            (Converter::Str, vec!["", "a/b", "/"]),
            (Converter::Int, vec!["", "-1", "+1", "1.0", "1e3", "0x1", "１", "٣", "1 "]),
            (Converter::Slug, vec!["", "a b", "a.b", "é", "a/b", "a%"]),
            (Converter::Uuid, vec!["", upper, bare, moved, "zzz"]),
            (Converter::Path, vec!["", "\n", "a\nb"]),
        ];
        for (converter, values) in others {
            for value in values {
                assert!(!converter.fits(value), "{converter:?} {value:?}");
            }
        }
        assert!(Converter::Int.fits(&"9".repeat(MAX_DIGITS)));
        assert!(!Converter::Int.fits(&"9".repeat(MAX_DIGITS + 1)));
    }

    /// R028: what a proxy in front reads otherwise than the site.
    #[test]
    fn rule_2_int_slug_and_uuid_hide_nothing() {
        for converter in [Converter::Int, Converter::Slug, Converter::Uuid] {
            for hidden in ["\n", "\0", "/", "\\", "\r", "\t", " ", "%"] {
                let example = converter.example();
                for value in [format!("{example}{hidden}"), format!("{hidden}{example}")] {
                    assert!(!converter.fits(&value), "{converter:?} {value:?}");
                }
            }
        }
    }
}
