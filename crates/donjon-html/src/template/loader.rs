//! Where templates come from: a folder, the binary, memory, or several of these in a row.
//!
//! Stops a folder of templates from reaching beyond itself, and from being read without end.
//!
//! 1. A link that leads out of the folder is not followed, and hidden files are left out.
//! 2. A folder has at most [`MAX_TEMPLATES`] files, nested at most [`MAX_FOLDERS`] deep, each of at most [`MAX_SOURCE`]
//!    bytes.
//! 3. Of two sources with one name the first counts; a template that extends its own name extends the next.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::engine::{TemplateErrors, TemplateOptions, Templates};

/// The most files of one folder, with the folders inside it.
pub const MAX_TEMPLATES: usize = 10_000;
/// The deepest nesting of folders.
pub const MAX_FOLDERS: usize = 16;
/// The longest template, in bytes.
pub const MAX_SOURCE: u64 = 1024 * 1024;

/// Gives templates by name. Django: `loaders`.
pub trait Loader: Send + Sync {
    /// All templates: names, with `/` between folders, and sources.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if something can't be read.
    fn sources(&self) -> Result<Vec<(String, String)>, LoadError>;

    /// A number that changes when the sources do; always the same for sources that never do.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if something can't be read.
    fn version(&self) -> Result<u64, LoadError> {
        Ok(0)
    }
}

/// Templates could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError(String);

impl LoadError {
    /// Says which file, and what is wrong.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    fn at(path: &Path, problem: impl fmt::Display) -> Self {
        Self(format!("{}: {problem}", path.display()))
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LoadError {}

/// Templates in memory, or embedded in the binary by `donjon::embed_templates!`.
impl Loader for [(&str, &str)] {
    fn sources(&self) -> Result<Vec<(String, String)>, LoadError> {
        Ok(self.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())).collect())
    }
}

impl<const N: usize> Loader for [(&str, &str); N] {
    fn sources(&self) -> Result<Vec<(String, String)>, LoadError> {
        self.as_slice().sources()
    }
}

impl<L: Loader + ?Sized> Loader for &L {
    fn sources(&self) -> Result<Vec<(String, String)>, LoadError> {
        (**self).sources()
    }

    fn version(&self) -> Result<u64, LoadError> {
        (**self).version()
    }
}

/// Several loaders, of which the first that has a template gives it. Django: `DIRS`, or several loaders.
impl Loader for Vec<Box<dyn Loader>> {
    fn sources(&self) -> Result<Vec<(String, String)>, LoadError> {
        let all = self.iter().map(|loader| loader.sources()).collect::<Result<Vec<_>, _>>()?;
        Ok(all.into_iter().flatten().collect())
    }

    fn version(&self) -> Result<u64, LoadError> {
        let mut hasher = DefaultHasher::new();
        for loader in self {
            loader.version()?.hash(&mut hasher);
        }
        Ok(hasher.finish())
    }
}

/// The templates of a folder and of the folders inside it. Django: the filesystem loader.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder of that path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    fn files(&self) -> Result<Vec<PathBuf>, LoadError> {
        let root = self.0.canonicalize().map_err(|error| LoadError::at(&self.0, error))?;
        let mut files = Vec::new();
        walk(&root, &root, 0, &mut files)?;
        files.sort();
        Ok(files)
    }

    fn root(&self) -> Result<PathBuf, LoadError> {
        self.0.canonicalize().map_err(|error| LoadError::at(&self.0, error))
    }
}

/// Rules 1 and 2.
fn walk(
    root: &Path,
    folder: &Path,
    depth: usize,
    files: &mut Vec<PathBuf>,
) -> Result<(), LoadError> {
    let wrong = |error: std::io::Error| LoadError::at(folder, error);
    if depth > MAX_FOLDERS {
        return Err(LoadError::at(
            folder,
            format!("folders are nested more than {MAX_FOLDERS} deep"),
        ));
    }
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let inside = path.canonicalize().is_ok_and(|real| real.starts_with(root));
        if hidden || !inside {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, depth + 1, files)?;
        } else {
            files.push(path);
        }
        if files.len() > MAX_TEMPLATES {
            return Err(LoadError::at(root, format!("there are more than {MAX_TEMPLATES} files")));
        }
    }
    Ok(())
}

