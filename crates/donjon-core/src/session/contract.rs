//! The contract of a session store as a suite of checks, for whoever writes a store.
//!
//! Needs the feature `contract`, and no runtime of its own: it runs on that of the test.
//!
//! 1. [`check`] asks a fresh store for each of its rules, and [`Breaches`] names all that do not hold.
//! 2. Each wait for the store ends with the store's answer: a test that may hang wants a time limit of
//!    its own.
//! 3. A store may let a record go by itself once it has expired; nothing else may be lost.
//! 4. A store may refuse to keep a key that [`SessionKey::random`] can't make; it may not fail when
//!    it is asked for one, for any client can send it.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), donjon_core::session::contract::Breaches> {
//! use donjon_core::session::{MemorySessions, contract};
//!
//! contract::check(async || MemorySessions::default()).await
//! # }
//! ```

use std::fmt;

use super::{SessionKey, SessionStore, StoreError};

mod crowd;
mod data;
mod end;
mod record;

/// What a store did against its contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The rule, in words.
    pub rule: &'static str,
    /// What was found instead.
    pub found: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.found)
    }
}

/// All rules that a store broke. Never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Breaches(Vec<Breach>);

impl Breaches {
    /// The breaches, in the order of the checks.
    pub fn iter(&self) -> std::slice::Iter<'_, Breach> {
        self.0.iter()
    }
}

impl fmt::Display for Breaches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store breaks the contract of session stores")?;
        self.0.iter().try_for_each(|breach| write!(f, "\n- {breach}"))
    }
}

/// As `Display`, since this is what a test that fails prints.
impl fmt::Debug for Breaches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Breaches {}

/// Why a check stopped.
struct Fault(String);

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

type Outcome = Result<(), Fault>;

fn demand(holds: bool, otherwise: impl Into<String>) -> Outcome {
    if holds { Ok(()) } else { Err(Fault(otherwise.into())) }
}

fn same<T: PartialEq + fmt::Debug>(what: &str, found: &T, expected: &T) -> Outcome {
    demand(found == expected, format!("{what}: found {found:?}, expected {expected:?}"))
}

/// A key that some client may send.
fn odd_key(text: &str) -> Result<SessionKey, Fault> {
    SessionKey::parse(text).ok_or_else(|| Fault(format!("{text:?} is no key")))
}

/// Asks the stores that `fresh` makes for every rule of [`SessionStore`].
///
/// Each store must be empty, or hold nothing but sessions that have not expired and that nobody
/// changes meanwhile. The suite takes some seconds on a real server, writes some megabytes, and reads
/// the system's clock.
///
/// # Errors
/// [`Breaches`]: all rules that do not hold.
pub async fn check<S: SessionStore>(fresh: impl AsyncFn() -> S) -> Result<(), Breaches> {
    let mut breaches = Vec::new();
    let mut note = |rule: &'static str, outcome: Outcome| {
        breaches.extend(outcome.err().map(|Fault(found)| Breach { rule, found }));
    };
    note("a key that nobody was given has no record", record::unknown(&fresh().await).await);
    note("what is created is loaded, under its key alone", record::kept(&fresh().await).await);
    note("create never overwrites", record::created_once(&fresh().await).await);
    note("update never makes a record", record::never_made(&fresh().await).await);
    note("update writes over the state that it names alone", record::swapped(&fresh().await).await);
    note("delete tells whether there was a record", record::deleted(&fresh().await).await);
    note("a record ends at its second, and not before", end::at_its_second(&fresh().await).await);
    note("create does not overwrite what expired", end::not_overwritten(&fresh().await).await);
    note("clear_expired works in batches", end::in_batches(&fresh().await).await);
    note("clear_expired removes only what expired", end::nothing_else(&fresh().await).await);
    note("a key is text and nothing else", data::odd_keys(&fresh().await).await);
    note("no two keys are one", data::near_keys(&fresh().await).await);
    note("every JSON value comes back to the letter", data::odd_values(&fresh().await).await);
    note("a session of a megabyte comes back", data::big_values(&fresh().await).await);
    note("of creations at once one wins", crowd::creations(&fresh().await).await);
    note("of updates at once one wins", crowd::updates(&fresh().await).await);
    note("of deletions at once one deletes", crowd::deletions(&fresh().await).await);
    note("sessions at once do not touch each other", crowd::strangers(&fresh().await).await);
    note("changes at once all survive", crowd::changes(fresh().await).await);
    if breaches.is_empty() { Ok(()) } else { Err(Breaches(breaches)) }
}

#[cfg(test)]
mod tests;
