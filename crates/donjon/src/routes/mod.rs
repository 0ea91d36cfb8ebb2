//! Named routes, and what protects each (Django: `path`, `include`, and the decorators of views).
//!
//! Stops: addresses written by hand that a renamed route leaves dangling, protection that is decided
//! somewhere else than where the route stands, and redirects to another host by a doubled slash
//! (CVE-2018-14574).
//!
//! 1. A route's policy is written beside it: see [`RoutePolicy`], whose methods [`Routes`] has too.
//! 2. An address is made of a route's name and arguments, and a request whose arguments do not fit
//!    their converters leads to no route: see [`names`](crate::names).
//! 3. Two routes of one name or of one path, two includes of one namespace, a permission that can be
//!    none, and a policy that stands behind no route are errors when the router is made: all of them at
//!    once.
//! 4. An unknown path is a 404 without a CSRF verdict, as in Django; it gets all headers.
//!
//! The templates `400.html`, `403.html`, `403_csrf.html`, `404.html`, `405.html`, `413.html`, `429.html`, `500.html` and
//! `503.html`, as far as a site has them, take the place of what the rooms say to a browser that they refuse. They are
//! rendered when the site begins, without a request, so that they cannot fail when something else has.
//! 5. Routes are included under a prefix and a namespace. A policy for all of them holds where a
//!    route does not say otherwise; permissions add up.
//! 6. GET and HEAD for an unknown path that is a route's with a slash at the end are sent there, by
//!    301 and never to another host. Django: `APPEND_SLASH`.
//!
//! What Django does and this does not: two routes of one path that only their converters tell apart
//! are an error (rule 3), and an argument that does not fit is not tried on the routes behind it.
//!
//! ```
//! use axum::extract::Path;
//! use axum::routing::{get, post};
//! use donjon::routes::{RoutePolicy, Routes};
//!
//! fn shop() -> Routes {
//!     Routes::new()
//!         .path("/", get(async || "all items")).name("list")
//!         .path("/<int:id>/", get(async |Path(id): Path<u64>| format!("item {id}"))).name("item")
//! }
//!
//! fn staff() -> Routes {
//!     Routes::new()
//!         .protect_all(RoutePolicy::new().login_required())
//!         .path("/", get(async || "the desk")).name("desk")
//! }
//!
//! let routes = Routes::<()>::new()
//!     .path("/hooks/payment/", post(async || "thanks")).name("hook").csrf_exempt()
//!     .include("/shop/", "shop", shop())
//!     .include("/staff/", "staff", staff());
//! print!("{}", routes.table()?);
//! # Ok::<(), donjon::routes::RoutesErrors>(())
//! ```

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::handler::Handler;
use axum::routing::{MethodRouter, any};
use donjon_html::template::Variables;
use http::StatusCode;

use crate::auth::PermissionPolicy;
use crate::canonical::CanonicalPolicy;
use crate::cors::CorsPolicy;
use crate::csp::{CspBuilder, CspPolicy};
use crate::names::{Names, RoutePath};
use crate::page::{Addresses, PageTemplates, Pages};
use crate::rejection::{ErrorPages, refuse};
use crate::stack::{Access, RouteLayer, Stack};

mod error;
mod layer;
mod table;

pub use crate::stack::RoutePolicy;
pub use error::{RoutesError, RoutesErrors};
pub use table::{Methods, RouteInfo, RouteTable};

use layer::{FitsLayer, SlashLayer, Unknown};
use table::Paths;

/// The routes of a site, in the making. `S` is the state of its handlers.
#[must_use = "routes serve nothing until a router is made of them"]
pub struct Routes<S = ()> {
    routes: Vec<Route<S>>,
    last: Last,
    all: RoutePolicy,
    namespaces: Vec<String>,
    mistakes: Vec<RoutesError>,
    not_found: Option<MethodRouter>,
    slash: TrailingSlash,
}

struct Route<S> {
    path: String,
    name: Option<String>,
    handlers: MethodRouter<S>,
    policy: RoutePolicy,
}

/// Is a word about the last route of the list?
enum Last {
    Route,
    Nothing,
}

/// What becomes of a path without the slash at the end that its route has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrailingSlash {
    /// A redirect to the route. Django: `APPEND_SLASH = True`.
    #[default]
    Append,
    /// A 404. Django: `APPEND_SLASH = False`.
    Leave,
}

