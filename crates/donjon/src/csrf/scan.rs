//! Finding the token in a body, at bounded cost and without taking the body away from the handler.
//!
//! A urlencoded body is read whole, a multipart body only up to the part that holds the token. What
//! was read goes on to the handler, the rest streams behind it.

use std::borrow::Cow;

use memchr::memmem;

use super::policy::{BODY_LIMIT, FIELD, FIELDS_LIMIT};

/// The longest boundary of a multipart body. Django: 201.
pub const BOUNDARY_LIMIT: usize = 201;

/// How many bytes the headers of one part may have. Django: `MAX_TOTAL_HEADER_SIZE`.
pub const PART_HEADERS_LIMIT: usize = 1024;

/// What kind of body a request has, as far as a token can be in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// `multipart/form-data` with this boundary.
    Multipart(Vec<u8>),
    /// Another: it has no fields.
    Other,
}

/// A body that is not what it says: the client's mistake, status 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// More than [`BODY_LIMIT`] bytes came before the token.
    TooLong,
    /// More than [`FIELDS_LIMIT`] fields came before the token.
    TooManyFields,
    /// A multipart body without a boundary, or with one that can be none.
    Boundary,
    /// The headers of a part are longer than [`PART_HEADERS_LIMIT`].
    PartHeaders,
    /// A urlencoded body in another encoding than UTF-8.
    Encoding,
}

impl BodyError {
    /// A sentence for the client.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::TooLong => "The request body exceeded the limit.",
            Self::TooManyFields => "The number of fields exceeded the limit.",
            Self::Boundary => "Invalid boundary in multipart.",
            Self::PartHeaders => "The headers of a multipart part exceeded the limit.",
            Self::Encoding => "A urlencoded form must be UTF-8.",
        }
    }
}

/// Charsets that Python knows and that are not UTF-8 by the name `utf-8`: Django refuses them, and
/// ignores a name that Python doesn't know.
const OTHER_CHARSETS: [&str; 12] = [
    "utf8",
    "utf-16",
    "utf-32",
    "utf-7",
    "ascii",
    "us-ascii",
    "latin-1",
    "latin1",
    "iso-8859-1",
    "iso-8859-15",
    "cp1252",
    "windows-1252",
];

impl Form {
    /// The form that a `Content-Type` announces.
    ///
    /// # Errors
    /// [`BodyError::Boundary`] or [`BodyError::Encoding`].
    pub fn of(content_type: &[u8]) -> Result<Self, BodyError> {
        let mut parts = content_type.split(|&byte| byte == b';');
        let kind = parts.next().unwrap_or_default().trim_ascii();
        if kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            let charset =
                parameter(content_type, b"charset").unwrap_or_default().to_ascii_lowercase();
            let other = OTHER_CHARSETS.iter().any(|name| name.as_bytes() == charset);
            return if other { Err(BodyError::Encoding) } else { Ok(Self::Urlencoded) };
        }
        if !kind.eq_ignore_ascii_case(b"multipart/form-data") {
            return Ok(Self::Other);
        }
        let boundary = parameter(content_type, b"boundary").ok_or(BodyError::Boundary)?;
        let legal = boundary.iter().all(|byte| matches!(byte, b' '..=b'~'))
            && boundary.last() != Some(&b' ');
        match legal && (1..=BOUNDARY_LIMIT).contains(&boundary.len()) {
            true => Ok(Self::Multipart(boundary.to_vec())),
            false => Err(BodyError::Boundary),
        }
    }
}

/// A parameter of a header (`; name=value` or `; name="value"`), names without case.
fn parameter<'a>(header: &'a [u8], name: &[u8]) -> Option<Cow<'a, [u8]>> {
    let mut rest = header;
    while let Some(start) = memchr::memchr(b';', rest) {
        rest = rest[start + 1..].trim_ascii_start();
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let Some(value) = after.strip_prefix(b"=") else { continue };
        let (value, after) = parameter_value(value.trim_ascii_start());
        if key.trim_ascii().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
    None
}

fn parameter_value(text: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        return (Cow::Borrowed(text[..end].trim_ascii_end()), &text[end..]);
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'"' => return (Cow::Owned(value), &quoted[at + 1..]),
            // Browsers escape a quotation mark only; a backslash in a file name stands for itself.
            b'\\' if matches!(quoted.get(at + 1), Some(b'"' | b'\\')) => {
                value.extend(bytes.next().map(|(_, byte)| *byte))
            }
            _ => value.push(byte),
        }
    }
    (Cow::Owned(value), &[])
}

/// The token in a whole urlencoded body: the last field of its name, as in Django.
///
/// # Errors
/// [`BodyError::TooManyFields`].
pub fn urlencoded_token(body: &[u8]) -> Result<Option<Cow<'_, str>>, BodyError> {
    if memchr::memchr_iter(b'&', body).take(FIELDS_LIMIT).count() >= FIELDS_LIMIT {
        return Err(BodyError::TooManyFields);
    }
    Ok(form_urlencoded::parse(body)
        .filter(|(name, _)| name == FIELD)
        .last()
        .map(|(_, value)| value))
}

