//! The guard form of a call.
#![cfg(test)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use fuseboard_core::policy::Tracker;
use fuseboard_core::{CircuitBreaker, Failure, Guard, Outcome, Rules, State, Totals};

fn breaker(trip: &str) -> CircuitBreaker {
    let rules = Rules::builder()
        .tripper(trip.parse().unwrap())
        .ignoring(Tracker::error("fmt", |_: &std::fmt::Error| true))
        .build()
        .unwrap();
    CircuitBreaker::builder("guarded").rules(rules).build().unwrap()
}

#[test]
fn a_guard_settles_once_as_it_was_told() {
    type End = fn(Guard<'_>);
    let table: [(&str, End, Totals); 9] = [
        ("dropped", |guard| drop(guard), Totals { success: 1, ..Totals::default() }),
        ("success", |guard| guard.success(), Totals { success: 1, ..Totals::default() }),
        ("failure", |guard| guard.failure("503"), Totals { failure: 1, ..Totals::default() }),
        ("ignored", |guard| guard.ignored(), Totals { ignored: 1, ..Totals::default() }),
        (
            "settled",
            |guard| guard.settle(Failure::new("x")),
            Totals { failure: 1, ..Totals::default() },
        ),
        (
            "checked ok",
            |mut guard| assert_eq!(guard.check(Ok::<_, String>(1)), Ok(1)),
            Totals { success: 1, ..Totals::default() },
        ),
        (
            "checked error",
            |mut guard| assert_eq!(guard.check(Err::<(), _>("no")), Err("no")),
            Totals { failure: 1, ..Totals::default() },
        ),
        (
            "checked ignored error",
            |mut guard| assert!(guard.check(Err::<(), _>(std::fmt::Error)).is_err()),
            Totals { ignored: 1, ..Totals::default() },
        ),
        (
            "the last check counts",
            |mut guard| {
                let _ = guard.check(Err::<(), _>("no"));
                let _ = guard.check(Ok::<_, String>(1));
            },
            Totals { success: 1, ..Totals::default() },
        ),
    ];
    for (name, end, expected) in table {
        let breaker = breaker("failure_streak(5)");
        end(breaker.enter().unwrap());
        let info = breaker.info();
        assert_eq!((info.totals, info.in_flight), (expected, 0), "{name}");
    }
}

#[test]
fn a_panic_while_a_guard_lives_is_a_failure() {
    let breaker = breaker("failure_streak(5)");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _guard = breaker.enter().unwrap();
        panic!("in the call");
    }));
    assert!(panicked.is_err());
    let info = breaker.info();
    assert_eq!(info.totals, Totals { failure: 1, ..Totals::default() });
    assert_eq!(info.last_error.unwrap().message, "the call panicked");
}

#[test]
fn an_open_circuit_gives_no_guard() {
    let breaker = breaker("failure_streak(1)");
    breaker.enter().unwrap().failure("503");
    assert_eq!(breaker.state(), State::Open);
    let rejected = breaker.enter().unwrap_err();
    assert_eq!(rejected.state, State::Open);
    assert_eq!(breaker.info().totals.rejected, 1);
}

#[test]
fn an_early_return_counts_what_was_checked() {
    fn work(breaker: &CircuitBreaker, text: &str) -> Result<u32, Box<dyn std::error::Error>> {
        let mut guard = breaker.enter()?;
        Ok(guard.check(text.parse::<u32>())?)
    }
    let breaker = breaker("failure_streak(5)");
    assert_eq!(work(&breaker, "4").unwrap(), 4);
    assert!(work(&breaker, "x").is_err());
    let totals = breaker.info().totals;
    assert_eq!((totals.success, totals.failure), (1, 1));
}

#[test]
fn judging_counts_nothing() {
    let breaker = breaker("failure_streak(1)");
    assert_eq!(breaker.judge(Ok::<_, &()>(&1)).outcome, Outcome::Success);
    let judgement = breaker.judge(Err::<&(), _>(&"503".to_owned()));
    assert_eq!(judgement.failure.unwrap().message(), Some("503"));
    assert_eq!(breaker.judge(Err::<&(), _>(&std::fmt::Error)).outcome, Outcome::Ignored);
    assert_eq!(breaker.info().totals, Totals::default());
}
