//! The servers that other tests rely on.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use servers::{Cluster, Durability, MariaDb, Postgres, Redis, RedisOptions, Sentinel};

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// How long servers and folders may outlive the program that began them.
const GRACE: Duration = Duration::from_secs(20);

#[allow(clippy::disallowed_methods, reason = "nothing tells when a stranger's child is gone")]
fn in_time(happens: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while !happens() && begin.elapsed() < GRACE {
        std::thread::sleep(Duration::from_millis(10));
    }
    happens()
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

#[test]
fn servers_and_folders_go_with_a_program_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    // PostgreSQL's user must pass.
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_servers"));
    command.env("TMPDIR", folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut program = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ports: Vec<u16> = line.split_whitespace().map(|port| port.parse().unwrap()).collect();
    let folders = || std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!((ports.len(), folders()), (3, 3));
    assert!(ports.iter().all(|port| answers(*port)));
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(in_time(|| !ports.iter().any(|port| answers(*port))), "{ports:?}");
    assert!(in_time(|| folders() == 0), "{:?}", folder.path());
}
