//! Rendered fragments that are kept for a while: `{% cache %}`.

use std::borrow::Cow;
use std::fmt::Write as _;

use md5::{Digest as _, Md5};

/// Keeps rendered fragments. Django: the cache `template_fragments`.
pub trait FragmentCache {
    /// The fragment under that key, if it is still kept.
    fn get(&self, key: &str) -> Option<String>;

    /// Keeps a fragment for that many seconds; `None` for as long as the cache likes.
    fn put(&self, key: &str, html: &str, seconds: Option<i64>);
}

/// The key of a fragment: Django's `make_template_fragment_key`, of 6.1.
pub(crate) fn key(name: &str, vary: &[Cow<'_, str>]) -> String {
    let mut hasher = Md5::new();
    for part in vary {
        hasher.update(part.len().to_string());
        hasher.update(":");
        hasher.update(part.as_bytes());
        hasher.update(",");
    }
    let mut key = format!("template.cache.{name}.");
    for byte in hasher.finalize() {
        let _ = write!(key, "{byte:02x}");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_django_s() {
        assert_eq!(key("foo", &[]), "template.cache.foo.d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(
            key("foo", &["a".into(), "b".into()]),
            "template.cache.foo.85e2d709642419eb2d254542ec75556a"
        );
    }
}
