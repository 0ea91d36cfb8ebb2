//! `templates.jsonl.gz`: templates rendered with a context, and filters called by themselves.
//!
//! 1. Where Django fails, Donjon must fail, be it sooner: when templates are loaded.
//! 2. Cases that need tag libraries of Django's own tests are skips.
//! 3. Templates escape as Django does; what escaping by context changes has tests of its own.

use std::collections::BTreeMap;

use donjon_html::locale::{Catalogue, FormatName, Formats, LocaleSettings};
use donjon_html::template::{
    Autoescape, Env, FragmentCache, Map, Now, QueryDict, Surroundings, TemplateOptions, Templates,
    TimeZone, Value as Held, call_filter,
};
use serde_json::{Value, json};

use crate::case::{Answer, Case, FAILED, Unanswered, list};
use crate::template_values::{context, described, held, template_name, zone};

/// The name of a template that was compiled from a string.
const UNNAMED: &str = "(unnamed)";

/// What a case may need and does not get.
fn is_unmet(need: &str) -> bool {
    // Templates are linked once: an include has no tags of its own.
    need.starts_with("custom:") || need == "loader:uncached"
}

/// Answers a case of kind `template`.
///
/// # Errors
/// [`Unanswered`].
pub fn template(case: &Case) -> Answer {
    if let Some(need) = case.needs().find(|need| is_unmet(need)) {
        return Err(Unanswered::Unmet(need.to_owned()));
    }
    let variables = context(case.field("context"))?;
    let name = case.field("name").as_str().unwrap_or(UNNAMED);
    let sources = sources(case, name)?;
    let templates = match Templates::with_options(sources, options(case)?) {
        Ok(templates) => templates,
        Err(errors) => return refused(case, &errors.to_string()),
    };
    let rendered = match case.field("partial").as_str() {
        Some(partial) => format!("{name}#{partial}"),
        None => name.to_owned(),
    };
    match templates.render(&rendered, &variables, &Around::of(case)?) {
        Ok(output) => Ok(json!({"output": output})),
        Err(error) => refused(case, &error.to_string()),
    }
}

/// Answers a case of kind `filter`.
///
/// # Errors
/// [`Unanswered`].
pub fn filter(case: &Case) -> Answer {
    let value = held(case.field("value"))?;
    let arg = match case.has("arg") {
        true => Some(held(case.field("arg"))?),
        false => None,
    };
    let around = Around::of(case)?;
    let autoescape = match case.field("autoescape").as_bool() {
        Some(false) => Autoescape::Off,
        _ => Autoescape::On,
    };
    let zone = around.zone.clone();
    let env = Env {
        autoescape,
        locale: &around.locale,
        time_zone: &zone,
        use_tz: around.locale.uses_tz(),
        use_l10n: true,
        urlize_http: !assumes_https(case),
        now: around.now,
    };
    let library = case.field("library").as_str().map(|module| {
        // `django.contrib.humanize.templatetags.humanize`
        module.rsplit('.').next().unwrap_or(module)
    });
    match call_filter(library, case.text("filter")?, &value, arg.as_ref(), &env) {
        // An object is told by what it shows.
        Ok(result @ Held::Object(_)) if case.expect()["value"].get("$object").is_some() => {
            let shown = held(&case.expect()["value"])?;
            match shown.text() == result.text() {
                true => Ok(case.expect().clone()),
                false => Ok(json!({"value": described(&result)})),
            }
        }
        Ok(result) => Ok(json!({"value": described(&result)})),
        Err(error) => refused(case, &error.to_string()),
    }
}

/// Whether `urlize` takes bare addresses for `https`; the recording says where Django's default is changed.
fn assumes_https(case: &Case) -> bool {
    case.field("settings")["URLIZE_ASSUME_HTTPS"] == true
}

fn sources(case: &Case, main: &str) -> Result<Vec<(String, String)>, Unanswered> {
    let templates = case.field("templates").as_object().into_iter().flatten();
    let named =
        templates.filter_map(|(name, source)| Some((name.clone(), source.as_str()?.to_owned())));
    let mut sources: BTreeMap<String, String> = named.collect();
    sources.insert(main.to_owned(), case.text("source")?.to_owned());
    let further = list(case.field("template_dirs")).flat_map(|place| {
        place
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, source)| Some((name.clone(), source.as_str()?.to_owned())))
    });
    let mut compiled = Vec::new();
    collect_compiled(case.field("context"), &mut compiled);
    Ok(sources.into_iter().chain(further).chain(compiled).collect())
}

