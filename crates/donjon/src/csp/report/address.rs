//! The addresses in a report, stripped of what may be secret and of what can't be one.

use donjon_core::origin::{Site, TrustedOrigins};
use donjon_core::url::split_url;

/// How many characters of an address are kept.
pub const ADDRESS_LIMIT: usize = 300;

/// The longest name of a host: RFC 1035.
const HOST_LIMIT: usize = 255;

/// The longest scheme that is kept; there is none in use that is longer.
const SCHEME_LIMIT: usize = 32;

/// What browsers write where nothing has an address.
const WORDS: [&str; 6] =
    ["eval", "inline", "self", "trusted-types-policy", "trusted-types-sink", "wasm-eval"];

/// The schemes of files that a browser's extension brings, or the browser itself.
const EXTENSIONS: [&str; 8] = [
    "chrome",
    "chrome-extension",
    "moz-extension",
    "ms-browser-extension",
    "resource",
    "safari-extension",
    "safari-web-extension",
    "webkit-masked-url",
];

/// Whose reports are believed to be of this site.
#[derive(Clone, Copy, Debug)]
pub struct OwnPages<'a> {
    /// Who the site is for this request; without it no page is the site's.
    pub site: Option<&'a Site>,
    /// Other origins whose pages report here.
    pub trusted: &'a TrustedOrigins,
}

impl OwnPages<'_> {
    fn is_site(&self, origin: &str) -> bool {
        self.site.is_some_and(|site| site.is_origin(origin))
    }
}

/// An address without its secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// One of the web's.
    Web { origin: String, path: String },
    /// One with this scheme.
    Scheme(String),
    /// A browser's word for what has none.
    Word(&'static str),
}

impl Address {
    /// The address; `None` for what no browser writes.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(word) = WORDS.into_iter().find(|word| *word == text) {
            return Some(Self::Word(word));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let split = split_url(text).ok()?;
        match split.scheme.as_str() {
            "http" | "https" | "ws" | "wss" => web(&split.scheme, &split.netloc, &split.rest),
            // Some browsers write nothing but the scheme, without its colon.
            "" => scheme(text),
            other => scheme(other),
        }
    }

    /// Did a browser's extension do it?
    pub(super) fn is_extension(&self) -> bool {
        matches!(self, Self::Scheme(scheme) if EXTENSIONS.contains(&scheme.as_str()))
    }

    /// The page, if the report may be about it.
    pub(super) fn page(&self, own: &OwnPages<'_>) -> Option<String> {
        match self {
            Self::Web { origin, .. } if own.is_site(origin) || own.trusted.trusts(origin) => {
                Some(self.text(own))
            }
            _ => None,
        }
    }

    /// What is kept of it.
    pub(super) fn text(&self, own: &OwnPages<'_>) -> String {
        match self {
            Self::Web { origin, path } if own.is_site(origin) => cut(path.clone()),
            Self::Web { origin, path } => cut(format!("{origin}{path}")),
            Self::Scheme(scheme) => format!("{scheme}:"),
            Self::Word(word) => (*word).to_owned(),
        }
    }
}

fn web(scheme: &str, netloc: &str, rest: &str) -> Option<Address> {
    let host = netloc.rsplit_once('@').map_or(netloc, |(_, host)| host).to_ascii_lowercase();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if host.is_empty() || host.len() > HOST_LIMIT || !host.bytes().all(legal) {
        return None;
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    Some(Address::Web { origin: format!("{scheme}://{host}"), path: path.to_owned() })
}

fn scheme(name: &str) -> Option<Address> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_scheme = begins && name.len() <= SCHEME_LIMIT && name.bytes().all(legal);
    is_scheme.then(|| Address::Scheme(name.to_ascii_lowercase()))
}

