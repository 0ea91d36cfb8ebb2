//! Paths that a rule does not count for.
//!
//! Stops: an exemption that is wider than it reads.
//!
//! 1. A path is exempt letter by letter, as it was sent: nothing is decoded, and case counts.
//! 2. One that ends in `/` stands for all paths below it as well.

/// The exempt paths of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paths(Vec<String>);

impl Paths {
    /// Adds a path, or with a `/` at its end a folder.
    pub(crate) fn add(&mut self, path: impl Into<String>) {
        self.0.push(path.into());
    }

    /// Is this path exempt?
    pub(crate) fn contains(&self, path: &str) -> bool {
        let exempts = |own: &String| path == own || (own.ends_with('/') && path.starts_with(own));
        self.0.iter().any(exempts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exempt(own: &str, path: &str) -> bool {
        let mut paths = Paths::default();
        paths.add(own);
        paths.contains(path)
    }

    #[test]
    fn rule_1_a_path_is_exempt_letter_by_letter() {
        assert!(exempt("/healthz", "/healthz"));
        for path in ["/healthz/", "/healthz2", "/HEALTHZ", "/%68ealthz", "//healthz", "/", ""] {
            assert!(!exempt("/healthz", path), "{path}");
        }
        assert!(!Paths::default().contains("/"));
    }

    #[test]
    fn rule_2_a_folder_is_exempt_with_all_below_it() {
        for path in ["/static/", "/static/a.css", "/static/b/c.js"] {
            assert!(exempt("/static/", path), "{path}");
        }
        for path in ["/static", "/statics/", "/x/static/"] {
            assert!(!exempt("/static/", path), "{path}");
        }
    }
}
