//! The house: which crate and which room may know which other, and what a line may touch.
//!
//! The arrows point one way, so that a room can be read, tested and reused without the rooms above
//! it. The tables below are the plan; what breaks it fails here, with the file and the rule. Sources
//! are read as text: comments, strings and test modules do not count.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each crate, and the crates of this workspace that it may know.
const CRATES: [(&str, &[&str]); 7] = [
    ("donjon-macros", &[]),
    ("donjon-cli", &["donjon_html"]),
    ("donjon-core", &[]),
    ("donjon-html", &[]),
    ("donjon-db", &["donjon_core"]),
    ("donjon-redis", &["donjon_core"]),
    ("donjon", &["donjon_core", "donjon_html", "donjon_macros"]),
];

/// From this floor on a room may know all rooms below its floor: it fits them together.
const FITTING: u8 = 4;

/// Each room of `donjon`: its floor, and the rooms that it may know besides [`EVERYBODYS`].
const ROOMS: &[(&str, u8, &[&str])] = &[
    ("rejection", 1, &[]),
    ("vary", 1, &[]),
    ("names", 1, &[]),
    ("paths", 1, &[]),
    ("password", 1, &[]),
    ("headers", 2, &[]),
    ("csp", 2, &[]),
    ("host", 2, &[]),
    ("https", 2, &["paths"]),
    ("isolation", 2, &["paths"]),
    ("canonical", 2, &[]),
    ("cors", 2, &[]),
    ("session", 2, &[]),
    ("csrf", 2, &[]),
    ("auth", 3, &["session", "password"]),
    ("messages", 3, &["session"]),
    // A form has the hidden field of the token, and the limits of its body.
    ("form", 3, &["csrf"]),
    // What a template needs.
    ("page", 3, &["csrf", "csp", "messages", "names", "session"]),
    ("stack", 4, &[]),
    // Routes are served inside a stack.
    ("routes", 4, &["stack"]),
    ("settings", 5, &[]),
    // Reads a stack, and asks the router that runs it.
    ("check", 5, &[]),
    ("serve", 6, &[]),
    ("command", 6, &["serve"]),
];

/// Rooms that every room may know: how to refuse, and how to tell caches.
const EVERYBODYS: [&str; 2] = ["rejection", "vary"];

/// Arrows that the plan does not have and the code does: room, room, why. Each must still be there:
/// one that is gone leaves this list.
const DEBTS: [(&str, &str, &str); 1] = [("page", "auth", "every template may ask for `user`")];

/// Crates and words that only some files may use.
struct Reserved {
    /// Crates by the name they have in a path, or words.
    names: &'static [&'static str],
    /// Where they may be used: `crate/file.rs`, `crate/folder/`, or `crate/*/file.rs`.
    places: &'static [&'static str],
}

const RESERVED: &[Reserved] = &[
    Reserved {
        names: &["tower", "tower_layer", "tower_service", "tower_http"],
        places: &[
            "donjon/*/layer.rs",
            "donjon/stack/",
            // Small rooms: their layer stands in the one file.
            "donjon/host.rs",
            "donjon/https.rs",
            "donjon/canonical.rs",
            // The guard of a route is a layer of its own beside the one that finds the user.
            "donjon/auth/guard.rs",
            // One transaction for a request.
            "donjon-db/guard/request/layer.rs",
            // Not a layer but what stands behind them: a service that receives reports.
            "donjon/csp/report/endpoint.rs",
            // The probe and the accept loop call the router as a tower service.
            "donjon/check/probe/ask.rs",
            "donjon/serve/",
        ],
    },
    Reserved {
        names: &["axum", "axum_core"],
        places: &[
            "donjon/*/extract.rs",
            "donjon/routes/",
            "donjon/page.rs",
            "donjon/serve/",
            "donjon/check/probe/",
        ],
    },
    // Reading a body: each of these has a limit.
    Reserved {
        names: &["BodyExt", "Limited"],
        places: &[
            "donjon/csrf/body.rs",
            "donjon/form/extract.rs",
            "donjon/csp/report/endpoint.rs",
            // The body of an answer, of which the probe reads the beginning.
            "donjon/check/probe/ask.rs",
        ],
    },
    Reserved { names: &["rustls", "tokio_rustls"], places: &["donjon/serve/"] },
    Reserved { names: &["hyper", "hyper_util"], places: &["donjon/serve/"] },
    Reserved { names: &["sea_orm", "sqlx", "rusqlite", "moka"], places: &["donjon-db/"] },
    Reserved { names: &["redis"], places: &["donjon-redis/"] },
    Reserved {
        names: &["SystemTime"],
        places: &["donjon-core/clock.rs", "donjon-html/template/date.rs"],
    },
    Reserved { names: &["getrandom"], places: &["donjon-core/entropy.rs"] },
    Reserved {
        names: &["danger_trusted"],
        places: &[
            "donjon-html/escape.rs",
            "donjon-html/escape/",
            "donjon-html/sanitize.rs",
            "donjon-html/sanitize/",
            "donjon-html/markup.rs",
            // Django's filters: what they give back is markup, or was before they cut it.
            "donjon-html/template/filter.rs",
            "donjon-html/template/filter/",
            // Markup that the site itself has signed.
            "donjon/messages/codec.rs",
            // A literal of a template is its author's text, as in Django.
            "donjon-html/template/expression.rs",
            // What a template has rendered is markup: a body, a block, a message with its values.
            "donjon-html/template/render/",
        ],
    },
];

