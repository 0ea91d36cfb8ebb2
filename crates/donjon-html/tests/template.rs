//! The template language, as its users see it: Django's results, and the cases where Django's are not safe.

#![allow(clippy::panic, reason = "the helpers of tests stop a test")]

use donjon_html::template::{Surroundings, Templates, Value, Variables};
use donjon_html::{Markup, TrustedUrl, context};

struct Site;

impl Surroundings for Site {
    fn url(&self, name: &str, args: &[Value], kwargs: &[(&str, Value)]) -> Option<String> {
        let args: Vec<String> = args
            .iter()
            .chain(kwargs.iter().map(|(_, value)| value))
            .map(|v| v.text().into_owned())
            .collect();
        (name != "missing").then(|| format!("/{name}/{}?a=1&b", args.join("/")))
    }

    fn csrf_token(&self) -> Option<String> {
        Some("T\"k".into())
    }

    fn csp_nonce(&self) -> Option<String> {
        Some("bm9uY2U=".into())
    }

    fn lookup(&self, name: &str) -> Option<Value> {
        (name == "user").then(|| "ann".into())
    }
}

fn render_with(template: &str, variables: &Variables) -> String {
    let templates = Templates::new([("t.html", template)])
        .unwrap_or_else(|errors| panic!("{template}\n{errors}"));
    let page = templates
        .render("t.html", variables, &Site)
        .unwrap_or_else(|error| panic!("{template}\n{error}"));
    // What the engine adds by itself has its own test.
    page.replace("<script nonce=\"bm9uY2U=\"", "<script")
        .replace("<style nonce=\"bm9uY2U=\"", "<style")
}

fn render(template: &str, value: impl Into<Value>) -> String {
    render_with(template, &context! { v: value, w: ";pwn()//" })
}

fn refused(template: &str) -> String {
    match Templates::new([("t.html", template)]) {
        Ok(_) => panic!("accepted: {template}"),
        Err(errors) => errors.to_string(),
    }
}

#[test]
fn text_and_quoted_attributes_are_django_s() {
    let cases = [
        ("<p>{{v}}</p>", "<script>pwn()</script>", "<p>&lt;script&gt;pwn()&lt;/script&gt;</p>"),
        ("<p>{{v}}</p>", "&lt;img&gt;", "<p>&amp;lt;img&amp;gt;</p>"),
        (
            "<p title=\"{{v}}\">",
            "\" onmouseover=\"pwn()",
            "<p title=\"&quot; onmouseover=&quot;pwn()\">",
        ),
        ("<p title='{{v}}'>", "' onmouseover='pwn()", "<p title='&#x27; onmouseover=&#x27;pwn()'>"),
        (
            "<textarea>{{v}}</textarea>",
            "</textarea><script>",
            "<textarea>&lt;/textarea&gt;&lt;script&gt;</textarea>",
        ),
        ("<title>{{v}}</title>", "</title><script>", "<title>&lt;/title&gt;&lt;script&gt;</title>"),
        (
            "<noscript><p title=\"{{v}}\"></noscript>",
            "</noscript>",
            "<noscript><p title=\"&lt;/noscript&gt;\"></noscript>",
        ),
    ];
    for (template, value, expected) in cases {
        assert_eq!(render(template, value), expected);
    }
}

