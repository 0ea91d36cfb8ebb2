//! Named routes, and what protects each.
//!
//! Stops: addresses written by hand that a renamed route leaves dangling, and protection that is
//! decided somewhere else than where the route stands.
//!
//! 1. A route's policy is written beside it: [`Routes::login_required`], [`Routes::csrf_exempt`],
//!    [`Routes::ensure_csrf_cookie`].
//! 2. An address is made of a route's name and arguments, which are percent-encoded, so that an
//!    argument can't add a segment, a query or a host: [`Names::reverse`].
//! 3. Two routes of one name, or none where one is asked for, are errors when the router is made.
//! 4. An unknown path is a 404 without a CSRF verdict, as in Django; it gets all headers.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::MethodRouter;
use axum::{Extension, Router};
use donjon_html::template::Templates;
use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::auth::LoginRequiredLayer;
use crate::csrf::CsrfRoute;
use crate::page::Pages;
use crate::rejection::refuse;
use crate::stack::Stack;

/// What may stand in a segment of a path as it is. Python: `quote(…, safe="/~:@!$&'()*+,;=")`, less
/// the slash.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// The routes of a site, in the making. `S` is the state of its handlers.
#[must_use = "routes serve nothing until a router is made of them"]
pub struct Routes<S = ()> {
    routes: Vec<Route<S>>,
    not_found: MethodRouter<S>,
}

struct Route<S> {
    path: String,
    name: Option<String>,
    handlers: MethodRouter<S>,
    access: Access,
    csrf: CsrfMode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Everybody,
    Users,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CsrfMode {
    Checked,
    CookieEnsured,
    Exempt,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes yet.
    pub fn new() -> Self {
        let not_found = async || refuse::<axum::body::Body>(StatusCode::NOT_FOUND, "Not Found\n");
        Self { routes: Vec::new(), not_found: axum::routing::any(not_found) }
    }

    /// Adds a route. `path` is as axum writes it: `/items/{id}/`.
    pub fn path(mut self, path: impl Into<String>, handlers: MethodRouter<S>) -> Self {
        self.routes.push(Route {
            path: path.into(),
            name: None,
            handlers,
            access: Access::Everybody,
            csrf: CsrfMode::Checked,
        });
        self
    }

    fn last(mut self, change: impl FnOnce(&mut Route<S>)) -> Self {
        if let Some(route) = self.routes.last_mut() {
            change(route);
        }
        self
    }

    /// Names the last route: for `{% url 'name' %}` and [`Names::reverse`].
    pub fn name(self, name: impl Into<String>) -> Self {
        self.last(|route| route.name = Some(name.into()))
    }

    /// Lets only users see the last route; others are sent to the log-in page. Django:
    /// `@login_required`.
    pub fn login_required(self) -> Self {
        self.last(|route| route.access = Access::Users)
    }

    /// Sets the CSRF cookie with every response of the last route: for pages whose scripts send the
    /// token though no form shows it. Django: `@ensure_csrf_cookie`.
    pub fn ensure_csrf_cookie(self) -> Self {
        self.last(|route| route.csrf = CsrfMode::CookieEnsured)
    }

    /// Checks nothing on the last route: for requests that carry no cookies of a browser and prove
    /// themselves otherwise. Django: `@csrf_exempt`.
    pub fn csrf_exempt(self) -> Self {
        self.last(|route| route.csrf = CsrfMode::Exempt)
    }

    /// Answers requests for unknown paths. It must change nothing: forgeries reach it.
    pub fn not_found<H: Handler<T, S>, T: 'static>(mut self, handler: H) -> Self {
        self.not_found = axum::routing::any(handler);
        self
    }

    /// The router: each route inside the stack, with these templates for its pages.
    ///
    /// # Errors
    /// [`RoutesError`] for two routes of one name.
    ///
    /// # Panics
    /// As axum's `Router::route` does, for two routes of one path and for paths that can't be one.
    pub fn into_router(self, stack: Stack, templates: Templates) -> Result<Router<S>, RoutesError> {
        let names = Names::of(&self.routes)?;
        let pages = Pages::new(templates, names);
        let mut router = Router::new();
        for route in self.routes {
            let path = route.path.clone();
            router = router.route(&path, route.protected(&stack, &pages));
        }
        let not_found = Router::new()
            .fallback(self.not_found)
            .layer(Extension(pages))
            .layer(stack.layer())
            .layer(Extension(CsrfRoute::Exempt));
        Ok(router.merge(not_found))
    }
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    fn protected(self, stack: &Stack, pages: &Pages) -> MethodRouter<S> {
        let handlers = match self.csrf {
            CsrfMode::CookieEnsured => {
                self.handlers.layer::<_, Infallible>(stack.ensure_csrf_cookie())
            }
            CsrfMode::Checked | CsrfMode::Exempt => self.handlers,
        };
        let handlers = match self.access {
            Access::Users => handlers.layer::<_, Infallible>(LoginRequiredLayer),
            Access::Everybody => handlers,
        };
        let handlers = handlers.layer::<_, Infallible>(Extension(pages.clone()));
        let handlers = handlers.layer::<_, Infallible>(stack.layer());
        match self.csrf {
            CsrfMode::Exempt => handlers.layer(Extension(CsrfRoute::Exempt)),
            CsrfMode::Checked | CsrfMode::CookieEnsured => handlers,
        }
    }
}

