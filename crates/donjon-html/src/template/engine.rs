//! A set of templates: loaded once, rendered often.
//!
//! Stops a broken template from being found by a visitor.
//!
//! 1. All errors of all templates are reported when they are loaded, each with its place.
//! 2. A template that is no page of its own, because it only fits inside another, is an error only when it is rendered
//!    alone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::autoescape::{Known, Late, Linker, Located, Ops, Place, Shelf, split_partial};
use super::expression::{Expression, Head};
use super::filter::{Autoescape, Filter};
use super::library::{Libraries, Library};
use super::lint::{Lint, lint};
use super::names::{Names, Symbol};
use super::parser::{self, Parsed, Setup};
use super::render::{Limits, RenderError, Renderer};
use super::tag::{Capture, Kind, Node, Producer};
use super::variables::{Surroundings, Variables};
use crate::context::{Context, Fault};
use crate::locale::Locale;

/// What is wrong in a template, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    template: String,
    line: usize,
    column: usize,
    source_line: String,
    message: String,
    hint: String,
}

impl TemplateError {
    fn new(template: &str, source: &str, fault: &Fault) -> Self {
        let mut at = fault.at.min(source.len());
        while !source.is_char_boundary(at) {
            at -= 1;
        }
        let before = source.get(..at).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            template: template.into(),
            line: before.matches('\n').count() + 1,
            column: before.get(start..).unwrap_or_default().chars().count() + 1,
            source_line: source
                .get(start..)
                .unwrap_or_default()
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(200)
                .collect(),
            message: fault.message.clone(),
            hint: fault.hint.into(),
        }
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

    /// The line as it is written.
    #[must_use]
    pub fn source_line(&self) -> &str {
        &self.source_line
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}:{}: {}", self.template, self.line, self.column, self.message)?;
        writeln!(f, "    {}", self.source_line)?;
        // Formatting takes no wider column.
        let column = self.column.min(usize::from(u16::MAX));
        write!(f, "    {:>column$} {}", "^", self.hint)
    }
}

impl std::error::Error for TemplateError {}

/// Everything that is wrong in a set of templates. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateErrors(Vec<TemplateError>);

impl TemplateErrors {
    /// The errors, in the order of the templates.
    pub fn iter(&self) -> std::slice::Iter<'_, TemplateError> {
        self.0.iter()
    }
}

impl fmt::Display for TemplateErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|error| writeln!(f, "{error}"))
    }
}

impl std::error::Error for TemplateErrors {}

/// How a template escapes what it prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Escape {
    /// For the place where it stands: text, attribute, address, script, style.
    #[default]
    Contextual,
    /// For HTML text everywhere, as Django does: what stands in a script, a style, an address or an attribute without
    /// quotes is not safe. The linter names these places.
    Django,
}

/// How a set of templates is loaded and rendered. Django: `TEMPLATES["OPTIONS"]`.
#[derive(Clone, Debug)]
pub struct TemplateOptions {
    locale: Locale,
    libraries: Libraries,
    escape: Vec<(String, Escape)>,
    invalid: String,
    limits: Limits,
    lenient: bool,
    without_autoescape: bool,
    debug: bool,
    urlize_http: bool,
}

impl Default for TemplateOptions {
    fn default() -> Self {
        Self {
            locale: Locale::english(),
            libraries: Libraries::default(),
            escape: Vec::new(),
            invalid: String::new(),
            limits: Limits::default(),
            lenient: false,
            without_autoescape: false,
            debug: false,
            urlize_http: false,
        }
    }
}

impl TemplateOptions {
    /// Django's tags and filters, escaping by context, all errors when the templates are loaded.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The language, formats and time zone of pages, where the page's [`Surroundings`] say nothing else.
    #[must_use]
    pub fn locale(self, locale: Locale) -> Self {
        Self { locale, ..self }
    }

    /// Registers a library, for `{% load name %}`. Django: `libraries`.
    #[must_use]
    pub fn library(mut self, name: impl Into<String>, library: Library) -> Self {
        self.libraries.named.insert(name.into(), library);
        self
    }

