//! The headers that every response of a stack has, ready to be copied as a whole: to look for each and
//! put it in by itself costs four times as much.

use donjon_core::origin::Scheme;
use http::{HeaderMap, Response};

use super::service::Rooms;
use crate::cors::CorsPolicy;
use crate::{https, vary};

/// How many headers a response has room for: its own are put in beside these without a new table.
const ROOM: usize = 24;

/// What the rooms of headers, CSP, HTTPS and CORS say to a response that has no word of its own.
#[derive(Clone)]
pub(super) struct Dress {
    clear: HeaderMap,
    secure: HeaderMap,
}

impl Dress {
    /// The dress of these rooms; none where they do not say the same to all responses.
    pub(super) fn of(rooms: &Rooms) -> Option<Self> {
        rooms.csp.is_uniform().then(|| {
            let mut response = Response::new(());
            *response.headers_mut() = HeaderMap::with_capacity(ROOM);
            if rooms.cors.as_ref().is_some_and(CorsPolicy::reaches_all) {
                vary::add(response.headers_mut(), "origin");
            }
            rooms.csp.apply(Default::default(), None, &mut response);
            rooms.headers.apply(&mut response);
            let clear = response.headers().clone();
            https::apply(rooms.https.hsts_value().cloned(), response.headers_mut());
            Self { clear, secure: std::mem::take(response.headers_mut()) }
        })
    }

    /// Puts the headers around those that a response has; the response's own win.
    pub(super) fn put_on(&self, scheme: Scheme, headers: &mut HeaderMap) {
        let dress = match scheme {
            Scheme::Https => &self.secure,
            Scheme::Http => &self.clear,
        };
        let own = std::mem::replace(headers, dress.clone());
        headers.extend(own);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_responses_own_headers_win_and_none_is_lost() {
        let clear = headers(&[("x-frame-options", "DENY"), ("referrer-policy", "same-origin")]);
        let secure = headers(&[("strict-transport-security", "max-age=1")]);
        let dress = Dress { clear, secure };
        let mut own = headers(&[
            ("set-cookie", "a=1"),
            ("x-frame-options", "SAMEORIGIN"),
            ("set-cookie", "b=2"),
        ]);
        let mut worn = own.clone();
        dress.put_on(Scheme::Http, &mut worn);
        assert_eq!(worn["x-frame-options"], "SAMEORIGIN");
        assert_eq!(worn["referrer-policy"], "same-origin");
        assert_eq!(worn.get_all("set-cookie").iter().count(), 2);
        assert_eq!(worn.len(), 4);
        dress.put_on(Scheme::Https, &mut own);
        assert_eq!(own["strict-transport-security"], "max-age=1");
    }
}
