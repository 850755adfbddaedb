//! The ticketless pair: what is allowed, what a record settles, and what becomes of calls that nobody records.

use fuseboard_core::{Cause, Pin, State};
use fuseboard_services::circuits::{
    CircuitBreakerConfig, CircuitBreakerService, ErrorContext, Recorded, RefusedBy,
};

use crate::rig::{MINUTE, Rig, SECOND};

const NAME: &str = "external_api";

#[test]
fn failures_in_a_row_open_the_circuit_and_probes_close_it_again() {
    let rig = Rig::new();
    rig.trip(NAME);
    assert!(!rig.service.should_allow(NAME).unwrap());
    rig.clock.advance(59 * SECOND);
    assert!(!rig.service.should_allow(NAME).unwrap(), "recovery_timeout is 60 s");
    rig.clock.advance(SECOND);
    rig.succeed(NAME, 2);
    assert_eq!(rig.service.get_state(NAME), State::Closed);
    let causes: Vec<Cause> = rig.told().into_iter().map(|(.., cause)| cause).collect();
    assert_eq!(causes, [Cause::Tripped, Cause::RetryDue, Cause::Recovered]);
}

#[test]
fn the_failure_rate_opens_it_also_on_a_success() {
    let rig =
        Rig::of(CircuitBreakerConfig { failure_threshold: 100, ..CircuitBreakerConfig::default() });
    rig.fail(NAME, 9);
    assert_eq!(rig.service.get_state(NAME), State::Closed, "minimum_calls is 10");
    rig.succeed(NAME, 1);
    assert_eq!(rig.service.get_state(NAME), State::Open, "9 of 10 failed");
}

#[test]
fn a_failed_probe_opens_it_again() {
    let rig = Rig::new();
    rig.trip(NAME);
    rig.clock.advance(MINUTE);
    rig.fail(NAME, 1);
    let state = rig.service.get_or_create_state(NAME).unwrap();
    assert_eq!((state.state, state.reopens), (State::Open, 1));
}

#[test]
fn half_open_allows_as_many_calls_at_once_as_there_are_slots_and_gets_them_back() {
    let rig = Rig::new();
    rig.trip(NAME);
    rig.clock.advance(MINUTE);
    for _ in 0..3 {
        assert!(rig.service.should_allow(NAME).unwrap());
    }
    assert!(!rig.service.should_allow(NAME).unwrap());
    rig.service.record_ignored(NAME, None).unwrap();
    assert!(rig.service.should_allow(NAME).unwrap(), "what came to neither gave its slot back");
}

#[test]
fn the_decision_carries_the_state_that_decided_and_why() {
    let rig = Rig::new();
    let allowed = rig.service.should_allow_with_state(NAME).unwrap();
    assert!(allowed.allowed && allowed.refused_by.is_none());
    assert_eq!((allowed.state.state, allowed.state.in_flight), (State::Closed, 1));
    rig.service.record_success(NAME, Some(&allowed.state)).unwrap();

    rig.trip(NAME);
    rig.clock.advance(20 * SECOND);
    let refused = rig.service.should_allow_with_state(NAME).unwrap();
    assert!(!refused.allowed);
    assert_eq!(refused.refused_by, Some(RefusedBy::Circuit(Cause::Tripped)));
    assert_eq!(refused.state.state, State::Open);
    assert_eq!(refused.retry_after, Some(40 * SECOND));

    rig.clock.advance(40 * SECOND);
    let probe = rig.service.should_allow_with_state(NAME).unwrap();
    assert_eq!((probe.allowed, probe.state.state), (true, State::HalfOpen));
}

