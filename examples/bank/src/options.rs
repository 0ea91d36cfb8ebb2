//! What the command line and the environment say.
//!
//! 1. An option on the command line wins over the environment, and that over the default.
//! 2. Whatever is not understood is an error at start-up.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::check::CheckOptions;
use crate::storage::Place;

/// How to call the program.
pub const USAGE: &str = "\
A bank that can't be robbed, the attacker's site beside it, and a front end on a third origin.

Usage: bank [OPTIONS]
       bank routes             what the bank answers, and what protects it
       bank check [--deploy] [--format text|json|sarif] [--fail-level LEVEL]
                               what is wrong with the bank; exits with 1 for an ERROR or worse
       bank [OPTIONS] clearsessions
                               removes the sessions that are over; for cron

Options:
  --port PORT            the bank's port; 0 is any free one   [BANK_PORT, default 8000]
  --attacker-port PORT   the attacker's port                  [BANK_ATTACKER_PORT, default 8001]
  --app-port PORT        the front end's port                 [BANK_APP_PORT, default 8002]
  --database FILE        the SQLite file, made if missing     [BANK_DATABASE, default bank.sqlite3]
  --database-url URL     another database: sqlite://FILE, postgres://USER:PASSWORD@HOST/NAME, or
                         mysql://USER:PASSWORD@HOST/NAME      [DONJON_DATABASE_URL]
  --session-store STORE  where sessions are kept              [DONJON_SESSION_STORE, default db]
                           db               the database
                           cached_db        the database, with a cache in the process
                           cached_db+redis  the database, with a cache in Redis
                           redis            Redis
                           cookie           their cookies
                           file             a folder
                           memory           memory: they end with the process
  --redis-url URL        redis://, rediss://, redis+cluster://, redis+sentinel://
                                                              [DONJON_REDIS_URL]
  --session-folder DIR   the folder of the store file         [DONJON_SESSION_FOLDER, default
                                                              sessions, beside --database]
  --trusted-proxy NET    the address or network of the proxy in front of the bank, which tells the
                         visitor's address                    [BANK_TRUSTED_PROXY]
  --help                 this text

BANK_SECRET_KEY is the secret that signs sessions, of 50 characters or more. Without it the bank
makes one, and keeps it beside the file of --database. Nodes that share sessions share the key.

A URL with a password is better kept in the environment: others on the machine can read a command line.
";

/// Each option, and the variable that stands for it.
const NAMES: [(&str, &str); 9] = [
    ("--port", "BANK_PORT"),
    ("--attacker-port", "BANK_ATTACKER_PORT"),
    ("--app-port", "BANK_APP_PORT"),
    ("--database", "BANK_DATABASE"),
    ("--database-url", "DONJON_DATABASE_URL"),
    ("--session-store", "DONJON_SESSION_STORE"),
    ("--redis-url", "DONJON_REDIS_URL"),
    ("--session-folder", "DONJON_SESSION_FOLDER"),
    ("--trusted-proxy", "BANK_TRUSTED_PROXY"),
];

/// Where the bank listens, and where its money is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The bank's port; 0 takes any free one.
    pub port: u16,
    /// The attacker's port; 0 takes any free one.
    pub attacker_port: u16,
    /// The front end's port; 0 takes any free one.
    pub app_port: u16,
    /// Where the bank keeps things.
    pub place: Place,
    /// The proxy in front of it.
    pub proxy: Option<IpNet>,
}

impl Default for Options {
    fn default() -> Self {
        let place = Place::default();
        Self { port: 8000, attacker_port: 8001, app_port: 8002, place, proxy: None }
    }
}

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Show [`USAGE`].
    Help,
    /// Show the routes.
    Routes,
    /// Look for what is wrong with the bank whose database this is.
    Check(CheckOptions, PathBuf),
    /// Remove the sessions that are over from this place.
    ClearSessions(Place),
    /// Open the bank.
    Run(Options),
}

/// A command line that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionsError {
    /// There is no option of this name.
    Unknown(String),
    /// The option lacks its value.
    NoValue(String),
    /// The option's value is none of those that it may have.
    Value(String, String),
    /// The option's value is no port.
    NotAPort(String, String),
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "unknown option {name:?}; --help lists them"),
            Self::NoValue(name) => write!(f, "{name} needs a value, as in {name} VALUE"),
            Self::Value(name, error) => write!(f, "{name}: {error}"),
            Self::NotAPort(name, value) => {
                write!(f, "{name} is {value:?}, expected a port from 0 to 65535")
            }
        }
    }
}

impl std::error::Error for OptionsError {}

