//! The table of users' sessions. It refers to no other: Django's tables stay as Django makes them.

use donjon_core::session::{MAX_DEVICE, SessionId, SessionKey};
use sea_orm::DbBackend;
use sea_orm::sea_query::{ColumnDef, Index, IndexCreateStatement, TableCreateStatement};

use super::own::{self, number, text};
use crate::entity::user_session::{Column, Entity};

/// The longest text of an address: an IPv4 one inside of IPv6.
const ADDRESS: u32 = 45;

pub(crate) fn table(backend: DbBackend) -> TableCreateStatement {
    let mut table = own::table(backend);
    table
        .table(Entity)
        .col(text(Column::Id, SessionId::LENGTH as u32).primary_key())
        .col(number(Column::UserId))
        .col(text(Column::SessionKey, SessionKey::MAX_LENGTH as u32))
        .col(text(Column::Device, MAX_DEVICE as u32))
        .col(ColumnDef::new(Column::Address).string_len(ADDRESS))
        .col(number(Column::Began))
        .col(number(Column::Seen))
        .col(number(Column::Expires));
    if backend == DbBackend::MySql {
        indexes().iter_mut().for_each(|index| {
            table.index(index);
        });
    }
    table
}

/// By user and the time last seen, and by the end.
pub(crate) fn indexes() -> [IndexCreateStatement; 2] {
    let index = |name| Index::create().name(name).table(Entity).to_owned();
    [
        index("donjon_user_session_user").col(Column::UserId).col(Column::Seen).to_owned(),
        index("donjon_user_session_expires").col(Column::Expires).to_owned(),
    ]
}
