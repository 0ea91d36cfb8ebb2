//! Tags that choose, repeat and name.

use std::borrow::Cow;
use std::sync::Arc;

use super::scope::{Bound, Found, Loop as Turn, Missing, Remembered};
use super::{Done, Renderer};
use crate::template::autoescape::{Op, Ops, Place};
use crate::template::condition::Condition;
use crate::template::date::TimeZone;
use crate::template::filter::Autoescape;
use crate::template::names::Symbol;
use crate::template::tag::{Bindings, Changed, Loop, Setting, Switch};
use crate::template::value::Value;

/// The items of a loop.
enum Items<'a> {
    Lent(&'a [Value]),
    Owned(Arc<[Value]>),
}

impl<'a> Items<'a> {
    fn of(value: Found<'a>) -> Option<Self> {
        match value {
            Cow::Borrowed(Value::List(items) | Value::Tuple(items)) => Some(Self::Lent(items)),
            other => other.items().map(Self::Owned),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Lent(items) => items.len(),
            Self::Owned(items) => items.len(),
        }
    }

    #[inline]
    fn get(&self, index: usize) -> Found<'a> {
        match self {
            Self::Lent(items) => items.get(index).map_or(Cow::Owned(Value::None), Cow::Borrowed),
            Self::Owned(items) => Cow::Owned(items.get(index).cloned().unwrap_or_default()),
        }
    }
}

impl<'a> Renderer<'a> {
    pub(super) fn branches(
        &mut self,
        out: &mut String,
        arms: &'a [(Option<Arc<Condition>>, Ops)],
        place: Place,
    ) -> Done {
        self.deeper(place)?;
        for (condition, body) in arms {
            let taken =
                condition.as_ref().map_or(Ok(true), |condition| self.scope.is_true(condition));
            if taken.map_err(|message| self.fail(place, message))? {
                return self.ops(out, body);
            }
        }
        Ok(())
    }

    pub(super) fn repeat(
        &mut self,
        out: &mut String,
        head: &'a Loop,
        body: &'a [Op],
        empty: &'a [Op],
        place: Place,
    ) -> Done {
        let items = self
            .scope
            .kept(&head.items, Autoescape::On, Missing::Nothing)
            .map_err(|message| self.fail(place, message))?;
        let items = Items::of(items)
            .ok_or_else(|| self.fail(place, "this value cannot be iterated over"))?;
        if items.len() == 0 {
            return self.ops(out, empty);
        }
        let mark = self.scope.push();
        let id = self.scope.states.number();
        let length = items.len();
        self.scope.bind(Symbol::FORLOOP, Bound::Loop(Turn { index: 0, length, id }));
        for index in 0..length {
            self.step(out, place)?;
            if let Some(Bound::Loop(turn)) = self.scope.slot(0) {
                turn.index = index;
            }
            let item = items.get(if head.reversed { length - 1 - index } else { index });
            self.bind_item(head, item, index == 0).map_err(|message| self.fail(place, message))?;
            self.ops(out, body)?;
        }
        self.scope.pop(mark);
        self.scope.states.forget(id);
        Ok(())
    }

    /// One name keeps what the body has named in earlier runs, as in Django; several begin anew.
    fn bind_item(&mut self, head: &'a Loop, item: Found<'a>, first: bool) -> Result<(), String> {
        if let [target] = &*head.names {
            match (self.scope.slot(1).filter(|_| !first), item) {
                (Some(slot), Cow::Borrowed(item)) => *slot = Bound::Lent(item),
                (Some(slot), Cow::Owned(item)) => *slot = Bound::Owned(item),
                (None, item) => self.scope.bind(target.symbol, item.into()),
            }
            return Ok(());
        }
        self.scope.keep(1);
        let (names, unpacked) = (head.names.len(), unpack(item));
        if unpacked.len() != names {
            let length = unpacked.len();
            return Err(format!("Need {names} values to unpack in for loop; got {length}."));
        }
        for (at, target) in head.names.iter().enumerate() {
            self.scope.bind(target.symbol, unpacked.get(at).into());
        }
        Ok(())
    }

