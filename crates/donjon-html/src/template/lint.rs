//! What is allowed in a template and is better not done.
//!
//! Stops forms that every post of which is refused, tokens that leave for another site, and places where escaping is
//! left to luck. Each finding has a code:
//!
//! 1. `T001`: a form that posts to the site has no `{% csrf_token %}`.
//! 2. `T002`: a form that posts to another site has one.
//! 3. `T003`: an inline script or style has no nonce, in a template that does not get one by itself.
//! 4. `T004`: escaping is switched off: `{% autoescape off %}`, or `safe`.
//! 5. `T005`: an attribute's value with a variable has no quotes.
//! 6. `T006`: an event handler in an attribute, which a strict Content-Security-Policy does not run.
//! 7. `T007`: a variable in a script or in an address that begins with it, in a template that escapes as Django does.

use std::fmt;

use super::engine::Escape;
use super::lexer::{self, Kind, Token};
use crate::markup_reader::{Piece, Reader};

/// What stands in place of a hole, and of the CSRF token, in the text that is looked at.
const HOLE: u8 = 1;
const CSRF: u8 = 2;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LintCode {
    /// `T001`.
    MissingToken,
    /// `T002`.
    ForeignToken,
    /// `T003`.
    MissingNonce,
    /// `T004`.
    Unescaped,
    /// `T005`.
    Unquoted,
    /// `T006`.
    EventHandler,
    /// `T007`.
    OpenContext,
}

impl LintCode {
    /// The code, as it is printed.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::MissingToken => "T001",
            Self::ForeignToken => "T002",
            Self::MissingNonce => "T003",
            Self::Unescaped => "T004",
            Self::Unquoted => "T005",
            Self::EventHandler => "T006",
            Self::OpenContext => "T007",
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::MissingToken => (
                "a form that posts has no {% csrf_token %}",
                "every post of it is refused: put {% csrf_token %} behind the form's tag",
            ),
            Self::ForeignToken => (
                "a form sends its token to another site",
                "remove {% csrf_token %}: whoever has it can act for the visitor",
            ),
            Self::MissingNonce => (
                "an inline script or style without a nonce",
                "add {% csp_nonce_attr %}, or let the template escape by context",
            ),
            Self::Unescaped => (
                "escaping is switched off",
                "let the program vouch for what is HTML, with the type Markup",
            ),
            Self::Unquoted => {
                ("a variable in an attribute value without quotes", "put quotation marks around it")
            }
            Self::EventHandler => (
                "an event handler in an attribute",
                "a strict Content-Security-Policy does not run it: use addEventListener",
            ),
            Self::OpenContext => (
                "a variable where escaping for HTML is not enough",
                "let the template escape by context",
            ),
        }
    }
}

/// A finding: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    code: LintCode,
    template: String,
    line: usize,
    column: usize,
}

impl Lint {
    /// What it is about.
    #[must_use]
    pub fn code(&self) -> LintCode {
        self.code
    }

    /// The name of the template.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is found.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.code.words().0
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.code.words().1
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, template, line, column } = self;
        let (message, hint) = code.words();
        write!(f, "{template}:{line}:{column}: {} {message}\n    {hint}", code.code())
    }
}

/// What is better not done in a template of that source, in the order of its lines.
#[must_use]
pub fn lint(name: &str, source: &str, escape: Escape) -> Vec<Lint> {
    let tokens = lexer::tokens(source);
    let mut found: Vec<(usize, LintCode)> = tokens
        .iter()
        .filter(|token| switches_off(token, source))
        .map(|token| (token.span.start, LintCode::Unescaped))
        .collect();
    let flat = flat(source, &tokens);
    Markup { flat: &flat, escape, found: &mut found, form: None, script: None }.read();
    found.sort_unstable();
    found.dedup();
    let mut lines = Lines { source, at: 0, line: 1, start: 0 };
    found.into_iter().map(|(at, code)| lines.lint(name, at, code)).collect()
}

fn switches_off(token: &Token, source: &str) -> bool {
    let contents = token.contents(source);
    match token.kind {
        Kind::Tag => contents.split_whitespace().eq(["autoescape", "off"]),
        Kind::Hole => contents.split('|').skip(1).any(|filter| {
            let name = filter.split(':').next().unwrap_or_default().trim();
            matches!(name, "safe" | "safeseq")
        }),
        _ => false,
    }
}

