//! The layer that gives each request its transaction, and ends it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response, StatusCode};
use sea_orm::SqliteTransactionMode;
use tower_layer::Layer;
use tower_service::Service;

use super::Requested;
use crate::guard::Db;
use crate::guard::db::Lane;
use crate::{Database, DbError};

/// Gives each request a [`Db`] whose statements are one transaction: it stands in the request's
/// extensions.
///
/// 1. It begins with the first statement; a request without one costs nothing.
/// 2. An answer below 500 commits it, before its head goes out. From 500 on it is rolled back; so it is
///    when the handler panics, or the client leaves and the request is dropped.
/// 3. If the commit fails, the answer is a 503 without a body, and its extensions have the
///    [`CommitError`].
/// 4. Safe methods begin as readers, so that on SQLite they do not wait for a writer.
///
/// It stands next to the handlers that want it, inside of all other layers: an answer is committed, then
/// its session is saved. On SQLite a handler inside must not write through another door (a login does),
/// for there is one writer, and it would wait for itself.
///
/// The body of the answer is sent after the commit: what streams it needs a `Db` of its own.
#[derive(Clone, Debug)]
pub struct AtomicRequestsLayer(Database);

impl AtomicRequestsLayer {
    /// A transaction on this database.
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self(database.clone())
    }
}

impl<S> Layer<S> for AtomicRequestsLayer {
    type Service = AtomicRequests<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AtomicRequests { inner, database: self.0.clone() }
    }
}

/// The service of [`AtomicRequestsLayer`].
#[derive(Clone, Debug)]
pub struct AtomicRequests<S> {
    inner: S,
    database: Database,
}

/// In the extensions of a 503: why the commit failed.
#[derive(Clone, Debug)]
pub struct CommitError(pub Arc<DbError>);

type Answer<B, E> = Pin<Box<dyn Future<Output = Result<Response<B>, E>> + Send>>;

impl<S, A, B> Service<Request<A>> for AtomicRequests<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Default + Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Answer<B, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let requested = Arc::new(Requested::new(mode(request.method())));
        let lane = Lane::Request(Arc::clone(&requested));
        request.extensions_mut().insert(Db { database: self.database.clone(), lane });
        let answer = self.inner.call(request);
        Box::pin(answered(Guarded(requested), answer))
    }
}

async fn answered<B: Default, E>(
    guarded: Guarded,
    answer: impl Future<Output = Result<Response<B>, E>>,
) -> Result<Response<B>, E> {
    let response = answer.await?;
    if response.status().is_server_error() {
        guarded.0.roll_back().await;
        return Ok(response);
    }
    Ok(match guarded.0.commit().await {
        Ok(()) => response,
        Err(error) => unavailable(error),
    })
}

fn mode(method: &Method) -> SqliteTransactionMode {
    if method.is_safe() {
        SqliteTransactionMode::Deferred
    } else {
        SqliteTransactionMode::Immediate
    }
}

fn unavailable<B: Default>(error: DbError) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.extensions_mut().insert(CommitError(Arc::new(error)));
    response
}

/// Rolls back when the request is dropped.
struct Guarded(Arc<Requested>);

impl Drop for Guarded {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
