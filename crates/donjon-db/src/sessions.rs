//! Sessions in Django's table `django_session` (Django: `django.contrib.sessions.backends.db`).

use std::sync::Arc;

use donjon_core::account::UserSource;
use donjon_core::clock::UnixTime;
use donjon_core::event::Event;
use donjon_core::session::{
    CLEAR_BATCH, Creation, Deletion, SessionCodec, SessionData, SessionKey, SessionRecord,
    SessionStore, StoreError, Stored, Update, Version, WithUser,
};
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, ConnectionTrait, Set, Value};

use crate::accounts;
use crate::along::{self, Guesses};
use crate::database::insert_new;
use crate::direct::{Outcome, Write};
use crate::entity::session::{ActiveModel, Column, Entity, Model};
use crate::entity::user;
use crate::error::store_error;
use crate::expired::delete_expired;
use crate::time::Moment;
use crate::{Database, time};

/// An end that moves by less than this many microseconds stays where it is: of the many saves of one page's requests
/// only the first has to write to the index of the ends.
const LEAST_MOVE: i64 = 1_000_000;

/// A [`SessionStore`] that shares its rows with Django.
///
/// A row that does not decode is told to the log and read as a session without values, under the key
/// that it has, as Django does. A session ends up to a second earlier than its last save asked, if an earlier save
/// asked for that end.
#[derive(Clone, Debug)]
pub struct DjangoSessions {
    database: Database,
    codec: SessionCodec,
    guesses: Arc<Guesses>,
}

impl DjangoSessions {
    /// The sessions of this database, signed by this codec.
    #[must_use]
    pub fn new(database: &Database, codec: SessionCodec) -> Self {
        Self { database: database.clone(), codec, guesses: Arc::default() }
    }

    /// What a row holds, unless it has expired. An end that is no date has passed.
    ///
    /// The end is compared here, and not as text in the query, for a row may have been written in
    /// another of the forms that Django reads.
    fn live(&self, row: Model, now: UnixTime) -> Option<Stored> {
        let expires = time::from_column(&row.expire_date).filter(|expires| *expires > now)?;
        let record = SessionRecord { data: self.data(&row), expires };
        Some(Stored { record, version: version(expires, &row.session_data) })
    }

    fn data(&self, row: &Model) -> SessionData {
        self.codec.decode(&row.session_data).unwrap_or_else(|suspicious| {
            Event::SessionSuspicious { problem: &suspicious }.emit();
            SessionData::default()
        })
    }

    /// A live session and the row of its user, if that was the guess.
    async fn ask_for_both(
        &self,
        key: &SessionKey,
        now: UnixTime,
    ) -> Result<(Option<Stored>, Option<user::Model>), StoreError> {
        let question = along::question(self.has(key), self.guesses.of(key));
        let found = self.database.read(|| self.database.reader.query_one(&question)).await?;
        let Some(found) = found else { return Ok((None, None)) };
        let (row, user) = along::answer(&found).map_err(store_error)?;
        let Some(stored) = self.live(row, now) else { return Ok((None, None)) };
        let id = self.guesses.learn(key, &stored.record.data);
        Ok((Some(stored), user.filter(|user| Some(user.id.into()) == id)))
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

/// A row's state: when it ends, and its text.
fn version(expires: UnixTime, data: &str) -> Version {
    Version::Text([&*expires.micros().to_string(), " ", data].concat().into())
}

/// What [`version`] made of.
fn seen(version: &Version) -> Option<(UnixTime, &str)> {
    let Version::Text(text) = version else { return None };
    let (micros, data) = text.split_once(' ')?;
    Some((UnixTime::from_micros(micros.parse().ok()?), data))
}

fn moves_little(from: UnixTime, to: UnixTime) -> bool {
    (0..LEAST_MOVE).contains(&to.micros().saturating_sub(from.micros()))
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

    async fn load_with_user(
        &self,
        key: &SessionKey,
        now: UnixTime,
        users: UserSource,
    ) -> Result<Option<WithUser>, StoreError> {
        if users != self.database.users() {
            return Ok(self.load(key, now).await?.map(|stored| (stored, None)));
        }
        if !self.database.holds(key.expose()) {
            return Ok(None);
        }
        let in_place = self.database.direct().and_then(|direct| {
            direct.session_and_user(key.expose(), |row| {
                let stored = self.live(row, now);
                let id = stored.as_ref().and_then(|stored| stored.record.data.user_id());
                (stored, id)
            })
        });
        let (stored, row) = match in_place {
            Some(found) => found.unwrap_or_default(),
            None => self.ask_for_both(key, now).await?,
        };
        // What is wrong with a row is said to whoever asks for the user.
        let user = row.and_then(|row| accounts::user(row).ok()).map(Arc::new);
        Ok(stored.map(|stored| (stored, user)))
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
                Outcome::Done => Creation::Created(version(record.expires, &data)),
                _ => Creation::KeyTaken,
            });
        }
        self.guesses.learn(key, &record.data);
        let row = ActiveModel {
            session_key: Set(key.expose().into()),
            session_data: Set(data.clone()),
            expire_date: Set(expires),
        };
        let insert = || insert_new(&self.database, row.clone());
        match self.database.write(insert).await? {
            Some(_) => Ok(Creation::Created(version(record.expires, &data))),
            None => Ok(Creation::KeyTaken),
        }
    }

    async fn update(
        &self,
        key: &SessionKey,
        record: &SessionRecord,
        over: &Version,
    ) -> Result<Update, StoreError> {
        // A version of another store's making names no row of ours.
        let Some((ended, seen)) = seen(over) else { return Ok(Update::Changed) };
        if !self.database.holds(key.expose()) {
            return Ok(Update::Gone);
        }
        let (data, expires) = self.encode(record)?;
        let stays = moves_little(ended, record.expires);
        let saved = version(if stays { ended } else { record.expires }, &data);
        if let (Some(direct), Moment::Text(expires)) = (self.database.direct(), &expires) {
            let expires = (!stays).then(|| expires.clone());
            let (key, seen) = (key.expose().to_owned(), seen.to_owned());
            return Ok(match direct.write(Write::Update { key, data, expires, seen }).await? {
                Outcome::Done => Update::Saved(saved),
                Outcome::None => Update::Gone,
                _ => Update::Changed,
            });
        }
        let mut update = Entity::update_many()
            .col_expr(Column::SessionData, data.into())
            .filter(self.has(key))
            .filter(self.database.exactly(Column::SessionData, seen));
        if !stays {
            update = update.col_expr(Column::ExpireDate, Value::from(expires).into());
        }
        let write = || update.clone().exec(&self.database.writer);
        if self.database.write(write).await?.rows_affected > 0 {
            return Ok(Update::Saved(saved));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_no_row_s_names_none() {
        let end = UnixTime::from_micros(-7);
        assert_eq!(seen(&version(end, "a b:c")), Some((end, "a b:c")));
        assert_eq!(seen(&version(end, "")), Some((end, "")));
        for text in ["", "1", " data", "x data", "99999999999999999999 data"] {
            assert_eq!(seen(&Version::Text(text.into())), None, "{text:?}");
        }
        assert_eq!(seen(&Version::Number(1)), None);
    }
}
