//! What a stack of rooms knows of one request: a single word, left for all of them.
//!
//! Stops: work for rooms that a request never enters. A session, a CSRF secret or a user is made when
//! somebody asks for it, and not before.
//!
//! 1. A room that stands alone leaves its word in the request's extensions, and that word wins: it is
//!    the innermost.
//! 2. A stack leaves one [`Visit`], which makes the words of its rooms when they are asked for.
//! 3. Whoever wants a word asks [`word`], and need not know which of the two it was.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use http::Extensions;

/// A stack's rooms, as far as they can be asked about one request.
pub trait Words: Send + Sync + 'static {
    /// Puts the word into `slot`, an `Option<T>`, if `T` is a word of these rooms.
    fn fill(self: Arc<Self>, slot: &mut dyn Any);
}

/// The stack's word in a request's extensions; clones are the same request's.
#[derive(Clone)]
pub struct Visit(Arc<dyn Words>);

impl Visit {
    /// The visit whose words these are.
    #[must_use]
    pub fn new(words: Arc<dyn Words>) -> Self {
        Self(words)
    }

    /// The word of this type, if the stack has the room that gives it.
    #[must_use]
    pub fn word<T: 'static>(&self) -> Option<T> {
        let mut slot: Option<T> = None;
        Arc::clone(&self.0).fill(&mut slot);
        slot
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Visit(…)")
    }
}

/// The word of a room in a request's extensions: [`Session`](crate::session::Session),
/// [`Site`](crate::origin::Site) and the like.
///
/// ```
/// use donjon_core::session::Session;
/// use donjon_core::visit::word;
///
/// let request = http::Request::new(());
/// assert!(word::<Session>(request.extensions()).is_none());
/// ```
#[must_use]
pub fn word<T: Clone + Send + Sync + 'static>(extensions: &Extensions) -> Option<T> {
    let alone = || extensions.get::<T>().cloned();
    alone().or_else(|| extensions.get::<Visit>()?.word())
}

/// Fills `slot` with what `make` makes, if it is an `Option<T>`.
///
/// For implementations of [`Words`]: one call for each word that they have.
pub fn offer<T: 'static>(slot: &mut dyn Any, make: impl FnOnce() -> Option<T>) {
    if let Some(slot) = slot.downcast_mut::<Option<T>>() {
        *slot = make();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Name(&'static str);

    struct Rooms;

    impl Words for Rooms {
        fn fill(self: Arc<Self>, slot: &mut dyn Any) {
            offer(slot, || Some(Name("the stack's")));
            offer(slot, || None::<u8>);
        }
    }

    #[test]
    fn rule_1_a_room_alone_wins() {
        let mut extensions = Extensions::new();
        assert_eq!(word::<Name>(&extensions), None);
        extensions.insert(Visit::new(Arc::new(Rooms)));
        assert_eq!(word(&extensions), Some(Name("the stack's")));
        extensions.insert(Name("alone"));
        assert_eq!(word(&extensions), Some(Name("alone")));
    }

    #[test]
    fn rule_2_a_stack_without_the_room_has_no_word() {
        let visit = Visit::new(Arc::new(Rooms));
        assert_eq!(visit.word::<u8>(), None);
        assert_eq!(visit.word::<u16>(), None);
    }
}
