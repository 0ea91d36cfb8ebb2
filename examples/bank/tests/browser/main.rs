//! A real browser goes through every page of the bank, and runs every attack on it.
//!
//! Needs `DONJON_CHROMEDRIVER` and `DONJON_CHROMIUM`, the paths of both programs: `cargo xtask test`
//! sets them.

#![allow(clippy::panic, reason = "the helpers of tests stop a test")]

mod attacks;
mod contexts;
mod driver;
mod gate;
mod pages;
mod policy;
mod site;
mod spa;
mod tls;
