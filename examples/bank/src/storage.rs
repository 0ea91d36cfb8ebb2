//! The databases and the session stores that the bank can stand on.
//!
//! Stops: a bank that quietly keeps its sessions elsewhere than it was told, a log-out that another
//! node does not hear of, and passwords of servers in a log.
//!
//! 1. What does not fit together is an error at start-up that says what to write instead.
//! 2. A cache in the process hears of other nodes by Redis if there is one, and else by PostgreSQL. On
//!    SQLite there is one node, and on MariaDB without Redis there is no such cache.
//! 3. Addresses of servers are never shown whole: they have passwords.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use donjon::session::{COOKIE_AGE, SessionPolicy};
use donjon::stack::StackBuilder;
use donjon_core::secret::Keys;
use donjon_core::session::cached::{CachedSessions, ChangeBus};
use donjon_core::session::{DynSessionStore, Lifetime, MemorySessions, SessionCodec, StoreError};
use donjon_db::{
    Database, DbError, DjangoSessions, FileSessions, PostgresBus, ProcessCache, SqlUserSessions,
};
use donjon_redis::{Redis, RedisBus, RedisCache, RedisError, RedisSessions};
use sea_orm::DbBackend;

/// What the bank calls itself in a Redis that others use too.
const PREFIX: &str = "bank";

/// Where a server is, and how to log in there. Rule 3.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl From<String> for Address {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once(':').unwrap_or_default();
        let place = rest.rsplit('@').next().unwrap_or_default().trim_start_matches('/');
        write!(f, "{scheme}://{}", place.split('?').next().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// Where sessions are kept. Django: `SESSION_ENGINE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionPlace {
    /// In the database.
    #[default]
    Db,
    /// In the database, with a cache in the process.
    CachedDb,
    /// In the database, with a cache in Redis.
    CachedDbRedis,
    /// In Redis.
    Redis,
    /// In their cookies.
    Cookie,
    /// In a folder.
    File,
    /// In memory: they end with the process.
    Memory,
}

/// Their names on the command line.
const PLACES: [(&str, SessionPlace); 7] = [
    ("db", SessionPlace::Db),
    ("cached_db", SessionPlace::CachedDb),
    ("cached_db+redis", SessionPlace::CachedDbRedis),
    ("redis", SessionPlace::Redis),
    ("cookie", SessionPlace::Cookie),
    ("file", SessionPlace::File),
    ("memory", SessionPlace::Memory),
];

impl FromStr for SessionPlace {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = PLACES.iter().find(|(known, _)| *known == name).map(|(_, place)| *place);
        found.ok_or_else(|| {
            let names = PLACES.map(|(known, _)| known).join(", ");
            format!("{name:?} is no session store; expected one of {names}")
        })
    }
}

/// Where the bank keeps things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The SQLite file, where no server is named; the secret key is beside it in any case.
    pub file: PathBuf,
    /// The database, if it is another than the file.
    pub database: Option<Address>,
    /// Where the sessions are.
    pub sessions: SessionPlace,
    /// The Redis.
    pub redis: Option<Address>,
    /// The folder of the sessions that are files; without it `sessions` beside the SQLite file.
    pub folder: Option<PathBuf>,
}

impl Default for Place {
    fn default() -> Self {
        Self::file("bank.sqlite3")
    }
}

impl Place {
    /// This SQLite file, with the sessions in it.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            file: path.into(),
            database: None,
            sessions: SessionPlace::Db,
            redis: None,
            folder: None,
        }
    }

    /// The database, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.database {
            Some(address) => address.to_string(),
            None => self.file.display().to_string(),
        }
    }

    fn folder(&self) -> PathBuf {
        let beside = || self.file.parent().unwrap_or(Path::new("")).join("sessions");
        self.folder.clone().unwrap_or_else(beside)
    }
}

/// Why the bank can't stand there.
#[derive(Debug)]
pub enum StorageError {
    /// The database can't be used.
    Database(DbError),
    /// Redis can't.
    Redis(RedisError),
    /// The store needs Redis, and none is named.
    NoRedis(&'static str),
    /// The folder of sessions can't be made.
    Folder(PathBuf, io::Error),
    /// The folder of sessions can't be used.
    Files(StoreError),
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::Redis(error) => write!(f, "DONJON_REDIS_URL: {error}"),
            Self::NoRedis(why) => write!(
                f,
                "{why}; name one, as in DONJON_REDIS_URL=redis://127.0.0.1:6379, or choose --session-store db"
            ),
            Self::Folder(path, error) => write!(
                f,
                "the folder of sessions {} can't be made: {error}; name another by DONJON_SESSION_FOLDER",
                path.display()
            ),
            Self::Files(error) => write!(f, "DONJON_SESSION_FOLDER: {error}"),
        }
    }
}

impl std::error::Error for StorageError {}

impl From<DbError> for StorageError {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<RedisError> for StorageError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

/// A database, and where the sessions are; clones share both.
#[derive(Clone)]
pub struct Storage {
    /// The database, with all tables but the bank's own.
    pub database: Database,
    sessions: Sessions,
}

#[derive(Clone)]
enum Sessions {
    Store(Arc<dyn DynSessionStore>),
    Cookie,
}

impl Storage {
    /// Sessions in this database.
    #[must_use]
    pub fn db(database: &Database, keys: &Keys) -> Self {
        let sessions = DjangoSessions::new(database, SessionCodec::new(keys));
        Self { database: database.clone(), sessions: Sessions::Store(Arc::new(sessions)) }
    }

