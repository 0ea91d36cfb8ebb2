use donjon_db::{Db, DbError};

async fn doors(db: &Db, name: String) -> Result<(), DbError> {
    db.all(format!("select id from item where name = '{name}'")).await?;
    db.one("select id from item").await?;
    db.execute(format!("delete from item where name = '{name}'")).await?;
    Ok(())
}

fn main() {}
