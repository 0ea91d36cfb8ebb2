//! Regular expressions of origins and paths: which ones keep other people's hosts out.
//!
//! Two registrations are all that an attacker needs against a careless pattern: `example.com.evil`
//! where its end is open, and `evilexample.com` where something varies right before the domain.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::literal::{ExtractKind, Extractor, Literal};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::fault::CorsFault;

/// How much memory a compiled pattern may take, in bytes. Its time is linear in what it reads.
pub const MAX_PATTERN: usize = 1 << 20;

/// A pattern of origins, and how it was written.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) text: String,
    regex: Regex,
}

impl Pattern {
    /// A pattern that covers the whole origin and keeps other people's hosts out.
    pub(super) fn whole(text: &str) -> Result<Self, CorsFault> {
        let hir = regex_syntax::parse(text).map_err(|error| syntax(text, &error))?;
        match fault(&hir) {
            Some(fault) => Err(fault(text.to_owned())),
            None => Ok(Self { text: text.to_owned(), regex: compile(text, text)? }),
        }
    }

    /// A pattern as Python's `re.match` takes it: from the start, and open at the end.
    pub(super) fn python(text: &str) -> Result<Self, CorsFault> {
        let regex = compile(text, &format!("\\A(?:{})", in_rusts_words(text)))?;
        Ok(Self { text: text.to_owned(), regex })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn compile(text: &str, regex: &str) -> Result<Regex, CorsFault> {
    let mut builder = RegexBuilder::new(regex);
    builder.size_limit(MAX_PATTERN).build().map_err(|error| syntax(text, &error))
}

fn syntax(text: &str, error: &dyn std::fmt::Display) -> CorsFault {
    CorsFault::PatternSyntax(text.to_owned(), error.to_string())
}

/// Python's `\Z`, the very end, is `\z` here.
fn in_rusts_words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        words.push(character);
        if character == '\\' {
            words.extend(characters.next().map(|after| if after == 'Z' { 'z' } else { after }));
        }
    }
    words
}

fn fault(hir: &Hir) -> Option<fn(String) -> CorsFault> {
    let properties = hir.properties();
    if !properties.look_set_prefix().contains(Look::Start)
        || !properties.look_set_suffix().contains(Look::End)
    {
        return Some(CorsFault::PatternNotAnchored);
    }
    if !every(ExtractKind::Prefix, hir, |start| text(start).contains("://")) {
        return Some(CorsFault::PatternWithoutScheme);
    }
    let closed = every(ExtractKind::Suffix, &without_port(hir), is_closed);
    (!closed).then_some(CorsFault::PatternTooWide)
}

/// Does all that the pattern matches begin, or end, with one of few texts that are such?
fn every(kind: ExtractKind, hir: &Hir, is_such: impl Fn(&Literal) -> bool) -> bool {
    let found = Extractor::new().kind(kind).extract(hir);
    found.literals().is_some_and(|literals| literals.iter().all(is_such))
}

fn text(literal: &Literal) -> &str {
    std::str::from_utf8(literal.as_bytes()).unwrap_or_default()
}

/// Does nothing vary before this end, or only what stands below a whole domain?
fn is_closed(end: &Literal) -> bool {
    let host = without_digits(text(end));
    match host.split_once("://") {
        Some((_, host)) => !host.is_empty(),
        None => host.split_once('.').is_some_and(|(_, domain)| is_owned(domain)),
    }
}

fn without_digits(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    }
}

/// Is this a domain that somebody registers, and no `com` or `co.uk` below which everybody does?
fn is_owned(domain: &str) -> bool {
    let labels: Vec<_> = domain.split('.').collect();
    let letters = |from_end: usize| labels.iter().rev().nth(from_end).map_or(0, |l| l.len());
    let needed = if letters(0) == 2 && letters(1) <= 3 { 3 } else { 2 };
    domain == "localhost" || (labels.len() >= needed && labels.iter().all(|l| !l.is_empty()))
}

/// The pattern without anchors and without the port at its end, which may vary.
fn without_port(hir: &Hir) -> Hir {
    let HirKind::Concat(parts) = hir.kind() else { return hir.clone() };
    let mut kept: Vec<Hir> =
        parts.iter().filter(|part| !matches!(part.kind(), HirKind::Look(_))).cloned().collect();
    let port = match kept.as_slice() {
        [.., last] if is_port(last) => true,
        [.., before, last] => ends_in_colon(before) && is_digits(last),
        _ => false,
    };
    if port {
        kept.pop();
    }
    Hir::concat(kept)
}

fn is_port(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) => is_port(&repetition.sub),
        HirKind::Capture(capture) => is_port(&capture.sub),
        HirKind::Alternation(ways) => ways.iter().all(is_port),
        HirKind::Literal(literal) => is_port_text(&literal.0),
        HirKind::Concat(parts) => match parts.as_slice() {
            [first, rest @ ..] => is_port(first) && rest.iter().all(is_digits),
            [] => false,
        },
        _ => false,
    }
}

