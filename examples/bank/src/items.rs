//! The lists of the AJAX page, in a table of the bank's own.
//!
//! Stops: a list that grows without end.
//!
//! 1. A list has at most [`MAX_ITEMS`] items, of at most [`MAX_NAME`] characters.
//! 2. A list belongs to a user, or to the session of a visitor who is not logged in; the table never
//!    learns the session's key.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ColumnDef, ForeignKey, Index, OnConflict, Table};
use sea_orm::{ActiveValue, DatabaseConnection, DatabaseTransaction, QueryOrder, TransactionTrait};

use crate::tables::{make_index, make_table};

/// How many items a list may have.
pub const MAX_ITEMS: u64 = 100;

/// How many characters an item may have.
pub const MAX_NAME: usize = 80;

/// How many characters an owner's name may have; it is made here.
const MAX_OWNER: u32 = 64;

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
        make_lists(connection).await?;
        make_items(connection).await?;
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
        // A transaction that is dropped is rolled back.
        let transaction = self.0.begin().await?;
        hold(&transaction, owner).await?;
        item::Entity::insert(row).exec_without_returning(&transaction).await?;
        let owned = item::Entity::find().filter(item::Column::Owner.eq(&owner.0));
        if sea_orm::PaginatorTrait::count(owned, &transaction).await? > MAX_ITEMS {
            return Ok(Addition::Full);
        }
        transaction.commit().await?;
        Ok(Addition::Added)
    }
}

/// Has the list for itself until the transaction ends, so that two requests can't both count before
/// either adds.
async fn hold(transaction: &DatabaseTransaction, owner: &Owner) -> Result<(), DbErr> {
    let row = list::ActiveModel { owner: ActiveValue::Set(owner.0.clone()) };
    let key = list::Column::Owner;
    let held = OnConflict::column(key).update_column(key).to_owned();
    list::Entity::insert(row).on_conflict(held).exec_without_returning(transaction).await?;
    Ok(())
}

async fn make_lists(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let mut owner = ColumnDef::new(list::Column::Owner);
    owner.string_len(MAX_OWNER).not_null().primary_key();
    make_table(connection, Table::create().table(list::Entity).col(owner)).await
}

async fn make_items(connection: &DatabaseConnection) -> Result<(), DbErr> {
    use item::Column::{Id, Name, Owner};
    let mut key = ForeignKey::create();
    key.from(item::Entity, Owner).to(list::Entity, list::Column::Owner);
    let mut table = Table::create();
    table
        .table(item::Entity)
        .col(ColumnDef::new(Id).big_integer().not_null().auto_increment().primary_key())
        .col(ColumnDef::new(Owner).string_len(MAX_OWNER).not_null())
        .col(ColumnDef::new(Name).text().not_null())
        .foreign_key(&mut key);
    make_table(connection, &mut table).await?;
    let mut index = Index::create();
    index.name("bank_item_owner").table(item::Entity).col(Owner);
    make_index(connection, &mut index).await
}
