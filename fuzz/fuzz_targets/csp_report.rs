//! Reports of violations: whatever is sent, what is kept is bounded and has no secrets.
#![no_main]

use std::collections::HashSet;

use donjon::csp::report::{ADDRESS_LIMIT, Format, OwnPages, REPORTS_LIMIT, SAMPLE_LIMIT, read};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Site, SitePolicy, TrustedOrigins};
use donjon_core::violation::{Batch, Sighting};
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let (site, trusted) = (site(), TrustedOrigins::none());
    let own = OwnPages { site: Some(&site), trusted: &trusted };
    for format in [Format::Legacy, Format::Reporting] {
        let batch = read(format, body, &own);
        bounded(&batch);
        batch.sightings().iter().for_each(harmless);
        let unowned = OwnPages { site: None, trusted: &trusted };
        assert!(read(format, body, &unowned).sightings().is_empty(), "nobody's page");
    }
});

fn site() -> Site {
    let hosts = AllowedHosts::new(["bank.example"]).expect("a host");
    let host = HeaderValue::from_static("bank.example");
    SitePolicy::new(hosts).resolve(&HeaderMap::from_iter([(header::HOST, host)]), None, None)
}

fn bounded(batch: &Batch) {
    let count: u64 = batch.sightings().iter().map(|seen| seen.count).sum();
    assert!(count <= REPORTS_LIMIT as u64);
    let different: HashSet<_> = batch.sightings().iter().map(|seen| &seen.violation).collect();
    assert_eq!(different.len(), batch.sightings().len());
}

fn harmless(seen: &Sighting) {
    let violation = &seen.violation;
    assert!(violation.document.starts_with('/'), "{violation:?}");
    for address in [&violation.document, &violation.blocked, &violation.source] {
        assert!(address.chars().count() <= ADDRESS_LIMIT);
        assert!(!address.contains(['?', '#', ' ']), "{address}");
        assert!(address.chars().all(|c| c.is_ascii_graphic() || c == '…'), "{address}");
        // A path of the site may well have another address in it.
        let elsewhere = address.split_once("://").filter(|_| !address.starts_with('/'));
        let authority = elsewhere.and_then(|(_, rest)| rest.split('/').next());
        assert!(!authority.unwrap_or_default().contains('@'), "{address}");
    }
    assert!(!violation.blocked.is_empty() && !violation.blocked_source().is_empty());
    assert!(seen.sample.chars().count() <= SAMPLE_LIMIT);
    assert!(!seen.sample.chars().any(char::is_control), "{:?}", seen.sample);
}
