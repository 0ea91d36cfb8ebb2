//! A real Django and Donjon on the same sessions in Redis.
//!
//! `DONJON_DJANGO_PYTHON` names a Python that has Django and redis; `cargo xtask test` sets it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests stop a test"
)]

use std::process::Command;

use donjon_core::clock::Clock;
use donjon_core::session::{SessionData, SessionKey, SessionRecord, SessionStore, Update};
use donjon_redis::{Redis, RedisSessions};

const SETTINGS: &str = r#"
import json, sys
from django.conf import settings

class JSONSerializer:
    def dumps(self, value):
        return value if type(value) is int else json.dumps(value, separators=(",", ":")).encode()

    def loads(self, data):
        return json.loads(data)

settings.configure(
    CACHES={"default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": sys.argv[1],
        "KEY_PREFIX": sys.argv[2],
        "OPTIONS": {"serializer": JSONSerializer},
    }},
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
)
from django.contrib.sessions.backends.cache import SessionStore
"#;

fn django(prefix: &str, script: &str, more: &str) -> String {
    let python = std::env::var_os("DONJON_DJANGO_PYTHON")
        .unwrap_or_else(|| panic!("DONJON_DJANGO_PYTHON is not set: run cargo xtask test"));
    let script = format!("{SETTINGS}{script}");
    let url = servers::shared(servers::REDIS);
    let output = Command::new(python).args(["-B", "-c", &script, &url, prefix, more]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn each_reads_what_the_other_wrote() {
    let prefix = format!("django-{}", std::process::id());
    let redis = Redis::connect(&servers::shared(servers::REDIS)).await.unwrap();
    let sessions = RedisSessions::with_prefix(&redis, &prefix, 1);

    let write = r#"
s = SessionStore()
s["who"] = "ann é ☂"
s["list"] = [1, {"a": None}]
s.set_expiry(600)
s.create()
print(s.session_key)
"#;
    let key = SessionKey::parse(&django(&prefix, write, "")).unwrap();
    let now = Clock::system().now();
    let stored = sessions.load(&key, now).await.unwrap().expect("Django wrote it");
    let record = stored.record;
    assert_eq!(record.data.text("who").as_deref(), Some("ann é ☂"));
    assert!((590..=600).contains(&(record.expires.seconds() - now.seconds())));
    let mut data = record.data.clone();
    data.insert("more", "from Rust ü").unwrap();
    let changed = SessionRecord { data, expires: record.expires };
    sessions.update(&key, &changed, &stored.version).await.unwrap();

    let read = r#"
s = SessionStore(sys.argv[3])
print(s["who"] == "ann é ☂", s["list"] == [1, {"a": None}], s["more"] == "from Rust ü", s.get_expiry_age())
s["again"] = 1
s.save()
"#;
    assert_eq!(django(&prefix, read, key.expose()), "True True True 600");
    let stored = sessions.load(&key, now).await.unwrap().expect("Django saved it");
    assert!(stored.record.data.contains("again"));

    let mine = SessionKey::random();
    let data = SessionData::from_json(br#"{"made":"by Donjon"}"#).unwrap();
    let record = SessionRecord { data, expires: now.plus_seconds(600) };
    sessions.create(&mine, &record).await.unwrap();
    let read = r#"
s = SessionStore(sys.argv[3])
print(s["made"])
s.flush()
"#;
    assert_eq!(django(&prefix, read, mine.expose()), "by Donjon");
    assert_eq!(sessions.load(&mine, now).await.unwrap(), None, "Django flushed it");
}

#[tokio::test]
async fn a_pickle_of_django_is_a_session_without_values() {
    let prefix = format!("pickle-{}", std::process::id());
    let redis = Redis::connect(&servers::shared(servers::REDIS)).await.unwrap();
    let sessions = RedisSessions::with_prefix(&redis, &prefix, 1);
    let write = r#"
from django.core.cache import caches
import pickle
client = caches["default"]._cache.get_client(write=True)
name = caches["default"].make_and_validate_key("django.contrib.sessions.cache" + sys.argv[3])
client.set(name, pickle.dumps({"_auth_user_id": "1"}), ex=600)
"#;
    let key = SessionKey::random();
    django(&prefix, write, key.expose());
    let now = Clock::system().now();
    let stored = sessions.load(&key, now).await.unwrap().expect("it is there");
    assert!(stored.record.data.is_empty());
    let saved = sessions.update(&key, &stored.record, &stored.version).await.unwrap();
    assert!(matches!(saved, Update::Saved(_)), "it can be written over");
}
