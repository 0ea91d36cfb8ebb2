//! `donjon_user_session`: the sessions that each user has. Times are microseconds since 1970.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "donjon_user_session")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) user_id: i64,
    pub(crate) session_key: String,
    pub(crate) device: String,
    pub(crate) address: Option<String>,
    pub(crate) began: i64,
    pub(crate) seen: i64,
    pub(crate) expires: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
