//! The token in a multipart body: the same in whatever pieces the body comes, and the right one.
//!
//! The input is a `Content-Type`, a line whose bytes are the sizes of the pieces, and the body.
#![no_main]

use donjon::csrf::{BodyError, Ended, FIELD, FIELDS_LIMIT, Form, Scan, Scanner, TOKEN_LIMIT};
use libfuzzer_sys::fuzz_target;

/// The longest field that is looked at whole.
const LONG: usize = TOKEN_LIMIT + 1;

fuzz_target!(|data: &[u8]| {
    let (content_type, data) = split_line(data);
    let (sizes, body) = split_line(data);
    let Ok(Form::Multipart(boundary)) = Form::of(content_type) else { return };
    // Broken bodies may be refused; only the pieces must not matter.
    let _ = pieces_do_not_matter(&boundary, sizes, body);
    the_token_is_found(&boundary, sizes, body);
});

fn pieces_do_not_matter(boundary: &[u8], sizes: &[u8], body: &[u8]) -> Result<Scan, BodyError> {
    let whole = Scanner::new(boundary).scan(body, Ended::Yes);
    assert_eq!(in_pieces(boundary, sizes, body), whole);
    if let Ok(Scan::Found(token)) = &whole {
        assert!(
            String::from_utf8_lossy(body).contains(token.as_str()) || token.contains('\u{fffd}')
        );
    }
    whole
}

fn in_pieces(boundary: &[u8], sizes: &[u8], body: &[u8]) -> Result<Scan, BodyError> {
    let mut scanner = Scanner::new(boundary);
    let mut end = 0;
    for size in sizes.iter().cycle().take(body.len()) {
        end = (end + usize::from(*size)).min(body.len());
        match scanner.scan(&body[..end], Ended::No)? {
            Scan::More => {}
            verdict => return Ok(verdict),
        }
    }
    scanner.scan(body, Ended::Yes)
}

/// Reads each line of `lines` as a field `name=value`, or `name@file=value`, makes the body that a
/// browser would send, and finds the token in it.
fn the_token_is_found(boundary: &[u8], sizes: &[u8], lines: &[u8]) {
    let delimiter = [b"--", boundary].concat();
    let fields = lines.split(|&byte| byte == b'\n').filter_map(|line| Field::of(line, &delimiter));
    let fields: Vec<_> = fields.collect();
    let mut body = Vec::new();
    fields.iter().for_each(|field| field.write(&delimiter, &mut body));
    body.extend([&*delimiter, b"--\r\n"].concat());
    match (pieces_do_not_matter(boundary, sizes, &body), token(&fields)) {
        (Ok(Scan::Absent), None) => {}
        (Ok(Scan::Found(found)), Some(token)) if token.len() <= LONG => assert_eq!(found, token),
        // One that is longer than any token may be cut.
        (Ok(Scan::Found(found)), Some(_)) => assert!(found.len() > LONG),
        (Ok(scan), expected) => panic!("{scan:?}, expected {expected:?}"),
        (Err(error), _) => assert!(error == BodyError::PartHeaders || lines.len() > FIELDS_LIMIT),
    }
}

/// The last token before a file that follows a token; one that is too long ends the search.
fn token<'a>(fields: &[Field<'a>]) -> Option<&'a str> {
    let mut token = None;
    for field in fields {
        match field.is_file() {
            true if token.is_some() => break,
            false if field.name == FIELD => token = Some(field.value),
            _ => {}
        }
        if token.is_some_and(|token| token.len() > LONG) {
            break;
        }
    }
    token
}

struct Field<'a> {
    name: &'a str,
    file: Option<&'a str>,
    value: &'a str,
}

impl<'a> Field<'a> {
    fn of(line: &'a [u8], delimiter: &[u8]) -> Option<Self> {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once('=')?;
        let (name, file) =
            name.split_once('@').map_or((name, None), |(name, file)| (name, Some(file)));
        let legal = |text: &str| !text.contains(['"', '\\', '\r']);
        let clear = !contains(line, delimiter) && legal(name) && file.is_none_or(legal);
        clear.then_some(Self { name, file, value })
    }

    fn is_file(&self) -> bool {
        self.file.is_some_and(|name| !name.is_empty())
    }

    fn write(&self, delimiter: &[u8], body: &mut Vec<u8>) {
        let file = self.file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head =
            format!("\r\nContent-Disposition: form-data; name=\"{}\"{file}\r\n\r\n", self.name);
        for piece in [delimiter, head.as_bytes(), self.value.as_bytes(), b"\r\n"] {
            body.extend_from_slice(piece);
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn split_line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    (&data[..end], data.get(end + 1..).unwrap_or_default())
}
