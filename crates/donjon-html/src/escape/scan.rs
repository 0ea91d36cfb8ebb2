//! Finding what is to be escaped.
//!
//! Most text has nothing to escape, so blocks are tested whole, which the compiler turns into vector instructions;
//! what is left, and short text, is tested eight bytes at a time in one register.

const BLOCK: usize = 64;
const WORD: usize = 8;
const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;

const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; WORD])
}

/// The highest bit of each byte that is zero; exact, since no sum of seven bits carries into the next byte.
const fn zeros(word: u64) -> u64 {
    !(((word & LOW) + LOW) | word | LOW)
}

/// The highest bit of each byte that is one of `< > " '`, or `&` if that is wanted too.
#[inline]
const fn specials<const AMPERSAND: bool>(word: u64) -> u64 {
    // `<` and `>` differ in one bit, and so do `&` and `'`.
    let angle = zeros((word & !each(2)) ^ each(b'<'));
    let quote = zeros(word ^ each(b'"'));
    let other = match AMPERSAND {
        true => zeros((word & !each(1)) ^ each(b'&')),
        false => zeros(word ^ each(b'\'')),
    };
    angle | quote | other
}

#[inline]
fn is_clean(block: &[u8; BLOCK]) -> bool {
    let special = |byte: u8| {
        u8::from(byte & !2 == b'<') | u8::from(byte & !1 == b'&') | u8::from(byte == b'"')
    };
    block.iter().fold(0, |found, byte| found | special(*byte)) == 0
}

/// The bytes at the end that fill no word, with zeros behind them.
#[inline]
fn padded(tail: &[u8]) -> u64 {
    tail.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

const fn offset(found: u64) -> usize {
    (found.trailing_zeros() / 8) as usize
}

/// Where the first byte stands that is to be escaped.
#[inline]
pub(super) fn first<const AMPERSAND: bool>(bytes: &[u8]) -> Option<usize> {
    let clean = if bytes.len() < BLOCK { 0 } else { clean_blocks(bytes) };
    let (words, tail) = bytes.get(clean..).unwrap_or_default().as_chunks::<WORD>();
    for (index, word) in words.iter().enumerate() {
        let found = specials::<AMPERSAND>(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(clean + index * WORD + offset(found));
        }
    }
    let found = specials::<AMPERSAND>(padded(tail));
    (found != 0).then(|| clean + words.len() * WORD + offset(found))
}

/// The length of the whole blocks at the start in which nothing is to be escaped.
#[inline(never)]
fn clean_blocks(bytes: &[u8]) -> usize {
    bytes.as_chunks().0.iter().take_while(|block| is_clean(block)).count() * BLOCK
}

/// Each length is known where it is copied, which spares a call.
#[inline]
fn push_replacement(out: &mut String, byte: u8) {
    match byte {
        b'&' => out.push_str("&amp;"),
        b'<' => out.push_str("&lt;"),
        b'>' => out.push_str("&gt;"),
        b'"' => out.push_str("&quot;"),
        _ => out.push_str("&#x27;"),
    }
}

/// Appends `text` escaped; up to `from` there is nothing to escape.
pub(super) fn write_from<const AMPERSAND: bool>(out: &mut String, text: &str, from: usize) {
    let mut copied = 0;
    let mut escape = |start: usize, mut found: u64| {
        while found != 0 {
            let at = start + offset(found);
            out.push_str(text.get(copied..at).unwrap_or_default());
            push_replacement(out, text.as_bytes().get(at).copied().unwrap_or_default());
            copied = at + 1;
            found &= found - 1;
        }
    };
    let (words, tail) = text.as_bytes().get(from..).unwrap_or_default().as_chunks::<WORD>();
    for (index, word) in words.iter().enumerate() {
        escape(from + index * WORD, specials::<AMPERSAND>(u64::from_le_bytes(*word)));
    }
    escape(from + words.len() * WORD, specials::<AMPERSAND>(padded(tail)));
    out.push_str(text.get(copied..).unwrap_or_default());
}
