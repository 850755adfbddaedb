//! Arguments that are unknown, given twice, or exclude each other; the error is at the second.

use fuseboard::{CallError, circuit_breaker};

type Answer = Result<(), CallError<()>>;

#[circuit_breaker("payments", failure_treshold = 3)]
fn unknown() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", exception_types(Timeout))]
fn unknown_with_parentheses() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", slots = 3, timeout = "60s", slots = 3)]
fn twice() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", trip = "failures(3)", failure_threshold = 3)]
fn two_trippers() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", timeout = "60s", retry = "never")]
fn two_retries() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", recovery = "tripper", success_threshold = 3)]
fn two_recoveries() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", errors(Timeout), ignore(Refused), judged_by = judge)]
fn two_judges() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", fallback = cached, fallback_on_error = cached)]
fn two_fallbacks() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", slots 3)]
fn no_equals_sign() -> Answer {
    Ok(())
}

#[circuit_breaker("payments" slots = 3)]
fn no_comma() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", 3)]
fn no_argument() -> Answer {
    Ok(())
}

fn main() {}
