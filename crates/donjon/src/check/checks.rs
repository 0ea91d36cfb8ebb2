//! What is asked, and of which routes.

use donjon_core::secret::{KeyWeakness, Keys, SecretKey};
use http::Method;

use super::finding::When;
#[cfg(feature = "axum")]
use crate::routes::{Methods, RouteInfo};
use crate::stack::{CsrfRule, RoutePolicy};

/// What a route answers that answers all methods; CONNECT is for proxies.
#[cfg(feature = "axum")]
const ALL_METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
];

/// What is asked.
///
/// ```
/// use donjon::check::{Checks, Target};
/// use http::Method;
///
/// let checks = Checks::deploy()
///     .route(Target::new("/pay/", [Method::GET, Method::POST]))
///     .silence(["security.W021"]);
/// # let _ = checks;
/// ```
#[derive(Clone, Debug)]
pub struct Checks {
    pub(super) when: When,
    pub(super) silenced: Vec<String>,
    pub(super) routes: Vec<Target>,
    pub(super) keys: Option<Vec<Vec<KeyWeakness>>>,
}

impl Default for Checks {
    fn default() -> Self {
        Self::new()
    }
}

impl Checks {
    /// What is wrong wherever the site runs. Django: `check`.
    #[must_use]
    pub fn new() -> Self {
        Self { when: When::Always, silenced: Vec::new(), routes: Vec::new(), keys: None }
    }

    /// Also what is wrong for a site that goes live. Django: `check --deploy`.
    #[must_use]
    pub fn deploy() -> Self {
        Self { when: When::Deploy, ..Self::new() }
    }

    /// Counts these codes, and shows them no more. Django: `SILENCED_SYSTEM_CHECKS`.
    #[must_use]
    pub fn silence<C: Into<String>>(mut self, codes: impl IntoIterator<Item = C>) -> Self {
        self.silenced.extend(codes.into_iter().map(Into::into));
        self
    }

    /// Looks at this route too.
    #[must_use]
    pub fn route(mut self, route: impl Into<Target>) -> Self {
        self.routes.push(route.into());
        self
    }

    /// Looks at these routes too.
    #[must_use]
    pub fn routes<T: Into<Target>>(mut self, routes: impl IntoIterator<Item = T>) -> Self {
        self.routes.extend(routes.into_iter().map(Into::into));
        self
    }

    /// Looks at the keys that the site signs with. Without this call: at those of its accounts.
    #[must_use]
    pub fn keys(mut self, keys: &Keys) -> Self {
        self.keys = Some(keys.iter().map(SecretKey::weaknesses).collect());
        self
    }
}

/// A route, as far as a check needs to know it. Those of [`Routes`](crate::routes::Routes) are in their
/// table: `Checks::routes(table.iter())`.
#[derive(Clone, Debug)]
pub struct Target {
    path: String,
    example: String,
    methods: Vec<Method>,
    policy: RoutePolicy,
}

#[cfg(feature = "axum")]
impl From<&RouteInfo> for Target {
    fn from(route: &RouteInfo) -> Self {
        let methods = match &route.methods {
            Methods::Some(names) => names.iter().filter_map(|name| name.parse().ok()).collect(),
            Methods::Any => ALL_METHODS.to_vec(),
        };
        Self {
            path: route.path.clone(),
            example: route.example.clone(),
            methods,
            policy: route.policy.clone(),
        }
    }
}

impl Target {
    /// A route that answers these methods. Its path may have parameters, as axum (`{id}`, `{*rest}`) or
    /// Django (`<int:id>`) writes them; see [`Target::example`] for what is asked then.
    #[must_use]
    pub fn new(path: impl Into<String>, methods: impl IntoIterator<Item = Method>) -> Self {
        let path = path.into();
        Self {
            example: example(&path),
            path,
            methods: methods.into_iter().collect(),
            policy: RoutePolicy::new(),
        }
    }

    /// The route is exempt from the CSRF check.
    #[must_use]
    pub fn csrf_exempt(mut self) -> Self {
        self.policy = self.policy.csrf_exempt();
        self
    }

    /// What the route says of its own.
    #[must_use]
    pub fn policy(self, policy: RoutePolicy) -> Self {
        Self { policy, ..self }
    }

    /// Asks for this path instead of one with `1` for each parameter.
    #[must_use]
    pub fn example(mut self, path: impl Into<String>) -> Self {
        self.example = path.into();
        self
    }

    /// The path as the route was written.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    #[cfg(feature = "axum")]
    pub(super) fn answers(&self, method: &Method) -> bool {
        self.methods.contains(method)
    }

    /// The methods that may change something.
    pub(super) fn unsafe_methods(&self) -> impl Iterator<Item = &Method> {
        self.methods.iter().filter(|method| !is_safe(method))
    }

    pub(super) fn is_csrf_exempt(&self) -> bool {
        self.policy.csrf_rule() == CsrfRule::Exempt
    }

    pub(super) fn own_policy(&self) -> &RoutePolicy {
        &self.policy
    }

    #[cfg(feature = "axum")]
    pub(super) fn address(&self) -> &str {
        &self.example
    }
}

/// Methods that change nothing (RFC 9110, 9.2.1).
fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method)
}

/// A path that the template matches.
fn example(template: &str) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '<']) {
        let close = if rest[at..].starts_with('{') { '}' } else { '>' };
        let Some(length) = rest[at..].find(close) else { break };
        path.push_str(&rest[..at]);
        path.push_str(argument(&rest[at + 1..at + length]));
        rest = &rest[at + length + 1..];
    }
    path + rest
}

/// A value for a parameter: one that every converter but `uuid` takes.
fn argument(parameter: &str) -> &'static str {
    match parameter.split_once(':') {
        Some(("uuid", _)) => "00000000-0000-4000-8000-000000000000",
        _ => "1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_get_a_value() {
        for (template, path) in [
            ("/items/", "/items/"),
            ("/items/{id}/", "/items/1/"),
            ("/{a}/<int:b>/{*rest}", "/1/1/1"),
            ("/u/<uuid:key>", "/u/00000000-0000-4000-8000-000000000000"),
            ("/odd/{open", "/odd/{open"),
        ] {
            assert_eq!(example(template), path);
        }
    }

    #[test]
    fn what_changes_something() {
        let methods = [Method::GET, Method::POST, Method::HEAD, Method::DELETE];
        let target = Target::new("/", methods);
        assert_eq!(target.unsafe_methods().collect::<Vec<_>>(), [Method::POST, Method::DELETE]);
    }
}
