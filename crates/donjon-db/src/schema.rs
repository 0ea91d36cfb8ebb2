//! The tables of Django 6.1's `contenttypes`, `auth` and `sessions`, as its own migrations leave them
//! on SQLite: columns, types, constraints, and the names of the indexes, by which later migrations of
//! Django find them. And Donjon's own tables.

/// One of Django's applications.
pub(crate) struct App {
    pub(crate) label: &'static str,
    /// The names of its migrations, in order.
    pub(crate) migrations: &'static [&'static str],
    pub(crate) tables: &'static [&'static str],
    /// The SQL that makes the tables, for SQLite.
    pub(crate) sqlite: &'static str,
    /// Its models, by name and in words.
    pub(crate) models: &'static [(&'static str, &'static str)],
}

/// The table in which Django notes what it has done to the schema.
pub(crate) const MIGRATIONS_TABLE: &str = "django_migrations";

/// The SQL that makes it, for SQLite.
pub(crate) const MIGRATIONS_SQLITE: &str = r#"CREATE TABLE "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL);"#;

/// What a user may be permitted to do to every model.
pub(crate) const ACTIONS: [&str; 4] = ["add", "change", "delete", "view"];

/// The applications, each after those whose tables it refers to.
pub(crate) const APPS: [App; 3] = [
    App {
        label: "contenttypes",
        migrations: &["0001_initial", "0002_remove_content_type_name"],
        tables: &["django_content_type"],
        sqlite: CONTENTTYPES_SQLITE,
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
        sqlite: AUTH_SQLITE,
        models: &[("permission", "permission"), ("group", "group"), ("user", "user")],
    },
    App {
        label: "sessions",
        migrations: &["0001_initial"],
        tables: &["django_session"],
        sqlite: SESSIONS_SQLITE,
        models: &[("session", "session")],
    },
];

const CONTENTTYPES_SQLITE: &str = r#"
CREATE TABLE "django_content_type" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app_label" varchar(100) NOT NULL, "model" varchar(100) NOT NULL);
CREATE UNIQUE INDEX "django_content_type_app_label_model_76bd3d3b_uniq" ON "django_content_type" ("app_label", "model");
"#;

const AUTH_SQLITE: &str = r#"
CREATE TABLE "auth_permission" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "content_type_id" integer NOT NULL REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED, "codename" varchar(100) NOT NULL, "name" varchar(255) NOT NULL);
CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(150) NOT NULL UNIQUE);
CREATE TABLE "auth_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL, "username" varchar(150) NOT NULL UNIQUE, "last_name" varchar(150) NOT NULL, "email" varchar(254) NOT NULL, "is_staff" bool NOT NULL, "is_active" bool NOT NULL, "date_joined" datetime NOT NULL, "first_name" varchar(150) NOT NULL);
CREATE TABLE "auth_group_permissions" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED, "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "auth_user_groups" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "auth_user_user_permissions" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED, "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE UNIQUE INDEX "auth_group_permissions_group_id_permission_id_0cd325b0_uniq" ON "auth_group_permissions" ("group_id", "permission_id");
CREATE INDEX "auth_group_permissions_group_id_b120cbf9" ON "auth_group_permissions" ("group_id");
CREATE INDEX "auth_group_permissions_permission_id_84c5c92e" ON "auth_group_permissions" ("permission_id");
CREATE UNIQUE INDEX "auth_user_groups_user_id_group_id_94350c0c_uniq" ON "auth_user_groups" ("user_id", "group_id");
CREATE INDEX "auth_user_groups_user_id_6a12ed8b" ON "auth_user_groups" ("user_id");
CREATE INDEX "auth_user_groups_group_id_97559544" ON "auth_user_groups" ("group_id");
CREATE UNIQUE INDEX "auth_user_user_permissions_user_id_permission_id_14a6b632_uniq" ON "auth_user_user_permissions" ("user_id", "permission_id");
CREATE INDEX "auth_user_user_permissions_user_id_a95ead1b" ON "auth_user_user_permissions" ("user_id");
CREATE INDEX "auth_user_user_permissions_permission_id_1fbb5f2c" ON "auth_user_user_permissions" ("permission_id");
CREATE UNIQUE INDEX "auth_permission_content_type_id_codename_01ab375a_uniq" ON "auth_permission" ("content_type_id", "codename");
CREATE INDEX "auth_permission_content_type_id_2f476e4b" ON "auth_permission" ("content_type_id");
"#;

const SESSIONS_SQLITE: &str = r#"
CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL);
CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date");
"#;

/// The SQL that makes Donjon's own tables where they are missing, for SQLite. Nothing notes that they
/// were made: Django's table of migrations is for Django's.
pub(crate) const OWN_SQLITE: &str = r#"
CREATE TABLE IF NOT EXISTS "donjon_csp_violation" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "directive" varchar(40) NOT NULL, "disposition" varchar(10) NOT NULL, "blocked" varchar(300) NOT NULL, "document" varchar(300) NOT NULL, "source" varchar(300) NOT NULL, "line" bigint NOT NULL, "column" bigint NOT NULL, "sample" varchar(120) NOT NULL, "count" bigint NOT NULL, "first_seen" datetime NOT NULL, "last_seen" datetime NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS "donjon_csp_violation_uniq" ON "donjon_csp_violation" ("directive", "disposition", "blocked", "document", "source", "line", "column");
CREATE TABLE IF NOT EXISTS "donjon_csp_hour" ("hour" datetime NOT NULL, "kind" varchar(40) NOT NULL, "count" bigint NOT NULL, PRIMARY KEY ("hour", "kind"));
"#;
