//! What a page demands of its users.

use std::fmt;
use std::sync::Arc;

use donjon_core::account::is_permission;

/// The permissions that a page demands, all of them, and what becomes of users who lack one. Django:
/// `PermissionRequiredMixin`, and with [`PermissionPolicy::redirect`] `@permission_required`.
///
/// ```
/// use donjon::auth::PermissionPolicy;
///
/// let desk = PermissionPolicy::new("bank.add_transfer").and("bank.view_transfer");
/// assert_eq!(desk.to_string(), "bank.add_transfer, bank.view_transfer");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a policy protects nothing until a layer or a route has it"]
pub struct PermissionPolicy {
    /// Never none, which would let everybody in.
    demanded: Arc<[String]>,
    lacking: Lacking,
}

/// What becomes of a user who is logged in and may not see a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lacking {
    /// Status 403.
    Refused,
    /// The log-in page, where they may become somebody else.
    SentToLogIn,
}

impl PermissionPolicy {
    /// Demands this permission, `app.codename`; users without it get a 403. Only superusers have one
    /// that is named otherwise.
    pub fn new(permission: impl Into<String>) -> Self {
        Self { demanded: Arc::new([permission.into()]), lacking: Lacking::Refused }
    }

    /// Demands this permission too.
    pub fn and(mut self, permission: impl Into<String>) -> Self {
        let permission = permission.into();
        if !self.demanded.contains(&permission) {
            self.demanded = self.demanded.iter().cloned().chain([permission]).collect();
        }
        self
    }

    /// Sends users who lack a permission to the log-in page, as Django's `@permission_required`
    /// does. A log-in page that sends users on who are logged in makes a circle of it.
    pub fn redirect(mut self) -> Self {
        self.lacking = Lacking::SentToLogIn;
        self
    }

    /// Demands what either does; users who lack a permission are treated as this one says.
    pub(crate) fn with(self, other: &Self) -> Self {
        other.demanded.iter().cloned().fold(self, Self::and)
    }

    /// The permissions.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.demanded.iter().map(String::as_str)
    }

    /// What can be no permission, as it is not `app.codename`.
    #[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "routes ask, and they are axum's"))]
    pub(crate) fn impossible(&self) -> impl Iterator<Item = &str> {
        self.iter().filter(|name| !is_permission(name))
    }

    pub(super) fn lacking(&self) -> Lacking {
        self.lacking
    }
}

impl From<&str> for PermissionPolicy {
    fn from(permission: &str) -> Self {
        Self::new(permission)
    }
}

impl fmt::Display for PermissionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.demanded.join(", "))
    }
}
