//! The accounts and their transfers, in tables of the bank's own.
//!
//! Stops: money made out of nothing by two requests at once, and accounts below zero.
//!
//! 1. A transfer is one transaction: both balances and its record change, or nothing does.
//! 2. Money is taken by one statement that also checks that it is there, so that no other request
//!    can come between the look and the deed. The table checks it once more.
//! 3. Of two accounts the one with the lower number is changed first, so that two who pay each other
//!    at once wait for each other, and not both.
//! 4. A page shows the latest [`SHOWN`] transfers.

use std::fmt;

use donjon_core::clock::UnixTime;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    ColumnDef, Expr, ForeignKey, ForeignKeyCreateStatement, Index, OnConflict, Table,
};
use sea_orm::{
    ActiveValue, Condition, DatabaseConnection, DatabaseTransaction, ExprTrait, QueryOrder,
    QuerySelect, TransactionTrait,
};

use crate::money::Cents;
use crate::tables::{make_index, make_table};

/// How many transfers an account's page shows.
pub const SHOWN: u64 = 50;

/// A row of `bank_account`.
pub mod account {
    use sea_orm::entity::prelude::*;

    /// What a user has.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "bank_account")]
    pub struct Model {
        /// The user's id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: i64,
        /// The balance in cents.
        pub balance: i64,
    }

    /// None that is used here.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A row of `bank_transfer`.
pub mod transfer {
    use sea_orm::entity::prelude::*;

    /// Money that changed hands.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "bank_transfer")]
    pub struct Model {
        /// The primary key.
        #[sea_orm(primary_key)]
        pub id: i64,
        /// Who paid.
        pub sender_id: i64,
        /// Who got it.
        pub recipient_id: i64,
        /// How many cents.
        pub amount: i64,
        /// What for; may be empty.
        pub memo: String,
        /// When, in seconds since 1970.
        pub made_at: i64,
    }

    /// None that is used here.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A transfer that is to be.
#[derive(Clone, Debug)]
pub struct Order {
    /// Who pays.
    pub sender: i64,
    /// Who gets it.
    pub recipient: i64,
    /// How much; more than nothing.
    pub amount: Cents,
    /// What for; may be empty.
    pub memo: String,
    /// Now.
    pub at: UnixTime,
}

/// Why a transfer did not happen.
#[derive(Debug)]
pub enum TransferError {
    /// The sender has less than that.
    Overdrawn,
    /// The recipient has no account.
    NoAccount,
    /// The database failed.
    Database(DbErr),
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overdrawn => f.write_str("the balance is too low"),
            Self::NoAccount => f.write_str("the recipient has no account"),
            Self::Database(error) => write!(f, "the database failed: {error}"),
        }
    }
}

impl std::error::Error for TransferError {}

impl From<DbErr> for TransferError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

/// The accounts and their transfers.
#[derive(Clone, Debug)]
pub struct Ledger(DatabaseConnection);

impl Ledger {
    /// Opens the ledger in this database, and makes its tables where they are missing.
    ///
    /// # Errors
    /// [`DbErr`].
    pub async fn open(connection: &DatabaseConnection) -> Result<Self, DbErr> {
        make_accounts(connection).await?;
        make_transfers(connection).await?;
        Ok(Self(connection.clone()))
    }

    /// Opens an account, unless the user has one.
    ///
    /// # Errors
    /// [`DbErr`].
    pub async fn open_account(&self, user: i64, balance: Cents) -> Result<(), DbErr> {
        let row = account::ActiveModel {
            user_id: ActiveValue::Set(user),
            balance: ActiveValue::Set(balance.0),
        };
        let key = account::Column::UserId;
        let once = OnConflict::column(key).do_nothing_on([key]).to_owned();
        account::Entity::insert(row).on_conflict(once).exec_without_returning(&self.0).await?;
        Ok(())
    }

    /// What a user has; nothing without an account.
    ///
    /// # Errors
    /// [`DbErr`].
    pub async fn balance(&self, user: i64) -> Result<Cents, DbErr> {
        let row = account::Entity::find_by_id(user).one(&self.0).await?;
        Ok(Cents(row.map_or(0, |row| row.balance)))
    }

