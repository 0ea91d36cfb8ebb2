//! The values of template cases: from the form of the files to what a template holds, and back.

use std::borrow::Cow;

use donjon_html::Markup;
use donjon_html::template::{
    Call, Date, DateTime, Decimal, Duration, LookupError, Map, Object, QueryDict, Time, TimeZone,
    Value as Held,
};
use serde_json::{Value, json};

use crate::case::{Unanswered, list};

/// A described value.
///
/// # Errors
/// [`Unanswered::NotBuilt`] for a kind that Donjon has no word for.
pub fn held(described: &Value) -> Result<Held, Unanswered> {
    Ok(match described {
        Value::Null => Held::None,
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(held).collect::<Result<_, _>>()?,
        Value::Object(fields) => match fields.iter().next() {
            Some((kind, inner)) if kind.starts_with('$') => special(kind, inner, described)?,
            _ => map(fields)?.into(),
        },
    })
}

fn map(fields: &serde_json::Map<String, Value>) -> Result<Map, Unanswered> {
    fields.iter().map(|(name, value)| Ok((name.as_str(), held(value)?))).collect()
}

fn odd(kind: &str) -> Unanswered {
    Unanswered::NotBuilt(format!("values of kind {kind}"))
}

fn special(kind: &str, inner: &Value, described: &Value) -> Result<Held, Unanswered> {
    let text = inner.as_str().unwrap_or_default();
    let found = match kind {
        "$safe" => Some(Markup::danger_trusted(text).into()),
        "$lazy" if described["safe"] == true => Some(Markup::danger_trusted(text).into()),
        "$lazy" => Some(text.into()),
        "$float" => text.parse::<f64>().ok().map(Held::from),
        "$int" => text.parse::<num_bigint::BigInt>().ok().map(Held::from),
        "$decimal" => Decimal::parse(text).map(Held::from),
        "$tuple" => Some(Held::Tuple(list(inner).map(held).collect::<Result<_, _>>()?)),
        "$set" => Some(Held::object(Set(list(inner).map(held).collect::<Result<_, _>>()?))),
        "$range" => range(inner),
        "$date" => date(text).map(Held::from),
        "$time" => time(text, &described["tz"]).map(Held::from),
        "$datetime" => datetime(text, &described["tz"]).map(Held::from),
        "$timedelta" => {
            inner.as_f64().map(|s| Duration::from_micros((s * 1e6).round() as i64).into())
        }
        "$tz" => zone(inner).map(Held::from),
        "$dict" => Some(Held::object(Pairs::new(pairs(inner)?))),
        "$querydict" => Some(Held::object(QueryDict::parse(text))),
        "$callable" => Some(Held::object(Callable(inner.clone()))),
        "$object" => Some(Held::object(Described(inner.clone()))),
        "$template" => {
            inner["name"].as_str().map(Held::from).or_else(|| Some(template_name(inner).into()))
        }
        _ => None,
    };
    found.ok_or_else(|| odd(kind))
}

/// The name under which a compiled template of the context is given to the engine.
pub fn template_name(template: &Value) -> String {
    format!("(compiled) {}", template["source"].as_str().unwrap_or_default())
}

fn pairs(inner: &Value) -> Result<Vec<(Held, Held)>, Unanswered> {
    list(inner).map(|pair| Ok((held(&pair[0])?, held(&pair[1])?))).collect()
}

fn range(inner: &Value) -> Option<Held> {
    let [start, stop, step] = [0, 1, 2].map(|at| inner[at].as_i64());
    let (start, stop, step) = (start?, stop?, usize::try_from(step?).ok()?);
    Some(Held::object(Range { start, stop, step }))
}

/// A Python `range`.
struct Range {
    start: i64,
    stop: i64,
    step: usize,
}

impl Object for Range {
    fn attribute(&self, _: &str) -> Option<Held> {
        None
    }

    fn display(&self) -> Held {
        match self.step {
            1 => format!("range({}, {})", self.start, self.stop).into(),
            step => format!("range({}, {}, {step})", self.start, self.stop).into(),
        }
    }

    fn items(&self) -> Option<Vec<Held>> {
        Some((self.start..self.stop).step_by(self.step).map(Held::from).collect())
    }
}

