//! The command from outside.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

struct Place(PathBuf);

impl Place {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("donjon-cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("templates")).unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        Self(path)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_donjon"));
        command.current_dir(&self.0).args(arguments).output().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn check_says_everything_at_once() {
    let place = Place::new(
        "check",
        &[
            ("templates/a.html", "<p>\n{{ a|uper }}</p>"),
            ("templates/b.html", "<{{ tag }}>"),
            ("templates/c.html", "<form method=\"post\"></form>"),
        ],
    );
    let output = place.run(&["templates", "check"]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("error: a.html:2:1: Invalid filter: 'uper'. Did you mean 'upper'?"),
        "{text}"
    );
    assert!(text.contains("error: b.html:1:1: "), "{text}");
    assert!(text.contains("warning: c.html:1:1: T001 "), "{text}");
    assert!(text.ends_with("3 templates, 2 errors, 1 warnings\n"), "{text}");
}

#[test]
fn warnings_fail_only_if_asked() {
    let place = Place::new("warn", &[("templates/c.html", "<form method=\"post\"></form>")]);
    assert!(place.run(&["templates", "check"]).status.success());
    let output = place.run(&["templates", "check", "--deny-warnings", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!((&found[0]["code"], &found[0]["line"]), (&"T001".into(), &1.into()));
}

#[test]
fn render_prints_the_page() {
    let place = Place::new(
        "render",
        &[
            (
                "templates/a.html",
                "{% load i18n %}<p>{% trans 'Yes' %} {{ name }} {{ n }}</p>{% partialdef p %}part{% endpartialdef %}",
            ),
            ("templates/broken.html", "{% if %}"),
            ("context.json", "{\"name\": \"<b>\", \"n\": 1.5}"),
        ],
    );
    fs::create_dir_all(place.0.join("locale/de/LC_MESSAGES")).unwrap();
    fs::write(place.0.join("locale/de/LC_MESSAGES/django.po"), "msgid \"Yes\"\nmsgstr \"Ja\"\n")
        .unwrap();
    let page = place.run(&[
        "templates",
        "render",
        "a.html",
        "--context",
        "context.json",
        "--language",
        "de",
        "--locale",
        "locale",
    ]);
    assert_eq!(out(&page), "<p>Ja &lt;b&gt; 1,5</p>");
    assert_eq!(out(&place.run(&["templates", "render", "a.html#p"])), "part");
    for missing in ["broken.html", "nothing.html"] {
        let output = place.run(&["templates", "render", missing]);
        assert!(!output.status.success() && !output.stderr.is_empty() && output.stdout.is_empty());
    }
}
