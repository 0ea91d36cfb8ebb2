//! `django_session`: a session's key, its signed values and its end.

use std::fmt;

use sea_orm::entity::prelude::*;

use crate::time::Moment;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "django_session")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) session_key: String,
    pub(crate) session_data: String,
    pub(crate) expire_date: Moment,
}

impl fmt::Debug for Model {
    /// Shows no key and no values: who has the key is that visitor.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("expire_date", &self.expire_date).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
