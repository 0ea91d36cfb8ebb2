//! Each door that `clippy-for-sites.toml` closes, opened once: the test `clippy` looks whether it is seen.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "nobody calls them, and the test warns all the same"
)]

use sea_orm::sea_query::{
    ColumnDef, ColumnType, DeleteStatement, Expr, Func, Order, OrderedStatement, OverStatement,
    SelectStatement, Table, UpdateStatement, WindowStatement,
};
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait,
    FromQueryResult, SelectModel, SelectorRaw, StreamTrait, TryGetableMany,
};

mod item {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "item")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub async fn connections(database: &donjon_db::Database) -> Result<(), DbErr> {
    let _ = database.danger_connection();
    let _ = sea_orm::Database::connect(ConnectOptions::new("sqlite::memory:")).await?;
    Ok(())
}

pub async fn text(on: &DatabaseConnection, text: String) -> Result<(), DbErr> {
    let statement = || sea_orm::Statement::from_string(DbBackend::Sqlite, text.clone());
    on.execute_unprepared(&text).await?;
    on.execute_raw(statement()).await?;
    on.query_one_raw(statement()).await?;
    on.query_all_raw(statement()).await?;
    drop(on.stream_raw(statement()).await?);
    let _ = sea_orm::Statement::from_sql_and_values(DbBackend::Sqlite, text.clone(), []);
    let _ = item::Entity::find().from_raw_sql(statement());
    let _ = item::Model::find_by_statement(statement());
    let _ = <(i64, i64) as TryGetableMany>::find_by_statement::<item::Column>(statement());
    let _ = SelectorRaw::<SelectModel<item::Model>>::from_statement::<item::Model>(statement());
    Ok(())
}

pub fn expressions(text: &str) {
    let text = || text.to_owned();
    let _ = Expr::cust(text());
    let _ = Expr::cust_with_values(text(), [1]);
    let _ = Expr::cust_with_expr(text(), Expr::val(1));
    let _ = Expr::cust_with_exprs(text(), [Expr::val(1)]);
    let _ = Expr::custom_keyword(sea_orm::sea_query::Alias::new(text()));
    let _ = Func::cust(text());
}

pub fn orders(text: &str) {
    let words = || [(text.to_owned(), Order::Asc)];
    let nulls = || [(text.to_owned(), Order::Asc, sea_orm::sea_query::NullOrdering::Last)];
    SelectStatement::new().order_by_customs(words()).order_by_customs_with_nulls(nulls());
    UpdateStatement::new().order_by_customs(words());
    DeleteStatement::new().order_by_customs(words());
    WindowStatement::new().order_by_customs(words()).partition_by_customs([text.to_owned()]);
    any_order(&mut SelectStatement::new(), text);
    any_window(&mut WindowStatement::new(), text);
}

fn any_order(statement: &mut impl OrderedStatement, text: &str) {
    statement.order_by_customs([(text.to_owned(), Order::Asc)]);
    let last = sea_orm::sea_query::NullOrdering::Last;
    statement.order_by_customs_with_nulls([(text.to_owned(), Order::Asc, last)]);
}

fn any_window(statement: &mut impl OverStatement, text: &str) {
    statement.partition_by_customs([text.to_owned()]);
}

pub fn tables(text: &str) {
    let _ = ColumnType::custom(text.to_owned());
    ColumnDef::new("id").custom(text.to_owned()).extra(text.to_owned());
    Table::create().extra(text.to_owned());
}

pub fn memory(text: String, bytes: Vec<u8>) {
    let _ = text.leak();
    let _ = bytes.leak();
    std::thread::sleep(std::time::Duration::from_secs(1));
}