impl Options {
    /// Reads the arguments, without the program's name, and the environment.
    ///
    /// # Errors
    /// [`OptionsError`].
    pub fn parse(
        arguments: impl IntoIterator<Item = String>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Command, OptionsError> {
        let mut options = Self::default();
        for (name, variable) in NAMES {
            if let Some(value) = environment(variable) {
                options.take(name, variable, value)?;
            }
        }
        let mut arguments = arguments.into_iter().peekable();
        if arguments.next_if(|argument| argument == "check").is_some() {
            return Ok(Command::Check(CheckOptions::parse(arguments)?, options.place.file));
        }
        while let Some(argument) = arguments.next() {
            if matches!(argument.as_str(), "--help" | "-h") {
                return Ok(Command::Help);
            }
            if argument == "routes" {
                return Ok(Command::Routes);
            }
            if argument == "clearsessions" {
                let rest = arguments.next().map(OptionsError::Unknown);
                return rest.map_or(Ok(Command::ClearSessions(options.place)), Err);
            }
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            if !NAMES.iter().any(|(known, _)| *known == name) {
                return Err(OptionsError::Unknown(name));
            }
            let value = value.or_else(|| arguments.next());
            let value = value.ok_or_else(|| OptionsError::NoValue(name.clone()))?;
            options.take(&name, &name, value)?;
        }
        Ok(Command::Run(options))
    }

    fn take(&mut self, name: &str, shown: &str, value: String) -> Result<(), OptionsError> {
        match name {
            "--port" => self.port = port(shown, &value)?,
            "--attacker-port" => self.attacker_port = port(shown, &value)?,
            "--app-port" => self.app_port = port(shown, &value)?,
            "--database" => self.place.file = value.into(),
            "--database-url" => self.place.database = Some(value.into()),
            "--session-store" => {
                let wrong = |error| OptionsError::Value(shown.to_owned(), error);
                self.place.sessions = value.parse().map_err(wrong)?;
            }
            "--redis-url" => self.place.redis = Some(value.into()),
            "--session-folder" => self.place.folder = Some(value.into()),
            _ => self.proxy = Some(network(shown, &value)?),
        }
        Ok(())
    }
}

fn port(shown: &str, value: &str) -> Result<u16, OptionsError> {
    value.parse().map_err(|_| OptionsError::NotAPort(shown.to_owned(), value.to_owned()))
}

/// A network, or one address.
fn network(shown: &str, value: &str) -> Result<IpNet, OptionsError> {
    let address = || value.parse::<IpAddr>().map(IpNet::from);
    value.parse().or_else(|_| address()).map_err(|_| {
        let error = format!("{value:?} is no address or network; write 127.0.0.1 or 10.0.0.0/8");
        OptionsError::Value(shown.to_owned(), error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::SessionPlace;

    fn parse(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Command, OptionsError> {
        let value = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned())
        };
        Options::parse(arguments.iter().map(|&argument| argument.to_owned()), value)
    }

    #[test]
    fn rule_1_the_command_line_wins() {
        assert_eq!(parse(&[], &[]), Ok(Command::Run(Options::default())));
        let environment = [
            ("BANK_PORT", "1"),
            ("BANK_ATTACKER_PORT", "2"),
            ("BANK_APP_PORT", "4"),
            ("BANK_DATABASE", "x"),
        ];
        let place = Place::file("y");
        let expected = Options { port: 3, attacker_port: 2, app_port: 4, place, proxy: None };
        let arguments = ["--port", "3", "--database=y"];
        assert_eq!(parse(&arguments, &environment), Ok(Command::Run(expected)));
        assert_eq!(parse(&["--port", "3", "--help"], &[]), Ok(Command::Help));
        assert_eq!(parse(&["routes"], &[]), Ok(Command::Routes));
        let clear = Command::ClearSessions(Place::file("y"));
        assert_eq!(parse(&["--database", "y", "clearsessions"], &[]), Ok(clear));
        let check = Command::Check(CheckOptions::default(), "x".into());
        assert_eq!(parse(&["check"], &[("BANK_DATABASE", "x")]), Ok(check));
    }

    #[test]
    fn where_things_are_kept() {
        let environment = [
            ("DONJON_DATABASE_URL", "postgres://bank:pw@localhost/bank"),
            ("DONJON_SESSION_STORE", "cached_db"),
            ("DONJON_REDIS_URL", "redis://localhost"),
            ("DONJON_SESSION_FOLDER", "f"),
        ];
        let place = Place {
            database: Some("postgres://bank:pw@localhost/bank".to_owned().into()),
            sessions: SessionPlace::CachedDb,
            redis: Some("redis://localhost".to_owned().into()),
            folder: Some("f".into()),
            ..Place::default()
        };
        let proxy = Some("127.0.0.1/32".parse().unwrap());
        let expected = Options { place, proxy, ..Options::default() };
        let arguments = ["--trusted-proxy", "127.0.0.1"];
        assert_eq!(parse(&arguments, &environment), Ok(Command::Run(expected)));
    }

    #[test]
    fn rule_2_nonsense_is_an_error() {
        let unknown = OptionsError::Unknown("--prot".into());
        assert_eq!(parse(&["--prot", "1"], &[]), Err(unknown.clone()));
        assert_eq!(parse(&["--prot"], &[]), Err(unknown));
        assert_eq!(parse(&["--port"], &[]), Err(OptionsError::NoValue("--port".into())));
        let wrong = OptionsError::NotAPort("BANK_PORT".into(), "65536".into());
        assert_eq!(parse(&[], &[("BANK_PORT", "65536")]), Err(wrong));
        let error = parse(&[], &[("DONJON_SESSION_STORE", "cache")]).unwrap_err().to_string();
        assert!(error.starts_with("DONJON_SESSION_STORE: \"cache\" is no"), "{error}");
        let error = parse(&["--trusted-proxy", "nginx"], &[]).unwrap_err().to_string();
        assert!(error.contains("write 127.0.0.1 or 10.0.0.0/8"), "{error}");
    }
}
