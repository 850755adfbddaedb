//! What the service shows, and the sweep.

use fuseboard_core::{Cause, State};
use fuseboard_services::circuits::{AggregateCalls, CircuitBreakerConfig, ManualControl};

use crate::rig::{MINUTE, Rig, SECOND};

const NAME: &str = "external_api";

#[test]
fn a_state_shows_the_window_and_what_opened_the_circuit() {
    let rig = Rig::new();
    rig.succeed(NAME, 3);
    rig.fail(NAME, 2);
    let state = rig.service.get_or_create_state(NAME).unwrap();
    assert_eq!((state.success_count, state.failure_count, state.consecutive_failures), (3, 2, 2));
    assert_eq!((state.total_calls(), state.opened_at, state.trip), (5, None, None));

    rig.clock.advance(10 * SECOND);
    rig.fail(NAME, 3);
    let state = rig.service.get_or_create_state(NAME).unwrap();
    let trip = state.trip.unwrap();
    assert_eq!((trip.total_calls, trip.failure_count, trip.cause), (8, 5, Cause::Tripped));
    assert_eq!(trip.why, "failure_streak(5): 5 in a row");
    assert_eq!(state.opened_at.unwrap().as_unix_millis(), 10_000);
    assert_eq!(state.retry_after, Some(MINUTE));

    rig.clock.advance(MINUTE);
    assert!(rig.service.should_allow(NAME).unwrap());
    let state = rig.service.get_or_create_state(NAME).unwrap();
    assert_eq!((state.state, state.in_flight), (State::HalfOpen, 1));
    assert_eq!(state.opened_at.unwrap().as_unix_millis(), 10_000, "half-open was opened then");
}

#[test]
fn reading_a_state_makes_no_circuit_and_asking_for_one_does() {
    let rig = Rig::new();
    assert_eq!(rig.service.get_state(NAME), State::Closed);
    assert_eq!(rig.service.get_total_calls(NAME), 0);
    assert!(rig.service.get_all_states().is_empty());
    rig.service.get_or_create_state(NAME).unwrap();
    assert_eq!(rig.service.get_all_states().len(), 1);
}

#[test]
fn all_states_come_by_name() {
    let rig = Rig::new();
    rig.trip("b");
    rig.succeed("a", 1);
    let all: Vec<_> =
        rig.service.get_all_states().into_iter().map(|one| (one.service_name, one.state)).collect();
    assert_eq!(all, [("a".to_owned(), State::Closed), ("b".to_owned(), State::Open)]);
}

#[test]
fn open_states_come_oldest_first_and_at_most_as_many_as_asked_for() {
    let rig = Rig::new();
    for name in ["c", "a", "b"] {
        rig.trip(name);
        rig.clock.advance(SECOND);
    }
    rig.service.force_open("d", ManualControl::by("ops")).unwrap();
    rig.succeed("healthy", 1);
    let names = |limit| -> Vec<String> {
        rig.service.get_open_states(limit).into_iter().map(|one| one.service_name).collect()
    };
    assert_eq!(names(None), ["c", "a", "b", "d"]);
    assert_eq!(names(Some(2)), ["c", "a"]);
    assert!(names(Some(0)).is_empty());
    rig.clock.advance(57 * SECOND);
    rig.succeed("c", 2);
    assert_eq!(names(None), ["a", "b", "d"]);
}

#[test]
fn total_calls_are_those_of_the_window() {
    let rig = Rig::of(CircuitBreakerConfig {
        sliding_window_size: 20,
        ..CircuitBreakerConfig::default()
    });
    rig.succeed(NAME, 15);
    assert_eq!(rig.service.get_total_calls(NAME), 15);
    rig.succeed(NAME, 15);
    assert_eq!(rig.service.get_total_calls(NAME), 20);
    rig.trip(NAME);
    assert_eq!(rig.service.get_total_calls(NAME), 0, "a transition starts a fresh window");
}

#[test]
fn the_aggregate_failure_rate_counts_an_open_or_half_open_circuit_by_what_tripped_it() {
    let rig = Rig::new();
    assert_eq!(rig.service.get_aggregate_failure_rate(), 0.0);
    assert_eq!(rig.service.aggregate_calls().failure_rate(), None, "nothing is not zero");
    rig.succeed("healthy", 15);
    assert_eq!(rig.service.get_aggregate_failure_rate(), 0.0);
    rig.trip("sick");
    assert_eq!(rig.service.get_aggregate_failure_rate(), 0.25);

    rig.clock.advance(MINUTE);
    rig.succeed("sick", 1);
    assert_eq!(rig.service.get_state("sick"), State::HalfOpen);
    assert_eq!(rig.service.aggregate_calls(), AggregateCalls { total: 20, failures: 5 });
    rig.succeed("sick", 1);
    assert_eq!(rig.service.aggregate_calls(), AggregateCalls { total: 15, failures: 0 });
}