/// Templates that the context holds as objects.
fn collect_compiled(described: &Value, found: &mut Vec<(String, String)>) {
    match described {
        Value::Array(items) => items.iter().for_each(|item| collect_compiled(item, found)),
        Value::Object(fields) => {
            if let Some(template) = fields.get("$template") {
                let source = template["source"].as_str().unwrap_or_default().to_owned();
                let name = template["name"].as_str().map(str::to_owned);
                found.push((name.unwrap_or_else(|| template_name(template)), source));
            }
            fields.values().for_each(|value| collect_compiled(value, found));
        }
        _ => {}
    }
}

fn options(case: &Case) -> Result<TemplateOptions, Unanswered> {
    let engine = case.field("engine");
    let mut options = TemplateOptions::new()
        .danger_escape_as_django("")
        .errors_when_rendered()
        .string_if_invalid(engine["string_if_invalid"].as_str().unwrap_or_default());
    if engine["autoescape"] == false {
        options = options.danger_without_autoescape();
    }
    if !assumes_https(case) {
        options = options.danger_urlize_assume_http();
    }
    Ok(options)
}

/// A failure, which is Django's if Django fails too.
fn refused(case: &Case, said: &str) -> Answer {
    match case.expect().get("error").is_some() {
        true => Ok(case.expect().clone()),
        false => Ok(json!({"error": FAILED, "message": said})),
    }
}

/// What stands around a page: the case's own tables and settings.
struct Around<'a> {
    case: &'a Case,
    locale: donjon_html::locale::Locale,
    zone: TimeZone,
    now: Now,
    fragments: Fragments,
}

impl<'a> Around<'a> {
    fn of(case: &'a Case) -> Result<Self, Unanswered> {
        let locale = locale(case)?;
        let settings = case.field("settings");
        let zone =
            zone(&settings["current_timezone"]).unwrap_or_else(|| locale.time_zone().clone());
        Ok(Self { case, zone, now: now(case), locale, fragments: Fragments::default() })
    }
}

fn micros(text: &Value) -> Option<i64> {
    let moment = donjon_html::template::DateTime::parse_iso(text.as_str()?)?;
    Some(moment.epoch_micros())
}

/// The present of a case.
pub fn now(case: &Case) -> Now {
    let now = case.field("now");
    let Some(utc) = micros(&now["utc"]) else { return Now::system() };
    let now_utc = Now::from_epoch_micros(utc);
    micros(&now["local"]).map_or(now_utc, |local| now_utc.with_local_micros(local))
}

/// The locale that a case's settings, formats and translations make.
///
/// # Errors
/// [`Unanswered`].
pub fn locale(case: &Case) -> Result<donjon_html::locale::Locale, Unanswered> {
    let settings = case.field("settings");
    let mut made = LocaleSettings::new();
    if let Some(code) = settings["LANGUAGE_CODE"].as_str() {
        made = made.language_code(code);
    }
    if let Some(languages) = settings["LANGUAGES"].as_array() {
        let pair = |pair: &Value| {
            let pair = pair.get("$tuple").unwrap_or(pair);
            Some((
                pair[0].as_str()?.to_owned(),
                pair[1].as_str().or_else(|| pair[1]["$lazy"].as_str())?.to_owned(),
            ))
        };
        made = made.languages(languages.iter().filter_map(pair).collect::<Vec<_>>());
    }
    if settings["USE_I18N"] == false {
        made = made.without_i18n();
    }
    if settings["USE_TZ"] == false {
        made = made.without_tz();
    }
    if settings["USE_THOUSAND_SEPARATOR"] == true {
        made = made.with_thousand_separator();
    }
    if let Some(zone) = zone(&settings["TIME_ZONE"]) {
        made = made.time_zone(zone);
    }
    made = made.formats(formats(settings, Formats::new()));
    for (language, known) in case.field("formats").as_object().into_iter().flatten() {
        made = made.language_formats(language, formats(known, Formats::new()));
    }
    made = catalogues(case, made);
    let languages = made.into_languages();
    Ok(match (&settings["language"], settings.get("language")) {
        (Value::String(code), _) => languages.locale(code),
        (Value::Null, Some(_)) => languages.default_locale().deactivate(),
        _ => languages.default_locale(),
    })
}

