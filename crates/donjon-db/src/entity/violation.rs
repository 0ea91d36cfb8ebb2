//! `donjon_csp_violation`: what the site's Content Security Policy forbade.

use sea_orm::entity::prelude::*;

use crate::time::Moment;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "donjon_csp_violation")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    pub(crate) directive: String,
    pub(crate) disposition: String,
    pub(crate) blocked: String,
    pub(crate) document: String,
    pub(crate) source: String,
    pub(crate) line: i64,
    pub(crate) column: i64,
    pub(crate) sample: String,
    pub(crate) count: i64,
    pub(crate) first_seen: Moment,
    pub(crate) last_seen: Moment,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
