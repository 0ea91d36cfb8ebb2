//! Redis' stores on real servers: one, a cluster, sentinels, TLS, and all that can go wrong.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests stop a test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use donjon_core::clock::{Clock, UnixTime};
use donjon_core::session::cached::{
    CachedSessions, ChangeBus, ChangeListener, KeyDigest, SessionCache, Since,
};
use donjon_core::session::{
    BoxFuture, Creation, Deletion, MemorySessions, SessionData, SessionKey, SessionRecord,
    SessionStore, Stored, Version, contract,
};
use donjon_redis::{Redis, RedisBus, RedisCache, RedisErrorKind, RedisPolicy, RedisSessions};
use servers::{Cluster, Durability, Redis as Server, RedisOptions, Sentinel};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// How long anything here may take.
const DEADLINE: Duration = Duration::from_secs(30);

fn start(durability: Durability) -> Server {
    Server::start(RedisOptions::new(durability)).unwrap()
}

/// A prefix that is nobody else's.
fn prefix() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn record(number: u64) -> SessionRecord {
    let data = SessionData::from_json(format!(r#"{{"n":{number}}}"#).as_bytes()).unwrap();
    let now = Clock::system().now().seconds();
    SessionRecord { data, expires: UnixTime::from_seconds(now + 3_600) }
}

fn now() -> UnixTime {
    Clock::system().now()
}

async fn load(sessions: &RedisSessions, key: &SessionKey) -> Option<SessionRecord> {
    sessions.load(key, now()).await.unwrap().map(|stored| stored.record)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_holds() {
    let redis = Redis::connect(&servers::shared(servers::REDIS)).await.unwrap();
    let sessions = async || RedisSessions::with_prefix(&redis, &prefix(), 1);
    contract::check(sessions).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_holds_in_a_cluster() {
    let cluster = Cluster::start().unwrap();
    let hosts: Vec<_> = cluster.urls().iter().map(|url| host(url).to_owned()).collect();
    let url = cluster.urls()[0].replace("redis://", "redis+cluster://");
    let redis = Redis::connect(&url.replace(&hosts[0], &hosts.join(","))).await.unwrap();
    let sessions = async || RedisSessions::with_prefix(&redis, &prefix(), 1);
    contract::check(sessions).await.unwrap();
    hears_itself(&redis).await;
}

/// What the stored value's name is in Redis.
fn name(prefix: &str, key: &SessionKey) -> String {
    format!("{prefix}:1:django.contrib.sessions.cache{}", key.expose())
}

#[tokio::test]
async fn who_asks_at_once_gets_the_own_answer() {
    let url = servers::shared(servers::REDIS);
    let (redis, prefix) = (Redis::connect(&url).await.unwrap(), prefix());
    let sessions = RedisSessions::with_prefix(&redis, &prefix, 1);
    let keys: Vec<_> = (0..300).map(|_| SessionKey::random()).collect();
    let mut requests = tokio::task::JoinSet::new();
    for (number, key) in (0u64..).zip(keys.clone()) {
        let sessions = sessions.clone();
        requests.spawn(async move {
            sessions.create(&key, &record(number)).await.unwrap();
            assert_eq!(load(&sessions, &key).await.unwrap().data, record(number).data);
        });
    }
    while let Some(done) = requests.join_next().await {
        done.unwrap();
    }

    // What is no text is an error of whoever asks for it.
    let odd = SessionKey::random();
    let mut raw = redis::Client::open(url).unwrap().get_connection().unwrap();
    redis::cmd("LPUSH").arg(name(&prefix, &odd)).arg(1).exec(&mut raw).unwrap();
    let (good, bad, other) = tokio::join!(
        sessions.load(&keys[0], now()),
        sessions.load(&odd, now()),
        sessions.load(&keys[1], now())
    );
    assert!(good.unwrap().is_some() && bad.is_err() && other.unwrap().is_some());
}

#[tokio::test]
async fn who_has_gone_before_it_was_sent_has_written_nothing() {
    let redis = Redis::connect(&servers::shared(servers::REDIS)).await.unwrap();
    let sessions = RedisSessions::with_prefix(&redis, &prefix(), 1);
    let (gone, record) = (SessionKey::random(), record(1));
    tokio::select! {
        biased;
        _ = sessions.create(&gone, &record) => unreachable!("nobody has sent it"),
        () = std::future::ready(()) => {}
    }
    let stays = SessionKey::random();
    sessions.create(&stays, &record).await.unwrap();
    assert!(load(&sessions, &stays).await.is_some() && load(&sessions, &gone).await.is_none());
}

fn host(url: &str) -> &str {
    let (_, rest) = url.rsplit_once('@').unwrap();
    rest.split('/').next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fail_over_of_sentinels_is_followed() {
    let mut watched = Sentinel::start().unwrap();
    let (password, port, name) = (watched.password(), watched.port(), watched.master_name());
    let url = format!("redis+sentinel://:{password}@127.0.0.1:{port}/{name}");
    let redis = Redis::connect(&url).await.unwrap();
    let sessions = RedisSessions::new(&redis);
    sessions.create(&SessionKey::random(), &record(1)).await.unwrap();
    watched.fail_over().unwrap();
    let other = SessionKey::random();
    eventually(async || sessions.create(&other, &record(2)).await.is_ok()).await;
    assert_eq!(load(&sessions, &other).await.unwrap().data, record(2).data);
    hears_itself(&redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_believes_its_authority_only() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let options = RedisOptions::new(Durability::Fast).tls(&certificate, &key, &certificate);
    let server = Server::start(options).unwrap();
    let policy = RedisPolicy::parse(&server.url()).unwrap();
    let trusting = policy.clone().certificate_authority(made.cert.pem());
    let redis = Redis::open(trusting).await.unwrap();
    let (sessions, key) = (RedisSessions::new(&redis), SessionKey::random());
    sessions.create(&key, &record(1)).await.unwrap();
    assert!(load(&sessions, &key).await.is_some());
    assert!(Redis::open(policy).await.is_err(), "the system believes no such certificate");
    let plain = server.url().replace("rediss://", "redis://");
    assert!(Redis::connect(&plain).await.is_err());
}

#[tokio::test]
async fn a_wrong_password_is_said_without_showing_it() {
    let server = start(Durability::Fast);
    let url = format!("redis://:hunter2@127.0.0.1:{}", server.port());
    let error = Redis::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), RedisErrorKind::Authentication);
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let none = format!("redis://127.0.0.1:{}", server.port());
    assert_eq!(Redis::connect(&none).await.unwrap_err().kind(), RedisErrorKind::Authentication);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_back_no_acknowledged_write_is_lost() {
    let mut server = start(Durability::Kept);
    let redis = Redis::connect(&server.url()).await.unwrap();
    let sessions = RedisSessions::new(&redis);
    let mut kept = Vec::new();
    for round in 0..3 {
        let writers: Vec<_> = (0..8).map(|_| tokio::spawn(write(sessions.clone()))).collect();
        // They are all under way once one of them has written.
        let probe = SessionKey::random();
        sessions.create(&probe, &record(0)).await.unwrap();
        server.kill().unwrap();
        for writer in writers {
            kept.extend(writer.await.unwrap());
        }
        let begin = Instant::now();
        let error = sessions.load(&probe, now()).await;
        assert!(error.is_err() && begin.elapsed() < Duration::from_secs(3), "round {round}");
        server.restart().unwrap();
        eventually(async || sessions.load(&probe, now()).await.is_ok()).await;
        kept.push(probe);
        for key in &kept {
            assert!(load(&sessions, key).await.is_some(), "round {round}: a write is lost");
        }
    }
}

/// Writes until the store fails, and tells what it acknowledged.
async fn write(sessions: RedisSessions) -> Vec<SessionKey> {
    let mut acknowledged = Vec::new();
    loop {
        let key = SessionKey::random();
        match sessions.create(&key, &record(1)).await {
            Ok(Creation::Created(_)) => acknowledged.push(key),
            Ok(Creation::KeyTaken) => panic!("keys are random"),
            Err(_) => return acknowledged,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_redis_that_hangs_is_told_in_time() {
    let server = start(Durability::Fast);
    let policy = RedisPolicy::parse(&server.url()).unwrap();
    let policy = policy.response_timeout(Duration::from_millis(200));
    let redis = Redis::open(policy.connect_timeout(Duration::from_millis(200))).await.unwrap();
    let sessions = RedisSessions::new(&redis);
    server.signal("STOP").unwrap();
    let begin = Instant::now();
    let ask = |sessions: RedisSessions| async move {
        sessions.load(&SessionKey::random(), now()).await.is_err()
    };
    let crowd: Vec<_> = (0..50).map(|_| tokio::spawn(ask(sessions.clone()))).collect();
    for one in crowd {
        assert!(one.await.unwrap(), "nobody answers");
    }
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    server.signal("CONT").unwrap();
    eventually(async || sessions.load(&SessionKey::random(), now()).await.is_ok()).await;
}

#[tokio::test]
async fn who_accepts_and_says_nothing_is_no_redis() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let policy = RedisPolicy::parse(&url).unwrap().connect_timeout(Duration::from_millis(100));
    let begin = Instant::now();
    let error = Redis::open(policy).await.unwrap_err();
    assert_eq!(error.kind(), RedisErrorKind::Timeout, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(3));
}

fn stored(number: u64) -> Stored {
    let expires = UnixTime::from_seconds(4_000_000_000);
    let record = SessionRecord { expires, ..record(number) };
    Stored { record, version: Version::Text(format!("row {number}").into()) }
}

#[tokio::test]
async fn the_cache_does_not_take_what_is_stale() {
    let redis = Redis::connect(&servers::shared(servers::REDIS)).await.unwrap();
    let cache = RedisCache::new(&redis, &prefix());
    let key = SessionKey::random();
    let read = Since::default();
    assert_eq!(cache.get(&key).await.unwrap(), None);
    cache.put(&key, &stored(1), &read).await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), Some(stored(1)));
    cache.put(&key, &stored(2), &read).await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), Some(stored(1)), "a read does not overwrite");
    let written = Since { over: Some(stored(1).version), ..Since::default() };
    cache.put(&key, &stored(2), &written).await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), Some(stored(2)));
    cache.put(&key, &stored(3), &written).await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), None, "two writes that cross leave nothing");
    cache.put(&key, &stored(3), &read).await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), None, "and what was read before stays out");

    let key = SessionKey::random();
    cache.put(&key, &stored(1), &read).await.unwrap();
    cache.remove(&key).await.unwrap();
    cache.put(&key, &stored(1), &read).await.unwrap();
    assert_eq!(cache.get(&key).await.unwrap(), None, "removed is removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_out_while_redis_is_down_is_one_when_it_is_back() {
    let mut server = start(Durability::Kept);
    let redis = Redis::connect(&server.url()).await.unwrap();
    let cache = RedisCache::new(&redis, "down");
    let sessions = CachedSessions::new(MemorySessions::default(), cache.clone());
    let (key, changed) = (SessionKey::random(), SessionKey::random());
    SessionStore::create(&sessions, &key, &record(1)).await.unwrap();
    let creation = SessionStore::create(&sessions, &changed, &record(1)).await.unwrap();
    let Creation::Created(version) = creation else { panic!("keys are random") };
    assert!(cache.get(&key).await.unwrap().is_some());
    server.kill().unwrap();
    let other = SessionKey::random();
    SessionStore::create(&sessions, &other, &record(2)).await.unwrap();
    let found = SessionStore::load(&sessions, &other, now()).await.unwrap();
    assert_eq!(found.unwrap().record.data, record(2).data, "the database serves alone");
    assert_eq!(SessionStore::delete(&sessions, &key).await.unwrap(), Deletion::Deleted);
    SessionStore::update(&sessions, &changed, &record(7), &version).await.unwrap();
    server.restart().unwrap();
    eventually(async || cache.get(&other).await.is_ok()).await;
    assert!(SessionStore::load(&sessions, &key, now()).await.unwrap().is_none());
    assert_eq!(cache.get(&key).await.unwrap(), None, "for the other nodes too");
    let found = SessionStore::load(&sessions, &changed, now()).await.unwrap();
    assert_eq!(found.unwrap().record.data, record(7).data, "a change is not undone either");
}

