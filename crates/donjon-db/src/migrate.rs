//! Bringing a database to Django's schema.
//!
//! 1. All of it happens in one transaction, or none.
//! 2. An application whose migrations are all applied is left alone; one that has neither tables nor
//!    migrations is made; anything between is refused, for only Django knows how to go on from there.
//! 3. What Django does after it has migrated, is done too: content types and permissions.
//! 4. Donjon's own tables are made where they are missing. They are no migration of Django's.

use std::collections::HashSet;
use std::fmt;

use donjon_core::clock::Clock;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{
    DatabaseTransaction, Set, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use crate::entity::{content_type, migration, permission};
use crate::schema::{ACTIONS, APPS, App, MIGRATIONS_SQLITE, MIGRATIONS_TABLE, OWN_SQLITE};
use crate::{Database, DbError, time};

/// A migration that was applied just now. It shows as `auth.0001_initial`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedMigration {
    /// The label of its application.
    pub app: &'static str,
    /// Its name.
    pub name: &'static str,
}

impl fmt::Display for AppliedMigration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.app, self.name)
    }
}

impl Database {
    /// Makes Django's tables where they are missing, and tells which migrations that were: none in a
    /// database that Django has brought up to date. Makes Donjon's own tables too.
    ///
    /// # Errors
    /// A [`DbError`] of kind [`Schema`](crate::DbErrorKind::Schema) if only some of an application's
    /// tables or migrations are there. The database is then as it was.
    pub async fn migrate(&self) -> Result<Vec<AppliedMigration>, DbError> {
        let transaction = self.begin_to_write().await?;
        let applied = migrate(&transaction).await?;
        transaction.commit().await?;
        Ok(applied)
    }

    /// A transaction that is to write.
    pub(crate) async fn begin_to_write(&self) -> Result<DatabaseTransaction, DbErr> {
        // A transaction that begins by reading could not write after another process has written.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.writer.begin_with_options(options).await
    }
}

async fn migrate(database: &DatabaseTransaction) -> Result<Vec<AppliedMigration>, DbError> {
    let state = State::read(database).await?;
    let missing = state.missing_apps()?;
    if !missing.is_empty() && !state.tables.contains(MIGRATIONS_TABLE) {
        run_schema(database, MIGRATIONS_SQLITE).await?;
    }
    let mut applied = Vec::new();
    for app in &missing {
        run_schema(database, app.sqlite).await?;
        applied.extend(app.migrations.iter().map(|name| AppliedMigration { app: app.label, name }));
    }
    if !applied.is_empty() {
        record(database, &applied).await?;
        add_permissions(database).await?;
    }
    run_schema(database, OWN_SQLITE).await?;
    Ok(applied)
}

/// Runs SQL of this crate: that it is `'static` keeps what a client sent out of it.
async fn run_schema(database: &DatabaseTransaction, sql: &'static str) -> Result<(), DbError> {
    database.execute_unprepared(sql).await?;
    Ok(())
}

/// What is there already.
struct State {
    tables: HashSet<String>,
    applied: HashSet<(String, String)>,
}

impl State {
    async fn read(database: &DatabaseTransaction) -> Result<Self, DbError> {
        let tables = tables(database).await?;
        let rows = match tables.contains(MIGRATIONS_TABLE) {
            true => migration::Entity::find().all(database).await?,
            false => Vec::new(),
        };
        Ok(Self { tables, applied: rows.into_iter().map(|row| (row.app, row.name)).collect() })
    }

    fn missing_apps(&self) -> Result<Vec<&'static App>, DbError> {
        let mut missing = Vec::new();
        for app in &APPS {
            if self.is_missing(app)? {
                missing.push(app);
            }
        }
        Ok(missing)
    }

    /// Has the application nothing yet? Rule 2.
    fn is_missing(&self, app: &App) -> Result<bool, DbError> {
        let is_applied = |name: &&&str| self.applied.contains(&(app.label.into(), (**name).into()));
        let (applied, unapplied): (Vec<_>, Vec<_>) = app.migrations.iter().partition(is_applied);
        let (there, absent): (Vec<_>, Vec<_>) =
            app.tables.iter().partition(|table| self.tables.contains(**table));
        match (applied.is_empty(), unapplied.is_empty(), there.is_empty(), absent.is_empty()) {
            (_, true, _, true) => Ok(false),
            (true, _, true, _) => Ok(true),
            (true, ..) => Err(unknown_tables(app, &there)),
            (_, false, ..) => Err(half_migrated(app, &unapplied)),
            (_, true, _, false) => Err(lost_tables(app, &absent)),
        }
    }
}

