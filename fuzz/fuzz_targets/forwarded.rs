//! Forwarded headers: nobody but a trusted proxy is believed, and what a client puts in front of a
//! proxy's word changes nothing.
//!
//! Each line of the input is a header.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Connection, Scheme, Site, SitePolicy};
use donjon_core::proxy::ForwardedHeader;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const VISITOR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fuzz_target!(|data: &[u8]| {
    let headers = headers(data);
    for header in [ForwardedHeader::XForwarded, ForwardedHeader::Rfc7239] {
        for policy in [by_network(), by_hops(1), by_hops(3)] {
            let policy = policy.forwarded_header(header);
            let site = site(&policy, &headers, PROXY);
            a_client_changes_nothing(&policy, &headers, &site);
        }
    }
    nothing_is_read_of_others(&headers);
});

fn nothing_is_read_of_others(headers: &HeaderMap) {
    let mut bare = HeaderMap::new();
    for host in headers.get_all("host") {
        bare.append("host", host.clone());
    }
    let (read, own) = (site(&by_network(), headers, VISITOR), site(&by_network(), &bare, VISITOR));
    assert_eq!((read.origin(), read.port()), (own.origin(), own.port()));
    assert_eq!((read.client(), read.scheme()), (Some(VISITOR), Scheme::Http));
}

/// What a client sends stands left of what the proxies add.
fn a_client_changes_nothing(policy: &SitePolicy, headers: &HeaderMap, site: &Site) {
    let Some(client) = site.client() else { panic!("a peer is known") };
    let own = |ip: IpAddr| matches!(ip, IpAddr::V4(ip) if ip.octets()[0] == 10);
    if site.host().is_err() || own(client) {
        return;
    }
    for (name, made_up) in
        [("x-forwarded-for", "evil, 203.0.113.66, "), ("forwarded", "for=\"evil, ")]
    {
        let Some(value) = headers.get(name) else { continue };
        let longer = [made_up.as_bytes(), value.as_bytes()].concat();
        let mut forged = headers.clone();
        forged.insert(name, HeaderValue::from_bytes(&longer).expect("a header"));
        let forged = self::site(policy, &forged, PROXY);
        assert!(forged.host().is_err() || forged.client() == Some(client), "{headers:?}");
    }
}

fn by_network() -> SitePolicy {
    policy().trust_proxy("10.0.0.0/8".parse().expect("a network"))
}

fn by_hops(hops: u8) -> SitePolicy {
    policy().trust_hops(hops)
}

fn policy() -> SitePolicy {
    SitePolicy::new(AllowedHosts::new(["bank.example", ".shop.example"]).expect("hosts"))
}

fn site(policy: &SitePolicy, headers: &HeaderMap, peer: IpAddr) -> Site {
    let local = SocketAddr::from(([10, 0, 0, 9], 8000));
    let connection =
        Connection { peer: SocketAddr::new(peer, 50_000), local, scheme: Scheme::Http };
    policy.resolve(headers, None, Some(&connection))
}

fn headers(lines: &[u8]) -> HeaderMap {
    let header = |line: &[u8]| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((name, value))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.split(|&byte| byte == b'\n').filter_map(header) {
        headers.append(name, value);
    }
    headers
}
