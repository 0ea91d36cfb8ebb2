use donjon_db::{Db, DbError};
use sea_orm::{DbBackend, Statement};

async fn doors(db: &Db, name: String) -> Result<(), DbError> {
    let statement = Statement::from_string(DbBackend::Sqlite, name);
    db.execute(statement.clone()).await?;
    db.all(statement).await?;
    Ok(())
}

fn main() {}
