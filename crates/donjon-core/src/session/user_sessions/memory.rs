//! Users' sessions in this process's memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{MAX_LISTED, Seen, SessionId, Sighting, UserSession, UserSessions};
use crate::clock::UnixTime;
use crate::session::{MAX_SESSIONS, StoreError};

/// A [`UserSessions`] for tests, demonstrations and a single process, beside
/// [`MemorySessions`](crate::session::MemorySessions). It holds [`MAX_SESSIONS`], and then fails.
#[derive(Debug, Default)]
pub struct MemoryUserSessions(Mutex<HashMap<i64, Vec<UserSession>>>);

type Users = HashMap<i64, Vec<UserSession>>;

impl MemoryUserSessions {
    fn users(&self) -> MutexGuard<'_, Users> {
        // No code panics while it holds the lock, and the map is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sessions(users: &Users) -> usize {
    users.values().map(Vec::len).sum()
}

impl UserSessions for MemoryUserSessions {
    async fn note(&self, session: &UserSession) -> Result<(), StoreError> {
        let mut users = self.users();
        if sessions(&users) >= MAX_SESSIONS {
            return Err(StoreError::new(format!(
                "the memory has room for {MAX_SESSIONS} users' sessions and is full; keep them in a database"
            )));
        }
        users.entry(session.user).or_default().push(session.clone());
        Ok(())
    }

    async fn seen(
        &self,
        user: i64,
        id: &SessionId,
        sighting: &Sighting,
    ) -> Result<Seen, StoreError> {
        let mut users = self.users();
        let of_user = users.get_mut(&user).into_iter().flatten();
        let Some(session) = of_user.into_iter().find(|session| session.id == *id) else {
            return Ok(Seen::Unlisted);
        };
        let Sighting { kept, address, at, expires } = sighting.clone();
        *session = UserSession { kept, address, seen: at, expires, ..session.clone() };
        Ok(Seen::Listed)
    }

    async fn list(&self, user: i64, now: UnixTime) -> Result<Vec<UserSession>, StoreError> {
        let mut listed = self.users().get(&user).cloned().unwrap_or_default();
        listed.retain(|session| session.expires > now);
        listed.sort_by(|one, other| {
            other.seen.cmp(&one.seen).then(one.id.as_str().cmp(other.id.as_str()))
        });
        listed.truncate(MAX_LISTED);
        Ok(listed)
    }

    async fn find(&self, user: i64, id: &SessionId) -> Result<Option<UserSession>, StoreError> {
        let users = self.users();
        Ok(users.get(&user).into_iter().flatten().find(|session| session.id == *id).cloned())
    }

    async fn remove(&self, user: i64, id: &SessionId) -> Result<(), StoreError> {
        let mut users = self.users();
        if let Some(sessions) = users.get_mut(&user) {
            sessions.retain(|session| session.id != *id);
        }
        Ok(())
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        let mut users = self.users();
        let mut left = limit;
        for sessions in users.values_mut() {
            sessions.retain(|session| {
                let stays = left == 0 || session.expires >= now;
                left -= usize::from(!stays);
                stays
            });
        }
        users.retain(|_, sessions| !sessions.is_empty());
        Ok(limit - left)
    }
}
