//! The contract of a store of violations, kept by Donjon's own tables.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

mod place;

use donjon_core::clock::UnixTime;
use donjon_core::violation::{
    Batch, DirectiveName, Disposition, KEPT_DAYS, MAX_VIOLATIONS, Noise, Violation, ViolationStore,
};
use donjon_db::{Database, SqlViolations};
use place::{Fresh, Place};
use sea_orm::ConnectionTrait;

async fn store(place: Place) -> (Fresh, Database, SqlViolations) {
    let (fresh, database) = place.migrated().await;
    let violations = SqlViolations::new(&database);
    (fresh, database, violations)
}

fn violation(blocked: &str) -> Violation {
    Violation {
        directive: DirectiveName::parse("script-src-elem").unwrap(),
        disposition: Disposition::Report,
        blocked: blocked.to_owned(),
        document: "/a/".to_owned(),
        source: "/static/a.js".to_owned(),
        line: u32::MAX,
        column: 2,
    }
}

fn batch<'a>(blocked: impl IntoIterator<Item = &'a str>) -> Batch {
    let mut batch = Batch::default();
    for blocked in blocked {
        batch.add(violation(blocked), "x()".to_owned());
    }
    batch
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(1_700_000_000 + seconds)
}

on_each! {
    rule_1_the_same_is_one_row_with_a_count
    rule_1_whatever_differs_is_another_row
    rule_2_a_flood_does_not_push_out_what_is_seen_often
    rule_3_what_is_over_is_forgotten
    rule_4_hours_have_counts
    what_looks_like_sql_is_only_text
    rows_that_donjon_did_not_write_are_passed_over
    many_at_once_lose_no_count
    a_database_of_django_gets_the_tables_and_a_second_run_changes_nothing
}

async fn rule_1_the_same_is_one_row_with_a_count(place: Place) {
    let (_fresh, _database, store) = store(place).await;
    let first = store.note(&batch(["inline", "eval", "inline"]), at(0)).await.unwrap();
    assert_eq!(first, [violation("inline"), violation("eval")]);
    assert_eq!(store.note(&batch(["inline"]), at(60)).await.unwrap(), []);
    let records = store.records().await.unwrap();
    let shown: Vec<_> = records
        .iter()
        .map(|r| (&*r.violation.blocked, r.count, r.first_seen, r.last_seen, &*r.sample))
        .collect();
    assert_eq!(shown, [("inline", 3, at(0), at(60), "x()"), ("eval", 1, at(0), at(0), "x()")]);
    assert_eq!(records[0].violation, violation("inline"));
}

async fn rule_1_whatever_differs_is_another_row(place: Place) {
    let (_fresh, _database, store) = store(place).await;
    let base = violation("inline");
    let others = [
        base.clone(),
        Violation { directive: DirectiveName::parse("img-src").unwrap(), ..base.clone() },
        Violation { disposition: Disposition::Enforce, ..base.clone() },
        Violation { document: "/b/".to_owned(), ..base.clone() },
        Violation { source: String::new(), ..base.clone() },
        Violation { line: 1, ..base.clone() },
        Violation { column: 1, ..base },
    ];
    for other in &others {
        let mut batch = Batch::default();
        batch.add(other.clone(), String::new());
        assert_eq!(store.note(&batch, at(0)).await.unwrap(), std::slice::from_ref(other));
    }
    assert_eq!(store.records().await.unwrap().len(), others.len());
    for (again, other) in (2..).zip(&others) {
        let mut batch = Batch::default();
        batch.add(other.clone(), String::new());
        assert_eq!(store.note(&batch, at(again)).await.unwrap(), []);
        let records = store.records().await.unwrap();
        let record = records.iter().find(|record| record.violation == *other).unwrap();
        assert_eq!((record.count, record.last_seen), (2, at(again)));
    }
    assert_eq!(store.records().await.unwrap().len(), others.len());
}

async fn rule_2_a_flood_does_not_push_out_what_is_seen_often(place: Place) {
    let (_fresh, _database, store) = store(place).await;
    store.note(&batch(["inline", "inline"]), at(0)).await.unwrap();
    let names: Vec<_> = (0..MAX_VIOLATIONS + 50).map(|n| format!("https://{n}.example/")).collect();
    for (second, names) in (1..).zip(names.chunks(50)) {
        let unknown = store.note(&batch(names.iter().map(String::as_str)), at(second)).await;
        assert_eq!(unknown.unwrap().len(), names.len(), "what comes is always taken");
    }
    let records = store.records().await.unwrap();
    assert_eq!(records.len(), MAX_VIOLATIONS);
    assert_eq!(records[0].violation.blocked, "inline");
    let last = names.last().unwrap();
    assert!(records.iter().any(|record| record.violation.blocked == *last));
    assert!(!records.iter().any(|record| record.violation.blocked == names[0]));
}

