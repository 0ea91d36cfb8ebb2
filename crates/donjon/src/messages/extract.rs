//! The extractor, and what a template sees.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use donjon_core::event::Event;
use donjon_core::visit::word;
use donjon_html::template::{Object, Value};
use http::StatusCode;
use http::request::Parts;

use super::handle::Messages;
use super::message::{Level, Message, Text};
use crate::rejection::refuse;

/// No messages layer is outside of the handler: the site is put together wrongly. Status 500.
#[derive(Clone, Copy, Debug)]
pub struct MissingMessagesLayer;

impl IntoResponse for MissingMessagesLayer {
    fn into_response(self) -> Response {
        Event::Misconfigured {
            problem: &"a handler takes the messages, and no messages layer is outside of it",
        }
        .emit();
        refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n")
    }
}

impl<S: Sync> FromRequestParts<S> for Messages {
    type Rejection = MissingMessagesLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        word(&parts.extensions).ok_or(MissingMessagesLayer)
    }
}

/// The template's variable `messages`: walking over it is what makes messages seen.
impl Object for Messages {
    fn attribute(&self, _: &str) -> Option<Value> {
        None
    }

    fn display(&self) -> Value {
        Value::default()
    }

    fn items(&self) -> Option<Vec<Value>> {
        let shown = |message: Message| {
            let level_tag = self.level_tag(message.level).to_owned();
            Value::object(Shown { message, level_tag })
        };
        Some(self.take_loaded().into_iter().map(shown).collect())
    }

    fn length(&self) -> Option<usize> {
        Some(self.count_loaded())
    }
}

/// One message as a template sees it.
struct Shown {
    message: Message,
    level_tag: String,
}

impl Object for Shown {
    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "message" => Some(self.display()),
            "level" => Some(self.message.level.0.into()),
            "level_tag" => Some(self.level_tag.as_str().into()),
            "tags" => Some(self.message.tags(&self.level_tag).as_str().into()),
            "extra_tags" => Some(self.message.extra_tags.as_deref().unwrap_or_default().into()),
            _ => None,
        }
    }

    fn display(&self) -> Value {
        match &self.message.text {
            Text::Plain(text) => text.as_str().into(),
            Text::Markup(html) => html.clone().into(),
        }
    }
}

/// Django's names of its levels. Django: `DEFAULT_MESSAGE_LEVELS`.
pub(crate) fn default_levels() -> Value {
    let named = Level::TAGS.map(|(level, tag)| (tag.to_uppercase(), level.0));
    donjon_html::template::Map::from_iter(named).into()
}
