//! Tags that make a value.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Renderer;
use super::scope::{Bound, Missing};
use crate::context::{Escaper, Slot};
use crate::escape::url;
use crate::locale::Locale;
use crate::markup::Markup;
use crate::template::expression::Expression;
use crate::template::filter::{Autoescape, FilterError, int};
use crate::template::group::groups;
use crate::template::library::{Action, Arguments, TagContext};
use crate::template::lorem;
use crate::template::print::write;
use crate::template::query::QueryDict;
use crate::template::tag::{
    Bindings, BlockTranslate, Called, Cycle, LanguageQuestion, Message, Producer, Regroup,
    Translate, UrlCall,
};
use crate::template::value::Value;

type Made = Result<Value, String>;

const HTML: Escaper = Escaper { slot: Slot::Html, ..Escaper::NOTHING };

impl<'a> Renderer<'a> {
    /// The value that a tag prints.
    pub(super) fn produce(&mut self, producer: &'a Producer, escape: Autoescape) -> Made {
        match producer {
            Producer::Expression(expression) => {
                self.scope.value(expression, escape, Missing::Text).map(Cow::into_owned)
            }
            Producer::Cycle(cycle) => self.cycle(cycle, escape),
            Producer::FirstOf(values) => self.first_true(values, escape),
            other => self.make(other, escape),
        }
    }

    /// The value that a tag gives a name to: what Django renders first is markup.
    pub(super) fn produced_for_name(&mut self, producer: &'a Producer, escape: Autoescape) -> Made {
        let value = self.produce(producer, escape)?;
        Ok(match producer {
            Producer::FirstOf(_) | Producer::Translate(_) => {
                Markup::danger_trusted(self.shown(&value, escape)).into()
            }
            Producer::Now(_) => value.text().into_owned().into(),
            _ => value,
        })
    }

    fn make(&mut self, producer: &'a Producer, escape: Autoescape) -> Result<Value, String> {
        match producer {
            Producer::Url(call) => self.url(call, escape),
            Producer::Static(path) => self.static_file(path, escape),
            Producer::Prefix(name) => Ok(self.prefix(name).into()),
            Producer::Now(format) => self.now(format, escape),
            Producer::WidthRatio(values) => self.width_ratio(values, escape),
            Producer::QueryString(mappings, named) => self.query_string(mappings, named, escape),
            Producer::Lorem(tag) => {
                let count = self.scope.value(&tag.count, escape, Missing::Text)?;
                let text = lorem::text(int(&count).unwrap_or(1), tag.method, tag.common);
                Ok(Markup::danger_trusted(text).into())
            }
            Producer::Regroup(regroup) => self.regroup(regroup, escape),
            Producer::Translate(translate) => self.translate(translate, escape),
            Producer::BlockTranslate(block) => self.block_translate(block, escape),
            Producer::Debug => Ok(self.debug().into()),
            Producer::Custom(called) => self.simple_tag(called, escape),
            Producer::Language(question) => self.language(question, escape),
            Producer::TimeZone => Ok(self.scope.time_zone.name().into()),
            Producer::Expression(_) | Producer::Cycle(_) | Producer::FirstOf(_) => Ok(Value::None),
        }
    }

    /// What a value looks like where HTML text is printed.
    fn shown(&mut self, value: &Value, escape: Autoescape) -> String {
        let mut out = String::new();
        write(&mut out, &mut self.scratch, HTML, &self.scope.env(escape), value);
        out
    }

    fn values(
        &self,
        expressions: &'a [Expression],
        escape: Autoescape,
    ) -> Result<Vec<Value>, String> {
        let value =
            |expression| self.scope.value(expression, escape, Missing::Text).map(Cow::into_owned);
        expressions.iter().map(value).collect()
    }

