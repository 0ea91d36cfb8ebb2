//! Names as numbers, so that a look-up while rendering compares numbers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// A name that a set of templates uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Symbol(u32);

impl Symbol {
    /// The name `forloop`.
    pub(crate) const FORLOOP: Self = Self(0);
    /// The name `block`.
    pub(crate) const BLOCK: Self = Self(1);
}

/// The names of a set of templates.
#[derive(Debug)]
pub(crate) struct Names(RefCell<HashMap<Arc<str>, Symbol>>);

impl Default for Names {
    fn default() -> Self {
        let names = Self(RefCell::default());
        names.symbol("forloop");
        names.symbol("block");
        names
    }
}

impl Names {
    /// The symbol of a name; the same name has the same symbol.
    pub(crate) fn symbol(&self, name: &str) -> Symbol {
        let mut known = self.0.borrow_mut();
        if let Some(symbol) = known.get(name) {
            return *symbol;
        }
        let symbol = Symbol(u32::try_from(known.len()).unwrap_or(u32::MAX));
        known.insert(name.into(), symbol);
        symbol
    }

    /// The names as a table for look-ups by text.
    pub(crate) fn table(self) -> HashMap<Arc<str>, Symbol> {
        self.0.into_inner()
    }
}
