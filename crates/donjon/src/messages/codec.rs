//! Django's format of messages: pure, without I/O.

use donjon_core::signing::{Compress, TimestampSigner, to_ascii_json};
use donjon_html::Markup;
use serde_json::Value;

use super::message::{Level, Message, Text};

/// How long the cookie's value may be, in bytes. Django: `CookieStorage.max_cookie_size`.
pub const MAX_COOKIE: usize = 2048;

/// What a message begins with. Django: `MessageEncoder.message_key`.
const MESSAGE: &str = "__json_message";

/// What stands behind the last message of the cookie if there are more in the session. Django:
/// `CookieStorage.not_finished`.
const NOT_FINISHED: &str = "\"__messagesnotfinished__\"";

/// The messages of a cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The messages, oldest first.
    pub messages: Vec<Message>,
    /// Are there more in the session?
    pub more: bool,
}

/// The messages of a cookie's value; `None` if the signature is not ours, or it is no list of messages.
#[must_use]
pub fn decode(signer: &TimestampSigner, cookie: &str) -> Option<Decoded> {
    let payload = signer.unsign_payload(cookie, None).ok()?;
    let Value::Array(mut items) = serde_json::from_slice(&payload).ok()? else { return None };
    let more =
        items.last().is_some_and(|last| last.as_str() == Some(NOT_FINISHED.trim_matches('"')));
    items.truncate(items.len() - usize::from(more));
    Some(Decoded { messages: messages(items)?, more })
}

/// The messages of the session's value: a list, or a list as JSON text, as Django keeps it.
pub(super) fn from_session(value: Value) -> Option<Vec<Message>> {
    match value {
        Value::Array(items) => messages(items),
        Value::String(text) => from_session_list(serde_json::from_str(&text).ok()?),
        _ => None,
    }
}

fn from_session_list(value: Value) -> Option<Vec<Message>> {
    match value {
        Value::Array(items) => messages(items),
        _ => None,
    }
}

fn messages(items: Vec<Value>) -> Option<Vec<Message>> {
    items.into_iter().map(message).collect()
}

fn message(item: Value) -> Option<Message> {
    let Value::Array(parts) = item else { return None };
    let (parts, extra_tags) = match parts.len() {
        4 => (parts, None),
        5 => (parts.clone(), Some(parts.get(4)?.clone())),
        _ => return None,
    };
    if parts.first()?.as_str()? != MESSAGE {
        return None;
    }
    let text = parts.get(3)?.as_str()?.to_owned();
    // Rule 3: the site itself has called it markup, or the signature would not fit.
    let markup = parts.get(1)?.as_i64()? != 0;
    Some(Message {
        level: Level(parts.get(2)?.as_i64()?),
        text: if markup { Text::Markup(Markup::danger_trusted(text)) } else { Text::Plain(text) },
        extra_tags: extra_tags.and_then(|tags| tags.as_str().map(str::to_owned)),
    })
}

/// The messages as the session keeps them: with Python's blanks behind commas.
pub(super) fn to_session(messages: &[Message]) -> String {
    let parts: Vec<_> = messages.iter().map(|message| part(message, ", ")).collect();
    format!("[{}]", parts.join(", "))
}

fn part(message: &Message, comma: &str) -> String {
    let markup = if matches!(message.text, Text::Markup(_)) { "1" } else { "0" };
    let mut parts = vec![
        json(MESSAGE),
        markup.to_owned(),
        message.level.0.to_string(),
        json(message.text.as_str()),
    ];
    parts.extend(message.extra_tags.as_deref().map(json));
    format!("[{}]", parts.join(comma))
}

fn json(text: &str) -> String {
    // Text has a JSON form, and ASCII is UTF-8.
    to_ascii_json(text).ok().and_then(|json| String::from_utf8(json).ok()).unwrap_or_default()
}

/// Which messages go first where the cookie has no room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowded {
    /// The newest, to the session.
    NewestMoveOn,
    /// The oldest, for good.
    OldestGo,
}

/// The cookie's value for these messages, none if there are none, and how many it has no room for: the
/// last so many, or the first.
pub(super) fn encode(
    signer: &TimestampSigner,
    messages: &[Message],
    crowded: Crowded,
) -> (Option<String>, usize) {
    if messages.is_empty() {
        return (None, 0);
    }
    let parts: Vec<_> = messages.iter().map(|message| part(message, ",")).collect();
    let whole = sign(signer, &parts, "");
    if whole.len() <= MAX_COOKIE {
        return (Some(whole), 0);
    }
    let with_more = |parts: &[String]| sign(signer, parts, NOT_FINISHED);
    let too_long = |parts: &[String]| with_more(parts).len() > MAX_COOKIE;
    match crowded {
        Crowded::NewestMoveOn => {
            let kept = bisect(parts.len(), |middle| too_long(&parts[..=middle]));
            (Some(with_more(&parts[..kept])), parts.len() - kept)
        }
        Crowded::OldestGo => {
            let gone = bisect(parts.len(), |middle| !too_long(&parts[middle..]));
            (Some(with_more(&parts[gone..])), gone)
        }
    }
}

/// Django's search: where the condition begins to hold. It may hold here and there before, for what is
/// compressed is not always longer with more in it; then Django and this find the same place.
fn bisect(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

fn sign(signer: &TimestampSigner, parts: &[String], last: &str) -> String {
    let more = (!last.is_empty()).then_some(last);
    let parts: Vec<&str> = parts.iter().map(String::as_str).chain(more).collect();
    signer.sign_payload(format!("[{}]", parts.join(",")).as_bytes(), Compress::WhereShorter)
}
