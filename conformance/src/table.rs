//! The session table of a case, on the store that Donjon keeps in memory.

use std::sync::{Arc, Mutex, PoisonError};

use donjon_core::clock::UnixTime;
use donjon_core::session::{
    Creation, Deletion, MemorySessions, SessionData, SessionKey, SessionRecord, SessionStore,
    StoreError, Stored, Update, Version,
};
use serde_json::{Value, json};

use crate::case::{Case, Unanswered};

/// A store that remembers which keys it was given, in order.
#[derive(Clone, Default)]
pub struct Table(Arc<Inner>);

#[derive(Default)]
struct Inner {
    sessions: MemorySessions,
    keys: Mutex<Vec<SessionKey>>,
}

fn malformed(error: impl std::fmt::Display) -> Unanswered {
    Unanswered::Malformed(error.to_string())
}

/// Session values out of a case.
///
/// # Errors
/// [`Unanswered::Malformed`] for what is no object.
pub fn data(values: &Value) -> Result<SessionData, Unanswered> {
    SessionData::from_json(values.to_string().as_bytes()).map_err(malformed)
}

/// Session values for a case.
fn values(data: &SessionData) -> Value {
    let json = data.to_json().unwrap_or_default();
    serde_json::from_slice(&json).unwrap_or(Value::Null)
}

impl Table {
    /// Adds a row.
    ///
    /// # Errors
    /// [`Unanswered::Malformed`] for a key that no session can have.
    pub async fn add(
        &self,
        key: &str,
        values: &Value,
        expires: UnixTime,
    ) -> Result<(), Unanswered> {
        let key = SessionKey::parse(key).ok_or_else(|| malformed("a stored key is none"))?;
        let record = SessionRecord { data: data(values)?, expires };
        self.create(&key, &record).await.map_err(malformed)?;
        Ok(())
    }

    /// Adds the rows that a case has in `stored`.
    ///
    /// # Errors
    /// [`Unanswered::Malformed`].
    pub async fn add_stored(&self, case: &Case) -> Result<(), Unanswered> {
        for (key, row) in case.field("stored").as_object().into_iter().flatten() {
            let expires = row["expires_at"].as_i64().ok_or_else(|| malformed("no expires_at"))?;
            self.add(key, &row["data"], UnixTime::from_seconds(expires)).await?;
        }
        Ok(())
    }

    /// The rows that there are, expired or not: key, values, and the second of expiry.
    pub async fn rows(&self) -> Vec<(String, Value, i64)> {
        let keys = self.keys().clone();
        let mut rows = Vec::new();
        for key in keys {
            let long_ago = UnixTime::from_seconds(i64::MIN);
            if let Ok(Some(Stored { record, .. })) = self.load(&key, long_ago).await {
                let (data, expires) = (values(&record.data), record.expires.seconds());
                rows.push((key.expose().to_owned(), data, expires));
            }
        }
        rows
    }

    /// The rows in the form of the vectors.
    pub async fn to_json(&self) -> Value {
        let row = |(key, data, expires): (String, Value, i64)| json!({"key": key, "data": data, "expires_at": expires});
        self.rows().await.into_iter().map(row).collect()
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, Vec<SessionKey>> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionStore for Table {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        SessionStore::load(&self.0.sessions, key, now).await
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        let creation = SessionStore::create(&self.0.sessions, key, record).await?;
        if let Creation::Created(_) = creation {
            self.keys().push(key.clone());
        }
        Ok(creation)
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        SessionStore::update(&self.0.sessions, key, record, over).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        SessionStore::delete(&self.0.sessions, key).await
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        self.0.sessions.clear_expired(now, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_table() {
        let written = json!({"b": [1, {"c": null}], "a": 1.5});
        assert_eq!(values(&data(&written).unwrap()), written);
    }
}