/// How many fields of a urlencoded body are tokens.
pub(super) fn urlencoded_tokens(body: &[u8]) -> usize {
    form_urlencoded::parse(body).filter(|(name, _)| name == FIELD).count()
}

/// What a multipart body shows of the token so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// Not enough yet: give more.
    More,
    /// The token's part is here, and this is its text.
    Found(String),
    /// The body is over, or past its last boundary, and has no token.
    Absent,
}

/// Looks through a multipart body as it comes.
///
/// Its cost is linear in the bytes: no byte is searched more than twice.
#[derive(Debug)]
pub struct Scanner {
    delimiter: Vec<u8>,
    at: usize,
    state: State,
    parts: usize,
}

#[derive(Debug)]
enum State {
    /// Before the first boundary, or in a part that is not the token's.
    Skipping,
    /// Just behind a boundary.
    Boundary,
    /// In the headers of a part, which begin here.
    Headers,
    /// In the token's part.
    Token,
}

impl Scanner {
    /// A scanner for a body with this boundary.
    #[must_use]
    pub fn new(boundary: &[u8]) -> Self {
        Self { delimiter: [b"--", boundary].concat(), at: 0, state: State::Skipping, parts: 0 }
    }

    /// Looks at the body from where it left off. `body` is all that came so far; `ended` if no more
    /// will come.
    ///
    /// # Errors
    /// [`BodyError`] for more parts, bytes or headers than are allowed.
    pub fn scan(&mut self, body: &[u8], ended: Ended) -> Result<Scan, BodyError> {
        while let Some(verdict) = self.step(body, ended)? {
            match verdict {
                Step::On => {}
                Step::Done(scan) => return Ok(scan),
            }
        }
        match ended {
            Ended::Yes => Ok(Scan::Absent),
            Ended::No if body.len() > BODY_LIMIT => Err(BodyError::TooLong),
            Ended::No => Ok(Scan::More),
        }
    }

    /// One step on; `None` if it needs more bytes.
    fn step(&mut self, body: &[u8], ended: Ended) -> Result<Option<Step>, BodyError> {
        let rest = body.get(self.at..).unwrap_or_default();
        match self.state {
            State::Skipping => Ok(self.skip(rest)),
            State::Boundary => Ok(self.boundary(rest)),
            State::Headers => self.headers(rest),
            State::Token => Ok(self.token(rest, ended)),
        }
    }

    fn skip(&mut self, rest: &[u8]) -> Option<Step> {
        match memmem::find(rest, &self.delimiter) {
            Some(found) => {
                self.at += found + self.delimiter.len();
                self.state = State::Boundary;
                Some(Step::On)
            }
            None => {
                // The delimiter may have begun: keep its length less one.
                self.at += rest.len().saturating_sub(self.delimiter.len() - 1);
                None
            }
        }
    }

    fn boundary(&mut self, rest: &[u8]) -> Option<Step> {
        match rest {
            [b'-', b'-', ..] => Some(Step::Done(Scan::Absent)),
            [b'-'] | [b'\r'] | [] => None,
            [b'\r', b'\n', ..] => {
                self.at += 2;
                self.state = State::Headers;
                Some(Step::On)
            }
            _ => {
                self.state = State::Skipping;
                Some(Step::On)
            }
        }
    }

    fn headers(&mut self, rest: &[u8]) -> Result<Option<Step>, BodyError> {
        let window = &rest[..rest.len().min(PART_HEADERS_LIMIT + 4)];
        let Some(end) = memmem::find(window, b"\r\n\r\n") else {
            return if rest.len() > PART_HEADERS_LIMIT {
                Err(BodyError::PartHeaders)
            } else {
                Ok(None)
            };
        };
        self.parts += 1;
        if self.parts > FIELDS_LIMIT {
            return Err(BodyError::TooManyFields);
        }
        let token = is_token(&rest[..end]);
        self.at += end + 4;
        self.state = if token { State::Token } else { State::Skipping };
        // The delimiter's line break may be the one that ended the headers: an empty part.
        self.at -= if token { 2 } else { 0 };
        Ok(Some(Step::On))
    }

    fn token(&mut self, rest: &[u8], ended: Ended) -> Option<Step> {
        let delimiter = [b"\r\n", &*self.delimiter].concat();
        let value = match (memmem::find(rest, &delimiter), ended) {
            (Some(end), _) => &rest[..end],
            (None, Ended::Yes) => rest,
            (None, Ended::No) => return None,
        };
        let value = value.strip_prefix(b"\r\n").unwrap_or_default();
        Some(Step::Done(Scan::Found(String::from_utf8_lossy(value).into_owned())))
    }
}

/// Has the body come to its end?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All of it is here.
    Yes,
    /// More may come.
    No,
}

enum Step {
    On,
    Done(Scan),
}