    /// The latest transfers from and to a user, the newest first.
    ///
    /// # Errors
    /// [`DbErr`].
    pub async fn transfers(&self, user: i64) -> Result<Vec<transfer::Model>, DbErr> {
        let either = Condition::any()
            .add(transfer::Column::SenderId.eq(user))
            .add(transfer::Column::RecipientId.eq(user));
        transfer::Entity::find()
            .filter(either)
            .order_by_desc(transfer::Column::Id)
            .limit(SHOWN)
            .all(&self.0)
            .await
    }

    /// Moves money.
    ///
    /// # Errors
    /// [`TransferError`]; then nothing has changed.
    pub async fn transfer(&self, order: &Order) -> Result<(), TransferError> {
        // A transaction that is dropped before its commit is rolled back.
        let transaction = self.0.begin().await?;
        if order.sender < order.recipient {
            take(&transaction, order).await?;
            give(&transaction, order).await?;
        } else {
            give(&transaction, order).await?;
            take(&transaction, order).await?;
        }
        record(&transaction, order).await?;
        Ok(transaction.commit().await?)
    }
}

async fn make_accounts(connection: &DatabaseConnection) -> Result<(), DbErr> {
    use account::Column::{Balance, UserId};
    let mut table = Table::create();
    table
        .table(account::Entity)
        .col(ColumnDef::new(UserId).big_integer().not_null().primary_key())
        .col(ColumnDef::new(Balance).big_integer().not_null().check(Expr::col(Balance).gte(0)));
    make_table(connection, &mut table).await
}

async fn make_transfers(connection: &DatabaseConnection) -> Result<(), DbErr> {
    use transfer::Column::{Amount, Id, MadeAt, Memo, RecipientId, SenderId};
    let mut table = Table::create();
    table
        .table(transfer::Entity)
        .col(ColumnDef::new(Id).big_integer().not_null().auto_increment().primary_key())
        .col(ColumnDef::new(SenderId).big_integer().not_null())
        .col(ColumnDef::new(RecipientId).big_integer().not_null())
        .col(ColumnDef::new(Amount).big_integer().not_null().check(Expr::col(Amount).gt(0)))
        .col(ColumnDef::new(Memo).text().not_null())
        .col(ColumnDef::new(MadeAt).big_integer().not_null())
        .foreign_key(&mut account_of(SenderId))
        .foreign_key(&mut account_of(RecipientId));
    make_table(connection, &mut table).await?;
    for (name, column) in
        [("bank_transfer_sender", SenderId), ("bank_transfer_recipient", RecipientId)]
    {
        let mut index = Index::create().name(name).table(transfer::Entity).col(column).to_owned();
        make_index(connection, &mut index).await?;
    }
    Ok(())
}

fn account_of(column: transfer::Column) -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.from(transfer::Entity, column).to(account::Entity, account::Column::UserId);
    key
}

async fn take(transaction: &DatabaseTransaction, order: &Order) -> Result<(), TransferError> {
    let taken = account::Entity::update_many()
        .col_expr(account::Column::Balance, Expr::col(account::Column::Balance).sub(order.amount.0))
        .filter(account::Column::UserId.eq(order.sender))
        .filter(account::Column::Balance.gte(order.amount.0))
        .exec(transaction)
        .await?;
    if taken.rows_affected == 1 { Ok(()) } else { Err(TransferError::Overdrawn) }
}

async fn give(transaction: &DatabaseTransaction, order: &Order) -> Result<(), TransferError> {
    let given = account::Entity::update_many()
        .col_expr(account::Column::Balance, Expr::col(account::Column::Balance).add(order.amount.0))
        .filter(account::Column::UserId.eq(order.recipient))
        .exec(transaction)
        .await?;
    if given.rows_affected == 1 { Ok(()) } else { Err(TransferError::NoAccount) }
}

async fn record(transaction: &DatabaseTransaction, order: &Order) -> Result<(), TransferError> {
    let row = transfer::ActiveModel {
        id: ActiveValue::NotSet,
        sender_id: ActiveValue::Set(order.sender),
        recipient_id: ActiveValue::Set(order.recipient),
        amount: ActiveValue::Set(order.amount.0),
        memo: ActiveValue::Set(order.memo.clone()),
        made_at: ActiveValue::Set(order.at.seconds()),
    };
    transfer::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}
