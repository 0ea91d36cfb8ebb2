//! `micro [NAME] [--count N]` times decisions in-process.
//!
//! Without a count each is timed over enough calls for a steady figure, five times, and the median
//! told. With one, the named decision runs that often and nothing is printed, so that an instruction
//! counter's figures for N and 2 N calls can be subtracted.

use std::hint::black_box;
use std::time::{Duration, Instant};
use std::{env, process};

use donjon::csp::CspPolicy;
use donjon::csrf::{
    CsrfPolicy, CsrfSecret, Decision, Stored, Submitted, SubmittedToken, compare, decide,
};
use donjon_core::cookie::Cookies;
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{Site, SitePolicy};
use donjon_core::secret::Keys;
use donjon_core::signing::{SaltedMac, TimestampSigner};
use donjon_html::context;
use donjon_html::template::Templates;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(300);

struct Work {
    policy: CsrfPolicy,
    site: Site,
    browser: HeaderMap,
    old_browser: HeaderMap,
    forged: HeaderMap,
    cookies: HeaderMap,
    secret: CsrfSecret,
    token: String,
    signer: TimestampSigner,
    signed: String,
    mac: SaltedMac,
    templates: Templates,
    hosts: SitePolicy,
    csp: CspPolicy,
}

type Call = fn(&Work);

const CALLS: [(&str, Call); 13] = [
    ("csrf-decision-fetch-metadata", |work| decision(work, &work.browser)),
    ("csrf-decision-origin", |work| decision(work, &work.old_browser)),
    ("csrf-decision-forged", |work| {
        black_box(decide(&work.policy, &work.site, &Method::POST, &work.forged));
    }),
    ("csrf-whole-verdict", |work| {
        decision(work, &work.browser);
        let submitted = Submitted { body: Some(work.token.as_str().into()), header: None };
        black_box(compare(&work.policy, &Stored::Secret(work.secret.clone()), &submitted, "")).ok();
    }),
    ("csrf-masked-token", |work| {
        black_box(work.secret.mask());
    }),
    ("csrf-compare-token", |work| {
        black_box(
            SubmittedToken::parse(&work.token).is_ok_and(|token| token.matches(&work.secret)),
        );
    }),
    ("csp-header", |work| {
        black_box(work.csp.header(None));
    }),
    ("csp-header-with-nonce", |work| {
        black_box(work.csp.header(Some("r4nd0m-_r4nd0m-_r4nd0m")));
    }),
    ("cookie-value", |work| {
        black_box(Cookies::of(&work.cookies).value("csrftoken"));
    }),
    ("site-resolve", |work| {
        black_box(work.hosts.resolve(&work.browser, None, None));
    }),
    ("unsign-timestamped", |work| {
        black_box(work.signer.unsign(&work.signed, None)).ok();
    }),
    ("session-auth-hash", |work| {
        black_box(work.mac.hash(b"pbkdf2_sha256$1500000$seasalt1234567890abcdef$RT+dy+pjFQ4RuYxXjEFhusfGY+VTcjyCLamophQpkwM="));
    }),
    ("template-page", |work| {
        black_box(work.templates.render(
            "page.html",
            &context! { csrf_token: work.token.as_str() },
            &(),
        ))
        .ok();
    }),
];

fn decision(work: &Work, headers: &HeaderMap) {
    let decision = decide(&work.policy, &work.site, &Method::POST, headers);
    assert_eq!(black_box(decision), Decision::NeedsToken);
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let typed = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    pairs.iter().map(typed).collect()
}

impl Work {
    fn new() -> Self {
        let common = [
            ("host", "bank.example"),
            (
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            ),
            ("accept", "text/html"),
            ("origin", "http://bank.example"),
        ];
        let hosts = AllowedHosts::new(["bank.example"]).expect("a host");
        let hosts = SitePolicy::new(hosts);
        let old_browser = headers(&common);
        let secret = CsrfSecret::random();
        let signer =
            TimestampSigner::new(&Keys::new("a key of a usual length, fifty characters or so.."));
        Self {
            policy: CsrfPolicy::default(),
            site: hosts.resolve(&old_browser, None, None),
            browser: headers(&[&common[..], &[("sec-fetch-site", "same-origin")]].concat()),
            forged: headers(&[
                ("host", "bank.example"),
                ("origin", "https://evil.example"),
                ("sec-fetch-site", "cross-site"),
            ]),
            cookies: headers(&[(
                "cookie",
                "_ga=GA1.2.3; sessionid=0123456789abcdefghijklmnopqrstuv; csrftoken=KJVPB3v6vZ2mXkzWQqk1dN7rT0aYhCsE",
            )]),
            old_browser,
            token: secret.mask(),
            secret,
            signed: signer.sign("hello"),
            signer,
            mac: SaltedMac::new(b"salt", &"a key".into()),
            templates: Templates::new([(
                "page.html",
                "<p>{{ csrf_token }}</p>{% for n in numbers %}{{ n }}{% endfor %}",
            )])
            .expect("a template"),
            hosts,
            csp: CspPolicy::strict(),
        }
    }
}

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let work = Work::new();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => CALLS.iter().for_each(|(name, call)| report(name, *call, &work)),
        [name] => report(name, find(name), &work),
        [name, "--count", count] => {
            let (call, count) = (find(name), count.parse().unwrap_or(0));
            (0..count).for_each(|_| call(&work));
        }
        _ => usage(),
    }
}

fn find(name: &str) -> Call {
    CALLS.iter().find(|(known, _)| *known == name).map_or_else(|| usage(), |(_, call)| *call)
}

fn usage() -> ! {
    let names: Vec<_> = CALLS.iter().map(|(name, _)| *name).collect();
    eprintln!("usage: micro [NAME] [--count N], NAME one of: {}", names.join(" "));
    process::exit(2);
}

fn report(name: &str, call: Call, work: &Work) {
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| round(call, work)).collect();
    rounds.sort_by(f64::total_cmp);
    println!("{name:<32} {:>8.1} ns", rounds[ROUNDS / 2]);
}

/// Nanoseconds a call.
fn round(call: Call, work: &Work) -> f64 {
    let (start, mut calls) = (Instant::now(), 0u32);
    while start.elapsed() < ROUND {
        (0..1000).for_each(|_| call(work));
        calls += 1000;
    }
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}
