//! The pages, one file each.

pub mod account;
pub mod ajax;
pub mod api;
pub mod contact;
mod field;
pub mod home;
pub mod log_in;
pub mod reports;
pub mod sessions;
mod timeline;
pub mod transfer;
pub mod upload;
