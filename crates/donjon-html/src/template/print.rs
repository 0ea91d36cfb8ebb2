//! Prints a value for the place it stands in.
//!
//! Stops cross-site scripting (CWE-79):
//!
//! 1. Markup counts as markup in HTML text only; in an attribute, or where no element can stand, its `< > " '` are
//!    escaped; in an address, a script or a style it is read as the text it shows.
//! 2. What stands in an attribute is escaped for its place first, and for the attribute then.
//! 3. In a value without quotes nothing is printed that ends the value, and an empty value is printed as a space.
//! 4. Code is loaded only from an address that the program made ([`TrustedUrl`](crate::TrustedUrl)), or below a plain
//!    directory of this site.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::env::Env;
use super::filter::Autoescape;
use super::number;
use super::value::Value;
use crate::context::{Escaper, Slot, Unquoted};
use crate::escape::{self, HtmlWriter, css, js, url};

/// Prints a value for the place it stands in.
#[inline]
pub(crate) fn write(
    out: &mut String,
    scratch: &mut String,
    escaper: Escaper,
    env: &Env<'_>,
    value: &Value,
) {
    match (escaper.slot, escaper.unquoted) {
        (Slot::Nothing, _) => {}
        (_, Unquoted::No) => write_quoted(out, scratch, escaper, env, value),
        (_, unquoted) => {
            let mut quoted = String::new();
            write_quoted(&mut quoted, scratch, escaper, env, value);
            // Without a value the browser takes what follows for it.
            let empty = quoted.is_empty() && unquoted == Unquoted::Start;
            escape::write_unquoted(out, if empty { " " } else { &quoted });
        }
    }
}

fn write_quoted(
    out: &mut String,
    scratch: &mut String,
    escaper: Escaper,
    env: &Env<'_>,
    value: &Value,
) {
    match (escaper.slot, escaper.attribute) {
        (Slot::Html, _) => print(out, value, env, String::push_str),
        (Slot::TextOnly, _) => print(out, value, env, escape::write_markup_as_text),
        (_, false) => write_special(out, escaper.slot, value),
        (_, true) => {
            scratch.clear();
            write_special(scratch, escaper.slot, value);
            escape::write_html(out, scratch);
        }
    }
}

/// Prints text escaped, and markup as `markup` says.
fn print(out: &mut String, value: &Value, env: &Env<'_>, markup: fn(&mut String, &str)) {
    let escapes = env.autoescape == Autoescape::On;
    match value {
        Value::Str(text) if escapes => escape::write_html(out, text),
        Value::Int(number) if env.use_l10n && env.locale.has_plain_ints() => {
            out.push_str(itoa::Buffer::new().format(*number));
        }
        Value::Int(_)
        | Value::BigInt(_)
        | Value::Float(_)
        | Value::Decimal(_)
        | Value::DateTime(_)
        | Value::Date(_)
        | Value::Time(_) => print_localized(out, value, env),
        Value::Markup(html) => markup(out, html),
        Value::Object(object) => match object.display() {
            Value::Object(_) => {}
            shown => print(out, &shown, env, markup),
        },
        other if escapes => match other.as_str() {
            Some(text) => escape::write_html(out, text),
            None => drop(HtmlWriter(out).write_str(&other.text())),
        },
        other => markup(out, &other.text()),
    }
}

/// Numbers and dates as in the page's language. What a language puts between digits is escaped too.
fn print_localized(out: &mut String, value: &Value, env: &Env<'_>) {
    let start = out.len();
    let local = match value {
        Value::DateTime(moment) => Some(Value::from(env.localtime(moment))),
        _ => None,
    };
    let value = local.as_ref().unwrap_or(value);
    match env.use_l10n {
        true => env.locale.write_localized(out, value),
        false => env.locale.write_unlocalized(out, value),
    }
    let written = out.get(start..).unwrap_or_default();
    if env.autoescape == Autoescape::On
        && let Cow::Owned(escaped) = escape::escape(written)
    {
        out.truncate(start);
        out.push_str(&escaped);
    }
}

/// What a script or an address sees of a value that only shows itself.
fn shown(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Object(object) => Cow::Owned(object.display()),
        other => Cow::Borrowed(other),
    }
}

fn write_special(out: &mut String, slot: Slot, value: &Value) {
    if slot == Slot::JsValue {
        // `x-{{ n }}` with a negative number is not `x--1`.
        let negative = value.number().is_some_and(|number| number < 0.0);
        out.push_str(if negative { " " } else { "" });
        return js::write_value(out, value);
    }
    let value = shown(value);
    let text = match &*value {
        Value::Float(number) => {
            let mut text = String::new();
            let _ = number::write_localized(&mut text, *number);
            Cow::Owned(text)
        }
        Value::Markup(html) if slot != Slot::SrcDoc && slot != Slot::JsString => {
            escape::unescape(html)
        }
        other => other.text(),
    };
    match slot {
        Slot::SrcDoc if value.is_markup() => out.push_str(&text),
        Slot::SrcDoc => escape::write_html(out, &text),
        Slot::UrlStart => out.push_str(&url::filter(&text)),
        Slot::UrlCode => out.push_str(if may_run(&value, &text) { &text } else { url::INVALID }),
        Slot::UrlSegment => url::write_segment(out, &text),
        Slot::UrlQuery => url::write_component(out, &text),
        Slot::UrlEncodedSegment => url::write_encoded_path(out, &text),
        Slot::UrlEncodedQuery => url::write_encoded_component(out, &text),
        Slot::SrcSet => url::write_srcset(out, &text),
        Slot::CssUrl => url::write_enclosed(out, &text),
        Slot::CssValue => css::write_value(out, &text),
        Slot::CssString => css::write_string(out, &text),
        Slot::JsString => js::write_string(out, &text),
        Slot::JsEscaped => out.push_str(&text),
        Slot::JsValue | Slot::Html | Slot::TextOnly | Slot::Nothing => {}
    }
}

fn may_run(value: &Value, text: &str) -> bool {
    matches!(value, Value::Url(_)) || url::is_site_directory(text)
}
