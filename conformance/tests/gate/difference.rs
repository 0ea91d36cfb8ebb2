//! Where Donjon differs from Django on purpose: each difference by name, with its reason.

use serde_json::Value;

use crate::answer::Answer;

/// One field in which the answers to one request differ.
pub(crate) struct Differing<'a> {
    pub(crate) settings: &'a Value,
    pub(crate) request: &'a Value,
    pub(crate) field: &'a str,
    pub(crate) django: &'a Answer,
    pub(crate) donjon: &'a Answer,
}

/// A difference that is wanted.
pub(crate) struct Difference {
    pub(crate) name: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) covers: fn(&Differing<'_>) -> bool,
}

/// The only one that takes a Django with CSP.
pub(crate) const NONCE: &str = "a nonce is for the page that prints it";

/// All of them. The first that covers a field counts.
pub(crate) const WANTED: &[Difference] = &[
    Difference {
        name: "a request names its host, once",
        reason: "Django takes the server's own name, or a proxy's word; HTTP/1.1 asks for 400 (RFC 9112, 3.2)",
        covers: |asked| asked.has_become(400) && asked.headers("Host").count() != 1,
    },
    Difference {
        name: "the host comes first",
        reason: "Django answers preflights, refuses user agents and redirects to SECURE_SSL_HOST before it has \
                 looked at the host",
        covers: |asked| asked.donjon.status == 400 && asked.answers_any_host(),
    },
    Difference {
        name: "a strange host gets no CORS",
        reason: "the refusal is of nobody's page, and nobody has to read it",
        covers: |asked| asked.both_are(400) && (asked.lacks(&["vary"]) || asked.lacks_allowance()),
    },
    Difference {
        name: "methods are compared as they are",
        reason: "Django raises `get` to GET; methods are case-sensitive (RFC 9110, 9.1), an unknown one is unsafe, and \
                 only a POST has its token in the body",
        covers: |asked| {
            let statuses = [asked.django.status, asked.donjon.status];
            asked.method().contains(char::is_lowercase)
                && statuses[0] != statuses[1]
                && statuses.contains(&403)
        },
    },
    Difference {
        name: "paths are matched as they were sent",
        reason: "Django decodes a path before it looks for its view, so that one page has many addresses, and writes it \
                 anew in a redirect to `www.`",
        covers: |asked| {
            let anew = || asked.is_location("%2F", "/") || asked.is_location("%E9", "%25E9");
            asked.path().contains('%') && (asked.has_become(404) || anew())
        },
    },
    Difference {
        name: "a slash costs no body",
        reason: "Django redirects a POST without a slash too, and the browser repeats it as a GET without its body",
        covers: |asked| {
            !["GET", "HEAD"].contains(&asked.method())
                && asked.settings["APPEND_SLASH"] == true
                && (asked.django.status, asked.donjon.status) == (301, 404)
        },
    },
    Difference {
        name: "a long user agent is refused",
        reason: "patterns are not searched in more than 8 kB",
        covers: |asked| {
            asked.has_become(403)
                && asked.header("User-Agent").is_some_and(|agent| agent.len() > 8_192)
        },
    },
    Difference {
        name: "early answers carry all headers",
        reason: "Django's middlewares leave theirs out where an outer one answers, or an exception passes them",
        covers: |asked| asked.is_early() && asked.gains(&SECURITY),
    },
    Difference {
        name: "a route's word holds for its refusals",
        reason: "Django's decorators act where the view has run; a page that may be framed may be refused in the frame, \
                 and no refusal is laxer than its page",
        covers: |asked| asked.is_early() && asked.is_word_of_route(),
    },
    Difference {
        name: "a redirect replaces a broken CSRF cookie",
        reason: "Django makes the redirect to the slash anew, and drops the cookie that it had just set",
        covers: |asked| asked.both_are(301) && asked.differs_in_cookie(asked.donjon),
    },
    Difference {
        name: "an early refusal sets no cookie",
        reason: "Django's pages for 400 and 403 may show a token, and so replace a broken cookie, for any host",
        covers: |asked| {
            (asked.both_are(400) || asked.both_are(403)) && asked.differs_in_cookie(asked.django)
        },
    },
    Difference {
        name: NONCE,
        reason: "Django's page of a refusal has a style with a nonce; Donjon's has none",
        covers: |asked| {
            let django = asked.django.field(asked.field).map(without_nonce);
            asked.field.starts_with("content-security-policy")
                && asked.both_are(403)
                && django.as_deref() == asked.donjon.field(asked.field)
        },
    },
    Difference {
        name: "two origins are none",
        reason: "Django joins them with a comma and splits the text as one URL; browsers send one",
        covers: |asked| asked.headers("Origin").nth(1).is_some() && asked.lacks_allowance(),
    },
    Difference {
        name: "a long origin is none",
        reason: "nothing of more than 512 bytes is compared with patterns",
        covers: |asked| {
            asked.header("Origin").is_some_and(|origin| origin.len() > 512)
                && asked.lacks_allowance()
        },
    },
];

