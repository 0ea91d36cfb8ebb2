//! Redirects that a path alone decides on, and addresses built from a location: a browser stays on
//! the site.
//!
//! The input's first line is a path with its query, the second a location.
#![no_main]

use donjon::canonical::{CanonicalPolicy, Decision, decide, missing};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Site, SitePolicy};
use donjon_core::url::{Scheme, full_path, is_safe_redirect};
use http::{HeaderMap, HeaderValue, Uri, header};
use libfuzzer_sys::fuzz_target;
use url::Url;

const HOST: &str = "bank.example";

fuzz_target!(|text: &str| {
    let (target, location) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(uri) = target.parse::<Uri>() else { return };
    if uri.authority().is_some() || !uri.path().starts_with('/') {
        return;
    }
    let site = site();
    let policy = CanonicalPolicy::default().append_slash(|path| path.ends_with('/')).prepend_www();
    if let Some(address) = missing(&policy, &uri) {
        stays(&address, HOST);
        assert!(address.split('?').next().is_some_and(|path| path.ends_with('/')), "{address}");
    }
    let Decision::Redirect(address) = decide(&policy, Some(&site), &HeaderMap::new(), &uri) else {
        panic!("there is no www yet")
    };
    stays(&address, "www.bank.example");
    stays(&site.page_uri(&uri).expect("a host"), HOST);
    escaped_once_is_escaped(&uri);
    if is_safe_redirect(location, &[HOST], Scheme::Http) {
        if let Ok(address) = site.absolute_uri(&uri, location) {
            stays(&address, HOST);
        }
    }
});

fn stays(address: &str, host: &str) {
    HeaderValue::from_str(address).expect("a header");
    assert!(address.is_ascii() && !address.contains(|c: char| c.is_ascii_control()), "{address}");
    let page = Url::parse("http://bank.example/page/").expect("a URL");
    let read = page.join(address).expect("a browser reads it");
    assert_eq!(
        (read.scheme(), read.host_str(), read.username()),
        ("http", Some(host), ""),
        "{address}"
    );
}

fn escaped_once_is_escaped(uri: &Uri) {
    let once = full_path(uri);
    let again: Uri = once.parse().expect("a path");
    assert_eq!(full_path(&again), once);
}

fn site() -> Site {
    let hosts = AllowedHosts::new([HOST]).expect("a host");
    let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(HOST))]);
    SitePolicy::new(hosts).resolve(&headers, None, None)
}
