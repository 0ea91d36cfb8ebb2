//! What could be injected does not compile, and the compiler says what to write instead.
//!
//! The messages are the compiler's of one version: `TRYBUILD=overwrite` writes them anew.

#[test]
fn text_is_no_sql() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
