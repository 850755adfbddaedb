//! Fuseboard beside its rivals: how long calls take, and what breakers take of memory.
//!
//! There are two programs, because an allocator that counts would be measured with the calls: [`timings`], which also runs
//! the other one for its report, and [`memory`]. A third, `letters`, is a package of its own.

use std::error::Error;
use std::process::ExitCode;
use std::{env, fs, io};

mod cases;
mod contestants;
mod crew;
mod entry;
mod goals;
mod letters;
mod measure;
mod memory;
mod options;
mod protect;
mod report;
mod traffic;
mod work;

use crew::Crew;
use fuseboard_bench_common::setting;
use options::{Options, USAGE};
use report::Run;

pub use memory::memory;

/// Measures times, prints the tables, and writes them where the command line says.
pub fn timings() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprint!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(outs) if outs.is_empty() => ExitCode::SUCCESS,
        Ok(outs) => {
            eprintln!("not in the state that the case claims: {}", outs.join(", "));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints, writes; returns who left the state that its case claims.
fn run(options: &Options) -> Result<Vec<String>, Box<dyn Error>> {
    // First, so that no compiler and no other process runs beside the timings.
    let memory = match options.wants("memory/") {
        true => Some(memory::report_of_the_other_program()?),
        false => None,
    };
    let load_before = setting::load();
    let crew = Crew::start()?;
    let tables =
        measure::measure(cases::all(), &options.filter, options.rounds, &crew, &mut io::stderr())?;
    let run = Run { rounds: options.rounds, pinned: crew.is_pinned(), load_before };
    let text = report::markdown(&run, memory.as_deref(), &tables)?;
    print!("{text}");
    if let Some(path) = &options.out {
        fs::write(path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
        eprintln!("written to {}", path.display());
    }
    // Last, because the disk is busy for a while after it.
    if options.wants("letters/") {
        letters::measure_in_the_other_program(&options.letters)?;
    }
    let rows = tables.iter().flat_map(|table| table.rows.iter().map(|row| (table.key, row)));
    let outs = rows.filter(|(_, row)| row.out.is_some());
    Ok(outs.map(|(key, row)| format!("{key}/{}", row.name())).collect())
}
