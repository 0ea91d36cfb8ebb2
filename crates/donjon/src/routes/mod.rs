//! Named routes, and what protects each.
//!
//! Stops: addresses written by hand that a renamed route leaves dangling, and protection that is
//! decided somewhere else than where the route stands.
//!
//! 1. A route's policy is written beside it: [`Routes::login_required`], [`Routes::csrf_exempt`],
//!    [`Routes::ensure_csrf_cookie`].
//! 2. An address is made of a route's name and arguments: see [`names`](crate::names).
//! 3. Two routes of one name are an error when the router is made.
//! 4. An unknown path is a 404 without a CSRF verdict, as in Django; it gets all headers.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::MethodRouter;
use axum::{Extension, Router};
use donjon_html::template::Templates;
use http::StatusCode;

use crate::auth::LoginRequiredLayer;
use crate::csrf::CsrfRoute;
use crate::names::Names;
use crate::page::Pages;
use crate::rejection::refuse;
use crate::stack::Stack;

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

    /// Names the last route: for `{% url 'name' %}` and [`Names::reverse`](crate::names::Names::reverse).
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

    fn names(&self) -> Result<Names, RoutesError> {
        self.routes.iter().try_fold(Names::default(), |names, route| match &route.name {
            Some(name) => {
                names.with(name, &route.path).ok_or_else(|| RoutesError::NameTaken(name.clone()))
            }
            None => Ok(names),
        })
    }

    /// The router: each route inside the stack, with these templates for its pages.
    ///
    /// # Errors
    /// [`RoutesError`] for two routes of one name.
    ///
    /// # Panics
    /// As axum's `Router::route` does, for two routes of one path and for paths that can't be one.
    pub fn into_router(self, stack: Stack, templates: Templates) -> Result<Router<S>, RoutesError> {
        let names = self.names()?;
        let stack = stack.with_words(Arc::new(Pages::new(templates, names)));
        let mut router = Router::new();
        for route in self.routes {
            let path = route.path.clone();
            router = router.route(&path, route.protected(&stack));
        }
        let layers = (Extension(CsrfRoute::Exempt), stack.layer());
        let not_found = Router::new().fallback(self.not_found).layer(layers);
        Ok(router.merge(not_found))
    }
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    fn protected(self, stack: &Stack) -> MethodRouter<S> {
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

#[cfg(test)]
mod tests {
    use axum::routing::get;

    use super::*;

    #[test]
    fn rule_3_a_name_leads_to_one_address() {
        let twice = Routes::<()>::new()
            .path("/a", get(async || ""))
            .name("x")
            .path("/b", get(async || ""))
            .name("x");
        assert_eq!(twice.names().err(), Some(RoutesError::NameTaken("x".to_owned())));
    }
}
