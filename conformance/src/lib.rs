//! The same question, put to the real Django and to Donjon.
//!
//! Vectors are lines of JSON: an input, and what Django did with it. This crate puts the input to
//! Donjon and compares. A file per vector file: [`signing`], [`csrf`], [`sessions`]; [`case`] reads
//! and compares, [`report`] tells.
//!
//! 1. Donjon's public API answers, in the policy that is Django's rule alone; no case is known by
//!    its name.
//! 2. A case is skipped only for a need that its `needs` names.
//! 3. A kind that is not built yet is said, and fails the run only in a file that was named.

pub mod calls;
pub mod case;
pub mod common;
pub mod cors;
pub mod csp;
pub mod csrf;
pub mod headers;
pub mod hosts;
pub mod report;
pub mod sessions;
pub mod signing;
pub mod table;
pub mod template_values;
pub mod templates;
pub mod web;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use case::{Answer, Case, Unanswered};
use report::{FileReport, Verdict};

/// Vectors at hand: those of a folder that was named, or a file's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vectors {
    /// The file.
    pub path: PathBuf,
    /// Was the file itself named?
    pub named: bool,
}

/// The files that these paths lead to: files as they are, folders with all vectors below them.
///
/// # Errors
/// Those of reading a folder; a path that does not exist.
pub fn vectors(paths: &[PathBuf]) -> io::Result<Vec<Vectors>> {
    let mut found = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => below(path, &mut found)?,
            false => found.push(Vectors { path: path.clone(), named: true }),
        }
    }
    Ok(found)
}

fn below(folder: &Path, found: &mut Vec<Vectors>) -> io::Result<()> {
    let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            below(&path, found)?;
        } else if is_vectors(&path) {
            found.push(Vectors { path, named: false });
        }
    }
    Ok(())
}

fn is_vectors(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.ends_with(".jsonl") || name.ends_with(".jsonl.gz")
}

/// Runs all cases of a file.
///
/// # Errors
/// Those of reading the file, and a line that is no JSON.
pub async fn run(vectors: &Vectors) -> io::Result<FileReport> {
    let name = vectors.path.file_name().and_then(OsStr::to_str).unwrap_or("(no name)");
    let mut report = FileReport::new(name, vectors.named);
    for line in lines(&vectors.path)? {
        let line = line?;
        if !line.trim().is_empty() {
            let case = Case::parse(&line)?;
            let verdict = verdict(&case).await;
            report.add(&case, verdict);
        }
    }
    Ok(report)
}

fn lines(path: &Path) -> io::Result<Box<dyn Iterator<Item = io::Result<String>>>> {
    let file = File::open(path)?;
    Ok(match path.extension().is_some_and(|extension| extension == "gz") {
        true => Box::new(BufReader::new(GzDecoder::new(file)).lines()),
        false => Box::new(BufReader::new(file).lines()),
    })
}

/// What becomes of one case.
pub async fn verdict(case: &Case) -> Verdict {
    Verdict::of(case, answer(case).await)
}

/// Two files may have kinds of one name, so a case is known by its kind and its fields.
async fn answer(case: &Case) -> Answer {
    match case.kind() {
        "request" if case.has("view") => csrf::request(case).await,
        "request" if case.has("check_request_enabled") => cors::request(case).await,
        "setting_alias" => cors::setting_alias(case),
        "token" => csrf::token(case),
        "b62" | "signature" | "sign" | "unsign" | "sign_object" | "unsign_object"
        | "signer_new" | "set_signed_cookie" | "get_signed_cookie" => signing::answer(case),
        "encode" if case.has("json") => sessions::answer(case).await,
        "decode" if case.has("text") => sessions::answer(case).await,
        "cookie_session_encode"
        | "cookie_session_decode"
        | "session_key"
        | "expiry"
        | "middleware"
        | "auth_hash"
        | "auth_session" => sessions::answer(case).await,
        "django_build_policy" => csp::django_policy(case),
        "django_csp_build_policy" => csp::django_csp_policy(case),
        "django_csp_middleware" => csp::django_csp_middleware(case).await,
        "csp" => csp::django_middleware(case).await,
        "template" => templates::template(case),
        "filter" => templates::filter(case),
        "call" => calls::call(case),
        "host" => hosts::host(case),
        "security" => headers::security(case).await,
        "xframe" => headers::xframe(case).await,
        "common" => common::common(case).await,
        "iri_to_uri" => hosts::iri(case),
        "escape_uri_path" => hosts::uri_path(case),
        "escape_leading_slashes" => hosts::leading_slashes(case),
        "is_same_domain" => hosts::same_domain(case),
        "url_has_allowed_host_and_scheme" => hosts::redirect(case),
        other => Err(Unanswered::NotBuilt(other.to_owned())),
    }
}
