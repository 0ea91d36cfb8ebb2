//! What a stack is, in plain values: where the rooms' policies are read, and nowhere else.
//!
//! Headers are read from what a browser would get, so that a rule holds whoever wrote them.

use donjon_core::cookie::{CookieSettings, Transport};
use donjon_core::secret::KeyWeakness;
use http::{HeaderMap, HeaderValue, Response};

use super::checks::{Checks, Target};
use super::directives::Directives;
use crate::auth::AuthPolicy;
use crate::cors::CorsPolicy;
use crate::csrf::{Detail, Provenance};
use crate::isolation::IsolationPolicy;
use crate::stack::{Policies, Stack};

/// All that the rules look at.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) hosts: Hosts,
    /// The settings by which any peer is believed.
    pub(super) believed: Vec<&'static str>,
    pub(super) proxies: Vec<Network>,
    /// How many hops are believed, whoever they are.
    pub(super) hops: u8,
    pub(super) redirects: bool,
    pub(super) hsts: Option<Hsts>,
    /// What the headers room adds to a page.
    pub(super) headers: HeaderMap,
    pub(super) csp: Option<Directives>,
    pub(super) cors: Option<Cors>,
    pub(super) isolation: Option<Isolation>,
    pub(super) session_cookie: Option<CookieSettings>,
    pub(super) csrf_cookie: Option<CookieSettings>,
    pub(super) csrf: Csrf,
    pub(super) accounts: Option<Accounts>,
    /// Why each key may be guessed, the current one first.
    pub(super) keys: Vec<Vec<KeyWeakness>>,
    pub(super) routes: Vec<Route>,
}

/// A route, and what is sent with it.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) target: Target,
    /// The site's facts with the route's own word; none where that makes a policy which is refused.
    pub(super) facts: Option<Facts>,
}

/// The hosts that the site answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hosts {
    Any,
    OwnMachine,
    Named,
}

/// A network whose proxies are believed.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) text: String,
    pub(super) prefix: u8,
    pub(super) address_bits: u8,
}

/// What `Strict-Transport-Security` says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hsts {
    pub(super) seconds: u64,
    pub(super) subdomains: bool,
    pub(super) preload: bool,
}

/// Who may read across origins.
#[derive(Clone, Debug, Default)]
pub(super) struct Cors {
    pub(super) credentials: bool,
    pub(super) any: bool,
    pub(super) null: bool,
    pub(super) private_network: bool,
    pub(super) origins: Vec<String>,
    /// The patterns that other people's hosts match.
    pub(super) loose_patterns: Vec<String>,
}

/// Who else may load what belongs to a visitor.
#[derive(Clone, Debug, Default)]
pub(super) struct Isolation {
    pub(super) siblings: bool,
    pub(super) trusted: Vec<String>,
}

/// How forgeries are told.
#[derive(Clone, Debug)]
pub(super) struct Csrf {
    pub(super) provenance: Provenance,
    pub(super) detail: Detail,
    pub(super) trusted: Vec<String>,
}

/// How users are recognised.
#[derive(Clone, Debug)]
pub(super) struct Accounts {
    pub(super) login_page: String,
    pub(super) iterations: u32,
}

impl Facts {
    pub(super) fn of(stack: &Stack, checks: &Checks) -> Self {
        let site = Self::of_policies(&stack.policies());
        let routes = checks.routes.iter().map(|target| Route::of(stack, target));
        Self {
            keys: checks.keys.clone().unwrap_or_else(|| site.keys.clone()),
            routes: routes.collect(),
            ..site
        }
    }

    /// Without routes.
    fn of_policies(policies: &Policies<'_>) -> Self {
        let key_weaknesses = policies.accounts.map(|policy| policy.key_weaknesses().to_vec());
        Self {
            hosts: hosts(policies),
            believed: policies.site.believed_of_any_peer().collect(),
            proxies: networks(policies),
            hops: policies.site.proxies().trusted_hops(),
            redirects: policies.https.redirects().is_some(),
            hsts: policies.https.hsts_value().and_then(hsts),
            headers: headers(policies),
            csp: csp(policies),
            cors: policies.cors.map(cors),
            isolation: policies.isolation.map(isolation),
            session_cookie: policies.sessions.map(|policy| policy.cookie_settings().clone()),
            csrf_cookie: policies.csrf.secret_cookie().cloned(),
            csrf: Csrf {
                provenance: policies.csrf.provenance_rule(),
                detail: policies.csrf.refusal_detail(),
                trusted: policies.csrf.trusted_origins().iter().collect(),
            },
            accounts: policies.accounts.map(accounts),
            keys: key_weaknesses.unwrap_or_default(),
            routes: Vec::new(),
        }
    }

