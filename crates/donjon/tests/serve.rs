//! The server over real TCP, rule by rule of its module's doc.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Router};
use donjon::serve::Server;
use donjon_core::origin::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a test waits for what must come: never reached where all is well.
const AT_MOST: Duration = Duration::from_secs(20);

/// A header deadline that a test can wait for.
const SHORT: Duration = Duration::from_millis(150);

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
    entered: Arc<Semaphore>,
    gate: Arc<Semaphore>,
}

impl Running {
    async fn new() -> Self {
        Self::with(|server| server).await
    }

    async fn with(change: impl FnOnce(Server) -> Server) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (entered, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let waiting = get(wait).with_state((Arc::clone(&entered), Arc::clone(&gate)));
        let router = Router::new()
            .route("/", get(async || "hello"))
            .route("/who", get(who))
            .route("/echo", post(async |body: String| body))
            .route("/wait", waiting);
        let (stop, stopped) = oneshot::channel();
        let server = change(Server::new(listener, router));
        let server = server.run_until(async move { drop(stopped.await) });
        Self { address, stop, server: tokio::spawn(server), entered, gate }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Tells the server to stop, and waits until it does not listen any more.
    async fn stop_listening(self) -> JoinHandle<io::Result<()>> {
        self.stop.send(()).unwrap();
        let refused = async { while TcpStream::connect(self.address).await.is_ok() {} };
        timeout(AT_MOST, refused).await.unwrap();
        self.server
    }
}

async fn who(Extension(connection): Extension<Connection>) -> String {
    let Connection { peer, local, scheme } = connection;
    format!("{peer} {local} {}", scheme.as_str())
}

/// Answers once the gate is open; tells before that the request is there.
async fn wait(State((entered, gate)): State<(Arc<Semaphore>, Arc<Semaphore>)>) -> &'static str {
    entered.add_permits(1);
    let _open = gate.acquire().await.unwrap();
    "at last"
}

async fn finished(server: JoinHandle<io::Result<()>>) {
    timeout(AT_MOST, server).await.unwrap().unwrap().unwrap();
}

struct Client(TcpStream);

impl Client {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// One response with a `Content-Length`, head and body.
    async fn response(&mut self) -> String {
        let mut read = Vec::new();
        loop {
            let byte = timeout(AT_MOST, self.0.read_u8()).await.unwrap().unwrap();
            read.push(byte);
            if is_whole(&String::from_utf8_lossy(&read)) {
                return String::from_utf8(read).unwrap();
            }
        }
    }

    /// All that comes until the server closes the connection.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A connection that is reset is closed too.
        let _ = timeout(AT_MOST, self.0.read_to_end(&mut rest)).await.unwrap();
        String::from_utf8_lossy(&rest).into_owned()
    }
}

