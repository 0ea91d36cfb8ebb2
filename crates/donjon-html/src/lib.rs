//! Text that reaches a browser.