/// ASCII, so that every byte is a character.
fn cut(mut text: String) -> String {
    if text.len() > ADDRESS_LIMIT {
        text.truncate(ADDRESS_LIMIT - 1);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use donjon_core::host::AllowedHosts;
    use donjon_core::origin::SitePolicy;
    use http::{HeaderMap, HeaderValue, header};

    use super::*;

    fn with_site(test: impl Fn(&OwnPages<'_>)) {
        let policy = SitePolicy::new(AllowedHosts::local());
        let host = HeaderValue::from_static("localhost:8000");
        let site = policy.resolve(&HeaderMap::from_iter([(header::HOST, host)]), None, None);
        let trusted = TrustedOrigins::new(["https://*.shop.example"]).unwrap();
        test(&OwnPages { site: Some(&site), trusted: &trusted });
    }

    #[test]
    fn rule_5_an_address_loses_its_secrets() {
        with_site(|own| {
            for (raw, kept) in [
                ("http://localhost:8000/a/b?token=1#x", "/a/b"),
                ("http://localhost:8000", "/"),
                ("http://user:pass@localhost:8000/a", "/a"),
                ("https://localhost:8000/a", "https://localhost:8000/a"),
                (
                    "https://user:pass@EVIL.example:444/x.js;y?q#f",
                    "https://evil.example:444/x.js;y",
                ),
                ("wss://evil.example", "wss://evil.example/"),
                ("https://[::1]:8/", "https://[::1]:8/"),
                ("data:text/html,<script>secret</script>", "data:"),
                ("data", "data:"),
                ("blob:https://shop.example/uuid", "blob:"),
                ("JavaScript:alert(1)", "javascript:"),
                ("inline", "inline"),
                ("wasm-eval", "wasm-eval"),
            ] {
                assert_eq!(Address::parse(raw).unwrap().text(own), kept, "{raw}");
            }
        });
    }

    #[test]
    fn rule_5_what_no_browser_writes_is_no_address() {
        let long_host = format!("https://{}/", "a".repeat(HOST_LIMIT + 1));
        let long_scheme = "a".repeat(SCHEME_LIMIT + 1);
        for raw in [
            "",
            "/a/b",
            "//evil.example/",
            "https://",
            "https:///x",
            "https:\\\\evil.example",
            "https://evil.example/\u{202e}gpj",
            "https://evil.example/a b",
            "https://evil.example/\n",
            "https://ev<il>.example/",
            "https://\u{ff0f}.example/",
            "https://[::1/",
            "1data",
            "<b>",
            long_host.as_str(),
            long_scheme.as_str(),
        ] {
            assert_eq!(Address::parse(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn rule_5_an_address_has_an_end() {
        with_site(|own| {
            for origin in ["https://evil.example", "http://localhost:8000"] {
                let long = format!("{origin}/{}", "a".repeat(10_000));
                let kept = Address::parse(&long).unwrap().text(own);
                assert_eq!(kept.chars().count(), ADDRESS_LIMIT);
                assert!(kept.ends_with('…'));
            }
        });
    }

    #[test]
    fn rule_4_only_pages_of_the_site_and_of_those_it_trusts() {
        with_site(|own| {
            let page = |raw| Address::parse(raw).and_then(|address| address.page(own));
            assert_eq!(page("http://localhost:8000/a?b").as_deref(), Some("/a"));
            let trusted = Some("https://www.shop.example/a");
            assert_eq!(page("https://www.shop.example/a").as_deref(), trusted);
            for raw in [
                "http://localhost/a",
                "https://localhost:8000/a",
                "http://localhost:8000.evil.example/",
                "http://localhost:8000@evil.example/",
                "http://www.shop.example/",
                "https://evil.example/",
                "about:blank",
                "inline",
            ] {
                assert_eq!(page(raw), None, "{raw}");
            }
        });
    }

    #[test]
    fn rule_4_extensions_are_known_by_their_scheme() {
        for raw in [
            "chrome-extension",
            "chrome-extension://abc/content.js",
            "moz-extension://abc/x",
            "safari-web-extension://abc/x",
            "webkit-masked-url://hidden/",
        ] {
            assert!(Address::parse(raw).unwrap().is_extension(), "{raw}");
        }
        for raw in ["https://chrome-extension/", "inline", "data"] {
            assert!(!Address::parse(raw).unwrap().is_extension(), "{raw}");
        }
    }
}
