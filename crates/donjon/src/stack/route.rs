//! What one route says of its own, where it differs from its site.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, header};
use tower::layer::util::Identity;
use tower::util::{Either, option_layer};
use tower_layer::Layer;
use tower_service::Service;

use super::Stack;
use super::service::{Guarded, Rooms, StackLayer};
use crate::auth::{Guard, GuardLayer, PermissionPolicy};
use crate::cors::CorsPolicy;
use crate::csp::{CspBuilder, CspErrors, CspPolicies, CspPolicy};
use crate::csrf::{Csrf, CsrfLayer, CsrfRoute};
use crate::headers::Framing;
use crate::isolation::IsolationRoute;

/// What one route says of its own; where it says nothing, its include and then its site are heard.
///
/// ```
/// use std::convert::Infallible;
///
/// use axum::{Router, routing::post};
/// use donjon::stack::{RoutePolicy, Stack};
///
/// fn router(stack: &Stack) -> Result<Router, donjon::csp::CspErrors> {
///     let pay = stack.for_route(&RoutePolicy::new())?;
///     let hook = stack.for_route(&RoutePolicy::new().csrf_exempt())?;
///     Ok(Router::new()
///         .route("/pay/", post(async || "paid").layer(pay))
///         .route("/hook/", post(async || "heard").layer(hook)))
/// }
/// # let site = donjon_core::origin::SitePolicy::new(donjon_core::host::AllowedHosts::local());
/// # let _: Router = router(&Stack::new(site).build().unwrap()).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a policy protects nothing until a route has it"]
pub struct RoutePolicy {
    csrf: Option<CsrfRule>,
    csrf_cookie: Option<CsrfCookie>,
    access: Option<Access>,
    framing: Option<RouteFraming>,
    csp: Option<RouteCsp>,
    tried_csp: Option<RouteCsp>,
    cors: Option<RouteCors>,
    isolation: Option<IsolationRoute>,
}

/// Is a route checked for forgeries?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CsrfRule {
    /// Yes.
    #[default]
    Checked,
    /// No.
    Exempt,
}

/// When does a route set the CSRF cookie?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CsrfCookie {
    /// With a page that shows the token.
    #[default]
    Asked,
    /// With every response.
    Ensured,
}

/// Who may see a route?
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Everybody, unless the handler says otherwise.
    #[default]
    Everybody,
    /// Users who are logged in.
    Users,
    /// Users who have these permissions.
    Permitted(PermissionPolicy),
}

impl Access {
    /// What a route says, inside an include that says `outer`: what either demands, unless the route
    /// is for everybody. So a route that asks for a log-in does not open what needs a permission.
    fn within(self, outer: &Self) -> Self {
        match (self, outer) {
            (Self::Users, Self::Permitted(_)) => outer.clone(),
            (Self::Permitted(own), Self::Permitted(outer)) => Self::Permitted(own.with(outer)),
            (own, _) => own,
        }
    }

    fn layer(&self) -> Option<GuardLayer> {
        match self {
            Self::Everybody => None,
            Self::Users => Some(GuardLayer::users()),
            Self::Permitted(policy) => Some(GuardLayer::permitted(policy.clone())),
        }
    }
}

/// May other pages show a route in a frame?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RouteFraming {
    Allowed(Framing),
    Exempt,
}

#[derive(Clone)]
enum RouteCsp {
    Own(CspPolicy),
    Updated(Update),
    Exempt,
}

/// Makes a route's policy of its site's.
type Update = Arc<dyn Fn(CspBuilder) -> CspBuilder + Send + Sync>;

#[derive(Clone, Debug)]
enum RouteCors {
    Own(Box<CorsPolicy>),
    Exempt,
}

impl RoutePolicy {
    /// Says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks nothing: for requests that carry no cookies of a browser and prove themselves
    /// otherwise, as webhooks do. Django: `@csrf_exempt`.
    pub fn csrf_exempt(mut self) -> Self {
        self.csrf = Some(CsrfRule::Exempt);
        self
    }

