//! What MDN's HTTP Observatory gives the default site: all it has to give.
//!
//! The rules are those of <https://github.com/mdn/mdn-http-observatory>: algorithm 4, which is on npm, and
//! 6, which also asks for COOP and COEP. Not modelled, so never reached: the list of preloaded sites,
//! certificates that are not trusted, and headers in `<meta>`. Of several policies in one answer the
//! Observatory takes what they have in common; here several are no policy.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use donjon::csp::{CspNonce, CspPolicy};
use donjon::csrf::{CsrfPolicy, CsrfToken};
use donjon::headers::HeadersPolicy;
use donjon::https::HttpsPolicy;
use donjon::session::{SessionFailure, SessionHandle, SessionPolicy};
use donjon::stack::{Stack, StackBuilder};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Connection, Scheme, SitePolicy};
use donjon_core::session::MemorySessions;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

const HOST: &str = "bank.example";

// --- the Observatory

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Four,
    Six,
}

/// What a scan sees of a site.
#[derive(Clone, Debug)]
struct Scan {
    /// The headers of the page over HTTPS.
    headers: HeaderMap,
    html: String,
    /// The addresses that a visit to the page over HTTP goes through, the first included.
    route: Vec<Uri>,
    /// The headers of a preflight.
    preflight: HeaderMap,
}

/// Whoever asks for what a stranger may read.
const STRANGER: &str = "https://http-observatory.security.mozilla.org";

/// From which score without extras on extras count.
const MIN_FOR_EXTRAS: i32 = 90;

impl Scan {
    fn score(&self, algorithm: Algorithm) -> i32 {
        let modifiers = self.modifiers(algorithm);
        let lost: i32 = modifiers.iter().map(|(_, modifier)| (*modifier).min(0)).sum();
        let extras: i32 = modifiers.iter().map(|(_, modifier)| (*modifier).max(0)).sum();
        let plain = 100 + lost;
        (if plain >= MIN_FOR_EXTRAS { plain + extras } else { plain }).max(0)
    }

    fn modifiers(&self, algorithm: Algorithm) -> Vec<(&'static str, i32)> {
        let mut tests = vec![
            ("content-security-policy", csp(&self.headers)),
            ("cookies", cookies(&self.headers)),
            ("cross-origin-resource-sharing", cors(&self.preflight)),
            ("redirection", redirection(&self.route)),
            ("referrer-policy", referrer(&self.headers)),
            ("strict-transport-security", hsts(&self.headers)),
            ("subresource-integrity", integrity(&self.html)),
            ("x-content-type-options", nosniff(&self.headers)),
            ("x-frame-options", framing(&self.headers, algorithm)),
            ("cross-origin-resource-policy", corp(&self.headers)),
        ];
        if algorithm == Algorithm::Six {
            tests.push(("cross-origin-opener-policy", coop(&self.headers)));
            tests.push(("cross-origin-embedder-policy", coep(&self.headers)));
        }
        tests
    }
}

/// All values of a header, as scripts read them.
fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<_> =
        headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn word(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(value(headers, name)?.trim().to_ascii_lowercase())
}

type Directives = Vec<(String, Vec<String>)>;

const BROAD: [&str; 8] =
    ["ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"];

/// The directives in lower case; none of a policy that can't be read.
fn parse_csp(text: &str) -> Option<Directives> {
    let mut directives = Directives::new();
    if text.trim().len() < 6 || text.contains(',') {
        return None;
    }
    for directive in text.split(';') {
        let mut words = directive.split_ascii_whitespace().map(str::to_ascii_lowercase);
        let Some(name) = words.next() else { continue };
        let known = directives.iter().any(|(known, _)| *known == name);
        if known && !["report-uri", "report-to"].contains(&name.as_str()) {
            return None;
        }
        let mut sources: Vec<_> = words.collect();
        if sources.is_empty() && name.ends_with("-src") {
            sources.push("'none'".to_owned());
        }
        directives.push((name, sources));
    }
    Some(directives)
}

fn own<'a>(csp: &'a Directives, name: &str) -> Option<&'a Vec<String>> {
    csp.iter().find(|(known, _)| known == name).map(|(_, sources)| sources)
}

