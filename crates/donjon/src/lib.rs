//! Django's web security for axum and tower.

mod rejection;
mod vary;

pub mod auth;
pub mod cors;
pub mod csp;
pub mod csrf;
pub mod headers;
pub mod host;
pub mod https;
pub mod password;
pub mod session;

pub use rejection::Answer;
