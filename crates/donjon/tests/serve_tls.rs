//! The server over real TLS, with a throwaway certificate.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use donjon::serve::rustls::pki_types::{CertificateDer, ServerName};
use donjon::serve::rustls::version::{TLS12, TLS13};
use donjon::serve::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use donjon::serve::{Server, Tls};
use donjon_core::origin::Connection;
use rcgen::generate_simple_self_signed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a test waits for what must come: never reached where all is well.
const AT_MOST: Duration = Duration::from_secs(20);

/// A deadline that a test can wait for.
const SHORT: Duration = Duration::from_millis(150);

struct Running {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

impl Running {
    async fn new() -> Self {
        Self::with(|tls| tls).await
    }

    async fn with(change: impl FnOnce(Tls) -> Tls) -> Self {
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = made.signing_key.serialize_pem();
        let tls = Tls::pem(made.cert.pem().as_bytes(), key.as_bytes()).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let router = Router::new().route("/who", get(who));
        let server = Server::new(listener, router).tls(change(tls));
        let server = tokio::spawn(server.run_until(async move { drop(stopped.await) }));
        Self { address, certificate: made.cert.der().clone(), stop, server }
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn connect(&self, version: &'static SupportedProtocolVersion) -> TlsStream<TcpStream> {
        self.offer(version, &[b"h2", b"http/1.1"]).await.unwrap()
    }

    async fn offer(
        &self,
        version: &'static SupportedProtocolVersion,
        protocols: &[&[u8]],
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_protocol_versions(&[version]);
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, self.tcp().await).await
    }
}

async fn who(Extension(connection): Extension<Connection>) -> String {
    format!("{} over {}", connection.peer, connection.scheme.as_str())
}

/// What comes in answer to one request, until the server closes.
async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    let request = b"GET /who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    // An end without close_notify would be an error here.
    timeout(AT_MOST, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

/// Waits until the server closes a connection, and gives what it sent.
async fn closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    // A connection that is reset is closed too.
    let _ = timeout(AT_MOST, stream.read_to_end(&mut rest)).await.unwrap();
    rest
}

#[tokio::test]
async fn rule_5_the_scheme_is_https() {
    let server = Running::new().await;
    for version in [&TLS12, &TLS13] {
        let mut stream = server.connect(version).await;
        let expected = format!("{} over https", stream.get_ref().0.local_addr().unwrap());
        let answer = ask(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with(&expected), "{answer}");
    }
}

#[tokio::test]
async fn rule_5_the_protocol_is_http_1_1() {
    let server = Running::new().await;
    let stream = server.connect(&TLS13).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(server.offer(&TLS12, &[b"h2"]).await.is_err(), "h2 alone is refused");
    assert!(server.offer(&TLS13, &[]).await.is_ok(), "a client need not name a protocol");
}

#[tokio::test]
async fn rule_5_a_handshake_that_does_not_come_ends_the_connection() {
    let server = Running::with(|tls| tls.handshake_deadline(SHORT)).await;
    for begun in [&b""[..], b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01"] {
        let mut stream = server.tcp().await;
        stream.write_all(begun).await.unwrap();
        closed(&mut stream).await;
    }
}

#[tokio::test]
async fn rule_5_what_comes_in_clear_gets_no_http() {
    let server = Running::new().await;
    let mut stream = server.tcp().await;
    stream.write_all(b"GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let answer = closed(&mut stream).await;
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
}

#[tokio::test]
async fn rule_5_a_slow_handshake_holds_up_nobody_else() {
    let server = Running::new().await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        slow.push(server.tcp().await);
    }
    assert!(ask(&mut server.connect(&TLS13).await).await.contains("over https"));
}

#[tokio::test]
async fn rule_4_a_handshake_that_waits_holds_no_end_up() {
    let server = Running::new().await;
    let mut waiting = server.tcp().await;
    waiting.write_all(b"\x16\x03\x01").await.unwrap();
    ask(&mut server.connect(&TLS13).await).await;
    server.stop.send(()).unwrap();
    // Less than the grace and the handshake's deadline.
    timeout(Duration::from_secs(8), server.server).await.unwrap().unwrap().unwrap();
    closed(&mut waiting).await;
}
