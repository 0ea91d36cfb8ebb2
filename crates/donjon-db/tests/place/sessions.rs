//! A store of sessions, asked as tests ask it.

#![allow(clippy::panic, reason = "the helpers of tests stop a test")]

use donjon_core::clock::UnixTime;
use donjon_core::session::{SessionKey, SessionRecord, SessionStore, StoreError, Update, Version};
use donjon_db::DjangoSessions;

/// What is kept, without its state.
pub(crate) async fn load(
    sessions: &DjangoSessions,
    key: &SessionKey,
    now: UnixTime,
) -> Result<Option<SessionRecord>, StoreError> {
    Ok(sessions.load(key, now).await?.map(|stored| stored.record))
}

/// Writes over whatever is there, and tells whether anything was.
pub(crate) async fn update(
    sessions: &DjangoSessions,
    key: &SessionKey,
    record: &SessionRecord,
) -> Result<bool, StoreError> {
    let seen = sessions.load(key, UnixTime::from_seconds(0)).await?;
    let over = seen.map_or(Version::Text("0 nothing".into()), |stored| stored.version);
    match sessions.update(key, record, &over).await? {
        Update::Saved(_) => Ok(true),
        Update::Gone => Ok(false),
        Update::Changed => panic!("nobody else writes here"),
    }
}
