//! Links templates along `extends` and `include`, and gives each hole the escaper of the place it stands in.
//!
//! Stops cross-site scripting (CWE-79) through templates that are safe alone and unsafe together: a block or an included
//! template is linked once for every context in which it is used.
//!
//! 1. The branches of an `if`, and the runs of a `for`, end in one context.
//! 2. A page ends in text.
//! 3. A template that includes itself ends in the context in which it begins.
//! 4. A chain of parents is at most [`MAX_PARENTS`] long, and all pages together have at most [`MAX_LINKED`] pieces.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::condition::Condition;
use super::expression::Expression;
use super::filter::Autoescape;
use super::parser::Parsed;
use super::tag::{Arm, Bindings, Body, Include, Kind, Loop, Node, UrlCall};
use crate::context::{Context, Escaper, Fault, Slot};

/// The longest chain of `extends`.
pub const MAX_PARENTS: usize = 32;
/// The most pieces that all linked pages have together.
pub const MAX_LINKED: usize = 2_000_000;
/// The deepest nesting of tags, blocks and includes in a linked page.
const MAX_DEPTH: usize = 160;

/// What a renderer does, in order.
pub(crate) type Ops = Box<[Op]>;

/// A place in a source, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) template: usize,
    pub(crate) at: usize,
}

#[derive(Debug)]
pub(crate) enum Op {
    Text(Arc<str>),
    Hole(Arc<Expression>, Escaper, Autoescape, Place),
    If(Box<[(Option<Arc<Condition>>, Ops)]>, Place),
    For(Arc<Loop>, Ops, Ops, Place),
    With(Bindings, Ops, Place),
    Include(usize, Arc<Include>, Place),
    /// An include whose name is known only when the page is rendered; it stands in text.
    IncludeByName(Arc<Include>, Place),
    Url(Arc<UrlCall>, Escaper, Autoescape, Place),
    Static(Arc<Expression>, Escaper, Place),
    CsrfToken,
    NonceAttribute,
}

/// A template linked for one context.
#[derive(Debug)]
struct Fragment {
    ops: Ops,
    end: Option<Context>,
    /// Whether it was used before its end was known.
    assumed: bool,
}

type Key = (usize, Context, Autoescape);

/// A fault and the template it is in.
pub(crate) type Located = (usize, Fault);

pub(crate) struct Linker<'t> {
    templates: &'t [Option<Parsed>],
    index: &'t BTreeMap<Arc<str>, usize>,
    fragments: Vec<Fragment>,
    known: HashMap<Key, Result<usize, Located>>,
    linked: usize,
    depth: usize,
}

/// Where in the chain of parents the linker is.
#[derive(Clone, Copy)]
struct Position<'c> {
    chain: &'c [usize],
    level: usize,
    block: Option<&'c str>,
    escape: Autoescape,
}

impl Position<'_> {
    fn template(&self) -> usize {
        self.chain.get(self.level).copied().unwrap_or_default()
    }

    fn place(&self, at: usize) -> Place {
        Place { template: self.template(), at }
    }
}

type Linked = Result<Context, Located>;

impl<'t> Linker<'t> {
    pub(crate) fn new(
        templates: &'t [Option<Parsed>],
        index: &'t BTreeMap<Arc<str>, usize>,
    ) -> Self {
        Self { templates, index, fragments: Vec::new(), known: HashMap::new(), linked: 0, depth: 0 }
    }

    pub(crate) fn finish(self) -> Vec<Ops> {
        self.fragments.into_iter().map(|fragment| fragment.ops).collect()
    }

    /// Links a whole page.
    pub(crate) fn page(&mut self, template: usize, start: Context) -> Result<usize, Located> {
        self.depth = 0;
        let fragment = self.fragment(template, start, Autoescape::On)?;
        match self.fragments.get(fragment).and_then(|fragment| fragment.end) {
            Some(end) if !end.may_end() => {
                let message = format!("the template ends inside {}", end.words());
                Err((
                    template,
                    Fault {
                        at: usize::MAX,
                        message,
                        hint: "close what is open; a part of a tag can be a template only if others include it",
                    },
                ))
            }
            _ => Ok(fragment),
        }
    }

