//! The suite passes a good store, and names the rule that a bad one breaks.

use super::*;
use crate::clock::UnixTime;
use crate::session::{Creation, Deletion, MemorySessions, SessionRecord, Stored, Update, Version};

/// What a store gets wrong.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Nothing,
    ExpiredIsLoaded,
    CreateOverwrites,
    UpdateMakes,
    UpdateOverwrites,
    DeleteIsSilent,
    ClearsAll,
    ClearsWithoutLimit,
    FoldsCase,
    Fails,
}

struct Faulty(MemorySessions, Fault);

impl Faulty {
    fn key(&self, key: &SessionKey) -> SessionKey {
        let folded = SessionKey::parse(&key.expose().to_lowercase());
        folded.filter(|_| self.1 == Fault::FoldsCase).unwrap_or_else(|| key.clone())
    }

    async fn version(&self, key: &SessionKey) -> Option<Version> {
        let stored = self.0.load(key, UnixTime::from_micros(i64::MIN)).await;
        stored.ok().flatten().map(|stored| stored.version)
    }
}

impl SessionStore for Faulty {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        let now = if self.1 == Fault::ExpiredIsLoaded { UnixTime::from_seconds(0) } else { now };
        self.0.load(&self.key(key), now).await
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        if self.1 == Fault::Fails {
            return Err(StoreError::new("the disk is full"));
        }
        if self.1 == Fault::CreateOverwrites {
            self.0.delete(key).await?;
        }
        self.0.create(&self.key(key), record).await
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        let key = self.key(key);
        match (self.1, self.version(&key).await) {
            (Fault::UpdateMakes, None) => match self.0.create(&key, record).await? {
                Creation::Created(version) => Ok(Update::Saved(version)),
                Creation::KeyTaken => Ok(Update::Changed),
            },
            (Fault::UpdateOverwrites, Some(current)) => self.0.update(&key, record, &current).await,
            _ => self.0.update(&key, record, over).await,
        }
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        let deletion = self.0.delete(&self.key(key)).await?;
        Ok(if self.1 == Fault::DeleteIsSilent { Deletion::Deleted } else { deletion })
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        match self.1 {
            Fault::ClearsAll => self.0.clear_expired(UnixTime::from_micros(i64::MAX), limit).await,
            Fault::ClearsWithoutLimit => self.0.clear_expired(now, usize::MAX).await,
            _ => self.0.clear_expired(now, limit).await,
        }
    }
}

async fn broken(fault: Fault) -> Vec<&'static str> {
    let outcome = check(async || Faulty(MemorySessions::default(), fault)).await;
    outcome
        .err()
        .map(|breaches| breaches.iter().map(|breach| breach.rule).collect())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_store_in_memory_keeps_the_contract() {
    check(async || MemorySessions::default()).await.unwrap();
}

#[tokio::test]
async fn a_breach_is_named_by_its_rule() {
    let cases = [
        (Fault::ExpiredIsLoaded, "a record ends at its second, and not before"),
        (Fault::CreateOverwrites, "create never overwrites"),
        (Fault::UpdateMakes, "update never makes a record"),
        (Fault::UpdateOverwrites, "update writes over the state that it names alone"),
        (Fault::DeleteIsSilent, "delete tells whether there was a record"),
        (Fault::ClearsAll, "clear_expired removes only what expired"),
        (Fault::ClearsWithoutLimit, "clear_expired works in batches"),
        (Fault::FoldsCase, "no two keys are one"),
    ];
    for (fault, rule) in cases {
        assert!(broken(fault).await.contains(&rule), "{rule}: {:?}", broken(fault).await);
    }
    assert_eq!(broken(Fault::Nothing).await, Vec::<&str>::new());
}

#[tokio::test]
async fn a_store_that_fails_is_told_by_its_own_words() {
    let outcome = check(async || Faulty(MemorySessions::default(), Fault::Fails)).await;
    let told = outcome.unwrap_err().to_string();
    assert!(told.contains("create never overwrites: the store failed: the disk is full"), "{told}");
}