#[test]
fn t_cases_that_are_escaped_for_their_place() {
    const INVALID: &str = "about:invalid#donjon";
    let cases = [
        ("<a href=\"{{v}}\"></a>", "javascript:pwn()", format!("<a href=\"{INVALID}\"></a>")),
        ("<a href=\"{{v}}\"></a>", "\u{1} JaVaScRiPt:pwn()", format!("<a href=\"{INVALID}\"></a>")),
        ("<a href=\"{{v}}\"></a>", "java\tscr\nipt:pwn()", format!("<a href=\"{INVALID}\"></a>")),
        ("<a href=\"  {{v}}\"></a>", "javascript:pwn()", format!("<a href=\"  {INVALID}\"></a>")),
        ("<a href=\"{{v}}\"></a>", "data:text/html,x", format!("<a href=\"{INVALID}\"></a>")),
        ("<a href=\"{{v}}\"></a>", "/a?b=1&c", "<a href=\"/a?b=1&amp;c\"></a>".into()),
        (
            "<a href=\"/s?q={{v}}&amp;ok=1\"></a>",
            "a&admin=1#f",
            "<a href=\"/s?q=a%26admin%3D1%23f&amp;ok=1\"></a>".into(),
        ),
        (
            "<a href=\"/u/{{v}}/edit\"></a>",
            "../../logout?x=",
            "<a href=\"/u/ZDonjonZ/edit\"></a>".into(),
        ),
        ("<a href=\"/{{v}}\"></a>", "/evil.example", "<a href=\"/%2Fevil.example\"></a>".into()),
        ("<form action=\"{{v}}\">", "javascript:pwn()", format!("<form action=\"{INVALID}\">")),
        (
            "<button formaction=\"{{v}}\">",
            "javascript:pwn()",
            format!("<button formaction=\"{INVALID}\">"),
        ),
        ("<iframe src=\"{{v}}\"></iframe>", "/x", format!("<iframe src=\"{INVALID}\"></iframe>")),
        (
            "<iframe srcdoc=\"{{v}}\"></iframe>",
            "<b>",
            "<iframe srcdoc=\"&amp;lt;b&amp;gt;\"></iframe>".into(),
        ),
        (
            "<script src=\"{{v}}\"></script>",
            "data:text/javascript,x",
            format!("<script src=\"{INVALID}\"></script>"),
        ),
        (
            "<script src=\"/static/{{v}}.js\"></script>",
            "../../u/1/avatar",
            "<script src=\"/static/ZDonjonZ.js\"></script>".into(),
        ),
        (
            "<link rel=stylesheet href=\"{{v}}\">",
            "data:text/css,x",
            format!("<link rel=stylesheet href=\"{INVALID}\">"),
        ),
        (
            "<link rel=\"canonical\" href=\"{{v}}\">",
            "/x",
            "<link rel=\"canonical\" href=\"/x\">".into(),
        ),
        (
            "<svg><a xlink:href=\"{{v}}\"></a></svg>",
            "javascript:pwn()",
            format!("<svg><a xlink:href=\"{INVALID}\"></a></svg>"),
        ),
        (
            "<img srcset=\"/a.png 1x, {{v}} 2x\">",
            "x 9x, javascript:p",
            format!("<img srcset=\"/a.png 1x, x 9x, {INVALID} 2x\">"),
        ),
        (
            "<script>var a = {{v}};</script>",
            "1;pwn()",
            "<script>var a = \"1;pwn()\";</script>".into(),
        ),
        ("<script>var a='{{v}}';</script>", "\\", r"<script>var a='\u005C';</script>".into()),
        (
            "<script>var a='{{v}}', b='{{w}}'</script>",
            "\\",
            r"<script>var a='\u005C', b='\u003Bpwn()//'</script>".into(),
        ),
        (
            "<script>var a=\"{{v|escapejs}}\"</script>",
            "x\n'",
            r#"<script>var a="x\u000A\u0027"</script>"#.into(),
        ),
        (
            "<b onclick=\"f('{{v}}')\">",
            "');pwn();('",
            r#"<b onclick="f('\u0027)\u003Bpwn()\u003B(\u0027')">"#.into(),
        ),
        ("<b onclick=\"f({{v}})\">", "pwn()", "<b onclick=\"f(&quot;pwn()&quot;)\">".into()),
        ("<style>p{color:{{v}}}</style>", "red}body{", "<style>p{color:ZDonjonZ}</style>".into()),
        ("<style>p{color:{{v}}}</style>", "red", "<style>p{color:red}</style>".into()),
        ("<b style=\"color:{{v}}\">", "red;position:fixed", "<b style=\"color:ZDonjonZ\">".into()),
        (
            "<b style=\"background:url({{v}})\">",
            "//e/x);position:fixed",
            "<b style=\"background:url(//e/x%29;position:fixed)\">".into(),
        ),
        ("<!-- {{v}} -->", "--><script>", "<!--  -->".into()),
        (
            "<script type=\"text/template\"><b>{{v}}</script>",
            "</script>",
            "<script type=\"text/template\"><b>&lt;/script&gt;</script>".into(),
        ),
        ("<div data-content=\"{{v}}\">", "<img>", "<div data-content=\"&lt;img&gt;\">".into()),
    ];
    for (template, value, expected) in cases {
        assert_eq!(render(template, value), expected, "{template}");
    }
}