/// The template as HTML of the same length: with marks for holes and tokens, and spaces for all other tags.
fn flat(source: &str, tokens: &[Token]) -> String {
    let mut flat = source.as_bytes().to_vec();
    for token in tokens {
        let mark = match (token.kind, token.contents(source)) {
            (Kind::Text, _) => continue,
            (Kind::Hole, _) => HOLE,
            (Kind::Tag, "csrf_token") => CSRF,
            (Kind::Tag, contents)
                if contents.starts_with("url ") || contents.starts_with("static ") =>
            {
                b'u'
            }
            _ => b' ',
        };
        let nonce = token.kind == Kind::Tag && token.contents(source) == "csp_nonce_attr";
        for (offset, byte) in
            flat.iter_mut().skip(token.span.start).take(token.span.len()).enumerate()
        {
            *byte = if nonce { b"nonce= ".get(offset).copied().unwrap_or(b' ') } else { mark };
        }
    }
    String::from_utf8_lossy(&flat).into_owned()
}

struct Form {
    at: usize,
    foreign: bool,
    token: bool,
}

struct Markup<'f> {
    flat: &'f str,
    escape: Escape,
    found: &'f mut Vec<(usize, LintCode)>,
    form: Option<Form>,
    /// Whether the text belongs to an inline script or style.
    script: Option<usize>,
}

impl<'f> Markup<'f> {
    fn read(mut self) {
        let mut at = 0;
        for piece in Reader::new(self.flat) {
            let start = at;
            match piece {
                Piece::Text(text) | Piece::Unfinished(text) => {
                    at += text.len();
                    self.text(text, start);
                }
                Piece::Start(tag, name, _) => {
                    at += tag.len();
                    self.start(tag, name, start);
                }
                Piece::End(name) => {
                    at = self.behind(start);
                    self.script = None;
                    if name.eq_ignore_ascii_case("form") {
                        self.close_form();
                    }
                }
                Piece::Other => at = self.behind(start),
            }
        }
        self.close_form();
    }

    /// Where the piece that begins there ends: these end with `>`.
    fn behind(&self, start: usize) -> usize {
        let rest = self.flat.get(start..).unwrap_or_default();
        let mark = if rest.starts_with("<!--") { "-->" } else { ">" };
        rest.find(mark).map_or(self.flat.len(), |end| start + end + mark.len())
    }

    fn text(&mut self, text: &str, start: usize) {
        if let Some(form) = &mut self.form {
            form.token |= text.as_bytes().contains(&CSRF);
        }
        let hole = memchr::memchr(HOLE, text.as_bytes());
        if let (Some(hole), Some(_), Escape::Django) = (hole, self.script, self.escape) {
            self.found.push((start + hole, LintCode::OpenContext));
        }
    }

    fn start(&mut self, tag: &'f str, name: &str, start: usize) {
        let attributes = attributes(tag, name.len() + 1);
        let value = |wanted: &str| {
            let mut found = attributes.iter().filter(|a| a.name.eq_ignore_ascii_case(wanted));
            found.next().map(|attribute| attribute.value)
        };
        for attribute in &attributes {
            self.attribute(attribute, start);
        }
        if name.eq_ignore_ascii_case("form") {
            self.close_form();
            let posts = value("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
            let action = value("action").unwrap_or_default().trim().to_ascii_lowercase();
            let foreign = ["http:", "https:", "//"].iter().any(|start| action.starts_with(start));
            self.form = posts.then_some(Form { at: start, foreign, token: false });
        }
        let code = name.eq_ignore_ascii_case("script") && value("src").is_none();
        if code || name.eq_ignore_ascii_case("style") {
            self.script = Some(start);
            if value("nonce").is_none() && self.escape == Escape::Django {
                self.found.push((start, LintCode::MissingNonce));
            }
        }
    }

    fn attribute(&mut self, attribute: &Attribute<'_>, start: usize) {
        let has_hole = attribute.value.as_bytes().contains(&HOLE);
        let at = start + attribute.at;
        let is_handler = attribute.name.get(..2).is_some_and(|on| on.eq_ignore_ascii_case("on"));
        if is_handler && attribute.name.len() > 2 {
            self.found.push((at, LintCode::EventHandler));
        }
        if has_hole && !attribute.quoted {
            self.found.push((at, LintCode::Unquoted));
        }
        let is_address = ["href", "src", "action", "formaction", "srcdoc", "style"]
            .iter()
            .any(|name| attribute.name.eq_ignore_ascii_case(name));
        let begins = attribute.value.trim_start().as_bytes().first() == Some(&HOLE);
        let open = is_handler && has_hole || is_address && begins;
        if open && self.escape == Escape::Django {
            self.found.push((at, LintCode::OpenContext));
        }
    }

    fn close_form(&mut self) {
        let Some(form) = self.form.take() else { return };
        match (form.foreign, form.token) {
            (false, false) => self.found.push((form.at, LintCode::MissingToken)),
            (true, true) => self.found.push((form.at, LintCode::ForeignToken)),
            _ => {}
        }
    }
}

struct Attribute<'t> {
    /// Where in the tag it begins.
    at: usize,
    name: &'t str,
    value: &'t str,
    quoted: bool,
}

