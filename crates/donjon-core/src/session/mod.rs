//! Sessions: records, keys, the store's contract, and the handle that a request carries.
//!
//! Stops: sessions whose key an attacker chose (fixation), rows written by somebody else, a logout
//! undone by a request that was still under way, and stores filled by visitors who never needed a
//! session.
//!
//! 1. A key is 32 random characters of `a-z0-9`. A key that a client sends is only looked up; if no
//!    live row has it, it is dropped, and never becomes a key of ours.
//! 2. Nothing is read before the session is touched, and nothing is written unless it changed.
//! 3. [`create`](SessionStore::create) never overwrites a row, [`update`](SessionStore::update) never
//!    makes one. So a save that races a logout loses: [`Update::Gone`]. Nor does it write over a state
//!    that its writer has not seen: [`Update::Changed`].
//! 4. [`Session::cycle_key`] keeps the data under a new key, [`Session::flush`] drops both. Of two
//!    requests at once each keeps what it changed, or is told that it was not kept.
//! 5. The row's text is Django's, signed: `signing.dumps(data, compress=True)` under the salt
//!    [`SessionCodec::SALT`], only that short rows are [not compressed](SessionCodec::compress). A row
//!    that does not decode is an empty session and an event.
//! 6. A session may have an absolute age ([`Lifetime::absolute`]): it ends so long after it was begun,
//!    however active its visitor is. When it was begun stands in it as `_donjon_begun`, in seconds; one
//!    that Django made counts from its first save here. A log-in begins anew ([`Session::begin`]).
//! 7. A session may be bound to the family of browsers that began it, which stands in it as
//!    `_donjon_agent`. A request by another finds no session; the visitor's own stays.
//! 8. A session may be kept in its cookie, signed, instead of a store: see [`CookieSessions`].
//!
//! Spec: Django's `django/contrib/sessions/backends/base.py` and `db.py`.

mod agent;
pub mod cached;
mod clear;
mod codec;
#[cfg(feature = "contract")]
pub mod contract;
mod data;
mod engine;
mod expiry;
mod handle;
mod hashed;
mod memory;
mod rotation;
mod store;
mod turn;
mod user_sessions;

pub use agent::AgentFamily;
pub use clear::{CLEAR_BATCH, clear_expired, clear_unlisted};
pub use codec::{SessionCodec, SuspiciousSession};
pub use data::SessionData;
pub use engine::{CookieSessions, Engine};
pub use expiry::{BadExpiry, Expires, Expiry, Lifetime};
pub use handle::{Ending, Session, SessionContext, SessionError};
pub use hashed::HashedKeys;
pub use memory::{MAX_SESSIONS, MemorySessions};
pub use rotation::{Rotate, Rotation};
pub use store::{
    BoxFuture, Creation, Deletion, DynSessionStore, SessionKey, SessionRecord, SessionStore,
    StoreError, Stored, Update, Version, WithUser,
};
pub use user_sessions::{
    DynUserSessions, MAX_DEVICE, MAX_LISTED, MemoryUserSessions, Seen, SessionId, Sighting,
    UserSession, UserSessions, device_name,
};
