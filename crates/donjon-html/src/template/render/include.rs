//! Tags that render another template, or a part of one.

use super::scope::{Bound, Missing};
use super::{Done, Renderer};
use crate::context::Context;
use crate::template::autoescape::{Late, Ops, Place};
use crate::template::filter::Autoescape;
use crate::template::library::Action;
use crate::template::tag::{Called, Include};
use crate::template::value::Value;

impl<'a> Renderer<'a> {
    pub(super) fn include(
        &mut self,
        out: &mut String,
        fragment: usize,
        include: &'a Include,
        place: Place,
    ) -> Done {
        self.included(out, self.set, fragment, include, place)
    }

    fn included(
        &mut self,
        out: &mut String,
        set: &'a [Ops],
        fragment: usize,
        include: &'a Include,
        place: Place,
    ) -> Done {
        let mark = self.scope.push();
        self.bind_all(&include.bindings, place)?;
        if include.only {
            self.scope.isolate();
        }
        self.frame(out, set, fragment, place)?;
        self.scope.pop(mark);
        Ok(())
    }

    /// Renders a fragment that remembers nothing of the page around it.
    fn frame(&mut self, out: &mut String, set: &'a [Ops], fragment: usize, place: Place) -> Done {
        self.includes += 1;
        self.deeper(place)?;
        let before = std::mem::replace(&mut self.set, set);
        let state = self.scope.states.enter();
        self.ops(out, self.fragment(fragment))?;
        self.scope.states.leave(state);
        self.set = before;
        self.includes -= 1;
        Ok(())
    }

    pub(super) fn partial(&mut self, out: &mut String, fragment: usize, place: Place) -> Done {
        self.frame(out, self.set, fragment, place)
    }

    pub(super) fn include_by_name(
        &mut self,
        out: &mut String,
        include: &'a Include,
        context: Context,
        escape: Autoescape,
        place: Place,
    ) -> Done {
        let value = self.scope.kept(&include.name, escape, Missing::Text);
        let value = value.map_err(|message| self.fail(place, message))?;
        let (set, fragment) = self
            .first_of(&value, place, context, escape)
            .map_err(|message| self.fail(place, message))?;
        self.included(out, set, fragment, include, place)
    }

    /// The first template that exists, of a name or a list of names.
    fn first_of(
        &self,
        value: &Value,
        place: Place,
        context: Context,
        escape: Autoescape,
    ) -> Result<(&'a [Ops], usize), String> {
        let chosen = |name: &str| self.templates.chosen(name, place.template, context, escape);
        match value {
            Value::List(names) | Value::Tuple(names) => {
                let mut last = "no template is named".to_owned();
                for name in names.iter() {
                    match chosen(&name.text()) {
                        Ok(found) => return Ok(found),
                        Err(message) => last = message,
                    }
                }
                Err(last)
            }
            other => chosen(&other.text()),
        }
    }

    pub(super) fn extends(&mut self, out: &mut String, late: &'a Late, place: Place) -> Done {
        let parent = self.scope.kept(&late.parent, late.escape, Missing::Text);
        let parent = parent.map_err(|message| self.fail(place, message))?;
        if !parent.is_true() {
            return Err(self.fail(place, "Invalid template name in 'extends' tag"));
        }
        let below = self.templates.below(late, &parent.text());
        let (set, fragment) = below.map_err(|message| self.fail(place, message))?;
        self.includes += 1;
        self.deeper(place)?;
        let before = std::mem::replace(&mut self.set, set);
        self.ops(out, self.fragment(fragment))?;
        self.set = before;
        self.includes -= 1;
        Ok(())
    }

    pub(super) fn inclusion(
        &mut self,
        out: &mut String,
        fragment: usize,
        called: &'a Called,
        escape: Autoescape,
        place: Place,
    ) -> Done {
        let Action::Inclusion(_, run) = &called.tag.action else { return Ok(()) };
        let arguments =
            self.arguments(called, escape).map_err(|message| self.fail(place, message))?;
        let variables = self.with_context(escape, |context| run(context, &arguments));
        let variables = variables.map_err(|error| self.fail(place, error.to_string()))?;
        let mark = self.scope.push();
        for (name, value) in variables.iter() {
            if let Some(symbol) = self.templates.symbol(name) {
                self.scope.bind(symbol, Bound::Owned(value.clone()));
            }
        }
        self.scope.isolate();
        self.frame(out, self.set, fragment, place)?;
        self.scope.pop(mark);
        Ok(())
    }
}
