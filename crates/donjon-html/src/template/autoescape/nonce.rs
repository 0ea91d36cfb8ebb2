//! Where in a piece of text the nonce of the page belongs.
//!
//! 1. Behind `<script` and `<style`, where these begin a tag.
//! 2. Not if the tag has a nonce of its own.

use super::{Kind, Node};
use crate::context::Context;

/// The places behind `<script` and `<style` in `text`, which begins in `start` and is followed by `after`.
pub(super) fn places(text: &str, after: &[Node], start: Context) -> Vec<usize> {
    if start == Context::Plain {
        return Vec::new();
    }
    let mut context = start;
    let mut fed = 0;
    let mut places = Vec::new();
    for open in memchr::memchr_iter(b'<', text.as_bytes()) {
        let Some(end) = tag_name_end(text, open).filter(|_| open >= fed) else { continue };
        // An error in the text is found by whoever reads it whole.
        let Ok(reached) = context.feed(text.get(fed..open).unwrap_or_default()) else { break };
        (context, fed) = (reached, open);
        if context == Context::Text && !has_nonce(text.get(end..).unwrap_or_default(), after) {
            places.push(end);
        }
    }
    places
}

fn tag_name_end(text: &str, open: usize) -> Option<usize> {
    ["script", "style"].iter().find_map(|name| {
        let end = open + 1 + name.len();
        let is_name = text.get(open + 1..end)?.eq_ignore_ascii_case(name);
        let next = text.as_bytes().get(end).copied();
        let ends =
            next.is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'));
        (is_name && ends).then_some(end)
    })
}

/// Rule 2: looks up to the end of the tag.
fn has_nonce(rest: &str, after: &[Node]) -> bool {
    let names_nonce = |text: &str| text.to_ascii_lowercase().contains("nonce");
    if let Some(end) = rest.find('>') {
        return names_nonce(rest.get(..end).unwrap_or_default());
    }
    names_nonce(rest) || after.iter().map_while(in_tag).any(|has| has)
}

/// Whether a piece of a tag has a nonce; `None` behind the tag's end.
fn in_tag(node: &Node) -> Option<bool> {
    match &node.kind {
        Kind::Text(text) => match text.split_once('>') {
            Some((inside, _)) => inside.to_ascii_lowercase().contains("nonce").then_some(true),
            None => Some(text.to_ascii_lowercase().contains("nonce")),
        },
        Kind::NonceAttribute => Some(true),
        kind => Some(
            kind.bodies().iter().any(|body| body.iter().any(|node| in_tag(node) == Some(true))),
        ),
    }
}