    /// The cookies, with the room that sets each.
    pub(super) fn cookies(&self) -> impl Iterator<Item = (&'static str, &CookieSettings)> {
        let session = self.session_cookie.iter().map(|cookie| ("session", cookie));
        session.chain(self.csrf_cookie.iter().map(|cookie| ("csrf", cookie)))
    }

    /// Does the cookie ever travel in clear? One that is as secure as its request does not, where no
    /// request in clear gets past the redirect.
    pub(super) fn travels_in_clear(&self, cookie: &CookieSettings) -> bool {
        match cookie.secure {
            Transport::HttpsOnly => false,
            Transport::AsTheRequest => !self.redirects,
            Transport::Any => true,
        }
    }

    /// The header's value, if it is sent and readable.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Route {
    fn of(stack: &Stack, target: &Target) -> Self {
        let own = stack.as_route(target.own_policy());
        let facts = own.map(|own| Facts::of_policies(&own.policies()));
        Self { target: target.clone(), facts: facts.ok() }
    }
}

fn hosts(policies: &Policies<'_>) -> Hosts {
    match policies.site.hosts() {
        hosts if hosts.is_any() => Hosts::Any,
        hosts if hosts.is_local() => Hosts::OwnMachine,
        _ => Hosts::Named,
    }
}

fn networks(policies: &Policies<'_>) -> Vec<Network> {
    let networks = policies.site.proxies().trusted_networks().iter().map(|network| Network {
        text: network.to_string(),
        prefix: network.prefix_len(),
        address_bits: network.max_prefix_len(),
    });
    networks.collect()
}

fn headers(policies: &Policies<'_>) -> HeaderMap {
    let mut response = Response::new(());
    policies.headers.apply(&mut response);
    response.into_parts().0.headers
}

/// The policy of a page that reads its nonce; none if the header is empty.
fn csp(policies: &Policies<'_>) -> Option<Directives> {
    let header = policies.csp.enforced_policy()?.header(Some("nonce"));
    let directives = Directives::parse(header.to_str().unwrap_or_default());
    (directives != Directives::default()).then_some(directives)
}

fn hsts(value: &HeaderValue) -> Option<Hsts> {
    let value = value.to_str().ok()?.to_ascii_lowercase();
    let parts: Vec<&str> = value.split(';').map(str::trim).collect();
    let seconds = parts.iter().find_map(|part| part.strip_prefix("max-age="))?;
    Some(Hsts {
        seconds: seconds.parse().ok()?,
        subdomains: parts.contains(&"includesubdomains"),
        preload: parts.contains(&"preload"),
    })
}

fn cors(policy: &CorsPolicy) -> Cors {
    let owned = |texts: &mut dyn Iterator<Item = &str>| texts.map(str::to_owned).collect();
    Cors {
        credentials: policy.has_credentials(),
        any: policy.is_open(),
        null: policy.origins().any(|origin| origin == "null"),
        private_network: policy.opens_private_network(),
        origins: owned(&mut policy.origins()),
        loose_patterns: owned(&mut policy.open_patterns()),
    }
}

fn isolation(policy: &IsolationPolicy) -> Isolation {
    Isolation {
        siblings: policy.opens_to_siblings(),
        trusted: policy.trusted_origins().iter().collect(),
    }
}

fn accounts(policy: &AuthPolicy) -> Accounts {
    Accounts {
        login_page: policy.login_page().to_owned(),
        iterations: policy.hasher().iterations(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hsts_is_read_as_browsers_read_it() {
        let of = |text: &'static str| hsts(&HeaderValue::from_static(text));
        let all = of("max-age=31536000; includeSubDomains; preload").unwrap();
        assert_eq!((all.seconds, all.subdomains, all.preload), (31_536_000, true, true));
        assert!(of("max-age=1").is_some_and(|hsts| !hsts.subdomains && !hsts.preload));
        assert!(of("includeSubDomains").is_none());
    }
}