#[test]
fn t_cases_that_are_refused_when_loaded() {
    let cases = [
        "<p onclick={{v}}>",
        "<script type={{v}}>",
        "<p {{v}}=\"1\">",
        "<p data-{{v}}=\"pwn()\">",
        "<{{v}}>x</{{v}}>",
        "<a href=\"java{{v}}\">",
        "<a href=\"//{{v}}/x\">",
        "<a href=\"https://{{v}}/x\">",
        "<object data=\"{{v}}\">",
        "<base href=\"{{v}}\">",
        "<meta http-equiv=refresh content=\"0;url={{v}}\">",
        "<meta content=\"0;url={{v}}\" http-equiv=refresh>",
        "<animate attributeName=href to=\"{{v}}\">",
        "<script>var a=`{{v}}`</script>",
        "<script>var a=/{{v}}/</script>",
        "<script>// {{v}}\n</script>",
        "<script>/* {{v}} */</script>",
        "<b onclick=f({{v}})>",
        "<a href=\"javascript:f('{{v}}')\">",
        "<a href=\"java&#115;cript:{{v}}\">",
        "<script type=\"application/json\">{{v|safe}}</script>",
        "<script type=\"importmap\">{\"a\": \"{{v}}\"}</script>",
        "<xmp>{{v}}</xmp>",
        "<p {% for k, x in d.items %} {{k}}=\"{{x}}\"{% endfor %}>",
        "<b x-data=\"{{v}}\">",
        "<b @click=\"{{v}}\">",
        "<a {% if v %}href=\"{% else %}title=\"{% endif %}{{v}}\">",
        "<p title=\"{{v}}",
        "<p",
        "<script>",
        "<b>{% if v %}<i{% endif %}",
        "<p {% if v %}on{% endif %}click=\"{{v}}\">",
        "<{% if v %}script{% endif %}>",
        "<!{% if v %}-- x",
        "<b onclick=\"a(&#{{v}};)\">",
        "<script>a</{% if v %}script>",
        "<style>@import \"{{v}}\";</style>",
        "<a href=\"{{v}}:x\">",
        "<scr{# #}ipt>",
        "<script>x = a) / {{v}} / b</script>",
        "<input value=\"{% csrf_token %}\">",
    ];
    for template in cases {
        refused(template);
    }
}

#[test]
fn what_may_run_is_a_trusted_url() {
    let url = TrustedUrl::constant("/static/a.js");
    assert_eq!(
        render("<script src=\"{{v}}\"></script>", url),
        "<script src=\"/static/a.js\"></script>"
    );
    assert_eq!(
        render("<script src=\"{{v}}a.js\"></script>", "/static/"),
        "<script src=\"/static/a.js\"></script>"
    );
    assert_eq!(
        render("{% load static %}<script src=\"{% static 'a.js' %}\"></script>", 1),
        "<script src=\"/static/a.js\"></script>"
    );
}

#[test]
fn the_site_s_own_addresses_are_whole() {
    assert_eq!(
        render("<a href=\"{{v}}{% url 'x' %}\">", "https://a"),
        "<a href=\"https://a/x/?a=1&amp;b\">"
    );
    assert_eq!(
        render("<a href=\"/s?next={% url 'x' %}\">", 1),
        "<a href=\"/s?next=/x/%3Fa%3D1%26b\">"
    );
}

#[test]
fn markup_counts_in_text_only() {
    let html = || Markup::danger_trusted("<b>&amp;</b>\"");
    assert_eq!(render("{{v}}", html()), "<b>&amp;</b>\"");
    assert_eq!(
        render("<p title=\"{{v}}\">", html()),
        "<p title=\"&lt;b&gt;&amp;&lt;/b&gt;&quot;\">"
    );
    assert_eq!(
        render("<p title=\"{% autoescape off %}{{v}}{% endautoescape %}\">", "\" x"),
        "<p title=\"&quot; x\">"
    );
    assert_eq!(
        render("<a href=\"{{v|safe}}\">", "javascript:x"),
        "<a href=\"about:invalid#donjon\">"
    );
}