#[test]
fn the_house_stands() {
    let found: Vec<String> = sources().iter().flat_map(Source::faults).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_crate_and_room_was_looked_at() {
    let sources = sources();
    for (name, _) in CRATES {
        assert!(sources.iter().any(|source| source.krate == name), "{name}");
    }
    for room in ["auth", "csrf", "page", "routes", "session", "stack"] {
        assert!(sources.iter().any(|source| source.room() == Some(room)), "{room}");
    }
    // Paths are really found: the stack fits all rooms of floor 2.
    let stack = || sources.iter().filter(|source| source.room() == Some("stack"));
    for room in ["headers", "csp", "host", "https", "cors", "session", "csrf", "auth"] {
        assert!(stack().any(|file| file.rooms().iter().any(|known| known == room)), "{room}");
    }
}

#[test]
fn debts_that_are_paid_leave_the_list() {
    let sources = sources();
    for (from, to, why) in DEBTS {
        let owed = |source: &Source| {
            source.room() == Some(from) && source.rooms().iter().any(|room| room == to)
        };
        assert!(sources.iter().any(owed), "{from} → {to} is gone ({why}): take it off the list");
    }
}

/// A source file, or a made-up one.
struct Source {
    krate: String,
    /// The path below `src`, with slashes.
    file: String,
    code: Vec<Token>,
}

fn sources() -> Vec<Source> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut sources = Vec::new();
    for folder in entries(crates) {
        let src = folder.join("src");
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for path in files_below(&src) {
            let file = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
            sources.push(Source::new(&name, &file, &fs::read_to_string(&path).unwrap()));
        }
    }
    sources
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (folders, files): (Vec<_>, Vec<_>) = entries(folder).into_iter().partition(|p| p.is_dir());
    let rust = files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs"));
    rust.chain(folders.iter().flat_map(|folder| files_below(folder))).collect()
}

impl Source {
    fn new(krate: &str, file: &str, text: &str) -> Self {
        let code = without_tests(tokens(text));
        Self { krate: krate.to_owned(), file: file.to_owned(), code }
    }

    fn place(&self) -> String {
        format!("{}/{}", self.krate, self.file)
    }

    /// The room that a file of `donjon` is in.
    fn room(&self) -> Option<&str> {
        let inside = self.krate == "donjon" && self.file != "lib.rs";
        let first = self.file.split('/').next()?;
        inside.then(|| first.strip_suffix(".rs").unwrap_or(first))
    }

    /// How many `super` lead from this file to the root of its crate.
    fn depth(&self) -> usize {
        let folders = self.file.matches('/').count();
        if self.file.ends_with("/mod.rs") || self.file == "lib.rs" { folders } else { folders + 1 }
    }

