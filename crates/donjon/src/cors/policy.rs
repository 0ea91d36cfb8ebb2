//! Who may read, and with what.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use donjon_core::origin::split_url;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::fault::{CorsError, CorsFault};
use super::pattern::Pattern;

/// How long a browser may keep the answer to a preflight: a day. Django: `CORS_PREFLIGHT_MAX_AGE`.
pub const MAX_AGE: Duration = Duration::from_secs(86_400);

const METHODS: [&str; 6] = ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"];

const HEADERS: [&str; 6] =
    ["accept", "authorization", "content-type", "user-agent", "x-csrftoken", "x-requested-with"];

/// Who may read, as a parsed value. See [`CorsBuilder`] for what can be said.
///
/// ```
/// use donjon::cors::CorsPolicy;
///
/// let policy = CorsPolicy::new(["https://app.example"]).allow_credentials().build()?;
/// # let _ = policy;
/// # Ok::<(), donjon::cors::CorsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct CorsPolicy {
    pub(super) origins: HashSet<Box<[u8]>>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) reach: Reach,
    pub(super) matching: Matching,
    pub(super) credentials: Credentials,
    pub(super) methods: HeaderValue,
    pub(super) headers: HeaderValue,
    pub(super) expose: Option<HeaderValue>,
    pub(super) max_age: Option<HeaderValue>,
    pub(super) private_network: PrivateNetwork,
    pub(super) paths: Vec<Paths>,
    pub(super) hook: Option<Hook>,
}

/// Which origins there are besides those that are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Named,
    Any,
}

/// How an `Origin` header is compared with the origins that are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matching {
    /// Letter by letter.
    Exact,
    /// By scheme and host, as Python splits the URL: Django's rule.
    Split,
}

/// May a browser send cookies along, and let the other origin read the answer?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    Omitted,
    Allowed,
}

/// May a page of the public network reach a site of a private one?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrivateNetwork {
    Closed,
    Open,
}

/// Paths that may be read across origins.
#[derive(Clone, Debug)]
pub(super) enum Paths {
    Below(String),
    Pattern(Pattern),
}

/// A request, as far as a hook may see it.
#[derive(Clone, Copy, Debug)]
pub struct CorsRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The address.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// What a hook says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Every origin may read the answer, without cookies: `*`.
    Public,
    /// The request's origin may read the answer, whatever the rest of the policy says. With
    /// [`CorsBuilder::allow_credentials`] that is what the visitor's cookies bring about: look at the
    /// origin before saying it.
    Allowed,
    /// The rest of the policy decides.
    AsThePolicySays,
}

type Ask = dyn Fn(CorsRequest<'_>) -> Reading + Send + Sync;

#[derive(Clone)]
pub(super) struct Hook(Arc<Ask>);

impl Hook {
    pub(super) fn ask(&self, request: CorsRequest<'_>) -> Reading {
        (self.0)(request)
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook(…)")
    }
}

impl CorsPolicy {
    /// Does the policy speak of all paths? All responses vary with `Origin` then.
    pub(crate) fn reaches_all(&self) -> bool {
        self.paths.is_empty()
    }
}

impl CorsPolicy {
    /// Begins a policy that lets these origins read. Django: `CORS_ALLOWED_ORIGINS`; methods, headers
    /// and age begin as django-cors-headers has them.
    #[allow(clippy::new_ret_no_self, reason = "a policy begins with its origins")]
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> CorsBuilder {
        CorsBuilder {
            origins: origins.into_iter().map(str::to_owned).collect(),
            patterns: Vec::new(),
            open_patterns: Vec::new(),
            reach: Reach::Named,
            matching: Matching::Exact,
            credentials: Credentials::Omitted,
            methods: METHODS.map(str::to_owned).to_vec(),
            headers: HEADERS.map(str::to_owned).to_vec(),
            expose: Vec::new(),
            max_age: i64::try_from(MAX_AGE.as_secs()).ok(),
            private_network: PrivateNetwork::Closed,
            paths: Vec::new(),
            path_patterns: Vec::new(),
            hook: None,
            risks: Risks::default(),
        }
    }

    /// May every origin read?
    pub(crate) fn is_open(&self) -> bool {
        self.reach == Reach::Any
    }

    /// Do cookies go along?
    pub(crate) fn has_credentials(&self) -> bool {
        self.credentials == Credentials::Allowed
    }

    /// May pages of the public network reach this site in a private one?
    pub(crate) fn opens_private_network(&self) -> bool {
        self.private_network == PrivateNetwork::Open
    }

    /// The origins that are named.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &str> {
        self.origins.iter().filter_map(|origin| std::str::from_utf8(origin).ok())
    }

    /// The patterns that do not cover the whole origin, or that other people's hosts match.
    pub(crate) fn open_patterns(&self) -> impl Iterator<Item = &str> {
        self.patterns
            .iter()
            .map(|pattern| &*pattern.text)
            .filter(|text| Pattern::whole(text).is_err())
    }
}

