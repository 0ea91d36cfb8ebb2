//! Every place of a page in which a variable may stand, with values that an attacker would choose: the page has the
//! structure that it has with a harmless value, by the parser of a browser.

#![allow(clippy::panic, reason = "the helpers of tests stop a test")]

mod cases;
mod generator;
mod skeleton;

use std::time::Instant;

use cases::{CASES, Case, Verdict};
use donjon_html::context;
use donjon_html::template::Templates;
use generator::{Generator, PAYLOADS, Source};
use skeleton::Page;

/// How many pages are generated.
const PAGES: usize = 100_000;

/// How many of them must be accepted, or the generator has gone blind.
const ACCEPTED: usize = PAGES / 3;

const HARMLESS: &str = "abc";

fn load(source: &Source) -> Result<Templates, String> {
    let pages = [("t.html", &*source.page), ("part.html", &*source.part)];
    Templates::new(pages).map_err(|errors| errors.to_string())
}

fn render(templates: &Templates, value: &str) -> String {
    let variables = context! { v: value, w: HARMLESS, yes: true, list: vec![value, HARMLESS] };
    templates.render("t.html", &variables, &()).unwrap_or_else(|error| panic!("{error}"))
}

/// Holds evil against harmless.
fn assert_inert(templates: &Templates, value: &str, name: &str) {
    let (evil, harmless) = (render(templates, value), render(templates, HARMLESS));
    for scripting in [false, true] {
        let (page, expected) = (Page::parse(&evil, scripting), Page::parse(&harmless, scripting));
        if value.trim().is_empty() {
            // Where there is no text, a parser doesn't open misnested elements again.
            assert_eq!(page.tags(), expected.tags(), "{name} {value:?}:\n{evil}\n{harmless}");
        } else {
            assert_eq!(page.skeleton, expected.skeleton, "{name} {value:?}:\n{evil}\n{harmless}");
        }
        if expected.running_url().is_none() {
            assert_eq!(page.running_url(), None, "{name} {value:?}:\n{evil}");
        }
    }
}

fn single(template: &str) -> Source {
    Source { page: template.to_owned(), part: String::new() }
}

fn check(case: &Case) {
    match (load(&single(case.template)), case.verdict) {
        (Ok(templates), Verdict::Inert) => assert_inert(&templates, case.value, case.name),
        (Err(message), Verdict::Refused(words)) => {
            assert!(message.contains(words), "{}: {message}", case.name);
        }
        (Ok(_), _) => panic!("{} is accepted", case.name),
        (Err(message), _) => panic!("{} is refused: {message}", case.name),
    }
}

#[test]
fn each_case_is_inert_or_refused_in_words() {
    CASES.iter().for_each(check);
}

#[test]
fn each_accepted_case_bears_every_payload() {
    for case in CASES.iter().filter(|case| case.verdict == Verdict::Inert) {
        let templates = load(&single(case.template)).unwrap_or_else(|error| panic!("{error}"));
        PAYLOADS.iter().for_each(|payload| assert_inert(&templates, payload, case.name));
    }
}

#[test]
fn generated_pages_keep_their_structure() {
    let mut generator = Generator::new(0x5eed);
    let mut accepted = 0;
    for _ in 0..PAGES {
        let source = generator.source();
        let payload = generator.payload();
        let Ok(templates) = load(&source) else { continue };
        accepted += 1;
        assert_inert(&templates, &payload, &format!("{source:?}"));
    }
    assert!(accepted >= ACCEPTED, "only {accepted} of {PAGES} were accepted");
}

/// Pieces that a machine with a look back would read again and again.
const REPEATED: [&str; 16] = [
    "<",
    "</",
    "<!-",
    "<a ",
    "-",
    "&",
    "<p title=\"a\">",
    "<a href=\"//////////\">",
    "<b x=&amp;&>",
    "<a href=\"http:////\\\\\\\\\">",
    "<script>a+/b/+'c'</script>",
    "<style>a{b:url(c)}</style>",
    "<title>a<</title>",
    "<script>var a=\"</",
    "<style>/*",
    "<p onclick=\"((((",
];

#[test]
fn reading_takes_linear_time() {
    for piece in REPEATED {
        let measure = |times: usize| {
            let source = single(&format!("{} ", piece.repeat(times)));
            let once = || {
                let start = Instant::now();
                let _ = load(&source);
                start.elapsed().as_secs_f64()
            };
            let mut times = [once(), once(), once(), once(), once()];
            times.sort_by(f64::total_cmp);
            times[0]
        };
        // Eight times the text: eight times the work, and not sixty-four times.
        let (short, long) = (measure(4_000), measure(32_000));
        assert!(long < short * 28.0 + 0.005, "{piece:?}: {short} s, then {long} s");
    }
}
