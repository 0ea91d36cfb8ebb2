//! Time zones: UTC, fixed offsets, and those of the IANA database.
//!
//! 1. A zone is found by its name in the database and nowhere else: no name is a path.

use std::sync::Arc;

use jiff::tz::{AmbiguousOffset, Offset, TimeZone as Database};

use super::MICROS;
use crate::template::value::{Object, Value};

/// A time zone. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct TimeZone(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Utc,
    Fixed { seconds: i32, name: Option<Arc<str>> },
    Named(Database),
}

/// What a zone says about a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Seconds east of UTC.
    pub(crate) offset: i32,
    /// Whether the clock reading exists once and only once.
    pub(crate) unique: bool,
}

impl TimeZone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self(Kind::Utc)
    }

    /// That many seconds east of UTC; less than a day is taken.
    #[must_use]
    pub fn fixed(seconds: i32) -> Self {
        Self(Kind::Fixed { seconds: seconds.clamp(-86_399, 86_399), name: None })
    }

    /// That many seconds east of UTC, under a name of its own.
    #[must_use]
    pub fn fixed_named(seconds: i32, name: &str) -> Self {
        Self(Kind::Fixed { seconds: seconds.clamp(-86_399, 86_399), name: Some(name.into()) })
    }

    /// The zone of that name in the IANA database, spelled as there: `Europe/Paris`. The machine's database is asked
    /// first, then the one that is built in.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let zone = Database::get(name).ok()?;
        (zone.iana_name() == Some(name)).then_some(Self(Kind::Named(zone)))
    }

    /// Its name: `UTC`, `Europe/Paris`, `UTC+01:00`.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.0 {
            Kind::Utc => "UTC".into(),
            Kind::Named(zone) => zone.iana_name().unwrap_or("UTC").into(),
            Kind::Fixed { name: Some(name), .. } => name.to_string(),
            Kind::Fixed { seconds: 0, name: None } => "UTC".into(),
            Kind::Fixed { seconds, name: None } => {
                format!("UTC{}", super::clock_offset(*seconds, ":"))
            }
        }
    }

    /// The offset at a moment, in seconds.
    pub(crate) fn offset_at(&self, micros: i64) -> i32 {
        match &self.0 {
            Kind::Utc => 0,
            Kind::Fixed { seconds, .. } => *seconds,
            Kind::Named(zone) => zone.to_offset(timestamp(micros)).seconds(),
        }
    }

    /// What the zone says about a clock reading; of two moments the first is meant, as in Python.
    pub(crate) fn read(&self, wall: i64) -> Reading {
        match &self.0 {
            Kind::Utc => Reading { offset: 0, unique: true },
            Kind::Fixed { seconds, .. } => Reading { offset: *seconds, unique: true },
            Kind::Named(zone) => {
                let civil = timestamp(wall).to_zoned(Database::UTC).datetime();
                match zone.to_ambiguous_timestamp(civil).offset() {
                    AmbiguousOffset::Unambiguous { offset } => {
                        Reading { offset: offset.seconds(), unique: true }
                    }
                    AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => {
                        Reading { offset: before.seconds(), unique: false }
                    }
                }
            }
        }
    }

    /// What the zone calls itself at a moment: `CET`.
    pub(crate) fn abbreviation(&self, micros: i64) -> String {
        match &self.0 {
            Kind::Named(zone) => zone.to_offset_info(timestamp(micros)).abbreviation().to_owned(),
            _ => self.name(),
        }
    }

    /// Whether daylight saving time counts at a moment.
    pub(crate) fn is_dst(&self, micros: i64) -> bool {
        match &self.0 {
            Kind::Named(zone) => zone.to_offset_info(timestamp(micros)).dst().is_dst(),
            _ => false,
        }
    }

    /// The offset, if it is the same at all times.
    pub(crate) fn constant(&self) -> Option<i32> {
        match &self.0 {
            Kind::Utc => Some(0),
            Kind::Fixed { seconds, .. } => Some(*seconds),
            Kind::Named(zone) => zone.to_fixed_offset().ok().map(Offset::seconds),
        }
    }
}

fn timestamp(micros: i64) -> jiff::Timestamp {
    let nearest = if micros < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::new(micros.div_euclid(MICROS), 0).unwrap_or(nearest)
}

impl Default for TimeZone {
    fn default() -> Self {
        Self::utc()
    }
}

impl TimeZone {
    /// The zone that a value of a template names or is.
    pub(crate) fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::Object(object) => object.time_zone(),
            other => Self::named(other.as_str()?),
        }
    }

    /// Python's `repr`.
    pub(super) fn repr(&self) -> String {
        match &self.0 {
            Kind::Named(_) => format!("zoneinfo.ZoneInfo(key='{}')", self.name()),
            Kind::Utc | Kind::Fixed { seconds: 0, name: None } => "datetime.timezone.utc".into(),
            Kind::Fixed { seconds, name } => {
                let mut span = String::new();
                let _ = super::Duration::from_micros(i64::from(*seconds) * MICROS)
                    .write_repr(&mut span);
                let name = name.as_ref().map(|name| format!(", '{name}'")).unwrap_or_default();
                format!("datetime.timezone({span}{name})")
            }
        }
    }
}

/// In a template a zone prints its name, and is what `{% timezone %}` and the filter `timezone` take.
impl Object for TimeZone {
    fn attribute(&self, _: &str) -> Option<Value> {
        None
    }

    fn display(&self) -> Value {
        self.name().into()
    }

    fn repr(&self) -> Option<String> {
        Some(Self::repr(self))
    }

    fn time_zone(&self) -> Option<TimeZone> {
        Some(self.clone())
    }
}

impl From<TimeZone> for Value {
    fn from(zone: TimeZone) -> Self {
        Self::object(zone)
    }
}
