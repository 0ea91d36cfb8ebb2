//! What a template consists of: text, values that are printed, and tags.

use std::sync::Arc;

use super::condition::Condition;
use super::expression::{Applied, Complaint, Expression};
use super::filter::Autoescape;
use super::library::{CustomTag, Vocabulary};
use super::names::Symbol;

/// The tags that need no `load`.
pub(crate) const BUILT_IN: [&str; 29] = [
    "autoescape",
    "block",
    "comment",
    "csp_nonce_attr",
    "csrf_token",
    "cycle",
    "debug",
    "extends",
    "filter",
    "firstof",
    "for",
    "if",
    "ifchanged",
    "include",
    "load",
    "lorem",
    "now",
    "partial",
    "partialdef",
    "querystring",
    "regroup",
    "resetcycle",
    "spaceless",
    "static",
    "templatetag",
    "url",
    "verbatim",
    "widthratio",
    "with",
];

/// The tags of a library that Donjon brings.
pub(crate) fn shipped_tags(library: &str) -> &'static [&'static str] {
    match library {
        "i18n" => &[
            "blocktrans",
            "blocktranslate",
            "get_available_languages",
            "get_current_language",
            "get_current_language_bidi",
            "get_language_info",
            "get_language_info_list",
            "language",
            "trans",
            "translate",
        ],
        "l10n" => &["localize"],
        "tz" => &["get_current_timezone", "localtime", "timezone"],
        "cache" => &["cache"],
        "static" => &["get_media_prefix", "get_static_prefix", "static"],
        _ => &[],
    }
}

/// A piece of a template and where in the source it begins.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

pub(crate) type Body = Arc<[Node]>;

/// A name that a tag gives to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) symbol: Symbol,
    pub(crate) name: Arc<str>,
}

pub(crate) type Bindings = Arc<[(Target, Expression)]>;

/// The number of a tag that remembers something while a page is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TagId(pub(crate) u32);

#[derive(Debug)]
pub(crate) enum Kind {
    Text(Arc<str>),
    Print(Arc<Producer>),
    /// `… as name`.
    Bind(Target, Arc<Producer>),
    /// `{{ block.super|filters }}`.
    Super(Arc<[Applied]>),
    If(Vec<Arm>),
    For(Arc<Loop>, Body, Body),
    Block(Arc<str>, Body),
    Include(Arc<Include>),
    With(Bindings, Body),
    Autoescape(Autoescape, Body),
    IfChanged(Arc<Changed>, Body, Body),
    ResetCycle(TagId),
    Setting(Arc<Setting>, Body),
    Capture(Arc<Capture>, Body),
    Inclusion(Arc<Called>, Arc<str>),
    /// Where a partial is defined; it is rendered there if it is `inline`.
    Partial(Arc<str>),
    CsrfToken,
    NonceAttribute,
}

/// What makes a value.
#[derive(Debug)]
pub(crate) enum Producer {
    Expression(Expression),
    Url(UrlCall),
    Static(Expression),
    /// `STATIC_URL` or `MEDIA_URL`.
    Prefix(&'static str),
    Cycle(Cycle),
    FirstOf(Box<[Expression]>),
    Now(Expression),
    WidthRatio(Box<[Expression; 3]>),
    QueryString(Box<[Expression]>, Bindings),
    Lorem(Lorem),
    Regroup(Regroup),
    Translate(Translate),
    BlockTranslate(BlockTranslate),
    Language(LanguageQuestion),
    TimeZone,
    Debug,
    Custom(Called),
}

/// A branch of an `if`; without a condition the `else`.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) condition: Option<Arc<Condition>>,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) names: Box<[Target]>,
    pub(crate) items: Expression,
    pub(crate) reversed: bool,
}

#[derive(Debug)]
pub(crate) struct Include {
    pub(crate) name: Expression,
    pub(crate) bindings: Bindings,
    pub(crate) only: bool,
}

#[derive(Debug)]
pub(crate) struct UrlCall {
    pub(crate) name: Expression,
    pub(crate) args: Box<[Expression]>,
    pub(crate) kwargs: Bindings,
    /// Whether an address that does not exist is empty text: with `as`.
    pub(crate) may_fail: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Cycle {
    pub(crate) id: TagId,
    pub(crate) values: Arc<[Expression]>,
    pub(crate) target: Option<Target>,
    pub(crate) silent: bool,
}

#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) id: TagId,
    pub(crate) values: Box<[Expression]>,
}

