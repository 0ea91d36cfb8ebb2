//! The path of a route: text, and arguments with their converters.

use std::fmt;
use std::sync::Arc;

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};

use super::converter::Converter;

/// What may stand in a segment of a path as it is. Python: `quote(…, safe="/~:@!$&'()*+,;=")`, less
/// the slash.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// What a browser encodes of a path. A percent sign stays: it is an encoding's that the author wrote.
const TEXT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The path of a route, as a parsed value; clones are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoutePath(Arc<[Piece]>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Text, as a request has it.
    Text(String),
    Argument {
        name: String,
        converter: Converter,
    },
}

impl RoutePath {
    /// Reads a path as Django or axum writes it.
    pub(crate) fn parse(path: &str) -> Result<Self, PathError> {
        if !path.starts_with('/') {
            return Err(PathError::NoSlash);
        }
        let mut pieces = Vec::new();
        let (mut text, mut rest) = (String::new(), path);
        while let Some(at) = rest.find(['{', '}', '<', '>']) {
            let (before, found) = rest.split_at(at);
            text.push_str(before);
            if let Some(brace) = ["{{", "}}"].into_iter().find(|brace| found.starts_with(brace)) {
                text.push_str(&brace[1..]);
                rest = &found[brace.len()..];
            } else {
                let (argument, after) = argument(found)?;
                pieces.extend([encoded(&std::mem::take(&mut text)), argument]);
                rest = after;
            }
        }
        text.push_str(rest);
        pieces.push(encoded(&text));
        match repeated(&pieces) {
            Some(name) => Err(PathError::Repeated(name.to_owned())),
            None => Ok(Self(pieces.into())),
        }
    }

    /// The path as axum writes it.
    pub(crate) fn pattern(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Argument { name, converter: Converter::Path } => format!("{{*{name}}}"),
            Piece::Argument { name, .. } => format!("{{{name}}}"),
        };
        self.0.iter().map(piece).collect()
    }

    /// How many arguments the path takes.
    pub(crate) fn arguments(&self) -> usize {
        self.0.iter().filter_map(Piece::argument).count()
    }

    /// Does a request's path, encoded as it came, have this form, and arguments that fit?
    pub(crate) fn fits(&self, path: &str) -> bool {
        self.0.iter().try_fold(path, |rest, piece| piece.after(rest)) == Some("")
    }

    /// The address with these arguments, if they fit.
    pub(crate) fn address<'a>(
        &self,
        mut argument: impl FnMut(&str) -> Option<&'a str>,
    ) -> Option<String> {
        let mut address = String::new();
        for piece in &*self.0 {
            match piece {
                Piece::Text(text) => address.push_str(text),
                Piece::Argument { name, converter } => {
                    let value = argument(name).filter(|value| converter.fits(value))?;
                    push(&mut address, value)?;
                }
            }
        }
        Some(address)
    }

    /// An address that fits.
    pub(crate) fn example(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Argument { converter, .. } => converter.example().to_owned(),
        };
        self.0.iter().map(piece).collect()
    }
}

impl Piece {
    /// The name of an argument.
    fn argument(&self) -> Option<&str> {
        match self {
            Self::Argument { name, .. } => Some(name),
            Self::Text(_) => None,
        }
    }

    /// What follows this piece in a path that begins with it.
    fn after<'p>(&self, path: &'p str) -> Option<&'p str> {
        let (converter, end) = match self {
            Self::Text(text) => return path.strip_prefix(text.as_str()),
            Self::Argument { converter: Converter::Path, .. } => (Converter::Path, path.len()),
            Self::Argument { converter, .. } => (*converter, path.find('/').unwrap_or(path.len())),
        };
        let value = percent_decode_str(&path[..end]).decode_utf8().ok()?;
        converter.fits(&value).then(|| &path[end..])
    }
}

/// A browser takes `.` and `..` for steps to another route, and a doubled slash at the start of an
/// address for a host.
fn push(address: &mut String, value: &str) -> Option<()> {
    for (index, segment) in value.split('/').enumerate() {
        if matches!(segment, "" | "." | "..") {
            return None;
        }
        address.push_str(if index == 0 { "" } else { "/" });
        address.extend(utf8_percent_encode(segment, SEGMENT));
    }
    Some(())
}

fn encoded(text: &str) -> Piece {
    Piece::Text(utf8_percent_encode(text, TEXT).to_string())
}

/// The argument that the text begins with, and what follows.
fn argument(text: &str) -> Result<(Piece, &str), PathError> {
    let (inside, after) = match (text.strip_prefix('<'), text.strip_prefix('{')) {
        (Some(rest), _) => rest.split_once('>'),
        (_, Some(rest)) => rest.split_once('}'),
        _ => None,
    }
    .ok_or(PathError::Unclosed)?;
    let (converter, name) = match text.starts_with('<') {
        true => inside.split_once(':').unwrap_or(("str", inside)),
        false => inside.strip_prefix('*').map_or(("str", inside), |name| ("path", name)),
    };
    let known =
        Converter::named(converter).ok_or_else(|| PathError::Converter(converter.to_owned()))?;
    match is_identifier(name) {
        true => Ok((Piece::Argument { name: name.to_owned(), converter: known }, after)),
        false => Err(PathError::Argument(name.to_owned())),
    }
}

