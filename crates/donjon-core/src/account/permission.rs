//! What users may do, by name.

use std::collections::BTreeSet;

/// Can this name a permission: `app.codename`, both of them there?
///
/// Only a superuser has what is named otherwise, so that a guard should refuse such a name when it is
/// made.
#[must_use]
pub fn is_permission(name: &str) -> bool {
    name.split_once('.').is_some_and(|(app, codename)| !app.is_empty() && !codename.is_empty())
}

/// The permissions that a user has, each as `app.codename`. Django: `get_all_permissions`.
///
/// ```
/// use donjon_core::account::Permissions;
///
/// let teller: Permissions = ["bank.add_transfer", "bank.view_transfer"].into_iter().collect();
/// assert!(teller.contains("bank.add_transfer") && !teller.contains("bank.delete_transfer"));
/// assert!(teller.contains_app("bank"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(BTreeSet<String>);

impl Permissions {
    /// Is this one of them? Case counts.
    #[must_use]
    pub fn contains(&self, permission: &str) -> bool {
        self.0.contains(permission)
    }

    /// Is any of them of this app? Django: `has_module_perms`.
    #[must_use]
    pub fn contains_app(&self, app: &str) -> bool {
        let is_of_app = |name: &&str| name.split_once('.').is_some_and(|(of, _)| of == app);
        self.iter().any(|name| is_of_app(&name))
    }

    /// All of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl<T: Into<String>> FromIterator<T> for Permissions {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_to_the_letter() {
        let permissions: Permissions = ["bank.view_account", "bank2.x"].into_iter().collect();
        for wrong in ["", ".", "bank", "bank.", "view_account", "Bank.view_account", "bank.view"] {
            assert!(!permissions.contains(wrong), "{wrong}");
        }
        assert!(permissions.contains_app("bank") && permissions.contains_app("bank2"));
        assert!(!permissions.contains_app("ban") && !permissions.contains_app(""));
        assert!(!Permissions::default().contains_app("bank"));
    }

    #[test]
    fn a_name_has_two_parts() {
        for name in ["bank.add_transfer", "a.b.c", "банк.перевод"] {
            assert!(is_permission(name), "{name}");
        }
        for name in ["", ".", "bank", "bank.", ".add_transfer"] {
            assert!(!is_permission(name), "{name}");
        }
    }
}
