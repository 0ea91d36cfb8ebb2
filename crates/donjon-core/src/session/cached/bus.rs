//! How nodes tell each other what has changed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::KeyDigest;
use crate::session::{BoxFuture, StoreError};

/// Carries word of changed and deleted sessions to all nodes, this one included.
///
/// A bus sends itself a sign of life every [`HEARTBEAT`](super::HEARTBEAT) through the same channel
/// that carries the words, and passes it on by [`ChangeListener::heard`]: so silence shows.
pub trait ChangeBus: Send + Sync + 'static {
    /// Tells all nodes that the session of this key has changed or is gone.
    ///
    /// # Errors
    /// [`StoreError`] if it is not certain that the word was sent. It must come soon.
    fn publish<'a>(&'a self, digest: &'a KeyDigest) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Passes everything that comes to `listener`, from now on, in the order in which it came.
    fn listen(&self, listener: Arc<dyn ChangeListener>);
}

/// Who wants to hear of changes.
pub trait ChangeListener: Send + Sync + 'static {
    /// The session of this key has changed or is gone; for [`KeyDigest::EVERYTHING`] any may have.
    fn changed<'a>(&'a self, digest: &'a KeyDigest) -> BoxFuture<'a, ()>;

    /// The bus works: a sign of life came through.
    fn heard(&self) -> BoxFuture<'_, ()>;

    /// The bus is broken: words may have been lost.
    fn deaf(&self);
}

/// A [`ChangeBus`] inside of one process: for tests, and for several caches of one process.
///
/// It has no heartbeat: whoever holds it says [`MemoryBus::heard`].
#[derive(Clone, Default)]
pub struct MemoryBus(Arc<Mutex<Vec<Arc<dyn ChangeListener>>>>);

impl MemoryBus {
    /// Gives all listeners a sign of life.
    pub async fn heard(&self) {
        for listener in self.listeners() {
            listener.heard().await;
        }
    }

    /// Tells all listeners that words were lost.
    pub fn broken(&self) {
        self.listeners().iter().for_each(|listener| listener.deaf());
    }

    fn listeners(&self) -> Vec<Arc<dyn ChangeListener>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ChangeBus for MemoryBus {
    fn publish<'a>(&'a self, digest: &'a KeyDigest) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async {
            for listener in self.listeners() {
                listener.changed(digest).await;
            }
            Ok(())
        })
    }

    fn listen(&self, listener: Arc<dyn ChangeListener>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }
}

impl fmt::Debug for MemoryBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryBus").field(&self.listeners().len()).finish()
    }
}