#[test]
fn golden_language() {
    let values = || {
        context! { v: "<a>", n: 3, none: (), list: vec!["x", "y", "z"], empty: Vec::<i64>::new(),
        pairs: vec![Value::from(vec!["a", "1"]), Value::from(vec!["b", "2"])],
        map: [("k", Value::from("<v>"))].into_iter().collect::<Value>(), html: Markup::danger_trusted("<i>") }
    };
    let cases = [
        ("{{ missing }}|{{ map.k }}|{{ list.1 }}|{{ list.9 }}|{{ none }}", "|&lt;v&gt;|y||None"),
        ("{{ list }}", "[&#x27;x&#x27;, &#x27;y&#x27;, &#x27;z&#x27;]"),
        ("{{ missing|default:\"<b>\" }}{{ missing|default:v }}", "<b>&lt;a&gt;"),
        (
            "{{ v|safe|upper }} {{ v|upper }} {{ html }} {{ html|escape }} {{ v|escape|escape }}",
            "&lt;A&gt; &lt;A&gt; <i> <i> &lt;a&gt;",
        ),
        (
            "{{ list|join:\", <\" }} {{ list|length }} {{ list|first }} {{ n|add:\"4\" }}",
            "x, <y, <z 3 x 7",
        ),
        (
            "{{ n }} item{{ n|pluralize }} {{ 1|yesno:\"a,b\" }} {{ 34.26|floatformat }}",
            "3 items a 34.3",
        ),
        ("{% if n > 2 and not empty %}a{% else %}b{% endif %}", "a"),
        ("{% if missing %}a{% elif 'x' in list %}b{% endif %}", "b"),
        (
            "{% if missing is None %}a{% endif %}{% if n != 3 or 'q' not in list %}b{% endif %}{% if n < 'x' %}c{% endif %}",
            "ab",
        ),
        (
            "{% for x in list %}{{ forloop.counter }}{{ x }}{% if not forloop.last %},{% endif %}{% endfor %}",
            "1x,2y,3z",
        ),
        ("{% for x in list reversed %}{{ x }}{{ forloop.revcounter0 }}{% endfor %}", "z2y1x0"),
        (
            "{% for a, b in pairs %}{{ a }}={{ b }};{% endfor %}{% for k, x in map.items %}{{ k }}{{ x }}{% endfor %}",
            "a=1;b=2;k&lt;v&gt;",
        ),
        (
            "{% for x in empty %}a{% empty %}none{% endfor %}{% for x in missing %}{% empty %}!{% endfor %}",
            "none!",
        ),
        (
            "{% for x in list %}{% for y in list %}{{ forloop.parentloop.counter }}{% endfor %}{% endfor %}",
            "111222333",
        ),
        (
            "{% with a=n b='<' %}{{ a }}{{ b }}{% endwith %}{{ a }}{% with n as q %}{{ q }}{% endwith %}",
            "3<3",
        ),
        (
            "{# c #}{% comment 'x' %}{{ bad| }}{% nope %}{% endcomment %}{% verbatim %}{{ raw }}{% x %}{% endverbatim %}.",
            "{{ raw }}{% x %}.",
        ),
        (
            "{% autoescape off %}{{ v }}{% autoescape on %}{{ v }}{% endautoescape %}{% endautoescape %}",
            "<a>&lt;a&gt;",
        ),
        (
            "{% url 'x' 1 n %} {% url 'y' a=1 as u %}{{ u }}{% url 'missing' as m %}[{{ m }}]",
            "/x/1/3?a=1&amp;b /y/1?a=1&amp;b[]",
        ),
        ("<a href=\"{% url 'x' %}\">", "<a href=\"/x/?a=1&amp;b\">"),
        (
            "<form>{% csrf_token %}</form>",
            "<form><input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"T&quot;k\"></form>",
        ),
        (
            "<input{% if n %} checked{% endif %}{% if v %} disabled{% endif %} name=\"a\">",
            "<input checked disabled name=\"a\">",
        ),
        ("<option {% if n %}selected{% endif %}>", "<option selected>"),
        (
            "{{ user }} {{ v|linebreaksbr }} {{ v|truncatechars:2 }} {{ 'a b'|title }}",
            "ann &lt;a&gt; &lt;… A B",
        ),
        (
            "<script>var a = {{ list }}, b = {{ none }}, c = {{ n }};</script>",
            "<script>var a = [\"x\", \"y\", \"z\"], b = null, c = 3;</script>",
        ),
    ];
    for (template, expected) in cases {
        assert_eq!(render_with(template, &values()), expected, "{template}");
    }
}

