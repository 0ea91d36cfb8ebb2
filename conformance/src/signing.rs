//! `signing.jsonl.gz`: signers, signed objects and signed cookies.

use std::time::Duration;

use donjon_core::clock::Clock;
use donjon_core::signing::{
    Algorithm, Compress, CookieSigner, Signer, SigningError, TimestampSigner, base62_decode,
    base62_encode, from_json,
};
use serde_json::{Value, json};

use crate::case::{Answer, Case, Unanswered, keys, text};

/// Answers a case of any of the kinds of signing.
///
/// # Errors
/// [`Unanswered`].
pub fn answer(case: &Case) -> Answer {
    match case.kind() {
        "b62" => base62(case),
        "signature" => signature(case),
        "sign" => sign(case),
        "unsign" => unsign(case),
        "sign_object" => sign_object(case),
        "unsign_object" => unsign_object(case),
        "signer_new" => signer_new(case),
        "set_signed_cookie" => set_signed_cookie(case),
        "get_signed_cookie" => get_signed_cookie(case),
        other => Err(Unanswered::NotBuilt(other.to_owned())),
    }
}

fn base62(case: &Case) -> Answer {
    if case.has("int") {
        return Ok(json!({"text": base62_encode(case.integer("int")?)}));
    }
    let number = base62_decode(case.text("text")?).map(|number| number.to_string());
    Ok(match number.and_then(|digits| serde_json::from_str::<Value>(&digits).ok()) {
        Some(number) => json!({"int": number}),
        None => json!({"error": "other"}),
    })
}

/// The signer of a case, of either class: whether it adds the time is for its user to say.
fn signer(case: &Case) -> Result<Result<Signer, SigningError>, Unanswered> {
    let signer = case.field("signer");
    let keys = keys(&signer["key"], &signer["fallback_keys"])?;
    let (salt, separator) = (text(&signer["salt"], "salt")?, text(&signer["sep"], "sep")?);
    let algorithm = Algorithm::from_name(text(&signer["algorithm"], "algorithm")?);
    Ok(algorithm.and_then(|algorithm| {
        Signer::new(&keys).salt(salt).algorithm(algorithm).separator(separator)
    }))
}

/// Does the case speak of a `TimestampSigner`?
fn is_timed(case: &Case) -> bool {
    case.field("signer")["class"] == "TimestampSigner"
}

fn outcome<T>(name: &str, result: Result<T, SigningError>) -> Value
where
    Value: From<T>,
{
    match result {
        Ok(value) => json!({name: Value::from(value)}),
        Err(error) => json!({"error": error_name(error)}),
    }
}

fn error_name(error: SigningError) -> &'static str {
    match error {
        SigningError::BadSignature => "BadSignature",
        SigningError::Expired => "SignatureExpired",
        SigningError::UnsafeSeparator => "unsafe_separator",
        SigningError::UnknownAlgorithm => "unknown_algorithm",
        _ => "other",
    }
}

/// A clock and the age that it allows. An age below zero is one of zero on a clock that is ahead.
fn allowed_age(case: &Case) -> (Clock, Option<Duration>) {
    let seconds = case.field("max_age").as_f64();
    let ahead = seconds.filter(|seconds| *seconds < 0.0).map(|seconds| -seconds.floor() as i64);
    let clock = Clock::fixed(case.now().plus_seconds(ahead.unwrap_or_default()));
    (clock, seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}

fn signature(case: &Case) -> Answer {
    let value = case.bytes("value")?;
    Ok(outcome("signature", signer(case)?.map(|signer| signer.signature(&value))))
}

fn sign(case: &Case) -> Answer {
    let value = case.text("value")?;
    let sign = |signer: Signer| match is_timed(case) {
        true => TimestampSigner::from(signer).clock(case.clock()).sign(value),
        false => signer.sign(value),
    };
    Ok(outcome("signed", signer(case)?.map(sign)))
}

fn unsign(case: &Case) -> Answer {
    let signed = case.text("signed")?;
    let (clock, max_age) = allowed_age(case);
    let unsign = |signer: Signer| match is_timed(case) {
        true => TimestampSigner::from(signer).clock(clock).unsign(signed, max_age),
        false => signer.unsign(signed),
    };
    Ok(outcome("value", signer(case)?.and_then(unsign)))
}

fn sign_object(case: &Case) -> Answer {
    let payload = case.text("json")?.as_bytes();
    let compress = match case.field("compress") {
        Value::Bool(true) => Compress::WhereShorter,
        _ => Compress::Never,
    };
    let signed = signer(case)?.map(|signer| match is_timed(case) {
        true => TimestampSigner::from(signer).clock(case.clock()).sign_payload(payload, compress),
        false => signer.sign_payload(payload, compress),
    });
    match signed {
        Ok(signed) => packed(case, "signed", &signed, &unpack(case, &signed)?, payload),
        Err(error) => Ok(json!({"error": error_name(error)})),
    }
}

/// What was signed, and whether compressed. Two packers need not write the same bytes: what is
/// compressed counts as equal if it unpacks to the payload.
pub(crate) fn packed(
    case: &Case,
    name: &str,
    signed: &str,
    unpacked: &Result<Vec<u8>, SigningError>,
    payload: &[u8],
) -> Answer {
    let compressed = signed.starts_with('.');
    let whole = unpacked.as_deref() == Ok(payload);
    let shown = match compressed && whole {
        true => case.expect()[name].clone(),
        false => Value::from(signed),
    };
    Ok(json!({name: shown, "compressed": compressed}))
}

fn unpack(case: &Case, signed: &str) -> Result<Result<Vec<u8>, SigningError>, Unanswered> {
    let (clock, max_age) = allowed_age(case);
    Ok(signer(case)?.and_then(|signer| match is_timed(case) {
        true => TimestampSigner::from(signer).clock(clock).unsign_payload(signed, max_age),
        false => signer.unsign_payload(signed),
    }))
}

fn unsign_object(case: &Case) -> Answer {
    let payload = unpack(case, case.text("signed")?)?;
    Ok(match payload.and_then(|json| from_json(&json)) {
        Ok::<Value, _>(value) => json!({"json": same_json(case, &value)}),
        Err(error) => json!({"error": error_name(error)}),
    })
}

/// The expected text, if it is the same JSON value as this one; this one's own otherwise.
pub(crate) fn same_json(case: &Case, value: &Value) -> Value {
    let expected = &case.expect()["json"];
    let parsed = expected.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    if parsed.as_ref() == Some(value) { expected.clone() } else { Value::from(value.to_string()) }
}

fn signer_new(case: &Case) -> Answer {
    Ok(outcome("ok", signer(case)?.map(|_| true)))
}

fn cookie_signer(case: &Case) -> Result<CookieSigner, Unanswered> {
    let signer = CookieSigner::new(&case.keys()?).clock(case.clock());
    Ok(match case.setting("SIGNED_COOKIE_LEGACY_SALT_FALLBACK") {
        Value::Bool(true) => signer.danger_accept_legacy_salt(),
        _ => signer,
    })
}

fn set_signed_cookie(case: &Case) -> Answer {
    let (name, value, salt) = (case.text("name")?, case.text("value")?, case.text("salt")?);
    Ok(json!({"cookie_value": cookie_signer(case)?.sign(name, value, salt)}))
}

fn get_signed_cookie(case: &Case) -> Answer {
    let (clock, max_age) = allowed_age(case);
    let signer = cookie_signer(case)?.clock(clock);
    let (name, signed, salt) = (case.text("name")?, case.text("cookie_value")?, case.text("salt")?);
    Ok(outcome("value", signer.unsign(name, signed, salt, max_age)))
}
