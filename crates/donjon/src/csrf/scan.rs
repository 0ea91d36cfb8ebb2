//! Finding the token in a body, at bounded cost and without taking the body away from the handler.
//!
//! A urlencoded body is read whole, a multipart body only up to the part that holds the token. What
//! was read goes on to the handler, the rest streams behind it.

use std::borrow::Cow;

use memchr::memmem;

use super::policy::{BODY_LIMIT, FIELD, FIELDS_LIMIT};
use super::token::TOKEN_LENGTH;

/// The longest boundary of a multipart body. Django: 201.
pub const BOUNDARY_LIMIT: usize = 201;

/// How many bytes the headers of one part may have, their blank line included. Django:
/// `MAX_TOTAL_HEADER_SIZE`.
pub const PART_HEADERS_LIMIT: usize = 1024;

/// How many bytes of the token's field are looked at. More can't be a token, whatever they are: even
/// in characters of four bytes they are too many.
pub const TOKEN_LIMIT: usize = 4 * TOKEN_LENGTH;

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
    Ok(urlencoded_tokens(body)?.last())
}

/// All fields of a urlencoded body that are called like the token.
pub(super) fn urlencoded_tokens(
    body: &[u8],
) -> Result<impl Iterator<Item = Cow<'_, str>>, BodyError> {
    if memchr::memchr_iter(b'&', body).take(FIELDS_LIMIT).count() >= FIELDS_LIMIT {
        return Err(BodyError::TooManyFields);
    }
    // The other fields, which may be megabytes, are not decoded.
    let may_be_token = |field: &&[u8]| {
        let name = memchr::memchr(b'=', field).unwrap_or(field.len());
        (FIELD.len()..=3 * FIELD.len()).contains(&name)
    };
    Ok(body
        .split(|&byte| byte == b'&')
        .filter(may_be_token)
        .filter_map(|field| form_urlencoded::parse(field).next())
        .filter(|(name, _)| name == FIELD)
        .map(|(_, value)| value))
}

/// What a multipart body shows of the token so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// Not enough yet: give more.
    More,
    /// This is the token: the last field of its name before the first file or the end, as in Django,
    /// which would read on behind the file.
    Found(String),
    /// The body is over, or past its last boundary, and has no token.
    Absent,
}

/// Looks through a multipart body as it comes.
///
/// Its cost is linear in the bytes, however small the pieces are in which they come: what was
/// searched is not searched again.
#[derive(Debug)]
pub struct Scanner {
    /// A line break, two hyphens and the boundary.
    delimiter: Vec<u8>,
    /// Where the state began.
    at: usize,
    /// How far the body was there at the last look.
    seen: usize,
    state: State,
    parts: usize,
    /// The token, as far as was seen.
    token: Option<String>,
    /// How many fields were called like it.
    tokens: usize,
    #[cfg(test)]
    searched: usize,
}

#[derive(Debug)]
enum State {
    /// Before the first boundary, or in a part that is not the token's.
    Skipping,
    /// Just behind a boundary.
    Boundary,
    /// In the headers of a part, which begin here.
    Headers,
    /// In the token's part, which begins with the line break that ended its headers.
    Token,
}

impl Scanner {
    /// A scanner for a body with this boundary.
    #[must_use]
    pub fn new(boundary: &[u8]) -> Self {
        Self {
            delimiter: [b"\r\n--", boundary].concat(),
            at: 0,
            seen: 0,
            state: State::Skipping,
            parts: 0,
            token: None,
            tokens: 0,
            #[cfg(test)]
            searched: 0,
        }
    }

    /// Looks at the body from where it left off. `body` is all that came so far; `ended` if no more
    /// will come.
    ///
    /// # Errors
    /// [`BodyError`] for more parts, bytes or headers than are allowed.
    pub fn scan(&mut self, body: &[u8], ended: Ended) -> Result<Scan, BodyError> {
        // A verdict must not depend on the pieces in which the body happened to come.
        let within = &body[..body.len().min(BODY_LIMIT)];
        let too_long = within.len() < body.len();
        let ended = if too_long { Ended::No } else { ended };
        while let Some(step) = self.step(within, ended)? {
            match step {
                Step::On => {}
                Step::Done => return Ok(self.verdict()),
            }
        }
        self.seen = within.len();
        match ended {
            Ended::Yes => Ok(self.verdict()),
            Ended::No if too_long && self.token.is_some() => Ok(self.verdict()),
            Ended::No if too_long => Err(BodyError::TooLong),
            Ended::No => Ok(Scan::More),
        }
    }

    fn verdict(&mut self) -> Scan {
        self.token.take().map_or(Scan::Absent, Scan::Found)
    }

    /// Were there two fields of the token's name?
    #[must_use]
    pub fn is_doubled(&self) -> bool {
        self.tokens > 1
    }

