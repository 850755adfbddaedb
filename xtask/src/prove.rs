//! `cargo xtask prove`: the long sizes of what `cargo xtask test` runs small, part by part, to the end, whatever fails.

mod fuzz;
mod mutants;

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::test::{minutes, outcome};
use crate::tidy;

/// How long the fuzz targets run together unless somebody says.
const DEFAULT_MINUTES: u64 = 30;

/// Something that can be proved for longer.
struct Part {
    name: &'static str,
    /// What it runs, and its bounds.
    help: &'static str,
    work: Work,
}

enum Work {
    /// Tests of the core, in a build that is optimized and keeps every check of a debug build.
    Tests {
        args: &'static [&'static str],
        env: &'static [(&'static str, &'static str)],
    },
    /// Tests of which each tells how many interleavings it ran.
    Models {
        args: &'static [&'static str],
        env: &'static [(&'static str, &'static str)],
    },
    /// Tests without the fast path, each of them to its end.
    Locked,
    /// Tests of the services that kill processes.
    Crashes,
    Fuzz,
    /// Takes hours, so it runs only where it is named.
    Mutants,
}

const PARTS: &[Part] = &[
    Part {
        name: "twin",
        help: "the engine against its twin: 256 000 random programs twice, some 30 million steps",
        work: Work::Tests {
            args: &["--target-dir=target/prove", "--test=twin"],
            env: &[("FUSEBOARD_TWIN_CASES", "1000")],
        },
    },
    Part {
        name: "threads",
        help: "the breaker under real threads: 100 times the rounds of the tests",
        work: Work::Tests {
            args: &["--target-dir=target/prove", "--test=threads"],
            env: &[("FUSEBOARD_TWIN_CASES", "100")],
        },
    },
    Part {
        name: "locked",
        help: "the core's and the Tower layer's tests with every call under the lock: the fast path holds no rule",
        work: Work::Locked,
    },
    Part {
        name: "round-trips",
        help: "policies made at random, printed and read back: 500 000 of each kind",
        work: Work::Tests {
            args: &["--target-dir=target/prove", "--test=text_round_trips"],
            env: &[("PROPTEST_CASES", "500000")],
        },
    },
    Part {
        name: "models",
        help: "loom: the breaker with up to 3 preemptions, 4 in the smallest programs; its cells with any number",
        work: Work::Models {
            args: &["--target-dir=target/prove-loom", "--lib"],
            env: &[
                ("RUSTFLAGS", "--cfg loom"),
                ("FUSEBOARD_MODELS", "long"),
                // What a model says stands with its name.
                ("RUST_TEST_THREADS", "1"),
            ],
        },
    },
    Part {
        name: "crashes",
        help: "2000 processes killed or held up while they capture and replay, on SQLite and PostgreSQL; a cut at every step of a store",
        work: Work::Crashes,
    },
    Part {
        name: "fuzz",
        help: "every text form under libFuzzer, guided by coverage, for the minutes given",
        work: Work::Fuzz,
    },
    Part {
        name: "mutants",
        help: "the core with one mistake at a time, some 2300 of them: the tests must notice each; hours, only if named",
        work: Work::Mutants,
    },
];

/// What to prove, and for how long.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    minutes: u64,
    /// Names of parts; empty for all that do not take hours.
    parts: Vec<String>,
}

/// Runs every part that is asked for; fails if one did, and lists those.
pub(crate) fn run(root: &Path) -> ExitCode {
    let args: Vec<String> = env::args().skip(2).collect();
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{}", usage());
        return ExitCode::SUCCESS;
    }
    match Options::parse(&args) {
        Ok(options) => prove(root, &options),
        Err(problem) => {
            eprint!("{problem}\n\n{}", usage());
            ExitCode::from(2)
        }
    }
}

fn prove(root: &Path, options: &Options) -> ExitCode {
    let (begun, mut failed) = (Instant::now(), Vec::new());
    for part in PARTS.iter().filter(|part| options.wants(part)) {
        println!("[{}] {}", part.name, part.help);
        let started = Instant::now();
        let result = match &part.work {
            Work::Tests { args, env } => outcome(part.name, tests(root, args, env).status()),
            Work::Models { args, env } => models(part.name, tests(root, args, env)),
            Work::Locked => outcome(part.name, locked(root).status()),
            Work::Crashes => outcome(part.name, crashes(root).status()),
            Work::Fuzz => fuzz::run(root, options.minutes),
            Work::Mutants => mutants::run(root),
        };
        match result {
            Ok(()) => println!("[{}] holds, {}", part.name, minutes(started.elapsed())),
            Err(reason) => {
                println!("[{}] failed, {}: {reason}", part.name, minutes(started.elapsed()));
                failed.push(reason);
            }
        }
    }
    if failed.is_empty() {
        println!("everything held, {}", minutes(begun.elapsed()));
        return ExitCode::SUCCESS;
    }
    eprintln!("failed: {} (after {})", failed.join("; "), minutes(begun.elapsed()));
    ExitCode::FAILURE
}

fn tests(root: &Path, args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut cargo = Command::new(tidy::cargo());
    cargo.args(["test", "--locked", "--package=fuseboard-core"]).args(args);
    cargo.args(["--", "--nocapture"]);
    cargo.env("CARGO_PROFILE_DEV_OPT_LEVEL", "3").envs(env.iter().copied()).current_dir(root);
    cargo
}

fn locked(root: &Path) -> Command {
    let mut cargo = Command::new(tidy::cargo());
    cargo.args(["test", "--locked", "--no-fail-fast", "--all-features", "--tests"]);
    cargo.args(["--package=fuseboard-core", "--package=fuseboard-tower"]);
    cargo.arg("--target-dir=target/prove-locked");
    cargo.env("RUSTFLAGS", "--cfg fuseboard_locked").current_dir(root);
    cargo
}