    /// Refuses forgeries, also where the include is exempt. Django: `@csrf_protect`.
    pub fn csrf_protect(mut self) -> Self {
        self.csrf = Some(CsrfRule::Checked);
        self
    }

    /// Sets the CSRF cookie with every response: for pages whose scripts send the token though no
    /// form shows it. Django: `@ensure_csrf_cookie`.
    pub fn ensure_csrf_cookie(mut self) -> Self {
        self.csrf_cookie = Some(CsrfCookie::Ensured);
        self
    }

    /// Lets only users in; others are sent to the log-in page. Django: `@login_required`.
    pub fn login_required(self) -> Self {
        self.demand(Access::Users)
    }

    /// Lets only users with this permission in, `app.codename`, or with all those of a policy; visitors
    /// are sent to the log-in page, other users get a 403. What is demanded before, here or by an
    /// include, stays demanded. Django: `PermissionRequiredMixin`.
    ///
    /// ```
    /// use donjon::auth::PermissionPolicy;
    /// use donjon::stack::RoutePolicy;
    ///
    /// let desk = RoutePolicy::new().permission_required("bank.view_transfer");
    /// let both = PermissionPolicy::new("bank.add_transfer").and("bank.view_transfer").redirect();
    /// let till = RoutePolicy::new().permission_required(both);
    /// # let _ = (desk, till);
    /// ```
    pub fn permission_required(self, permission: impl Into<PermissionPolicy>) -> Self {
        self.demand(Access::Permitted(permission.into()))
    }

    fn demand(mut self, access: Access) -> Self {
        self.access = Some(access.within(&self.access()));
        self
    }

    /// Lets everybody in, also where the include is for users. Django: `@login_not_required`.
    pub fn login_not_required(mut self) -> Self {
        self.access = Some(Access::Everybody);
        self
    }

    /// No page may show this one in a frame: `X-Frame-Options: DENY`. Django: `@xframe_options_deny`.
    pub fn xframe_deny(mut self) -> Self {
        self.framing = Some(RouteFraming::Allowed(Framing::Deny));
        self
    }

    /// Pages of the same origin may show this one in a frame: `X-Frame-Options: SAMEORIGIN`. Browsers
    /// heed `frame-ancestors` first, which [`CspPolicy::strict`] has: change it with
    /// [`RoutePolicy::csp_update`] too. Django: `@xframe_options_sameorigin`.
    pub fn xframe_sameorigin(mut self) -> Self {
        self.framing = Some(RouteFraming::Allowed(Framing::SameOrigin));
        self
    }

    /// Sends no `X-Frame-Options`, so that `frame-ancestors` alone decides. Django:
    /// `@xframe_options_exempt`.
    pub fn xframe_exempt(mut self) -> Self {
        self.framing = Some(RouteFraming::Exempt);
        self
    }

    /// Sends this Content Security Policy instead of the site's. Django: `@csp_override`.
    pub fn csp(mut self, policy: CspPolicy) -> Self {
        self.csp = Some(RouteCsp::Own(policy));
        self
    }

    /// Sends the site's Content Security Policy with a change, which is made once, when the route is.
    /// django-csp: `@csp_update`.
    ///
    /// ```
    /// use donjon::csp::{Directive, Source};
    /// use donjon::stack::RoutePolicy;
    ///
    /// let map = RoutePolicy::new().csp_update(|site| site.allow(Directive::Img, Source::SELF));
    /// # let _ = map;
    /// ```
    pub fn csp_update(
        mut self,
        update: impl Fn(CspBuilder) -> CspBuilder + Send + Sync + 'static,
    ) -> Self {
        self.csp = Some(RouteCsp::Updated(Arc::new(update)));
        self
    }

