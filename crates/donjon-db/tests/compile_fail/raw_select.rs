use donjon_db::{Db, DbError};
use sea_orm::{DbBackend, FromQueryResult, Statement};

#[derive(FromQueryResult)]
struct Row {
    id: i64,
}

async fn door(db: &Db, name: String) -> Result<Option<Row>, DbError> {
    db.one(Row::find_by_statement(Statement::from_string(DbBackend::Sqlite, name))).await
}

fn main() {}
