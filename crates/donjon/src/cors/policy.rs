//! Who may read, and with what.

use std::fmt;
use std::time::Duration;

use donjon_core::origin::split_url;
use http::{HeaderName, HeaderValue, Method};

/// How long a browser may keep the answer to a preflight: a day. Django: `CORS_PREFLIGHT_MAX_AGE`.
pub const MAX_AGE: Duration = Duration::from_secs(86_400);

/// Who may read, as a parsed value.
///
/// ```
/// use donjon::cors::CorsPolicy;
///
/// let policy = CorsPolicy::new(["https://app.example"])?.allow_credentials();
/// # let _ = policy;
/// # Ok::<(), donjon::cors::CorsOriginError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CorsPolicy {
    pub(super) origins: Vec<HeaderValue>,
    pub(super) credentials: Credentials,
    pub(super) methods: HeaderValue,
    pub(super) headers: HeaderValue,
    pub(super) expose: Option<HeaderValue>,
    pub(super) max_age: HeaderValue,
}

/// May a browser send cookies along, and let the other origin read the answer?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    Omitted,
    Allowed,
}

/// An allowed origin that can be none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsOriginError(String);

impl fmt::Display for CorsOriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not an origin that may read: expected \"https://host\" with a port where it is not the scheme's \
             own, and nothing behind it; \"null\" and \"*\" let every site read",
            self.0
        )
    }
}

impl std::error::Error for CorsOriginError {}

impl CorsPolicy {
    /// Lets these origins read. Django: `CORS_ALLOWED_ORIGINS`; methods, headers and age begin as
    /// django-cors-headers has them.
    ///
    /// # Errors
    /// [`CorsOriginError`] for what is not an origin as a browser writes it.
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Result<Self, CorsOriginError> {
        let origins = origins.into_iter().map(origin).collect::<Result<_, _>>()?;
        Ok(Self {
            origins,
            credentials: Credentials::Omitted,
            methods: HeaderValue::from_static("DELETE, GET, OPTIONS, PATCH, POST, PUT"),
            headers: HeaderValue::from_static(
                "accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with",
            ),
            expose: None,
            max_age: seconds(MAX_AGE),
        })
    }

    /// Lets browsers send cookies along. Django: `CORS_ALLOW_CREDENTIALS`.
    #[must_use]
    pub fn allow_credentials(mut self) -> Self {
        self.credentials = Credentials::Allowed;
        self
    }

    /// The methods that a front end may use. Django: `CORS_ALLOW_METHODS`.
    #[must_use]
    pub fn methods(mut self, methods: &[Method]) -> Self {
        self.methods = list(methods.iter().map(Method::as_str));
        self
    }

    /// The headers that a front end may send. Django: `CORS_ALLOW_HEADERS`.
    #[must_use]
    pub fn headers(mut self, headers: &[HeaderName]) -> Self {
        self.headers = list(headers.iter().map(HeaderName::as_str));
        self
    }

    /// The headers of an answer that a front end may read. Django: `CORS_EXPOSE_HEADERS`.
    #[must_use]
    pub fn expose(mut self, headers: &[HeaderName]) -> Self {
        self.expose = (!headers.is_empty()).then(|| list(headers.iter().map(HeaderName::as_str)));
        self
    }

    /// How long a browser may keep the answer to a preflight. Django: `CORS_PREFLIGHT_MAX_AGE`.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = seconds(age);
        self
    }
}

fn origin(text: &str) -> Result<HeaderValue, CorsOriginError> {
    let wrong = || CorsOriginError(text.to_owned());
    let url = split_url(text).map_err(|_| wrong())?;
    let whole = !url.scheme.is_empty() && !url.netloc.is_empty() && url.rest.is_empty();
    let plain = !url.netloc.contains(['@', '*']) && url.to_url() == text;
    match whole && plain {
        true => HeaderValue::try_from(text).map_err(|_| wrong()),
        false => Err(wrong()),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> HeaderValue {
    let text = names.collect::<Vec<_>>().join(", ");
    // Names of methods and headers are made of characters that a value can have.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn seconds(age: Duration) -> HeaderValue {
    HeaderValue::from(age.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_what_lets_every_site_read_is_an_error() {
        for bad in [
            "null",
            "*",
            "https://*.example.com",
            "example.com",
            "https://a.com/",
            "HTTPS://a.com",
            "https://u@a.com",
            "",
        ] {
            assert!(CorsPolicy::new([bad]).is_err(), "{bad}");
        }
        assert!(CorsPolicy::new(["https://a.com", "http://localhost:5173"]).is_ok());
    }
}
