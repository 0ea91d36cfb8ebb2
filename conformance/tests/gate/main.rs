//! The gate, side by side: 10,000 generated requests to Django with django-cors-headers, and to the
//! stack in Django's mode. What differs is wanted and has a name, or is a mistake.
//!
//! `DONJON_DJANGO_PYTHON` names a Python that has both; `cargo xtask test` sets it. `DONJON_GATE_SEED`
//! asks other questions; the seed is printed.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod answer;
mod dice;
mod difference;
mod django;
mod donjon;
mod question;

use std::collections::BTreeMap;

use answer::Answer;
use dice::Dice;
use difference::{Difference, Differing, NONCE, WANTED};
use serde_json::{Value, json};

/// How many sites are asked, and how many questions each.
const SITES: usize = 40;
const REQUESTS: usize = 250;

/// How many mistakes are shown.
const SHOWN: usize = 20;

struct Site {
    settings: Value,
    requests: Vec<Value>,
}

fn sites(seed: u64) -> Vec<Site> {
    let mut dice = Dice::new(seed);
    let csp = django::has_csp();
    let site = |_| {
        let mut settings = question::settings(&mut dice);
        if !csp {
            for name in ["SECURE_CSP", "SECURE_CSP_REPORT_ONLY"] {
                settings.insert(name.to_owned(), json!({}));
            }
        }
        let requests = (0..REQUESTS).map(|_| question::request(&mut dice, csp)).collect();
        Site { settings: settings.into(), requests }
    };
    (0..SITES).map(site).collect()
}

/// What is put to Django: a site's settings, and then its requests.
fn lines(sites: &[Site]) -> Vec<Value> {
    let of_site = |site: &Site| {
        let requests = site.requests.iter().map(|request| json!({"request": request}));
        [json!({"settings": site.settings})].into_iter().chain(requests).collect::<Vec<_>>()
    };
    sites.iter().flat_map(of_site).collect()
}

/// What came out of a comparison.
#[derive(Default)]
struct Findings {
    /// How many requests got one and the same answer.
    alike: usize,
    /// How many requests each wanted difference covers.
    wanted: BTreeMap<&'static str, usize>,
    mistakes: Vec<String>,
}

impl Findings {
    fn compare(&mut self, site: &Site, request: &Value, django: &Answer, donjon: &Answer) {
        self.alike += usize::from(django == donjon);
        let mut names = Vec::new();
        for field in django.differing(donjon) {
            let differing = Differing { settings: &site.settings, request, field, django, donjon };
            match WANTED.iter().find(|wanted| (wanted.covers)(&differing)) {
                Some(wanted) => names.push(wanted.name),
                None => self.mistakes.push(told(&differing)),
            }
        }
        names.sort_unstable();
        names.dedup();
        names.into_iter().for_each(|name| *self.wanted.entry(name).or_default() += 1);
    }

    fn of(&self, name: &str) -> usize {
        self.wanted.get(name).copied().unwrap_or_default()
    }
}

fn told(differing: &Differing<'_>) -> String {
    let Differing { settings, request, field, django, donjon } = differing;
    format!(
        "{field}: {:?} in Django ({}), {:?} in Donjon ({})\n  {request}\n  {settings}",
        django.field(field),
        django.status,
        donjon.field(field),
        donjon.status
    )
}

fn seed() -> u64 {
    std::env::var("DONJON_GATE_SEED").map_or(1, |seed| seed.parse().unwrap())
}

#[tokio::test]
async fn ten_thousand_requests_are_answered_alike() {
    let seed = seed();
    println!("seed {seed}");
    let sites = sites(seed);
    let mut by_django = django::answers(&lines(&sites)).into_iter();
    let mut findings = Findings::default();
    for site in &sites {
        let router = donjon::site(&site.settings);
        for request in &site.requests {
            let django = by_django.next().expect("an answer to every request");
            let donjon = donjon::answer(&router, request).await;
            findings.compare(site, request, &django, &donjon);
        }
    }
    println!("{:6} of {} are answered alike; wanted:", findings.alike, SITES * REQUESTS);
    for wanted in WANTED {
        println!("{:6} {}: {}", findings.of(wanted.name), wanted.name, wanted.reason);
    }
    let shown = findings.mistakes.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    assert!(shown.is_empty(), "{} unnamed differences:\n{shown}", findings.mistakes.len());
    let may_be_idle = |name| name == NONCE && !django::has_csp();
    let idle = |wanted: &&Difference| findings.of(wanted.name) == 0 && !may_be_idle(wanted.name);
    let idle: Vec<_> = WANTED.iter().filter(idle).map(|wanted| wanted.name).collect();
    assert!(idle.is_empty(), "differences that there are none of: {idle:?}");
}