    fn named(
        &self,
        bindings: &'a Bindings,
        escape: Autoescape,
    ) -> Result<Vec<(std::sync::Arc<str>, Value)>, String> {
        let value = |(target, expression): &'a (crate::template::tag::Target, _)| {
            let value = self.scope.value(expression, escape, Missing::Text)?;
            Ok((target.name.clone(), value.into_owned()))
        };
        bindings.iter().map(value).collect()
    }

    fn url(&mut self, call: &'a UrlCall, escape: Autoescape) -> Result<Value, String> {
        let name = self.scope.value(&call.name, escape, Missing::Text)?;
        let args = self.values(&call.args, escape)?;
        let named = self.named(&call.kwargs, escape)?;
        let named: Vec<(&str, Value)> =
            named.iter().map(|(name, value)| (&**name, value.clone())).collect();
        match self.scope.around.url(&name.text(), &args, &named) {
            Some(address) => Ok(address.into()),
            None if call.may_fail => Ok("".into()),
            None => Err(format!(
                "Reverse for '{}' with {} arguments by place and {} by name not found.",
                name.text(),
                args.len(),
                named.len()
            )),
        }
    }

    fn static_file(&mut self, path: &'a Expression, escape: Autoescape) -> Result<Value, String> {
        let path = self.scope.value(path, escape, Missing::Text)?;
        if let Some(address) = self.scope.around.static_url(&path.text()) {
            return Ok(address.into());
        }
        let mut address = self.prefix("STATIC_URL");
        url::write_encoded_path(&mut address, path.text().trim_start_matches('/'));
        Ok(address.into())
    }

    /// The site's address of static or uploaded files.
    fn prefix(&self, name: &str) -> String {
        let known = self.scope.around.lookup(name);
        known.as_ref().and_then(Value::as_str).unwrap_or("/static/").to_owned()
    }

    fn cycle(&mut self, cycle: &'a Cycle, escape: Autoescape) -> Made {
        let turn = self.scope.states.next_in_cycle(cycle.id);
        let at = turn.checked_rem(cycle.values.len()).unwrap_or_default();
        let value = match cycle.values.get(at) {
            Some(expression) => self.scope.value(expression, escape, Missing::Text)?.into_owned(),
            None => Value::None,
        };
        if let Some(target) = &cycle.target {
            self.scope.assign_upward(target.symbol, value.clone());
        }
        Ok(value)
    }

    fn first_true(&mut self, values: &'a [Expression], escape: Autoescape) -> Made {
        for expression in values {
            let value = self.scope.value(expression, escape, Missing::Nothing)?;
            if value.is_true() {
                return Ok(value.into_owned());
            }
        }
        Ok("".into())
    }

    fn now(&mut self, format: &'a Expression, escape: Autoescape) -> Result<Value, String> {
        let format = self.scope.value(format, escape, Missing::Text)?;
        let format = match &*format.text() {
            "" => "DATE_FORMAT".to_owned(),
            text => text.to_owned(),
        };
        let scope = &self.scope;
        let zone = scope.locale.uses_tz().then_some(&scope.time_zone);
        let now = scope.now.seen_from(zone, &scope.locale);
        let mut out = String::new();
        now.write(&mut out, scope.locale.named_format(&format), &scope.locale)
            .map_err(|error| error.to_string())?;
        Ok(Markup::danger_trusted(out).into())
    }

    fn language(&mut self, question: &'a LanguageQuestion, escape: Autoescape) -> Made {
        let locale = &self.scope.locale;
        match question {
            LanguageQuestion::Available => Ok(locale
                .languages()
                .map(|(code, name)| {
                    Value::Tuple([code.into(), locale.translate(None, name).into()].into())
                })
                .collect()),
            LanguageQuestion::Current => Ok(locale.language().map(Value::from).into()),
            LanguageQuestion::CurrentBidi => Ok(locale.is_bidi().into()),
            LanguageQuestion::Info(code) => {
                let code = self.scope.value(code, escape, Missing::Text)?;
                language_info(locale, &code.text())
            }
            LanguageQuestion::InfoList(codes) => {
                let codes = self.scope.value(codes, escape, Missing::Text)?;
                let codes = codes.items().ok_or("get_language_info_list needs a list")?;
                let info = |item: &Value| match item.as_str() {
                    Some(code) => language_info(locale, code),
                    None => {
                        let first = item.items().and_then(|pair| pair.first().cloned());
                        language_info(locale, &first.unwrap_or_default().text())
                    }
                };
                codes.iter().map(info).collect()
            }
        }
    }

    fn width_ratio(
        &mut self,
        values: &'a [Expression; 3],
        escape: Autoescape,
    ) -> Result<Value, String> {
        let [value, most, width] = values;
        let float = |expression| {
            let value = self.scope.value(expression, escape, Missing::Text)?;
            Ok::<_, String>(float(&value))
        };
        let width = self.scope.value(width, escape, Missing::Text)?;
        let width = int(&width).ok_or("widthratio final argument must be a number")?;
        let (Some(value), Some(most)) = (float(value)?, float(most)?) else {
            return Ok("".into());
        };
        if most == 0.0 {
            return Ok("0".into());
        }
        let ratio = (value / most) * width as f64;
        Ok(match ratio.is_finite() {
            true => format!("{:.0}", ratio.round_ties_even() + 0.0).into(),
            false => "".into(),
        })
    }

    fn query_string(
        &mut self,
        mappings: &'a [Expression],
        named: &'a Bindings,
        escape: Autoescape,
    ) -> Result<Value, String> {
        let mut query = QueryDict::default();
        let mappings = match mappings {
            [] => vec![self.request_query()?],
            given => self.values(given, escape)?,
        };
        for mapping in &mappings {
            query.update(mapping)?;
        }
        for (name, value) in self.named(named, escape)? {
            query.set(&name, &value);
        }
        Ok(format!("?{}", query.encode()).into())
    }

    fn request_query(&self) -> Result<Value, String> {
        let request = self.scope.by_name("request");
        let query = request.as_ref().and_then(|request| request.step("GET"));
        query
            .map(Cow::into_owned)
            .ok_or_else(|| "querystring needs the request, or a mapping as its argument".into())
    }

    fn regroup(&mut self, regroup: &'a Regroup, escape: Autoescape) -> Result<Value, String> {
        let list = self.scope.kept(&regroup.list, escape, Missing::Nothing)?;
        let items = list.items().ok_or("regroup needs something to iterate over")?;
        let mut keyed = Vec::with_capacity(items.len());
        for item in items.iter() {
            let mark = self.scope.push();
            let bound = Bound::Owned(item.clone());
            self.scope.bind(regroup.target.symbol, bound);
            let key = self.scope.value(&regroup.by, escape, Missing::Nothing).map(Cow::into_owned);
            self.scope.pop(mark);
            keyed.push((key?, item.clone()));
        }
        Ok(groups(keyed))
    }

    fn translate(&mut self, tag: &'a Translate, escape: Autoescape) -> Result<Value, String> {
        let context = match &tag.context {
            Some(context) => Some(self.scope.value(context, escape, Missing::Text)?),
            None => None,
        };
        let context = context.as_ref().map(|context| context.text());
        let head = match self.scope.head(&tag.message.head)? {
            Some(value) => value,
            None => {
                return self.scope.value(&tag.message, escape, Missing::Text).map(Cow::into_owned);
            }
        };
        let head = match (tag.noop, head.as_str()) {
            (false, Some(text)) => {
                let text = text.replace('%', "%%");
                let translated = self.scope.translated(context.as_deref(), &text);
                match head.is_markup() {
                    true => Cow::Owned(translated.into()),
                    false => Cow::Owned(translated.into_string().into()),
                }
            }
            _ => head,
        };
        let value = self.scope.filtered(head, &tag.message.filters, escape)?;
        Ok(match (value.is_markup(), value.as_str()) {
            (true, Some(text)) => Markup::danger_trusted(text.replace("%%", "%")).into(),
            (false, Some(text)) => text.replace("%%", "%").into(),
            _ => value.into_owned(),
        })
    }

    fn block_translate(
        &mut self,
        tag: &'a BlockTranslate,
        escape: Autoescape,
    ) -> Result<Value, String> {
        let context = match &tag.context {
            Some(context) => Some(self.scope.kept(context, escape, Missing::Text)?),
            None => None,
        };
        let context = context.as_ref().map(|context| context.text());
        let mark = self.scope.push();
        let text = self.message(tag, context.as_deref(), escape);
        self.scope.pop(mark);
        Ok(Markup::danger_trusted(text?).into())
    }

    fn message(
        &mut self,
        tag: &'a BlockTranslate,
        context: Option<&str>,
        escape: Autoescape,
    ) -> Result<String, String> {
        for (target, expression) in tag.bindings.iter() {
            let value = self.scope.kept(expression, escape, Missing::Text)?;
            self.scope.bind(target.symbol, value.into());
        }
        let (translated, own) = match (&tag.counter, &tag.plural) {
            (Some((target, counter)), Some(plural)) => {
                let count = self.scope.value(counter, escape, Missing::Text)?.into_owned();
                let number = count.number().ok_or_else(|| {
                    format!("'{}' argument to 'blocktranslate' tag must be a number.", target.name)
                })?;
                self.scope.assign(target.symbol, count);
                let own = if number == 1.0 { &tag.singular } else { plural };
                let text =
                    self.scope.translated_plural(context, &tag.singular.text, &plural.text, number);
                (text, own)
            }
            _ => {
                let text = self.scope.translated(context, &tag.singular.text).into_string();
                (text, &tag.singular)
            }
        };
        let mut data = Vec::new();
        let messages: [Option<&Message>; 2] = [Some(&tag.singular), tag.plural.as_ref()];
        for target in messages.into_iter().flatten().flat_map(|message| &message.variables) {
            let value = self.scope.by_name(&target.name);
            let value = value.unwrap_or_else(|| self.scope.missing(&target.name));
            data.push((&*target.name, self.shown(&value, escape)));
        }
        interpolated(&translated, &data).or_else(|| interpolated(&own.text, &data)).ok_or_else(
            || format!("'blocktranslate' is unable to format the string: '{}'", own.text),
        )
    }

    fn debug(&self) -> String {
        if !self.templates.options().debugs() {
            return String::new();
        }
        let mut out = String::new();
        for (name, value) in self.scope.variables.iter() {
            let _ = writeln!(out, "{name}: {value:?}");
        }
        out
    }

    fn simple_tag(&mut self, called: &'a Called, escape: Autoescape) -> Result<Value, String> {
        let Action::Simple(run) = &called.tag.action else { return Ok(Value::None) };
        let arguments = self.arguments(called, escape)?;
        self.with_context(escape, |context| run(context, &arguments))
            .map_err(|error| error.to_string())
    }

    pub(super) fn arguments(
        &self,
        called: &'a Called,
        escape: Autoescape,
    ) -> Result<Arguments, String> {
        Ok(Arguments {
            positional: self.values(&called.args, escape)?,
            named: self.named(&called.kwargs, escape)?,
            names: called.names.clone(),
        })
    }

    pub(super) fn with_context<T>(
        &self,
        escape: Autoescape,
        run: impl FnOnce(&TagContext<'_>) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        let look_up = |name: &str| self.scope.by_name(name);
        run(&TagContext { env: self.scope.env(escape), look_up: &look_up })
    }
}

