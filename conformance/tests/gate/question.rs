//! What the two gates are asked: settings, and requests that are likely to meet them.

use serde_json::{Map, Value, json};

use crate::dice::Dice;

/// A secret of Django's CSRF cookie, and another.
const SECRET: &str = "kAVW5nSeOyFgHtMq7Xc1Zb9RdJ3uLp0Q";
const OTHER: &str = "zYxWvUtSrQpOnMlKjIhGfEdCbA987654";

/// What no generated site differs in.
fn constants() -> Value {
    json!({
        "DEBUG": false,
        "CSRF_HEADER_NAME": "HTTP_X_CSRFTOKEN",
        "CSRF_COOKIE_NAME": "csrftoken",
        "CSRF_COOKIE_AGE": 31_449_600,
        "CSRF_COOKIE_PATH": "/",
        "CSRF_COOKIE_HTTPONLY": false,
        "CSRF_COOKIE_SAMESITE": "Lax",
        "CSRF_USE_SESSIONS": false,
    })
}

/// The settings of a site, as Django has them.
pub(crate) fn settings(dice: &mut Dice) -> Map<String, Value> {
    let mut settings = Map::new();
    for values in [constants(), hosts(dice), https(dice), headers(dice), cors(dice), csrf(dice)] {
        let Value::Object(values) = values else { panic!("settings are an object: {values}") };
        settings.extend(values);
    }
    settings
}

fn hosts(dice: &mut Dice) -> Value {
    let allowed = [
        json!(["example.com", "www.example.com"]),
        json!([".example.com", "[::1]"]),
        json!(["example.com", "www.example.com", "127.0.0.1"]),
        json!(["*"]),
    ];
    json!({
        "ALLOWED_HOSTS": dice.pick(&allowed),
        "SECURE_PROXY_SSL_HEADER": dice.pick(&[Value::Null, json!(["HTTP_X_FORWARDED_PROTO", "https"])]),
        "USE_X_FORWARDED_HOST": dice.chance(25),
        "USE_X_FORWARDED_PORT": dice.chance(25),
        "PREPEND_WWW": dice.chance(15),
        "APPEND_SLASH": dice.chance(50),
        "DISALLOWED_USER_AGENTS": dice.pick(&[json!([]), json!([{"$regex": "(?i)bot"}])]),
    })
}

fn https(dice: &mut Dice) -> Value {
    json!({
        "SECURE_SSL_REDIRECT": dice.chance(20),
        "SECURE_SSL_HOST": dice.pick(&[Value::Null, Value::Null, json!("secure.example.com:8443")]),
        "SECURE_REDIRECT_EXEMPT": dice.pick(&[json!([]), json!(["^exempt/$", "^unknown"])]),
        "SECURE_HSTS_SECONDS": dice.pick(&[0, 60, 31_536_000]),
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": dice.chance(50),
        "SECURE_HSTS_PRELOAD": dice.chance(50),
    })
}

fn headers(dice: &mut Dice) -> Value {
    let csp = [
        json!({}),
        json!({"default-src": ["'self'"], "img-src": ["*", "data:"]}),
        json!({"script-src": ["'self'", "<CSP_NONCE_SENTINEL>"], "upgrade-insecure-requests": true}),
    ];
    json!({
        "SECURE_CONTENT_TYPE_NOSNIFF": dice.chance(75),
        "SECURE_REFERRER_POLICY": dice.pick(&[Value::Null, json!("same-origin"), json!("origin, no-referrer")]),
        "SECURE_CROSS_ORIGIN_OPENER_POLICY": dice.pick(&[Value::Null, json!("same-origin"), json!("unsafe-none")]),
        "X_FRAME_OPTIONS": dice.pick(&["DENY", "SAMEORIGIN"]),
        "SECURE_CSP": dice.pick(&csp),
        "SECURE_CSP_REPORT_ONLY": dice.pick(&csp),
    })
}

