//! Django's signed values, byte for byte (`django.core.signing`).
//!
//! Stops: clients that change a value which the site handed out, that use a value for another
//! purpose than it was signed for, or that keep using it for ever.
//!
//! 1. A signature is `base64url(HMAC(H(salt ‖ "signer" ‖ key), value))`, without padding; H is
//!    SHA-256 unless another [`Algorithm`] is named.
//! 2. A signed value is `value ‖ separator ‖ signature`, parted again at the *last* separator.
//! 3. The current key signs; the fallbacks are still believed. Every comparison takes constant
//!    time.
//! 4. The salt names the purpose: a value that was signed under one salt fails under another.
//! 5. [`TimestampSigner`] adds the second of signing in base 62 and refuses what is older than the
//!    age that the reader allows.
//! 6. [`dumps`](TimestampSigner::dumps) and [`loads`](TimestampSigner::loads) sign JSON, in base64
//!    and, where that is [wanted](Compress), compressed. What comes in is limited to [`MAX_SIGNED`] bytes, what
//!    it decompresses to, to [`MAX_PAYLOAD`].
//!
//! Spec: Django's `django/core/signing.py` and `django/utils/crypto.py`.
//!
//! ```
//! use donjon_core::secret::Keys;
//! use donjon_core::signing::Signer;
//!
//! let keys = Keys::new("donjon-test-secret-key-0123456789abcdefghijklmnopqrstuvwxyz");
//! let signer = Signer::new(&keys);
//! let signed = signer.sign("hello");
//! assert_eq!(signed, "hello:rTQBOPgQKejhh19WGccErpzVRxLhnJNxJRdrMXkyOuA");
//! assert_eq!(signer.unsign(&signed), Ok("hello"));
//! ```

use std::cell::RefCell;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use flate2::{
    Compress as Packer, Compression, Decompress as Unpacker, FlushCompress, FlushDecompress, Status,
};
use hmac::digest::{Digest, Output, Update, common::BlockSizeUser};
use hmac::{KeyInit, Mac as _, SimpleHmac};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::{Clock, UnixTime};
use crate::secret::{Keys, SecretKey, equal};

/// The longest signed value that is looked at, in bytes.
pub const MAX_SIGNED: usize = 4 * 1024 * 1024;

/// The longest payload that a signed object may decompress to, in bytes.
pub const MAX_PAYLOAD: usize = 16 * 1024 * 1024;

/// The hash behind a signature, by Django's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256: the default.
    Sha256,
    /// SHA-224.
    Sha224,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA3-256.
    Sha3_256,
    /// BLAKE2b with 64 bytes.
    Blake2b,
    /// SHA-1, for values that an old site signed.
    Sha1,
    /// MD5, for values that an old site signed.
    Md5,
}

impl Algorithm {
    /// The algorithm that Python's `hashlib` has under this name, in lower case.
    ///
    /// # Errors
    /// [`SigningError::UnknownAlgorithm`] for any other name.
    pub fn from_name(name: &str) -> Result<Self, SigningError> {
        Ok(match name {
            "sha256" => Self::Sha256,
            "sha224" => Self::Sha224,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            "sha3_256" => Self::Sha3_256,
            "blake2b" => Self::Blake2b,
            "sha1" => Self::Sha1,
            "md5" => Self::Md5,
            _ => return Err(SigningError::UnknownAlgorithm),
        })
    }
}

/// The bytes of a message authentication code: 16 to 64 of them.
#[derive(Clone)]
pub struct Tag {
    bytes: [u8; 64],
    len: usize,
}

impl Tag {
    fn new(output: &[u8]) -> Self {
        let mut bytes = [0; 64];
        bytes[..output.len()].copy_from_slice(output);
        Self { bytes, len: output.len() }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Lower-case hexadecimal, Python's `hexdigest()`.
    #[must_use]
    pub fn to_hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |value: u8| DIGITS[usize::from(value & 15)];
        let mut hex = vec![0; 2 * self.len];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.as_bytes()) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(*byte)]);
        }
        // Digits are ASCII.
        String::from_utf8(hex).unwrap_or_default()
    }

    fn to_base64(&self) -> String {
        Base64UrlUnpadded::encode_string(self.as_bytes())
    }
}

