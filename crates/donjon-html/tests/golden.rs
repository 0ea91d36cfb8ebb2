//! Templates whose results were recorded from Django: `golden/tags.json`, made by
//! `conformance/django/golden_templates.py`.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use donjon_html::template::{TemplateOptions, Templates, Value, Variables};
use serde_json::Value as Json;

const RECORDED: &str = include_str!("golden/tags.json");

fn sources(recorded: &Json, main: &str) -> Vec<(String, String)> {
    let parents = recorded["templates"].as_object().unwrap().iter();
    let parents = parents.map(|(name, source)| (name.clone(), source.as_str().unwrap().to_owned()));
    parents.chain([("main.html".to_owned(), main.to_owned())]).collect()
}

fn variables(context: &Json) -> Variables {
    let pairs = context.as_object().unwrap().iter();
    pairs.map(|(name, value)| (name.clone(), Value::from_serialize(value).unwrap())).collect()
}

fn differences(options: &TemplateOptions) -> Vec<String> {
    let recorded: Json = serde_json::from_str(RECORDED).unwrap();
    let cases = recorded["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let source = case["source"].as_str().unwrap();
        let rendered = Templates::with_options(sources(&recorded, source), options.clone())
            .map_err(|errors| errors.to_string())
            .and_then(|templates| {
                let variables = variables(&case["context"]);
                templates.render("main.html", &variables, &()).map_err(|error| error.to_string())
            });
        if rendered.as_deref().ok() != case["output"].as_str() {
            wrong.push(format!("{source}\n  Django {}\n  Donjon {rendered:?}", case["output"]));
        }
    }
    wrong
}

#[test]
fn as_django_escapes() {
    let options = TemplateOptions::new().danger_escape_as_django("").errors_when_rendered();
    let wrong = differences(&options);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// None of the cases leaves HTML text or a quoted attribute, where the two agree.
#[test]
fn by_context() {
    let wrong = differences(&TemplateOptions::new());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