fn is_port_text(text: &[u8]) -> bool {
    text.strip_prefix(b":").is_some_and(|port| port.iter().all(u8::is_ascii_digit))
}

fn ends_in_colon(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Literal(literal) if literal.0.ends_with(b":"))
}

fn is_digits(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) => is_digits(&repetition.sub),
        HirKind::Capture(capture) => is_digits(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(is_digits),
        HirKind::Literal(literal) => literal.0.iter().all(u8::is_ascii_digit),
        // In Unicode `\d` has more digits than these; a port that has them is none.
        HirKind::Class(Class::Unicode(class)) => {
            class.iter().all(|range| range.start().is_numeric() && range.end().is_numeric())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(text: &str) -> Option<CorsFault> {
        Pattern::whole(text).err()
    }

    #[test]
    fn rule_2_a_pattern_of_hosts_below_a_domain_passes() {
        for (pattern, origin) in [
            (r"^https://[a-z0-9-]+\.example\.com$", "https://a.example.com"),
            (r"^https://\w+\.example\.com$", "https://a.example.com"),
            (r"^https://(.+\.)?example\.com$", "https://example.com"),
            (r"\Ahttps?://(?:.*\.)?example\.co\.uk\z", "http://shop.example.co.uk"),
            (r"^https://preview-\d+-app\.example\.com$", "https://preview-7-app.example.com"),
            (r"^https://[a-z]+\.example\.com(:\d+)?$", "https://a.example.com:8443"),
            (r"^https://[a-z]+\.example\.com:[0-9]+$", "https://a.example.com:8443"),
            (r"^https://[a-z]+\.example\.com:8443$", "https://a.example.com:8443"),
            (r"^http://localhost(:\d+)?$", "http://localhost:5173"),
            (r"^http://localhost:(3000|5173)$", "http://localhost:3000"),
            (r"^http://[a-z]+\.localhost:\d{4}$", "http://shop.localhost:3000"),
            (r"^(https://a\.example|https://b\.example)$", "https://b.example"),
            (r"^https://a\.example$|^https://b\.example$", "https://b.example"),
        ] {
            assert_eq!(fault_of(pattern), None, "{pattern}");
            assert!(Pattern::whole(pattern).unwrap().matches(origin), "{pattern}");
        }
    }

    #[test]
    fn rule_2_a_pattern_that_is_open_at_an_end_is_refused() {
        for pattern in [
            r"https://example\.com",
            r"^https://example\.com",
            r"https://example\.com$",
            r"^https://a\.example|https://b\.example$",
            r"(?m)^https://a\.example$",
            r"",
            r".*",
        ] {
            let expected = Some(CorsFault::PatternNotAnchored(pattern.to_owned()));
            assert_eq!(fault_of(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn rule_2_a_pattern_that_other_peoples_hosts_match_is_refused() {
        for pattern in [
            r"^https://example.com$",
            r"^https://www.example\.com$",
            r"^https://.*example\.com$",
            r"^https://[a-z]+example\.com$",
            r"^https://[a-z.]*example\.co\.uk$",
            r"^https://[a-z]+\.com$",
            r"^https://[a-z]+\.co\.uk$",
            r"^https://.*$",
            r"^https://[a-z]+\.example\.[a-z]+$",
            r"^https://example\.com.*$",
            r"^https://10\.0\.0\.\d+$",
            r"^https://\w+\.example\.com|^https://.*$",
            r"^https://[a-z]+\.example\.com:.*$",
            r"^https://.*(:\d+)?$",
            r"^https://(:\d+)?$",
        ] {
            let wide = [CorsFault::PatternTooWide, CorsFault::PatternNotAnchored];
            let fault = fault_of(pattern);
            assert!(wide.iter().any(|wide| fault == Some(wide(pattern.to_owned()))), "{pattern}");
        }
    }

    #[test]
    fn rule_2_a_pattern_says_its_scheme() {
        for pattern in [r"^.*\.example\.com$", r"^[a-z]+://a\.example\.com$", r"^null$"] {
            let expected = Some(CorsFault::PatternWithoutScheme(pattern.to_owned()));
            assert_eq!(fault_of(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_or_a_giant_one_is_refused() {
        for pattern in ["(", "(?=a)", r"(a)\1"] {
            assert!(matches!(fault_of(pattern), Some(CorsFault::PatternSyntax(..))), "{pattern}");
        }
        let giant = Pattern::python(r"(?:\w{100}){1000}");
        assert!(matches!(giant, Err(CorsFault::PatternSyntax(..))));
    }

    #[test]
    fn pythons_match_begins_at_the_start_and_is_open_at_the_end() {
        let matches = |pattern: &str, text| Pattern::python(pattern).unwrap().matches(text);
        assert!(matches(r"https://example\.com", "https://example.com.evil"));
        assert!(!matches(r"example", "https://example.com"));
        assert!(!matches(r"a|b", "cab"));
        assert!(matches(r"^https://a\Z", "https://a"));
        assert!(!matches(r"^https://a\Z", "https://a.evil"));
        assert!(matches(r"a\\Z", r"a\Z"));
        assert!(matches("", "anything"));
    }
}
