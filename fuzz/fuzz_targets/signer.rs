//! Signed values: any text is refused without a panic, and only what was signed comes back.
#![no_main]

use std::time::Duration;

use donjon_core::secret::Keys;
use donjon_core::signing::{
    Compress, CookieSigner, Signer, TimestampSigner, base62_decode, base62_encode,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let keys = Keys::new("a key of the fuzzer").fallback("an older key");
    unsigned_text_is_refused(&keys, text);
    signed_text_comes_back(&keys, text);
    any_payload_may_be_signed(&keys, text);
    if let Some(number) = base62_decode(text) {
        assert_eq!(base62_decode(&base62_encode(number)), Some(number));
    }
});

fn unsigned_text_is_refused(keys: &Keys, text: &str) {
    let signer = TimestampSigner::new(keys);
    assert!(Signer::new(keys).unsign(text).is_err());
    assert!(signer.unsign(text, None).is_err());
    assert!(signer.loads::<serde_json::Value>(text, Some(Duration::MAX)).is_err());
    assert!(CookieSigner::new(keys).unsign("name", text, "", None).is_err());
}

fn signed_text_comes_back(keys: &Keys, text: &str) {
    let (signer, timed) = (Signer::new(keys), TimestampSigner::new(keys));
    let old = Signer::new(&Keys::new("an older key"));
    let signed = signer.sign(text);
    assert_eq!(signer.unsign(&signed), Ok(text));
    assert_eq!(signer.unsign(&old.sign(text)), Ok(text));
    assert_eq!(timed.unsign(&timed.sign(text), Some(Duration::MAX)), Ok(text));
    assert!(timed.unsign(&signed, None).is_err());
    let cookies = CookieSigner::new(keys);
    assert_eq!(cookies.unsign("a", &cookies.sign("a", text, ""), "", None), Ok(text));
    assert!(cookies.unsign("b", &cookies.sign("a", text, ""), "", None).is_err());
    one_changed_byte_is_refused(&signer, &signed);
}

fn one_changed_byte_is_refused(signer: &Signer, signed: &str) {
    let mut bytes = signed.as_bytes().to_vec();
    let place = bytes.iter().fold(0, |sum, &byte| (sum * 31 + usize::from(byte)) % signed.len());
    bytes[place] ^= 1;
    if let Ok(forged) = std::str::from_utf8(&bytes) {
        assert!(signer.unsign(forged).is_err());
    }
}

/// Text that the site itself signed, and that is no base64, no zlib or no JSON.
fn any_payload_may_be_signed(keys: &Keys, text: &str) {
    let signer = TimestampSigner::new(keys);
    let signed = signer.sign(text);
    if let Ok(payload) = signer.unsign_payload(&signed, None) {
        let again = signer.sign_payload(&payload, Compress::WhereShorter);
        assert_eq!(signer.unsign_payload(&again, None), Ok(payload));
    }
    if let Ok(value) = signer.loads::<serde_json::Value>(&signed, None) {
        let again = signer.dumps(&value, Compress::WhereShorter).expect("it was JSON");
        assert_eq!(signer.loads(&again, None), Ok(value));
    }
}
