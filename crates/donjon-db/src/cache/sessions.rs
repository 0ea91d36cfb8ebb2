//! Sessions in this process's memory, in front of a database.

use std::fmt;
use std::time::Duration;

use donjon_core::session::cached::{KeyDigest, SessionCache, Since};
use donjon_core::session::{SessionKey, StoreError, Stored, Version};
use moka::sync::Cache;

use super::fence::Fences;

/// How many bytes of sessions are held: some hundred thousand small ones.
pub const CACHE_CAPACITY: u64 = 64 * 1024 * 1024;

/// How long a copy is believed, in case that somebody changes the database who tells nobody: Django, or
/// an administrator.
pub const CACHE_LIFE: Duration = Duration::from_secs(60);

/// What an entry weighs beside its texts: the map's, the eviction policy's and the allocator's share.
const OVERHEAD: usize = 400;

/// A [`SessionCache`] in this process. With more than one process
/// [`CachedSessions`](donjon_core::session::cached::CachedSessions) needs a bus beside it.
///
/// It holds digests of keys, not keys.
pub struct ProcessCache {
    copies: Cache<KeyDigest, Stored>,
    fences: Fences,
}

impl Default for ProcessCache {
    fn default() -> Self {
        Self::new(CACHE_CAPACITY, CACHE_LIFE)
    }
}

impl ProcessCache {
    /// Holds at most so many bytes, each copy at most so long.
    #[must_use]
    pub fn new(capacity: u64, life: Duration) -> Self {
        let copies = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_, stored: &Stored| u32::try_from(weight(stored)).unwrap_or(u32::MAX))
            .time_to_live(life)
            .build();
        Self { copies, fences: Fences::default() }
    }

    /// How many bytes it holds, as far as it has counted them.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.copies.run_pending_tasks();
        self.copies.weighted_size()
    }
}

fn weight(stored: &Stored) -> usize {
    let version = match &stored.version {
        Version::Number(_) => 0,
        Version::Text(text) => text.len(),
    };
    OVERHEAD + stored.record.data.weight() + version
}

/// The digest is random, so that any of its bytes spread entries evenly.
fn number(digest: &KeyDigest) -> u64 {
    digest.bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl SessionCache for ProcessCache {
    async fn get(&self, key: &SessionKey) -> Result<Option<Stored>, StoreError> {
        Ok(self.copies.get(&KeyDigest::of(key)))
    }

    fn moment(&self, key: &SessionKey) -> u64 {
        *self.fences.of(number(&KeyDigest::of(key)))
    }

    async fn put(
        &self,
        key: &SessionKey,
        stored: &Stored,
        since: &Since,
    ) -> Result<(), StoreError> {
        let digest = KeyDigest::of(key);
        let mut moment = self.fences.of(number(&digest));
        if *moment == since.moment {
            self.copies.insert(digest, stored.clone());
        } else if since.over.is_some() {
            // Somebody else wrote meanwhile, and who was last only the database knows.
            self.copies.invalidate(&digest);
        } else {
            return Ok(());
        }
        *moment += 1;
        Ok(())
    }

    async fn forget(&self, digest: &KeyDigest) -> Result<(), StoreError> {
        let mut moment = self.fences.of(number(digest));
        *moment += 1;
        self.copies.invalidate(digest);
        Ok(())
    }

    async fn forget_all(&self) -> Result<(), StoreError> {
        self.fences.move_all();
        self.copies.invalidate_all();
        Ok(())
    }
}

impl fmt::Debug for ProcessCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessCache").field("copies", &self.copies.entry_count()).finish()
    }
}
