//! Templates of any text around any value: what is accepted has the same tags with a hostile value as with a harmless
//! one, wherever the value stands.
#![no_main]

use donjon_html::context;
use donjon_html::template::Templates;
use libfuzzer_sys::fuzz_target;

/// Words by which a template asks for text as it is, or looks at the value.
const ASKS: [&str; 8] = ["safe", "autoescape", "if", "for", "|", "block", "comment", "spaceless"];

/// Text that would open a tag, end a value or start a script wherever it is not escaped for its place.
const HOSTILE: &str = "\"'`=></script></style></title></textarea>--><zq onzq=\x0c\\";

fuzz_target!(|source: &str| {
    if ASKS.iter().any(|word| source.contains(word)) {
        return;
    }
    let Ok(templates) = Templates::new([("t.html", source)]) else { return };
    let render = |value: &str| templates.render("t.html", &context! { v: value }, &());
    let (Ok(evil), Ok(harmless)) = (render(HOSTILE), render("a")) else { return };
    assert_eq!(marks(&evil), marks(&harmless), "{evil}\n{harmless}");
});

/// How many there are of what opens a tag and what ends a value.
fn marks(page: &str) -> [usize; 4] {
    ["<", ">", "\"", "'"].map(|mark| page.matches(mark).count())
}
