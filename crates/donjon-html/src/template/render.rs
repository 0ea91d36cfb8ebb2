//! Renders linked templates.
//!
//! Stops pages that never end, and error texts that reach a visitor.
//!
//! 1. Includes nest at most [`MAX_INCLUDES`] deep, loops run at most [`MAX_STEPS`] steps, a page has at most
//!    [`MAX_OUTPUT`] bytes; beyond that rendering fails.
//! 2. A page that fails is an error, never half a page.
//! 3. A missing variable prints nothing; in a condition or a loop it is `None`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::autoescape::{Op, Place};
use super::condition::{Condition, Operator};
use super::engine::Templates;
use super::expression::{Expression, Head, Path};
use super::filter::Autoescape;
use super::print::write;
use super::tag::{Bindings, Include, Loop, UrlCall};
use super::value::Value;
use super::variables::{Surroundings, Variables};
use crate::context::{Escaper, Slot};
use crate::escape::{self, url};

/// The deepest nesting of includes in a page.
pub const MAX_INCLUDES: usize = 32;
/// The most steps that the loops of one page take together.
pub const MAX_STEPS: usize = 10_000_000;
/// The most bytes that one page has.
pub const MAX_OUTPUT: usize = 64 * 1024 * 1024;
/// The deepest nesting of tags along all includes.
const MAX_DEPTH: usize = 240;

/// A page could not be rendered. For the log; a visitor sees none of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    template: String,
    line: usize,
    message: String,
}

impl RenderError {
    pub(super) fn new(template: &str, line: usize, message: impl Into<String>) -> Self {
        Self { template: template.into(), line, message: message.into() }
    }

    /// The name of the template.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The line, counted from 1; 0 if the error is about the template as a whole.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.template, self.line, self.message)
    }
}

impl std::error::Error for RenderError {}

enum Bound {
    Value(Value),
    Loop { index: usize, length: usize },
}

/// The names that a template sees.
struct Scope<'a> {
    variables: &'a Variables,
    around: &'a dyn Surroundings,
    bound: Vec<(Arc<str>, Bound)>,
    /// Names below this one, and the view's variables, are hidden by an `include … only`.
    floor: Option<usize>,
}

pub(crate) struct Renderer<'a> {
    templates: &'a Templates,
    scope: Scope<'a>,
    scratch: String,
    includes: usize,
    depth: usize,
    steps: usize,
}

type Done = Result<(), RenderError>;

impl<'a> Renderer<'a> {
    pub(crate) fn new(
        templates: &'a Templates,
        variables: &'a Variables,
        around: &'a dyn Surroundings,
    ) -> Self {
        let scope = Scope { variables, around, bound: Vec::new(), floor: None };
        Self { templates, scope, scratch: String::new(), includes: 0, depth: 0, steps: 0 }
    }

    fn fail(&self, place: Place, message: impl Into<String>) -> RenderError {
        self.templates.render_error(place, message.into())
    }

