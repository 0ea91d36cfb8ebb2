//! A Python environment with the Django that Donjon is measured by.
//!
//! Django 6.1 needs Python 3.12. Where only an older one is there, Django 5.2 LTS stands in: its
//! formats are the same but for the work factor of passwords, and `DONJON_DJANGO_VERSION` tells.

use std::path::{Path, PathBuf};

use crate::command::{find as find_program, output, prepare, program, root};
use crate::services::Exports;
use crate::{Outcome, debian};

type Version = (u32, u32);

/// What Django 6.1 needs.
const MODERN: Version = (3, 12);
/// What Django 5.2 needs.
const OLDEST: Version = (3, 10);

/// A virtual environment, and what is installed in it.
struct Environment {
    folder: PathBuf,
    requirements: PathBuf,
}

impl Environment {
    fn of(python: Version) -> Self {
        let (release, file) = match python >= MODERN {
            true => ("6.1", "requirements.txt"),
            false => ("5.2", "requirements-5.2.txt"),
        };
        Self {
            folder: root().join("target").join(format!("venv-django-{release}")),
            requirements: root().join("conformance/django").join(file),
        }
    }

    fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// The requirements that were installed, kept beside them.
    fn installed(&self) -> PathBuf {
        self.folder.join("requirements.txt")
    }

    fn is_current(&self) -> bool {
        let wanted = std::fs::read(&self.requirements).ok();
        wanted.is_some() && wanted == std::fs::read(self.installed()).ok()
    }
}

/// The environment's Python and Django's version, if it is there and current.
pub(crate) fn find() -> Option<Exports> {
    let (_, version) = newest_python()?;
    let environment = Environment::of(version);
    let version = environment.is_current().then(|| django_version(&environment.python()))??;
    Some(vec![
        ("DONJON_DJANGO_PYTHON", environment.python().display().to_string()),
        ("DONJON_DJANGO_VERSION", version),
    ])
}

fn django_version(python: &Path) -> Option<String> {
    output(program(python).args(["-c", "import django; print(django.__version__)"]))
}

/// Makes the environment with the newest Python, which Debian gives where there is none.
///
/// # Errors
/// Where no Python can be had, or pip fails.
pub(crate) fn install() -> Outcome {
    if newest_python().is_none() {
        debian::install(&["python3", "python3-venv"])?;
    }
    let (python, version) = newest_python().ok_or("no Python of at least 3.10")?;
    if version < MODERN {
        eprintln!("Python {}.{} is too old for Django 6.1: taking 5.2 LTS", version.0, version.1);
    }
    let environment = Environment::of(version);
    make(&environment, &python)?;
    std::fs::copy(&environment.requirements, environment.installed())
        .map(drop)
        .map_err(|error| format!("{}: {error}", environment.installed().display()))
}

fn make(environment: &Environment, python: &Path) -> Outcome {
    if output(program(python).args(["-c", "import ensurepip, venv"])).is_none() {
        debian::install(&["python3-venv"])?;
    }
    prepare(program(python).args(["-m", "venv", "--clear"]).arg(&environment.folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    prepare(program(environment.python()).args(pip).arg(&environment.requirements))
}

/// The newest Python that runs; pyenv's shims are on `PATH` even where they don't.
fn newest_python() -> Option<(PathBuf, Version)> {
    let on_path = ["python3.14", "python3.13", "python3.12", "python3"]
        .into_iter()
        .filter_map(|name| find_program(&[name]));
    on_path
        .chain(of_pyenv())
        .filter_map(|python| python_version(&python).map(|version| (python, version)))
        .filter(|(_, version)| *version >= OLDEST)
        .max_by_key(|(_, version)| *version)
}

fn of_pyenv() -> Vec<PathBuf> {
    let Some(home) = std::env::home_dir() else { return Vec::new() };
    let Ok(versions) = std::fs::read_dir(home.join(".pyenv/versions")) else { return Vec::new() };
    versions.flatten().map(|version| version.path().join("bin/python3")).collect()
}

fn python_version(python: &Path) -> Option<Version> {
    let script = "import sys; print(*sys.version_info[:2])";
    let text = output(program(python).args(["-c", script]))?;
    let (major, minor) = text.split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
