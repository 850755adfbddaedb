//! The project's own commands, run as `cargo xtask <command>`.

mod bench;
mod prerequisites;
mod prove;
mod test;
mod tidy;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

struct Command {
    name: &'static str,
    help: &'static str,
    takes_options: bool,
    run: fn(&Path) -> ExitCode,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        help: "everything that must hold before a commit: format, tidy, clippy, docs, tests",
        takes_options: false,
        run: test::run,
    },
    Command {
        name: "tidy",
        help: "the house rules alone: edges, sizes, clocks, sleeps, words",
        takes_options: false,
        run: tidy::run,
    },
    Command {
        name: "prove",
        help: "the long sizes of the tests: twin, threads, models, fuzz targets; --help tells more",
        takes_options: true,
        run: prove::run,
    },
    Command {
        name: "bench",
        help: "builds bench/ in release and prints the tables beside rivals; writes bench/RESULTS.md and LETTERS.md",
        takes_options: true,
        run: bench::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match command(&args) {
        Some(command) => (command.run)(&root()),
        None => {
            eprint!("{}", usage());
            ExitCode::from(2)
        }
    }
}

/// The command that the arguments name; none if there is no such command, or if something follows one that takes nothing.
fn command(args: &[String]) -> Option<&'static Command> {
    let (name, options) = args.split_first()?;
    let command = COMMANDS.iter().find(|command| command.name == name)?;
    (options.is_empty() || command.takes_options).then_some(command)
}

fn usage() -> String {
    let mut text = String::from("usage: cargo xtask <command>\n\n");
    for Command { name, help, .. } in COMMANDS {
        text.push_str(&format!("  {name:<6} {help}\n"));
    }
    text
}

/// The repository's root. Cargo's word at run time goes before the one at build time, because
/// several checkouts may share one target folder and so one built xtask.
fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map(Path::to_path_buf).unwrap_or(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_command_alone_is_run() {
        let cases: &[(&[&str], Option<&str>)] = &[
            (&["test"], Some("test")),
            (&["tidy"], Some("tidy")),
            (&[], None),
            (&["tests"], None),
            (&["tidy", "now"], None),
            (&["prove"], Some("prove")),
            (&["prove", "--minutes", "5"], Some("prove")),
            (&["bench"], Some("bench")),
            (&["bench", "--quick"], Some("bench")),
        ];
        for (args, expected) in cases {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            assert_eq!(command(&args).map(|found| found.name), *expected, "{args:?}");
        }
    }

    #[test]
    fn usage_gives_each_command_a_line() {
        let usage = usage();
        for command in COMMANDS {
            let line = usage.lines().find(|line| line.trim_start().starts_with(command.name));
            assert!(line.unwrap().ends_with(command.help), "{usage}");
        }
    }
}
