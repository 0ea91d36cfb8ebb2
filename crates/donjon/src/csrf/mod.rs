//! Cross-site request forgery.

mod body;
mod decision;
mod failure;
mod policy;
mod scan;
mod token;
