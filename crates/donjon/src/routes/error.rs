//! What can be wrong with routes, found when the router is made.

use std::fmt;

use donjon_html::template::RenderError;

use crate::csp::CspErrors;
use crate::names::PathError;

/// A route that can't be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoutesError {
    /// Two routes have this name.
    NameTaken(String),
    /// Two includes have this namespace.
    NamespaceTaken(String),
    /// A name or a namespace that can't be one.
    Name(String),
    /// A path that can't be one.
    Path {
        /// The path, with those of its includes.
        path: String,
        /// What is wrong with it.
        error: PathError,
    },
    /// This method of [`Routes`](super::Routes) is about the route before it, and there is none.
    NoRoute(&'static str),
    /// The Content Security Policy of the route of this path defeats itself.
    Csp(String, CspErrors),
    /// The route of this path demands what can be no permission.
    Permission {
        /// The path, with those of its includes.
        path: String,
        /// What it demands.
        permission: String,
    },
    /// Routes that are included, under this prefix, have a page for unknown paths.
    NotFoundInside(String),
    /// A page of refusals, like `404.html`, can't be rendered without a request.
    Page(RenderError),
}

impl fmt::Display for RoutesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken(name) => {
                write!(f, "two routes are named {name:?}: each name leads to one address")
            }
            Self::NamespaceTaken(namespace) => write!(
                f,
                "two includes have the namespace {namespace:?}: give each its own, so that a name leads to one address"
            ),
            Self::Name(name) => write!(
                f,
                "{name:?} can't be a name: expected some text without a colon, which stands between a namespace and a name"
            ),
            Self::Path { path, error } => {
                write!(f, "the path {path:?} can't be a route's: {error}")
            }
            Self::NoRoute(method) => write!(
                f,
                "`{method}` is about the route before it, and there is none: call it behind `path`; what all routes of an include need goes into `protect_all`"
            ),
            Self::Csp(path, errors) => {
                write!(f, "the Content Security Policy of the path {path:?} can't be: {errors}")
            }
            Self::Permission { path, permission } => write!(
                f,
                "the path {path:?} demands the permission {permission:?}, which nobody can be granted: expected an app's label and a codename with a dot between, as in \"bank.add_transfer\""
            ),
            Self::Page(error) => write!(
                f,
                "a page of refusals must not fail when something else has, so it is rendered when the site begins, without a request: {error}"
            ),
            Self::NotFoundInside(prefix) => write!(
                f,
                "the routes included under {prefix:?} have a page for unknown paths: a site has one, so call `not_found` on the routes that include them"
            ),
        }
    }
}

impl std::error::Error for RoutesError {}

/// Everything about routes that can't be. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutesErrors(pub(super) Vec<RoutesError>);

impl RoutesErrors {
    /// The mistakes.
    pub fn iter(&self) -> std::slice::Iter<'_, RoutesError> {
        self.0.iter()
    }
}

impl fmt::Display for RoutesErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for error in &self.0 {
            write!(f, "{separator}{error}")?;
            separator = "\n";
        }
        Ok(())
    }
}

impl std::error::Error for RoutesErrors {}