    pub(super) fn bind_all(&mut self, bindings: &'a Bindings, place: Place) -> Done {
        let mut values = Vec::with_capacity(bindings.len());
        for (target, expression) in bindings.iter() {
            let value = self
                .scope
                .kept(expression, Autoescape::On, Missing::Text)
                .map_err(|message| self.fail(place, message))?;
            values.push((target.symbol, value));
        }
        for (symbol, value) in values {
            self.scope.bind(symbol, value.into());
        }
        Ok(())
    }

    pub(super) fn with(
        &mut self,
        out: &mut String,
        bindings: &'a Bindings,
        body: &'a [Op],
        place: Place,
    ) -> Done {
        self.deeper(place)?;
        let mark = self.scope.push();
        self.bind_all(bindings, place)?;
        self.ops(out, body)?;
        self.scope.pop(mark);
        Ok(())
    }

    pub(super) fn block(
        &mut self,
        out: &mut String,
        body: &'a [Op],
        asked: Option<&'a (Arc<str>, Ops)>,
    ) -> Done {
        let mark = self.scope.push();
        if let Some((name, replaced)) = asked {
            let replaced = self.rendered(replaced)?;
            let block: Value = [
                ("name", Value::Str(name.clone())),
                ("super", crate::Markup::danger_trusted(replaced).into()),
            ]
            .into_iter()
            .collect();
            self.scope.bind(Symbol::BLOCK, Bound::Owned(block));
        }
        self.ops(out, body)?;
        self.scope.pop(mark);
        Ok(())
    }

    pub(super) fn if_changed(
        &mut self,
        out: &mut String,
        changed: &'a Changed,
        body: &'a [Op],
        otherwise: &'a [Op],
        place: Place,
    ) -> Done {
        self.deeper(place)?;
        let owner = self.scope.innermost_loop().map(|here| here.id);
        if changed.values.is_empty() {
            let text = self.rendered(body)?;
            let remembered = Remembered::Text(text.clone());
            if self.scope.states.changes(owner, changed.id, remembered) {
                out.push_str(&text);
                return Ok(());
            }
            return self.ops(out, otherwise);
        }
        let mut values = Vec::with_capacity(changed.values.len());
        for expression in &changed.values {
            let value = self.scope.value(expression, Autoescape::On, Missing::Nothing);
            values.push(value.map_err(|message| self.fail(place, message))?.into_owned());
        }
        match self.scope.states.changes(owner, changed.id, Remembered::Values(values)) {
            true => self.ops(out, body),
            false => self.ops(out, otherwise),
        }
    }

    pub(super) fn setting(
        &mut self,
        out: &mut String,
        setting: &'a Setting,
        body: &'a [Op],
        place: Place,
    ) -> Done {
        let scope = &self.scope;
        let before = (scope.locale.clone(), scope.time_zone.clone(), scope.use_tz, scope.use_l10n);
        self.apply(setting).map_err(|message| self.fail(place, message))?;
        self.ops(out, body)?;
        let scope = &mut self.scope;
        (scope.locale, scope.time_zone, scope.use_tz, scope.use_l10n) = before;
        Ok(())
    }

    fn apply(&mut self, setting: &'a Setting) -> Result<(), String> {
        match setting {
            Setting::Language(code) => {
                let code = self.scope.kept(code, Autoescape::On, Missing::Text)?;
                self.scope.locale = match &*code {
                    Value::None => self.scope.locale.deactivate(),
                    code => self.scope.locale.activate(&code.text()),
                };
            }
            Setting::Localize(switch) => self.scope.use_l10n = *switch == Switch::On,
            Setting::LocalTime(switch) => self.scope.use_tz = *switch == Switch::On,
            Setting::TimeZone(name) => {
                let name = self.scope.kept(name, Autoescape::On, Missing::Text)?;
                self.scope.time_zone = match &*name {
                    Value::None => self.scope.locale.time_zone().clone(),
                    zone => TimeZone::of_value(zone)
                        .ok_or_else(|| format!("there is no time zone '{}'", zone.text()))?,
                };
            }
        }
        Ok(())
    }
}

/// The values that one item of a loop with several names is taken apart into.
fn unpack(item: Found<'_>) -> Items<'_> {
    let is_single = item.length().is_none();
    match is_single {
        true => Items::Owned(Arc::new([item.into_owned()])),
        false => Items::of(item).unwrap_or(Items::Lent(&[])),
    }
}
