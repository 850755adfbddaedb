//! Many threads at once: nothing is lost, nothing counts twice, and a circuit opens once.

use std::sync::Barrier;
use std::thread;

use fuseboard_core::{Cause, State};
use fuseboard_services::circuits::{
    CircuitBreakerConfig, ManualControl, Recorded, ThresholdOverride,
};
use proptest::prelude::*;

use crate::rig::{MINUTE, Rig, SECOND};

const NAME: &str = "external_api";

fn at_once(threads: usize, run: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        for number in 0..threads {
            let (barrier, run) = (&barrier, &run);
            scope.spawn(move || {
                barrier.wait();
                run(number);
            });
        }
    });
}

fn patient() -> CircuitBreakerConfig {
    CircuitBreakerConfig {
        failure_threshold: 1_000_000,
        failure_rate_threshold: 0.0,
        sliding_window_size: 1_000_000,
        max_open_calls: 1_000_000,
        ..CircuitBreakerConfig::default()
    }
}

#[test]
fn every_recorded_call_counts_once() {
    let rig = Rig::of(patient());
    at_once(8, |number| {
        for call in 0..2_000 {
            let circuit = ["a", "b"][call % 2];
            assert!(rig.service.should_allow(circuit).unwrap());
            let recorded = match (number + call) % 5 {
                0 => rig.service.record_failure(circuit, None, None),
                1 => rig.service.record_ignored(circuit, None),
                _ => rig.service.record_success(circuit, None),
            };
            assert_eq!(recorded, Ok(Recorded::Settled));
        }
    });
    for circuit in ["a", "b"] {
        let totals = rig.totals(circuit);
        assert_eq!(totals.success + totals.failure + totals.ignored, 8_000);
        assert_eq!((totals.ignored, totals.cancelled + totals.stale), (1_600, 0));
        assert_eq!(rig.service.get_open_calls(circuit), 0);
        assert_eq!(rig.service.get_total_calls(circuit), 6_400);
        assert_eq!(rig.board.get(circuit).unwrap().info().in_flight, 0);
    }
}

#[test]
fn each_hint_settles_its_own_call() {
    let rig = Rig::of(patient());
    at_once(8, |number| {
        for _ in 0..500 {
            let decision = rig.service.should_allow_with_state(NAME).unwrap();
            assert!(decision.allowed);
            let hint = Some(&decision.state);
            let recorded = match number % 2 {
                0 => rig.service.record_success(NAME, hint),
                _ => rig.service.record_failure(NAME, None, hint),
            };
            assert_eq!(recorded, Ok(Recorded::Settled));
        }
    });
    let totals = rig.totals(NAME);
    assert_eq!((totals.success, totals.failure), (2_000, 2_000));
}

#[test]
fn sixteen_threads_that_trip_a_circuit_open_it_exactly_once() {
    for _ in 0..40 {
        let rig = Rig::new();
        at_once(16, |_| {
            if rig.service.should_allow(NAME).unwrap() {
                rig.service.record_failure(NAME, None, None).unwrap();
            }
        });
        let expected = (NAME.to_owned(), State::Closed, State::Open, Cause::Tripped);
        assert_eq!(rig.told(), [expected]);
    }
}

#[test]
fn half_open_never_allows_more_calls_than_it_has_slots() {
    for _ in 0..40 {
        let rig = Rig::new();
        rig.trip(NAME);
        rig.clock.advance(MINUTE);
        let allowed = std::sync::atomic::AtomicUsize::new(0);
        at_once(16, |_| {
            let decision = rig.service.should_allow_with_state(NAME).unwrap();
            assert_eq!(decision.state.state, State::HalfOpen);
            let one = usize::from(decision.allowed);
            allowed.fetch_add(one, std::sync::atomic::Ordering::Relaxed);
        });
        assert_eq!(allowed.into_inner(), 3);
    }
}

