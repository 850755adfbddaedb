//! Mutation testing of the core by cargo-mutants: one mistake at a time, which the tests must notice.
//!
//! `.cargo/mutants.toml` lists the mistakes that nobody could notice, each with its reason. A run that was stopped goes on
//! where it was: what was noticed before is not tried again, as long as `target/prove-mutants` is kept.

use std::path::Path;
use std::process::Command;

use crate::test::{outcome, succeeds};
use crate::tidy;

const NAME: &str = "mutants";

/// Makes every mistake that has not been noticed yet; fails if the tests miss one.
pub(super) fn run(root: &Path) -> Result<(), String> {
    if !succeeds(Command::new(tidy::cargo()).args(["mutants", "--version"])) {
        return Err(format!("{NAME}, missing: `cargo install --locked cargo-mutants`"));
    }
    let mut cargo = Command::new(tidy::cargo());
    cargo.args([
        "mutants",
        "--package=fuseboard-core",
        "--iterate",
        "--output=target/prove-mutants",
    ]);
    // A core each: tests that wait for each other would be taken for tests that hang.
    cargo.args(["--jobs=2", "--timeout=300", "--no-shuffle"]);
    // Documentation is not there to find mistakes, and its examples take longer than all the tests.
    cargo.args(["--", "--locked", "--lib", "--tests"]);
    // Nobody debugs a mistake that was made on purpose.
    cargo
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_TEST_DEBUG", "0")
        .current_dir(root);
    outcome(NAME, cargo.status())
}
