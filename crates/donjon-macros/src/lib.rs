//! Donjon's macros, which `donjon` exports.
//!
//! 1. A link that leads out of the folder is not followed, and hidden files are left out, as by `Folder`.
//! 2. The files are named to the compiler, so that a change builds the program anew.

use std::path::{Path, PathBuf};

use proc_macro::{TokenStream, TokenTree};

/// The deepest nesting of folders.
const MAX_FOLDERS: usize = 16;

/// The templates of a folder, beside the package's `Cargo.toml`, built into the binary: names and sources, as
/// `&'static [(&'static str, &'static str)]`, which is a `Loader`.
///
/// # Errors
///
/// The build fails if there is no such folder, or a file in it is no UTF-8.
///
/// ```ignore
/// let templates = Templates::load(donjon::embed_templates!("templates"), TemplateOptions::new())?;
/// ```
#[proc_macro]
pub fn embed_templates(input: TokenStream) -> TokenStream {
    let made = path(input).and_then(|path| embedded(&path));
    let code = made.unwrap_or_else(|message| format!("::core::compile_error!({message:?})"));
    code.parse().unwrap_or_default()
}

/// The only argument: a text without escapes.
fn path(input: TokenStream) -> Result<PathBuf, String> {
    let mut tokens = input.into_iter();
    let text = match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Literal(literal)), None) => literal.to_string(),
        _ => String::new(),
    };
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.filter(|inner| !inner.contains(['"', '\\']));
    let inner = inner.ok_or("embed_templates! takes the path of a folder, as a plain text")?;
    let package =
        std::env::var_os("CARGO_MANIFEST_DIR").ok_or("Cargo does not say where the package is")?;
    Ok(Path::new(&package).join(inner))
}

fn embedded(folder: &Path) -> Result<String, String> {
    let root = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files = Vec::new();
    walk(&root, &root, 0, &mut files)?;
    files.sort();
    let mut code = String::from("&[");
    for file in files {
        let name = file.strip_prefix(&root).unwrap_or(&file).components();
        let name: Vec<_> =
            name.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        // Rule 2.
        code.push_str(&format!(
            "({:?}, ::core::include_str!({:?})),",
            name.join("/"),
            file.display().to_string()
        ));
    }
    code.push_str("] as &[(&str, &str)]");
    Ok(code)
}

/// Rule 1.
fn walk(root: &Path, folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
    if depth > MAX_FOLDERS {
        return Err(format!(
            "{}: folders are nested more than {MAX_FOLDERS} deep",
            folder.display()
        ));
    }
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let inside = path.canonicalize().is_ok_and(|real| real.starts_with(root));
        match (hidden || !inside, path.is_dir()) {
            (true, _) => {}
            (false, true) => walk(root, &path, depth + 1, files)?,
            (false, false) => files.push(path),
        }
    }
    Ok(())
}