    /// Adds a library that every template may use without loading it. Django: `builtins`.
    #[must_use]
    pub fn builtins(mut self, library: Library) -> Self {
        self.libraries.always.push(library);
        self
    }

    /// Lets the templates whose names begin with `prefix` escape as Django does: `""` for all, `"old/"` for a folder, or
    /// a template's whole name. The longest prefix counts.
    #[must_use]
    pub fn danger_escape_as_django(mut self, prefix: impl Into<String>) -> Self {
        self.escape.push((prefix.into(), Escape::Django));
        self
    }

    /// Lets the templates whose names begin with `prefix` escape by context, though a shorter prefix says otherwise.
    #[must_use]
    pub fn escape_by_context(mut self, prefix: impl Into<String>) -> Self {
        self.escape.push((prefix.into(), Escape::Contextual));
        self
    }

    /// Escapes nothing outside of `{% autoescape on %}`. Django: `autoescape=False`. For templates that make no HTML.
    #[must_use]
    pub fn danger_without_autoescape(self) -> Self {
        Self { without_autoescape: true, ..self }
    }

    /// What a missing variable prints; `%s` in it stands for the variable's name. Django: `string_if_invalid`.
    #[must_use]
    pub fn string_if_invalid(self, text: impl Into<String>) -> Self {
        Self { invalid: text.into(), ..self }
    }

    /// The limits of rendering.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Reports a template that is broken, or that does not exist, only when a page needs it: as Django does. For
    /// development, where the other pages go on working.
    #[must_use]
    pub fn errors_when_rendered(self) -> Self {
        Self { lenient: true, ..self }
    }

    /// Lets `{% debug %}` print the variables of a page. Django: `debug`.
    #[must_use]
    pub fn danger_debug(self) -> Self {
        Self { debug: true, ..self }
    }

    /// Makes `urlize` take addresses without a scheme for `http`. Django: `URLIZE_ASSUME_HTTPS = False`.
    #[must_use]
    pub fn danger_urlize_assume_http(self) -> Self {
        Self { urlize_http: true, ..self }
    }

    fn escape_of(&self, name: &str) -> Escape {
        let fitting = self.escape.iter().filter(|(prefix, _)| name.starts_with(&**prefix));
        fitting.max_by_key(|(prefix, _)| prefix.len()).map_or(Escape::Contextual, |(_, how)| *how)
    }
}

/// Templates that have been loaded, linked and checked.
#[derive(Debug)]
pub struct Templates {
    shelf: Shelf,
    sources: Vec<String>,
    fragments: Vec<Ops>,
    entries: Vec<Result<usize, TemplateError>>,
    uses: Vec<BTreeSet<Arc<str>>>,
    symbols: HashMap<Arc<str>, Symbol>,
    options: TemplateOptions,
    late: OnceLock<Box<LateNode>>,
}

/// The most templates that are linked while pages are rendered.
const MAX_LATE: usize = 4096;

/// What a late link is for: templates, a partial, a place.
type LateKey = (Vec<usize>, Option<String>, Context, Autoescape);

/// Templates that were linked while a page was rendered: each fragment, and the one to begin with.
pub(super) struct LinkedSet {
    pub(super) fragments: Vec<Ops>,
    pub(super) first: usize,
}

/// A list that only grows, so that what it holds can be lent for as long as the templates live.
struct LateNode {
    key: LateKey,
    linked: Result<LinkedSet, String>,
    next: OnceLock<Box<LateNode>>,
}