    fn fragment(
        &mut self,
        template: usize,
        start: Context,
        escape: Autoescape,
    ) -> Result<usize, Located> {
        let key = (template, start, escape);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let id = self.fragments.len();
        self.fragments.push(Fragment { ops: Box::default(), end: None, assumed: false });
        self.known.insert(key, Ok(id));
        let linked = self
            .whole(template, start, escape)
            .and_then(|(ops, end)| self.close(id, key, ops, end));
        let result = linked.map(|()| id);
        self.known.insert(key, result.clone());
        result
    }

    fn close(
        &mut self,
        id: usize,
        (template, start, _): Key,
        ops: Ops,
        end: Context,
    ) -> Result<(), Located> {
        let Some(fragment) = self.fragments.get_mut(id) else { return Ok(()) };
        if fragment.assumed && end != start {
            return Err((
                template,
                Fault::new(
                    "a template that includes itself ends in another context than it begins in",
                    "close what it opens",
                ),
            ));
        }
        fragment.ops = ops;
        fragment.end = Some(end);
        Ok(())
    }

    fn whole(
        &mut self,
        template: usize,
        start: Context,
        escape: Autoescape,
    ) -> Result<(Ops, Context), Located> {
        let chain = self.chain(template)?;
        let root = chain.last().copied().unwrap_or(template);
        let nodes = self.parsed(root, template)?.nodes.clone();
        let position =
            Position { chain: &chain, level: chain.len().saturating_sub(1), block: None, escape };
        self.body(&nodes, start, position)
    }

