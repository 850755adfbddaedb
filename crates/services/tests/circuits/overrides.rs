//! Thresholds that change for a while, and the rules that come back.

use std::time::Duration;

use fuseboard_core::{Rules, State};
use fuseboard_services::circuits::{AuditAction, CircuitBreakerConfig, ThresholdOverride};

use crate::rig::{MINUTE, Rig, SECOND};

const NAME: &str = "external_api";

fn two_failures() -> ThresholdOverride {
    ThresholdOverride { failure_threshold: Some(2), ..ThresholdOverride::default() }
        .by("ops", "a risky release")
}

#[test]
fn an_override_holds_for_its_circuit_and_its_time_and_then_the_base_rules_come_back() {
    let rig = Rig::new();
    rig.service.apply_threshold_override(NAME, two_failures().lasting(10 * MINUTE)).unwrap();
    assert_eq!(rig.service.get_effective_config(NAME).failure_threshold, 2);
    assert_eq!(rig.service.get_effective_config("other").failure_threshold, 5);
    rig.fail("other", 4);
    assert_eq!(rig.service.get_state("other"), State::Closed);
    rig.fail(NAME, 2);
    assert_eq!(rig.service.get_state(NAME), State::Open);

    rig.clock.advance(10 * MINUTE);
    rig.succeed(NAME, 2);
    rig.fail(NAME, 4);
    assert_eq!(rig.service.get_state(NAME), State::Closed);
    rig.fail(NAME, 1);
    assert_eq!(rig.service.get_state(NAME), State::Open);
    assert_eq!(rig.service.get_effective_config(NAME), CircuitBreakerConfig::default());
}

#[test]
fn an_override_without_a_time_ends_after_ninety_minutes_and_one_may_never_end() {
    let rows = [(two_failures(), false), (two_failures().never_expiring(), true)];
    for (order, stays) in rows {
        let rig = Rig::new();
        rig.service.apply_threshold_override(NAME, order).unwrap();
        rig.clock.advance(90 * MINUTE - SECOND);
        assert_eq!(rig.service.get_effective_config(NAME).failure_threshold, 2);
        rig.clock.advance(SECOND);
        let expected = if stays { 2 } else { 5 };
        assert_eq!(rig.service.get_effective_config(NAME).failure_threshold, expected);
    }
}

#[test]
fn removing_one_brings_the_base_rules_back_at_once() {
    let rig = Rig::new();
    rig.service.should_allow(NAME).unwrap();
    let base = rig.board.get(NAME).unwrap().rules();
    rig.service.apply_threshold_override(NAME, two_failures()).unwrap();
    assert_ne!(rig.board.get(NAME).unwrap().rules(), base);
    assert!(rig.service.remove_threshold_override(NAME));
    assert_eq!(rig.board.get(NAME).unwrap().rules(), base);
    assert!(!rig.service.remove_threshold_override(NAME), "it is gone");
    assert!(!rig.service.remove_threshold_override("nobody"));
}

#[test]
fn a_second_override_replaces_the_first_and_the_base_stays_the_base() {
    let rig = Rig::new();
    rig.service.apply_threshold_override(NAME, two_failures()).unwrap();
    let slower =
        ThresholdOverride { recovery_timeout: Some(5 * MINUTE), ..ThresholdOverride::default() };
    rig.service.apply_threshold_override(NAME, slower.lasting(MINUTE)).unwrap();
    let effective = rig.service.get_effective_config(NAME);
    assert_eq!((effective.failure_threshold, effective.recovery_timeout), (5, 5 * MINUTE));
    rig.clock.advance(MINUTE);
    assert_eq!(rig.service.get_effective_config(NAME), CircuitBreakerConfig::default());
    let rules = rig.board.get(NAME).unwrap().rules();
    assert_eq!(*rules, CircuitBreakerConfig::default().rules().unwrap());
}

#[test]
fn every_number_of_an_override_reaches_the_rules() {
    let rig = Rig::new();
    let order = ThresholdOverride {
        failure_threshold: Some(7),
        failure_rate_threshold: Some(25.0),
        sliding_window_size: Some(40),
        minimum_calls: Some(20),
        recovery_timeout: Some(90 * SECOND),
        success_threshold: Some(4),
        half_open_max_calls: Some(6),
        half_open_stuck_timeout: Some(15 * SECOND),
        ..ThresholdOverride::default()
    };
    rig.service.apply_threshold_override(NAME, order).unwrap();
    let rules = rig.board.get(NAME).unwrap().rules();
    assert_eq!(
        rules.tripper().to_string(),
        "failure_streak(7) | min_requests(20) & failure_rate(0.25)"
    );
    assert_eq!(rules.window().to_string(), "count(40)");
    assert_eq!(rules.retry().to_string(), "cooldown(1m30s)");
    assert_eq!(rules.recovery().to_string(), "successes(4)");
    assert_eq!((rules.slots(), rules.probe_timeout()), (6, 15 * SECOND));
    assert_eq!(rig.service.get_effective_config(NAME).rules().unwrap(), *rules);
}

