//! Inputs for the short fuzz: changes of the kept ones, the same every time.
//!
//! libFuzzer can't promise that, whatever its seed: what it tries next depends on the coverage that it
//! counts, and that on the random keys of hash maps and on random secrets.

/// How long a variant may be, in bytes: what libFuzzer takes where nobody says.
const LONGEST: usize = 4096;

/// How many changes make a variant, at most.
const CHANGES: usize = 4;

/// Bytes that mean something to a parser here.
const ODD: &[u8] = b"\0\t\n\r \"#%&'+,-./:;<=>?@[\\]{|}\x7f\x80\xe2\xff";

/// So many variants of these inputs; none of no input.
pub(crate) fn of(kept: &[Vec<u8>], count: usize) -> Vec<Vec<u8>> {
    let mut dice = Dice(1);
    let bases = kept.iter().cycle().take(count);
    bases.map(|base| variant(base.clone(), kept, &mut dice)).collect()
}

fn variant(mut input: Vec<u8>, kept: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    for _ in 0..=dice.below(CHANGES) {
        change(&mut input, kept, dice);
    }
    input.truncate(LONGEST);
    input
}

fn change(input: &mut Vec<u8>, kept: &[Vec<u8>], dice: &mut Dice) {
    let (start, end) = dice.range(input.len());
    match dice.below(5) {
        0 => input.splice(start..end, []).for_each(drop),
        1 => input.insert(start, ODD[dice.below(ODD.len())]),
        2 => input.iter_mut().skip(start).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
        3 => {
            input.iter_mut().skip(start).take(1).for_each(|byte| *byte = ODD[dice.below(ODD.len())])
        }
        _ => {
            let other = &kept[dice.below(kept.len())];
            let (from, to) = dice.range(other.len());
            input.splice(start..end, other[from..to].iter().copied()).for_each(drop);
        }
    }
}

/// SplitMix64: its numbers depend on where it begins alone.
struct Dice(u64);

impl Dice {
    /// A number below `sides`, which are at least one.
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    /// A part of `length` bytes: where it starts and ends.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let start = self.below(length + 1);
        (start, start + self.below(length - start + 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn variants_are_many_and_the_same_every_time() {
        let kept = [b"{% if a %}b{% endif %}".to_vec(), Vec::new(), vec![b'x'; 5000]];
        let variants = of(&kept, 900);
        assert_eq!(variants, of(&kept, 900));
        assert!(variants.iter().all(|input| input.len() <= LONGEST));
        let different: BTreeSet<_> = variants.iter().collect();
        assert!(different.len() > 600, "{}", different.len());
        assert!(of(&[], 9).is_empty());
    }
}
