//! Keys and values that stores are tempted to read as something else.

use super::record::{create, holds, holds_none, later, record};
use super::{Fault, Outcome, odd_key, same};
use crate::session::{
    Creation, Deletion, SessionData, SessionKey, SessionRecord, SessionStore, Update, Version,
};

/// Each means something to somebody: SQL, Redis, a file system, a glob, a terminal.
const ODD_KEYS: [&str; 18] = [
    "' OR '1'='1' -- ",
    "x'; DROP TABLE django_session; --",
    "\\' OR 1=1 #aaaa",
    "\" OR \"\"=\"",
    "%%%%%%%%",
    "________",
    "********",
    "{hash}tag",
    "key\r\nFLUSHALL\r\n",
    "../../../../etc/passwd",
    "/etc/passwd",
    "C:\\aux.txt",
    "nul\0nul\0nul",
    "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
    "ключ-сессии-🗝️🗝️",
    "\u{202e}reversed",
    "        ",
    "$1 $2 ? :name @p1",
];

pub(super) async fn odd_keys<S: SessionStore>(store: &S) -> Outcome {
    let (bystander, first) = (SessionKey::random(), record("number", 1)?);
    let version = create(store, &bystander, &first).await?;
    let longest = "k".repeat(SessionKey::MAX_LENGTH);
    let widest = "🗝".repeat(SessionKey::MAX_LENGTH);
    for text in ODD_KEYS.into_iter().chain([longest.as_str(), widest.as_str()]) {
        let found = odd_key_alone(store, text, &version).await;
        found.map_err(|Fault(found)| Fault(format!("the key {text:?}: {found}")))?;
    }
    holds(store, &bystander, &first).await
}

async fn odd_key_alone<S: SessionStore>(store: &S, text: &str, version: &Version) -> Outcome {
    let key = odd_key(text)?;
    names_nothing(store, &key, version).await?;
    let odd = record("odd", 1)?;
    match store.create(&key, &odd).await {
        Ok(Creation::Created(_)) => holds(store, &key, &odd).await?,
        Ok(Creation::KeyTaken) => return Err(Fault("create: it is taken".to_owned())),
        // Nothing keeps it, and so nothing may come of it.
        Err(_) => return names_nothing(store, &key, version).await,
    }
    same("delete", &store.delete(&key).await?, &Deletion::Deleted)?;
    holds_none(store, &key).await
}

async fn names_nothing<S: SessionStore>(store: &S, key: &SessionKey, over: &Version) -> Outcome {
    holds_none(store, key).await?;
    same("update", &store.update(key, &record("odd", 2)?, over).await?, &Update::Gone)?;
    same("delete", &store.delete(key).await?, &Deletion::Absent)
}

/// What a collation, a trimmed column, or a column that cuts takes for the same as `abcdefgh1234`.
const NEAR_KEYS: [&str; 7] = [
    "ABCDEFGH1234",
    "Abcdefgh1234",
    "abcdefgh1234 ",
    " abcdefgh1234",
    "ábcdefgh1234",
    "ａbcdefgh1234",
    "abcdefgh1234\0",
];

pub(super) async fn near_keys<S: SessionStore>(store: &S) -> Outcome {
    let (key, first) = (odd_key("abcdefgh1234")?, record("number", 1)?);
    let version = create(store, &key, &first).await?;
    for text in NEAR_KEYS {
        let found = names_nothing(store, &odd_key(text)?, &version).await;
        found.map_err(|Fault(found)| Fault(format!("the key {text:?}: {found}")))?;
    }
    holds(store, &key, &first).await
}

const ODD_VALUES: [&str; 16] = [
    "null",
    "true",
    "-0.0",
    "1e+20",
    "0.1000000000000000055511151231257827",
    "123456789012345678901234567890",
    "-9223372036854775809",
    r#""""#,
    r#""\u0000""#,
    r#""\ud83d\ude00\u202e""#,
    r#""' OR 1=1; -- %s {} $1 \\""#,
    r#""</script><!--""#,
    r#""a:b:c""#,
    "[]",
    r#"{"":{"":[{}]}}"#,
    r#"{"b":1,"a":2,"__proto__":3}"#,
];

pub(super) async fn odd_values<S: SessionStore>(store: &S) -> Outcome {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for value in ODD_VALUES.into_iter().chain([deep.as_str()]) {
        for name in ["value", "", r"caf\u00e9 \ud83d\udddd\ufe0f", r"\u0000", "_auth_user_id"] {
            let json = format!(r#"{{"{name}":{value},"after":1}}"#);
            comes_back(store, &json)
                .await
                .map_err(|Fault(found)| Fault(format!("{json}: {found}")))?;
        }
    }
    Ok(())
}

async fn comes_back<S: SessionStore>(store: &S, json: &str) -> Outcome {
    let parsed = SessionData::from_json(json.as_bytes());
    let data = parsed.map_err(|error| Fault(error.to_string()))?;
    let (key, record) = (SessionKey::random(), SessionRecord { data, expires: later() });
    create(store, &key, &record).await?;
    holds(store, &key, &record).await
}

pub(super) async fn big_values<S: SessionStore>(store: &S) -> Outcome {
    let dense: String = (0..8_192).map(|_| SessionKey::random().expose().to_owned()).collect();
    for (what, text) in
        [("64 kB", "x".repeat(1 << 16)), ("1 MB", "x".repeat(1 << 20)), ("256 kB, random", dense)]
    {
        let json = format!(r#"{{"big":"{text}"}}"#);
        let outcome = comes_back(store, &json).await;
        outcome.map_err(|_| Fault(format!("a value of {what} did not come back")))?;
    }
    Ok(())
}
