//! Tags and filters of a site's own, by library, and which of them a template has loaded.
//!
//! Stops tags that are called with what they do not take.
//!
//! 1. The arguments of a tag are checked against its [`Signature`] when the template is loaded.
//! 2. What a tag returns is a value, and is escaped for the place where the tag stands, unless it is
//!    [`Markup`](crate::Markup) in HTML text.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::env::Env;
use super::expression::Complaint;
use super::filter::{Filter, FilterError, built_in};
use super::names::Names;
use super::value::Value;
use super::variables::Variables;

/// The libraries that Donjon brings, as Django does.
pub(crate) const SHIPPED: [&str; 6] = ["cache", "humanize", "i18n", "l10n", "static", "tz"];

/// The most libraries, and parts of libraries, that one template loads.
const MAX_LOADED: usize = 64;

/// A tag could not do its work. The page fails, and the log has the message.
pub type TagError = FilterError;

/// What a tag's function may ask of the page around it.
pub struct TagContext<'a> {
    /// Escaping, language and time zone at the tag's place.
    pub env: Env<'a>,
    pub(crate) look_up: &'a dyn Fn(&str) -> Option<Value>,
}

impl TagContext<'_> {
    /// The variable of that name at the tag's place. Django: `takes_context`.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<Value> {
        (self.look_up)(name)
    }
}

impl fmt::Debug for TagContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TagContext").field("env", &self.env).finish_non_exhaustive()
    }
}

/// The arguments that a tag was called with, checked against its signature.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    pub(crate) positional: Vec<Value>,
    pub(crate) named: Vec<(Arc<str>, Value)>,
    pub(crate) names: Arc<[&'static str]>,
}

impl Arguments {
    /// The argument of that name, whether it was given by place or by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let by_place = self.names.iter().position(|known| *known == name);
        by_place.and_then(|at| self.positional.get(at)).or_else(|| {
            self.named.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
        })
    }

    /// All arguments that were given by place.
    #[must_use]
    pub fn positional(&self) -> &[Value] {
        &self.positional
    }

    /// All arguments that were given by name.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.named.iter().map(|(name, value)| (&**name, value))
    }
}

/// Which arguments a tag takes.
#[derive(Clone, Debug, Default)]
pub struct Signature {
    names: Vec<&'static str>,
    required: usize,
    rest: bool,
    keywords: bool,
}