fn date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    Date::new(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?)
}

fn time(text: &str, zone_of: &Value) -> Option<Time> {
    let text = text.split(['+', '-']).next().unwrap_or(text);
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.split(':');
    let (hour, minute) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let second = parts.next().unwrap_or("0").parse().ok()?;
    let time = Time::new(hour, minute, second, format!("{fraction:0<6}").parse().ok()?)?;
    Some(match zone(zone_of) {
        Some(zone) => time.make_aware(&zone),
        None => time,
    })
}

fn datetime(text: &str, zone_of: &Value) -> Option<DateTime> {
    let moment = DateTime::parse_iso(text)?;
    match zone_of.is_null() {
        true => Some(moment.naive()),
        false => Some(match moment.is_aware() {
            true => moment.in_zone(&zone(zone_of)?),
            false => moment.make_aware(&zone(zone_of)?),
        }),
    }
}

/// A described time zone: a name, or an offset with a name.
pub fn zone(described: &Value) -> Option<TimeZone> {
    match described {
        Value::String(name) => TimeZone::named(name),
        Value::Object(fields) => {
            let offset = i32::try_from(fields.get("offset")?.as_i64()?).ok()?;
            Some(match fields.get("name").and_then(Value::as_str) {
                Some(name) => TimeZone::fixed_named(offset, name),
                None => TimeZone::fixed(offset),
            })
        }
        _ => None,
    }
}

/// A value in the form of the files.
pub fn described(value: &Held) -> Value {
    match value {
        Held::None => Value::Null,
        Held::Bool(truth) => json!(truth),
        Held::Int(number) => json!(number),
        Held::Float(number) if number.is_finite() => json!(number),
        Held::Float(_) => json!({"$float": value.text()}),
        Held::BigInt(number) => json!({"$int": number.to_string()}),
        Held::Decimal(number) => json!({"$decimal": number.to_string()}),
        Held::Str(text) => json!(&**text),
        Held::Markup(html) => json!({"$safe": html.as_str()}),
        Held::List(items) => items.iter().map(described).collect(),
        Held::Tuple(items) => json!({"$tuple": items.iter().map(described).collect::<Vec<_>>()}),
        Held::Map(map) => Value::Object(
            map.iter().map(|(key, value)| (key.to_string(), described(value))).collect(),
        ),
        Held::Date(date) => json!({"$date": date.to_string()}),
        other => json!(other.text()),
    }
}

/// A Python `set`.
struct Set(Vec<Held>);

impl Object for Set {
    fn attribute(&self, _: &str) -> Option<Held> {
        None
    }

    fn display(&self) -> Held {
        let list = Held::from(self.0.clone()).text().into_owned();
        format!("{{{}}}", list.trim_matches(['[', ']'])).into()
    }

    fn items(&self) -> Option<Vec<Held>> {
        Some(self.0.clone())
    }
}

/// A `dict` whose keys are not all text.
struct Pairs(Vec<(Held, Held)>);

impl Pairs {
    fn new(pairs: Vec<(Held, Held)>) -> Self {
        Self(pairs)
    }
}

impl Object for Pairs {
    fn attribute(&self, name: &str) -> Option<Held> {
        let tuple = |(key, value): &(Held, Held)| Held::Tuple([key.clone(), value.clone()].into());
        let by_key = self.0.iter().find(|(key, _)| key.as_str() == Some(name));
        match (by_key, name) {
            (Some((_, value)), _) => Some(value.clone()),
            (None, "items") => Some(self.0.iter().map(tuple).collect()),
            (None, "keys") => Some(self.0.iter().map(|(key, _)| key.clone()).collect()),
            (None, "values") => Some(self.0.iter().map(|(_, value)| value.clone()).collect()),
            _ => None,
        }
    }

    fn display(&self) -> Held {
        let pair = |(key, value): &(Held, Held)| format!("{key:?}: {value:?}");
        format!("{{{}}}", self.0.iter().map(pair).collect::<Vec<_>>().join(", ")).into()
    }

    fn items(&self) -> Option<Vec<Held>> {
        Some(self.0.iter().map(|(key, _)| key.clone()).collect())
    }
}

