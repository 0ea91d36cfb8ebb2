//! The cookie of messages: any text is refused without a panic, and whatever was signed is read as
//! messages or not at all.
#![no_main]

use donjon::messages::decode;
use donjon_core::secret::Keys;
use donjon_core::signing::{Compress, CookieSigner};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let signer = CookieSigner::new(&Keys::new("a key of the fuzzer")).salted("messages");
    assert_eq!(decode(&signer, text), None);
    let signed = signer.sign_payload(text.as_bytes(), Compress::WhereShorter);
    if let Some(decoded) = decode(&signer, &signed) {
        assert!(text.starts_with('[') || text.trim_start().starts_with('['), "{text}");
        assert!(decoded.messages.len() <= text.len());
    }
});