/// A router's parts that only hold together if nothing is wrong.
struct Plan {
    names: Names,
    table: RouteTable,
    /// The path of each route.
    paths: Vec<RoutePath>,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes yet.
    pub fn new() -> Self {
        Self {
            routes: Vec::new(),
            last: Last::Nothing,
            all: RoutePolicy::new(),
            namespaces: Vec::new(),
            mistakes: Vec::new(),
            not_found: None,
            slash: TrailingSlash::default(),
        }
    }

    /// Adds a route. `path` is as Django writes it, `/items/<int:id>/`, or as axum does,
    /// `/items/{id}/`; handlers take its arguments by axum's `Path`. Non-ASCII text is encoded.
    pub fn path(mut self, path: impl Into<String>, handlers: MethodRouter<S>) -> Self {
        let policy = RoutePolicy::new();
        self.routes.push(Route { path: path.into(), name: None, handlers, policy });
        self.last = Last::Route;
        self
    }

    /// Adds other routes, their paths behind `prefix` and their names behind `namespace` and a colon.
    /// An empty namespace leaves names as they are. Django: `include`.
    pub fn include(mut self, prefix: &str, namespace: &str, included: Self) -> Self {
        if included.not_found.is_some() {
            self.mistakes.push(RoutesError::NotFoundInside(prefix.to_owned()));
        }
        self.mistakes.extend(included.mistakes);
        self.claim(namespace);
        let spaces = included.namespaces.iter().map(|inner| scoped(namespace, inner));
        self.namespaces.extend(spaces);
        let all = included.all;
        self.routes.extend(included.routes.into_iter().map(|route| Route {
            path: joined(prefix, &route.path),
            name: route.name.map(|name| scoped(namespace, &name)),
            handlers: route.handlers,
            policy: route.policy.within(&all),
        }));
        self.last = Last::Nothing;
        self
    }

    fn claim(&mut self, namespace: &str) {
        if namespace.contains(':') {
            self.mistakes.push(RoutesError::Name(namespace.to_owned()));
        } else if !namespace.is_empty() {
            self.namespaces.push(namespace.to_owned());
        }
    }

    /// The policy of all these routes, also of those that are added later, where they don't say
    /// otherwise themselves.
    pub fn protect_all(mut self, policy: RoutePolicy) -> Self {
        self.all = policy.within(&self.all);
        self
    }