    /// Sends no Content Security Policy. django-csp: `@csp_exempt`.
    pub fn csp_exempt(mut self) -> Self {
        self.csp = Some(RouteCsp::Exempt);
        self
    }

    /// Tries this Content Security Policy instead of the one that the site tries: browsers report what
    /// it would refuse. Django: `@csp_report_only_override`.
    pub fn csp_report_only(mut self, policy: CspPolicy) -> Self {
        self.tried_csp = Some(RouteCsp::Own(policy));
        self
    }

    /// Tries the site's tried policy with a change. django-csp: `@csp_update(REPORT_ONLY=True)`.
    pub fn csp_report_only_update(
        mut self,
        update: impl Fn(CspBuilder) -> CspBuilder + Send + Sync + 'static,
    ) -> Self {
        self.tried_csp = Some(RouteCsp::Updated(Arc::new(update)));
        self
    }

    /// Tries no policy. django-csp: `@csp_exempt(REPORT_ONLY=True)`.
    pub fn csp_report_only_exempt(mut self) -> Self {
        self.tried_csp = Some(RouteCsp::Exempt);
        self
    }

    /// Other sites may load the route with a visitor's cookies: for files and for what tells nothing of
    /// the visitor.
    pub fn isolation_exempt(mut self) -> Self {
        self.isolation = Some(IsolationRoute::Exempt);
        self
    }

    /// Lets these origins read, and no others. django-cors-headers has no such thing.
    pub fn cors(mut self, policy: CorsPolicy) -> Self {
        self.cors = Some(RouteCors::Own(Box::new(policy)));
        self
    }

    /// Lets no other origin read, also where the site does.
    pub fn cors_exempt(mut self) -> Self {
        self.cors = Some(RouteCors::Exempt);
        self
    }

    /// This policy, and where it says nothing, the include's.
    pub fn within(self, include: &Self) -> Self {
        Self {
            csrf: self.csrf.or(include.csrf),
            csrf_cookie: self.csrf_cookie.or(include.csrf_cookie),
            access: match (self.access, &include.access) {
                (Some(own), Some(outer)) => Some(own.within(outer)),
                (own, outer) => own.or_else(|| outer.clone()),
            },
            framing: self.framing.or(include.framing),
            csp: self.csp.or_else(|| include.csp.clone()),
            tried_csp: self.tried_csp.or_else(|| include.tried_csp.clone()),
            cors: self.cors.or_else(|| include.cors.clone()),
            isolation: self.isolation.or(include.isolation),
        }
    }

    /// Is the route checked for forgeries?
    #[must_use]
    pub fn csrf_rule(&self) -> CsrfRule {
        self.csrf.unwrap_or_default()
    }

    /// When does the route set the CSRF cookie?
    #[must_use]
    pub fn csrf_cookie(&self) -> CsrfCookie {
        self.csrf_cookie.unwrap_or_default()
    }

    /// Who may see the route?
    #[must_use]
    pub fn access(&self) -> Access {
        self.access.clone().unwrap_or_default()
    }