fn is_whole(response: &str) -> bool {
    let Some((head, body)) = response.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    body.len() >= length.parse().unwrap()
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[tokio::test]
async fn rule_1_headers_that_do_not_come_end_the_connection() {
    let server = Running::with(|server| server.header_deadline(SHORT)).await;
    for begun in ["", "GET", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: 1"]
    {
        let mut client = server.connect().await;
        client.send(begun).await;
        assert!(!client.rest().await.contains("200 OK"), "{begun:?}");
    }
}

#[tokio::test]
async fn rule_1_headers_that_drip_end_the_connection_too() {
    let server = Running::with(|server| server.header_deadline(SHORT)).await;
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n").await;
    let mut drops = tokio::time::interval(SHORT / 10);
    let dripping = async {
        while client.0.write_all(b"X-Slow: 1\r\n").await.is_ok() {
            drops.tick().await;
        }
    };
    timeout(AT_MOST, dripping).await.unwrap();
}

#[tokio::test]
async fn rule_1_an_idle_connection_ends() {
    let server = Running::with(|server| server.header_deadline(SHORT)).await;
    let mut client = server.connect().await;
    client.send(&request("/")).await;
    assert!(client.response().await.ends_with("hello"));
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn rule_1_a_slow_client_holds_up_nobody_else() {
    let server = Running::new().await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut client = server.connect().await;
        client.send("GET / HTTP/1.1\r\nHost:").await;
        slow.push(client);
    }
    let mut client = server.connect().await;
    client.send(&request("/")).await;
    assert!(client.response().await.ends_with("hello"));
}

#[tokio::test]
async fn rule_1_a_slow_answer_is_not_cut_off() {
    let server = Running::with(|server| server.header_deadline(SHORT)).await;
    let mut slow = server.connect().await;
    slow.send(&request("/wait")).await;
    let _there = server.entered.acquire().await.unwrap();
    // An idle connection that began later has seen its deadline pass.
    assert_eq!(server.connect().await.rest().await, "");
    server.gate.add_permits(1);
    assert!(slow.response().await.ends_with("at last"));
}

#[tokio::test]
async fn rule_3_every_request_tells_who_sent_it() {
    let server = Running::new().await;
    let mut client = server.connect().await;
    client.send(&request("/who")).await;
    let expected = format!("{} {} http", client.0.local_addr().unwrap(), server.address);
    let response = client.response().await;
    assert!(response.ends_with(&expected), "{response}");
}

#[tokio::test]
async fn rule_3_no_header_says_otherwise() {
    let server = Running::new().await;
    let mut client = server.connect().await;
    client
        .send("GET /who HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n\r\n")
        .await;
    assert!(client.response().await.contains(&client.0.local_addr().unwrap().to_string()));
}

#[tokio::test]
async fn rule_4_an_open_request_finishes_and_nobody_new_gets_in() {
    let server = Running::new().await;
    let gate = Arc::clone(&server.gate);
    let mut client = server.connect().await;
    client.send(&request("/wait")).await;
    let there = Arc::clone(&server.entered);
    let _there = there.acquire().await.unwrap();
    let stopping = server.stop_listening().await;
    assert!(!stopping.is_finished());
    gate.add_permits(1);
    let response = client.rest().await;
    assert!(response.starts_with("HTTP/1.1 200 OK") && response.ends_with("at last"), "{response}");
    finished(stopping).await;
}

#[tokio::test]
async fn rule_4_an_idle_connection_holds_nothing_up() {
    let server = Running::new().await;
    let mut client = server.connect().await;
    client.send(&request("/")).await;
    client.response().await;
    finished(server.stop_listening().await).await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn rule_4_a_server_that_was_told_to_stop_before_it_began_returns() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let server = Server::new(listener, Router::new()).run_until(std::future::ready(()));
    timeout(AT_MOST, server).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let server = Running::new().await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send(&request("/")).await;
        assert!(client.response().await.ends_with("hello"));
        client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\ntea").await;
        assert!(client.response().await.ends_with("tea"));
    }
}

#[tokio::test]
async fn what_is_no_request_is_400_and_ends_the_connection() {
    let server = Running::new().await;
    for garbage in [
        "\u{16}\u{3}\u{1} TLS to the wrong door\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\n Folded: 1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, x\r\n\r\nab",
    ] {
        let mut client = server.connect().await;
        client.send(garbage).await;
        let response = client.rest().await;
        assert!(response.starts_with("HTTP/1.1 400 Bad Request"), "{garbage:?}: {response:?}");
        assert!(!response.contains("200 OK"), "{garbage:?}: {response:?}");
    }
    let mut client = server.connect().await;
    client.send(&request("/")).await;
    assert!(client.response().await.ends_with("hello"));
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_stops_nobody() {
    let server = Running::new().await;
    for begun in
        ["GET / HT", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\ntea"]
    {
        let mut client = server.connect().await;
        client.send(begun).await;
        drop(client);
    }
    let mut client = server.connect().await;
    client.send(&request("/")).await;
    assert!(client.response().await.ends_with("hello"));
    finished(server.stop_listening().await).await;
}