    /// Names the last route: for `{% url 'name' %}` and [`Names::reverse`](crate::names::Names::reverse).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if name.is_empty() || name.contains(':') {
            self.mistakes.push(RoutesError::Name(name.clone()));
        }
        self.last("name", |route| route.name = Some(name))
    }

    /// Answers requests for unknown paths, instead of a plain 404. It must change nothing: forgeries
    /// reach it. The site's state is not at hand; a closure may hold what it needs. Django:
    /// `handler404`.
    pub fn not_found<H: Handler<T, ()>, T: 'static>(mut self, handler: H) -> Self {
        self.not_found = Some(any(handler));
        self
    }

    /// What becomes of a path without the slash at the end that its route has. Without this call:
    /// [`TrailingSlash::Append`].
    pub fn trailing_slash(mut self, slash: TrailingSlash) -> Self {
        self.slash = slash;
        self
    }

    /// What the last route says of its own.
    pub fn protect(self, policy: RoutePolicy) -> Self {
        self.policy("protect", |before| policy.within(&before))
    }

    /// See [`RoutePolicy::csrf_exempt`].
    pub fn csrf_exempt(self) -> Self {
        self.policy("csrf_exempt", RoutePolicy::csrf_exempt)
    }

    /// See [`RoutePolicy::csrf_protect`].
    pub fn csrf_protect(self) -> Self {
        self.policy("csrf_protect", RoutePolicy::csrf_protect)
    }

    /// See [`RoutePolicy::ensure_csrf_cookie`].
    pub fn ensure_csrf_cookie(self) -> Self {
        self.policy("ensure_csrf_cookie", RoutePolicy::ensure_csrf_cookie)
    }

    /// See [`RoutePolicy::login_required`].
    pub fn login_required(self) -> Self {
        self.policy("login_required", RoutePolicy::login_required)
    }

    /// See [`RoutePolicy::permission_required`].
    pub fn permission_required(self, permission: impl Into<PermissionPolicy>) -> Self {
        self.policy("permission_required", |route| route.permission_required(permission))
    }

    /// See [`RoutePolicy::login_not_required`].
    pub fn login_not_required(self) -> Self {
        self.policy("login_not_required", RoutePolicy::login_not_required)
    }

    /// See [`RoutePolicy::xframe_deny`].
    pub fn xframe_deny(self) -> Self {
        self.policy("xframe_deny", RoutePolicy::xframe_deny)
    }

    /// See [`RoutePolicy::xframe_sameorigin`].
    pub fn xframe_sameorigin(self) -> Self {
        self.policy("xframe_sameorigin", RoutePolicy::xframe_sameorigin)
    }

    /// See [`RoutePolicy::xframe_exempt`].
    pub fn xframe_exempt(self) -> Self {
        self.policy("xframe_exempt", RoutePolicy::xframe_exempt)
    }

    /// See [`RoutePolicy::csp`].
    pub fn csp(self, policy: CspPolicy) -> Self {
        self.policy("csp", |route| route.csp(policy))
    }

    /// See [`RoutePolicy::csp_update`].
    pub fn csp_update(
        self,
        update: impl Fn(CspBuilder) -> CspBuilder + Send + Sync + 'static,
    ) -> Self {
        self.policy("csp_update", |route| route.csp_update(update))
    }

    /// See [`RoutePolicy::csp_exempt`].
    pub fn csp_exempt(self) -> Self {
        self.policy("csp_exempt", RoutePolicy::csp_exempt)
    }

    /// See [`RoutePolicy::csp_report_only`].
    pub fn csp_report_only(self, policy: CspPolicy) -> Self {
        self.policy("csp_report_only", |route| route.csp_report_only(policy))
    }

    /// See [`RoutePolicy::csp_report_only_update`].
    pub fn csp_report_only_update(
        self,
        update: impl Fn(CspBuilder) -> CspBuilder + Send + Sync + 'static,
    ) -> Self {
        self.policy("csp_report_only_update", |route| route.csp_report_only_update(update))
    }

    /// See [`RoutePolicy::csp_report_only_exempt`].
    pub fn csp_report_only_exempt(self) -> Self {
        self.policy("csp_report_only_exempt", RoutePolicy::csp_report_only_exempt)
    }

    /// See [`RoutePolicy::isolation_exempt`].
    pub fn isolation_exempt(self) -> Self {
        self.policy("isolation_exempt", RoutePolicy::isolation_exempt)
    }

    /// See [`RoutePolicy::cors`].
    pub fn cors(self, policy: CorsPolicy) -> Self {
        self.policy("cors", |route| route.cors(policy))
    }

    /// See [`RoutePolicy::cors_exempt`].
    pub fn cors_exempt(self) -> Self {
        self.policy("cors_exempt", RoutePolicy::cors_exempt)
    }

    fn policy(self, method: &'static str, change: impl FnOnce(RoutePolicy) -> RoutePolicy) -> Self {
        self.last(method, |route| route.policy = change(std::mem::take(&mut route.policy)))
    }

    /// A word that is about no route would protect none, unnoticed.
    fn last(mut self, method: &'static str, change: impl FnOnce(&mut Route<S>)) -> Self {
        match (&self.last, self.routes.last_mut()) {
            (Last::Route, Some(route)) => change(route),
            _ => self.mistakes.push(RoutesError::NoRoute(method)),
        }
        self
    }

    /// The table of these routes, and what protects each.
    ///
    /// # Errors
    /// As [`Routes::into_router`].
    pub fn table(&self) -> Result<RouteTable, RoutesErrors> {
        self.plan().map(|plan| plan.table)
    }

    fn plan(&self) -> Result<Plan, RoutesErrors> {
        let mut mistakes = self.mistakes.clone();
        mistakes.extend(repeated(&self.namespaces).map(RoutesError::NamespaceTaken));
        let (mut names, mut found) = (Names::default(), Paths::default());
        let (mut paths, mut infos) = (Vec::new(), Vec::new());
        for route in &self.routes {
            match found.add(&route.path) {
                Ok(path) => {
                    let info = route.info(&self.all, &path);
                    mistakes.extend(impossible_permissions(&info));
                    infos.push(info);
                    let taken = route.name.as_ref().filter(|name| !names.add(name, &path));
                    mistakes.extend(taken.cloned().map(RoutesError::NameTaken));
                    paths.push(path);
                }
                Err(error) => mistakes.push(error),
            }
        }
        match mistakes.is_empty() {
            true => Ok(Plan { names, table: RouteTable::new(infos, found), paths }),
            false => Err(RoutesErrors(mistakes)),
        }
    }

    /// The router: each route inside the stack, with these templates for its pages. It belongs at the
    /// root: nested in another, its addresses and its redirects would lack the prefix; see
    /// [`Routes::include`].
    ///
    /// # Errors
    /// [`RoutesErrors`]: everything that can't be.
    pub fn into_router(
        self,
        stack: Stack,
        templates: impl Into<PageTemplates>,
    ) -> Result<Router<S>, RoutesErrors> {
        let plan = self.plan()?;
        let templates: PageTemplates = templates.into();
        let current = templates.current();
        let site = Addresses(&plan.names);
        let refusals = ErrorPages::of(|name| match current.contains(name) {
            true => current.render(name, &Variables::new(), &site).map(Some),
            false => Ok(None),
        });
        let refusals = refusals.map_err(|error| RoutesErrors(vec![RoutesError::Page(error)]))?;
        let stack = stack.with_words(Arc::new(Pages::new(templates, plan.names)), refusals);
        let page = self.not_found.unwrap_or_else(plain_not_found);
        let layer = stack.for_route(&RoutePolicy::new().csrf_exempt());
        let layer =
            layer.map_err(|errors| RoutesErrors(vec![RoutesError::Csp("/".into(), errors)]))?;
        let unknown = unknown(layer, page, self.slash, plan.table);
        let mut mistakes = Vec::new();
        let mut router = Router::new();
        for (route, path) in self.routes.into_iter().zip(plan.paths) {
            let pattern = path.pattern();
            let layer = match stack.for_route(&route.policy.within(&self.all)) {
                Ok(layer) => layer,
                Err(errors) => {
                    mistakes.push(RoutesError::Csp(route.path, errors));
                    continue;
                }
            };
            // One call: each boxes the service once more.
            let handlers = match path.arguments() {
                0 => route.handlers.layer(layer),
                _ => route.handlers.layer((FitsLayer { path, unknown: unknown.clone() }, layer)),
            };
            router = router.route(&pattern, handlers);
        }
        match mistakes.is_empty() {
            true => Ok(router.fallback_service(unknown)),
            false => Err(RoutesErrors(mistakes)),
        }
    }
}

