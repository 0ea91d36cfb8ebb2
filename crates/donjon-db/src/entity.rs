//! The rows of Django's tables and of Donjon's own. Columns are named in every statement, so their order is free: Django's
//! own depends on which version made the table.

pub(crate) mod content_type;
pub(crate) mod group_permission;
pub(crate) mod migration;
pub(crate) mod permission;
pub(crate) mod session;
pub(crate) mod user;
pub(crate) mod user_group;
pub(crate) mod user_permission;
pub(crate) mod user_session;
pub(crate) mod violation;
pub(crate) mod violation_hour;
