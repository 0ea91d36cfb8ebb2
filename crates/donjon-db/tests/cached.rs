//! Sessions with a cache in front: the contract, and every order in which a log-out can meet a load.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use donjon_core::clock::{Clock, UnixTime};
use donjon_core::session::cached::{
    CachedSessions, ChangeBus, ChangeListener, DEAF_AFTER, KeyDigest, MemoryBus, SessionCache,
    Since,
};
use donjon_core::session::{
    BoxFuture, Creation, Deletion, HashedKeys, MemorySessions, SessionData, SessionKey,
    SessionRecord, SessionStore, StoreError, Stored, Update, Version, contract,
};
use donjon_db::ProcessCache;
use tokio::sync::{Semaphore, SemaphorePermit};

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

fn record(number: u32) -> SessionRecord {
    let mut data = SessionData::default();
    data.insert("number", &number).unwrap();
    SessionRecord { data, expires: NOW.plus_seconds(100) }
}

/// How many answers pass the gate at once.
const DOORS: u32 = 1_000;

/// A database that counts its loads, and whose answers wait at a gate once they are made.
#[derive(Clone)]
struct Database(Arc<Inner>);

struct Inner {
    sessions: MemorySessions,
    loads: AtomicUsize,
    gate: Semaphore,
    /// Those whose answer is made and waits.
    waiting: Semaphore,
}

impl Database {
    fn new() -> Self {
        let (gate, waiting) = (Semaphore::new(DOORS as usize), Semaphore::new(0));
        let sessions = MemorySessions::default();
        Self(Arc::new(Inner { sessions, loads: AtomicUsize::new(0), gate, waiting }))
    }

    fn loads(&self) -> usize {
        self.0.loads.load(Ordering::SeqCst)
    }

    /// Until it is dropped, answers wait.
    async fn shut(&self) -> SemaphorePermit<'_> {
        self.0.gate.acquire_many(DOORS).await.unwrap()
    }

    /// When an answer waits.
    async fn waits(&self) {
        self.0.waiting.acquire().await.unwrap().forget();
    }

    async fn pass(&self) {
        self.0.waiting.add_permits(1);
        drop(self.0.gate.acquire().await.unwrap());
        self.0.waiting.try_acquire().map(SemaphorePermit::forget).unwrap_or_default();
    }
}

impl SessionStore for Database {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        self.0.loads.fetch_add(1, Ordering::SeqCst);
        let answer = SessionStore::load(&self.0.sessions, key, now).await;
        self.pass().await;
        answer
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        SessionStore::create(&self.0.sessions, key, record).await
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
        let answer = SessionStore::delete(&self.0.sessions, key).await;
        self.pass().await;
        answer
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        SessionStore::clear_expired(&self.0.sessions, now, limit).await
    }
}

type Node = Arc<CachedSessions<Database, ProcessCache>>;

fn node(database: &Database) -> Node {
    Arc::new(CachedSessions::new(database.clone(), ProcessCache::default()))
}

fn node_on(database: &Database, bus: &MemoryBus, clock: &Clock) -> Node {
    let sessions = CachedSessions::new(database.clone(), ProcessCache::default());
    Arc::new(sessions.clock(clock.clone()).bus(Arc::new(bus.clone())))
}

async fn load(node: &Node, key: &SessionKey) -> Option<SessionRecord> {
    node.load(key, NOW).await.unwrap().map(|stored| stored.record)
}

async fn version(node: &Node, key: &SessionKey) -> Version {
    node.load(key, NOW).await.unwrap().unwrap().version
}

#[tokio::test]
async fn a_cached_store_keeps_the_contract() {
    contract::check(async || {
        CachedSessions::new(MemorySessions::default(), ProcessCache::default())
    })
    .await
    .unwrap();
    let hashed = async || {
        let database = HashedKeys::new(MemorySessions::default());
        CachedSessions::new(database, ProcessCache::default())
    };
    contract::check(hashed).await.unwrap();
}

#[tokio::test]
async fn rule_1_the_database_is_asked_once() {
    let (database, key) = (Database::new(), SessionKey::random());
    database.create(&key, &record(1)).await.unwrap();
    let node = node(&database);
    for _ in 0..3 {
        assert_eq!(load(&node, &key).await, Some(record(1)));
    }
    assert_eq!(database.loads(), 1);
    node.update(&key, &record(2), &version(&node, &key).await).await.unwrap();
    assert_eq!(load(&node, &key).await, Some(record(2)));
    assert_eq!(database.loads(), 1);
}

