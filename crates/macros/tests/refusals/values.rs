//! Values of the wrong kind or out of their range. All errors of an attribute are told at once.

use fuseboard::{CallError, circuit_breaker};

type Answer = Result<(), CallError<()>>;

#[circuit_breaker("payments", failure_threshold = 0, success_threshold = "3", timeout = "60")]
fn all_at_once() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", failure_threshold = -1, success_threshold = 4_294_967_296, slots = 10_001)]
fn numbers_out_of_range() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", failure_threshold = 2.5, success_threshold(3), slots = LIMIT)]
fn no_numbers() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", timeout = 60, probe_timeout = "25h", cancelled_after = "0s")]
fn no_durations() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", timeout = "1s1m", probe_timeout = "1us", cancelled_after(1))]
fn no_durations_either() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", window = count(100), trip = 3, retry = true)]
fn no_texts() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", errors = Timeout, ignore())]
fn no_types() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", fallback = "cached", crate = "fuseboard")]
fn no_paths() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", judged_by(judge), board(BOARD))]
fn no_expressions() -> Answer {
    Ok(())
}

fn main() {}
