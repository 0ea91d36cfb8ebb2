//! The tower layer.

use std::sync::Arc;
use std::task::{Context, Poll};

use donjon_core::account::DynAccountStore;
use donjon_core::origin::Site;
use donjon_core::session::{DynUserSessions, Rotation, Session};
use donjon_core::visit::word;
use http::{HeaderMap, Request, Uri};
use tower_layer::Layer;
use tower_service::Service;

use super::identity::{Auth, AuthContext};
use super::policy::AuthPolicy;
use super::sessions::{Device, SessionList};

/// Leaves an [`Auth`] in every request. Goes inside the layers of sessions and CSRF.
#[derive(Clone)]
pub struct AuthLayer(Arc<AuthContext>);

impl AuthLayer {
    /// The visitor of this session, who asked for `asked`.
    pub(crate) fn visitor(
        &self,
        session: Session,
        rotation: Option<Rotation>,
        device: Device,
        asked: Uri,
    ) -> Auth {
        Auth::new(Arc::clone(&self.0), session, rotation, device, asked)
    }

    /// What a request tells of its browser, where somebody wants to know.
    pub(crate) fn device(
        &self,
        headers: &HeaderMap,
        site: impl FnOnce() -> Option<Site>,
    ) -> Device {
        self.0.device(headers, site)
    }

    /// Users of this store, recognised by this policy.
    #[must_use]
    pub fn new(policy: AuthPolicy, accounts: Arc<dyn DynAccountStore>) -> Self {
        Self(Arc::new(AuthContext { policy, accounts, list: None }))
    }

    /// The same, and each user's sessions are listed here: see [`Auth::sessions`].
    #[must_use]
    pub fn user_sessions(self, list: Arc<dyn DynUserSessions>) -> Self {
        let AuthContext { policy, accounts, .. } = &*self.0;
        let (policy, accounts) = (policy.clone(), Arc::clone(accounts));
        let list = Some(SessionList::new(list));
        Self(Arc::new(AuthContext { policy, accounts, list }))
    }
}

impl AuthLayer {
    /// How users are recognised.
    pub(crate) fn policy(&self) -> &AuthPolicy {
        &self.0.policy
    }
}

impl AuthContext {
    fn device(&self, headers: &HeaderMap, site: impl FnOnce() -> Option<Site>) -> Device {
        self.list.as_ref().map(|_| Device::of(headers, site().as_ref())).unwrap_or_default()
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auths<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Auths { context: Arc::clone(&self.0), inner }
    }
}

/// The service of [`AuthLayer`].
#[derive(Clone)]
pub struct Auths<S> {
    context: Arc<AuthContext>,
    inner: S,
}

impl<S, B> Service<Request<B>> for Auths<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let asked = request.uri().clone();
        let site = || word(request.extensions());
        let device = self.context.device(request.headers(), site);
        let extensions = request.extensions_mut();
        // Without a session nobody can be recognised: whoever asks for the user then gets a 500.
        if let Some(session) = word::<Session>(extensions) {
            let rotation = word(extensions);
            let auth = Auth::new(Arc::clone(&self.context), session, rotation, device, asked);
            extensions.insert(auth);
        }
        self.inner.call(request)
    }
}