    /// The rooms, or other names at the root of the crate, that this file knows.
    fn rooms(&self) -> Vec<String> {
        let below_root = |path: Vec<String>| {
            let supers = path.iter().take_while(|word| *word == "super").count();
            let skipped = match path.first().map(String::as_str) {
                Some("crate") => 1,
                Some("super") if supers >= self.depth() => supers,
                _ => return None,
            };
            path.get(skipped).cloned()
        };
        let mut rooms: Vec<_> = paths(&self.code).into_iter().filter_map(below_root).collect();
        rooms.sort();
        rooms.dedup();
        rooms
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = self.crate_faults();
        faults.extend(self.room_faults());
        faults.extend(RESERVED.iter().flat_map(|reserved| self.reserved_faults(reserved)));
        faults.iter().map(|fault| format!("{}: {fault}", self.place())).collect()
    }

    fn crate_faults(&self) -> Vec<String> {
        let Some((_, known)) = CRATES.iter().find(|(name, _)| *name == self.krate) else {
            return vec![format!("the crate {} is not in the plan", self.krate)];
        };
        let own = self.krate.replace('-', "_");
        let heads = paths(&self.code).into_iter().filter_map(|path| path.into_iter().next());
        let foreign = heads.filter(|head| {
            let ours = head == "donjon" || head.starts_with("donjon_");
            ours && *head != own && !known.contains(&head.as_str())
        });
        foreign.map(|head| format!("{} may not know the crate {head}", self.krate)).collect()
    }

    fn room_faults(&self) -> Vec<String> {
        let Some(room) = self.room() else { return Vec::new() };
        if !ROOMS.iter().any(|(name, ..)| *name == room) {
            return vec![format!("the room {room} is not in the plan")];
        }
        let wrong =
            self.rooms().into_iter().filter(|other| other != "self" && !may_know(room, other));
        wrong.map(|other| format!("{room} may not know {other}")).collect()
    }

    fn reserved_faults(&self, reserved: &Reserved) -> Vec<String> {
        let place = self.place();
        if reserved.places.iter().any(|pattern| fits(&place, pattern)) {
            return Vec::new();
        }
        let used = |name: &&&str| self.code.iter().any(|token| token.is(name));
        let found = reserved.names.iter().filter(used);
        found.map(|name| format!("`{name}` is for {} only", reserved.places.join(", "))).collect()
    }
}

fn may_know(room: &str, other: &str) -> bool {
    let plan = |name: &str| ROOMS.iter().find(|(known, ..)| *known == name);
    let (Some((_, floor, known)), Some((_, below, _))) = (plan(room), plan(other)) else {
        return false;
    };
    room == other
        || EVERYBODYS.contains(&other)
        || known.contains(&other)
        || (*floor >= FITTING && below < floor)
        || DEBTS.iter().any(|(from, to, _)| (*from, *to) == (room, other))
}

/// Does a file fit `crate/file.rs`, `crate/folder/` or `crate/*/file.rs`?
fn fits(place: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => place.starts_with(start) && place.ends_with(end),
        None => place == pattern || (pattern.ends_with('/') && place.starts_with(pattern)),
    }
}

/// A word, `::`, or another character; nothing of comments, strings and numbers' insides matters.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Colons,
    Other(char),
}