/// What a policy must be allowed to do although it endangers visitors.
#[derive(Clone, Copy, Debug, Default)]
struct Risks {
    any_with_credentials: bool,
    null: bool,
    local_files: bool,
}

/// A policy in the making.
#[derive(Clone, Debug)]
#[must_use = "a policy must be built"]
pub struct CorsBuilder {
    origins: Vec<String>,
    patterns: Vec<String>,
    open_patterns: Vec<String>,
    reach: Reach,
    matching: Matching,
    credentials: Credentials,
    methods: Vec<String>,
    headers: Vec<String>,
    expose: Vec<String>,
    max_age: Option<i64>,
    private_network: PrivateNetwork,
    paths: Vec<String>,
    path_patterns: Vec<String>,
    hook: Option<Hook>,
    risks: Risks,
}

impl CorsBuilder {
    /// Lets the origins that a regular expression matches read. It must cover the whole origin and
    /// keep other people's hosts out, as in `^https://[a-z0-9-]+\.example\.com$`. Django:
    /// `CORS_ALLOWED_ORIGIN_REGEXES`.
    pub fn allow_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.patterns.push(pattern.into());
        self
    }

    /// Lets every origin read, with `*`: for data that is public. Django: `CORS_ALLOW_ALL_ORIGINS`.
    pub fn allow_any_origin(mut self) -> Self {
        self.reach = Reach::Any;
        self
    }

    /// Lets browsers send cookies along. Django: `CORS_ALLOW_CREDENTIALS`.
    pub fn allow_credentials(mut self) -> Self {
        self.credentials = Credentials::Allowed;
        self
    }

    /// Lets pages of the public network reach this site in a private one. Django:
    /// `CORS_ALLOW_PRIVATE_NETWORK`.
    pub fn allow_private_network(mut self) -> Self {
        self.private_network = PrivateNetwork::Open;
        self
    }

    /// Limits reading to this path and those below it; without any, all may be read. Several add up.
    /// `/api` is `/api` and `/api/…`, and not `/apiary`.
    pub fn allow_path(mut self, prefix: impl Into<String>) -> Self {
        self.paths.push(prefix.into());
        self
    }

    /// Limits reading to paths that a regular expression matches from their start. Django:
    /// `CORS_URLS_REGEX`.
    pub fn allow_path_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.path_patterns.push(pattern.into());
        self
    }

    /// Asks a function of the site's own about each request, before the policy itself. Django: the
    /// signal `check_request_enabled`.
    pub fn allow_if(
        mut self,
        ask: impl Fn(CorsRequest<'_>) -> Reading + Send + Sync + 'static,
    ) -> Self {
        self.hook = Some(Hook(Arc::new(ask)));
        self
    }

    /// The methods that a front end may use. Django: `CORS_ALLOW_METHODS`.
    pub fn methods<'a>(mut self, methods: impl IntoIterator<Item = &'a str>) -> Self {
        self.methods = methods.into_iter().map(str::to_owned).collect();
        self
    }

    /// The headers that a front end may send. Django: `CORS_ALLOW_HEADERS`.
    pub fn headers<'a>(mut self, headers: impl IntoIterator<Item = &'a str>) -> Self {
        self.headers = headers.into_iter().map(str::to_owned).collect();
        self
    }

    /// The headers of an answer that a front end may read. Django: `CORS_EXPOSE_HEADERS`.
    pub fn expose<'a>(mut self, headers: impl IntoIterator<Item = &'a str>) -> Self {
        self.expose = headers.into_iter().map(str::to_owned).collect();
        self
    }

    /// How long a browser may keep the answer to a preflight; zero leaves it to the browser. Django:
    /// `CORS_PREFLIGHT_MAX_AGE`.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = i64::try_from(age.as_secs()).ok().filter(|age| *age > 0);
        self
    }

    /// Sends this age as it is, also where browsers take it for none. Django does.
    pub fn danger_max_age(mut self, seconds: i64) -> Self {
        self.max_age = Some(seconds).filter(|age| *age != 0);
        self
    }

    /// Takes a regular expression as Python's `match` does: from the start, and open at the end, where
    /// `https://example\.com` lets `https://example.com.evil` read.
    pub fn danger_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.open_patterns.push(pattern.into());
        self
    }

    /// Lets every site read what a visitor's cookies bring about. Django permits it.
    pub fn danger_any_origin_with_credentials(mut self) -> Self {
        self.risks.any_with_credentials = true;
        self.reach = Reach::Any;
        self.allow_credentials()
    }

    /// Takes the origin `null`, which every sandboxed frame of every site has.
    pub fn danger_null(mut self) -> Self {
        self.risks.null = true;
        self
    }

    /// Takes the origin `file://`, which every page on a visitor's disk has.
    pub fn danger_local_files(mut self) -> Self {
        self.risks.local_files = true;
        self
    }

    /// Compares origins by scheme and host, as Python splits a URL, and takes all lists as they are:
    /// django-cors-headers' rule alone.
    pub fn danger_as_django(mut self) -> Self {
        self.matching = Matching::Split;
        self.risks = Risks { any_with_credentials: true, null: true, local_files: true };
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// [`CorsError`]: everything that browsers refuse or that endangers visitors, at once.
    pub fn build(self) -> Result<CorsPolicy, CorsError> {
        let mut faults = Vec::new();
        let policy = self.parse(&mut faults);
        match faults.is_empty() {
            true => Ok(policy),
            false => Err(CorsError::new(faults)),
        }
    }

    fn parse(self, faults: &mut Vec<CorsFault>) -> CorsPolicy {
        self.check_credentials(faults);
        CorsPolicy {
            origins: self.checked_origins(faults),
            patterns: self.checked_patterns(faults),
            reach: self.reach,
            matching: self.matching,
            credentials: self.credentials,
            methods: self.names("methods", &self.methods, faults),
            headers: self.names("headers", &self.headers, faults),
            expose: (!self.expose.is_empty()).then(|| self.names("expose", &self.expose, faults)),
            max_age: self.max_age.map(HeaderValue::from),
            private_network: self.private_network,
            paths: self.checked_paths(faults),
            hook: self.hook,
        }
    }

    fn check_credentials(&self, faults: &mut Vec<CorsFault>) {
        if self.credentials == Credentials::Omitted {
            return;
        }
        if self.reach == Reach::Any && !self.risks.any_with_credentials {
            faults.push(CorsFault::AnyOriginWithCredentials);
        }
        if self.matching == Matching::Exact {
            let lists =
                [("methods", &self.methods), ("headers", &self.headers), ("expose", &self.expose)];
            let wild = lists.into_iter().filter(|(_, list)| list.iter().any(|name| name == "*"));
            faults.extend(wild.map(|(name, _)| CorsFault::WildcardWithCredentials(name)));
        }
    }

    fn checked_origins(&self, faults: &mut Vec<CorsFault>) -> HashSet<Box<[u8]>> {
        let fault = |origin: &&String| match self.matching {
            Matching::Exact => fault_of_origin(origin, self.risks),
            Matching::Split => None,
        };
        faults.extend(self.origins.iter().filter_map(|origin| fault(&origin)));
        self.origins.iter().map(|origin| origin.as_bytes().into()).collect()
    }

    fn checked_patterns(&self, faults: &mut Vec<CorsFault>) -> Vec<Pattern> {
        let whole = self.patterns.iter().map(|text| Pattern::whole(text));
        let open = self.open_patterns.iter().map(|text| Pattern::python(text));
        whole.chain(open).filter_map(|pattern| sorted(pattern, faults)).collect()
    }

    fn checked_paths(&self, faults: &mut Vec<CorsFault>) -> Vec<Paths> {
        let below = |path: &String| match path.starts_with('/') {
            true => Ok(Paths::Below(path.clone())),
            false => Err(CorsFault::NotAPath(path.clone())),
        };
        let pattern = |text: &String| Pattern::python(text).map(Paths::Pattern);
        let paths = self.paths.iter().map(below);
        let paths = paths.chain(self.path_patterns.iter().map(pattern));
        paths.filter_map(|path| sorted(path, faults)).collect()
    }

    fn names(
        &self,
        setting: &'static str,
        names: &[String],
        faults: &mut Vec<CorsFault>,
    ) -> HeaderValue {
        let legal = |name: &str| match setting {
            "methods" => Method::from_bytes(name.as_bytes()).is_ok(),
            _ => HeaderName::from_bytes(name.as_bytes()).is_ok(),
        };
        let wrong = names.iter().filter(|name| !legal(name));
        faults.extend(wrong.map(|name| CorsFault::NotAName(setting, name.clone())));
        // Where a name is wrong, the value is never used.
        HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
    }
}

