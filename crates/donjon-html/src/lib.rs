//! Text that reaches a browser: markup as a type, an escaper for each place of a page, and Django's template language
//! with the escaper chosen by the place.
//!
//! Stops cross-site scripting (CWE-79):
//!
//! 1. Text is not HTML: only [`escape()`] and [`Markup::danger_trusted`] make [`Markup`].
//! 2. A hole of a template is escaped for the place it stands in, which is decided when the templates are loaded; see
//!    [`template`].
//!
//! ```
//! use donjon_html::{context, template::Templates};
//!
//! let templates = Templates::new([("hello.html", "<a href=\"{{ url }}\">{{ name }}</a>")])?;
//! let page = templates.render("hello.html", &context! { url: "javascript:alert(1)", name: "<b>" }, &())?;
//! assert_eq!(page, "<a href=\"about:invalid#donjon\">&lt;b&gt;</a>");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod context;
pub mod escape;
pub mod linkify;
pub mod locale;
pub mod markup;
mod markup_reader;
pub mod strip_tags;
pub mod template;
pub mod text;
pub mod truncate;

pub use escape::{escape, escape_html_map};
pub use markup::{Markup, TrustedUrl};