    /// What the route says of frames, for people.
    #[must_use]
    pub fn framing_words(&self) -> &'static str {
        match self.framing {
            None => SITE,
            Some(RouteFraming::Allowed(Framing::Deny)) => "deny",
            Some(RouteFraming::Allowed(Framing::SameOrigin)) => "same origin",
            Some(RouteFraming::Exempt) => EXEMPT,
        }
    }

    /// What the route says of the Content Security Policy, for people.
    #[must_use]
    pub fn csp_words(&self) -> &'static str {
        match self.csp {
            None => SITE,
            Some(RouteCsp::Own(_)) => OWN,
            Some(RouteCsp::Updated(_)) => "updated",
            Some(RouteCsp::Exempt) => EXEMPT,
        }
    }

    /// What the route says of other sites that load it, for people.
    #[must_use]
    pub fn isolation_words(&self) -> &'static str {
        match self.isolation {
            None => SITE,
            Some(IsolationRoute::Exempt) => EXEMPT,
        }
    }

    /// What the route says of other origins that read, for people.
    #[must_use]
    pub fn cors_words(&self) -> &'static str {
        match self.cors {
            None => SITE,
            Some(RouteCors::Own(_)) => OWN,
            Some(RouteCors::Exempt) => "nobody",
        }
    }

    /// Does the route say who may show it in a frame, other than nobody?
    pub(crate) fn opens_frames(&self) -> bool {
        matches!(
            self.framing,
            Some(RouteFraming::Exempt | RouteFraming::Allowed(Framing::SameOrigin))
        )
    }

    /// May other sites load the route, whatever its site says?
    pub(crate) fn is_isolation_exempt(&self) -> bool {
        self.isolation == Some(IsolationRoute::Exempt)
    }

    fn changes_rooms(&self) -> bool {
        self.framing.is_some()
            || self.csp.is_some()
            || self.tried_csp.is_some()
            || self.cors.is_some()
            || self.isolation.is_some()
    }

    fn change(&self, rooms: &mut Rooms) -> Result<(), CspErrors> {
        self.change_framing(rooms);
        rooms.csp = self.changed_csp(&rooms.csp)?;
        if self.isolation.is_some() {
            rooms.isolation = None;
        }
        match &self.cors {
            Some(RouteCors::Own(policy)) => rooms.cors = Some(CorsPolicy::clone(policy)),
            Some(RouteCors::Exempt) => rooms.cors = None,
            None => {}
        }
        Ok(())
    }

    fn change_framing(&self, rooms: &mut Rooms) {
        let headers = rooms.headers.clone();
        match self.framing {
            Some(RouteFraming::Allowed(framing)) => rooms.headers = headers.framing(framing),
            Some(RouteFraming::Exempt) => {
                rooms.headers = headers.danger_without(&header::X_FRAME_OPTIONS);
            }
            None => {}
        }
    }

    fn changed_csp(&self, site: &CspPolicies) -> Result<CspPolicies, CspErrors> {
        let mut policies = site.clone();
        if let Some(change) = &self.csp {
            policies = policies.enforcing(change.of(site.enforced_policy())?);
        }
        if let Some(change) = &self.tried_csp {
            policies = policies.trying(change.of(site.report_only_policy())?);
        }
        Ok(policies)
    }
}

impl RouteCsp {
    /// The route's policy, made of its site's.
    fn of(&self, site: Option<&CspPolicy>) -> Result<Option<CspPolicy>, CspErrors> {
        match self {
            Self::Own(policy) => Ok(Some(policy.clone())),
            Self::Updated(update) => site.map(|site| update(site.update()).build()).transpose(),
            Self::Exempt => Ok(None),
        }
    }
}

/// How a table shows what a route leaves to its site, says for itself, and goes without.
const SITE: &str = "site";
const OWN: &str = "own";
const EXEMPT: &str = "exempt";

impl fmt::Debug for RouteCsp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(policy) => f.debug_tuple("Own").field(policy).finish(),
            Self::Updated(_) => f.write_str("Updated"),
            Self::Exempt => f.write_str("Exempt"),
        }
    }
}

impl fmt::Display for CsrfRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Checked => "checked",
            Self::Exempt => EXEMPT,
        })
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.pad("everybody"),
            Self::Users => f.pad("users"),
            Self::Permitted(policy) => policy.fmt(f),
        }
    }
}

impl Stack {
    /// The stack as a route of this policy has it, for the room that judges it.
    ///
    /// # Errors
    /// As [`Stack::for_route`].
    pub(crate) fn as_route(&self, policy: &RoutePolicy) -> Result<Self, CspErrors> {
        Ok(Self(self.0.changed(|rooms| policy.change(rooms))?))
    }