fn unknown_tables(app: &App, tables: &[&&str]) -> DbError {
    DbError::schema(format!(
        "the database has tables of Django's {:?} ({}), but {MIGRATIONS_TABLE} does not say who made them; if they are Django's, run `manage.py migrate --fake {}` there, otherwise use another database",
        app.label,
        list(tables),
        app.label,
    ))
}

fn half_migrated(app: &App, unapplied: &[&&str]) -> DbError {
    DbError::schema(format!(
        "the database is at an older version of Django's {:?}: {} not applied; run `manage.py migrate {}` with Django 6.1 first",
        app.label,
        list(unapplied),
        app.label,
    ))
}

fn lost_tables(app: &App, tables: &[&&str]) -> DbError {
    DbError::schema(format!(
        "the migrations of Django's {:?} are applied, but tables are missing ({}); restore them from a backup, or if the site has user tables of its own, use a store for those",
        app.label,
        list(tables),
    ))
}

fn list(names: &[&&str]) -> String {
    names.iter().map(|name| **name).collect::<Vec<_>>().join(", ")
}

/// The names of the tables; the only question that each kind of database answers in its own way.
async fn tables(database: &DatabaseTransaction) -> Result<HashSet<String>, DbError> {
    let query = Query::select()
        .column(Alias::new("name"))
        .from(Alias::new("sqlite_master"))
        .and_where(ExprTrait::eq(Expr::col(Alias::new("type")), "table"))
        .to_owned();
    let rows = database.query_all(&query).await?;
    let names: Result<_, _> = rows.iter().map(|row| row.try_get("", "name")).collect();
    Ok(names?)
}

async fn record(
    database: &DatabaseTransaction,
    applied: &[AppliedMigration],
) -> Result<(), DbError> {
    let now = time::to_column(Clock::system().now());
    let rows = applied.iter().map(|migration| migration::ActiveModel {
        app: Set(migration.app.into()),
        name: Set(migration.name.into()),
        applied: Set(now.clone()),
        ..Default::default()
    });
    migration::Entity::insert_many(rows).exec_without_returning(database).await?;
    Ok(())
}

/// Adds what is missing of the content types and the permissions of every model.
async fn add_permissions(database: &DatabaseTransaction) -> Result<(), DbError> {
    for app in &APPS {
        for (model, words) in app.models {
            let content_type = content_type_id(database, app.label, model).await?;
            let rows = ACTIONS.map(|action| permission::ActiveModel {
                content_type_id: Set(content_type),
                codename: Set(format!("{action}_{model}")),
                name: Set(format!("Can {action} {words}")),
                ..Default::default()
            });
            let unique = [permission::Column::ContentTypeId, permission::Column::Codename];
            permission::Entity::insert_many(rows)
                .on_conflict_do_nothing_on(unique)
                .exec_without_returning(database)
                .await?;
        }
    }
    Ok(())
}

async fn content_type_id(
    database: &DatabaseTransaction,
    app: &str,
    model: &str,
) -> Result<i64, DbError> {
    let found = content_type::Entity::find()
        .filter(content_type::Column::AppLabel.eq(app))
        .filter(content_type::Column::Model.eq(model))
        .one(database)
        .await?;
    if let Some(row) = found {
        return Ok(row.id);
    }
    let row = content_type::ActiveModel {
        app_label: Set(app.into()),
        model: Set(model.into()),
        ..Default::default()
    };
    Ok(content_type::Entity::insert(row).exec(database).await?.last_insert_id)
}
