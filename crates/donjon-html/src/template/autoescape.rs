//! Links templates along `extends` and `include`, and gives each hole the escaper of the place it stands in.
//!
//! Stops cross-site scripting (CWE-79) through templates that are safe alone and unsafe together: a block or an included
//! template is linked once for every context in which it is used.
//!
//! 1. The branches of an `if`, and the runs of a `for`, end in one context.
//! 2. A page ends in text.
//! 3. A template that includes itself ends in the context in which it begins.
//! 4. A chain of parents is at most [`MAX_PARENTS`] long, and all pages together have at most [`MAX_LINKED`] pieces.
//! 5. A template that is chosen while a page is rendered is linked then, for the place where it stands, and must end in
//!    the context in which it begins.
//! 6. `<script>` and `<style>` get the nonce of the page, unless they have one.

mod nonce;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::condition::Condition;
use super::engine::Escape;
use super::expression::{Applied, Expression};
use super::filter::Autoescape;
use super::names::Symbol;
use super::parser::Parsed;
use super::tag::{
    Arm, Bindings, Body, Called, Capture, Changed, Include, Kind, Loop, Node, Producer, Setting,
    TagId, Target,
};
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
    Text(Box<str>),
    Print(Arc<Producer>, Escaper, Autoescape, Place),
    Bind(Target, Arc<Producer>, Autoescape, Place),
    If(Box<[(Option<Arc<Condition>>, Ops)]>, Place),
    For(Arc<Loop>, Ops, Ops, Place),
    With(Bindings, Ops, Place),
    /// A block; with its name and what it replaces if it asks for them.
    Block(Ops, Option<(Arc<str>, Ops)>),
    /// `{{ block.super|filters }}`.
    Super(Ops, Arc<[Applied]>, Escaper, Autoescape, Place),
    Include(usize, Arc<Include>, Place),
    /// An include whose name is known only when the page is rendered.
    IncludeByName(Arc<Include>, Context, Autoescape, Place),
    Extends(Box<Late>, Place),
    Partial(usize, Place),
    Inclusion(usize, Arc<Called>, Autoescape, Place),
    IfChanged(Arc<Changed>, Ops, Ops, Place),
    ResetCycle(TagId),
    Setting(Arc<Setting>, Ops, Place),
    Capture(Arc<Capture>, Ops, Escaper, Autoescape, Place),
    CsrfToken,
    NonceAttribute,
    /// The nonce behind `<script` and `<style`.
    OwnNonce,
    /// What is wrong shows only if the page comes here.
    Fail(String, Place),
}

/// A parent whose name is known only when the page is rendered.
#[derive(Debug)]
pub(crate) struct Late {
    pub(crate) parent: Arc<Expression>,
    /// The templates below the parent.
    pub(crate) chain: Vec<usize>,
    pub(crate) context: Context,
    pub(crate) escape: Autoescape,
}

/// A template linked for one context.
#[derive(Debug)]
struct Fragment {
    ops: Ops,
    end: Option<Context>,
    /// Whether it was used before its end was known.
    assumed: bool,
}

/// A template, or a partial of one, at a place.
type Key = (usize, Option<Arc<str>>, Context, Autoescape);

/// A fault and the template it is in.
pub(crate) type Located = (usize, Fault);

/// What is known of a template of a set.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: Arc<str>,
    pub(crate) parsed: Option<Parsed>,
    pub(crate) escape: Escape,
    /// The next template of the same name.
    pub(crate) next: Option<usize>,
}

/// All templates of a set.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) templates: Vec<Known>,
    pub(crate) index: BTreeMap<Arc<str>, usize>,
    /// Whether a template that does not exist is an error when it is asked for, and not before.
    pub(crate) lenient: bool,
    /// Whether pages escape where nothing else is said.
    pub(crate) autoescape: Autoescape,
}

impl Shelf {
    pub(crate) fn parsed(&self, template: usize) -> Option<&Parsed> {
        self.templates.get(template).and_then(|known| known.parsed.as_ref())
    }

