//! Tags that make a value, which is printed or gets a name.

use super::control::printed_or_bound;
use super::{Made, Parser, fault};
use crate::context::Fault;
use crate::template::expression::Expression;
use crate::template::tag::{
    Bindings, CacheCall, Capture, Cycle, Kind, Lorem, LoremMethod, Producer, Regroup, UrlCall,
    arguments, as_name, binding, target,
};

impl Parser<'_, '_> {
    /// Reads a tag of those that need no `load` and have no body.
    pub(super) fn producer_tag(&mut self, at: usize, name: &str, rest: &[&str]) -> Made {
        match name {
            "cycle" => self.cycle(at, rest),
            "resetcycle" => self.reset_cycle(at, rest),
            "regroup" => self.regroup(at, rest),
            "lorem" => self.lorem(at, rest),
            "debug" => Ok(printed_or_bound(Producer::Debug, None)),
            _ => {
                let (rest, bound) = as_name(rest);
                let producer = match name {
                    "firstof" => self.first_of(at, rest)?,
                    "now" => self.now(at, rest)?,
                    "querystring" => self.query_string(at, rest)?,
                    "static" => self.static_file(at, rest)?,
                    "url" => self.url(at, rest, bound.is_some())?,
                    _ => self.width_ratio(at, rest)?,
                };
                Ok(printed_or_bound(producer, bound.map(|name| target(name, &self.words))))
            }
        }
    }

    fn first_of(&self, at: usize, rest: &[&str]) -> Result<Producer, Fault> {
        match rest.is_empty() {
            true => Err(fault(at, "'firstof' statement requires at least one argument")),
            false => Ok(Producer::FirstOf(self.expressions(at, rest)?)),
        }
    }

    fn now(&self, at: usize, rest: &[&str]) -> Result<Producer, Fault> {
        match rest {
            // Django takes the first and last character off, whatever they are.
            [format] => {
                let mut characters = format.chars();
                characters.next();
                characters.next_back();
                Ok(Producer::Now(Expression::literal(characters.as_str())))
            }
            _ => Err(fault(at, "'now' statement takes one argument")),
        }
    }

    pub(super) fn static_file(&self, at: usize, rest: &[&str]) -> Result<Producer, Fault> {
        match rest {
            [path] => self.expression(at, path).map(Producer::Static),
            _ => Err(fault(at, "'static' takes at least one argument (path to file)")),
        }
    }

    fn width_ratio(&self, at: usize, rest: &[&str]) -> Result<Producer, Fault> {
        let [value, most, width] = rest else {
            return Err(fault(at, "widthratio takes at least three arguments"));
        };
        let expression = |text| self.expression(at, text);
        let three = [expression(value)?, expression(most)?, expression(width)?];
        Ok(Producer::WidthRatio(Box::new(three)))
    }

    fn query_string(&self, at: usize, rest: &[&str]) -> Result<Producer, Fault> {
        let (mappings, named) = self.arguments_in_order(at, "querystring", rest)?;
        Ok(Producer::QueryString(mappings, named))
    }

    fn arguments_in_order(
        &self,
        at: usize,
        tag: &str,
        rest: &[&str],
    ) -> Result<(Box<[Expression]>, Bindings), Fault> {
        let first_named = rest.iter().position(|word| binding(word, &self.words).is_some());
        let after = first_named.and_then(|at| rest.get(at..)).unwrap_or_default();
        if after.iter().any(|word| binding(word, &self.words).is_none()) {
            return Err(fault(
                at,
                format!(
                    "'{tag}' received some positional argument(s) after some keyword argument(s)"
                ),
            ));
        }
        arguments(rest, &self.words).map_err(|complaint| fault(at, complaint))
    }

    fn url(&self, at: usize, rest: &[&str], may_fail: bool) -> Result<Producer, Fault> {
        let [name, rest @ ..] = rest else {
            return Err(fault(at, "'url' takes at least one argument, a URL pattern name."));
        };
        let name = self.expression(at, name)?;
        let (args, kwargs) =
            arguments(rest, &self.words).map_err(|complaint| fault(at, complaint))?;
        Ok(Producer::Url(UrlCall { name, args, kwargs, may_fail }))
    }

