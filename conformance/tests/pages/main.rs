//! Pages of a size found in real sites, rendered by Django and by Donjon: equal to the byte.
//!
//! `DONJON_DJANGO_PYTHON` names a Python that has Django; `cargo xtask test` sets it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::template_values::context;
use donjon_html::locale::{Locale, LocaleSettings};
use donjon_html::template::{Escape, Surroundings, TemplateOptions, Templates, Value, Variables};
use serde_json::Value as Json;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pages")
}

/// What Django makes of the pages.
fn django() -> Json {
    let python = std::env::var_os("DONJON_DJANGO_PYTHON")
        .unwrap_or_else(|| panic!("DONJON_DJANGO_PYTHON is not set: run cargo xtask test"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("django/pages.py");
    let output = Command::new(python).arg("-B").arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn sources() -> Vec<(String, String)> {
    let root = folder().join("templates");
    let mut sources = Vec::new();
    for folder in ["", "parts"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                sources.push((name, std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    sources
}

fn locale(catalogues: &Json) -> Locale {
    let mut settings = LocaleSettings::new().without_tz();
    settings = settings.locale_path(folder().join("locale")).unwrap();
    for path in catalogues.as_array().unwrap() {
        settings = settings.locale_path(path.as_str().unwrap()).unwrap();
    }
    settings.into_languages().default_locale()
}

struct Site;

impl Surroundings for Site {
    fn lookup(&self, name: &str) -> Option<Value> {
        (name == "STATIC_URL").then(|| "/static/".into())
    }
}

fn variables(recorded: &Json, page: &Json) -> Variables {
    let mut all = recorded["common"].as_object().unwrap().clone();
    all.extend(page.as_object().unwrap().clone());
    context(&Json::Object(all)).unwrap()
}

/// The first line in which two texts differ.
fn difference(expected: &str, got: &str) -> String {
    let lines = expected.lines().zip(got.lines()).enumerate();
    let first = lines.into_iter().find(|(_, (a, b))| a != b);
    first.map_or_else(
        || format!("{} and {} bytes", expected.len(), got.len()),
        |(at, (a, b))| format!("line {}\n  Django {a:?}\n  Donjon {b:?}", at + 1),
    )
}

fn compare(escape: Escape) {
    let django = django();
    let text = std::fs::read_to_string(folder().join("contexts.json")).unwrap();
    let recorded: Json = serde_json::from_str(&text).unwrap();
    let mut options = TemplateOptions::new().locale(locale(&django["catalogues"]));
    if escape == Escape::Django {
        options = options.danger_escape_as_django("");
    }
    let templates =
        Templates::with_options(sources(), options).unwrap_or_else(|errors| panic!("{errors}"));
    let mut wrong = Vec::new();
    for (name, page) in recorded["pages"].as_object().unwrap() {
        let expected = django["pages"][name].as_str().unwrap();
        let got = templates.render(name, &variables(&recorded, page), &Site);
        let got = got.unwrap_or_else(|error| error.to_string());
        if got != expected {
            wrong.push(format!("{name}: {}", difference(expected, &got)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn twenty_pages_escaped_by_context() {
    compare(Escape::Contextual);
}

#[test]
fn twenty_pages_escaped_as_django_does() {
    compare(Escape::Django);
}
