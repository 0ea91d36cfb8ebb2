//! Where something may come from.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Sources longer than this are refused: no origin is.
pub const MAX_SOURCE_BYTES: usize = 2048;

/// Where something may come from: a word like `'self'`, a hash, an origin or a scheme.
///
/// What weakens a policy is made by `danger_…` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Nonce,
    Word(Cow<'static, str>),
    Danger(Cow<'static, str>),
}

/// The words that are safe to say, as they stand on the wire.
const WORDS: [Source; 5] = [
    Source::SELF,
    Source::NONE,
    Source::STRICT_DYNAMIC,
    Source::REPORT_SAMPLE,
    Source::WASM_UNSAFE_EVAL,
];

/// Schemes that carry what any page may have written: no place for scripts.
const SCHEMES_OF_ANYBODY: [&str; 7] =
    ["data:", "blob:", "filesystem:", "https:", "wss:", "http:", "ws:"];

impl Source {
    /// `'self'`: the page's own origin.
    pub const SELF: Self = Self::word("'self'");
    /// `'none'`: nowhere. Stands alone.
    pub const NONE: Self = Self::word("'none'");
    /// What has this response's nonce. Django: `CSP.NONCE`.
    pub const NONCE: Self = Self(Kind::Nonce);
    /// `'strict-dynamic'`: scripts that a trusted script loads. Browsers then ignore `'self'` and all
    /// origins; without a nonce or hash beside it nothing would run.
    pub const STRICT_DYNAMIC: Self = Self::word("'strict-dynamic'");
    /// `'report-sample'`: reports carry the first 40 characters of what was refused.
    pub const REPORT_SAMPLE: Self = Self::word("'report-sample'");
    /// `'wasm-unsafe-eval'`: WebAssembly may be compiled; `eval` may still not be called.
    pub const WASM_UNSAFE_EVAL: Self = Self::word("'wasm-unsafe-eval'");

    const fn word(word: &'static str) -> Self {
        Self(Kind::Word(Cow::Borrowed(word)))
    }

    const fn danger(word: &'static str) -> Self {
        Self(Kind::Danger(Cow::Borrowed(word)))
    }

    /// An origin over TLS: `https://cdn.example`, `https://*.cdn.example:8443`, `wss://…`, with a
    /// path if it must be: `https://cdn.example/js/`.
    ///
    /// # Errors
    /// [`SourceError`] for what is no such origin: it would be read as another directive, match
    /// nothing, or be fetched in clear.
    pub fn origin(origin: impl Into<String>) -> Result<Self, SourceError> {
        Self::place(origin.into(), &["https://", "wss://"], Reason::NoOrigin)
    }

    /// All that a scheme can name: `data:`, `blob:`, `https:`. Not for scripts: see
    /// [`Source::danger_scheme`].
    ///
    /// # Errors
    /// [`SourceError`] for what is no scheme, and for `http:` and `ws:`.
    pub fn scheme(scheme: impl Into<String>) -> Result<Self, SourceError> {
        let scheme = scheme.into();
        match is_scheme(&scheme) && !["http:", "ws:"].contains(&scheme.as_str()) {
            true => Ok(Self(Kind::Word(scheme.into()))),
            false => Err(SourceError::new(scheme, Reason::NoScheme)),
        }
    }

    /// The script or style with exactly this text: what stands between the tags, spaces and all.
    #[must_use]
    pub fn sha256_of(text: &str) -> Self {
        Self::hash("sha256", &Sha256::digest(text))
    }

    /// As [`Source::sha256_of`], by SHA-384.
    #[must_use]
    pub fn sha384_of(text: &str) -> Self {
        Self::hash("sha384", &Sha384::digest(text))
    }

    /// As [`Source::sha256_of`], by SHA-512.
    #[must_use]
    pub fn sha512_of(text: &str) -> Self {
        Self::hash("sha512", &Sha512::digest(text))
    }

    fn hash(algorithm: &str, digest: &[u8]) -> Self {
        let text = format!("'{algorithm}-{}'", Base64::encode_string(digest));
        Self(Kind::Word(text.into()))
    }

    /// A hash that was computed elsewhere, as browsers' consoles print it: `sha256-` and base64.
    ///
    /// # Errors
    /// [`SourceError`] for another algorithm, and for what is not the base64 of as many bytes.
    pub fn integrity(hash: &str) -> Result<Self, SourceError> {
        let known = [("sha256", 32), ("sha384", 48), ("sha512", 64)];
        let digest = hash.split_once('-').and_then(|(algorithm, base64)| {
            let (_, size) = known.into_iter().find(|(name, _)| *name == algorithm)?;
            let digest = Base64::decode_vec(base64).ok()?;
            (digest.len() == size).then(|| Self::hash(algorithm, &digest))
        });
        digest.ok_or_else(|| SourceError::new(hash, Reason::NoHash))
    }

    /// `'unsafe-inline'`: every inline script or style runs, an attacker's too.
    #[must_use]
    pub const fn danger_unsafe_inline() -> Self {
        Self::danger("'unsafe-inline'")
    }

    /// `'unsafe-eval'`: text may become code.
    #[must_use]
    pub const fn danger_unsafe_eval() -> Self {
        Self::danger("'unsafe-eval'")
    }

    /// `'unsafe-hashes'`: the hashes beside it hold for event handlers and `style` attributes as well.
    #[must_use]
    pub const fn danger_unsafe_hashes() -> Self {
        Self::danger("'unsafe-hashes'")
    }

    /// `*`: any origin.
    #[must_use]
    pub const fn danger_any() -> Self {
        Self::danger("*")
    }

    /// A scheme anywhere, also for scripts (`data:` runs what an attacker writes), and `http:`.
    ///
    /// # Errors
    /// [`SourceError`] for what is no scheme.
    pub fn danger_scheme(scheme: impl Into<String>) -> Result<Self, SourceError> {
        let scheme = scheme.into();
        match is_scheme(&scheme) {
            true => Ok(Self(Kind::Danger(scheme.into()))),
            false => Err(SourceError::new(scheme, Reason::NoScheme)),
        }
    }

    /// An origin in clear, which anybody on the way can change: `http://localhost:5173`, `ws://…`.
    ///
    /// # Errors
    /// [`SourceError`] for what is no such origin.
    pub fn danger_insecure(origin: impl Into<String>) -> Result<Self, SourceError> {
        let source = Self::place(origin.into(), &["http://", "ws://"], Reason::NoInsecureOrigin)?;
        Ok(Self(Kind::Danger(source.text().to_owned().into())))
    }

    fn place(text: String, schemes: &[&str], reason: Reason) -> Result<Self, SourceError> {
        let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
        match text.len() <= MAX_SOURCE_BYTES && rest.is_some_and(is_host_and_path) {
            true => Ok(Self(Kind::Word(text.into()))),
            false => Err(SourceError::new(text, reason)),
        }
    }

    /// Text of Django's settings, already known to be free of what would end the directive.
    pub(super) fn raw(text: &str) -> Self {
        Self(Kind::Danger(text.to_owned().into()))
    }

    /// The source as it stands on the wire; [`None`] for the nonce, which no policy knows.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Kind::Nonce => None,
            Kind::Word(text) | Kind::Danger(text) => Some(text),
        }
    }

    pub(super) fn text(&self) -> &str {
        self.as_str().unwrap_or_default()
    }

    /// Was it made by a `danger_…` function, or taken from Django's settings as text?
    pub(super) fn is_danger(&self) -> bool {
        matches!(self.0, Kind::Danger(_))
    }

    /// Is it the hash of a script or style?
    pub(super) fn is_hash(&self) -> bool {
        ["'sha256-", "'sha384-", "'sha512-"].iter().any(|start| self.text().starts_with(start))
    }

    /// Does it let in what anybody may have written?
    pub(super) fn is_broad(&self) -> bool {
        self.text() == "*" || SCHEMES_OF_ANYBODY.contains(&self.text())
    }

    /// Is it fetched in clear?
    pub(super) fn is_insecure(&self) -> bool {
        let text = self.text();
        ["http:", "ws:"].contains(&text) || text.starts_with("http://") || text.starts_with("ws://")
    }
}

