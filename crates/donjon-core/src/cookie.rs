//! Reading `Cookie` and writing `Set-Cookie` as Django does.
//!
//! Stops: cookies smuggled past a parser (RFC 6265 prefixes hidden behind Unicode spaces, quoted
//! values that swallow their neighbours), one bad cookie that takes all the others down, and cookie
//! settings that a browser would refuse.
//!
//! 1. `Cookie` is parted at every `;`, whatever is quoted; each part at its first `=`. A part
//!    without `=` has the empty name.
//! 2. Only space and tab are trimmed from a name. Django and cookie-rs trim Unicode's white space
//!    too, so that `U+2000 __Host-id` passes for `__Host-id`; here it is another cookie.
//! 3. Of two cookies of one name the last counts, as in Django; [`Cookies::count`] tells.
//! 4. A quoted value is unquoted by Python's rules (`\"`, `\054`).
//! 5. At most [`MAX_COOKIE_BYTES`] of a request's cookies are looked at.
//! 6. `Set-Cookie` has Python's quoting and Django's order: `Domain`, `expires`, `HttpOnly`,
//!    `Max-Age`, `Path`, `SameSite`, `Secure`.
//! 7. A name that begins `__Host-` or `__Secure-` must have the attributes that browsers demand for
//!    it: see [`CookieSettings::check`].
//!
//! Spec: Django's `django/http/cookie.py`, Python's `http.cookies`, RFC 6265bis.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

use crate::clock::{HttpDate, UnixTime};

/// How many bytes of a request's `Cookie` headers are looked at.
pub const MAX_COOKIE_BYTES: usize = 64 * 1024;

/// The cookies of a request, parted when they are asked for.
#[derive(Clone, Copy)]
pub struct Cookies<'a>(&'a HeaderMap);

impl<'a> Cookies<'a> {
    /// The cookies of these headers.
    #[must_use]
    pub fn of(headers: &'a HeaderMap) -> Self {
        Self(headers)
    }

    /// All cookies, name and raw value as they came.
    pub fn pairs(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut left = MAX_COOKIE_BYTES;
        self.0
            .get_all(header::COOKIE)
            .iter()
            .map(HeaderValue::as_bytes)
            .take_while(move |bytes| {
                let fits = bytes.len() <= left;
                left = left.saturating_sub(bytes.len());
                fits
            })
            .flat_map(parts)
            .filter_map(pair)
    }

    /// The value of the cookie `name`; of several, of the last. Bytes that are no UTF-8 read U+FFFD.
    #[must_use]
    pub fn value(self, name: &str) -> Option<Cow<'a, str>> {
        let (_, value) = self.pairs().filter(|(key, _)| *key == name.as_bytes()).last()?;
        Some(match unquote(value) {
            Cow::Borrowed(plain) => String::from_utf8_lossy(plain),
            Cow::Owned(unquoted) => Cow::Owned(String::from_utf8_lossy(&unquoted).into_owned()),
        })
    }

    /// How many cookies have this name.
    #[must_use]
    pub fn count(self, name: &str) -> usize {
        self.pairs().filter(|(key, _)| *key == name.as_bytes()).count()
    }
}

/// What stands between the semicolons.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr::memchr_iter(b';', bytes).chain([bytes.len()]);
    ends.scan(0, |start, end| Some(&bytes[std::mem::replace(start, end + 1)..end]))
}

fn pair(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = match memchr::memchr(b'=', part) {
        Some(at) => (&part[..at], &part[at + 1..]),
        None => (&part[..0], part),
    };
    let (name, value) = (trim(name), trim(value));
    (!name.is_empty() || !value.is_empty()).then_some((name, value))
}

fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// Python's `http.cookies._unquote`: `\ooo` is the byte of that octal number, `\x` is x.
fn unquote(value: &[u8]) -> Cow<'_, [u8]> {
    let [b'"', quoted @ .., b'"'] = value else { return Cow::Borrowed(value) };
    if memchr::memchr(b'\\', quoted).is_none() {
        return Cow::Borrowed(quoted);
    }
    let mut plain = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let Some((&byte, after)) = rest.split_first() {
        (rest, _) = match (byte, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                (after, plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')))
            }
            (b'\\', [escaped, after @ ..]) => (after, plain.push(*escaped)),
            _ => (after, plain.push(byte)),
        };
    }
    Cow::Owned(plain)
}

