//! Hosts: what is allowed, a browser takes for one of the site's too.
#![no_main]

use donjon_core::host::{AllowedHosts, is_same_domain, split_host};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|text: &str| {
    let (name, port) = split_host(text);
    assert!(port.bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(AllowedHosts::danger_any().allows(text), !name.is_empty());
    let hosts = AllowedHosts::new(["bank.example", ".shop.example", "[::1]"]).expect("hosts");
    if hosts.allows(text) {
        let patterns = ["bank.example", ".shop.example", "[::1]"];
        assert!(patterns.iter().any(|pattern| is_same_domain(&name, pattern)), "{text}");
        a_browser_agrees(text);
    }
});

/// Reads the host as a browser does (WHATWG). A port that is none, it refuses.
fn a_browser_agrees(host: &str) {
    let Ok(url) = Url::parse(&format!("http://{host}/x")) else { return };
    let read = url.host_str().unwrap_or_default();
    let read = read.strip_suffix('.').unwrap_or(read);
    let own = matches!(read, "bank.example" | "shop.example" | "[::1]");
    assert!(own || read.ends_with(".shop.example"), "{host} is {read}");
    assert_eq!((url.path(), url.username()), ("/x", ""), "{host}");
}
