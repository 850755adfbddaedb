//! Counts what breakers take of memory, under an allocator that counts: `cargo run --release --bin memory`.

use std::process::ExitCode;

#[global_allocator]
static COUNTED: dhat::Alloc = dhat::Alloc;

fn main() -> ExitCode {
    fuseboard_bench::memory()
}
