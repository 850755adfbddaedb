//! Measures Fuseboard beside its rivals and prints the tables.

use std::process::ExitCode;

fn main() -> ExitCode {
    fuseboard_bench::timings()
}
