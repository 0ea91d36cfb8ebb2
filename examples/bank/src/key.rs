//! The secret key: from the environment, or a file beside the database.
//!
//! Stops: a key in the source, a key that all demonstrations share, and a key that others on the
//! machine can read.
//!
//! 1. `BANK_SECRET_KEY` wins, if it is set.
//! 2. Otherwise the file `<database>.key` holds the key. It is made at the first start, with 50 random
//!    characters and for its owner's eyes only (mode 0600).
//! 3. A key of fewer than [`MIN_LENGTH`] characters is an error. Django: `security.W009`.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use donjon_core::entropy::{ALPHANUMERIC, string};
use donjon_core::secret::Keys;

/// The fewest characters that a key may have.
pub const MIN_LENGTH: usize = 50;

/// There is no key to sign with.
#[derive(Debug)]
pub enum KeyError {
    /// The key from here is shorter than [`MIN_LENGTH`].
    TooShort(String),
    /// The file can be neither read nor made.
    File(PathBuf, io::Error),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(source) => write!(
                f,
                "the secret key in {source} is too short: expected {MIN_LENGTH} characters or more"
            ),
            Self::File(path, error) => {
                write!(f, "the secret key's file {} can't be used: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for KeyError {}

/// The key of the bank whose database is this file.
///
/// # Errors
/// [`KeyError`].
pub fn keys(database: &Path, environment: Option<String>) -> Result<Keys, KeyError> {
    let (key, source) = match environment {
        Some(key) => (key, "BANK_SECRET_KEY".to_owned()),
        None => {
            let path = beside(database);
            let key = kept(&path).map_err(|error| KeyError::File(path.clone(), error))?;
            (key, path.display().to_string())
        }
    };
    match key.len() >= MIN_LENGTH {
        true => Ok(Keys::new(key.as_str())),
        false => Err(KeyError::TooShort(source)),
    }
}

/// The key that is there: none is made.
///
/// # Errors
/// [`KeyError`].
pub fn existing(database: &Path, environment: Option<String>) -> Result<Option<Keys>, KeyError> {
    match environment {
        None if !beside(database).exists() => Ok(None),
        environment => keys(database, environment).map(Some),
    }
}

fn beside(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".key");
    path.into()
}

fn kept(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(key) => Ok(key.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
        Err(error) => Err(error),
    }
}

fn make(path: &Path) -> io::Result<String> {
    let key = string::<MIN_LENGTH>(ALPHANUMERIC);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(key.as_bytes())?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_2_the_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bank.sqlite3");
        let first = keys(&database, None).unwrap();
        let second = keys(&database, None).unwrap();
        assert_eq!(first.current().expose(), second.current().expose());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = folder.path().join("bank.sqlite3.key").metadata().unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn rules_1_and_3_the_environments_key_wins_and_must_be_long() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("bank.sqlite3");
        let key = "k".repeat(MIN_LENGTH);
        assert_eq!(keys(&database, Some(key.clone())).unwrap().current().expose(), key.as_bytes());
        assert!(matches!(keys(&database, Some("short".into())), Err(KeyError::TooShort(_))));
        std::fs::write(folder.path().join("bank.sqlite3.key"), "short").unwrap();
        assert!(matches!(keys(&database, None), Err(KeyError::TooShort(_))));
        let missing = folder.path().join("missing").join("bank.sqlite3");
        assert!(matches!(keys(&missing, None), Err(KeyError::File(..))));
    }
}