#[test]
fn a_hint_settles_the_very_call_that_it_came_with() {
    let rig = Rig::new();
    let late = rig.service.should_allow_with_state(NAME).unwrap();
    rig.trip(NAME);
    rig.clock.advance(MINUTE - SECOND);
    rig.clock.advance(SECOND);
    let probes = [(); 2].map(|()| rig.service.should_allow_with_state(NAME).unwrap());
    for probe in &probes {
        let recorded = rig.service.record_success(NAME, Some(&probe.state)).unwrap();
        assert_eq!(recorded, Recorded::Settled);
    }
    assert_eq!(rig.service.get_state(NAME), State::Closed, "the probes closed it");
    let again = rig.service.record_failure(NAME, None, Some(&probes[0].state)).unwrap();
    assert_eq!(again, Recorded::Dropped, "a call is recorded once");
    assert_eq!(rig.service.get_total_calls(NAME), 0);
    let stale = rig.service.record_failure(NAME, None, Some(&late.state)).unwrap();
    assert_eq!(stale, Recorded::Dropped, "its lease ended meanwhile");
}

#[test]
fn a_hint_settles_its_probe_although_an_older_call_is_still_on_its_way() {
    let rig = Rig::of(CircuitBreakerConfig {
        recovery_timeout: 10 * SECOND,
        ..CircuitBreakerConfig::default()
    });
    let late = rig.service.should_allow_with_state(NAME).unwrap();
    for _ in 0..5 {
        let call = rig.service.should_allow_with_state(NAME).unwrap();
        rig.service.record_failure(NAME, None, Some(&call.state)).unwrap();
    }
    rig.clock.advance(10 * SECOND);
    for _ in 0..2 {
        let probe = rig.service.should_allow_with_state(NAME).unwrap();
        rig.service.record_success(NAME, Some(&probe.state)).unwrap();
    }
    assert_eq!(rig.service.get_state(NAME), State::Closed);
    assert_eq!(rig.service.record_failure(NAME, None, Some(&late.state)), Ok(Recorded::Settled));
    assert_eq!((rig.totals(NAME).stale, rig.service.get_total_calls(NAME)), (1, 0));
}

#[test]
fn a_hint_of_another_circuit_is_none() {
    let rig = Rig::new();
    let other = rig.service.should_allow_with_state("other").unwrap();
    assert!(rig.service.should_allow(NAME).unwrap());
    assert_eq!(rig.service.record_success(NAME, Some(&other.state)), Ok(Recorded::Settled));
    assert_eq!((rig.service.get_open_calls(NAME), rig.service.get_open_calls("other")), (0, 1));
}

#[test]
fn stale_outcomes_after_a_state_change_are_ignored() {
    let rig = Rig::of(CircuitBreakerConfig {
        recovery_timeout: 10 * SECOND,
        ..CircuitBreakerConfig::default()
    });
    // Ten calls are on their way; five of them fail and trip it.
    for _ in 0..10 {
        assert!(rig.service.should_allow(NAME).unwrap());
    }
    for _ in 0..5 {
        rig.service.record_failure(NAME, None, None).unwrap();
    }
    rig.clock.advance(10 * SECOND);
    assert!(rig.service.should_allow(NAME).unwrap(), "the probe");
    for _ in 0..5 {
        rig.service.record_success(NAME, None).unwrap();
    }
    assert_eq!(rig.service.get_state(NAME), State::HalfOpen, "late successes are no recovery");
    assert_eq!(rig.totals(NAME).stale, 5);
    rig.service.record_success(NAME, None).unwrap();
    rig.succeed(NAME, 1);
    assert_eq!(rig.service.get_state(NAME), State::Closed);
}

#[test]
fn a_call_that_nobody_records_is_cancelled_when_its_lease_ends() {
    let rig = Rig::new();
    for _ in 0..3 {
        assert!(rig.service.should_allow(NAME).unwrap());
    }
    rig.clock.advance(59 * SECOND);
    assert_eq!(rig.service.get_open_calls(NAME), 3);
    rig.clock.advance(SECOND);
    assert_eq!(rig.service.get_open_calls(NAME), 0);
    let (totals, info) = (rig.totals(NAME), rig.board.get(NAME).unwrap().info());
    assert_eq!((totals.cancelled, totals.failure, info.in_flight), (3, 0, 0));
}

