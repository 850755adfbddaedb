//! Control by hand: pins, their ends, their records, and the replay that they start.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fuseboard_core::{Cause, State};
use fuseboard_services::circuits::{
    AuditAction, CircuitBreakerConfig, CircuitBreakerResult, ManualControl, ReplayOrder, Trouble,
};

use crate::rig::{MINUTE, Rig, SECOND};

const NAME: &str = "external_api";

fn ops() -> ManualControl {
    ManualControl::by("ops").because("maintenance")
}

#[test]
fn force_open_blocks_and_keeps_actor_reason_and_expiry() {
    let rig = Rig::new();
    let result = rig.service.force_open(NAME, ops()).unwrap();
    assert!(result.success && result.error.is_none());
    assert_eq!(
        (result.previous_state, result.new_state),
        (Some(State::Closed), Some(State::ForcedOpen))
    );
    assert_eq!(result.message, "pinned forced_open for 1h30m");
    assert_eq!(result.expires_at.unwrap().as_unix_millis(), 90 * 60_000);
    assert!(!rig.service.should_allow(NAME).unwrap());
    let state = rig.service.get_or_create_state(NAME).unwrap();
    assert!(state.manually_controlled);
    assert_eq!((&*state.controlled_by, &*state.control_reason), ("ops", "maintenance"));
    assert_eq!(state.manual_override_expires_at, result.expires_at);
    assert_eq!(state.opened_at.unwrap().as_unix_millis(), 0);
}

#[test]
fn a_pin_ends_after_ninety_minutes_or_when_it_was_told_to_or_never() {
    let rows = [
        (ops(), Some(90 * MINUTE)),
        (ops().lasting(5 * MINUTE), Some(5 * MINUTE)),
        (ops().never_expiring(), None),
    ];
    for (control, ends) in rows {
        let rig = Rig::new();
        rig.service.force_open(NAME, control).unwrap();
        rig.clock.advance(ends.unwrap_or(10_000 * MINUTE) - SECOND);
        assert_eq!(rig.service.get_state(NAME), State::ForcedOpen);
        rig.clock.advance(SECOND);
        let after = if ends.is_some() { State::HalfOpen } else { State::ForcedOpen };
        assert_eq!(rig.service.get_state(NAME), after, "{ends:?}");
    }
}

