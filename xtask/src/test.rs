//! `cargo xtask test`: what must hold before a commit, step by step, up to the first failure.

use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::{prerequisites, tidy};

enum Step {
    Prerequisites,
    Tidy,
    Cargo {
        name: &'static str,
        args: &'static [&'static str],
        env: Option<(&'static str, &'static str)>,
    },
}

/// Cheap steps first, so that a slip is told within seconds.
const STEPS: &[Step] = &[
    Step::Prerequisites,
    Step::Cargo { name: "format", args: &["fmt", "--all", "--check"], env: None },
    Step::Cargo {
        name: "format of fuzz/",
        args: &["fmt", "--manifest-path=fuzz/Cargo.toml", "--check"],
        env: None,
    },
    Step::Cargo {
        name: "format of bench/",
        args: &["fmt", "--manifest-path=bench/Cargo.toml", "--all", "--check"],
        env: None,
    },
    Step::Cargo {
        name: "format of bench/queue/",
        args: &["fmt", "--manifest-path=bench/queue/Cargo.toml", "--check"],
        env: None,
    },
    Step::Tidy,
    Step::Cargo {
        name: "clippy",
        args: &[
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ],
        env: None,
    },
    Step::Cargo {
        name: "docs",
        args: &["doc", "--locked", "--workspace", "--all-features", "--no-deps"],
        env: Some(("RUSTDOCFLAGS", "-D warnings")),
    },
    Step::Cargo { name: "tests", args: &["test", "--locked", "--workspace"], env: None },
    Step::Cargo {
        name: "models",
        args: &[
            "test",
            "--locked",
            "--package=fuseboard-core",
            "--lib",
            "--target-dir=target/loom",
        ],
        env: Some(("RUSTFLAGS", "--cfg loom")),
    },
    // In the same folder as the tests, because these depend on much that was built for them.
    Step::Cargo {
        name: "fuzz targets",
        args: &["test", "--locked", "--manifest-path=fuzz/Cargo.toml", "--target-dir=target"],
        env: None,
    },
    Step::Cargo {
        name: "benchmarks",
        args: &[
            "test",
            "--locked",
            "--manifest-path=bench/Cargo.toml",
            "--workspace",
            "--target-dir=target",
        ],
        env: None,
    },
];

/// Runs every step; fails with the first one that does.
pub(crate) fn run(root: &Path) -> ExitCode {
    let started = Instant::now();
    for (number, step) in STEPS.iter().enumerate() {
        println!("[{number}/{}] {}", STEPS.len() - 1, headline(step));
        if let Err(reason) = perform(step, root) {
            eprintln!("failed: {reason} (after {})", minutes(started.elapsed()));
            return ExitCode::FAILURE;
        }
    }
    println!("all steps passed in {}", minutes(started.elapsed()));
    ExitCode::SUCCESS
}

fn headline(step: &Step) -> String {
    match step {
        Step::Prerequisites => {
            "prerequisites: rustfmt, clippy, a C compiler, PostgreSQL".to_owned()
        }
        Step::Tidy => "tidy: the house rules".to_owned(),
        Step::Cargo { name, args, .. } => format!("{name}: cargo {}", args.join(" ")),
    }
}

fn perform(step: &Step, root: &Path) -> Result<(), String> {
    match step {
        Step::Prerequisites => prerequisites::check(),
        Step::Tidy if tidy::run(root) == ExitCode::SUCCESS => Ok(()),
        Step::Tidy => Err("tidy".to_owned()),
        Step::Cargo { name, args, env } => {
            let mut cargo = Command::new(tidy::cargo());
            cargo.args(*args).envs(*env).current_dir(root);
            outcome(name, cargo.status())
        }
    }
}

pub(crate) fn outcome(name: &str, status: io::Result<ExitStatus>) -> Result<(), String> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}, {status}")),
        Err(error) => Err(format!("{name}, cargo did not start: {error}")),
    }
}

pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

pub(crate) fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{}m{:02}s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_that_resolves_dependencies_is_locked() {
        for step in STEPS {
            if let Step::Cargo { args, .. } = step {
                assert!(args[0] == "fmt" || args.contains(&"--locked"), "{}", headline(step));
            }
        }
    }

    #[test]
    fn a_command_that_is_missing_or_fails_does_not_succeed() {
        for (program, expected) in [("true", true), ("false", false), ("no-such-program", false)] {
            assert_eq!(succeeds(&mut Command::new(program)), expected, "{program}");
        }
    }

    #[test]
    fn a_step_that_fails_or_does_not_start_is_told_by_its_name() {
        let told = |program| outcome("docs", Command::new(program).status());
        assert_eq!(told("true"), Ok(()));
        assert_eq!(told("false"), Err("docs, exit status: 1".to_owned()));
        assert!(told("no-such-program").unwrap_err().starts_with("docs, cargo did not start"));
    }

    #[test]
    fn durations_are_told_in_minutes() {
        assert_eq!(minutes(Duration::from_millis(59_999)), "0m59s");
        assert_eq!(minutes(Duration::from_secs(125)), "2m05s");
    }
}