    fn escape(&self, template: usize) -> Escape {
        self.templates.get(template).map_or(Escape::Contextual, |known| known.escape)
    }

    /// The template of that name as `user` writes it: relative to `user`, and none of `taken`.
    pub(crate) fn find(&self, name: &str, user: usize, taken: &[usize]) -> Result<usize, String> {
        let user = self.templates.get(user).map_or("", |known| &known.name);
        let name = relative(name, user)?;
        let mut found = self.index.get(&*name).copied();
        while let Some(at) = found.filter(|at| taken.contains(at)) {
            found = self.templates.get(at).and_then(|known| known.next);
        }
        found.ok_or_else(|| format!("there is no template '{name}'"))
    }

    /// Where a template begins if it is rendered alone.
    pub(crate) fn start(&self, template: usize) -> Context {
        match self.templates.get(template) {
            Some(known) if known.escape == Escape::Contextual && !known.name.ends_with(".txt") => {
                Context::Text
            }
            _ => Context::Plain,
        }
    }
}

/// `./x` and `../x` beside the template that names them: Django's `construct_relative_path`.
fn relative(name: &str, user: &str) -> Result<String, String> {
    if !name.starts_with("./") && !name.starts_with("../") {
        return Ok(name.to_owned());
    }
    let folder = user.trim_start_matches('/').rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> =
        folder.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    for part in name.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                let inside = parts.pop().is_some();
                if !inside {
                    return Err(format!(
                        "The relative path '{name}' points outside the file hierarchy that template '{user}' is in."
                    ));
                }
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

pub(crate) struct Linker<'t> {
    shelf: &'t Shelf,
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
    pub(crate) fn new(shelf: &'t Shelf) -> Self {
        Self { shelf, fragments: Vec::new(), known: HashMap::new(), linked: 0, depth: 0 }
    }

    pub(crate) fn finish(self) -> Vec<Ops> {
        self.fragments.into_iter().map(|fragment| fragment.ops).collect()
    }

    /// Links a whole page.
    pub(crate) fn page(
        &mut self,
        template: usize,
        partial: Option<&str>,
    ) -> Result<usize, Located> {
        self.depth = 0;
        let start = self.shelf.start(template);
        let key = (template, partial.map(Arc::from), start, self.shelf.autoescape);
        let fragment = self.fragment(key)?;
        match self.end(fragment) {
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

    /// Links a template for a place that is known only while rendering: rule 5.
    pub(crate) fn part(
        &mut self,
        template: usize,
        partial: Option<&str>,
        context: Context,
        escape: Autoescape,
    ) -> Result<usize, Located> {
        let fragment = self.fragment((template, partial.map(Arc::from), context, escape))?;
        self.stays(template, fragment, context)
    }

    /// Links a chain of templates whose last one is known only while rendering: rule 5.
    pub(crate) fn below(&mut self, late: &Late, parent: usize) -> Result<usize, Located> {
        let mut chain = late.chain.clone();
        let known = chain.len();
        self.extend_chain(&mut chain, parent)?;
        let leaf = chain.first().copied().unwrap_or(parent);
        let id = self.fragments.len();
        self.fragments.push(Fragment { ops: Box::default(), end: None, assumed: false });
        let (ops, end) = self.chained(&chain, known, late.context, late.escape)?;
        if let Some(fragment) = self.fragments.get_mut(id) {
            fragment.ops = ops;
            fragment.end = Some(end);
        }
        self.stays(leaf, id, late.context)
    }

    fn stays(&self, template: usize, fragment: usize, context: Context) -> Result<usize, Located> {
        match self.end(fragment) {
            Some(end) if end != context => Err((
                template,
                Fault::new(
                    format!("it begins in {} and ends in {}", context.words(), end.words()),
                    "a template that is chosen while the page is rendered closes what it opens",
                ),
            )),
            _ => Ok(fragment),
        }
    }

    fn end(&self, fragment: usize) -> Option<Context> {
        self.fragments.get(fragment).and_then(|fragment| fragment.end)
    }

    fn fragment(&mut self, key: Key) -> Result<usize, Located> {
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let id = self.fragments.len();
        self.fragments.push(Fragment { ops: Box::default(), end: None, assumed: false });
        self.known.insert(key.clone(), Ok(id));
        let linked = self.whole(&key).and_then(|(ops, end)| self.close(id, &key, ops, end));
        let result = linked.map(|()| id);
        self.known.insert(key, result.clone());
        result
    }

    fn close(&mut self, id: usize, key: &Key, ops: Ops, end: Context) -> Result<(), Located> {
        let Some(fragment) = self.fragments.get_mut(id) else { return Ok(()) };
        if fragment.assumed && end != key.2 {
            return Err((
                key.0,
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
        (template, partial, start, escape): &Key,
    ) -> Result<(Ops, Context), Located> {
        let (template, start, escape) = (*template, *start, *escape);
        if self.shelf.escape(template) == Escape::Django && start != Context::Plain {
            return self.foreign(template, partial.as_ref(), start, escape);
        }
        match partial {
            None => {
                let mut chain = Vec::new();
                self.extend_chain(&mut chain, template)?;
                self.chained(&chain, 0, start, escape)
            }
            Some(name) => {
                let body = self.parsed(template, template)?.partials.get(name);
                let body = body.ok_or_else(|| missing_partial(template, name))?;
                let position = Position { chain: &[template], level: 0, block: None, escape };
                self.body(body, start, position)
            }
        }
    }

    /// A template that escapes as Django does, used by one that does not.
    fn foreign(
        &mut self,
        template: usize,
        partial: Option<&Arc<str>>,
        start: Context,
        escape: Autoescape,
    ) -> Result<(Ops, Context), Located> {
        if start != Context::Text {
            return Err((
                template,
                Fault::new(
                    format!("it escapes as Django does, and is used inside {}", start.words()),
                    "use it in HTML text only, or let it escape by context",
                ),
            ));
        }
        let (ops, _) = self.whole(&(template, partial.cloned(), Context::Plain, escape))?;
        Ok((ops, start))
    }

    /// Links a chain of templates; of the first `printed` ones what stands before `extends` is printed already.
    fn chained(
        &mut self,
        chain: &[usize],
        printed: usize,
        start: Context,
        escape: Autoescape,
    ) -> Result<(Ops, Context), Located> {
        let mut ops = Vec::new();
        let mut context = start;
        for (level, template) in chain.iter().enumerate().skip(printed) {
            let parsed = self.parsed(*template, *template)?;
            let at = parsed.parent.as_ref().map_or(usize::MAX, |(at, _)| *at);
            // What stands before `extends` is printed, as in Django.
            let before = parsed.nodes.iter().take_while(|node| node.at < at).count();
            let nodes = parsed.nodes.get(..before).unwrap_or_default();
            let position = Position { chain, level, block: None, escape };
            context = self.append(&mut ops, nodes, context, position)?;
        }
        if let Some(root) = chain.last().copied()
            && let Some((at, parent)) = &self.parsed(root, root)?.parent
        {
            let late = Late { parent: parent.clone(), chain: chain.to_vec(), context, escape };
            ops.push(Op::Extends(Box::new(late), Place { template: root, at: *at }));
        }
        Ok((ops.into(), context))
    }

    fn parsed(&self, template: usize, user: usize) -> Result<&'t Parsed, Located> {
        self.shelf.parsed(template).ok_or_else(|| {
            (user, Fault::new("it uses a template that has an error itself", "correct that first"))
        })
    }

    /// Adds a template and its parents, up to one whose parent is not literal.
    fn extend_chain(&self, chain: &mut Vec<usize>, template: usize) -> Result<(), Located> {
        let mut next = Some(template);
        let mut user = template;
        while let Some(template) = next {
            chain.push(template);
            let parent = self.parsed(template, user)?.parent.as_ref();
            next = match parent.and_then(|(at, name)| Some((*at, name.literal_text()?))) {
                None => None,
                Some((at, _)) if chain.len() > MAX_PARENTS => {
                    let message = format!("more than {MAX_PARENTS} parents");
                    return Err((template, Fault { at, message, hint: "flatten the inheritance" }));
                }
                Some((at, name)) => Some(self.shelf.find(name, template, chain).map_err(|message| {
                    (template, Fault { at, message, hint: "check its name, with its folder; a template cannot extend itself" })
                })?),
            };
            user = template;
        }
        Ok(())
    }

    fn body(
        &mut self,
        nodes: &[Node],
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
        nodes: &[Node],
        start: Context,
        position: Position<'_>,
    ) -> Linked {
        self.depth += 1;
        let mut context = start;
        for (at, node) in nodes.iter().enumerate() {
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
            context = match &node.kind {
                Kind::Text(text) => {
                    let after = nodes.get(at + 1..).unwrap_or_default();
                    self.text(ops, text, after, context)
                        .map_err(|fault| located(fault, node, position))?
                }
                _ => self.node(ops, node, context, position)?,
            };
        }
        self.depth -= 1;
        Ok(context)
    }

    /// Rule 6.
    fn text(
        &self,
        ops: &mut Vec<Op>,
        text: &str,
        after: &[Node],
        start: Context,
    ) -> Result<Context, Fault> {
        let mut context = start;
        let mut done = 0;
        for place in nonce::places(text, after, start) {
            let piece = text.get(done..place).unwrap_or_default();
            push_text(ops, piece);
            ops.push(Op::OwnNonce);
            done = place;
        }
        push_text(ops, text.get(done..).unwrap_or_default());
        context = context.feed(text)?;
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
        let wrong = |fault: Fault| located(fault, node, position);
        match &node.kind {
            Kind::Text(_) => Ok(context),
            Kind::Print(producer) => self.print(ops, producer, context, position, node),
            Kind::Bind(target, producer) => {
                ops.push(Op::Bind(target.clone(), producer.clone(), position.escape, place));
                Ok(context)
            }
            Kind::Super(filters) => self.super_block(ops, filters, context, position, place),
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
            Kind::Setting(setting, body) => {
                let (body, end) = self.body(body, context, position)?;
                ops.push(Op::Setting(setting.clone(), body, place));
                Ok(end)
            }
            Kind::IfChanged(changed, body, otherwise) => {
                let (body, end) = self.body(body, context, position)?;
                let (otherwise, other) = self.body(otherwise, context, position)?;
                ops.push(Op::IfChanged(changed.clone(), body, otherwise, place));
                let both = end.join(other).ok_or_else(|| differ(place, end, other))?;
                // With an else, one of the two is always printed; without, perhaps nothing is.
                Ok(both)
            }
            Kind::ResetCycle(id) => {
                ops.push(Op::ResetCycle(*id));
                Ok(context)
            }
            Kind::Capture(capture, body) => {
                self.capture(ops, capture, body, context, position, node)
            }
            Kind::Include(include) => self.include(ops, include, context, position, place),
            Kind::Inclusion(called, template) => {
                let target = self.shelf.find(template, place.template, &[]);
                match target {
                    Err(message) => self.absent(ops, message, context, place),
                    Ok(target) => {
                        let (fragment, end) = self.used(target, None, context, position)?;
                        ops.push(Op::Inclusion(fragment, called.clone(), position.escape, place));
                        Ok(end)
                    }
                }
            }
            Kind::Partial(name) => self.partial(ops, name, context, position, place),
            Kind::CsrfToken => {
                own_markup(ops, context, matches!(context, Context::Text), Op::CsrfToken)
                    .map_err(wrong)
            }
            Kind::NonceAttribute => {
                own_markup(ops, context, matches!(context, Context::Tag(_)), Op::NonceAttribute)
                    .map_err(wrong)
            }
        }
    }

    fn print(
        &mut self,
        ops: &mut Vec<Op>,
        producer: &Arc<Producer>,
        context: Context,
        position: Position<'_>,
        node: &Node,
    ) -> Linked {
        if let Producer::Cycle(cycle) = &**producer
            && cycle.silent
        {
            let nothing = Escaper::NOTHING;
            ops.push(Op::Print(
                producer.clone(),
                nothing,
                position.escape,
                position.place(node.at),
            ));
            return Ok(context);
        }
        let (escaper, after) = context.hole().map_err(|fault| located(fault, node, position))?;
        let escaper = match &**producer {
            Producer::Expression(expression) => {
                refine(escaper, expression).map_err(|fault| located(fault, node, position))?
            }
            Producer::Url(_) | Producer::Static(_) | Producer::Prefix(_) => {
                own_address(escaper, context)
            }
            _ => escaper,
        };
        ops.push(Op::Print(producer.clone(), escaper, position.escape, position.place(node.at)));
        Ok(after)
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
        let Some((level, body)) = self.block_body(name, from, position)? else {
            return Ok(context);
        };
        let inside = Position { level, block: Some(name), ..position };
        let (linked, end) = self.body(body, context, inside)?;
        let asked = match mentions(body, Symbol::BLOCK) {
            true => {
                let mut replaced = Vec::new();
                self.block(&mut replaced, name, level + 1, context, position)?;
                Some((Arc::from(name), replaced.into()))
            }
            false => None,
        };
        ops.push(Op::Block(linked, asked));
        Ok(end)
    }

    fn block_body(
        &self,
        name: &str,
        from: usize,
        position: Position<'_>,
    ) -> Result<Option<(usize, &'t Body)>, Located> {
        for (level, template) in position.chain.iter().enumerate().skip(from) {
            if let Some(body) = self.parsed(*template, position.template())?.blocks.get(name) {
                return Ok(Some((level, body)));
            }
        }
        Ok(None)
    }

    fn super_block(
        &mut self,
        ops: &mut Vec<Op>,
        filters: &Arc<[Applied]>,
        context: Context,
        position: Position<'_>,
        place: Place,
    ) -> Linked {
        let Some(name) = position.block else { return Ok(context) };
        if filters.iter().all(|applied| applied.filter.name == "safe") {
            return self.block(ops, name, position.level + 1, context, position);
        }
        let inner = captured(context);
        let mut body = Vec::new();
        let end = self.block(&mut body, name, position.level + 1, inner, position)?;
        let (escaper, after) = self.printed_capture(inner, end, context, place)?;
        ops.push(Op::Super(body.into(), filters.clone(), escaper, position.escape, place));
        Ok(after)
    }

    /// The escaper of a rendered body that is printed as a value, and the context behind it.
    fn printed_capture(
        &self,
        inner: Context,
        end: Context,
        context: Context,
        place: Place,
    ) -> Result<(Escaper, Context), Located> {
        if end != inner {
            return Err(differ(place, inner, end));
        }
        context.hole().map_err(|fault| (place.template, Fault { at: place.at, ..fault }))
    }

    fn capture(
        &mut self,
        ops: &mut Vec<Op>,
        capture: &Arc<Capture>,
        body: &Body,
        context: Context,
        position: Position<'_>,
        node: &Node,
    ) -> Linked {
        let place = position.place(node.at);
        if matches!(&**capture, Capture::Cache(_))
            && !matches!(context, Context::Text | Context::Plain)
        {
            // A fragment is kept under its name alone: what was escaped for one place must not stand in another.
            let fault = Fault {
                at: node.at,
                message: format!("a cached fragment does not fit into {}", context.words()),
                hint: "cache what stands in HTML text",
            };
            return Err((place.template, fault));
        }
        let inner = match &**capture {
            Capture::Cache(_) => context,
            _ => captured(context),
        };
        let (linked, end) = self.body(body, inner, position)?;
        let silent = matches!(&**capture, Capture::Custom(_, Some(_)));
        let (escaper, after) = match &**capture {
            Capture::Cache(_) if end == context => {
                (Escaper { slot: Slot::Html, ..Escaper::NOTHING }, context)
            }
            _ if silent && end == inner => (Escaper::NOTHING, context),
            _ => self.printed_capture(inner, end, context, place)?,
        };
        ops.push(Op::Capture(capture.clone(), linked, escaper, position.escape, place));
        Ok(after)
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
            ops.push(Op::IncludeByName(include.clone(), context, position.escape, place));
            return Ok(context);
        };
        let (name, partial) = split_partial(name);
        let template = match self.shelf.find(name, place.template, &[]) {
            Ok(template) => template,
            Err(message) => return self.absent(ops, message, context, place),
        };
        if let Some(partial) = partial
            && self.shelf.parsed(template).is_some_and(|p| !p.partials.contains_key(partial))
        {
            return self.absent(
                ops,
                format!("there is no partial '{partial}' in '{name}'"),
                context,
                place,
            );
        }
        let (fragment, end) = self.used(template, partial, context, position)?;
        ops.push(Op::Include(fragment, include.clone(), place));
        Ok(end)
    }

    fn partial(
        &mut self,
        ops: &mut Vec<Op>,
        name: &Arc<str>,
        context: Context,
        position: Position<'_>,
        place: Place,
    ) -> Linked {
        if !self.parsed(place.template, place.template)?.partials.contains_key(name) {
            let message = format!("Partial '{name}' is not defined in the current template.");
            return self.absent(ops, message, context, place);
        }
        let (fragment, end) = self.used(place.template, Some(name), context, position)?;
        ops.push(Op::Partial(fragment, place));
        Ok(end)
    }

    fn used(
        &mut self,
        template: usize,
        partial: Option<&str>,
        context: Context,
        position: Position<'_>,
    ) -> Result<(usize, Context), Located> {
        let fragment =
            self.fragment((template, partial.map(Arc::from), context, position.escape))?;
        let Some(used) = self.fragments.get_mut(fragment) else { return Ok((fragment, context)) };
        used.assumed |= used.end.is_none();
        Ok((fragment, used.end.unwrap_or(context)))
    }

    /// What is named and does not exist.
    fn absent(&self, ops: &mut Vec<Op>, message: String, context: Context, place: Place) -> Linked {
        if !self.shelf.lenient {
            let hint = "check its name, with its folder";
            return Err((place.template, Fault { at: place.at, message, hint }));
        }
        ops.push(Op::Fail(message, place));
        Ok(context)
    }
}

/// `name#partial`.
pub(crate) fn split_partial(name: &str) -> (&str, Option<&str>) {
    match name.split_once('#') {
        Some((name, partial)) if !partial.is_empty() => (name, Some(partial)),
        Some((name, _)) => (name, None),
        None => (name, None),
    }
}

fn missing_partial(template: usize, name: &str) -> Located {
    let message = format!("there is no partial '{name}' in this template");
    (template, Fault::new(message, "define it with {% partialdef %}"))
}

/// Where a body is rendered whose result is a value: in HTML text as such, elsewhere as HTML that is then escaped for
/// the place.
fn captured(context: Context) -> Context {
    match context {
        Context::Text => Context::Text,
        _ => Context::Plain,
    }
}

fn located(fault: Fault, node: &Node, position: Position<'_>) -> Located {
    (position.template(), Fault { at: fault.at.saturating_add(node.at), ..fault })
}

fn push_text(ops: &mut Vec<Op>, text: &str) {
    match ops.last_mut() {
        _ if text.is_empty() => {}
        Some(Op::Text(before)) => *before = [before, text].concat().into(),
        _ => ops.push(Op::Text(text.into())),
    }
}

/// Whether a look-up in the body, outside of blocks of its own, begins with that name.
fn mentions(body: &[Node], symbol: Symbol) -> bool {
    body.iter().any(|node| {
        let mut found = false;
        node.kind.expressions(&mut |expression| found |= expression.begins_with(symbol));
        found
            || !matches!(node.kind, Kind::Block(..))
                && node.kind.bodies().iter().any(|body| mentions(body, symbol))
    })
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
