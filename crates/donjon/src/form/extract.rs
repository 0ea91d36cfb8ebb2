//! The extractor.

use axum::body::Bytes;
use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request};
use axum::response::{IntoResponse, Response};
use donjon_core::event::Event;
use http::{StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{BODY_LIMIT, FIELDS_LIMIT};
use crate::rejection::refuse;

/// The fields of a submitted form, in their order; a name may occur more than once. Django:
/// `request.POST`.
#[derive(Clone, Debug, Default)]
pub struct FormData(Vec<(String, String)>);

impl FormData {
    /// The value of this field; of several, the last, as in Django.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).last()
    }

    /// All values of this field. Django: `getlist`.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A body that is no form, or too much of one: the client's mistake, status 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormRejection {
    /// It has more than [`BODY_LIMIT`] bytes.
    TooLong,
    /// It has more than [`FIELDS_LIMIT`] fields.
    TooManyFields,
    /// It ended too soon, or is not what its content type says.
    Malformed,
}

impl FormRejection {
    fn message(self) -> &'static str {
        match self {
            Self::TooLong => "The form has too many bytes.\n",
            Self::TooManyFields => "The form has too many fields.\n",
            Self::Malformed => "The form could not be read.\n",
        }
    }
}

impl IntoResponse for FormRejection {
    fn into_response(self) -> Response {
        refuse(StatusCode::BAD_REQUEST, self.message())
    }
}

impl<S: Send + Sync> FromRequest<S> for FormData {
    type Rejection = FormRejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, FormRejection> {
        let path = request.uri().path().to_owned();
        let read = match kind(&request) {
            Kind::Urlencoded => urlencoded(request).await,
            Kind::Multipart => multipart(request, state).await,
            Kind::Other => Ok(Self::default()),
        };
        read.inspect_err(|error| {
            Event::FormRefused { problem: &error.message().trim_end(), path: &path }.emit()
        })
    }
}

enum Kind {
    Urlencoded,
    Multipart,
    Other,
}

fn kind(request: &Request) -> Kind {
    let full = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    let kind = full.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    if kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        Kind::Urlencoded
    } else if kind.eq_ignore_ascii_case(b"multipart/form-data") {
        Kind::Multipart
    } else {
        Kind::Other
    }
}

async fn urlencoded(request: Request) -> Result<FormData, FormRejection> {
    let body = Limited::new(request.into_body(), BODY_LIMIT).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            FormRejection::TooLong
        } else {
            FormRejection::Malformed
        }
    })?;
    let body: Bytes = body.to_bytes();
    let mut fields = form_urlencoded::parse(&body);
    let kept = fields
        .by_ref()
        .take(FIELDS_LIMIT)
        .map(|(name, value)| (name.into_owned(), value.into_owned()));
    let kept = kept.collect();
    match fields.next() {
        None => Ok(FormData(kept)),
        Some(_) => Err(FormRejection::TooManyFields),
    }
}

async fn multipart<S: Send + Sync>(request: Request, state: &S) -> Result<FormData, FormRejection> {
    let mut parts =
        Multipart::from_request(request, state).await.map_err(|_| FormRejection::Malformed)?;
    let (mut fields, mut seen, mut left) = (Vec::new(), 0, BODY_LIMIT);
    while let Some(part) = parts.next_field().await.map_err(|error| reading(&error))? {
        seen += 1;
        if seen > FIELDS_LIMIT {
            return Err(FormRejection::TooManyFields);
        }
        let Some(name) = part.name().filter(|_| part.file_name().is_none()).map(str::to_owned)
        else {
            continue;
        };
        let value = part.bytes().await.map_err(|error| reading(&error))?;
        left = left.checked_sub(name.len() + value.len()).ok_or(FormRejection::TooLong)?;
        fields.push((name, String::from_utf8_lossy(&value).into_owned()));
    }
    Ok(FormData(fields))
}

fn reading(error: &MultipartError) -> FormRejection {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => FormRejection::TooLong,
        _ => FormRejection::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn read(kind: &str, body: impl Into<Body>) -> Result<FormData, FormRejection> {
        let request =
            Request::post("/").header(header::CONTENT_TYPE, kind).body(body.into()).unwrap();
        FormData::from_request(request, &()).await
    }

    const URLENCODED: &str = "application/x-www-form-urlencoded; charset=utf-8";

    #[tokio::test]
    async fn rule_2_both_kinds_read_alike() {
        let multipart = "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X\r\n\
            Content-Disposition: form-data; name=\"f\"; filename=\"f.txt\"\r\n\r\nfile\r\n--X\r\n\
            Content-Disposition: form-data; name=\"a\"\r\n\r\n2 +\r\n--X--\r\n";
        for form in [
            read(URLENCODED, "a=1&a=2+%2B").await.unwrap(),
            read("multipart/form-data; boundary=X", multipart).await.unwrap(),
        ] {
            assert_eq!(form.value("a"), Some("2 +"));
            assert_eq!(form.values("a").collect::<Vec<_>>(), ["1", "2 +"]);
            assert_eq!((form.value("f"), form.iter().count()), (None, 2));
        }
    }

    #[tokio::test]
    async fn rule_1_limits_hold() {
        let long = "a".repeat(BODY_LIMIT + 1);
        assert_eq!(read(URLENCODED, long).await.unwrap_err(), FormRejection::TooLong);
        let many = "a=1&".repeat(FIELDS_LIMIT + 1);
        assert_eq!(read(URLENCODED, many).await.unwrap_err(), FormRejection::TooManyFields);
        let cut = "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1";
        assert_eq!(
            read("multipart/form-data; boundary=X", cut).await.unwrap_err(),
            FormRejection::Malformed
        );
        assert_eq!(read("multipart/form-data", "").await.unwrap_err(), FormRejection::Malformed);
    }

    #[tokio::test]
    async fn rules_3_and_4() {
        assert_eq!(read(URLENCODED, "a=%ff").await.unwrap().value("a"), Some("\u{fffd}"));
        assert_eq!(read("application/json", "{}").await.unwrap().iter().count(), 0);
    }
}
