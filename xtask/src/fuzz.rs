//! The fuzz targets, on the stable toolchain.
//!
//! `libfuzzer-sys` needs LLVM's coverage counters, which `rustc` gives through `-C` flags. Each
//! target starts from its kept corpus in `fuzz/corpus`; what it finds on top goes to `fuzz/target`,
//! and an input that breaks it to `fuzz/artifacts`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::command::{cargo, output, program, root, run as run_program};
use crate::{Outcome, variants};

/// What `cargo fuzz` passes, less what only a nightly toolchain has.
const FLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];

/// How long a target runs where nobody says, in seconds.
const SECONDS: u64 = 60;

/// How long one input may take, in seconds.
const TIMEOUT: u64 = 20;

/// How many variants of its kept corpus a target is tried with to find that it has broken.
const VARIANTS: usize = 10_000;

/// How a target is run.
#[derive(Clone, Copy)]
enum Effort {
    /// On new inputs every time, for so many seconds.
    Seconds(u64),
    /// On the kept corpus and [`variants`] of it, the same every time: what passed passes again.
    Smoke,
}

/// The command `fuzz [TARGET] [--seconds N]`.
///
/// # Errors
/// For an unknown target, and for one that breaks.
pub(crate) fn run(args: &[String]) -> Outcome {
    let wrong = || format!("usage: cargo xtask fuzz [TARGET] [--seconds N]; TARGET: {}", list());
    let (mut target, mut seconds) = (None, SECONDS);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => seconds = args.next().and_then(|n| n.parse().ok()).ok_or_else(wrong)?,
            name if targets().iter().any(|known| known == name) => target = Some(name),
            _ => return Err(wrong()),
        }
    }
    match target {
        Some(name) => Fuzzer::build()?.run(name, Effort::Seconds(seconds)),
        None => run_all(Effort::Seconds(seconds)),
    }
}

/// Tries every target on the same inputs as ever.
///
/// # Errors
/// The first that breaks.
pub(crate) fn smoke() -> Outcome {
    run_all(Effort::Smoke)
}

fn run_all(effort: Effort) -> Outcome {
    let fuzzer = Fuzzer::build()?;
    targets().iter().try_for_each(|name| fuzzer.run(name, effort))
}

fn list() -> String {
    targets().join(" ")
}

fn targets() -> Vec<String> {
    let Ok(files) = std::fs::read_dir(root().join("fuzz/fuzz_targets")) else { return Vec::new() };
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<_> = files.flatten().filter_map(|file| stem(file.path())).collect();
    names.sort();
    names
}

/// The folder of the built targets.
struct Fuzzer(PathBuf);

impl Fuzzer {
    fn build() -> Outcome<Self> {
        let host = host().ok_or("rustc -vV names no host")?;
        let mut build = cargo(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"]);
        // A target of its own, be it the host, keeps the flags away from build scripts.
        build.args(["--target-dir", "fuzz/target", "--target", &host]);
        build.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
        run_program(&mut build)?;
        Ok(Self(root().join("fuzz/target").join(host).join("release")))
    }

    fn run(&self, name: &str, effort: Effort) -> Outcome {
        let found = found(name, effort);
        let artifacts = root().join("fuzz/artifacts").join(name);
        if let Effort::Smoke = effort {
            // What an earlier run left would make this one another.
            let _ = std::fs::remove_dir_all(&found);
        }
        for folder in [&found, &artifacts] {
            std::fs::create_dir_all(folder).map_err(in_file(folder))?;
        }
        if let Effort::Smoke = effort {
            write_variants(&kept(name), &found)?;
        }
        let log = self.log(name, effort, &[&found, &kept(name)], &artifacts)?;
        if let Effort::Smoke = effort {
            // They can be made again, and take more room than all else here.
            let _ = std::fs::remove_dir_all(&found);
        }
        let (first, last) = covered(&log).ok_or_else(|| no_coverage(name))?;
        println!("fuzz {name}: coverage {first} to {last}, nothing broke");
        Ok(())
    }

    /// Runs a target and returns what it printed.
    fn log(
        &self,
        name: &str,
        effort: Effort,
        corpora: &[&Path],
        artifacts: &Path,
    ) -> Outcome<String> {
        let mut command = program(self.0.join(name));
        match effort {
            Effort::Seconds(seconds) => command.arg(format!("-max_total_time={seconds}")),
            // What the folders hold, in the same order, and nothing of its own.
            Effort::Smoke => command.args(["-seed=1", "-runs=0"]),
        };
        command.args([
            format!("-timeout={TIMEOUT}"),
            format!("-artifact_prefix={}/", artifacts.display()),
        ]);
        command.args(corpora).stdout(Stdio::null());
        let output = command.output().map_err(|error| format!("fuzz {name}: {error}"))?;
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.success() {
            true => Ok(log),
            false => Err(format!("fuzz {name} broke:\n{}", tail(&log))),
        }
    }
}

fn host() -> Option<String> {
    let version = output(program("rustc").arg("-vV"))?;
    version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

/// Where new inputs go.
fn found(name: &str, effort: Effort) -> PathBuf {
    let folder = if let Effort::Smoke = effort { "smoke" } else { "corpus" };
    root().join("fuzz/target").join(folder).join(name)
}

fn kept(name: &str) -> PathBuf {
    root().join("fuzz/corpus").join(name)
}

/// Writes the variants of a corpus into a folder.
fn write_variants(kept: &Path, folder: &Path) -> Outcome {
    for (number, input) in variants::of(&inputs(kept)?, VARIANTS).iter().enumerate() {
        let file = folder.join(number.to_string());
        std::fs::write(&file, input).map_err(in_file(&file))?;
    }
    Ok(())
}

/// The inputs of a corpus, by the names of their files: a folder tells them in any order.
fn inputs(kept: &Path) -> Outcome<Vec<Vec<u8>>> {
    let entries = std::fs::read_dir(kept).map_err(in_file(kept))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).map_err(in_file(file))).collect()
}

fn in_file(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}

fn no_coverage(name: &str) -> String {
    format!("fuzz {name}: no coverage was counted, so it fuzzed blindly")
}

/// How many places were reached with the corpus alone, and in the end.
fn covered(log: &str) -> Option<(u64, u64)> {
    let mut counts = log.lines().filter_map(|line| {
        let (_, after) = line.split_once(" cov: ")?;
        after.split_whitespace().next()?.parse::<u64>().ok()
    });
    let first = counts.next()?;
    let last = counts.next_back().unwrap_or(first);
    (first > 0).then_some((first, last))
}

/// The end of a log: the panic, the stack and the input.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_read_from_the_first_and_the_last_line() {
        let log = "INFO: x\n#2\tINITED cov: 214 ft: 214\n#9\tNEW    cov: 300 ft: 9\n#99\tDONE   cov: 331 ft: 9\n";
        assert_eq!(covered(log), Some((214, 331)));
        assert_eq!(covered("#2\tINITED exec/s: 0"), None);
        assert_eq!(covered("#2\tINITED cov: 0 ft: 0"), None);
    }

    #[test]
    fn every_target_has_a_corpus() {
        let targets = targets();
        assert!(targets.len() >= 8, "{targets:?}");
        for name in targets {
            assert!(std::fs::read_dir(kept(&name)).unwrap().next().is_some(), "{name}");
        }
    }
}