#[tokio::test]
async fn rule_3_a_load_that_began_before_a_log_out_brings_nobody_back() {
    let (database, key) = (Database::new(), SessionKey::random());
    database.create(&key, &record(1)).await.unwrap();
    let node = node(&database);
    let shut = database.shut().await;
    let slow = tokio::spawn({
        let (node, key) = (node.clone(), key.clone());
        async move { load(&node, &key).await }
    });
    database.waits().await;
    let out = tokio::spawn({
        let (node, key) = (node.clone(), key.clone());
        async move { node.delete(&key).await.unwrap() }
    });
    database.waits().await;
    drop(shut);
    assert_eq!(out.await.unwrap(), Deletion::Deleted);
    // It was asked before the log-out, and may still answer so.
    slow.await.unwrap();
    assert_eq!(load(&node, &key).await, None);
}

#[tokio::test]
async fn rule_3_a_load_that_began_before_a_change_does_not_hide_it() {
    let (database, key) = (Database::new(), SessionKey::random());
    database.create(&key, &record(1)).await.unwrap();
    let node = node(&database);
    let seen = version(&node, &key).await;
    node.delete(&SessionKey::random()).await.unwrap();
    let other = Arc::new(CachedSessions::new(database.clone(), ProcessCache::default()));
    let shut = database.shut().await;
    let slow = tokio::spawn({
        let (other, key) = (other.clone(), key.clone());
        async move { load(&other, &key).await }
    });
    database.waits().await;
    other.update(&key, &record(2), &seen).await.unwrap();
    drop(shut);
    assert_eq!(slow.await.unwrap(), Some(record(1)));
    assert_eq!(load(&other, &key).await, Some(record(2)));
}

#[tokio::test]
async fn rule_2_a_log_out_whose_visitor_hangs_up_holds() {
    let (database, key) = (Database::new(), SessionKey::random());
    database.create(&key, &record(1)).await.unwrap();
    let node = node(&database);
    load(&node, &key).await;
    let shut = database.shut().await;
    let out = tokio::spawn({
        let (node, key) = (node.clone(), key.clone());
        async move { node.delete(&key).await }
    });
    database.waits().await;
    out.abort();
    assert!(out.await.unwrap_err().is_cancelled());
    drop(shut);
    assert_eq!(load(&node, &key).await, None);
}

#[tokio::test]
async fn a_change_elsewhere_that_was_not_heard_of_shows_at_the_next_write() {
    let (database, key) = (Database::new(), SessionKey::random());
    database.create(&key, &record(1)).await.unwrap();
    let (here, there) = (node(&database), node(&database));
    let old = version(&here, &key).await;
    there.update(&key, &record(2), &version(&there, &key).await).await.unwrap();
    assert_eq!(load(&here, &key).await, Some(record(1)));
    assert_eq!(here.update(&key, &record(3), &old).await.unwrap(), Update::Changed);
    assert_eq!(load(&here, &key).await, Some(record(2)));
}

#[tokio::test]
async fn rule_2_other_nodes_hear_of_log_outs_and_changes() {
    let (database, bus, clock) = (Database::new(), MemoryBus::default(), Clock::fixed(NOW));
    let (here, there) = (node_on(&database, &bus, &clock), node_on(&database, &bus, &clock));
    bus.heard().await;
    let key = SessionKey::random();
    here.create(&key, &record(1)).await.unwrap();
    let seen = version(&there, &key).await;
    here.update(&key, &record(2), &seen).await.unwrap();
    assert_eq!(load(&there, &key).await, Some(record(2)));
    let loads = database.loads();
    load(&there, &key).await;
    assert_eq!(database.loads(), loads);
    here.delete_kept(&SessionStore::kept_key(&*here, &key)).await.unwrap();
    assert_eq!(load(&there, &key).await, None);
}

#[tokio::test]
async fn rule_4_a_deaf_node_asks_the_database_and_begins_anew() {
    let (database, bus, clock) = (Database::new(), MemoryBus::default(), Clock::fixed(NOW));
    let node = node_on(&database, &bus, &clock);
    let key = SessionKey::random();
    database.create(&key, &record(1)).await.unwrap();
    let asked = async |expected: bool| {
        let before = database.loads();
        load(&node, &key).await;
        assert_eq!(database.loads() > before, expected);
    };
    asked(true).await;
    asked(true).await;
    bus.heard().await;
    asked(true).await;
    asked(false).await;
    clock.advance(DEAF_AFTER);
    asked(false).await;
    clock.advance(std::time::Duration::from_micros(1));
    // Nobody told this node.
    database.delete(&key).await.unwrap();
    assert_eq!(load(&node, &key).await, None);
    bus.heard().await;
    assert_eq!(load(&node, &key).await, None);
    bus.broken();
    asked(true).await;
}

