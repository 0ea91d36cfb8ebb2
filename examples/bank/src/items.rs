//! The lists of the AJAX page, in a table of the bank's own.
//!
//! Stops: a list that grows without end.
//!
//! 1. A list has at most [`MAX_ITEMS`] items, of at most [`MAX_NAME`] characters.
//! 2. A list belongs to a user, or to the session of a visitor who is not logged in; the table never
//!    learns the session's key.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue, ConnectionTrait, DatabaseConnection, QueryOrder, TransactionTrait};

/// How many items a list may have.
pub const MAX_ITEMS: u64 = 100;

/// How many characters an item may have.
pub const MAX_NAME: usize = 80;

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS bank_item (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    name TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS bank_item_owner ON bank_item (owner);
";

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
pub struct Items(DatabaseConnection);

impl Items {
    /// Opens the lists in this database, and makes the table where it is missing.
    ///
    /// # Errors
    /// [`DbErr`].
    pub async fn open(connection: &DatabaseConnection) -> Result<Self, DbErr> {
        connection.execute_unprepared(TABLE).await?;
        Ok(Self(connection.clone()))
    }

    /// A list's items, the oldest first.
    ///
    /// # Errors
    /// [`DbErr`].
    pub async fn of(&self, owner: &Owner) -> Result<Vec<item::Model>, DbErr> {
        item::Entity::find()
            .filter(item::Column::Owner.eq(&owner.0))
            .order_by_asc(item::Column::Id)
            .all(&self.0)
            .await
    }

    /// Adds an item.
    ///
    /// # Errors
    /// [`DbErr`].
    pub async fn add(&self, owner: &Owner, name: &str) -> Result<Addition, DbErr> {
        let row = item::ActiveModel {
            id: ActiveValue::NotSet,
            owner: ActiveValue::Set(owner.0.clone()),
            name: ActiveValue::Set(name.to_owned()),
        };
        // The insert comes first and takes the write lock, so that two requests can't both count
        // before either adds; a transaction that is dropped is rolled back.
        let transaction = self.0.begin().await?;
        item::Entity::insert(row).exec_without_returning(&transaction).await?;
        let owned = item::Entity::find().filter(item::Column::Owner.eq(&owner.0));
        if sea_orm::PaginatorTrait::count(owned, &transaction).await? > MAX_ITEMS {
            return Ok(Addition::Full);
        }
        transaction.commit().await?;
        Ok(Addition::Added)
    }
}
