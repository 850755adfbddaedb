//! Which circuit it is has to be said, once.

use fuseboard::{CallError, CircuitBreaker, circuit_breaker};

type Answer = Result<(), CallError<()>>;

#[circuit_breaker]
fn nothing_is_said() -> Answer {
    Ok(())
}

#[circuit_breaker(failure_threshold = 3)]
fn the_name_is_missing() -> Answer {
    Ok(())
}

#[circuit_breaker(payments)]
fn the_quotes_are_missing() -> Answer {
    Ok(())
}

#[circuit_breaker(failure_threshold = 3, "payments")]
fn the_name_is_not_first() -> Answer {
    Ok(())
}

#[circuit_breaker("")]
fn the_name_is_empty() -> Answer {
    Ok(())
}

#[circuit_breaker(name = "payments@eu@1")]
fn the_name_has_two_cells() -> Answer {
    Ok(())
}

#[circuit_breaker(name = PAYMENTS)]
fn the_name_is_no_literal() -> Answer {
    Ok(())
}

#[circuit_breaker("payments", name = "orders")]
fn there_are_two_names() -> Answer {
    Ok(())
}

struct Client {
    breaker: CircuitBreaker,
}

impl Client {
    #[circuit_breaker("payments", breaker = self.breaker)]
    fn the_breaker_has_a_name(&self) -> Answer {
        Ok(())
    }

    #[circuit_breaker(breaker = self.breaker, slots = 1)]
    fn the_breaker_has_rules(&self) -> Answer {
        Ok(())
    }

    #[circuit_breaker(breaker = self.breaker, board = BOARD)]
    fn the_breaker_needs_no_board(&self) -> Answer {
        Ok(())
    }

    #[circuit_breaker("payments", board = self.board)]
    fn the_board_is_of_one_instance(&self) -> Answer {
        Ok(())
    }
}

fn main() {}
