//! Django's gate, with django-cors-headers in it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::answer::Answer;

/// Has Django a Content Security Policy? It came with 6.0.
pub(crate) fn has_csp() -> bool {
    let version = std::env::var("DONJON_DJANGO_VERSION").unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse::<u8>().ok());
    major.is_none_or(|major| major >= 6)
}

/// The answers to the requests among these lines, in their order.
pub(crate) fn answers(lines: &[Value]) -> Vec<Answer> {
    let python = std::env::var_os("DONJON_DJANGO_PYTHON")
        .unwrap_or_else(|| panic!("DONJON_DJANGO_PYTHON is not set: run cargo xtask test"));
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("django");
    let mut process = Command::new(python)
        .args(["-B", "gate.py"])
        .current_dir(project)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // Both pipes are small: who writes all before reading waits for ever.
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = BufReader::new(process.stdout.take().unwrap());
    let answers = output.lines().map(|line| parsed(&line.unwrap())).collect();
    writer.join().unwrap().unwrap();
    assert!(process.wait().unwrap().success(), "gate.py failed");
    answers
}

fn parsed(line: &str) -> Answer {
    let told: Value = serde_json::from_str(line).unwrap();
    let status = told["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap();
    let pairs = told["headers"].as_array().unwrap().iter();
    let pair = |pair: &'_ Value| pair[1].as_str().unwrap().to_owned();
    Answer::new(status, pairs.map(|header| (header[0].as_str().unwrap(), pair(header))))
}
