//! What elements and attributes mean for the values in them.

use super::js::Js;
use super::{Context, Css, Fault, Slot, entity};
use crate::context::url::{Url, UrlUse};

/// What an element means for its attributes and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Element {
    Other,
    Closing,
    Script(ScriptKind),
    Style,
    Title,
    TextArea,
    /// Content that no tag but its own end interrupts.
    Raw(&'static str),
    Link,
    /// A link that loads neither style sheet nor script.
    HarmlessLink,
    Meta,
    /// A `<meta http-equiv>`.
    MetaEquiv,
    /// A `<meta>` whose content holds a variable.
    MetaWithHole,
    /// `<iframe>`, whose content is raw text.
    Frame,
    /// Other elements that show a page.
    Window,
    /// `<object>`, `<embed>`, `<base>` and their like: what they name can take over the page.
    Forbidden,
    Animation,
}

/// What a script element holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ScriptKind {
    /// JavaScript or JSON.
    Code,
    /// Import maps and speculation rules.
    Rules,
    /// Something that no browser runs, such as a client's template.
    Data,
}

const RAW: [&str; 6] = ["xmp", "iframe", "noembed", "noframes", "plaintext", "listing"];

impl Element {
    pub(super) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "script" | "svg:script" => Self::Script(ScriptKind::Code),
            "style" => Self::Style,
            "title" => Self::Title,
            "textarea" => Self::TextArea,
            "iframe" => Self::Frame,
            "frame" | "portal" | "fencedframe" => Self::Window,
            "link" => Self::Link,
            "meta" => Self::Meta,
            "object" | "embed" | "applet" | "base" | "param" => Self::Forbidden,
            "animate" | "set" | "animatemotion" | "animatetransform" => Self::Animation,
            other => RAW
                .iter()
                .find(|raw| **raw == other && other != "listing")
                .map_or(Self::Other, |raw| Self::Raw(raw)),
        }
    }

    /// The context behind the start tag.
    pub(super) fn content(self) -> Context {
        match self {
            Self::Script(kind) => Context::Script(kind, Js::START),
            Self::Style => Context::Style(Css::START),
            Self::Title | Self::TextArea => Context::RcData(self),
            Self::Raw(_) => Context::Raw(self),
            Self::Frame => Context::Raw(Self::Raw("iframe")),
            _ => Context::Text,
        }
    }

    pub(super) fn end_name(self) -> &'static str {
        match self {
            Self::Script(_) => "script",
            Self::Style => "style",
            Self::Title => "title",
            Self::TextArea => "textarea",
            Self::Raw("plaintext") => "",
            Self::Raw(name) => name,
            _ => "",
        }
    }

    pub(super) fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Link, Self::HarmlessLink) | (Self::HarmlessLink, Self::Link) => Some(Self::Link),
            _ => None,
        }
    }

    /// The element, now that the attribute is known which decides what it does.
    pub(super) fn decided(self, value: &str) -> Self {
        match self {
            Self::Script(_) => Self::Script(ScriptKind::of(value)),
            Self::Link if is_harmless(value) => Self::HarmlessLink,
            Self::Link | Self::HarmlessLink => Self::Link,
            Self::Meta => Self::MetaEquiv,
            other => other,
        }
    }

    pub(super) fn after_hole(self, value: Value) -> Self {
        if self == Self::Meta && value == Value::Content { Self::MetaWithHole } else { self }
    }

    pub(super) fn may_take(self, attribute: Attribute) -> Result<(), Fault> {
        match (self, attribute) {
            (Self::MetaWithHole, Attribute::Decides) => Err(Fault::new(
                "http-equiv on a meta element whose content is a variable",
                "send this as a header instead",
            )),
            _ => Ok(()),
        }
    }
}

impl ScriptKind {
    fn of(kind: &str) -> Self {
        let kind = kind.trim().to_ascii_lowercase();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        match essence {
            "importmap" | "speculationrules" | "webbundle" => Self::Rules,
            "" | "module" | "application/json" => Self::Code,
            other
                if other.ends_with("script")
                    || other.ends_with("+json")
                    || other.contains("script1.") =>
            {
                Self::Code
            }
            _ => Self::Data,
        }
    }
}

fn is_harmless(rel: &str) -> bool {
    const HARMLESS: [&str; 14] = [
        "alternate",
        "author",
        "canonical",
        "help",
        "icon",
        "shortcut",
        "license",
        "next",
        "prev",
        "search",
        "me",
        "apple-touch-icon",
        "dns-prefetch",
        "preconnect",
    ];
    let rel = rel.to_ascii_lowercase();
    rel.split_ascii_whitespace().all(|word| HARMLESS.contains(&word))
}

/// What an attribute's name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Attribute {
    Holds(Value),
    /// Its value decides what the element does, and is read.
    Decides,
    /// One attribute in one branch, another or none in the other.
    Unknown,
}

const URLS: [&str; 25] = [
    "href",
    "xlink:href",
    "src",
    "action",
    "formaction",
    "poster",
    "cite",
    "background",
    "data",
    "longdesc",
    "ping",
    "manifest",
    "icon",
    "profile",
    "usemap",
    "codebase",
    "classid",
    "archive",
    "dynsrc",
    "lowsrc",
    "hx-get",
    "hx-post",
    "hx-put",
    "hx-delete",
    "hx-patch",
];

