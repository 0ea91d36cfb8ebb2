//! Templates of any text: loading ends with templates or errors, rendering within its limits, and
//! no value gets out unescaped.
#![no_main]

use donjon_html::context;
use donjon_html::template::{MAX_OUTPUT, Surroundings, Templates, Value};
use libfuzzer_sys::fuzz_target;

/// A value that is an element wherever it is not escaped.
const HOSTILE: &str = "</script><zqzq'\"&>";

/// Words by which a template itself asks for unescaped text, or writes what [`HOSTILE`] has.
const ASKS: [&str; 3] = ["safe", "autoescape", "zq"];

struct Site;

impl Surroundings for Site {
    fn url(&self, name: &str, _: &[Value], _: &[(&str, Value)]) -> Option<String> {
        (name == "home").then(|| "/home/?a=1&b=2".to_owned())
    }

    fn csrf_token(&self) -> Option<String> {
        Some("token".to_owned())
    }

    fn csp_nonce(&self) -> Option<String> {
        Some("bm9uY2U=".to_owned())
    }
}

fuzz_target!(|source: &str| {
    let Ok(templates) = Templates::new([("t.html", source)]) else { return };
    let variables = context! {
        v: HOSTILE, n: 3, f: -1.5, yes: true, list: vec![HOSTILE, "b", ""],
        map: context! { key: HOSTILE, items: vec![1, 2] },
    };
    let Ok(page) = templates.render("t.html", &variables, &Site) else { return };
    assert!(page.len() <= MAX_OUTPUT);
    if !ASKS.iter().any(|word| source.contains(word)) {
        assert!(!page.contains("<zq"), "{page}");
    }
});
