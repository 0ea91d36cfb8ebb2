//! What templates may cost: time grows with the input and no faster, memory is bounded, limits hold.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests stop a test")]

use std::time::Duration;

use donjon_html::context;
use donjon_html::template::{Limits, Surroundings, TemplateOptions, Templates};

/// How long this thread has worked; the time that others had in between does not count.
fn busy() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// How often a piece of a template is repeated.
const READ: usize = 4_000;
/// How many items a page has.
const RENDERED: usize = 20_000;

/// The shortest of several runs, which is the one that nothing disturbed.
fn shortest(mut run: impl FnMut()) -> Duration {
    let mut times = (0..7).map(|_| {
        let started = busy();
        run();
        busy().saturating_sub(started)
    });
    let first = times.next().unwrap();
    times.fold(first, Duration::min)
}

/// Twice the input takes at most three times as long. What is quadratic takes four times and fails every time; what another
/// program disturbed is told by the best of many tries.
///
/// Neither size may lie below, and the other above, what the allocator gives back to the system each time.
fn is_linear(what: &str, size: usize, cost: impl Fn(usize)) {
    const TRIES: usize = 12;
    let mut best = [Duration::MAX; 2];
    for _ in 0..TRIES {
        best = [best[0].min(shortest(|| cost(size))), best[1].min(shortest(|| cost(2 * size)))];
        if best[1] <= best[0] * 3 + Duration::from_millis(1) {
            return;
        }
    }
    panic!("{what}: {best:?} at best for {size} and for twice as much");
}

#[test]
fn reading_takes_linear_time() {
    let pieces = [
        "{{ a|b }}",
        "{{ v }}",
        "{% if v %}{% endif %}",
        "{% for a in v %}{% endfor %}",
        "{# #}",
        "{{",
        "{%",
        "{% verbatim %}",
        "{% comment %}",
        "<a href=\"",
        "<script>",
        "<style>",
        "<!--",
        "<p title='{{ v }}'>",
        "{{ v|default:\"",
        "{% now \"",
        "<script>a = `${",
        "{% trans 'a",
        "</script",
        "&#x",
        "{% load i18n %}",
        "{{ v|add:v }}",
        "<svg onload=\"{{ v }}\">",
        "<",
        "{% block x %}",
        "{% with a=v %}",
        "{% endif %}",
    ];
    for piece in pieces {
        is_linear(piece, READ, |size| {
            let _ = Templates::new([("t.html", piece.repeat(size))]);
        });
    }
}

#[test]
fn long_tags_take_linear_time() {
    let tags = [
        ("{{ v", "|upper", " }}"),
        ("{{ v", ".a", " }}"),
        ("{% if v", " and v", " %}{% endif %}"),
        ("{% firstof", " v", " %}"),
        ("{% cycle", " v", " %}"),
        ("{% with", " a=v", " %}{% endwith %}"),
        ("{% url 'x'", " v", " %}"),
        ("{% url 'x'", " k=v", " %}"),
        ("{% for ", "a,", "b in v %}{% endfor %}"),
        ("{% ifchanged", " v", " %}{% endifchanged %}"),
        ("{% load", " i18n", " %}"),
        ("{% if", " not", " v %}{% endif %}"),
        ("{% include 'x' with", " a=v", " %}"),
        ("{{ '", "\\'", "' }}"),
    ];
    for (start, piece, end) in tags {
        is_linear(start, READ, |size| {
            let _ = Templates::new([("t.html", format!("{start}{}{end}", piece.repeat(size)))]);
        });
    }
}

#[test]
fn rendering_takes_linear_time() {
    let bodies = [
        "{% for i in l %}{{ i }}{% endfor %}",
        "{% for i in l %}{% cycle 'a' 'b' %}{% ifchanged %}{{ i }}{% endifchanged %}{% endfor %}",
        "{% for i in l %}{% firstof i 'x' as y %}{{ y }}{% endfor %}",
        "{% for i in l %}{% with a=i %}{{ a }}{% endwith %}{% endfor %}",
        "{% spaceless %}{% for i in l %}<p> </p> {% endfor %}{% endspaceless %}",
        "{% filter lower %}{% for i in l %}<p>{% endfor %}{% endfilter %}",
        "{% regroup l by x as g %}{{ g|length }}",
        "{% for i in l %}{{ t }}{% endfor %}",
        "<script>f({{ l }})</script><p title=\"{{ l }}\">",
    ];
    for body in bodies {
        let templates = Templates::new([("t.html", body)]).unwrap();
        is_linear(body, RENDERED, |size| {
            let variables = context! { l: vec!["<x>"; size], t: "a < b" };
            templates.render("t.html", &variables, &()).unwrap();
        });
    }
}

#[test]
fn a_page_in_pieces_takes_little_memory() {
    let templates = Templates::new([(
        "t.html",
        "{% for a in l %}{% for b in l %}<p>{{ text }}</p>{% endfor %}{% endfor %}",
    )])
    .unwrap();
    let variables = context! { l: vec![1; 100], text: "x".repeat(100) };
    let (mut whole, mut largest) = (0, 0);
    templates
        .render_pieces("t.html", &variables, &(), &mut |piece| {
            whole += piece.len();
            largest = largest.max(piece.len());
            Ok(())
        })
        .unwrap();
    assert_eq!(whole, 10_000 * 107);
    assert!(largest < 9 * 1024, "{largest}");
    let mut written = String::new();
    templates.render_to("t.html", &variables, &(), &mut written).unwrap();
    assert_eq!(written, templates.render("t.html", &variables, &()).unwrap());
}

#[test]
fn limits_can_be_set() {
    let load = |source: &str, limits: Limits| {
        let options = TemplateOptions::new().limits(limits);
        Templates::with_options([("t.html", source)], options).unwrap()
    };
    let loops = "{% for a in l %}{% for b in l %}{{ a }}{% endfor %}{% endfor %}";
    let variables = context! { l: vec![1; 100] };
    let said = |templates: &Templates| {
        templates.render("t.html", &variables, &()).unwrap_err().to_string()
    };
    assert!(said(&load(loops, Limits::new().steps(1000))).contains("1000 steps"));
    assert!(said(&load(loops, Limits::new().output(5000))).contains("5000 bytes"));
    let endless = load("{% include 't.html' %}", Limits::new().includes(5));
    assert!(said(&endless).contains("5 deep"));
    assert!(load(loops, Limits::new().steps(10_100)).render("t.html", &variables, &()).is_ok());
}

#[test]
fn a_page_that_takes_too_long_ends() {
    struct Late;
    impl Surroundings for Late {
        fn expired(&self) -> bool {
            true
        }
    }
    let templates = Templates::new([("t.html", "{% for a in l %}{{ a }}{% endfor %}")]).unwrap();
    let error = templates.render("t.html", &context! { l: vec![1; 1000] }, &Late).unwrap_err();
    assert!(error.to_string().contains("too long"));
}

#[test]
fn deep_templates_end() {
    let sources =
        (0..40).map(|at| (format!("{at}.html"), format!("{{% include '{}.html' %}}", at + 1)));
    let sources: Vec<_> = sources.chain([("40.html".to_owned(), "end".to_owned())]).collect();
    let templates = Templates::new(sources).unwrap();
    assert!(templates.render("0.html", &context! {}, &()).is_err());
    assert_eq!(templates.render("20.html", &context! {}, &()).unwrap(), "end");
}