/// A keyed hash of `value`, for the purpose that `salt` names: `HMAC(H(salt ‖ key), value)`.
///
/// Django: `django.utils.crypto.salted_hmac`.
#[must_use]
pub fn salted_hmac(salt: &[u8], value: &[u8], key: &SecretKey, algorithm: Algorithm) -> Tag {
    match algorithm {
        Algorithm::Sha256 => hmac_of::<sha2::Sha256>(salt, value, key),
        Algorithm::Sha224 => hmac_of::<sha2::Sha224>(salt, value, key),
        Algorithm::Sha384 => hmac_of::<sha2::Sha384>(salt, value, key),
        Algorithm::Sha512 => hmac_of::<sha2::Sha512>(salt, value, key),
        Algorithm::Sha3_256 => hmac_of::<sha3::Sha3_256>(salt, value, key),
        Algorithm::Blake2b => hmac_of::<blake2::Blake2b512>(salt, value, key),
        Algorithm::Sha1 => hmac_of::<sha1::Sha1>(salt, value, key),
        Algorithm::Md5 => hmac_of::<md5::Md5>(salt, value, key),
    }
}

/// `H(salt ‖ key)`: the key for one purpose.
fn derived_key<D: Digest + Update>(salt: &[u8], key: &SecretKey) -> Output<D> {
    D::new().chain(salt).chain(key.expose()).finalize()
}

fn hmac_of<D: Digest + BlockSizeUser + Update>(salt: &[u8], value: &[u8], key: &SecretKey) -> Tag {
    let derived = derived_key::<D>(salt, key);
    // HMAC takes a key of any length, so this never fails; a tag of no bytes matches nothing.
    match SimpleHmac::<D>::new_from_slice(&derived) {
        Ok(mut mac) => {
            hmac::Mac::update(&mut mac, value);
            Tag::new(&mac.finalize().into_bytes())
        }
        Err(_) => Tag::new(&[]),
    }
}

/// [`salted_hmac`] with SHA-256 for one salt and key, kept ready: half of the work is done once.
#[derive(Clone)]
pub struct SaltedMac(Option<hmac::Hmac<sha2::Sha256>>);

impl SaltedMac {
    /// For the purpose that `salt` names, under this key.
    #[must_use]
    pub fn new(salt: &[u8], key: &SecretKey) -> Self {
        // HMAC takes a key of any length, so this never fails.
        Self(hmac::Hmac::new_from_slice(&derived_key::<sha2::Sha256>(salt, key)).ok())
    }

    /// The keyed hash of `value`.
    #[must_use]
    pub fn hash(&self, value: &[u8]) -> Tag {
        match self.0.clone() {
            Some(mut mac) => {
                hmac::Mac::update(&mut mac, value);
                Tag::new(&mac.finalize().into_bytes())
            }
            None => Tag::new(&[]),
        }
    }
}

impl fmt::Debug for SaltedMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaltedMac(…)")
    }
}

/// Why a value could not be signed or believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigningError {
    /// The signature is missing or of another value, key or salt. Django: `BadSignature`.
    BadSignature,
    /// Well signed, and older than allowed. Django: `SignatureExpired`.
    Expired,
    /// Well signed, and yet not what it should decode to.
    Malformed,
    /// Longer than [`MAX_SIGNED`], or decompresses to more than [`MAX_PAYLOAD`].
    TooLong,
    /// The separator is empty or of characters that occur in signatures.
    UnsafeSeparator,
    /// No such hash.
    UnknownAlgorithm,
}

impl fmt::Display for SigningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadSignature => "the signature does not match",
            Self::Expired => "the signature is older than allowed",
            Self::Malformed => "the signed value does not decode",
            Self::TooLong => "the signed value is longer than allowed",
            Self::UnsafeSeparator => {
                "the separator is empty or consists of A-z, 0-9, -, _ and = only: take another, like :"
            }
            Self::UnknownAlgorithm => "unknown hash algorithm: expected sha256 or another name of hashlib",
        })
    }
}

impl std::error::Error for SigningError {}

/// Signs text for one purpose. Django: `Signer`.
#[derive(Clone, Debug)]
pub struct Signer {
    keys: Keys,
    salt: String,
    separator: String,
    algorithm: Algorithm,
    /// For SHA-256, one for each key: made when first needed, and never for another salt.
    macs: Arc<[OnceLock<SaltedMac>]>,
}

impl Signer {
    /// Django's default salt of a `Signer`.
    pub const SALT: &'static str = "django.core.signing.Signer";

