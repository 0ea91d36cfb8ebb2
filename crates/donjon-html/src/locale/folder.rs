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

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a `de` in text, an `fr` that is broken where wanted, and things that are no locales.
    fn folder(name: &str, french: &str) -> Option<std::path::PathBuf> {
        let path = std::env::temp_dir().join(format!("donjon-{name}-{}", std::process::id()));
        for (locale, text) in [("de_AT", "msgid \"Yes\"\nmsgstr \"Ja\""), ("fr", french)] {
            std::fs::create_dir_all(path.join(locale).join("LC_MESSAGES")).ok()?;
            std::fs::write(path.join(locale).join("LC_MESSAGES/django.po"), text).ok()?;
        }
        std::fs::create_dir_all(path.join("es")).ok()?;
        std::fs::write(path.join("README"), "").ok()?;
        Some(path)
    }

    #[test]
    fn rule_1_what_lies_at_its_place_is_read() {
        let path = folder("whole", "").unwrap_or_default();
        let found = read(&path).unwrap_or_default();
        let of = |(locale, catalogue): &(String, Catalogue)| (locale.clone(), catalogue.len());
        let found: Vec<_> = found.iter().map(of).collect();
        assert_eq!(found, [("de_AT".to_owned(), 1), ("fr".to_owned(), 0)]);
        assert!(std::fs::remove_dir_all(path).is_ok());
    }

    #[test]
    fn what_is_broken_is_named() {
        let path = folder("broken", "hello").unwrap_or_default();
        let message = read(&path).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(
            message.contains("fr/LC_MESSAGES/django.po") && message.contains("line 1"),
            "{message}"
        );
        assert!(std::fs::remove_dir_all(&path).is_ok());
        assert!(read(&path).is_err());
    }
}
