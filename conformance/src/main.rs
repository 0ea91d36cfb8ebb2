//! `conformance [PATH…] [--json FILE]`: puts recorded questions to Donjon.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use conformance::report::FileReport;
use conformance::{run, vectors};
use serde_json::Value;

const HELP: &str = "\
conformance [PATH…] [--json FILE]

Runs the vectors in these files (.jsonl, .jsonl.gz) and folders; without a PATH those in
../shared/vectors beside the workspace, if there are any. Prints a line per file and kind,
how many cases passed, and then each failure and the reason of each skip.

  --json FILE   also writes the report as data

A kind that is not built yet is said in one line, and of one in progress the failures too. Both
fail the run only where their file itself was named; in a folder they do not.

Exit status: 0 if all is well, 1 if a case failed, 2 if the files could not be read.
";

struct Arguments {
    paths: Vec<PathBuf>,
    json: Option<PathBuf>,
}

fn arguments() -> Result<Option<Arguments>, String> {
    let (mut paths, mut json) = (Vec::new(), None);
    let mut rest = std::env::args_os().skip(1);
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("-h" | "--help") => return Ok(None),
            Some("--json") => json = Some(rest.next().ok_or("--json needs a file")?.into()),
            Some(flag) if flag.starts_with("--") => return Err(format!("no such option: {flag}")),
            _ => paths.push(argument.into()),
        }
    }
    if paths.is_empty() {
        paths.extend(shared());
    }
    Ok(Some(Arguments { paths, json }))
}

/// The vectors beside the workspace, if they are there.
fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    folder.is_dir().then_some(folder)
}

async fn run_all(arguments: &Arguments) -> std::io::Result<bool> {
    let mut reports = Vec::new();
    for vectors in vectors(&arguments.paths)? {
        let report = run(&vectors).await.map_err(|error| {
            std::io::Error::new(error.kind(), format!("{}: {error}", vectors.path.display()))
        })?;
        print!("{report}");
        reports.push(report);
    }
    if let Some(file) = &arguments.json {
        std::fs::write(file, data(&reports))?;
    }
    Ok(reports.iter().all(FileReport::is_good))
}

fn data(reports: &[FileReport]) -> String {
    let kinds = reports.iter().flat_map(|report| match report.to_json() {
        Value::Array(kinds) => kinds,
        other => vec![other],
    });
    format!("{:#}\n", Value::from(kinds.collect::<Vec<_>>()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if arguments.paths.is_empty() {
        println!("no vectors: ../shared/vectors is not there, and no PATH was given");
    }
    match run_all(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
