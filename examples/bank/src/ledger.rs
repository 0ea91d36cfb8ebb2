//! The accounts and their transfers, in tables of the bank's own.
//!
//! Stops: money made out of nothing by two requests at once, and accounts below zero.
//!
//! 1. A transfer is one transaction: both balances and its record change, or nothing does.
//! 2. Money is taken by one statement that also checks that it is there, so that no other request
//!    can come between the look and the deed. The table checks it once more.
//! 3. A page shows [`SHOWN`] transfers, in an order that the visitor chooses among [`sortable`]
//!    columns.

use std::fmt;

use donjon_core::clock::UnixTime;
use donjon_db::guard::MayRetry;
use donjon_db::{Columns, Db, DbError, OrderBy, Page, PageNumber, Pages};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    ColumnDef, Expr, ForeignKey, Index, OnConflict, Table, TableCreateStatement,
};
use sea_orm::{ActiveValue, Condition, DbBackend, ExprTrait};

use crate::money::Cents;
use crate::tables::make;

/// How many transfers an account's page shows.
pub const SHOWN: u64 = 50;

/// How often a transfer is tried.
const ATTEMPTS: u32 = 5;

/// The columns that the history of an account may be sorted by, and their names in an address.
#[must_use]
pub fn sortable() -> Columns<transfer::Entity> {
    Columns::of([transfer::Column::Amount]).named("date", transfer::Column::Id)
}

/// Who paid, and who got it.
const INDEXES: [(&str, transfer::Column); 2] = [
    ("bank_transfer_sender", transfer::Column::SenderId),
    ("bank_transfer_recipient", transfer::Column::RecipientId),
];

fn accounts(backend: DbBackend) -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(account::Entity)
        .if_not_exists()
        .col(ColumnDef::new(account::Column::UserId).big_integer().not_null().primary_key())
        .col(ColumnDef::new(account::Column::Balance).big_integer().not_null())
        .check(Expr::col(account::Column::Balance).gte(0));
    // MariaDB wants both columns of one type, and Django's there is a smaller one.
    if backend != DbBackend::MySql {
        let mut user = ForeignKey::create();
        table.foreign_key(user.from_col(account::Column::UserId).to_tbl("auth_user").to_col("id"));
    }
    table
}

fn transfers() -> TableCreateStatement {
    let number = |column| ColumnDef::new(column).big_integer().not_null().take();
    let party = |column| {
        let mut account = ForeignKey::create();
        account.from_col(column).to_tbl(account::Entity).to_col(account::Column::UserId).take()
    };
    Table::create()
        .table(transfer::Entity)
        .if_not_exists()
        .col(number(transfer::Column::Id).auto_increment().primary_key())
        .col(number(transfer::Column::SenderId))
        .col(number(transfer::Column::RecipientId))
        .col(number(transfer::Column::Amount))
        .col(ColumnDef::new(transfer::Column::Memo).text().not_null())
        .col(number(transfer::Column::MadeAt))
        .check(Expr::col(transfer::Column::Amount).gt(0))
        .foreign_key(&mut party(transfer::Column::SenderId))
        .foreign_key(&mut party(transfer::Column::RecipientId))
        .take()
}

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
    Database(DbError),
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

impl From<DbError> for TransferError {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl MayRetry for TransferError {
    fn may_retry(&self) -> bool {
        matches!(self, Self::Database(error) if error.may_retry())
    }
}

/// The accounts and their transfers.
#[derive(Clone, Debug)]
pub struct Ledger(Db);

impl Ledger {
    /// Opens the ledger in this database, and makes its tables where they are missing.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn open(db: Db) -> Result<Self, DbError> {
        make(&db, || accounts(db.backend())).await?;
        make(&db, transfers).await?;
        // MariaDB has no `if not exists` here, and makes these for the foreign keys by itself.
        if db.backend() != DbBackend::MySql {
            for (name, column) in INDEXES {
                let index = || {
                    let mut index = Index::create();
                    index.name(name).if_not_exists().table(transfer::Entity).col(column).take()
                };
                make(&db, index).await?;
            }
        }
        Ok(Self(db))
    }

    /// Opens an account, unless the user has one.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn open_account(&self, user: i64, balance: Cents) -> Result<(), DbError> {
        let row = account::ActiveModel {
            user_id: ActiveValue::Set(user),
            balance: ActiveValue::Set(balance.0),
        };
        let key = account::Column::UserId;
        let once = OnConflict::column(key).do_nothing_on([key]).to_owned();
        self.0.execute(account::Entity::insert(row).on_conflict(once)).await?;
        Ok(())
    }

    /// What a user has; nothing without an account.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn balance(&self, user: i64) -> Result<Cents, DbError> {
        let row = self.0.one(account::Entity::find_by_id(user)).await?;
        Ok(Cents(row.map_or(0, |row| row.balance)))
    }

    /// Transfers from and to a user, a page of [`SHOWN`].
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn transfers(
        &self,
        user: i64,
        order: &OrderBy<transfer::Entity>,
        number: PageNumber,
    ) -> Result<Page<transfer::Model>, DbError> {
        let either = Condition::any()
            .add(transfer::Column::SenderId.eq(user))
            .add(transfer::Column::RecipientId.eq(user));
        let query = order.apply(transfer::Entity::find().filter(either));
        Pages::of(SHOWN).page(&self.0, query, number).await
    }

    /// Moves money.
    ///
    /// # Errors
    /// [`TransferError`]; then nothing has changed.
    pub async fn transfer(&self, order: &Order) -> Result<(), TransferError> {
        let attempt = async |tx: Db| {
            // Always the smaller account first: two who pay each other would wait for each other.
            if order.sender < order.recipient {
                take(&tx, order).await?;
                give(&tx, order).await?;
            } else {
                give(&tx, order).await?;
                take(&tx, order).await?;
            }
            record(&tx, order).await
        };
        self.0.atomic_with_retries(ATTEMPTS, attempt).await
    }
}

async fn take(tx: &Db, order: &Order) -> Result<(), TransferError> {
    let taken = account::Entity::update_many()
        .col_expr(account::Column::Balance, Expr::col(account::Column::Balance).sub(order.amount.0))
        .filter(account::Column::UserId.eq(order.sender))
        .filter(account::Column::Balance.gte(order.amount.0));
    if tx.execute(taken).await? == 1 { Ok(()) } else { Err(TransferError::Overdrawn) }
}

async fn give(tx: &Db, order: &Order) -> Result<(), TransferError> {
    let given = account::Entity::update_many()
        .col_expr(account::Column::Balance, Expr::col(account::Column::Balance).add(order.amount.0))
        .filter(account::Column::UserId.eq(order.recipient));
    if tx.execute(given).await? == 1 { Ok(()) } else { Err(TransferError::NoAccount) }
}

async fn record(tx: &Db, order: &Order) -> Result<(), TransferError> {
    let row = transfer::ActiveModel {
        id: ActiveValue::NotSet,
        sender_id: ActiveValue::Set(order.sender),
        recipient_id: ActiveValue::Set(order.recipient),
        amount: ActiveValue::Set(order.amount.0),
        memo: ActiveValue::Set(order.memo.clone()),
        made_at: ActiveValue::Set(order.at.seconds()),
    };
    tx.execute(transfer::Entity::insert(row)).await?;
    Ok(())
}
