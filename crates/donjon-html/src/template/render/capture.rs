//! Tags that do something with their rendered body.

use super::scope::Missing;
use super::{Done, Renderer};
use crate::context::Escaper;
use crate::markup::Markup;
use crate::template::autoescape::{Op, Place};
use crate::template::expression::{Applied, Head};
use crate::template::filter::Autoescape;
use crate::template::library::Action;
use crate::template::print::write;
use crate::template::tag::{CacheCall, Called, Capture, Target};
use crate::template::value::Value;

impl<'a> Renderer<'a> {
    /// What a body renders to.
    pub(super) fn rendered(&mut self, body: &'a [Op]) -> Result<String, super::RenderError> {
        let mut text = String::new();
        self.captures += 1;
        self.ops(&mut text, body)?;
        self.captures -= 1;
        Ok(text)
    }

    pub(super) fn capture(
        &mut self,
        out: &mut String,
        capture: &'a Capture,
        body: &'a [Op],
        escaper: Escaper,
        escape: Autoescape,
        place: Place,
    ) -> Done {
        self.deeper(place)?;
        let value = match capture {
            Capture::Cache(call) => return self.cached(out, call, body, escape, place),
            Capture::Spaceless => Markup::danger_trusted(spaceless(&self.rendered(body)?)).into(),
            Capture::Filter(filters) => self.filtered_body(body, filters, escape, place)?,
            Capture::Custom(called, bound) => {
                let value = self.custom_block(body, called, escape, place)?;
                if let Some(Target { symbol, .. }) = bound {
                    self.scope.assign(*symbol, value);
                    return Ok(());
                }
                value
            }
        };
        write(out, &mut self.scratch, escaper, &self.scope.env(escape), &value);
        self.guard(out, place)
    }

    /// The result of `{% filter %}` is not escaped again, as in Django; unless a variable came in as an argument.
    fn filtered_body(
        &mut self,
        body: &'a [Op],
        filters: &'a [Applied],
        escape: Autoescape,
        place: Place,
    ) -> Result<Value, super::RenderError> {
        let text = self.rendered(body)?;
        let html = Markup::danger_trusted(text).into();
        let result = self.scope.filtered(std::borrow::Cow::Owned(html), filters, escape);
        let value = result.map_err(|message| self.fail(place, message))?;
        Ok(match &*value {
            Value::Markup(_) => value.into_owned(),
            _ if filters.iter().any(takes_variable) => value.into_owned(),
            other => Markup::danger_trusted(other.text()).into(),
        })
    }

    pub(super) fn filtered_super(
        &mut self,
        out: &mut String,
        body: &'a [Op],
        filters: &'a [Applied],
        escaper: Escaper,
        escape: Autoescape,
        place: Place,
    ) -> Done {
        let html = Markup::danger_trusted(self.rendered(body)?).into();
        let value = self.scope.filtered(std::borrow::Cow::Owned(html), filters, escape);
        let value = value.map_err(|message| self.fail(place, message))?;
        write(out, &mut self.scratch, escaper, &self.scope.env(escape), &value);
        self.guard(out, place)
    }

    fn custom_block(
        &mut self,
        body: &'a [Op],
        called: &'a Called,
        escape: Autoescape,
        place: Place,
    ) -> Result<Value, super::RenderError> {
        let Action::Block(run) = &called.tag.action else { return Ok(Value::None) };
        let content = self.rendered(body)?;
        let arguments =
            self.arguments(called, escape).map_err(|message| self.fail(place, message))?;
        self.with_context(escape, |context| run(context, &content, &arguments))
            .map_err(|error| self.fail(place, error.to_string()))
    }

    fn cached(
        &mut self,
        out: &mut String,
        call: &'a CacheCall,
        body: &'a [Op],
        escape: Autoescape,
        place: Place,
    ) -> Done {
        let (seconds, key, alias) =
            self.cache_key(call, escape).map_err(|message| self.fail(place, message))?;
        let Some(cache) = self.scope.around.fragments(alias.as_deref()) else {
            return match alias {
                Some(alias) => {
                    let message = format!("Invalid cache name specified for cache tag: '{alias}'");
                    Err(self.fail(place, message))
                }
                None => self.ops(out, body),
            };
        };
        if let Some(html) = cache.get(&key) {
            out.push_str(&html);
            return self.guard(out, place);
        }
        let html = self.rendered(body)?;
        cache.put(&key, &html, seconds);
        out.push_str(&html);
        self.guard(out, place)
    }

    fn cache_key(
        &self,
        call: &'a CacheCall,
        escape: Autoescape,
    ) -> Result<(Option<i64>, String, Option<String>), String> {
        let value = |expression| self.scope.value(expression, escape, Missing::Text);
        let seconds = value(&call.seconds)?;
        let seconds = match &*seconds {
            Value::None => None,
            other => Some(crate::template::filter::int(other).ok_or_else(|| {
                format!("\"cache\" tag got a non-integer timeout value: '{}'", other.text())
            })?),
        };
        let alias = call.using.as_ref().map(value).transpose()?;
        let vary = call.vary.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let vary: Vec<_> = vary.iter().map(|value| value.text()).collect();
        let key = crate::template::fragment::key(&call.name, &vary);
        Ok((seconds, key, alias.map(|alias| alias.text().into_owned())))
    }
}

fn takes_variable(applied: &Applied) -> bool {
    matches!(applied.argument, Some(Head::Path(_)))
}

/// Django strips the ends too.
fn spaceless(html: &str) -> String {
    crate::text::strip_spaces_between_tags(html.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_between_tags_only() {
        assert_eq!(spaceless(" <p>\n <b> x </b>\t</p> a > b "), "<p><b> x </b></p> a > b");
    }
}
