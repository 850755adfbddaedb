//! A look at whether a call would be rejected, which counts nothing and changes nothing.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::policy::{Retry, failure_streak};
use fuseboard_core::time::ManualClock;
use fuseboard_core::{Cause, CircuitBreaker, Pin, Rules, State};

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    breaker: CircuitBreaker,
    clock: Arc<ManualClock>,
}

fn bench(retry: Retry) -> Bench {
    let clock = Arc::new(ManualClock::new());
    let rules = Rules::builder().tripper(failure_streak(1)).retry(retry).build().unwrap();
    let builder = CircuitBreaker::builder("payments").rules(rules).clock(clock.clone());
    Bench { breaker: builder.build().unwrap(), clock }
}

fn seen(bench: &Bench) -> Option<(State, Cause, Option<Duration>)> {
    let before = bench.breaker.info();
    let told = bench.breaker.peek().map(|told| (told.state, told.cause, told.retry_after));
    let after = bench.breaker.info();
    assert_eq!((before.totals, before.generation), (after.totals, after.generation));
    told
}

#[test]
fn an_open_circuit_rejects_until_its_deadline() {
    let bench = bench(Retry::cooldown(10 * SECOND));
    assert_eq!(seen(&bench), None, "closed");
    bench.breaker.try_acquire().unwrap().failure("down");
    for (waited, left) in [(0, 10), (4, 6), (5, 1)] {
        bench.clock.advance(waited * SECOND);
        assert_eq!(seen(&bench), Some((State::Open, Cause::Tripped, Some(left * SECOND))));
    }
    bench.clock.advance(SECOND);
    assert_eq!(seen(&bench), None, "the next attempt may be the probe");
    let probe = bench.breaker.try_acquire().unwrap();
    assert_eq!(seen(&bench), None, "half-open: a slot may be free by then");
    probe.success();
}

#[test]
fn a_circuit_that_never_tries_again_rejects_without_an_end() {
    let bench = bench(Retry::Never);
    bench.breaker.try_acquire().unwrap().failure("down");
    assert_eq!(seen(&bench), Some((State::Open, Cause::Tripped, None)));
}

#[test]
fn of_the_pins_only_forced_open_rejects() {
    let bench = bench(Retry::cooldown(SECOND));
    let pins: [fn(&CircuitBreaker, Pin); 3] =
        [CircuitBreaker::force_closed, CircuitBreaker::metrics_only, CircuitBreaker::disable];
    for pin in pins {
        pin(&bench.breaker, Pin::by("ops"));
        assert_eq!(seen(&bench), None);
    }
    bench.breaker.force_open(Pin::by("ops"));
    assert_eq!(seen(&bench), Some((State::ForcedOpen, Cause::Pinned, None)));
    bench.breaker.force_open(Pin::by("ops").lasting(3 * SECOND));
    assert_eq!(seen(&bench), Some((State::ForcedOpen, Cause::Pinned, Some(3 * SECOND))));
    bench.clock.advance(3 * SECOND);
    assert_eq!(seen(&bench), None, "the pin is over");
}
