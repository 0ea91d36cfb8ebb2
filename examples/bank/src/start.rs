//! Opening the bank, the attacker's site and the front end.
//!
//! 1. Whatever is wrong is said before anything is served: a port that is taken, a database that
//!    can't be used, a key that is too short.
//! 2. All sites listen on the loopback interface only.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use donjon::password::Passwords;
use donjon::serve::Server;
use donjon_core::secret::Keys;
use donjon_core::session::StoreError;
use donjon_db::{Database, DbError, DjangoAccounts, SqlViolations};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{self, App};
use crate::attacker::{self, Attacker};
use crate::key::{self, KeyError};
use crate::options::Options;
use crate::site::{self, SiteError};
use crate::storage::{Storage, StorageError};
use crate::witness::Witness;
use crate::{Bank, items, ledger, people};

/// Why the bank does not open.
#[derive(Debug)]
pub enum StartError {
    /// Nobody can listen on this port.
    Port(&'static str, u16, io::Error),
    /// There is no key.
    Key(KeyError),
    /// The bank can't keep its things there.
    Storage(StorageError),
    /// The database can't be used.
    Database(DbError),
    /// The users can't be read or made.
    Store(StoreError),
    /// The site does not fit together.
    Site(SiteError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(option, port, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "port {port} is taken by another program: stop it, or choose another port with {option} \
                 (0 takes any free one)"
            ),
            Self::Port(option, port, error) => {
                write!(f, "nobody may listen on port {port}: {error}; choose another with {option}")
            }
            Self::Key(error) => error.fmt(f),
            Self::Storage(error) => error.fmt(f),
            Self::Database(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Site(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

macro_rules! from {
    ($($error:ty => $variant:ident),*) => {$(
        impl From<$error> for StartError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

from!(KeyError => Key, StorageError => Storage, DbError => Database, StoreError => Store, SiteError => Site);

/// All sites, serving.
#[derive(Debug)]
pub struct Running {
    /// Where the bank listens.
    pub bank: SocketAddr,
    /// Where the attacker listens.
    pub attacker: SocketAddr,
    /// Where the front end listens.
    pub app: SocketAddr,
    stop: watch::Sender<()>,
    servers: Vec<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// The bank's address.
    #[must_use]
    pub fn bank_url(&self) -> String {
        bank_url(self.bank.port())
    }

    /// The attacker's address.
    #[must_use]
    pub fn attacker_url(&self) -> String {
        attacker_url(self.attacker.port())
    }

    /// The front end's address.
    #[must_use]
    pub fn app_url(&self) -> String {
        app::origin(self.app.port())
    }

    /// Lets open requests finish, and closes all sites.
    pub async fn stop(self) {
        drop(self.stop);
        for server in self.servers {
            // A server that failed is closed too.
            let _ = server.await;
        }
    }
}

fn bank_url(port: u16) -> String {
    format!("http://localhost:{port}")
}

fn attacker_url(port: u16) -> String {
    format!("http://{}:{port}", attacker::HOST)
}

/// Opens all sites.
///
/// # Errors
/// [`StartError`].
pub async fn start(options: &Options) -> Result<Running, StartError> {
    let front = listen("--port", options.port).await?;
    let back = listen("--attacker-port", options.attacker_port).await?;
    let side = listen("--app-port", options.app_port).await?;
    let (bank_at, attacker_at, app_at) = (address(&front)?, address(&back)?, address(&side)?);

    let keys = key::keys(&options.place.file, std::env::var("BANK_SECRET_KEY").ok())?;
    let storage = Storage::open(&options.place, &keys).await?;
    let passwords = Passwords::default();
    let neighbours =
        Neighbours { attacker: attacker_url(attacker_at.port()), app: app::origin(app_at.port()) };
    let bank = open(&storage.database, passwords, neighbours).await?;
    let bank = Bank { proxy: options.proxy, ..bank };
    let attacker = Attacker::new(bank.clone(), bank_at, attacker_at.port());
    let attacker = attacker.map_err(SiteError::from)?;

    let app = App::new(&bank_url(bank_at.port()), app_at.port(), attacker_at.port())?;
    let sites = [
        (front, site::router(bank, &storage, &keys)?),
        (back, attacker::router(attacker, app::copy(app.clone())?)),
        (side, app::router(app)?),
    ];
    let (stop, stopped) = watch::channel(());
    let servers = sites.into_iter().map(|(listener, router)| {
        let mut stopped = stopped.clone();
        let stopped = async move { while stopped.changed().await.is_ok() {} };
        tokio::spawn(Server::new(listener, router).run_until(stopped))
    });
    let servers = servers.collect();
    Ok(Running { bank: bank_at, attacker: attacker_at, app: app_at, stop, servers })
}

async fn listen(option: &'static str, port: u16) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    listener.map_err(|error| StartError::Port(option, port, error))
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Port("--port", 0, error))
}

/// The addresses of the sites beside the bank.
struct Neighbours {
    attacker: String,
    app: String,
}

impl Default for Neighbours {
    fn default() -> Self {
        let Options { attacker_port, app_port, .. } = Options::default();
        Self { attacker: attacker_url(attacker_port), app: app::origin(app_port) }
    }
}

/// The bank on a database that has, or now gets, all its tables and people.
async fn open(
    database: &Database,
    passwords: Passwords,
    neighbours: Neighbours,
) -> Result<Bank, StartError> {
    database.migrate().await?;
    let bank = Bank {
        ledger: ledger::Ledger::open(database.db()).await?,
        items: items::Items::open(database.db()).await?,
        accounts: Arc::new(DjangoAccounts::new(database)),
        passwords,
        violations: Arc::new(SqlViolations::new(database)),
        witness: Witness::default(),
        attacker_url: neighbours.attacker.into(),
        app_url: neighbours.app.into(),
        proxy: None,
    };
    people::settle(&bank.accounts, &bank.ledger, &bank.passwords).await?;
    Ok(bank)
}

/// The bank's site alone, without a server and with a hasher of choice: for tests.
///
/// # Errors
/// [`StartError`].
pub async fn site(
    storage: &Storage,
    keys: &Keys,
    passwords: Passwords,
) -> Result<(Router, Bank), StartError> {
    let bank = open(&storage.database, passwords, Neighbours::default()).await?;
    Ok((site::router(bank.clone(), storage, keys)?, bank))
}
