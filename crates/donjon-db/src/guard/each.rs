//! Rows one by one.

use std::future::poll_fn;
use std::marker::PhantomData;

use sea_orm::{DatabaseExecutor, DbErr};

use super::act::Act;
use super::query::FetchEach;

pub(super) struct Each<Q, F, E> {
    query: Q,
    row: F,
    error: PhantomData<fn() -> E>,
}

impl<Q, F, E> Each<Q, F, E> {
    pub(super) fn new(query: Q, row: F) -> Self {
        Self { query, row, error: PhantomData }
    }
}

impl<Q, F, E> Act for Each<Q, F, E>
where
    Q: FetchEach,
    F: FnMut(Q::Row) -> Result<(), E> + Send,
    E: Send,
{
    type Done = Result<(), E>;

    fn reads(&self) -> bool {
        self.query.reads()
    }

    async fn on(mut self, on: &DatabaseExecutor<'_>) -> Result<Self::Done, DbErr> {
        let mut rows = self.query.fetch_each(on).await?;
        while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
            if let Err(error) = (self.row)(row?) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}
