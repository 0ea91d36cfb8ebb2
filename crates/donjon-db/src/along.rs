//! A session and its user with one question.
//!
//! Stops nothing by itself; it halves what a signed-in request asks of a database.
//!
//! 1. The site's users must be of the same [`Database`](crate::Database), and its store of users must say so: see
//!    [`UserSource`](donjon_core::account::UserSource).
//! 2. A server is asked for the session and the user whom it named when it was last read here. That is a guess, which the
//!    session's own values confirm: a user whom they don't name is nobody's.
//! 3. Guesses are ids of users in [`GUESSES`] places. Two sessions that share one cost each other a question, and nothing
//!    else.
//! 4. In a SQLite file the user is read once the session has said who it is, in the same view of the file.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, Ordering};

use donjon_core::session::{SessionData, SessionKey};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, SelectStatement};
use sea_orm::{
    Condition, DbErr, FromQueryResult, IdenStatic, Iterable, JoinType, QueryFilter, QueryResult,
    QueryTrait,
};

use crate::entity::{session, user};

/// How many guesses are kept.
const GUESSES: usize = 4_096;

/// What stands before the names of a user's columns.
const PREFIX: &str = "user_";

/// Whom sessions named when they were last read.
pub(crate) struct Guesses {
    places: Box<[AtomicI64]>,
    /// Spreads keys as no client can foresee.
    spread: RandomState,
}

impl Guesses {
    /// Rule 3.
    fn place(&self, key: &SessionKey) -> Option<&AtomicI64> {
        let hash = self.spread.hash_one(key);
        self.places.get(usize::try_from(hash % GUESSES as u64).ok()?)
    }

    /// The id of a user, or 0, which no user has.
    pub(crate) fn of(&self, key: &SessionKey) -> i64 {
        self.place(key).map_or(0, |place| place.load(Ordering::Relaxed))
    }

    /// Whom the session names, to be guessed from now on.
    pub(crate) fn learn(&self, key: &SessionKey, data: &SessionData) -> Option<i64> {
        let user = data.user_id()?;
        self.place(key)?.store(user, Ordering::Relaxed);
        Some(user)
    }
}

impl Default for Guesses {
    fn default() -> Self {
        let places = (0..GUESSES).map(|_| AtomicI64::new(0)).collect();
        Self { places, spread: RandomState::new() }
    }
}

impl fmt::Debug for Guesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guesses")
    }
}

/// Asks for the session that is meant, and for the user of this id beside it.
pub(crate) fn question(is: Condition, user: i64) -> SelectStatement {
    let mut query = session::Entity::find().filter(is).into_query();
    for column in user::Column::iter() {
        let name = Alias::new(format!("{PREFIX}{}", column.as_str()));
        query.expr_as(Expr::col((user::Entity, column)), name);
    }
    let id = Expr::col((user::Entity, user::Column::Id));
    query.join(JoinType::LeftJoin, user::Entity, id.eq(user));
    query
}

/// What the question brought.
pub(crate) fn answer(row: &QueryResult) -> Result<(session::Model, Option<user::Model>), DbErr> {
    let session = session::Model::from_query_result(row, "")?;
    Ok((session, user::Model::from_query_result_optional(row, PREFIX)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_guesses_are_bounded_and_the_last_one_counts() {
        let guesses = Guesses::default();
        let keys: Vec<_> = (0..=GUESSES).map(|_| SessionKey::random()).collect();
        assert!(keys.iter().all(|key| guesses.of(key) == 0));
        for (id, key) in (1..).zip(&keys) {
            let mut data = SessionData::default();
            data.insert(SessionData::USER_ID, &id).unwrap();
            assert_eq!(guesses.learn(key, &data), Some(id));
            assert_eq!(guesses.of(key), id);
        }
        let lost = (1..).zip(&keys).filter(|(id, key)| guesses.of(key) != *id).count();
        assert!((1..keys.len()).contains(&lost), "{lost} of more keys than places");
    }
}
