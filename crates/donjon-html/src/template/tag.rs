//! What a template consists of: text, holes and tags.

use std::sync::Arc;

use super::condition::Condition;
use super::expression::{Complaint, Expression};
use super::filter::{Autoescape, Filters};

/// A piece of a template and where in the source it begins.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

pub(crate) type Body = Arc<[Node]>;
pub(crate) type Bindings = Arc<[(Arc<str>, Expression)]>;

#[derive(Debug)]
pub(crate) enum Kind {
    Text(Arc<str>),
    Hole(Arc<Expression>),
    /// `{{ block.super }}`.
    Super,
    If(Vec<Arm>),
    For(Arc<Loop>, Body, Body),
    Block(Arc<str>, Body),
    Include(Arc<Include>),
    With(Bindings, Body),
    Autoescape(Autoescape, Body),
    Url(Arc<UrlCall>),
    Static(Arc<Expression>),
    CsrfToken,
    NonceAttribute,
}

/// A branch of an `if`; without a condition the `else`.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) condition: Option<Arc<Condition>>,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) names: Box<[Arc<str>]>,
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
    pub(crate) variable: Option<Arc<str>>,
}

/// `key=value` as a name and an expression.
fn binding(word: &str, filters: &Filters) -> Option<Result<(Arc<str>, Expression), Complaint>> {
    let (name, value) = word.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then(|| Ok((Arc::from(name), Expression::parse(value, filters)?)))
}

impl Loop {
    pub(crate) fn parse(words: &[&str], filters: &Filters) -> Result<Self, Complaint> {
        let reversed = words.last() == Some(&"reversed");
        let words = words.get(..words.len() - usize::from(reversed)).unwrap_or_default();
        let shape = || {
            format!("'for' statements should use the format 'for x in y': for {}", words.join(" "))
        };
        let [names @ .., "in", items] = words else { return Err(shape()) };
        let names = names.join(" ");
        let names: Box<[Arc<str>]> = names.split(',').map(|name| Arc::from(name.trim())).collect();
        match names.iter().any(|name| name.is_empty() || name.contains([' ', '|', '"', '\''])) {
            true => Err(format!("'for' tag received an invalid argument: for {}", words.join(" "))),
            false => Ok(Self { names, items: Expression::parse(items, filters)?, reversed }),
        }
    }
}

impl Include {
    pub(crate) fn parse(words: &[&str], filters: &Filters) -> Result<Self, Complaint> {
        let [name, options @ ..] = words else {
            return Err("'include' tag takes at least one argument: the name of the template to be included.".into());
        };
        let (only, options) = match options {
            [rest @ .., "only"] => (true, rest),
            ["only", rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let bindings = match options {
            [] => Arc::default(),
            ["with", pairs @ ..] if !pairs.is_empty() => bindings(pairs, filters, "include")?,
            [other, ..] => return Err(format!("Unknown argument for 'include' tag: '{other}'.")),
        };
        Ok(Self { name: Expression::parse(name, filters)?, bindings, only })
    }
}

/// The pairs of `with` and `include … with`.
pub(crate) fn bindings(
    words: &[&str],
    filters: &Filters,
    tag: &str,
) -> Result<Bindings, Complaint> {
    if let [value, "as", name] = words {
        return Ok([(Arc::from(*name), Expression::parse(value, filters)?)].into());
    }
    let pair = |word: &&str| match binding(word, filters) {
        Some(pair) => pair,
        None => Err(format!(
            "'{tag}' expected at least one variable assignment, as in name=value, not '{word}'"
        )),
    };
    words.iter().map(pair).collect::<Result<Vec<_>, _>>().map(Into::into)
}

impl UrlCall {
    pub(crate) fn parse(words: &[&str], filters: &Filters) -> Result<Self, Complaint> {
        let [name, rest @ ..] = words else {
            return Err("'url' takes at least one argument, a URL pattern name.".into());
        };
        let (rest, variable) = match rest {
            [rest @ .., "as", name] => (rest, Some(Arc::from(*name))),
            rest => (rest, None),
        };
        let (mut args, mut kwargs) = (Vec::new(), Vec::new());
        for word in rest {
            match binding(word, filters) {
                Some(pair) => kwargs.push(pair?),
                None => args.push(Expression::parse(word, filters)?),
            }
        }
        match !args.is_empty() && !kwargs.is_empty() {
            true => Err("Don't mix *args and **kwargs in call to reverse()!".into()),
            false => Ok(Self {
                name: Expression::parse(name, filters)?,
                args: args.into(),
                kwargs: kwargs.into(),
                variable,
            }),
        }
    }
}