    pub(crate) fn ops(&mut self, out: &mut String, ops: &'a [Op]) -> Done {
        self.depth += 1;
        for op in ops {
            self.op(out, op)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn op(&mut self, out: &mut String, op: &'a Op) -> Done {
        match op {
            Op::Text(text) => out.push_str(text),
            Op::Hole(expression, escaper, escape, place) => {
                self.hole(out, expression, *escaper, *escape, *place)?
            }
            Op::If(arms, place) => return self.branches(out, arms, *place),
            Op::For(head, body, empty, place) => {
                return self.repeat(out, head, body, empty, *place);
            }
            Op::With(bindings, body, place) => return self.with(out, bindings, body, *place),
            Op::Include(fragment, include, place) => {
                return self.include(out, *fragment, include, *place);
            }
            Op::IncludeByName(include, place) => return self.include_by_name(out, include, *place),
            Op::Url(call, escaper, escape, place) => {
                self.url(out, call, *escaper, *escape, *place)?
            }
            Op::Static(path, escaper, place) => self.static_file(out, path, *escaper, *place)?,
            Op::CsrfToken => self.csrf_token(out),
            Op::NonceAttribute => self.nonce_attribute(out),
        }
        Ok(())
    }

    fn guard(&self, out: &str, place: Place) -> Done {
        let limit = match () {
            () if out.len() > MAX_OUTPUT => format!("the page has more than {MAX_OUTPUT} bytes"),
            () if self.steps > MAX_STEPS => {
                format!("the loops of the page take more than {MAX_STEPS} steps")
            }
            () if self.includes > MAX_INCLUDES => {
                format!("includes are nested more than {MAX_INCLUDES} deep")
            }
            () if self.depth > MAX_DEPTH => {
                format!("tags are nested more than {MAX_DEPTH} deep along the includes")
            }
            () => return Ok(()),
        };
        Err(self.fail(place, limit))
    }

    fn hole(
        &mut self,
        out: &mut String,
        expression: &Expression,
        escaper: Escaper,
        escape: Autoescape,
        place: Place,
    ) -> Done {
        if escaper.slot == Slot::Nothing {
            return Ok(());
        }
        let value = match self.scope.printed(expression, escape) {
            Ok(value) => value,
            Err(message) => return Err(self.fail(place, message)),
        };
        write(out, &mut self.scratch, escaper, escape, &value);
        self.guard(out, place)
    }

    fn branches(
        &mut self,
        out: &mut String,
        arms: &'a [(Option<Arc<Condition>>, super::autoescape::Ops)],
        place: Place,
    ) -> Done {
        self.guard(out, place)?;
        for (condition, body) in arms {
            let taken =
                condition.as_ref().map_or(Ok(true), |condition| self.scope.is_true(condition));
            if taken.map_err(|message| self.fail(place, message))? {
                return self.ops(out, body);
            }
        }
        Ok(())
    }

    fn repeat(
        &mut self,
        out: &mut String,
        head: &Loop,
        body: &'a [Op],
        empty: &'a [Op],
        place: Place,
    ) -> Done {
        let items = self
            .scope
            .value(&head.items, Autoescape::On)
            .map_err(|message| self.fail(place, message))?;
        let items =
            items.items().ok_or_else(|| self.fail(place, "this value cannot be iterated over"))?;
        if items.is_empty() {
            return self.ops(out, empty);
        }
        let mark = self.scope.bound.len();
        let name: Arc<str> = "forloop".into();
        for step in 0..items.len() {
            self.steps += 1;
            self.guard(out, place)?;
            let index = if head.reversed { items.len() - 1 - step } else { step };
            self.scope.bind(name.clone(), Bound::Loop { index: step, length: items.len() });
            let item = items.get(index).cloned().unwrap_or_default();
            self.bind_item(head, item).map_err(|message| self.fail(place, message))?;
            self.ops(out, body)?;
            self.scope.bound.truncate(mark);
        }
        Ok(())
    }

    fn bind_item(&mut self, head: &Loop, item: Value) -> Result<(), String> {
        if let [name] = &*head.names {
            self.scope.bind(name.clone(), Bound::Value(item));
            return Ok(());
        }
        let parts = item.items().filter(|_| !matches!(item, Value::None)).unwrap_or_default();
        if parts.len() != head.names.len() {
            return Err(format!(
                "Need {} values to unpack in for loop; got {}.",
                head.names.len(),
                parts.len().max(1)
            ));
        }
        for (name, part) in head.names.iter().zip(parts.iter()) {
            self.scope.bind(name.clone(), Bound::Value(part.clone()));
        }
        Ok(())
    }

    fn bind_all(&mut self, bindings: &Bindings, place: Place) -> Done {
        let mut values = Vec::with_capacity(bindings.len());
        for (name, expression) in bindings.iter() {
            let value = self
                .scope
                .printed(expression, Autoescape::On)
                .map_err(|message| self.fail(place, message))?;
            values.push((name.clone(), Bound::Value(value.into_owned())));
        }
        self.scope.bound.extend(values);
        Ok(())
    }

    fn with(
        &mut self,
        out: &mut String,
        bindings: &Bindings,
        body: &'a [Op],
        place: Place,
    ) -> Done {
        self.guard(out, place)?;
        let mark = self.scope.bound.len();
        self.bind_all(bindings, place)?;
        self.ops(out, body)?;
        self.scope.bound.truncate(mark);
        Ok(())
    }

    fn include(
        &mut self,
        out: &mut String,
        fragment: usize,
        include: &Include,
        place: Place,
    ) -> Done {
        self.includes += 1;
        self.guard(out, place)?;
        let (mark, floor) = (self.scope.bound.len(), self.scope.floor);
        self.bind_all(&include.bindings, place)?;
        self.scope.floor = if include.only { Some(mark) } else { floor };
        self.ops(out, self.templates.fragment(fragment))?;
        self.scope.bound.truncate(mark);
        self.scope.floor = floor;
        self.includes -= 1;
        Ok(())
    }

    fn include_by_name(&mut self, out: &mut String, include: &Include, place: Place) -> Done {
        let value = self
            .scope
            .value(&include.name, Autoescape::On)
            .map_err(|message| self.fail(place, message))?
            .into_owned();
        let first = match &value {
            Value::List(names) => names.iter().find_map(|name| self.templates.entry(&name.text())),
            other => self.templates.entry(&other.text()),
        };
        match first {
            Some(Ok(fragment)) => self.include(out, fragment, include, place),
            Some(Err(message)) => Err(self.fail(place, message)),
            None => Err(self.fail(place, format!("there is no template '{}'", value.text()))),
        }
    }

    fn url(
        &mut self,
        out: &mut String,
        call: &UrlCall,
        escaper: Escaper,
        escape: Autoescape,
        place: Place,
    ) -> Done {
        let address = self.address(call).map_err(|message| self.fail(place, message))?;
        match (&call.variable, address) {
            (Some(name), address) => {
                self.scope.bind(name.clone(), Bound::Value(address.unwrap_or_default().into()));
                Ok(())
            }
            (None, Some(address)) => {
                write(out, &mut self.scratch, escaper, escape, &address.into());
                Ok(())
            }
            (None, None) => Err(self.fail(
                place,
                format!(
                    "Reverse for '{:?}' not found",
                    call.name.literal_text().unwrap_or("a variable")
                ),
            )),
        }
    }

    fn address(&self, call: &UrlCall) -> Result<Option<String>, String> {
        let value =
            |expression| self.scope.printed(expression, Autoescape::On).map(Cow::into_owned);
        let name = value(&call.name)?;
        let args = call.args.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let mut kwargs = Vec::with_capacity(call.kwargs.len());
        for (name, expression) in call.kwargs.iter() {
            kwargs.push((&**name, value(expression)?));
        }
        Ok(self.scope.around.url(&name.text(), &args, &kwargs))
    }

    fn static_file(
        &mut self,
        out: &mut String,
        path: &Expression,
        escaper: Escaper,
        place: Place,
    ) -> Done {
        let path = self
            .scope
            .printed(path, Autoescape::On)
            .map_err(|message| self.fail(place, message))?;
        let base = self.scope.around.lookup("STATIC_URL");
        let mut address = base.as_ref().and_then(Value::as_str).unwrap_or("/static/").to_owned();
        url::write_encoded_path(&mut address, &path.text());
        write(out, &mut self.scratch, escaper, Autoescape::On, &address.into());
        Ok(())
    }

    fn csrf_token(&self, out: &mut String) {
        if let Some(token) = self.scope.around.csrf_token() {
            out.push_str("<input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"");
            escape::write_html(out, &token);
            out.push_str("\">");
        }
    }

    fn nonce_attribute(&self, out: &mut String) {
        if let Some(nonce) = self.scope.around.csp_nonce() {
            out.push_str("nonce=\"");
            escape::write_html(out, &nonce);
            out.push('"');
        }
    }
}

impl Scope<'_> {
    fn bind(&mut self, name: Arc<str>, bound: Bound) {
        self.bound.push((name, bound));
    }

    /// The value of an expression that is printed: what is missing is empty text.
    fn printed<'s>(
        &'s self,
        expression: &'s Expression,
        escape: Autoescape,
    ) -> Result<Cow<'s, Value>, String> {
        let head = self.head(&expression.head).unwrap_or_else(|| Cow::Owned("".into()));
        self.filtered(head, expression, escape)
    }

