//! Tags that choose, repeat, include and name.

use std::sync::Arc;

use super::{Made, Parser, fault};
use crate::context::Fault;
use crate::template::condition::Condition;
use crate::template::expression::Expression;
use crate::template::filter::Autoescape;
use crate::template::library::{Action, CustomTag};
use crate::template::tag::{
    Arm, Bindings, Body, Called, Capture, Changed, Include, Kind, Loop, Producer, Target,
    arguments, as_name, bindings, target,
};

impl Parser<'_, '_> {
    pub(super) fn condition(&mut self, at: usize, rest: &[&str]) -> Made {
        let mut arms = Vec::new();
        let mut condition = Some(self.parse_condition(at, rest)?);
        loop {
            let ends: &[&str] =
                if condition.is_some() { &["elif", "else", "endif"] } else { &["endif"] };
            let (body, end) = self.body(ends, at)?;
            arms.push(Arm { condition, body });
            condition = match end.words.as_slice() {
                ["elif", rest @ ..] => Some(self.parse_condition(at, rest)?),
                ["else"] => None,
                ["else", ..] => {
                    let message = format!("Malformed template tag: '{}'", end.words.join(" "));
                    return Err(Fault { at, message, hint: "write elif, or nothing behind else" });
                }
                ["endif"] => return Ok(Kind::If(arms)),
                words => {
                    return Err(fault(
                        at,
                        format!("Malformed template tag: '{}'", words.join(" ")),
                    ));
                }
            };
        }
    }

    fn parse_condition(&self, at: usize, rest: &[&str]) -> Result<Arc<Condition>, Fault> {
        Condition::parse(rest, &self.words).map(Arc::new).map_err(|complaint| fault(at, complaint))
    }

    pub(super) fn repeat(&mut self, at: usize, rest: &[&str]) -> Made {
        let head = self.loop_head(at, rest)?;
        let (body, end) = self.body(&["empty", "endfor"], at)?;
        let empty = match end.words.first() {
            Some(&"empty") => self.body_to("endfor", at)?,
            _ => Body::default(),
        };
        Ok(Kind::For(Arc::new(head), body, empty))
    }

    fn loop_head(&self, at: usize, rest: &[&str]) -> Result<Loop, Fault> {
        let written = rest.join(" ");
        if rest.len() < 3 {
            return Err(fault(
                at,
                format!("'for' statements should have at least four words: for {written}"),
            ));
        }
        let reversed = rest.last() == Some(&"reversed");
        let rest = rest.get(..rest.len() - usize::from(reversed)).unwrap_or_default();
        let [names @ .., "in", items] = rest else {
            return Err(fault(
                at,
                format!("'for' statements should use the format 'for x in y': for {written}"),
            ));
        };
        let names = names.join(" ");
        let names: Vec<&str> = names.split(',').map(str::trim).collect();
        match names.iter().any(|name| name.is_empty() || name.contains([' ', '|', '"', '\''])) {
            true => {
                Err(fault(at, format!("'for' tag received an invalid argument: for {written}")))
            }
            false => Ok(Loop {
                names: names.iter().map(|name| target(name, &self.words)).collect(),
                items: self.expression(at, items)?,
                reversed,
            }),
        }
    }

    pub(super) fn block(&mut self, at: usize, rest: &[&str]) -> Made {
        let [name] = rest else {
            return Err(fault(at, "'block' tag takes only one argument"));
        };
        if self.blocks.contains_key(*name) {
            return Err(fault(
                at,
                format!("'block' tag with name '{name}' appears more than once"),
            ));
        }
        let name: Arc<str> = Arc::from(*name);
        self.blocks.insert(name.clone(), Body::default());
        let (body, end) = self.body(&["endblock"], at)?;
        if end.words.get(1..).is_some_and(|end| !end.is_empty() && end != [&*name]) {
            return Err(fault(
                at,
                format!("'endblock' does not name the block '{name}' that it ends"),
            ));
        }
        self.blocks.insert(name.clone(), body.clone());
        Ok(Kind::Block(name, body))
    }

    pub(super) fn include(&mut self, at: usize, rest: &[&str]) -> Made {
        let [name, options @ ..] = rest else {
            return Err(fault(
                at,
                "'include' tag takes at least one argument: the name of the template to be included.",
            ));
        };
        let mut include = Include {
            name: self.expression(at, name)?,
            bindings: Bindings::default(),
            only: false,
        };
        let mut options = options;
        while let [option, after @ ..] = options {
            options = after;
            match *option {
                "with" if include.bindings.is_empty() => {
                    include.bindings = self.include_bindings(at, &mut options)?;
                }
                "only" if !include.only => include.only = true,
                "with" | "only" => {
                    return Err(fault(
                        at,
                        format!("The '{option}' option was specified more than once."),
                    ));
                }
                other => {
                    return Err(fault(
                        at,
                        format!("Unknown argument for 'include' tag: '{other}'."),
                    ));
                }
            }
        }
        Ok(Kind::Include(Arc::new(include)))
    }