/// Do a part's headers make it the token's field, and not a file?
fn is_token(headers: &[u8]) -> bool {
    headers.split(|&byte| byte == b'\n').any(|line| {
        let Some(colon) = memchr::memchr(b':', line) else { return false };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        name.eq_ignore_ascii_case(b"content-disposition")
            && parameter(value, b"name").is_some_and(|name| name == FIELD.as_bytes())
            && parameter(value, b"filename").is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"preamble\r\n--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX\r\n\
        content-disposition: form-data; name=\"csrfmiddlewaretoken\"\r\nX: y\r\n\r\ntoken\r\n--XX\r\n\
        Content-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nfile\r\n--XX--\r\n";

    fn whole(body: &[u8]) -> Result<Scan, BodyError> {
        Scanner::new(b"XX").scan(body, Ended::Yes)
    }

    #[test]
    fn the_token_is_found_in_whatever_pieces_the_body_comes() {
        assert_eq!(whole(BODY), Ok(Scan::Found("token".to_owned())));
        for piece in 1..BODY.len() {
            let mut scanner = Scanner::new(b"XX");
            let ends = (piece..BODY.len()).step_by(piece).chain([BODY.len()]);
            let scans: Vec<_> = ends
                .map(|end| scanner.scan(&BODY[..end], Ended::No).unwrap())
                .take_while_inclusive();
            assert_eq!(scans.last(), Some(&Scan::Found("token".to_owned())), "{piece}");
        }
    }

    trait TakeWhileInclusive: Iterator<Item = Scan> + Sized {
        fn take_while_inclusive(self) -> Vec<Scan> {
            let mut scans = Vec::new();
            for scan in self {
                let more = scan == Scan::More;
                scans.push(scan);
                if !more {
                    break;
                }
            }
            scans
        }
    }

    impl<I: Iterator<Item = Scan>> TakeWhileInclusive for I {}

    #[test]
    fn the_rest_of_the_body_is_not_needed() {
        let end = memmem::find(BODY, b"token\r\n--XX").unwrap() + 11;
        assert_eq!(
            Scanner::new(b"XX").scan(&BODY[..end], Ended::No),
            Ok(Scan::Found("token".to_owned()))
        );
        assert_eq!(Scanner::new(b"XX").scan(&BODY[..end - 1], Ended::No), Ok(Scan::More));
    }

    #[test]
    fn a_body_without_token_has_none() {
        for body in [&b""[..], b"--XX--", b"--XX\r\n\r\n\r\n--XX--", b"no boundary at all", b"--XX\r\nContent-Disposition: form-data; name=\"csrfmiddlewaretoken\"; filename=\"x\"\r\n\r\nt\r\n--XX--"] {
            assert_eq!(whole(body), Ok(Scan::Absent), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn an_empty_token_is_found_empty() {
        let body =
            b"--XX\r\nContent-Disposition: form-data; name=csrfmiddlewaretoken\r\n\r\n\r\n--XX--";
        assert_eq!(whole(body), Ok(Scan::Found(String::new())));
    }

    #[test]
    fn limits_hold() {
        let part = b"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n";
        assert_eq!(whole(&part.repeat(100_000)), Err(BodyError::TooManyFields));
        let headers = [b"--XX\r\nX: ", &*b"y".repeat(2000), b"\r\n\r\n"].concat();
        assert_eq!(whole(&headers), Err(BodyError::PartHeaders));
        let endless = [
            &b"--XX\r\nContent-Disposition: form-data; name=\"csrfmiddlewaretoken\"\r\n\r\n"[..],
            &b"a".repeat(BODY_LIMIT),
        ]
        .concat();
        assert_eq!(Scanner::new(b"XX").scan(&endless, Ended::No), Err(BodyError::TooLong));
        let fields = "a=1&".repeat(1001);
        assert_eq!(urlencoded_token(fields.as_bytes()), Err(BodyError::TooManyFields));
    }

    #[test]
    fn boundaries_are_checked() {
        let form = |text: &str| Form::of(text.as_bytes());
        assert_eq!(form("multipart/form-data; boundary=XX"), Ok(Form::Multipart(b"XX".to_vec())));
        assert_eq!(
            form("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"X \\\"X\""),
            Ok(Form::Multipart(b"X \"X".to_vec()))
        );
        for bad in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"a \"",
        ] {
            assert_eq!(form(bad), Err(BodyError::Boundary), "{bad}");
        }
        assert_eq!(
            form(&format!("multipart/form-data; boundary={}", "x".repeat(10 * 1024))),
            Err(BodyError::Boundary)
        );
        assert_eq!(
            form("application/x-www-form-urlencoded; charset=latin-1"),
            Err(BodyError::Encoding)
        );
        assert_eq!(form("application/x-www-form-urlencoded; charset=UTF-8"), Ok(Form::Urlencoded));
        assert_eq!(form("application/json"), Ok(Form::Other));
        assert_eq!(form(&format!("x; a=\"{}", ";".repeat(1024 * 1024))), Ok(Form::Other));
    }

    #[test]
    fn the_last_urlencoded_token_counts() {
        assert_eq!(
            urlencoded_token(b"csrfmiddlewaretoken=a&x=1&csrfmiddlewaretoken=b%2b")
                .unwrap()
                .unwrap(),
            "b+"
        );
        assert_eq!(urlencoded_token(b"csrfmiddlewaretoken[]=a;csrfmiddlewaretoken=b"), Ok(None));
    }
}
