//! A site's own tables through `Db`: queries, literals, blocks, columns, pages.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests stop a test")]

mod place;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use donjon_db::guard::{ColumnErrorKind, MAX_ON_COMMIT, MAX_PAGE_SIZE, MAX_SAVEPOINTS, MayRetry};
use donjon_db::{
    Columns, Database, Db, DbError, DbErrorKind, PageNumber, Pages, Pattern, list, sql,
};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::{Expr, ExprTrait, Index, Table};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Schema,
};

use place::{Fresh, Place};

on_each! {
    rule_1_queries_of_every_kind_run
    rule_2_values_in_a_literal_are_bound
    rule_3_a_request_sorts_by_allowed_columns_only
    rule_4_wildcards_of_a_request_are_text
    rule_5_a_block_is_kept_or_undone
    rule_5_a_panic_undoes_a_block
    rule_5_a_dropped_future_undoes_a_block
    rule_5_a_block_in_a_block_is_a_savepoint
    rule_5_blocks_side_by_side_are_refused
    rule_5_a_block_that_ended_runs_nothing
    rule_5_depth_has_a_limit
    rule_5_durable_stands_alone
    rule_6_a_swallowed_failure_does_not_commit
    rule_6_a_row_that_is_not_there_is_no_failure
    rule_7_actions_wait_for_the_outermost_commit
    rule_7_actions_have_a_limit
    retries_are_counted
    rule_8_pages_have_a_size_and_an_end
    concurrent_blocks_lose_no_update
}

#[allow(unreachable_pub, reason = "as a site writes it")]
mod item {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "item")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        #[sea_orm(unique)]
        pub name: String,
        pub weight: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use item::{ActiveModel, Column, Entity};

/// A database with the table of a site.
struct Site {
    database: Database,
    _fresh: Fresh,
}

impl Site {
    async fn open(place: Place) -> Self {
        let fresh = place.empty().await;
        let database = fresh.open().await;
        create(&database.db()).await;
        Self { database, _fresh: fresh }
    }

    fn db(&self) -> Db {
        self.database.db()
    }
}

async fn create(db: &Db) {
    let table = Schema::new(db.backend()).create_table_from_entity(Entity);
    db.execute(table).await.unwrap();
}

fn new(name: &str, weight: i64) -> ActiveModel {
    ActiveModel { id: NotSet, name: Set(name.into()), weight: Set(weight) }
}

async fn names(db: &Db) -> Vec<String> {
    let rows = db.all(Entity::find().order_by_asc(Column::Id)).await.unwrap();
    rows.into_iter().map(|row| row.name).collect()
}

#[derive(Debug, PartialEq, FromQueryResult)]
struct Named {
    id: i64,
    name: String,
}

/// What `Robert'); DROP TABLE` and his like do as values.
const NASTY: [&str; 5] =
    ["Robert'); drop table item;--", "a\" or \"1\"=\"1", "\\' or 1=1 #", "{name}", "$1 ? %s"];

