//! Clearing what has expired, in batches.

use std::pin::pin;
use std::task::Poll;

use super::{DynSessionStore, DynUserSessions, StoreError};
use crate::clock::UnixTime;

/// How many rows go at once: a batch holds a database's lock for some milliseconds.
pub const CLEAR_BATCH: usize = 1_000;

/// Removes every session that expired before `now`, in batches of [`CLEAR_BATCH`], and tells how many
/// there were. Between batches others have their turn, and `progress` hears how many are gone so far.
/// Django: `clearsessions`.
///
/// # Errors
/// The [`StoreError`] of the batch that failed; those before it are gone.
pub async fn clear_expired(
    store: &dyn DynSessionStore,
    now: UnixTime,
    progress: impl FnMut(usize),
) -> Result<usize, StoreError> {
    in_batches(async || store.clear_expired(now, CLEAR_BATCH).await, progress).await
}

/// Takes every session that was over before `now` out of the lists of users, as [`clear_expired`] does.
///
/// # Errors
/// As [`clear_expired`].
pub async fn clear_unlisted(
    list: &dyn DynUserSessions,
    now: UnixTime,
    progress: impl FnMut(usize),
) -> Result<usize, StoreError> {
    in_batches(async || list.clear_expired(now, CLEAR_BATCH).await, progress).await
}

async fn in_batches(
    batch: impl AsyncFn() -> Result<usize, StoreError>,
    mut progress: impl FnMut(usize),
) -> Result<usize, StoreError> {
    let mut cleared = 0;
    loop {
        let batch = batch().await?;
        cleared += batch;
        progress(cleared);
        if batch < CLEAR_BATCH {
            return Ok(cleared);
        }
        others_turn().await;
    }
}

/// Ready when it is asked the second time.
async fn others_turn() {
    let mut asked = false;
    let mut turn = pin!(std::future::poll_fn(|context| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }));
    turn.as_mut().await;
}
