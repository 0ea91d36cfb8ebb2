//! Catalogues of any bytes: reading ends with a catalogue or an error, and asking it with a text. The same bytes as a
//! plural rule and as a format of dates.
#![no_main]

use donjon_html::locale::{Catalogue, LocaleSettings, MAX_MESSAGES, PluralRule};
use donjon_html::template::DateTime;
use libfuzzer_sys::fuzz_target;

fn ask(catalogue: Catalogue) {
    assert!(catalogue.len() <= MAX_MESSAGES);
    let locale = LocaleSettings::new().catalogue("de", catalogue).into_languages().locale("de-at");
    let _ = locale.translate(Some("a"), "b");
    let _ = locale.translate_plural(None, "a", "b", 7);
    let _ = locale.localize(&DateTime::from_epoch_seconds(0).into());
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(catalogue) = Catalogue::from_mo(bytes) {
        ask(catalogue);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(catalogue) = Catalogue::from_po(text) {
        ask(catalogue);
    }
    if let Ok(rule) = PluralRule::parse(text) {
        let _ = [0, 1, 2, u64::MAX].map(|n| rule.index(n));
    }
    let _ = DateTime::from_epoch_micros(i64::MAX).format(text);
    if let Some(moment) = DateTime::parse_iso(text) {
        assert!(DateTime::parse_iso(&moment.to_string()).is_some());
    }
});