impl<S> Route<S> {
    fn info(&self, all: &RoutePolicy, path: &RoutePath) -> RouteInfo {
        RouteInfo {
            path: self.path.clone(),
            name: self.name.clone(),
            methods: Methods::of(&self.handlers),
            policy: self.policy.clone().within(all),
            example: path.example(),
        }
    }
}

/// The service of unknown paths: a page inside the stack, which gives no CSRF verdict.
fn unknown(
    layer: RouteLayer,
    page: MethodRouter,
    slash: TrailingSlash,
    table: RouteTable,
) -> Unknown {
    let slashed = CanonicalPolicy::default().append_slash(move |path| table.matches(path));
    Unknown::new(match slash {
        TrailingSlash::Append => page.layer((layer, SlashLayer(Arc::new(slashed)))),
        TrailingSlash::Leave => page.layer(layer),
    })
}

fn plain_not_found() -> MethodRouter {
    any(async || refuse::<Body>(StatusCode::NOT_FOUND, "Not Found\n"))
}

/// One slash between a prefix and a path.
fn joined(prefix: &str, path: &str) -> String {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    format!("{prefix}/{}", path.strip_prefix('/').unwrap_or(path))
}

fn scoped(namespace: &str, name: &str) -> String {
    match namespace {
        "" => name.to_owned(),
        _ => format!("{namespace}:{name}"),
    }
}

/// What the route demands and can be no permission.
fn impossible_permissions(info: &RouteInfo) -> Vec<RoutesError> {
    let Access::Permitted(policy) = info.policy.access() else { return Vec::new() };
    let mistake = |name: &str| RoutesError::Permission {
        path: info.path.clone(),
        permission: name.to_owned(),
    };
    policy.impossible().map(mistake).collect()
}

/// Each namespace that stands there again.
fn repeated(namespaces: &[String]) -> impl Iterator<Item = String> {
    let again = |(at, name): &(usize, &String)| namespaces[..*at].contains(name);
    namespaces.iter().enumerate().filter(again).map(|(_, name)| name.clone())
}