#[test]
fn a_decision_never_contradicts_its_state() {
    let rig = Rig::new();
    at_once(4, |number| {
        for turn in 0..1_000 {
            match number {
                0 if turn % 2 == 0 => {
                    rig.service.force_open(NAME, ManualControl::by("ops")).unwrap();
                }
                0 => {
                    rig.service.force_close(NAME, ManualControl::by("ops")).unwrap();
                }
                _ => {
                    let decision = rig.service.should_allow_with_state(NAME).unwrap();
                    assert_eq!(decision.allowed, !decision.state.is_open(), "{decision:?}");
                    rig.service.record_success(NAME, Some(&decision.state)).unwrap();
                }
            }
        }
    });
}

#[test]
fn of_overrides_that_race_the_last_one_holds_and_the_base_rules_come_back() {
    let rig = Rig::new();
    at_once(8, |number| {
        for turn in 0..200 {
            let threshold = Some(2 + number as u32);
            let order = ThresholdOverride { failure_threshold: threshold, ..Default::default() };
            rig.service.apply_threshold_override(NAME, order.never_expiring()).unwrap();
            if (number + turn) % 2 == 0 {
                rig.service.remove_threshold_override(NAME);
            }
        }
    });
    let rules = rig.board.get(NAME).unwrap().rules();
    assert_eq!(*rules, rig.service.get_effective_config(NAME).rules().unwrap());
    rig.service.remove_threshold_override(NAME);
    let rules = rig.board.get(NAME).unwrap().rules();
    assert_eq!(*rules, CircuitBreakerConfig::default().rules().unwrap());
}

#[test]
fn sweeps_at_the_same_time_tell_of_each_circuit_once() {
    let rig = Rig::new();
    for number in 0..50 {
        rig.trip(&format!("circuit-{number}"));
    }
    rig.clock.advance(MINUTE);
    let told = std::sync::atomic::AtomicUsize::new(0);
    at_once(8, |_| {
        let check = rig.service.check_recovery_transitions();
        told.fetch_add(check.count, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(told.into_inner(), 50);
}

/// What may happen to one circuit.
#[derive(Clone, Debug)]
enum Doing {
    Ask,
    Succeed,
    Fail,
    Ignore,
    Wait(u64),
    Sweep,
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        4 => Just(Doing::Ask),
        2 => Just(Doing::Succeed),
        2 => Just(Doing::Fail),
        1 => Just(Doing::Ignore),
        2 => (1u64..70).prop_map(Doing::Wait),
        1 => Just(Doing::Sweep),
    ]
}

proptest! {
    #[test]
    fn every_allowed_call_ends_once_and_none_is_kept_for_ever(
        doings in proptest::collection::vec(doing(), 1..200)
    ) {
        let config = CircuitBreakerConfig { max_open_calls: 8, ..CircuitBreakerConfig::default() };
        let rig = Rig::of(config);
        let (mut allowed, mut counted) = (0, 0);
        for doing in doings {
            let recorded = match doing {
                Doing::Ask => {
                    allowed += u64::from(rig.service.should_allow(NAME).unwrap());
                    Recorded::Dropped
                }
                Doing::Succeed => rig.service.record_success(NAME, None).unwrap(),
                Doing::Fail => rig.service.record_failure(NAME, None, None).unwrap(),
                Doing::Ignore => rig.service.record_ignored(NAME, None).unwrap(),
                Doing::Wait(seconds) => {
                    rig.clock.advance(seconds as u32 * SECOND);
                    Recorded::Dropped
                }
                Doing::Sweep => {
                    // Each circuit that becomes half-open does so by a call that is cancelled.
                    counted += rig.service.check_recovery_transitions().count as u64;
                    Recorded::Dropped
                }
            };
            counted += u64::from(recorded == Recorded::Counted);
            prop_assert!(rig.service.get_open_calls(NAME) <= 8);
        }
        rig.clock.advance(MINUTE);
        prop_assert_eq!(rig.service.get_open_calls(NAME), 0);
        rig.service.get_or_create_state(NAME).unwrap();
        let totals = rig.totals(NAME);
        let ended = totals.success + totals.failure + totals.ignored + totals.cancelled + totals.stale;
        prop_assert_eq!(ended, allowed + counted);
    }
}
