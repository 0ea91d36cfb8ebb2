//! URLs that a client gave: where a redirect is called safe, a browser stays on the site.
#![no_main]

use donjon_core::origin::{Scheme, is_safe_redirect, split_url};
use libfuzzer_sys::fuzz_target;
use url::Url;

const HOSTS: [&str; 2] = ["bank.example", "shop.example:8443"];

fuzz_target!(|text: &str| {
    if let Ok(split) = split_url(text) {
        assert!(!split.netloc.contains(['/', '?', '#', '\t', '\r', '\n']));
        assert!(!split.scheme.contains(|c: char| c.is_ascii_uppercase() || c == ':'));
    }
    for scheme in [Scheme::Http, Scheme::Https] {
        if is_safe_redirect(text, &HOSTS, scheme) {
            a_browser_stays(text, scheme);
        }
    }
});

/// Reads the URL as a browser does (WHATWG), on a page of the site.
fn a_browser_stays(text: &str, scheme: Scheme) {
    let page = format!("{}://bank.example/login/?next=x", scheme.as_str());
    let Ok(target) = Url::parse(&page).expect("a URL").join(text) else { return };
    assert!(matches!(target.scheme(), "http" | "https"), "{target}");
    assert!(scheme == Scheme::Http || target.scheme() == "https", "{target}");
    let host = target.host_str().unwrap_or_default();
    let host = target.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
    assert!(HOSTS.contains(&host.as_str()), "{target}");
}
