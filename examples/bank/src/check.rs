//! `bank check`: what is wrong with the bank's own stack, and what its router says when it is asked.
//!
//! 1. The stack is the bank's own; the router stands on a database in memory, so that nothing which
//!    the probe does costs anybody money.
//! 2. Nothing is made on the disk: a bank that has no key yet is judged by one of the kind it would make.

use std::path::Path;
use std::sync::Arc;

use donjon::check::{Checks, Format, Level, Report, Target, probe};
use donjon::password::{Passwords, Pbkdf2};
use donjon::routes::RouteInfo;
use donjon_core::entropy::{ALPHANUMERIC, string};
use donjon_core::secret::Keys;
use donjon_db::Database;

use crate::key;
use crate::options::OptionsError;
use crate::site::{self, SiteError};
use crate::start::{self, StartError};
use crate::storage::Storage;
use crate::{Bank, assets};

/// The name that the probe calls the bank by.
const HOST: &str = "localhost";

/// What is asked, and how the answer is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckOptions {
    /// Also what a site that goes live must have.
    pub scope: Scope,
    /// How the report is written.
    pub format: Format,
    /// From which level on the check fails.
    pub fail_level: Level,
}

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What is wrong wherever the bank runs.
    Any,
    /// Also what a site that goes live must have.
    Deploy,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { scope: Scope::Any, format: Format::Text, fail_level: Level::Error }
    }
}

impl CheckOptions {
    /// Reads what follows `check`.
    ///
    /// # Errors
    /// [`OptionsError`].
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, OptionsError> {
        let split = |argument: String| match argument.split_once('=') {
            Some((name, value)) => vec![name.to_owned(), value.to_owned()],
            None => vec![argument],
        };
        let mut words = arguments.flat_map(split);
        let mut options = Self::default();
        while let Some(name) = words.next() {
            match name.as_str() {
                "--deploy" => options.scope = Scope::Deploy,
                "--format" => options.format = value(&name, words.next())?,
                "--fail-level" => options.fail_level = value(&name, words.next())?,
                _ => return Err(OptionsError::Unknown(name)),
            }
        }
        Ok(options)
    }

    fn checks(&self) -> Checks {
        match self.scope {
            Scope::Any => Checks::new(),
            Scope::Deploy => Checks::deploy(),
        }
    }
}

fn value<T>(name: &str, value: Option<String>) -> Result<T, OptionsError>
where
    T: std::str::FromStr<Err: ToString>,
{
    let value = value.ok_or_else(|| OptionsError::NoValue(name.to_owned()))?;
    value.parse().map_err(|error: T::Err| OptionsError::Value(name.to_owned(), error.to_string()))
}

/// What is wrong with the bank whose key is beside this database, or in the environment.
///
/// # Errors
/// [`StartError`] if there can be no bank to look at.
pub async fn check(
    options: &CheckOptions,
    database: &Path,
    key: Option<String>,
) -> Result<Report, StartError> {
    let keys = match key::existing(database, key)? {
        Some(keys) => keys,
        None => Keys::new(string::<{ key::MIN_LENGTH }>(ALPHANUMERIC).as_str()),
    };
    let checks = options.checks().routes(routes()?);
    let memory = Database::sqlite_in_memory().await?;
    // The people's passwords are no secret, and hashing them well takes seconds.
    let cheap = Passwords::new(Pbkdf2::with_iterations(1));
    let storage = Storage::db(&memory, &keys);
    let (router, bank) = start::site(&storage, &keys, cheap).await?;
    let bank = Bank { passwords: Passwords::default(), ..bank };
    let bare = Arc::new(assets::bare_pages().map_err(SiteError::from)?);
    let stack = site::stack(&bank, &storage, &keys, bare)?;
    Ok(stack.check(&checks).join(probe(router, HOST, &checks).await))
}

/// What the bank answers.
fn routes() -> Result<Vec<Target>, SiteError> {
    let table = site::table()?;
    let target = |route: &RouteInfo| match route.path.as_str() {
        FILES => Target::from(route).example("/static/bank.css"),
        _ => Target::from(route),
    };
    Ok(table.iter().map(target).collect())
}

/// The route of the files, which finds none of the name that the probe would make up.
const FILES: &str = "/static/<name>";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<CheckOptions, OptionsError> {
        CheckOptions::parse(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn options_are_djangos() {
        assert_eq!(parse(&[]), Ok(CheckOptions::default()));
        let all = CheckOptions {
            scope: Scope::Deploy,
            format: Format::Sarif,
            fail_level: Level::Warning,
        };
        let words = ["--deploy", "--format", "sarif", "--fail-level=WARNING"];
        assert_eq!(parse(&words), Ok(all));
    }

    #[test]
    fn nonsense_is_an_error() {
        assert_eq!(parse(&["--port", "1"]), Err(OptionsError::Unknown("--port".into())));
        assert_eq!(parse(&["--format"]), Err(OptionsError::NoValue("--format".into())));
        let error = parse(&["--format", "xml"]).unwrap_err().to_string();
        assert!(error.contains("text, json, sarif"), "{error}");
    }

    #[tokio::test]
    async fn rule_2_nothing_is_made_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bank.sqlite3");
        let _ = check(&CheckOptions::default(), &database, None).await.unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn every_route_is_looked_at() {
        let targets = routes().unwrap();
        assert_eq!(targets.len(), site::table().unwrap().iter().count());
        assert!(targets.iter().any(|target| target.path() == FILES));
    }

    #[tokio::test]
    async fn the_bank_has_no_errors() {
        for scope in [Scope::Any, Scope::Deploy] {
            let options = CheckOptions { scope, ..CheckOptions::default() };
            let key = "k3y".repeat(20);
            let report = check(&options, Path::new("bank.sqlite3"), Some(key)).await.unwrap();
            assert!(!report.fails(Level::Error), "{report}");
            assert_eq!(
                report.has("security.W009"),
                scope == Scope::Deploy,
                "three letters are few"
            );
        }
    }
}