    /// The value of an expression that is asked about: what is missing is `None`.
    fn value<'s>(
        &'s self,
        expression: &'s Expression,
        escape: Autoescape,
    ) -> Result<Cow<'s, Value>, String> {
        let head = self.head(&expression.head).unwrap_or(Cow::Owned(Value::None));
        self.filtered(head, expression, escape)
    }

    fn filtered<'s>(
        &'s self,
        head: Cow<'s, Value>,
        expression: &'s Expression,
        escape: Autoescape,
    ) -> Result<Cow<'s, Value>, String> {
        let mut value = head;
        for applied in &expression.filters {
            let argument = match &applied.argument {
                None => None,
                Some(head) => Some(self.head(head).ok_or_else(|| {
                    format!("the argument of '{}' is missing", applied.filter.name)
                })?),
            };
            let result = applied.filter.call(&value, argument.as_deref(), escape);
            value =
                Cow::Owned(result.map_err(|error| format!("{}: {error}", applied.filter.name))?);
        }
        Ok(value)
    }

    fn head<'s>(&'s self, head: &'s Head) -> Option<Cow<'s, Value>> {
        match head {
            Head::Literal(value) => Some(Cow::Borrowed(value)),
            Head::Path(path) => self.path(path),
        }
    }

    fn path<'s>(&'s self, path: &Path) -> Option<Cow<'s, Value>> {
        let visible = self.bound.get(self.floor.unwrap_or_default()..).unwrap_or_default();
        let found = visible.iter().rposition(|(name, _)| **name == *path.name);
        let first = match found.and_then(|at| visible.get(at).map(|(_, bound)| (at, bound))) {
            Some((at, Bound::Loop { .. })) => {
                return loop_path(visible.get(..=at)?, &path.parts).map(Cow::Owned);
            }
            Some((_, Bound::Value(value))) => Cow::Borrowed(value),
            None => self.outer(&path.name)?,
        };
        path.parts.iter().try_fold(first, |value, part| step(value, part))
    }

    fn outer<'s>(&'s self, name: &str) -> Option<Cow<'s, Value>> {
        let own = self.variables.lookup(name).filter(|_| self.floor.is_none());
        if let Some(value) = own {
            return Some(Cow::Borrowed(value));
        }
        match name {
            "csrf_token" => self.around.csrf_token().map(Value::from),
            "csp_nonce" => self.around.csp_nonce().map(Value::from),
            _ => self.around.lookup(name),
        }
        .map(Cow::Owned)
    }

    fn is_true(&self, condition: &Condition) -> Result<bool, String> {
        match condition {
            Condition::Value(expression) => {
                self.value(expression, Autoescape::On).map(|value| value.is_true())
            }
            Condition::Not(inner) => Ok(self.is_true(inner).is_ok_and(|yes| !yes)),
            Condition::Binary(operator, sides) => {
                Ok(self.binary(*operator, &sides.0, &sides.1).unwrap_or(false))
            }
        }
    }

    fn binary(&self, operator: Operator, a: &Condition, b: &Condition) -> Result<bool, String> {
        match operator {
            Operator::Or => return Ok(self.is_true(a)? || self.is_true(b)?),
            Operator::And => return Ok(self.is_true(a)? && self.is_true(b)?),
            _ => {}
        }
        let (a, b) = (self.operand(a)?, self.operand(b)?);
        let ordering = || a.partial_cmp(&b);
        Ok(match operator {
            Operator::In => b.contains(&a).unwrap_or(false),
            Operator::NotIn => b.contains(&a).is_some_and(|is_in| !is_in),
            Operator::Is => a.is_same(&b),
            Operator::IsNot => !a.is_same(&b),
            Operator::Equal => a == b,
            Operator::NotEqual => a != b,
            Operator::Less => ordering().is_some_and(|o| o.is_lt()),
            Operator::LessOrEqual => ordering().is_some_and(|o| o.is_le()),
            Operator::Greater => ordering().is_some_and(|o| o.is_gt()),
            Operator::GreaterOrEqual => ordering().is_some_and(|o| o.is_ge()),
            Operator::Or | Operator::And => false,
        })
    }

    fn operand<'s>(&'s self, condition: &'s Condition) -> Result<Cow<'s, Value>, String> {
        match condition {
            Condition::Value(expression) => self.value(expression, Autoescape::On),
            other => self.is_true(other).map(|yes| Cow::Owned(Value::Bool(yes))),
        }
    }
}

