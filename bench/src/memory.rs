//! What breakers take of memory, and how often calls ask for some: counted, not timed.

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

mod breakers;
mod calls;
mod heap;
mod keys;
mod report;
mod sites;
mod subject;
mod threads;

const USAGE: &str = "\
usage, in bench/: cargo run --release --bin memory [-- --sites FILE]

  --sites FILE    count nothing; write where the blocks of a thousand breakers and a thousand keys were asked for, as a
                  profile that DHAT's viewer reads
";

/// Counts and prints; for a program whose global allocator is `dhat`'s.
pub fn memory() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => counted().map(|text| print!("{text}")),
        ["--sites", file] => sites::write(Path::new(file)),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Counts everything.
fn counted() -> Result<String, String> {
    // Nobody reads the backtraces here, and long ones take longer.
    let _counting = dhat::Profiler::builder().testing().trim_backtraces(Some(4)).build();
    heap::check()?;
    let found = report::Found {
        breakers: breakers::all()?,
        threads: threads::all()?,
        left_of_gone: threads::most_left_of_gone()?,
        keys: keys::measure()?,
        ours: calls::ours(),
        theirs: calls::theirs(),
    };
    report::markdown(&found).map_err(|error| error.to_string())
}

/// What the program that counts prints, built and run for it: a program has one allocator, and this one's is not slowed.
pub(crate) fn report_of_the_other_program() -> Result<String, Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "--release", "--locked", "--quiet", "--bin", "memory"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("memory was not counted: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