impl fmt::Debug for LateNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateNode").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Templates {
    /// Loads templates, given as names and sources. Of two with one name the first counts; the others are what a
    /// template of that name extends by its own name.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in any of them.
    pub fn new<N: Into<String>, S: Into<String>>(
        sources: impl IntoIterator<Item = (N, S)>,
    ) -> Result<Self, TemplateErrors> {
        Self::with_options(sources, TemplateOptions::new())
    }

    /// Loads templates that may use filters of the site's own, besides Django's.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in any of them.
    pub fn with_filters<N: Into<String>, S: Into<String>>(
        sources: impl IntoIterator<Item = (N, S)>,
        filters: impl IntoIterator<Item = Filter>,
    ) -> Result<Self, TemplateErrors> {
        let library = filters.into_iter().fold(Library::new(), Library::filter);
        Self::with_options(sources, TemplateOptions::new().builtins(library))
    }

    /// Loads templates as the options say.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in any of them; nothing with [`TemplateOptions::errors_when_rendered`].
    pub fn with_options<N: Into<String>, S: Into<String>>(
        sources: impl IntoIterator<Item = (N, S)>,
        options: TemplateOptions,
    ) -> Result<Self, TemplateErrors> {
        let mut loader = Loader::new(options);
        sources.into_iter().for_each(|(name, source)| loader.add(name.into(), source.into()));
        loader.load()
    }

    /// Renders the template of that name, or a partial of it: `name#partial`.
    ///
    /// # Errors
    ///
    /// [`RenderError`] if there is no such template, a value does not fit, or a limit is passed.
    pub fn render(
        &self,
        name: &str,
        variables: &Variables,
        around: &dyn Surroundings,
    ) -> Result<String, RenderError> {
        let mut out = String::with_capacity(1024);
        self.renderer(name, variables, around)?.page(&mut out)?;
        Ok(out)
    }

    /// Renders the template of that name into pieces of about 8 KiB, each of which is handed to `send` as soon as it is
    /// made, so that a page of any size takes little memory. If rendering fails, what was sent stays sent.
    ///
    /// # Errors
    ///
    /// As [`Self::render`]; and if `send` fails.
    pub fn render_pieces(
        &self,
        name: &str,
        variables: &Variables,
        around: &dyn Surroundings,
        send: &mut dyn FnMut(&str) -> fmt::Result,
    ) -> Result<(), RenderError> {
        let mut out = String::with_capacity(10 * 1024);
        let mut renderer = self.renderer(name, variables, around)?;
        renderer.send_to(send);
        renderer.page(&mut out)?;
        renderer.flush(&mut out, 0)
    }

    /// Renders the template of that name to a [`fmt::Write`].
    ///
    /// # Errors
    ///
    /// As [`Self::render_pieces`].
    pub fn render_to(
        &self,
        name: &str,
        variables: &Variables,
        around: &dyn Surroundings,
        out: &mut dyn fmt::Write,
    ) -> Result<(), RenderError> {
        self.render_pieces(name, variables, around, &mut |piece| out.write_str(piece))
    }

    fn renderer<'a>(
        &'a self,
        name: &str,
        variables: &'a Variables,
        around: &'a dyn Surroundings,
    ) -> Result<Renderer<'a>, RenderError> {
        let (set, first) =
            self.entry(name).map_err(|message| RenderError::new(name, 0, message))?;
        Ok(Renderer::new(self, set, first, variables, around))
    }

    /// Whether a template, with its parents and what it includes, mentions that variable. A template that chooses another
    /// by a variable's value may mention any.
    #[must_use]
    pub fn uses(&self, name: &str, variable: &str) -> bool {
        let (name, _) = split_partial(name);
        let uses = self.shelf.index.get(name).and_then(|at| self.uses.get(*at));
        uses.is_some_and(|uses| uses.contains(variable) || uses.contains(ANYTHING))
    }

    /// Whether there is a template of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.shelf.index.contains_key(name)
    }

    /// The names of all templates.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.shelf.index.keys().map(|name| &**name)
    }

    /// The source of the template of that name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&str> {
        self.sources.get(*self.shelf.index.get(name)?).map(String::as_str)
    }

    /// What is better not done in any of the templates: see [`lint`](super::lint()).
    #[must_use]
    pub fn lints(&self) -> Vec<Lint> {
        let known = self.shelf.templates.iter().zip(&self.sources);
        known.flat_map(|(known, source)| lint(&known.name, source, known.escape)).collect()
    }

    pub(super) fn options(&self) -> &TemplateOptions {
        &self.options
    }

    pub(super) fn symbol(&self, name: &str) -> Option<Symbol> {
        self.symbols.get(name).copied()
    }

    /// The fragments of a page, and the one to begin with.
    fn entry(&self, name: &str) -> Result<(&[Ops], usize), String> {
        let (name, partial) = split_partial(name);
        let Some(at) = self.shelf.index.get(name).copied() else {
            return Err(format!("there is no template '{name}'"));
        };
        let start = self.shelf.start(at);
        match partial {
            Some(partial) => self.part(at, Some(partial), start, self.autoescape()),
            None => match self.entries.get(at) {
                Some(Ok(first)) => Ok((&self.fragments, *first)),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("it was not loaded".into()),
            },
        }
    }

    fn autoescape(&self) -> Autoescape {
        self.options.autoescape()
    }

    /// A template that the page chooses, linked for its place.
    pub(super) fn chosen(
        &self,
        name: &str,
        user: usize,
        context: Context,
        escape: Autoescape,
    ) -> Result<(&[Ops], usize), String> {
        let (name, partial) = split_partial(name);
        let at = self.shelf.find(name, user, &[])?;
        if partial.is_none() && context == self.shelf.start(at) && escape == self.autoescape() {
            return match self.entries.get(at) {
                Some(Ok(first)) => Ok((&self.fragments, *first)),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("it was not loaded".into()),
            };
        }
        self.part(at, partial, context, escape)
    }

    fn part(
        &self,
        at: usize,
        partial: Option<&str>,
        context: Context,
        escape: Autoescape,
    ) -> Result<(&[Ops], usize), String> {
        let key = (vec![at], partial.map(str::to_owned), context, escape);
        self.late(key, |linker| linker.part(at, partial, context, escape))
    }

    /// The page whose parent is chosen now.
    pub(super) fn below(&self, late: &Late, name: &str) -> Result<(&[Ops], usize), String> {
        let user = late.chain.last().copied().unwrap_or_default();
        // A name that is no literal is not relative to the template, as in Django.
        let named = self.shelf.index.get(name).copied().filter(|at| !late.chain.contains(at));
        let parent = named.map_or_else(|| self.shelf.find(name, user, &late.chain), Ok)?;
        let mut chain = late.chain.clone();
        chain.push(parent);
        let key = (chain, None, late.context, late.escape);
        self.late(key, |linker| linker.below(late, parent))
    }

    fn late(
        &self,
        key: LateKey,
        link: impl FnOnce(&mut Linker<'_>) -> Result<usize, Located>,
    ) -> Result<(&[Ops], usize), String> {
        let mut link = Some(link);
        let mut place = &self.late;
        for _ in 0..MAX_LATE {
            let node = place.get_or_init(|| Box::new(self.link_late(key.clone(), link.take())));
            if node.key == key {
                let linked = node.linked.as_ref().map_err(Clone::clone)?;
                return Ok((&linked.fragments, linked.first));
            }
            place = &node.next;
        }
        Err(format!("more than {MAX_LATE} templates are chosen while pages are rendered"))
    }

    fn link_late(
        &self,
        key: LateKey,
        link: Option<impl FnOnce(&mut Linker<'_>) -> Result<usize, Located>>,
    ) -> LateNode {
        let mut linker = Linker::new(&self.shelf);
        let linked = match link.map(|link| link(&mut linker)) {
            Some(Ok(first)) => Ok(LinkedSet { fragments: linker.finish(), first }),
            Some(Err(located)) => Err(error(&self.shelf, &self.sources, &located).to_string()),
            None => Err("it was not linked".into()),
        };
        LateNode { key, linked, next: OnceLock::new() }
    }

    pub(super) fn render_error(&self, place: Place, message: String) -> RenderError {
        let (Some(known), Some(source)) =
            (self.shelf.templates.get(place.template), self.sources.get(place.template))
        else {
            return RenderError::new("", 0, message);
        };
        let before = source.as_bytes().get(..place.at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        RenderError::new(&known.name, line, message)
    }
}

impl TemplateOptions {
    pub(super) fn default_locale(&self) -> &Locale {
        &self.locale
    }

    pub(super) fn invalid(&self) -> &str {
        &self.invalid
    }

    pub(super) fn rendering_limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn urlizes_http(&self) -> bool {
        self.urlize_http
    }

    pub(super) fn debugs(&self) -> bool {
        self.debug
    }

    pub(super) fn autoescape(&self) -> Autoescape {
        if self.without_autoescape { Autoescape::Off } else { Autoescape::On }
    }
}

fn error(shelf: &Shelf, sources: &[String], (template, fault): &Located) -> TemplateError {
    match (shelf.templates.get(*template), sources.get(*template)) {
        (Some(known), Some(source)) => TemplateError::new(&known.name, source, fault),
        _ => TemplateError::new("", "", fault),
    }
}

struct Loader {
    shelf: Shelf,
    sources: Vec<String>,
    options: TemplateOptions,
    errors: Vec<TemplateError>,
}

impl Loader {
    fn new(options: TemplateOptions) -> Self {
        let shelf = Shelf {
            lenient: options.lenient,
            autoescape: options.autoescape(),
            templates: Vec::new(),
            index: BTreeMap::new(),
        };
        Self { shelf, sources: Vec::new(), options, errors: Vec::new() }
    }

    fn add(&mut self, name: String, source: String) {
        let escape = self.options.escape_of(&name);
        let name: Arc<str> = name.into();
        let at = self.shelf.templates.len();
        self.shelf.templates.push(Known { name: name.clone(), parsed: None, escape, next: None });
        self.sources.push(source);
        let Some(mut last) = self.shelf.index.get(&name).copied() else {
            self.shelf.index.insert(name, at);
            return;
        };
        while let Some(next) = self.shelf.templates.get(last).and_then(|known| known.next) {
            last = next;
        }
        if let Some(known) = self.shelf.templates.get_mut(last) {
            known.next = Some(at);
        }
    }

    fn load(mut self) -> Result<Templates, TemplateErrors> {
        let names = Names::default();
        let broken = self.parse(&names);
        let mentions: Vec<Mentions> = self
            .shelf
            .templates
            .iter()
            .map(|known| known.parsed.as_ref().map(Mentions::of).unwrap_or_default())
            .collect();
        let (entries, fragments) = self.link(broken, &mentions);
        if !self.errors.is_empty() && !self.options.lenient {
            return Err(TemplateErrors(self.errors));
        }
        let uses = (0..mentions.len()).map(|at| closure(at, &mentions, &self.shelf)).collect();
        Ok(Templates {
            shelf: self.shelf,
            sources: self.sources,
            fragments,
            entries,
            uses,
            symbols: names.table(),
            options: self.options,
            late: OnceLock::new(),
        })
    }

    /// Reads all templates; returns the errors of those that are broken.
    fn parse(&mut self, names: &Names) -> HashMap<usize, TemplateError> {
        let mut broken = HashMap::new();
        let libraries = self.options.libraries.clone();
        let mut setup = Setup { libraries: &libraries, names, next_id: 0 };
        for at in 0..self.sources.len() {
            let source = self.sources.get(at).map(String::as_str).unwrap_or_default();
            match parser::parse(source, &mut setup) {
                Ok(parsed) => {
                    if let Some(known) = self.shelf.templates.get_mut(at) {
                        known.parsed = Some(parsed);
                    }
                }
                Err(fault) => {
                    let error = error(&self.shelf, &self.sources, &(at, fault));
                    self.errors.push(error.clone());
                    broken.insert(at, error);
                }
            }
        }
        broken
    }

    fn link(
        &mut self,
        mut broken: HashMap<usize, TemplateError>,
        mentions: &[Mentions],
    ) -> (Vec<Result<usize, TemplateError>>, Vec<Ops>) {
        let included: HashSet<&str> =
            mentions.iter().flat_map(|m| m.templates.iter().map(|name| &**name)).collect();
        let mut linker = Linker::new(&self.shelf);
        let mut entries = Vec::with_capacity(self.sources.len());
        for (at, known) in self.shelf.templates.iter().enumerate() {
            if let Some(error) = broken.remove(&at) {
                entries.push(Err(error));
                continue;
            }
            let entry = linker
                .page(at, None)
                .map_err(|located| (located.0 == at, error(&self.shelf, &self.sources, &located)));
            if let Err((own, error)) = &entry {
                let part = *own && included.contains(&*known.name);
                if !part && !self.errors.contains(error) {
                    self.errors.push(error.clone());
                }
            }
            entries.push(entry.map_err(|(_, error)| error));
        }
        (entries, linker.finish())
    }
}

const ANYTHING: &str = "*";

/// The variables and templates that a template names itself.
#[derive(Default)]
struct Mentions {
    variables: HashSet<Arc<str>>,
    templates: HashSet<Arc<str>>,
}

fn closure(start: usize, mentions: &[Mentions], shelf: &Shelf) -> BTreeSet<Arc<str>> {
    let mut seen = HashSet::from([start]);
    let mut open = vec![start];
    let mut variables = BTreeSet::new();
    while let Some(at) = open.pop() {
        let Some(mention) = mentions.get(at) else { continue };
        variables.extend(mention.variables.iter().cloned());
        let named = mention.templates.iter().filter_map(|name| shelf.index.get(name).copied());
        let same_name = shelf.templates.get(at).and_then(|known| known.next);
        open.extend(named.chain(same_name).filter(|at| seen.insert(*at)));
    }
    variables
}

impl Mentions {
    fn of(parsed: &Parsed) -> Self {
        let mut mentions = Self::default();
        if let Some((_, parent)) = &parsed.parent {
            mentions.template(parent);
        }
        mentions.body(&parsed.nodes);
        parsed.partials.values().for_each(|body| mentions.body(body));
        mentions
    }

    fn body(&mut self, nodes: &[Node]) {
        for node in nodes {
            node.kind.expressions(&mut |expression| self.expression(expression));
            self.kind(&node.kind);
            node.kind.bodies().into_iter().for_each(|body| self.body(body));
        }
    }

    fn kind(&mut self, kind: &Kind) {
        match kind {
            Kind::Include(include) => self.template(&include.name),
            Kind::Inclusion(_, template) => {
                self.templates.insert(template.clone());
                self.name(ANYTHING);
            }
            Kind::CsrfToken => self.name("csrf_token"),
            Kind::NonceAttribute => self.name("csp_nonce"),
            Kind::Print(producer) | Kind::Bind(_, producer) => self.producer(producer),
            Kind::Capture(capture, _) if matches!(&**capture, Capture::Custom(..)) => {
                self.name(ANYTHING);
            }
            _ => {}
        }
    }

    fn producer(&mut self, producer: &Producer) {
        match producer {
            Producer::QueryString(..) => self.name("request"),
            Producer::BlockTranslate(block) => {
                let messages = std::iter::once(&block.singular).chain(&block.plural);
                let names = messages.flat_map(|message| &message.variables);
                self.variables.extend(names.map(|target| target.name.clone()));
            }
            // These see all variables.
            Producer::Debug | Producer::Custom(_) => self.name(ANYTHING),
            _ => {}
        }
    }

    fn name(&mut self, name: &str) {
        self.variables.insert(name.into());
    }

    fn template(&mut self, name: &Expression) {
        self.expression(name);
        match name.literal_text() {
            // Beside the template's own folder: may be any.
            Some(name) if name.starts_with('.') => self.name(ANYTHING),
            Some(name) => drop(self.templates.insert(split_partial(name).0.into())),
            None => self.name(ANYTHING),
        }
    }

    fn expression(&mut self, expression: &Expression) {
        for head in expression.heads() {
            if let Head::Path(path) = head {
                self.variables.insert(path.name.clone());
            }
        }
    }
}