/// `'self'`, `'none'` and the other safe words with their quotation marks, `nonce`, a hash as
/// browsers print it, an origin or a scheme: for settings that are text. What is dangerous has no
/// text.
impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "nonce" {
            return Ok(Self::NONCE);
        }
        if let Some(word) = WORDS.into_iter().find(|word| word.text() == text) {
            return Ok(word);
        }
        match text.trim_matches('\'') {
            word if word.starts_with("unsafe-") => Err(SourceError::new(text, Reason::Danger)),
            hash if hash.starts_with("sha") => Self::integrity(hash),
            _ if text.ends_with(':') => Self::scheme(text),
            _ => Self::origin(text),
        }
    }
}

impl fmt::Display for Source {
    /// As on the wire; the nonce as `'nonce-…'`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str().unwrap_or("'nonce-…'"))
    }
}

fn is_scheme(text: &str) -> bool {
    text.strip_suffix(':').is_some_and(|name| {
        name.len() <= MAX_SOURCE_BYTES
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || b"0123456789+-.".contains(&byte))
    })
}

/// `host`, `*.host`, `[::1]`, then perhaps `:port` or `:*` and `/path`.
fn is_host_and_path(text: &str) -> bool {
    let (authority, path) = text.split_at(text.find('/').unwrap_or(text.len()));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, "*"),
    };
    let port =
        port == "*" || (port.parse::<u16>().is_ok() && port.bytes().all(|b| b.is_ascii_digit()));
    port && is_host(host) && path.bytes().all(is_legal)
}

