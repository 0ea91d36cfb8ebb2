//! A set of templates: loaded once, rendered often.
//!
//! Stops a broken template from being found by a visitor.
//!
//! 1. All errors of all templates are reported when they are loaded, each with its place.
//! 2. A template that is no page of its own, because it only fits inside another, is an error only when it is rendered
//!    alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use super::autoescape::{Linker, Located, Op, Ops, Place};
use super::condition::Condition;
use super::expression::{Expression, Head};
use super::filter::{Filter, Filters};
use super::parser::{self, Parsed};
use super::render::{RenderError, Renderer};
use super::tag::{Body, Kind};
use super::variables::{Surroundings, Variables};
use crate::context::{Context, Fault};

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

/// Templates that have been loaded, linked and checked.
#[derive(Debug)]
pub struct Templates {
    names: Vec<(Arc<str>, String)>,
    index: BTreeMap<Arc<str>, usize>,
    fragments: Vec<Ops>,
    entries: Vec<Result<usize, TemplateError>>,
    uses: Vec<BTreeSet<Arc<str>>>,
}

impl Templates {
    /// Loads templates, given as names and sources. Of two with one name the last counts.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in any of them.
    pub fn new<N: Into<String>, S: Into<String>>(
        sources: impl IntoIterator<Item = (N, S)>,
    ) -> Result<Self, TemplateErrors> {
        Self::with_filters(sources, [])
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
        let mut known = Filters::default();
        filters.into_iter().for_each(|filter| known.add(filter));
        let mut loader = Loader::default();
        sources.into_iter().for_each(|(name, source)| loader.add(name.into(), source.into()));
        loader.load(&known)
    }

    /// Renders the template of that name.
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
        let fragment = match self.entry(name) {
            None => return Err(RenderError::new(name, 0, "there is no such template")),
            Some(entry) => entry.map_err(|message| RenderError::new(name, 0, message))?,
        };
        let mut out = String::with_capacity(1024);
        Renderer::new(self, variables, around).ops(&mut out, self.fragment(fragment))?;
        Ok(out)
    }

    /// Whether a template, with its parents and what it includes, mentions that variable. A template that includes
    /// another by a variable's value may mention any.
    #[must_use]
    pub fn uses(&self, name: &str, variable: &str) -> bool {
        let uses = self.index.get(name).and_then(|at| self.uses.get(*at));
        uses.is_some_and(|uses| uses.contains(variable) || uses.contains(ANYTHING))
    }

    /// Whether there is a template of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// The names of all templates.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| &**name)
    }

    pub(super) fn entry(&self, name: &str) -> Option<Result<usize, String>> {
        let entry = self.entries.get(*self.index.get(name)?)?;
        Some(entry.as_ref().copied().map_err(ToString::to_string))
    }

    pub(super) fn fragment(&self, id: usize) -> &[Op] {
        self.fragments.get(id).map(|ops| &**ops).unwrap_or_default()
    }

    pub(super) fn render_error(&self, place: Place, message: String) -> RenderError {
        let Some((name, source)) = self.names.get(place.template) else {
            return RenderError::new("", 0, message);
        };
        let before = source.as_bytes().get(..place.at).unwrap_or_default();
        RenderError::new(name, before.iter().filter(|byte| **byte == b'\n').count() + 1, message)
    }
}

#[derive(Default)]
struct Loader {
    names: Vec<(Arc<str>, String)>,
    index: BTreeMap<Arc<str>, usize>,
}

impl Loader {
    fn add(&mut self, name: String, source: String) {
        let name: Arc<str> = name.into();
        match self.index.get(&name).and_then(|at| self.names.get_mut(*at)) {
            Some(old) => old.1 = source,
            None => {
                self.index.insert(name.clone(), self.names.len());
                self.names.push((name, source));
            }
        }
    }

    fn error(&self, (template, fault): &Located) -> TemplateError {
        match self.names.get(*template) {
            Some((name, source)) => TemplateError::new(name, source, fault),
            None => TemplateError::new("", "", fault),
        }
    }

