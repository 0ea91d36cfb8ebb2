//! Bringing a database to Django's schema.
//!
//! 1. All of it happens in one transaction, or none. Not on MariaDB and MySQL, which change a schema
//!    at once: there what was interrupted is gone on with the next time, by a table that marks it.
//! 2. An application whose migrations are all applied is left alone; one that has neither tables nor
//!    migrations is made; anything between is refused, for only Django knows how to go on from there.
//! 3. What Django does after it has migrated, is done too: content types and permissions.
//! 4. Donjon's own tables are made where they are missing. They are no migration of Django's.
//! 5. Of many processes that begin at once one migrates, and the others wait and find it done.

use std::collections::HashSet;
use std::fmt;

use donjon_core::clock::Clock;
use sea_orm::entity::prelude::*;
use sea_orm::{
    DatabaseTransaction, DbBackend, Set, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};

use crate::database::server;
use crate::entity::{content_type, migration, permission};
use crate::schema::{
    ACTIONS, APPS, App, MIGRATIONS, MIGRATIONS_TABLE, TABLES, mysql, own, postgres,
};
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
        match self.backend() {
            DbBackend::MySql => self.migrate_by_steps().await,
            _ => self.migrate_at_once().await,
        }
    }

    async fn migrate_at_once(&self) -> Result<Vec<AppliedMigration>, DbError> {
        let transaction = self.begin_to_write().await?;
        if self.backend() == DbBackend::Postgres {
            transaction.query_one_raw(literal(DbBackend::Postgres, postgres::LOCK)).await?;
        }
        let applied = migrate(&transaction).await?;
        transaction.commit().await?;
        Ok(applied)
    }

    /// On a connection of its own, since the lock is the connection's.
    async fn migrate_by_steps(&self) -> Result<Vec<AppliedMigration>, DbError> {
        let pool = server::lone_mysql(self.writer.get_mysql_connection_pool()).await;
        let pool = pool.map_err(DbError::driver)?;
        let connection = DatabaseConnection::from(pool.clone());
        let locked = connection.query_one_raw(literal(DbBackend::MySql, mysql::LOCK)).await?;
        let got: Option<String> = locked.map(|row| row.try_get("", "name")).transpose()?.flatten();
        if got.as_deref() != Some("1") {
            return Err(DbError::migrating());
        }
        let applied = migrate(&connection).await?;
        pool.close().await;
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

async fn migrate(database: &impl ConnectionTrait) -> Result<Vec<AppliedMigration>, DbError> {
    let state = State::read(database).await?;
    let missing = state.missing_apps()?;
    if !missing.is_empty() {
        begin(database, &state).await?;
    }
    let mut applied = Vec::new();
    for app in &missing {
        run_schema(database, app.sql.of(database.get_database_backend())).await?;
        let names = app.migrations.iter();
        let migrations = names.map(|name| AppliedMigration { app: app.label, name });
        record(database, migrations.clone()).await?;
        applied.extend(migrations);
    }
    if !missing.is_empty() || state.was_interrupted() {
        add_permissions(database).await?;
        end(database).await?;
    }
    make_own(database, &state).await?;
    Ok(applied)
}

/// Rule 4.
async fn make_own(database: &impl ConnectionTrait, state: &State) -> Result<(), DbError> {
    let backend = database.get_database_backend();
    for (name, table) in own::tables(backend) {
        if !state.tables.contains(name) {
            database.execute(&table).await?;
            for index in own::indexes(backend, name) {
                database.execute(&index).await?;
            }
        }
    }
    Ok(())
}

/// Before the first change: the mark, and the table that notes the changes.
async fn begin(database: &impl ConnectionTrait, state: &State) -> Result<(), DbError> {
    let backend = database.get_database_backend();
    if backend == DbBackend::MySql {
        run_schema(database, mysql::BEGIN).await?;
    }
    if !state.tables.contains(MIGRATIONS_TABLE) {
        run_schema(database, MIGRATIONS.of(backend)).await?;
    }
    Ok(())
}

async fn end(database: &impl ConnectionTrait) -> Result<(), DbError> {
    if database.get_database_backend() == DbBackend::MySql {
        run_schema(database, mysql::END).await?;
    }
    Ok(())
}

/// Runs SQL of this crate: that it is `'static` keeps what a client sent out of it.
async fn run_schema(database: &impl ConnectionTrait, sql: &'static str) -> Result<(), DbError> {
    database.execute_unprepared(sql).await?;
    Ok(())
}

/// A question of this crate, likewise.
#[expect(clippy::disallowed_methods, reason = "a literal of this crate, with no value in it")]
fn literal(backend: DbBackend, sql: &'static str) -> Statement {
    Statement::from_string(backend, sql)
}

/// What is there already.
struct State {
    tables: HashSet<String>,
    applied: HashSet<(String, String)>,
}

impl State {
    async fn read(database: &impl ConnectionTrait) -> Result<Self, DbError> {
        let tables = tables(database).await?;
        let rows = match tables.contains(MIGRATIONS_TABLE) {
            true => migration::Entity::find().all(database).await?,
            false => Vec::new(),
        };
        Ok(Self { tables, applied: rows.into_iter().map(|row| (row.app, row.name)).collect() })
    }

    /// Was a migration begun here that has not ended?
    fn was_interrupted(&self) -> bool {
        self.tables.contains(mysql::MARK)
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
            (true, ..) if self.was_interrupted() => Ok(true),
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

/// The names of the tables.
async fn tables(database: &impl ConnectionTrait) -> Result<HashSet<String>, DbError> {
    let backend = database.get_database_backend();
    let rows = database.query_all_raw(literal(backend, TABLES.of(backend))).await?;
    let names: Result<_, _> = rows.iter().map(|row| row.try_get("", "name")).collect();
    Ok(names?)
}

/// Notes that these migrations are applied, all at once.
async fn record(
    database: &impl ConnectionTrait,
    applied: impl Iterator<Item = AppliedMigration>,
) -> Result<(), DbError> {
    let now = time::to_column(database.get_database_backend(), Clock::system().now());
    let rows = applied.map(|migration| migration::ActiveModel {
        app: Set(migration.app.into()),
        name: Set(migration.name.into()),
        applied: Set(now.clone()),
        ..Default::default()
    });
    migration::Entity::insert_many(rows).exec_without_returning(database).await?;
    Ok(())
}

/// Adds what is missing of the content types and the permissions of every model.
async fn add_permissions(database: &impl ConnectionTrait) -> Result<(), DbError> {
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
    database: &impl ConnectionTrait,
    app: &str,
    model: &str,
) -> Result<i32, DbError> {
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
