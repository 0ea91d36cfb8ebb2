//! Django's template language, with an escaper chosen for each hole by the place it stands in.
//!
//! Stops cross-site scripting (CWE-79) in pages, and mistakes in templates from reaching a visitor:
//!
//! 1. All templates are read, and linked along `extends` and `include`, when they are loaded; every error of every
//!    template is reported then, with file, line and column.
//! 2. In HTML text and quoted attributes the result is Django's. In URLs, scripts, styles and comments, where Django's
//!    HTML escaping is not enough, the hole is escaped for that place, or the template is refused.
//! 3. `safe` and `{% autoescape off %}` count in HTML text only: in an attribute, markup cannot leave the quotes; in a
//!    URL, script or style they change nothing, and a `safe` in a script is refused.
//! 4. Everything is bounded: nesting ([`MAX_NESTING`]), inheritance ([`MAX_PARENTS`]), includes ([`MAX_INCLUDES`]), the
//!    steps of loops ([`MAX_STEPS`]) and the size of a page ([`MAX_OUTPUT`]).
//! 5. The templates themselves are the programmer's: their source must not come from a user.

mod autoescape;
mod condition;
mod date;
mod decimal;
mod engine;
mod env;
mod expression;
mod filter;
mod fragment;
mod group;
mod lexer;
mod library;
mod lint;
mod loader;
mod lorem;
mod map;
mod names;
mod number;
mod parser;
mod print;
mod query;
mod render;
mod serialize;
mod tag;
mod value;
mod variables;

pub use autoescape::{MAX_LINKED, MAX_PARENTS};
pub use date::{
    DATE_FORMAT, DATETIME_FORMAT, Date, DateTime, Duration, FormatError, TIME_FORMAT, Time,
    TimeZone,
};
pub use decimal::Decimal;
pub use engine::{Escape, TemplateError, TemplateErrors, TemplateOptions, Templates};
pub use env::{Env, Now};
pub(crate) use expression::words as split_words;
pub use filter::{Apply, Arity, Autoescape, Filter, FilterError, Safety, call_filter};
pub use fragment::FragmentCache;
pub use library::{Arguments, Library, Signature, TagContext, TagError};
pub use lint::{Lint, LintCode, lint};
pub use loader::{
    Folder, LiveTemplates, LoadError, Loader, LoadingError, MAX_FOLDERS, MAX_SOURCE, MAX_TEMPLATES,
};
pub use map::{Key, Map};
pub(crate) use number::write_python as write_float;
pub use parser::MAX_NESTING;
pub use query::{MAX_FIELDS, QueryDict, Sequences, urlencode};
pub use render::{Limits, MAX_INCLUDES, MAX_OUTPUT, MAX_STEPS, RenderError};
pub use serialize::SerializeError;
pub(crate) use value::Repr;
pub use value::{Call, LookupError, MAX_PRINT_DEPTH, Object, Value};
pub use variables::{Surroundings, Variables};
