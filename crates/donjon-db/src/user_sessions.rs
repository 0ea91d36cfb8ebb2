//! The sessions that each user has, in `donjon_user_session`: a table of Donjon's own.

use donjon_core::clock::UnixTime;
use donjon_core::session::{
    MAX_LISTED, Seen, SessionId, SessionKey, Sighting, StoreError, UserSession, UserSessions,
};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, IntoActiveModel, QueryOrder, QuerySelect};

use crate::Database;
use crate::entity::user_session::{Column, Entity, Model};
use crate::expired::delete_expired;

/// The [`UserSessions`] of a database, beside [`DjangoSessions`](crate::DjangoSessions).
#[derive(Clone, Debug)]
pub struct SqlUserSessions(Database);

impl SqlUserSessions {
    /// The lists in this database.
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self(database.clone())
    }
}

/// This user's session of this id, and nobody else's.
fn is(user: i64, id: &SessionId) -> Condition {
    Condition::all().add(Column::Id.eq(id.as_str())).add(Column::UserId.eq(user))
}

fn row(session: &UserSession) -> Model {
    Model {
        id: session.id.as_str().into(),
        user_id: session.user,
        session_key: session.kept.expose().into(),
        device: session.device.clone(),
        address: session.address.map(|address| address.to_string()),
        began: session.began.micros(),
        seen: session.seen.micros(),
        expires: session.expires.micros(),
    }
}

/// What a row tells; nothing if its id is none of ours.
fn session(row: Model) -> Option<UserSession> {
    Some(UserSession {
        id: SessionId::parse(&row.id)?,
        user: row.user_id,
        kept: SessionKey::kept(row.session_key),
        device: row.device,
        address: row.address.and_then(|address| address.parse().ok()),
        began: UnixTime::from_micros(row.began),
        seen: UnixTime::from_micros(row.seen),
        expires: UnixTime::from_micros(row.expires),
    })
}

impl UserSessions for SqlUserSessions {
    async fn note(&self, session: &UserSession) -> Result<(), StoreError> {
        let row = row(session).into_active_model();
        let insert = || Entity::insert(row.clone()).exec_without_returning(&self.0.writer);
        self.0.write(insert).await.map(drop)
    }

    async fn seen(
        &self,
        user: i64,
        id: &SessionId,
        sighting: &Sighting,
    ) -> Result<Seen, StoreError> {
        let address = sighting.address.map(|address| address.to_string());
        let update = Entity::update_many()
            .col_expr(Column::SessionKey, sighting.kept.expose().into())
            .col_expr(Column::Address, address.into())
            .col_expr(Column::Seen, sighting.at.micros().into())
            .col_expr(Column::Expires, sighting.expires.micros().into())
            .filter(is(user, id));
        let write = || update.clone().exec(&self.0.writer);
        if self.0.write(write).await?.rows_affected > 0 {
            return Ok(Seen::Listed);
        }
        // MySQL counts no row that already was as it is to be.
        Ok(if self.find(user, id).await?.is_some() { Seen::Listed } else { Seen::Unlisted })
    }

    async fn list(&self, user: i64, now: UnixTime) -> Result<Vec<UserSession>, StoreError> {
        let query = Entity::find()
            .filter(Column::UserId.eq(user))
            .filter(Column::Expires.gt(now.micros()))
            .order_by_desc(Column::Seen)
            .order_by_asc(Column::Id)
            .limit(MAX_LISTED as u64);
        let rows = self.0.read(|| query.clone().all(&self.0.reader)).await?;
        Ok(rows.into_iter().filter_map(session).collect())
    }

    async fn find(&self, user: i64, id: &SessionId) -> Result<Option<UserSession>, StoreError> {
        let query = || Entity::find().filter(is(user, id)).one(&self.0.reader);
        Ok(self.0.read(query).await?.and_then(session))
    }

    async fn remove(&self, user: i64, id: &SessionId) -> Result<(), StoreError> {
        let delete = || Entity::delete_many().filter(is(user, id)).exec(&self.0.writer);
        self.0.write(delete).await.map(drop)
    }

    async fn clear_expired(&self, now: UnixTime, limit: usize) -> Result<usize, StoreError> {
        let columns = (Column::Id, Column::Expires);
        delete_expired::<Entity>(&self.0, columns, now.micros(), limit).await
    }
}
