//! The table of a site's routes: for people, for checks, and for finding the path of a route.

use std::fmt;
use std::sync::Arc;

use axum::routing::MethodRouter;
use matchit::InsertError;

use super::error::RoutesError;
use crate::names::{PathError, RoutePath};
use crate::stack::{CsrfCookie, RoutePolicy};

/// What a site answers, and what protects it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RouteInfo {
    /// The path, as it is written in the source, with those of its includes.
    pub path: String,
    /// The name, with its namespaces.
    pub name: Option<String>,
    /// The methods that the route answers.
    pub methods: Methods,
    /// What the route, and its includes where it is silent, say of their own.
    pub policy: RoutePolicy,
    /// A path that leads to the route.
    pub example: String,
}

/// The methods that a route answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// These, in upper case. A route of GET answers HEAD too.
    Some(Vec<String>),
    /// All: the handlers have one that answers what no other does.
    Any,
}

impl Methods {
    /// What the handlers answer. No handler is asked: it might act. axum shows the header `Allow` of
    /// its 405 in the router's debug form, and nowhere else without the site's state. Handlers with a
    /// fallback of their own have no 405.
    pub(super) fn of<S>(handlers: &MethodRouter<S>) -> Self {
        let shown = format!("{handlers:?}");
        let refusal = shown.split_once("fallback: Default(").map_or("", |(_, after)| after);
        let allow = refusal.split_once("allow_header: Bytes(b\"");
        let methods = allow.and_then(|(_, after)| after.split_once('"'));
        let owned = |(methods, _): (&str, &str)| methods.split(',').map(str::to_owned).collect();
        methods.map(owned).map_or(Self::Any, Self::Some)
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Some(methods) => f.pad(&methods.join(" ")),
            Self::Any => f.pad("any"),
        }
    }
}

/// The table of a site's routes; clones are the same. Its text has a line for each route.
#[derive(Clone)]
pub struct RouteTable(Arc<Table>);

struct Table {
    routes: Vec<RouteInfo>,
    paths: Paths,
}

impl RouteTable {
    pub(super) fn new(routes: Vec<RouteInfo>, paths: Paths) -> Self {
        Self(Arc::new(Table { routes, paths }))
    }

    /// The routes, in the order in which they were added.
    pub fn iter(&self) -> std::slice::Iter<'_, RouteInfo> {
        self.0.routes.iter()
    }

    /// Does a request's path, encoded as it came, lead to a route?
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.0.paths.0.at(path).is_ok_and(|found| found.value.fits(path))
    }
}

impl fmt::Debug for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Finds the route of a path as axum does, by the same library.
#[derive(Default)]
pub(super) struct Paths(matchit::Router<RoutePath>);

impl Paths {
    /// Reads a path, and adds it.
    pub(super) fn add(&mut self, path: &str) -> Result<RoutePath, RoutesError> {
        let add = |parsed: RoutePath| match self.0.insert(parsed.pattern(), parsed.clone()) {
            Ok(()) => Ok(parsed),
            Err(InsertError::Conflict { with }) => Err(PathError::Taken(with)),
            Err(InsertError::InvalidCatchAll) => Err(PathError::AfterRest),
            Err(_) => Err(PathError::Suffix),
        };
        let parsed = RoutePath::parse(path).and_then(add);
        parsed.map_err(|error| RoutesError::Path { path: path.to_owned(), error })
    }
}

const COLUMNS: usize = 9;

const HEADINGS: [&str; COLUMNS] =
    ["PATH", "NAME", "METHODS", "CSRF", "ACCESS", "FRAMES", "CSP", "CORS", "ISOLATION"];

impl RouteInfo {
    fn cells(&self) -> [String; COLUMNS] {
        let policy = &self.policy;
        let cookie = match policy.csrf_cookie() {
            CsrfCookie::Ensured => ", cookie ensured",
            CsrfCookie::Asked => "",
        };
        [
            self.path.clone(),
            self.name.clone().unwrap_or_else(|| "-".to_owned()),
            self.methods.to_string(),
            format!("{}{cookie}", policy.csrf_rule()),
            policy.access().to_string(),
            policy.framing_words().to_owned(),
            policy.csp_words().to_owned(),
            policy.cors_words().to_owned(),
            policy.isolation_words().to_owned(),
        ]
    }
}

impl fmt::Display for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        rows.extend(self.iter().map(RouteInfo::cells));
        let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        });
        for row in rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::DefaultBodyLimit;
    use axum::routing::MethodFilter;
    use axum::routing::{any, delete, get, head, on, post};

    use super::*;

    #[test]
    fn the_methods_are_those_of_the_405() {
        let ok = async || "";
        let shown = |handlers: MethodRouter<u8>| Methods::of(&handlers).to_string();
        assert_eq!(shown(get(ok)), "GET HEAD");
        assert_eq!(shown(get(ok).post(ok)), "GET HEAD POST");
        assert_eq!(shown(head(ok)), "HEAD");
        assert_eq!(shown(delete(ok).patch(ok).layer(DefaultBodyLimit::max(1))), "DELETE PATCH");
        assert_eq!(shown(on(MethodFilter::OPTIONS, ok)), "OPTIONS");
        assert_eq!(shown(any(ok)), "any");
        assert_eq!(shown(post(ok).fallback(ok)), "any");
    }

    #[test]
    fn paths_lead_to_routes_as_axum_finds_them() {
        let mut paths = Paths::default();
        for path in ["/", "/items/<int:id>/", "/items/new/", "/files/<path:p>"] {
            paths.add(path).unwrap();
        }
        let table = RouteTable::new(Vec::new(), paths);
        for path in ["/", "/items/7/", "/items/new/", "/files/a/b"] {
            assert!(table.matches(path), "{path}");
        }
        for path in ["", "/items/", "/items/x/", "/items/7", "/files/", "/files/%0a", "//"] {
            assert!(!table.matches(path), "{path}");
        }
    }

    #[test]
    fn rule_3_paths_that_axum_would_panic_on() {
        let mut paths = Paths::default();
        paths.add("/items/<int:id>/").unwrap();
        let mut error = |path: &str| match paths.add(path) {
            Err(RoutesError::Path { error, .. }) => Some(error),
            _ => None,
        };
        let taken = Some(PathError::Taken("/items/{id}/".to_owned()));
        assert_eq!(error("/items/<slug:name>/"), taken);
        assert_eq!(error("/items/{id}/"), taken);
        assert_eq!(error("/<int:id>.json"), Some(PathError::Suffix));
        assert_eq!(error("/<int:a>-<int:b>"), Some(PathError::Suffix));
        assert_eq!(error("/<path:p>/edit/"), Some(PathError::AfterRest));
        assert_eq!(error("/items-<int:id>/"), None);
    }
}