fn step<'s>(value: Cow<'s, Value>, part: &str) -> Option<Cow<'s, Value>> {
    match value {
        Cow::Borrowed(value) => value.step(part),
        Cow::Owned(value) => value.step(part).map(|found| Cow::Owned(found.into_owned())),
    }
}

/// `forloop.counter` and its like; `parentloop` is the next loop outside.
fn loop_path(bound: &[(Arc<str>, Bound)], parts: &[Box<str>]) -> Option<Value> {
    let (outside, (_, here)) = bound.split_last().map(|(here, outside)| (outside, here))?;
    let Bound::Loop { index, length } = here else { return None };
    let (index, length) = (*index, *length);
    match parts.first().map(|part| &**part) {
        Some("parentloop") => {
            let at = outside.iter().rposition(|(_, bound)| matches!(bound, Bound::Loop { .. }))?;
            loop_path(outside.get(..=at)?, parts.get(1..)?)
        }
        Some(_) if parts.len() > 1 => None,
        Some("counter") => Some((index + 1).into()),
        Some("counter0") => Some(index.into()),
        Some("revcounter") => Some((length - index).into()),
        Some("revcounter0") => Some((length - index - 1).into()),
        Some("first") => Some((index == 0).into()),
        Some("last") => Some((index + 1 == length).into()),
        Some("length") => Some(length.into()),
        Some(_) => None,
        None => {
            let names =
                ["counter", "counter0", "revcounter", "revcounter0", "first", "last", "length"];
            let value = |name: &str| loop_path(bound, &[name.into()]).unwrap_or_default();
            Some(names.iter().map(|name| (*name, value(name))).collect())
        }
    }
}
