//! What the attribute refuses, and where it says so: each file of the folder fails to compile with the errors beside it.

#[test]
fn what_is_wrong_is_refused_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/refusals/*.rs");
}
