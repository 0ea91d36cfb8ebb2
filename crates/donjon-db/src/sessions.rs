//! Sessions in Django's table `django_session` (Django: `django.contrib.sessions.backends.db`).

use donjon_core::clock::UnixTime;
use donjon_core::event::Event;
use donjon_core::session::{
    CLEAR_BATCH, Creation, Deletion, SessionCodec, SessionData, SessionKey, SessionRecord,
    SessionStore, StoreError, Stored, Update, Version,
};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, Set, Value};

use crate::database::insert_new;
use crate::direct::{Outcome, Write};
use crate::entity::session::{ActiveModel, Column, Entity, Model};
use crate::expired::delete_expired;
use crate::time::Moment;
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

    fn encode(&self, record: &SessionRecord) -> Result<(String, Moment), StoreError> {
        let data = self.codec.encode(&record.data).map_err(StoreError::new)?;
        Ok((data, time::to_column(self.database.backend(), record.expires)))
    }

    /// The row with this key, to the letter.
    fn has(&self, key: &SessionKey) -> Condition {
        self.database.exactly(Column::SessionKey, key.expose())
    }
}

impl SessionStore for DjangoSessions {
    async fn load(&self, key: &SessionKey, now: UnixTime) -> Result<Option<Stored>, StoreError> {
        if !self.database.holds(key.expose()) {
            return Ok(None);
        }
        if let Some(row) = self.database.direct().and_then(|direct| direct.session(key.expose())) {
            return Ok(row.and_then(|row| self.live(row, now)));
        }
        let query = || Entity::find().filter(self.has(key)).one(&self.database.reader);
        let row = self.database.read(query).await?;
        Ok(row.and_then(|row| self.live(row, now)))
    }

    async fn create(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
    ) -> Result<Creation, StoreError> {
        let (data, expires) = self.encode(record)?;
        if let (Some(direct), Moment::Text(expires)) = (self.database.direct(), &expires) {
            let (key, expires) = (key.expose().to_owned(), expires.clone());
            let write = Write::Create { key, data: data.clone(), expires };
            return Ok(match direct.write(write).await? {
                Outcome::Done => Creation::Created(Version::Text(data.into())),
                _ => Creation::KeyTaken,
            });
        }
        let row = ActiveModel {
            session_key: Set(key.expose().into()),
            session_data: Set(data.clone()),
            expire_date: Set(expires),
        };
        let insert = || insert_new(&self.database, row.clone());
        match self.database.write(insert).await? {
            Some(_) => Ok(Creation::Created(Version::Text(data.into()))),
            None => Ok(Creation::KeyTaken),
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
        if !self.database.holds(key.expose()) {
            return Ok(Update::Gone);
        }
        let (data, expires) = self.encode(record)?;
        if let (Some(direct), Moment::Text(expires)) = (self.database.direct(), &expires) {
            let (key, seen, expires) = (key.expose().to_owned(), seen.to_string(), expires.clone());
            let write = Write::Update { key, data: data.clone(), expires, seen };
            return Ok(match direct.write(write).await? {
                Outcome::Done => Update::Saved(Version::Text(data.into())),
                Outcome::None => Update::Gone,
                _ => Update::Changed,
            });
        }
        let update = Entity::update_many()
            .col_expr(Column::SessionData, data.clone().into())
            .col_expr(Column::ExpireDate, Value::from(expires).into())
            .filter(self.has(key))
            .filter(self.database.exactly(Column::SessionData, seen));
        let write = || update.clone().exec(&self.database.writer);
        if self.database.write(write).await?.rows_affected > 0 {
            return Ok(Update::Saved(Version::Text(data.into())));
        }
        let count = || Entity::find().filter(self.has(key)).count(&self.database.writer);
        let there = self.database.read(count).await?;
        Ok(if there == 0 { Update::Gone } else { Update::Changed })
    }

    async fn delete(&self, key: &SessionKey) -> Result<Deletion, StoreError> {
        if !self.database.holds(key.expose()) {
            return Ok(Deletion::Absent);
        }
        if let Some(direct) = self.database.direct() {
            let write = Write::Delete { key: key.expose().to_owned() };
            return Ok(match direct.write(write).await? {
                Outcome::None => Deletion::Absent,
                _ => Deletion::Deleted,
            });
        }
        let delete = || Entity::delete_many().filter(self.has(key)).exec(&self.database.writer);
        let result = self.database.write(delete).await?;
        Ok(if result.rows_affected == 0 { Deletion::Absent } else { Deletion::Deleted })
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        let now = time::to_column(self.database.backend(), now);
        if let (Some(direct), Moment::Text(now), true) =
            (self.database.direct(), &now, limit <= CLEAR_BATCH)
        {
            return direct.clear(now.clone(), limit).await;
        }
        let columns = (Column::SessionKey, Column::ExpireDate);
        delete_expired::<Entity>(&self.database, columns, now, limit).await
    }
}
