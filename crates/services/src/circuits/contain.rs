//! Panics of what others lend to the service stay where they are.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::warn;

use super::error::Trouble;

/// What `run` returns; if it panics, a warning and `None`.
pub(super) fn contained<T>(part: &'static str, run: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(run));
    if result.is_err() {
        warn!(part, "a part that was lent to the circuit breaker service panicked; it was ignored");
    }
    result.ok()
}

/// What `run` returns, a panic being one more error.
pub(super) fn attempted<T>(
    part: &'static str,
    run: impl FnOnce() -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    contained(part, run).unwrap_or_else(|| Err(format!("the {part} panicked").into()))
}
