//! Where a visitor in clear is sent: never a panic, never to another host, never on.
//!
//! The input's first line is the request's address, the second its `Host`.
#![no_main]

use donjon::https::{Decision, HttpsPolicy, MAX_ADDRESS, Refusal, Spelling, decide};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Site, SitePolicy};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(2, |&byte| byte == b'\n');
    let Ok(uri) = Uri::try_from(lines.next().unwrap_or_default()) else { return };
    let site = site(lines.next().unwrap_or_default());
    for spelling in [Spelling::AsSent, Spelling::Django] {
        must_stay_on_the_site(spelling, &site, &uri);
    }
});

fn must_stay_on_the_site(spelling: Spelling, site: &Site, uri: &Uri) {
    let policy = HttpsPolicy::default().redirect().spelling(spelling);
    let policy = policy.exempt_patterns(["^open/"]).expect("a pattern");
    match decide(&policy, site, &Method::GET, uri) {
        Decision::Redirect { address, .. } => {
            let host = site.host().expect("a host that the site answers to");
            assert!(address.starts_with(&format!("https://{}/", host.as_str())), "{address}");
            assert!(address.len() <= MAX_ADDRESS);
            assert!(address.bytes().all(|byte| byte.is_ascii_graphic()), "{address}");
        }
        Decision::Refuse(Refusal::UnknownHost) => assert!(site.host().is_err()),
        Decision::Refuse(Refusal::TooLong) => assert!(uri.to_string().len() * 3 > MAX_ADDRESS / 2),
        Decision::Pass => assert!(uri.path().contains("en") || uri.path().contains('%')),
    }
}

fn site(host: &[u8]) -> Site {
    let hosts = AllowedHosts::new(["bank.example", ".shop.example"]).expect("hosts");
    let mut headers = HeaderMap::new();
    if let Ok(host) = HeaderValue::from_bytes(host) {
        headers.insert(header::HOST, host);
    }
    SitePolicy::new(hosts).resolve(&headers, None, None)
}