impl Token {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own == word)
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = skipped(rest) {
            rest = after;
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if let Some(after) = rest.strip_prefix("::") {
            tokens.push(Token::Colons);
            rest = after;
        } else {
            tokens.extend((!first.is_whitespace()).then_some(Token::Other(first)));
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

/// What follows a comment, a string or a character, if the text begins with one.
fn skipped(text: &str) -> Option<&str> {
    if text.starts_with("//") {
        return Some(text.find('\n').map_or("", |end| &text[end..]));
    }
    if text.starts_with("/*") {
        return Some(after_comment(text));
    }
    raw_string(text).or_else(|| string(text)).or_else(|| character(text))
}

/// Block comments nest.
fn after_comment(text: &str) -> &str {
    let (mut depth, mut at) = (0, 0);
    while let Some(next) = text[at..].find("*/") {
        depth += text[at..at + next].matches("/*").count();
        at += next + 2;
        depth -= 1;
        if depth == 0 {
            return &text[at..];
        }
    }
    ""
}

fn raw_string(text: &str) -> Option<&str> {
    let text = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = text.len() - text.trim_start_matches('#').len();
    let inside = text[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", &text[..hashes]);
    Some(inside.split_once(&close).map_or("", |(_, after)| after))
}

fn string(text: &str) -> Option<&str> {
    after_close(text.strip_prefix('b').unwrap_or(text).strip_prefix('"')?, '"')
}

/// A character, and not a lifetime.
fn character(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('\'')?;
    let mut characters = inside.chars();
    let first = characters.next()?;
    (first == '\\' || characters.next() == Some('\'')).then(|| after_close(inside, '\''))?
}

/// What follows the closing mark; a backslash hides one.
fn after_close(inside: &str, close: char) -> Option<&str> {
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            _ if character == close => return inside.get(at + close.len_utf8()..),
            _ => {}
        }
    }
    Some("")
}

/// Takes the modules out that only tests have.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let words = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let is = |token: &Token, word: &str| match token {
        Token::Word(own) => own == word,
        Token::Other(own) => word == own.to_string(),
        Token::Colons => false,
    };
    let begins = |at: usize| {
        words.iter().enumerate().all(|(i, word)| tokens.get(at + i).is_some_and(|t| is(t, word)))
    };
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if begins(at) {
            at = after_block(&tokens, at);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Where the block ends that begins next.
fn after_block(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token {
            Token::Other('{') => depth += 1,
            Token::Other('}') if depth == 1 => return at + 1,
            Token::Other('}') => depth -= 1,
            Token::Other(';') if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// All paths, those of `use` with braces each on its own; a lone word only where `use` names it.
fn paths(tokens: &[Token]) -> Vec<Vec<String>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let named = at > 0 && (tokens[at - 1].is("use") || tokens[at - 1] == Token::Colons);
        let mut reader = Reader { tokens, at };
        let tree = reader.tree();
        found.extend(tree.into_iter().filter(|path| path.len() > 1 || named));
        at = reader.at.max(at + 1);
    }
    found
}

struct Reader<'t> {
    tokens: &'t [Token],
    at: usize,
}

impl Reader<'_> {
    /// `a::b`, or `a::{b, c::d}`: its paths.
    fn tree(&mut self) -> Vec<Vec<String>> {
        let mut path = Vec::new();
        while let Some(Token::Word(word)) = self.tokens.get(self.at) {
            path.push(word.clone());
            self.at += 1;
            if self.tokens.get(self.at) != Some(&Token::Colons) {
                break;
            }
            self.at += 1;
        }
        let group = !path.is_empty() && self.tokens.get(self.at) == Some(&Token::Other('{'));
        if !group || self.tokens.get(self.at - 1) != Some(&Token::Colons) {
            return if path.is_empty() { Vec::new() } else { vec![path] };
        }
        let ends = self.group();
        ends.into_iter().map(|end| [path.clone(), end].concat()).collect()
    }

    fn group(&mut self) -> Vec<Vec<String>> {
        let mut ends = Vec::new();
        self.at += 1;
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Other('}') => {
                    self.at += 1;
                    break;
                }
                Token::Word(_) => ends.extend(self.tree()),
                _ => self.at += 1,
            }
        }
        ends
    }
}

fn faults(place: &str, text: &str) -> Vec<String> {
    let (krate, file) = place.split_once('/').unwrap();
    Source::new(krate, file, text).faults()
}

