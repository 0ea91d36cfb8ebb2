//! Past vulnerabilities of template engines and HTML helpers, each as a test that would have found it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests stop a test")]

use std::time::{Duration, Instant};

use donjon_html::linkify::Linkifier;
use donjon_html::strip_tags::strip_tags;
use donjon_html::template::{
    Autoescape, Env, Library, Signature, TemplateOptions, Templates, Value, call_filter,
};
use donjon_html::{Markup, context, text, truncate};

/// Longer than any linear work of these sizes takes on a slow machine, and far shorter than quadratic work.
const LONG: Duration = Duration::from_secs(30);

fn is_quick<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    assert!(started.elapsed() < LONG, "{what} took {:?}", started.elapsed());
    result
}

fn render(source: &str, variables: &donjon_html::template::Variables) -> String {
    let templates =
        Templates::new([("t.html", source)]).unwrap_or_else(|errors| panic!("{errors}"));
    templates.render("t.html", variables, &()).unwrap_or_else(|error| panic!("{error}"))
}

fn filter(name: &str, value: impl Into<Value>, arg: Option<Value>) -> Option<String> {
    let env = Env::bare(Autoescape::On);
    let result = call_filter(None, name, &value.into(), arg.as_ref(), &env);
    result.ok().map(|value| value.text().into_owned())
}

/// CVE-2019-6975, CVE-2024-41989, CVE-2024-24680.
#[test]
fn numbers_with_large_exponents_stay_short() {
    for number in ["1e1000000000", "1E+99999", "-1e-999999999", &"9".repeat(1_000_000)] {
        for name in
            ["floatformat", "filesizeformat", "stringformat", "pluralize", "add", "get_digit"]
        {
            let arg = if name == "stringformat" { ".2f" } else { "2" };
            let written = is_quick(name, || filter(name, number, Some(arg.into())));
            assert!(
                written.is_none_or(|text| text.len() <= number.len() + 16),
                "{name} {number:.20}"
            );
        }
        let env = Env::bare(Autoescape::On);
        for name in ["intcomma", "intword", "ordinal", "apnumber"] {
            let written =
                is_quick(name, || call_filter(Some("humanize"), name, &number.into(), None, &env));
            assert!(written.is_ok_and(|value| value.text().len() <= number.len() * 2));
        }
    }
}

/// CVE-2015-8213: `date` read any setting by the name of its format.
#[test]
fn a_format_of_a_date_reads_no_settings() {
    let day = donjon_html::template::DateTime::from_epoch_seconds(1_700_000_000);
    let page = render("{{ d|date:f }}", &context! { d: day, f: "SECRET_KEY" });
    assert!(!page.is_empty() && page != "SECRET_KEY" && page.len() < 60, "{page}");
}

/// CVE-2022-22818, CVE-2017-12794: `{% debug %}` printed variables unescaped, and in production.
#[test]
fn the_debug_tag_prints_nothing_or_what_is_escaped() {
    let variables = context! { v: "<script>pwn()</script>" };
    assert_eq!(render("{% debug %}", &variables), "");
    let options = TemplateOptions::new().danger_debug();
    let templates = Templates::with_options([("t.html", "{% debug %}")], options).unwrap();
    let page = templates.render("t.html", &variables, &()).unwrap();
    assert!(page.contains("pwn") && !page.contains("<script"), "{page}");
}

/// CVE-2021-45116: `dictsort` called methods and indexed text.
#[test]
fn dictsort_reads_plain_fields_only() {
    let row = |password: &str| -> Value { [("password", password)].into_iter().collect() };
    let rows: Value = [row("b"), row("a")].into_iter().collect();
    assert_eq!(
        render("{{ x|dictsort:k }}", &context! { x: rows.clone(), k: "password.__len__" }),
        ""
    );
    assert_eq!(render("{{ x|dictsort:k }}", &context! { x: rows.clone(), k: "_private" }), "");
    let page = render("{{ x|dictsort:'password'|first }}", &context! { x: rows });
    assert!(page.contains("&#x27;a&#x27;"), "{page}");
}

/// CVE-2018-7536, CVE-2024-38875, CVE-2024-41990, CVE-2024-41991, CVE-2024-45230.
#[test]
fn urlize_is_linear_and_links_to_http_only() {
    let n = 100_000;
    let hostile = [
        "(".repeat(n) + ":" + &")".repeat(n),
        "([".repeat(n) + "]])",
        "&:".to_owned() + &";".repeat(n),
        "&.;".repeat(n),
        "a".to_owned() + &"@a".repeat(n / 2),
        "a".to_owned() + &".".repeat(n * 10),
        "www.".to_owned() + &"한.글.".repeat(n * 2),
        "&;".repeat(n),
        "http://".repeat(n),
    ];
    for text in &hostile {
        let linked = is_quick(&text[..7], || Linkifier::new().escape().link(text));
        for href in linked.split("href=\"").skip(1) {
            let allowed =
                ["http://", "https://", "mailto:"].iter().any(|start| href.starts_with(start));
            assert!(allowed, "{href:.40}");
        }
    }
    for address in
        ["javascript:alert(1)", "data:text/html,<script>", "vbscript:x", "\u{1}javascript:x"]
    {
        assert!(!Linkifier::new().escape().link(address).contains("<a "), "{address}");
    }
}