#[test]
fn inheritance_and_includes() {
    let templates = Templates::new([
        ("base.html", "<title>{% block title %}Base{% endblock %}</title><a href=\"{% block url %}{% endblock %}\">{% block body %}[{{ v }}]{% endblock body %}</a>"),
        ("mid.html", "{% extends 'base.html' %}{% block body %}mid {{ block.super }}{% endblock %}"),
        ("page.html", "{# c #}{% extends \"mid.html\" %} ignored {% block url %}{{ v }}{% endblock %}{% block body %}{{ block.super }}!{% include 'part.html' with x=v %}{% include 'part.html' with x=1 only %}{% endblock %}"),
        ("part.html", "({{ x }}{{ v }}{{ user }})"),
        ("tree.html", "{{ node.name }}{% for child in node.kids %}<ul>{% include 'tree.html' with node=child %}</ul>{% endfor %}"),
        ("attrs.html", " class=\"{{ v }}\""),
        ("use.html", "<p{% include 'attrs.html' %}>{% include which %}"),
        ("open.html", "<p title=\""),
        ("opens.html", "{% include 'open.html' %}{{ v }}\">"),
        ("mail.txt", "Hello <{{ v }}> {{ v }}"),
    ])
    .unwrap_or_else(|errors| panic!("{errors}"));
    let page = |name: &str, variables: Variables| {
        templates.render(name, &variables, &Site).unwrap_or_else(|e| panic!("{e}"))
    };
    assert_eq!(
        page("page.html", context! { v: "javascript:x" }),
        "<title>Base</title><a href=\"about:invalid#donjon\">mid [javascript:x]!(javascript:xjavascript:xann)(1)</a>"
    );
    let kid = |name: &str| [("name", Value::from(name))].into_iter().collect::<Value>();
    let node: Value =
        [("name", Value::from("<r>")), ("kids", Value::from(vec![kid("a"), kid("b")]))]
            .into_iter()
            .collect();
    assert_eq!(page("tree.html", context! { node }), "&lt;r&gt;<ul>a</ul><ul>b</ul>");
    assert_eq!(
        page("use.html", context! { v: "\"", which: "part.html" }),
        "<p class=\"&quot;\">(&quot;ann)"
    );
    assert_eq!(page("opens.html", context! { v: "\"" }), "<p title=\"&quot;\">");
    assert_eq!(page("mail.txt", context! { v: "&" }), "Hello <&amp;> &amp;");
    assert!(templates.render("open.html", &context! {}, &()).is_err());
    assert!(
        templates.uses("page.html", "user")
            && templates.uses("mid.html", "v")
            && !templates.uses("mid.html", "user")
    );
    assert!(templates.uses("use.html", "anything"));
}

#[test]
fn all_errors_come_at_once_with_their_place() {
    let errors = Templates::new([
        ("a.html", "fine\n  {{ v|nosuch }}"),
        ("b.html", "{% if %}"),
        ("c.html", "{% extends 'gone.html' %}"),
        ("d.html", "{% for x in y %}"),
        ("e.html", "{% nope %}"),
        ("f.html", "<p onclick={{ v }}>"),
        ("g.html", "x{% block a %}{% extends 'a' %}{% endblock %}"),
        ("h.html", "{% extends 'i.html' %}"),
        ("i.html", "{% extends 'h.html' %}"),
    ])
    .unwrap_err();
    assert!(errors.iter().count() >= 8, "{errors}");
    let first = errors.iter().next().unwrap();
    assert_eq!(
        (first.template(), first.line(), first.column(), first.source_line()),
        ("a.html", 2, 3, "  {{ v|nosuch }}")
    );
    let unquoted = errors.iter().find(|error| error.template() == "f.html").unwrap();
    assert_eq!(
        (unquoted.column(), unquoted.hint()),
        (12, "put quotation marks around the value: name=\"{{ … }}\"")
    );
}

