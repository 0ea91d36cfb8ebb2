//! Where in a page a hole of a template stands, and what may be printed there.
//!
//! Stops script injection (CWE-79) where HTML escaping is not enough. A template's text is read once, when it is
//! loaded, as a browser reads it:
//!
//! 1. Each hole has one context; a hole whose context cannot be told, or has no safe form, is refused.
//! 2. Names of tags and attributes are literal. A value without quotes may hold a hole, but for scripts; white space
//!    and all that could end the value are then escaped too, and an empty value becomes a space, as what follows would
//!    be the value else.
//! 3. What is put together from pieces so that a browser could read it otherwise (`<!{% if %}--`) is refused.
//! 4. Branches end in the same context, and a page ends in text.
//! 5. What cannot be followed for certain (a regular expression or a division?) is followed no further: the text may
//!    stand there, a hole may not.

mod attribute;
mod css;
mod entity;
mod js;
mod url;

pub(crate) use attribute::{Attribute, Element, ScriptKind, Value};
pub(crate) use css::Css;
pub(crate) use js::Js;

/// Why a template is refused: what is wrong, what to do, and where in the piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>, hint: &'static str) -> Self {
        Self { at: 0, message: message.into(), hint }
    }

    fn at(self, at: usize) -> Self {
        Self { at: self.at + at, ..self }
    }
}

/// A place in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Context {
    /// A template that is no HTML at all: a mail, `robots.txt`.
    Plain,
    Text,
    /// With the number of dashes just seen; three stands for `--!`.
    Comment(u8),
    /// `<!doctype …`.
    Declaration,
    /// Behind the name of a tag.
    TagName(Element),
    /// Between the attributes of a tag.
    Tag(Element),
    /// Directly behind an attribute's name.
    Name(Element, Attribute),
    /// Behind an attribute's name and white space.
    AfterName(Element, Attribute),
    /// Behind the `=`.
    BeforeValue(Element, Attribute),
    Value(Element, Value, Quote),
    /// `<title>` and `<textarea>`.
    RcData(Element),
    /// `<xmp>` and its like.
    Raw(Element),
    Script(ScriptKind, Js),
    Style(Css),
}

/// What stands around an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Quote {
    Double,
    Single,
    Unquoted,
}

/// What is to be written in a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    Nothing,
    Html,
    /// Text where no element can stand.
    TextOnly,
    SrcDoc,
    UrlStart,
    /// The start of an address whose content runs.
    UrlCode,
    UrlSegment,
    UrlQuery,
    UrlEncodedSegment,
    UrlEncodedQuery,
    SrcSet,
    CssUrl,
    CssValue,
    CssString,
    JsValue,
    JsString,
    /// Text that `escapejs` has escaped already.
    JsEscaped,
}

/// How a hole is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Escaper {
    pub(crate) slot: Slot,
    /// Whether the result stands in an attribute, and is escaped for that too.
    pub(crate) attribute: bool,
    pub(crate) unquoted: Unquoted,
}

/// Whether a hole stands in a value without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Unquoted {
    No,
    /// The value begins with the hole.
    Start,
    Inside,
}

impl Escaper {
    pub(crate) const NOTHING: Self =
        Self { slot: Slot::Nothing, attribute: false, unquoted: Unquoted::No };
}

const CUT_HINT: &str = "write it in one piece, without a tag or a variable inside";

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c')
}

impl Context {
    /// The context behind `text`.
    pub(crate) fn feed(self, text: &str) -> Result<Self, Fault> {
        let mut reader = Reader { text, at: 0 };
        let mut context = self;
        while reader.at < text.len() {
            let at = reader.at;
            context = reader.step(context).map_err(|fault| fault.at(at))?;
        }
        Ok(context)
    }

