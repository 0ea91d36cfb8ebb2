//! The names that a template sees while it is rendered, and what an expression means.

use std::borrow::Cow;
use std::sync::Arc;

use crate::locale::Locale;
use crate::template::condition::{Condition, Operator};
use crate::template::date::TimeZone;
use crate::template::engine::Templates;
use crate::template::env::{Env, Now};
use crate::template::expression::{Applied, Expression, Head, Path};
use crate::template::filter::Autoescape;
use crate::template::names::Symbol;
use crate::template::tag::TagId;
use crate::template::value::{Call, LookupError, Value};
use crate::template::variables::{Surroundings, Variables};

/// A value that is lent for as long as the page is rendered, or owned.
pub(super) type Found<'a> = Cow<'a, Value>;

/// What a name stands for.
pub(super) enum Bound<'a> {
    Lent(&'a Value),
    Owned(Value),
    Loop(Loop),
}

impl<'a> From<Found<'a>> for Bound<'a> {
    fn from(value: Found<'a>) -> Self {
        match value {
            Cow::Borrowed(value) => Self::Lent(value),
            Cow::Owned(value) => Self::Owned(value),
        }
    }
}

impl Bound<'_> {
    /// The value; a loop has none.
    fn value(&self) -> Option<&Value> {
        match self {
            Self::Lent(value) => Some(value),
            Self::Owned(value) => Some(value),
            Self::Loop(_) => None,
        }
    }
}

/// Where a loop is.
#[derive(Clone, Copy)]
pub(super) struct Loop {
    pub(super) index: usize,
    pub(super) length: usize,
    pub(super) id: u32,
}

/// What an expression is when its variable is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// `string_if_invalid`.
    Text,
    /// `None`: in conditions, loops and their like.
    Nothing,
}

/// What can be undone when a scope ends.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    length: usize,
    start: usize,
    floor: usize,
    hidden: bool,
}

/// What tags remember while a page is rendered.
#[derive(Default)]
pub(super) struct States {
    /// The include, partial or page that is being rendered.
    frame: u32,
    next: u32,
    cycles: Vec<(u32, TagId, usize)>,
    changed: Vec<(u32, TagId, Remembered)>,
}

/// What `ifchanged` compares.
#[derive(PartialEq)]
pub(super) enum Remembered {
    Values(Vec<Value>),
    Text(String),
}

impl States {
    /// A number for a loop or an include.
    pub(super) fn number(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// Begins an include or partial, which remembers nothing yet; returns what to end it with.
    pub(super) fn enter(&mut self) -> (u32, usize) {
        let before = (self.frame, self.cycles.len());
        self.frame = self.number();
        before
    }

    pub(super) fn leave(&mut self, (frame, cycles): (u32, usize)) {
        let ended = self.frame;
        self.frame = frame;
        self.cycles.truncate(cycles);
        self.forget(ended);
    }

    /// Forgets what `ifchanged` remembers for a loop or an include.
    pub(super) fn forget(&mut self, owner: u32) {
        if !self.changed.is_empty() {
            self.changed.retain(|(of, ..)| *of != owner);
        }
    }

    /// The number of the next value of a cycle, counted without end.
    pub(super) fn next_in_cycle(&mut self, id: TagId) -> usize {
        let frame = self.frame;
        match self.cycles.iter_mut().find(|(of, known, _)| (*of, *known) == (frame, id)) {
            Some((_, _, at)) => {
                *at = at.wrapping_add(1);
                *at
            }
            None => {
                self.cycles.push((frame, id, 0));
                0
            }
        }
    }

    pub(super) fn reset_cycle(&mut self, id: TagId) {
        let frame = self.frame;
        self.cycles.retain(|(of, known, _)| (*of, *known) != (frame, id));
    }

    /// Whether the value differs from the one before; remembers it.
    pub(super) fn changes(&mut self, owner: Option<u32>, id: TagId, now: Remembered) -> bool {
        let owner = owner.unwrap_or(self.frame);
        match self.changed.iter_mut().find(|(of, known, _)| (*of, *known) == (owner, id)) {
            Some((_, _, before)) if *before == now => false,
            Some((_, _, before)) => {
                *before = now;
                true
            }
            None => {
                self.changed.push((owner, id, now));
                true
            }
        }
    }
}

/// The names that a template sees.
pub(super) struct Scope<'a> {
    pub(super) templates: &'a Templates,
    pub(super) variables: &'a Variables,
    pub(super) around: &'a dyn Surroundings,
    bound: Vec<(Symbol, Bound<'a>)>,
    /// Where the innermost scope begins.
    start: usize,
    /// Names below this one are hidden by an `include … only`.
    floor: usize,
    /// Whether the view's variables are hidden too.
    hidden: bool,
    pub(super) states: States,
    pub(super) locale: Locale,
    pub(super) time_zone: TimeZone,
    pub(super) use_tz: bool,
    pub(super) use_l10n: bool,
    pub(super) now: Now,
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        templates: &'a Templates,
        variables: &'a Variables,
        around: &'a dyn Surroundings,
    ) -> Self {
        let locale =
            around.locale().unwrap_or_else(|| templates.options().default_locale().clone());
        Self {
            templates,
            variables,
            around,
            bound: Vec::new(),
            start: 0,
            floor: 0,
            hidden: false,
            states: States::default(),
            time_zone: around.time_zone().unwrap_or_else(|| locale.time_zone().clone()),
            use_tz: locale.uses_tz(),
            use_l10n: true,
            now: around.now(),
            locale,
        }
    }