    /// One step on; `None` if it needs more bytes.
    fn step(&mut self, body: &[u8], ended: Ended) -> Result<Option<Step>, BodyError> {
        match self.state {
            State::Skipping => Ok(self.skip(body)),
            State::Boundary => Ok(self.boundary(body.get(self.at..).unwrap_or_default())),
            State::Headers => self.headers(body),
            State::Token => Ok(self.token(body, ended)),
        }
    }

    /// Where to search for something of this length: not where it was searched for before.
    fn from(&self, length: usize) -> usize {
        self.at.max((self.seen + 1).saturating_sub(length))
    }

    fn find(&mut self, body: &[u8], pattern: Pattern) -> Option<usize> {
        let needle = match pattern {
            Pattern::Boundary => &self.delimiter[2..],
            Pattern::Delimiter => &self.delimiter,
            Pattern::BlankLine => b"\r\n\r\n",
        };
        let from = self.from(needle.len());
        let searched = body.get(from..)?;
        #[cfg(test)]
        {
            self.searched += searched.len();
        }
        memmem::find(searched, needle).map(|found| from + found)
    }

    fn skip(&mut self, body: &[u8]) -> Option<Step> {
        let found = self.find(body, Pattern::Boundary)?;
        self.at = found + self.delimiter.len() - 2;
        self.state = State::Boundary;
        Some(Step::On)
    }

    fn boundary(&mut self, rest: &[u8]) -> Option<Step> {
        match rest {
            [b'-', b'-', ..] => return Some(Step::Done),
            [b'-'] | [b'\r'] | [] => return None,
            [b'\r', b'\n', ..] => {
                self.at += 2;
                self.state = State::Headers;
            }
            _ => self.state = State::Skipping,
        }
        Some(Step::On)
    }

    fn headers(&mut self, body: &[u8]) -> Result<Option<Step>, BodyError> {
        let limit = self.at + PART_HEADERS_LIMIT;
        let Some(end) = self.find(&body[..body.len().min(limit)], Pattern::BlankLine) else {
            return if body.len() < limit { Ok(None) } else { Err(BodyError::PartHeaders) };
        };
        self.parts += 1;
        if self.parts > FIELDS_LIMIT {
            return Err(BodyError::TooManyFields);
        }
        let part = Part::of(&body[self.at..end]);
        if part == Part::File && self.token.is_some() {
            return Ok(Some(Step::Done));
        }
        let token = part == Part::Token;
        // The delimiter's line break may be the one that ended the headers: an empty part.
        self.at = end + if token { 2 } else { 4 };
        self.state = if token { State::Token } else { State::Skipping };
        Ok(Some(Step::On))
    }

    fn token(&mut self, body: &[u8], ended: Ended) -> Option<Step> {
        let limit = self.at + 2 + TOKEN_LIMIT + 1 + self.delimiter.len();
        let body = &body[..body.len().min(limit)];
        let delimiter = self.find(body, Pattern::Delimiter);
        let cut = (ended == Ended::Yes || body.len() == limit).then_some(body.len());
        let end = delimiter.or(cut)?;
        let value = body[self.at..end].strip_prefix(b"\r\n").unwrap_or_default();
        self.token = Some(String::from_utf8_lossy(value).into_owned());
        self.tokens += 1;
        if delimiter.is_none() {
            return Some(Step::Done);
        }
        self.at = end + self.delimiter.len();
        self.state = State::Boundary;
        Some(Step::On)
    }
}

#[derive(Clone, Copy)]
enum Pattern {
    /// `--boundary`, which the body may begin with.
    Boundary,
    /// The same after a line break, which ends a part.
    Delimiter,
    /// What ends a part's headers.
    BlankLine,
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
    Done,
}

/// What a part's headers make it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The token's field.
    Token,
    /// A file, even one that is called like the token.
    File,
    /// Another field.
    Field,
}