    /// What a hole here prints, and the context behind it.
    pub(crate) fn hole(self) -> Result<(Escaper, Self), Fault> {
        let (slot, after) = match self {
            Self::Plain | Self::Text => (Slot::Html, self),
            Self::Comment(_) => (Slot::Nothing, self),
            Self::RcData(_) | Self::Script(ScriptKind::Data, _) => (Slot::TextOnly, self),
            Self::BeforeValue(element, attribute) => return first_hole(element, attribute),
            Self::Value(element, value, quote) => {
                let unquoted =
                    if quote == Quote::Unquoted { Unquoted::Inside } else { Unquoted::No };
                return value_hole(element, value, quote, unquoted);
            }
            Self::Script(ScriptKind::Rules, _) => {
                return Err(Fault::new(
                    "a variable in an import map or in speculation rules",
                    "these decide which code runs: write them literally",
                ));
            }
            Self::Script(kind, js) => js.hole().map(|(slot, js)| (slot, Self::Script(kind, js)))?,
            Self::Style(css) => css.hole().map(|(slot, css)| (slot, Self::Style(css)))?,
            Self::Raw(_) => {
                return Err(Fault::new(
                    "a variable in an element that is raw text",
                    "use <pre> instead",
                ));
            }
            Self::Declaration => {
                return Err(Fault::new("a variable in a declaration (<!…>)", "write it literally"));
            }
            Self::TagName(_) => {
                return Err(Fault::new(
                    "a variable in the name of a tag",
                    "write each tag literally, in the branches of an {% if %}",
                ));
            }
            Self::Tag(_) | Self::Name(..) | Self::AfterName(..) => {
                return Err(Fault::new(
                    "a variable in the name of an attribute",
                    "write the name literally; only its quoted value can be a variable",
                ));
            }
        };
        Ok((Escaper { slot, ..Escaper::NOTHING }, after))
    }

    /// The one context behind two branches, if they agree.
    pub(crate) fn join(self, other: Self) -> Option<Self> {
        if self == other {
            return Some(self);
        }
        match (self, other) {
            (Self::Script(a, x), Self::Script(b, y)) if a == b => Some(Self::Script(a, x.join(y)?)),
            (Self::Style(a), Self::Style(b)) => Some(Self::Style(a.join(b)?)),
            (Self::Value(e, a, q), Self::Value(f, b, r)) if q == r => {
                Some(Self::Value(e.join(f)?, a.join(b)?, q))
            }
            (Self::Comment(_), Self::Comment(_)) => None,
            _ => join_in_tag(self, other),
        }
    }

    /// The element in whose tag this is.
    fn tag(self) -> Option<Element> {
        match self {
            Self::TagName(element)
            | Self::Tag(element)
            | Self::Name(element, _)
            | Self::AfterName(element, _) => Some(element),
            _ => None,
        }
    }

    /// Whether this is in a URL, directly behind a variable with which the URL begins.
    pub(crate) fn is_behind_base(self) -> bool {
        matches!(self, Self::Value(_, Value::Url(_, url::Url::AfterHole), _))
    }

    /// Whether a page may end here.
    pub(crate) fn may_end(self) -> bool {
        matches!(self, Self::Text | Self::Plain)
    }

    /// The context in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Plain | Self::Text => "text",
            Self::Comment(_) => "a comment",
            Self::Declaration => "a declaration",
            Self::TagName(_)
            | Self::Tag(_)
            | Self::Name(..)
            | Self::AfterName(..)
            | Self::BeforeValue(..) => "a tag",
            Self::Value(_, value, _) => value.words(),
            Self::RcData(_) => "a title or a text area",
            Self::Raw(_) => "a raw text element",
            Self::Script(_, js) => js.words(),
            Self::Style(_) => "a style sheet",
        }
    }
}

/// A hole directly behind the `=`.
fn first_hole(element: Element, attribute: Attribute) -> Result<(Escaper, Context), Fault> {
    match attribute {
        Attribute::Holds(value) => value_hole(element, value, Quote::Unquoted, Unquoted::Start),
        Attribute::Decides | Attribute::Unknown => Err(decides()),
    }
}

fn value_hole(
    element: Element,
    value: Value,
    quote: Quote,
    unquoted: Unquoted,
) -> Result<(Escaper, Context), Fault> {
    if quote == Quote::Unquoted && matches!(value, Value::Js(_)) {
        return Err(Fault::new(
            "a variable in an event handler without quotes",
            "put quotation marks around the value: name=\"{{ … }}\"",
        ));
    }
    let (slot, after) = value.hole()?;
    let escaper = Escaper { slot, attribute: true, unquoted };
    Ok((escaper, Context::Value(element.after_hole(value), after, quote)))
}

