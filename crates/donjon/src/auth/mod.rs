//! Who the visitor is: logging in and out, the user of a request, and pages for some users only.
//!
//! Stops: session fixation (a key planted before the log-in), CSRF secrets planted before it,
//! sessions that survive a change of password, accounts found out by timing, and open redirects
//! after the log-in.
//!
//! 1. The user of a request is asked for when somebody needs to know, and once: together with the session, if one
//!    database has both and nobody has looked into the session yet.
//! 2. A session tells its user by `_auth_user_id`, `_auth_user_backend` and `_auth_user_hash`, as
//!    Django's does. The hash is of the stored password: when that changes, every other session of
//!    the user ends. A hash under a former key is believed, and replaced under a new session key.
//! 3. A session whose hash is wrong is flushed. A user who is gone or not active is nobody.
//! 4. A log-in keeps an anonymous visitor's values under a new key, drops those of another user, and
//!    draws a new CSRF secret. A log-out deletes the session, and says so if it can't be sure:
//!    [`LogOut`].
//! 5. A log-in costs one hash, whether there is such a user or not.
//! 6. A page for users sends others to the log-in page, with `next` for the way back; that is followed
//!    only to this site's own addresses.
//! 7. A page for users of some permission refuses other users with 403, or sends them to the log-in page
//!    where the policy says so. Permissions are asked for when a page demands one, and once. A superuser
//!    has every permission.
//! 8. Where the site has a list of its users' sessions ([`AuthLayer::user_sessions`]), a log-in adds to it,
//!    a log-out takes out, and it is noted once a minute who was seen. Users end their own sessions only.
//!    A session that was ended ends with its next request, though its key changed at that very moment;
//!    then within a minute.
//!
//! Spec: Django's `django/contrib/auth/__init__.py`, `backends.py`, `decorators.py`.

#[cfg(feature = "axum")]
mod extract;
mod guard;
mod identity;
mod layer;
mod permission;
mod policy;
mod sessions;

#[cfg(feature = "axum")]
pub use extract::{CurrentUser, LoggedIn, MissingAuthLayer, Refused, SafeNext};
pub(crate) use guard::GuardLayer;
pub use guard::{
    Guard, LoginRequiredLayer, PermissionRequiredLayer, UserPassesTestLayer, login_address,
};
pub use identity::{Auth, AuthError, LogOut};
pub use layer::{AuthLayer, Auths};
pub use permission::PermissionPolicy;
pub use policy::{AuthPolicy, BACKEND};
pub(crate) use sessions::Device;
pub use sessions::{OwnSession, SEEN_EVERY, SessionsError};
