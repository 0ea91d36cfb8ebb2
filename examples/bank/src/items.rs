//! The lists of the AJAX page, in a table of the bank's own.
//!
//! Stops: a list that grows without end.
//!
//! 1. A list has at most [`MAX_ITEMS`] items, of at most [`MAX_NAME`] characters.
//! 2. A list belongs to a user, or to the session of a visitor who is not logged in; the table never
//!    learns the session's key.

use donjon_db::{Db, DbError};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ColumnDef, Index, OnConflict, Table, TableCreateStatement};
use sea_orm::{ActiveValue, DbBackend, Insert, QueryOrder};

use crate::tables::make;

/// How many items a list may have.
pub const MAX_ITEMS: u64 = 100;

/// How many characters an item may have.
pub const MAX_NAME: usize = 80;

/// How many characters an owner's name has at most.
const MAX_OWNER: u32 = 100;

fn table() -> TableCreateStatement {
    Table::create()
        .table(item::Entity)
        .if_not_exists()
        .col(
            ColumnDef::new(item::Column::Id)
                .big_integer()
                .not_null()
                .auto_increment()
                .primary_key(),
        )
        .col(ColumnDef::new(item::Column::Owner).string_len(MAX_OWNER).not_null())
        .col(ColumnDef::new(item::Column::Name).text().not_null())
        .take()
}

/// A row of `bank_list`.
pub mod list {
    use sea_orm::entity::prelude::*;

    /// A list, which whoever adds to it holds.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "bank_list")]
    pub struct Model {
        /// Whose it is: see [`Owner`](super::Owner).
        #[sea_orm(primary_key, auto_increment = false)]
        pub owner: String,
    }

    /// None that is used here.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Has a list for a transaction alone.
fn hold(owner: &Owner) -> Insert<list::ActiveModel> {
    let row = list::ActiveModel { owner: ActiveValue::Set(owner.0.clone()) };
    let key = list::Column::Owner;
    list::Entity::insert(row).on_conflict(OnConflict::column(key).update_column(key).to_owned())
}

fn lists() -> TableCreateStatement {
    let mut owner = ColumnDef::new(list::Column::Owner);
    owner.string_len(MAX_OWNER).not_null().primary_key();
    Table::create().table(list::Entity).if_not_exists().col(owner).take()
}

/// A row of `bank_item`.
pub mod item {
    use sea_orm::entity::prelude::*;

    /// Something to remember.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "bank_item")]
    pub struct Model {
        /// The primary key.
        #[sea_orm(primary_key)]
        pub id: i64,
        /// Whose it is: see [`Owner`](super::Owner).
        pub owner: String,
        /// The text.
        pub name: String,
    }

    /// None that is used here.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Whose list it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    /// A user's.
    #[must_use]
    pub fn user(id: i64) -> Self {
        Self(format!("user:{id}"))
    }

    /// A visitor's, by the name that the session keeps for it.
    #[must_use]
    pub fn visitor(name: &str) -> Self {
        Self(format!("visitor:{name}"))
    }
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addition {
    /// It is on the list.
    Added,
    /// The list is full.
    Full,
}

/// All lists.
#[derive(Clone, Debug)]
pub struct Items(Db);

impl Items {
    /// Opens the lists in this database, and makes the table where it is missing.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn open(db: Db) -> Result<Self, DbError> {
        make(&db, lists).await?;
        make(&db, table).await?;
        // MariaDB has no `if not exists` here; its lists are short enough.
        if db.backend() != DbBackend::MySql {
            let index = || {
                let mut index = Index::create();
                index.name("bank_item_owner").if_not_exists().table(item::Entity);
                index.col(item::Column::Owner).take()
            };
            make(&db, index).await?;
        }
        Ok(Self(db))
    }

    /// A list's items, the oldest first.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn of(&self, owner: &Owner) -> Result<Vec<item::Model>, DbError> {
        let owned = item::Entity::find().filter(item::Column::Owner.eq(&owner.0));
        self.0.all(owned.order_by_asc(item::Column::Id)).await
    }

    /// Adds an item.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn add(&self, owner: &Owner, name: &str) -> Result<Addition, DbError> {
        let row = item::ActiveModel {
            id: ActiveValue::NotSet,
            owner: ActiveValue::Set(owner.0.clone()),
            name: ActiveValue::Set(name.to_owned()),
        };
        let added = self.0.atomic(async |tx| {
            // The list is held until the end, so that two requests can't both count before either adds.
            tx.execute(hold(owner)).await?;
            tx.execute(item::Entity::insert(row)).await?;
            let owned = item::Entity::find().filter(item::Column::Owner.eq(&owner.0));
            if tx.count(owned).await? > MAX_ITEMS { Err(NotAdded::Full) } else { Ok(()) }
        });
        match added.await {
            Ok(()) => Ok(Addition::Added),
            Err(NotAdded::Full) => Ok(Addition::Full),
            Err(NotAdded::Database(error)) => Err(error),
        }
    }
}

/// Why the block is undone.
enum NotAdded {
    Full,
    Database(DbError),
}

impl From<DbError> for NotAdded {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}
