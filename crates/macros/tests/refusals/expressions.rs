//! Expressions that the attribute takes over, and that do not fit.

use fuseboard::{Board, CallError, Rejected, circuit_breaker};

type Answer = Result<u32, CallError<String>>;

#[circuit_breaker("payments", fallback = other_answer)]
fn fallback_with_another_answer() -> Answer {
    Ok(1)
}

fn other_answer(_: Rejected) -> u32 {
    1
}

#[circuit_breaker("payments", fallback = needs_less)]
fn fallback_with_other_arguments(number: u32) -> Answer {
    Ok(number)
}

fn needs_less(_: Rejected) -> Answer {
    Ok(1)
}

#[circuit_breaker("payments", fallback = nowhere)]
fn fallback_that_is_nowhere() -> Answer {
    Ok(1)
}

#[circuit_breaker("payments", fallback = blocking)]
async fn fallback_that_blocks(_number: u32) -> Answer {
    Ok(1)
}

fn blocking(number: u32, _: Rejected) -> Answer {
    Ok(number)
}

#[circuit_breaker("payments", board = board)]
fn board_of_one_call(board: Board) -> Answer {
    Ok(board.all().len() as u32)
}

#[circuit_breaker(breaker = "payments")]
fn breaker_by_name() -> Answer {
    Ok(1)
}

#[circuit_breaker("payments", errors(Nowhere))]
fn error_that_is_nowhere() -> Answer {
    Ok(1)
}

fn main() {}