/// `SameSite`, as Django's settings write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Never sent from another site.
    Strict,
    /// Sent from another site for top-level navigation with a safe method.
    Lax,
    /// Sent from everywhere; browsers demand `Secure`.
    None,
    /// The attribute is left out. Django: `False`.
    Unset,
}

/// A cookie's name and attributes. Django: the settings `*_COOKIE_NAME`, `_AGE`, `_DOMAIN`, `_PATH`,
/// `_SECURE`, `_HTTPONLY` and `_SAMESITE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieSettings {
    /// The name.
    pub name: String,
    /// How long the browser keeps it; `None` until it is closed.
    pub age: Option<Duration>,
    /// The domain whose hosts all get it; `None` for this host only.
    pub domain: Option<String>,
    /// The path below which it is sent.
    pub path: String,
    /// Only over HTTPS.
    pub secure: Transport,
    /// May scripts read it?
    pub scripts: Scripts,
    /// Is it sent from other sites?
    pub same_site: SameSite,
}

/// Over which connections a cookie travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTPS only: the attribute `Secure`.
    HttpsOnly,
    /// HTTPS only where the request that gets the cookie came over HTTPS; over any connection
    /// otherwise, as a site on `http://localhost` needs.
    AsTheRequest,
    /// Any connection, as Django's defaults have it.
    Any,
}

/// May scripts read a cookie?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripts {
    /// Yes.
    MayRead,
    /// No: the attribute `HttpOnly`.
    MayNotRead,
}

/// A cookie setting that browsers refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is empty or has characters that a name can't have.
    Name(String),
    /// Domain or path have characters that an attribute can't have.
    Attribute(String),
    /// `__Host-` demands `Secure`, `Path=/` and no `Domain`; `__Secure-` demands `Secure`.
    Prefix(String),
    /// `SameSite=None` demands `Secure`.
    SameSiteNone(String),
}

impl std::fmt::Display for CookieError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "{name:?} is not a cookie name: expected letters, digits and !#$%&'*+-.^_`|~"
            ),
            Self::Attribute(text) => write!(
                f,
                "{text:?} is not a cookie attribute: it has a control character, a comma or a semicolon"
            ),
            Self::Prefix(name) => write!(
                f,
                "browsers refuse the cookie {name:?}: __Host- demands Secure, Path=/ and no Domain, __Secure- demands Secure"
            ),
            Self::SameSiteNone(name) => {
                write!(f, "browsers refuse the cookie {name:?}: SameSite=None demands Secure")
            }
        }
    }
}

impl std::error::Error for CookieError {}

impl CookieSettings {
    /// A cookie of this name for the whole host, kept for `age`, hidden from scripts, `SameSite=Lax`,
    /// and over HTTPS only where the request came that way.
    pub fn new(name: impl Into<String>, age: Option<Duration>) -> Self {
        Self {
            name: name.into(),
            age,
            domain: None,
            path: "/".to_owned(),
            secure: Transport::AsTheRequest,
            scripts: Scripts::MayNotRead,
            same_site: SameSite::Lax,
        }
    }

