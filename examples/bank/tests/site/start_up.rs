//! What is said when the bank can't open.

use std::path::Path;

use bank::options::Options;
use bank::start::start;
use bank::storage::Place;
use tempfile::TempDir;
use tokio::net::TcpListener;

async fn failure(port: u16, database: &Path) -> String {
    let place = Place::file(database);
    let options = Options { port, attacker_port: 0, app_port: 0, place, proxy: None };
    match start(&options).await {
        Ok(_) => panic!("the bank opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_port_that_is_taken() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let database = folder.path().join("bank.sqlite3");
    let message = failure(port, &database).await;
    assert!(message.starts_with(&format!("port {port} is taken")), "{message}");
    assert!(message.contains("--port"), "{message}");
    assert!(!database.exists(), "nothing is made before the ports are there");
}

#[tokio::test]
async fn a_database_that_cannot_be() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing").join("bank.sqlite3");
    let message = failure(0, &missing).await;
    assert!(message.contains("its folder does not exist"), "{message}");

    let garbage = folder.path().join("garbage.sqlite3");
    std::fs::write(&garbage, "this is no database, and long enough to be sure of it. ".repeat(100))
        .unwrap();
    let message = failure(0, &garbage).await;
    assert!(message.contains("no SQLite database"), "{message}");

    let message = failure(0, folder.path()).await;
    assert!(message.contains("it is a folder"), "{message}");
}

#[tokio::test]
async fn a_key_that_is_too_short() {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("bank.sqlite3");
    std::fs::write(folder.path().join("bank.sqlite3.key"), "short").unwrap();
    let message = failure(0, &database).await;
    assert!(message.contains("too short: expected 50 characters"), "{message}");
}
