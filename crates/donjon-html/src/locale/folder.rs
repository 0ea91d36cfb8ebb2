//! Reads the catalogues of a folder.
//!
//! 1. Only files of that name and place are read, and none that is larger than a catalogue may be.

use std::io::Read as _;
use std::path::Path;

use super::catalogue::{Catalogue, CatalogueError, MAX_CATALOGUE};

/// The catalogues below a folder of locales, with the names of their locales, in the order of the names.
pub(super) fn read(path: &Path) -> Result<Vec<(String, Catalogue)>, CatalogueError> {
    let entries = std::fs::read_dir(path).map_err(|error| refused(path, &error))?;
    let mut locales: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    locales.sort();
    let mut found = Vec::new();
    for locale in locales {
        if let Some(catalogue) = catalogue(&path.join(&locale).join("LC_MESSAGES"))? {
            found.push((locale, catalogue));
        }
    }
    Ok(found)
}

fn catalogue(folder: &Path) -> Result<Option<Catalogue>, CatalogueError> {
    let (mo, po) = (folder.join("django.mo"), folder.join("django.po"));
    if mo.is_file() {
        return parsed(&mo, Catalogue::from_mo).map(Some);
    }
    let from_po = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes);
        Catalogue::from_po(text.map_err(|_| CatalogueError::new("it is not in UTF-8"))?)
    };
    if po.is_file() { parsed(&po, from_po).map(Some) } else { Ok(None) }
}

fn parsed(
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<Catalogue, CatalogueError>,
) -> Result<Catalogue, CatalogueError> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| refused(path, &error))?;
    let most = MAX_CATALOGUE as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(|error| refused(path, &error))?;
    parse(&bytes).map_err(|error| refused(path, &error))
}

fn refused(path: &Path, why: &dyn std::fmt::Display) -> CatalogueError {
    CatalogueError::new(format!("{}: {why}", path.display()))
}