/// Passes on what it hears.
struct Ear(mpsc::UnboundedSender<Heard>);

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Changed(KeyDigest),
    Heartbeat,
    Deaf,
}

impl ChangeListener for Ear {
    fn changed<'a>(&'a self, digest: &'a KeyDigest) -> BoxFuture<'a, ()> {
        Box::pin(async { drop(self.0.send(Heard::Changed(*digest))) })
    }

    fn heard(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { drop(self.0.send(Heard::Heartbeat)) })
    }

    fn deaf(&self) {
        drop(self.0.send(Heard::Deaf));
    }
}

async fn until(words: &mut mpsc::UnboundedReceiver<Heard>, expected: &Heard) {
    let heard = async { while words.recv().await.as_ref() != Some(expected) {} };
    tokio::time::timeout(DEADLINE, heard).await.expect("it is heard in time");
}

async fn hears_itself(redis: &Redis) {
    let bus = RedisBus::new(redis, prefix());
    let (sender, mut words) = mpsc::unbounded_channel();
    bus.listen(Arc::new(Ear(sender)));
    until(&mut words, &Heard::Heartbeat).await;
    let digest = KeyDigest::of(&SessionKey::random());
    bus.publish(&digest).await.unwrap();
    until(&mut words, &Heard::Changed(digest)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_carries_word_to_all_nodes_and_tells_when_it_breaks() {
    let mut server = start(Durability::Fast);
    let redis = Redis::connect(&server.url()).await.unwrap();
    let nodes = [RedisBus::new(&redis, "words"), RedisBus::new(&redis, "words")];
    let mut ears = Vec::new();
    for node in &nodes {
        let (sender, mut words) = mpsc::unbounded_channel();
        node.listen(Arc::new(Ear(sender)));
        until(&mut words, &Heard::Heartbeat).await;
        ears.push(words);
    }
    let digest = KeyDigest::of(&SessionKey::random());
    nodes[0].publish(&digest).await.unwrap();
    for words in &mut ears {
        until(words, &Heard::Changed(digest)).await;
    }
    server.kill().unwrap();
    assert!(nodes[0].publish(&digest).await.is_err());
    for words in &mut ears {
        until(words, &Heard::Deaf).await;
    }
    server.restart().unwrap();
    for words in &mut ears {
        until(words, &Heard::Heartbeat).await;
    }
    drop(nodes);
    for words in &mut ears {
        let end = async { while words.recv().await.is_some() {} };
        tokio::time::timeout(DEADLINE, end).await.expect("it stops when the bus is dropped");
    }
}

/// Asks until the answer is yes.
async fn eventually(yes: impl AsyncFn() -> bool) {
    let asking = async {
        while !yes().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.expect("it recovers by itself");
}