/// Routes that can't be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoutesError {
    /// Two routes have this name.
    NameTaken(String),
}

impl fmt::Display for RoutesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken(name) => {
                write!(f, "two routes are named {name:?}: each name leads to one address")
            }
        }
    }
}

impl std::error::Error for RoutesError {}

/// The addresses of a site by name; clones are the same. Django: `reverse`.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<HashMap<String, Vec<Piece>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// `{name}`: one segment.
    Segment(String),
    /// `{*name}`: the rest of the path.
    Rest(String),
}

impl Names {
    fn of<S>(routes: &[Route<S>]) -> Result<Self, RoutesError> {
        let mut names = HashMap::new();
        for route in routes {
            if let Some(name) = &route.name
                && names.insert(name.clone(), pieces(&route.path)).is_some()
            {
                return Err(RoutesError::NameTaken(name.clone()));
            }
        }
        Ok(Self(Arc::new(names)))
    }

    /// The address of a route: its parameters are taken from `named`, or without any from `args` in
    /// their order. `None` if there is no such route, or it takes other arguments.
    #[must_use]
    pub fn reverse(&self, name: &str, args: &[&str], named: &[(&str, &str)]) -> Option<String> {
        let pieces = self.0.get(name)?;
        let wanted = pieces.iter().filter(|piece| !matches!(piece, Piece::Literal(_))).count();
        if wanted != args.len() + named.len() || (!args.is_empty() && !named.is_empty()) {
            return None;
        }
        let mut args = args.iter().copied();
        let mut argument = |name: &str| match named.is_empty() {
            true => args.next(),
            false => named.iter().find(|(known, _)| *known == name).map(|(_, value)| *value),
        };
        let mut address = String::new();
        for piece in pieces {
            match piece {
                Piece::Literal(text) => address.push_str(text),
                Piece::Segment(name) => push_segment(&mut address, argument(name)?)?,
                Piece::Rest(name) => push_rest(&mut address, argument(name)?)?,
            }
        }
        Some(address)
    }
}

/// A segment that is empty or made of dots would lead to another route.
fn push_segment(address: &mut String, value: &str) -> Option<()> {
    if matches!(value, "" | "." | "..") {
        return None;
    }
    address.extend(utf8_percent_encode(value, SEGMENT));
    Some(())
}

fn push_rest(address: &mut String, value: &str) -> Option<()> {
    for (index, segment) in value.split('/').enumerate() {
        address.push_str(if index == 0 { "" } else { "/" });
        push_segment(address, segment)?;
    }
    Some(())
}

fn pieces(path: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = path;
    while let Some((literal, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        pieces.push(Piece::Literal(literal.to_owned()));
        pieces.push(match name.strip_prefix('*') {
            Some(name) => Piece::Rest(name.to_owned()),
            None => Piece::Segment(name.to_owned()),
        });
        rest = after;
    }
    pieces.push(Piece::Literal(rest.to_owned()));
    pieces
}

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    fn names() -> Names {
        let routes = Routes::<()>::new()
            .path("/", get(async || ""))
            .name("home")
            .path("/items/{id}/notes/{note}", get(async || ""))
            .name("note")
            .path("/files/{*path}", get(async || ""))
            .name("file");
        Names::of(&routes.routes).unwrap()
    }

    #[test]
    fn rule_2_addresses_are_made_of_arguments() {
        let names = names();
        assert_eq!(names.reverse("home", &[], &[]).as_deref(), Some("/"));
        assert_eq!(
            names.reverse("note", &["7", "a b"], &[]).as_deref(),
            Some("/items/7/notes/a%20b")
        );
        let named = names.reverse("note", &[], &[("note", "x"), ("id", "é")]);
        assert_eq!(named.as_deref(), Some("/items/%C3%A9/notes/x"));
        assert_eq!(names.reverse("file", &["a/b?c"], &[]).as_deref(), Some("/files/a/b%3Fc"));
    }

    #[test]
    fn rule_2_an_argument_cannot_leave_its_place() {
        let names = names();
        assert_eq!(
            names.reverse("note", &["1/../..", "?a#b"], &[]).as_deref(),
            Some("/items/1%2F..%2F../notes/%3Fa%23b")
        );
        for bad in ["", ".", ".."] {
            assert_eq!(names.reverse("note", &[bad, "x"], &[]), None, "{bad}");
            assert_eq!(names.reverse("file", &[bad], &[]), None, "{bad}");
        }
        assert_eq!(names.reverse("file", &["a/../b"], &[]), None);
    }

    #[test]
    fn rule_3_wrong_names_and_arguments() {
        let names = names();
        assert_eq!(names.reverse("other", &[], &[]), None);
        assert_eq!(names.reverse("home", &["1"], &[]), None);
        assert_eq!(names.reverse("note", &["1"], &[("note", "2")]), None);
        assert_eq!(names.reverse("note", &[], &[("id", "1"), ("other", "2")]), None);
        let twice = Routes::<()>::new()
            .path("/a", get(async || ""))
            .name("x")
            .path("/b", get(async || ""))
            .name("x");
        assert_eq!(Names::of(&twice.routes).err(), Some(RoutesError::NameTaken("x".to_owned())));
    }
}