    pub(super) fn env(&self, autoescape: Autoescape) -> Env<'_> {
        Env {
            autoescape,
            locale: &self.locale,
            time_zone: &self.time_zone,
            use_tz: self.use_tz,
            use_l10n: self.use_l10n,
            urlize_http: self.templates.options().urlizes_http(),
            now: self.now,
        }
    }

    /// Begins a scope.
    pub(super) fn push(&mut self) -> Mark {
        let (length, start, floor, hidden) =
            (self.bound.len(), self.start, self.floor, self.hidden);
        self.start = length;
        Mark { length, start, floor, hidden }
    }

    /// Ends the scope that began there.
    pub(super) fn pop(&mut self, mark: Mark) {
        self.bound.truncate(mark.length);
        (self.start, self.floor, self.hidden) = (mark.start, mark.floor, mark.hidden);
    }

    /// Hides everything outside of the innermost scope.
    pub(super) fn isolate(&mut self) {
        self.floor = self.start;
        self.hidden = true;
    }

    pub(super) fn bind(&mut self, symbol: Symbol, bound: Bound<'a>) {
        self.bound.push((symbol, bound));
    }

    /// Sets a name in the innermost scope.
    pub(super) fn assign(&mut self, symbol: Symbol, value: Value) {
        let start = self.start;
        let own = self.bound.iter_mut().skip(start).find(|(known, _)| *known == symbol);
        match own {
            Some((_, bound)) => *bound = Bound::Owned(value),
            None => self.bind(symbol, Bound::Owned(value)),
        }
    }

    /// Sets a name where it is known already, else in the innermost scope: Django's `set_upward`.
    pub(super) fn assign_upward(&mut self, symbol: Symbol, value: Value) {
        let floor = self.floor;
        let known = self.bound.iter_mut().skip(floor).rfind(|(known, _)| *known == symbol);
        match known {
            Some((_, bound)) => *bound = Bound::Owned(value),
            None => self.assign(symbol, value),
        }
    }

    /// What was bound at that place of the innermost scope, to be replaced.
    pub(super) fn slot(&mut self, offset: usize) -> Option<&mut Bound<'a>> {
        self.bound.get_mut(self.start + offset).map(|(_, bound)| bound)
    }

    /// Drops what was bound in the innermost scope behind the first `keep` names.
    pub(super) fn keep(&mut self, keep: usize) {
        self.bound.truncate(self.start + keep);
    }

    /// The innermost loop that can be seen.
    pub(super) fn innermost_loop(&self) -> Option<Loop> {
        let visible = self.bound.get(self.floor..).unwrap_or_default();
        visible.iter().rev().find_map(|(symbol, bound)| match bound {
            Bound::Loop(here) if *symbol == Symbol::FORLOOP => Some(*here),
            _ => None,
        })
    }

    /// The value of an expression, lent where it can be.
    pub(super) fn value<'s>(
        &'s self,
        expression: &'s Expression,
        escape: Autoescape,
        missing: Missing,
    ) -> Result<Found<'s>, String> {
        let head = match self.head(&expression.head)? {
            Some(value) => value,
            None if missing == Missing::Nothing => Cow::Owned(Value::None),
            None => match self.invalid(&expression.head) {
                Some(text) => return Ok(Cow::Owned(text.into())),
                None => Cow::Owned("".into()),
            },
        };
        if expression.filters.is_empty() {
            return Ok(head);
        }
        self.filtered(head, &expression.filters, escape)
    }

    /// The text of a missing variable, if the site has set one; filters are then skipped.
    fn invalid(&self, head: &Head) -> Option<String> {
        let text = self.templates.options().invalid();
        let Head::Path(path) = head else { return None };
        (!text.is_empty()).then(|| text.replacen("%s", &path.text(), 1))
    }

    /// The value of an expression whose head has another value than its own.
    pub(super) fn filtered<'s>(
        &'s self,
        head: Found<'s>,
        filters: &'s [Applied],
        escape: Autoescape,
    ) -> Result<Found<'s>, String> {
        let mut value = head;
        for applied in filters {
            let argument = match &applied.argument {
                None => None,
                Some(head) => Some(self.head(head)?.ok_or_else(|| {
                    format!("the argument of '{}' is missing", applied.filter.name)
                })?),
            };
            let result = applied.filter.call(&value, argument.as_deref(), &self.env(escape));
            value =
                Cow::Owned(result.map_err(|error| format!("{}: {error}", applied.filter.name))?);
        }
        Ok(value)
    }

    pub(super) fn head<'s>(&'s self, head: &'s Head) -> Result<Option<Found<'s>>, String> {
        match head {
            Head::Literal(value) => Ok(Some(Cow::Borrowed(value))),
            Head::Message(text) => Ok(Some(Cow::Owned(self.translated(None, text).into()))),
            Head::Path(path) => match self.lent_path(path) {
                Some(value) => Ok(Some(Cow::Borrowed(value))),
                None => self.path(path),
            },
        }
    }

    /// A message in the page's language; the template's author vouches for literals, and so for their translations.
    pub(super) fn translated(&self, context: Option<&str>, text: &str) -> crate::Markup {
        crate::Markup::danger_trusted(self.locale.translate(context, text))
    }

    /// The singular or plural in the page's language.
    pub(super) fn translated_plural(
        &self,
        context: Option<&str>,
        singular: &str,
        plural: &str,
        number: f64,
    ) -> String {
        // A number that is not whole, or below 0, is not one.
        let whole = number >= 0.0 && number.fract() == 0.0;
        let count = if whole { number as u64 } else { 2 };
        self.locale.translate_plural(context, singular, plural, count).into_owned()
    }

    /// What a missing name shows where a message prints it.
    pub(super) fn missing(&self, name: &str) -> Value {
        self.templates.options().invalid().replacen("%s", name, 1).into()
    }

    fn path<'s>(&'s self, path: &'s Path) -> Result<Option<Found<'s>>, String> {
        let visible = self.bound.get(self.floor..).unwrap_or_default();
        let found = visible.iter().rposition(|(symbol, _)| *symbol == path.symbol);
        let first = match found.and_then(|at| visible.get(at).map(|(_, bound)| (at, bound))) {
            Some((at, Bound::Loop(_))) => {
                let seen = visible.get(..=at).unwrap_or_default();
                return Ok(loop_path(seen, &path.parts).map(Cow::Owned));
            }
            Some((_, bound)) => match bound.value() {
                Some(value) => Cow::Borrowed(value),
                None => return Ok(None),
            },
            None => match self.outer(&path.name) {
                Some(value) => value,
                None => return Ok(None),
            },
        };
        self.steps(first, &path.parts)
    }

    fn steps<'s>(
        &'s self,
        first: Found<'s>,
        parts: &'s [Box<str>],
    ) -> Result<Option<Found<'s>>, String> {
        let mut value = self.called(first)?;
        for part in parts {
            let next = match &value {
                Cow::Borrowed(Value::Object(object)) => object.try_attribute(part),
                Cow::Owned(Value::Object(object)) => object.try_attribute(part),
                _ => Ok(None),
            };
            value = match next {
                Ok(Some(found)) => Cow::Owned(found),
                Ok(None) => match step(value, part) {
                    Some(found) => found,
                    None => return Ok(None),
                },
                Err(error) => return self.failed(&error),
            };
            value = self.called(value)?;
        }
        Ok(Some(value))
    }

    /// What a callable gives; rule 2 of [`Value`]'s module.
    fn called<'s>(&self, value: Found<'s>) -> Result<Found<'s>, String> {
        let Value::Object(object) = &*value else { return Ok(value) };
        match object.call() {
            Ok(Call::NotCallable) => Ok(value),
            Ok(Call::Returned(result)) => Ok(Cow::Owned(result)),
            Ok(Call::AltersData | Call::NeedsArguments) => Ok(Cow::Owned(self.invalid_value())),
            Err(error) if error.is_silent() => Ok(Cow::Owned(self.invalid_value())),
            Err(error) => Err(error.to_string()),
        }
    }

    fn failed<'s>(&self, error: &LookupError) -> Result<Option<Found<'s>>, String> {
        match error.is_silent() {
            true => Ok(Some(Cow::Owned(self.invalid_value()))),
            false => Err(error.to_string()),
        }
    }

    fn invalid_value(&self) -> Value {
        self.templates.options().invalid().into()
    }

    /// The value of a look-up that passes through lists and maps only, the fast way.
    #[inline]
    pub(super) fn lent_path<'s>(&'s self, path: &Path) -> Option<&'s Value> {
        let visible = self.bound.get(self.floor..)?;
        let first = match visible.iter().rev().find(|(symbol, _)| *symbol == path.symbol) {
            Some((_, bound)) => bound.value()?,
            None if self.hidden => return None,
            None => self.variables.lookup(&path.name)?,
        };
        plain_steps(first, &path.parts)
    }

    /// The value of a look-up without filters that passes through lists and maps only.
    #[inline]
    pub(super) fn lent<'s>(&'s self, expression: &Expression) -> Option<&'s Value> {
        match &expression.head {
            Head::Path(path) if expression.filters.is_empty() => self.lent_path(path),
            _ => None,
        }
    }

    /// The value of an expression, for as long as the page is rendered.
    pub(super) fn kept(
        &self,
        expression: &'a Expression,
        escape: Autoescape,
        missing: Missing,
    ) -> Result<Found<'a>, String> {
        if expression.filters.is_empty() {
            match &expression.head {
                Head::Literal(value) => return Ok(Cow::Borrowed(value)),
                Head::Path(path) => {
                    if let Some(value) = self.kept_path(path) {
                        return Ok(Cow::Borrowed(value));
                    }
                }
                Head::Message(_) => {}
            }
        }
        self.value(expression, escape, missing).map(|value| Cow::Owned(value.into_owned()))
    }

    fn kept_path(&self, path: &Path) -> Option<&'a Value> {
        let visible = self.bound.get(self.floor..)?;
        let first: &'a Value = match visible.iter().rev().find(|(known, _)| *known == path.symbol) {
            Some((_, Bound::Lent(value))) => value,
            Some(_) => return None,
            None if self.hidden => return None,
            None => self.variables.lookup(&path.name)?,
        };
        plain_steps(first, &path.parts)
    }

    fn outer<'s>(&'s self, name: &str) -> Option<Found<'s>> {
        let special = match name {
            "csrf_token" => self.around.csrf_token(),
            "csp_nonce" => self.around.csp_nonce(),
            _ => None,
        };
        if self.hidden {
            return special.map(|text| Cow::Owned(text.into()));
        }
        let own = self.variables.lookup(name).map(Cow::Borrowed);
        own.or_else(|| special.map(|text| Cow::Owned(text.into())))
            .or_else(|| self.around.lookup(name).map(Cow::Owned))
    }

    /// The variable of that name, for a tag of the site's own.
    pub(super) fn by_name(&self, name: &str) -> Option<Value> {
        let visible = self.bound.get(self.floor..).unwrap_or_default();
        let symbol = self.templates.symbol(name);
        let bound = visible.iter().rposition(|(known, _)| Some(*known) == symbol);
        match bound.and_then(|at| visible.get(at).map(|(_, bound)| (at, bound))) {
            Some((at, Bound::Loop(_))) => loop_path(visible.get(..=at).unwrap_or_default(), &[]),
            Some((_, bound)) => bound.value().cloned(),
            None => self.outer(name).map(Cow::into_owned),
        }
    }

    pub(super) fn is_true(&self, condition: &Condition) -> Result<bool, String> {
        match condition {
            Condition::Value(expression) => {
                if let Some(value) = self.lent(expression) {
                    return Ok(value.is_true());
                }
                match self.value(expression, Autoescape::On, Missing::Nothing) {
                    Ok(value) => Ok(value.is_true()),
                    Err(_) if self.lacks_argument(expression) => Ok(false),
                    Err(message) => Err(message),
                }
            }
            Condition::Not(inner) => Ok(self.is_true(inner).is_ok_and(|yes| !yes)),
            Condition::Binary(operator, sides) => {
                Ok(self.binary(*operator, &sides.0, &sides.1).unwrap_or(false))
            }
        }
    }

    /// Whether the argument of a filter is missing: the condition is then false, as in Django.
    fn lacks_argument(&self, expression: &Expression) -> bool {
        let mut arguments = expression.filters.iter().filter_map(|f| f.argument.as_ref());
        arguments.any(|head| matches!(self.head(head), Ok(None)))
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

    fn operand<'s>(&'s self, condition: &'s Condition) -> Result<Found<'s>, String> {
        match condition {
            Condition::Value(expression) => {
                self.value(expression, Autoescape::On, Missing::Nothing)
            }
            other => self.is_true(other).map(|yes| Cow::Owned(Value::Bool(yes))),
        }
    }
}