fn is_host(host: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| !label.is_empty() && label.bytes().all(inside);
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.strip_prefix("*.").unwrap_or(host).split('.').all(label),
    }
}

/// What can't end the source, the directive or the header. A path may have no query.
pub(super) fn is_legal(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !b"'\",;?#\\".contains(&byte)
}

/// A source that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    source: String,
    reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    NoOrigin,
    NoInsecureOrigin,
    NoScheme,
    NoHash,
    Danger,
}

impl SourceError {
    fn new(source: impl Into<String>, reason: Reason) -> Self {
        Self { source: source.into(), reason }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is_not, expected) = match self.reason {
            Reason::NoOrigin => (
                "an origin over TLS",
                "\"https://host[:port][/path]\", \"https://*.host\" or \"wss://host\"; Source::scheme takes \
                 \"data:\", Source::danger_insecure an origin in clear",
            ),
            Reason::NoInsecureOrigin => {
                ("an origin in clear", "\"http://host[:port][/path]\" or \"ws://host\"")
            }
            Reason::NoScheme => (
                "a scheme",
                "\"data:\", \"blob:\" or \"https:\", in lower case; Source::danger_scheme also takes \"http:\"",
            ),
            Reason::NoHash => {
                ("a hash", "\"sha256-\", \"sha384-\" or \"sha512-\" and the digest in base64")
            }
            Reason::Danger => (
                "safe",
                "a nonce or a hash instead; what must be is said in code, by Source::danger_unsafe_inline and \
                 its like",
            ),
        };
        write!(f, "the CSP source {:?} is not {is_not}: expected {expected}", self.source)
    }
}

impl std::error::Error for SourceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_3_a_source_cannot_smuggle_another_directive() {
        let long = format!("https://{}", "a".repeat(MAX_SOURCE_BYTES));
        for bad in [
            "https://a.example; script-src *",
            "https://a.example,x",
            "https://a.example x",
            "https://a.example/\u{e9}",
            "https://a.example\n",
            "https://a.example:port",
            "https://a.example:99999",
            "https://a.example:+1",
            "https://a*.example",
            "https://*",
            "https://a..example",
            "https://user@a.example",
            "https://[::x]",
            "https://",
            "http://a.example",
            "HTTPS://a.example",
            "//a.example",
            "a.example",
            "'self'",
            "*",
            "",
            &long,
        ] {
            assert!(Source::origin(bad).is_err(), "{bad}");
        }
        for good in [
            "https://a.example",
            "https://*.cdn.example:8443",
            "https://a.example:*/js/app.js",
            "https://[::1]:8000",
            "wss://live.example",
        ] {
            assert_eq!(Source::origin(good).unwrap().as_str(), Some(good));
        }
    }

    #[test]
    fn rule_3_schemes() {
        for good in ["data:", "blob:", "https:", "web+app:"] {
            assert!(Source::scheme(good).is_ok(), "{good}");
        }
        for bad in ["data", "http:", "ws:", ":", "1a:", "da ta:", "data:x", "DATA:"] {
            assert!(Source::scheme(bad).is_err(), "{bad}");
        }
        assert!(Source::danger_scheme("http:").unwrap().is_insecure());
        assert!(Source::danger_insecure("http://localhost:5173").unwrap().is_insecure());
        assert!(Source::danger_insecure("https://localhost").is_err());
    }

    #[test]
    fn rule_3_hashes_are_computed_or_checked() {
        let of_text = Source::sha256_of("alert(1)");
        let printed = "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=";
        assert_eq!(of_text, Source::integrity(printed).unwrap());
        assert_eq!(of_text.as_str(), Some(&*format!("'{printed}'")));
        assert!(Source::sha384_of("x").is_hash() && Source::sha512_of("x").is_hash());
        for bad in [
            "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
            "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI",
            "sha384-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=",
            "sha256-",
            "sha256",
            "'; script-src *",
        ] {
            assert!(Source::integrity(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rule_3_text_says_everything_but_danger() {
        for word in WORDS {
            assert_eq!(word.text().parse::<Source>().unwrap(), word);
        }
        assert_eq!("nonce".parse::<Source>().unwrap(), Source::NONCE);
        assert!("https://a.example".parse::<Source>().is_ok() && "data:".parse::<Source>().is_ok());
        assert!(Source::sha256_of("x").text().parse::<Source>().unwrap().is_hash());
        for danger in
            ["'unsafe-inline'", "unsafe-eval", "'unsafe-hashes'", "*", "http:", "'nonce-abc'"]
        {
            assert!(danger.parse::<Source>().is_err(), "{danger}");
        }
        let error = "'unsafe-inline'".parse::<Source>().unwrap_err().to_string();
        assert!(error.contains("danger_unsafe_inline"), "{error}");
    }
}