/// What `{% get_language_info %}` tells.
fn language_info(locale: &Locale, code: &str) -> Made {
    let info =
        locale.language_info(code).ok_or_else(|| format!("Unknown language code {code}."))?;
    Ok([
        ("bidi", info.is_bidi.into()),
        ("code", info.code.into()),
        ("name", info.name.into()),
        ("name_local", info.name_local.into()),
        ("name_translated", Value::from(locale.translate(None, info.name))),
    ]
    .into_iter()
    .collect())
}

/// Python's `float(value)`.
fn float(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some(text) => text.trim().replace('_', "").parse().ok(),
        None => value.number(),
    }
}

/// Python's `text % data`, for `%(name)s` and `%%`; `None` if the text has anything else behind a `%`.
fn interpolated(text: &str, data: &[(&str, String)]) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (name, after) = after.strip_prefix('(')?.split_once(")s")?;
        out.push_str(&data.iter().find(|(known, _)| *known == name)?.1);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_formatted_as_python_does() {
        let data = [("a", "x".to_owned())];
        assert_eq!(interpolated("1 %(a)s 100%%", &data).as_deref(), Some("1 x 100%"));
        assert_eq!(interpolated("%(b)s", &data), None);
        assert_eq!(interpolated("100%", &data), None);
    }
}