impl Part {
    fn of(headers: &[u8]) -> Self {
        let disposition = headers.split(|&byte| byte == b'\n').find_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let name = line[..colon].trim_ascii();
            name.eq_ignore_ascii_case(b"content-disposition")
                .then(|| line[colon + 1..].trim_ascii())
        });
        let Some(value) = disposition else { return Self::Field };
        if parameter(value, b"filename").is_some_and(|file| !file.is_empty()) {
            return Self::File;
        }
        match parameter(value, b"name").is_some_and(|name| name == FIELD.as_bytes()) {
            true => Self::Token,
            false => Self::Field,
        }
    }
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
    fn a_file_is_not_needed() {
        let end = memmem::find(BODY, b"\r\n\r\nfile").unwrap() + 4;
        assert_eq!(
            Scanner::new(b"XX").scan(&BODY[..end], Ended::No),
            Ok(Scan::Found("token".to_owned()))
        );
        assert_eq!(Scanner::new(b"XX").scan(&BODY[..end - 1], Ended::No), Ok(Scan::More));
    }

    #[test]
    fn the_last_token_before_a_file_counts_in_whatever_pieces_it_comes() {
        let token = |value: &str| {
            format!(
                "--XX\r\nContent-Disposition: form-data; name=csrfmiddlewaretoken\r\n\r\n{value}\r\n"
            )
        };
        let file = "--XX\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\nx\r\n";
        let two = [&token("one"), &*token("two")].concat();
        for (body, last, doubled) in [
            (format!("{two}--XX--"), "two", true),
            (format!("{file}{two}{file}{}--XX--", token("three")), "two", true),
            (format!("{}{file}{}--XX--", token("one"), token("two")), "one", false),
        ] {
            let found = Ok(Scan::Found(last.to_owned()));
            let mut scanner = Scanner::new(b"XX");
            let scan = scanner.scan(body.as_bytes(), Ended::Yes);
            assert_eq!((scan, scanner.is_doubled()), (found.clone(), doubled), "{body}");
            let mut scanner = Scanner::new(b"XX");
            let ends = (1..=body.len()).map(|end| (end, Ended::No));
            let scan = ends
                .chain([(body.len(), Ended::Yes)])
                .map(|(end, ended)| scanner.scan(&body.as_bytes()[..end], ended))
                .find(|scan| *scan != Ok(Scan::More));
            assert_eq!(scan, Some(found), "{body}");
        }
    }

    #[test]
    fn fields_behind_the_token_may_be_longer_than_is_read() {
        let body = [
            b"--XX\r\nContent-Disposition: form-data; name=csrfmiddlewaretoken\r\n\r\nt\r\n--XX\r\n\r\n\r\n",
            &*b"a".repeat(BODY_LIMIT),
        ]
        .concat();
        let mut scanner = Scanner::new(b"XX");
        assert_eq!(scanner.scan(&body[..BODY_LIMIT], Ended::No), Ok(Scan::More));
        assert_eq!(scanner.scan(&body, Ended::No), Ok(Scan::Found("t".to_owned())));
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
        let Ok(Scan::Found(token)) = Scanner::new(b"XX").scan(&endless, Ended::No) else {
            panic!()
        };
        assert!((TOKEN_LIMIT + 1..TOKEN_LIMIT + 16).contains(&token.len()));
        let skipped = [b"--XX\r\n\r\n\r\n", &*b"a".repeat(BODY_LIMIT)].concat();
        assert_eq!(Scanner::new(b"XX").scan(&skipped, Ended::No), Err(BodyError::TooLong));
        let fields = "a=1&".repeat(1001);
        assert_eq!(urlencoded_token(fields.as_bytes()), Err(BodyError::TooManyFields));
    }

    #[test]
    fn the_last_byte_of_headers_counts_in_whatever_pieces_it_comes() {
        let body = |length: usize| {
            [b"--XX\r\n", &*b"y".repeat(length - 4), b"\r\n\r\n\r\n--XX--"].concat()
        };
        let piecewise = |body: &[u8]| {
            let mut scanner = Scanner::new(b"XX");
            let scans = (1..=body.len()).map(|end| scanner.scan(&body[..end], Ended::No));
            scans.into_iter().find(|scan| *scan != Ok(Scan::More)).unwrap()
        };
        for (length, verdict) in [
            (PART_HEADERS_LIMIT, Ok(Scan::Absent)),
            (PART_HEADERS_LIMIT + 1, Err(BodyError::PartHeaders)),
        ] {
            assert_eq!(whole(&body(length)), verdict, "{length}");
            assert_eq!(piecewise(&body(length)), verdict, "{length}");
        }
    }

    /// How many bytes are searched if the body comes byte by byte.
    fn searched(body: &[u8]) -> usize {
        let mut scanner = Scanner::new(b"XX");
        for end in 1..=body.len() {
            if scanner.scan(&body[..end], Ended::No) != Ok(Scan::More) {
                break;
            }
        }
        scanner.searched
    }

    #[test]
    fn no_byte_is_searched_more_often_than_a_delimiter_is_long() {
        let part = |filling: &[u8]| [b"--XX\r\nX: ", filling, b"\r\n\r\n", filling].concat();
        for body in [
            part(&b"x".repeat(900)).repeat(100),
            part(b"").repeat(900),
            b"-".repeat(50_000),
            b"--XX\r".repeat(20_000),
            b"--X".repeat(20_000),
            b"\r\n--X".repeat(20_000),
        ] {
            assert!(searched(&body) <= 6 * body.len(), "{} of {}", searched(&body), body.len());
        }
    }

    #[test]
    fn a_part_with_an_empty_file_name_is_a_field() {
        let body = b"--XX\r\nContent-Disposition: form-data; name=csrfmiddlewaretoken; filename=\"\"\r\n\r\nt\r\n--XX--";
        assert_eq!(whole(body), Ok(Scan::Found("t".to_owned())));
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