    fn parsed(&self, template: usize, user: usize) -> Result<&'t Parsed, Located> {
        let parsed = self.templates.get(template).and_then(Option::as_ref);
        parsed.ok_or_else(|| {
            (user, Fault::new("it uses a template that has an error itself", "correct that first"))
        })
    }

    fn chain(&self, template: usize) -> Result<Vec<usize>, Located> {
        let mut chain = vec![template];
        let mut current = template;
        while let Some((at, parent)) = &self.parsed(current, template)?.parent {
            let found = self.index.get(parent).copied();
            let wrong = |message: String, hint| (current, Fault { at: *at, message, hint });
            let Some(next) = found else { return Err(missing(current, *at, parent)) };
            if chain.contains(&next) {
                return Err(wrong(
                    format!("'{parent}' extends this template, which extends it"),
                    "break the circle",
                ));
            }
            if chain.len() >= MAX_PARENTS {
                return Err(wrong(
                    format!("more than {MAX_PARENTS} parents"),
                    "flatten the inheritance",
                ));
            }
            chain.push(next);
            current = next;
        }
        Ok(chain)
    }

    fn body(
        &mut self,
        nodes: &Body,
        start: Context,
        position: Position<'_>,
    ) -> Result<(Ops, Context), Located> {
        let mut ops = Vec::with_capacity(nodes.len());
        let end = self.append(&mut ops, nodes, start, position)?;
        Ok((ops.into(), end))
    }

    fn append(
        &mut self,
        ops: &mut Vec<Op>,
        nodes: &Body,
        start: Context,
        position: Position<'_>,
    ) -> Linked {
        self.depth += 1;
        let mut context = start;
        for node in nodes.iter() {
            self.linked += 1;
            if self.depth > MAX_DEPTH || self.linked > MAX_LINKED {
                return Err((
                    position.template(),
                    Fault {
                        at: node.at,
                        message: "the linked page is too large or too deeply nested".into(),
                        hint: "use fewer blocks and includes inside one another",
                    },
                ));
            }
            context = self.node(ops, node, context, position)?;
        }
        self.depth -= 1;
        Ok(context)
    }

    fn node(
        &mut self,
        ops: &mut Vec<Op>,
        node: &Node,
        context: Context,
        position: Position<'_>,
    ) -> Linked {
        let place = position.place(node.at);
        let located = |fault: Fault| {
            (place.template, Fault { at: fault.at.saturating_add(node.at), ..fault })
        };
        match &node.kind {
            Kind::Text(text) => {
                ops.push(Op::Text(text.clone()));
                context.feed(text).map_err(located)
            }
            Kind::Hole(expression) => {
                let (escaper, after) = context.hole().map_err(located)?;
                let escaper = refine(escaper, expression).map_err(located)?;
                ops.push(Op::Hole(expression.clone(), escaper, position.escape, place));
                Ok(after)
            }
            Kind::Super => self.super_block(ops, context, position),
            Kind::If(arms) => self.branches(ops, arms, context, position, place),
            Kind::For(head, body, empty) => {
                let (body, empty, end) = self.repeat(body, empty, context, position, place)?;
                ops.push(Op::For(head.clone(), body, empty, place));
                Ok(end)
            }
            Kind::Block(name, _) => self.block(ops, name, 0, context, position),
            Kind::With(bindings, body) => {
                let (body, end) = self.body(body, context, position)?;
                ops.push(Op::With(bindings.clone(), body, place));
                Ok(end)
            }
            Kind::Autoescape(escape, body) => {
                self.append(ops, body, context, Position { escape: *escape, ..position })
            }
            Kind::Include(include) => self.include(ops, include, context, position, place),
            Kind::Url(call) if call.variable.is_some() => {
                let escaper = Escaper::NOTHING;
                ops.push(Op::Url(call.clone(), escaper, position.escape, place));
                Ok(context)
            }
            Kind::Url(call) => {
                let (escaper, after) = context.hole().map_err(located)?;
                ops.push(Op::Url(
                    call.clone(),
                    own_address(escaper, context),
                    position.escape,
                    place,
                ));
                Ok(after)
            }
            Kind::Static(path) => {
                let (escaper, after) = context.hole().map_err(located)?;
                ops.push(Op::Static(path.clone(), own_address(escaper, context), place));
                Ok(after)
            }
            Kind::CsrfToken => {
                own_markup(ops, context, matches!(context, Context::Text), Op::CsrfToken)
                    .map_err(located)
            }
            Kind::NonceAttribute => {
                own_markup(ops, context, matches!(context, Context::Tag(_)), Op::NonceAttribute)
                    .map_err(located)
            }
        }
    }

    fn branches(
        &mut self,
        ops: &mut Vec<Op>,
        arms: &[Arm],
        start: Context,
        position: Position<'_>,
        place: Place,
    ) -> Linked {
        let mut linked = Vec::with_capacity(arms.len());
        let has_else = arms.last().is_some_and(|arm| arm.condition.is_none());
        let mut end = if has_else { None } else { Some(start) };
        for arm in arms {
            let (body, after) = self.body(&arm.body, start, position)?;
            linked.push((arm.condition.clone(), body));
            end = Some(match end {
                None => after,
                Some(end) => end.join(after).ok_or_else(|| differ(place, end, after))?,
            });
        }
        ops.push(Op::If(linked.into(), place));
        Ok(end.unwrap_or(start))
    }

    /// The body may run never, once or often: it is linked for a context that stays the same.
    fn repeat(
        &mut self,
        body: &Body,
        empty: &Body,
        start: Context,
        position: Position<'_>,
        place: Place,
    ) -> Result<(Ops, Ops, Context), Located> {
        let (mut ops, after) = self.body(body, start, position)?;
        let mut end = start.join(after).ok_or_else(|| differ(place, start, after))?;
        if end != start {
            let (again, after) = self.body(body, end, position)?;
            let joined = end.join(after).ok_or_else(|| differ(place, end, after))?;
            if joined != end {
                return Err(differ(place, end, after));
            }
            ops = again;
        }
        let (empty, after_empty) = self.body(empty, start, position)?;
        end = end.join(after_empty).ok_or_else(|| differ(place, end, after_empty))?;
        Ok((ops, empty, end))
    }

    /// Links the block of that name, from the first template of the chain, at `from` or later, that has it.
    fn block(
        &mut self,
        ops: &mut Vec<Op>,
        name: &str,
        from: usize,
        context: Context,
        position: Position<'_>,
    ) -> Linked {
        for (level, template) in position.chain.iter().enumerate().skip(from) {
            if let Some(body) = self.parsed(*template, position.template())?.blocks.get(name) {
                return self.append(
                    ops,
                    &body.clone(),
                    context,
                    Position { level, block: Some(name), ..position },
                );
            }
        }
        Ok(context)
    }

    fn super_block(
        &mut self,
        ops: &mut Vec<Op>,
        context: Context,
        position: Position<'_>,
    ) -> Linked {
        match position.block {
            Some(name) => self.block(ops, name, position.level + 1, context, position),
            None => Ok(context),
        }
    }

    fn include(
        &mut self,
        ops: &mut Vec<Op>,
        include: &Arc<Include>,
        context: Context,
        position: Position<'_>,
        place: Place,
    ) -> Linked {
        let Some(name) = include.name.literal_text() else {
            if !matches!(context, Context::Text | Context::Plain) {
                return Err((
                    place.template,
                    Fault {
                        at: place.at,
                        message: "an include whose name is a variable stands in HTML text only"
                            .into(),
                        hint: "write the name in quotes",
                    },
                ));
            }
            ops.push(Op::IncludeByName(include.clone(), place));
            return Ok(context);
        };
        let Some(template) = self.index.get(name).copied() else {
            return Err(missing(place.template, place.at, name));
        };
        let fragment = self.fragment(template, context, position.escape)?;
        ops.push(Op::Include(fragment, include.clone(), place));
        let Some(fragment) = self.fragments.get_mut(fragment) else { return Ok(context) };
        fragment.assumed |= fragment.end.is_none();
        Ok(fragment.end.unwrap_or(context))
    }
}

