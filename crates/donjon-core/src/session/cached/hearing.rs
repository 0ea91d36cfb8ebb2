//! What a node knows of its bus.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{ChangeBus, ChangeListener, KeyDigest, SessionCache, tell, tell_failure};
use crate::clock::Clock;
use crate::session::BoxFuture;

/// How often a bus gives a sign of life.
pub const HEARTBEAT: Duration = Duration::from_millis(250);

/// How long a bus may be silent before its node believes no cached session: three signs of life missed.
pub const DEAF_AFTER: Duration = Duration::from_millis(750);

/// How many words that could not be sent are kept.
pub const MAX_UNSENT: usize = 1024;

/// No time at all: nothing was heard yet, or the bus broke.
const NEVER: i64 = i64::MIN;

/// The ear of one cache, and the words that it could not send.
pub(super) struct Hearing<C> {
    cache: Arc<C>,
    bus: Arc<dyn ChangeBus>,
    clock: Clock,
    /// When the last sign of life came, in microseconds since 1970.
    heard: AtomicI64,
    /// How often the bus broke: a sign of life that was under way meanwhile does not count.
    breaks: AtomicI64,
    unsent: Mutex<Vec<KeyDigest>>,
}

impl<C: SessionCache> Hearing<C> {
    pub(super) fn new(cache: Arc<C>, bus: Arc<dyn ChangeBus>, clock: Clock) -> Self {
        let (heard, breaks) = (AtomicI64::new(NEVER), AtomicI64::new(0));
        Self { cache, bus, clock, heard, breaks, unsent: Mutex::default() }
    }

    /// Was the bus heard lately? A clock that was set back counts as silence until the next sign.
    pub(super) fn hears(&self) -> bool {
        let heard = self.heard.load(Ordering::SeqCst);
        let silence = self.clock.now().micros().checked_sub(heard);
        silence.is_some_and(|micros| (0..=DEAF_AFTER.as_micros() as i64).contains(&micros))
    }

    /// Tells the other nodes, now or when the bus is heard again.
    pub(super) async fn publish(&self, digest: KeyDigest) {
        if let Err(error) = self.bus.publish(&digest).await {
            tell(&error);
            keep(&mut self.unsent(), digest);
        }
    }

    /// Tells the other nodes when the bus is heard next.
    pub(super) fn publish_later(&self, digest: KeyDigest) {
        keep(&mut self.unsent(), digest);
    }

    fn unsent(&self) -> MutexGuard<'_, Vec<KeyDigest>> {
        // No code panics while it holds the lock.
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send_unsent(&self) {
        let unsent = std::mem::take(&mut *self.unsent());
        let mut left = unsent.into_iter();
        while let Some(digest) = left.next() {
            if self.bus.publish(&digest).await.is_err() {
                let mut unsent = self.unsent();
                std::iter::once(digest).chain(left).for_each(|digest| keep(&mut unsent, digest));
                return;
            }
        }
    }
}

/// Rule 6.
fn keep(unsent: &mut Vec<KeyDigest>, digest: KeyDigest) {
    if unsent.len() >= MAX_UNSENT {
        *unsent = vec![KeyDigest::EVERYTHING];
    } else if unsent.first() != Some(&KeyDigest::EVERYTHING) {
        unsent.push(digest);
    }
}

impl<C: SessionCache> ChangeListener for Hearing<C> {
    fn changed<'a>(&'a self, digest: &'a KeyDigest) -> BoxFuture<'a, ()> {
        Box::pin(async {
            tell_failure(match *digest {
                KeyDigest::EVERYTHING => self.cache.forget_all().await,
                _ => self.cache.forget(digest).await,
            });
        })
    }

    fn heard(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let breaks = self.breaks.load(Ordering::SeqCst);
            if !self.hears()
                && let Err(error) = self.cache.forget_all().await
            {
                return tell(&error);
            }
            self.heard.store(self.clock.now().micros(), Ordering::SeqCst);
            if self.breaks.load(Ordering::SeqCst) != breaks {
                self.heard.store(NEVER, Ordering::SeqCst);
            }
            self.send_unsent().await;
        })
    }

    fn deaf(&self) {
        self.breaks.fetch_add(1, Ordering::SeqCst);
        self.heard.store(NEVER, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionKey;

    #[test]
    fn rule_6_too_many_words_become_one() {
        let mut unsent = Vec::new();
        for _ in 0..MAX_UNSENT {
            keep(&mut unsent, KeyDigest::of(&SessionKey::random()));
        }
        assert_eq!(unsent.len(), MAX_UNSENT);
        for _ in 0..3 {
            keep(&mut unsent, KeyDigest::of(&SessionKey::random()));
            assert_eq!(unsent, [KeyDigest::EVERYTHING]);
        }
    }
}