    fn load(self, filters: &Filters) -> Result<Templates, TemplateErrors> {
        let mut errors = Vec::new();
        let parsed: Vec<Option<Parsed>> = self
            .names
            .iter()
            .enumerate()
            .map(|(at, (_, source))| {
                parser::parse(source, filters)
                    .map_err(|fault| errors.push(self.error(&(at, fault))))
                    .ok()
            })
            .collect();
        let mentions: Vec<Mentions> = parsed
            .iter()
            .map(|parsed| parsed.as_ref().map(Mentions::of).unwrap_or_default())
            .collect();
        let included: HashSet<&str> =
            mentions.iter().flat_map(|m| m.templates.iter().map(|name| &**name)).collect();
        let mut linker = Linker::new(&parsed, &self.index);
        let mut entries = Vec::with_capacity(parsed.len());
        for (at, (name, _)) in self.names.iter().enumerate() {
            let entry = match parsed.get(at) {
                Some(Some(_)) => linker
                    .page(at, start(name))
                    .map_err(|located| (located.0 == at, self.error(&located))),
                // Reported already.
                _ => Err((true, TemplateError::new(name, "", &Fault::new("it has an error", "")))),
            };
            if let (Err((own, error)), Some(Some(_))) = (&entry, parsed.get(at)) {
                let part = *own && included.contains(&**name);
                if !part && !errors.contains(error) {
                    errors.push(error.clone());
                }
            }
            entries.push(entry.map_err(|(_, error)| error));
        }
        let fragments = linker.finish();
        if !errors.is_empty() {
            return Err(TemplateErrors(errors));
        }
        let uses = (0..mentions.len()).map(|at| closure(at, &mentions, &self.index)).collect();
        Ok(Templates { names: self.names, index: self.index, fragments, entries, uses })
    }
}

/// Mails and other plain text have no tags.
fn start(name: &str) -> Context {
    if name.ends_with(".txt") { Context::Plain } else { Context::Text }
}

const ANYTHING: &str = "*";

/// The variables and templates that a template names itself.
#[derive(Default)]
struct Mentions {
    variables: HashSet<Arc<str>>,
    templates: HashSet<Arc<str>>,
}

fn closure(
    start: usize,
    mentions: &[Mentions],
    index: &BTreeMap<Arc<str>, usize>,
) -> BTreeSet<Arc<str>> {
    let mut seen = HashSet::from([start]);
    let mut open = vec![start];
    let mut variables = BTreeSet::new();
    while let Some(mention) = open.pop().and_then(|at| mentions.get(at)) {
        variables.extend(mention.variables.iter().cloned());
        let next = mention.templates.iter().filter_map(|name| index.get(name).copied());
        open.extend(next.filter(|at| seen.insert(*at)));
    }
    variables
}

impl Mentions {
    fn of(parsed: &Parsed) -> Self {
        let mut mentions = Self::default();
        mentions.templates.extend(parsed.parent.iter().map(|(_, name)| name.clone()));
        mentions.body(&parsed.nodes);
        mentions
    }

    fn body(&mut self, nodes: &Body) {
        nodes.iter().for_each(|node| self.kind(&node.kind));
    }

    fn kind(&mut self, kind: &Kind) {
        match kind {
            Kind::Text(_) | Kind::Super => {}
            Kind::Hole(expression) | Kind::Static(expression) => self.expression(expression),
            Kind::If(arms) => arms.iter().for_each(|arm| {
                arm.condition.iter().for_each(|condition| self.condition(condition));
                self.body(&arm.body);
            }),
            Kind::For(head, body, empty) => {
                self.expression(&head.items);
                self.body(body);
                self.body(empty);
            }
            Kind::Block(_, body) | Kind::Autoescape(_, body) => self.body(body),
            Kind::With(bindings, body) => {
                bindings.iter().for_each(|(_, expression)| self.expression(expression));
                self.body(body);
            }
            Kind::Include(include) => {
                include.bindings.iter().for_each(|(_, expression)| self.expression(expression));
                self.expression(&include.name);
                match include.name.literal_text() {
                    Some(name) => drop(self.templates.insert(name.into())),
                    None => drop(self.variables.insert(ANYTHING.into())),
                }
            }
            Kind::Url(call) => {
                self.expression(&call.name);
                call.args.iter().for_each(|expression| self.expression(expression));
                call.kwargs.iter().for_each(|(_, expression)| self.expression(expression));
            }
            Kind::CsrfToken => drop(self.variables.insert("csrf_token".into())),
            Kind::NonceAttribute => drop(self.variables.insert("csp_nonce".into())),
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Value(expression) => self.expression(expression),
            Condition::Not(inner) => self.condition(inner),
            Condition::Binary(_, sides) => {
                self.condition(&sides.0);
                self.condition(&sides.1);
            }
        }
    }

    fn expression(&mut self, expression: &Expression) {
        let arguments = expression.filters.iter().filter_map(|applied| applied.argument.as_ref());
        for head in arguments.chain([&expression.head]) {
            if let Head::Path(path) = head {
                self.variables.insert(path.name.clone());
            }
        }
    }
}
