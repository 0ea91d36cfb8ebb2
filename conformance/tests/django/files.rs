//! One folder of sessions, used by Django's `file` engine and by Donjon's.

use std::path::{Path, PathBuf};

use donjon_core::clock::{Clock, UnixTime};
use donjon_core::session::{
    Lifetime, SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore, Update,
};
use donjon_db::FileSessions;

use crate::world::{KEYS, finished, python};

/// Django's `SESSION_COOKIE_AGE`.
const LIFETIME: Lifetime = Lifetime::idle(1_209_600);

/// A folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("files-{name}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn sessions(&self) -> FileSessions {
        let codec = SessionCodec::new(&KEYS.of_donjon());
        FileSessions::new(&self.0, "sessionid", codec, LIFETIME).unwrap()
    }

    /// What a script of Django's prints, with its file engine at hand as `S`.
    fn django(&self, script: &str) -> String {
        let script = format!(
            "from django.conf import settings\n\
             settings.SESSION_FILE_PATH = {:?}\n\
             from django.contrib.sessions.backends.file import SessionStore as S\n{script}",
            self.0.display().to_string()
        );
        let mut command = python("unused.sqlite3", KEYS);
        let said = finished(command.args(["manage.py", "shell", "--no-startup", "-c", &script]));
        said.lines().last().unwrap_or_default().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn record(json: &str, expires: UnixTime) -> SessionRecord {
    SessionRecord { data: SessionData::from_json(json.as_bytes()).unwrap(), expires }
}

#[tokio::test]
async fn django_reads_donjons_files() {
    let folder = Folder::new("donjon");
    let (sessions, now, key) = (folder.sessions(), Clock::system().now(), SessionKey::random());
    let end = now.plus_seconds(LIFETIME.seconds);
    sessions.create(&key, &record(r#"{"a":"é"}"#, end)).await.unwrap();
    let key = key.expose();
    let told =
        folder.django(&format!("s = S({key:?})\nprint(s['a'], s.get_expiry_age() > 1209000)"));
    assert_eq!(told, "é True");
    let over = SessionKey::random();
    sessions.create(&over, &record("{}", now.plus_seconds(-1))).await.unwrap();
    folder.django("S.clear_expired()");
    assert_eq!(sessions.load(&over, UnixTime::from_seconds(0)).await.unwrap(), None);
    folder.django(&format!("S({key:?}).delete()"));
    assert_eq!(sessions.load(&SessionKey::parse(key).unwrap(), now).await.unwrap(), None);
}

#[tokio::test]
async fn donjon_reads_djangos_files() {
    let folder = Folder::new("django");
    let (sessions, now) = (folder.sessions(), Clock::system().now());
    let key = folder.django("s = S()\ns['a'] = 'é'\ns.save()\nprint(s.session_key)");
    let key = SessionKey::parse(&key).unwrap();
    let stored = sessions.load(&key, now).await.unwrap().unwrap();
    assert_eq!(stored.record.data.text("a").as_deref(), Some("é"));
    let age = stored.record.expires.seconds() - now.seconds();
    assert!((LIFETIME.seconds - 60..=LIFETIME.seconds + 60).contains(&age), "{age}");
    let end = now.plus_seconds(LIFETIME.seconds);
    let changed = record(r#"{"a":"ü"}"#, end);
    let update = sessions.update(&key, &changed, &stored.version).await.unwrap();
    assert!(matches!(update, Update::Saved(_)));
    let key = key.expose();
    assert_eq!(folder.django(&format!("print(S({key:?})['a'])")), "ü");
}