#[test]
fn a_circuit_that_is_forced_open_still_counts_by_what_tripped_it() {
    let rig = Rig::new();
    rig.trip(NAME);
    rig.service.force_open(NAME, ManualControl::by("ops")).unwrap();
    assert_eq!(rig.service.aggregate_calls(), AggregateCalls { total: 5, failures: 5 });
    rig.service.force_open("untouched", ManualControl::by("ops")).unwrap();
    assert_eq!(rig.service.aggregate_calls(), AggregateCalls { total: 5, failures: 5 });
}

#[test]
fn the_sweep_makes_half_open_what_is_due_and_nothing_else() {
    let rig = Rig::new();
    rig.trip("first");
    rig.clock.advance(30 * SECOND);
    rig.trip("second");
    rig.service.force_open("pinned", ManualControl::by("ops").never_expiring()).unwrap();
    rig.succeed("healthy", 1);
    assert_eq!(rig.service.check_recovery_transitions().count, 0);

    rig.clock.advance(30 * SECOND);
    let check = rig.service.check_recovery_transitions();
    assert_eq!(
        (check.success, check.count, check.transitioned),
        (true, 1, vec!["first".to_owned()])
    );
    assert_eq!(check.message, "1 of 4 circuits became half_open");
    assert_eq!(rig.service.check_recovery_transitions().count, 0, "once");
    assert_eq!(rig.service.get_state("second"), State::Open);
    assert_eq!(rig.told().last().unwrap().3, Cause::RetryDue);

    for _ in 0..3 {
        assert!(rig.service.should_allow("first").unwrap(), "the sweep took no slot");
    }
}

#[test]
fn the_sweep_of_a_disabled_service_does_nothing() {
    let rig = Rig::of(CircuitBreakerConfig { enabled: false, ..CircuitBreakerConfig::default() });
    let check = rig.service.check_recovery_transitions();
    assert_eq!((check.success, &*check.message), (false, "the service is disabled"));
}

#[test]
fn a_listener_may_ask_the_service_about_everything() {
    use std::sync::{Arc, OnceLock};

    use fuseboard_core::time::ManualClock;
    use fuseboard_core::{Board, Transition};
    use fuseboard_services::circuits::{BoardRepository, CircuitBreakerService, ThresholdOverride};

    let slot: Arc<OnceLock<Arc<CircuitBreakerService>>> = Arc::default();
    let found = Arc::clone(&slot);
    let listener = move |name: &str, _: &Transition| {
        let Some(service) = found.get() else { return };
        service.check_recovery_transitions();
        service.get_open_states(None);
        let other = format!("{name} after");
        if name == NAME {
            service.should_allow(&other).unwrap();
            service.record_success(&other, None).unwrap();
        }
        let order =
            ThresholdOverride { success_threshold: Some(1), ..ThresholdOverride::default() };
        service.apply_threshold_override(name, order.lasting(SECOND)).unwrap();
        service.remove_threshold_override(name);
    };
    let clock = Arc::new(ManualClock::new());
    let board = Board::builder().clock(clock.clone()).listener(listener).build();
    let repository = Arc::new(BoardRepository::new(board));
    let service = CircuitBreakerService::builder().repository(repository).build().unwrap();
    let service = Arc::new(service);
    slot.set(Arc::clone(&service)).unwrap();

    for _ in 0..5 {
        service.record_failure(NAME, None, None).unwrap();
    }
    service.force_close(NAME, ManualControl::by("ops").lasting(MINUTE)).unwrap();
    let order = ThresholdOverride { failure_threshold: Some(3), ..ThresholdOverride::default() };
    service.apply_threshold_override(NAME, order.lasting(MINUTE)).unwrap();
    clock.advance(MINUTE);
    // The pin ends inside the change of rules, and its listener changes them again.
    assert!(service.should_allow(NAME).unwrap());
    assert_eq!(service.get_effective_config(NAME), CircuitBreakerConfig::default());
    assert_eq!(
        *service.repository().get(NAME).unwrap().rules(),
        CircuitBreakerConfig::default().rules().unwrap()
    );
}
