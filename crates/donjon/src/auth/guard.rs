//! Pages for some users only (Django: `login_required`, `permission_required`, `user_passes_test`).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use donjon_core::account::User;
use donjon_core::event::Event;
use donjon_core::visit::word;
use http::request::Parts;
use http::{Request, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tower_layer::Layer;
use tower_service::Service;

use super::identity::{Auth, AuthError};
use super::permission::{Lacking, PermissionPolicy};
use super::policy::AuthPolicy;
use crate::rejection::{redirect, refuse};
use crate::session;

/// What Python's `quote` leaves as it is, and the slash.
const QUOTED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'_').remove(b'.').remove(b'-').remove(b'~');

/// The log-in page, with the way back to `uri`. Django: `redirect_to_login`.
#[must_use]
pub fn login_address(policy: &AuthPolicy, uri: &Uri) -> String {
    let back = uri.path_and_query().map_or("/", |path| path.as_str());
    let joint = if policy.login_url.contains('?') { '&' } else { '?' };
    format!(
        "{}{joint}{}={}",
        policy.login_url,
        policy.next_field,
        utf8_percent_encode(back, QUOTED)
    )
}

/// The refusal for an error of [`Auth`], which the log has in full.
pub(super) fn failure<R: From<Bytes>>(error: &AuthError, path: &str) -> Response<R> {
    if let AuthError::Session(error) = error {
        return session::layer::failure(error, path);
    }
    Event::AccountsFailed { error }.emit();
    refuse(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable\n")
}

/// Sends visitors who are not logged in to the log-in page. Goes inside [`AuthLayer`](super::AuthLayer).
/// Django: `@login_required`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoginRequiredLayer;

impl<S> Layer<S> for LoginRequiredLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { rule: Rule::Users, inner }
    }
}

/// Lets in who has these permissions; visitors who are not logged in are sent to the log-in page.
/// Goes inside [`AuthLayer`](super::AuthLayer). Django: `PermissionRequiredMixin`.
#[derive(Clone, Debug)]
pub struct PermissionRequiredLayer(PermissionPolicy);

impl PermissionRequiredLayer {
    /// Demands this: one permission as text, `app.codename`, or a policy.
    pub fn new(policy: impl Into<PermissionPolicy>) -> Self {
        Self(policy.into())
    }
}

impl<S> Layer<S> for PermissionRequiredLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { rule: Rule::Permitted(self.0.clone()), inner }
    }
}

/// Lets in the users who pass a test; others get a 403, and visitors who are not logged in are sent to
/// the log-in page. Goes inside [`AuthLayer`](super::AuthLayer). Django: `@user_passes_test`, which
/// asks the test about visitors too, and sends users to the log-in page.
///
/// ```
/// use axum::routing::get;
/// use donjon::auth::UserPassesTestLayer;
/// use donjon::routes::Routes;
///
/// let staff = UserPassesTestLayer::new(|user| user.is_staff);
/// let routes = Routes::<()>::new().path("/desk/", get(async || "the desk").layer(staff));
/// # let _ = routes;
/// ```
#[derive(Clone)]
pub struct UserPassesTestLayer(Test);

/// Asked about a user.
type Test = Arc<dyn Fn(&User) -> bool + Send + Sync>;

impl UserPassesTestLayer {
    /// Asks `test` about the user of every request.
    pub fn new(test: impl Fn(&User) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(test))
    }
}

impl<S> Layer<S> for UserPassesTestLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { rule: Rule::Passing(Arc::clone(&self.0)), inner }
    }
}

/// Any of the layers above, for a route.
#[derive(Clone)]
pub(crate) struct GuardLayer(Rule);

impl GuardLayer {
    pub(crate) fn users() -> Self {
        Self(Rule::Users)
    }

    pub(crate) fn permitted(policy: PermissionPolicy) -> Self {
        Self(Rule::Permitted(policy))
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { rule: self.0.clone(), inner }
    }
}

/// The service of the layers that let in some users only.
#[derive(Clone)]
pub struct Guard<S> {
    rule: Rule,
    inner: S,
}

/// Who is let in.
#[derive(Clone)]
enum Rule {
    Users,
    Permitted(PermissionPolicy),
    Passing(Test),
}

impl<S, B, R> Service<Request<B>> for Guard<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<Bytes> + Send,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (rule, clone) = (self.rule.clone(), self.inner.clone());
        // The service that was found ready; the clone, which may not be, takes its place.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let (parts, body) = request.into_parts();
        Box::pin(async move {
            match rule.admit(&parts).await {
                Some(refusal) => Ok(refusal),
                None => inner.call(Request::from_parts(parts, body)).await,
            }
        })
    }
}

impl Rule {
    /// The refusal, if the visitor is not let in.
    async fn admit<R: From<Bytes>>(&self, parts: &Parts) -> Option<Response<R>> {
        let Some(auth) = word::<Auth>(&parts.extensions) else {
            Event::Misconfigured {
                problem: &"a route is for users, and no auth layer is outside of it",
            }
            .emit();
            return Some(refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n"));
        };
        match self.verdict(&auth).await {
            Ok(Verdict::Admitted) => None,
            Ok(Verdict::Stranger) => Some(redirect(StatusCode::FOUND, &auth.login_address())),
            Ok(Verdict::Denied(user)) => Some(self.deny(&auth, &user, parts.uri.path())),
            Err(error) => Some(failure(&error, parts.uri.path())),
        }
    }

    async fn verdict(&self, auth: &Auth) -> Result<Verdict, AuthError> {
        let Some(user) = auth.user().await? else { return Ok(Verdict::Stranger) };
        let passes = match self {
            Self::Users => true,
            Self::Permitted(policy) => auth.has_perms(policy.iter()).await?,
            Self::Passing(test) => test(&user),
        };
        Ok(if passes { Verdict::Admitted } else { Verdict::Denied(user) })
    }

    fn deny<R: From<Bytes>>(&self, auth: &Auth, user: &User, path: &str) -> Response<R> {
        Event::AccessDenied { username: &user.username, demanded: self, path }.emit();
        match self {
            Self::Permitted(policy) if policy.lacking() == Lacking::SentToLogIn => {
                redirect(StatusCode::FOUND, &auth.login_address())
            }
            _ => refuse(StatusCode::FORBIDDEN, "Forbidden\n"),
        }
    }
}

enum Verdict {
    Admitted,
    Stranger,
    Denied(Arc<User>),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Users => f.write_str("a log-in"),
            Self::Permitted(policy) => policy.fmt(f),
            Self::Passing(_) => f.write_str("a test"),
        }
    }
}

#[cfg(test)]
mod tests {
    use donjon_core::secret::Keys;

    use super::*;

    #[test]
    fn rule_6_the_way_back_is_quoted() {
        let policy = AuthPolicy::new(&Keys::new("key"));
        let address = |uri| login_address(&policy, &Uri::from_static(uri));
        assert_eq!(address("/a/b?c=d&e"), "/accounts/login/?next=/a/b%3Fc%3Dd%26e");
        let other = AuthPolicy::new(&Keys::new("key")).login_url("/in/?a=b").next_field("to");
        assert_eq!(login_address(&other, &Uri::from_static("/x")), "/in/?a=b&to=/x");
    }
}