#[test]
fn the_sweep_cancels_calls_of_circuits_that_nobody_asks_for_any_more() {
    let rig = Rig::new();
    assert!(rig.service.should_allow(NAME).unwrap());
    rig.clock.advance(MINUTE);
    rig.service.check_recovery_transitions();
    assert_eq!(rig.totals(NAME).cancelled, 1);
}

#[test]
fn a_probe_that_nobody_records_has_failed_when_its_lease_ends() {
    let rig = Rig::of(CircuitBreakerConfig {
        half_open_stuck_timeout: 30 * SECOND,
        ..CircuitBreakerConfig::default()
    });
    rig.trip(NAME);
    rig.clock.advance(MINUTE);
    assert!(rig.service.should_allow(NAME).unwrap());
    rig.clock.advance(30 * SECOND);
    assert_eq!(rig.service.get_state(NAME), State::Open);
    assert_eq!(rig.told().last().unwrap().3, Cause::ProbeLapsed);
    rig.clock.advance(MINUTE);
    rig.succeed(NAME, 2);
    assert_eq!(rig.service.get_state(NAME), State::Closed, "no slot was lost");
}

#[test]
fn a_probe_may_take_longer_than_other_calls_wait_for_their_record() {
    let rig = Rig::of(CircuitBreakerConfig {
        call_lease: 5 * SECOND,
        half_open_stuck_timeout: 30 * SECOND,
        success_threshold: 1,
        ..CircuitBreakerConfig::default()
    });
    rig.trip(NAME);
    rig.clock.advance(MINUTE);
    assert!(rig.service.should_allow(NAME).unwrap());
    rig.clock.advance(29 * SECOND);
    assert_eq!(rig.service.record_success(NAME, None), Ok(Recorded::Settled));
    assert_eq!(rig.service.get_state(NAME), State::Closed);
}

#[test]
fn calls_that_wait_for_their_record_are_bounded() {
    let rig =
        Rig::of(CircuitBreakerConfig { max_open_calls: 100, ..CircuitBreakerConfig::default() });
    for _ in 0..1_000 {
        assert!(rig.service.should_allow(NAME).unwrap());
    }
    assert_eq!(rig.service.get_open_calls(NAME), 100);
    let info = rig.board.get(NAME).unwrap().info();
    assert_eq!((info.totals.cancelled, info.in_flight), (900, 100));
}

#[test]
fn records_without_a_call_count_while_the_circuit_is_closed_and_only_then() {
    let rig = Rig::new();
    for _ in 0..5 {
        assert_eq!(rig.service.record_failure(NAME, None, None), Ok(Recorded::Counted));
    }
    assert_eq!(rig.service.get_state(NAME), State::Open);
    assert_eq!(rig.service.record_success(NAME, None), Ok(Recorded::Dropped));
    rig.clock.advance(MINUTE);
    assert_eq!(rig.service.record_success(NAME, None), Ok(Recorded::Dropped));
    rig.service.check_recovery_transitions();
    assert_eq!(rig.service.get_state(NAME), State::HalfOpen);
    for _ in 0..5 {
        assert_eq!(rig.service.record_success(NAME, None), Ok(Recorded::Dropped));
        assert_eq!(rig.service.record_failure(NAME, None, None), Ok(Recorded::Dropped));
    }
    assert_eq!(rig.service.get_state(NAME), State::HalfOpen);
}

#[test]
fn what_is_known_of_a_failure_is_shown_and_moves_the_deadline() {
    let rig = Rig::new();
    rig.fail(NAME, 4);
    assert!(rig.service.should_allow(NAME).unwrap());
    let context = ErrorContext::new("429").retry_after(5 * MINUTE).with("host", "10.0.0.5");
    rig.clock.advance(SECOND);
    rig.service.record_failure(NAME, Some(context), None).unwrap();
    let state = rig.service.get_or_create_state(NAME).unwrap();
    assert_eq!(state.last_error.as_deref(), Some("429 (host: 10.0.0.5)"));
    assert_eq!(state.last_failure_at.unwrap().as_unix_millis(), 1_000);
    assert_eq!(state.retry_after, Some(5 * MINUTE));
}

