//! What a hit of the cache in the process costs: `cargo run --release -p donjon-db --example cache_speed`.

use std::time::Instant;

use donjon_core::clock::{Clock, UnixTime};
use donjon_core::session::cached::CachedSessions;
use donjon_core::session::{
    HashedKeys, MemorySessions, SessionData, SessionKey, SessionRecord, SessionStore, StoreError,
};
use donjon_db::ProcessCache;

const SESSIONS: usize = 10_000;
const LOADS: usize = 2_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plain = CachedSessions::new(MemorySessions::default(), ProcessCache::default());
    println!("cached: {:.0} ns", hit(plain).await?);
    let database = HashedKeys::new(MemorySessions::default());
    let hashed = CachedSessions::new(database, ProcessCache::default());
    println!("cached, keys hashed: {:.0} ns", hit(hashed).await?);
    Ok(())
}

/// Nanoseconds for each load.
async fn hit(store: impl SessionStore) -> Result<f64, StoreError> {
    let now = Clock::system().now();
    let keys = keys(&store, now).await?;
    let begin = Instant::now();
    for key in keys.iter().cycle().take(LOADS) {
        if store.load(key, now).await?.is_none() {
            return Err(StoreError::new("a session is missing"));
        }
    }
    Ok(begin.elapsed().as_nanos() as f64 / LOADS as f64)
}

async fn keys(store: &impl SessionStore, now: UnixTime) -> Result<Vec<SessionKey>, StoreError> {
    let mut data = SessionData::default();
    data.insert("_auth_user_id", "1").map_err(StoreError::new)?;
    let record = SessionRecord { data, expires: now.plus_seconds(1_000) };
    let keys: Vec<_> = (0..SESSIONS).map(|_| SessionKey::random()).collect();
    for key in &keys {
        store.create(key, &record).await?;
    }
    Ok(keys)
}
