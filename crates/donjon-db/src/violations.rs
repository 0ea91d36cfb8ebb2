//! Violations of the Content Security Policy in tables of Donjon's own.

use donjon_core::clock::UnixTime;
use donjon_core::session::StoreError;
use donjon_core::violation::{
    Batch, DirectiveName, Disposition, HourCount, Kind, MAX_VIOLATIONS, Sighting, Violation,
    ViolationRecord, ViolationStore, forgotten_before, hour_of,
};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{
    Condition, DatabaseTransaction, DbBackend, NotSet, QueryOrder, QuerySelect, Set, Value,
};

use crate::entity::{violation, violation_hour};
use crate::time::Moment;
use crate::{Database, time};

/// A [`ViolationStore`] in the tables `donjon_csp_violation` and `donjon_csp_hour`, which
/// [`Database::migrate`] makes. Django has no model of them and leaves them alone.
#[derive(Clone, Debug)]
pub struct SqlViolations(Database);

impl SqlViolations {
    /// The violations in this database.
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self(database.clone())
    }

    async fn write(&self, batch: &Batch, now: UnixTime) -> Result<Vec<Violation>, DbErr> {
        let transaction = self.0.begin_to_write().await?;
        take_turns(&transaction).await?;
        let mut unknown = Vec::new();
        for seen in batch.sightings() {
            if add(&transaction, seen, now).await? {
                unknown.push(seen.violation.clone());
            }
        }
        for (kind, count) in batch.counts() {
            add_to_hour(&transaction, kind.as_str(), count, now).await?;
        }
        forget(&transaction, now).await?;
        if !unknown.is_empty() {
            drop_surplus(&transaction, now).await?;
        }
        transaction.commit().await?;
        Ok(unknown)
    }
}

/// The kind of the row that whoever writes holds, so that one writes at a time on a server too.
const LOCK: &str = "lock";

/// Waits until nobody else writes, until the transaction ends. SQLite has made it wait already.
async fn take_turns(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    match transaction.get_database_backend() {
        DbBackend::Sqlite => Ok(()),
        _ => add_to_hour(transaction, LOCK, 0, UnixTime::from_seconds(0)).await,
    }
}

/// Adds a sighting. Was it unknown?
async fn add(
    transaction: &DatabaseTransaction,
    seen: &Sighting,
    now: UnixTime,
) -> Result<bool, DbErr> {
    use violation::Column::{Count, LastSeen};
    let backend = transaction.get_database_backend();
    let (count, now) = (to_count(seen.count), time::to_column(backend, now));
    let again = violation::Entity::update_many()
        .col_expr(Count, Expr::col(Count).add(count))
        .col_expr(LastSeen, Value::from(now.clone()).into())
        .filter(is_same(&seen.violation));
    if again.exec(transaction).await?.rows_affected > 0 {
        return Ok(false);
    }
    // Nobody else writes between the two: the transaction began by taking the lock.
    let insert = violation::Entity::insert(row(seen, count, now));
    insert.exec_without_returning(transaction).await?;
    Ok(true)
}

/// A text as PostgreSQL can hold it, whose texts have no NUL.
fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn is_same(violation: &Violation) -> Condition {
    use violation::Column as Is;
    Condition::all()
        .add(Is::Directive.eq(violation.directive.as_str()))
        .add(Is::Disposition.eq(violation.disposition.as_str()))
        .add(Is::Blocked.eq(text(&violation.blocked)))
        .add(Is::Document.eq(text(&violation.document)))
        .add(Is::Source.eq(text(&violation.source)))
        .add(Is::Line.eq(violation.line))
        .add(Is::Column.eq(violation.column))
}

fn row(seen: &Sighting, count: i64, now: Moment) -> violation::ActiveModel {
    let Violation { directive, disposition, blocked, document, source, line, column } =
        &seen.violation;
    violation::ActiveModel {
        id: NotSet,
        directive: Set(directive.as_str().into()),
        disposition: Set(disposition.as_str().into()),
        blocked: Set(text(blocked)),
        document: Set(text(document)),
        source: Set(text(source)),
        line: Set((*line).into()),
        column: Set((*column).into()),
        sample: Set(text(&seen.sample)),
        count: Set(count),
        first_seen: Set(now.clone()),
        last_seen: Set(now),
    }
}

