//! Donjon's own tables, in one form for every kind of database. Nothing notes that they were made:
//! Django's table of migrations is for Django's.
//!
//! No index holds the identity of a violation, which is longer than an index may be on MariaDB:
//! whoever adds one holds the lock on all.

use sea_orm::sea_query::{ColumnDef, Index, IndexCreateStatement, Table, TableCreateStatement};
use sea_orm::{DbBackend, EntityName, Iden};

use super::user_sessions;
use crate::entity::user_session;
use crate::entity::violation::{self, Column as Is};
use crate::entity::violation_hour::{self, Column as Hour};

/// The tables, by name.
pub(crate) fn tables(backend: DbBackend) -> [(&'static str, TableCreateStatement); 3] {
    [
        (violation::Entity.table_name(), violations(backend)),
        (violation_hour::Entity.table_name(), hours(backend)),
        (user_session::Entity.table_name(), user_sessions::table(backend)),
    ]
}

/// What is to be made after the table of this name.
pub(crate) fn indexes(backend: DbBackend, table: &str) -> Vec<IndexCreateStatement> {
    // MySQL makes them with the table, for it makes a table at once or not at all.
    if table == user_session::Entity.table_name() && backend != DbBackend::MySql {
        return user_sessions::indexes().into();
    }
    Vec::new()
}

fn violations(backend: DbBackend) -> TableCreateStatement {
    table(backend)
        .table(violation::Entity)
        .col(ColumnDef::new(Is::Id).big_integer().not_null().auto_increment().primary_key())
        .col(text(Is::Directive, 40))
        .col(text(Is::Disposition, 10))
        .col(text(Is::Blocked, 300))
        .col(text(Is::Document, 300))
        .col(text(Is::Source, 300))
        .col(number(Is::Line))
        .col(number(Is::Column))
        .col(text(Is::Sample, 120))
        .col(number(Is::Count))
        .col(moment(backend, Is::FirstSeen))
        .col(moment(backend, Is::LastSeen))
        .to_owned()
}

fn hours(backend: DbBackend) -> TableCreateStatement {
    table(backend)
        .table(violation_hour::Entity)
        .col(moment(backend, Hour::Hour))
        .col(text(Hour::Kind, 40))
        .col(number(Hour::Count))
        .primary_key(Index::create().col(Hour::Hour).col(Hour::Kind))
        .to_owned()
}

/// A table whose texts are compared byte for byte, which on MariaDB is said for each table.
pub(super) fn table(backend: DbBackend) -> TableCreateStatement {
    let mut table = Table::create();
    table.if_not_exists();
    if backend == DbBackend::MySql {
        table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
    }
    table
}

pub(super) fn text(name: impl Iden, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).not_null().to_owned()
}

pub(super) fn number(name: impl Iden) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

/// A column for a [`Moment`](crate::time::Moment).
fn moment(backend: DbBackend, name: impl Iden) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match backend {
        DbBackend::Postgres => column.timestamp_with_time_zone(),
        DbBackend::MySql => column.custom("datetime(6)"),
        _ => column.custom("datetime"),
    };
    column.not_null().to_owned()
}
