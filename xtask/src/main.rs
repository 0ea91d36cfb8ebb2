//! The one door for commands.
fn main() {}