/// The value, or its fault put to the others.
fn sorted<T>(value: Result<T, CorsFault>, faults: &mut Vec<CorsFault>) -> Option<T> {
    value.map_err(|fault| faults.push(fault)).ok()
}

/// What keeps an origin from being one that a browser sends, or that is safe to name.
fn fault_of_origin(text: &str, risks: Risks) -> Option<CorsFault> {
    match text {
        "null" => return (!risks.null).then_some(CorsFault::Null),
        "file://" => return (!risks.local_files).then_some(CorsFault::LocalFiles),
        _ if text.contains('*') => return Some(CorsFault::Wildcard(text.to_owned())),
        _ => {}
    }
    let none = || Some(CorsFault::NotAnOrigin(text.to_owned()));
    let Ok(url) = split_url(text) else { return none() };
    if url.scheme.is_empty() || url.netloc.is_empty() || url.netloc.contains('@') {
        return none();
    }
    if !url.rest.is_empty() {
        return Some(CorsFault::OriginWithPath(text.to_owned()));
    }
    if !url.netloc.bytes().all(|byte| byte.is_ascii_graphic()) {
        return none();
    }
    let sent = as_sent(&url.scheme, &url.netloc);
    (sent != text).then(|| CorsFault::OriginAsNeverSent(text.to_owned(), sent))
}