async fn rule_1_queries_of_every_kind_run(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    let tea = db.insert(new("tea", 3)).await.unwrap();
    assert_eq!(db.execute(Entity::insert_many([new("rum", 5), new("ale", 1)])).await.unwrap(), 2);
    assert_eq!(db.count(Entity::find()).await.unwrap(), 3);
    let heavier = Entity::update_many()
        .col_expr(Column::Weight, Expr::col(Column::Weight).add(1))
        .filter(Column::Weight.gt(2));
    assert_eq!(db.execute(heavier).await.unwrap(), 2);
    let changed = db.update(ActiveModel { weight: Set(9), ..tea.clone().into_active_model() });
    assert_eq!(changed.await.unwrap().weight, 9);
    let saved = db.save(new("gin", 4)).await.unwrap();
    assert_eq!(saved.name.unwrap(), "gin");
    let weights: Vec<i64> = db
        .all(
            Entity::find()
                .select_only()
                .column(Column::Weight)
                .order_by_asc(Column::Weight)
                .into_tuple(),
        )
        .await
        .unwrap();
    assert_eq!(weights, [1, 4, 6, 9]);
    let mut seen = Vec::new();
    db.for_each(Entity::find().order_by_asc(Column::Id), |row| {
        seen.push(row.name);
        Ok::<_, DbError>(())
    })
    .await
    .unwrap();
    assert_eq!(seen, ["tea", "rum", "ale", "gin"]);
    assert!(db.delete(db.one(Entity::find_by_id(tea.id)).await.unwrap().unwrap()).await.unwrap());
    assert_eq!(db.one(Entity::find_by_id(tea.id)).await.unwrap(), None);
    let index = Index::create().name("item_weight").table(Entity).col(Column::Weight).to_owned();
    db.execute(index).await.unwrap();
    let table = Table::create()
        .table("more")
        .col(sea_orm::sea_query::ColumnDef::new("n").integer())
        .to_owned();
    db.execute(table).await.unwrap();
}

async fn rule_2_values_in_a_literal_are_bound(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    for (weight, name) in NASTY.into_iter().enumerate() {
        let weight = i64::try_from(weight).unwrap();
        let insert =
            sql!("insert into item (name, weight) values ({name}, {weight})", name, weight);
        assert_eq!(db.execute(insert).await.unwrap(), 1);
        let by_name = sql!("select id, name from item where name = {name}", name).rows::<Named>();
        assert_eq!(db.one(by_name).await.unwrap().unwrap().name, name);
    }
    let some =
        sql!("select id, name from item where name in ({names}) order by id", names = list(NASTY));
    assert_eq!(db.all(some.rows::<Named>()).await.unwrap().len(), NASTY.len());
    let none = sql!("select id, name from item where id in ({ids})", ids = list([0_i64; 0]));
    assert_eq!(db.all(none.rows::<Named>()).await.unwrap(), []);
    assert_eq!(db.count(Entity::find()).await.unwrap(), 5);
}

async fn rule_3_a_request_sorts_by_allowed_columns_only(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    for (name, weight) in [("a", 2), ("b", 1), ("c", 2)] {
        db.insert(new(name, weight)).await.unwrap();
    }
    let columns = Columns::<Entity>::of([Column::Name]).named("heft", Column::Weight);
    let sorted = async |text: &str| {
        let query = columns.order_by(text).unwrap().apply(Entity::find());
        let rows = db.all(query).await.unwrap();
        rows.into_iter().map(|row| row.name).collect::<String>()
    };
    assert_eq!(sorted("-name").await, "cba");
    assert_eq!(sorted("heft").await, "bac");
    // Ties go the way of the first column.
    assert_eq!(sorted("-heft").await, "cab");
    assert_eq!(sorted("-heft,name").await, "acb");
    let kind = |text: &str| columns.order_by(text).unwrap_err().kind();
    for unknown in
        ["", "?", "id", "--name", "name desc", "name;drop table item", "weight", "NAME", "heft,"]
    {
        assert_eq!(kind(unknown), ColumnErrorKind::Unknown, "{unknown}");
    }
    assert_eq!(kind("heft,-heft"), ColumnErrorKind::Twice);
    assert_eq!(kind(&"name,".repeat(20)), ColumnErrorKind::TooMany);
    let error = columns.key(&"\u{1b}x".repeat(1_000)).unwrap_err().to_string();
    assert!(error.len() < 500 && !error.contains('\u{1b}'), "{error}");
    let key = columns.key("heft").unwrap();
    assert_eq!(db.count(Entity::find().filter(key.column().eq(2))).await.unwrap(), 2);
}

