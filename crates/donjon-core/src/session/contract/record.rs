//! What is created, updated and deleted.

use super::{Fault, Outcome, demand, same};
use crate::clock::{Clock, UnixTime};
use crate::session::{
    Creation, Deletion, SessionData, SessionKey, SessionRecord, SessionStore, Stored, Update,
    Version,
};

/// Before anything expires.
pub(super) const LONG_AGO: UnixTime = UnixTime::from_micros(i64::MIN);

/// In so many seconds, whole ones: a store need not keep more.
pub(super) fn in_seconds(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(Clock::system().now().seconds()).plus_seconds(seconds)
}

/// An hour is more than the suite takes.
pub(super) fn later() -> UnixTime {
    in_seconds(3_600)
}

pub(super) fn record(name: &str, number: usize) -> Result<SessionRecord, Fault> {
    let mut data = SessionData::default();
    data.insert(name, &number).map_err(|error| Fault(error.to_string()))?;
    Ok(SessionRecord { data, expires: later() })
}

pub(super) async fn create<S: SessionStore>(
    store: &S,
    key: &SessionKey,
    record: &SessionRecord,
) -> Result<Version, Fault> {
    match store.create(key, record).await? {
        Creation::Created(version) => Ok(version),
        Creation::KeyTaken => Err(Fault("create: a key that is free is taken".to_owned())),
    }
}

pub(super) async fn load<S: SessionStore>(store: &S, key: &SessionKey) -> Result<Stored, Fault> {
    let found = store.load(key, Clock::system().now()).await?;
    found.ok_or_else(|| Fault("load: a record that is there is not found".to_owned()))
}

/// Holds the store that record, and does its load name the state that may be written over?
pub(super) async fn holds<S: SessionStore>(
    store: &S,
    key: &SessionKey,
    expected: &SessionRecord,
) -> Outcome {
    same("load", &load(store, key).await?.record, expected)
}

pub(super) async fn holds_none<S: SessionStore>(store: &S, key: &SessionKey) -> Outcome {
    let found = store.load(key, LONG_AGO).await?;
    demand(found.is_none(), "load: found a record where none should be")
}

pub(super) async fn unknown<S: SessionStore>(store: &S) -> Outcome {
    let key = SessionKey::random();
    holds_none(store, &key).await?;
    same("delete", &store.delete(&key).await?, &Deletion::Absent)
}

pub(super) async fn kept<S: SessionStore>(store: &S) -> Outcome {
    let (key, other) = (SessionKey::random(), SessionKey::random());
    let (first, empty) =
        (record("number", 1)?, SessionRecord { data: SessionData::default(), expires: later() });
    create(store, &key, &first).await?;
    holds_none(store, &other).await?;
    create(store, &other, &empty).await?;
    holds(store, &key, &first).await?;
    holds(store, &other, &empty).await
}

pub(super) async fn created_once<S: SessionStore>(store: &S) -> Outcome {
    let (key, first) = (SessionKey::random(), record("number", 1)?);
    create(store, &key, &first).await?;
    let second = store.create(&key, &record("number", 2)?).await?;
    same("the second creation", &second, &Creation::KeyTaken)?;
    holds(store, &key, &first).await
}

/// A version that some record of the store has had.
async fn some_version<S: SessionStore>(store: &S) -> Result<Version, Fault> {
    create(store, &SessionKey::random(), &record("number", 0)?).await
}

pub(super) async fn never_made<S: SessionStore>(store: &S) -> Outcome {
    let (key, version) = (SessionKey::random(), some_version(store).await?);
    let update = store.update(&key, &record("number", 1)?, &version).await?;
    same("the update of a record that never was", &update, &Update::Gone)?;
    let version = create(store, &key, &record("number", 2)?).await?;
    store.delete(&key).await?;
    let update = store.update(&key, &record("number", 3)?, &version).await?;
    same("the update of a record that was deleted", &update, &Update::Gone)?;
    holds_none(store, &key).await
}

async fn saved<S: SessionStore>(
    store: &S,
    key: &SessionKey,
    record: &SessionRecord,
    over: &Version,
) -> Result<Version, Fault> {
    match store.update(key, record, over).await? {
        Update::Saved(version) => Ok(version),
        other => Err(Fault(format!("the update over the current state: found {other:?}"))),
    }
}

pub(super) async fn swapped<S: SessionStore>(store: &S) -> Outcome {
    let key = SessionKey::random();
    let states = [record("number", 1)?, record("number", 2)?, record("number", 3)?];
    let created = create(store, &key, &states[0]).await?;
    let second = saved(store, &key, &states[1], &created).await?;
    holds(store, &key, &states[1]).await?;
    let late = store.update(&key, &states[2], &created).await?;
    same("the update over a state that is no more", &late, &Update::Changed)?;
    holds(store, &key, &states[1]).await?;
    let third = saved(store, &key, &states[2], &second).await?;
    holds(store, &key, &states[2]).await?;
    saved(store, &key, &states[0], &third).await?;
    // The state that a load names is the one that counts, too.
    let loaded = load(store, &key).await?.version;
    saved(store, &key, &states[1], &loaded).await?;
    holds(store, &key, &states[1]).await
}

pub(super) async fn deleted<S: SessionStore>(store: &S) -> Outcome {
    let (key, bystander) = (SessionKey::random(), SessionKey::random());
    let first = record("number", 1)?;
    create(store, &key, &first).await?;
    create(store, &bystander, &first).await?;
    same("the deletion", &store.delete(&key).await?, &Deletion::Deleted)?;
    holds_none(store, &key).await?;
    same("the second deletion", &store.delete(&key).await?, &Deletion::Absent)?;
    create(store, &key, &record("number", 2)?).await?;
    holds(store, &bystander, &first).await
}