    fn cycle(&mut self, at: usize, rest: &[&str]) -> Made {
        if let [name] = rest {
            return match self.named_cycles.get(*name) {
                Some(cycle) => Ok(printed_or_bound(Producer::Cycle(cycle.clone()), None)),
                None => Err(fault(at, format!("Named cycle '{name}' does not exist"))),
            };
        }
        let (values, name, silent) = match rest {
            [] => return Err(fault(at, "'cycle' tag requires at least two arguments")),
            [values @ .., "as", name, "silent"] if !values.is_empty() => {
                (values, Some(*name), true)
            }
            [_, .., "as", _, flag] => {
                return Err(fault(
                    at,
                    format!("Only 'silent' flag is allowed after cycle's name, not '{flag}'."),
                ));
            }
            [values @ .., "as", name] if values.len() > 1 => (values, Some(*name), false),
            values => (values, None, false),
        };
        let cycle = Cycle {
            id: self.id(),
            values: self.expressions(at, values)?.into(),
            target: name.map(|name| target(name, &self.words)),
            silent,
        };
        self.last_cycle = Some(cycle.id);
        name.map(|name| self.named_cycles.insert(name.to_owned(), cycle.clone()));
        Ok(printed_or_bound(Producer::Cycle(cycle), None))
    }

    fn reset_cycle(&self, at: usize, rest: &[&str]) -> Made {
        let found = match rest {
            [] => self.last_cycle.ok_or_else(|| "No cycles in template.".to_owned()),
            [name] => self
                .named_cycles
                .get(*name)
                .map(|cycle| cycle.id)
                .ok_or_else(|| format!("Named cycle '{name}' does not exist.")),
            _ => Err("resetcycle tag accepts at most one argument.".to_owned()),
        };
        found.map(Kind::ResetCycle).map_err(|complaint| fault(at, complaint))
    }

    fn regroup(&self, at: usize, rest: &[&str]) -> Made {
        let [list, "by", by, "as", name] = rest else {
            return Err(fault(at, "'regroup' is written: regroup list by attribute as name"));
        };
        let name = target(name, &self.words);
        let by = self.expression(at, &format!("{}.{by}", name.name))?;
        let list = self.expression(at, list)?;
        let producer = Producer::Regroup(Regroup { list, by, target: name.clone() });
        Ok(printed_or_bound(producer, Some(name)))
    }

    fn lorem(&self, at: usize, rest: &[&str]) -> Made {
        let (rest, common) = match rest {
            [before @ .., "random"] => (before, false),
            _ => (rest, true),
        };
        let (rest, method) = match rest {
            [before @ .., "w"] => (before, LoremMethod::Words),
            [before @ .., "p"] => (before, LoremMethod::Paragraphs),
            [before @ .., "b"] => (before, LoremMethod::Blocks),
            _ => (rest, LoremMethod::Blocks),
        };
        let count = match rest {
            [] => "1",
            [count] => count,
            _ => return Err(fault(at, "Incorrect format for 'lorem' tag")),
        };
        let lorem = Lorem { count: self.expression(at, count)?, method, common };
        Ok(printed_or_bound(Producer::Lorem(lorem), None))
    }

    pub(super) fn cache(&mut self, at: usize, rest: &[&str]) -> Made {
        let body = self.body_to("endcache", at)?;
        let [seconds, name, vary @ ..] = rest else {
            return Err(fault(at, "'cache' tag requires at least 2 arguments."));
        };
        let (vary, using) = match vary {
            [before @ .., last] if last.starts_with("using=") => {
                (before, Some(self.expression(at, last.get(6..).unwrap_or_default())?))
            }
            _ => (vary, None),
        };
        let call = CacheCall {
            seconds: self.expression(at, seconds)?,
            name: (*name).to_owned(),
            vary: self.expressions(at, vary)?,
            using,
        };
        Ok(Kind::Capture(std::sync::Arc::new(Capture::Cache(call)), body))
    }
}