fn crashes(root: &Path) -> Command {
    let mut cargo = Command::new(tidy::cargo());
    cargo.args(["test", "--locked", "--package=fuseboard-services", "--test=crash_loop"]);
    cargo.env("FUSEBOARD_CRASHES", "1000").current_dir(root);
    cargo
}

/// Runs models, and refuses those that proved nothing. Loom looks for another interleaving only where an access depends
/// on the last one to the same place: a thread that loads before it stores hides what others loaded before.
fn models(name: &str, mut cargo: Command) -> Result<(), String> {
    let ran = cargo.stderr(Stdio::inherit()).output();
    let told = ran.as_ref().map_or_else(|_| String::new(), |ran| text(&ran.stdout));
    print!("{told}");
    outcome(name, ran.map(|ran| ran.status))?;
    let lone: Vec<&str> = told.lines().filter_map(lone_model).collect();
    match lone.as_slice() {
        [] => Ok(()),
        lone => Err(format!("{name}, only one interleaving of {}", lone.join(", "))),
    }
}

/// The model that a line says to have one interleaving.
fn lone_model(line: &str) -> Option<&str> {
    let told = line.strip_prefix("test ")?;
    told.contains("Completed in 1 iterations").then(|| told.split_whitespace().next())?
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut options = Options { minutes: DEFAULT_MINUTES, parts: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--minutes" => {
                    let number = args.next().and_then(|number| number.parse().ok());
                    let number = number.filter(|number| *number > 0);
                    options.minutes = number.ok_or("--minutes needs a whole number above 0")?;
                }
                name if PARTS.iter().any(|part| part.name == name) => {
                    options.parts.push(name.to_owned());
                }
                other => return Err(format!("`{other}` is neither a part nor an option")),
            }
        }
        Ok(options)
    }

    fn wants(&self, part: &Part) -> bool {
        let named = self.parts.iter().any(|name| name == part.name);
        named || self.parts.is_empty() && !matches!(part.work, Work::Mutants)
    }
}

fn usage() -> String {
    let mut text = String::from(
        "usage: cargo xtask prove [--minutes N] [PART ..]\n\nRuns the long sizes of what `cargo xtask test` runs small: \
         the parts named, or all but what takes hours.\n\n",
    );
    for Part { name, help, .. } in PARTS {
        text.push_str(&format!("  {name:<12} {help}\n"));
    }
    let minutes = format!("how long the fuzz targets run together; {DEFAULT_MINUTES} if not said");
    text.push_str(&format!("\n  {:<12} {minutes}\n", "--minutes N"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&args)
    }

    #[test]
    fn options_are_minutes_and_parts() {
        let options = |minutes, parts: &[&str]| {
            Ok(Options { minutes, parts: parts.iter().map(ToString::to_string).collect() })
        };
        let cases = [
            ("", options(DEFAULT_MINUTES, &[])),
            ("--minutes 5", options(5, &[])),
            ("fuzz --minutes 5 twin", options(5, &["fuzz", "twin"])),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line), expected, "{line}");
        }
        for line in ["--minutes", "--minutes 0", "--minutes -1", "--minutes x", "--quick", "twins"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn parts_that_are_named_are_run_and_no_others() {
        let wanted = |line: &str| {
            let options = parse(line).unwrap();
            let parts = PARTS.iter().filter(|part| options.wants(part));
            parts.map(|part| part.name).collect::<Vec<_>>()
        };
        assert_eq!(wanted("fuzz models"), ["models", "fuzz"], "in their own order");
        assert_eq!(wanted("mutants"), ["mutants"]);
        assert_eq!(wanted("--minutes 1").len(), PARTS.len() - 1, "all but what takes hours");
    }

    #[test]
    fn usage_gives_each_part_a_line() {
        for part in PARTS {
            let usage = usage();
            let line = usage.lines().find(|line| line.trim_start().starts_with(part.name));
            assert!(line.unwrap().ends_with(part.help), "{usage}");
        }
    }

    #[test]
    fn a_model_with_one_interleaving_is_noticed() {
        let line =
            |count| format!("test model::a ... INFO loom::model: Completed in {count} iterations");
        assert_eq!(lone_model(&line(1)), Some("model::a"));
        assert_eq!(lone_model(&line(11)), None);
        let said = |line: &str| {
            let mut echo = Command::new("echo");
            echo.arg(line);
            models("models", echo)
        };
        assert_eq!(said(&line(2)), Ok(()));
        assert_eq!(said(&line(1)), Err("models, only one interleaving of model::a".to_owned()));
        assert_eq!(
            models("models", Command::new("false")),
            Err("models, exit status: 1".to_owned())
        );
    }

    #[test]
    fn tests_are_locked_optimized_and_heard() {
        let cargo = tests(Path::new("here"), &["--lib"], &[("A", "b")]);
        let args: Vec<_> = cargo.get_args().map(|arg| arg.to_string_lossy()).collect();
        let line = "test --locked --package=fuseboard-core --lib -- --nocapture";
        assert_eq!(args.join(" "), line);
        let env: Vec<_> =
            cargo.get_envs().filter_map(|(name, value)| Some((name, value?))).collect();
        assert!(env.contains(&("A".as_ref(), "b".as_ref())), "{env:?}");
        assert!(env.contains(&("CARGO_PROFILE_DEV_OPT_LEVEL".as_ref(), "3".as_ref())), "{env:?}");
    }
}
