//! `html_utils.jsonl.gz`: calls of Django's helpers for HTML, text, dates and numbers.

use donjon_html::Markup;
use donjon_html::escape::{self, js, url};
use donjon_html::linkify::{Linkifier, quoted};
use donjon_html::locale::{Locale, NumberFormat};
use donjon_html::strip_tags::strip_tags;
use donjon_html::template::{DateTime, Now, Sequences, Value as Held, urlencode};
use donjon_html::{text, truncate};
use serde_json::{Value, json};

use crate::case::{Answer, Case, FAILED, Unanswered, list};
use crate::template_values::{described, held};
use crate::templates::{locale, now};

/// Answers a case of kind `call`.
///
/// # Errors
/// [`Unanswered`].
pub fn call(case: &Case) -> Answer {
    let call = Call {
        args: list(case.field("args")).map(held).collect::<Result<_, _>>()?,
        named: case.field("kwargs"),
        locale: locale(case)?,
        groups: case.field("settings")["USE_THOUSAND_SEPARATOR"] == true,
        now: now(case),
    };
    let answered = call.answer(case.text("module")?, case.text("fn")?);
    let name = format!("{}.{}", case.text("module")?, case.text("fn")?);
    let fails = case.expect().get("error").is_some();
    Ok(match answered.ok_or(Unanswered::NotBuilt(name))? {
        Err(_) if fails => case.expect().clone(),
        Err(message) => json!({"error": FAILED, "message": message}),
        // What is lazy, or marked safe beyond need, is told by its text.
        Ok(value) => match text_of(&case.expect()["value"]) {
            Some(expected) if value.as_str() == Some(expected) => case.expect().clone(),
            _ => json!({"value": described(&value)}),
        },
    })
}

fn text_of(expected: &Value) -> Option<&str> {
    expected.as_str().or_else(|| expected["$lazy"].as_str()).or_else(|| expected["$safe"].as_str())
}

struct Call<'a> {
    args: Vec<Held>,
    named: &'a Value,
    locale: Locale,
    groups: bool,
    now: Now,
}

type Answered = Option<Result<Held, String>>;