#[test]
fn limits_hold() {
    let endless = Templates::new([("t.html", "{% include 't.html' %}")]).unwrap();
    assert!(endless.render("t.html", &context! {}, &()).is_err());
    let many = vec![1i64; 4000];
    let nested = Templates::new([(
        "t.html",
        "{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}",
    )])
    .unwrap();
    assert!(nested.render("t.html", &context! { l: many }, &()).is_err());
    let large = Templates::new([(
        "t.html",
        "{% for a in l %}{% for b in l %}{{ x }}{% endfor %}{% endfor %}",
    )])
    .unwrap();
    assert!(
        large
            .render("t.html", &context! { l: vec![1i64; 2000], x: "x".repeat(1000) }, &())
            .is_err()
    );
    refused(&"{% if a %}".repeat(5000));
    let deep =
        format!("{}{{% include 't.html' %}}{}", "{% if a %}".repeat(60), "{% endif %}".repeat(60));
    let deep = Templates::new([("t.html", deep)]).unwrap();
    assert!(deep.render("t.html", &context! { a: 1 }, &()).is_err());
    let wide = (0..40).map(|i| {
        (
            format!("{i}"),
            format!(
                "{0}{{% include '{1}' %}}{2}",
                "{% with a=1 %}".repeat(20),
                i + 1,
                "{% endwith %}".repeat(20)
            ),
        )
    });
    assert!(Templates::new(wide).is_err());
    let many = (0..40).map(|i| (format!("{i}"), format!("{{% extends '{}' %}}{{% block a %}}{{{{ block.super }}}}{{{{ block.super }}}}{{% endblock %}}", i + 1)));
    assert!(
        Templates::new(many.chain([("40".to_owned(), "{% block a %}{% endblock %}".to_owned())]))
            .is_err()
    );
}

#[test]
fn garbage_neither_panics_nor_leaves_its_place() {
    const PIECES: [&str; 44] = [
        "<p ",
        "<a href=\"",
        "\"",
        "'",
        ">",
        "{{ v }}",
        "{% if v %}",
        "{% else %}",
        "{% endif %}",
        "{% for x in l %}",
        "{% endfor %}",
        "<script>",
        "</script>",
        "<style>",
        "</style>",
        "<!--",
        "-->",
        "onclick=\"",
        "style='",
        "/",
        "`",
        "\\",
        "&#",
        ";",
        "java",
        ":",
        "url(",
        ")",
        "{% block a %}",
        "{% endblock %}",
        "é",
        "{{ v|",
        "{% url 'x' %}",
        "{% include 'u.html' %}",
        "=",
        " ",
        "\n",
        "<title>",
        "</title>",
        "{% with a=v %}",
        "{% endwith %}",
        "{{ l|join:'<' }}",
        "srcdoc=\"",
        "<",
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |bound: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % bound as u64) as usize
    };
    let evil = "\"'><script>pwn()</script>javascript:`${x}`\\";
    let mut accepted = 0;
    for _ in 0..20_000 {
        let source: String = (0..1 + next(9)).map(|_| PIECES[next(PIECES.len())]).collect();
        let Ok(templates) = Templates::new([("t.html", source.as_str()), ("u.html", "{{ v }}")])
        else {
            continue;
        };
        let variables = context! { v: evil, l: vec![evil, evil] };
        if let Ok(page) = templates.render("t.html", &variables, &Site) {
            accepted += 1;
            assert!(!page.contains("<script>pwn"), "{source}\n{page}");
        }
    }
    assert!(accepted > 500, "{accepted}");
}

#[test]
fn scripts_and_styles_get_the_nonce() {
    let page = |template: &str| {
        let templates = Templates::new([("t.html", template)]).unwrap();
        templates.render("t.html", &context! { v: "x" }, &Site).unwrap()
    };
    assert_eq!(
        page("<SCRIPT src=\"/a.js\"></SCRIPT>"),
        "<SCRIPT nonce=\"bm9uY2U=\" src=\"/a.js\"></SCRIPT>"
    );
    assert_eq!(page("<style>a{}</style>"), "<style nonce=\"bm9uY2U=\">a{}</style>");
    let own = "<script nonce=\"bm9uY2U=\">f()</script>";
    assert_eq!(page("<script {% csp_nonce_attr %}>f()</script>"), own);
    assert_eq!(page("<script nonce=\"{{ csp_nonce }}\">f()</script>"), own);
    assert_eq!(
        page("<p title=\"<script>\"><!-- <script> --> <scripts>"),
        "<p title=\"<script>\"><!-- <script> --> <scripts>"
    );
    let templates = Templates::new([("t.html", own)]).unwrap();
    assert_eq!(templates.render("t.html", &context! {}, &()).unwrap(), own);
}