    /// A signer with Django's defaults: [`Signer::SALT`], `:` and SHA-256.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        let (salt, separator) = (Self::SALT.to_owned(), ":".to_owned());
        Self::with(keys.clone(), salt, separator, Algorithm::Sha256)
    }

    fn with(keys: Keys, salt: String, separator: String, algorithm: Algorithm) -> Self {
        let macs = keys.iter().map(|_| OnceLock::new()).collect();
        Self { keys, salt, separator, algorithm, macs }
    }

    /// Names the purpose. Two purposes must never share a salt.
    #[must_use]
    pub fn salt(self, salt: impl Into<String>) -> Self {
        Self::with(self.keys, salt.into(), self.separator, self.algorithm)
    }

    /// Takes another hash.
    #[must_use]
    pub fn algorithm(self, algorithm: Algorithm) -> Self {
        Self::with(self.keys, self.salt, self.separator, algorithm)
    }

    /// Takes another separator.
    ///
    /// # Errors
    /// [`SigningError::UnsafeSeparator`] if it is empty or could be part of a signature: Django's
    /// `^[A-z0-9-_=]*$`.
    pub fn separator(mut self, separator: impl Into<String>) -> Result<Self, SigningError> {
        let separator = separator.into();
        // A-z, as in Django's pattern: it holds [ \ ] ^ _ ` too.
        if separator.bytes().all(|byte| matches!(byte, b'A'..=b'z' | b'0'..=b'9' | b'-' | b'=')) {
            return Err(SigningError::UnsafeSeparator);
        }
        self.separator = separator;
        Ok(self)
    }

    /// The signature alone, of any bytes.
    #[must_use]
    pub fn signature(&self, value: &[u8]) -> String {
        self.tag(value, 0, self.keys.current()).to_base64()
    }

    /// The keyed hash under this key, which has this place among the keys.
    fn tag(&self, value: &[u8], place: usize, key: &SecretKey) -> Tag {
        match (self.algorithm, self.macs.get(place)) {
            (Algorithm::Sha256, Some(mac)) => {
                mac.get_or_init(|| SaltedMac::new(&self.purpose(), key)).hash(value)
            }
            _ => salted_hmac(&self.purpose(), value, key, self.algorithm),
        }
    }

    fn purpose(&self) -> Vec<u8> {
        [self.salt.as_bytes(), b"signer"].concat()
    }

    /// The text before and after the last separator.
    fn split<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str)> {
        // A single byte is found faster than a text of one.
        match self.separator.as_bytes() {
            &[one] => text.rsplit_once(char::from(one)),
            _ => text.rsplit_once(&*self.separator),
        }
    }

    /// `value ‖ separator ‖ signature`.
    #[must_use]
    pub fn sign(&self, value: &str) -> String {
        let signature = self.signature(value.as_bytes());
        [value, &self.separator, &signature].concat()
    }

    /// The value back, if one of the keys signed it.
    ///
    /// # Errors
    /// [`SigningError::BadSignature`], or [`SigningError::TooLong`].
    pub fn unsign<'a>(&self, signed: &'a str) -> Result<&'a str, SigningError> {
        if signed.len() > MAX_SIGNED {
            return Err(SigningError::TooLong);
        }
        let (value, signature) = self.split(signed).ok_or(SigningError::BadSignature)?;
        let signed_by = |(place, key)| {
            let own = self.tag(value.as_bytes(), place, key).to_base64();
            equal(own.as_bytes(), signature.as_bytes())
        };
        let is_ours = self.keys.iter().enumerate().any(signed_by);
        if is_ours { Ok(value) } else { Err(SigningError::BadSignature) }
    }

    /// Signs bytes as base64, compressed where that is shorter. Django: `sign_object`.
    #[must_use]
    pub fn sign_payload(&self, payload: &[u8], compress: Compress) -> String {
        self.sign(&wrap(payload, compress))
    }

    /// The bytes that [`Signer::sign_payload`] signed. Django: `unsign_object`.
    ///
    /// # Errors
    /// Those of [`Signer::unsign`], and [`SigningError::Malformed`] or [`SigningError::TooLong`] for
    /// what does not unpack.
    pub fn unsign_payload(&self, signed: &str) -> Result<Vec<u8>, SigningError> {
        unwrap_payload(self.unsign(signed)?)
    }
}

/// May a payload be compressed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compress {
    /// Never.
    Never,
    /// Where that is shorter. Django: `compress=True`.
    WhereShorter,
    /// Where that is shorter and the payload longer than [`LONG_PAYLOAD`] bytes: to unpack a short one costs more than
    /// all else that is done with it.
    WhereLong,
}

/// The shortest payload, in bytes, that is worth the time to compress it.
pub const LONG_PAYLOAD: usize = 1024;

/// Signs text and the time of signing. Django: `TimestampSigner`.
#[derive(Clone, Debug)]
pub struct TimestampSigner {
    signer: Signer,
    clock: Clock,
}

impl TimestampSigner {
    /// Django's default salt of a `TimestampSigner`.
    pub const SALT: &'static str = "django.core.signing.TimestampSigner";

    /// The salt of Django's `signing.dumps` and `signing.loads`.
    pub const DUMPS_SALT: &'static str = "django.core.signing";

