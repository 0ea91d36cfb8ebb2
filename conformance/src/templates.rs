//! `templates.jsonl.gz`: templates rendered with a context, as far as the language goes.
//!
//! 1. Where Django fails, Donjon must fail, be it sooner: when templates are loaded.
//! 2. A tag or filter that Donjon's own loader does not know is not built yet, and so is a value of a
//!    kind that its contexts have no word for.
//! 3. Needs that the language does not meet are skips.

use std::collections::BTreeMap;

use donjon_html::Markup;
use donjon_html::template::{
    DateTime, Map, Surroundings, TemplateOptions, Templates, Value as Held, Variables,
};
use serde_json::{Value, json};

use crate::case::{Answer, Case, FAILED, Unanswered, list};

/// The needs that are met.
const MET: [&str; 6] = ["urls", "partials", "string_if_invalid", "request", "lib:static", "cache"];

/// The name of a template that was compiled from a string.
const UNNAMED: &str = "(unnamed)";

/// Answers a case of kind `template`.
///
/// # Errors
/// [`Unanswered`].
pub fn template(case: &Case) -> Answer {
    if let Some(need) = case.needs().find(|need| !MET.contains(need)) {
        return Err(Unanswered::Unmet(need.to_owned()));
    }
    if case.field("engine")["autoescape"] == false {
        return Err(not_built("an engine without escaping"));
    }
    let variables = variables(case.field("context"))?;
    let name = case.field("name").as_str().unwrap_or(UNNAMED);
    let options = TemplateOptions::new()
        .danger_escape_as_django("")
        .errors_when_rendered()
        .string_if_invalid(case.field("engine")["string_if_invalid"].as_str().unwrap_or_default());
    let templates = match Templates::with_options(sources(case, name)?, options) {
        Ok(templates) => templates,
        Err(errors) => return refused(case, &errors.to_string()),
    };
    match templates.render(name, &variables, &Urls(case)) {
        Ok(output) => Ok(json!({"output": output})),
        Err(error) => refused(case, &error.to_string()),
    }
}

fn not_built(what: &str) -> Unanswered {
    Unanswered::NotBuilt(what.to_owned())
}

fn sources(case: &Case, main: &str) -> Result<BTreeMap<String, String>, Unanswered> {
    let templates = case.field("templates").as_object().into_iter().flatten();
    let named =
        templates.filter_map(|(name, source)| Some((name.clone(), source.as_str()?.to_owned())));
    let main = (main.to_owned(), case.text("source")?.to_owned());
    Ok(named.chain([main]).collect())
}

/// A failure, which is Django's if Django fails too; if not, it may be of what is not built yet.
fn refused(case: &Case, said: &str) -> Answer {
    if case.expect().get("error").is_some() {
        return Ok(case.expect().clone());
    }
    match UNKNOWN.iter().find_map(|(words, what)| Some((said.split_once(words)?.1, what))) {
        Some((rest, what)) => {
            let named = rest.split('\'').next().filter(|_| what.ends_with(' '));
            Err(Unanswered::NotBuilt(format!("{what}{}", named.unwrap_or_default())))
        }
        None => Ok(json!({"error": FAILED, "message": said})),
    }
}

/// How the loader says that it does not know something, and what that is.
const UNKNOWN: [(&str, &str); 4] = [
    ("Invalid block tag: '", "the tag "),
    ("Invalid filter: '", "the filter "),
    ("there is no template './", "names of templates beside the template's own, like ./"),
    ("the parent of a template must be literal", "parents that are no literal"),
];

/// The answers of the case's own table.
struct Urls<'a>(&'a Case);

impl Surroundings for Urls<'_> {
    fn url(&self, name: &str, args: &[Held], kwargs: &[(&str, Held)]) -> Option<String> {
        let same = |described: &Value, held: &Held| {
            value(described).is_ok_and(|described| described.text() == held.text())
        };
        let matches = |entry: &&Value| {
            let listed: Vec<_> = list(&entry["args"]).collect();
            let named = entry["kwargs"].as_object();
            entry["view"] == name
                && listed.len() == args.len()
                && listed.iter().zip(args).all(|(described, held)| same(described, held))
                && named.map_or(0, serde_json::Map::len) == kwargs.len()
                && kwargs.iter().all(|(name, held)| {
                    named.and_then(|named| named.get(*name)).is_some_and(|value| same(value, held))
                })
        };
        let entry = list(self.0.field("urls")).find(matches)?;
        entry["url"].as_str().map(str::to_owned)
    }
}

fn variables(context: &Value) -> Result<Variables, Unanswered> {
    context
        .as_object()
        .into_iter()
        .flatten()
        .try_fold(Variables::new(), |variables, (name, held)| {
            Ok(variables.with(name.clone(), value(held)?))
        })
}

fn value(described: &Value) -> Result<Held, Unanswered> {
    Ok(match described {
        Value::Null => Held::None,
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(value).collect::<Result<_, _>>()?,
        Value::Object(fields) => match fields.iter().next() {
            Some((kind, inner)) if kind.starts_with('$') => special(kind, inner, described)?,
            _ => map(fields)?.into(),
        },
    })
}

fn map(fields: &serde_json::Map<String, Value>) -> Result<Map, Unanswered> {
    fields.iter().map(|(name, held)| Ok((name.as_str(), value(held)?))).collect()
}

fn special(kind: &str, inner: &Value, described: &Value) -> Result<Held, Unanswered> {
    let text = inner.as_str().unwrap_or_default();
    match kind {
        "$safe" => Ok(Markup::danger_trusted(text).into()),
        "$float" => text.parse::<f64>().map(Held::from).map_err(|_| not_built("odd floats")),
        "$datetime" if described["tz"].is_null() => DateTime::parse_iso(text)
            .map(|date| date.naive().into())
            .ok_or_else(|| not_built("odd dates")),
        other => Err(Unanswered::NotBuilt(format!("values of kind {other}"))),
    }
}
