//! The keys, and how users log in.

use donjon_core::secret::KeyWeakness;

use crate::check::facts::{Accounts, Facts};
use crate::check::finding::{Level, Rule, Test, When};

use super::{DJANGO, one};

/// The fewest rounds of PBKDF2 with SHA-256 that OWASP recommends.
const MIN_ITERATIONS: u32 = 600_000;

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "security.W009",
        level: Level::Warning,
        when: When::Deploy,
        title: "The secret key can be guessed (SECRET_KEY).",
        explanation: "Who guesses it signs sessions, links that reset passwords, and whatever else the site signs.",
        hint: "A random key of 50 characters or more, from the environment: donjon_core::entropy::string::<50>\
               (ALPHANUMERIC) makes one.",
        asvs: &["11.5.1", "13.3.1"],
        source: DJANGO,
        test: Test::Stack(|facts| {
            let weak = facts.keys.first().filter(|weaknesses| !weaknesses.is_empty());
            weak.map(|weaknesses| key("key", weaknesses)).into_iter().collect()
        }),
    },
    Rule {
        code: "security.W025",
        level: Level::Warning,
        when: When::Deploy,
        title: "A former key that is still believed can be guessed (SECRET_KEY_FALLBACKS).",
        explanation: "What it signs is believed as if the current key had signed it.",
        hint: "Take the fallback out.",
        asvs: &["11.5.1", "13.3.4"],
        source: DJANGO,
        test: Test::Stack(weak_fallbacks),
    },
    Rule {
        code: "donjon.W080",
        level: Level::Warning,
        when: When::Deploy,
        title: "The log-in page is served in clear.",
        explanation: "Passwords are read on the way, or the page is changed so that it sends them elsewhere.",
        hint: "HttpsPolicy::default().redirect(); silence this where a proxy redirects.",
        asvs: &["12.2.1"],
        source: "https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html",
        test: Test::Stack(|facts| accounts(facts, |_| !facts.redirects)),
    },
    Rule {
        code: "donjon.W081",
        level: Level::Warning,
        when: When::Deploy,
        title: "Passwords are hashed with too little work.",
        explanation: "A stolen table is worked through faster than its users can change their passwords.",
        hint: "Passwords::default(), which has Django's 1,500,000 rounds; at least 600,000.",
        asvs: &["11.4.2"],
        source: "https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html",
        test: Test::Stack(|facts| accounts(facts, |users| users.iterations < MIN_ITERATIONS)),
    },
];

fn key(name: &str, weaknesses: &[KeyWeakness]) -> String {
    let reasons: Vec<String> = weaknesses.iter().map(ToString::to_string).collect();
    format!("{name} ({})", reasons.join(", "))
}

fn weak_fallbacks(facts: &Facts) -> Vec<String> {
    let fallbacks = facts.keys.iter().skip(1).enumerate();
    let weak = fallbacks.filter(|(_, weaknesses)| !weaknesses.is_empty());
    weak.map(|(index, weaknesses)| key(&format!("fallback {index}"), weaknesses)).collect()
}

fn accounts(facts: &Facts, fault: impl Fn(&Accounts) -> bool) -> Vec<String> {
    let users = facts.accounts.as_ref().filter(|users| fault(users));
    one(users.map(|users| format!("accounts: {}", users.login_page)).as_deref())
}