#[test]
fn what_breaks_the_plan_is_found() {
    let broken = [
        ("donjon-core/a.rs", "use donjon::csrf::Csrf;"),
        ("donjon-core/a.rs", "fn f() { donjon_html::escape::escape(\"\"); }"),
        ("donjon-html/a.rs", "use donjon_core::secret;"),
        ("donjon-db/a.rs", "use donjon::session::SessionLayer;"),
        ("donjon/csrf/a.rs", "use donjon_db::Database;"),
        ("donjon-new/lib.rs", ""),
        ("donjon/attic.rs", ""),
        ("donjon/csrf/layer.rs", "use crate::session::SessionLayer;"),
        ("donjon/csrf/layer.rs", "use crate::{rejection, vary, cors::{Cors, CorsLayer}};"),
        ("donjon/csrf/layer.rs", "use {crate::session};"),
        ("donjon/csrf/layer.rs", "fn f(_: &'static str) -> crate::auth::User { todo!() }"),
        ("donjon/csrf/layer.rs", "use super::super::session::SessionLayer;"),
        ("donjon/csrf/mod.rs", "use super::session;"),
        ("donjon/headers/mod.rs", "use super::csp::CspPolicy;"),
        ("donjon/headers/mod.rs", "const QUOTE: char = '\"'; use crate::csp::CspPolicy; // \""),
        ("donjon/password.rs", "use crate::auth::Auth;"),
        ("donjon/rejection.rs", "use crate::csrf::Reason;"),
        ("donjon/auth/layer.rs", "use crate::csrf::CsrfToken;"),
        ("donjon/form/mod.rs", "use crate::session::SessionHandle;"),
        ("donjon/page.rs", "use crate::stack::Stack;"),
        ("donjon/stack.rs", "use crate::routes::Routes;"),
        ("donjon/routes.rs", "use crate::serve::Server;"),
        ("donjon/csrf/policy.rs", "use crate::Answer;"),
        ("donjon/csrf/decision.rs", "use tower_layer::Layer;"),
        ("donjon/csrf/decision.rs", "use tower;"),
        ("donjon/csrf/layer.rs", "use axum::extract::Request;"),
        ("donjon-core/origin.rs", "use axum::Router;"),
        ("donjon/page.rs", "use hyper::body::Incoming;"),
        ("donjon/csrf/layer.rs", "use http_body_util::BodyExt;"),
        ("donjon/session/layer.rs", "sea_orm::Database::connect(url)"),
        ("donjon-core/session/store.rs", "use sqlx::SqlitePool;"),
        ("donjon/csrf/decision.rs", "let now = std::time::SystemTime::now();"),
        ("donjon/csrf/token.rs", "getrandom::fill(&mut bytes)"),
        ("donjon/page.rs", "Markup::danger_trusted(text)"),
        ("donjon-html/template/render.rs", "Markup::danger_trusted(text)"),
        ("donjon/csrf/layer.rs", "#[cfg(test)] mod tests { use axum::A; } use axum::B;"),
    ];
    for (place, text) in broken {
        assert_eq!(faults(place, text).len(), 1, "{place}: {text}: {:?}", faults(place, text));
    }
}

#[test]
fn what_keeps_to_the_plan_is_not() {
    let kept = [
        ("donjon/lib.rs", "pub mod csrf; pub use rejection::Answer;"),
        ("donjon/csrf/layer.rs", "use super::policy::P; use crate::{rejection::refuse, vary};"),
        ("donjon/csrf/layer.rs", "use crate::csrf::Decision; use tower_service::Service;"),
        ("donjon/csrf/extract.rs", "use axum::extract::FromRequestParts;"),
        ("donjon/csrf/policy.rs", "//! See [`crate::session`]\n/* axum /* tower */ sqlx */"),
        ("donjon/csrf/policy.rs", "const TEXT: &str = r#\"use crate::session; \" axum\"#;"),
        (
            "donjon/csrf/policy.rs",
            "const TEXT: &str = \"\\\" use tower::x;\"; const C: u8 = b'\\'';",
        ),
        ("donjon/csrf/policy.rs", "#[cfg(test)] mod tests { use axum::Router; mod deep { } }"),
        ("donjon/csrf/policy.rs", "fn tower_of<'a>(text: &'a str) -> &'a str { text }"),
        ("donjon/stack/", "use crate::{auth::A, cors::C, csrf::D}; use tower::util::option_layer;"),
        ("donjon/routes.rs", "use crate::stack::Stack; use crate::page::Pages;"),
        ("donjon-db/entity/user.rs", "use sea_orm::entity::prelude::*; use donjon_core::account;"),
        ("donjon-core/clock.rs", "use std::time::{Duration, SystemTime};"),
        ("donjon-html/template/filter/text.rs", "Markup::danger_trusted(rest)"),
    ];
    for (place, text) in kept {
        assert_eq!(faults(place, text), Vec::<String>::new(), "{place}: {text}");
    }
}
