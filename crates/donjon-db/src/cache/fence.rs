//! What keeps an old answer out.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many fences there are. Entries that share one make each other's answers look old, which costs a
/// query.
const FENCES: usize = 4_096;

/// A number for each group of entries, that moves with every change of one of them. Who holds the lock is
/// alone with the group.
#[derive(Debug)]
pub(super) struct Fences(Box<[Mutex<u64>]>);

impl Default for Fences {
    fn default() -> Self {
        Self((0..FENCES).map(|_| Mutex::default()).collect())
    }
}

impl Fences {
    /// The fence of the entry that this number tells.
    pub(super) fn of(&self, number: u64) -> MutexGuard<'_, u64> {
        // The rest is less than the length, which a `usize` holds.
        lock(&self.0[(number % FENCES as u64) as usize])
    }

    /// Moves all of them.
    pub(super) fn move_all(&self) {
        self.0.iter().for_each(|fence| *lock(fence) += 1);
    }
}

fn lock(fence: &Mutex<u64>) -> MutexGuard<'_, u64> {
    // A number is whole whoever panicked.
    fence.lock().unwrap_or_else(PoisonError::into_inner)
}
