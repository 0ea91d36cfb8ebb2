//! The words and contracts that the rooms of Donjon share.
//!
//! This crate knows nothing of tower, axum or a runtime. It holds what every room must agree on:
//! how a secret is kept and compared, how a value is signed, what a cookie, an origin and a host
//! are, what a session and an account promise, and how a security event is told.
//!
//! | module | holds |
//! |---|---|
//! | [`secret`] | bytes that do not print, compare in constant time and are zeroed |
//! | [`entropy`] | the operating system's randomness, and random strings |
//! | [`clock`] | the time, and HTTP's way of writing it |
//! | [`signing`] | Django's signed values, byte for byte |
//! | [`cookie`] | reading `Cookie` and writing `Set-Cookie` as Django does |
//! | [`host`] | which names the site answers to |
//! | [`proxy`] | which proxies are the site's own, and what they may tell |
//! | [`origin`] | who the site is in the eyes of a browser, and who it trusts |
//! | [`url`] | reading, joining and escaping URLs; redirects that stay on the site |
//! | [`session`] | records, keys, the store's contract and the handle of a request |
//! | [`account`] | users and the contract of the store that has them |
//! | [`violation`] | what a page's policy forbade, and the contract of the store that remembers it |
//! | [`event`] | what happened, for the security log |
//! | [`visit`] | what a stack of rooms knows of one request |

pub mod account;
pub mod clock;
pub mod cookie;
pub mod entropy;
pub mod event;
pub mod host;
pub mod origin;
pub mod proxy;
pub mod secret;
pub mod session;
pub mod signing;
pub mod url;
pub mod violation;
pub mod visit;
