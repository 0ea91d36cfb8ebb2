//! Messages: one-time notices that a visitor sees on the next page, whichever that is. Django:
//! `django.contrib.messages`.
//!
//! Stops: notices that somebody else wrote (a forged or tampered cookie), notices that run as script,
//! notices shown twice or to the next visitor of a shared cache, and cookies that grow until the server
//! refuses every request.
//!
//! 1. Messages travel in a signed cookie of at most [`MAX_COOKIE`] bytes; what does not fit goes into
//!    the session. The format of both is Django's, so that either site shows what the other one said.
//! 2. A cookie whose signature is not ours, or that does not decode, is nobody's: it holds no message, and
//!    is deleted.
//! 3. Text is escaped where it is shown; only [`Markup`](donjon_html::Markup) is shown as it is, and
//!    stays markup on the way, for the signature vouches for it.
//! 4. What was looked at is gone with the response; what was not, stays. After a failure of the server
//!    (500 and above) all of it stays, for nobody has seen it.
//! 5. A response for which somebody looked varies with the cookie, and a page that shows a message is
//!    not to be stored.
//! 6. Of more than [`MAX_MESSAGES`] or [`MAX_BYTES`] the oldest are dropped, and the log is told.
//! 7. Nothing is read or written for requests that touch no messages.
//!
//! Spec: Django's `django/contrib/messages/storage/{base,cookie,session,fallback}.py`.
//!
//! ```
//! use donjon::messages::{Level, MessagesLayer, MessagesPolicy, Messages, Storage};
//! use donjon_core::secret::Keys;
//! use http::{Request, Response, header};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = Keys::new("a long random secret");
//! let policy = MessagesPolicy::new(&keys).storage(Storage::Cookie);
//! let service = ServiceBuilder::new().layer(MessagesLayer::new(policy)).service(service_fn(
//!     async |request: Request<()>| {
//!         let messages = request.extensions().get::<Messages>().ok_or("no messages layer")?;
//!         messages.success("The money is on its way.");
//!         Ok::<_, &str>(Response::new(bytes::Bytes::new()))
//!     },
//! ));
//! let response = service.oneshot(Request::new(())).await?;
//! assert!(response.headers()[header::SET_COOKIE].to_str()?.starts_with("messages="));
//! # Ok(()) }
//! ```

mod codec;
#[cfg(feature = "axum")]
mod extract;
mod handle;
pub(crate) mod layer;
mod message;
mod policy;

pub use codec::{Decoded, MAX_COOKIE, decode};
#[cfg(feature = "axum")]
pub use extract::MissingMessagesLayer;
#[cfg(feature = "axum")]
pub(crate) use extract::default_levels;
pub use handle::{MAX_BYTES, MAX_MESSAGES, Messages};
pub use layer::{MessagesFuture, MessagesLayer, WithMessages};
pub use message::{Level, Message, Text};
pub use policy::{MessagesPolicy, Storage};