fn ruling(csp: &Directives, name: &str) -> Vec<String> {
    let sources = own(csp, name).or_else(|| own(csp, "default-src"));
    sources.cloned().unwrap_or_else(|| vec!["*".to_owned()])
}

fn has(sources: &[String], wanted: &[&str]) -> bool {
    sources.iter().any(|source| wanted.contains(&source.as_str()))
}

fn has_proof(sources: &[String]) -> bool {
    let proofs = ["'sha256-", "'sha384-", "'sha512-", "'nonce-"];
    sources.iter().any(|source| proofs.iter().any(|proof| source.starts_with(proof)))
}

fn in_clear(sources: &[String]) -> bool {
    sources.iter().any(|source| source.starts_with("http:") || source.starts_with("ftp:"))
}

/// The sources that count: with a proof `'unsafe-inline'` does not, and with `'strict-dynamic'` too only
/// what is proven does.
fn counting(mut sources: Vec<String>) -> Vec<String> {
    if has_proof(&sources) {
        sources.retain(|source| source != "'unsafe-inline'");
    }
    sources
}

fn csp(headers: &HeaderMap) -> i32 {
    let Some(text) = value(headers, "content-security-policy") else { return -25 };
    let Some(csp) = parse_csp(&text) else { return -25 };
    let mut scripts = counting(ruling(&csp, "script-src"));
    let styles = counting(ruling(&csp, "style-src"));
    let dynamic = has(&scripts, &["'strict-dynamic'"]);
    if dynamic && !has_proof(&scripts) {
        return -25;
    }
    if dynamic {
        let broad = |source: &String| BROAD.iter().any(|start| source.starts_with(start));
        scripts.retain(|source| !broad(source) && source != "'self'");
    }
    let inline =
        |sources: &[String]| has(sources, &BROAD) || has(sources, &["'unsafe-inline'", "data:"]);
    let passive = ["img-src", "media-src"];
    let active =
        csp.iter().filter(|(name, _)| !passive.contains(&name.as_str()) && name != "script-src");
    if inline(&scripts) || has(&ruling(&csp, "object-src"), &BROAD) {
        return -20;
    }
    if active.into_iter().any(|(_, sources)| in_clear(sources)) || in_clear(&scripts) {
        return -20;
    }
    if has(&scripts, &["'unsafe-eval'"]) || has(&styles, &["'unsafe-eval'"]) {
        return -10;
    }
    if passive.iter().any(|name| in_clear(&ruling(&csp, name))) {
        return -10;
    }
    let repeated = ["report-uri", "report-to"]
        .iter()
        .any(|name| csp.iter().filter(|(known, _)| known == name).count() > 1);
    match (inline(&styles), own(&csp, "default-src")) {
        (true, _) => 0,
        (false, Some(default)) if default == &["'none'"] => {
            if repeated {
                0
            } else {
                10
            }
        }
        (false, _) => {
            if repeated {
                0
            } else {
                5
            }
        }
    }
}

/// What is wrong with one cookie; nothing costs more than the worst.
fn cookie(text: &str, hsts: bool) -> i32 {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap().split('=').next().unwrap().to_ascii_lowercase();
    let attributes: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
    let has = |name: &str| attributes.iter().any(|attribute| attribute == name);
    let same_site = attributes.iter().find_map(|attribute| attribute.strip_prefix("samesite="));
    let session = name.contains("sess") || name.contains("login");
    let secure = has("secure");
    let faults = [
        (!secure, if hsts { -5 } else { -20 }),
        (session && !secure, if hsts { -10 } else { -40 }),
        (session && !has("httponly"), -30),
        (same_site.is_some_and(|word| !["lax", "strict", "none"].contains(&word)), -20),
        (same_site == Some("none") && !secure, -20),
        (same_site.is_none() && name.contains("csrf"), -20),
    ];
    faults.iter().filter(|(fault, _)| *fault).map(|(_, modifier)| *modifier).min().unwrap_or(0)
}

