//! Origins: of all that a browser sends as one, only those are trusted that the list means.
#![no_main]

use donjon_core::origin::TrustedOrigins;
use libfuzzer_sys::fuzz_target;
use url::Url;

const APP: &str = "https://app.example";
const STRANGER: &str = "evil.test";

fuzz_target!(|text: &str| {
    let trusted = TrustedOrigins::new([APP, "https://*.shop.example"]).expect("origins");
    if trusted.trusts(text) && is_sent(text) {
        let host = text.strip_prefix("https://").expect("a trusted scheme");
        assert!(text == APP || host == "shop.example" || host.ends_with(".shop.example"), "{text}");
    }
    if let Ok(own) = TrustedOrigins::new([text]) {
        assert!(own.iter().eq([text.to_owned()]));
        assert!(text.contains('*') || own.trusts(text), "{text}");
        nobody_else_is_trusted(&own, text);
    }
});

/// Does a browser (WHATWG) write the origin of some page like this?
fn is_sent(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}

fn nobody_else_is_trusted(own: &TrustedOrigins, text: &str) {
    let scheme = text.split("://").next().expect("a first part");
    for stranger in [
        format!("{text}.{STRANGER}"),
        format!("{text}-{STRANGER}"),
        format!("{text}:444"),
        format!("{scheme}://{STRANGER}"),
        "null".to_owned(),
    ] {
        let means_it =
            text.contains(STRANGER) || (text.contains('*') && STRANGER.ends_with(tail(text)));
        assert!(means_it || !own.trusts(&stranger), "{text} trusts {stranger}");
    }
}

/// What stands behind the star.
fn tail(text: &str) -> &str {
    text.split('*').next_back().unwrap_or_default()
}