/// CVE-2015-2316, CVE-2019-14233, CVE-2024-53907, CVE-2025-32873.
#[test]
fn strip_tags_ends_and_is_escaped() {
    let hostile = [
        "<".repeat(50) + &"a>".repeat(50),
        ">".to_owned() + &"<a".repeat(501),
        "<a".repeat(50) + &"a".repeat(950),
        "&".repeat(16_000),
        "<".repeat(100_000) + ">",
        "<!--".repeat(100_000),
        "<a '".repeat(50_000),
    ];
    for html in &hostile {
        let _ = is_quick("strip_tags", || strip_tags(html));
    }
    assert!(!strip_tags("<sc<!-- -->ript>pwn()").unwrap().contains("<script"));
    assert_eq!(strip_tags("&lt;script&gt;").as_deref(), Ok("&lt;script&gt;"));
    let page = render("{{ v|striptags }}", &context! { v: "<<b>script>pwn()<</b>/script>" });
    assert!(!page.contains('<'), "{page}");
}

/// CVE-2018-7537, CVE-2019-14232, CVE-2023-43665, CVE-2024-27351, CVE-2026-1285.
#[test]
fn cut_markup_is_linear_and_balanced() {
    let size = 1024 * 1024;
    let hostile = ["</p>", "<", "&", "<p>", "<p ", "<!--", "&amp", "<a>x", "x "];
    for piece in hostile {
        let html = piece.repeat(size / piece.len());
        for length in [1, 1000] {
            is_quick(piece, || truncate::html_chars(&html, length, "…"));
            is_quick(piece, || truncate::html_words(&html, length, "…"));
        }
    }
    let nested = "<b>".repeat(60_000) + "one two three";
    let cut = truncate::html_words(&nested, 2, "…");
    assert_eq!(cut.matches("<b>").count(), cut.matches("</b>").count());
}

/// CVE-2025-26699.
#[test]
fn wordwrap_is_linear() {
    let text = "x".repeat(10 * 1024 * 1024);
    assert_eq!(is_quick("wordwrap", || text::wrap(&text, 80)).len(), text.len());
    is_quick("wordwrap", || text::wrap(&"\u{3000}x \t".repeat(500_000), 80));
}

/// django-allauth before 0.26: a tag of one's own that printed a name unescaped.
#[test]
fn what_a_tag_returns_is_escaped_unless_it_is_markup() {
    let library =
        Library::new()
            .simple_tag("plain", Signature::default(), |_, _| Ok("<i>".into()))
            .simple_tag("trusted", Signature::default(), |_, _| {
                Ok(Markup::danger_trusted("<b>").into())
            })
            .simple_block_tag("block", Signature::default(), |_, content, _| Ok(content.into()));
    let options = TemplateOptions::new().builtins(library);
    let source = "{% plain %}{% trusted %}{% block_ %}{% plain as x %}{{ x }}"
        .replace("{% block_ %}", "{% block %}<u>{% endblock %}");
    let error = Templates::with_options([("t.html", source.as_str())], options.clone());
    let templates = error.unwrap_or_else(|errors| panic!("{errors}"));
    let page = templates.render("t.html", &context! {}, &()).unwrap();
    assert_eq!(page, "&lt;i&gt;<b>&lt;u&gt;&lt;i&gt;");
}

/// CVE-2014-0472 and its like: names that begin with `_` reach what a program keeps to itself.
#[test]
fn private_names_are_refused_when_a_template_is_loaded() {
    for source in [
        "{{ a._b }}",
        "{{ _a }}",
        "{% for x in a._b %}{% endfor %}",
        "{{ a|default:b._c }}",
        "{% regroup a by _b as c %}",
    ] {
        assert!(Templates::new([("t.html", source)]).is_err(), "{source}");
    }
}

/// CVE-2021-33203: the name of a template led out of the folder.
#[test]
fn names_of_templates_stay_inside() {
    let templates = Templates::new([("a/b.html", "{% include name %}"), ("c.html", "c")]).unwrap();
    for name in ["../../etc/passwd", "/etc/passwd", "..\\..\\c.html", "../../c.html"] {
        assert!(templates.render("a/b.html", &context! { name: name }, &()).is_err(), "{name}");
    }
    assert_eq!(templates.render("a/b.html", &context! { name: "../c.html" }, &()).unwrap(), "c");
}

/// CVE-2024-24785 of Go's `html/template`: the text of an error reached the page.
#[test]
fn errors_of_values_do_not_reach_the_page() {
    let library = Library::new().simple_tag("fails", Signature::default(), |_, _| {
        Err(donjon_html::template::TagError::new("</script><script>pwn()"))
    });
    let options = TemplateOptions::new().builtins(library);
    let templates =
        Templates::with_options([("t.html", "<script>var a = {% fails %};</script>")], options)
            .unwrap();
    assert!(templates.render("t.html", &context! {}, &()).is_err());
}

/// A field of a very wide or very long output: Django's `center`, `ljust`, `rjust` and `stringformat` have no bound.
#[test]
fn fields_have_a_width() {
    for (name, arg) in [("center", "99999999"), ("ljust", "99999999"), ("rjust", "99999999")] {
        assert!(filter(name, "x", Some(arg.into())).is_none(), "{name}");
    }
    assert_eq!(filter("stringformat", "x", Some("99999999s".into())).as_deref(), Some(""));
}

/// A fragment that was escaped for text is no script: both have the same key.
#[test]
fn a_cached_fragment_stands_in_text_only() {
    let fragment = "{% cache 60 'x' %}{{ v }}{% endcache %}";
    let load = |page: String| Templates::new([("t.html", format!("{{% load cache %}}{page}"))]);
    assert!(load(format!("<p>{fragment}</p>")).is_ok());
    for place in
        [format!("<script>var a = \"{fragment}\"</script>"), format!("<p title=\"{fragment}\">")]
    {
        let errors = load(place).unwrap_err().to_string();
        assert!(errors.contains("a cached fragment does not fit into"), "{errors}");
    }
}