fn cookies(headers: &HeaderMap) -> i32 {
    let all: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
    let all: Vec<&str> = all.iter().map(|cookie| cookie.to_str().unwrap()).collect();
    let worst = all.iter().map(|text| cookie(text, hsts(headers) >= 0)).min();
    let named = |text: &&str| text.to_ascii_lowercase().contains("samesite=");
    match worst {
        Some(0) if all.iter().all(named) => 5,
        Some(worst) => worst,
        None => 0,
    }
}

fn cors(preflight: &HeaderMap) -> i32 {
    let reflects = value(preflight, "access-control-allow-origin").as_deref() == Some(STRANGER);
    let credentials =
        word(preflight, "access-control-allow-credentials").as_deref() == Some("true");
    if reflects && credentials { -50 } else { 0 }
}

fn redirection(route: &[Uri]) -> i32 {
    let https = |uri: &Uri| uri.scheme_str() == Some("https");
    match route {
        [] => 0,
        [_] => -20,
        [.., last] if !https(last) => -20,
        [_, second, ..] if !https(second) => -10,
        [first, second, ..] if first.host() != second.host() => -5,
        _ => 0,
    }
}

fn referrer(headers: &HeaderMap) -> i32 {
    let private =
        ["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"];
    let telling =
        ["origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade"];
    let Some(value) = word(headers, "referrer-policy") else { return 0 };
    let known = |word: &&str| private.contains(word) || telling.contains(word);
    match value.split(',').map(str::trim).rfind(known) {
        Some(word) if private.contains(&word) => 5,
        _ => -5,
    }
}