    /// The age in seconds, for [`CookieSettings::set`].
    #[must_use]
    pub fn age_seconds(&self) -> Option<i64> {
        self.age.map(|age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
    }

    /// Would a browser take this cookie?
    ///
    /// # Errors
    /// The first rule that it breaks. `SameSite=None` without `Secure` passes for a cookie whose
    /// transport is [`Transport::Any`], since Django allows it.
    pub fn check(&self) -> Result<(), CookieError> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if self.name.is_empty() || !self.name.bytes().all(token) {
            return Err(CookieError::Name(self.name.clone()));
        }
        for text in [Some(&self.path), self.domain.as_ref()].into_iter().flatten() {
            if !text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b';' && byte != b',')
            {
                return Err(CookieError::Attribute(text.clone()));
            }
        }
        let secure = self.secure == Transport::HttpsOnly;
        let whole_host = secure && self.path == "/" && self.domain.is_none();
        let refused = (begins(&self.name, "__Host-") && !whole_host)
            || (begins(&self.name, "__Secure-") && !secure);
        if refused {
            return Err(CookieError::Prefix(self.name.clone()));
        }
        if self.same_site == SameSite::None && self.secure == Transport::AsTheRequest {
            return Err(CookieError::SameSiteNone(self.name.clone()));
        }
        Ok(())
    }

    /// The header that sets the cookie to `value`, for a request that came over HTTPS or not.
    ///
    /// The browser keeps it for `age` seconds, or until it is closed. Returns `None` only if name or
    /// attributes cannot stand in a header, which [`CookieSettings::check`] rules out.
    #[must_use]
    pub fn set(
        &self,
        value: &str,
        age: Option<i64>,
        now: UnixTime,
        https: Https,
    ) -> Option<HeaderValue> {
        let mut text = String::with_capacity(self.name.len() + value.len() + 128);
        text.push_str(&self.name);
        text.push('=');
        quote_into(value, &mut text);
        self.attributes(&mut text, age.map(|age| (age, now.plus_seconds(age))), https);
        HeaderValue::try_from(text).ok()
    }

    /// The header that deletes the cookie. Django: `delete_cookie`.
    #[must_use]
    pub fn delete(&self) -> Option<HeaderValue> {
        let prefixed = begins(&self.name, "__Host-") || begins(&self.name, "__Secure-");
        let secure = prefixed || self.same_site == SameSite::None;
        let gone = Self { scripts: Scripts::MayRead, secure: Transport::Any, ..self.clone() };
        let mut text = format!("{}=\"\"", self.name);
        let https = if secure { Https::Demanded } else { Https::No };
        gone.attributes(&mut text, Some((0, UnixTime::from_seconds(0))), https);
        HeaderValue::try_from(text).ok()
    }

    fn attributes(&self, text: &mut String, age: Option<(i64, UnixTime)>, https: Https) {
        if let Some(domain) = self.domain.as_ref().filter(|domain| !domain.is_empty()) {
            text.push_str("; Domain=");
            text.push_str(domain);
        }
        if let Some((_, expires)) = age {
            text.push_str("; expires=");
            HttpDate(expires).write_to(text);
        }
        if self.scripts == Scripts::MayNotRead {
            text.push_str("; HttpOnly");
        }
        if let Some((seconds, _)) = age {
            // Writing to a String cannot fail.
            let _ = write!(text, "; Max-Age={seconds}");
        }
        text.push_str("; Path=");
        text.push_str(&self.path);
        text.push_str(match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
            SameSite::Unset => "",
        });
        if self.is_secure(https) {
            text.push_str("; Secure");
        }
    }

    fn is_secure(&self, https: Https) -> bool {
        match self.secure {
            Transport::HttpsOnly => true,
            Transport::AsTheRequest => https != Https::No,
            Transport::Any => https == Https::Demanded,
        }
    }
}

/// Did the request that gets a cookie come over HTTPS?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Https {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Whatever it did, the cookie must be `Secure`.
    Demanded,
}