impl Call<'_> {
    fn arg(&self, at: usize) -> Held {
        self.args.get(at).cloned().unwrap_or_default()
    }

    fn text(&self, at: usize) -> String {
        self.arg(at).text().into_owned()
    }

    fn named(&self, name: &str) -> Held {
        held(&self.named[name]).unwrap_or_default()
    }

    /// An argument by its place or its name.
    fn either(&self, at: usize, name: &str) -> Held {
        if self.args.len() > at { self.arg(at) } else { self.named(name) }
    }

    fn size(&self, at: usize) -> Option<usize> {
        let number = self.arg(at).integer()?;
        Some(usize::try_from(number).unwrap_or_default())
    }

    fn answer(&self, module: &str, name: &str) -> Answered {
        let made = match module {
            "django.utils.html" => return self.html(name),
            "django.utils.text" => return self.words(name),
            "django.utils.encoding" => match name {
                "iri_to_uri" if matches!(self.arg(0), Held::None) => Held::None,
                "iri_to_uri" => url::iri_to_uri(&self.text(0)).into(),
                "uri_to_iri" if matches!(self.arg(0), Held::None) => Held::None,
                "uri_to_iri" => url::uri_to_iri(&self.text(0)).into(),
                "escape_uri_path" => url::escape_uri_path(&self.text(0)).into(),
                _ => return None,
            },
            "django.utils.http" => {
                let repeated = self.either(1, "doseq").is_true();
                let how = if repeated { Sequences::Repeated } else { Sequences::Printed };
                return Some(urlencode(&self.arg(0), how).map(Held::from));
            }
            "django.utils.numberformat" => self.number(),
            "django.utils.formats" | "django.utils.dateformat" => return self.dated(name),
            "django.utils.timesince" => return self.span(name),
            _ => return None,
        };
        Some(Ok(made))
    }

    fn html(&self, name: &str) -> Answered {
        let first = self.arg(0);
        let html = |html: String| Some(Ok(Held::from(Markup::danger_trusted(html))));
        match name {
            "escape" => html(escape::escape(&first.text()).into_owned()),
            "escapejs" => {
                let mut out = String::new();
                js::write_string(&mut out, &first.text());
                html(out)
            }
            "json_script" => {
                let id = Some(self.arg(1)).filter(Held::is_true);
                let env = donjon_html::template::Env::bare(donjon_html::template::Autoescape::On);
                let made = donjon_html::template::call_filter(
                    None,
                    "json_script",
                    &first,
                    id.as_ref(),
                    &env,
                );
                Some(made.map_err(|error| error.to_string()))
            }
            "linebreaks" => {
                html(text::linebreaks(&first.text(), self.either(1, "autoescape").is_true()))
            }
            "smart_urlquote" => Some(Ok(quoted(&first.text()).into())),
            "strip_tags" => {
                Some(strip_tags(&first.text()).map(Held::from).map_err(|error| error.to_string()))
            }
            "strip_spaces_between_tags" => {
                Some(Ok(text::strip_spaces_between_tags(&first.text()).into()))
            }
            "urlize" => {
                let links =
                    if first.is_markup() { Linkifier::new().markup() } else { Linkifier::new() };
                let links = if self.named("autoescape").is_true() { links.escape() } else { links };
                let links = if self.named("nofollow").is_true() { links.nofollow() } else { links };
                Some(Ok(links.link(&first.text()).into()))
            }
            "format_html" | "format_html_join" => self.formatted(name),
            _ => None,
        }
    }

    fn formatted(&self, name: &str) -> Answered {
        // The program's own text, for as long as this process checks it.
        let format: &'static str = KNOWN_FORMATS
            .iter()
            .find(|known| **known == self.text(usize::from(name != "format_html")))?;
        if name == "format_html" {
            let named: Vec<(&str, Held)> =
                self.named.as_object()?.keys().map(|key| (key.as_str(), self.named(key))).collect();
            let made = escape::format_html(format, self.args.get(1..)?, &named);
            return Some(made.map(Held::from).map_err(|error| error.to_string()));
        }
        let mut out = Vec::new();
        for row in self.arg(2).items()?.iter() {
            let made = match row {
                Held::Map(map) => {
                    let named: Vec<(&str, Held)> =
                        map.iter().map(|(key, value)| (&**key, value.clone())).collect();
                    escape::format_html(format, &[], &named)
                }
                other => escape::format_html(format, &other.items()?, &[]),
            };
            out.push(made.ok()?.into_string());
        }
        Some(Ok(Markup::danger_trusted(out.join(&self.text(0))).into()))
    }

    fn words(&self, name: &str) -> Answered {
        let first = self.text(0);
        let made: Held = match name {
            "format_lazy" => {
                let named: Vec<(&str, Held)> = self
                    .named
                    .as_object()?
                    .keys()
                    .map(|key| (key.as_str(), self.named(key)))
                    .collect();
                let made = text::format_text(&first, self.args.get(1..)?, &named);
                return Some(made.map(Held::from).map_err(|error| error.to_string()));
            }
            "get_text_list" => {
                let items = self.arg(0).items()?;
                let items: Vec<_> = items.iter().map(|item| item.text().into_owned()).collect();
                text::get_text_list(&items, &self.text(1), &self.locale).into()
            }
            "get_valid_filename" => {
                return Some(
                    text::get_valid_filename(&first).map(Held::from).ok_or_else(String::new),
                );
            }
            "normalize_newlines" => text::normalize_newlines(&first).into(),
            "phone2numeric" => text::phone2numeric(&first).into(),
            "slugify" if self.either(1, "allow_unicode").is_true() => {
                text::slugify_unicode(&first).into()
            }
            "slugify" => text::slugify(&first).into(),
            "smart_split" => text::smart_split(&first).into_iter().map(Held::from).collect(),
            "unescape_string_literal" => {
                return Some(
                    text::unescape_string_literal(&first).map(Held::from).ok_or_else(String::new),
                );
            }
            "wrap" => text::wrap(&first, self.size(1)?).into(),
            "Truncator.chars" | "Truncator.words" => self.truncated(name)?,
            _ => return None,
        };
        Some(Ok(made))
    }

    fn truncated(&self, name: &str) -> Option<Held> {
        let (text, length) = (self.text(0), self.size(1)?);
        let ending = match self.either(2, "truncate") {
            Held::None => "%(truncated_text)s…".to_owned(),
            ending => ending.text().into_owned(),
        };
        let html = self.named("html").is_true();
        Some(
            match (name, html) {
                ("Truncator.chars", false) => truncate::chars(&text, length, &ending),
                ("Truncator.chars", true) => truncate::html_chars(&text, length, &ending),
                (_, false) => truncate::words(&text, length, &ending),
                (_, true) => truncate::html_words(&text, length, &ending),
            }
            .into(),
        )
    }

    fn number(&self) -> Held {
        let separator = self.either(1, "decimal_sep").text().into_owned();
        let thousands = self.either(4, "thousand_sep").text().into_owned();
        let grouping = self.either(3, "grouping");
        let sizes: Vec<u8> = match grouping.integer() {
            Some(size) => vec![u8::try_from(size).unwrap_or_default()],
            None => grouping
                .items()
                .unwrap_or_default()
                .iter()
                .filter_map(|size| Some(u8::try_from(size.integer()?).unwrap_or(u8::MAX)))
                .collect(),
        };
        let mut format = NumberFormat::new(&separator).grouping(&sizes, &thousands);
        if let Some(places) = self.either(2, "decimal_pos").integer() {
            format = format.places(usize::try_from(places).unwrap_or_default());
        }
        let localized = self.named("use_l10n");
        let by_setting = self.groups && (matches!(localized, Held::None) || localized.is_true());
        if by_setting || self.either(5, "force_grouping").is_true() {
            format = format.grouped();
        }
        format.format(&self.arg(0)).into()
    }

    fn dated(&self, name: &str) -> Answered {
        let mut out = String::new();
        let format = match self.either(1, "format") {
            Held::None if name == "time_format" => "TIME_FORMAT".into(),
            Held::None => "DATE_FORMAT".into(),
            format => format.text().into_owned(),
        };
        if name == "localize" {
            self.locale.write_localized(&mut out, &self.arg(0));
            return Some(Ok(out.into()));
        }
        let format = self.locale.named_format(&format);
        let written = match self.arg(0) {
            Held::DateTime(moment) => moment.write(&mut out, format, &self.locale),
            Held::Date(date) => date.write(&mut out, format, &self.locale),
            Held::Time(time) => time.write(&mut out, format, &self.locale),
            _ => return None,
        };
        Some(written.map(|()| out.into()).map_err(|error| error.to_string()))
    }

    fn span(&self, name: &str) -> Answered {
        let moment = |value: Held| match value {
            Held::DateTime(moment) => Some(DateTime::clone(&moment)),
            Held::Date(date) => Some(DateTime::from_date(date)),
            _ => None,
        };
        let depth = self
            .named("depth")
            .integer()
            .map_or(2, |depth| usize::try_from(depth).unwrap_or_default());
        if depth == 0 {
            return Some(Err("depth must be greater than 0.".into()));
        }
        let start = moment(self.arg(0))?;
        let zone = start.zone().cloned();
        let given = moment(self.either(1, "now"));
        let now = given.unwrap_or_else(|| self.now.seen_from(zone.as_ref(), &self.locale));
        let words = match name {
            "timesince" => start.timesince(&now, depth, &self.locale),
            _ => start.timeuntil(&now, depth, &self.locale),
        };
        Some(words.map(Held::from).ok_or_else(String::new))
    }
}

/// The formats of the recording: `format_html` takes only the program's own text.
const KNOWN_FORMATS: [&str; 3] = ["{} {} {third} {fourth}", "<li>{id}) {text}</li>", "{} {}"];
