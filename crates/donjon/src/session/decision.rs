//! What becomes of a session when its response goes out: pure, without I/O.

use donjon_core::session::Ending;
use http::StatusCode;

use super::policy::Saving;

/// Did the request send the session's cookie?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookie {
    /// Yes, whatever was in it.
    Sent,
    /// No.
    Missing,
}

/// What a response needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: nobody looked at the session.
    Nothing,
    /// `Vary: Cookie`.
    Vary,
    /// `Vary: Cookie`, and the session is saved and its cookie set.
    Save,
    /// `Vary: Cookie`, and the cookie is deleted.
    DeleteCookie,
}

/// Rules 2 to 4.
#[must_use]
pub fn decide(saving: Saving, cookie: Cookie, ending: Ending, status: StatusCode) -> Decision {
    let save = ending.modified || saving == Saving::EveryRequest;
    match ending {
        Ending { empty: true, .. } if cookie == Cookie::Sent => Decision::DeleteCookie,
        Ending { empty: false, .. } if save && status.as_u16() < 500 => Decision::Save,
        Ending { accessed: true, .. } => Decision::Vary,
        _ => Decision::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTOUCHED: Ending = Ending { accessed: false, modified: false, empty: true };
    const READ: Ending = Ending { accessed: true, modified: false, empty: false };
    const CHANGED: Ending = Ending { accessed: true, modified: true, empty: false };
    const FLUSHED: Ending = Ending { accessed: true, modified: true, empty: true };

    #[test]
    fn the_table_of_cases() {
        use Decision::{DeleteCookie, Nothing, Save, Vary};
        use Saving::{EveryRequest, WhereChanged};
        let cases = [
            ("2 nobody looked", WhereChanged, Cookie::Missing, UNTOUCHED, 200, Nothing),
            ("2 read", WhereChanged, Cookie::Sent, READ, 200, Vary),
            ("3 changed", WhereChanged, Cookie::Sent, CHANGED, 200, Save),
            ("3 changed, without a cookie", WhereChanged, Cookie::Missing, CHANGED, 302, Save),
            ("3 changed, and the server failed", WhereChanged, Cookie::Sent, CHANGED, 500, Vary),
            ("3 a client's mistake still saves", WhereChanged, Cookie::Sent, CHANGED, 404, Save),
            ("3 every request", EveryRequest, Cookie::Sent, READ, 200, Save),
            ("3 every request, and the server failed", EveryRequest, Cookie::Sent, READ, 503, Vary),
            (
                "3 every request, and nothing to save",
                EveryRequest,
                Cookie::Missing,
                UNTOUCHED,
                200,
                Nothing,
            ),
            ("4 flushed", WhereChanged, Cookie::Sent, FLUSHED, 200, DeleteCookie),
            (
                "4 flushed, and the server failed",
                WhereChanged,
                Cookie::Sent,
                FLUSHED,
                500,
                DeleteCookie,
            ),
            ("4 flushed, without a cookie", WhereChanged, Cookie::Missing, FLUSHED, 200, Vary),
            ("4 a key that can be none", WhereChanged, Cookie::Sent, UNTOUCHED, 200, DeleteCookie),
        ];
        for (name, saving, cookie, ending, status, expected) in cases {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(decide(saving, cookie, ending, status), expected, "{name}");
        }
    }
}