fn own_markup(ops: &mut Vec<Op>, context: Context, fits: bool, op: Op) -> Result<Context, Fault> {
    match (fits, context) {
        (true, _) | (_, Context::Plain) => {
            ops.push(op);
            Ok(context)
        }
        (_, Context::Comment(_)) => Ok(context),
        _ => Err(Fault::new(
            format!("this tag does not fit into {}", context.words()),
            "csrf_token stands in a form, csp_nonce_attr in a tag",
        )),
    }
}

fn missing(template: usize, at: usize, name: &str) -> Located {
    (
        template,
        Fault {
            at,
            message: format!("there is no template '{name}'"),
            hint: "check its name, with its folder",
        },
    )
}

fn differ(place: Place, a: Context, b: Context) -> Located {
    let message =
        format!("the branches end in different places: one in {}, one in {}", a.words(), b.words());
    (
        place.template,
        Fault {
            at: place.at,
            message,
            hint: "end each branch where it begins: close tags, quotes and attributes inside it",
        },
    )
}

/// Some filters have escaped for the place already.
fn refine(escaper: Escaper, expression: &Expression) -> Result<Escaper, Fault> {
    let slot = match (escaper.slot, expression.last_filter()) {
        (Slot::JsString, Some("escapejs")) => Slot::JsEscaped,
        (Slot::UrlSegment, Some("urlencode")) => Slot::UrlEncodedSegment,
        (Slot::UrlQuery, Some("urlencode")) => Slot::UrlEncodedQuery,
        (slot, _) => slot,
    };
    let is_script = matches!(
        slot,
        Slot::JsValue | Slot::JsString | Slot::CssValue | Slot::CssString | Slot::CssUrl
    );
    match is_script && expression.has_filter("safe") {
        true => Err(Fault::new(
            "safe vouches for HTML, not for a script or a style",
            "remove it, or use json_script",
        )),
        false => Ok(Escaper { slot, ..escaper }),
    }
}

/// The site's own addresses are trusted as such, and are percent-encoded already.
fn own_address(escaper: Escaper, context: Context) -> Escaper {
    let slot = match escaper.slot {
        Slot::UrlCode => Slot::UrlStart,
        // `{{ site }}{% url 'x' %}`
        Slot::UrlSegment if context.is_behind_base() => Slot::UrlStart,
        Slot::UrlSegment => Slot::UrlEncodedSegment,
        Slot::UrlQuery => Slot::UrlEncodedQuery,
        slot => slot,
    };
    Escaper { slot, ..escaper }
}