#[derive(Debug)]
pub(crate) struct Lorem {
    pub(crate) count: Expression,
    pub(crate) method: LoremMethod,
    pub(crate) common: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoremMethod {
    Words,
    Paragraphs,
    Blocks,
}

#[derive(Debug)]
pub(crate) struct Regroup {
    pub(crate) list: Expression,
    /// The item's attribute, and filters, read from `target`.
    pub(crate) by: Expression,
    pub(crate) target: Target,
}

#[derive(Debug)]
pub(crate) struct Translate {
    pub(crate) message: Expression,
    pub(crate) context: Option<Expression>,
    pub(crate) noop: bool,
}

#[derive(Debug)]
pub(crate) struct BlockTranslate {
    pub(crate) bindings: Bindings,
    pub(crate) counter: Option<(Target, Expression)>,
    pub(crate) context: Option<Expression>,
    pub(crate) singular: Message,
    pub(crate) plural: Option<Message>,
}

/// A message with `%(name)s` in place of its variables.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) text: String,
    pub(crate) variables: Vec<Target>,
}

#[derive(Debug)]
pub(crate) enum LanguageQuestion {
    Available,
    Current,
    CurrentBidi,
    Info(Expression),
    InfoList(Expression),
}

/// What holds for the body of a tag.
#[derive(Debug)]
pub(crate) enum Setting {
    Language(Expression),
    Localize(Switch),
    LocalTime(Switch),
    TimeZone(Expression),
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Off,
}

/// What is done to the rendered body of a tag.
#[derive(Debug)]
pub(crate) enum Capture {
    Spaceless,
    Filter(Box<[Applied]>),
    Cache(CacheCall),
    Custom(Called, Option<Target>),
}

#[derive(Debug)]
pub(crate) struct CacheCall {
    pub(crate) seconds: Expression,
    pub(crate) name: String,
    pub(crate) vary: Box<[Expression]>,
    pub(crate) using: Option<Expression>,
}

/// A tag of the site's own and its arguments.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) tag: CustomTag,
    pub(crate) names: Arc<[&'static str]>,
    pub(crate) args: Box<[Expression]>,
    pub(crate) kwargs: Bindings,
}

/// A name as a target.
pub(crate) fn target(name: &str, words: &Vocabulary<'_>) -> Target {
    Target { symbol: words.names.symbol(name), name: name.into() }
}

/// `key=value` as a name and an expression.
pub(crate) fn binding(
    word: &str,
    words: &Vocabulary<'_>,
) -> Option<Result<(Target, Expression), Complaint>> {
    let (name, value) = word.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name && !value.is_empty())
        .then(|| Ok((target(name, words), Expression::parse(value, words)?)))
}

/// Takes `a=b c=d`, or the older `b as a and d as c`, from the front of `rest`: Django's `token_kwargs`.
pub(crate) fn bindings(
    rest: &mut &[&str],
    words: &Vocabulary<'_>,
) -> Result<Vec<(Target, Expression)>, Complaint> {
    let mut bound: Vec<(Target, Expression)> = Vec::new();
    let is_new = |word: &&str| binding(word, words).is_some();
    if rest.first().is_some_and(is_new) {
        while let [first, after @ ..] = rest {
            let Some(pair) = binding(first, words) else { break };
            put(&mut bound, pair?);
            *rest = after;
        }
        return Ok(bound);
    }
    while let [value, "as", name, after @ ..] = rest {
        put(&mut bound, (target(name, words), Expression::parse(value, words)?));
        *rest = match after {
            ["and", more @ ..] => more,
            [] => after,
            _ => {
                *rest = after;
                break;
            }
        };
    }
    Ok(bound)
}

/// The last of a name wins, in the place of the first, as in a Python dict.
fn put(bound: &mut Vec<(Target, Expression)>, (target, value): (Target, Expression)) {
    match bound.iter_mut().find(|(known, _)| *known == target) {
        Some((_, old)) => *old = value,
        None => bound.push((target, value)),
    }
}

/// Splits arguments into those by place and those by name, which come last.
pub(crate) fn arguments(
    rest: &[&str],
    words: &Vocabulary<'_>,
) -> Result<(Box<[Expression]>, Bindings), Complaint> {
    let mut args = Vec::new();
    let mut kwargs: Vec<(Target, Expression)> = Vec::new();
    for word in rest {
        match binding(word, words) {
            Some(pair) => kwargs.push(pair?),
            None => args.push(Expression::parse(word, words)?),
        }
    }
    Ok((args.into(), kwargs.into()))
}