fn decides() -> Fault {
    Fault::new(
        "this attribute decides what the element does, and is not literal",
        "write its value in one piece, without variables",
    )
}

/// An attribute without a value may be in one branch and not in the other; what follows must then begin anew.
fn join_in_tag(a: Context, b: Context) -> Option<Context> {
    let element = a.tag()?.join(b.tag()?)?;
    match (a, b) {
        (Context::Tag(_), Context::Tag(_)) => Some(Context::Tag(element)),
        (Context::TagName(_), Context::TagName(_)) => None,
        _ => Some(Context::Name(element, Attribute::Unknown)),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    fn skip(&mut self, length: usize) {
        self.at = (self.at + length).min(self.text.len());
    }

    /// The length of the rest up to a byte that `ends`.
    fn length_until(&self, ends: impl Fn(u8) -> bool) -> usize {
        self.rest().bytes().position(ends).unwrap_or(self.rest().len())
    }

    fn step(&mut self, context: Context) -> Result<Context, Fault> {
        match context {
            Context::Plain => self.whole(context),
            Context::Text => self.text_step(),
            Context::Comment(dashes) => Ok(self.comment(dashes)),
            Context::Declaration => Ok(self.declaration()),
            Context::TagName(element) => self.tag_name(element),
            Context::Tag(element) => Ok(self.tag(element)),
            Context::Name(element, attribute) => self.name(element, attribute),
            Context::AfterName(element, attribute) => self.after_name(element, attribute),
            Context::BeforeValue(element, attribute) => self.before_value(element, attribute),
            Context::Value(element, value, quote) => self.value(element, value, quote),
            Context::RcData(element) => self.rc_data(element),
            Context::Raw(element) => self.raw(element, |_| Ok(context)),
            Context::Script(kind, js) => self.script(kind, js),
            Context::Style(css) => {
                self.raw(Element::Style, |text| css.feed(text).map(Context::Style))
            }
        }
    }

    fn whole(&mut self, context: Context) -> Result<Context, Fault> {
        self.at = self.text.len();
        Ok(context)
    }

    fn text_step(&mut self) -> Result<Context, Fault> {
        let Some(open) = memchr::memchr(b'<', self.rest().as_bytes()) else {
            return self.whole(Context::Text);
        };
        self.skip(open);
        let rest = self.rest().as_bytes();
        match (rest.get(1), rest.get(2)) {
            (None, _) | (Some(b'/'), None) => Err(Fault::new(
                "the name of a tag is not literal",
                "write each tag literally, and a plain < as &lt;",
            )
            .at(open)),
            (Some(b'!'), _) => self.open_declaration(),
            (Some(b'/'), Some(letter)) if letter.is_ascii_alphabetic() => Ok(self.open_tag(2)),
            (Some(b'/' | b'?'), _) => {
                self.skip(2);
                Ok(Context::Declaration)
            }
            (Some(letter), _) if letter.is_ascii_alphabetic() => Ok(self.open_tag(1)),
            _ => {
                self.skip(1);
                Ok(Context::Text)
            }
        }
    }

    fn open_declaration(&mut self) -> Result<Context, Fault> {
        let rest = self.rest();
        if rest.starts_with("<!--") {
            self.skip(4);
            return Ok(Context::Comment(2));
        }
        if rest.starts_with("<![CDATA[") {
            return Err(Fault::new(
                "<![CDATA[ is text inside SVG and a comment elsewhere",
                "write the text with &lt; and &amp;",
            ));
        }
        if matches!(rest, "<!" | "<!-") || "<![CDATA[".starts_with(rest) {
            return Err(Fault::new("a comment or declaration is cut in two", CUT_HINT));
        }
        self.skip(2);
        Ok(Context::Declaration)
    }

    fn open_tag(&mut self, marks: usize) -> Context {
        self.skip(marks);
        let length = self.length_until(|byte| is_space(byte) || byte == b'/' || byte == b'>');
        let name = self.rest().get(..length).unwrap_or_default();
        let element = if marks == 2 { Element::Closing } else { Element::of(name) };
        self.skip(length);
        Context::TagName(element)
    }

    fn comment(&mut self, dashes: u8) -> Context {
        let byte = self.byte();
        self.skip(1);
        while !self.text.is_char_boundary(self.at) {
            self.skip(1);
        }
        match (byte, dashes) {
            (b'>', 2 | 3) => Context::Text,
            (b'-', 0 | 1) => Context::Comment(dashes + 1),
            (b'-', 2) => Context::Comment(2),
            (b'-', _) => Context::Comment(1),
            (b'!', 2) => Context::Comment(3),
            _ => Context::Comment(0),
        }
    }

    fn declaration(&mut self) -> Context {
        let length = self.length_until(|byte| byte == b'>');
        let ends = length < self.rest().len();
        self.skip(length + 1);
        if ends { Context::Text } else { Context::Declaration }
    }

    fn tag_name(&mut self, element: Element) -> Result<Context, Fault> {
        match self.byte() {
            b'>' => Ok(self.close(element)),
            byte if is_space(byte) || byte == b'/' => Ok(Context::Tag(element)),
            _ => Err(Fault::new("the name of a tag is put together from pieces", CUT_HINT)),
        }
    }

    fn close(&mut self, element: Element) -> Context {
        self.skip(1);
        element.content()
    }

    fn tag(&mut self, element: Element) -> Context {
        self.skip(self.length_until(|byte| !is_space(byte) && byte != b'/'));
        if self.rest().is_empty() {
            return Context::Tag(element);
        }
        if self.byte() == b'>' {
            return self.close(element);
        }
        let ends = |byte: u8| is_space(byte) || matches!(byte, b'/' | b'>' | b'=');
        let length =
            self.rest().bytes().skip(1).position(ends).map_or(self.rest().len(), |at| at + 1);
        let name = self.rest().get(..length).unwrap_or_default();
        self.skip(length);
        Context::Name(element, Attribute::of(element, name))
    }

    fn name(&mut self, element: Element, attribute: Attribute) -> Result<Context, Fault> {
        match self.byte() {
            b'=' | b'/' | b'>' => self.after_name(element, attribute),
            byte if is_space(byte) => Ok(Context::AfterName(element, attribute)),
            _ => Err(Fault::new(
                "the name of an attribute is put together from pieces",
                "put a space between attributes, and write each name in one piece",
            )),
        }
    }

    fn after_name(&mut self, element: Element, attribute: Attribute) -> Result<Context, Fault> {
        self.skip(self.length_until(|byte| !is_space(byte)));
        match self.byte() {
            _ if self.rest().is_empty() => Ok(Context::AfterName(element, attribute)),
            b'=' if attribute == Attribute::Unknown => Err(Fault::new(
                "this value belongs to one attribute or to another",
                "close each attribute in the branch in which it begins",
            )),
            b'=' => {
                self.skip(1);
                element.may_take(attribute)?;
                Ok(Context::BeforeValue(element, attribute))
            }
            _ => Ok(Context::Tag(element)),
        }
    }

    fn before_value(&mut self, element: Element, attribute: Attribute) -> Result<Context, Fault> {
        self.skip(self.length_until(|byte| !is_space(byte)));
        let quote = match self.byte() {
            _ if self.rest().is_empty() => return Ok(Context::BeforeValue(element, attribute)),
            b'"' => Quote::Double,
            b'\'' => Quote::Single,
            b'>' => return Ok(self.close(element)),
            _ => Quote::Unquoted,
        };
        self.skip(usize::from(quote != Quote::Unquoted));
        match attribute {
            Attribute::Decides => self.decide(element, quote),
            Attribute::Holds(value) => self.value(element, value, quote),
            Attribute::Unknown => Ok(Context::Tag(element)),
        }
    }

    /// The end of an attribute's value, if it is in this text.
    fn value_end(&self, quote: Quote) -> Option<usize> {
        self.rest().bytes().position(|byte| match quote {
            Quote::Double => byte == b'"',
            Quote::Single => byte == b'\'',
            Quote::Unquoted => is_space(byte) || byte == b'>',
        })
    }

    /// Reads a value on which the meaning of the rest of the tag, or of the element, depends.
    fn decide(&mut self, element: Element, quote: Quote) -> Result<Context, Fault> {
        let Some(end) = self.value_end(quote) else {
            return Err(decides());
        };
        let value = self.rest().get(..end).unwrap_or_default();
        let decided = element.decided(&entity::decode(value)?);
        self.skip(end + usize::from(quote != Quote::Unquoted));
        Ok(Context::Tag(decided))
    }

    fn value(&mut self, element: Element, value: Value, quote: Quote) -> Result<Context, Fault> {
        let end = self.value_end(quote);
        let text = self.rest().get(..end.unwrap_or(self.rest().len())).unwrap_or_default();
        let after = value.feed(text, end.is_some())?;
        self.skip(text.len());
        match end {
            None => Ok(Context::Value(element, after, quote)),
            Some(_) => {
                self.skip(usize::from(quote != Quote::Unquoted));
                Ok(Context::Tag(element))
            }
        }
    }

    fn rc_data(&mut self, element: Element) -> Result<Context, Fault> {
        self.raw(element, |text| match element == Element::Title && has_start_tag(text) {
            // Inside SVG the same text would be tags.
            true => Err(Fault::new("a tag inside a title", "write a plain < as &lt;")),
            false => Ok(Context::RcData(element)),
        })
    }

    fn script(&mut self, kind: ScriptKind, js: Js) -> Result<Context, Fault> {
        self.raw(Element::Script(kind), |text| {
            if text.contains("<!--") {
                return Err(Fault::new(
                    "<!-- inside a script changes where the script ends",
                    "remove it",
                ));
            }
            match kind {
                ScriptKind::Code => js.feed(text).map(|js| Context::Script(kind, js)),
                _ => Ok(Context::Script(kind, js)),
            }
        })
    }

    /// Reads the content of an element up to its end tag, and nothing else ends it.
    fn raw(
        &mut self,
        element: Element,
        feed: impl Fn(&str) -> Result<Context, Fault>,
    ) -> Result<Context, Fault> {
        let name = element.end_name();
        let mut from = 0;
        while let Some(open) =
            memchr::memchr(b'<', self.rest().as_bytes().get(from..).unwrap_or_default())
        {
            let open = from + open;
            let tag = self.rest().get(open..).unwrap_or_default();
            if is_cut(tag, name) {
                return Err(Fault::new(
                    "the text ends within what may be an end tag",
                    "put a space behind the <, or write it in one piece",
                )
                .at(open));
            }
            if let Some(length) = end_tag(tag, name) {
                feed(self.rest().get(..open).unwrap_or_default())?;
                self.skip(open + length);
                return Ok(Context::TagName(Element::Closing));
            }
            from = open + 1;
        }
        let text = self.rest();
        self.at = self.text.len();
        feed(text)
    }
}

fn has_start_tag(text: &str) -> bool {
    text.as_bytes()
        .windows(2)
        .any(|pair| matches!(pair, [b'<', letter] if letter.is_ascii_alphabetic()))
}

/// The length of `</name` if `tag` begins with it.
fn end_tag(tag: &str, name: &str) -> Option<usize> {
    let found = tag.get(2..2 + name.len())?;
    let after = tag.as_bytes().get(2 + name.len()).copied().unwrap_or(b'>');
    let ends = is_space(after) || after == b'/' || after == b'>';
    (tag.starts_with("</") && found.eq_ignore_ascii_case(name) && ends && !name.is_empty())
        .then_some(2 + name.len())
}

/// Whether the text ends within `</name` or within `<!--`.
fn is_cut(tag: &str, name: &str) -> bool {
    let whole = format!("</{name}");
    let starts =
        |whole: &str| whole.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    starts("<!-") || (tag.len() < whole.len() && starts(&whole))
}
