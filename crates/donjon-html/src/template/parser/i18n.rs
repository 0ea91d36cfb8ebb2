//! Tags of the libraries `i18n`, `l10n`, `tz`, `static` and `cache`.

use std::sync::Arc;

use super::control::printed_or_bound;
use super::{Made, Parser, TokenKind, fault};
use crate::context::Fault;
use crate::template::expression::{Expression, words};
use crate::template::tag::{
    Bindings, BlockTranslate, Kind, LanguageQuestion, Message, Producer, Setting, Switch, Target,
    Translate, as_name, bindings, target,
};

/// What stands behind `blocktranslate`.
#[derive(Default)]
struct Options {
    bindings: Option<Bindings>,
    counter: Option<(Target, Expression)>,
    context: Option<Expression>,
    trimmed: bool,
    bound: Option<Target>,
}

impl<'s> Parser<'s, '_> {
    /// Reads a tag of a library that is loaded.
    pub(super) fn library_tag(&mut self, at: usize, name: &str, rest: &[&str]) -> Made {
        match name {
            "trans" | "translate" => self.translate(at, name, rest),
            "blocktrans" | "blocktranslate" => self.block_translate(at, name, rest),
            "cache" => self.cache(at, rest),
            "language" => {
                let [language] = rest else {
                    return Err(fault(at, "'language' takes one argument (language)"));
                };
                let setting = Setting::Language(self.expression(at, language)?);
                self.setting(at, setting, "endlanguage")
            }
            "timezone" => {
                let [zone] = rest else {
                    return Err(fault(at, "'timezone' takes one argument (timezone)"));
                };
                let setting = Setting::TimeZone(self.expression(at, zone)?);
                self.setting(at, setting, "endtimezone")
            }
            "localize" => {
                self.setting(at, Setting::Localize(switch(at, name, rest)?), "endlocalize")
            }
            "localtime" => {
                self.setting(at, Setting::LocalTime(switch(at, name, rest)?), "endlocaltime")
            }
            _ => self.question(at, name, rest),
        }
    }

    fn setting(&mut self, at: usize, setting: Setting, end: &str) -> Made {
        Ok(Kind::Setting(Arc::new(setting), self.body_to(end, at)?))
    }

    fn question(&mut self, at: usize, name: &str, rest: &[&str]) -> Made {
        let (before, bound) = as_name(rest);
        let producer = match (name, before) {
            ("get_static_prefix", []) => Producer::Prefix("STATIC_URL"),
            ("get_media_prefix", []) => Producer::Prefix("MEDIA_URL"),
            (_, _) if bound.is_none() => {
                return Err(fault(at, format!("'{name}' requires 'as variable'")));
            }
            ("get_current_timezone", []) => Producer::TimeZone,
            ("get_available_languages", []) => Producer::Language(LanguageQuestion::Available),
            ("get_current_language", []) => Producer::Language(LanguageQuestion::Current),
            ("get_current_language_bidi", []) => Producer::Language(LanguageQuestion::CurrentBidi),
            ("get_language_info", ["for", code]) => {
                Producer::Language(LanguageQuestion::Info(self.expression(at, code)?))
            }
            ("get_language_info_list", ["for", codes]) => {
                Producer::Language(LanguageQuestion::InfoList(self.expression(at, codes)?))
            }
            _ => return Err(fault(at, format!("'{name}' does not take these arguments"))),
        };
        Ok(printed_or_bound(producer, bound.map(|name| target(name, &self.words))))
    }

    fn translate(&mut self, at: usize, tag: &str, rest: &[&str]) -> Made {
        let [message, options @ ..] = rest else {
            return Err(fault(at, format!("'{tag}' takes at least one argument")));
        };
        let message = self.expression(at, message)?;
        let mut translate = Translate { message, context: None, noop: false };
        let mut bound = None;
        let mut options = options;
        while let [option, after @ ..] = options {
            options = match (*option, after) {
                ("noop", after) if !translate.noop => {
                    translate.noop = true;
                    after
                }
                ("context", [value, after @ ..])
                    if translate.context.is_none() && !["as", "noop"].contains(value) =>
                {
                    translate.context = Some(self.expression(at, value)?);
                    after
                }
                ("as", [name, after @ ..]) if bound.is_none() => {
                    bound = Some(target(name, &self.words));
                    after
                }
                (other, _) => {
                    return Err(fault(
                        at,
                        format!(
                            "Unknown argument for '{tag}' tag: '{other}'. The only options available, once each, are 'noop', 'context' \"xxx\", and 'as VAR'."
                        ),
                    ));
                }
            };
        }
        Ok(printed_or_bound(Producer::Translate(translate), bound))
    }

    fn block_translate(&mut self, at: usize, tag: &str, rest: &[&str]) -> Made {
        let options = self.block_options(at, tag, rest)?;
        let (singular, mut end) = self.message(at, options.trimmed);
        let mut plural = None;
        if options.counter.is_some() {
            if end != "plural" {
                return Err(fault(at, format!("'{tag}' doesn't allow other block tags inside it")));
            }
            let (message, next) = self.message(at, options.trimmed);
            (plural, end) = (Some(message), next);
        }
        if end != format!("end{tag}") {
            return Err(fault(
                at,
                format!("'{tag}' doesn't allow other block tags (seen '{end}') inside it"),
            ));
        }
        let producer = Producer::BlockTranslate(BlockTranslate {
            bindings: options.bindings.unwrap_or_default(),
            counter: options.counter,
            context: options.context,
            singular,
            plural,
        });
        Ok(printed_or_bound(producer, options.bound))
    }

    fn block_options(&self, at: usize, tag: &str, rest: &[&str]) -> Result<Options, Fault> {
        let mut options = Options::default();
        let mut rest = rest;
        let wrong = |complaint| fault(at, complaint);
        while let [option, after @ ..] = rest {
            rest = after;
            match *option {
                "with" if options.bindings.is_none() => {
                    let bound = bindings(&mut rest, &self.words).map_err(wrong)?;
                    if bound.is_empty() {
                        return Err(fault(
                            at,
                            format!("\"with\" in '{tag}' tag needs at least one keyword argument."),
                        ));
                    }
                    options.bindings = Some(bound.into());
                }
                "count" if options.counter.is_none() => {
                    let bound = bindings(&mut rest, &self.words).map_err(wrong)?;
                    let [counter] = <[_; 1]>::try_from(bound).map_err(|_| {
                        fault(
                            at,
                            format!(
                                "\"count\" in '{tag}' tag expected exactly one keyword argument."
                            ),
                        )
                    })?;
                    options.counter = Some(counter);
                }
                "trimmed" if !options.trimmed => options.trimmed = true,
                "context" | "asvar" => {
                    rest = self.block_option(at, tag, option, rest, &mut options)?
                }
                other => {
                    return Err(fault(
                        at,
                        format!("Unknown or repeated argument for '{tag}' tag: '{other}'."),
                    ));
                }
            }
        }
        Ok(options)
    }

    fn block_option<'r, 'w>(
        &self,
        at: usize,
        tag: &str,
        option: &str,
        rest: &'r [&'w str],
        options: &mut Options,
    ) -> Result<&'r [&'w str], Fault> {
        let [value, after @ ..] = rest else {
            return Err(fault(
                at,
                format!("No argument provided to the '{tag}' tag for the {option} option."),
            ));
        };
        let repeated = match option {
            "context" => options.context.replace(self.expression(at, value)?).is_some(),
            _ => options.bound.replace(target(value, &self.words)).is_some(),
        };
        match repeated {
            true => Err(fault(at, format!("The '{option}' option was specified more than once."))),
            false => Ok(after),
        }
    }

    /// Reads text and variables up to a tag; returns that tag's contents.
    fn message(&mut self, _at: usize, trimmed: bool) -> (Message, String) {
        let mut message = Message { text: String::new(), variables: Vec::new() };
        let mut end = String::new();
        while let Some(token) = self.tokens.get(self.next) {
            self.next += 1;
            let contents = token.contents(self.source);
            match token.kind {
                TokenKind::Text => message.text.push_str(&contents.replace('%', "%%")),
                TokenKind::Hole => {
                    message.text.push_str(&format!("%({contents})s"));
                    message.variables.push(target(contents, &self.words));
                }
                _ => {
                    end = words(contents).join(" ");
                    break;
                }
            }
        }
        self.tags += 1;
        if trimmed {
            message.text = trim_lines(&message.text);
        }
        (message, end)
    }
}

fn switch(at: usize, tag: &str, rest: &[&str]) -> Result<Switch, Fault> {
    match rest {
        [] | ["on"] => Ok(Switch::On),
        ["off"] => Ok(Switch::Off),
        _ => Err(fault(at, format!("'{tag}' argument should be 'on' or 'off'"))),
    }
}

/// One line, with a space where a line ended: Django's `trim_whitespace`.
fn trim_lines(text: &str) -> String {
    let mut lines = text.trim().split('\n');
    let mut out = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        out.truncate(out.trim_end().len());
        let line = line.trim_start();
        // Several ends of lines in a row are one space.
        out.push_str(if line.is_empty() || out.ends_with(' ') { "" } else { " " });
        out.push_str(line);
    }
    out
}
