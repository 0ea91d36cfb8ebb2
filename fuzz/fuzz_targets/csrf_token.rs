//! Tokens and secrets: what a client sends is parsed or refused, and a mask comes off again.
#![no_main]

use donjon::csrf::{
    CsrfPolicy, CsrfSecret, SECRET_LENGTH, Stored, Submitted, SubmittedToken, TOKEN_LENGTH, compare,
};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUV";

fuzz_target!(|text: &str| {
    let own = CsrfSecret::parse(SECRET).expect("a secret");
    only_well_formed_text_parses(text);
    only_the_own_secret_passes(&own, text);
    let Ok(secret) = CsrfSecret::parse(text) else { return };
    masks_come_off(&secret, text);
});

fn only_well_formed_text_parses(text: &str) {
    let length = matches!(text.len(), SECRET_LENGTH | TOKEN_LENGTH);
    let characters = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    assert_eq!(SubmittedToken::parse(text).is_ok(), length && characters);
}

fn only_the_own_secret_passes(own: &CsrfSecret, text: &str) {
    let submitted = Submitted { body: Some(text.into()), header: None };
    let stored = Stored::Secret(own.clone());
    let passes = compare(&CsrfPolicy::default(), &stored, &submitted, "").is_ok();
    assert_eq!(passes, unmasked(text).as_deref() == Some(SECRET));
    let hardened = CsrfPolicy::hardened("sessionid");
    assert!(compare(&hardened, &stored, &submitted, "a session").is_err());
}

/// Django's unmasking, written as its Python is.
fn unmasked(token: &str) -> Option<String> {
    let alphabet: Vec<char> = ('a'..='z').chain('A'..='Z').chain('0'..='9').collect();
    let places: Option<Vec<usize>> =
        token.chars().map(|c| alphabet.iter().position(|&known| known == c)).collect();
    match places?.as_slice() {
        plain if plain.len() == SECRET_LENGTH => Some(token.to_owned()),
        masked if masked.len() == TOKEN_LENGTH => {
            let (mask, cipher) = masked.split_at(SECRET_LENGTH);
            Some(cipher.iter().zip(mask).map(|(c, m)| alphabet[(62 + c - m) % 62]).collect())
        }
        _ => None,
    }
}

fn masks_come_off(secret: &CsrfSecret, text: &str) {
    assert_eq!(unmasked(text).as_deref(), Some(secret.expose()));
    let mask: [u8; SECRET_LENGTH] = text.as_bytes()[..SECRET_LENGTH].try_into().expect("32 bytes");
    for token in [secret.mask_with(&mask), secret.mask(), secret.expose().to_owned()] {
        assert!(SubmittedToken::parse(&token).expect("a token").matches(secret));
    }
}
