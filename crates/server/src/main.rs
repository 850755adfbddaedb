//! The binary `fuseboard`.

use std::process::ExitCode;

fn main() -> ExitCode {
    fuseboard_server::cli::run()
}
