//! Django's web security for axum and tower.

mod rejection;
mod vary;

pub mod csrf;
