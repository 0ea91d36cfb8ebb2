//! Text that means nothing: `{% lorem %}`.

use std::hash::{BuildHasher as _, RandomState};

use super::tag::LoremMethod;

/// The most words or paragraphs of one tag.
const MAX_COUNT: i64 = 10_000;

const COMMON: &str = "Lorem ipsum dolor sit amet, consectetur adipisicing elit, sed do eiusmod tempor incididunt ut \
labore et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex \
ea commodo consequat. Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla \
pariatur. Excepteur sint occaecat cupidatat non proident, sunt in culpa qui officia deserunt mollit anim id est \
laborum.";

/// How many of the common words begin a list of words.
const COMMON_WORDS: usize = 19;

const WORDS: [&str; 60] = [
    "amor", "animus", "annus", "aqua", "arbor", "arma", "ars", "avis", "bellum", "bonus", "caelum",
    "canis", "caput", "carmen", "civis", "corpus", "deus", "dies", "domus", "dux", "equus",
    "fides", "filius", "flumen", "forma", "frater", "gens", "hortus", "ignis", "iter", "labor",
    "lex", "liber", "locus", "lux", "manus", "mare", "mater", "mens", "mons", "mors", "nauta",
    "nomen", "nox", "opus", "pater", "pax", "populus", "porta", "puer", "ratio", "rex", "sapiens",
    "silva", "sol", "tempus", "terra", "urbs", "verbum", "vita",
];

/// Numbers that need not be hard to guess.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default().checked_rem(sides).unwrap_or_default()
    }

    fn word(&mut self) -> &'static str {
        WORDS.get(self.roll(WORDS.len())).copied().unwrap_or_default()
    }

    fn sentence(&mut self) -> String {
        let words: Vec<&str> = (0..3 + self.roll(20)).map(|_| self.word()).collect();
        let sentence = words.join(" ");
        let (first, rest) = sentence.split_at(1.min(sentence.len()));
        format!("{}{rest}.", first.to_uppercase())
    }

    fn paragraph(&mut self) -> String {
        let sentences: Vec<String> = (0..=self.roll(4)).map(|_| self.sentence()).collect();
        sentences.join(" ")
    }
}

/// That many words or paragraphs, beginning with the well-known ones if `common`.
pub(crate) fn text(count: i64, method: LoremMethod, common: bool) -> String {
    let mut dice = Dice(RandomState::new().hash_one(0));
    let mut count = usize::try_from(count.clamp(0, MAX_COUNT)).unwrap_or_default();
    if method == LoremMethod::Words {
        let known = COMMON.split_whitespace().take(if common { COMMON_WORDS } else { 0 });
        let known: Vec<String> = known.map(plain).take(count).collect();
        count -= known.len();
        let more = (0..count).map(|_| dice.word().to_owned());
        return known.into_iter().chain(more).collect::<Vec<_>>().join(" ");
    }
    let paragraph = |at| if common && at == 0 { COMMON.to_owned() } else { dice.paragraph() };
    let paragraphs = (0..count).map(paragraph);
    let paragraphs: Vec<String> = match method {
        LoremMethod::Paragraphs => paragraphs.map(|text| format!("<p>{text}</p>")).collect(),
        _ => paragraphs.collect(),
    };
    paragraphs.join("\n\n")
}

fn plain(word: &str) -> String {
    word.trim_matches([',', '.']).to_lowercase()
}
