//! The servers that other tests rely on.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::net::TcpStream;
use std::process::Command;

use servers::{Cluster, Durability, MariaDb, Postgres, Redis, RedisOptions, Sentinel};

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn psql(url: &str, sql: &str) -> String {
    let mut command = Command::new(Postgres::find().unwrap().join("psql"));
    let output = command.args(["-X", "-q", "-t", "-A", "-c", sql, url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn postgres_keeps_its_data_and_goes_when_it_is_dropped() {
    let mut server = Postgres::start(Durability::Kept).unwrap();
    let url = server.create("shop").unwrap();
    psql(&url, "CREATE TABLE t AS SELECT 7 AS n");
    server.kill().unwrap();
    assert!(!answers(server.port()));
    server.restart().unwrap();
    assert_eq!(psql(&url, "SELECT n FROM t"), "7");
    server.restart().unwrap();
    assert_eq!(psql(&url, "SELECT n FROM t"), "7");
    let port = server.port();
    drop(server);
    assert!(!answers(port));
}

#[test]
fn mariadb_keeps_its_databases_and_goes_when_it_is_dropped() {
    let mut server = MariaDb::start(Durability::Kept).unwrap();
    server.create("shop").unwrap();
    server.kill().unwrap();
    server.restart().unwrap();
    assert!(server.create("shop").is_err(), "it is there");
    let port = server.port();
    drop(server);
    assert!(!answers(port));
}

#[test]
fn redis_keeps_its_data_and_goes_when_it_is_dropped() {
    let mut server = Redis::start(RedisOptions::new(Durability::Kept)).unwrap();
    assert_eq!(server.client(&["SET", "a", "1"]).unwrap(), "OK");
    server.kill().unwrap();
    assert!(!answers(server.port()));
    server.restart().unwrap();
    assert_eq!(server.client(&["GET", "a"]).unwrap(), "1");
    let port = server.port();
    drop(server);
    assert!(!answers(port));
}

#[test]
fn redis_comes_as_a_cluster_and_with_a_sentinel() {
    let cluster = Cluster::start().unwrap();
    assert_eq!(cluster.urls().len(), 3);
    let mut sentinel = Sentinel::start().unwrap();
    assert!(answers(sentinel.port()));
    sentinel.fail_over().unwrap();
}
