//! The tables of Django 6.1's `contenttypes`, `auth` and `sessions`, as its own migrations leave them
//! on each kind of database: columns, types, constraints, and the names of the indexes, by which later
//! migrations of Django find them. And Donjon's own tables.

use sea_orm::DbBackend;

pub(crate) mod mysql;
pub(crate) mod own;
pub(crate) mod postgres;
mod sqlite;
mod user_sessions;

/// The same in each kind of SQL. MySQL's makes only what is missing, and each of its statements makes
/// a table with all that belongs to it: there a schema changes without a transaction.
#[derive(Clone, Copy)]
pub(crate) struct Sql {
    sqlite: &'static str,
    postgres: &'static str,
    mysql: &'static str,
}

impl Sql {
    /// That of this kind of database.
    pub(crate) fn of(self, backend: DbBackend) -> &'static str {
        match backend {
            DbBackend::Postgres => self.postgres,
            DbBackend::MySql => self.mysql,
            _ => self.sqlite,
        }
    }
}

/// The names of the tables that there are: the question that each kind of database answers in its own
/// way.
pub(crate) const TABLES: Sql =
    Sql { sqlite: sqlite::TABLES, postgres: postgres::TABLES, mysql: mysql::TABLES };

/// One of Django's applications.
pub(crate) struct App {
    pub(crate) label: &'static str,
    /// The names of its migrations, in order.
    pub(crate) migrations: &'static [&'static str],
    pub(crate) tables: &'static [&'static str],
    /// The SQL that makes the tables.
    pub(crate) sql: Sql,
    /// Its models, by name and in words.
    pub(crate) models: &'static [(&'static str, &'static str)],
}

/// The table in which Django notes what it has done to the schema.
pub(crate) const MIGRATIONS_TABLE: &str = "django_migrations";

/// The SQL that makes it.
pub(crate) const MIGRATIONS: Sql =
    Sql { sqlite: sqlite::MIGRATIONS, postgres: postgres::MIGRATIONS, mysql: mysql::MIGRATIONS };

/// What a user may be permitted to do to every model.
pub(crate) const ACTIONS: [&str; 4] = ["add", "change", "delete", "view"];

/// The applications, each after those whose tables it refers to.
pub(crate) const APPS: [App; 3] = [
    App {
        label: "contenttypes",
        migrations: &["0001_initial", "0002_remove_content_type_name"],
        tables: &["django_content_type"],
        sql: Sql {
            sqlite: sqlite::CONTENTTYPES,
            postgres: postgres::CONTENTTYPES,
            mysql: mysql::CONTENTTYPES,
        },
        models: &[("contenttype", "content type")],
    },
    App {
        label: "auth",
        migrations: &[
            "0001_initial",
            "0002_alter_permission_name_max_length",
            "0003_alter_user_email_max_length",
            "0004_alter_user_username_opts",
            "0005_alter_user_last_login_null",
            "0006_require_contenttypes_0002",
            "0007_alter_validators_add_error_messages",
            "0008_alter_user_username_max_length",
            "0009_alter_user_last_name_max_length",
            "0010_alter_group_name_max_length",
            "0011_update_proxy_permissions",
            "0012_alter_user_first_name_max_length",
        ],
        tables: &[
            "auth_permission",
            "auth_group",
            "auth_group_permissions",
            "auth_user",
            "auth_user_groups",
            "auth_user_user_permissions",
        ],
        sql: Sql { sqlite: sqlite::AUTH, postgres: postgres::AUTH, mysql: mysql::AUTH },
        models: &[("permission", "permission"), ("group", "group"), ("user", "user")],
    },
    App {
        label: "sessions",
        migrations: &["0001_initial"],
        tables: &["django_session"],
        sql: Sql { sqlite: sqlite::SESSIONS, postgres: postgres::SESSIONS, mysql: mysql::SESSIONS },
        models: &[("session", "session")],
    },
];
