//! The parts that tests need and that Cargo can't bring: each is found, or installed.
//!
//! A test that needs a part reads its variable, and fails without it: `run cargo xtask test`. A new
//! part is one more row of [`PARTS`]. The database servers that tests share run as long as
//! [`Shared`] lives.

use std::path::PathBuf;
use std::process::Command;

use servers::{Durability, MariaDb, Postgres, Redis, RedisOptions};

use crate::command::{self, find};
use crate::{Outcome, debian, django};

/// What a part tells the tests: variables and their values.
pub(crate) type Exports = Vec<(&'static str, String)>;

struct Part {
    name: &'static str,
    find: fn() -> Option<Exports>,
    install: fn() -> Outcome,
}

const PARTS: [Part; 7] = [
    Part {
        name: "Chromium",
        find: || found("DONJON_CHROMIUM", &["chromium", "chromium-browser", "google-chrome"]),
        install: || debian::install(&["chromium", "chromium-driver"]),
    },
    Part {
        name: "chromedriver",
        find: || found("DONJON_CHROMEDRIVER", &["chromedriver"]),
        install: || debian::install(&["chromium", "chromium-driver"]),
    },
    Part { name: "Django", find: django::find, install: django::install },
    Part {
        name: "PostgreSQL",
        find: || Postgres::find().ok().map(|_| Exports::new()),
        install: || debian::install(&["postgresql", "postgresql-client"]),
    },
    Part {
        name: "MariaDB",
        find: || MariaDb::find().ok().map(|_| Exports::new()),
        install: || debian::install(&["mariadb-server", "mariadb-client"]),
    },
    Part {
        name: "Redis",
        find: || Redis::find().ok().map(|_| Exports::new()),
        install: || debian::install(&["redis-server", "redis-tools"]),
    },
    Part {
        name: "C++ compiler",
        find: || find(&["c++"]).map(|_| Exports::new()),
        install: || debian::install(&["g++"]),
    },
];

/// A program that a variable names, or that is on `PATH`.
fn found(variable: &'static str, names: &[&str]) -> Option<Exports> {
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_file());
    let path = named.or_else(|| find(names))?;
    Some(vec![(variable, path.display().to_string())])
}

/// Sets up all parts.
///
/// # Errors
/// The first part that can be neither found nor installed.
pub(crate) fn set_up() -> Outcome<Exports> {
    let parts = PARTS.iter().map(Part::set_up).collect::<Outcome<Vec<_>>>()?;
    Ok(parts.concat())
}

/// The servers that tests share; they end when this is dropped.
pub(crate) struct Shared {
    postgres: Postgres,
    mariadb: MariaDb,
    redis: Redis,
}

impl Shared {
    /// Begins them.
    ///
    /// # Errors
    /// The first that does not begin.
    pub(crate) fn start() -> Outcome<Self> {
        Ok(Self {
            postgres: Postgres::start(Durability::Fast)?,
            mariadb: MariaDb::start(Durability::Fast)?,
            redis: Redis::start(RedisOptions::new(Durability::Fast))?,
        })
    }

    /// Where they are.
    pub(crate) fn exports(&self) -> Exports {
        vec![
            (servers::POSTGRES, self.postgres.url()),
            (servers::MARIADB, self.mariadb.url()),
            (servers::REDIS, self.redis.url()),
        ]
    }
}

/// The command `services [COMMAND…]`: prints the variables of all parts for a shell, or runs a command
/// that has them and the servers.
///
/// # Errors
/// Where a part can't be set up, or the command fails.
pub(crate) fn run(command: &[String]) -> Outcome {
    let mut exports = set_up()?;
    let Some((name, args)) = command.split_first() else {
        print(&exports);
        return Ok(());
    };
    let servers = Shared::start()?;
    exports.extend(servers.exports());
    command::run(export(command::program(name).args(args), &exports))
}

fn print(exports: &Exports) {
    for (name, value) in exports {
        println!("export {name}='{}'", value.replace('\'', r"'\''"));
    }
}

/// Gives a program the variables.
pub(crate) fn export<'a>(command: &'a mut Command, exports: &Exports) -> &'a mut Command {
    command.envs(exports.iter().map(|(name, value)| (name, value)))
}

impl Part {
    fn set_up(&self) -> Outcome<Exports> {
        if let Some(exports) = (self.find)() {
            return Ok(exports);
        }
        eprintln!("{}: not found, installing", self.name);
        (self.install)().map_err(|error| format!("{}: {error}", self.name))?;
        (self.find)().ok_or_else(|| format!("{}: not found after installing it", self.name))
    }
}
