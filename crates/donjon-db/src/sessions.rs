//! Sessions in Django's table `django_session` (Django: `django.contrib.sessions.backends.db`).

use donjon_core::clock::UnixTime;
use donjon_core::event::Event;
use donjon_core::session::{
    Creation, Deletion, SessionCodec, SessionData, SessionKey, SessionRecord, SessionStore,
    StoreError, Stored, Update, Version,
};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Query;
use sea_orm::{Set, TryInsertResult};

use crate::entity::session::{ActiveModel, Column, Entity, Model};
use crate::error::store_error;
use crate::{Database, time};

/// A [`SessionStore`] that shares its rows with Django.
///
/// A row that does not decode is told to the log and read as a session without values, under the key
/// that it has, as Django does.
#[derive(Clone, Debug)]
pub struct DjangoSessions {
    database: Database,
    codec: SessionCodec,
}

impl DjangoSessions {
    /// The sessions of this database, signed by this codec.
    #[must_use]
    pub fn new(database: &Database, codec: SessionCodec) -> Self {
        Self { database: database.clone(), codec }
    }

    /// What a row holds, unless it has expired. An end that is no date has passed.
    ///
    /// The end is compared here, and not as text in the query, for a row may have been written in
    /// another of the forms that Django reads.
    fn live(&self, row: Model, now: UnixTime) -> Option<Stored> {
        let expires = time::from_column(&row.expire_date).filter(|expires| *expires > now)?;
        let record = SessionRecord { data: self.data(&row), expires };
        Some(Stored { record, version: Version::Text(row.session_data.into()) })
    }

    fn data(&self, row: &Model) -> SessionData {
        self.codec.decode(&row.session_data).unwrap_or_else(|suspicious| {
            Event::SessionSuspicious { problem: &suspicious }.emit();
            SessionData::default()
        })
    }

    fn encode(&self, record: &SessionRecord) -> Result<(String, String), StoreError> {
        let data = self.codec.encode(&record.data).map_err(StoreError::new)?;
        Ok((data, time::to_column(record.expires)))
    }
}

impl SessionStore for DjangoSessions {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        let query = Entity::find_by_id(key.expose());
        let row = query.one(&self.database.reader).await.map_err(store_error)?;
        Ok(row.and_then(|row| self.live(row, now)))
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        let (data, expires) = self.encode(record)?;
        let row = ActiveModel {
            session_key: Set(key.expose().into()),
            session_data: Set(data.clone()),
            expire_date: Set(expires),
        };
        let insert = Entity::insert(row).on_conflict_do_nothing();
        match insert.exec_without_returning(&self.database.writer).await.map_err(store_error)? {
            TryInsertResult::Inserted(1..) => Ok(Creation::Created(Version::Text(data.into()))),
            _ => Ok(Creation::KeyTaken),
        }
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        // A version of another store's making names no text of ours.
        let Version::Text(seen) = over else { return Ok(Update::Changed) };
        let (data, expires) = self.encode(record)?;
        let update = Entity::update_many()
            .col_expr(Column::SessionData, data.clone().into())
            .col_expr(Column::ExpireDate, expires.into())
            .filter(Column::SessionKey.eq(key.expose()))
            .filter(Column::SessionData.eq(&**seen));
        if update.exec(&self.database.writer).await.map_err(store_error)?.rows_affected > 0 {
            return Ok(Update::Saved(Version::Text(data.into())));
        }
        let there = Entity::find_by_id(key.expose()).count(&self.database.writer).await;
        Ok(if there.map_err(store_error)? == 0 { Update::Gone } else { Update::Changed })
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        let delete = Entity::delete_many().filter(Column::SessionKey.eq(key.expose()));
        let result = delete.exec(&self.database.writer).await.map_err(store_error)?;
        Ok(if result.rows_affected == 0 { Deletion::Absent } else { Deletion::Deleted })
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        let limit = u64::from(u32::try_from(limit).unwrap_or(u32::MAX));
        let expired = Query::select()
            .column(Column::SessionKey)
            .from(Entity)
            .and_where(Column::ExpireDate.lt(time::to_column(now)))
            .limit(limit)
            .to_owned();
        let delete = Entity::delete_many().filter(Column::SessionKey.in_subquery(expired));
        let result = delete.exec(&self.database.writer).await.map_err(store_error)?;
        Ok(usize::try_from(result.rows_affected).unwrap_or(usize::MAX))
    }
}
