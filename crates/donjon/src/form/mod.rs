//! The fields of a submitted form.
//!
//! Stops: bodies and field counts without end, and handlers that each read a body in their own way.
//!
//! 1. A body has at most [`BODY_LIMIT`] bytes and [`FIELDS_LIMIT`] fields; more is 400, as in Django.
//! 2. A urlencoded body and the plain fields of a multipart body read alike. Files are not kept: a
//!    handler that wants them takes axum's `Multipart` and streams.
//! 3. Bytes that are no UTF-8 read U+FFFD, as in Django.
//! 4. Any other content type has no fields.
//!
//! Spec: Django's `request.POST`, URL (WHATWG) 5.1, RFC 7578.

mod extract;

pub use extract::{FormData, FormRejection};

pub use crate::csrf::{BODY_LIMIT, FIELDS_LIMIT};
