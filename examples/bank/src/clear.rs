//! `bank clearsessions`: removes the sessions that are over, a thousand at a time, while the bank is open.
//!
//! On a terminal a bar shows how many are gone.

use std::time::Duration;

use donjon_core::clock::Clock;
use donjon_core::session::{clear_expired, clear_unlisted};
use donjon_db::SqlUserSessions;
use indicatif::{ProgressBar, ProgressStyle};

use crate::key;
use crate::start::StartError;
use crate::storage::{Place, Storage};

/// Removes what is over from this place, and tells how many sessions that were. Redis and cookies end
/// theirs themselves.
///
/// # Errors
/// [`StartError`].
pub async fn clear(place: &Place, key: Option<String>) -> Result<usize, StartError> {
    let storage = Storage::open(place, &key::keys(&place.file, key)?).await?;
    let (now, bar) = (Clock::system().now(), bar());
    let cleared = match storage.sessions() {
        Some(sessions) => {
            clear_expired(sessions, now, |so_far| bar.set_position(so_far as u64)).await
        }
        None => Ok(0),
    };
    bar.finish_and_clear();
    let cleared = cleared?;
    clear_unlisted(&SqlUserSessions::new(&storage.database), now, |_| {}).await?;
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