/// Steps through lists and maps; `None` if there is anything else on the way.
fn plain_steps<'v>(first: &'v Value, parts: &[Box<str>]) -> Option<&'v Value> {
    let mut value = first;
    for part in parts {
        value = match value {
            Value::Map(_) | Value::List(_) | Value::Tuple(_) => match value.step(part)? {
                Cow::Borrowed(found) => found,
                Cow::Owned(_) => return None,
            },
            _ => return None,
        };
    }
    (!matches!(value, Value::Object(_))).then_some(value)
}

fn step<'a>(value: Found<'a>, part: &str) -> Option<Found<'a>> {
    match value {
        Cow::Borrowed(value) => value.step(part),
        Cow::Owned(value) => value.step(part).map(|found| Cow::Owned(found.into_owned())),
    }
}

/// `forloop.counter` and its like; `parentloop` is the next loop outside.
fn loop_path(bound: &[(Symbol, Bound<'_>)], parts: &[Box<str>]) -> Option<Value> {
    let (outside, here) = bound.split_last().map(|(here, outside)| (outside, &here.1))?;
    let Bound::Loop(Loop { index, length, .. }) = *here else { return None };
    match parts.first().map(|part| &**part) {
        Some("parentloop") => {
            let is_loop = |(_, bound): &(Symbol, Bound<'_>)| matches!(bound, Bound::Loop(_));
            match outside.iter().rposition(is_loop) {
                Some(at) => loop_path(outside.get(..=at)?, parts.get(1..)?),
                None if parts.len() == 1 => Some(Value::from(crate::template::Map::new())),
                None => None,
            }
        }
        Some(_) if parts.len() > 1 => None,
        Some(name) => loop_number(name, index, length),
        None => {
            let parent = loop_path(bound, &["parentloop".into()]).unwrap_or_default();
            let names =
                ["counter0", "counter", "revcounter", "revcounter0", "first", "last", "length"];
            let numbers = names.iter().map(|name| {
                (Arc::from(*name), loop_number(name, index, length).unwrap_or_default())
            });
            Some(std::iter::once((Arc::from("parentloop"), parent)).chain(numbers).collect())
        }
    }
}

fn loop_number(name: &str, index: usize, length: usize) -> Option<Value> {
    Some(match name {
        "counter" => (index + 1).into(),
        "counter0" => index.into(),
        "revcounter" => (length - index).into(),
        "revcounter0" => (length - index - 1).into(),
        "first" => (index == 0).into(),
        "last" => (index + 1 == length).into(),
        "length" => length.into(),
        _ => return None,
    })
}
