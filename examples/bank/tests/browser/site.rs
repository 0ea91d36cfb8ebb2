//! A small site of a test's own, on any free port, which remembers what it was asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use donjon::serve::Server;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::driver::Outcome;

/// Serves until it is dropped.
pub(crate) struct Site {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    _stop: oneshot::Sender<()>,
}

impl Site {
    /// Serves this router.
    pub(crate) async fn open(router: Router) -> Outcome<Self> {
        Self::open_as(router, |server| server).await
    }

    /// Serves this router, by a server that is changed like this.
    pub(crate) async fn open_as(
        router: Router,
        change: impl FnOnce(Server) -> Server,
    ) -> Outcome<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let port = listener.local_addr()?.port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        let note = from_fn(move |request: Request, next: Next| {
            lock(&notes).push(format!("{} {}", request.method(), request.uri()));
            next.run(request)
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let server = change(Server::new(listener, router.layer(note)));
        tokio::spawn(server.run_until(async move { drop(stopped.await) }));
        Ok(Self { port, asked, _stop: stop })
    }

    /// The address of a path at `localhost`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// The origin of [`Site::url`].
    pub(crate) fn origin(&self) -> String {
        self.url("")
    }

    /// What was asked since the last time, without the icon that a browser wants of every site.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *lock(&self.asked));
        asked.into_iter().filter(|line| !line.ends_with("/favicon.ico")).collect()
    }
}

fn lock(notes: &Mutex<Vec<String>>) -> std::sync::MutexGuard<'_, Vec<String>> {
    notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
