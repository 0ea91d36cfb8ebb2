//! Sessions: what the site remembers of a visitor, under a key in a cookie.
//!
//! Stops: session fixation (a key that a client made up is never taken over), a logout undone by a
//! request that was still under way, caches that hand one visitor's page to another, and session
//! rows for visitors who never needed one.
//!
//! 1. The store is not asked before a handler touches the session: see
//!    [`Session`](donjon_core::session::Session).
//! 2. A response varies with the cookie if the session was looked at.
//! 3. A session that changed is saved, and its cookie set, unless the response is a failure of the
//!    server (500 and above) or the session is empty. With [`Saving::EveryRequest`] it need not have
//!    changed.
//! 4. A cookie that leads to nothing (the session was flushed, or its key is nobody's and nothing
//!    was put into it) is deleted.
//! 5. A session that was deleted while the request was under way is not made again: status 400, as
//!    in Django.
//! 6. A store that fails is status 503: nobody becomes anonymous because a database is down. A handler
//!    answers so by returning [`SessionFailure`].
//! 7. The cookie is the one of exactly the policy's name. Of two the last counts, as in Django; with
//!    [`SessionPolicy::hardened`] none does, and it is deleted.
//!
//! 8. A session may be kept in its cookie ([`SessionLayer::in_cookie`]), signed: the cookie is sent anew
//!    whenever the session changed. One that a browser would drop for its size is not sent: status 500.
//! 9. With [`SessionPolicy::absolute_age`] a session ends so long after its user logged in, however
//!    active the visitor is; neither its row nor its cookie outlives that.
//! 10. With [`SessionPolicy::bind_user_agent`] a request from another family of browsers than the one
//!     that the user logged in with finds no session, and the user stays logged in.
//!
//! Two requests of one visitor at once are put together value by value; of two that change the same
//! one, the later counts.
//!
//! Caveats: a session in its cookie can be read by its visitor, replayed, and not revoked, and of two
//! requests at once the later answer counts. A `User-Agent` is what the client says of itself.
//!
//! Spec: Django's `django/contrib/sessions/middleware.py`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use bytes::Bytes;
//! use donjon::session::{SessionLayer, SessionPolicy};
//! use donjon_core::session::{MemorySessions, Session};
//! use http::{Request, Response, header};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = ServiceBuilder::new()
//!     .layer(SessionLayer::new(SessionPolicy::default(), Arc::new(MemorySessions::default())))
//!     .service(service_fn(async |request: Request<Full<Bytes>>| {
//!         let session = request.extensions().get::<Session>().ok_or("no session layer")?;
//!         session.insert("cart", &["tea"]).await?;
//!         Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Response::new(Full::<Bytes>::from("kept")))
//!     }));
//! let request = Request::get("/").body(Full::default())?;
//! let response = service.oneshot(request).await.map_err(|error| error.to_string())?;
//! assert!(response.headers()[header::SET_COOKIE].to_str()?.starts_with("sessionid="));
//! # Ok(()) }
//! ```

mod decision;
#[cfg(feature = "axum")]
mod extract;
pub(crate) mod layer;
mod policy;

pub use decision::{Cookie, Decision, decide};
#[cfg(feature = "axum")]
pub use extract::{MissingSessionLayer, SessionFailure, SessionHandle};
pub use layer::{SessionFuture, SessionLayer, Sessions};
pub use policy::{COOKIE_AGE, Saving, SessionPolicy};
