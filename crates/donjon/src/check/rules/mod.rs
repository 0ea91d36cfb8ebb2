//! The catalogue: a table of rules per room, each with its code, its meaning and the function that
//! looks for it.
//!
//! A rule more is an entry more, and a case more in the tests below.

use super::finding::Rule;

mod accounts;
mod cookies;
mod cors;
mod csp;
mod csrf;
mod headers;
mod host;
mod https;
mod impossible;
mod isolation;
pub(super) mod router;

/// Django's own rules.
const DJANGO: &str = "https://docs.djangoproject.com/en/6.0/ref/checks/#security";

/// All rules: those for a stack, those for a running router, and those that can't fire.
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    let rooms = [
        host::RULES,
        https::RULES,
        headers::RULES,
        csp::RULES,
        cors::RULES,
        isolation::RULES,
        cookies::RULES,
        csrf::RULES,
        accounts::RULES,
        impossible::RULES,
    ];
    rooms.into_iter().flatten().chain(router::RULES.iter().copied())
}

/// The rules that one route's own policies can break.
pub(super) fn of_routes() -> impl Iterator<Item = &'static Rule> {
    [csp::RULES, cors::RULES].into_iter().flatten()
}

/// What a rule is true of, if it is of one thing at most.
fn one(object: Option<&str>) -> Vec<String> {
    object.map(str::to_owned).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    use donjon_core::account::MemoryAccounts;
    use donjon_core::cookie::{SameSite, Scripts, Transport};
    use donjon_core::host::AllowedHosts;
    use donjon_core::origin::SitePolicy;
    use donjon_core::secret::{KeyWeakness, Keys};
    use donjon_core::session::MemorySessions;
    use http::{HeaderName, HeaderValue, Method};

    use super::*;
    use crate::auth::AuthPolicy;
    use crate::check::checks::{Checks, Target};
    use crate::check::directives::Directives;
    use crate::check::facts::{Cors, Facts, Hosts, Isolation, Network, Route};
    use crate::check::finding::{Test, When};
    use crate::check::judge;
    use crate::cors::CorsPolicy;
    use crate::csrf::{CsrfPolicy, Detail, Provenance};
    use crate::https::HttpsPolicy;
    use crate::session::SessionPolicy;
    use crate::stack::{RoutePolicy, Stack};

    type Change = fn(&mut Facts);

    fn friends() -> CorsPolicy {
        let builder = CorsPolicy::new(["https://app.example"]);
        let pattern = r"^https://[a-z]+\.bank\.example$";
        builder.allow_pattern(pattern).allow_credentials().build().unwrap()
    }

    /// What is wrong with nothing: made by a stack's own policies as far as they go.
    fn sound() -> Facts {
        let site = SitePolicy::new(AllowedHosts::new(["bank.example"]).unwrap());
        let year = Duration::from_secs(31_536_000);
        let keys = Keys::new("a long and random secret, of which nobody knows a letter");
        let stack = Stack::new(site.trust_proxy("10.0.0.0/8".parse().unwrap()))
            .https(HttpsPolicy::default().redirect().hsts_preload(year).unwrap())
            .sessions(SessionPolicy::hardened(), Arc::new(MemorySessions::default()))
            .csrf(CsrfPolicy::hardened("__Host-sessionid"))
            .cors(friends())
            .accounts(AuthPolicy::new(&keys), Arc::new(MemoryAccounts::default()))
            .build()
            .unwrap();
        let mut facts = Facts::of(&stack, &Checks::deploy());
        for (name, value) in [
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
            ("permissions-policy", "camera=()"),
        ] {
            facts.headers.insert(name, HeaderValue::from_static(value));
        }
        facts.csp = Some(Directives::parse(
            "default-src 'none'; script-src 'self' 'nonce-x'; style-src 'self'; object-src 'none'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'; report-uri /csp-report/",
        ));
        facts
    }

    fn codes(facts: &Facts, checks: &Checks) -> Vec<&'static str> {
        let report = judge(facts, checks);
        report.findings().iter().map(|finding| finding.rule().code()).collect()
    }

    fn set(facts: &mut Facts, name: &'static str, value: &'static str) {
        facts.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }

    /// The sound policy with one directive changed, or without it.
    fn csp(facts: &mut Facts, name: &str, sources: Option<&str>) {
        let policy = facts.csp.take().unwrap();
        let others = policy.iter().filter(|(known, _)| *known != name);
        let mut text: Vec<String> =
            others.map(|(name, sources)| format!("{name} {}", sources.join(" "))).collect();
        text.extend(sources.map(|sources| format!("{name} {sources}")));
        facts.csp = Some(Directives::parse(&text.join(";")));
    }

    fn cors(facts: &mut Facts, change: impl FnOnce(&mut Cors)) {
        change(facts.cors.as_mut().unwrap());
    }

    /// A route that answers GET and POST, and its own facts with a change.
    fn route(facts: &mut Facts, policy: RoutePolicy, change: impl FnOnce(&mut Facts)) {
        let mut own = Facts { routes: Vec::new(), ..facts.clone() };
        change(&mut own);
        let target = Target::new("/route/", [Method::GET, Method::POST]).policy(policy);
        facts.routes.push(Route { target, facts: Some(own) });
    }

    /// Each code, and what makes it fire in a stack that is sound otherwise.
    const CASES: &[(&str, Change)] = &[
        ("security.W020", |f| f.hosts = Hosts::OwnMachine),
        ("donjon.W001", |f| f.hosts = Hosts::Any),
        ("donjon.W002", |f| f.believed.push("danger_forwarded_host")),
        ("donjon.W003", |f| {
            f.proxies.push(Network { text: "0.0.0.0/0".into(), prefix: 0, address_bits: 32 });
        }),
        ("donjon.I004", |f| f.hops = 1),
        ("security.W004", |f| f.hsts = None),
        ("security.W005", |f| f.hsts.as_mut().unwrap().subdomains = false),
        ("security.W021", |f| f.hsts.as_mut().unwrap().preload = false),
        ("security.W008", |f| f.redirects = false),
        ("donjon.W010", |f| f.hsts.as_mut().unwrap().seconds = 86_400),
        ("security.W002", |f| drop(f.headers.remove("x-frame-options"))),
        ("security.W019", |f| set(f, "x-frame-options", "SAMEORIGIN")),
        ("security.W006", |f| drop(f.headers.remove("x-content-type-options"))),
        ("security.W022", |f| drop(f.headers.remove("referrer-policy"))),
        ("security.E023", |f| set(f, "referrer-policy", "same-origin, samesite")),
        ("security.E024", |f| set(f, "cross-origin-opener-policy", "same-site")),
        ("donjon.W020", |f| set(f, "cross-origin-opener-policy", "unsafe-none")),
        ("donjon.W020", |f| drop(f.headers.remove("cross-origin-opener-policy"))),
        ("donjon.W021", |f| set(f, "cross-origin-resource-policy", "cross-origin")),
        ("donjon.I022", |f| drop(f.headers.remove("cross-origin-embedder-policy"))),
        ("donjon.I023", |f| drop(f.headers.remove("permissions-policy"))),
        ("donjon.W024", |f| set(f, "referrer-policy", "same-origin,unsafe-url")),
        ("donjon.I025", |f| set(f, "referrer-policy", "no-referrer")),
        ("donjon.W030", |f| f.csp = None),
        ("donjon.W031", |f| csp(f, "script-src", Some("'self' 'unsafe-inline'"))),
        ("donjon.W032", |f| csp(f, "script-src", Some("'self' 'unsafe-eval'"))),
        ("donjon.W033", |f| {
            csp(f, "object-src", None);
            csp(f, "default-src", None);
        }),
        ("donjon.W034", |f| csp(f, "base-uri", None)),
        ("donjon.W035", |f| csp(f, "frame-ancestors", None)),
        ("donjon.W036", |f| csp(f, "script-src", Some("'self' https:"))),
        ("donjon.W036", |f| csp(f, "object-src", Some("data:"))),
        ("donjon.W037", |f| csp(f, "img-src", Some("http://images.example"))),
        ("donjon.I038", |f| csp(f, "report-uri", None)),
        ("donjon.W039", |f| csp(f, "script-src", Some("'self' 'strict-dynamic'"))),
        ("donjon.W040", |f| {
            csp(f, "script-src", None);
            csp(f, "default-src", None);
        }),
        ("donjon.W041", |f| csp(f, "form-action", None)),
        ("donjon.I042", |f| csp(f, "style-src", Some("'unsafe-inline'"))),
        ("donjon.W043", |f| csp(f, "font-src", Some("'none' 'self'"))),
        ("donjon.E050", |f| cors(f, |cors| cors.any = true)),
        ("donjon.W051", |f| cors(f, |cors| (cors.any, cors.credentials) = (true, false))),
        ("donjon.W052", |f| cors(f, |cors| cors.origins.push("http://app.example".into()))),
        ("donjon.W053", |f| cors(f, |cors| cors.null = true)),
        ("donjon.W054", |f| cors(f, |cors| cors.private_network = true)),
        ("donjon.W055", |f| cors(f, |cors| cors.origins.push("http://localhost:5173".into()))),
        ("donjon.E056", |f| cors(f, |cors| cors.loose_patterns.push("https://x".into()))),
        ("security.W012", |f| f.session_cookie.as_mut().unwrap().secure = Transport::Any),
        ("security.W012", |f| {
            f.session_cookie.as_mut().unwrap().secure = Transport::AsTheRequest;
            f.redirects = false;
        }),
        ("security.W015", |f| f.session_cookie.as_mut().unwrap().scripts = Scripts::MayRead),
        ("security.W016", |f| f.csrf_cookie.as_mut().unwrap().secure = Transport::Any),
        ("donjon.W060", |f| f.csrf_cookie.as_mut().unwrap().name = "csrftoken".into()),
        ("donjon.W061", |f| f.session_cookie.as_mut().unwrap().same_site = SameSite::None),
        ("donjon.W062", |f| f.session_cookie.as_mut().unwrap().domain = Some("b.example".into())),
        ("donjon.E063", |f| f.session_cookie.as_mut().unwrap().path = "/app/".into()),
        ("security.W018", |f| f.csrf.detail = Detail::Explained),
        ("donjon.I070", |f| f.csrf.provenance = Provenance::Django),
        ("donjon.W071", |f| f.csrf.trusted.push("http://pay.example".into())),
        ("donjon.I072", |f| f.csrf.trusted.push("https://*.bank.example".into())),
        ("donjon.W073", |f| {
            route(f, RoutePolicy::new().csrf_exempt(), |_| {});
        }),
        ("donjon.E044", |f| {
            route(f, RoutePolicy::new(), |_| {});
            f.routes[0].facts = None;
        }),
        ("donjon.I026", |f| route(f, RoutePolicy::new().xframe_sameorigin(), |_| {})),
        ("donjon.I026", |f| route(f, RoutePolicy::new().xframe_exempt(), |_| {})),
        ("donjon.W027", |f| {
            route(f, RoutePolicy::new(), |own| {
                own.headers.remove("x-frame-options");
                csp(own, "frame-ancestors", None);
            });
        }),
        ("donjon.W030", |f| route(f, RoutePolicy::new(), |own| own.csp = None)),
        ("donjon.W031", |f| {
            route(f, RoutePolicy::new(), |own| csp(own, "script-src", Some("'unsafe-inline'")));
        }),
        ("donjon.E050", |f| {
            route(f, RoutePolicy::new(), |own| cors(own, |cors| cors.any = true));
        }),
        ("donjon.W090", |f| f.isolation = None),
        ("donjon.W091", |f| {
            route(f, RoutePolicy::new().isolation_exempt().login_required(), |_| {});
        }),
        ("donjon.I092", |f| f.isolation.as_mut().unwrap().siblings = true),
        ("donjon.W093", |f| {
            let trusted = vec!["https://a.example".to_owned(), "http://b.example".to_owned()];
            f.isolation = Some(Isolation { trusted, ..Isolation::default() });
        }),
        ("security.W009", |f| f.keys[0].push(KeyWeakness::Placeholder)),
        ("security.W025", |f| f.keys.push(vec![KeyWeakness::Short])),
        ("donjon.W080", |f| f.redirects = false),
        ("donjon.W081", |f| f.accounts.as_mut().unwrap().iterations = 599_999),
    ];

    #[test]
    fn a_sound_stack_breaks_no_rule() {
        let mut facts = sound();
        assert_eq!(codes(&facts, &Checks::deploy()), [] as [&str; 0]);
        // Exempt and yet harmless; trusted and yet nobody on the way; broad and yet ignored.
        for policy in [
            RoutePolicy::new(),
            RoutePolicy::new().isolation_exempt(),
            RoutePolicy::new().login_required(),
            RoutePolicy::new().xframe_deny(),
        ] {
            route(&mut facts, policy, |_| {});
        }
        route(&mut facts, RoutePolicy::new().csrf_exempt(), |_| {});
        let last = facts.routes.last_mut().unwrap();
        last.target = Target::new("/health/", [Method::GET]).csrf_exempt();
        facts.isolation.as_mut().unwrap().trusted.push("http://localhost:5173".into());
        facts.csrf.trusted.push("http://localhost:5173".into());
        facts.session_cookie.as_mut().unwrap().secure = Transport::AsTheRequest;
        facts.session_cookie.as_mut().unwrap().name = "__Host-s".into();
        csp(&mut facts, "script-src", Some("'strict-dynamic' 'nonce-x' https: 'unsafe-inline'"));
        let codes = codes(&facts, &Checks::deploy());
        // A cookie of that name must be Secure whatever the request.
        assert_eq!(codes, ["donjon.E063"]);
    }

    #[test]
    fn rule_1_each_code_fires() {
        for (code, change) in CASES {
            let mut facts = sound();
            change(&mut facts);
            let found = codes(&facts, &Checks::deploy());
            assert!(found.contains(code), "{code}: {found:?}");
        }
    }

    #[test]
    fn rule_1_each_code_has_a_case() {
        let asked = all().filter(|rule| matches!(rule.test, Test::Stack(_)));
        let asked: BTreeSet<_> = asked.map(Rule::code).collect();
        let cases: BTreeSet<_> = CASES.iter().map(|(code, _)| *code).collect();
        assert_eq!(asked, cases);
    }

    #[test]
    fn rule_3_what_only_a_live_site_must_have() {
        for (code, change) in CASES {
            let mut facts = sound();
            change(&mut facts);
            let when = all().find(|rule| rule.code() == *code).unwrap().when();
            let found = codes(&facts, &Checks::new()).contains(code);
            assert_eq!(found, when == When::Always, "{code}");
        }
    }

    #[test]
    fn rule_2_the_catalogue_is_whole() {
        let codes: Vec<_> = all().map(Rule::code).collect();
        let unique: BTreeSet<_> = codes.iter().collect();
        assert_eq!(unique.len(), codes.len());
        for rule in all() {
            assert!(rule.title().ends_with('.') && rule.explanation().ends_with('.'), "{rule:?}");
            assert_eq!(rule.hint().is_empty(), rule.is_impossible(), "{rule:?}");
            assert!(rule.source().starts_with("https://"), "{rule:?}");
        }
    }

    #[test]
    fn rule_2_every_code_of_django_and_its_add_ons_is_there() {
        let security = (1..=27).filter(|number| ![23, 24, 26].contains(number));
        let mut codes: Vec<String> = security.map(|n| format!("security.W{n:03}")).collect();
        codes.extend(["E023", "E024", "E026", "E101", "E102"].map(|c| format!("security.{c}")));
        let cors = (1..=15).filter(|number| ![10, 11].contains(number));
        codes.extend(cors.map(|number| format!("corsheaders.E{number:03}")));
        codes.extend(["csp.E001", "csp.E002", "4_0.E001"].map(str::to_owned));
        for code in codes {
            assert!(all().any(|rule| rule.code() == code), "{code}");
        }
    }

    #[test]
    fn a_code_says_how_bad_it_is() {
        use crate::check::finding::Level::{Critical, Error, Info, Warning};
        for rule in all() {
            let (_, number) = rule.code().rsplit_once('.').unwrap();
            let level = match &number[..1] {
                "C" => Critical,
                "E" => Error,
                "W" => Warning,
                _ => Info,
            };
            assert_eq!(rule.level(), level, "{}", rule.code());
        }
    }
}