fn cors(dice: &mut Dice) -> Value {
    let origins = [
        json!([]),
        json!(["https://app.example"]),
        json!(["https://app.example", "http://localhost:3000", "null", "https://app.example:8443"]),
    ];
    let patterns = [json!([]), json!([]), json!([r"^https://\w+\.app\.example$", "http://"])];
    json!({
        "CORS_ALLOWED_ORIGINS": dice.pick(&origins),
        "CORS_ALLOWED_ORIGIN_REGEXES": dice.pick(&patterns),
        "CORS_ALLOW_ALL_ORIGINS": dice.chance(20),
        "CORS_ALLOW_CREDENTIALS": dice.chance(50),
        "CORS_ALLOW_PRIVATE_NETWORK": dice.chance(30),
        "CORS_ALLOW_METHODS": dice.pick(&[json!(["GET", "POST", "PURGE"]), json!(["DELETE"])]),
        "CORS_ALLOW_HEADERS": dice.pick(&[json!(["accept", "X-Token"]), json!(["content-type"])]),
        "CORS_EXPOSE_HEADERS": dice.pick(&[json!([]), json!(["X-Total", "link"])]),
        "CORS_PREFLIGHT_MAX_AGE": dice.pick(&[86_400, 0, 60]),
        "CORS_URLS_REGEX": dice.pick(&["^.*$", "^/(exempt|unknown|caf\u{e9})", "/own"]),
    })
}

fn csrf(dice: &mut Dice) -> Value {
    json!({
        "CSRF_TRUSTED_ORIGINS": dice.pick(&[json!([]), json!(["https://app.example", "https://*.example.com"])]),
        "CSRF_COOKIE_DOMAIN": dice.pick(&[Value::Null, Value::Null, json!(".example.com")]),
        "CSRF_COOKIE_SECURE": dice.chance(50),
    })
}

const METHODS: [&str; 20] = [
    "GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "POST", "POST", "POST", "OPTIONS",
    "OPTIONS", "OPTIONS", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "post",
];

const PATHS: [&str; 30] = [
    "/",
    "/",
    "/",
    "/?q=//evil.example&b={x}",
    "/exempt/",
    "/exempt/",
    "/exempt/?",
    "/frame/",
    "/same/",
    "/csp/",
    "/csp/",
    "/cookie/",
    "/cookie/",
    "/own/",
    "/own/",
    "/fail/",
    "/redirect/",
    "/exempt",
    "/frame?a=b",
    "/unknown/",
    "/unknown",
    "//evil.example/x",
    "//evil.example/exempt",
    "/%65xempt/",
    "/exempt%2F",
    "/caf%C3%A9/",
    "/%E9?%ff",
    "/a%0D%0Ab",
    "/a;x=1/[~'y']",
    "/exempt//",
];

const HOSTS: [&str; 15] = [
    "example.com:8443",
    "EXAMPLE.com",
    "sub.example.com",
    "evil.example",
    "example.com.",
    "",
    "[::1]:8000",
    "127.0.0.1",
    "exa mple.com",
    "example.com,evil.example",
    "user@example.com",
    "example.com:x",
    "www.example.com:80",
    "example.com/",
    "\u{e9}.example.com",
];

const ORIGINS: [&str; 20] = [
    "https://app.example",
    "https://app.example",
    "https://app.example",
    "https://app.example",
    "http://app.example",
    "HTTPS://app.example",
    "https://app.example/path?q",
    "https://app.example:8443",
    "https://x.app.example",
    "https://app.example.evil",
    "https://user@app.example",
    "http://localhost:3000",
    "null",
    "",
    "https://[::1",
    "file://",
    "http://example.com",
    "https://example.com",
    "https://www.example.com",
    "https://\u{e9}.app.example",
];

/// A request, as both sides read it. `csp` tells whether the site has a page with its own CSP.
pub(crate) fn request(dice: &mut Dice, csp: bool) -> Value {
    let method = match dice.chance(3) {
        true => dice.pick(&["get", "options"]),
        false => dice.pick(&METHODS),
    };
    let path = Some(dice.pick(&PATHS)).filter(|path| csp || *path != "/csp/").unwrap_or("/");
    let scheme = dice.pick(&["http", "https"]);
    let mut headers = Vec::new();
    named(dice, &mut headers);
    from_elsewhere(dice, &mut headers, method);
    forwarded(dice, &mut headers);
    let body = token(dice, &mut headers);
    json!({
        "method": method, "scheme": scheme, "path": path, "headers": headers, "body": body,
        "server": {"name": "testserver", "port": if scheme == "https" { "443" } else { "80" }},
    })
}

