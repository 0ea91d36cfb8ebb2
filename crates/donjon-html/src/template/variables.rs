//! What a template sees: the view's variables, and around them what the site offers.
//!
//! Stops a page from paying for, or leaking, what it does not use: nothing is copied or converted wholesale, and the
//! site is asked only for what the template names.
//!
//! 1. A name is looked up in the template's own scopes, then in the view's [`Variables`], then in the
//!    [`Surroundings`]. A view can shadow the site; the site cannot shadow a view.
//! 2. The CSRF token and the CSP nonce are asked for when the template prints them, and not before.

use std::borrow::Cow;
use std::fmt;

use super::date::TimeZone;
use super::env::Now;
use super::fragment::FragmentCache;
use super::map::Map;
use super::value::Value;
use crate::locale::Locale;

/// The variables that a view hands to a template. Made by [`context!`](crate::context).
#[derive(Clone, Default)]
pub struct Variables(Vec<(Cow<'static, str>, Value)>);

impl Variables {
    /// No variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable. One that is added again takes the place of the first.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.insert(name, value);
        self
    }

    /// Adds a variable in place. One that is added again takes the place of the first.
    pub fn insert(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The variable of that name.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All variables, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Into<Cow<'static, str>>, V: Into<Value>> FromIterator<(K, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut variables = Self::new();
        pairs.into_iter().for_each(|(name, value)| variables.insert(name, value));
        variables
    }
}

impl From<Variables> for Value {
    fn from(variables: Variables) -> Self {
        Self::from(variables.0.into_iter().collect::<Map>())
    }
}

/// Makes the [`Variables`] of a template: `context! { name: value, … }`, or `context! { name }` for `name: name`.
///
/// ```
/// use donjon_html::context;
///
/// let user = "Ann";
/// let variables = context! { user, count: 3, "items": vec!["a", "b"], };
/// assert_eq!(variables.lookup("user"), Some(&"Ann".into()));
/// ```
#[macro_export]
macro_rules! context {
    (@into $variables:ident;) => {};
    (@into $variables:ident; $name:ident : $value:expr $(, $($rest:tt)*)?) => {
        $variables.insert(stringify!($name), $value);
        $crate::context!(@into $variables; $($($rest)*)?);
    };
    (@into $variables:ident; $name:ident => $value:expr $(, $($rest:tt)*)?) => {
        $variables.insert(stringify!($name), $value);
        $crate::context!(@into $variables; $($($rest)*)?);
    };
    (@into $variables:ident; $name:literal : $value:expr $(, $($rest:tt)*)?) => {
        $variables.insert($name, $value);
        $crate::context!(@into $variables; $($($rest)*)?);
    };
    (@into $variables:ident; $name:literal => $value:expr $(, $($rest:tt)*)?) => {
        $variables.insert($name, $value);
        $crate::context!(@into $variables; $($($rest)*)?);
    };
    (@into $variables:ident; $name:ident $(, $($rest:tt)*)?) => {
        $variables.insert(stringify!($name), $name);
        $crate::context!(@into $variables; $($($rest)*)?);
    };
    () => { $crate::template::Variables::new() };
    ($($rest:tt)+) => {{
        let mut variables = $crate::template::Variables::new();
        $crate::context!(@into variables; $($rest)+);
        variables
    }};
}

/// What the site offers to every template, asked for only when a template asks.
pub trait Surroundings {
    /// The address of the route of that name: `{% url 'name' args… key=value… %}`. `None` if no route has that name and
    /// takes those arguments: `{% url … as x %}` then leaves `x` empty; otherwise the page fails.
    fn url(&self, name: &str, args: &[Value], kwargs: &[(&str, Value)]) -> Option<String> {
        let _ = (name, args, kwargs);
        None
    }

    /// The CSRF token to print, masked anew as the site sees fit; `None` if the site has none.
    fn csrf_token(&self) -> Option<String> {
        None
    }

    /// The nonce of this response's Content-Security-Policy; `None` if it has none.
    fn csp_nonce(&self) -> Option<String> {
        None
    }

    /// A name that every template may use: `user`, `request`, `messages`. What Django's context processors give.
    fn lookup(&self, name: &str) -> Option<Value> {
        let _ = name;
        None
    }

    /// The address of a static file, for sites whose files have a hash in their names; `None` for the path behind
    /// `STATIC_URL`.
    fn static_url(&self, path: &str) -> Option<String> {
        let _ = path;
        None
    }

    /// The present, for `{% now %}` and filters that compare with it. The system's time where nothing else is said.
    fn now(&self) -> Now {
        Now::system()
    }

    /// The language of the page; `None` for the one that the templates were loaded with.
    fn locale(&self) -> Option<Locale> {
        None
    }

    /// The time zone of whoever reads the page; `None` for that of the locale.
    fn time_zone(&self) -> Option<TimeZone> {
        None
    }

    /// Whether the page has taken too long, and rendering is to fail. Asked every few hundred steps of loops.
    fn expired(&self) -> bool {
        false
    }

    /// Where `{% cache %}` keeps its fragments; the name is that of `using="name"`. `None` if there is no such cache:
    /// without a name the body is then rendered every time.
    fn fragments(&self, name: Option<&str>) -> Option<&dyn FragmentCache> {
        let _ = name;
        None
    }
}

/// Surroundings that offer nothing: for mails, for tests, for templates that need only what they are given.
impl Surroundings for () {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_takes_all_its_forms() {
        let form = 1;
        let variables = context! { form, user: "ann", "a-b": 2, old => 3, };
        let names: Vec<_> = variables.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["form", "user", "a-b", "old"]);
        assert!(context! {}.iter().next().is_none());
        assert!(context! { form }.lookup("form").is_some());
    }

    #[test]
    fn the_last_of_a_name_wins() {
        assert_eq!(Variables::new().with("a", 1).with("a", 2).lookup("a"), Some(&Value::Int(2)));
    }
}
