//! A server for a finished site.
//!
//! Stops: clients that open connections and send their headers for ever (slowloris), requests cut
//! off when the site is restarted, and with TLS everybody who listens in between.
//!
//! 1. A request's headers must come within [`HEADER_DEADLINE`], and idle connections end then; see
//!    [`Server::header_deadline`].
//! 2. At most [`MAX_CONNECTIONS`] are open; further ones wait in the system's queue.
//! 3. Every request tells who sent it: a [`Connection`] in its extensions.
//! 4. At the end no new connection is taken, and open requests have [`GRACE`] to finish.
#![cfg_attr(
    feature = "tls",
    doc = "5. With [`Server::tls`] a connection begins with a handshake, which must be over within
    [`HANDSHAKE_DEADLINE`] and holds up nobody else's; what comes in clear is closed. The
    [`Connection`]'s scheme is `https`. A certificate or key that can't be used is an error at start-up."
)]

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::future::RouteFuture;
use donjon_core::origin::{Connection, Scheme};
use http::{Extensions, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower_service::Service;

mod patience;
#[cfg(feature = "tls")]
mod tls;

use patience::Patience;

#[cfg(feature = "tls")]
pub use tls::{HANDSHAKE_DEADLINE, Tls, TlsError};

/// The rustls that [`Tls::new`] takes its configuration from.
#[cfg(feature = "tls")]
pub use rustls;

/// How long a client may take for a request's headers, and be idle between two requests.
pub const HEADER_DEADLINE: Duration = Duration::from_secs(30);

/// How many connections are open at once.
pub const MAX_CONNECTIONS: usize = 10_000;

/// How long open requests may take to finish once the server is told to stop.
pub const GRACE: Duration = Duration::from_secs(10);

/// How long accepting pauses when the system has no more files to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A server on one listener.
///
/// ```no_run
/// # async fn main_() -> std::io::Result<()> {
/// use donjon::serve::{Server, shutdown_signal};
///
/// let listener = tokio::net::TcpListener::bind(("127.0.0.1", 8000)).await?;
/// Server::new(listener, axum::Router::new()).run_until(shutdown_signal()).await
/// # }
/// ```
#[must_use = "a server serves nothing until it runs"]
pub struct Server {
    listener: TcpListener,
    router: Router,
    door: Door,
    header_deadline: Duration,
}

impl Server {
    /// Serves this router on this listener, over HTTP/1.1.
    pub fn new(listener: TcpListener, router: Router) -> Self {
        // Without this axum would make each route anew for each request.
        let router = router.with_state(());
        Self { listener, router, door: Door::Open, header_deadline: HEADER_DEADLINE }
    }

    /// Speaks TLS. Without this call the server speaks in clear, as behind a proxy that ends TLS.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.door = Door::Tls(tls);
        self
    }

    /// How long a client may take for a request's headers, and be idle between two requests. Without
    /// this call: [`HEADER_DEADLINE`].
    pub fn header_deadline(mut self, deadline: Duration) -> Self {
        self.header_deadline = deadline;
        self
    }

    /// Serves until `stop` is ready, and then finishes what is open.
    ///
    /// # Errors
    /// That the listener has no address.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let local = self.listener.local_addr()?;
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let (stopping, stopped) = watch::channel(());
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&self.listener, &places) => accepted,
            };
            match accepted {
                Ok((stream, peer, place)) => {
                    let connection = Connection { peer, local, scheme: self.door.scheme() };
                    let talk = Talk {
                        site: Site::new(self.router.clone(), connection),
                        header_deadline: self.header_deadline,
                        stopped: stopped.clone(),
                    };
                    let received = self.door.clone().receive(stream, talk);
                    tokio::spawn(async move {
                        received.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(target: "donjon::serve", %error, "A connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop((self.listener, stopping));
        // Whoever has all places knows that no connection is open. What is open after the grace is cut
        // off when the runtime ends.
        let closed = places.acquire_many(MAX_CONNECTIONS as u32);
        let _ = tokio::time::timeout(GRACE, closed).await;
        Ok(())
    }
}

/// What a connection begins with.
#[derive(Clone)]
enum Door {
    /// HTTP at once.
    Open,
    /// A handshake.
    #[cfg(feature = "tls")]
    Tls(Tls),
}

impl Door {
    fn scheme(&self) -> Scheme {
        match self {
            Self::Open => Scheme::Http,
            #[cfg(feature = "tls")]
            Self::Tls(_) => Scheme::Https,
        }
    }

    async fn receive(self, stream: TcpStream, talk: Talk) {
        // Small answers should not wait for an acknowledgement (Nagle); without it they are only slower.
        let _ = stream.set_nodelay(true);
        match self {
            Self::Open => talk.over(stream).await,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => talk.over_tls(&tls, stream).await,
        }
    }
}

/// What is to be said on a connection.
struct Talk {
    site: Site,
    header_deadline: Duration,
    stopped: watch::Receiver<()>,
}

impl Talk {
    #[cfg(feature = "tls")]
    async fn over_tls(mut self, tls: &Tls, stream: TcpStream) {
        let shaken = tokio::select! {
            shaken = tls.shake_hands(stream) => shaken,
            _ = self.stopped.changed() => return,
        };
        match shaken {
            Ok(stream) => self.over(stream).await,
            // Scanners and strangers to the certificate: no reason to fill a log.
            Err(error) => {
                tracing::debug!(target: "donjon::serve", %error, "A TLS handshake failed")
            }
        }
    }

    async fn over(mut self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let served = http1::Builder::new()
            .timer(Patience::new(self.header_deadline))
            .header_read_timeout(self.header_deadline)
            .serve_connection(TokioIo::new(stream), self.site)
            .with_upgrades();
        let mut served = pin!(served);
        // A client that goes away in the middle is no event.
        tokio::select! {
            _ = &mut served => {}
            _ = self.stopped.changed() => {
                served.as_mut().graceful_shutdown();
                let _ = served.await;
            }
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, place))
}

/// The router as hyper calls it, for one connection.
struct Site {
    router: Router,
    words: Extensions,
}

impl Site {
    fn new(router: Router, connection: Connection) -> Self {
        let mut words = roomy();
        words.insert(connection);
        Self { router, words }
    }
}

/// Extensions without a word in them and with room for those that the rooms will leave: cloned for
/// each request, they need not grow three times.
fn roomy() -> Extensions {
    #[derive(Clone)]
    struct Place<const N: usize>;
    let mut words = Extensions::new();
    macro_rules! occupy_and_leave {
        ($($place:literal)*) => {
            $(words.insert(Place::<$place>);)*
            $(words.remove::<Place<$place>>();)*
        };
    }
    occupy_and_leave!(0 1 2 3 4 5 6 7);
    words
}

impl hyper::service::Service<Request<Incoming>> for Site {
    type Response = axum::response::Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().extend(self.words.clone());
        self.router.clone().call(request)
    }
}

/// Ready when the process is told to stop: by Ctrl-C, or by SIGTERM where there are signals.
///
/// A system that can't listen for either never stops by itself.
pub async fn shutdown_signal() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupted => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => drop(terminate.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
