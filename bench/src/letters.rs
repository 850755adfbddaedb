//! The stores of letters, measured by a program of its own: what it stands on is not built with the breakers.

use std::env;
use std::error::Error;
use std::process::Command;

use crate::options::Letters;

/// Builds that program and runs it, as the command line says.
pub(crate) fn measure_in_the_other_program(letters: &Letters) -> Result<(), Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["run", "--release", "--locked", "--quiet", "--package=fuseboard-bench-letters"]);
    command.arg("--").args(letters.quick.then_some("--quick"));
    command.args(letters.full.then_some("--full"));
    if let Some(out) = &letters.out {
        // It runs in the same folder, unless this one was started elsewhere.
        command.arg("--out").arg(env::current_dir()?.join(out));
    }
    let status = command.status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("letters were not measured: {status}").into())
    }
}
