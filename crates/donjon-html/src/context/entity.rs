//! Character references in the literal values of attributes.
//!
//! A browser decodes them before it reads the value as a URL, a script or a style; so does the context.

use std::borrow::Cow;

use super::{CUT_HINT, Fault};

const NAMED: [(&str, char); 14] = [
    ("amp", '&'),
    ("AMP", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("colon", ':'),
    ("sol", '/'),
    ("lpar", '('),
    ("rpar", ')'),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("semi", ';'),
];

/// The text behind the references. A name that is not known here is refused rather than guessed.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, Fault> {
    if !text.contains('&') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split('&');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (character, length) = reference(piece)?;
        out.push(character);
        out.push_str(piece.get(length..).unwrap_or_default());
    }
    Ok(Cow::Owned(out))
}

/// The character that the text behind an `&` stands for, and how much of it belongs to that.
fn reference(piece: &str) -> Result<(char, usize), Fault> {
    if let Some(number) = piece.strip_prefix('#') {
        return numeric(number).ok_or_else(|| unknown(piece));
    }
    let length = piece.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let name = piece.get(..length).unwrap_or_default();
    let known = NAMED.iter().find(|(known, _)| *known == name);
    match (known, piece.as_bytes().get(length)) {
        (Some((_, character)), Some(b';')) => Ok((*character, length + 1)),
        (None, Some(b';')) if length > 0 => Err(unknown(piece)),
        // Without the semicolon these are references too, unless a query goes on: `&lt=1`.
        (Some((name, _)), next) if is_legacy(name) && next != Some(&b'=') => Err(unknown(piece)),
        _ => Ok(('&', 0)),
    }
}

fn is_legacy(name: &str) -> bool {
    matches!(name, "amp" | "AMP" | "lt" | "gt" | "quot")
}

fn numeric(number: &str) -> Option<(char, usize)> {
    let hex = number.starts_with(['x', 'X']);
    let digits = number.get(usize::from(hex)..)?;
    let radix = if hex { 16 } else { 10 };
    let length = digits.chars().take_while(|c| c.is_digit(radix)).count();
    let code = u32::from_str_radix(digits.get(..length)?, radix).ok()?;
    let semicolon = digits.as_bytes().get(length) == Some(&b';');
    let whole = 1 + usize::from(hex) + length + usize::from(semicolon);
    Some((char::from_u32(code).filter(|c| *c != '\0')?, whole))
}

fn unknown(piece: &str) -> Fault {
    let name: String = piece.chars().take_while(|c| *c != ';').take(12).collect();
    Fault::new(
        format!("the character reference '&{name}' in a URL, script or style"),
        "write the character itself",
    )
}

/// Refuses a reference that a hole would complete.
pub(super) fn refuse_cut(text: &str, is_code: bool) -> Result<(), Fault> {
    let Some((_, tail)) = text.rsplit_once('&') else {
        return Ok(());
    };
    let open = tail.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#');
    match open && (tail.starts_with('#') || is_code) {
        true => Err(Fault::new("a character reference is cut in two", CUT_HINT)),
        false => Ok(()),
    }
}