impl Attribute {
    pub(super) fn of(element: Element, name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        match (element, name.as_str()) {
            (Element::Script(_), "type") | (Element::Link | Element::HarmlessLink, "rel") => {
                Self::Decides
            }
            (Element::Meta | Element::MetaEquiv | Element::MetaWithHole, "http-equiv") => {
                Self::Decides
            }
            (_, name) => Self::Holds(Value::of(element, name)),
        }
    }
}

/// What the value of an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Plain,
    /// The `content` of a `<meta>`.
    Content,
    Url(UrlUse, Url),
    SrcSet,
    /// A page in an attribute, so far as it is only text, or something else.
    SrcDoc(Text),
    Js(Js),
    Css(Css),
    Refused(&'static str),
}

/// Whether markup was in the literal part of a page in an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Text {
    Only,
    Markup,
}

impl Value {
    fn of(element: Element, name: &str) -> Self {
        if is_code(name) {
            return Self::Refused("an attribute that a script library runs as code");
        }
        match (element, name) {
            (_, name) if name.starts_with("on") => Self::Js(Js::START),
            (Element::Closing, _) => Self::Refused("an end tag"),
            (Element::MetaEquiv, "content") => Self::Refused("the content of <meta http-equiv>"),
            (Element::Meta, "content") => Self::Content,
            (
                Element::Animation,
                "to" | "from" | "by" | "values" | "attributename" | "href" | "xlink:href",
            ) => Self::Refused("an animation, which can change any attribute"),
            (Element::Forbidden, "value") => Self::Refused("a parameter of a plug-in"),
            (Element::Forbidden, "type") => Self::Refused("the type of a plug-in"),
            (_, "style") => Self::Css(Css::START),
            (_, "srcdoc") => Self::SrcDoc(Text::Only),
            (_, "srcset" | "imagesrcset") => Self::SrcSet,
            (Element::Script(_) | Element::Link | Element::HarmlessLink, "integrity") => {
                Self::Plain
            }
            (element, name) if URLS.contains(&name) => Self::url(element, name),
            _ => Self::Plain,
        }
    }

    fn url(element: Element, name: &str) -> Self {
        match (element, name) {
            (Element::Forbidden, _) => {
                Self::Refused("the address of an element that can take over the page")
            }
            (Element::Script(_), _)
            | (Element::Frame | Element::Window, "src")
            | (Element::Link, "href") => Self::Url(UrlUse::Code, Url::Start),
            _ => Self::Url(UrlUse::Link, Url::Start),
        }
    }

    pub(super) fn feed(self, text: &str, complete: bool) -> Result<Self, Fault> {
        match self {
            Self::Plain | Self::Content | Self::Refused(_) => return Ok(self),
            Self::SrcDoc(_) if text.contains(['<', '&']) => return Ok(Self::SrcDoc(Text::Markup)),
            Self::SrcDoc(_) => return Ok(self),
            _ => {}
        }
        if !complete {
            entity::refuse_cut(text, matches!(self, Self::Js(_) | Self::Css(_)))?;
        }
        let text = entity::decode(text)?;
        Ok(match self {
            Self::Url(usage, url) => Self::Url(usage, url.feed(&text)?),
            Self::Js(js) => Self::Js(js.feed(&text)?),
            Self::Css(css) => Self::Css(css.feed(&text)?),
            other => other,
        })
    }

    pub(super) fn hole(self) -> Result<(Slot, Self), Fault> {
        Ok(match self {
            Self::Plain | Self::Content => (Slot::TextOnly, self),
            Self::SrcDoc(Text::Only) => (Slot::SrcDoc, self),
            Self::SrcDoc(Text::Markup) => {
                return Err(Fault::new(
                    "a variable in a srcdoc, behind markup that is written literally",
                    "render that page as a template of its own, and pass it as one variable",
                ));
            }
            Self::SrcSet => (Slot::SrcSet, self),
            Self::Url(usage, url) => {
                url.hole(usage).map(|(slot, url)| (slot, Self::Url(usage, url)))?
            }
            Self::Js(js) => js.hole().map(|(slot, js)| (slot, Self::Js(js)))?,
            Self::Css(css) => css.hole().map(|(slot, css)| (slot, Self::Css(css)))?,
            Self::Refused(place) => {
                return Err(Fault::new(
                    format!("a variable in {place}"),
                    "write it literally, or choose between literals with {% if %}",
                ));
            }
        })
    }

    pub(super) fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Url(a, x), Self::Url(b, y)) if a == b => Some(Self::Url(a, x.join(y))),
            (Self::Js(a), Self::Js(b)) => Some(Self::Js(a.join(b)?)),
            (Self::Css(a), Self::Css(b)) => Some(Self::Css(a.join(b)?)),
            (Self::SrcDoc(_), Self::SrcDoc(_)) => Some(Self::SrcDoc(Text::Markup)),
            _ => None,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Url(..) | Self::SrcSet => "an attribute that is a URL",
            Self::Js(_) => "an event handler",
            Self::Css(_) => "a style attribute",
            _ => "an attribute",
        }
    }
}

fn is_code(name: &str) -> bool {
    let starts = [
        "x-",
        "v-",
        "ng-",
        "@",
        ":",
        "hx-on",
        "hx-vals",
        "hx-vars",
        "hx-headers",
        "*",
        "(",
        "[",
        "#",
        "_",
    ];
    starts.iter().any(|start| name.starts_with(start)) || name == "data-hx-on"
}
