//! The bank over HTTP, without a browser: bad input, bad rows, a locked database, and the proofs
//! behind the first one.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]
#![allow(clippy::disallowed_methods, reason = "tests spoil the database behind the site's back")]

mod api;
mod attacks;
mod client;
mod input;
mod ledger;
mod nodes;
mod pages;
mod reports;
mod sessions;
mod start_up;
mod storage;
mod walk;
