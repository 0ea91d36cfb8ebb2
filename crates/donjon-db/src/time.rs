//! Times as Django's back ends keep them, always in UTC: a text on SQLite,
//! `2025-06-15 15:06:40[.ffffff]`, and the databases' own types elsewhere (`timestamp with time zone`,
//! `datetime(6)`). All are exact to the microsecond.
//!
//! Texts in this form sort as the times do, with and without decimals: a text sorts before those that
//! go on after it.

use chrono::{DateTime, Utc};
use donjon_core::clock::UnixTime;
use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, Value, ValueType, ValueTypeErr};
use sea_orm::{ColIdx, DbBackend, DbErr, QueryResult, TryFromU64, TryGetError, TryGetable};

/// What Django, [`UnixTime::parse_iso`] and every database can read: from Python's `datetime.min` to the
/// last day that is over before the year 10000 begins in any zone.
const RANGE: (UnixTime, UnixTime) =
    (UnixTime::from_seconds(-62_135_596_800), UnixTime::from_seconds(253_402_128_000));

/// A time in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// SQLite's, which has no type for it.
    Text(String),
    /// Everybody else's.
    Native(DateTime<Utc>),
}

/// The value of a column in this kind of database; a time beyond what can be read becomes the nearest
/// that can.
pub(crate) fn to_column(backend: DbBackend, time: UnixTime) -> Moment {
    let time = time.clamp(RANGE.0, RANGE.1);
    match (backend, DateTime::from_timestamp_micros(time.micros())) {
        (DbBackend::Sqlite, _) | (_, None) => Moment::Text(time.to_sqlite()),
        (_, Some(native)) => Moment::Native(native),
    }
}

/// The time in a column, whichever of Python's forms it has; `None` for what is no time.
pub(crate) fn from_column(moment: &Moment) -> Option<UnixTime> {
    match moment {
        Moment::Text(text) => UnixTime::parse_iso(text),
        Moment::Native(time) => Some(UnixTime::from_micros(time.timestamp_micros())),
    }
}

impl From<Moment> for Value {
    fn from(moment: Moment) -> Self {
        match moment {
            Moment::Text(text) => text.into(),
            Moment::Native(time) => time.into(),
        }
    }
}

impl ValueType for Moment {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        match value {
            Value::String(Some(text)) => Ok(Self::Text(text)),
            Value::ChronoDateTimeUtc(Some(time)) => Ok(Self::Native(time)),
            _ => Err(ValueTypeErr),
        }
    }

    fn type_name() -> String {
        "Moment".into()
    }

    fn array_type() -> ArrayType {
        ArrayType::ChronoDateTimeUtc
    }

    fn column_type() -> ColumnType {
        ColumnType::TimestampWithTimeZone
    }
}

impl Nullable for Moment {
    fn null() -> Value {
        Value::ChronoDateTimeUtc(None)
    }
}

impl TryGetable for Moment {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        match row.try_as_sqlite_row() {
            Some(_) => String::try_get_by(row, index).map(Self::Text),
            None => DateTime::try_get_by(row, index).map(Self::Native),
        }
    }
}

/// Asked of whatever may be part of a primary key. No database makes up a time for a new row.
impl TryFromU64 for Moment {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("Moment"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKENDS: [DbBackend; 3] = [DbBackend::Sqlite, DbBackend::Postgres, DbBackend::MySql];

    fn text(time: UnixTime) -> String {
        match to_column(DbBackend::Sqlite, time) {
            Moment::Text(text) => text,
            Moment::Native(_) => panic!("SQLite has texts"),
        }
    }

    #[test]
    fn texts_sort_as_times_do_and_every_kind_is_exact() {
        let micros = [-1, 0, 1, 10, 999_999, 1_000_000, 1_000_001, 60_000_000];
        let texts = micros.map(|micros| text(UnixTime::from_micros(micros)));
        assert!(texts.is_sorted(), "{texts:?}");
        for (backend, micros) in BACKENDS.iter().flat_map(|b| micros.map(|micros| (*b, micros))) {
            let time = UnixTime::from_micros(micros);
            assert_eq!(from_column(&to_column(backend, time)), Some(time), "{backend:?}");
        }
    }

    #[test]
    fn the_ends_of_time_can_be_read_again() {
        let ends = [i64::MIN, i64::MAX].map(UnixTime::from_micros);
        assert_eq!(ends.map(text), ["0001-01-01 00:00:00", "9999-12-30 00:00:00"]);
        for backend in BACKENDS {
            let read = ends.map(|end| from_column(&to_column(backend, end)));
            assert_eq!(read, [Some(RANGE.0), Some(RANGE.1)], "{backend:?}");
        }
    }
}
