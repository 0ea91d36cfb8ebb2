use donjon_db::Db;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};

#[derive(FromQueryResult)]
struct Row {
    id: i64,
}

async fn doors(db: &Db, name: String, statement: Statement) -> Result<(), DbErr> {
    Row::find_by_statement(statement).all(db).await?;
    Ok(())
}

fn main() {}
