//! How the bank's own tables are made, on each kind of database.
//!
//! 1. Several nodes may open the bank on one empty database at once: each makes what is still missing.
//! 2. Ids are of 64 bits everywhere, and text is Unicode everywhere.
//! 3. No key leads to Django's tables, whose ids have another size on each database, and whose users
//!    may be deleted.

use sea_orm::sea_query::{IndexCreateStatement, TableCreateStatement};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, StatementBuilder};

/// Makes a table, where it is missing.
pub(crate) async fn make_table(
    connection: &DatabaseConnection,
    table: &mut TableCreateStatement,
) -> Result<(), DbErr> {
    if connection.get_database_backend() == DbBackend::MySql {
        table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
    }
    make(connection, &*table.if_not_exists()).await
}

/// Makes an index on the columns of a foreign key, where it is missing. MariaDB has made it with the
/// key.
pub(crate) async fn make_index(
    connection: &DatabaseConnection,
    index: &mut IndexCreateStatement,
) -> Result<(), DbErr> {
    if connection.get_database_backend() == DbBackend::MySql {
        return Ok(());
    }
    make(connection, &*index.if_not_exists()).await
}

/// PostgreSQL fails for one of two nodes that make the same thing at once; the second time it is there.
async fn make(connection: &DatabaseConnection, thing: &impl StatementBuilder) -> Result<(), DbErr> {
    if connection.execute(thing).await.is_err() {
        connection.execute(thing).await?;
    }
    Ok(())
}