fn is_identifier(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(legal) && name.starts_with(|first: char| !first.is_ascii_digit())
}

/// The name of an argument that stands in the path twice.
fn repeated(pieces: &[Piece]) -> Option<&str> {
    let mut names: Vec<&str> = pieces.iter().filter_map(Piece::argument).collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// Why a path can't be a route's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// It begins without a slash.
    NoSlash,
    /// A bracket has no other.
    Unclosed,
    /// There is no converter of this name.
    Converter(String),
    /// An argument can't be named like this.
    Argument(String),
    /// Two arguments have this name.
    Repeated(String),
    /// Something follows an argument in its segment.
    Suffix,
    /// Something follows an argument that takes the rest of the path.
    AfterRest,
    /// This route, as axum writes it, answers the same paths.
    Taken(String),
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSlash => f.write_str("a path begins with a slash"),
            Self::Unclosed => f.write_str(
                "a bracket has no other: arguments are written <int:name>, and braces that are text {{ and }}",
            ),
            Self::Converter(name) => {
                write!(f, "there is no converter {name:?}: expected str, int, slug, uuid or path")
            }
            Self::Argument(name) => write!(
                f,
                "an argument is named {name:?}: expected letters, digits and underscores, and no digit first"
            ),
            Self::Repeated(name) => write!(f, "two arguments are named {name:?}"),
            Self::Suffix => f.write_str(
                "something follows an argument in its segment: an argument goes as far as the next slash",
            ),
            Self::AfterRest => f.write_str("something follows an argument that takes the rest of the path"),
            Self::Taken(pattern) => write!(
                f,
                "the route {pattern:?} answers the same paths: write one route, and tell them apart in its handler"
            ),
        }
    }
}

impl std::error::Error for PathError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RoutePath {
        RoutePath::parse(text).unwrap()
    }

    #[test]
    fn rule_1_django_and_axum_write_the_same_paths() {
        for (django, axum) in [
            ("/items/<int:id>/", "/items/{id}/"),
            ("/<name>", "/{name}"),
            ("/files/<path:rest>", "/files/{*rest}"),
            ("/a/{id}/b/<slug:s>", "/a/{id}/b/{s}"),
            ("/café menu/", "/caf%C3%A9%20menu/"),
            ("/caf%C3%A9/", "/caf%C3%A9/"),
            ("/a{{b}}", "/a%7Bb%7D"),
        ] {
            assert_eq!(path(django).pattern(), axum, "{django}");
            assert_eq!(path(&path(django).pattern()).pattern(), axum, "{django}");
        }
    }

    #[test]
    fn rule_1_a_path_that_is_none() {
        let error = |text| RoutePath::parse(text).unwrap_err();
        for text in ["", "items/", "<int:id>"] {
            assert_eq!(error(text), PathError::NoSlash, "{text}");
        }
        for text in ["/<int:id", "/{id", "/id>", "/id}", "/<id}", "/{id>", "/a{", "/<"] {
            assert_eq!(error(text), PathError::Unclosed, "{text}");
        }
        assert_eq!(error("/<float:x>"), PathError::Converter("float".to_owned()));
        assert_eq!(error("/<int :x>"), PathError::Converter("int ".to_owned()));
        for (text, name) in [("/<int:>", ""), ("/{}", ""), ("/<1a>", "1a"), ("/{a:b}", "a:b")] {
            assert_eq!(error(text), PathError::Argument(name.to_owned()), "{text}");
        }
        assert_eq!(error("/<int:id>/<id>"), PathError::Repeated("id".to_owned()));
    }

    #[test]
    fn rule_2_a_request_fits_as_it_decodes() {
        let item = path("/items/<int:id>/");
        for fitting in ["/items/7/", "/items/%37/"] {
            assert!(item.fits(fitting), "{fitting}");
        }
        for other in
            ["/items/a/", "/items/7", "/items/7/x", "/items//", "/items/7%0A/", "/items/%2F/"]
        {
            assert!(!item.fits(other), "{other}");
        }
        assert!(path("/<a>/<b>").fits("/x/%C3%A9"));
        assert!(!path("/<a>/<b>").fits("/x/a%2Fb"));
        assert!(!path("/<a>").fits("/%FF"));
        assert!(path("/f/<path:p>").fits("/f/a/../b%2F"));
        assert!(!path("/f/<path:p>").fits("/f/a%0a"));
    }

    #[test]
    fn an_example_fits() {
        for text in ["/", "/<int:a>/<slug:b>/<uuid:c>/<d>/<path:e>", "/é/{id}"] {
            let path = path(text);
            assert!(path.fits(&path.example()), "{text}");
        }
    }
}
