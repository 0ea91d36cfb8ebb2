//! Copies in this process's memory: of sessions, and of users.
//!
//! 1. What was read before a change is not put in after it: each entry belongs to a [`Fence`] that a
//!    change moves.
//! 2. Memory is bounded by bytes or by entries, and time by a time to live.

mod accounts;
mod fence;
mod sessions;

pub use accounts::{CachedAccounts, MAX_CACHED_USERS, USER_LIFE};
pub use sessions::{CACHE_CAPACITY, CACHE_LIFE, ProcessCache};
