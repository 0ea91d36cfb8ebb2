//! The token in a urlencoded body, beside a slow and plain reader; and any `Content-Type`.
//!
//! The input is a `Content-Type` in a line, then the body.
#![no_main]

use donjon::csrf::{BodyError, FIELD, FIELDS_LIMIT, Form, urlencoded_token};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (content_type, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    if let Ok(Form::Multipart(boundary)) = Form::of(content_type) {
        assert!(!boundary.is_empty());
    }
    let fields: Vec<&[u8]> = body.split(|&byte| byte == b'&').collect();
    let token = urlencoded_token(body);
    if fields.len() > FIELDS_LIMIT {
        return assert_eq!(token, Err(BodyError::TooManyFields));
    }
    let expected = fields.into_iter().map(field).filter(|(name, _)| name == FIELD).next_back();
    assert_eq!(token.expect("few fields").as_deref(), expected.map(|(_, value)| value).as_deref());
});

fn field(field: &[u8]) -> (String, String) {
    let at = field.iter().position(|&byte| byte == b'=');
    let (name, value) = field.split_at(at.unwrap_or(field.len()));
    (decoded(name), decoded(value.strip_prefix(b"=").unwrap_or_default()))
}

fn decoded(text: &[u8]) -> String {
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let digits =
            text.get(at + 1..at + 3).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        match (text[at], digits) {
            (b'%', Some(digits)) => {
                let digits = std::str::from_utf8(digits).expect("digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("two of them"));
                at += 3;
            }
            (byte, _) => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
