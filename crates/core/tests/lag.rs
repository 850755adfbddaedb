//! A clock whose coarse time lags behind changes no decision: near an edge the precise time is asked for.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use fuseboard_core::policy::{Retry, failure_streak};
use fuseboard_core::random::SeededRandom;
use fuseboard_core::time::{Clock, ManualClock, Moment, WallTime};
use fuseboard_core::{CircuitBreaker, Info, Rules};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const LAG: Duration = Duration::from_millis(8);

/// Its coarse time is that of the last tick, every 4 ms; some ticks come late.
#[derive(Debug, Default)]
struct Lagging(ManualClock);

impl Clock for Lagging {
    fn now(&self) -> Moment {
        self.0.now()
    }

    fn wall(&self) -> WallTime {
        self.0.wall()
    }

    fn coarse(&self) -> Moment {
        let tick = self.0.now().as_nanos() / 4_000_000;
        let late = tick % 3 / 2;
        Moment::from_nanos((tick - late.min(tick)) * 4_000_000)
    }

    fn lag(&self) -> Duration {
        LAG
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Succeed(u64),
    Fail(u64),
    Pass(u64),
}

/// Milliseconds to an edge of a bucket, to a deadline, or to anywhere.
fn millis() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..20, 90u64..110, 0u64..700, 995u64..1005]
}

/// No call takes about as long as a slow one: that is told to within the lag.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop_oneof![4 => 0u64..900, 1 => 1100u64..1500].prop_map(Step::Succeed),
        2 => (0u64..700).prop_map(Step::Fail),
        2 => millis().prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..200)
}

fn breaker(rules: &Rules, clock: Arc<dyn Clock>) -> CircuitBreaker {
    let builder = CircuitBreaker::builder("lag").rules(rules.clone()).clock(clock);
    builder.random(Arc::new(SeededRandom::new(7))).build().unwrap()
}

/// Makes a call that takes `millis`, on a clock that only this test moves.
fn call(
    breaker: &CircuitBreaker,
    clock: &ManualClock,
    millis: u64,
    result: Result<(), ()>,
) -> bool {
    let called = breaker.call(|| {
        clock.advance(Duration::from_millis(millis));
        result
    });
    !called.is_err_and(|error| error.rejected().is_some())
}

fn told(info: &Info) -> String {
    let Info { state, generation, metrics, totals, retry_after, reopens, .. } = info;
    format!("{state} {generation} {metrics:?} {totals:?} {retry_after:?} {reopens}")
}

#[test]
fn a_look_just_before_the_deadline_asks_for_the_precise_time() {
    let rules = Rules::builder().tripper(failure_streak(1)).retry(Retry::cooldown(10 * SECOND));
    let clock = Arc::new(Lagging::default());
    let breaker = breaker(&rules.build().unwrap(), clock.clone());
    breaker.try_acquire().unwrap().failure("down");
    let last = Duration::from_millis(1);
    clock.0.advance(10 * SECOND - last);
    assert_eq!(breaker.peek().map(|rejected| rejected.retry_after), Some(Some(last)));
    clock.0.advance(last);
    assert!(breaker.peek().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_lagging_coarse_time_changes_nothing(
        steps in steps(),
        window in prop_oneof![Just("time(6s)"), Just("time(60s)"), Just("count(8)")],
        trip in prop_oneof![
            Just("min_requests(3) & failure_rate(0.4)"),
            Just("failure_streak(3)"),
            Just("min_requests(3) & (failure_rate(0.5) | slow_rate(0.5, 1s))"),
            Just("failures(4)"),
        ],
    ) {
        let rules = Rules::builder()
            .window(window.parse().unwrap())
            .tripper(trip.parse().unwrap())
            .retry("cooldown(100ms)".parse().unwrap())
            .build()
            .unwrap();
        let (exact, lagging) = (Arc::new(ManualClock::new()), Arc::new(Lagging::default()));
        let (plain, coarse) = (breaker(&rules, exact.clone()), breaker(&rules, lagging.clone()));
        for step in steps {
            match step {
                Step::Succeed(millis) => {
                    let made = call(&plain, &exact, millis, Ok(()));
                    prop_assert_eq!(made, call(&coarse, &lagging.0, millis, Ok(())));
                }
                Step::Fail(millis) => {
                    let made = call(&plain, &exact, millis, Err(()));
                    prop_assert_eq!(made, call(&coarse, &lagging.0, millis, Err(())));
                }
                Step::Pass(millis) => {
                    exact.advance(Duration::from_millis(millis));
                    lagging.0.advance(Duration::from_millis(millis));
                }
            }
            prop_assert_eq!(exact.now(), lagging.now());
        }
        prop_assert_eq!(told(&plain.info()), told(&coarse.info()));
    }
}