#[test]
fn a_failure_without_a_word_is_remembered_too() {
    let rig = Rig::new();
    rig.clock.advance(SECOND);
    rig.service.record_failure(NAME, None, None).unwrap();
    let state = rig.service.get_or_create_state(NAME).unwrap();
    assert_eq!(state.last_failure_at.unwrap().as_unix_millis(), 1_000);
    assert_eq!(state.last_error.as_deref(), Some("failed"));
}

#[test]
fn a_long_error_is_cut_at_a_character() {
    let rig = Rig::new();
    let context = ErrorContext::new("é".repeat(5_000));
    rig.service.record_failure(NAME, Some(context), None).unwrap();
    let error = rig.service.get_or_create_state(NAME).unwrap().last_error.unwrap();
    assert_eq!(error, "é".repeat(500));
}

#[test]
fn a_checker_that_says_no_refuses_and_one_that_panics_does_not() {
    let rig = Rig::new();
    rig.service.register_downstream_checker(|_| panic!("a checker's own fault"));
    assert!(rig.service.should_allow(NAME).unwrap());
    rig.service.register_downstream_checker(|name| name != NAME);
    assert!(!rig.service.should_allow(NAME).unwrap());
    assert!(rig.service.should_allow("another").unwrap());
    let decision = rig.service.should_allow_with_state(NAME).unwrap();
    assert_eq!(decision.refused_by, Some(RefusedBy::Downstream));
    assert_eq!((decision.allowed, decision.state.state), (false, State::Closed));
    assert_eq!(rig.totals(NAME).rejected, 0, "the circuit was not asked");
}

#[test]
fn a_checker_may_ask_the_service_and_register_another() {
    let rig = Rig::new();
    let service = rig.service.clone();
    rig.service.register_downstream_checker(move |name| {
        service.register_downstream_checker(|_| true);
        service.get_state(name) == State::Closed
    });
    assert!(rig.service.should_allow(NAME).unwrap());
}

#[test]
fn a_disabled_service_allows_everything_counts_nothing_and_still_shows_states() {
    let rig = Rig::of(CircuitBreakerConfig { enabled: false, ..CircuitBreakerConfig::default() });
    assert!(!rig.service.is_enabled());
    for _ in 0..20 {
        assert!(rig.service.should_allow(NAME).unwrap());
        assert_eq!(rig.service.record_failure(NAME, None, None), Ok(Recorded::Dropped));
    }
    let decision = rig.service.should_allow_with_state(NAME).unwrap();
    assert_eq!((decision.allowed, decision.state.state), (true, State::Closed));
    assert_eq!(rig.service.get_total_calls(NAME), 0);
}

#[test]
fn a_name_that_no_circuit_can_have_is_an_error_everywhere() {
    let service = CircuitBreakerService::default();
    for name in ["", "a@", "@b", "a@b@c", "a\nb", &"x".repeat(201)] {
        assert!(service.should_allow(name).is_err(), "{name}");
        assert!(service.should_allow_with_state(name).is_err(), "{name}");
        assert!(service.record_success(name, None).is_err(), "{name}");
        assert!(service.get_or_create_state(name).is_err(), "{name}");
    }
}

#[test]
fn circuits_that_others_made_are_the_services_too_with_their_own_rules() {
    let rig = Rig::new();
    let rules = fuseboard_core::Rules::builder().tripper("failure_streak(1)".parse().unwrap());
    let breaker = rig.board.get_or_create(NAME, rules.build().unwrap()).unwrap();
    rig.fail(NAME, 1);
    assert_eq!(breaker.state(), State::Open);
    breaker.force_closed(Pin::by("elsewhere"));
    assert!(rig.service.should_allow(NAME).unwrap());
}
