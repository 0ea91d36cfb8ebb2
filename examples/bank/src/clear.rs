//! `bank clearsessions`: removes the sessions that are over, a thousand at a time, while the bank is open.
//!
//! On a terminal a bar shows how many are gone.

use std::path::Path;
use std::time::Duration;

use donjon_core::clock::Clock;
use donjon_core::session::{SessionCodec, clear_expired, clear_unlisted};
use donjon_db::{Database, DjangoSessions, SqlUserSessions};
use indicatif::{ProgressBar, ProgressStyle};

use crate::key;
use crate::start::StartError;

/// Removes what is over from this database, and tells how many sessions that were.
///
/// # Errors
/// [`StartError`].
pub async fn clear(database: &Path, key: Option<String>) -> Result<usize, StartError> {
    let codec = SessionCodec::new(&key::keys(database, key)?);
    let database = Database::sqlite(database).await?;
    database.migrate().await?;
    let (now, bar) = (Clock::system().now(), bar());
    let sessions = DjangoSessions::new(&database, codec);
    let cleared = clear_expired(&sessions, now, |so_far| bar.set_position(so_far as u64)).await;
    bar.finish_and_clear();
    let cleared = cleared?;
    clear_unlisted(&SqlUserSessions::new(&database), now, |_| {}).await?;
    Ok(cleared)
}

/// How many there are in all nobody has counted: that would take as long as removing them. Off a
/// terminal nothing is drawn.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message("sessions cleared");
    bar.enable_steady_tick(Duration::from_millis(100));
    match ProgressStyle::with_template("{spinner} {human_pos} {msg} [{elapsed}]") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
