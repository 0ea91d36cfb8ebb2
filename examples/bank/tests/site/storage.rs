//! The bank on each database with each store of sessions: a customer's walk, money under pressure, and
//! what is said where the two don't fit together.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use bank::Bank;
use bank::items::{Addition, MAX_ITEMS, Owner};
use bank::ledger::{Order, TransferError};
use bank::money::Cents;
use bank::people::{ALICE, BOB};
use bank::start::site;
use bank::storage::{Place, SessionPlace, Storage};
use donjon::password::{Passwords, Pbkdf2};
use donjon_core::account::AccountStore;
use donjon_core::clock::UnixTime;
use donjon_core::secret::Keys;
use donjon_db::Database;
use http::{StatusCode, header};
use sea_orm::ConnectionTrait;
use tempfile::TempDir;

use crate::client::Client;

/// Which database a test is on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    MariaDb,
}

/// A place of a test's own; hold on to it.
pub(crate) struct Ground {
    pub(crate) place: Place,
    _folder: TempDir,
}

impl Ground {
    pub(crate) async fn new(kind: Kind, sessions: SessionPlace) -> Self {
        let folder = TempDir::new().unwrap();
        let database = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(fresh(servers::POSTGRES, "").await.into()),
            Kind::MariaDb => Some(fresh(servers::MARIADB, " CHARACTER SET utf8mb4").await.into()),
        };
        let file = Place::file(folder.path().join("bank.sqlite3"));
        Self { place: Place { database, sessions, ..file }, _folder: folder }
    }

    pub(crate) fn with_redis(mut self) -> Self {
        self.place.redis = Some(servers::shared(servers::REDIS).into());
        self
    }

    /// A node of the bank here, with connections and a cache of its own.
    pub(crate) async fn node(&self) -> Node {
        let keys = Keys::new("the key that the nodes of a test share");
        let storage = Storage::open(&self.place, &keys).await.unwrap();
        let passwords = Passwords::new(Pbkdf2::with_iterations(1));
        let (router, bank) = site(&storage, &keys, passwords).await.unwrap();
        Node { router, bank, storage }
    }
}

async fn fresh(variable: &str, options: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = servers::shared(variable);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("bank_{}_{number}", std::process::id());
    let database = Database::connect(&server).await.unwrap();
    let sql = format!("CREATE DATABASE {name}{options}");
    database.danger_connection().execute_unprepared(&sql).await.unwrap();
    let (place, _) = server.rsplit_once('/').unwrap();
    format!("{place}/{name}")
}

/// One process, as far as the others can tell.
pub(crate) struct Node {
    pub(crate) router: Router,
    pub(crate) bank: Bank,
    pub(crate) storage: Storage,
}

