//! Which names the site answers to, and who is believed.

use crate::check::facts::{Facts, Hosts, Network};
use crate::check::finding::{Level, Rule, Test, When};

use super::{DJANGO, one};

/// Networks of fewer bits than a quarter of an address are no proxies: `/8`, `/32`.
const NARROWEST: u8 = 4;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "security.W020",
        level: Level::Warning,
        when: When::Deploy,
        title: "The site answers to its own machine only.",
        explanation: "Visitors get 400 for every address that has the site's name in it.",
        hint: "Name the hosts: SitePolicy::new(AllowedHosts::new([\"example.com\"])?).",
        asvs: &[],
        source: DJANGO,
        test: Test::Stack(|facts| {
            one((facts.hosts == Hosts::OwnMachine).then_some("host: AllowedHosts::local"))
        }),
    },
    Rule {
        code: "donjon.W001",
        level: Level::Warning,
        when: When::Always,
        title: "The site answers to any host.",
        explanation: "Whatever is built from the host, like a link in a mail that resets a password, goes where an \
                      attacker says; caches are poisoned the same way.",
        hint: "Name the hosts: AllowedHosts::new([\"example.com\", \".example.org\"])?.",
        asvs: &["1.2.2", "3.7.2"],
        source: "https://docs.djangoproject.com/en/6.0/topics/security/#host-header-validation",
        test: Test::Stack(|facts| {
            one((facts.hosts == Hosts::Any).then_some("host: AllowedHosts::danger_any"))
        }),
    },
    Rule {
        code: "donjon.W002",
        level: Level::Warning,
        when: When::Always,
        title: "A forwarded header is believed whoever sends it.",
        explanation: "Any client that reaches the site past its proxy makes scheme or host up, and with them Secure \
                      cookies, redirects and the CSRF check.",
        hint: "Name the proxy by address instead: SitePolicy::trust_proxy(\"10.0.0.0/8\".parse()?).",
        asvs: &["4.1.3"],
        source: "https://docs.djangoproject.com/en/6.0/ref/settings/#secure-proxy-ssl-header",
        test: Test::Stack(|facts| {
            facts.believed.iter().map(|setting| format!("host: SitePolicy::{setting}")).collect()
        }),
    },
    Rule {
        code: "donjon.W003",
        level: Level::Warning,
        when: When::Always,
        title: "The trusted network is so wide that clients are in it.",
        explanation: "Each of them is believed as a proxy: it makes scheme, host and its own address up.",
        hint: "Name the addresses of the proxies, not those of the world.",
        asvs: &["4.1.3"],
        source: "https://datatracker.ietf.org/doc/html/rfc7239#section-8.1",
        test: Test::Stack(wide_networks),
    },
    Rule {
        code: "donjon.I004",
        level: Level::Info,
        when: When::Deploy,
        title: "The last hops are believed, whoever they are.",
        explanation: "A client that reaches the site past its proxies makes scheme, host and its own address up.",
        hint: "Name the proxies by address: SitePolicy::trust_proxy; or see that nobody else can connect.",
        asvs: &["4.1.3"],
        source: "https://datatracker.ietf.org/doc/html/rfc7239#section-8.1",
        test: Test::Stack(|facts| {
            let place = format!("host: SitePolicy::trust_hops({})", facts.hops);
            one((facts.hops > 0).then_some(&place))
        }),
    },
];

fn wide_networks(facts: &Facts) -> Vec<String> {
    let wide = |network: &&Network| network.prefix < network.address_bits / NARROWEST;
    let proxies = facts.proxies.iter().filter(wide);
    proxies.map(|network| format!("host: SitePolicy::trust_proxy({})", network.text)).collect()
}