    /// Opens what is named, and makes Django's and Donjon's tables where they are missing.
    ///
    /// # Errors
    /// [`StorageError`]: rule 1.
    pub async fn open(place: &Place, keys: &Keys) -> Result<Self, StorageError> {
        let database = match &place.database {
            Some(Address(url)) => Database::connect(url).await?,
            None => Database::sqlite(&place.file).await?,
        };
        database.migrate().await?;
        let sessions = sessions(place, &database, keys).await?;
        Ok(Self { database, sessions })
    }

    /// The store of sessions; none where they are in their cookies.
    #[must_use]
    pub fn sessions(&self) -> Option<&dyn DynSessionStore> {
        match &self.sessions {
            Sessions::Store(store) => Some(&**store),
            Sessions::Cookie => None,
        }
    }

    /// Gives a stack these sessions, and each user the list of their own. A session in its cookie is on
    /// no list: nobody could end it.
    pub fn furnish(&self, stack: StackBuilder, keys: &Keys) -> StackBuilder {
        let policy = SessionPolicy::default();
        match &self.sessions {
            Sessions::Cookie => stack.sessions_in_cookie(policy, keys),
            Sessions::Store(store) => stack
                .sessions(policy, Arc::clone(store))
                .user_sessions(Arc::new(SqlUserSessions::new(&self.database))),
        }
    }
}

async fn sessions(
    place: &Place,
    database: &Database,
    keys: &Keys,
) -> Result<Sessions, StorageError> {
    let behind = DjangoSessions::new(database, SessionCodec::new(keys));
    Ok(Sessions::Store(match place.sessions {
        SessionPlace::Db => Arc::new(behind),
        SessionPlace::CachedDb => {
            let cached = CachedSessions::new(behind, ProcessCache::default());
            match bus(place, database).await? {
                Some(bus) => Arc::new(cached.bus(bus)),
                None => Arc::new(cached),
            }
        }
        SessionPlace::CachedDbRedis => {
            let redis = redis(place, "the store cached_db+redis has its cache in Redis").await?;
            Arc::new(CachedSessions::new(behind, RedisCache::new(&redis, PREFIX)))
        }
        SessionPlace::Redis => {
            let redis = redis(place, "the store redis has its sessions in Redis").await?;
            Arc::new(RedisSessions::with_prefix(&redis, PREFIX, 1))
        }
        SessionPlace::File => Arc::new(files(place, keys)?),
        SessionPlace::Memory => Arc::new(MemorySessions::default()),
        SessionPlace::Cookie => return Ok(Sessions::Cookie),
    }))
}

/// Rule 2.
async fn bus(
    place: &Place,
    database: &Database,
) -> Result<Option<Arc<dyn ChangeBus>>, StorageError> {
    let backend = database.db().backend();
    if place.redis.is_none() && backend == DbBackend::Sqlite {
        return Ok(None);
    }
    if place.redis.is_none() && backend == DbBackend::Postgres {
        return Ok(Some(Arc::new(PostgresBus::start(database).await?)));
    }
    let why = "with MariaDB, the nodes of the store cached_db hear of each other by Redis";
    let bus = RedisBus::new(&redis(place, why).await?, format!("{PREFIX}:sessions"));
    Ok(Some(Arc::new(bus)))
}

async fn redis(place: &Place, why: &'static str) -> Result<Redis, StorageError> {
    match &place.redis {
        Some(Address(url)) => Ok(Redis::connect(url).await?),
        None => Err(StorageError::NoRedis(why)),
    }
}

fn files(place: &Place, keys: &Keys) -> Result<FileSessions, StorageError> {
    let folder = place.folder();
    make_folder(&folder).map_err(|error| StorageError::Folder(folder.clone(), error))?;
    let policy = SessionPolicy::default();
    let codec = SessionCodec::new(keys);
    let files = FileSessions::new(
        folder,
        policy.cookie_name(),
        codec,
        Lifetime::idle(COOKIE_AGE.as_secs() as i64),
    );
    files.map_err(StorageError::Files)
}

/// For its owner's eyes only, where the system knows owners.
fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_addresses_show_no_password() {
        let url = "postgres://bank:s3cret@db.example:5432/bank?sslmode=require&password=s3cret";
        let address = Address::from(url.to_owned());
        assert_eq!(address.to_string(), "postgres://db.example:5432/bank");
        assert_eq!(format!("{address:?}"), "Address(…)");
    }

    #[test]
    fn names_of_stores() {
        assert_eq!("cached_db+redis".parse(), Ok(SessionPlace::CachedDbRedis));
        let error = "cache".parse::<SessionPlace>().unwrap_err();
        assert!(error.contains("expected one of db, cached_db, cached_db+redis"), "{error}");
    }

    #[tokio::test]
    async fn rule_1_redis_must_be_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = Place::file(folder.path().join("bank.sqlite3"));
        for sessions in [SessionPlace::Redis, SessionPlace::CachedDbRedis] {
            let place = Place { sessions, ..file.clone() };
            let error = Storage::open(&place, &Keys::new("k3y".repeat(20).as_str())).await;
            let error = error.map(drop).unwrap_err().to_string();
            assert!(error.contains("DONJON_REDIS_URL=redis://"), "{error}");
        }
    }
}
