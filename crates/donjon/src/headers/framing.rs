//! A route's own word on frames (Django: `xframe_options_deny`, `_sameorigin`, `_exempt`).

use http::{HeaderValue, Response, header};

use super::token::Framing;

/// A route's own word on frames, left in the response's extensions for the headers' layer outside.
///
/// A handler may leave it itself; [`RouteFramingLayer`](super::RouteFramingLayer) does it for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteFraming {
    /// No page may frame it. Django: `@xframe_options_deny`.
    Deny,
    /// Pages of the same origin may. Django: `@xframe_options_sameorigin`.
    SameOrigin,
    /// The site's rule does not count. Django: `@xframe_options_exempt`. Other pages can lay it under
    /// what a visitor believes to click on: for widgets that change nothing.
    Exempt,
}

impl RouteFraming {
    /// Marks a response, as Django's decorators do: the innermost word counts, and a header beats an
    /// exemption.
    pub fn mark<B>(self, response: &mut Response<B>) {
        let inner = response.extensions().get::<Self>().and_then(|word| word.header());
        match inner.or_else(|| self.header()) {
            Some(value) => {
                response.headers_mut().entry(header::X_FRAME_OPTIONS).or_insert(value);
            }
            None => {
                response.extensions_mut().insert(self);
            }
        }
    }

    /// The header; none for an exemption.
    pub(super) fn header(self) -> Option<HeaderValue> {
        let framing = match self {
            Self::Deny => Framing::Deny,
            Self::SameOrigin => Framing::SameOrigin,
            Self::Exempt => return None,
        };
        Some(HeaderValue::from_static(framing.as_str()))
    }
}