fn attributes(tag: &str, from: usize) -> Vec<Attribute<'_>> {
    let mut attributes = Vec::new();
    let is_space = |c: char| c.is_ascii_whitespace() || c == '/';
    let mut at = from;
    while let Some(rest) = tag.get(at..).filter(|rest| !rest.is_empty()) {
        let skipped = rest.find(|c| !is_space(c) && c != '>').unwrap_or(rest.len());
        at += skipped;
        let rest = rest.get(skipped..).unwrap_or_default();
        let length = rest.find(|c: char| is_space(c) || c == '=' || c == '>').unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        let begun = at;
        at += length;
        let Some(value) = after.trim_start().strip_prefix('=') else {
            if length == 0 {
                at += after.chars().next().map_or(1, char::len_utf8);
            } else {
                attributes.push(Attribute { at: begun, name, value: "", quoted: true });
            }
            continue;
        };
        let value = value.trim_start();
        let start = tag.len() - value.len();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, end) = match quote {
            Some(quote) => {
                let inner = value.get(1..).unwrap_or_default();
                let length = inner.find(quote).unwrap_or(inner.len());
                (inner.get(..length).unwrap_or_default(), start + length + 2)
            }
            None => {
                let length = value
                    .find(|c: char| c.is_ascii_whitespace() || c == '>')
                    .unwrap_or(value.len());
                (value.get(..length).unwrap_or_default(), start + length)
            }
        };
        at = end;
        attributes.push(Attribute { at: begun, name, value, quoted: quote.is_some() });
    }
    attributes
}

/// Lines and columns of places that come in order.
struct Lines<'s> {
    source: &'s str,
    at: usize,
    line: usize,
    start: usize,
}

impl Lines<'_> {
    fn lint(&mut self, name: &str, at: usize, code: LintCode) -> Lint {
        let between = self.source.as_bytes().get(self.at..at).unwrap_or_default();
        for offset in memchr::memchr_iter(b'\n', between) {
            self.line += 1;
            self.start = self.at + offset + 1;
        }
        self.at = at;
        let before = self.source.get(self.start..at).unwrap_or_default();
        Lint { code, template: name.into(), line: self.line, column: before.chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, escape: Escape) -> Vec<(&'static str, usize)> {
        lint("t.html", source, escape)
            .iter()
            .map(|lint| (lint.code().code(), lint.line()))
            .collect()
    }

    #[test]
    fn each_rule() {
        let by_context = [
            ("<form method=\"post\"></form>", "T001"),
            ("<form METHOD=post action=\"{% url 'x' %}\"><p></form>", "T001"),
            ("<form method=post action=\"https://other.example/\">{% csrf_token %}</form>", "T002"),
            ("{% autoescape off %}{% endautoescape %}", "T004"),
            ("{{ a|lower|safe }}", "T004"),
            ("<p title={{ a }}>", "T005"),
            ("<p onclick=\"f()\">", "T006"),
        ];
        for (source, code) in by_context {
            assert_eq!(found(source, Escape::Contextual), [(code, 1)], "{source}");
        }
        let as_django = [
            ("<script>f()</script>", "T003"),
            ("<style>p{}</style>", "T003"),
            ("<a href=\"{{ a }}\">", "T007"),
            ("<script nonce=\"x\">var a = {{ a }}</script>", "T007"),
        ];
        for (source, code) in as_django {
            assert_eq!(found(source, Escape::Django), [(code, 1)], "{source}");
            assert_eq!(found(source, Escape::Contextual), [], "{source}");
        }
    }

    #[test]
    fn what_is_fine() {
        for source in [
            "<form method=\"post\">{% csrf_token %}</form>",
            "<form method=post action=\"https://other.example/\"></form>",
            "<form></form><p title=\"{{ a }}\" class=x data-on=\"1\">{{ a|default:\"safe\" }}</p>",
            "<script src=\"/a.js\"></script><script {% csp_nonce_attr %}>f()</script>",
            "<!-- <form method=post> -->{# {{ a|safe }} #}",
        ] {
            assert_eq!(found(source, Escape::Django), [], "{source}");
        }
    }

    #[test]
    fn places_are_told() {
        let lints = lint("t.html", "é\n<p>\n <p title={{ a }}>", Escape::Contextual);
        assert_eq!(lints.first().map(|lint| (lint.line(), lint.column())), Some((3, 5)));
    }
}