/// Takes `… as name` from the end.
pub(crate) fn as_name<'s, 'r>(rest: &'r [&'s str]) -> (&'r [&'s str], Option<&'s str>) {
    match rest {
        [before @ .., "as", name] => (before, Some(name)),
        _ => (rest, None),
    }
}

impl Kind {
    /// Shows every expression of the tag itself, without its bodies.
    pub(crate) fn expressions(&self, see: &mut dyn FnMut(&Expression)) {
        match self {
            Self::Print(producer) | Self::Bind(_, producer) => producer.expressions(see),
            Self::If(arms) => {
                arms.iter()
                    .filter_map(|arm| arm.condition.as_ref())
                    .for_each(|c| c.expressions(see));
            }
            Self::For(head, ..) => see(&head.items),
            Self::Include(include) => {
                see(&include.name);
                include.bindings.iter().for_each(|(_, value)| see(value));
            }
            Self::With(bound, _) => bound.iter().for_each(|(_, value)| see(value)),
            Self::IfChanged(changed, ..) => changed.values.iter().for_each(see),
            Self::Setting(setting, _) => match &**setting {
                Setting::Language(value) | Setting::TimeZone(value) => see(value),
                Setting::Localize(_) | Setting::LocalTime(_) => {}
            },
            Self::Capture(capture, _) => capture.expressions(see),
            Self::Inclusion(called, _) => called.expressions(see),
            Self::Text(_)
            | Self::Super(_)
            | Self::Block(..)
            | Self::Autoescape(..)
            | Self::ResetCycle(_)
            | Self::Partial(_)
            | Self::CsrfToken
            | Self::NonceAttribute => {}
        }
    }

    /// The bodies of the tag.
    pub(crate) fn bodies(&self) -> Vec<&Body> {
        match self {
            Self::If(arms) => arms.iter().map(|arm| &arm.body).collect(),
            Self::For(_, body, other) | Self::IfChanged(_, body, other) => vec![body, other],
            Self::Block(_, body)
            | Self::With(_, body)
            | Self::Autoescape(_, body)
            | Self::Setting(_, body)
            | Self::Capture(_, body) => vec![body],
            _ => Vec::new(),
        }
    }
}

impl Producer {
    fn expressions(&self, see: &mut dyn FnMut(&Expression)) {
        match self {
            Self::Expression(value) | Self::Static(value) | Self::Now(value) => see(value),
            Self::Url(call) => {
                see(&call.name);
                call.args.iter().for_each(&mut *see);
                call.kwargs.iter().for_each(|(_, value)| see(value));
            }
            Self::Cycle(cycle) => cycle.values.iter().for_each(see),
            Self::FirstOf(values) => values.iter().for_each(see),
            Self::WidthRatio(values) => values.iter().for_each(see),
            Self::QueryString(args, kwargs) => {
                args.iter().for_each(&mut *see);
                kwargs.iter().for_each(|(_, value)| see(value));
            }
            Self::Lorem(lorem) => see(&lorem.count),
            Self::Regroup(regroup) => {
                see(&regroup.list);
                see(&regroup.by);
            }
            Self::Translate(translate) => {
                see(&translate.message);
                translate.context.iter().for_each(see);
            }
            Self::BlockTranslate(block) => {
                block.bindings.iter().for_each(|(_, value)| see(value));
                block.counter.iter().for_each(|(_, value)| see(value));
                block.context.iter().for_each(see);
            }
            Self::Language(LanguageQuestion::Info(value) | LanguageQuestion::InfoList(value)) => {
                see(value);
            }
            Self::Custom(called) => called.expressions(see),
            Self::Prefix(_) | Self::Language(_) | Self::TimeZone | Self::Debug => {}
        }
    }
}

impl Capture {
    fn expressions(&self, see: &mut dyn FnMut(&Expression)) {
        match self {
            Self::Cache(call) => {
                see(&call.seconds);
                call.vary.iter().for_each(&mut *see);
                call.using.iter().for_each(see);
            }
            Self::Custom(called, _) => called.expressions(see),
            Self::Spaceless | Self::Filter(_) => {}
        }
    }
}

impl Called {
    fn expressions(&self, see: &mut dyn FnMut(&Expression)) {
        self.args.iter().for_each(&mut *see);
        self.kwargs.iter().for_each(|(_, value)| see(value));
    }
}