#[test]
fn a_pin_that_ends_at_once_is_refused() {
    let error = Rig::new().service.force_open(NAME, ops().lasting(Duration::ZERO)).unwrap_err();
    let expected =
        "lasting: `0s` is not possible: a duration from 1ms, or to be told that it never ends";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_forced_open_circuit_that_is_let_go_is_probed_at_once() {
    let rig = Rig::new();
    rig.service.force_open(NAME, ops()).unwrap();
    let result = rig.service.manual_control(NAME, "auto", "done", "ops").unwrap();
    assert_eq!(result.new_state, Some(State::HalfOpen));
    assert_eq!(result.expires_at, None);
    rig.succeed(NAME, 2);
    assert_eq!(rig.service.get_state(NAME), State::Closed);
}

#[test]
fn force_close_lets_everything_through_whatever_fails() {
    let rig = Rig::new();
    rig.trip(NAME);
    rig.service.force_close(NAME, ops()).unwrap();
    rig.fail(NAME, 50);
    assert_eq!(rig.service.get_state(NAME), State::ForcedClosed);
}

#[test]
fn pinning_again_renews_the_pin_without_a_transition() {
    let rig = Rig::new();
    rig.service.force_open(NAME, ops().lasting(MINUTE)).unwrap();
    rig.clock.advance(30 * SECOND);
    let again = ManualControl::by("night shift").because("still down").lasting(MINUTE);
    let result = rig.service.force_open(NAME, again).unwrap();
    assert_eq!(
        (result.previous_state, result.new_state),
        (Some(State::ForcedOpen), Some(State::ForcedOpen))
    );
    assert_eq!(result.expires_at.unwrap().as_unix_millis(), 90_000);
    assert_eq!(rig.told().len(), 1);
    assert_eq!(rig.service.get_or_create_state(NAME).unwrap().controlled_by, "night shift");
}

#[test]
fn an_unknown_manual_action_is_an_error_that_says_what_is_right() {
    let rig = Rig::new();
    rig.service.force_open(NAME, ops()).unwrap();
    for action in ["opne", "OPEN", "Close", "", " auto", "reset", "half_open"] {
        let error = rig.service.manual_control(NAME, action, "typo", "ops").unwrap_err();
        let expected = format!("action: `{action}` is not possible: open, close or auto");
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(rig.service.get_state(NAME), State::ForcedOpen, "no typo ended the pin");
}

#[test]
fn each_action_by_its_word() {
    let rows = [
        ("open", State::ForcedOpen, AuditAction::ForceOpen),
        ("close", State::ForcedClosed, AuditAction::ForceClose),
        ("auto", State::Closed, AuditAction::Auto),
    ];
    for (action, state, audited) in rows {
        let rig = Rig::new();
        let result = rig.service.manual_control(NAME, action, "because", "ops").unwrap();
        assert_eq!(result.new_state, Some(state));
        let record = &rig.records()[0];
        assert_eq!((record.action, &*record.actor, &*record.reason), (audited, "ops", "because"));
        assert_eq!(record.before.as_ref().unwrap().state, State::Closed);
        assert_eq!(record.after.as_ref().unwrap().state, state);
    }
}

#[test]
fn auto_without_a_pin_says_so_and_changes_nothing() {
    let rig = Rig::new();
    rig.trip(NAME);
    let result = rig.service.manual_control(NAME, "auto", "", "").unwrap();
    assert_eq!(result.message, "no pin to end: open");
    assert_eq!(result.new_state, Some(State::Open));
}

#[test]
fn a_broken_audit_sink_does_not_keep_an_operator_from_acting() {
    let rig = Rig::new();
    *rig.audit.broken.lock().unwrap() = true;
    assert!(rig.service.force_open(NAME, ops()).unwrap().success);
    assert_eq!(rig.service.get_state(NAME), State::ForcedOpen);
}

#[test]
fn closing_starts_a_replay_if_and_only_if_it_is_asked_for() {
    let orders: Arc<Mutex<Vec<ReplayOrder>>> = Arc::default();
    let notes = Arc::clone(&orders);
    let rig = Rig::with(CircuitBreakerConfig::default(), |builder| {
        builder.replay(move |order: &ReplayOrder| {
            notes.lock().unwrap().push(order.clone());
            Ok(())
        })
    });
    assert!(!rig.service.force_close(NAME, ops()).unwrap().replay_triggered);
    assert!(!rig.service.force_open(NAME, ops().trigger_replay(true)).unwrap().replay_triggered);
    assert!(orders.lock().unwrap().is_empty());

    assert!(rig.service.force_close(NAME, ops().trigger_replay(true)).unwrap().replay_triggered);
    let expected = ReplayOrder {
        service_name: NAME.to_owned(),
        actor: "ops".to_owned(),
        reason: "maintenance".to_owned(),
        escalate_failures: true,
    };
    assert_eq!(*orders.lock().unwrap(), [expected]);
}

#[test]
fn a_replay_that_cannot_start_leaves_the_circuit_closed_and_the_operator_told() {
    type Trigger = fn(&ReplayOrder) -> Result<(), Trouble>;
    let rows: [(Option<Trigger>, &str); 3] = [
        (None, "no replay was started: nothing replays letters here"),
        (Some(|_| Err("the store is down".into())), "no replay was started: the store is down"),
        (Some(|_| panic!("its own fault")), "no replay was started: the replay trigger panicked"),
    ];
    for (trigger, message) in rows {
        let rig = Rig::with(CircuitBreakerConfig::default(), |builder| match trigger {
            Some(trigger) => builder.replay(trigger),
            None => builder,
        });
        let result = rig.service.force_close(NAME, ops().trigger_replay(true)).unwrap();
        assert_eq!(result.new_state, Some(State::ForcedClosed));
        assert!(!result.replay_triggered && result.message.ends_with(message), "{result:?}");
    }
}

#[test]
fn pins_end_where_the_engine_says_and_are_told_once() {
    let rig = Rig::new();
    rig.service.force_close(NAME, ops().lasting(MINUTE)).unwrap();
    rig.clock.advance(MINUTE);
    rig.service.check_recovery_transitions();
    rig.service.check_recovery_transitions();
    let told: Vec<_> = rig.told().into_iter().map(|(_, _, to, cause)| (to, cause)).collect();
    assert_eq!(told, [(State::ForcedClosed, Cause::Pinned), (State::Closed, Cause::PinLapsed)]);
}

#[test]
fn pinning_where_the_service_is_disabled_says_that_it_holds_nothing_back() {
    let rig = Rig::of(CircuitBreakerConfig { enabled: false, ..CircuitBreakerConfig::default() });
    let result = rig.service.force_open(NAME, ops()).unwrap();
    assert!(result.message.contains("the service is disabled"), "{}", result.message);
}

#[test]
fn a_failed_result_says_why() {
    let error = Rig::new().service.manual_control(NAME, "x", "", "").unwrap_err();
    let result = CircuitBreakerResult::failed(NAME, &error);
    assert!(!result.success && result.new_state.is_none());
    assert_eq!(result.error, Some(error.to_string()));
}