async fn add_to_hour(
    transaction: &DatabaseTransaction,
    kind: &str,
    count: u64,
    now: UnixTime,
) -> Result<(), DbErr> {
    use violation_hour::Column::{Count, Hour, Kind};
    let count = to_count(count);
    let row = violation_hour::ActiveModel {
        hour: Set(time::to_column(transaction.get_database_backend(), hour_of(now))),
        kind: Set(kind.into()),
        count: Set(count),
    };
    let again = OnConflict::columns([Hour, Kind])
        .value(Count, Expr::col((violation_hour::Entity, Count)).add(count))
        .to_owned();
    let insert = violation_hour::Entity::insert(row).on_conflict(again);
    insert.exec_without_returning(transaction).await?;
    Ok(())
}

async fn forget(transaction: &DatabaseTransaction, now: UnixTime) -> Result<(), DbErr> {
    let end = time::to_column(transaction.get_database_backend(), forgotten_before(now));
    let end = || Value::from(end.clone());
    let records = violation::Entity::delete_many().filter(violation::Column::LastSeen.lt(end()));
    records.exec(transaction).await?;
    let hours = violation_hour::Entity::delete_many()
        .filter(violation_hour::Column::Hour.lt(end()))
        .filter(violation_hour::Column::Kind.ne(LOCK));
    hours.exec(transaction).await?;
    Ok(())
}

/// Of those seen least often the one that was seen longest ago goes, but not one that came just now.
async fn drop_surplus(transaction: &DatabaseTransaction, now: UnixTime) -> Result<(), DbErr> {
    use violation::Column::{Count, Id, LastSeen};
    let there = violation::Entity::find().count(transaction).await?;
    let surplus = there.saturating_sub(MAX_VIOLATIONS as u64);
    if surplus == 0 {
        return Ok(());
    }
    let now = Value::from(time::to_column(transaction.get_database_backend(), now));
    // By two statements: MariaDB deletes nothing by a question about the same table.
    let least: Vec<i64> = violation::Entity::find()
        .select_only()
        .column(Id)
        .order_by(Expr::col(LastSeen).gte(now), sea_orm::Order::Asc)
        .order_by_asc(Count)
        .order_by_asc(LastSeen)
        .limit(surplus)
        .into_tuple()
        .all(transaction)
        .await?;
    violation::Entity::delete_many().filter(Id.is_in(least)).exec(transaction).await?;
    Ok(())
}

fn to_count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A row that Donjon has written; `None` for any other.
fn record(row: violation::Model) -> Option<ViolationRecord> {
    let violation = Violation {
        directive: DirectiveName::parse(&row.directive)?,
        disposition: Disposition::parse(&row.disposition),
        blocked: row.blocked,
        document: row.document,
        source: row.source,
        line: u32::try_from(row.line).ok()?,
        column: u32::try_from(row.column).ok()?,
    };
    Some(ViolationRecord {
        violation,
        sample: row.sample,
        count: u64::try_from(row.count).ok()?,
        first_seen: time::from_column(&row.first_seen)?,
        last_seen: time::from_column(&row.last_seen)?,
    })
}

fn hour_count(row: &violation_hour::Model) -> Option<HourCount> {
    Some(HourCount {
        hour: time::from_column(&row.hour)?,
        kind: Kind::parse(&row.kind)?,
        count: u64::try_from(row.count).ok()?,
    })
}

impl ViolationStore for SqlViolations {
    async fn note(&self, batch: &Batch, now: UnixTime) -> Result<Vec<Violation>, StoreError> {
        if batch.counts().is_empty() {
            return Ok(Vec::new());
        }
        self.0.write(|| self.write(batch, now)).await
    }

    async fn records(&self) -> Result<Vec<ViolationRecord>, StoreError> {
        let query = violation::Entity::find()
            .order_by_desc(violation::Column::Count)
            .order_by_desc(violation::Column::LastSeen)
            .limit(MAX_VIOLATIONS as u64);
        let rows = self.0.read(|| query.clone().all(&self.0.reader)).await?;
        Ok(rows.into_iter().filter_map(record).collect())
    }

    async fn hours(&self, since: UnixTime) -> Result<Vec<HourCount>, StoreError> {
        let since = Value::from(time::to_column(self.0.backend(), since));
        let query = violation_hour::Entity::find()
            .filter(violation_hour::Column::Hour.gte(since))
            .order_by_asc(violation_hour::Column::Hour)
            .order_by_asc(violation_hour::Column::Kind);
        let rows = self.0.read(|| query.clone().all(&self.0.reader)).await?;
        Ok(rows.iter().filter_map(hour_count).collect())
    }
}