    fn include_bindings(&self, at: usize, rest: &mut &[&str]) -> Result<Bindings, Fault> {
        let legacy = rest.get(1) == Some(&"as");
        let bound = bindings(rest, &self.words).map_err(|complaint| fault(at, complaint))?;
        match bound.is_empty() || legacy {
            true => {
                Err(fault(at, "\"with\" in 'include' tag needs at least one keyword argument."))
            }
            false => Ok(bound.into()),
        }
    }

    pub(super) fn with(&mut self, at: usize, rest: &[&str]) -> Made {
        let mut rest = rest;
        let bound = bindings(&mut rest, &self.words).map_err(|complaint| fault(at, complaint))?;
        if bound.is_empty() {
            return Err(fault(at, "'with' expected at least one variable assignment"));
        }
        match rest.first() {
            Some(word) => Err(fault(at, format!("'with' received an invalid token: '{word}'"))),
            None => Ok(Kind::With(bound.into(), self.body_to("endwith", at)?)),
        }
    }

    pub(super) fn autoescape(&mut self, at: usize, rest: &[&str]) -> Made {
        let mode = match rest {
            ["on"] => Autoescape::On,
            ["off"] => Autoescape::Off,
            [_] => return Err(fault(at, "'autoescape' argument should be 'on' or 'off'")),
            _ => return Err(fault(at, "'autoescape' tag requires exactly one argument.")),
        };
        Ok(Kind::Autoescape(mode, self.body_to("endautoescape", at)?))
    }

    pub(super) fn if_changed(&mut self, at: usize, rest: &[&str]) -> Made {
        let changed = Changed { id: self.id(), values: self.expressions(at, rest)? };
        let (body, end) = self.body(&["else", "endifchanged"], at)?;
        let otherwise = match end.words.first() {
            Some(&"else") => self.body_to("endifchanged", at)?,
            _ => Body::default(),
        };
        Ok(Kind::IfChanged(Arc::new(changed), body, otherwise))
    }

    pub(super) fn partial(&mut self, at: usize, rest: &[&str]) -> Made {
        match rest {
            [name] => Ok(Kind::Partial(Arc::from(*name))),
            _ => Err(fault(at, "'partial' tag requires a single argument")),
        }
    }

    pub(super) fn filter_tag(&mut self, at: usize, rest: &[&str]) -> Made {
        let text = rest.join(" ");
        let filters = Expression::parse_filters(&text, &self.words)
            .map_err(|complaint| fault(at, complaint))?;
        let refused = filters.iter().find(|f| matches!(f.filter.name, "escape" | "safe"));
        if let Some(applied) = refused {
            let name = applied.filter.name;
            return Err(fault(
                at,
                format!("\"filter {name}\" is not permitted. Use the \"autoescape\" tag instead."),
            ));
        }
        if filters.is_empty() {
            return Err(fault(at, "'filter' needs at least one filter"));
        }
        let body = self.body_to("endfilter", at)?;
        Ok(Kind::Capture(Arc::new(Capture::Filter(filters)), body))
    }

    pub(super) fn spaceless(&mut self, at: usize) -> Made {
        let body = self.body_to("endspaceless", at)?;
        Ok(Kind::Capture(Arc::new(Capture::Spaceless), body))
    }

    pub(super) fn custom(&mut self, at: usize, name: &str, rest: &[&str], tag: CustomTag) -> Made {
        let inclusion = match &tag.action {
            Action::Inclusion(template, _) => Some(template.clone()),
            _ => None,
        };
        let (rest, bound) = if inclusion.is_some() { (rest, None) } else { as_name(rest) };
        let bound = bound.map(|name| target(name, &self.words));
        let called = self.called(at, name, rest, tag)?;
        if let Some(template) = inclusion {
            return Ok(Kind::Inclusion(Arc::new(called), template));
        }
        if matches!(called.tag.action, Action::Block(_)) {
            let body = self.body_to(&format!("end{name}"), at)?;
            return Ok(Kind::Capture(Arc::new(Capture::Custom(called, bound)), body));
        }
        Ok(printed_or_bound(Producer::Custom(called), bound))
    }

    fn called(
        &self,
        at: usize,
        name: &str,
        rest: &[&str],
        tag: CustomTag,
    ) -> Result<Called, Fault> {
        let (args, kwargs) =
            arguments(rest, &self.words).map_err(|complaint| fault(at, complaint))?;
        let named: Vec<&str> = kwargs.iter().map(|(target, _)| &*target.name).collect();
        tag.signature.check(name, args.len(), &named).map_err(|complaint| fault(at, complaint))?;
        Ok(Called { names: tag.signature.names(), tag, args, kwargs })
    }
}

pub(super) fn printed_or_bound(producer: Producer, bound: Option<Target>) -> Kind {
    match bound {
        Some(target) => Kind::Bind(target, Arc::new(producer)),
        None => Kind::Print(Arc::new(producer)),
    }
}
