//! The family of a visitor's browser.

use std::fmt;

use memchr::memmem;

/// How much of a `User-Agent` is read: all of a browser's.
const MAX_READ: usize = 512;

/// Names in a `User-Agent`, and whose they are; the first that is there counts, for browsers name
/// those that they descend from.
const BROWSERS: [(&str, &str); 14] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("Opera", "Opera"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chrome"),
    ("Android", OTHER),
    ("Safari/", "Safari"),
];

const PLATFORMS: [(&str, &str); 10] = [
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("iPod", "iOS"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
    ("X11", "Linux"),
];

const OTHER: &str = "other";

/// Which browser on which platform, without versions, so that an update changes nothing:
/// `Firefox on Linux`.
///
/// It is what the client says of itself: whoever steals a cookie can steal this too. It stops those
/// who don't know or don't care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentFamily {
    browser: &'static str,
    platform: &'static str,
}

impl AgentFamily {
    /// Reads a header `User-Agent`; what has none has an empty one.
    #[must_use]
    pub fn of(user_agent: &[u8]) -> Self {
        let read = &user_agent[..user_agent.len().min(MAX_READ)];
        Self { browser: first(&BROWSERS, read), platform: first(&PLATFORMS, read) }
    }
}

fn first(names: &[(&str, &'static str)], text: &[u8]) -> &'static str {
    let named = names.iter().find(|(name, _)| memmem::find(text, name.as_bytes()).is_some());
    named.map_or(OTHER, |(_, family)| family)
}

impl fmt::Display for AgentFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.browser, self.platform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_cases() {
        let cases = [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:9.0) Gecko/20100101 Firefox/9.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0",
                "Firefox on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/145.0 Mobile/15E148 Safari/604.1",
                "Firefox on iOS",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome on Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome on ChromeOS",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1",
                "Chrome on iOS",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 OPR/124.0.0.0",
                "Opera on macOS",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
                "Safari on iOS",
            ),
            (
                "Mozilla/5.0 (Linux; U; Android 4.0.3) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30",
                "other on Android",
            ),
            ("curl/8.14.1", "other on other"),
            ("", "other on other"),
        ];
        for (user_agent, family) in cases {
            assert_eq!(AgentFamily::of(user_agent.as_bytes()).to_string(), family, "{user_agent}");
        }
    }

    #[test]
    fn only_so_much_is_read() {
        let late = [vec![b'x'; MAX_READ], b"Firefox/1.0".to_vec()].concat();
        assert_eq!(AgentFamily::of(&late).to_string(), "other on other");
        assert_eq!(AgentFamily::of(b"\xff\x00 Firefox/ Windows").to_string(), "Firefox on Windows");
    }
}
