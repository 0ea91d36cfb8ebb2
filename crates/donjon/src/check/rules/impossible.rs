//! Rules of Django and its add-ons that can't fire here, each with the reason: so that whoever looks
//! for a code finds what became of it.

use crate::check::finding::{Level, Rule, Test, When};

use super::DJANGO;

const CORS: &str =
    "https://github.com/adamchainz/django-cors-headers/blob/main/src/corsheaders/checks.py";
const CSP: &str = "https://github.com/mozilla/django-csp/blob/main/csp/checks.py";

const fn warning(code: &'static str, title: &'static str, reason: &'static str) -> Rule {
    rule(code, Level::Warning, title, reason, DJANGO)
}

const fn error(
    code: &'static str,
    title: &'static str,
    reason: &'static str,
    source: &'static str,
) -> Rule {
    rule(code, Level::Error, title, reason, source)
}

const fn rule(
    code: &'static str,
    level: Level,
    title: &'static str,
    reason: &'static str,
    source: &'static str,
) -> Rule {
    Rule {
        code,
        level,
        when: When::Always,
        title,
        explanation: reason,
        hint: "",
        asvs: &[],
        source,
        test: Test::Nobody,
    }
}

pub(super) const RULES: &[Rule] = &[
    warning(
        "security.W001",
        "SecurityMiddleware is not installed.",
        "Every stack has the rooms of headers and HTTPS, in their place.",
    ),
    warning(
        "security.W003",
        "CsrfViewMiddleware is not installed.",
        "Every stack has the CSRF room; donjon.W073 names the routes that are exempt.",
    ),
    warning(
        "security.W007",
        "X-XSS-Protection is not sent.",
        "Django retired it with the header itself.",
    ),
    warning(
        "security.W010",
        "The sessions' app is installed, and their cookie is not Secure.",
        "App and middleware are one room here: security.W012.",
    ),
    warning(
        "security.W011",
        "The sessions' middleware is installed, and their cookie is not Secure.",
        "App and middleware are one room here: security.W012.",
    ),
    warning(
        "security.W013",
        "The sessions' app is installed, and scripts may read their cookie.",
        "App and middleware are one room here: security.W015.",
    ),
    warning(
        "security.W014",
        "The sessions' middleware is installed, and scripts may read their cookie.",
        "App and middleware are one room here: security.W015.",
    ),
    warning(
        "security.W017",
        "Scripts may read the CSRF cookie.",
        "Django retired it: a script that runs in the page reads the token from the page.",
    ),
    error(
        "security.E026",
        "A Content Security Policy is no dictionary.",
        "A CspPolicy is a value of its own type.",
        DJANGO,
    ),
    warning(
        "security.W027",
        "The policy has a nonce, and templates have no csp_nonce.",
        "Every page of a site gets csp_nonce.",
    ),
    error(
        "security.E101",
        "The page of CSRF refusals takes other arguments.",
        "A FailureView is a function of its own type: the compiler refuses others.",
        DJANGO,
    ),
    error(
        "security.E102",
        "The page of CSRF refusals can't be imported.",
        "A FailureView is a function, not a name.",
        DJANGO,
    ),
    error(
        "4_0.E001",
        "A trusted origin has no scheme.",
        "TrustedOrigins::new refuses it.",
        "https://docs.djangoproject.com/en/6.0/ref/checks/#backwards-compatibility",
    ),
    warning(
        "caches.W002",
        "The file cache is inside what is served.",
        "There is no cache of files.",
    ),
    error(
        "async.E001",
        "DJANGO_ALLOW_ASYNC_UNSAFE is set.",
        "Stores are asked asynchronously only.",
        "https://docs.djangoproject.com/en/6.0/ref/checks/#async",
    ),
    error(
        "mail.E001",
        "Mail goes to a backend for developing.",
        "The stack sends no mail.",
        "https://docs.djangoproject.com/en/6.1/ref/checks/",
    ),
    error(
        "corsheaders.E001",
        "CORS_ALLOW_HEADERS is no sequence of strings.",
        "What is no header's name is an error when the policy is made.",
        CORS,
    ),
    error(
        "corsheaders.E002",
        "CORS_ALLOW_METHODS is no sequence of strings.",
        "What is no method is an error when the policy is made.",
        CORS,
    ),
    error(
        "corsheaders.E003",
        "CORS_ALLOW_CREDENTIALS is no bool.",
        "CorsBuilder::allow_credentials takes nothing.",
        CORS,
    ),
    error(
        "corsheaders.E004",
        "CORS_PREFLIGHT_MAX_AGE is no integer, or less than zero.",
        "CorsBuilder::max_age takes a Duration.",
        CORS,
    ),
    error(
        "corsheaders.E005",
        "CORS_ALLOW_ALL_ORIGINS is no bool.",
        "Which origins may read is a value of its own type; donjon.E050 and donjon.W051 tell when all may.",
        CORS,
    ),
    error(
        "corsheaders.E006",
        "CORS_ALLOWED_ORIGINS is no sequence of strings.",
        "CorsPolicy takes strings.",
        CORS,
    ),
    error(
        "corsheaders.E007",
        "CORS_ALLOWED_ORIGIN_REGEXES is no sequence of strings or regexes.",
        "What is no pattern is an error when the policy is made.",
        CORS,
    ),
    error(
        "corsheaders.E008",
        "CORS_EXPOSE_HEADERS is no sequence.",
        "What is no header's name is an error when the policy is made.",
        CORS,
    ),
    error(
        "corsheaders.E009",
        "CORS_URLS_REGEX is no string or regex.",
        "What is no pattern is an error when the policy is made.",
        CORS,
    ),
    error(
        "corsheaders.E012",
        "CORS_MODEL is set, which was removed.",
        "There is no such setting.",
        CORS,
    ),
    error(
        "corsheaders.E013",
        "An origin lacks its scheme or host.",
        "CorsPolicy refuses it.",
        CORS,
    ),
    error(
        "corsheaders.E014",
        "An origin has a path, a query or a fragment.",
        "CorsPolicy refuses it.",
        CORS,
    ),
    error(
        "corsheaders.E015",
        "CORS_ALLOW_PRIVATE_NETWORK is no bool.",
        "Private networks are closed unless a method opens them: donjon.W054.",
        CORS,
    ),
    error(
        "csp.E001",
        "The settings have the form of django-csp before 4.0.",
        "A CspPolicy is made of directives; there are no flat settings.",
        CSP,
    ),
    error(
        "csp.E002",
        "EXCLUDE_URL_PREFIXES is one string.",
        "Paths are no string whose letters are taken for prefixes.",
        CSP,
    ),
];
