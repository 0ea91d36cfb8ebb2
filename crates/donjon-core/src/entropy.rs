//! The operating system's randomness: the only door to it.
//!
//! Stops: guessable session keys, tokens and nonces.
//!
//! 1. All bytes come from the operating system (`getrandom`).
//! 2. They are fetched [`POOL_BYTES`] at a time and per thread, for a system call costs more than a
//!    token; what was handed out is overwritten at once.
//! 3. Characters are drawn without bias: of a byte as many bits are taken as number the alphabet,
//!    and a number that no character has is thrown away.

use std::cell::RefCell;

use zeroize::Zeroize;

/// How many bytes one system call fetches.
pub const POOL_BYTES: usize = 1024;

/// `a-z A-Z 0-9`, in the order of Django's CSRF masks.
pub const ALPHANUMERIC: &[u8; 62] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// `a-z 0-9`, the alphabet of Django's session keys.
pub const LOWER_ALPHANUMERIC: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

struct Pool {
    bytes: [u8; POOL_BYTES],
    used: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL_BYTES], used: POOL_BYTES }) };
}

impl Pool {
    /// The next `N` bytes, which are left nowhere else.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= POOL_BYTES) };
        if POOL_BYTES - self.used < N {
            system(&mut self.bytes);
            self.used = 0;
        }
        let mut taken = [0; N];
        taken.swap_with_slice(&mut self.bytes[self.used..self.used + N]);
        self.used += N;
        taken
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Without randomness no secret may be made: the process must not go on.
#[allow(clippy::panic, clippy::disallowed_methods)]
fn system(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        panic!("the operating system has no randomness to give: {error}");
    }
}

/// `N` random bytes, at most [`POOL_BYTES`].
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    POOL.with_borrow_mut(Pool::take)
}

/// `N` characters drawn evenly from `alphabet`, which has 2 to 256 ASCII characters.
///
/// Django: `django.utils.crypto.get_random_string`.
#[must_use]
pub fn characters<const N: usize>(alphabet: &[u8]) -> [u8; N] {
    let bits = alphabet.len().next_power_of_two() - 1;
    let character = |byte: u8| alphabet.get(usize::from(byte) & bits).copied();
    POOL.with_borrow_mut(|pool| {
        // Most bytes have a character: they are fetched at once, and only the others again.
        pool.take::<N>().map(|byte| {
            let mut drawn = character(byte);
            loop {
                match drawn {
                    Some(character) => break character,
                    None => drawn = character(pool.take::<1>()[0]),
                }
            }
        })
    })
}

/// A string of `N` characters drawn evenly from an ASCII alphabet.
#[must_use]
pub fn string<const N: usize>(alphabet: &[u8]) -> String {
    characters::<N>(alphabet).iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_have_the_length_and_the_alphabet_asked_for() {
        let key = string::<32>(LOWER_ALPHANUMERIC);
        assert_eq!(key.len(), 32);
        assert!(key.bytes().all(|byte| LOWER_ALPHANUMERIC.contains(&byte)));
        assert_ne!(key, string::<32>(LOWER_ALPHANUMERIC));
    }

    #[test]
    fn characters_are_drawn_evenly() {
        let mut seen = [0u32; 256];
        for _ in 0..2_000 {
            for byte in characters::<62>(ALPHANUMERIC) {
                seen[usize::from(byte)] += 1;
            }
        }
        // 2,000 expected of each; six standard deviations are 270.
        assert!(ALPHANUMERIC.iter().all(|&byte| seen[usize::from(byte)].abs_diff(2_000) < 270));
    }

    #[test]
    fn a_pool_does_not_repeat_itself() {
        let drawn: std::collections::HashSet<[u8; 16]> = (0..10_000).map(|_| bytes()).collect();
        assert_eq!(drawn.len(), 10_000);
    }
}
