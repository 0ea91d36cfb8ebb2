//! Templates with a value that an attacker would choose: inert when accepted, or refused with these words.

/// What is to become of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Inert,
    /// The message says this.
    Refused(&'static str),
}

use Verdict::{Inert, Refused};

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) template: &'static str,
    pub(crate) value: &'static str,
    pub(crate) verdict: Verdict,
}

const fn case(
    name: &'static str,
    template: &'static str,
    value: &'static str,
    verdict: Verdict,
) -> Case {
    Case { name, template, value, verdict }
}

const TAG_NAME: Verdict = Refused("the name of a tag");
const NAME: Verdict = Refused("the name of an attribute");
const COMMENT: Verdict = Refused("a comment of a script");
const PLUGIN: Verdict = Refused("can take over the page");

pub(crate) const CASES: [Case; 77] = [
    case("T01", "<p>{{v}}</p>", "<script>pwn()</script>", Inert),
    case("T02", "<p>{{v}}</p>", "&lt;img src=x onerror=pwn()&gt;", Inert),
    case("T03", "<p title=\"{{v}}\">", "\" onmouseover=\"pwn()", Inert),
    case("T04", "<p title='{{v}}'>", "' onmouseover='pwn()", Inert),
    case("T05", "<p title={{v}}>", "x onmouseover=pwn()", Inert),
    case("T06", "<p title={{v}}>", "x\x0conmouseover=pwn()", Inert),
    case("T07", "<p title={{v}}>", "x/onmouseover=pwn()", Inert),
    case("T08", "<p title={{v}}>", "`x` onmouseover=pwn()", Inert),
    case("T09", "<p title={{v}} onclick=ok()>", "", Inert),
    case("T10", "<p {{v}}=\"1\">", "onmouseover", NAME),
    case("T11", "<p data-{{v}}=\"pwn()\">", "x onmouseover", NAME),
    case("T12", "<{{v}}>pwn()</{{v}}>", "script", TAG_NAME),
    case("T13", "<a href=\"{{v}}\">a</a>", "javascript:pwn()", Inert),
    case("T14", "<a href=\"{{v}}\">a</a>", "\x01 JaVaScRiPt:pwn()", Inert),
    case("T15", "<a href=\"{{v}}\">a</a>", "java\tscr\nipt:pwn()", Inert),
    case("T16", "<a href=\"java{{v}}\">a</a>", "script:pwn()", Refused("the start of a scheme")),
    case("T17", "<a href=\"  {{v}}\">a</a>", "javascript:pwn()", Inert),
    case("T18", "<a href=\"{{v}}\">a</a>", "data:text/html,<script>pwn()</script>", Inert),
    case("T19", "<a href=\"/s?q={{v}}&amp;ok=1\">a</a>", "a&admin=1#f", Inert),
    case("T20", "<a href=\"/u/{{v}}/edit\">a</a>", "../../logout?x=", Inert),
    case("T21", "<a href=\"//{{v}}/x\">a</a>", "evil.example/", Refused("the host of a URL")),
    case("T22", "<a href=\"/{{v}}\">a</a>", "/evil.example", Inert),
    case("T23", "<form action=\"{{v}}\"></form>", "javascript:pwn()", Inert),
    case("T24", "<form><button formaction=\"{{v}}\">b</button></form>", "javascript:pwn()", Inert),
    case("T25", "<iframe src=\"{{v}}\"></iframe>", "javascript:parent.pwn()", Inert),
    case("T26", "<iframe srcdoc=\"{{v}}\"></iframe>", "<script>parent.pwn()</script>", Inert),
    case("T27", "<script src=\"{{v}}\"></script>", "data:text/javascript,pwn()", Inert),
    case("T28", "<script src=\"/static/{{v}}.js\"></script>", "../../u/1/avatar", Inert),
    case("T29", "<link rel=stylesheet href=\"{{v}}\">", "data:text/css,*{color:red}", Inert),
    case(
        "T30",
        "<object data=\"{{v}}\"></object>",
        "data:text/html,<script>pwn()</script>",
        PLUGIN,
    ),
    case("T31", "<base href=\"{{v}}\">", "//evil.example/", PLUGIN),
    case(
        "T32",
        "<meta http-equiv=refresh content=\"0;url={{v}}\">",
        "javascript:pwn()",
        Refused("the content of <meta http-equiv>"),
    ),
    case(
        "T33",
        "<meta http-equiv=refresh content=\"0; url = {{v}}\">",
        "data:text/html,x",
        Refused("the content of <meta http-equiv>"),
    ),
    case("T34", "<svg><a xlink:href=\"{{v}}\">a</a></svg>", "javascript:pwn()", Inert),
    case(
        "T35",
        "<svg><animate attributeName=href to=\"{{v}}\"></animate></svg>",
        "javascript:pwn()",
        Refused("an animation"),
    ),
    case("T36", "<img srcset=\"/a.png 1x, {{v}} 2x\">", "x 9x, javascript:pwn()", Inert),
    case("T37", "<script>var a = {{v}};</script>", "1;pwn()", Inert),
    case("T38", "<script>var a='{{v}}';</script>", "\\", Inert),
    case("T39", "<script>var a='{{v}}', b='{{v}}';</script>", "\\;pwn()//", Inert),
    case("T40", "<script>var a=\"{{v}}\";</script>", "x\n", Inert),
    case("T41", "<script>var a=`{{v}}`;</script>", "${pwn()}", Refused("a template literal")),
    case("T42", "<script>var a=/{{v}}/;</script>", "a/;pwn();/b", Refused("a regular expression")),
    case("T43", "<script>// {{v}}\n</script>", "x\npwn()", COMMENT),
    case("T44", "<script>/* {{v}} */</script>", "*/pwn();/*", COMMENT),
    case("T45", "<script>// {{v}}\n</script>", "x\u{2028}pwn()", COMMENT),
    case("T46", "<p onclick=\"f('{{v}}')\">p</p>", "');pwn();('", Inert),
    case("T47", "<p onclick=\"f({{v}})\">p</p>", "pwn()", Inert),
    case("T48", "<p onclick=f({{v}})>p</p>", "1)+pwn(", Refused("without quotes")),
    case(
        "T49",
        "<a href=\"javascript:f('{{v}}')\">a</a>",
        "%27);pwn();(%27",
        Refused("a scheme that runs code"),
    ),
    case("T50", "<style>p{color:{{v}}}</style>", "red}body{background:url(//e)", Inert),
    case(
        "T51",
        "<style>p:after{content:\"{{v}}\"}</style>",
        "</style><script>pwn()</script>",
        Inert,
    ),
    case("T52", "<p style=\"color:{{v}}\">p</p>", "red;position:fixed;top:0", Inert),
    case("T53", "<p style=\"background:url({{v}})\">p</p>", "//e/x);position:fixed", Inert),
    case("T54", "<p style='font-family:\"{{v}}\"'>p</p>", "\\", Inert),
    case("T55", "<!-- {{v}} -->", "--><script>pwn()</script>", Inert),
    case("T56", "<!-- {{v}} -->", "--!><img src=x onerror=pwn()>", Inert),
    case("T57", "<textarea>{{v}}</textarea>", "</textarea><script>pwn()</script>", Inert),
    case("T58", "<title>{{v}}</title>", "</title><script>pwn()</script>", Inert),
    case(
        "T59",
        "<script type=\"application/json\">{{v|safe}}</script>",
        "\"</script><script>pwn()</script>",
        Refused("safe"),
    ),
    case(
        "T60",
        "<script type=\"importmap\">{\"imports\":{\"a\":\"{{v}}\"}}</script>",
        "data:text/javascript,pwn()",
        Refused("an import map"),
    ),
    case(
        "T61",
        "<noscript><p title=\"{{v}}\"></p></noscript>",
        "</noscript><script>pwn()</script>",
        Inert,
    ),
    case("T62", "<xmp>{{v}}</xmp>", "</xmp><script>pwn()</script>", Refused("raw text")),
    case(
        "T63",
        "<script type=\"text/template\"><b>{{v}}</b></script>",
        "</script><script>pwn()</script>",
        Inert,
    ),
    case("T64", "<img id=\"{{v}}\">", "currentScript", Inert),
    case("T65", "<form><input name=\"{{v}}\"></form>", "action", Inert),
    case("T66", "<a target=\"{{v}}\">a</a>", "_blank", Inert),
    case("T67", "<div data-content=\"{{v}}\"></div>", "<img src=x onerror=pwn()>", Inert),
    case("T68", "<p {% for k in list %} {{v}}=\"{{k}}\"{% endfor %}>", "onmouseover", NAME),
    case(
        "T69",
        "<a {% if v %}href=\"{% else %}title=\"{% endif %}{{v}}\">a</a>",
        "javascript:pwn()",
        Refused(""),
    ),
    case("T70", "<p x-data=\"{{v}}\" @click=\"{{v}}\">p</p>", "pwn()", Refused("script library")),
    case("unquoted URL", "<a href={{v}}>a</a>", "javascript:pwn() onclick=pwn()", Inert),
    case("unquoted query", "<a href=/s?q={{v}}>a</a>", "a onclick=pwn()", Inert),
    case("unquoted style", "<p style=color:{{v}}>p</p>", "red onclick=pwn()", Inert),
    case(
        "unquoted srcdoc",
        "<iframe srcdoc={{v}}></iframe>",
        "<script>parent.pwn()</script>",
        Inert,
    ),
    case(
        "markup in a srcdoc",
        "<iframe srcdoc=\"<script>{{v}}</script>\"></iframe>",
        "parent.pwn()",
        Refused("srcdoc"),
    ),
    case(
        "a tab behind a scheme",
        "<a href=\"https:\t/{{v}}/\">a</a>",
        "evil.example",
        Refused("the host of a URL"),
    ),
    case("CDATA", "<svg><![CDATA[ > {{v}} ]]></svg>", "x", Refused("CDATA")),
];
