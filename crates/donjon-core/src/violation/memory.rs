//! Violations in this process's memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    Batch, HourCount, Kind, MAX_VIOLATIONS, Sighting, Violation, ViolationRecord, ViolationStore,
    forgotten_before, hour_of,
};
use crate::clock::UnixTime;
use crate::session::StoreError;

/// A [`ViolationStore`] for tests and demonstrations: a restart forgets everything.
#[derive(Debug, Default)]
pub struct MemoryViolations(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    records: HashMap<Violation, ViolationRecord>,
    hours: BTreeMap<(UnixTime, Kind), u64>,
}

impl MemoryViolations {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        // No code panics while it holds the lock, and the maps are whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Adds a sighting. Was it unknown?
    fn add(&mut self, seen: &Sighting, now: UnixTime) -> bool {
        let known = self.records.get_mut(&seen.violation);
        if let Some(record) = known {
            record.count = record.count.saturating_add(seen.count);
            record.last_seen = now;
            return false;
        }
        let record = ViolationRecord {
            violation: seen.violation.clone(),
            sample: seen.sample.clone(),
            count: seen.count,
            first_seen: now,
            last_seen: now,
        };
        self.records.insert(seen.violation.clone(), record);
        true
    }

    fn count(&mut self, kind: Kind, count: u64, now: UnixTime) {
        let hour = self.hours.entry((hour_of(now), kind)).or_default();
        *hour = hour.saturating_add(count);
    }

    fn forget(&mut self, now: UnixTime) {
        let end = forgotten_before(now);
        self.records.retain(|_, record| record.last_seen >= end);
        self.hours.retain(|(hour, _), _| *hour >= end);
        while self.records.len() > MAX_VIOLATIONS {
            // What came just now stays, or a full store would never learn anything new.
            let least = self
                .records
                .values()
                .min_by_key(|record| (record.last_seen >= now, record.count, record.last_seen));
            let Some(least) = least.map(|record| record.violation.clone()) else { return };
            self.records.remove(&least);
        }
    }
}

impl ViolationStore for MemoryViolations {
    async fn note(&self, batch: &Batch, now: UnixTime) -> Result<Vec<Violation>, StoreError> {
        let mut memory = self.lock();
        let mut unknown = Vec::new();
        for seen in batch.sightings() {
            if memory.add(seen, now) {
                unknown.push(seen.violation.clone());
            }
        }
        for (kind, count) in batch.counts() {
            memory.count(kind, count, now);
        }
        memory.forget(now);
        Ok(unknown)
    }

    async fn records(&self) -> Result<Vec<ViolationRecord>, StoreError> {
        let mut records: Vec<_> = self.lock().records.values().cloned().collect();
        records.sort_by_key(|record| std::cmp::Reverse((record.count, record.last_seen)));
        Ok(records)
    }

    async fn hours(&self, since: UnixTime) -> Result<Vec<HourCount>, StoreError> {
        let memory = self.lock();
        let hours = memory.hours.iter().filter(|((hour, _), _)| *hour >= since);
        Ok(hours
            .map(|((hour, kind), count)| HourCount { hour: *hour, kind: *kind, count: *count })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::super::{DirectiveName, Disposition, KEPT_DAYS, Noise};
    use super::*;

    /// The memory never waits, so its futures are ready at once.
    fn ready<T>(future: impl Future<Output = Result<T, StoreError>>) -> T {
        match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value.unwrap(),
            Poll::Pending => panic!("the memory waits for nothing"),
        }
    }

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    fn batch(blocked: &str, count: usize) -> Batch {
        let violation = Violation {
            directive: DirectiveName::parse("script-src").unwrap(),
            disposition: Disposition::Enforce,
            blocked: blocked.to_owned(),
            document: "/".to_owned(),
            source: String::new(),
            line: 1,
            column: 2,
        };
        let mut batch = Batch::default();
        (0..count).for_each(|_| batch.add(violation.clone(), "x()".to_owned()));
        batch
    }

    #[test]
    fn rule_1_the_same_is_counted() {
        let store = MemoryViolations::default();
        assert_eq!(ready(store.note(&batch("inline", 2), at(10))).len(), 1);
        assert_eq!(ready(store.note(&batch("inline", 1), at(20))), []);
        let records = ready(store.records());
        assert_eq!(records.len(), 1);
        let record = &records[0];
        assert_eq!((record.count, record.first_seen, record.last_seen), (3, at(10), at(20)));
        assert_eq!(record.sample, "x()");
    }

    #[test]
    fn rule_2_a_flood_does_not_push_out_what_is_seen_often() {
        let store = MemoryViolations::default();
        ready(store.note(&batch("inline", 2), at(0)));
        for number in 0..MAX_VIOLATIONS + 10 {
            let flood = batch(&format!("https://{number}.example/"), 1);
            let now = at(1 + i64::try_from(number).unwrap());
            assert_eq!(ready(store.note(&flood, now)).len(), 1, "what comes is always taken");
        }
        let records = ready(store.records());
        assert_eq!(records.len(), MAX_VIOLATIONS);
        assert_eq!(records[0].violation.blocked, "inline");
        assert!(!records.iter().any(|record| record.violation.blocked == "https://0.example/"));
    }

    #[test]
    fn rule_3_what_is_over_is_forgotten() {
        let store = MemoryViolations::default();
        ready(store.note(&batch("inline", 1), at(0)));
        let later = at(KEPT_DAYS * 86_400 + 1);
        ready(store.note(&batch("eval", 1), later));
        assert_eq!(ready(store.records()).len(), 1);
        assert_eq!(ready(store.hours(at(0))).len(), 1);
    }

    #[test]
    fn rule_4_hours_have_counts() {
        let store = MemoryViolations::default();
        let mut noisy = batch("inline", 2);
        noisy.add_noise(Noise::Extension, 3);
        for seconds in [10, 3_599, 3_600] {
            ready(store.note(&noisy, at(seconds)));
        }
        let hours = |since| {
            let hours = ready(store.hours(at(since))).into_iter();
            hours
                .map(|count| (count.hour.seconds(), count.kind.as_str(), count.count))
                .collect::<Vec<_>>()
        };
        let second = [(3_600, "script-src", 2), (3_600, "extension", 3)];
        assert_eq!(hours(1), second);
        assert_eq!(hours(0), [&[(0, "script-src", 4), (0, "extension", 6)][..], &second].concat());
    }
}