fn raised(exception: &Value) -> LookupError {
    let message = exception["message"].as_str().unwrap_or_default();
    match exception["silent"] == true {
        true => LookupError::silent(message),
        false => LookupError::new(message),
    }
}

/// A value, or the exception that looking for it raises.
fn looked_up(described: &Value) -> Result<Option<Held>, LookupError> {
    match described.get("$raises") {
        Some(exception) => Err(raised(exception)),
        None => held(described).map(Some).map_err(|error| LookupError::new(format!("{error:?}"))),
    }
}

/// What a call of a described function gives.
fn called(body: &Value) -> Result<Call, LookupError> {
    if body["do_not_call"] == true || body["do_not_call_in_templates"] == true {
        return Ok(Call::NotCallable);
    }
    if body["alters_data"] == true {
        return Ok(Call::AltersData);
    }
    if body["requires_args"] == true {
        return Ok(Call::NeedsArguments);
    }
    match (body.get("raises"), body.get("returns")) {
        (Some(exception), _) => Err(raised(exception)),
        (None, Some(value)) => Ok(Call::Returned(looked_up(value)?.unwrap_or_default())),
        _ => Ok(Call::NotCallable),
    }
}

/// A function without arguments.
struct Callable(Value);

impl Object for Callable {
    fn attribute(&self, _: &str) -> Option<Held> {
        None
    }

    fn call(&self) -> Result<Call, LookupError> {
        called(&self.0)
    }

    fn display(&self) -> Held {
        "<function>".into()
    }
}

/// Any other object.
struct Described(Value);

impl Described {
    fn text(&self, name: &str) -> Option<Held> {
        self.0.get(name).and_then(|value| held(value).ok())
    }
}

impl Object for Described {
    fn attribute(&self, name: &str) -> Option<Held> {
        self.try_attribute(name).ok().flatten()
    }

    fn try_attribute(&self, name: &str) -> Result<Option<Held>, LookupError> {
        let key = |key: &Value| held(key).is_ok_and(|key| key.text() == name);
        if let Some(pair) = list(&self.0["items"]).find(|pair| key(&pair[0])) {
            return looked_up(&pair[1]);
        }
        if let Some(value) = self.0["attrs"].get(name) {
            return looked_up(value);
        }
        match self.0["callables"].get(name) {
            Some(body) => Ok(Some(Held::object(Callable(body.clone())))),
            None => Ok(None),
        }
    }

    fn call(&self) -> Result<Call, LookupError> {
        let body = &self.0;
        if body["do_not_call_in_templates"] == true {
            return Ok(Call::NotCallable);
        }
        match body.get("call") {
            Some(_) if body["alters_data"] == true => Ok(Call::AltersData),
            Some(call) => called(call),
            None => Ok(Call::NotCallable),
        }
    }

    fn display(&self) -> Held {
        match self.text("html") {
            Some(html) => Markup::danger_trusted(html.text()).into(),
            None => self.text("str").unwrap_or_default(),
        }
    }

    fn repr(&self) -> Option<String> {
        let shown = self.0["repr"].as_str().or_else(|| self.0["str"].as_str());
        shown.map(str::to_owned)
    }

    fn number(&self) -> Option<f64> {
        self.0["float"].as_f64().or_else(|| self.0["int"].as_f64())
    }

    fn items(&self) -> Option<Vec<Held>> {
        self.0.get("iter").map(|items| list(items).filter_map(|item| held(item).ok()).collect())
    }

    fn length(&self) -> Option<usize> {
        let length = self.0["len"].as_u64().and_then(|length| usize::try_from(length).ok());
        length.or_else(|| self.items().map(|items| items.len()))
    }

    fn is_true(&self) -> bool {
        self.0["bool"].as_bool().unwrap_or_else(|| self.length() != Some(0))
    }
}

/// The context of a case.
///
/// # Errors
/// [`Unanswered`] for values that Donjon has no word for.
pub fn context(described: &Value) -> Result<donjon_html::template::Variables, Unanswered> {
    described
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| Ok((Cow::Owned(name.clone()), held(value)?)))
        .collect::<Result<Vec<(Cow<'static, str>, Held)>, Unanswered>>()
        .map(|pairs| pairs.into_iter().collect())
}