impl Signature {
    /// A tag with these arguments, all of which must be given, by place or by name.
    #[must_use]
    pub fn new(required: &[&'static str]) -> Self {
        Self { names: required.to_vec(), required: required.len(), ..Self::default() }
    }

    /// Adds arguments that may be left out.
    #[must_use]
    pub fn optional(mut self, names: &[&'static str]) -> Self {
        self.names.extend(names);
        self
    }

    /// Takes any number of further arguments by place: Python's `*args`.
    #[must_use]
    pub fn rest(self) -> Self {
        Self { rest: true, ..self }
    }

    /// Takes any further arguments by name: Python's `**kwargs`.
    #[must_use]
    pub fn keywords(self) -> Self {
        Self { keywords: true, ..self }
    }

    pub(crate) fn names(&self) -> Arc<[&'static str]> {
        self.names.as_slice().into()
    }

    /// Rule 1: Django's `parse_bits`.
    pub(crate) fn check(&self, tag: &str, places: usize, named: &[&str]) -> Result<(), Complaint> {
        if places > self.names.len() && !self.rest {
            return Err(format!("'{tag}' received too many positional arguments"));
        }
        let by_place = self.names.get(..places.min(self.names.len())).unwrap_or_default();
        for (at, name) in named.iter().enumerate() {
            let twice =
                by_place.contains(name) || named.get(..at).is_some_and(|n| n.contains(name));
            if twice {
                return Err(format!(
                    "'{tag}' received multiple values for keyword argument '{name}'"
                ));
            }
            if !self.keywords && !self.names.contains(name) {
                return Err(format!("'{tag}' received unexpected keyword argument '{name}'"));
            }
        }
        let required = self.names.get(..self.required).unwrap_or_default();
        let missing: Vec<_> = required.iter().skip(places).filter(|n| !named.contains(n)).collect();
        match missing.as_slice() {
            [] => Ok(()),
            names => {
                Err(format!("'{tag}' did not receive value(s) for the argument(s): {names:?}"))
            }
        }
    }
}

type Simple = Arc<dyn Fn(&TagContext<'_>, &Arguments) -> Result<Value, TagError> + Send + Sync>;
type Block =
    Arc<dyn Fn(&TagContext<'_>, &str, &Arguments) -> Result<Value, TagError> + Send + Sync>;
type Inclusion =
    Arc<dyn Fn(&TagContext<'_>, &Arguments) -> Result<Variables, TagError> + Send + Sync>;

/// A tag of a site's own.
#[derive(Clone, Debug)]
pub(crate) struct CustomTag {
    pub(crate) signature: Signature,
    pub(crate) action: Action,
}

/// What a tag of a site's own does.
#[derive(Clone)]
pub(crate) enum Action {
    Simple(Simple),
    Block(Block),
    Inclusion(Arc<str>, Inclusion),
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simple(_) => "Simple",
            Self::Block(_) => "Block",
            Self::Inclusion(..) => "Inclusion",
        })
    }
}

/// Tags and filters of a site's own, for `{% load name %}`. Django: `template.Library`.
///
/// ```
/// use donjon_html::template::{Library, Signature};
///
/// let shop = Library::new().simple_tag("price", Signature::new(&["cents"]), |_, arguments| {
///     let cents = arguments.get("cents").and_then(|value| value.integer()).unwrap_or_default();
///     Ok(format!("{}.{:02} €", cents / 100, cents % 100).into())
/// });
/// ```
#[derive(Clone, Default)]
pub struct Library {
    filters: Vec<Filter>,
    tags: BTreeMap<&'static str, CustomTag>,
}

impl Library {
    /// A library without tags and filters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a filter.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// Adds a tag that prints a value, or binds it: `{% name args… as variable %}`. Django: `simple_tag`.
    #[must_use]
    pub fn simple_tag(
        self,
        name: &'static str,
        signature: Signature,
        run: impl Fn(&TagContext<'_>, &Arguments) -> Result<Value, TagError> + Send + Sync + 'static,
    ) -> Self {
        self.tag(name, signature, Action::Simple(Arc::new(run)))
    }

    /// Adds a tag that makes a value of what stands between it and `{% endname %}`. Django: `simple_block_tag`.
    #[must_use]
    pub fn simple_block_tag(
        self,
        name: &'static str,
        signature: Signature,
        run: impl Fn(&TagContext<'_>, &str, &Arguments) -> Result<Value, TagError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.tag(name, signature, Action::Block(Arc::new(run)))
    }

    /// Adds a tag that renders a template with variables of its own. Django: `inclusion_tag`.
    #[must_use]
    pub fn inclusion_tag(
        self,
        name: &'static str,
        template: &str,
        signature: Signature,
        run: impl Fn(&TagContext<'_>, &Arguments) -> Result<Variables, TagError> + Send + Sync + 'static,
    ) -> Self {
        self.tag(name, signature, Action::Inclusion(template.into(), Arc::new(run)))
    }

    fn tag(mut self, name: &'static str, signature: Signature, action: Action) -> Self {
        self.tags.insert(name, CustomTag { signature, action });
        self
    }

    fn find_filter(&self, name: &str) -> Option<Filter> {
        self.filters.iter().rev().find(|filter| filter.name == name).copied()
    }

    fn has(&self, name: &str) -> bool {
        self.tags.contains_key(name) || self.find_filter(name).is_some()
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library")
            .field("filters", &self.filters)
            .field("tags", &self.tags.keys())
            .finish()
    }
}

/// The libraries of a site.
#[derive(Clone, Debug, Default)]
pub(crate) struct Libraries {
    pub(crate) named: BTreeMap<String, Library>,
    /// Libraries that every template may use without loading them.
    pub(crate) always: Vec<Library>,
}

/// What one template knows: its libraries' tags and filters, and all names.
pub(crate) struct Vocabulary<'a> {
    libraries: &'a Libraries,
    pub(crate) names: &'a Names,
    loaded: RefCell<Vec<Loaded>>,
}

#[derive(PartialEq)]
struct Loaded {
    library: String,
    /// `{% load a b from library %}`.
    only: Option<Vec<String>>,
}

impl Loaded {
    fn gives(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|known| known == name))
    }
}

impl<'a> Vocabulary<'a> {
    pub(crate) fn new(libraries: &'a Libraries, names: &'a Names) -> Self {
        Self { libraries, names, loaded: RefCell::default() }
    }

    /// Follows a `load` tag.
    pub(crate) fn load(&self, words: &[&str]) -> Result<(), Complaint> {
        if let [names @ .., "from", library] = words
            && !names.is_empty()
        {
            self.exists(library)?;
            let unknown = names.iter().find(|name| !self.library_has(library, name));
            if let Some(name) = unknown {
                return Err(format!(
                    "'{name}' is not a valid tag or filter in tag library '{library}'"
                ));
            }
            return self.add(library, Some(names));
        }
        words.iter().try_for_each(|library| {
            self.exists(library)?;
            self.add(library, None)
        })
    }

    /// The library loaded last counts first, however often it was loaded before.
    fn add(&self, library: &str, only: Option<&[&str]>) -> Result<(), Complaint> {
        let only = only.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let new = Loaded { library: library.to_owned(), only };
        let mut loaded = self.loaded.borrow_mut();
        loaded.retain(|known| *known != new);
        loaded.push(new);
        match loaded.len() > MAX_LOADED {
            true => {
                Err(format!("more than {MAX_LOADED} libraries and parts of libraries are loaded"))
            }
            false => Ok(()),
        }
    }

    fn exists(&self, library: &str) -> Result<(), Complaint> {
        if SHIPPED.contains(&library) || self.libraries.named.contains_key(library) {
            return Ok(());
        }
        let own = self.libraries.named.keys().map(String::as_str);
        let known: Vec<&str> = SHIPPED.iter().copied().chain(own).collect();
        Err(format!(
            "'{library}' is not a registered tag library. Must be one of:\n{}",
            known.join("\n")
        ))
    }

    fn library_has(&self, library: &str, name: &str) -> bool {
        let own = self.libraries.named.get(library).is_some_and(|found| found.has(name));
        own || super::tag::shipped_tags(library).contains(&name)
            || super::filter::shipped(library).iter().any(|filter| filter.name == name)
    }

    /// The filter of that name: of the library loaded last, then the site's everywhere, then Django's.
    pub(crate) fn filter(&self, name: &str) -> Result<Filter, Complaint> {
        let loaded = self.loaded.borrow();
        let of_library =
            loaded.iter().rev().filter(|loaded| loaded.gives(name)).find_map(|loaded| {
                let own =
                    self.libraries.named.get(&loaded.library).and_then(|l| l.find_filter(name));
                own.or_else(|| {
                    super::filter::shipped(&loaded.library).iter().find(|f| f.name == name).copied()
                })
            });
        let always = || self.libraries.always.iter().rev().find_map(|l| l.find_filter(name));
        of_library.or_else(always).or_else(|| built_in(name)).ok_or_else(|| {
            format!("Invalid filter: '{name}'{}", self.nearest(name, super::filter::names()))
        })
    }

    /// The site's own tag of that name.
    pub(crate) fn custom_tag(&self, name: &str) -> Option<CustomTag> {
        let loaded = self.loaded.borrow();
        let of_library =
            loaded.iter().rev().filter(|loaded| loaded.gives(name)).find_map(|loaded| {
                self.libraries.named.get(&loaded.library).and_then(|library| library.tags.get(name))
            });
        let always =
            || self.libraries.always.iter().rev().find_map(|library| library.tags.get(name));
        of_library.or_else(always).cloned()
    }

    /// Whether the tag of a library that Donjon brings is loaded.
    pub(crate) fn has_shipped_tag(&self, name: &str) -> bool {
        self.loaded
            .borrow()
            .iter()
            .any(|l| l.gives(name) && super::tag::shipped_tags(&l.library).contains(&name))
    }

    /// Why a tag is unknown: its library, or the name that was meant.
    pub(crate) fn unknown_tag(&self, name: &str) -> String {
        let library =
            SHIPPED.iter().find(|library| super::tag::shipped_tags(library).contains(&name));
        let own = self.libraries.named.iter().find(|(_, library)| library.has(name));
        match library.copied().or(own.map(|(library, _)| library.as_str())) {
            Some(library) => {
                format!(" It is in the library '{library}': write {{% load {library} %}}.")
            }
            None => self.nearest(name, super::tag::BUILT_IN.iter().copied()),
        }
    }

    fn nearest<'n>(&self, name: &str, known: impl Iterator<Item = &'n str>) -> String {
        const FAR: usize = 2;
        let distance = |known: &str| distance(name, known);
        let nearest = known.map(|known| (distance(known), known)).min();
        match nearest {
            Some((distance, known)) if distance <= FAR => format!(". Did you mean '{known}'?"),
            _ => String::new(),
        }
    }
}

/// How many characters differ: Levenshtein's distance of the first 32 characters.
fn distance(a: &str, b: &str) -> usize {
    const MOST: usize = 32;
    let b: Vec<char> = b.chars().take(MOST).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, x) in a.chars().take(MOST).enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(x != *y);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        row.iter_mut().take(1).for_each(|cell| *cell = at + 1);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_1_arguments_are_checked() {
        let signature = Signature::new(&["a"]).optional(&["b"]);
        assert!(
            signature.check("t", 1, &[]).is_ok() && signature.check("t", 0, &["a", "b"]).is_ok()
        );
        for (places, named) in [(0, &[][..]), (3, &[]), (1, &["a"]), (1, &["c"]), (1, &["b", "b"])]
        {
            assert!(signature.check("t", places, named).is_err(), "{places} {named:?}");
        }
        assert!(Signature::default().rest().keywords().check("t", 9, &["x"]).is_ok());
    }

    #[test]
    fn the_nearest_name_is_offered() {
        assert_eq!(distance("uper", "upper"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
