//! Sessions in files (Django: `django.contrib.sessions.backends.file`).
//!
//! Stops: a key that is a path.
//!
//! 1. A session's file is `<folder>/<cookie's name><key>`, and its text that of Django's column. A key
//!    has Django's characters, `a-z0-9`; nobody's file is looked for under another.
//! 2. A session ends so long after its file was modified as the site's settings or its own
//!    `_session_expiry` say. Django lets one of so many seconds live for ever; here it ends.
//! 3. A file is written beside its place and then put there: nobody reads half of it. Writers take
//!    turns by a lock on [`LOCK`], which Django does not ask for: a log-out there, at the very moment
//!    of a save here, may lose.
//! 4. Only the process's user may read the files. What survives the process may not survive the machine:
//!    nothing waits for the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use donjon_core::clock::UnixTime;
use donjon_core::entropy;
use donjon_core::event::Event;
use donjon_core::session::{
    Creation, Deletion, Lifetime, SessionCodec, SessionData, SessionKey, SessionRecord,
    SessionStore, StoreError, Stored, Update, Version,
};

/// The file in the folder that writers lock. It looks like no session to Django.
pub const LOCK: &str = ".donjon.lock";

/// The largest file of a session, in bytes.
pub const MAX_FILE: u64 = 1024 * 1024;

/// What Django has in the name of a file that is being written.
const UNFINISHED: &str = "_out_";

/// A [`SessionStore`] that shares its files with Django's.
///
/// For a site on one machine, with so many sessions as a folder can be read through: clearing reads
/// all of it for each batch.
#[derive(Clone, Debug)]
pub struct FileSessions(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    prefix: String,
    codec: SessionCodec,
    lifetime: Lifetime,
}

impl FileSessions {
    /// Sessions in this folder, which must exist (Django: `SESSION_FILE_PATH`), of the cookie of this name
    /// (`SESSION_COOKIE_NAME`), which last so long (`SESSION_COOKIE_AGE`).
    ///
    /// # Errors
    /// A [`StoreError`] if there is no such folder, if nothing can be written to it, or if the cookie's
    /// name can't begin a file's.
    pub fn new(
        folder: impl Into<PathBuf>,
        cookie_name: impl Into<String>,
        codec: SessionCodec,
        lifetime: Lifetime,
    ) -> Result<Self, StoreError> {
        let folder = Folder { path: folder.into(), prefix: cookie_name.into(), codec, lifetime };
        if folder.prefix.is_empty() || folder.prefix.contains(['/', '\\', '\0']) {
            let problem =
                "the name of the session's cookie can't begin a file's name; choose another";
            return Err(StoreError::new(problem));
        }
        folder.lock().map_err(|error| {
            let path = folder.path.display();
            StoreError::new(format!(
                "the folder of sessions {path}: {error}; make it, and let this process's user write to it"
            ))
        })?;
        Ok(Self(Arc::new(folder)))
    }

    /// Where waiting for a disk holds nobody up.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let folder = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        done.map_err(StoreError::new)?
    }
}

/// A file that was read.
struct Found {
    text: String,
    modified: UnixTime,
}

impl Folder {
    /// Rule 1.
    fn file(&self, key: &SessionKey) -> Option<PathBuf> {
        let key = key.expose();
        let valid = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        valid.then(|| self.path.join(format!("{}{key}", self.prefix)))
    }

    /// Rule 3: until it is dropped.
    fn lock(&self) -> io::Result<File> {
        let file = private().create(true).truncate(false).open(self.path.join(LOCK))?;
        file.lock()?;
        Ok(file)
    }

    fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        let Some(path) = self.file(key) else { return Ok(None) };
        let Some(found) = read(&path)? else { return Ok(None) };
        let (data, expires) = self.understand(&found);
        let record = SessionRecord { data, expires };
        let stored = Stored { record, version: Version::Text(found.text.into()) };
        Ok(Some(stored).filter(|stored| stored.record.expires > now))
    }

    fn understand(&self, found: &Found) -> (SessionData, UnixTime) {
        let data = self.data(&found.text);
        let expires = found.modified.plus_micros(self.age(&data, found.modified));
        (data, expires)
    }

    /// An empty file is one that Django is about to write.
    fn data(&self, text: &str) -> SessionData {
        if text.is_empty() {
            return SessionData::default();
        }
        self.codec.decode(text).unwrap_or_else(|suspicious| {
            Event::SessionSuspicious { problem: &suspicious }.emit();
            SessionData::default()
        })
    }

    /// How long after it was modified a session ends, in microseconds (rule 2). An expiry that is none
    /// has passed.
    fn age(&self, data: &SessionData, modified: UnixTime) -> i64 {
        let expires = self.lifetime.expires_of(data, modified);
        expires.map_or(0, |expires| expires.at.micros().saturating_sub(modified.micros()))
    }

    fn create(&self, key: &SessionKey, record: &SessionRecord) -> Result<Creation, StoreError> {
        let path = self.file(key).ok_or_else(|| {
            StoreError::new("a file's session has a key of a-z and 0-9, as Django makes them")
        })?;
        let text = self.encode(record)?;
        let _turn = self.lock().map_err(StoreError::new)?;
        // Django holds no lock, but it makes a new session's file like this too.
        match private().create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Ok(Creation::KeyTaken);
            }
            made => drop(made.map_err(StoreError::new)?),
        }
        if let Err(error) = self.write(&path, &text, record) {
            // The error is what counts.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Creation::Created(Version::Text(text.into())))
    }

    fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        let Some(path) = self.file(key) else { return Ok(Update::Gone) };
        let text = self.encode(record)?;
        let _turn = self.lock().map_err(StoreError::new)?;
        match read(&path)? {
            None => Ok(Update::Gone),
            Some(found) if is_text(over, &found.text) => {
                self.write(&path, &text, record)?;
                Ok(Update::Saved(Version::Text(text.into())))
            }
            Some(_) => Ok(Update::Changed),
        }
    }

    fn encode(&self, record: &SessionRecord) -> Result<String, StoreError> {
        let text = self.codec.encode(&record.data).map_err(StoreError::new)?;
        match text.len() as u64 > MAX_FILE {
            true => Err(StoreError::new(format!(
                "a session of {} bytes is too large, a file takes {MAX_FILE}; keep less in it",
                text.len()
            ))),
            false => Ok(text),
        }
    }

    /// Puts the text in its place, modified when its age says.
    fn write(&self, path: &Path, text: &str, record: &SessionRecord) -> Result<(), StoreError> {
        let beside = self.beside(path);
        let put = || -> io::Result<()> {
            let mut file = private().create_new(true).open(&beside)?;
            file.write_all(text.as_bytes())?;
            // What a session with an end of its own has as its time of modification does not matter.
            let age = self.age(&record.data, record.expires);
            file.set_modified(record.expires.plus_micros(age.saturating_neg()).to_system())?;
            fs::rename(&beside, path)
        };
        put().map_err(|error| {
            // The error is what counts.
            let _ = fs::remove_file(&beside);
            StoreError::new(error)
        })
    }

    fn beside(&self, path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(UNFINISHED);
        name.push(entropy::string::<8>(entropy::LOWER_ALPHANUMERIC));
        name.into()
    }

    fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        let Some(path) = self.file(key) else { return Ok(Deletion::Absent) };
        let _turn = self.lock().map_err(StoreError::new)?;
        match fs::remove_file(path) {
            Ok(()) => Ok(Deletion::Deleted),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Deletion::Absent),
            Err(error) => Err(StoreError::new(error)),
        }
    }

    fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        let mut cleared = 0;
        for entry in fs::read_dir(&self.path).map_err(StoreError::new)? {
            if cleared >= limit {
                break;
            }
            let name = entry.map_err(StoreError::new)?.file_name();
            let rest = name.to_str().and_then(|name| name.strip_prefix(&self.prefix));
            if let Some(rest) = rest {
                cleared += usize::from(self.clear(&self.path.join(&name), rest, now)?);
            }
        }
        Ok(cleared)
    }

    /// Removes a file that is a session's and over, or was left half-written by a process that ended.
    fn clear(&self, path: &Path, rest: &str, now: UnixTime) -> Result<bool, StoreError> {
        let is_session = SessionKey::parse(rest).is_some_and(|key| self.file(&key).is_some());
        if !is_session && !rest.contains(UNFINISHED) {
            return Ok(false);
        }
        let _turn = self.lock().map_err(StoreError::new)?;
        match read(path)? {
            Some(found) if self.understand(&found).1 < now => {
                fs::remove_file(path).map_err(StoreError::new)?;
                Ok(is_session)
            }
            _ => Ok(false),
        }
    }
}

fn is_text(version: &Version, text: &str) -> bool {
    matches!(version, Version::Text(seen) if **seen == *text)
}

/// Rule 4.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A file's text; nothing if there is no file.
fn read(path: &Path) -> Result<Option<Found>, StoreError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(StoreError::new)?,
    };
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    let modified = UnixTime::from_system(modified.map_err(StoreError::new)?);
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(StoreError::new)?;
    if bytes.len() as u64 > MAX_FILE {
        let path = path.display();
        let problem =
            format!("{path} is larger than {MAX_FILE} bytes: no session of ours; remove it");
        return Err(StoreError::new(problem));
    }
    // Text that is not UTF-8 has no signature of ours either.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Some(Found { text, modified }))
}

impl SessionStore for FileSessions {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        let key = key.clone();
        self.run(move |folder| folder.load(&key, now)).await
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        let (key, record) = (key.clone(), record.clone());
        self.run(move |folder| folder.create(&key, &record)).await
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        let (key, record, over) = (key.clone(), record.clone(), over.clone());
        self.run(move |folder| folder.update(&key, &record, &over)).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        let key = key.clone();
        self.run(move |folder| folder.delete(&key)).await
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        self.run(move |folder| folder.clear_expired(now, limit)).await
    }
}
