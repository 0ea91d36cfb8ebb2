//! When a record ends, and how its row goes.

use super::record::{LONG_AGO, create, holds, holds_none, in_seconds, later, record};
use super::{Fault, Outcome, demand, same};
use crate::clock::{Clock, UnixTime};
use crate::session::{Creation, SessionKey, SessionRecord, SessionStore};

/// More than one batch of [`BATCH`], the last of them not full.
const EXPIRED: usize = 10;
const BATCH: usize = 4;

fn expiring(expires: UnixTime) -> Result<SessionRecord, Fault> {
    Ok(SessionRecord { expires, ..record("number", 1)? })
}

pub(super) async fn at_its_second<S: SessionStore>(store: &S) -> Outcome {
    let (key, end) = (SessionKey::random(), later());
    create(store, &key, &expiring(end)?).await?;
    let lives = async |now| Ok::<_, Fault>(store.load(&key, now).await?.is_some());
    demand(lives(end.plus_seconds(-1)).await?, "a second before its end it is not found")?;
    demand(!lives(end).await?, "it is found when its end has come")?;
    demand(!lives(end.plus_seconds(86_400)).await?, "it is found a day after its end")
}

/// A store that lets records go by itself may have let this one go.
async fn still_there<S: SessionStore>(store: &S, key: &SessionKey) -> Result<bool, Fault> {
    Ok(store.load(key, LONG_AGO).await?.is_some())
}

pub(super) async fn not_overwritten<S: SessionStore>(store: &S) -> Outcome {
    let key = SessionKey::random();
    create(store, &key, &expiring(in_seconds(-60))?).await?;
    let there = still_there(store, &key).await?;
    let again = store.create(&key, &expiring(later())?).await?;
    demand(!there || again == Creation::KeyTaken, "an expired record was overwritten")?;
    let now = Clock::system().now();
    demand(!there || store.load(&key, now).await?.is_none(), "an expired record lives again")
}

pub(super) async fn in_batches<S: SessionStore>(store: &S) -> Outcome {
    let mut there = 0;
    for _ in 0..EXPIRED {
        let key = SessionKey::random();
        create(store, &key, &expiring(in_seconds(-60))?).await?;
        there += usize::from(still_there(store, &key).await?);
    }
    let now = Clock::system().now();
    while there > 0 {
        let expected = there.min(BATCH);
        same("what a batch cleared", &store.clear_expired(now, BATCH).await?, &expected)?;
        there -= expected;
    }
    same("what the batch after the last cleared", &store.clear_expired(now, BATCH).await?, &0)
}

pub(super) async fn nothing_else<S: SessionStore>(store: &S) -> Outcome {
    let (gone, live, end) = (SessionKey::random(), SessionKey::random(), later());
    create(store, &gone, &expiring(in_seconds(-60))?).await?;
    create(store, &live, &expiring(end)?).await?;
    store.clear_expired(Clock::system().now(), usize::MAX).await?;
    holds_none(store, &gone).await?;
    same("what was cleared at the end itself", &store.clear_expired(end, usize::MAX).await?, &0)?;
    holds(store, &live, &expiring(end)?).await
}
