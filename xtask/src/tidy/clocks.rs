//! Time and chance come in as parameters: only `time.rs` and `random.rs` ask the machine for them.

use super::source::{Source, lines_with};
use super::{Allowed, Violation, is_allowed};

const THE_CLOCK: &str = "crates/core/src/time.rs";

/// Files beside the clock that may read the machine's clocks or block a thread outside tests.
const CLOCKS_ALLOWED: &[Allowed] = &[];

/// `Instant::now` covers tokio's, too. An alias is refused because the rule could not see past it.
const CLOCK_READS: &[&str] =
    &["Instant::now", "SystemTime::now", ".elapsed()", "Instant as", "SystemTime as"];

const RANDOMNESS: &[&str] = &["getrandom", "RandomState"];

pub(crate) fn clocks(source: &Source) -> Vec<Violation> {
    let path = source.path.as_str();
    if !path.starts_with("crates/") || path == THE_CLOCK || is_allowed(CLOCKS_ALLOWED, path) {
        return Vec::new();
    }
    let reads = CLOCK_READS.iter().map(|needle| (*needle, "reads the machine's clock"));
    let blocks = [("thread::sleep", "blocks its thread")];
    let mut found = Vec::new();
    for (needle, wrong) in reads.chain(blocks) {
        let lines = lines_with(&source.views.code, needle);
        for line in lines.into_iter().filter(|line| !source.is_test(*line)) {
            let right = "take a Clock from core's time.rs as a parameter";
            found.push(Violation::new(path, line, format!("`{needle}` {wrong}"), right));
        }
    }
    found
}

pub(crate) fn randomness(source: &Source) -> Vec<Violation> {
    let path = source.path.as_str();
    if !path.starts_with("crates/") || path.ends_with("/random.rs") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for needle in RANDOMNESS {
        for line in lines_with(&source.views.code, needle) {
            let wrong = format!("`{needle}` outside a file random.rs");
            found.push(Violation::new(path, line, wrong, "take chance from the crate's random.rs"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::table::{Row, assert_rows};
    use super::*;

    const READS: &str = "Instant::now();\nSystemTime::now();\ntokio::time::Instant::now();\n\
                         at.elapsed();\n";

    #[test]
    fn only_the_clock_and_tests_read_the_machines_clocks() {
        let module = format!("#[cfg(test)]\nmod tests {{\n{READS}}}\n");
        let rows: &[Row<'_>] = &[
            ("crates/core/src/time.rs", READS, &[]),
            ("crates/core/src/times.rs", READS, &[1, 2, 3, 4]),
            ("crates/server/src/time.rs", "Instant::now()", &[1]),
            ("crates/core/tests/a.rs", READS, &[]),
            ("crates/core/src/a.rs", &module, &[]),
            ("xtask/src/test.rs", READS, &[]),
            ("crates/core/src/a.rs", "// Instant::now()\n\"Instant::now()\"", &[]),
            ("crates/core/src/a.rs", "clock.now();\nelapsed(at);", &[]),
            ("crates/core/src/a.rs", "use std::time::Instant as Moment;", &[1]),
            ("crates/core/src/a.rs", "use std::time::Instant;", &[]),
            ("crates/core/src/a.rs", "std::thread::sleep(d);", &[1]),
            ("crates/server/src/a.rs", "tokio::time::sleep(d).await;", &[]),
        ];
        assert_rows(clocks, rows);
    }

    #[test]
    fn only_random_rs_asks_for_chance() {
        let text = "use getrandom::fill;\nlet s = RandomState::new();\n";
        assert_rows(
            randomness,
            &[
                ("crates/core/src/random.rs", text, &[]),
                ("crates/core/src/a.rs", text, &[1, 2]),
                ("crates/core/src/a.rs", "// RandomState\nlet random_state = 1;", &[]),
            ],
        );
    }
}
