//! The word that a log-in says to whoever must then draw new secrets.

use std::fmt;
use std::sync::Arc;

/// Something that holds a secret of the visitor, and can replace it.
pub trait Rotate: Send + Sync + 'static {
    /// Replaces the secret with the response to this request.
    fn rotate(&self);
}

/// Left in a request by the room that holds the secret (CSRF), and said by the room that logs users
/// in, so that what was planted before the log-in is worth nothing after it. Django:
/// `rotate_token(request)`.
#[derive(Clone)]
pub struct Rotation(Arc<dyn Rotate>);

impl Rotation {
    /// The word for this holder.
    #[must_use]
    pub fn new(holder: Arc<dyn Rotate>) -> Self {
        Self(holder)
    }

    /// Replaces the secret.
    pub fn rotate(&self) {
        self.0.rotate();
    }
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rotation(…)")
    }
}