    /// A signer with Django's defaults: [`TimestampSigner::SALT`], `:` and SHA-256.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        Self::from(Signer::new(keys).salt(Self::SALT))
    }

    /// Names the purpose. Two purposes must never share a salt.
    #[must_use]
    pub fn salt(self, salt: impl Into<String>) -> Self {
        Self { signer: self.signer.salt(salt), ..self }
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// `value ‖ : ‖ time ‖ : ‖ signature`.
    #[must_use]
    pub fn sign(&self, value: &str) -> String {
        let time = base62_encode(i128::from(self.clock.now().seconds()));
        self.signer.sign(&[value, &self.signer.separator, &time].concat())
    }

    /// The value back, if it was signed and, where `max_age` is given, no longer ago than that.
    ///
    /// A value from the future is young.
    ///
    /// # Errors
    /// [`SigningError::BadSignature`], [`SigningError::Expired`], and [`SigningError::Malformed`] for
    /// a time that is no number.
    pub fn unsign<'a>(
        &self,
        signed: &'a str,
        max_age: Option<Duration>,
    ) -> Result<&'a str, SigningError> {
        let (value, signed_at) = self.unsign_dated(signed)?;
        let age = i128::from(self.clock.now().micros()) - i128::from(signed_at.micros());
        let too_old = |max: Duration| age > i128::try_from(max.as_micros()).unwrap_or(i128::MAX);
        if max_age.is_some_and(too_old) { Err(SigningError::Expired) } else { Ok(value) }
    }

    /// The value back, if it was signed, and when that was, in whole seconds.
    fn unsign_dated<'a>(&self, signed: &'a str) -> Result<(&'a str, UnixTime), SigningError> {
        let value = self.signer.unsign(signed)?;
        let (value, time) = self.signer.split(value).ok_or(SigningError::BadSignature)?;
        let time = base62_decode(time).ok_or(SigningError::Malformed)?;
        let far = if time < 0 { i64::MIN } else { i64::MAX };
        Ok((value, UnixTime::from_seconds(i64::try_from(time).unwrap_or(far))))
    }

    /// Signs bytes as base64, compressed where that is shorter. Django: `sign_object`.
    #[must_use]
    pub fn sign_payload(&self, payload: &[u8], compress: Compress) -> String {
        self.sign(&wrap(payload, compress))
    }

    /// The bytes that [`TimestampSigner::sign_payload`] signed.
    ///
    /// # Errors
    /// Those of [`TimestampSigner::unsign`], and [`SigningError::Malformed`] or
    /// [`SigningError::TooLong`] for what does not unpack.
    pub fn unsign_payload(
        &self,
        signed: &str,
        max_age: Option<Duration>,
    ) -> Result<Vec<u8>, SigningError> {
        unwrap_payload(self.unsign(signed, max_age)?)
    }

    /// The bytes that [`TimestampSigner::sign_payload`] signed, however long ago, and when that was.
    ///
    /// # Errors
    /// Those of [`TimestampSigner::unsign_payload`], except [`SigningError::Expired`].
    pub fn unsign_dated_payload(&self, signed: &str) -> Result<(Vec<u8>, UnixTime), SigningError> {
        let (value, signed_at) = self.unsign_dated(signed)?;
        Ok((unwrap_payload(value)?, signed_at))
    }

    /// A value as signed JSON. Django: `signing.dumps`, under this signer's salt.
    ///
    /// # Errors
    /// [`SigningError::Malformed`] for what JSON has no words for.
    pub fn dumps<T: Serialize + ?Sized>(
        &self,
        value: &T,
        compress: Compress,
    ) -> Result<String, SigningError> {
        Ok(self.sign_payload(&to_ascii_json(value)?, compress))
    }

    /// A value back from signed JSON. Django: `signing.loads`.
    ///
    /// # Errors
    /// Those of [`TimestampSigner::unsign_payload`], and [`SigningError::Malformed`] for JSON of
    /// another shape.
    pub fn loads<T: DeserializeOwned>(
        &self,
        signed: &str,
        max_age: Option<Duration>,
    ) -> Result<T, SigningError> {
        from_json(&self.unsign_payload(signed, max_age)?)
    }
}

impl From<Signer> for TimestampSigner {
    /// Keeps the signer's keys, salt, separator and hash.
    fn from(signer: Signer) -> Self {
        Self { signer, clock: Clock::system() }
    }
}