async fn rule_3_what_is_over_is_forgotten(place: Place) {
    let (_fresh, _database, store) = store(place).await;
    store.note(&batch(["inline"]), at(0)).await.unwrap();
    let end = KEPT_DAYS * 86_400;
    store.note(&batch(["eval"]), at(end)).await.unwrap();
    assert_eq!(store.records().await.unwrap().len(), 2);
    store.note(&batch(["eval"]), at(end + 1)).await.unwrap();
    assert_eq!(store.records().await.unwrap().len(), 1);
    assert!(store.hours(at(0).plus_seconds(-3_600)).await.unwrap().iter().all(|h| h.hour > at(0)));
}

async fn rule_4_hours_have_counts(place: Place) {
    let (_fresh, _database, store) = store(place).await;
    let mut noisy = batch(["inline", "eval"]);
    noisy.add_noise(Noise::Extension, 3);
    // Half past an hour, within it, and in the next.
    for seconds in [0, 60, 3_600] {
        store.note(&noisy, at(seconds)).await.unwrap();
    }
    store.note(&Batch::default(), at(7_200)).await.unwrap();
    let counted = |since: i64| {
        let store = store.clone();
        async move {
            let hours = store.hours(at(since)).await.unwrap().into_iter();
            hours.map(|h| (h.kind.as_str(), h.count)).collect::<Vec<_>>()
        }
    };
    let all = [("extension", 6), ("script-src-elem", 4), ("extension", 3), ("script-src-elem", 2)];
    assert_eq!(counted(-3_600).await, all);
    assert_eq!(counted(1).await, all[2..]);
}

async fn what_looks_like_sql_is_only_text(place: Place) {
    let (_fresh, _database, store) = store(place).await;
    for blocked in ["'; DROP TABLE donjon_csp_violation; --", "\0", "%", "\u{1f512}"] {
        let unknown = store.note(&batch([blocked]), at(0)).await.unwrap();
        assert_eq!(unknown, [violation(blocked)]);
    }
    assert_eq!(store.records().await.unwrap().len(), 4);
}

async fn rows_that_donjon_did_not_write_are_passed_over(place: Place) {
    let (_fresh, database, store) = store(place).await;
    for sql in [
        "INSERT INTO donjon_csp_violation VALUES (1, 'x-src', 'enforce', 'a', 'b', '', 1, 1, '', 1, '2025-01-01', '2025-01-01')",
        "INSERT INTO donjon_csp_violation VALUES (2, 'img-src', 'enforce', 'a', 'b', '', -1, 1, '', 1, '2025-01-01', '2025-01-01')",
        "INSERT INTO donjon_csp_hour VALUES ('2025-01-01 00:00:00', 'x-src', 1)",
    ] {
        database.danger_connection().execute_unprepared(sql).await.unwrap();
    }
    assert_eq!(store.records().await.unwrap(), []);
    assert_eq!(store.hours(UnixTime::from_seconds(0)).await.unwrap(), []);
}

async fn many_at_once_lose_no_count(place: Place) {
    let (_fresh, _database, store) = store(place).await;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.note(&batch(["inline"]), at(0)).await.unwrap().len() })
        })
        .collect();
    let mut unknown = 0;
    for task in tasks {
        unknown += task.await.unwrap();
    }
    assert_eq!(unknown, 1, "one of them is the first");
    assert_eq!(store.records().await.unwrap()[0].count, 32);
}

async fn a_database_of_django_gets_the_tables_and_a_second_run_changes_nothing(place: Place) {
    let (_fresh, database, store) = store(place).await;
    for sql in ["DROP TABLE donjon_csp_violation", "DROP TABLE donjon_csp_hour"] {
        database.danger_connection().execute_unprepared(sql).await.unwrap();
    }
    assert_eq!(database.migrate().await.unwrap(), [], "no migration of Django's");
    store.note(&batch(["inline"]), at(0)).await.unwrap();
    assert_eq!(database.migrate().await.unwrap(), []);
    assert_eq!(store.records().await.unwrap().len(), 1, "what is there stays");
}
