//! Filters that make markup, and filters that escape for a place inside it.

use super::{Arity, Autoescape, Filter, FilterError, Safety, int, text_or};
use crate::escape::{self, js, url};
use crate::linkify::Linkifier;
use crate::markup::Markup;
use crate::template::env::Env;
use crate::template::value::Value;

type Result = std::result::Result<Value, FilterError>;

pub(super) const FILTERS: &[Filter] = &[
    Filter::new("escape", Arity::None, Safety::Preserved, escape),
    Filter::new("escapejs", Arity::None, Safety::Lost, escapejs),
    Filter::new("force_escape", Arity::None, Safety::Preserved, force_escape),
    Filter::new("json_script", Arity::Optional, Safety::Preserved, json_script),
    Filter::new("linebreaksbr", Arity::None, Safety::Preserved, linebreaksbr),
    Filter::new("safe", Arity::None, Safety::Preserved, safe),
    Filter::new("iriencode", Arity::None, Safety::Preserved, iriencode),
    Filter::new("urlize", Arity::None, Safety::Preserved, urlize),
    Filter::new("urlizetrunc", Arity::Required, Safety::Preserved, urlizetrunc),
    Filter::new("urlencode", Arity::Optional, Safety::Lost, urlencode),
];

fn escape(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    if value.is_markup() {
        Ok(value.clone())
    } else {
        force_escape(value, None, &Env::bare(Autoescape::On))
    }
}

fn force_escape(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(Markup::escape(&value.text()).into())
}

fn safe(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(Markup::danger_trusted(value.text()).into())
}

fn escapejs(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    let mut out = String::new();
    js::write_string(&mut out, &value.text());
    // The map leaves nothing that HTML escapes.
    Ok(Markup::danger_trusted(out).into())
}

fn json_script(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    let mut out = String::from("<script");
    if let Some(id) = arg.filter(|id| id.is_true()) {
        out.push_str(" id=\"");
        escape::write_html(&mut out, &id.text());
        out.push('"');
    }
    out.push_str(" type=\"application/json\">");
    js::write_script_data(&mut out, value);
    out.push_str("</script>");
    Ok(Markup::danger_trusted(out).into())
}

fn linebreaksbr(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    let text = crate::text::normalize_newlines(&value.text()).into_owned();
    let html = match env.autoescape == Autoescape::On && !value.is_markup() {
        true => escape::escape(&text).into_owned(),
        false => text,
    };
    Ok(Markup::danger_trusted(html.replace('\n', "<br>")).into())
}

fn iriencode(value: &Value, _: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(url::iri_to_uri(&value.text()).into())
}

fn linkifier(value: &Value, env: &Env<'_>) -> Linkifier {
    let links = Linkifier::new().nofollow();
    let links = if env.urlize_http { links.assume_http() } else { links };
    let links = if value.is_markup() { links.markup() } else { links };
    if env.autoescape == Autoescape::On { links.escape() } else { links }
}

fn urlize(value: &Value, _: Option<&Value>, env: &Env<'_>) -> Result {
    Ok(Markup::danger_trusted(linkifier(value, env).link(&value.text())).into())
}

fn urlizetrunc(value: &Value, arg: Option<&Value>, env: &Env<'_>) -> Result {
    let limit =
        arg.and_then(int).ok_or_else(|| FilterError::new("the limit is no whole number"))?;
    let links = linkifier(value, env).trim(usize::try_from(limit).unwrap_or_default());
    Ok(Markup::danger_trusted(links.link(&value.text())).into())
}

fn urlencode(value: &Value, arg: Option<&Value>, _: &Env<'_>) -> Result {
    Ok(url::quoted(&value.text(), &text_or(arg, "/")).into())
}