async fn walk(kind: Kind) {
    use SessionPlace::{CachedDb, CachedDbRedis, Cookie, Db, File, Memory, Redis};
    for sessions in [Db, CachedDb, CachedDbRedis, Redis, Cookie, File, Memory] {
        let ground = Ground::new(kind, sessions).await.with_redis();
        let node = ground.node().await;
        let what = format!("{kind:?} with {sessions:?}");
        let mut alice = Client::of(&node.router);
        alice.log_in(&ALICE).await;
        alice.get("/account/").await.sees("Welcome, alice.").sees("€1,000.00");
        let fields = [("to", "bob"), ("amount", "12.50"), ("memo", "ramen 🍜")];
        let sent = alice.post("/transfer/", &fields).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{what}: {}", sent.text);
        alice.get("/account/").await.sees("You sent €12.50 to bob.").sees("ramen 🍜");
        let again = alice.get("/account/").await;
        assert!(!again.text.contains("You sent"), "{what}: the message is shown once");
        again.sees("€987.50");
        alice.post("/form/", &[("name", "Ann"), ("email", "a@b.example")]).await;
        alice.get("/form/").await.sees("Thank you, Ann.");
        let listed = alice.get("/account/sessions/").await;
        listed.sees(if sessions == Cookie { "keeps its sessions in cookies" } else { "this one" });
        let token = alice.token("/account/").await;
        alice.post_raw("/accounts/logout/", &[("csrfmiddlewaretoken", &token)]).await;
        assert_eq!(alice.get("/account/").await.status, StatusCode::FOUND, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_store_on_sqlite() {
    walk(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_store_on_postgres() {
    walk(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_store_on_mariadb() {
    walk(Kind::MariaDb).await;
}

async fn pressure(kind: Kind) {
    let ground = Ground::new(kind, SessionPlace::Db).await;
    let node = ground.node().await;
    let id = async |name| node.bank.accounts.by_username(name).await.unwrap().unwrap().id;
    let (alice, bob) = (id(ALICE.username).await, id(BOB.username).await);
    overdraw(&node.bank, alice, bob).await;
    pay_each_other(&node.bank, alice, bob).await;
    fill_a_list(&node.bank).await;
}

fn order(sender: i64, recipient: i64, amount: i64) -> Order {
    let at = UnixTime::from_seconds(0);
    Order { sender, recipient, amount: Cents(amount), memo: String::new(), at }
}

async fn overdraw(bank: &Bank, alice: i64, bob: i64) {
    let transfers = (0..12).map(|_| {
        let (ledger, order) = (bank.ledger.clone(), order(alice, bob, 30_000));
        tokio::spawn(async move { ledger.transfer(&order).await })
    });
    let mut done = 0;
    for transfer in transfers.collect::<Vec<_>>() {
        match transfer.await.unwrap() {
            Ok(()) => done += 1,
            Err(error) => assert!(matches!(error, TransferError::Overdrawn), "{error}"),
        }
    }
    assert_eq!(done, 3);
    assert_eq!(bank.ledger.balance(alice).await.unwrap(), Cents(10_000));
    assert_eq!(bank.ledger.balance(bob).await.unwrap(), Cents(190_000));
}

async fn pay_each_other(bank: &Bank, alice: i64, bob: i64) {
    let transfers = (0..40).map(|number| {
        let order = if number % 2 == 0 { order(alice, bob, 1) } else { order(bob, alice, 1) };
        let ledger = bank.ledger.clone();
        tokio::spawn(async move { ledger.transfer(&order).await })
    });
    for transfer in transfers.collect::<Vec<_>>() {
        transfer.await.unwrap().unwrap();
    }
    assert_eq!(bank.ledger.balance(alice).await.unwrap(), Cents(10_000));
}

async fn fill_a_list(bank: &Bank) {
    let owner = Owner::user(1);
    let additions = (0..MAX_ITEMS + 20).map(|number| {
        let (items, owner) = (bank.items.clone(), owner.clone());
        tokio::spawn(async move { items.add(&owner, &format!("item {number}")).await.unwrap() })
    });
    let mut added = 0;
    for addition in additions.collect::<Vec<_>>() {
        added += u64::from(addition.await.unwrap() == Addition::Added);
    }
    assert_eq!(added, MAX_ITEMS);
    let items = bank.items.of(&owner).await.unwrap();
    let names: BTreeSet<_> = items.iter().map(|item| &item.name).collect();
    assert_eq!(names.len() as u64, MAX_ITEMS);
}

#[tokio::test(flavor = "multi_thread")]
async fn money_holds_on_sqlite() {
    pressure(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_holds_on_postgres() {
    pressure(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_holds_on_mariadb() {
    pressure(Kind::MariaDb).await;
}

#[tokio::test]
async fn nodes_hear_of_each_other_or_say_what_is_missing() {
    let ground = Ground::new(Kind::MariaDb, SessionPlace::CachedDb).await;
    let error = Storage::open(&ground.place, &Keys::new("k")).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("DONJON_REDIS_URL=redis://"), "{error}");
    let ground = ground.with_redis();
    Storage::open(&ground.place, &Keys::new("k")).await.unwrap();
}

#[tokio::test]
async fn a_session_is_ended_by_its_user_alone() {
    let ground = Ground::new(Kind::Sqlite, SessionPlace::Db).await;
    let node = ground.node().await;
    let mut alice = Client::of(&node.router);
    alice.log_in(&ALICE).await;
    let page = alice.get("/account/sessions/").await.text;
    let (_, rest) = page.split_once("name=\"session\" value=\"").unwrap();
    let id = rest.split('"').next().unwrap();

    let mut bob = Client::of(&node.router);
    bob.log_in(&BOB).await;
    bob.get("/account/").await;
    let answer = bob.post("/account/sessions/", &[("session", id)]).await;
    assert_eq!(answer.header(header::LOCATION), "/account/sessions/");
    bob.get("/account/sessions/").await.sees("That session was over already.");
    assert_eq!(alice.get("/account/").await.status, StatusCode::OK);

    let answer = bob.post("/account/sessions/", &[("session", "x' OR 1=1")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let forged = bob.post_raw("/account/sessions/", &[]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);

    alice.post("/account/sessions/", &[("session", id)]).await;
    assert_eq!(alice.get("/account/").await.status, StatusCode::FOUND, "logged out here");
}