type Headers = Vec<[String; 2]>;

fn add(headers: &mut Headers, name: &str, value: &str) {
    headers.push([name.to_owned(), value.to_owned()]);
}

fn named(dice: &mut Dice, headers: &mut Headers) {
    let host = match dice.chance(90) {
        true => dice.pick(&["example.com", "www.example.com"]),
        false => dice.pick(&HOSTS),
    };
    if !dice.chance(2) {
        add(headers, "Host", host);
    }
    if dice.chance(1) {
        add(headers, "Host", "example.com");
    }
    if dice.chance(20) {
        add(headers, "User-Agent", dice.pick(&["Mozilla/5.0", "Mozilla/5.0", "EvilBot/1"]));
    }
    if dice.chance(1) {
        add(headers, "User-Agent", &"a".repeat(9_000));
    }
}

fn from_elsewhere(dice: &mut Dice, headers: &mut Headers, method: &str) {
    if dice.chance(60) {
        add(headers, "Origin", dice.pick(&ORIGINS));
    }
    if dice.chance(5) {
        add(headers, "Origin", "https://app.example");
    }
    if dice.chance(2) {
        add(headers, "Origin", &format!("http://{}.app.example", "a".repeat(600)));
    }
    let asking = if method.eq_ignore_ascii_case("OPTIONS") { 75 } else { 5 };
    if dice.chance(asking) {
        add(headers, "Access-Control-Request-Method", dice.pick(&["POST", "PURGE", ""]));
        add(headers, "Access-Control-Request-Headers", dice.pick(&["x-token", "x-other, accept"]));
    }
    if dice.chance(10) {
        let asked = dice.pick(&["true", "TRUE", "false"]);
        add(headers, "Access-Control-Request-Private-Network", asked);
    }
    if dice.chance(40) {
        let pages =
            ["https://example.com/x", "http://example.com/", "https://a.example.com/", "", "x"];
        add(headers, "Referer", dice.pick(&pages));
    }
    if dice.chance(20) {
        add(headers, "Sec-Fetch-Site", dice.pick(&["cross-site", "same-origin", "none"]));
    }
    if dice.chance(5) {
        add(headers, "Upgrade", "websocket");
    }
}

fn forwarded(dice: &mut Dice, headers: &mut Headers) {
    if dice.chance(20) {
        add(headers, "X-Forwarded-Proto", dice.pick(&["https", "http", "https, http", "HTTPS"]));
    }
    if dice.chance(15) {
        let hosts =
            ["example.com", "www.example.com:8443", "evil.example", "example.com, b.example"];
        add(headers, "X-Forwarded-Host", dice.pick(&hosts));
    }
    if dice.chance(10) {
        add(headers, "X-Forwarded-Port", dice.pick(&["8443", "443", "x"]));
    }
}

/// The proofs that Django asks for, good or not; the body, if there is one.
fn token(dice: &mut Dice, headers: &mut Headers) -> Option<String> {
    if dice.chance(75) {
        let secret = dice.pick(&[SECRET, SECRET, SECRET, SECRET, OTHER, "short", ""]);
        add(headers, "Cookie", &format!("a=b; csrftoken={secret}"));
    }
    if dice.chance(60) {
        add(headers, "X-CSRFToken", dice.pick(&[SECRET, SECRET, SECRET, OTHER, "short"]));
    }
    dice.chance(20).then(|| {
        let kind = dice.pick(&["application/x-www-form-urlencoded", "text/plain"]);
        add(headers, "Content-Type", kind);
        format!("a=b&csrfmiddlewaretoken={}", dice.pick(&[SECRET, OTHER, ""]))
    })
}
