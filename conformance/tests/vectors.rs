//! What Django was recorded to do, Donjon does: all of it, in the kinds that are done.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use conformance::report::Tally;
use conformance::{Vectors, run, vectors};
use serde_json::{Value, json};

/// The files of which every case must pass, with their kinds.
const DONE: &[(&str, &[&str])] = &[
    ("cors", &["request", "setting_alias"]),
    ("csp", &["csp", "django_build_policy", "django_csp_build_policy", "django_csp_middleware"]),
    ("csrf", &["request", "token"]),
    ("security_headers", &["common", "csp", "host", "security", "xframe"]),
    (
        "sessions",
        &[
            "auth_hash",
            "auth_session",
            "cookie_session_decode",
            "cookie_session_encode",
            "decode",
            "encode",
            "expiry",
            "middleware",
            "session_key",
        ],
    ),
    (
        "signing",
        &[
            "b62",
            "get_signed_cookie",
            "set_signed_cookie",
            "sign",
            "sign_object",
            "signature",
            "signer_new",
            "unsign",
            "unsign_object",
        ],
    ),
];

/// Recorded for this repository by `django/record.py`.
fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Beside the workspace, where they are at hand.
fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors")
}

async fn tallies(file: PathBuf) -> Vec<(String, Tally)> {
    let report = run(&Vectors { path: file, named: true }).await.unwrap();
    report.kinds.into_iter().collect()
}

fn assert_whole(file: &Path, kind: &str, tally: &Tally) {
    assert!(tally.is_whole(), "{} {kind}: {tally:#?}", file.display());
}

#[tokio::test]
async fn our_own_records_hold() {
    for (name, kinds) in DONE {
        let file = own().join(format!("{name}.jsonl"));
        for (kind, tally) in tallies(file.clone()).await {
            assert!(kinds.contains(&&*kind), "{kind}");
            assert_whole(&file, &kind, &tally);
        }
    }
}

#[tokio::test]
async fn the_shared_records_hold_where_they_are_at_hand() {
    if !shared().is_dir() {
        return;
    }
    let begun = Instant::now();
    for (name, kinds) in DONE {
        let file = shared().join(format!("{name}.jsonl.gz"));
        let tallies = tallies(file.clone()).await;
        let done: Vec<_> = tallies.iter().filter(|(kind, _)| kinds.contains(&&**kind)).collect();
        assert!(!done.is_empty(), "{name}");
        done.into_iter().for_each(|(kind, tally)| assert_whole(&file, kind, tally));
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn folders_are_searched_and_files_are_taken_as_named() {
    let found = vectors(&[own(), own().join("csrf.jsonl")]).unwrap();
    let (named, below) = found.split_last().unwrap();
    assert!(named.named && below.len() == DONE.len() && below.iter().all(|vectors| !vectors.named));
    assert!(vectors(&[own().join("missing.jsonl")]).is_ok_and(|found| found[0].named));
}

/// Runs the program on a file of these lines.
fn program(name: &str, lines: &[Value]) -> (Output, Value) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (file, data) = (folder.join(format!("{name}.jsonl")), folder.join(format!("{name}.json")));
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    let output = command.arg(&file).arg("--json").arg(&data).output().unwrap();
    let data = serde_json::from_slice(&std::fs::read(data).unwrap()).unwrap();
    (output, data)
}

fn key(key: &str, accepted: bool) -> Value {
    json!({"id": key, "kind": "session_key", "key": key, "expect": {"accepted": accepted}})
}

#[test]
fn the_program_tells_what_passed() {
    let (output, data) = program("passed", &[key("12345678", true), key("1234567", false)]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "passed.jsonl session_key 2/2\n");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!((&data[0]["kind"], &data[0]["passed"]), (&json!("session_key"), &json!(2)));
}

#[test]
fn the_program_fails_where_a_case_does() {
    let (output, data) = program("failed", &[key("12345678", false), key("1234567", false)]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("failed.jsonl session_key 1/2\n  12345678\n"), "{said}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(data[0]["failed"][0]["got"], json!({"accepted": true}));
}

#[test]
fn the_program_fails_where_a_named_file_asks_for_what_is_not_built() {
    let (output, _) = program("unbuilt", &[json!({"id": "x", "kind": "teleport", "expect": {}})]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "unbuilt.jsonl not built yet: teleport (1 cases)\n");
    assert_eq!(output.status.code(), Some(1));
}
