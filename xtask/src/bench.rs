//! `cargo xtask bench`: builds the workspace in bench/ and measures Fuseboard beside its rivals.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::tidy;

/// Builds in release, prints the tables, and writes bench/RESULTS.md and bench/LETTERS.md if everyone was measured.
pub(crate) fn run(root: &Path) -> ExitCode {
    // What follows `xtask bench` is for the harness, which knows its own options.
    let mut cargo = command(root, env::args_os().skip(2));
    match cargo.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("failed: bench, {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("failed: bench, cargo did not start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs in bench/, because cargo reads its configuration from there.
fn command(root: &Path, options: impl Iterator<Item = OsString>) -> Command {
    let mut cargo = Command::new(tidy::cargo());
    cargo.args(["run", "--release", "--locked", "--"]);
    cargo.args(["--out", "RESULTS.md", "--letters-out", "LETTERS.md"]);
    cargo.args(options).current_dir(root.join("bench"));
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harness_is_built_as_locked_and_gets_the_options() {
        let cargo = command(Path::new("here"), ["--quick".into()].into_iter());
        let args: Vec<_> = cargo.get_args().map(|arg| arg.to_string_lossy()).collect();
        let line = "run --release --locked -- --out RESULTS.md --letters-out LETTERS.md --quick";
        assert_eq!(args.join(" "), line);
        assert_eq!(cargo.get_current_dir(), Some(Path::new("here/bench")));
    }
}
