//! Templates made at random from a grammar of places, the same ones for the same seed.

/// Values that an attacker would choose.
pub(crate) const PAYLOADS: [&str; 44] = [
    "",
    " ",
    "<script>pwn()</script>",
    "</script><script>pwn()</script>",
    "\" onmouseover=\"pwn()",
    "' onmouseover='pwn()",
    "x onmouseover=pwn()",
    "x/onmouseover=pwn()",
    "x\x0conmouseover=pwn()",
    "`x` onmouseover=pwn()",
    "><img src=x onerror=pwn()>",
    "\"><b a=\"",
    "'><b a='",
    "-->",
    "--!>",
    "<!--",
    "<!-- <script>",
    "]]>",
    "javascript:pwn()",
    "\x01 JaVaScRiPt:pwn()",
    "java\tscr\nipt:pwn()",
    "data:text/html,<script>pwn()</script>",
    "script:pwn()",
    ":pwn()",
    "//evil.example",
    "../../x",
    "\\",
    "\\';pwn()//",
    "\\\";pwn()//",
    "${pwn()}",
    "*/pwn();/*",
    "x\npwn()",
    "x\u{2028}pwn()",
    "a/;pwn();/b",
    "red}body{a:b",
    "url(//e)",
    "</style><b>",
    "</title><b>",
    "</textarea><b>",
    "&quot; onclick=&quot;",
    "&#34;&#x27;&lt;b&gt;",
    "\0<b>",
    "\u{202e}\u{fffd}<b \u{a0}>",
    "=\"><b>",
];

/// A page, and a part that it includes.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) page: String,
    pub(crate) part: String,
}

const ELEMENTS: [&str; 12] =
    ["p", "div", "a", "b", "span", "ul", "li", "table", "svg", "math", "button", "noscript"];

const ATTRIBUTES: [&str; 22] = [
    "title=",
    "href=",
    "src=",
    "class=",
    "id=",
    "style=",
    "onclick=",
    "data-x=",
    "value=",
    "srcset=",
    "srcdoc=",
    "action=",
    "xlink:href=",
    "alt = ",
    "name=",
    "formaction=",
    "x-data=",
    "aria-label=",
    "lang=",
    "content=",
    "poster=",
    "cite= ",
];

const PREFIXES: [&str; 22] = [
    "",
    "",
    "",
    "",
    "/a/",
    "/s?q=",
    "https://h/",
    "//",
    "#",
    "java",
    "  ",
    "color:",
    "f('",
    "f(",
    "\\",
    "&",
    "&#",
    "mailto:",
    "url(",
    "a b ",
    "&quot;",
    "https:\t/",
];

const SUFFIXES: [&str; 12] =
    ["", "", "", "/x", "&amp;b=1", "')", ")", ":", ";a:b", "&#34;", " 2x", "="];

const HOLES: [&str; 9] = [
    "{{v}}",
    "{{ v }}",
    "{{v}}{{w}}",
    "{% if yes %}{{v}}{% endif %}",
    "{% if yes %}{{v}}{% else %}a{% endif %}",
    "{% for x in list %}{{x}}{% endfor %}",
    "{{v|upper}}",
    "{% include \"part.html\" %}",
    "{{v|urlencode}}",
];

/// Elements of which the content is no markup, with what can stand around a hole in them.
const CONTENTS: [(&str, &str); 26] = [
    ("<script>var a = ", ";</script>"),
    ("<script>var a = '", "';</script>"),
    ("<script>var a = \"", "\";</script>"),
    ("<script>var a = `", "`;</script>"),
    ("<script>var a = /", "/;</script>"),
    ("<script>a = b / 2; f(", ")</script>"),
    ("<script>if (a) /x/.test(b); c = ", "</script>"),
    ("<script>a = `b` + ", "</script>"),
    ("<script>// ", "\n</script>"),
    ("<script>/* ", " */</script>"),
    ("<script>a <", "</script>"),
    ("<script>'<'+'/", "'</script>"),
    ("<script type=\"application/json\">{\"a\": ", "}</script>"),
    ("<script type=module>a(", ")</script>"),
    ("<script type=\"text/template\"><b>", "</b></script>"),
    ("<script type=importmap>\"", "\"</script>"),
    ("<style>p{color:", "}</style>"),
    ("<style>p{a:\"", "\"}</style>"),
    ("<style>p{a:url(", ")}</style>"),
    ("<style>/*", "*/</style>"),
    ("<title>", "</title>"),
    ("<textarea>", "</textarea>"),
    ("<xmp>", "</xmp>"),
    ("<iframe>", "</iframe>"),
    ("<!--", "-->"),
    ("<!doctype ", ">"),
];

/// Pieces that are rarely in a page, and that a parser reads in its own way.
const ODD: [&str; 14] = [
    "<!-->",
    "<!--->",
    "</>",
    "</ x>",
    "<?x?>",
    "<!x>",
    "< b",
    "<p/ a>",
    "<p a=>",
    "<p a=\"b\"c>",
    "<p =a>",
    "<p a='\"'>",
    "<br/>",
    "<a b=c/>",
];

pub(crate) struct Generator {
    state: u64,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number of a linear congruence, its better half.
    fn below(&mut self, bound: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    pub(crate) fn payload(&mut self) -> String {
        let first = self.pick(&PAYLOADS);
        let second = if self.below(4) == 0 { self.pick(&PAYLOADS) } else { "" };
        format!("{first}{second}")
    }

    pub(crate) fn source(&mut self) -> Source {
        let mut page = String::new();
        for _ in 0..=self.below(2) {
            self.piece(&mut page, 0);
        }
        Source { page, part: self.pick(&["{{v}}", "{{v}}/", "a{{v}}", "<b>{{v}}</b>"]).to_owned() }
    }

    fn piece(&mut self, page: &mut String, depth: usize) {
        match self.below(10) {
            0..4 if depth < 3 => self.element(page, depth),
            4 | 5 => {
                let (before, after) = CONTENTS[self.below(CONTENTS.len())];
                let hole = self.pick(&HOLES);
                page.push_str(&format!("{before}{hole}{after}"));
            }
            6 => page.push_str(self.pick(&ODD)),
            _ => page.push_str(self.pick(&HOLES)),
        }
    }

    fn element(&mut self, page: &mut String, depth: usize) {
        let name = self.pick(&ELEMENTS);
        page.push_str(&format!("<{name}"));
        for _ in 0..self.below(3) {
            self.attribute(page);
        }
        page.push('>');
        for _ in 0..self.below(3) {
            self.piece(page, depth + 1);
        }
        page.push_str(&format!("</{name}>"));
    }

    fn attribute(&mut self, page: &mut String) {
        let (name, quote) = (self.pick(&ATTRIBUTES), self.pick(&["\"", "'", ""]));
        let (prefix, hole) = (self.pick(&PREFIXES), self.pick(&HOLES));
        let suffix = self.pick(&SUFFIXES);
        page.push_str(&format!(" {name}{quote}{prefix}{hole}{suffix}{quote}"));
    }
}