fn formats(settings: &Value, formats: Formats) -> Formats {
    let mut made = formats;
    for (name, value) in settings.as_object().into_iter().flatten() {
        if let (Some(name), Some(text)) = (FormatName::parse(name), value.as_str()) {
            made = made.text(name, text.to_owned());
        }
    }
    let grouping = &settings["NUMBER_GROUPING"];
    let sizes: Vec<u8> = match grouping.as_u64() {
        Some(size) => vec![u8::try_from(size).unwrap_or_default()],
        None => list(grouping.get("$tuple").unwrap_or(grouping))
            .filter_map(|size| u8::try_from(size.as_u64().unwrap_or_default()).ok())
            .collect(),
    };
    if grouping.is_null() { made } else { made.number_grouping(sizes) }
}

fn catalogues(case: &Case, settings: LocaleSettings) -> LocaleSettings {
    let mut by_language: BTreeMap<&str, Catalogue> = BTreeMap::new();
    for entry in list(case.field("translations")) {
        let (Some(language), Some(message), Some(text)) =
            (entry["language"].as_str(), entry["msgid"].as_str(), entry["text"].as_str())
        else {
            continue;
        };
        let known = by_language
            .remove(language)
            .unwrap_or_else(|| Catalogue::new(donjon_html::locale::PluralRule::by_number()));
        let context = entry["context"].as_str();
        let known = match entry["n"].as_f64().filter(|_| !entry["plural"].is_null()) {
            Some(n) => known.plural(context, message, n as u64, text),
            None => known.message(context, message, text),
        };
        by_language.insert(language, known);
    }
    by_language
        .into_iter()
        .fold(settings, |settings, (code, known)| settings.catalogue(code, known))
}

#[derive(Default)]
struct Fragments(std::cell::RefCell<BTreeMap<String, String>>);

impl FragmentCache for Fragments {
    fn get(&self, key: &str) -> Option<String> {
        self.0.borrow().get(key).cloned()
    }

    fn put(&self, key: &str, html: &str, _: Option<i64>) {
        self.0.borrow_mut().insert(key.to_owned(), html.to_owned());
    }
}

impl Surroundings for Around<'_> {
    fn url(&self, name: &str, args: &[Held], kwargs: &[(&str, Held)]) -> Option<String> {
        let same = |described: &Value, value: &Held| {
            held(described).is_ok_and(|described| described.text() == value.text())
        };
        let matches = |entry: &&Value| {
            let listed: Vec<_> = list(&entry["args"]).collect();
            let named = entry["kwargs"].as_object();
            entry["view"] == name
                && listed.len() == args.len()
                && listed.iter().zip(args).all(|(described, value)| same(described, value))
                && named.map_or(0, serde_json::Map::len) == kwargs.len()
                && kwargs.iter().all(|(name, value)| {
                    named.and_then(|named| named.get(*name)).is_some_and(|d| same(d, value))
                })
        };
        let entry = list(self.case.field("urls")).find(matches)?;
        entry["url"].as_str().map(str::to_owned)
    }

    fn now(&self) -> Now {
        self.now
    }

    fn locale(&self) -> Option<donjon_html::locale::Locale> {
        Some(self.locale.clone())
    }

    fn time_zone(&self) -> Option<TimeZone> {
        Some(self.zone.clone())
    }

    fn lookup(&self, name: &str) -> Option<Held> {
        let settings = self.case.field("settings");
        match name {
            "STATIC_URL" | "MEDIA_URL" => settings[name].as_str().map(Held::from),
            "request" => {
                let request = self.case.field("request");
                let query = request["GET"].as_str()?;
                let path = request["path"].as_str().unwrap_or("/");
                Some(
                    Map::from_iter([
                        ("GET", Held::object(QueryDict::parse(query))),
                        ("path", path.into()),
                    ])
                    .into(),
                )
            }
            _ => None,
        }
    }

    fn fragments(&self, name: Option<&str>) -> Option<&dyn FragmentCache> {
        matches!(name, None | Some("default")).then_some(&self.fragments as &dyn FragmentCache)
    }
}
