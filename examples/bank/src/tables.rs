//! How the bank's own tables are made.
//!
//! 1. Several nodes may open the bank on one empty database at once: each makes what is still missing.

use donjon_db::guard::Execute;
use donjon_db::{Db, DbError};

/// Makes a table or an index, where it is missing. PostgreSQL fails for one of two nodes that make the
/// same one at once; the second time it is there.
pub(crate) async fn make<S: Execute>(db: &Db, table: impl Fn() -> S) -> Result<(), DbError> {
    if db.execute(table()).await.is_err() {
        db.execute(table()).await?;
    }
    Ok(())
}
