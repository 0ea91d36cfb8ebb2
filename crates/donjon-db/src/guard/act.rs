//! One thing that is done on a connection, whichever it is.

use std::future::Future;

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, DatabaseExecutor, DbErr, EntityTrait, IntoActiveModel,
    ModelTrait,
};

use super::query::{Count, Execute, FetchAll, FetchOne};

/// Something to do.
pub(super) trait Act: Send {
    /// What comes of it.
    type Done: Send;

    /// May it run where only reading is cheap?
    fn reads(&self) -> bool {
        false
    }

    fn on(
        self,
        on: &DatabaseExecutor<'_>,
    ) -> impl Future<Output = Result<Self::Done, DbErr>> + Send;
}

pub(super) struct All<Q>(pub(super) Q);
pub(super) struct One<Q>(pub(super) Q);
pub(super) struct Counting<Q>(pub(super) Q);
pub(super) struct Executing<S>(pub(super) S);
pub(super) struct Inserting<A>(pub(super) A);
pub(super) struct Updating<A>(pub(super) A);
pub(super) struct Saving<A>(pub(super) A);
pub(super) struct Deleting<M>(pub(super) M);

impl<Q: FetchAll> Act for All<Q> {
    type Done = Vec<Q::Row>;

    fn reads(&self) -> bool {
        self.0.reads()
    }

    async fn on(self, on: &DatabaseExecutor<'_>) -> Result<Self::Done, DbErr> {
        self.0.fetch_all(on).await
    }
}

impl<Q: FetchOne> Act for One<Q> {
    type Done = Option<Q::Row>;

    fn reads(&self) -> bool {
        self.0.reads()
    }

    async fn on(self, on: &DatabaseExecutor<'_>) -> Result<Self::Done, DbErr> {
        self.0.fetch_one(on).await
    }
}

impl<Q: Count> Act for Counting<Q> {
    type Done = u64;

    fn reads(&self) -> bool {
        true
    }

    async fn on(self, on: &DatabaseExecutor<'_>) -> Result<u64, DbErr> {
        self.0.count_on(on).await
    }
}

impl<S: Execute> Act for Executing<S> {
    type Done = u64;

    async fn on(self, on: &DatabaseExecutor<'_>) -> Result<u64, DbErr> {
        self.0.execute_on(on).await
    }
}

impl<A> Act for Inserting<A>
where
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    ModelOf<A>: IntoActiveModel<A>,
{
    type Done = ModelOf<A>;

    async fn on(self, on: &DatabaseExecutor<'_>) -> Result<Self::Done, DbErr> {
        self.0.insert(on).await
    }
}

impl<A> Act for Updating<A>
where
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    ModelOf<A>: IntoActiveModel<A>,
{
    type Done = ModelOf<A>;

    async fn on(self, on: &DatabaseExecutor<'_>) -> Result<Self::Done, DbErr> {
        self.0.update(on).await
    }
}

impl<A> Act for Saving<A>
where
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    ModelOf<A>: IntoActiveModel<A>,
{
    type Done = A;

    async fn on(self, on: &DatabaseExecutor<'_>) -> Result<A, DbErr> {
        self.0.save(on).await
    }
}

impl<M> Act for Deleting<M>
where
    M: ModelTrait + IntoActiveModel<ActiveOf<M>>,
    ActiveOf<M>: ActiveModelBehavior + Send,
{
    type Done = u64;

    async fn on(self, on: &DatabaseExecutor<'_>) -> Result<u64, DbErr> {
        self.0.into_active_model().delete(on).await.map(|done| done.rows_affected)
    }
}

/// The model of an active model.
pub(super) type ModelOf<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Model;

/// The active model of a model.
pub(super) type ActiveOf<M> = <<M as ModelTrait>::Entity as EntityTrait>::ActiveModel;