fn wrap(payload: &[u8], compress: Compress) -> String {
    let packed = match compress {
        Compress::WhereLong if payload.len() <= LONG_PAYLOAD => None,
        Compress::WhereShorter | Compress::WhereLong => shorter(payload),
        Compress::Never => None,
    };
    match packed {
        Some(packed) => [".", &encode_base64(&packed)].concat(),
        None => encode_base64(payload),
    }
}

thread_local! {
    // A compressor has some hundreds of kilobytes: to make one costs ten times what it does here.
    static PACKER: RefCell<Packer> = RefCell::new(Packer::new(Compression::default(), true));
    static UNPACKER: RefCell<Unpacker> = RefCell::new(Unpacker::new(true));
}

/// The payload compressed, if that saves more than the dot which says so.
fn shorter(payload: &[u8]) -> Option<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| {
        packer.reset();
        // One that does not fit is not shorter.
        let mut packed = Vec::with_capacity(payload.len().checked_sub(2)?);
        let status = packer.compress_vec(payload, &mut packed, FlushCompress::Finish);
        let fits = matches!(status, Ok(Status::StreamEnd)) && packed.len() + 1 < payload.len();
        fits.then_some(packed)
    })
}

fn unwrap_payload(text: &str) -> Result<Vec<u8>, SigningError> {
    match text.strip_prefix('.') {
        Some(packed) => inflate(&decode_base64(packed)?),
        None => decode_base64(text),
    }
}

/// How much is unpacked at first, for each byte that is packed.
const LIKELY_GAIN: usize = 4;

/// A bomb of a few kilobytes can unpack to gigabytes: reading stops at the limit.
fn inflate(packed: &[u8]) -> Result<Vec<u8>, SigningError> {
    UNPACKER.with_borrow_mut(|unpacker| {
        unpacker.reset(true);
        let mut payload = Vec::with_capacity((packed.len() * LIKELY_GAIN).min(MAX_PAYLOAD));
        loop {
            let (before, room) = (payload.len(), payload.len() < payload.capacity());
            let read = usize::try_from(unpacker.total_in()).unwrap_or(usize::MAX);
            let rest = packed.get(read..).unwrap_or_default();
            let status = unpacker.decompress_vec(rest, &mut payload, FlushDecompress::None);
            match status.map_err(|_| SigningError::Malformed)? {
                Status::StreamEnd if payload.len() <= MAX_PAYLOAD => return Ok(payload),
                _ if payload.len() > MAX_PAYLOAD => return Err(SigningError::TooLong),
                // There is nothing more to read, and it does not end.
                _ if room && rest.is_empty() && payload.len() == before => {
                    return Err(SigningError::Malformed);
                }
                _ if payload.len() < payload.capacity() => {}
                _ => payload
                    .reserve(payload.len().max(MIN_ROOM).min(MAX_PAYLOAD + 1 - payload.len())),
            }
        }
    })
}

/// How much room is made at least, in bytes.
const MIN_ROOM: usize = 256;

/// The digits of base64url.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A payload, which is no secret of whom it is shown to, without padding. Python: `urlsafe_b64encode`.
fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for shift in [18, 12, 6, 0].into_iter().take(three.len() + 1) {
            text.push(char::from(ALPHABET[(bits >> shift & 63) as usize]));
        }
    }
    text
}

/// What is no digit of base64.
const NO_DIGIT: u8 = 64;

/// The value of each byte as a digit of base64, in both alphabets.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        digits[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    digits[b'+' as usize] = 62;
    digits[b'/' as usize] = 63;
    digits
};

/// What Python's `urlsafe_b64decode` makes of text, also of such that is not quite base64 and was signed all the same:
/// other characters are passed over, and two equals signs may end it early.
fn decode_base64(text: &str) -> Result<Vec<u8>, SigningError> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let mut rest = text.as_bytes();
    while let Some((four, after)) = rest.split_first_chunk::<4>() {
        let [a, b, c, d] = four.map(|byte| DIGITS[usize::from(byte)]);
        if (a | b | c | d) >= NO_DIGIT {
            break;
        }
        bytes.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
        rest = after;
    }
    let padding = rest.len().next_multiple_of(4) - rest.len();
    let (mut bits, mut digits, mut pads) = (0u32, 0, 0);
    for byte in rest.iter().copied().chain(std::iter::repeat_n(b'=', padding)) {
        let digit = match DIGITS[usize::from(byte)] {
            NO_DIGIT if byte == b'=' && digits >= 2 => {
                pads += 1;
                if digits + pads >= 4 {
                    return Ok(bytes);
                }
                continue;
            }
            NO_DIGIT => continue,
            digit => digit,
        };
        (bits, pads) = (bits << 6 | u32::from(digit), 0);
        if digits > 0 {
            bytes.push((bits >> (6 - 2 * digits)) as u8);
        }
        digits = (digits + 1) % 4;
    }
    if digits == 0 { Ok(bytes) } else { Err(SigningError::Malformed) }
}

