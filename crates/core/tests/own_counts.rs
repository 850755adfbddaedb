//! Calls that are counted without a lock, by the thread that makes them: none is lost, whatever becomes of the thread.
#![cfg(test)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fuseboard_core::{CircuitBreaker, Pin, State};

fn breaker(name: impl Into<String>) -> CircuitBreaker {
    CircuitBreaker::builder(name).build().unwrap()
}

fn succeed(breaker: &CircuitBreaker, calls: u64) {
    for _ in 0..calls {
        breaker.call(|| Ok::<(), ()>(())).unwrap();
    }
}

#[test]
fn what_a_thread_counted_outlives_it() {
    let breaker = breaker("payments");
    for round in 1..=20 {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| succeed(&breaker, 250));
            }
        });
        let info = breaker.info();
        assert_eq!((info.totals.success, info.totals.stale), (1000 * round, 0));
        assert_eq!((info.metrics.total, info.in_flight), (100, 0), "the window holds the last 100");
    }
}

#[test]
fn one_thread_counts_for_more_breakers_than_it_has_places() {
    let breakers: Vec<_> = (0..500).map(|number| breaker(format!("circuit-{number}"))).collect();
    for round in 1..=3 {
        for (number, breaker) in (0..).zip(&breakers) {
            succeed(breaker, 30 + number % 7);
        }
        for (number, breaker) in (0..).zip(&breakers) {
            assert_eq!(breaker.info().totals.success, round * (30 + number % 7));
        }
    }
}

#[test]
fn breakers_that_come_and_go_leave_the_others_exact() {
    let stays = breaker("stays");
    for number in 0..1000 {
        let goes = breaker(format!("goes-{number}"));
        succeed(&goes, 25);
        succeed(&stays, 25);
        assert_eq!(goes.info().totals.success, 25);
    }
    assert_eq!(stays.info().totals.success, 25_000);
}

#[test]
fn a_call_inside_a_call_counts_for_its_own_breaker() {
    let (outer, inner) = (breaker("outer"), breaker("inner"));
    for _ in 0..100 {
        outer.call(|| inner.call(|| outer.call(|| Ok::<(), ()>(())))).unwrap();
    }
    assert_eq!((outer.info().totals.success, inner.info().totals.success), (200, 100));
}

#[test]
fn a_failure_sees_every_success_before_it() {
    let rules = "min_requests(50) & failure_rate(0.5)".parse().unwrap();
    let rules = fuseboard_core::Rules::builder().tripper(rules).build().unwrap();
    let breaker = CircuitBreaker::builder("payments").rules(rules).build().unwrap();
    succeed(&breaker, 10_000);
    for failures in 1..=50 {
        assert_eq!(breaker.state(), State::Closed, "after {failures} of the last 100");
        breaker.call(|| Err::<(), ()>(())).unwrap_err();
    }
    assert_eq!(breaker.state(), State::Open, "50 of the last 100 failed");
}

#[test]
fn a_success_that_comes_after_its_generation_is_stale_or_was_counted_in_it() {
    let breaker = breaker("payments");
    let made = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    if breaker.call(|| Ok::<(), ()>(())).is_ok() {
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        scope.spawn(|| (0..2000).for_each(|_| breaker.reset()));
    });
    let info = breaker.info();
    assert_eq!(info.totals.success + info.totals.stale, made.into_inner());
    assert_eq!((info.in_flight, info.generation), (0, 2000));
}

struct CallsOnDrop(CircuitBreaker);

impl Drop for CallsOnDrop {
    fn drop(&mut self) {
        let call = || -> Result<(), ()> { panic!("meant: in the call") };
        assert!(catch_unwind(AssertUnwindSafe(|| self.0.call(call))).is_err());
    }
}

#[test]
fn a_panic_inside_a_call_is_a_failure_also_while_something_older_unwinds() {
    let warm = breaker("warm");
    succeed(&warm, 100);
    for breaker in [breaker("cold"), warm] {
        let cleans_up = CallsOnDrop(breaker.clone());
        let panicked = catch_unwind(AssertUnwindSafe(move || {
            let _cleans_up = cleans_up;
            panic!("meant: outside");
        }));
        assert!(panicked.is_err());
        let totals = breaker.info().totals;
        assert_eq!((totals.failure, totals.cancelled), (1, 0), "{}", breaker.name());
    }
}

#[test]
fn rejections_are_counted_by_the_thread_that_meets_them() {
    let breaker = breaker("payments");
    for _ in 0..5 {
        breaker.call(|| Err::<(), ()>(())).unwrap_err();
    }
    assert_eq!(breaker.state(), State::Open);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    assert!(breaker.try_acquire().is_err());
                }
            });
        }
    });
    assert_eq!(breaker.info().totals.rejected, 4000);
    breaker.force_open(Pin::by("ops"));
    assert!(breaker.try_acquire().is_err());
    assert_eq!(breaker.info().totals.rejected, 4001);
}