#[test]
fn a_circuit_with_rules_of_its_own_keeps_those_that_the_override_does_not_name() {
    let rig = Rig::new();
    let own = Rules::builder()
        .window("time(60s)".parse().unwrap())
        .tracker("timeout".parse().unwrap())
        .permit("random(0.5)".parse().unwrap())
        .cancelled_after(SECOND)
        .build()
        .unwrap();
    let breaker = rig.board.get_or_create(NAME, own.clone()).unwrap();
    rig.service.apply_threshold_override(NAME, two_failures()).unwrap();
    let rules = breaker.rules();
    assert_eq!(
        rules.tripper().to_string(),
        "failure_streak(2) | min_requests(10) & failure_rate(0.5)"
    );
    assert_eq!((rules.window(), rules.permit()), (own.window(), own.permit()));
    assert_eq!((rules.classifier(), rules.retry()), (own.classifier(), own.retry()));
    assert_eq!(rules.cancelled_after(), Some(SECOND));
    rig.service.remove_threshold_override(NAME);
    assert_eq!(*breaker.rules(), own);
}

#[test]
fn rules_that_somebody_else_gave_the_circuit_meanwhile_are_left_alone() {
    let rig = Rig::new();
    rig.service.apply_threshold_override(NAME, two_failures().lasting(MINUTE)).unwrap();
    let breaker = rig.board.get(NAME).unwrap();
    let newer = Rules::builder().slots(9).build().unwrap();
    breaker.reconfigure(newer.clone());
    rig.clock.advance(MINUTE);
    rig.service.check_recovery_transitions();
    assert_eq!(*breaker.rules(), newer);
    assert_eq!(rig.service.get_effective_config(NAME).failure_threshold, 5);
}

#[test]
fn an_override_over_rules_that_somebody_else_gave_meanwhile_keeps_and_restores_those() {
    let rig = Rig::new();
    rig.service.apply_threshold_override(NAME, two_failures()).unwrap();
    let breaker = rig.board.get(NAME).unwrap();
    let newer = Rules::builder().slots(9).build().unwrap();
    breaker.reconfigure(newer.clone());
    rig.service.apply_threshold_override(NAME, two_failures()).unwrap();
    assert_eq!((breaker.rules().slots(), breaker.rules().retry()), (9, newer.retry()));
    assert!(rig.service.remove_threshold_override(NAME));
    assert_eq!(*breaker.rules(), newer);
}

#[test]
fn an_override_that_cannot_work_is_refused_and_changes_nothing() {
    let none = ThresholdOverride::default;
    let rows = [
        (none(), "override: `nothing` is not possible: at least one number to change"),
        (
            ThresholdOverride { failure_threshold: Some(0), ..none() },
            "failure_threshold: `0` is not possible: a number from 1 to 1000000",
        ),
        (
            ThresholdOverride { minimum_calls: Some(101), ..none() },
            "minimum_calls: `101` is not possible: a number from 1 to 100 (sliding_window_size: the window never holds more)",
        ),
        (
            two_failures().lasting(Duration::ZERO),
            "lasting: `0s` is not possible: a duration from 1ms, or to be told that it never ends",
        ),
    ];
    let rig = Rig::new();
    rig.service.apply_threshold_override(NAME, two_failures()).unwrap();
    let before = rig.board.get(NAME).unwrap().rules();
    for (order, message) in rows {
        let error = rig.service.apply_threshold_override(NAME, order).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(rig.board.get(NAME).unwrap().rules(), before);
}

#[test]
fn overrides_are_audited_with_who_why_and_what() {
    let rig = Rig::new();
    rig.service.apply_threshold_override(NAME, two_failures().lasting(MINUTE)).unwrap();
    rig.clock.advance(MINUTE);
    rig.service.should_allow("any other circuit").unwrap();
    rig.service.apply_threshold_override(NAME, two_failures()).unwrap();
    rig.service.remove_threshold_override(NAME);
    let records: Vec<_> =
        rig.records().into_iter().map(|record| (record.action, record.actor)).collect();
    let expected = [
        (AuditAction::OverrideApplied, "ops"),
        (AuditAction::OverrideLapsed, "system"),
        (AuditAction::OverrideApplied, "ops"),
        (AuditAction::OverrideRemoved, "ops"),
    ];
    assert_eq!(records, expected.map(|(action, actor)| (action, actor.to_owned())));
    let first = &rig.records()[0];
    assert_eq!((&*first.detail, &*first.reason), ("failure_threshold 2", "a risky release"));
}

#[test]
fn an_open_circuit_keeps_its_state_and_deadline_under_an_override() {
    let rig = Rig::new();
    rig.trip(NAME);
    let slower =
        ThresholdOverride { recovery_timeout: Some(10 * MINUTE), ..ThresholdOverride::default() };
    rig.service.apply_threshold_override(NAME, slower.never_expiring()).unwrap();
    assert_eq!(rig.service.get_or_create_state(NAME).unwrap().retry_after, Some(MINUTE));
}