/// A value out of JSON as Django reads a payload: each byte the character of that number. Whatever
/// [`to_ascii_json`] wrote is ASCII, and so the same either way.
///
/// # Errors
/// [`SigningError::Malformed`] for other text, and JSON of another shape.
pub fn from_json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, SigningError> {
    let value = match payload.is_ascii() {
        true => serde_json::from_slice(payload),
        false => serde_json::from_str(&latin1(payload)),
    };
    value.map_err(|_| SigningError::Malformed)
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// JSON as Python writes it for Django: no spaces, and everything outside ASCII as `\uXXXX`.
///
/// # Errors
/// [`SigningError::Malformed`] for what JSON has no words for.
pub fn to_ascii_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, SigningError> {
    let mut json = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut json, AsciiFormatter);
    value.serialize(&mut writer).map_err(|_| SigningError::Malformed)?;
    Ok(json)
}

struct AsciiFormatter;

impl serde_json::ser::Formatter for AsciiFormatter {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> std::io::Result<()> {
        write_escaped(out, text, |character| !matches!(character, ' '..='~'))
    }

    /// JSON has what is not ASCII in strings alone, so that an escape may stand in its place.
    fn write_raw_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        json: &str,
    ) -> std::io::Result<()> {
        match json.is_ascii() {
            true => out.write_all(json.as_bytes()),
            false => write_escaped(out, json, |character| !character.is_ascii()),
        }
    }
}

fn write_escaped<W: ?Sized + Write>(
    out: &mut W,
    text: &str,
    foreign: impl Fn(char) -> bool,
) -> std::io::Result<()> {
    let mut plain = 0;
    for (start, character) in text.char_indices().filter(|(_, character)| foreign(*character)) {
        out.write_all(&text.as_bytes()[plain..start])?;
        plain = start + character.len_utf8();
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(out, "\\u{unit:04x}")?;
        }
    }
    out.write_all(&text.as_bytes()[plain..])
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A number in Django's base 62: `0-9A-Za-z`, a minus sign in front of what is negative.
#[must_use]
pub fn base62_encode(number: i128) -> String {
    let mut digits = Vec::new();
    let mut rest = number.unsigned_abs();
    loop {
        digits.push(BASE62[(rest % 62) as usize]);
        rest /= 62;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        digits.push(b'-');
    }
    digits.iter().rev().map(|&digit| char::from(digit)).collect()
}

/// The number that a text in base 62 stands for; `None` for other text and beyond 127 bits.
///
/// As in Django the empty text is zero.
#[must_use]
pub fn base62_decode(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let number = digits.bytes().try_fold(0i128, |number, byte| {
        let digit = BASE62.iter().position(|&digit| digit == byte)?;
        number.checked_mul(62)?.checked_add(i128::try_from(digit).ok()?)
    })?;
    Some(if negative { -number } else { number })
}

/// Signed cookies: the value signed for its cookie's name. Django: `set_signed_cookie` and
/// `get_signed_cookie`.
///
/// The name and the caller's salt enter the purpose with their lengths, so that a value of the
/// cookie `ab` with the salt `c` fails in the cookie `a` with the salt `bc` (CVE-2026-6873).
#[derive(Clone, Debug)]
pub struct CookieSigner {
    keys: Keys,
    clock: Clock,
    legacy_salt: bool,
}

impl CookieSigner {
    /// A signer of cookies with Django's key for them.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        let derive =
            |key: &SecretKey| SecretKey::new([b"django.http.cookies", key.expose()].concat());
        let derived = Keys::new(derive(keys.current()));
        let keys = keys.fallbacks().iter().fold(derived, |ring, key| ring.fallback(derive(key)));
        Self { keys, clock: Clock::system(), legacy_salt: false }
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Also believes values signed under the ambiguous salt of Django before 6.0.6.
    ///
    /// Django: `SIGNED_COOKIE_LEGACY_SALT_FALLBACK`.
    #[must_use]
    pub fn danger_accept_legacy_salt(mut self) -> Self {
        self.legacy_salt = true;
        self
    }

    /// The value to put into the cookie `name`.
    #[must_use]
    pub fn sign(&self, name: &str, value: &str, salt: &str) -> String {
        self.salted(salt_of(name, salt)).sign(value)
    }