impl Loader for Folder {
    fn sources(&self) -> Result<Vec<(String, String)>, LoadError> {
        let root = self.root()?;
        let read = |path: PathBuf| {
            let wrong = |error: std::io::Error| LoadError::at(&path, error);
            let size = std::fs::metadata(&path).map_err(wrong)?.len();
            if size > MAX_SOURCE {
                return Err(LoadError::at(
                    &path,
                    format!("a template has at most {MAX_SOURCE} bytes"),
                ));
            }
            let text = std::fs::read_to_string(&path).map_err(wrong)?;
            Ok((name(&root, &path), text))
        };
        self.files()?.into_iter().map(read).collect()
    }

    fn version(&self) -> Result<u64, LoadError> {
        let mut hasher = DefaultHasher::new();
        for path in self.files()? {
            let about = std::fs::metadata(&path).map_err(|error| LoadError::at(&path, error))?;
            (path, about.len(), about.modified().ok()).hash(&mut hasher);
        }
        Ok(hasher.finish())
    }
}

fn name(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).components();
    let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    parts.join("/")
}

/// Templates could not be loaded: they can't be read, or something is wrong in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadingError {
    /// They can't be read.
    Unreadable(LoadError),
    /// Everything that is wrong in them.
    Wrong(TemplateErrors),
}

impl fmt::Display for LoadingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Wrong(errors) => errors.fmt(f),
        }
    }
}

impl std::error::Error for LoadingError {}

impl From<LoadError> for LoadingError {
    fn from(error: LoadError) -> Self {
        Self::Unreadable(error)
    }
}

impl From<TemplateErrors> for LoadingError {
    fn from(errors: TemplateErrors) -> Self {
        Self::Wrong(errors)
    }
}

impl Templates {
    /// Loads what a loader gives.
    ///
    /// # Errors
    ///
    /// [`LoadingError`].
    pub fn load(
        loader: &(impl Loader + ?Sized),
        options: TemplateOptions,
    ) -> Result<Self, LoadingError> {
        Ok(Self::with_options(loader.sources()?, options)?)
    }
}

/// Templates that are loaded again when their sources change: for development.
pub struct LiveTemplates {
    loader: Box<dyn Loader>,
    options: TemplateOptions,
    loaded: RwLock<Loaded>,
}

#[derive(Clone)]
struct Loaded {
    version: u64,
    templates: Arc<Templates>,
    /// Why the newest sources are not what is shown.
    error: Option<Arc<LoadingError>>,
}

impl LiveTemplates {
    /// Loads what a loader gives, and looks at it again on every [`Self::refresh`].
    ///
    /// # Errors
    ///
    /// [`LoadingError`].
    pub fn new(
        loader: impl Loader + 'static,
        options: TemplateOptions,
    ) -> Result<Self, LoadingError> {
        let version = loader.version()?;
        let templates = Arc::new(Templates::load(&loader, options.clone())?);
        let loaded = RwLock::new(Loaded { version, templates, error: None });
        Ok(Self { loader: Box::new(loader), options, loaded })
    }

    /// The templates that were loaded last without an error.
    #[must_use]
    pub fn current(&self) -> Arc<Templates> {
        self.loaded().templates
    }

    fn loaded(&self) -> Loaded {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the templates again if their sources have changed. Reads files: not for an async thread.
    ///
    /// # Errors
    ///
    /// What is wrong with the newest sources, until they change again; [`Self::current`] stays as it was.
    pub fn refresh(&self) -> Result<Arc<Templates>, Arc<LoadingError>> {
        let before = self.loaded();
        let version = self.loader.version().map_err(|error| Arc::new(error.into()))?;
        if version == before.version {
            return before.error.map_or(Ok(before.templates), Err);
        }
        let now = match Templates::load(&*self.loader, self.options.clone()) {
            Ok(templates) => Loaded { version, templates: Arc::new(templates), error: None },
            Err(error) => Loaded { version, error: Some(Arc::new(error)), ..before },
        };
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = now.clone();
        now.error.map_or(Ok(now.templates), Err)
    }
}

impl fmt::Debug for LiveTemplates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveTemplates").field("options", &self.options).finish_non_exhaustive()
    }
}
