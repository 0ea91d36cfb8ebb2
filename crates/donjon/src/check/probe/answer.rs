//! What came back, and the cookies in it.

use http::{HeaderMap, HeaderValue, StatusCode, header};

/// An answer, its body up to [`MAX_BODY`](super::MAX_BODY).
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    /// The header's value in lower case; empty if it is not there.
    pub(super) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_ascii_lowercase()
    }

    pub(super) fn is_html(&self) -> bool {
        self.header("content-type").starts_with("text/html")
    }

    pub(super) fn cookies(&self) -> impl Iterator<Item = Cookie> {
        self.headers.get_all(header::SET_COOKIE).iter().map(Cookie::of)
    }
}

/// A `Set-Cookie`, as far as its flags go.
pub(super) struct Cookie {
    pub(super) name: String,
    /// The bytes of name and value.
    pub(super) length: usize,
    /// Attribute and value, in lower case.
    attributes: Vec<(String, String)>,
}

impl Cookie {
    fn of(header: &HeaderValue) -> Self {
        let text = String::from_utf8_lossy(header.as_bytes());
        let mut parts = text.split(';');
        let pair = parts.next().unwrap_or_default();
        let attributes = parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name.trim().to_ascii_lowercase(), value.trim().to_ascii_lowercase())
        });
        Self {
            name: pair.split('=').next().unwrap_or_default().trim().to_owned(),
            length: pair.len(),
            attributes: attributes.collect(),
        }
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_secure(&self) -> bool {
        self.attribute("secure").is_some()
    }

    /// Is it taken back rather than set?
    pub(super) fn is_deleted(&self) -> bool {
        self.attribute("max-age") == Some("0")
    }

    pub(super) fn same_site(&self) -> &str {
        self.attribute("samesite").unwrap_or_default()
    }
}