async fn rule_4_wildcards_of_a_request_are_text(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    for name in ["100%", "100", "a_b", "aXb", r"a\b", "!%!"] {
        db.insert(new(name, 0)).await.unwrap();
    }
    let found = async |pattern| {
        let rows =
            db.all(Entity::find().filter(Column::Name.like(pattern)).order_by_asc(Column::Id));
        rows.await.unwrap().into_iter().map(|row| row.name).collect::<Vec<_>>()
    };
    assert_eq!(found(Pattern::contains("%")).await, ["100%", "!%!"]);
    assert_eq!(found(Pattern::contains("a_b")).await, ["a_b"]);
    assert_eq!(found(Pattern::contains(r"\")).await, [r"a\b"]);
    assert_eq!(found(Pattern::starts_with("!%")).await, ["!%!"]);
    assert_eq!(found(Pattern::ends_with("0")).await, ["100"]);
}

async fn rule_5_a_block_is_kept_or_undone(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    db.atomic(async |tx| tx.insert(new("kept", 0)).await).await.unwrap();
    let failed: Result<(), DbError> = db
        .atomic(async |tx| {
            tx.insert(new("undone", 0)).await?;
            tx.insert(new("kept", 0)).await?;
            Ok(())
        })
        .await;
    assert!(failed.unwrap_err().is_duplicate());
    assert_eq!(names(&db).await, ["kept"]);
}

async fn rule_5_a_panic_undoes_a_block(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    let task = tokio::spawn(async move {
        db.atomic(async |tx| {
            tx.insert(new("undone", 0)).await?;
            if tx.in_transaction() {
                panic!("as a handler may");
            }
            Ok::<_, DbError>(())
        })
        .await
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(names(&site.db()).await, [""; 0]);
    site.db().insert(new("next", 0)).await.unwrap();
}

async fn rule_5_a_dropped_future_undoes_a_block(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    let block = db.atomic(async |tx| {
        tx.insert(new("undone", 0)).await?;
        std::future::pending::<Result<(), DbError>>().await
    });
    let stopped = tokio::time::timeout(Duration::from_millis(200), block).await;
    assert!(stopped.is_err());
    db.insert(new("next", 0)).await.unwrap();
    assert_eq!(names(&db).await, ["next"]);
}

async fn rule_5_a_block_in_a_block_is_a_savepoint(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    db.atomic(async |tx| {
        tx.insert(new("a", 0)).await?;
        tx.atomic(async |tx| tx.insert(new("b", 0)).await).await?;
        let failed = tx.atomic(async |tx| {
            tx.insert(new("c", 0)).await?;
            tx.insert(new("a", 0)).await
        });
        assert!(failed.await.unwrap_err().is_duplicate());
        let dropped = tx.atomic(async |tx| {
            tx.insert(new("d", 0)).await?;
            std::future::pending::<Result<(), DbError>>().await
        });
        assert!(tokio::time::timeout(Duration::from_millis(200), dropped).await.is_err());
        tx.insert(new("e", 0)).await
    })
    .await
    .unwrap();
    assert_eq!(names(&db).await, ["a", "b", "e"]);
}

async fn rule_5_blocks_side_by_side_are_refused(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    let outcome = db
        .atomic(async |tx| {
            let (first, second) = tokio::join!(
                tx.atomic(async |tx| {
                    tokio::task::yield_now().await;
                    tx.insert(new("a", 0)).await
                }),
                tx.atomic(async |tx| tx.insert(new("b", 0)).await),
            );
            assert!(first.is_ok());
            Ok::<_, DbError>(second.unwrap_err().kind())
        })
        .await;
    assert_eq!(outcome.unwrap(), DbErrorKind::Transaction);
    assert_eq!(names(&db).await, ["a"]);
}

async fn rule_5_a_block_that_ended_runs_nothing(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    let (mut outer, mut inner) = (None, None);
    db.atomic(async |tx| {
        tx.atomic(async |tx| {
            inner = Some(tx);
            Ok::<_, DbError>(())
        })
        .await?;
        let late = inner.as_ref().unwrap().insert(new("late", 0)).await;
        assert_eq!(late.unwrap_err().kind(), DbErrorKind::Transaction);
        outer = Some(tx);
        Ok::<_, DbError>(())
    })
    .await
    .unwrap();
    let late = outer.unwrap().insert(new("late", 0)).await;
    assert_eq!(late.unwrap_err().kind(), DbErrorKind::Transaction);
    // The connection is free, whoever keeps the block.
    db.insert(new("next", 0)).await.unwrap();
}

async fn rule_5_depth_has_a_limit(place: Place) {
    async fn nest(db: Db, depth: usize) -> Result<(), DbError> {
        match depth {
            0 => Ok(()),
            _ => db.atomic(|tx| Box::pin(nest(tx, depth - 1))).await,
        }
    }
    let site = Site::open(place).await;
    // The outermost is no savepoint.
    nest(site.db(), MAX_SAVEPOINTS + 1).await.unwrap();
    let deep = nest(site.db(), MAX_SAVEPOINTS + 2).await;
    assert_eq!(deep.unwrap_err().kind(), DbErrorKind::Transaction);
}

async fn rule_5_durable_stands_alone(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    db.durable(async |tx| tx.insert(new("a", 0)).await).await.unwrap();
    let nested = db.atomic(async |tx| tx.durable(async |tx| tx.insert(new("b", 0)).await).await);
    assert_eq!(nested.await.unwrap_err().kind(), DbErrorKind::Transaction);
    assert_eq!(names(&db).await, ["a"]);
}

async fn rule_6_a_swallowed_failure_does_not_commit(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    db.insert(new("a", 0)).await.unwrap();
    let swallowed = db
        .atomic(async |tx| {
            tx.insert(new("b", 0)).await?;
            assert!(tx.insert(new("a", 0)).await.unwrap_err().is_duplicate());
            let next = tx.count(Entity::find()).await;
            assert_eq!(next.unwrap_err().kind(), DbErrorKind::Transaction);
            Ok::<_, DbError>(())
        })
        .await;
    assert_eq!(swallowed.unwrap_err().kind(), DbErrorKind::Transaction);
    assert_eq!(names(&db).await, ["a"]);
}

async fn rule_6_a_row_that_is_not_there_is_no_failure(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    db.atomic(async |tx| {
        let gone = ActiveModel { id: Set(77), name: Set("x".into()), weight: NotSet };
        assert!(tx.update(gone).await.is_err());
        tx.insert(new("a", 0)).await
    })
    .await
    .unwrap();
    assert_eq!(names(&db).await, ["a"]);
}

type Log = Arc<Mutex<Vec<u32>>>;

async fn note(db: &Db, log: &Log, number: u32) -> Result<(), DbError> {
    let log = Arc::clone(log);
    db.on_commit(async move { log.lock().unwrap().push(number) }).await
}

async fn rule_7_actions_wait_for_the_outermost_commit(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    let log = Log::default();
    note(&db, &log, 0).await.unwrap();
    db.atomic(async |tx| {
        note(&tx, &log, 1).await?;
        tx.atomic(async |tx| note(&tx, &log, 2).await).await?;
        let undone = tx.atomic(async |tx| {
            note(&tx, &log, 3).await?;
            Err::<(), _>(tx.durable(async |_| Ok::<_, DbError>(())).await.unwrap_err())
        });
        assert!(undone.await.is_err());
        note(&tx, &log, 4).await?;
        assert_eq!(*log.lock().unwrap(), [0]);
        Ok::<_, DbError>(())
    })
    .await
    .unwrap();
    assert_eq!(*log.lock().unwrap(), [0, 1, 2, 4]);
    let undone: Result<(), DbError> = db
        .atomic(async |tx| {
            note(&tx, &log, 5).await?;
            tx.durable(async |_| Ok(())).await
        })
        .await;
    assert!(undone.is_err());
    assert_eq!(*log.lock().unwrap(), [0, 1, 2, 4]);
}

async fn rule_7_actions_have_a_limit(place: Place) {
    let site = Site::open(place).await;
    let (db, log) = (site.db(), Log::default());
    let many = db.atomic(async |tx| {
        for number in 0..=u32::try_from(MAX_ON_COMMIT).unwrap() {
            note(&tx, &log, number).await?;
        }
        Ok::<_, DbError>(())
    });
    assert_eq!(many.await.unwrap_err().kind(), DbErrorKind::Transaction);
    assert!(log.lock().unwrap().is_empty());
}

#[derive(Debug)]
struct Again(u32);

impl From<DbError> for Again {
    fn from(_: DbError) -> Self {
        Self(u32::MAX)
    }
}

impl MayRetry for Again {
    fn may_retry(&self) -> bool {
        self.0 < 3
    }
}

async fn retries_are_counted(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    let tries = Arc::new(Mutex::new(0));
    let attempt = async |tx: Db| {
        let mut tries = tries.lock().unwrap();
        *tries += 1;
        drop(tx);
        Err::<(), _>(Again(*tries))
    };
    assert_eq!(db.atomic_with_retries(2, &attempt).await.unwrap_err().0, 2);
    *tries.lock().unwrap() = 0;
    assert_eq!(db.atomic_with_retries(9, &attempt).await.unwrap_err().0, 3);
    *tries.lock().unwrap() = 0;
    let nested = db.atomic(async |tx| tx.atomic_with_retries(9, &attempt).await);
    assert_eq!(nested.await.unwrap_err().0, 1);
}

async fn rule_8_pages_have_a_size_and_an_end(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    for number in 0..7 {
        db.insert(new(&format!("{number}"), number % 2)).await.unwrap();
    }
    let query = || Entity::find().order_by_asc(Column::Id);
    let number = |text| PageNumber::parse(text).unwrap();
    let first = Pages::of(3).counted_page(&db, query(), PageNumber::FIRST).await.unwrap();
    assert_eq!((first.items.len(), first.has_next, first.has_previous()), (3, true, false));
    assert_eq!((first.count, first.num_pages()), (Some(7), Some(3)));
    let last = Pages::of(3).page(&db, query(), number("3")).await.unwrap();
    assert_eq!((last.items.len(), last.has_next, last.has_previous()), (1, false, true));
    let beyond = Pages::of(3).page(&db, query(), number("10000")).await.unwrap();
    assert!(beyond.items.is_empty() && !beyond.has_next);
    for wrong in ["", "0", "-1", "+1", "1.0", "10001", "99999999999999999999", "x", "1 or 1=1"] {
        assert!(PageNumber::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(Pages::of(u64::MAX), Pages::of(MAX_PAGE_SIZE));
    let mut seen = Vec::new();
    let mut key = None;
    loop {
        let page = Pages::of(3).after(&db, Entity::find(), Column::Id, key).await.unwrap();
        seen.extend(page.items.iter().map(|row| row.name.clone()));
        key = page.items.last().map(|row| row.id.into());
        if !page.has_next {
            break;
        }
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4", "5", "6"]);
    let newest = Pages::of(2).before(&db, Entity::find(), Column::Id, None).await.unwrap();
    assert_eq!(newest.items[0].name, "6");
}

async fn add_one(tx: Db, id: i64) -> Result<item::Model, DbError> {
    let row = tx.one(Entity::find_by_id(id).lock_exclusive()).await?;
    let weight = row.map_or(0, |row| row.weight) + 1;
    tx.update(ActiveModel { id: Set(id), name: NotSet, weight: Set(weight) }).await
}

/// Two who look first and then write: on SQLite a transaction that begins as a reader could not write
/// then.
async fn concurrent_blocks_lose_no_update(place: Place) {
    let site = Site::open(place).await;
    let db = site.db();
    let id = db.insert(new("counter", 0)).await.unwrap().id;
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.atomic_with_retries(10, |tx| add_one(tx, id)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(db.one(Entity::find_by_id(id)).await.unwrap().unwrap().weight, 40);
}