/// A bus that is broken for those who send.
#[derive(Default)]
struct Mute {
    bus: MemoryBus,
    broken: std::sync::atomic::AtomicBool,
}

impl ChangeBus for Mute {
    fn publish<'a>(&'a self, digest: &'a KeyDigest) -> BoxFuture<'a, Result<(), StoreError>> {
        match self.broken.load(Ordering::SeqCst) {
            true => Box::pin(async { Err(StoreError::new("mute")) }),
            false => self.bus.publish(digest),
        }
    }

    fn listen(&self, listener: Arc<dyn ChangeListener>) {
        self.bus.listen(listener);
    }
}

#[tokio::test]
async fn rule_6_a_word_that_could_not_be_sent_is_sent_when_the_bus_is_heard() {
    let (database, bus, clock) = (Database::new(), Arc::new(Mute::default()), Clock::fixed(NOW));
    let here = CachedSessions::new(database.clone(), ProcessCache::default());
    let here = here.clock(clock.clone()).bus(bus.clone());
    let there = node_on(&database, &bus.bus, &clock);
    bus.bus.heard().await;
    let key = SessionKey::random();
    here.create(&key, &record(1)).await.unwrap();
    load(&there, &key).await;
    bus.broken.store(true, Ordering::SeqCst);
    here.delete(&key).await.unwrap();
    assert_eq!(load(&there, &key).await, Some(record(1)), "it has not heard");
    bus.broken.store(false, Ordering::SeqCst);
    bus.bus.heard().await;
    assert_eq!(load(&there, &key).await, None);
}

#[tokio::test]
async fn rule_5_no_copy_outlives_its_session() {
    let (database, key) = (Database::new(), SessionKey::random());
    let node = node(&database);
    node.create(&key, &record(1)).await.unwrap();
    assert!(node.load(&key, NOW.plus_seconds(99)).await.unwrap().is_some());
    assert_eq!(node.load(&key, NOW.plus_seconds(100)).await.unwrap(), None);
}

/// A cache that is down.
struct Down;

impl SessionCache for Down {
    async fn get(&self, _: &SessionKey) -> Result<Option<Stored>, StoreError> {
        Err(StoreError::new("down"))
    }

    async fn put(&self, _: &SessionKey, _: &Stored, _: &Since) -> Result<(), StoreError> {
        Err(StoreError::new("down"))
    }

    async fn forget(&self, _: &KeyDigest) -> Result<(), StoreError> {
        Err(StoreError::new("down"))
    }

    async fn forget_all(&self) -> Result<(), StoreError> {
        Err(StoreError::new("down"))
    }
}

#[tokio::test]
async fn rule_1_a_cache_that_is_down_fails_no_request() {
    contract::check(async || CachedSessions::new(MemorySessions::default(), Down)).await.unwrap();
}

#[tokio::test]
async fn the_cache_is_bounded_by_bytes() {
    let cache = ProcessCache::new(100_000, donjon_db::CACHE_LIFE);
    let stored = Stored { record: record(1), version: Version::Text("x".repeat(1_000).into()) };
    for _ in 0..1_000 {
        cache.put(&SessionKey::random(), &stored, &Since::default()).await.unwrap();
    }
    assert!((1..=100_000).contains(&cache.weight()), "{}", cache.weight());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_logged_out_stays_out_whatever_the_others_read() {
    let database = Database::new();
    let node = node(&database);
    for _ in 0..500 {
        let key = SessionKey::random();
        database.create(&key, &record(1)).await.unwrap();
        let readers = (0..4).map(|_| {
            let (node, key) = (node.clone(), key.clone());
            tokio::spawn(async move {
                while load(&node, &key).await.is_some() {
                    tokio::task::yield_now().await;
                }
                load(&node, &key).await
            })
        });
        let readers: Vec<_> = readers.collect();
        tokio::task::yield_now().await;
        node.delete(&key).await.unwrap();
        assert_eq!(load(&node, &key).await, None);
        for reader in readers {
            assert_eq!(reader.await.unwrap(), None);
        }
    }
}