fn hsts(headers: &HeaderMap) -> i32 {
    let Some(value) = word(headers, "strict-transport-security") else { return -20 };
    if value.contains(',') {
        return -20;
    }
    let age = value.split(';').find_map(|part| part.trim().strip_prefix("max-age="));
    match age.and_then(|age| age.parse::<u64>().ok()) {
        Some(15_552_000..) => 0,
        Some(_) => -10,
        None => -20,
    }
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

/// A script of the page: where it is from, and whether its content is named.
fn script(tag: &str) -> i32 {
    let Some(address) = attribute(tag, "src") else { return 0 };
    let named = attribute(tag, "integrity").is_some();
    let own = format!("https://{HOST}/");
    let relative = !address.starts_with("//") && !address.contains("://");
    match (relative || address.starts_with(&own), address.starts_with("https:"), named) {
        (true, _, false) => 0,
        (true, _, true) | (false, true, true) => 5,
        (false, true, false) => -5,
        (false, false, true) => -20,
        (false, false, false) => -50,
    }
}

fn integrity(html: &str) -> i32 {
    let tags = html.split("<script").skip(1).map(|rest| rest.split('>').next().unwrap());
    let modifiers: Vec<i32> = tags.map(script).collect();
    match modifiers.iter().min() {
        Some(worst) if *worst < 0 => *worst,
        _ => modifiers.into_iter().max().unwrap_or(0),
    }
}

fn nosniff(headers: &HeaderMap) -> i32 {
    if word(headers, "x-content-type-options").as_deref() == Some("nosniff") { 0 } else { -5 }
}

fn framing(headers: &HeaderMap, algorithm: Algorithm) -> i32 {
    let csp = value(headers, "content-security-policy").and_then(|text| parse_csp(&text));
    if csp.is_some_and(|csp| own(&csp, "frame-ancestors").is_some()) {
        return 5;
    }
    match word(headers, "x-frame-options").as_deref() {
        Some("deny" | "sameorigin") => {
            if algorithm == Algorithm::Four {
                0
            } else {
                5
            }
        }
        Some(from) if from.starts_with("allow-from") => 0,
        _ => -20,
    }
}

/// A header that gives ten for one of these words, and nothing for this one or none at all.
fn isolating(headers: &HeaderMap, name: &str, strong: &[&str], weak: &str) -> i32 {
    match word(headers, name).as_deref() {
        Some(word) if strong.contains(&word) => 10,
        None => 0,
        Some(word) if word == weak => 0,
        Some(_) => -5,
    }
}

fn corp(headers: &HeaderMap) -> i32 {
    let strong = ["same-origin", "same-site"];
    isolating(headers, "cross-origin-resource-policy", &strong, "cross-origin")
}

fn coop(headers: &HeaderMap) -> i32 {
    let strong = ["same-origin", "same-origin-allow-popups", "noopener-allow-popups"];
    isolating(headers, "cross-origin-opener-policy", &strong, "unsafe-none")
}

fn coep(headers: &HeaderMap) -> i32 {
    let strong = ["require-corp", "credentialless"];
    isolating(headers, "cross-origin-embedder-policy", &strong, "unsafe-none")
}

// --- its rules

fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn policies() {
    for (text, modifier) in [
        ("default-src 'none'", 10),
        ("default-src 'none'; script-src 'self' 'nonce-x' 'unsafe-inline'", 10),
        ("default-src 'none'; script-src 'nonce-x' 'strict-dynamic' https: 'unsafe-inline'", 10),
        ("default-src 'self'", 5),
        ("default-src 'none' https://a.example", 5),
        ("default-src 'none'; style-src 'unsafe-inline'", 0),
        ("default-src 'none'; report-uri /a; report-uri /b", 0),
        ("default-src 'none'; img-src http://a.example", -10),
        ("default-src 'none'; script-src 'unsafe-eval'", -10),
        ("default-src 'none'; script-src 'unsafe-inline'", -20),
        ("default-src 'none'; script-src https:", -20),
        ("default-src 'none'; object-src *", -20),
        ("script-src 'self'", -20),
        ("default-src 'none'; font-src http://a.example", -20),
        ("default-src 'none'; default-src 'self'", -25),
        ("default-src 'none'; script-src 'strict-dynamic'", -25),
        ("none", -25),
    ] {
        let sent = headers(&[&format!("content-security-policy: {text}")]);
        assert_eq!(csp(&sent), modifier, "{text}");
    }
    assert_eq!(csp(&headers(&[])), -25);
    assert_eq!(csp(&headers(&["content-security-policy-report-only: default-src 'none'"])), -25);
}

#[test]
fn cookies_of_a_page() {
    let secure = "strict-transport-security: max-age=63072000";
    for (cookie, with_hsts, without) in [
        ("__Host-sessionid=1; Secure; HttpOnly; SameSite=Lax; Path=/", 5, 5),
        ("a=1; Secure; HttpOnly", 0, 0),
        ("a=1; SameSite=Lax", -5, -20),
        ("sessionid=1; HttpOnly; SameSite=Lax", -10, -40),
        ("sessionid=1; Secure; SameSite=Lax", -30, -30),
        ("a=1; Secure; SameSite=Loose", -20, -20),
        ("a=1; SameSite=None", -20, -20),
        ("csrftoken=1; Secure", -20, -20),
    ] {
        let line = format!("set-cookie: {cookie}");
        assert_eq!(cookies(&headers(&[secure, &line])), with_hsts, "{cookie}");
        assert_eq!(cookies(&headers(&[&line])), without, "{cookie}");
    }
    let (good, bad) = ("set-cookie: a=1; Secure; SameSite=Lax", "set-cookie: b=1; Secure");
    assert_eq!(cookies(&headers(&[good, bad])), 0);
    assert_eq!(cookies(&headers(&[])), 0);
}

#[test]
fn one_header_each() {
    type Judge = fn(&HeaderMap) -> i32;
    let cases: &[(Judge, &str, i32)] = &[
        (referrer, "referrer-policy: same-origin", 5),
        (referrer, "referrer-policy: unsafe-url, strict-origin", 5),
        (referrer, "referrer-policy: same-origin, nonsense", 5),
        (referrer, "referrer-policy: same-origin, unsafe-url", -5),
        (referrer, "referrer-policy: nonsense", -5),
        (referrer, "x-other: 1", 0),
        (hsts, "strict-transport-security: max-age=63072000; includeSubDomains; preload", 0),
        (hsts, "strict-transport-security: max-age=15551999", -10),
        (hsts, "strict-transport-security: includeSubDomains", -20),
        (hsts, "strict-transport-security: max-age=63072000, max-age=63072000", -20),
        (hsts, "x-other: 1", -20),
        (nosniff, "x-content-type-options: nosniff", 0),
        (nosniff, "x-content-type-options: sniff", -5),
        (nosniff, "x-other: 1", -5),
        (corp, "cross-origin-resource-policy: same-site", 10),
        (corp, "cross-origin-resource-policy: cross-origin", 0),
        (corp, "cross-origin-resource-policy: nobody", -5),
        (coop, "cross-origin-opener-policy: same-origin", 10),
        (coop, "cross-origin-opener-policy: unsafe-none", 0),
        (coop, "cross-origin-opener-policy: same-origin, same-origin", -5),
        (coep, "cross-origin-embedder-policy: credentialless", 10),
        (coep, "x-other: 1", 0),
        (coep, "cross-origin-embedder-policy: none", -5),
        (cors, "access-control-allow-origin: *", 0),
        (cors, "access-control-allow-origin: https://http-observatory.security.mozilla.org", 0),
    ];
    for (judge, line, modifier) in cases {
        assert_eq!(judge(&headers(&[line])), *modifier, "{line}");
    }
    let reflected = format!("access-control-allow-origin: {STRANGER}");
    assert_eq!(cors(&headers(&[&reflected, "access-control-allow-credentials: true"])), -50);
}

#[test]
fn frames() {
    for (line, four, six) in [
        ("x-frame-options: DENY", 0, 5),
        ("x-frame-options: allow-from https://a.example", 0, 0),
        ("x-frame-options: nobody", -20, -20),
        ("content-security-policy: frame-ancestors 'none'", 5, 5),
        ("content-security-policy: default-src 'none'", -20, -20),
    ] {
        let sent = headers(&[line]);
        assert_eq!(framing(&sent, Algorithm::Four), four, "{line}");
        assert_eq!(framing(&sent, Algorithm::Six), six, "{line}");
    }
}

#[test]
fn ways_to_https() {
    for (route, modifier) in [
        (&[][..], 0),
        (&["http://a.example/"], -20),
        (&["http://a.example/", "https://a.example/"], 0),
        (&["http://a.example/", "https://www.a.example/"], -5),
        (&["http://a.example/", "http://www.a.example/", "https://www.a.example/"], -10),
        (&["http://a.example/", "https://a.example/", "http://a.example/x"], -20),
    ] {
        let uris: Vec<Uri> = route.iter().map(|uri| uri.parse().unwrap()).collect();
        assert_eq!(redirection(&uris), modifier, "{route:?}");
    }
}

#[test]
fn scripts() {
    let named = "integrity=\"sha384-x\"";
    for (html, modifier) in [
        ("<p>", 0),
        ("<script>1</script>", 0),
        ("<script src=\"/a.js\"></script>", 0),
        (&format!("<script src=\"/a.js\" {named}></script>"), 5),
        (&format!("<script src=\"https://{HOST}/a.js\" {named}></script>"), 5),
        (&format!("<script src=\"https://cdn.example/a.js\" {named}></script>"), 5),
        ("<script src=\"https://cdn.example/a.js\"></script>", -5),
        (&format!("<script src=\"//cdn.example/a.js\" {named}></script>"), -20),
        ("<script src=\"http://cdn.example/a.js\"></script>", -50),
        (
            &format!(
                "<script src=\"/a.js\" {named}></script><script src=\"https://cdn.example/a.js\">"
            ),
            -5,
        ),
    ] {
        assert_eq!(integrity(html), modifier, "{html}");
    }
}

#[test]
fn extras_count_from_ninety_on() {
    let scan = |lines: &[&str]| Scan {
        headers: headers(lines),
        html: String::new(),
        route: Vec::new(),
        preflight: HeaderMap::new(),
    };
    assert_eq!(scan(&[]).score(Algorithm::Four), 100 - 25 - 20 - 5 - 20);
    let plain = [
        "content-security-policy: default-src 'none'; frame-ancestors 'none'",
        "strict-transport-security: max-age=1",
        "x-content-type-options: nosniff",
    ];
    assert_eq!(scan(&plain).score(Algorithm::Four), 90 + 10 + 5);
    assert_eq!(scan(&plain[..2]).score(Algorithm::Four), 85);
}

// --- the default site

/// A page that has all a page can have: a session, a form, a script with its content named, and one with
/// the nonce.
async fn page(
    session: SessionHandle,
    token: CsrfToken,
    nonce: CspNonce,
) -> Result<impl IntoResponse, SessionFailure> {
    session.insert("visited", &1).await?;
    Ok(Html(format!(
        "<!doctype html><title>Bank</title><form method=\"post\"><input type=\"hidden\" \
         name=\"csrfmiddlewaretoken\" value=\"{}\"></form><script src=\"/a.js\" \
         integrity=\"sha384-OLBgp1GsljhM2TJ+sbHjaiH9txEUvgdDTAzHv2P24donTt6/529l+9Ua0vFImLlb\"></script>\
         <script nonce=\"{}\">1</script>",
        token.mint(),
        nonce.read(),
    )))
}

/// Nothing said but what nobody can say for a site: its host, its store, and that it has HTTPS.
fn default_site() -> StackBuilder {
    let two_years = Duration::from_secs(63_072_000);
    Stack::new(SitePolicy::new(AllowedHosts::new([HOST]).unwrap()))
        .https(HttpsPolicy::default().redirect().hsts_preload(two_years).unwrap())
        .sessions(SessionPolicy::hardened(), Arc::new(MemorySessions::default()))
        .csrf(CsrfPolicy::hardened("__Host-sessionid"))
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

async fn ask(router: &Router, method: Method, scheme: Scheme, headers: &[(&str, &str)]) -> Answer {
    let connection = Connection {
        peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 49_152)),
        local: SocketAddr::from((Ipv4Addr::LOCALHOST, scheme.default_port())),
        scheme,
    };
    let mut request = Request::builder().method(method).uri("/").header(header::HOST, HOST);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.extension(connection).body(Body::empty()).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(bytes.to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// What a scan of the site sees.
async fn scan(stack: StackBuilder) -> Scan {
    let layer = stack.build().unwrap().into_layer();
    let router = Router::new().route("/", get(page)).layer(layer);
    let secure = ask(&router, Method::GET, Scheme::Https, &[]).await;
    assert_eq!(secure.status, StatusCode::OK);
    let clear = ask(&router, Method::GET, Scheme::Http, &[]).await;
    let location =
        clear.headers.get(header::LOCATION).map(|to| to.to_str().unwrap().parse().unwrap());
    let first = format!("http://{HOST}/").parse().unwrap();
    let asked = [("origin", STRANGER), ("access-control-request-method", "GET")];
    let preflight = ask(&router, Method::OPTIONS, Scheme::Https, &asked).await;
    Scan {
        headers: secure.headers,
        html: secure.body,
        route: std::iter::once(first).chain(location).collect(),
        preflight: preflight.headers,
    }
}

#[tokio::test]
async fn the_default_site_gets_all_there_is() {
    let scan = scan(default_site()).await;
    assert_eq!(scan.headers.get_all(header::SET_COOKIE).iter().count(), 2);
    assert_eq!(scan.score(Algorithm::Four), 140, "{:?}", scan.modifiers(Algorithm::Four));
    assert_eq!(scan.score(Algorithm::Six), 160, "{:?}", scan.modifiers(Algorithm::Six));
}

#[tokio::test]
async fn each_preset_gets_what_its_doc_says() {
    let score = async |stack: StackBuilder| {
        let scan = scan(stack).await;
        (scan.score(Algorithm::Four), scan.score(Algorithm::Six))
    };
    assert_eq!(score(default_site().csp(CspPolicy::strict_dynamic())).await, (140, 160));
    let reporting = CspPolicy::strict().update().report_to("csp", "/csp-report/").build().unwrap();
    assert_eq!(score(default_site().csp(reporting)).await, (140, 160));
    let upgrading = CspPolicy::strict().update().upgrade_insecure_requests().build().unwrap();
    assert_eq!(score(default_site().csp(upgrading)).await, (140, 160));
    assert_eq!(score(default_site().headers(HeadersPolicy::standard())).await, (140, 150));
    assert_eq!(score(default_site().headers(HeadersPolicy::embed())).await, (130, 140));
    assert_eq!(score(default_site().headers(HeadersPolicy::django())).await, (130, 140));
    // No HSTS and no redirect: nothing but what is lost counts.
    assert_eq!(score(default_site().https(HttpsPolicy::default())).await, (60, 60));
}