    /// The value of the cookie `name`, if it was signed for it and is no older than `max_age`.
    ///
    /// # Errors
    /// Those of [`TimestampSigner::unsign`]. A signature that is merely too old is never tried under
    /// the legacy salt.
    pub fn unsign<'a>(
        &self,
        name: &str,
        signed: &'a str,
        salt: &str,
        max_age: Option<Duration>,
    ) -> Result<&'a str, SigningError> {
        match self.salted(salt_of(name, salt)).unsign(signed, max_age) {
            Err(SigningError::BadSignature) if self.legacy_salt => {
                self.salted([name, salt].concat()).unsign(signed, max_age)
            }
            outcome => outcome,
        }
    }

    /// A signer with the key for cookies and a salt that no cookie's name is part of. Django:
    /// `get_cookie_signer`.
    #[must_use]
    pub fn salted(&self, salt: impl Into<String>) -> TimestampSigner {
        TimestampSigner::new(&self.keys).salt(salt).clock(self.clock.clone())
    }
}

fn salt_of(name: &str, salt: &str) -> String {
    format!("django.http.cookies.v2:{}:{salt}{name}", salt.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixTime;

    fn keys() -> Keys {
        Keys::new("donjon-test-secret-key-0123456789abcdefghijklmnopqrstuvwxyz")
            .fallback("old-secret-key")
    }

    fn dumper() -> TimestampSigner {
        TimestampSigner::new(&keys())
            .salt(TimestampSigner::DUMPS_SALT)
            .clock(Clock::fixed(UnixTime::from_seconds(1_700_000_000)))
    }

    #[test]
    fn rule_1_signatures_are_djangos() {
        let tag = salted_hmac(b"salt", b"value", keys().current(), Algorithm::Sha256);
        assert_eq!(
            tag.to_hex(),
            "88600e1b2d43b05b66cf58d0ebd62ca638ec80522e7689557e127f5bedd21bb2"
        );
    }

    #[test]
    fn rule_3_fallback_keys_are_believed() {
        let signed = "hello:Tp4LPK3aJ_XHXSJ7VIM53uqDeEXy8DmqZFYn7xD_aXI";
        assert_eq!(Signer::new(&keys()).unsign(signed), Ok("hello"));
        assert_eq!(
            Signer::new(&Keys::new("other")).unsign(signed),
            Err(SigningError::BadSignature)
        );
    }

    #[test]
    fn rule_6_base64_is_read_as_python_reads_it() {
        // python3 -c "import base64; base64.urlsafe_b64decode(s + '=' * (-len(s) % 4))"
        for (text, bytes) in [
            ("eyJhIjoxfQ", Some(&b"{\"a\":1}"[..])),
            ("eyJhIjoxfQ=", Some(b"{\"a\":1}")),
            ("eyJhIjoxfQ==", Some(b"{\"a\":1}")),
            ("eyJhIjoxfR", Some(b"{\"a\":1}")),
            ("eyJh Ijox\nfQ==", Some(b"{\"a\":1}")),
            ("eyJhIjoxfQ==eyJh", Some(b"{\"a\":1}")),
            ("-_+/", Some(b"\xfb\xff\xbf")),
            ("!!!", Some(b"")),
            ("", Some(b"")),
            ("yJhIjoxfQ", None),
            ("a", None),
        ] {
            assert_eq!(decode_base64(text).ok().as_deref(), bytes, "{text}");
        }
        for length in 0..=258_usize {
            let bytes: Vec<u8> = (0..length).map(|at| (at * 151 + length) as u8).collect();
            let text = encode_base64(&bytes);
            assert_eq!(text, Base64UrlUnpadded::encode_string(&bytes));
            assert_eq!(decode_base64(&text), Ok(bytes));
        }
    }

    #[test]
    fn rule_6_a_payload_is_latin_1() {
        let text: String = from_json(b"\"\xc3\xa9\xe9\"").unwrap();
        assert_eq!(text, "\u{c3}\u{a9}\u{e9}");
    }

    #[test]
    fn rule_4_purposes_do_not_mix() {
        let signed = Signer::new(&keys()).salt("extra").sign("hello");
        assert_eq!(signed, "hello:bEtKeKrKMEAYR__3upSN6CAFTabg-i__s4EJyxlD-Hs");
        assert_eq!(Signer::new(&keys()).unsign(&signed), Err(SigningError::BadSignature));
    }

    #[test]
    fn rule_4_a_signer_that_was_used_signs_for_another_purpose_when_it_is_told_to() {
        let base = Signer::new(&keys());
        let (first, timed) = (base.sign("hello"), TimestampSigner::from(base.clone()));
        let early = timed.sign("hello");
        for used in [base.clone(), base.clone().salt("extra")] {
            assert_eq!(used.unsign(&used.sign("hello")), Ok("hello"));
            let again = used.salt("extra");
            assert_eq!(again.sign("hello"), "hello:bEtKeKrKMEAYR__3upSN6CAFTabg-i__s4EJyxlD-Hs");
            assert_eq!(again.unsign(&first), Err(SigningError::BadSignature));
            assert_eq!(again.clone().salt(Signer::SALT).unsign(&first), Ok("hello"));
            let other = again.salt(Signer::SALT).algorithm(Algorithm::Sha512);
            assert_eq!(other.unsign(&first), Err(SigningError::BadSignature));
            assert_eq!(other.clone().algorithm(Algorithm::Sha256).unsign(&first), Ok("hello"));
        }
        let fresh = TimestampSigner::new(&keys()).salt("extra");
        let extra = timed.clone().salt("extra");
        assert_eq!(extra.unsign(&early, None), Err(SigningError::BadSignature));
        assert_eq!(fresh.unsign(&extra.sign("hello"), None), Ok("hello"));
        assert_eq!(timed.unsign(&early, None), Ok("hello"));
        assert_eq!(base.sign("hello"), first);
    }

    #[test]
    fn rule_5_old_values_expire() {
        let clock = Clock::fixed(UnixTime::from_seconds(1_700_000_000));
        let signer = TimestampSigner::new(&keys()).clock(clock.clone());
        let signed = signer.sign("hello");
        assert_eq!(signed, "hello:1r31eq:ckQcKvq41rOQvGKo86D1dkafWha2fV8jKdFiibnxucE");
        let minute = Some(Duration::from_secs(60));
        clock.advance(Duration::from_secs(60));
        assert_eq!(signer.unsign(&signed, minute), Ok("hello"));
        clock.advance(Duration::from_micros(1));
        assert_eq!(signer.unsign(&signed, minute), Err(SigningError::Expired));
        assert_eq!(signer.unsign(&signed, None), Ok("hello"));
    }

    #[test]
    fn rule_6_objects_are_djangos() {
        let value = serde_json::json!({"a": 1, "b": "é"});
        let signed = dumper().dumps(&value, Compress::Never).unwrap();
        assert_eq!(
            signed,
            "eyJhIjoxLCJiIjoiXHUwMGU5In0:1r31eq:dmZUhmDl3T8bM-zWp5HUX-m2G2t5nsF9D_rzOcTc4EE"
        );
        let packed = ".eJwNzEERwDAMA0FC94gkx4mxdMqfRgtg9xEmFJvmcBm0kJBRUKGNGh100eCFf2McXHjjxgdfPGQRkb8MKbJJk0MumfcDgzMVIQ:1r31eq:Jhwxr9qcr9jLAO3-j-8f6eNfEdMU3kNuRSnInmAtByk";
        let loaded: Vec<u32> = dumper().loads(packed, None).unwrap();
        assert_eq!(loaded, (1..=39).collect::<Vec<_>>());
        let compressed = dumper().dumps(&"a".repeat(500), Compress::WhereShorter).unwrap();
        assert!(compressed.starts_with('.'));
        assert_eq!(dumper().loads::<String>(&compressed, None).unwrap(), "a".repeat(500));
    }

    #[test]
    fn rule_6_a_bomb_is_refused() {
        let bomb = dumper().sign_payload(&vec![0; MAX_PAYLOAD + 1], Compress::WhereShorter);
        assert!(bomb.len() < 64 * 1024);
        assert_eq!(dumper().unsign_payload(&bomb, None), Err(SigningError::TooLong));
        let long = "a".repeat(MAX_SIGNED + 1);
        assert_eq!(dumper().unsign_payload(&long, None), Err(SigningError::TooLong));
    }

    #[test]
    fn cve_2026_6873_name_and_salt_do_not_run_together() {
        let signer = CookieSigner::new(&keys());
        let signed = signer.sign("ab", "value", "c");
        assert_eq!(signer.unsign("ab", &signed, "c", None), Ok("value"));
        assert_eq!(signer.unsign("a", &signed, "bc", None), Err(SigningError::BadSignature));
    }

    #[test]
    fn numbers_in_base_62_come_back() {
        for number in [0, 1, 61, 62, 1_700_000_000, -19, i128::from(i64::MAX)] {
            assert_eq!(base62_decode(&base62_encode(number)), Some(number));
        }
        assert_eq!(base62_decode("a b"), None);
        assert_eq!(base62_decode(&"z".repeat(10_000)), None);
    }

    #[test]
    fn json_is_pythons() {
        let json = to_ascii_json(&"\u{7f}é\u{1f600}\n\u{1}\"\\/").unwrap();
        assert_eq!(json, br#""\u007f\u00e9\ud83d\ude00\n\u0001\"\\/""#);
    }
}