/// As a browser writes it: in lower case, and without the scheme's own port.
fn as_sent(scheme: &str, netloc: &str) -> String {
    let own = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => "",
    };
    let host = netloc.strip_suffix(own).unwrap_or(netloc).to_ascii_lowercase();
    format!("{scheme}://{host}")
}

/// The name that a setting of django-cors-headers has today.
#[must_use]
pub fn current_setting(name: &str) -> &str {
    match name {
        "CORS_ORIGIN_WHITELIST" => "CORS_ALLOWED_ORIGINS",
        "CORS_ORIGIN_REGEX_WHITELIST" => "CORS_ALLOWED_ORIGIN_REGEXES",
        "CORS_ORIGIN_ALLOW_ALL" => "CORS_ALLOW_ALL_ORIGINS",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(builder: CorsBuilder) -> Vec<CorsFault> {
        builder.build().map_or_else(|error| error.faults().to_vec(), |_| Vec::new())
    }

    fn fault(origin: &str) -> Option<CorsFault> {
        faults(CorsPolicy::new([origin])).pop()
    }

    #[test]
    fn rule_1_what_is_no_origin_is_an_error() {
        for origin in ["https://a.com", "http://localhost:5173", "https://[::1]:8443"] {
            assert_eq!(fault(origin), None, "{origin}");
        }
        for bad in
            ["example.com", "https://u@a.com", "", "//a.com", "https://é.com", "https://[bad"]
        {
            assert_eq!(fault(bad), Some(CorsFault::NotAnOrigin(bad.to_owned())), "{bad}");
        }
        for bad in ["https://a.com/", "https://a.com/path", "https://a.com?x"] {
            assert_eq!(fault(bad), Some(CorsFault::OriginWithPath(bad.to_owned())), "{bad}");
        }
        for (bad, sent) in [
            ("HTTPS://a.com", "https://a.com"),
            ("https://A.com:443", "https://a.com"),
            ("http://a:80", "http://a"),
        ] {
            let expected = CorsFault::OriginAsNeverSent(bad.to_owned(), sent.to_owned());
            assert_eq!(fault(bad), Some(expected));
        }
    }

    #[test]
    fn rule_2_what_lets_every_site_read_is_an_error_with_a_way_out() {
        assert_eq!(fault("null"), Some(CorsFault::Null));
        assert_eq!(fault("file://"), Some(CorsFault::LocalFiles));
        assert_eq!(fault("*"), Some(CorsFault::Wildcard("*".to_owned())));
        assert!(fault("https://*.example.com").unwrap().to_string().contains("allow_pattern"));
        let any = || CorsPolicy::new([]).allow_any_origin();
        assert_eq!(faults(any()), []);
        assert_eq!(faults(any().allow_credentials()), [CorsFault::AnyOriginWithCredentials]);
        assert_eq!(faults(any().danger_any_origin_with_credentials()), []);
        assert_eq!(faults(CorsPolicy::new(["null"]).danger_null()), []);
        assert_eq!(faults(CorsPolicy::new(["file://"]).danger_local_files()), []);
    }

    #[test]
    fn rule_2_a_star_with_credentials_means_nothing() {
        let policy = CorsPolicy::new([]).headers(["*"]);
        assert_eq!(faults(policy.clone()), []);
        let wild = CorsFault::WildcardWithCredentials("headers");
        assert_eq!(faults(policy.allow_credentials()), [wild]);
    }

    #[test]
    fn rule_2_all_mistakes_are_told_at_once() {
        let wrong = CorsPolicy::new(["null", "a"])
            .allow_pattern("https://a")
            .methods(["GE T"])
            .expose(["x:y"])
            .allow_path("api");
        assert_eq!(faults(wrong).len(), 6);
    }

    #[test]
    fn old_settings_have_new_names() {
        assert_eq!(current_setting("CORS_ORIGIN_WHITELIST"), "CORS_ALLOWED_ORIGINS");
        assert_eq!(current_setting("CORS_ALLOW_HEADERS"), "CORS_ALLOW_HEADERS");
    }
}
