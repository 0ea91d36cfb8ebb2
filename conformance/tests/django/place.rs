//! A database for both sites, of each kind that they speak to.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::world::{KEYS, finished, python};

/// The kinds of database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Kind {
    /// A new database without tables.
    pub(crate) fn place(self) -> Place {
        match self {
            Self::Sqlite => Place::sqlite(),
            Self::Postgres => Place::on_server(servers::POSTGRES, ""),
            Self::MariaDb => Place::on_server(servers::MARIADB, "CHARACTER SET utf8mb4"),
        }
    }
}

/// A database of one test, by its URL, and as the settings of the mirror name it.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) setting: String,
}

impl Place {
    fn sqlite() -> Self {
        let setting = format!("{}/{}.sqlite3", env!("CARGO_TARGET_TMPDIR"), new_name());
        Self { url: format!("sqlite://{setting}"), setting }
    }

    /// A new database on the server that `cargo xtask test` started.
    fn on_server(variable: &str, options: &str) -> Self {
        let server = servers::shared(variable);
        let name = new_name();
        let place = |setting: String| Self { url: setting.clone(), setting };
        place(server.clone()).shell(&format!(
            "from django.db import connection\n\
             connection.cursor().execute('CREATE DATABASE {name} {options}')"
        ));
        let (host, _) = server.rsplit_once('/').expect("the URL names a database");
        place(format!("{host}/{name}"))
    }

    /// What a command of Django's says, which must succeed.
    pub(crate) fn manage(&self, args: &[&str]) -> String {
        finished(self.command().args(args))
    }

    fn command(&self) -> Command {
        let mut command = python(&self.setting, KEYS);
        command.arg("manage.py");
        command
    }

    /// Runs a script with Django's models at hand.
    pub(crate) fn shell(&self, script: &str) -> String {
        self.manage(&["shell", "--no-startup", "-v0", "-c", script])
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.setting));
        }
    }
}

fn new_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("donjon_django_{}_{number}", std::process::id())
}

/// A test of each kind of database for each function that takes a [`Kind`].
macro_rules! on_each {
    ($($name:ident)*) => {
        on_each! { @ sqlite Sqlite: $($name)* }
        on_each! { @ postgres Postgres: $($name)* }
        on_each! { @ mariadb MariaDb: $($name)* }
    };
    (@ $module:ident $kind:ident: $($name:ident)*) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name($crate::place::Kind::$kind).await;
                }
            )*
        }
    };
}