    /// The layer for one route of this policy: the stack, and what the route says of its own. The
    /// route must not be inside [`Stack::into_layer`] too, which would hear nothing of it.
    ///
    /// # Errors
    /// [`CspErrors`] for an update that makes a Content Security Policy which defeats itself.
    pub fn for_route(&self, policy: &RoutePolicy) -> Result<RouteLayer, CspErrors> {
        let exempt = policy.csrf_rule() == CsrfRule::Exempt;
        let ensured = policy.csrf_cookie() == CsrfCookie::Ensured;
        Ok(RouteLayer {
            mark: exempt.then_some(CsrfRoute::Exempt),
            stack: match policy.changes_rooms() {
                true => self.0.changed(|rooms| policy.change(rooms))?,
                false => self.0.clone(),
            },
            cookie: option_layer(ensured.then(|| self.0.csrf().ensuring_cookie())),
            access: option_layer(policy.access().layer()),
        })
    }
}

/// The tower layer of one route: see [`Stack::for_route`].
#[derive(Clone)]
pub struct RouteLayer {
    mark: Option<CsrfRoute>,
    stack: StackLayer,
    cookie: Either<CsrfLayer, Identity>,
    access: Either<GuardLayer, Identity>,
}

type Admitted<S> = Either<Guard<S>, S>;

impl<S> Layer<S> for RouteLayer {
    type Service = Marked<Guarded<Either<Csrf<Admitted<S>>, Admitted<S>>>>;

    fn layer(&self, handler: S) -> Self::Service {
        let admitted = self.access.layer(handler);
        Marked { mark: self.mark, inner: self.stack.layer(self.cookie.layer(admitted)) }
    }
}

/// A service whose requests carry the route's word on CSRF.
#[derive(Clone)]
pub struct Marked<S> {
    mark: Option<CsrfRoute>,
    inner: S,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Marked<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(mark) = self.mark {
            request.extensions_mut().insert(mark);
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_4_a_route_is_heard_before_its_include() {
        let include = RoutePolicy::new().csrf_exempt().login_required().csp_exempt();
        let silent = RoutePolicy::new().within(&include);
        assert_eq!(silent.csrf_rule(), CsrfRule::Exempt);
        assert_eq!(silent.access(), Access::Users);
        assert_eq!(silent.csp_words(), "exempt");
        let own = RoutePolicy::new().csrf_protect().login_not_required().csp(CspPolicy::strict());
        let own = own.within(&include);
        assert_eq!(own.csrf_rule(), CsrfRule::Checked);
        assert_eq!(own.access(), Access::Everybody);
        assert_eq!(own.csp_words(), "own");
    }

    #[test]
    fn rule_4_a_permission_that_is_demanded_stays_demanded() {
        let (desk, till) = ("bank.view_desk", "bank.use_till");
        let demand = |permission| RoutePolicy::new().permission_required(permission);
        let words = |policy: RoutePolicy| policy.access().to_string();
        let include = demand(desk);
        assert_eq!(words(RoutePolicy::new().within(&include)), desk);
        assert_eq!(words(RoutePolicy::new().login_required().within(&include)), desk);
        assert_eq!(words(RoutePolicy::new().login_not_required().within(&include)), "everybody");
        assert_eq!(words(demand(till).within(&include)), "bank.use_till, bank.view_desk");
        assert_eq!(words(demand(till).login_required()), till);
        assert_eq!(words(demand(till).permission_required(till)), till);
        assert_eq!(words(demand(till).permission_required(desk)), "bank.view_desk, bank.use_till");
        assert_eq!(words(demand(till).within(&RoutePolicy::new().login_required())), till);
    }

    #[test]
    fn rule_4_a_route_that_says_nothing_is_protected() {
        let policy = RoutePolicy::new();
        assert_eq!(policy.csrf_rule(), CsrfRule::Checked);
        assert!(!policy.changes_rooms());
        assert_eq!(
            (policy.framing_words(), policy.csp_words(), policy.cors_words()),
            ("site", "site", "site")
        );
    }
}
