//! Measures the stores of letters beside bare inserts and a queue, on the same disk, and prints the tables.

mod captures;
mod draft;
mod drive;
mod floors;
mod goals;
mod options;
mod place;
mod queue;
mod replay;
mod report;
// Servers of the benchmark's own, started and stopped as the store's tests do.
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "it is of the tests, which also break their servers"
)]
#[path = "../../../crates/store/tests/postgres/server.rs"]
mod server;
mod sizes;

use std::process::ExitCode;
use std::{env, fs};

use drive::Failure;
use options::{Options, USAGE};
use place::Place;

fn main() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprint!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints, writes.
fn run(options: &Options) -> Result<(), Failure> {
    let load_before = fuseboard_bench_common::setting::load();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let found = runtime.block_on(async {
        let place = Place::prepare().await?;
        let mut queue = queue::Queue::start(&place.server.url())?;
        let captures = captures::measure(options, &place).await?;
        let queues = queue::measure(options, &place, &mut queue).await?;
        queue.end()?;
        let sizes = sizes::measure(options, &place).await?;
        let setting = place.setting(load_before).await?;
        Ok::<_, Failure>(report::Found { setting, captures, queues, sizes })
    })?;
    let text = report::markdown(options, &found)?;
    print!("{text}");
    if let Some(path) = &options.out {
        fs::write(path, &text).map_err(|error| format!("{}: {error}", path.display()))?;
        eprintln!("written to {}", path.display());
    }
    Ok(())
}
