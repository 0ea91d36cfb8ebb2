//! What one request knows of its secret.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use donjon_core::cookie::Https;
use donjon_core::session::{Rotate, Rotation, Session};

use super::decision::Stored;
use super::policy::{CsrfPolicy, Tokens};
use super::token::CsrfSecret;

/// Makes the tokens of one request's pages; clones make them of the same secret.
///
/// The layer leaves it in the request's extensions. A response for which a token was made sets the
/// cookie and varies with it.
#[derive(Clone, Debug)]
pub struct CsrfToken(pub(super) Arc<Cell>);

/// The secret of a request, shared by its layers and its handler.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) policy: Arc<CsrfPolicy>,
    pub(super) https: Https,
    /// The session's key as it was sent; empty without one. Only bound tokens have a use for it.
    session_key: String,
    session: Option<Session>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stored: Stored,
    secret: Option<CsrfSecret>,
    update: bool,
    checked: bool,
}

impl CsrfToken {
    /// A token for a form or a header: the secret under a fresh mask. Django: `get_token(request)`.
    #[must_use]
    pub fn mint(&self) -> String {
        let Some(secret) = self.0.needed() else { return CsrfSecret::mask_alone() };
        match &self.0.policy.tokens {
            Tokens::MaskedOrPlain => secret.mask(),
            Tokens::BoundToSession(_) => self.0.with_session_key(|key| secret.bound_to(key)).mask(),
        }
    }

    /// The word by which a log-in rotates this secret.
    pub(crate) fn rotation(&self) -> Rotation {
        self.0.rotation()
    }

    /// Draws a new secret, which the response sets. Django: `rotate_token(request)`.
    pub fn rotate(&self) {
        self.0.rotate();
    }
}

impl Rotate for Cell {
    fn rotate(&self) {
        let mut state = self.state();
        state.secret = Some(CsrfSecret::random());
        state.update = true;
    }
}

impl Cell {
    /// What a request begins with. A broken secret is replaced with the response, unless the policy
    /// leaves it.
    pub(super) fn new(
        policy: Arc<CsrfPolicy>,
        https: Https,
        session_key: String,
        session: Option<Session>,
        stored: Stored,
    ) -> Self {
        let (secret, update) = match &stored {
            Stored::Missing => (None, false),
            broken if policy.leaves(broken) => (None, false),
            Stored::Malformed(_) => (Some(CsrfSecret::random()), true),
            Stored::Secret(secret) => (Some(secret.clone()), false),
        };
        let state = Mutex::new(State { stored, secret, update, checked: false });
        Self { policy, https, session_key, session, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the state is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secret that the request came with.
    pub(super) fn stored(&self) -> Stored {
        self.state().stored.clone()
    }

    /// Came the request with a secret, or with a session to bind its tokens to?
    pub(super) fn has_secret(&self) -> bool {
        !self.session_key.is_empty() || !matches!(self.state().stored, Stored::Missing)
    }

    /// The rotation of this secret, for whoever logs in.
    pub(super) fn rotation(self: &Arc<Self>) -> Rotation {
        Rotation::new(Arc::clone(self) as _)
    }

    /// The session's key that the request came with.
    pub(super) fn sent_session_key(&self) -> &str {
        &self.session_key
    }

    /// Was the request found good already, by this layer or one outside?
    pub(super) fn is_checked(&self) -> bool {
        self.state().checked
    }

    pub(super) fn mark_checked(&self) {
        self.state().checked = true;
    }

    /// The secret, which the response then sets; none only if the policy leaves a broken one.
    fn needed(&self) -> Option<CsrfSecret> {
        let mut state = self.state();
        if state.secret.is_none() && self.policy.leaves(&state.stored) {
            return None;
        }
        state.update = true;
        Some(state.secret.get_or_insert_with(CsrfSecret::random).clone())
    }

    /// Makes sure that the response sets the secret.
    pub(super) fn ensure(&self) {
        self.needed();
    }

    /// The secret that the response must set, if it must; asks once.
    pub(super) fn take_update(&self) -> Option<CsrfSecret> {
        let mut state = self.state();
        let update = std::mem::take(&mut state.update);
        update.then(|| state.secret.clone()).flatten()
    }

    /// The session's key as it stands: a log-in changes it.
    fn with_session_key<T>(&self, act: impl FnOnce(&str) -> T) -> T {
        match &self.session {
            Some(session) => {
                let key = session.key();
                act(key.as_ref().map_or("", |key| key.expose()))
            }
            None => act(&self.session_key),
        }
    }
}