fn begins(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Python's `http.cookies._quote`: what is no legal character is quoted, with `"`, `\`, and octal
/// numbers for what can't stand in a cookie. Beyond Latin-1 it is UTF-8, which Python refuses.
fn quote_into(value: &str, text: &mut String) {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:".contains(&byte);
    if value.bytes().all(legal) {
        return text.push_str(value);
    }
    text.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            ',' | ';' | '\0'..='\x1f' | '\x7f'..='\u{ff}' => {
                let _ = write!(text, "\\{:03o}", u32::from(character));
            }
            ' '..='~' => text.push(character),
            _ => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(text, "\\{byte:03o}");
                }
            }
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_bytes(cookie).unwrap())])
    }

    fn value(cookie: &[u8], name: &str) -> Option<String> {
        Cookies::of(&headers(cookie)).value(name).map(Cow::into_owned)
    }

    #[test]
    fn rule_1_only_a_semicolon_parts_cookies() {
        assert_eq!(value(b"u=x]csrftoken=EVIL", "csrftoken"), None);
        assert_eq!(value(b"u=x]csrftoken=EVIL", "u").unwrap(), "x]csrftoken=EVIL");
        assert_eq!(value(b"$Version=1; a=\"x; csrf=b\"", "csrf").unwrap(), "b\"");
        assert_eq!(value(b"=sessionid=x; sessionid; ;;", "sessionid"), None);
        assert_eq!(value(b"a = b ; c", "a").unwrap(), "b");
    }

    #[test]
    fn rule_2_unicode_spaces_are_part_of_a_name() {
        for space in ["\u{2000}", "\u{85}", "\u{a0}", "\u{b}"] {
            let cookie = format!("{space}__Host-sessionid=evil; ok=1");
            let Ok(_) = HeaderValue::from_bytes(cookie.as_bytes()) else { continue };
            assert_eq!(value(cookie.as_bytes(), "__Host-sessionid"), None, "{space:?}");
            assert_eq!(value(cookie.as_bytes(), "ok").unwrap(), "1", "the others are still read");
        }
        assert_eq!(value(b"__HOST-a=1; __host-a=2", "__Host-a"), None);
    }

    #[test]
    fn rule_3_the_last_of_one_name_counts() {
        let headers = headers(b"a=1; b=2; a=3");
        assert_eq!(Cookies::of(&headers).value("a").unwrap(), "3");
        assert_eq!(Cookies::of(&headers).count("a"), 2);
    }

    #[test]
    fn rule_4_values_are_unquoted_as_python_does() {
        assert_eq!(value(br#"x="a \"q\"\073\054 b""#, "x").unwrap(), "a \"q\";, b");
        assert_eq!(value(br#"x="\303\251""#, "x").unwrap(), "é");
        assert_eq!(value(b"x=\"\"", "x").unwrap(), "");
        assert_eq!(value(b"x=\"", "x").unwrap(), "\"");
        assert_eq!(value(br#"x="\""#, "x").unwrap(), "\\");
    }

    #[test]
    fn rule_5_too_many_cookies_are_left_unread() {
        let mut many = HeaderMap::new();
        for index in 0..100 {
            many.append(
                header::COOKIE,
                HeaderValue::try_from(format!("c{index}={}", "x".repeat(4096))).unwrap(),
            );
        }
        assert!(Cookies::of(&many).pairs().count() < 16);
        assert_eq!(Cookies::of(&many).value("c99"), None);
    }

    #[test]
    fn rule_6_cookies_read_as_djangos_on_the_wire() {
        let mut cookie = CookieSettings::new("sessionid", Some(Duration::from_secs(1_209_600)));
        let now = UnixTime::from_seconds(1_700_000_000);
        assert_eq!(
            cookie.set("abc", cookie.age_seconds(), now, Https::No).unwrap(),
            "sessionid=abc; expires=Tue, 28 Nov 2023 22:13:20 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax"
        );
        assert_eq!(
            cookie.delete().unwrap(),
            "sessionid=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax"
        );
        cookie.scripts = Scripts::MayRead;
        cookie.same_site = SameSite::Unset;
        cookie.name = "x".to_owned();
        assert_eq!(
            cookie.set("a \"q\";, b", None, now, Https::No).unwrap(),
            r#"x="a \"q\"\073\054 b"; Path=/"#
        );
        assert_eq!(cookie.set("é\n", None, now, Https::No).unwrap(), r#"x="\351\012"; Path=/"#);
    }

    #[test]
    fn rule_7_settings_that_browsers_refuse_are_errors() {
        let cookie = |name: &str| CookieSettings::new(name, None);
        assert_eq!(cookie("a b").check(), Err(CookieError::Name("a b".to_owned())));
        assert!(matches!(cookie("__Host-a").check(), Err(CookieError::Prefix(_))));
        let secure = CookieSettings { secure: Transport::HttpsOnly, ..cookie("__Host-a") };
        assert_eq!(secure.check(), Ok(()));
        let below = CookieSettings { path: "/app".to_owned(), ..secure.clone() };
        assert!(matches!(below.check(), Err(CookieError::Prefix(_))));
        let split = CookieSettings { path: "/\r\nX: y".to_owned(), ..secure };
        assert!(matches!(split.check(), Err(CookieError::Attribute(_))));
    }
}