/// The headers that protect a browser.
const SECURITY: [&str; 7] = [
    "x-frame-options",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "strict-transport-security",
    "content-security-policy",
    "content-security-policy-report-only",
];

fn without_nonce(policy: &str) -> String {
    let Some((before, nonce)) = policy.split_once(" 'nonce-") else { return policy.to_owned() };
    let after = nonce.split_once('\'').map_or("", |(_, after)| after);
    format!("{before}{after}")
}

fn without_cookie(vary: Option<&str>) -> Vec<&str> {
    vary.into_iter().flat_map(|names| names.split(", ")).filter(|name| *name != "cookie").collect()
}

impl<'a> Differing<'a> {
    fn method(&self) -> &'a str {
        self.request["method"].as_str().unwrap()
    }

    fn path(&self) -> &'a str {
        self.request["path"].as_str().unwrap()
    }

    fn header(&self, name: &'static str) -> Option<&'a str> {
        self.headers(name).next()
    }

    fn headers(&self, name: &'static str) -> impl Iterator<Item = &'a str> {
        let pairs = self.request["headers"].as_array().into_iter().flatten();
        let named = move |pair: &&Value| pair[0] == name;
        pairs.filter(named).map(|pair| pair[1].as_str().unwrap())
    }

    /// Is the status Donjon's alone?
    fn has_become(&self, status: u16) -> bool {
        self.donjon.status == status && self.django.status != status
    }

    fn both_are(&self, status: u16) -> bool {
        self.donjon.status == status && self.django.status == status
    }

    fn is_preflight(&self) -> bool {
        self.method().eq_ignore_ascii_case("OPTIONS")
            && self.header("Access-Control-Request-Method").is_some()
    }

    /// Is Django's answer one for which the host does not matter?
    fn answers_any_host(&self) -> bool {
        match self.django.status {
            200 => self.is_preflight(),
            301 => self.settings["SECURE_SSL_HOST"].as_str().is_some_and(|host| {
                let location = self.django.field("location").unwrap_or_default();
                location.starts_with(&format!("https://{host}/"))
            }),
            403 => self.header("User-Agent").is_some_and(|agent| agent.contains("Bot")),
            _ => false,
        }
    }

    /// Did a room answer, and not the handler, alike on both sides?
    fn is_early(&self) -> bool {
        self.django.status == self.donjon.status
            && (matches!(self.donjon.status, 301 | 400 | 403) || self.is_preflight())
    }

    /// Is it one of these fields, which Django has and Donjon leaves out?
    fn lacks(&self, fields: &[&str]) -> bool {
        fields.contains(&self.field) && self.donjon.field(self.field).is_none()
    }

    /// Is the field of the cookie that this answer alone sets?
    fn differs_in_cookie(&self, sets: &Answer) -> bool {
        let set = |answer: &Answer| answer.field("set-cookie").is_some();
        let varies = |answer: &'a Answer| without_cookie(answer.field("vary"));
        let field = match self.field {
            "vary" => varies(self.django) == varies(self.donjon),
            field => field == "set-cookie",
        };
        field && set(sets) && set(self.django) != set(self.donjon)
    }

    /// Do both redirect, to addresses that are the same but for this?
    fn is_location(&self, donjon: &str, django: &str) -> bool {
        let there = |answer: &'a Answer| answer.field("location").unwrap_or_default();
        self.field == "location" && there(self.donjon).replace(donjon, django) == there(self.django)
    }

    /// Is it what the route says of its own?
    fn is_word_of_route(&self) -> bool {
        let path = self.path().split('?').next().unwrap_or_default();
        let word = match (path, self.field) {
            ("/csp/", "content-security-policy") => Some("default-src 'none'"),
            ("/same/", "x-frame-options") => Some("SAMEORIGIN"),
            ("/frame/", "x-frame-options") => None,
            _ => return false,
        };
        self.donjon.field(self.field) == word
    }

    fn lacks_allowance(&self) -> bool {
        self.field.starts_with("access-control-") && self.lacks(&[self.field])
    }

    /// Is it one of these fields, which Django leaves out and Donjon has?
    fn gains(&self, fields: &[&str]) -> bool {
        fields.contains(&self.field) && self.django.field(self.field).is_none()
    }
}
