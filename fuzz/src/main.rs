//! One target under libFuzzer: the one that `FUSEBOARD_FUZZ_TARGET` names. `cargo xtask prove` builds and runs it.
#![no_main]

use std::env;
use std::sync::LazyLock;

use fuseboard_fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

const VARIABLE: &str = "FUSEBOARD_FUZZ_TARGET";

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = env::var(VARIABLE).unwrap_or_default();
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("{VARIABLE} is `{name}`, which is no target"))
});

fuzz_target!(|data: &[u8]| (TARGET.check)(&String::from_utf8_lossy(data)));
